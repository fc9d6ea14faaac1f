"""The outbox: rows in order, never lost, trimmed only once they are known to be published."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Sequence

import msgspec
import pytest
from msgspec.structs import replace
from typing_extensions import override

from schemas.outputs import Outgoing
from streams.log import LogError, NotAllowed
from streams.memory_log import MemoryLog, MemoryPublisher
from streams.outbox import ROWS_AT_ONCE, ROWS_MAX, Outbox, publish_rejects
from streams.record import Record
from streams.rows import decode_row, encode_row, reject
from tests.shell.world import Told, no_pause, run, when


def row(number: int, topic: str = "triggers", partition: int = 0) -> Outgoing:
    return Outgoing(topic, f"id-{number}", "user_id:ada", partition, msgspec.Raw(b'{"n":%d}' % number))


def outbox(
    publisher: MemoryPublisher,
    found: Sequence[Outgoing] = (),
    tails: dict[str, int] | None = None,
    told: Told | None = None,
) -> Outbox:
    now = iter(range(0, 10**9, 2000))
    return Outbox(
        0,
        publisher,
        [encode_row(one) for one in found],
        tails,
        mono_ms=lambda: next(now),
        wall_ms=lambda: 10_000,
        sleep=no_pause,
        stats=told or Told(),
    )


def ids(log: MemoryLog, topic: str = "triggers", partition: int = 0) -> list[str]:
    return [dict(record.headers)["record-id"].decode() for record in log.records(topic, partition)]


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(4)


@pytest.fixture
def publisher(log: MemoryLog) -> MemoryPublisher:
    return MemoryPublisher(log)


def test_rows_are_published_in_order_and_only_then_trimmed(log: MemoryLog, publisher: MemoryPublisher) -> None:
    subject = outbox(publisher)
    subject.add((row(n), None) for n in range(ROWS_AT_ONCE + 3))
    before = subject.trim()
    run(subject.publish())
    between = subject.trim()[0]
    run(subject.flush())

    assert before == (0, {})
    assert between == ROWS_AT_ONCE
    assert subject.trim() == (ROWS_AT_ONCE + 3, {"triggers": ROWS_AT_ONCE + 3})
    assert ids(log) == [f"id-{n}" for n in range(ROWS_AT_ONCE + 3)]


def test_after_a_takeover_rows_found_in_the_tail_are_not_sent_again(log: MemoryLog, publisher: MemoryPublisher) -> None:
    run(publisher.publish([row(n) for n in range(5)]))
    subject = outbox(publisher, [row(n) for n in range(3, 8)], {"triggers": 2})
    run(subject.flush())

    assert ids(log) == [f"id-{n}" for n in range(8)]
    assert subject.trim()[0] == 5


def test_what_lies_before_the_mark_is_not_looked_at(log: MemoryLog, publisher: MemoryPublisher) -> None:
    """The same decision taken again after a rollback of the table has the same id, and goes out again."""
    run(publisher.publish([row(1)]))
    subject = outbox(publisher, [row(1)], {"triggers": 1})
    run(subject.flush())

    assert ids(log) == ["id-1", "id-1"]


def test_in_an_output_that_was_made_anew_an_old_mark_hides_nothing(log: MemoryLog, publisher: MemoryPublisher) -> None:
    """Or one on another cluster: it ends far before the mark that was noted of the one before it."""
    run(publisher.publish([row(1)]))
    subject = outbox(publisher, [row(1), row(2)], {"triggers": 1000})
    run(subject.flush())

    assert ids(log) == ["id-1", "id-2"]
    assert subject.trim() == (2, {"triggers": 2})

    run(publisher.publish([row(3)]))
    later = outbox(publisher, [row(3)], subject.trim()[1])
    run(later.flush())

    assert ids(log) == ["id-1", "id-2", "id-3"]


def test_a_lost_acknowledgement_doubles_nothing(log: MemoryLog, publisher: MemoryPublisher) -> None:
    publisher.lose_acks = 1
    subject = outbox(publisher)
    subject.add([(row(1), None), (row(2), None)])

    async def scenario() -> None:
        with pytest.raises(LogError):
            await subject.publish()
        assert subject.trim()[0] == 0
        await subject.flush()

    run(scenario())

    assert ids(log) == ["id-1", "id-2"]
    assert subject.trim()[0] == 2


@pytest.mark.parametrize("is_trimmed", [True, False])
def test_what_became_of_rows_is_looked_for_from_the_newest_mark_on(log: MemoryLog, *, is_trimmed: bool) -> None:
    looked: list[int] = []

    class Watched(MemoryPublisher):
        @override
        async def tail(self, topic: str, partition: int, since: int) -> tuple[set[str], int]:
            looked.append(since)
            return await super().tail(topic, partition, since)

    publisher = Watched(log)
    subject = outbox(publisher)
    subject.add([(row(1), None)])
    run(subject.flush())
    if is_trimmed:
        subject.trimmed(*subject.trim())
    publisher.lose_acks = 1
    subject.add([(row(2), None)])
    with pytest.raises(LogError):
        run(subject.publish())
    run(subject.flush())

    assert (ids(log), looked) == (["id-1", "id-2"], [1])


def test_a_mark_that_moved_while_a_commit_was_on_its_way_is_one_for_the_next(publisher: MemoryPublisher) -> None:
    subject = outbox(publisher)
    subject.add([(row(1), None)])
    run(subject.flush())
    on_its_way = subject.trim()
    subject.add([(row(2), None)])
    run(subject.flush())
    subject.trimmed(*on_its_way)

    assert (on_its_way, subject.trim()) == ((1, {"triggers": 1}), (1, {"triggers": 2}))


def test_a_broker_that_is_away_is_waited_for(log: MemoryLog, publisher: MemoryPublisher) -> None:
    publisher.fail = 3
    subject = outbox(publisher)

    async def scenario() -> None:
        publishing = asyncio.ensure_future(subject.run())
        subject.add([(row(1), None)])
        await when(lambda: not subject.waiting)
        publishing.cancel()

    run(scenario())

    assert ids(log) == ["id-1"]


def test_one_that_stays_away_is_asked_ever_more_rarely_and_soon_again_once_it_was_back(
    publisher: MemoryPublisher,
) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    subject = Outbox(0, publisher, mono_ms=lambda: 0, sleep=pause)

    async def scenario() -> None:
        publishing = asyncio.ensure_future(subject.run())
        for number, publisher.fail in enumerate((8, 1)):
            subject.add([(row(number), None)])
            await when(lambda: not subject.waiting)
            for _ in range(5):  # it comes to rest, and what is added then wakes it
                await asyncio.sleep(0)
        subject.finish()
        await publishing

    run(scenario())

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 0.2]


def test_an_unreadable_tail_takes_nothing_for_published(log: MemoryLog) -> None:
    class Blind(MemoryPublisher):
        @override
        async def tail(self, topic: str, partition: int, since: int) -> tuple[set[str], int]:
            raise LogError("no answer")

    publisher = Blind(log)
    run(publisher.publish([row(1)]))
    subject = outbox(publisher, [row(1)])
    run(subject.flush())

    assert ids(log) == ["id-1", "id-1"]


def test_a_row_that_is_refused_for_good_is_set_aside_and_holds_up_nothing(
    log: MemoryLog, publisher: MemoryPublisher
) -> None:
    publisher.refuses = lambda one: "MessageSizeTooLargeError" if one.record_id == "id-1" else None
    told = Told()
    subject = outbox(publisher, told=told)
    subject.add((row(n), None) for n in range(3))
    run(subject.flush())
    (rejected,) = (msgspec.json.decode(record.value or b"") for record in log.records("rejected"))

    assert ids(log) == ["id-0", "id-2"]
    assert subject.trim()[0] == 3
    assert (rejected["reason"], rejected["topic"], rejected["original"]) == ("refused_by_broker", "triggers", '{"n":1}')
    assert told.refusals == {"refused_by_broker": 1}


def test_what_this_user_may_not_write_waits_until_it_may(log: MemoryLog, publisher: MemoryPublisher) -> None:
    """It went to the topic `rejected`, from where nobody brings a trigger back."""
    publisher.refuses = lambda one: "TopicAuthorizationFailedError" if one.topic == "triggers" else None
    told = Told()
    subject = outbox(publisher, told=told)
    subject.add([(row(1), None), (row(2, "decisions"), None), (row(3), None)])
    for _ in range(2):
        with pytest.raises(NotAllowed, match="lacks Write on topic triggers"):
            run(subject.publish())
    waiting, trim = subject.waiting, subject.trim()

    assert (ids(log), ids(log, "decisions"), ids(log, "rejected")) == ([], ["id-2"], [])
    assert (waiting, trim) == (3, (0, {}))
    assert told.held == ["this Kafka user lacks Write on topic triggers"]

    publisher.refuses = lambda _: None
    run(subject.flush())

    assert (ids(log), ids(log, "decisions")) == (["id-1", "id-3"], ["id-2"])
    assert subject.trim() == (3, {"decisions": 1, "triggers": 2})
    assert told.held == ["this Kafka user lacks Write on topic triggers", ""]


@pytest.mark.parametrize(
    "refusal,told_so",
    [
        ("UnknownTopicOrPartitionError", "topic triggers is missing (`regulars topics create` makes it)"),
        (
            "LeaderNotAvailableError",
            "topic triggers has a partition without a leader: the brokers that have it are away",
        ),
        ("NotLeaderForPartitionError", "topic triggers has a partition without a leader, or is being deleted"),
    ],
)
def test_what_is_to_go_to_a_topic_that_is_not_to_be_had_waits_until_it_is(
    log: MemoryLog, publisher: MemoryPublisher, refusal: str, told_so: str
) -> None:
    publisher.refuses = lambda one: refusal if one.topic == "triggers" else None
    told = Told()
    subject = outbox(publisher, told=told)
    subject.add([(row(1), None), (row(2, "decisions"), None)])
    with pytest.raises(NotAllowed):
        run(subject.publish())

    assert (ids(log, "decisions"), log.records("rejected")) == (["id-2"], [])
    publisher.refuses = lambda _: None
    run(subject.flush())

    assert ids(log) == ["id-1"]
    assert told.held == [told_so, ""]


def test_what_went_out_beside_rows_that_wait_is_found_by_the_next_owner(
    log: MemoryLog, publisher: MemoryPublisher
) -> None:
    publisher.refuses = lambda one: "TopicAuthorizationFailedError" if one.topic == "triggers" else None
    rows = [row(1), row(2, "decisions")]
    first = outbox(publisher)
    first.add((one, None) for one in rows)
    with pytest.raises(NotAllowed):
        run(first.publish())
    trimmed, tails = first.trim()
    publisher.refuses = lambda _: None
    run(outbox(publisher, rows[trimmed:], tails).flush())

    assert (ids(log), ids(log, "decisions")) == (["id-1"], ["id-2"])


def test_what_waits_of_a_customer_who_is_erased_never_goes_out(log: MemoryLog) -> None:
    class Slow(MemoryPublisher):
        @override
        async def publish(self, rows: Sequence[Outgoing]) -> list[str | None]:
            subject.withdraw("user_id:ada")
            return await super().publish(rows)

    publisher = Slow(log)
    publisher.refuses = lambda _: "TopicAuthorizationFailedError"
    subject = outbox(publisher)
    subject.add([(row(1), None)])
    run(subject.flush())
    publisher.refuses = lambda _: None
    run(subject.flush())

    assert (ids(log), subject.waiting, subject.trim()[0]) == ([], 0, 1)


def test_what_went_out_or_is_for_another_partition_is_not_taken_back(
    log: MemoryLog, publisher: MemoryPublisher
) -> None:
    publisher.refuses = lambda one: "TopicAuthorizationFailedError" if one.topic == "triggers" else None
    subject = outbox(publisher)
    of_bob = replace(row(3, "decisions"), key="user_id:bob")
    subject.add((one, None) for one in (row(1), row(2, "decisions"), of_bob, row(4)))
    with pytest.raises(NotAllowed):
        run(subject.publish())
    waited_of = subject.customers
    taken = subject.withdraw("user_id:ada")

    assert (waited_of, taken, subject.waiting, subject.trim()[0]) == ({"user_id:ada"}, 2, 0, 4)

    subject.add([(row(5, "forwards", 3), None)])

    assert (subject.customers, subject.withdraw("user_id:ada")) == (set(), 0)
    run(subject.flush())
    assert ids(log, "forwards", 3) == ["id-5"]


def test_a_row_that_is_refused_waits_where_nothing_may_be_set_aside(log: MemoryLog, publisher: MemoryPublisher) -> None:
    """It was gone: neither on its own topic nor on the topic `rejected`."""
    errors = {"triggers": "MessageSizeTooLargeError", "rejected": "TopicAuthorizationFailedError"}
    publisher.refuses = lambda one: errors.get(one.topic)
    told = Told()
    subject = outbox(publisher, told=told)
    subject.add([(row(1), None), (row(2, "decisions"), None)])
    with pytest.raises(NotAllowed, match="lacks Write on topic rejected"):
        run(subject.publish())

    assert (subject.waiting, told.refusals) == (2, {})

    del errors["rejected"]
    run(subject.flush())

    assert (ids(log), ids(log, "decisions"), len(ids(log, "rejected"))) == ([], ["id-2"], 1)
    assert (subject.waiting, told.refusals) == (0, {"refused_by_broker": 1})


def test_no_original_is_given_up_for_want_of_a_right(log: MemoryLog, publisher: MemoryPublisher) -> None:
    """The commit that follows would have been the end of it."""
    publisher.refuses = lambda _: "TopicAuthorizationFailedError"
    aside = reject(Record(7, 0, None, b"what is this"), "orders", 0, "not_json", "no JSON")

    with pytest.raises(NotAllowed, match="lacks Write on topic rejected"):
        run(publish_rejects(publisher, [aside]))


def test_a_reject_that_is_refused_for_good_goes_out_without_what_it_is_about(
    log: MemoryLog, publisher: MemoryPublisher
) -> None:
    publisher.refuses = lambda one: "MessageSizeTooLargeError" if b"what is this" in bytes(one.value) else None
    run(publish_rejects(publisher, [reject(Record(7, 0, b"what is this", b"{}"), "orders", 0, "not_json", "no JSON")]))
    (told,) = (msgspec.json.decode(record.value or b"") for record in log.records("rejected"))

    assert (told["reason"], told.get("key"), told.get("original")) == ("not_json", None, None)


def test_a_right_that_lacks_is_named_as_kafka_knows_the_topic(log: MemoryLog) -> None:
    """Whoever gives the right copies the name: without the installation's prefix it is another topic, or none."""

    class Prefixed(MemoryPublisher):
        @override
        def broker_name(self, topic: str) -> str:
            return f"shop.{topic}"

    publisher = Prefixed(log)
    publisher.refuses = lambda _: "TopicAuthorizationFailedError"
    subject = outbox(publisher)
    subject.add([(row(1), None)])

    with pytest.raises(NotAllowed, match=r"lacks Write on topic shop\.triggers"):
        run(subject.publish())
    with pytest.raises(NotAllowed, match=r"lacks Write on topic shop\.rejected"):
        run(publish_rejects(publisher, [reject(Record(7, 0, None, b"x"), "orders", 0, "not_json", "no JSON")]))


