"""Merging topics by event time: the order depends on the logs, not on what was delivered when."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decode import Decoder, Problem
from schemas.events import Arrival, PageViewed
from schemas.moves import MOVES, Link
from schemas.times import FUTURE_TOLERANCE_MS
from streams.forwards import FORWARDS
from streams.inbox import Inbox
from streams.merge import Merge
from streams.record import Chunk, Record

START_MS = 1_772_409_600_000
TOPICS = ("carts", "clickstream", "feedback")
Log = list[int | None]
"""Event times of a topic's records; None is a record that can't be decoded."""


def record(offset: int, at: int | None) -> Record:
    if at is None:
        return Record(offset, 0, None, b"{")
    event = PageViewed(message_id=f"{offset}", timestamp_ms=START_MS + at, user_id="ada")
    return Record(offset, 0, None, msgspec.json.encode(event))


class Topics:
    """Logs, and inboxes that are opened at their start with their ends known."""

    def __init__(self, logs: dict[str, Log], bound: int = 1000) -> None:
        self.records = {topic: [record(n, at) for n, at in enumerate(log)] for topic, log in logs.items()}
        self.inboxes = [Inbox(topic, bound=bound) for topic in logs]
        self.sent = dict.fromkeys(logs, 0)
        self.numbers = dict.fromkeys(logs, 0)
        for inbox in self.inboxes:
            inbox.open(1, 0, len(logs[inbox.topic]))
        self.merge = Merge(self.inboxes, Decoder("USD"))

    def deliver(self, topic: str, count: int) -> None:
        at = self.sent[topic]
        records = self.records[topic][at : at + count]
        if records:
            self.sent[topic] += len(records)
            self.numbers[topic] += 1
            inbox = next(inbox for inbox in self.inboxes if inbox.topic == topic)
            inbox.append(Chunk(topic, 0, 1, records), self.numbers[topic], self.sent[topic])

    def take(self, limit: int = 10_000) -> list[tuple[str, int]]:
        return [(item.topic, item.next_offset - 1) for item in self.merge.take(limit)]


def by_definition(logs: dict[str, Log]) -> list[tuple[str, int]]:
    """The order as it is defined, computed the slow way."""
    keys = []
    for rank, (topic, log) in enumerate(logs.items()):
        newest = 0
        for offset, at in enumerate(log):
            newest = max(newest, 0 if at is None else START_MS + at)
            keys.append((newest, rank, offset, topic))
    return [(topic, offset) for _, _, offset, topic in sorted(keys)]


LOGS = st.fixed_dictionaries({topic: st.lists(st.none() | st.integers(0, 20), max_size=12) for topic in TOPICS})


@given(
    logs=LOGS,
    deliveries=st.lists(st.tuples(st.sampled_from(TOPICS), st.integers(1, 5)), max_size=60),
    limit=st.integers(1, 5),
)
@settings(deadline=None)
def test_whatever_is_delivered_when_the_order_is_the_defined_one(
    logs: dict[str, Log], deliveries: list[tuple[str, int]], limit: int
) -> None:
    topics = Topics(logs)
    taken = []
    for topic, count in deliveries:
        topics.deliver(topic, count)
        taken.append(topics.take(limit))
    for topic in TOPICS:
        topics.deliver(topic, 1000)
    while more := topics.take(limit):
        taken.append(more)

    assert [one for some in taken for one in some] == by_definition(logs)
    assert all(len(some) <= limit for some in taken)


@given(logs=LOGS, cut=st.integers(0, 30))
@settings(deadline=None)
def test_a_restart_in_the_middle_changes_no_order(logs: dict[str, Log], cut: int) -> None:
    whole = by_definition(logs)
    first = dict.fromkeys(TOPICS, 0)
    for topic, offset in whole[:cut]:
        first[topic] = offset + 1
    left = {topic: log[first[topic] :] for topic, log in logs.items()}
    again = Topics(left)
    for topic in TOPICS:
        again.deliver(topic, 1000)

    assert [(topic, offset + first[topic]) for topic, offset in again.take()] == whole[cut:]


def test_it_waits_only_for_a_topic_that_is_known_to_hold_more() -> None:
    topics = Topics({"carts": [5], "clickstream": [1, 2], "feedback": []})
    topics.deliver("clickstream", 2)
    waiting = (topics.take(), topics.merge.blocked)
    topics.deliver("carts", 1)

    assert waiting == ([], True)
    assert topics.take(1) == [("clickstream", 0)]
    assert not topics.merge.nothing_left("clickstream")
    assert topics.take() == [("clickstream", 1), ("carts", 0)]
    assert topics.merge.nothing_left("clickstream")


def test_a_record_that_cannot_be_read_keeps_its_place_and_carries_the_reason() -> None:
    topics = Topics({"carts": [1, None, 3], "clickstream": [2], "feedback": []})
    for topic in TOPICS:
        topics.deliver(topic, 9)
    items = topics.merge.take(10)

    assert [(item.topic, item.next_offset) for item in items] == [
        ("carts", 1), ("carts", 2), ("clickstream", 1), ("carts", 3),
    ]  # fmt: skip
    assert isinstance(items[1].what, Problem)


def test_what_was_sent_on_was_received_when_it_first_came() -> None:
    inbox = Inbox(FORWARDS)
    inbox.open(1, 0, 1)
    value = record(0, 0).value
    headers = (("origin", b"carts/1/7/0"), ("origin-timestamp", str(START_MS + 500).encode()))
    inbox.append(Chunk(FORWARDS, 0, 1, [Record(0, START_MS + 60_000, None, value, headers)]), 1, 1)
    (item,) = Merge([inbox], Decoder("USD")).take(1)

    assert isinstance(item.what, Arrival)
    assert item.what.received_ms == START_MS + 500


def test_no_claimed_time_of_receipt_carries_the_merge_far_beyond_the_wall() -> None:
    far_ms = START_MS + 365 * 86_400_000
    event = PageViewed(message_id="1", timestamp_ms=far_ms, received_at_ms=far_ms, user_id="ada")
    link = Link(identifier="anonymous_id:d", claimer="user_id:ada", at_ms=far_ms, cause="1")
    for topic, value in (("carts", msgspec.json.encode(event)), (MOVES, msgspec.json.encode(link))):
        inbox = Inbox(topic)
        inbox.open(1, 0, 1)
        inbox.append(Chunk(topic, 0, 1, [Record(0, far_ms, None, value)]), 1, 1)
        (item,) = Merge([inbox], Decoder("USD"), lambda: START_MS).take(1)

        assert not isinstance(item.what, Problem)
        assert item.merge_ms == START_MS + FUTURE_TOLERANCE_MS
