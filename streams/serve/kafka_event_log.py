"""Writing events to Kafka: idempotent, acknowledged by all replicas, bounded in memory and in time.

A write that Kafka does not acknowledge in time is answered with LogAway, but its rows stay with the producer, which sends them
when Kafka is back (an idempotent producer gives up on none). So that the client's repeat does not double them, rows whose fate
is open are remembered: a repeat waits for the first one. While such rows are open the log counts as away, and further rows are
refused at once instead of piling up.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.routing import TOPIC_OF
from streams.kafka_client import steady
from streams.kafka_producer import let_go
from streams.serve.budget import Budget
from streams.serve.event_log import LogAway
from streams.serve.intake import REJECTED, Row
from streams.settings import Settings

_log = logging.getLogger(__name__)

WRITTEN: Final = (*sorted(set(TOPIC_OF.values())), REJECTED)
BATCH_BYTES: Final = 256 * 1024
REQUEST_BYTES_MAX: Final = 1_000_000
ROW_OVERHEAD_BYTES: Final = 200
"""What a row weighs beside its value: key, future, bookkeeping."""
LATE_MAX: Final = 100_000
"""Rows remembered that arrived after their caller was told to send again. Above the records that may be in flight."""
RENEW_PAUSE_S: Final = 1.0


class KafkaEventLog:
    """Writes rows with one producer. Use it from one event loop."""

    def __init__(self, settings: Settings, budget: Budget) -> None:
        self._settings = settings
        self._budget = budget
        self._timeout_s = settings.serve.write_timeout_ms / 1000
        self._producer: AIOKafkaProducer | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._farewells: set[asyncio.Task[None]] = set()
        # By identity: rows whose callers were told to send again. A future that is done well was written since.
        self._late: OrderedDict[str, asyncio.Future[Any]] = OrderedDict()
        self._open = 0

    @property
    def away(self) -> bool:
        """Whether rows wait that were not acknowledged in time, or a new producer is being made."""
        return self._open > 0 or self._renewal is not None

    async def start(self) -> None:
        """Connect. Raises KafkaError where no broker answers."""
        self._producer = await self._new_producer()

    async def stop(self) -> None:
        """Wait for what is in flight, but not for ever, then let go. What is left was never acknowledged."""
        if self._renewal is not None:
            self._renewal.cancel()
        clients = [] if self._producer is None else [self._producer.stop()]
        if not await let_go(*clients, *self._farewells):
            _log.warning("stopped while Kafka was away; %d rows were not acknowledged", self._open)

    async def write(self, rows: Sequence[Row]) -> None:
        """Write all rows. Raises LogAway, and Refusal (`busy`) before any was handed over."""
        waiting: list[asyncio.Future[Any]] = []
        fresh: Sequence[Row] = rows
        if self._late:
            fresh = []
            for row in rows:
                known = self._late.get(row.identity)
                if known is None:
                    fresh.append(row)
                elif not known.done():
                    waiting.append(known)
        if fresh and self.away:
            raise LogAway
        sent: list[tuple[Row, asyncio.Future[Any]]] = []
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._hand_over(fresh, sent)
                for future in (*waiting, *(future for _, future in sent)):
                    if future.done():
                        future.result()
                    else:
                        # Shielded: cancelled by our own time limit, the producer's future would lose its outcome.
                        await asyncio.shield(future)
        except TimeoutError:
            self._keep_late(sent)
            raise LogAway from None
        except KafkaError as error:
            self._keep_late(sent)
            if self._renewal is None:
                self._renewal = asyncio.create_task(self._renew(error))
            raise LogAway from error
        except asyncio.CancelledError:
            # The caller hung up. Its rows are on their way all the same, and it may send them again.
            self._keep_late(sent, counted=False)
            raise

    async def _hand_over(self, rows: Sequence[Row], sent: list[tuple[Row, asyncio.Future[Any]]]) -> None:
        producer = self._producer
        assert producer is not None, "write before start"
        size = sum(len(row.value) + ROW_OVERHEAD_BYTES for row in rows)
        self._budget.take(size, len(rows))
        handed = handed_bytes = 0
        try:
            for row in rows:
                future = await producer.send(
                    self._settings.topic(row.topic),
                    value=row.value,
                    key=row.key,
                    partition=row.partition,
                    headers=list(row.headers),
                )
                weight = len(row.value) + ROW_OVERHEAD_BYTES
                future.add_done_callback(partial(self._settled, weight))
                handed, handed_bytes = handed + 1, handed_bytes + weight
                sent.append((row, future))
        finally:
            self._budget.give_back(size - handed_bytes, len(rows) - handed)

    def _settled(self, weight: int, future: asyncio.Future[Any]) -> None:
        self._budget.give_back(weight, 1)
        if not future.cancelled():
            future.exception()  # seen: whoever waits is told, and nobody may wait any more

    def _keep_late(self, sent: list[tuple[Row, asyncio.Future[Any]]], *, counted: bool = True) -> None:
        for row, future in sent:
            if future.done() and (future.cancelled() or future.exception() is not None):
                continue
            self._late[row.identity] = future
            if not future.done() and counted:
                if not self._open:
                    _log.warning("Kafka does not take events in time: clients are told to send again")
                self._open += 1
                future.add_done_callback(partial(self._close, row.identity))
        while len(self._late) > LATE_MAX:
            self._late.popitem(last=False)

    def _close(self, identity: str, future: asyncio.Future[Any]) -> None:
        self._open -= 1
        if future.cancelled() or future.exception() is not None:
            self._late.pop(identity, None)  # it is not in the log: a repeat must be written
        if not self._open:
            _log.info("Kafka takes events again")

    async def _renew(self, cause: KafkaError) -> None:
        """Take a new producer: after a refusal the old one's sequence has a hole. It finishes what it was given."""
        _log.warning("Kafka refused events (%s); going on with a new producer", type(cause).__name__)
        old, new = self._producer, None
        while new is None:
            try:
                new = await self._new_producer()
            except KafkaError:
                await asyncio.sleep(RENEW_PAUSE_S)
        self._producer, self._renewal = new, None
        if old is not None:
            farewell = asyncio.create_task(old.stop())
            self._farewells.add(farewell)
            farewell.add_done_callback(self._farewells.discard)

    async def _new_producer(self) -> AIOKafkaProducer:
        kafka = self._settings.kafka
        producer = AIOKafkaProducer(
            **self._settings.to_aiokafka(),
            client_id=f"{kafka.group}-collector",
            enable_idempotence=True,
            acks="all",
            compression_type=kafka.codec,
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES_MAX,
            request_timeout_ms=kafka.request_timeout_ms,
        )
        steady(producer.client)
        await producer.start()
        try:
            # Learnt now, so that the first event of a topic does not wait for it.
            for name in WRITTEN:
                await producer.partitions_for(self._settings.topic(name))
        except BaseException:
            await producer.stop()
            raise
        return producer
