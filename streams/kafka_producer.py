"""Publishing to Kafka: our own idempotent producer, and reading back the tail of an output after a takeover.

Rows go to the partition they name, in order, acknowledged by all in-sync replicas. A temporary trouble is retried for as
long as it lasts without doubling a row; a row that the broker refuses for good is reported and holds up nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Collection, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.structs import TopicPartition

from schemas.outputs import Outgoing
from streams.kafka_client import steady
from streams.log import MENDABLE
from streams.settings import Settings

_log = logging.getLogger(__name__)

BATCH_BYTES = 512 * 1024
"""Half of what brokers accept by default, so a batch of rows is not refused for its size."""
ROW_BYTES_MAX = 1_000_000
STOP_PATIENCE_S = 10.0
TAIL_PATIENCE_S = 30.0
TAIL_WAIT_MS = 20
"""How long a broker may wait for more of a tail. It answers the requests of a connection one by one, so one that waited for
records nobody writes would hold up every question behind it, by Kafka's default for half a second.
"""
RECORD_ID_HEADERS = ("ce-id", "record-id")


class KafkaPublisher:
    """Publishes rows for all partitions of a worker, and reads outputs back. Use it from one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._reader: AIOKafkaConsumer | None = None
        self._reading = asyncio.Lock()
        self._renewing = asyncio.Lock()
        self._farewells: set[asyncio.Task[None]] = set()
        self._sends: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect. Raises KafkaError where no broker answers."""
        self._producer = await self._new_producer()

    async def stop(self) -> None:
        """Wait for what is in flight, at most STOP_PATIENCE_S, then let go. What is left stays in the outbox."""
        clients = [client for client in (self._producer, self._reader) if client is not None]
        if not await let_go(*(client.stop() for client in clients), *self._farewells):
            _log.warning("stopped while Kafka was away; what is left in the outbox goes out with the next owner")

    async def publish(self, rows: Sequence[Outgoing]) -> list[str | None]:
        """Send rows and wait until each is acknowledged (None) or refused (the reason), in the rows' order. What is refused for
        want of a right, a topic or a broker (streams.log.MENDABLE) may be taken another time, all else is refused for good.

        Waits as long as the broker is away. Rows of one partition arrive in the order given.
        """
        if self._producer is not None and self._producer._sender.sender_task.done():
            await self._renew()  # it broke down, and would refuse all for ever
        outcomes = await self._attempt(rows)
        failed = [number for number, outcome in enumerate(outcomes) if outcome is not None]
        if failed:
            # The broker refuses whole batches, and after a refusal the producer's sequence has a hole: a new producer
            # sends the rows of the refused batches one by one, which shows whose fault it was.
            await self._renew()
            closed = {rows[number].topic: why for number in failed if (why := outcomes[number]) in MENDABLE}
            for number in failed:
                # Of a topic that is closed to this user no row has to be tried by itself.
                if (why := closed.get(rows[number].topic)) is not None:
                    outcomes[number] = why
                    continue
                (outcomes[number],) = await self._attempt([rows[number]])
                if outcomes[number] is not None:
                    await self._renew()
        return outcomes

    async def ends(self, topic: str, partition: int) -> int:
        """The end of an output's partition (logical topic name)."""
        target = TopicPartition(self._settings.topic(topic), partition)
        async with self._reading:
            reader = await self._ready_reader()
            found: dict[TopicPartition, int] = await reader.end_offsets([target])
        return found[target]

    async def tail(self, topic: str, partition: int, since: int) -> tuple[set[str], int]:
        """Ids of the records of an output from offset `since` to its present end, and that end.

        Raises KafkaError, TimeoutError included, where it can't be read; then nothing may be taken for published.
        """
        target = TopicPartition(self._settings.topic(topic), partition)
        ids: set[str] = set()
        async with self._reading:
            reader = await self._ready_reader()
            end = (await reader.end_offsets([target]))[target]
            start = (await reader.beginning_offsets([target]))[target]
            if max(since, start) >= end:
                return ids, end
            reader.assign([target])
            reader.seek(target, max(since, start))
            try:
                async with asyncio.timeout(TAIL_PATIENCE_S):
                    while await reader.position(target) < end:
                        found = await reader.getmany(target, timeout_ms=200)
                        for record in found.get(target, ()):
                            if (record_id := record_id_of(record.headers)) is not None:
                                ids.add(record_id)
            finally:
                reader.pause(target)  # it would go on fetching for as long as the worker lives
        return ids, end

    def broker_name(self, topic: str) -> str:
        """The name with the installation's prefix."""
        return self._settings.topic(topic)

    async def _attempt(self, rows: Sequence[Outgoing]) -> list[str | None]:
        places: dict[tuple[str, int], list[int]] = {}
        for number, row in enumerate(rows):
            places.setdefault((row.topic, row.partition), []).append(number)
        outcomes: list[str | None] = [None] * len(rows)
        sends = [asyncio.create_task(self._send(rows, numbers, outcomes)) for numbers in places.values()]
        for send in sends:
            self._sends.add(send)
            send.add_done_callback(self._sends.discard)
        await asyncio.gather(*sends)
        return outcomes

    async def _send(self, rows: Sequence[Outgoing], numbers: list[int], outcomes: list[str | None]) -> None:
        """Send rows of one partition of one topic, in whole batches: handing rows to the client one by one costs ten times
        as much. Notes what became of each.
        """
        producer = self._producer
        assert producer is not None, "publish before start"
        topic, partition = self._settings.topic(rows[numbers[0]].topic), rows[numbers[0]].partition
        sent: list[tuple[asyncio.Future[Any], list[int]]] = []
        batch, members = producer.create_batch(), list[int]()
        for number in numbers:
            row = rows[number]
            key, value, headers = row.key.encode(), bytes(row.value), headers_of(row)
            if len(key) + len(value) > ROW_BYTES_MAX:
                outcomes[number] = MessageSizeTooLargeError.__name__
                continue
            if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                sent.append((await _handed_over(producer, batch, topic, partition), members))
                batch, members = producer.create_batch(), []
                batch.append(timestamp=None, key=key, value=value, headers=headers)
            members.append(number)
        if members:
            sent.append((await _handed_over(producer, batch, topic, partition), members))
        for future, members in sent:
            try:
                await future
            except KafkaError as error:
                for number in members:
                    outcomes[number] = type(error).__name__

    async def _renew(self) -> None:
        """Take a new producer; the old one ends when what other partitions gave it has come to an end."""
        async with self._renewing:
            old, self._producer = self._producer, await self._new_producer()
            if old is not None:
                farewell = asyncio.create_task(_parted(old, set(self._sends)))
                self._farewells.add(farewell)
                farewell.add_done_callback(self._farewells.discard)
        _log.warning("rows were refused, or their producer broke down; went on with a new one")

    async def _new_producer(self) -> AIOKafkaProducer:
        kafka = self._settings.kafka
        producer = AIOKafkaProducer(
            **self._settings.to_aiokafka(),
            client_id=f"{kafka.group}-publisher",
            enable_idempotence=True,
            acks="all",
            compression_type=kafka.codec,
            max_batch_size=BATCH_BYTES,
            max_request_size=ROW_BYTES_MAX,
            request_timeout_ms=kafka.request_timeout_ms,
        )
        steady(producer.client)
        await _connect(producer)
        return producer

    async def _ready_reader(self) -> AIOKafkaConsumer:
        if self._reader is None:
            reader = AIOKafkaConsumer(
                **self._settings.to_aiokafka(),
                client_id=f"{self._settings.kafka.group}-reader",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                fetch_max_wait_ms=TAIL_WAIT_MS,
                request_timeout_ms=self._settings.kafka.request_timeout_ms,
            )
            steady(reader._client)
            await _connect(reader)
            self._reader = reader
        return self._reader


