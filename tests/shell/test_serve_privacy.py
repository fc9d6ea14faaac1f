"""Privacy requests over HTTP: who may make one, what goes into the log, and the receipt."""

import asyncio
from typing import Any

import pytest

from profiles.receipts import Case
from profiles.state import encode
from schemas.decode import Decoder
from schemas.events import Arrival, CommandEvent, SplitProfile
from streams.home import home_partition
from streams.serve.answer import Answer
from streams.table import Commit
from tests.shell.serve_kit import BACK_KEY, DESK_TOKEN, NOW_MS, PARTITIONS, TOKEN, Site, basic, refused, site, told


def ask(shop: Site, name: str, body: Any, token: str = DESK_TOKEN) -> Answer:
    return shop.ask("POST", f"/v1/privacy/{name}", body, {"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("name", ["suppress", "unsuppress", "erase", "export", "anonymise"])
def test_a_request_becomes_a_command_at_the_home_of_the_strongest_identifier(name: str) -> None:
    shop = site()
    answer = ask(shop, name, {"email": "Ada@Example.org", "user_id": "2375", "request_id": "r7", "reason": "asked"})

    assert (answer.status, told(answer)) == (202, {"request_id": "r7"})
    (row,) = shop.log.rows
    arrival = Decoder("EUR").decode(row.value, NOW_MS)
    assert isinstance(arrival, Arrival)
    command = arrival.event
    assert isinstance(command, CommandEvent)
    assert ("commands", b"2375", home_partition("2375", PARTITIONS)) == (row.topic, row.key, row.partition)
    assert (
        command.request_id, command.email, command.reason, command.requested_at_ms,
    ) == ("r7", "ada@example.org", "asked", NOW_MS)  # fmt: skip
    assert name.capitalize() == str(type(command).__struct_config__.tag).removesuffix(" Customer")


def test_a_split_says_what_is_to_be_taken_out_of_whom_both_in_their_normal_form() -> None:
    shop = site()
    body = {"user_id": "2375", "identifier": "email:Bob@Example.org", "request_id": "r8", "reason": "mistyped"}
    answer = ask(shop, "split", body)

    assert (answer.status, told(answer)) == (202, {"request_id": "r8"})
    (row,) = shop.log.rows
    arrival = Decoder("EUR").decode(row.value, NOW_MS)
    assert isinstance(arrival, Arrival)
    command = arrival.event
    assert isinstance(command, SplitProfile)
    assert ("commands", b"2375", home_partition("2375", PARTITIONS)) == (row.topic, row.key, row.partition)
    assert (command.identifier, command.request_id, command.reason, command.requested_at_ms) == (
        "email:bob@example.org", "r8", "mistyped", NOW_MS,
    )  # fmt: skip


@pytest.mark.parametrize(
    "body, reason",
    [
        ({"user_id": "1"}, "wrong_shape"),
        ({"identifier": "email:b@example.org"}, "wrong_shape"),
        ({"user_id": "1", "identifier": "b@example.org"}, "nobody"),
        ({"user_id": "1", "identifier": "email:guest"}, "nobody"),
        ({"user_id": "1", "identifier": "colour:blue"}, "nobody"),
        ({"user_id": "1", "identifier": ["email:b@example.org"]}, "wrong_shape"),
    ],
)
def test_a_split_that_does_not_say_what_or_of_whom_is_refused_and_nothing_is_written(body: Any, reason: str) -> None:
    shop = site()

    assert reason == refused(ask(shop, "split", body))[1]
    assert shop.log.rows == []


def test_a_request_without_a_number_gets_one() -> None:
    shop = site()
    one, two = (told(ask(shop, "erase", {"user_id": "1"}))["request_id"] for _ in range(2))

    assert one != two
    assert [one, two] == [event["request_id"] for event in shop.events]


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"{", "not_json"),
        ({}, "wrong_shape"),
        ({"user_id": 2375}, "wrong_shape"),
        ({"user_id": None}, "wrong_shape"),
        ({"user_id": "guest"}, "nobody"),
        ({"user_id": "1", "customer": 1}, "wrong_shape"),
        ({"user_id": "1", "request_id": ""}, "wrong_shape"),
        (b'{"user_id": "' + b"1" * 40_000 + b'"}', "too_large"),
    ],
)
def test_a_request_that_names_no_customer_is_refused_and_nothing_is_written(body: Any, reason: str) -> None:
    shop = site()

    assert reason == refused(ask(shop, "erase", body))[1]
    assert shop.log.rows == []


def test_only_a_token_with_the_scope_may_ask_and_look() -> None:
    shop = site()

    assert refused(ask(shop, "erase", {"user_id": "1"}, token=TOKEN)) == (403, "scope")
    assert refused(ask(shop, "split", {"user_id": "1", "identifier": "email:b@example.org"}, token=TOKEN))[0] == 403
    assert refused(shop.get("/v1/privacy/requests/r1")) == (403, "scope")
    assert refused(shop.ask("POST", "/v1/privacy/erase", {"user_id": "1"}, basic(BACK_KEY))) == (401, "no_token")
    assert refused(shop.get("/v1/profiles/user_id:1", token=DESK_TOKEN)) == (403, "scope")
    assert shop.log.rows == []


def test_while_the_log_is_away_a_request_is_not_taken() -> None:
    shop = site()
    shop.log.away = True

    assert refused(ask(shop, "erase", {"user_id": "1"})) == (503, "kafka_away")


def test_the_receipt_says_what_was_done_and_whether_all_have_answered() -> None:
    shop = site()
    case = Case("erase", NOW_MS, first=True, named=["b"], answered=["a"], counts={"orders": 3, "profiles": 1})

    async def fill() -> None:
        partition = home_partition("r1", PARTITIONS)
        claim = await shop.table.claim(partition)
        commit = Commit(token=claim.meta.token, expected=claim.meta.commits, notes={"request:r1": encode(case)})
        await shop.table.commit(partition, commit)

    assert refused(shop.get("/v1/privacy/requests/r1", token=DESK_TOKEN)) == (404, "no_request")
    asyncio.run(fill())
    receipt = told(shop.get("/v1/privacy/requests/r1", token=DESK_TOKEN))

    assert (
        receipt["final"], receipt["homes"], receipt["waiting"], receipt["counts"],
    ) == (False, 1, 1, {"orders": 3, "profiles": 1})  # fmt: skip
    assert receipt["kept_ms"]["orders"] == 7 * 86_400_000
