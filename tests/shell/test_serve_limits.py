"""Sizes, encodings, slowness and load: each bound is kept while the bytes come in, and a refusal harms nobody else."""

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Sequence

import pytest

from streams.serve.answer import Answer, Refusal
from streams.serve.body import read_body
from streams.serve.budget import Budget, Hold
from streams.serve.call import Call
from streams.serve.intake import Row
from tests.shell.serve_kit import BACK_KEY, Site, basic, refused, site, unread, viewed

BATCH = json.dumps({"batch": [viewed(1), viewed(2)], "context": {"filler": "x" * 1000}}).encode()


def test_gzip_is_taken_in_however_many_parts_it_comes() -> None:
    shop = site()
    packed = gzip.compress(BATCH)

    async def ask() -> Answer:
        parts = [packed[at : at + 7] for at in range(0, len(packed), 7)]
        return await shop.call("POST", "/v1/batch", parts, basic(BACK_KEY) | {"Content-Encoding": "gzip"})

    assert asyncio.run(ask()).status == 200
    assert len(shop.events) == 2


@pytest.mark.parametrize(
    "body",
    [b"", b"not gzip", BATCH, gzip.compress(BATCH)[:-4], gzip.compress(BATCH) + b"x", zlib.compress(BATCH)],
    ids=["nothing", "no gzip", "plain", "cut off", "with a tail", "zlib"],
)
def test_what_is_no_whole_gzip_is_refused(body: bytes) -> None:
    shop = site()

    assert refused(shop.post("/v1/batch", body, Content_Encoding="gzip")) == (400, "bad_encoding")
    assert shop.log.rows == []


