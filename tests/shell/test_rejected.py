"""What was set aside, sent again: as of today, under the ids and times of then, and nothing counts twice."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.outputs import Rejected
from schemas.reasons import Problem
from streams import cli
from streams.record import Record
from streams.redrive import Outcome, Redrive
from streams.rejected import Aside, Filter, _aside
from streams.rows import original_bytes, reject
from streams.settings import build_settings
from tests.shell.serve_kit import NOW_MS, PAGE, WEB_KEY, site, viewed
from tests.shell.world import START_MS, World, added, ordered, run


def look(rejected: Rejected, **files: str) -> Outcome:
    sources = {"web": {"key": WEB_KEY, "kind": "client", "origins": ["*"]}}
    return Redrive(build_settings({"shop": {"currency": "EUR"}, "files": files, "sources": sources})).look(rejected)


def aside(value: bytes | None, topic: str = "clickstream", reason: str = "wrong_type", **fields: Any) -> Rejected:
    record = Record(fields.pop("offset", 7), fields.pop("timestamp_ms", START_MS), None, value)
    return reject(record, topic, 0, reason, "as it was")


def event(**fields: Any) -> bytes:
    told = {"event": "Product Viewed", "message_id": "m1", "timestamp_ms": START_MS, "user_id": "ada"}
    return json.dumps({**told, "product": {"product_id": "tea"}, **fields}).encode()


def test_a_record_that_is_good_now_goes_back_to_its_topic_with_its_own_id_and_time() -> None:
    (line,) = look(aside(event(), topic="carts")).lines
    sent = json.loads(line.value)

    assert (line.topic, line.key) == ("carts", "ada")
    assert (sent["message_id"], sent["timestamp_ms"], sent["received_at_ms"]) == ("m1", START_MS, START_MS)


def test_a_record_on_its_way_between_homes_goes_to_the_topic_of_its_kind() -> None:
    (line,) = look(aside(event(), topic="forwards")).lines

    assert line.topic == "clickstream"


@pytest.mark.parametrize(
    "path,body",
    [
        ("/v1/track", {"userId": "u1", "event": "Signed Up", "timestamp": "2026-03-01T00:00:00Z"}),
        ("/v1/identify", {"userId": "u1", "traits": {"tier": "gold"}}),
        ("/v1/identify", {"userId": "u1", "messageId": " ", "originalTimestamp": "2026-03-01T00:00:00Z"}),
        ("/v1/identify", {"userId": "u1", "messageId": " ", "traits": {"tier": "gold"}}),
        ("/v1/track", {"type": "track", "messageId": "m9", "userId": "u1", "event": "Signed Up"}),
        ("/v1/batch", {"batch": [{"type": "identify", "userId": "u1"}] * 3}),
        ("/v1/batch", {"batch": [{"type": "identify", "userId": "u1", "timestamp": "2026-03-01T00:00:00Z"}] * 2}),
        ("/v1/batch", {"context": {"locale": "de-DE"}, "batch": [{"type": "identify", "userId": "u1"}] * 3}),
        ("/v1/batch", {"sentAt": "2026-03-05T00:00:10.000Z", "context": {"locale": "de-DE"}, "batch": [viewed(timestamp="2026-03-05T00:00:00.000Z")]}),  # noqa: E501
    ],
)  # fmt: skip
def test_a_call_is_the_same_event_once_it_is_sent_again(path: str, body: dict[str, Any], tmp_path: Path) -> None:
    """Also where its path told the type, and its batch when it was sent and in which language. Its id is that of its first bytes,
    or a client's repeat of the call, which came after the plan was mended, would count again.
    """
    plan = tmp_path / "plan.json"
    plan.write_text('{"unplanned": "reject", "events": {"Page Viewed": {}}}')
    taken, refused = site(), site(files={"tracking_plan": str(plan)})
    for shop in (taken, refused):
        assert shop.post(path, body, WEB_KEY, Origin=PAGE).status == 200

    sent = [
        json.loads(line.value)
        for rejected in refused.rejected
        for line in look(msgspec.json.decode(json.dumps(rejected), type=Rejected)).lines
    ]

    assert sent == taken.events


def test_the_largest_call_that_is_taken_is_not_too_large_when_it_is_sent_again(tmp_path: Path) -> None:
    """What its path and its batch said of it, and its id, are kept with it."""
    plan = tmp_path / "plan.json"
    plan.write_text('{"unplanned": "reject", "events": {"Page Viewed": {}}}')
    refused, body = site(files={"tracking_plan": str(plan)}), {"userId": "u1", "traits": {"about": ""}}
    body["traits"] = {"about": "x" * (32 * 1024 - len(json.dumps(body)))}

    assert refused.post("/v1/identify", body, WEB_KEY, Origin=PAGE).status == 200
    (rejected,) = refused.rejected
    assert rejected["reason"] == "plan_violation"
    assert len(look(msgspec.json.decode(json.dumps(rejected), type=Rejected)).lines) == 1


def test_spend_is_not_taken_for_an_event_that_nobody_knows() -> None:
    value = b'{"day": "2026-03-01", "channel": "ads", "amount_minor": 1, "currency": "JPY"}'
    outcome = look(aside(value, topic="spend", reason="no_rate"))

    assert (outcome.lines, outcome.still) == ((), ())
    assert "each report reads the topic spend anew" in outcome.hopeless


def test_several_events_in_one_record_become_a_record_each() -> None:
    calls = {"batch": [{**viewed(number), "timestamp": "2026-03-01T00:00:00Z"} for number in (1, 2)], "sentAt": None}
    outcome = look(aside(json.dumps(calls).encode(), reason="several_events"))

    assert [json.loads(line.value)["message_id"] for line in outcome.lines] == ["m1", "m2"]
    assert (outcome.lines[0].key.encode(), len(outcome.lines)) == (b"u1", 2)


def test_what_is_still_wrong_says_why_as_of_today() -> None:
    (still,) = look(aside(event(product={"product_id": 7}))).still

    assert isinstance(still, Problem)
    assert still.reason == "wrong_type"
    assert "$.product.product_id" in still.detail


def test_the_plan_of_today_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"events": {"Product Viewed": {"required": ["email"]}}}))
    outcome = look(aside(event(), reason="plan_violation"), tracking_plan=str(path))

    assert (outcome.still[0].reason, outcome.lines) == ("plan_violation", ())
    path.write_text(json.dumps({"events": {}}))
    assert len(look(aside(event(), reason="plan_violation"), tracking_plan=str(path)).lines) == 1


def test_a_call_that_came_over_http_is_held_to_what_its_key_allows() -> None:
    good = aside(json.dumps(viewed()).encode(), topic="http/web", offset=-1, timestamp_ms=NOW_MS)
    bad = aside(
        json.dumps({"type": "alias", "userId": "u1", "previousId": "u2"}).encode(),
        topic="http/web", offset=-1, timestamp_ms=NOW_MS, reason="not_allowed",
    )  # fmt: skip
    (line,) = look(good).lines
    sent = json.loads(line.value)

    assert (
        line.topic, sent["source"], sent["source_kind"], sent["received_at_ms"], sent["message_id"],
    ) == ("clickstream", "web", "client", NOW_MS, "m1")  # fmt: skip
    assert [problem.reason for problem in look(bad).still] == ["not_allowed"]


@pytest.mark.parametrize(
    "rejected, said",
    [
        (aside(None, reason="tombstone"), "no value"),
        (aside(b"x" * 300_000, reason="too_large"), "are missing"),
        (aside(b"{}", topic="http/partner", offset=-1), "no source of the settings"),
        (aside(b"{}", topic="decisions", offset=-1, reason="output_too_large"), "it is no event"),
    ],
)
def test_what_can_never_be_sent_says_so(rejected: Rejected, said: str) -> None:
    outcome = look(rejected)

    assert said in outcome.hopeless
    assert (outcome.lines, outcome.still) == ((), ())


def test_what_had_passed_counts_once_and_what_had_not_counts_now() -> None:
    """A record of two events went through in part, by hand; sent again whole, only the missing one is new."""
    world = World()
    world.send(added("ada", 0, "a1"), ordered("ada", 1, "o1"))
    run(world.all_done())
    before = world.profile("user_id:ada")
    records = [(topic, record.value) for topic in ("carts", "orders") for record in world.log.records(topic)]
    again = [aside(value, topic) for topic, value in records]
    new = aside(event(message_id="v1"))
    for rejected in (*again, new, new):
        for line in look(rejected).lines:
            world.log.append(line.topic, line.value, partition=0, timestamp_ms=0)
    run(world.all_done())
    after = world.profile("user_id:ada")

    assert before is not None
    assert after is not None
    assert (before.orders.count, before.ltv.net, 0) == (after.orders.count, after.ltv.net, before.activity.views)
    assert (1, before.activity.events + 1) == (after.activity.views, after.activity.events)
    lines = {cart.cart_id: {key: line.quantity for key, line in cart.lines.items()} for cart in after.carts.values()}
    assert lines == {"ada-c1": {"tea": 1}}


@given(st.binary(max_size=400))
def test_the_original_comes_back_byte_for_byte(value: bytes) -> None:
    assert value == original_bytes(aside(value))


@given(st.binary(max_size=200))
def test_any_original_has_an_outcome(value: bytes) -> None:
    outcome = look(aside(value))

    assert bool(outcome.lines) + bool(outcome.still) + bool(outcome.hopeless) >= 1


def test_filters_leave_what_is_meant() -> None:
    one = Aside(partition=3, offset=17, record_id="r", rejected=aside(b"{", reason="not_json"))

    assert one.place == "3/17"
    for meant in (
        Filter(),
        Filter(reasons=frozenset({"not_json", "empty"})),
        Filter(source="clickstream"),
        Filter(since_ms=START_MS, until_ms=START_MS + 1),
        Filter(places=frozenset({"3/17"})),
    ):
        assert meant.takes(one)
    for other in (
        Filter(reasons=frozenset({"empty"})),
        Filter(source="http/web"),
        Filter(since_ms=START_MS + 1),
        Filter(until_ms=START_MS),
        Filter(places=frozenset({"3/18"})),
    ):
        assert not other.takes(one)


def test_the_list_says_that_times_are_utc_and_outlives_a_sender_that_stamps_in_microseconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Topics of the shop's own hold the times of who wrote them; one of these ended the list as a fault of ours."""
    found = [
        Aside(partition=0, offset=number, record_id=str(number), rejected=aside(b"?", timestamp_ms=at_ms))
        for number, at_ms in enumerate((START_MS, START_MS * 1000, None))
    ]
    monkeypatch.setattr("streams.rejected.read_rejected", lambda _: iter(found))

    assert cli.run(["rejected", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "0/0      2026-03-02 00:00:00 UTC  clickstream    wrong_type: as it was",
        "0/1      1772409600000000 ms      clickstream    wrong_type: as it was",
        "0/2      -----------------------  clickstream    wrong_type: as it was",
    ]


@pytest.mark.parametrize("odd", [b'{"detail":"\xff"}', b'{"reason":"x","and":' + b"[" * 9000, b"[]", None])
def test_what_is_no_reject_is_passed_by(odd: bytes | None) -> None:
    assert _aside(0, SimpleNamespace(headers=[], value=odd, offset=7)) is None