async def let_go(*goodbyes: Awaitable[None]) -> bool:
    """Wait for the `stop` of Kafka's clients, at most STOP_PATIENCE_S together; whether all came to an end.

    A client with records under way would wait for ever while no broker answers.
    """
    tasks = [asyncio.ensure_future(goodbye) for goodbye in goodbyes]
    if not tasks:
        return True
    ended, late = await asyncio.wait(tasks, timeout=STOP_PATIENCE_S)
    for task in late:
        task.cancel()
    for task in ended:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.info("a client of Kafka did not stop in good order: %s", error)
    return not late


async def _parted(producer: AIOKafkaProducer, sends: Collection[asyncio.Task[None]]) -> None:
    """Stop a producer when nobody uses it any more: who waits for a topic of one that was stopped waits for ever."""
    if sends:
        await asyncio.wait(sends)
    await producer.stop()


async def _handed_over(producer: AIOKafkaProducer, batch: Any, topic: str, partition: int) -> asyncio.Future[Any]:
    """Give the client a batch; what will become of it. A topic that is not there, or that it may not even see, refuses it like
    one that it may not write.
    """
    # The client begins with all topics, and from the first one that it lacks on it asks only for those that it was told of.
    producer.client.add_topic(topic)
    try:
        future: asyncio.Future[Any] = await producer.send_batch(batch, topic, partition=partition)
    except (TopicAuthorizationFailedError, UnknownTopicOrPartitionError) as error:
        future = asyncio.get_running_loop().create_future()
        future.set_exception(error)
    return future


async def _connect(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Start a client; one that finds no broker is put away, else it would complain of that when the program ends."""
    try:
        await client.start()
    except BaseException:
        await client.stop()
        raise


def headers_of(row: Outgoing) -> list[tuple[str, bytes]]:
    """Kafka headers of a row. A row without an id of its own among them gets one, so that repeats can be told."""
    headers = [(name, value.encode()) for name, value in row.headers.items()]
    if not any(name in RECORD_ID_HEADERS for name in row.headers):
        headers.append(("record-id", row.record_id.encode()))
    return headers


def record_id_of(headers: Sequence[tuple[str, bytes]]) -> str | None:
    """The id by which repeats of a published record are recognised, None for records that are not ours."""
    for name, value in headers:
        if name in RECORD_ID_HEADERS:
            return value.decode("utf-8", "replace")
    return None