def test_a_gzip_bomb_is_refused_while_it_inflates() -> None:
    """1 GB in 1 MB: neither memory nor the budget ever sees more than the limit."""
    shop = site(serve={"batch_bytes": 500_000})
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1_000_000)
    bomb = b"".join(packer.compress(zeros) for _ in range(400)) + packer.flush()
    assert len(bomb) < 500_000

    tracemalloc.start()
    answer = shop.post("/v1/batch", bomb, Content_Encoding="gzip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert refused(answer) == (413, "too_large")
    assert answer.headers["Connection"] == "close"
    assert peak < 3_000_000
    assert shop.served.budget.bytes_held == 0


def test_a_body_at_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    shop = site(serve={"batch_bytes": len(BATCH)})

    assert shop.post("/v1/batch", BATCH).status == 200
    assert refused(shop.post("/v1/batch", BATCH + b" ")) == (413, "too_large")
    assert shop.post("/v1/batch", gzip.compress(BATCH), Content_Encoding="gzip").status == 200
    assert refused(shop.post("/v1/batch", gzip.compress(BATCH + b" "), Content_Encoding="gzip")) == (413, "too_large")


def test_a_stated_length_beyond_the_limit_is_refused_before_a_byte_is_read() -> None:
    shop = site()

    async def ask() -> Answer:
        return await shop.call("POST", "/v1/batch", unread(), basic(BACK_KEY) | {"Content-Length": "512001"})

    assert refused(asyncio.run(ask())) == (413, "too_large")


def test_a_single_call_has_the_limit_of_an_event_and_a_large_event_in_a_batch_costs_only_itself() -> None:
    shop = site(serve={"event_bytes": 2000})
    large = viewed(9, context={"filler": "x" * 2000})

    assert refused(shop.post("/v1/track", large)) == (413, "too_large")
    assert shop.post("/v1/batch", {"batch": [viewed(1), large]}).status == 200
    assert len(shop.events) == 1
    assert [found["reason"] for found in shop.rejected] == ["too_large"]


@pytest.mark.parametrize("shared", [{"filler": "x" * 30_000}, {"traits": {f"t{n}": "x" * 900 for n in range(30)}}])
def test_what_a_batch_says_of_all_counts_for_each_so_that_a_small_request_makes_no_large_records(
    shared: object,
) -> None:
    shop = site(serve={"event_bytes": 20_000})
    message = {"type": "identify", "userId": "u1", "writeKey": BACK_KEY}
    body = {"context": shared, "batch": [message] * 200}

    assert shop.post("/v1/batch", body).status == 200
    assert [found["reason"] for found in shop.rejected] == ["too_large"] * 200
    assert sum(len(row.value) for row in shop.log.rows) < 3 * len(json.dumps(body))


@pytest.mark.parametrize(
    "kind",
    [
        *("application/json", "text/plain;charset=UTF-8", "", "application/vnd.segment+json"),
        *("application/x-www-form-urlencoded", "application/octet-stream"),
    ],
)
def test_the_content_types_that_libraries_send_are_taken(kind: str) -> None:
    assert site().post("/v1/batch", BATCH, Content_Type=kind).status == 200


@pytest.mark.parametrize("kind", ["multipart/form-data", "text/html", "image/png", "application/xml"])
def test_other_content_types_are_refused(kind: str) -> None:
    assert refused(site().post("/v1/batch", BATCH, Content_Type=kind)) == (415, "content_type")


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip"])
def test_other_encodings_are_refused(encoding: str) -> None:
    assert refused(site().post("/v1/batch", BATCH, Content_Encoding=encoding)) == (415, "content_encoding")


# --- slow and broken clients ----------------------------------------------------------------------------------------


async def endless() -> AsyncIterator[bytes]:
    yield b'{"batch":['
    await asyncio.Event().wait()


def test_a_body_that_does_not_end_in_time_is_refused() -> None:
    async def read() -> None:
        budget = Budget(bytes_max=1000, records_max=10)
        with pytest.raises(Refusal) as refusal, Hold(budget) as hold:
            await read_body(endless(), hold, gzipped=False, limit=1000, timeout_ms=1)
        assert (refusal.value.reason, refusal.value.headers["Connection"]) == ("slow_body", "close")
        assert budget.bytes_held == 0

    asyncio.run(read())


def test_a_client_that_hangs_up_in_the_middle_leaves_nothing_behind() -> None:
    shop = site()

    async def broken() -> AsyncIterator[bytes]:
        yield BATCH[:20]
        raise Refusal("cut_off")

    call = Call("POST", "/v1/batch", "", {k.lower(): v for k, v in basic(BACK_KEY).items()}, broken())

    assert refused(asyncio.run(shop.served.app.answer(call))) == (400, "cut_off")
    assert shop.log.rows == []
    assert shop.served.budget.bytes_held == 0


# --- load -----------------------------------------------------------------------------------------------------------


async def held(shop: Site, bodies: list[bytes]) -> list[asyncio.Task[Answer]]:
    """Requests that wait for the log."""
    shop.log.pause()
    waiting = [asyncio.ensure_future(shop.call("POST", "/v1/batch", body, basic(BACK_KEY))) for body in bodies]
    for _ in range(10):
        await asyncio.sleep(0)
    return waiting


def test_beyond_the_budget_of_bytes_callers_are_told_to_come_back_and_nothing_is_lost() -> None:
    big = json.dumps({"batch": [viewed(1)], "context": {"filler": "x" * 30_000}}).encode()
    shop = site(serve={"inflight_bytes": 65_536, "batch_bytes": 40_000})

    async def scenario() -> tuple[list[int], Answer, int]:
        waiting = await held(shop, [big, big])
        late = await shop.call("POST", "/v1/batch", big, basic(BACK_KEY))
        shop.log.resume()
        return [answer.status for answer in await asyncio.gather(*waiting)], late, shop.served.budget.bytes_held

    statuses, late, bytes_held = asyncio.run(scenario())

    assert statuses == [200, 200]
    assert refused(late) == (429, "busy")
    assert int(late.headers["Retry-After"]) > 0
    assert (len(shop.events), bytes_held) == (2, 0)
    assert shop.post("/v1/batch", big).status == 200


def test_a_budget_refuses_what_does_not_fit_and_takes_nothing_of_it() -> None:
    budget = Budget(bytes_max=100, records_max=2)
    budget.take(60, 1)

    for size, records in ((41, 0), (1, 2)):
        with pytest.raises(Refusal):
            budget.take(size, records)

    assert (budget.bytes_held, budget.records_held) == (60, 1)
    budget.take(40, 1)
    budget.give_back(100, 2)
    assert (budget.bytes_held, budget.records_held) == (0, 0)


def test_a_fault_of_ours_is_an_answer_too_and_names_nothing_of_the_customer(caplog: pytest.LogCaptureFixture) -> None:
    shop = site()

    async def fail(rows: Sequence[Row]) -> None:
        raise RuntimeError("ann@example.org broke it")

    shop.log.write = fail  # type: ignore[method-assign]  # a log with a fault

    assert refused(shop.post("/v1/track", viewed())) == (500, "fault")
    assert "RuntimeError" in caplog.text
    assert "ann@example.org" not in caplog.text
    assert shop.served.budget.bytes_held == 0
