"""The log of a worker: Kafka, through the consumer that delivers chunks. Keeps the contract of `streams.log.Log`."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError
from faust.types import TP

from schemas.topics import CONSUMED
from streams.delivery import ChunkConsumer
from streams.kafka_admin import AdminError
from streams.log import Bounds, LogError
from streams.settings import Settings
from streams.startup import read_topic_ids

PATIENCE_S = 30.0
"""How long a broker may take for an answer before the partition is told to try again later."""
TOPIC_IDS_FRESH_S = 5.0
"""All partitions of a worker are claimed at once; they may share one answer."""


class KafkaLog:
    """All input topics of the partitions that this worker holds, by logical name."""

    def __init__(self, settings: Settings, consumer: ChunkConsumer) -> None:
        self._settings = settings
        self._consumer = consumer
        self._logical = settings.consumed()
        self._asking = asyncio.Lock()
        self._topic_ids: dict[str, str] = {}
        self._topic_ids_until_s = 0.0

    async def topic_ids(self) -> dict[str, str]:
        """Cluster id and topic id of each input topic."""
        async with self._asking:
            if time.monotonic() > self._topic_ids_until_s:
                try:
                    self._topic_ids = await asyncio.to_thread(read_topic_ids, self._settings)
                except AdminError as error:
                    raise LogError(str(error)) from error
                self._topic_ids_until_s = time.monotonic() + TOPIC_IDS_FRESH_S
        return {name: self._topic_ids[name] for name in CONSUMED}

    async def bounds(self, partition: int) -> dict[str, Bounds]:
        """Where each topic begins and ends now (the end of committed records)."""
        async with _answering():
            found = await self._consumer.bounds(self._all(partition))
        return {self._logical[tp.topic]: bounds for tp, bounds in found.items()}

    async def group_offsets(self, partition: int) -> dict[str, int | None]:
        """What the consumer group holds for lag tools."""
        async with _answering():
            found = await self._consumer.committed(self._all(partition))
        return {self._logical[tp.topic]: offset for tp, offset in found.items()}

    async def open(self, partition: int, offsets: dict[str, int]) -> dict[str, int]:
        """Begin a fetch session for each topic at its offset."""
        async with _answering():
            found = await self._consumer.open({self._tp(topic, partition): at for topic, at in offsets.items()})
        return {self._logical[tp.topic]: session for tp, session in found.items()}

    async def close(self, partition: int) -> None:
        """End all sessions of the partition."""
        async with _answering():
            await self._consumer.close_sessions(self._all(partition))

    async def prove_ownership(self, partition: int, offsets: dict[str, int]) -> bool:
        """Whether the group accepts an offset commit from this worker now."""
        if not offsets:
            # Committing nothing would prove nothing: say again what the group holds already.
            group = await self.group_offsets(partition)
            offsets = {topic: at for topic, at in group.items() if at is not None} or {CONSUMED[0]: 0}
        async with _answering():
            return await self._consumer.prove_membership(
                {self._tp(topic, partition): offset for topic, offset in offsets.items()}
            )

    def stored(self, partition: int, offsets: dict[str, int]) -> None:
        """Note what the table holds; Kafka is told by the consumer's periodic commit."""
        for topic, offset in offsets.items():
            self._consumer.stored[self._tp(topic, partition)] = offset

    def pause(self, partition: int, topic: str) -> None:
        """Fetch no more until `resume`."""
        self._consumer.pause(self._tp(topic, partition))

    def resume(self, partition: int, topic: str) -> None:
        """Go on fetching."""
        self._consumer.unpause(self._tp(topic, partition))

    def _tp(self, topic: str, partition: int) -> TP:
        return TP(self._settings.topic(topic), partition)

    def _all(self, partition: int) -> list[TP]:
        return [self._tp(topic, partition) for topic in CONSUMED]


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    """Turn what a client may raise, or its silence, into LogError."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield
    except TimeoutError as error:
        raise LogError(f"Kafka did not answer within {PATIENCE_S:.0f} s") from error
    except (KafkaError, ValueError, OSError) as error:
        raise LogError(f"Kafka: {type(error).__name__}: {error}") from error


def held_partitions(tps: Iterable[TP], topics: Iterable[str]) -> set[int]:
    """The partition numbers of which every one of `topics` is assigned: only those may be worked on.

    >>> sorted(held_partitions([TP("carts", 0), TP("carts", 1), TP("orders", 1), TP("orders", 2)], ["carts", "orders"]))
    [1]
    """
    numbers: dict[str, set[int]] = {topic: set() for topic in topics}
    for tp in tps:
        if tp.topic in numbers:
            numbers[tp.topic].add(tp.partition)
    return set.intersection(*numbers.values()) if numbers else set()
