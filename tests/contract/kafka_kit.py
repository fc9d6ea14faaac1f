"""A running Faust app with chunked delivery for tests, and a receiver that keeps what it gets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import cast

from faust.types import TP
from kafka import KafkaAdminClient

from schemas.topics import TOPICS
from streams.delivery import ChunkConsumer, Taken
from streams.faust_app import ChunkApp, make_app
from streams.record import Record
from streams.settings import Settings, build_settings

PATIENCE_S = 40.0


def settings_for(bootstrap: str, prefix: str, *, partitions: int = 2, **kafka: object) -> Settings:
    """An installation of its own on a shared broker, with short waits."""
    return build_settings(
        {
            "kafka": {
                "bootstrap": bootstrap,
                "topic_prefix": f"{prefix}.",
                "group": prefix,
                "partitions": partitions,
                "session_timeout_ms": 6000,
                "heartbeat_ms": 500,
                "offset_commit_every_ms": 200,
                **kafka,
            },
            "redis": {"prefix": prefix},
        }
    )


def make_topics(admin: KafkaAdminClient, settings: Settings, **configs: str) -> None:
    """All topics of the installation, in one go."""
    admin.create_topics(
        {
            settings.topic(topic.name): {
                "num_partitions": settings.kafka.partitions,
                "replication_factor": 1,
                "configs": {name.replace("_", "."): value for name, value in configs.items()},
            }
            for topic in TOPICS
        }
    )


class Catcher:
    """A receiver that keeps everything, in order."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.tps: set[TP] = set()
        self.revocations = 0
        self.losses: list[tuple[TP, int]] = []

    def take(self, tp: TP, taken: Taken) -> None:
        assert (tp.partition, len(taken.chunk.records) > 0) == (taken.chunk.partition, True)
        self.taken.append(taken)

    def assigned(self, tps: set[TP]) -> None:
        self.tps = tps

    def revoked(self) -> None:
        self.revocations += 1
        self.tps = set()

    async def settled(self) -> None:
        pass

    def lost(self, tp: TP, offset: int) -> None:
        self.losses.append((tp, offset))

    def records(self, topic: str, partition: int, session: int | None = None) -> list[Record]:
        """All records of one topic partition in the order of arrival."""
        return [
            record
            for taken in self.taken
            if (taken.chunk.topic, taken.chunk.partition) == (topic, partition)
            and session in {None, taken.chunk.session}
            for record in taken.chunk.records
        ]

    def offsets(self, topic: str, partition: int, session: int | None = None) -> list[int]:
        """As `records`, the offsets only."""
        return [record.offset for record in self.records(topic, partition, session)]


async def until(true: Callable[[], object], what: str) -> None:
    """Wait for a condition, looking every few milliseconds; fails naming `what`."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not true():
        assert asyncio.get_running_loop().time() < deadline, f"waited {PATIENCE_S:.0f} s for: {what}"
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def delivery(settings: Settings, catcher: Catcher) -> AsyncIterator[ChunkConsumer]:
    """A running app; yields its consumer once partitions were assigned."""
    crashed: list[BaseException] = []
    app: ChunkApp = make_app(settings, catcher, crash=crashed.append)
    await app.start()
    try:
        await until(lambda: catcher.tps, "an assignment")
        yield cast("ChunkConsumer", app.consumer)
    finally:
        await app.stop()
    assert crashed == []
