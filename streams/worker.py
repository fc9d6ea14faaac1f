"""The worker: Faust for the group and the delivery, one task for each partition it holds, and the pages beside it.

Follow an event: `take` gets the chunk that an agent was handed; the partition's loop (streams.partition) merges, steps,
commits and publishes it. Kafka's assignment decides which partitions are held, Redis who may write to them.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

from aiokafka.errors import KafkaError
from faust.types import TP
from msgspec.structs import replace

from profiles.book import Book
from profiles.engine import Engine
from profiles.models import Models
from streams.book_files import load_book, make_decoder
from streams.delivery import ChunkConsumer, Taken
from streams.event_loop import new_event_loop
from streams.failed_conditions import FailedConditions
from streams.faust_app import ChunkApp, make_app
from streams.health import Report, RulesHealth, Watch
from streams.kafka_log import KafkaLog, held_partitions
from streams.kafka_producer import KafkaPublisher
from streams.kafka_reach import denied, taken
from streams.keeper import Keeper
from streams.kill_points import faults_of
from streams.leaving import wait_for_nobody
from streams.log import LogError
from streams.logs import configure_logs
from streams.metrics import Metrics
from streams.model_source import ModelWatch
from streams.others_time import OthersTime
from streams.outbox import Publisher
from streams.pages import Pages
from streams.partition import Partition, PartitionLimits
from streams.protection import OpeningPublisher, load_protection
from streams.redis_checks import CLOCKS_APART_MS, check_redis
from streams.redis_table import RedisTable
from streams.rules_reload import LOOK_EVERY_S as RULES_EVERY_S
from streams.rules_reload import RulesFile
from streams.settings import Settings
from streams.shadow import ShadowPublisher
from streams.startup import check_ground
from streams.table import TableError, Unavailable
from streams.trigger_registry import all_triggers
from streams.turnstile import Turnstile
from streams.watchdog import watch_over
from streams.worker_stats import WorkerStats

_log = logging.getLogger(__name__)

EXIT_OK = 0
STOP_PATIENCE_S = 20.0
"""A partition that does not end within this is cut off: what it has not committed is read again by the next owner."""
LEAVE_PATIENCE_S = 15.0
LOOK_EVERY_S = 1.0
MEMORY_EVERY_S = 10.0
YOUNG_OBJECTS = 50_000
"""So many new objects are looked at together, and those that stay are never looked at again. Profiles are many small objects that
live long: with Python's own thresholds half of the time goes into looking at them, and a look at all of them takes seconds.
"""


def run(settings: Settings, *, shadow: bool = False, stream_time: bool = False) -> int:
    """Run a worker until SIGTERM or SIGINT, and return the exit code. Raises what the checks at the start raise.

    With `shadow` its triggers go to the shadow topic and nothing else of it goes out; the settings are those of
    `streams.shadow.shadowed`. With `stream_time` the clock follows the events alone, as in a replay.
    """
    configure_logs(settings.log)
    book = load_book(settings)
    worker = Worker(settings, replace(book, shadow=True) if shadow else book, stream_time=stream_time)
    runner = asyncio.Runner(loop_factory=new_event_loop)
    try:
        return runner.run(worker.run())
    finally:
        if worker.left_waiting:
            wait_for_nobody()
        else:
            runner.close()


class Worker:
    """One worker process. It is the receiver of what delivery hands over (streams.delivery.Receiver)."""

    def __init__(self, settings: Settings, book: Book, *, stream_time: bool = False) -> None:
        self.settings = settings
        self._shadow = book.shadow
        self._clock: Callable[[], int] | None = None if stream_time else _wall_ms
        self.metrics = Metrics()
        self.metrics.show("regulars_topic_partitions", settings.kafka.partitions)
        self.watch = Watch(settings.health)
        self.stats = WorkerStats(self.metrics, self.watch, settings.kafka.end_offsets_every_ms)
        self.keepers: dict[int, Keeper] = {}
        self._book = book
        self._engine = Engine(book, all_triggers())
        self._failed = FailedConditions(self.metrics)
        self._rules_signal = asyncio.Event()
        self._decoder = make_decoder(settings)
        self._protection = load_protection(settings)
        self._faults = faults_of(os.environ)
        self._turnstile = Turnstile()
        self._ended: asyncio.Future[None] | None = None
        self._leaving = False
        self.left_waiting = False
        self._started_ms = _wall_ms()

    # --- what delivery tells; none of these waits -----------------------------------------------------------------

    def take(self, tp: TP, taken: Taken) -> None:
        """Hand a chunk to its partition."""
        keeper = self.keepers.get(tp.partition)
        if keeper is not None and keeper.partition is not None:
            keeper.partition.take(taken.chunk, taken.number, taken.position)

    def assigned(self, tps: set[TP]) -> None:
        """Keep running what is held now; the rest was given up when the rebalance began."""
        if self._leaving:
            return
        self.stats.rebalanced()
        self.watch.ready()
        held = held_partitions(tps, self.settings.consumed())
        _log.info("partitions assigned", extra={"facts": {"partitions": sorted(held)}})
        for number in sorted(held):
            keeper = self.keepers.get(number)
            if keeper is None:
                keeper = self.keepers[number] = Keeper(number, self._partition)
            keeper.hold()

    def revoked(self) -> None:
        """A rebalance began: nothing is held until it is over."""
        for keeper in self.keepers.values():
            keeper.release()

    async def settled(self) -> None:
        """Wait until all partitions have ended, but not so long that the group would give this worker up."""
        patience_s = self.settings.kafka.session_timeout_ms / 1000 / 3
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await asyncio.gather(*(keeper.idle() for keeper in self.keepers.values()))

    def lost(self, tp: TP, offset: int) -> None:
        """The broker no longer has what was to be read next."""
        _log.error("an offset is gone from the log", extra={"facts": {"topic": tp.topic, "partition": tp.partition}})
        keeper = self.keepers.get(tp.partition)
        if keeper is not None and keeper.partition is not None:
            keeper.partition.lost(self.settings.consumed()[tp.topic])

    # --- life -----------------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Check, work until told to stop or until something breaks, and leave in good order."""
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._rules_signal.set)
        async with contextlib.AsyncExitStack() as stack:
            self._table = RedisTable(
                self.settings.redis.url,
                prefix=self.settings.redis.prefix,
                compressed=self.settings.redis.compressed,
                timeout_s=self.settings.redis.timeout_ms / 1000,
            )
            stack.push_async_callback(self._table.close)
            ground = await check_ground(self.settings, self._table, _wall_ms(), shadow=self._shadow)
            for warning in ground.warnings:
                _log.warning("%s", warning)
            self._show_models(self._book.models)
            self._models = ModelWatch(self._table, self._renew, self._book)
            await self._models.look()
            kafka = KafkaPublisher(self.settings)
            await kafka.start()
            stack.push_async_callback(kafka.stop)
            self._publisher: Publisher = ShadowPublisher(kafka) if self._shadow else kafka
            if self._protection is not None:
                self._publisher = OpeningPublisher(self._publisher, self._protection)
            if self.settings.http.port:
                pages = Pages(self.settings.http, report=self.report, metrics=self.metrics)
                await pages.start()
                stack.push_async_callback(pages.stop)
            await self._work()
        _log.info("stopped")
        return EXIT_OK

    def report(self) -> Report:
        """What /health says."""
        return self.watch.report(_mono_ms())

    async def _work(self) -> None:
        assert self._ended is not None
        app = make_app(self.settings, self, crash=self._fail)
        self._consumer = cast("ChunkConsumer", app.consumer)
        self._kafka = KafkaLog(self.settings, self._consumer)
        self._others = OthersTime(self._table, self.settings.kafka.partitions)
        _look_at_each_object_once()
        beside = [
            self._beside(self._ask_ends(), "ends"),
            self._beside(self._look(), "look"),
            self._beside(self._others.keep(self.keepers), "others"),
            self._beside(self._keep_rules(), "rules"),
            self._beside(self._models.keep(), "models"),
            self._beside(self._guard(), "watchdog"),
            self._beside(self._ask_memory(), "memory"),
            self._beside(_crash_of(app), "faust"),
        ]
        starting = asyncio.ensure_future(app.start())
        try:
            # A Faust that may not join its group, or finds no broker to ask for it, may never come up.
            await asyncio.wait([starting, self._ended], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
            await self._ended
        finally:
            self._leaving = True
            for keeper in self.keepers.values():
                keeper.stop()
            await asyncio.gather(*(keeper.ended(STOP_PATIENCE_S) for keeper in self.keepers.values()))
            for task in beside:
                task.cancel()
            # Without this a Faust that has lost its broker may wait for ever to say good-bye.
            _, late = await asyncio.wait([asyncio.ensure_future(app.stop())], timeout=LEAVE_PATIENCE_S)
            if late:
                self.left_waiting = True
                _log.warning("left the consumer group without a farewell")
            starting.cancel()

    def _end(self) -> None:
        if self._ended is not None and not self._ended.done():
            _log.info("stopping")
            self._ended.set_result(None)

    def _fail(self, error: BaseException) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error)

    def _beside(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something beside the partitions; if it breaks, the worker ends."""
        task = asyncio.create_task(work, name=name)

        def done(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._fail(error)

        task.add_done_callback(done)
        return task

    def _renew(self, models: Models) -> None:
        """New models were fitted: every partition takes them between two batches."""
        self._use(replace(self._book, models=models))

    # --- partitions -----------------------------------------------------------------------------------------------

    def _partition(self, number: int) -> Partition:
        held = max(1, sum(keeper.held for keeper in self.keepers.values()))
        settings = self.settings
        return Partition(
            number,
            partitions=settings.kafka.partitions,
            table=self._table,
            log=self._kafka,
            publisher=self._publisher,
            engine=self._engine,
            decoder=self._decoder,
            shop_id=settings.shop.id,
            limits=PartitionLimits(
                inbox_records=settings.limits.inbox_records,
                batch_records=settings.limits.batch_records,
                cache_profiles=max(1, settings.limits.cache_profiles // held),
                disorder_ms=settings.clock.disorder_ms,
                grace_ms=settings.clock.grace_ms,
            ),
            wall_ms=self._clock,
            others_t0_ms=self._others.least_t0_ms,
            turnstile=self._turnstile,
            stats=self.stats,
            faults=self._faults,
        )

    # --- beside them ----------------------------------------------------------------------------------------------

    async def _ask_ends(self) -> None:
        """Ask where the logs end, by which the clock of quiet partitions moves."""
        logical = self.settings.consumed()
        apart_ms = _wall_ms() - _mono_ms()
        while True:
            await asyncio.sleep(self.settings.kafka.end_offsets_every_ms / 1000)
            if abs(_wall_ms() - _mono_ms() - apart_ms) > CLOCKS_APART_MS:
                # Set while we run, or the machine slept. Nothing follows the wall until it is known to be right.
                elsewhere = self.settings.redis.durable_elsewhere
                try:
                    await check_redis(self._table.link, durable_elsewhere=elsewhere, now_ms=_wall_ms())
                except Unavailable as error:
                    _log.warning("this host's clock was set, rightly or not: %s", error, extra={"often": True})
                    continue
                apart_ms = _wall_ms() - _mono_ms()
            try:
                async with asyncio.timeout(self.settings.kafka.request_timeout_ms / 1000):
                    reaches = await self._consumer.standings(_wall_ms())
            except (KafkaError, TimeoutError, LogError) as error:
                if (why := taken(error, self.settings) or denied(error)) is not None:
                    _log.error("%s", why, extra={"often": True})
                else:
                    _log.info("the ends of the logs are not known: %s", type(error).__name__)
                continue
            for tp, reach in reaches.items():
                keeper = self.keepers.get(tp.partition)
                if keeper is not None and keeper.partition is not None:
                    keeper.partition.reached(logical[tp.topic], reach)

    async def _ask_memory(self) -> None:
        """Ask how full Redis is: once it is, nothing goes on."""
        while True:
            try:
                async with asyncio.timeout(self.settings.redis.timeout_ms / 1000):
                    found = await self._table.memory()
            except (TableError, TimeoutError):
                found = {}
            self.stats.redis_memory(found)
            await asyncio.sleep(MEMORY_EVERY_S)

    async def _look(self) -> None:
        while True:
            segments = self._book.segments
            self._failed.look(None if segments is None else segments.failures, _mono_ms())
            self.stats.look(self.keepers, now_ms=_mono_ms(), wall_ms=_wall_ms, started_ms=self._started_ms)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _keep_rules(self) -> None:
        """Look at the rules file now and then, and at once after SIGHUP; take good ones, keep the old ones over bad ones."""
        self._show_rules(None)
        if not self.settings.files.rules:
            return
        file = RulesFile(Path(self.settings.files.rules), self._book, self.metrics)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RULES_EVERY_S):
                    await self._rules_signal.wait()
            if not file.changed(at_once=self._rules_signal.is_set()):
                self._rules_signal.clear()
                continue
            self._rules_signal.clear()
            book = await asyncio.to_thread(file.read)
            if book is not None:
                # Models may have come since the file was read for the first time.
                self._use(replace(book, models=self._book.models))
            self._show_rules(file)

    def _show_models(self, models: Models) -> None:
        self.metrics.show("regulars_models_as_of_timestamp_seconds", models.as_of_day * 86_400)

    def _use(self, book: Book) -> None:
        """Work by another book from the next batch of each partition on."""
        before, engine = self._engine.stamp, Engine(book, all_triggers())
        self._show_models(book.models)
        self._book, self._engine = book, engine
        for keeper in self.keepers.values():
            if keeper.partition is not None:
                keeper.partition.use(engine)
        if engine.stamp.digest != before.digest:
            facts = {"old": before.version, "new": engine.stamp.version, "digest": engine.stamp.digest}
            _log.info("the rules have changed", extra={"facts": facts})

    def _show_rules(self, file: RulesFile | None) -> None:
        stamp, refused = self._engine.stamp, None if file is None else file.refused
        self.watch.ruled(
            RulesHealth(
                version=stamp.version,
                digest=stamp.digest,
                refused="" if refused is None else str(refused),
                line=None if refused is None else refused.line,
            )
        )

    async def _guard(self) -> None:
        await watch_over(self.watch, self.settings.health, now_ms=_mono_ms, servers_answer=self._servers_answer)

    async def _servers_answer(self) -> bool:
        """Whether every Redis and every broker does that holds something of this worker's partitions."""
        held = [number for number, keeper in self.keepers.items() if keeper.held] or [0]
        try:
            for number in held:
                async with asyncio.timeout(self.settings.redis.timeout_ms / 1000):
                    await self._table.meta(number)
                    await self._publisher.ends("triggers", number)
        except (TableError, KafkaError, TimeoutError, OSError):
            return False
        return True


async def _crash_of(app: ChunkApp) -> None:
    """Wait until a service of Faust crashes, and raise why."""
    await app._crashed.wait()
    raise app.crash_reason or RuntimeError("a service of Faust crashed without saying why")


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _mono_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _look_at_each_object_once() -> None:
    """Let the garbage collector look at what is new, and set aside what then stays: it goes when nothing refers to it."""

    def set_aside(phase: str, _: dict[str, int]) -> None:
        if phase == "stop":
            gc.freeze()

    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    gc.callbacks.append(set_aside)
