"""`regulars bridge`: topics of the shop's own, in the form its trackers write, become records of the input topics.

Such a topic may have any number of partitions, keys of any kind, or none, and any partitioner (librdkafka's CRC-32): each event
is written with its home's key to its home's partition. A message of several events becomes one record for each. What can't
be taken goes to `rejected`, with the place it came from.

Offsets are committed once all is written, so after a crash some is written again, with the same message ids: no event counts
twice. What a message does not say of itself (its time, an id) is made of the record, so that a repeat is the same.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from schemas.adapters.adapter import Adapter
from schemas.decode import Decoder, Problem
from schemas.outputs import Outgoing
from schemas.routing import topic_of
from streams.book_files import load_adapters
from streams.event_loop import new_event_loop
from streams.home import home_partition
from streams.identifier_forms import identifier_forms
from streams.joining import Passed, committed_offsets, joined
from streams.kafka_admin import need_topics
from streams.kafka_client import steady
from streams.kafka_producer import let_go
from streams.logs import configure_logs
from streams.metrics import Metrics
from streams.pages import metrics_page
from streams.record import Record
from streams.rows import reject, row_of_reject
from streams.settings import Settings, SettingsError
from streams.tracking_plan import load_plan

_log = logging.getLogger(__name__)

BATCH_MAX: Final = 500
RETRY_S: Final = 5.0
"""Pause before all is begun anew where Kafka refused something: longer than a leader election."""


class Reader:
    """Makes records of one topic's records. `name` is the source of events that name none."""

    def __init__(self, name: str, topic: str, decoder: Decoder, partitions: int) -> None:
        self.name, self.topic = name, topic
        self.decoder, self._partitions = decoder, partitions

    def rows(self, partition: int, record: Record) -> list[Outgoing]:
        """Records for the input topics, and for `rejected`, in the order of the message. A tombstone gives none."""
        if record.value is None:
            return []
        made: list[Outgoing] = []
        for found in self.decoder.decode_all_planned(record.value, record.timestamp_ms):
            if isinstance(found, Problem):
                place = (record, self.topic, partition)
                made.append(row_of_reject(reject(*place, found.reason, found.detail)))
                continue
            # When it came is known here alone: where it lies next it would be as new as the writing of it.
            event = found.event
            if event.received_at_ms is None:
                event = msgspec.structs.replace(event, received_at_ms=found.received_ms)
            home = home_partition(found.home, self._partitions)
            made.append(
                Outgoing(topic_of(event), event.message_id, found.home, home, msgspec.Raw(msgspec.json.encode(event)))
            )
        return made


def readers(settings: Settings) -> dict[str, Reader]:
    """A reader for each topic that `[raw.<name>]` names, by the topic's name on the broker.

    Raises SettingsError where none is named, or for a key file that is none; BookError, PlanError.
    """
    known = {adapter.name: adapter for adapter in load_adapters(settings)}
    found: dict[str, Reader] = {}
    for name, raw in settings.raw.items():
        found[raw.topic] = Reader(
            name, raw.topic, _decoder(settings, name, known[raw.format]), settings.kafka.partitions
        )
    if not found:
        raise SettingsError("there is no topic to read: name one in the settings ([raw.web])")
    return found


def _decoder(settings: Settings, name: str, adapter: Adapter) -> Decoder:
    plan, forms = load_plan(settings.files.tracking_plan), identifier_forms(settings)
    return Decoder(
        settings.shop.currency,
        settings.limits.record_bytes,
        default_source=name,
        adapters=(adapter,),
        plan=None if plan is None else plan.check,
        phone_region=forms.phone_region,
        protector=forms.protector,
        fold_emails=forms.fold_emails,
    )


def need_raw_topics(settings: Settings) -> None:
    """Raise AdminError where a topic of [raw.<name>] is missing: Kafka's client would ask for it ten times a second, and in the
    end not name it.
    """
    topics = [raw.topic for raw in settings.raw.values()]
    need_topics(settings, topics, "Name the topic as it is on the broker in raw.<name>.topic, or have it made")


def run(settings: Settings) -> None:
    """Read on until SIGTERM or SIGINT. Raises what `readers` does, AdminError where no broker answers at the start or a topic is
    missing.
    """
    by_topic = readers(settings)
    need_raw_topics(settings)
    configure_logs(settings.log)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_Bridge(settings, by_topic).run())


class _Bridge:
    def __init__(self, settings: Settings, by_topic: dict[str, Reader]) -> None:
        self._settings, self._readers = settings, by_topic
        self._metrics = Metrics("bridge")

    async def run(self) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with metrics_page(self._settings.http, self._metrics.page):
            begun = False
            while not stop.is_set():
                try:
                    async with self._clients() as (consumer, producer):
                        if not await joined(consumer, stop):
                            break
                        begun = True
                        await committed_offsets(consumer)
                        passed = Passed()
                        _log.info("reading", extra={"facts": {"topics": ",".join(self._readers)}})
                        while not stop.is_set():
                            await self._pass(consumer, producer, passed)
                except KafkaError as error:
                    if not begun:
                        raise
                    _log.warning("Kafka refused (%s); from the last commit on again", error)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), RETRY_S)
        _log.info("stopped")

    @contextlib.asynccontextmanager
    async def _clients(self) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaProducer]]:
        """A consumer that has not joined its group yet, and a producer."""
        kafka = self._settings.kafka
        producer = AIOKafkaProducer(
            **self._settings.to_aiokafka(),
            client_id=f"{kafka.group}-bridge",
            acks="all",
            enable_idempotence=True,
            compression_type=kafka.codec,
        )
        consumer = AIOKafkaConsumer(
            *self._readers,
            **self._settings.to_aiokafka(),
            group_id=f"{kafka.group}-bridge",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=kafka.session_timeout_ms,
            heartbeat_interval_ms=kafka.heartbeat_ms,
        )
        steady(producer.client)
        steady(consumer._client)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(lambda: let_go(producer.stop()))
            stack.push_async_callback(lambda: let_go(consumer.stop()))
            await producer.start()
            yield consumer, producer

    async def _pass(self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, passed: Passed) -> None:
        """Some records: written, acknowledged by all replicas, and only then noted as read."""
        fetched: dict[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=200, max_records=BATCH_MAX)
        await passed.note(consumer, fetched)
        done: dict[TopicPartition, OffsetAndMetadata] = {}
        written: list[Any] = []
        for tp, records in fetched.items():
            reader = self._readers[tp.topic]
            for one in records:
                record = Record(one.offset, max(0, one.timestamp), one.key, one.value)
                rows = reader.rows(tp.partition, record)
                written += [await self._send(producer, row) for row in rows]
                self._count(reader.name, rows)
            done[tp] = OffsetAndMetadata(records[-1].offset + 1, "")
        for future in written:
            await future
        if done:
            await consumer.commit(done)

    async def _send(self, producer: AIOKafkaProducer, row: Outgoing) -> Any:
        headers = [("record-id", row.record_id.encode())] if row.topic == "rejected" else []
        return await producer.send(
            self._settings.topic(row.topic),
            value=bytes(row.value),
            key=row.key.encode(),
            partition=row.partition % self._settings.kafka.partitions,
            headers=headers,
        )

    def _count(self, source: str, rows: Sequence[Outgoing]) -> None:
        for row in rows:
            self._metrics.count("regulars_bridged_total", source=source, topic=row.topic)
