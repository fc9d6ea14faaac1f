"""The servers of one benchmark session, and what is done with their topics: make, fill, weigh, delete.

One Kafka broker lives for the whole session. Every run has topics of its own (a prefix) and, where it needs one, a new
Redis; so no run finds anything that another left.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaProducer, TopicPartition
from kafka import KafkaAdminClient

from bench.generator import Record
from streams.local.kafka_server import KafkaServer
from streams.local.redis_server import RedisServer

BATCH_BYTES: Final = 256 << 10
IN_FLIGHT: Final = 64
BROKER_HEAP_MB: Final = 1_536
WARM_UP: Final = "warm-up"
# As Regulars makes its topics: stamped when they are appended, so that events of the past are not deleted as old.
TOPIC_CONFIG: Final = {"cleanup.policy": "delete", "retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}


class Servers:
    """A running broker and its administration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka = KafkaServer(folder / "kafka", heap_mb=BROKER_HEAP_MB)
        self.kafka.start()
        self.admin = KafkaAdminClient(bootstrap_servers=self.kafka.bootstrap, request_timeout_ms=60_000)
        self._redis_count = 0
        self.make_topics([WARM_UP], 1)
        asyncio.run(_warm_up(self.kafka.bootstrap))

    def stop(self) -> None:
        """End the broker."""
        self.admin.close()
        self.kafka.stop()

    @property
    def kafka_pid(self) -> int:
        """The broker's process id."""
        pid = self.kafka.process.pid
        if pid is None:
            raise RuntimeError(f"the broker has ended; its log: {self.kafka.process.log_path}")
        return pid

    @contextmanager
    def redis(self) -> Iterator[RedisServer]:
        """A new, empty Redis that keeps an append-only file, as Regulars asks for."""
        self._redis_count += 1
        server = RedisServer(self.folder / f"redis-{self._redis_count}")
        server.start()
        try:
            yield server
        finally:
            server.stop()

    def make_topics(self, names: Iterable[str], partitions: int, configs: Mapping[str, str] = TOPIC_CONFIG) -> None:
        """Make topics."""
        wanted = {
            name: {"num_partitions": partitions, "replication_factor": 1, "configs": dict(configs)} for name in names
        }
        self.admin.create_topics(wanted, wait_for_metadata=True)

    def delete_topics(self, prefix: str) -> None:
        """Delete every topic of a run: all that have its prefix in their names, for engines make topics of their own."""
        found = [name for name in self.admin.list_topics() if prefix in name]
        if found:
            self.admin.delete_topics(found)

    def fill(self, topic: str, blocks: Iterable[list[Record]]) -> None:
        """Append records: key is the user id, batches of BATCH_BYTES, lz4."""
        asyncio.run(_fill(self.kafka.bootstrap, topic, blocks))

    def bytes_on_disk(self, prefix: str, *, without: Iterable[str] = ()) -> int:
        """What the broker's log folders of a run's topics take, except the topics named."""
        left_out = set(without)
        return sum(
            folder_bytes(folder)
            for folder in (self.kafka.directory / "data").glob(f"*{prefix}*-*")
            if folder.name.rpartition("-")[0] not in left_out
        )


def folder_bytes(folder: Path) -> int:
    """The size of all files in a folder as they are allocated; files that vanish meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                # Kafka and RocksDB reserve index files larger than what is in them.
                total += path.stat().st_blocks * 512
        except OSError:
            continue
    return total


async def _warm_up(bootstrap: str) -> None:
    """Let the broker make its topics for offsets and transactions now, so that no engine waits for them."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=WARM_UP)
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(WARM_UP, b"")
            await producer.send_offsets_to_transaction({TopicPartition(WARM_UP, 0): 0}, WARM_UP)
    finally:
        await producer.stop()


async def _fill(bootstrap: str, topic: str, blocks: Iterable[list[Record]]) -> None:
    # A topic that was just made has no leader for a moment; the producer tries again, and need not tell of it.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, compression_type="lz4", max_batch_size=BATCH_BYTES, enable_idempotence=True
    )
    await producer.start()
    open_batches: dict[int, object] = {}
    sent: list[asyncio.Future[object]] = []
    try:
        for block in blocks:
            for partition, user, value in block:
                batch = open_batches.get(partition)
                if batch is None:
                    batch = open_batches[partition] = producer.create_batch()
                key = user.encode()
                if batch.append(key=key, value=value, timestamp=None) is None:  # type: ignore[attr-defined]  # untyped library
                    sent.append(await producer.send_batch(batch, topic, partition=partition))
                    batch = open_batches[partition] = producer.create_batch()
                    batch.append(key=key, value=value, timestamp=None)
            if len(sent) > IN_FLIGHT:
                await asyncio.gather(*sent)
                sent.clear()
        sent += [await producer.send_batch(batch, topic, partition=number) for number, batch in open_batches.items()]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
