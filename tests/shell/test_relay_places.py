"""Where relays begin in the partitions that Kafka hands them: of a topic that is new to them, and of one that has grown."""

import asyncio
from typing import Any

from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.relay.run import _Running
from streams.settings import build_settings


class Group:
    """What a broker knows: how many records each partition holds, and the places that were committed."""

    def __init__(self, held: dict[str, list[int]]) -> None:
        self.held = held
        self.places: dict[TopicPartition, int] = {}


class Consumer:
    """Stands for the consumer of one member of the group."""

    def __init__(self, group: Group, ours: list[TopicPartition]) -> None:
        self.group, self.ours = group, ours
        self.reads_from: dict[TopicPartition, int] = {}
        self._at: dict[TopicPartition, int] = {}
        self._coordinator = self

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self.ours)

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(len(self.group.held[topic])))

    async def committed(self, tp: TopicPartition) -> int | None:
        return self.group.places.get(tp)

    async def beginning_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        return {tp: self.group.held[tp.topic][tp.partition] for tp in partitions}

    async def commit_offsets(self, _: None, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        self.group.places |= {tp: told.offset for tp, told in offsets.items()}

    def pause(self, *partitions: TopicPartition) -> None:
        pass

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._at[tp] = offset

    def resume(self, *partitions: TopicPartition) -> None:
        self.reads_from = {tp: self._at[tp] for tp in partitions}


def member(
    group: Group, *ours: tuple[str, int], topics: tuple[str, ...] = ("triggers",), at_once: int = 32
) -> tuple[_Running, Consumer]:
    relay = {
        "at_once": at_once,
        "url": "https://crm.shop.example/hook",
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "topics": topics,
    }
    settings = build_settings({"kafka": {"topic_prefix": ""}, "http": {"port": 0}, "relays": {"crm": relay}})
    running = _Running(settings, "crm", settings.relays["crm"])
    consumer = running._consumer = Consumer(group, [TopicPartition(*one) for one in ours])
    return running, consumer


def begin(running: _Running) -> None:
    """As it is done with each round of reading, once partitions were handed out."""
    running._fresh = False
    asyncio.run(running._begin())


def test_a_relay_that_is_new_begins_with_what_comes_now_in_every_partition_whoever_has_it() -> None:
    group = Group({"triggers": [5, 6, 7, 8]})
    first, consumer_of_first = member(group, ("triggers", 0), ("triggers", 2))
    second, consumer_of_second = member(group, ("triggers", 1), ("triggers", 3))

    begin(second)
    assert consumer_of_second.reads_from == {}, "it waits for the one that has the first partition"
    assert second._fresh, "and asks again"
    begin(first)
    group.held["triggers"] = [50, 60, 70, 80]
    begin(second)

    assert consumer_of_first.reads_from == {("triggers", 0): 5, ("triggers", 2): 7}
    assert consumer_of_second.reads_from == {("triggers", 1): 6, ("triggers", 3): 8}


def test_who_loses_the_first_partition_while_it_asks_where_to_begin_moves_nobodys_place() -> None:
    group = Group({"triggers": [5, 6]})
    first, consumer_of_first = member(group, ("triggers", 0), ("triggers", 1))
    second, consumer_of_second = member(group, ("triggers", 0))

    async def handed_out_anew(partitions: Any) -> dict[TopicPartition, int]:
        """Meanwhile another relay joins and begins, and more comes."""
        del consumer_of_first.end_offsets
        consumer_of_first.ours = [TopicPartition("triggers", 1)]
        await first.on_partitions_assigned(consumer_of_first.ours)
        second._fresh = False
        await second._begin()
        group.held["triggers"] = [9, 9]
        return dict.fromkeys(partitions, 9)

    consumer_of_first.end_offsets = handed_out_anew  # type: ignore[method-assign]
    begin(first)
    assert first._fresh, "it asks again"
    begin(first)

    assert (consumer_of_second.reads_from, consumer_of_first.reads_from) == ({("triggers", 0): 5}, {("triggers", 1): 6})
    assert group.places == {("triggers", 0): 5, ("triggers", 1): 6}


def test_partitions_that_were_added_while_no_relay_ran_are_read_from_their_start() -> None:
    group = Group({"triggers": [5, 6]})
    begin(member(group, ("triggers", 0), ("triggers", 1))[0])
    group.held["triggers"] = [15, 16, 3, 4]

    relay, consumer = member(group, ("triggers", 1), ("triggers", 2))
    begin(relay)
    other, consumer_of_other = member(group, ("triggers", 0), ("triggers", 3))
    begin(other)

    assert consumer.reads_from == {("triggers", 1): 6, ("triggers", 2): 0}
    assert consumer_of_other.reads_from == {("triggers", 0): 5, ("triggers", 3): 0}
    assert group.places[TopicPartition("triggers", 3)] == 0, (
        "where it began is kept, should it end before the first record"
    )


def test_a_topic_that_a_relay_is_given_besides_begins_with_what_comes_now() -> None:
    group = Group({"triggers": [5, 6], "decisions": [70, 80]})
    begin(member(group, ("triggers", 0), ("triggers", 1))[0])
    group.held["triggers"] = [15, 16]

    every = [(topic, number) for topic in ("triggers", "decisions") for number in (0, 1)]
    relay, consumer = member(group, *every, topics=("triggers", "decisions"))
    begin(relay)

    assert consumer.reads_from == {every[0]: 5, every[1]: 6, every[2]: 70, every[3]: 80}