def test_forwarded_records_go_out_again_without_looking(log: MemoryLog, publisher: MemoryPublisher) -> None:
    forward = row(1, "forwards", 3)
    run(publisher.publish([forward]))
    subject = outbox(publisher, [forward])
    run(subject.flush())

    assert ids(log, "forwards", 3) == ["id-1", "id-1"]
    assert subject.trim() == (1, {})


def test_rows_that_were_not_taken_do_not_stay_in_memory_with_the_error(publisher: MemoryPublisher) -> None:
    """Circles are never looked for in a worker (`_look_at_each_object_once`)."""
    publisher.fail = 1

    async def scenario() -> Outbox | None:
        subject = outbox(publisher, [row(1)])
        gone = weakref.ref(subject)
        with contextlib.suppress(LogError):
            await subject.publish()
        del subject
        return gone()

    gc.disable()
    try:
        assert run(scenario()) is None
    finally:
        gc.enable()


def test_a_damaged_row_is_set_aside_and_counted(log: MemoryLog, publisher: MemoryPublisher) -> None:
    told = Told()
    rows = [b"what is this", encode_row(row(2))]
    subject = Outbox(0, publisher, rows, mono_ms=lambda: 0, stats=told, sleep=no_pause)
    run(subject.flush())
    (rejected,) = (msgspec.json.decode(record.value or b"") for record in log.records("rejected"))

    assert rejected["reason"] == "damaged_row"
    assert "what is this" in rejected["original"]
    assert ids(log) == ["id-2"]
    assert told.refusals == {"damaged_row": 1}


