"""A relay from its start to its end: how it ends, what is set aside, and which places it has committed by then."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, KafkaTimeoutError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.home import home_partition
from streams.relay import run
from streams.relay.calls import Call
from streams.relay.delivery import Answer
from tests.shell.test_relay_places import Consumer, Group, member

TRIGGERS = TopicPartition("triggers", 0)


class Record(NamedTuple):
    offset: int
    key: bytes
    value: bytes


def triggers(*customers: str) -> list[Record]:
    return [
        Record(
            offset,
            customer.encode(),
            json.dumps(
                {"trigger_id": f"t{offset}", "name": "welcome", "customer": {"id": f"user_id:{customer}"}}
            ).encode(),
        )
        for offset, customer in enumerate(customers)
    ]


class Log(Consumer):
    """The consumer of a relay that has begun at the first of these records before."""

    def __init__(self, records: list[Record], group: Group, read: Callable[[], None] = lambda: None) -> None:
        super().__init__(group, [TRIGGERS])
        self._records, self._read, self._client, self.at_most = records, read, None, []  # type: ignore[var-annotated]

    def subscribe(self, _topics: list[str], listener: Any) -> None:
        self._listener = listener

    async def start(self) -> None:
        await self._listener.on_partitions_assigned(self.ours)

    async def stop(self) -> None:
        pass

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        await asyncio.sleep(0)  # a round of the loop, in which the lanes go on
        self._read()
        self.at_most.append(max_records)
        place = self.reads_from.get(TRIGGERS)
        if place is None:
            return {}
        found = [record for record in self._records if record.offset >= place][:max_records]
        self.reads_from[TRIGGERS] = place + len(found)
        return {TRIGGERS: found} if found else {}

    async def commit(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        await self.commit_offsets(None, offsets)


class Producer:
    def __init__(self, *, breaks: bool) -> None:
        self.client, self.sent, self._breaks = None, [], breaks  # type: ignore[var-annotated]

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def send_and_wait(self, topic: str, *, value: bytes, key: bytes, partition: int | None = None) -> None:
        if self._breaks:
            raise KafkaError("no broker")
        self.sent.append((topic, json.loads(value), key, partition))


class Run:
    """Runs a relay over these records; the receiver answers so, one after the other. Told to stop once all were called for."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        records: list[Record],
        *answers: int,
        breaks: bool = False,
        at_once: int = 32,
    ) -> None:
        self.group = Group({"triggers": [len(records)]})
        self.group.places[TRIGGERS] = 0
        self._left, self.places = list(answers), [0]
        self.consumer = Log(records, self.group, self._stop_at_the_end)
        self.producer = Producer(breaks=breaks)

        @contextlib.asynccontextmanager
        async def client(_: Any) -> AsyncIterator[Any]:
            yield self._post

        monkeypatch.setattr(run, "client", client)
        monkeypatch.setattr(run, "steady", lambda _: None)
        monkeypatch.setattr(run, "AIOKafkaConsumer", lambda **_: self.consumer)
        monkeypatch.setattr(run, "AIOKafkaProducer", lambda **_: self.producer)
        self._relay, _ = member(self.group, ("triggers", 0), at_once=at_once)

    async def _post(self, _url: str, _call: Call) -> Answer:
        return Answer(self._left.pop(0))

    def _stop_at_the_end(self) -> None:
        if self.place != self.places[-1]:
            self.places.append(self.place)
        if not self._left:
            signal.raise_signal(signal.SIGTERM)

    def __call__(self) -> int:
        before = signal.signal(signal.SIGTERM, _unheard)
        try:
            return asyncio.run(self._relay.run())
        finally:
            signal.signal(signal.SIGTERM, before)

    @property
    def place(self) -> int:
        return self.group.places[TRIGGERS]


def _unheard(*_: object) -> None:
    raise AssertionError("the relay does not listen to SIGTERM")


def test_a_relay_that_is_told_to_stop_ends_well_and_has_the_place_behind_all_that_was_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relay = Run(monkeypatch, triggers("ada", "bob", "ada"), 200, 204, 202)

    assert (relay(), relay.place, relay.producer.sent) == (run.EXIT_OK, 3, [])


def test_places_are_committed_as_it_goes_and_no_more_is_read_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "COMMIT_EVERY_S", 0.0)
    relay = Run(monkeypatch, triggers(*"abcdefgh"), *[200] * 8, at_once=1)

    assert (relay(), relay.place) == (run.EXIT_OK, 8)
    assert max(relay.consumer.at_most) == 4, "some wait beside the one that is called for"
    assert relay.places[1] < 8


def test_no_more_than_five_hundred_records_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Run(monkeypatch, triggers("ada"), 200, at_once=1000)

    assert relay() == run.EXIT_OK
    assert max(relay.consumer.at_most) == 500


def test_a_relay_that_is_told_to_stop_while_it_waits_for_its_group_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Run(monkeypatch, triggers("ada"), 200)

    async def waits() -> None:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.Event().wait()

    monkeypatch.setattr(relay.consumer, "start", waits)

    assert (relay(), relay.place) == (run.EXIT_OK, 0)


