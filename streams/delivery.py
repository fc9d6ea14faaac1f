"""Chunked delivery: Faust hands over the whole list of records that a fetch brought for a partition, not one by one.

Stock Faust spends about 90 us on each event before any of our code runs. Here a fetch crosses from the consumer's thread
as one `Taken` per topic partition, and everything Faust does per message it does per chunk. Only these doors are used: the
`ConsumerScheduler` setting, the transport registry (URL scheme `regulars://`), and the methods overridden below, whose
originals a contract test watches. Topics that are not ours (Faust's internal ones) stay on the stock path.

Each topic partition is closed until it is opened at an offset that Redis names. Opening begins a numbered fetch session:
what was fetched before can then be told apart from what was asked for, however many hands it goes through. Chunks of a
session are numbered too, so a chunk that got lost on the way (a cancelled hand-over) can't go unnoticed.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from typing_extensions import override

from streams.event_loop import new_event_loop
from streams.fetch_sessions import FetchSessions
from streams.kafka_client import steady
from streams.log import Bounds, Reach
from streams.record import Chunk, Record

if TYPE_CHECKING:
    from streams.faust_app import ChunkApp

_log = logging.getLogger(__name__)


class Taken(NamedTuple):
    """What one fetch brought for one topic partition.

    `number` counts the chunks of the session from 1. `position` is the offset the next fetch starts at; it may lie beyond
    the last record + 1, since transaction markers and compacted records are passed over.
    """

    chunk: Chunk
    number: int
    position: int


class Receiver(Protocol):
    """Who gets the chunks; called in the main thread, must not wait and must not raise."""

    def take(self, tp: TP, taken: Taken) -> None:
        """Keep the chunk."""

    def assigned(self, tps: set[TP]) -> None:
        """All topic partitions of this worker, after a rebalance; all are closed."""

    def revoked(self) -> None:
        """A rebalance began: all sessions are over."""

    async def settled(self) -> None:
        """Return once everything this worker gave to the broker was acknowledged, or after a short while."""

    def lost(self, tp: TP, offset: int) -> None:
        """The broker no longer has the offset that was to be read next; the session is over."""


class ChunkScheduler:
    """Hands out what was taken for a partition in one piece; records of internal topics one by one."""

    def iterate(self, records: Mapping[TP, Any]) -> Iterator[tuple[TP, Any]]:
        """(partition, piece) for all that a fetch brought."""
        for tp, fetched in records.items():
            if isinstance(fetched, Taken):
                yield tp, fetched
            else:
                for record in fetched:
                    yield tp, record


class _Session:
    __slots__ = ("count", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.count = 0


class ChunkConsumerThread(AIOKafkaConsumerThread):
    """The thread that owns the Kafka client. `_sessions` is touched in this thread only."""

    consumer: "ChunkConsumer"

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        self._sessions: dict[TP, _Session] = {}
        self._opened = 0
        self._waiter: asyncio.Future[None] | None = None

    @override
    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer:
        """The client, made here because Faust has no setting for three things: reading committed records only, never
        resetting an offset by itself, and how long fetches wait for how much.
        """
        app = cast("ChunkApp", self.app)
        kafka = app.shop_settings.kafka
        # Faust's own assignor: with it, equal partition numbers of all topics go to one worker.
        self._assignor = app.assignor
        consumer = AIOKafkaConsumer(
            **app.shop_settings.to_aiokafka(),
            client_id=f"{kafka.group}-worker",
            group_id=kafka.group,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_poll_records=kafka.chunk_records,
            max_partition_fetch_bytes=kafka.fetch_bytes,
            fetch_max_wait_ms=kafka.fetch_wait_ms,
            # An owner of partitions that stands still is for our watchdog and the session time-out to judge: polling
            # goes on whatever the partitions do, so this limit could only hit a healthy worker that was paused.
            max_poll_interval_ms=3_600_000,
            session_timeout_ms=kafka.session_timeout_ms,
            heartbeat_interval_ms=kafka.heartbeat_ms,
            rebalance_timeout_ms=kafka.rebalance_timeout_ms,
            request_timeout_ms=kafka.request_timeout_ms,
        )
        steady(consumer._client)
        consumer._client.send = FetchSessions(consumer._client.send, linger_ms=kafka.fetch_linger_ms).send
        return consumer

    # --- in this thread ---

    @override
    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """End all sessions, then let Faust do its part in the main thread."""
        self._sessions.clear()
        await super().on_partitions_revoked(revoked)

    @override
    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Fetch nothing from a partition that was not opened yet, then let Faust do its part in the main thread."""
        ours = [tp for tp in assigned if tp.topic in self.consumer.chunked]
        if ours:
            self._ensure_consumer().pause(*[TopicPartition(*tp) for tp in ours])
        await super().on_partitions_assigned(assigned, generation_id)

    @override
    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> dict[TP, Any]:
        """Take what was fetched for the active partitions; wait at most `timeout` s for the first record."""
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            records = await self._drain(fetcher, active_partitions, max_records)
            if not records and timeout:
                self._waiter = fetcher._create_fetch_waiter()
                try:
                    await asyncio.wait([self._waiter], timeout=timeout)
                    if self._waiter.done():
                        self._waiter.result()  # the group coordinator reports its errors here
                finally:
                    self._waiter.cancel()
                    self._waiter = None
                records = await self._drain(fetcher, active_partitions, max_records)
        return self._numbered(consumer, records)

    async def _drain(self, fetcher: Any, active: set[TP], max_records: int | None) -> dict[TP, Any]:
        # A partition that was never opened may hold an error of the client instead of records: it has no offset.
        ready = {tp for tp in active if tp in self._sessions or tp.topic not in self.consumer.chunked}
        if not ready:
            return {}  # to the client an empty choice means all
        for tp, found in fetcher._records.items():
            if type(found) is FetchResult and tp.topic in self.consumer.chunked and found.has_more():
                # The client would make an object of twelve fields of each record, and we a record of that: half of the
                # cost of delivery.
                found._partition_records._consumer_record = _to_record
        drained: dict[TP, Any] = {}
        # So much of each partition, not of all together: one that has much must not keep the others waiting for a turn.
        for tp in [tp for tp in fetcher._records if tp in ready]:
            try:
                drained |= await fetcher.fetched_records({tp}, timeout=0, max_records=max_records)
            except OffsetOutOfRangeError as error:
                for lost, offset in error.args[0].items():
                    if self._sessions.pop(TP(*lost), None) is not None:
                        self.parent_loop.call_soon_threadsafe(self.consumer.receiver.lost, TP(*lost), offset)
        return drained

    def _numbered(self, consumer: AIOKafkaConsumer, records: Mapping[TP, list[Any]]) -> dict[TP, Any]:
        taken: dict[TP, Any] = {}
        for tp, fetched in records.items():
            logical = self.consumer.chunked.get(tp.topic)
            if logical is None:
                taken[tp] = fetched
                continue
            session = self._sessions.get(tp)
            if session is None:
                continue  # never opened, or closed since: whoever opens it asks for these records again
            session.count += 1
            chunk = Chunk(
                logical,
                tp.partition,
                session.number,
                fetched,
            )
            taken[tp] = Taken(chunk, session.count, _position(consumer, tp))
        return taken

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _open(self, offsets: Mapping[TP, int]) -> dict[TP, int]:
        consumer = self._ensure_consumer()
        if consumer._subscription.reassignment_in_progress:
            return {}  # the client still knows the partitions of before, but a session would outlive them
        opened: dict[TP, int] = {}
        for tp, offset in offsets.items():
            partition = TopicPartition(*tp)
            try:
                consumer.seek(partition, offset)
                consumer.resume(partition)
            except IllegalStateError:
                continue  # revoked meanwhile
            self._opened += 1
            self._sessions[tp] = _Session(self._opened)
            opened[tp] = self._opened
        return opened

    async def _close(self, tps: Iterable[TP]) -> None:
        consumer = self._ensure_consumer()
        for tp in tps:
            if self._sessions.pop(tp, None) is not None and TopicPartition(*tp) in consumer.assignment():
                consumer.pause(TopicPartition(*tp))

    async def _standings(self, asked_ms: int) -> dict[TP, Reach]:
        consumer = self._ensure_consumer()
        # Whom the group refuses waits until somebody takes this error, and only then asks again to be let in.
        consumer._coordinator.check_errors()
        tps = [tp for tp in self._sessions if TopicPartition(*tp) in consumer.assignment()]
        if not tps:
            return {}
        # With read_committed the "latest" offset that brokers name is the last stable one.
        ends = await consumer.end_offsets([TopicPartition(*tp) for tp in tps])
        standings: dict[TP, Reach] = {}
        for tp in tps:
            session = self._sessions.get(tp)
            if session is not None:
                standings[tp] = Reach(session.number, session.count, _position(consumer, tp), ends[tp], asked_ms)
        return standings

    async def _bounds(self, tps: list[TP]) -> dict[TP, Bounds]:
        consumer = self._ensure_consumer()
        partitions = [TopicPartition(*tp) for tp in tps]
        starts = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        return {tp: Bounds(starts[tp], ends[tp]) for tp in tps}

    async def _committed(self, tps: list[TP]) -> dict[TP, int | None]:
        consumer = self._ensure_consumer()
        found = await asyncio.gather(*(consumer.committed(TopicPartition(*tp)) for tp in tps))
        return dict(zip(tps, found, strict=True))

    async def _prove(self, offsets: Mapping[TP, int]) -> bool:
        try:
            await self._ensure_consumer().commit(
                {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
            )
        except (KafkaError, ValueError):
            return False
        return True

    @override
    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Faust's periodic commit. Kafka's offsets are for lag tools only, so no failure of it may end the worker."""
        try:
            ours = {tp: offset for tp, offset in offsets.items() if tp in self.assignment()}
            if ours:
                await self._ensure_consumer().commit(
                    {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in ours.items()}
                )
        except KafkaError as error:
            _log.info("offsets for lag tools were not committed: %s", type(error).__name__)
            return False
        return True

    # --- from the main thread ---

    @override
    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Internal topics start where Kafka says. Ours are opened where Redis says, by whoever claims the partition."""
        internal = [TopicPartition(*tp) for tp in self.assignment() if tp.topic not in self.consumer.chunked]
        if not internal:
            return {}
        found: Mapping[TP, int] = await self.call_thread(self._ensure_consumer().seek_to_committed, *internal)
        return found

    def wake(self) -> None:
        """Look at once whether something was fetched for the partitions that are active now."""
        self.thread_loop.call_soon_threadsafe(self._wake)

    async def run(self, coroutine: Any) -> Any:
        """Run a coroutine in this thread. Beside Faust's queue of calls, in which a fetch may stand for a second."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self.thread_loop)
        return await asyncio.wrap_future(future)


class _ReadOffsets(defaultdict[TP, int | None]):
    """Faust's note of the last offset read, by which it drops what lies below and records gaps.

    Nothing is noted for our topics: a chunk that is on its way while its partition is opened anew, further back, would
    leave its higher offset behind, and the records in between would be dropped. The inbox decides by session instead.
    """

    def __init__(self, chunked: Mapping[str, str]) -> None:
        super().__init__(lambda: None)
        self._chunked = chunked

    @override
    def __setitem__(self, tp: TP, offset: int | None) -> None:
        if tp.topic not in self._chunked:
            super().__setitem__(tp, offset)


class ChunkConsumer(Consumer):
    """Faust's consumer, handing out chunks. `stored` is what Redis holds: the next offset of each topic partition."""

    _thread: ChunkConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app = cast("ChunkApp", self.app)
        self.chunked = app.chunked
        self.receiver = app.receiver
        self.stored: dict[TP, int] = {}
        self._read_offset = _ReadOffsets(self.chunked)

    @override
    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, thread_loop=new_event_loop(), beacon=self.beacon)

    @override
    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        if not isinstance(record, Taken):
            return super()._to_message(tp, record)
        last = record.chunk.records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp_ms / 1000.0,
            0,
            None,
            None,
            cast("Any", record),  # Faust passes it through without looking
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    @override
    def _new_offset(self, tp: TP) -> int | None:
        """What to tell Kafka: for our topics what Redis holds, never what was merely handed over."""
        if tp.topic not in self.chunked:
            offset: int | None = super()._new_offset(tp)
            return offset
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self.stored.get(tp)

    @override
    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's detector of stuck partitions takes a paused one for stuck; ours looks at commits (streams.health)."""

    @override
    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Tell the receiver first: Faust clears its queues, so from here on chunks may be lost.

        Others get the partitions only when this has returned. What is on its way to the broker must be there by then: the
        next owner looks at the outputs to see what was published.
        """
        self.receiver.revoked()
        self.stored.clear()
        await super().on_partitions_revoked(revoked)
        await self.receiver.settled()

    @override
    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Let Faust set up its handlers, then tell the receiver."""
        await super().on_partitions_assigned(assigned, generation_id)
        self.receiver.assigned({tp for tp in assigned if tp.topic in self.chunked})

    # --- for the worker; all may raise KafkaError ---

    async def open(self, offsets: Mapping[TP, int]) -> dict[TP, int]:
        """Begin a session at each offset; the numbers of the sessions. One that was revoked meanwhile is left out."""
        opened: dict[TP, int] = await self._thread.run(self._thread._open(offsets))
        for tp in opened:
            self.stored[tp] = offsets[tp]
            # Whoever had it before may have left it paused.
            self.on_buffer_drop(tp)
        return opened

    async def close_sessions(self, tps: Iterable[TP]) -> None:
        """End sessions: nothing more is fetched until they are opened again."""
        await self._thread.run(self._thread._close(list(tps)))

    async def standings(self, asked_ms: int) -> dict[TP, Reach]:
        """How far all open topic partitions are, and where their logs end now. `asked_ms` is the wall clock now. Raises, too, why
        the group does not let this worker in.
        """
        found: dict[TP, Reach] = await self._thread.run(self._thread._standings(asked_ms))
        return found

    async def bounds(self, tps: list[TP]) -> dict[TP, Bounds]:
        """Start and end of the logs."""
        found: dict[TP, Bounds] = await self._thread.run(self._thread._bounds(tps))
        return found

    async def committed(self, tps: list[TP]) -> dict[TP, int | None]:
        """What Kafka holds for the group; None where nothing was ever committed."""
        found: dict[TP, int | None] = await self._thread.run(self._thread._committed(tps))
        return found

    async def prove_membership(self, offsets: Mapping[TP, int]) -> bool:
        """Whether Kafka accepts an offset commit under this worker's present member id and generation.

        A zombie's is refused, so success proves that the partitions are still this worker's.
        """
        proven: bool = await self._thread.run(self._thread._prove(offsets))
        return proven

    def pause(self, tp: TP) -> None:
        """Fetch no more for this topic partition until `unpause`; what was fetched is kept by the client."""
        self.on_buffer_full(tp)

    def unpause(self, tp: TP) -> None:
        """Go on fetching."""
        self.on_buffer_drop(tp)
        self._thread.wake()


def _to_record(_: TopicPartition, found: Any) -> Record:
    headers = found.headers
    return Record(found.offset, found.timestamp, found.key, found.value, tuple(headers) if headers else ())


def _position(consumer: AIOKafkaConsumer, tp: TP) -> int:
    """Where the next fetch starts. The public call would wait if there were no position; an open partition has one."""
    position: int = consumer._subscription.subscription.assignment.state_value(TopicPartition(*tp)).position
    return position


class ChunkTransport(Transport):
    """The transport behind `regulars://host:port`."""

    Consumer = ChunkConsumer
