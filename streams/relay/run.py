"""`regulars relay NAME` from start to end: a consumer group over output topics, lanes of calls, and what is set aside."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, KafkaTimeoutError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from typing_extensions import override

from schemas.nearest import nearest
from streams.event_loop import new_event_loop
from streams.home import home_partition
from streams.joining import Passed, committed_offsets, joined
from streams.kafka_admin import need_topics
from streams.kafka_client import steady
from streams.kafka_producer import let_go
from streams.logs import configure_logs
from streams.metrics import Metrics
from streams.pages import metrics_page
from streams.relay import guard
from streams.relay.calls import Call
from streams.relay.delivery import Answer, Courier, Disabled, message_failed
from streams.relay.lanes import Lanes
from streams.rows import OUTCOME_TOPICS
from streams.setting_relay import Relay
from streams.settings import Settings, SettingsError
from streams.trigger_registry import TriggerLoadError, all_triggers

_log = logging.getLogger(__name__)

EXIT_OK: Final = 0
EXIT_DISABLED: Final = 4
COMMIT_EVERY_S: Final = 1.0
FAILED_TOPIC: Final = "relay-failed"
HEARS_TOPIC: Final = "messages"
"""Where the worker hears that a message never went out."""
FETCH_MAX: Final = 500
ANSWER_MAX: Final = 16 * 1024
"""Bytes of an answer that are read where it has to be."""
WAITING_FOR_EACH: Final = 4
"""Records taken in for each call that may be under way: some of them wait for their turn, some to be tried again."""
READ_AGAIN_MS: Final = 2_147_483_647
"""How long nothing may be read before Kafka's client leaves the group: for ever. While the receiver is away nothing is read."""


def run(settings: Settings, name: str) -> int:
    """Deliver until SIGTERM or SIGINT (0), or until the receiver has to be given up (4). Raises what the start raises."""
    relay = relay_of(settings, name)
    need_relay_topics(settings, name)
    configure_logs(settings.log)
    for said in unknown_names(relay):
        _log.warning("relays.%s.only names %s; that delivers nothing", name, said)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_Running(settings, name, relay).run())


def relay_of(settings: Settings, name: str) -> Relay:
    """What the settings say of a relay. Raises SettingsError where they name none."""
    relay = settings.relays.get(name)
    if relay is None:
        known = ", ".join(sorted(settings.relays)) or "none"
        raise SettingsError(f"there is no relay {name!r} in the settings ([relays.{name}]); there are: {known}")
    return relay


def need_relay_topics(settings: Settings, name: str) -> None:
    """Raise AdminError where a topic that a relay reads or writes is missing: Kafka's client would ask for it ten times a second,
    and in the end not name it.
    """
    needed = [settings.topic(topic) for topic in (*settings.relays[name].topics, FAILED_TOPIC, HEARS_TOPIC)]
    need_topics(settings, needed, f"Make them (regulars topics create), or correct relays.{name}.topics")


def unknown_names(relay: Relay) -> list[str]:
    """The names in `only` that no trigger installed here has, with what may have been meant. A relay may run where the shop's own
    triggers are not installed, so this is no reason to refuse.
    """
    try:
        known = [*(trigger.name for trigger in all_triggers()), *OUTCOME_TOPICS]
    except TriggerLoadError:
        return []
    told = []
    for name in relay.only:
        if name not in known:
            meant = nearest(name, known)
            told.append(f"{name!r}, which no trigger here is called{f' (did you mean {meant!r}?)' if meant else ''}")
    return told