@pytest.mark.parametrize("error", [KafkaTimeoutError(), IllegalStateError(), CommitFailedError()])
def test_a_relay_that_can_not_be_told_where_to_begin_goes_on_asking(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Partitions that were taken away meanwhile are handed out anew, to whomever."""
    relay = Run(monkeypatch, triggers("ada"), 200)
    asked = relay.consumer.beginning_offsets

    async def fails_once(partitions: Any) -> dict[TopicPartition, int]:
        monkeypatch.setattr(relay.consumer, "beginning_offsets", asked)
        if not isinstance(error, KafkaTimeoutError):
            await relay.consumer.start()
        raise error

    monkeypatch.setattr(relay.consumer, "beginning_offsets", fails_once)

    assert (relay(), relay.place) == (run.EXIT_OK, 1)


def test_what_became_of_records_is_counted_once_however_often_it_is_asked_for() -> None:
    courier = SimpleNamespace(counts={"delivered": 2, "refused": 0}, taken_ms=1_772_409_600_500)
    page = run._page("crm", courier)  # type: ignore[arg-type]
    page()
    courier.counts["delivered"] = 5

    for shown in (page(), page()):
        assert b'regulars_relay_records_total{outcome="delivered",relay="crm"} 5' in shown
        assert b'regulars_relay_taken_timestamp_seconds{relay="crm"} 1.7724096005e+09' in shown


def test_a_receiver_that_is_gone_ends_the_relay_with_four_and_what_it_took_before_is_not_delivered_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    relay = Run(monkeypatch, triggers("ada", "bob", "cleo"), 200, 410, 200)

    assert (relay(), relay.place) == (4, 1)
    assert [line.getMessage() for line in caplog.records if line.levelname == "ERROR"] == [
        "relay crm: the receiver says that it is gone (410); it is called no more"
    ]


def test_what_is_not_taken_is_set_aside_and_the_worker_is_told_at_the_customers_home_before_its_place_is_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relay = Run(monkeypatch, triggers("ada"), 400)

    assert (relay(), relay.place) == (run.EXIT_OK, 1)
    (aside, told) = relay.producer.sent
    assert (aside[0], aside[1]["reason"], aside[2]) == ("relay-failed", "refused", b"t0")
    assert (told[0], told[1]["event"], told[2], told[3]) == (
        "messages",
        "Message Failed",
        b"ada",
        home_partition("ada", 32),
    )


def test_what_can_not_be_set_aside_ends_the_relay_and_is_delivered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Run(monkeypatch, triggers("ada", "bob"), 200, 400, breaks=True)

    with pytest.raises(KafkaError, match="no broker"):
        relay()
    assert relay.place == 1


def test_of_partitions_that_go_to_another_relay_the_places_of_what_is_done_are_kept_and_the_rest_is_let_go() -> None:
    group = Group({"triggers": [2]})
    begun: list[str] = []

    async def deliver(value: bytes) -> None:
        begun.append(json.loads(value)["trigger_id"])
        if begun[-1] != "t0":
            await asyncio.Event().wait()

    async def work() -> None:
        relay, _ = member(group, ("triggers", 0))
        relay._courier = SimpleNamespace(deliver=deliver)  # type: ignore[assignment]
        consumer = relay._consumer = Log(triggers("ada", "bob", "cleo"), group)
        await relay.on_partitions_assigned(consumer.ours)
        consumer.reads_from = {TRIGGERS: 0}
        await relay._take(2)
        await asyncio.sleep(0)

        await relay.on_partitions_revoked(consumer.ours)
        assert (begun, group.places) == (["t0", "t1"], {TRIGGERS: 1})

        await relay._take(2)
        await asyncio.sleep(0)
        assert begun == ["t0", "t1"], "what comes while nothing is its own is another's"

    asyncio.run(work())


def test_a_place_is_committed_when_it_has_moved_and_only_in_partitions_that_are_the_relays_own() -> None:
    group = Group({"triggers": [9, 9]})

    async def work() -> None:
        relay, _ = member(group, ("triggers", 0))
        consumer = relay._consumer = Log([], group)
        done = {TRIGGERS: 5, TopicPartition("triggers", 1): 7}
        await relay._commit_done(SimpleNamespace(done=lambda: done))  # type: ignore[arg-type]
        assert group.places == {TRIGGERS: 5}

        group.places.clear()
        await relay._commit_done(SimpleNamespace(done=lambda: done))  # type: ignore[arg-type]
        assert group.places == {}, "it is there already"

        done[TRIGGERS] = 6
        consumer.commit = None  # type: ignore[assignment, method-assign]
        await relay._commit_done(SimpleNamespace(done=lambda: done))  # type: ignore[arg-type]
        del consumer.commit
        await relay._commit_done(SimpleNamespace(done=lambda: done))  # type: ignore[arg-type]
        assert group.places == {TRIGGERS: 6}, "what could not be committed is tried again"

    asyncio.run(work())


@pytest.mark.parametrize("at_once, begun", [(1, ["t0"]), (2, ["t0", "t1"])])
def test_a_relay_that_makes_one_call_at_a_time_delivers_in_the_order_of_the_log_and_not_of_each_customer(
    at_once: int, begun: list[str]
) -> None:
    seen: list[str] = []

    async def deliver(value: bytes) -> None:
        seen.append(json.loads(value)["trigger_id"])
        await asyncio.Event().wait()

    async def work() -> None:
        relay, consumer = member(Group({"triggers": [2]}), ("triggers", 0), at_once=at_once)
        relay._courier = SimpleNamespace(deliver=deliver)  # type: ignore[assignment]
        consumer = relay._consumer = Log(triggers("ada", "bob"), consumer.group)
        await relay.on_partitions_assigned(consumer.ours)
        consumer.reads_from = {TRIGGERS: 0}
        await relay._take(2)
        await asyncio.sleep(0)
        await relay._end_lanes()

    asyncio.run(work())
    assert seen == begun
