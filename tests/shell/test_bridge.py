"""A topic in a tracker's own form: what becomes of its records, and which settings are refused."""

import json
from typing import Any

import msgspec
import pytest

from schemas.events import AnyEvent, Event
from schemas.outputs import Outgoing, Rejected
from streams.bridge import Reader, readers
from streams.home import home_partition
from streams.record import Record
from streams.redrive import Redrive
from streams.settings import SettingsError, build_settings

AT_MS = 1_772_409_600_000


def reader(form: str, **sections: Any) -> Reader:
    return readers(build_settings({"raw": {"web": {"topic": "their.topic", "format": form}}, **sections}))[
        "their.topic"
    ]


def record(body: Any, key: bytes | None = b"any key") -> Record:
    return Record(17, AT_MS, key, json.dumps(body).encode())


def event_of(row: Outgoing) -> Event:
    event: Event = msgspec.json.decode(bytes(row.value), type=AnyEvent)
    return event


def track(event: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": event,
        "userId": "ada",
        "messageId": "m1",
        "timestamp": "2026-03-01T12:00:00Z",
    } | fields


def test_an_event_goes_to_the_topic_of_its_kind_and_the_home_of_its_customer_whatever_its_key_was() -> None:
    (row,) = reader("segment").rows(5, record(track("Order Completed", properties={"order_id": "o1", "revenue": 9.5})))

    assert (row.topic, row.key, row.partition) == ("orders", "ada", home_partition("ada", 32))
    event = event_of(row)
    assert (event.user_id, event.source, event.received_at_ms) == ("ada", "web", AT_MS)


def test_a_message_of_several_events_becomes_as_many_records_and_again_the_same_ones() -> None:
    body = {
        "client_id": "11.22",
        "timestamp_micros": 1772366400000000,
        "events": [{"name": "login"}, {"name": "view_cart"}],
    }
    first, again = (reader("ga4").rows(0, record(body)) for _ in range(2))

    assert [row.topic for row in first] == ["identities", "carts"]
    assert {row.key for row in first} == {"11.22"}
    assert first == again


@pytest.mark.parametrize(
    "body, reason",
    [
        (track("Order Completed"), "missing_field"),
        ({"nothing": "of ours"}, "unknown_shape"),
        ({"client_id": "11.22", "timestamp_micros": 1772366400000000, "events": [{"name": "login"}]}, "unknown_shape"),
    ],
)
def test_what_cannot_be_taken_is_set_aside_with_the_place_it_came_from(body: Any, reason: str) -> None:
    (row,) = reader("segment").rows(5, record(body))
    rejected = msgspec.json.decode(bytes(row.value), type=Rejected)

    assert (row.topic, row.record_id) == ("rejected", "their.topic/5/17")
    assert (rejected.reason, rejected.topic, rejected.partition, rejected.offset) == (reason, "their.topic", 5, 17)
    assert json.loads(rejected.original or "") == body


def test_a_tombstone_says_nothing() -> None:
    assert reader("segment").rows(0, Record(1, AT_MS, b"k", None)) == []


@pytest.mark.parametrize(
    "raw, message",
    [
        ({}, r"name one in the settings \(\[raw\.web\]\)"),
        ({"web": {"topic": "a topic", "format": "segment"}}, r"raw\.web\.topic"),
    ],
)
def test_settings_that_name_no_topic_are_refused(raw: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        readers(build_settings({"raw": raw}))


def test_what_is_sent_again_has_the_source_it_had_so_that_what_had_passed_counts_once() -> None:
    settings = build_settings({"raw": {"web": {"topic": "their.topic", "format": "ga4"}}})
    body = {
        "client_id": "11.22",
        "timestamp_micros": 1772366400000000,
        "events": [{"name": "login"}, {"name": "purchase", "params": {}}],
    }
    passed, aside = readers(settings)["their.topic"].rows(0, record(body))
    again = Redrive(settings).look(msgspec.json.decode(bytes(aside.value), type=Rejected))

    assert (passed.topic, aside.topic) == ("identities", "rejected")
    assert [msgspec.json.decode(line.value) for line in again.lines] == [msgspec.json.decode(bytes(passed.value))]
    assert [problem.reason for problem in again.still] == ["missing_field"]