class _Running(ConsumerRebalanceListener):  # type: ignore[misc] # the library has no types
    def __init__(self, settings: Settings, name: str, relay: Relay) -> None:
        self._settings, self._name, self._relay = settings, name, relay
        self._lanes: Lanes[bytes] | None = None
        self._passed = Passed()
        self._committed: dict[Any, int] = {}
        self._fresh = False

    async def run(self) -> int:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with contextlib.AsyncExitStack() as stack:
            post = await stack.enter_async_context(client(self._relay))
            self._courier = Courier(self._name, self._relay, post, now_ms=now_ms)
            await stack.enter_async_context(metrics_page(self._settings.http, _page(self._name, self._courier)))
            self._producer = await stack.enter_async_context(producer(self._settings))
            topics = [self._settings.topic(topic) for topic in self._relay.topics]
            self._consumer = AIOKafkaConsumer(
                **self._settings.to_aiokafka(),
                group_id=f"{self._settings.kafka.group}-relay-{self._name}",
                enable_auto_commit=False,
                # Where the broker no longer has what comes next. Where a relay that is new begins, `_begin` says.
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                session_timeout_ms=self._settings.kafka.session_timeout_ms,
                heartbeat_interval_ms=self._settings.kafka.heartbeat_ms,
                max_poll_interval_ms=READ_AGAIN_MS,
            )
            steady(self._consumer._client)
            self._consumer.subscribe(topics, listener=self)
            stack.push_async_callback(lambda: let_go(self._consumer.stop()))
            stack.push_async_callback(self._end_lanes)
            if not await joined(self._consumer, stop):
                _log.info("stopped")
                return EXIT_OK
            _log.info("delivering", extra={"facts": {"relay": self._name, "topics": ",".join(topics)}})
            ending = asyncio.create_task(stop.wait())
            reading = asyncio.create_task(self._read())
            try:
                await asyncio.wait([ending, reading], return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    reading.result()
            except Disabled as why:
                _log.error("%s", why)
                return EXIT_DISABLED
            finally:
                for task in (ending, reading):
                    task.cancel()
                await asyncio.gather(ending, reading, return_exceptions=True)
        _log.info("stopped")
        return EXIT_OK

    # --- reading ---

    async def _read(self) -> None:
        committed_s = time.monotonic()
        while True:
            if self._fresh:
                self._fresh = False
                try:
                    await self._begin()
                except KafkaTimeoutError:
                    self._fresh = True
                except (IllegalStateError, CommitFailedError):
                    pass  # taken away again meanwhile: what comes instead is fresh too
            if (lanes := self._lanes) is not None and lanes.room < 1:
                await lanes.moved(0.2)
            else:
                await self._take(FETCH_MAX if lanes is None else min(lanes.room, FETCH_MAX))
            lanes = self._lanes
            if lanes is not None and lanes.failed.done():
                lanes.failed.result()
            if time.monotonic() - committed_s >= COMMIT_EVERY_S:
                await self._commit()
                committed_s = time.monotonic()

    async def _begin(self) -> None:
        """Say where to begin in partitions that were just handed out, and have them read.

        A topic that is new to the relay is read from now on, since nobody wants last week's reminders at once. Who has its first
        partition commits that for all of them, in one call, and the others wait for it: what comes from now on can't be missed.
        So a partition without a place, where others of its topic have one, was added since. It is read from its start: who
        writes there hears of it minutes before the client does.
        """
        topics = [self._settings.topic(topic) for topic in self._relay.topics]
        # Asked first: whoever is found without a place afterwards was not among those that got one with the others.
        begun = {topic: await self._has_begun(topic) for topic in topics}
        committed = await committed_offsets(self._consumer)
        new = [tp for tp, offset in committed.items() if offset is None]
        added = [tp for tp in new if begun[tp.topic]]
        ours = [topic for topic in topics if not begun[topic] and TopicPartition(topic, 0) in new]
        first = [tp for topic in ours for tp in self._partitions(topic)]
        begins = await self._consumer.beginning_offsets(added) | await self._consumer.end_offsets(first)
        if self._fresh:
            return  # they were handed out anew meanwhile: whoever has a first partition now may have said where they begin
        if begins:
            # Not by the consumer's own method: it takes no partition that is another member's.
            offsets = {tp: OffsetAndMetadata(offset, "") for tp, offset in begins.items()}
            await self._consumer._coordinator.commit_offsets(None, offsets)
        for partitions, what in (
            (added, "partitions that were added are read from their start"),
            (first, "a new relay begins with what comes now"),
        ):
            if partitions:
                _log.info(what, extra={"facts": {"partitions": len(partitions)}})
        places = committed | {tp: begins.get(tp) for tp in new}
        if None in places.values():
            self._fresh = True
            return
        for tp, place in places.items():
            self._consumer.seek(tp, place)
        self._consumer.resume(*places)

    async def _has_begun(self, topic: str) -> bool:
        """Whether the relay has a place in any partition of a topic."""
        for tp in self._partitions(topic):
            if await self._consumer.committed(tp) is not None:
                return True
        return False

    def _partitions(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in sorted(self._consumer.partitions_for_topic(topic) or ())]

    async def _take(self, at_most: int) -> None:
        found = await self._consumer.getmany(timeout_ms=200, max_records=at_most)
        if (lanes := self._lanes) is None:
            return  # revoked meanwhile: whoever has them now reads them again
        one_lane = self._relay.at_once == 1
        for tp, records in found.items():
            for record in records:
                lanes.put(tp, record.offset, b"" if one_lane else record.key or b"", record.value)
        with contextlib.suppress(KafkaError):  # it went away just now, and can't say
            await self._passed.note(self._consumer, found)

    async def _work(self, value: bytes) -> None:
        failure = await self._courier.deliver(value)
        if failure is None:
            return
        facts = {"facts": {"trigger": failure.trigger_id}, "often": True}
        _log.warning("set aside: %s (%s)", failure.reason, failure.detail, extra=facts)
        key = (failure.trigger_id or "").encode()
        await self._producer.send_and_wait(
            self._settings.topic(FAILED_TOPIC), value=msgspec.json.encode(failure), key=key
        )
        await tell(self._settings, self._producer, message_failed(failure))

    # --- what is ours ---

    @override
    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """What is under way is let go: the next owner delivers it again, under the same webhook id."""
        await self._commit()
        await self._end_lanes()

    @override
    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Begin anew, once it is known where."""
        self._consumer.pause(*assigned)
        self._lanes = Lanes(self._work, WAITING_FOR_EACH * self._relay.at_once)
        self._passed = Passed()
        self._fresh = True

    async def _end_lanes(self) -> None:
        lanes, self._lanes = self._lanes, None
        if lanes is not None:
            await lanes.stop()
            await self._commit_done(lanes)

    async def _commit(self) -> None:
        if self._lanes is not None:
            await self._commit_done(self._lanes)

    async def _commit_done(self, lanes: Lanes[bytes]) -> None:
        ours = self._consumer.assignment()
        offsets = {
            tp: OffsetAndMetadata(offset, "")
            for tp, offset in lanes.done().items()
            if tp in ours and self._committed.get(tp) != offset
        }
        if offsets:
            with contextlib.suppress(Exception):  # a rebalance or a broker that is away: the next one tells it
                await self._consumer.commit(offsets)
                self._committed |= {tp: told.offset for tp, told in offsets.items()}


@contextlib.asynccontextmanager
async def producer(settings: Settings) -> Any:
    """What writes to Kafka what became of a record. Raises KafkaError where no broker answers."""
    made = AIOKafkaProducer(
        **settings.to_aiokafka(), acks="all", enable_idempotence=True, compression_type=settings.kafka.codec
    )
    steady(made.client)
    try:
        await made.start()
        yield made
    finally:
        await let_go(made.stop())


async def tell(settings: Settings, to: Any, told: tuple[str, dict[str, Any]] | None) -> None:
    """Have the worker hear what became of a trigger: the customer's identifier and the event; None where she is nobody's."""
    if told is not None:
        home, event = told
        await to.send_and_wait(
            settings.topic(HEARS_TOPIC),
            value=msgspec.json.encode(event),
            key=home.encode(),
            partition=home_partition(home, settings.kafka.partitions),
        )


@contextlib.asynccontextmanager
async def client(relay: Relay) -> Any:
    """A client that makes calls under the relay's limits."""
    resolver = None if relay.allow_private else guard.PublicOnly()
    connector = aiohttp.TCPConnector(limit=relay.at_once, resolver=resolver)
    timeout = aiohttp.ClientTimeout(total=relay.timeout_ms / 1000)
    jar = aiohttp.DummyCookieJar()  # what a receiver sets is nothing that its next call needs
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False, cookie_jar=jar) as session:

        async def post(to: str, call: Call) -> Answer:
            try:
                async with session.post(to, data=call.body, headers=call.headers, allow_redirects=False) as answer:
                    said = await _beginning(answer) if relay.format == "braze" else b""
                    return Answer(answer.status, answer.headers.get("Retry-After"), said)
            except aiohttp.ClientError as error:
                raise OSError(type(error).__name__) from error

        yield post


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """The beginning of a body, as far as it comes: the call itself is answered."""
    said = b""
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        while len(said) < ANSWER_MAX and (more := await answer.content.read(ANSWER_MAX)):
            said += more
    return said


def _page(name: str, courier: Courier) -> Callable[[], bytes]:
    """What /metrics shows of a relay, made when it is asked for."""
    shown, told = Metrics("relay"), dict.fromkeys(courier.counts, 0)

    def page() -> bytes:
        for outcome, count in courier.counts.items():
            shown.count("regulars_relay_records_total", count - told[outcome], relay=name, outcome=outcome)
            told[outcome] = count
        shown.show("regulars_relay_taken_timestamp_seconds", courier.taken_ms / 1000, relay=name)
        return shown.page()

    return page


def now_ms() -> int:
    """The present in epoch ms."""
    return time.time_ns() // 1_000_000
