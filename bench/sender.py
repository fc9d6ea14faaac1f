"""Sends loads of a live stream to Kafka from a process of its own, so that neither the engine nor who watches it delays it.

Batches are built before the first record is due: while it sends, the process does little but write to a socket (about 2 us an
event). Records of one tick go out together at its end, as a producer with that much linger would do it. The client has one
request on its way at a time, so while the broker takes its time with one, the next ones wait; that too counts as latency.
"""

import asyncio
import gc
import logging
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final

from aiokafka import AIOKafkaProducer
from msgspec import Struct

from bench.generator import Record, Scenario
from bench.latencies import Latencies, gathered
from bench.schedule import BACKLOG_TICK, LiveStream, Load
from streams.event_loop import new_event_loop

BATCH_BYTES: Final = 900_000
IN_FLIGHT: Final = 64
START_PATIENCE_S: Final = 60.0
LEAD_S: Final = 0.2


class Sent(Struct, kw_only=True):
    """What became of a load: when it began and when all was acknowledged (`time.monotonic`), and how long after its tick had
    ended each batch was acknowledged by the broker.
    """

    began_s: float
    ended_s: float
    acknowledged: Latencies


class Sender:
    """The process, as the harness sees it: `prepare` a load, `begin`, `ended`. Raises EOFError where the process has died."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def prepare(self, load: Load) -> None:
        """Let it build the batches of a load; `begin` waits for that."""
        self._connection.send(load)

    def begin(self) -> float:
        """Let it begin; gives the moment (`time.monotonic`) at which the load's first record is due."""
        self._connection.recv()  # it is ready
        began_s = time.monotonic() + LEAD_S
        self._connection.send(began_s)
        return began_s

    def ended(self) -> Sent:
        """Wait until all is acknowledged."""
        sent: Sent = self._connection.recv()
        return sent

    def has_ended(self) -> bool:
        """Whether `ended` would not have to wait."""
        return self._connection.poll()


@contextmanager
def sending(scenario: Scenario, bootstrap: str, topic: str) -> Iterator[Sender]:
    """A sender of this stream to this topic."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(there, scenario, bootstrap, topic), daemon=True
    )
    process.start()
    there.close()
    try:
        yield Sender(here)
    finally:
        here.close()
        process.join(START_PATIENCE_S)
        process.terminate()


def _serve(connection: Connection, scenario: Scenario, bootstrap: str, topic: str) -> None:
    """The process."""
    # A topic that was just made has no leader for a moment; the producer tries again, and need not tell of it.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_answer(connection, LiveStream(scenario), bootstrap, topic))


async def _answer(connection: Connection, stream: LiveStream, bootstrap: str, topic: str) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, compression_type="lz4", acks="all", max_batch_size=BATCH_BYTES
    )
    await producer.start()
    gc.disable()  # batches hold no cycles, and a collection over millions of them would make records late
    try:
        while True:
            try:
                load: Load = await asyncio.to_thread(connection.recv)
            except EOFError:
                return
            connection.send(await _send(connection, producer, stream, load, topic))
    finally:
        await producer.stop()


async def _send(connection: Connection, producer: AIOKafkaProducer, stream: LiveStream, load: Load, topic: str) -> Sent:
    ticks = _ticks(producer, stream, load)
    if load.per_s is not None:
        ticks = iter(list(ticks))
    connection.send(None)
    began_s: float = await asyncio.to_thread(connection.recv)
    waiting: set[asyncio.Future[object]] = set()
    acknowledged_ms: list[float] = []
    for number, batches in enumerate(ticks, 1):
        due_s = began_s + number * load.tick_s
        if load.per_s is not None:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        elif len(waiting) > IN_FLIGHT:
            await asyncio.wait(waiting)

        def done(future: asyncio.Future[object], due_s: float = due_s) -> None:
            waiting.discard(future)
            acknowledged_ms.append((time.monotonic() - due_s) * 1_000)

        for partition, batch in batches.items():
            future = await producer.send_batch(batch, topic, partition=partition)
            waiting.add(future)
            future.add_done_callback(done)
    if waiting:
        await asyncio.gather(*waiting)
    return Sent(
        began_s=began_s,
        ended_s=time.monotonic(),
        acknowledged=gathered(acknowledged_ms if load.per_s is not None else ()),
    )


def _ticks(producer: AIOKafkaProducer, stream: LiveStream, load: Load) -> Iterator[dict[int, object]]:
    """Built batches by partition, for one tick after the other; without a rate as many records as a batch holds."""
    per_tick = BACKLOG_TICK if load.per_s is None else load.per_s * load.tick_s
    batches: dict[int, object] = {}
    tick = 1
    for number, record in enumerate(stream.take(load)):
        while number >= tick * per_tick:
            yield _built(batches)
            batches, tick = {}, tick + 1
        _append(producer, batches, record)
    yield _built(batches)


def _append(producer: AIOKafkaProducer, batches: dict[int, object], record: Record) -> None:
    batch = batches.get(record.partition)
    if batch is None:
        batch = batches[record.partition] = producer.create_batch()
    if batch.append(key=record.user.encode(), value=record.value, timestamp=None) is None:  # type: ignore[attr-defined]  # untyped library
        raise ValueError(f"one tick holds more than {BATCH_BYTES:,} bytes of one partition: shorter ticks, please")


def _built(batches: dict[int, object]) -> dict[int, object]:
    for batch in batches.values():
        batch._build()  # type: ignore[attr-defined]  # compresses now what the producer would compress when it is due
    return batches
