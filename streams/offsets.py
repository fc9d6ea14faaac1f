"""Stored offsets against what the log holds: how far each partition is, and which cannot read on."""

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from msgspec import Struct

from schemas.topics import CONSUMED
from streams.kafka_admin import describe_topics
from streams.settings import Settings
from streams.table import Table


class Standing(Struct, frozen=True, kw_only=True):
    """One input topic (logical name) of one partition. `stored` is the next offset to read, None where none is stored."""

    topic: str
    partition: int
    stored: int | None
    start: int
    end: int

    @property
    def problem(self) -> str | None:
        """Why the partition can't read on here, None if it can."""
        if self.stored is None:
            return None
        if self.stored < self.start:
            return f"{self.start - self.stored:,} records are gone from the log before they were read"
        if self.stored > self.end:
            return f"the log ends {self.stored - self.end:,} records before what was already read: it is another log"
        return None

    @property
    def nearest(self) -> int:
        """The offset nearest to the stored one that the log holds."""
        return min(max(self.stored or 0, self.start), self.end)

    @property
    def lag(self) -> int:
        """Records between the stored offset and the end of the log."""
        return max(0, self.end - (self.start if self.stored is None else self.stored))


async def stored_offsets(table: Table, partitions: int) -> dict[int, dict[str, int]]:
    """The next offset to read by partition and topic (logical name); partitions never claimed are left out."""
    found: dict[int, dict[str, int]] = {}
    for partition in range(partitions):
        meta = await table.meta(partition)
        if meta is not None:
            found[partition] = dict(meta.offsets)
    return found


def standings(client: KafkaAdminClient, settings: Settings, stored: dict[int, dict[str, int]]) -> list[Standing]:
    """Every input topic and partition that is on the broker, in topic order. Raises kafka.errors.KafkaError."""
    states = describe_topics(client, settings)
    every = {
        (name, partition): TopicPartition(states[name].name, partition)
        for name in CONSUMED
        if name in states
        for partition in range(states[name].partitions)
    }
    if not every:
        return []
    starts = client.list_partition_offsets(dict.fromkeys(every.values(), OffsetSpec.EARLIEST))
    ends = client.list_partition_offsets(dict.fromkeys(every.values(), OffsetSpec.LATEST))
    return [
        Standing(
            topic=name,
            partition=partition,
            stored=stored.get(partition, {}).get(name),
            start=starts[tp].offset,
            end=ends[tp].offset,
        )
        for (name, partition), tp in every.items()
    ]
