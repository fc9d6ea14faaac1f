"""Stored offsets against what the log holds: how far each partition is, and which cannot read on."""

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from msgspec import Struct

from schemas.topics import CONSUMED
from streams.kafka_admin import describe_cluster, describe_topics
from streams.settings import Settings
from streams.startup import topic_key
from streams.table import Meta, Table


class Standing(Struct, frozen=True, kw_only=True):
    """One input topic (logical name) of one partition. `stored` is the next offset to read, None where none is stored.

    `remade`: the stored offset belongs to another topic, of the same name, than the one that is there now.
    """

    topic: str
    partition: int
    stored: int | None
    start: int
    end: int
    remade: bool = False

    @property
    def problem(self) -> str | None:
        """Why the partition can't read on here, None if it can."""
        if self.stored is None:
            return None
        if self.remade:
            return "it is another topic than the one read before (deleted and made again, or another cluster)"
        if self.stored < self.start:
            return f"{self.start - self.stored:,} records are gone from the log before they were read"
        if self.stored > self.end:
            return f"the log ends {self.stored - self.end:,} records before what was already read: it is another log"
        return None

    @property
    def nearest(self) -> int:
        """The offset nearest to the stored one that the log holds; of another topic nothing was read yet."""
        if self.remade:
            return self.start
        return min(max(self.stored or 0, self.start), self.end)

    @property
    def lag(self) -> int:
        """Records between the stored offset and the end of the log."""
        return max(0, self.end - (self.start if self.stored is None else self.stored))


async def stored_metas(table: Table, partitions: int) -> dict[int, Meta]:
    """What the partitions remember; those never claimed are left out."""
    metas = {partition: await table.meta(partition) for partition in range(partitions)}
    return {partition: meta for partition, meta in metas.items() if meta is not None}


def standings(client: KafkaAdminClient, settings: Settings, stored: dict[int, Meta]) -> list[Standing]:
    """Every input topic and partition that is on the broker, in topic order. Raises kafka.errors.KafkaError."""
    states = describe_topics(client, settings)
    cluster_id = describe_cluster(client).cluster_id
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
    found = []
    for (name, partition), tp in every.items():
        meta = stored.get(partition)
        known = None if meta is None else meta.topic_ids.get(name)
        found.append(
            Standing(
                topic=name,
                partition=partition,
                stored=None if meta is None else meta.offsets.get(name),
                start=starts[tp].offset,
                end=ends[tp].offset,
                remade=known is not None and known != topic_key(cluster_id, states[name]),
            )
        )
    return found