def test_rows_are_the_same_after_a_stay_in_the_table() -> None:
    original = Outgoing("triggers", "id", "user_id:ada", 3, msgspec.Raw(b'{"a":"\xc3\xa9"}'), {"ce-id": "id"})
    back = decode_row(encode_row(original))

    assert (back.topic, back.record_id, back.key, back.partition, bytes(back.value), back.headers) == (
        "triggers", "id", "user_id:ada", 3, b'{"a":"\xc3\xa9"}', {"ce-id": "id"},
    )  # fmt: skip


def test_it_is_full_when_publishing_lags_far_behind(publisher: MemoryPublisher) -> None:
    subject = outbox(publisher)
    subject.add((row(n), None) for n in range(ROWS_MAX))
    full = subject.full
    run(subject.publish())

    assert (full, subject.full) == (True, False)


def test_how_long_triggers_took_is_told(publisher: MemoryPublisher) -> None:
    told = Told()
    subject = outbox(publisher, told=told)
    subject.add([(row(1), 9_600), (row(2, "decisions"), None), (row(3), 10_400)])  # the last by a clock that is ahead
    run(subject.flush())

    assert told.waited_ms == [400, 0]


def test_rows_on_their_way_are_waited_for_when_publishing_is_cut_off(log: MemoryLog) -> None:
    class Slow(MemoryPublisher):
        @override
        async def publish(self, rows: Sequence[Outgoing]) -> list[str | None]:
            for _ in range(20):
                await asyncio.sleep(0)
            return await super().publish(rows)

    publisher = Slow(log)
    subject = outbox(publisher)
    subject.add([(row(1), None)])

    async def scenario() -> None:
        publishing = asyncio.ensure_future(subject.run())
        for _ in range(5):
            await asyncio.sleep(0)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await subject.settle(5)
        await outbox(publisher, [row(1)]).flush()

    run(scenario())

    assert ids(log) == ["id-1"]
