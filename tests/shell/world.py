"""A partition, a log and a table in memory, and a hand on every lever: what gets delivered when, the wall clock, faults."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from typing_extensions import override

from profiles.book import Book
from profiles.engine import Engine
from profiles.profile import Profile, decode_profile
from profiles.rules import Caps, Precedence, QuietHours, Rules
from profiles.triggers import CartAbandonedRule, CheckoutAbandonedRule
from schemas.decode import Decoder
from schemas.events import Event, OrderCompleted, Product, ProductAdded
from schemas.routing import topic_of
from schemas.topics import CONSUMED, TOPICS
from streams.faults import NO_FAULTS, Faults, Point
from streams.memory_log import MemoryLog, MemoryPublisher
from streams.memory_table import MemoryTable
from streams.outbox import Publisher
from streams.partition_limits import PartitionLimits
from streams.stats import BatchStats, NoStats, StopReason
from streams.tenure import Tenure
from streams.terms import Steps

T = TypeVar("T")
START_MS = 1_772_409_600_000
MINUTE_MS = 60_000
OUTPUTS = tuple(topic.name for topic in TOPICS if topic.role == "output")
EAGER = Book(
    rules=Rules.of(
        CartAbandonedRule(cooldown_ms=0, max_in_window=0),
        CheckoutAbandonedRule(cooldown_ms=0),
        soft_opt_in=True,
        caps=Caps(max_in_24h=1000, max_in_7d=1000, max_in_day=1000),
        quiet_hours=QuietHours(enabled=False),
        precedence=Precedence(block_ms=0),
    )
)
"""A shop that sends whatever it may."""


def run(work: Awaitable[T]) -> T:
    async def whole() -> T:
        return await work

    return asyncio.run(whole())


async def when(reached: Callable[[], bool]) -> None:
    """Let the others run until a condition holds."""
    async with asyncio.timeout(20):
        while not reached():  # noqa: ASYNC110 - what is waited for is state in memory; nobody would set an event
            await asyncio.sleep(0)


class Died(BaseException):
    """The process ended here."""


class CrashAt:
    """Ends the process the n-th time a point is reached."""

    def __init__(self, point: Point, times: int = 1) -> None:
        self.point, self.left = point, times

    def at(self, point: Point) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                raise Died(point)


class Told(NoStats):
    """What a partition told."""

    def __init__(self) -> None:
        self.batches: list[BatchStats] = []
        self.stops: list[tuple[StopReason, str]] = []
        self.waited_ms: list[int] = []
        self.refusals: Counter[str] = Counter()
        self.held: list[str] = []

    @override
    def batch(self, done: BatchStats) -> None:
        self.batches.append(done)

    @override
    def stopped(self, partition: int, reason: StopReason, message: str) -> None:
        self.stops.append((reason, message))

    @override
    def published(self, partition: int, rows: int, waited_ms: list[int], seconds: float) -> None:
        self.waited_ms += waited_ms

    @override
    def refused(self, partition: int, reason: str, rows: int) -> None:
        self.refusals[reason] += rows

    @override
    def held_back(self, partition: int, why: str) -> None:
        self.held.append(why)


async def no_pause(_: float) -> None:
    """Time passes, as far as the loop knows."""
    await asyncio.sleep(0)


@dataclass
class World:
    """One log, one table. `tenure` makes an owner; `work` lets it work until nothing is left to do."""

    partitions: int = 1
    engine: Steps = field(default_factory=lambda: Engine(EAGER))
    limits: PartitionLimits = field(default_factory=PartitionLimits)
    wall_ms: int | None = None
    log: MemoryLog = field(init=False)
    publisher: Publisher = field(init=False)
    table: MemoryTable = field(default_factory=MemoryTable)
    told: Told = field(default_factory=Told)
    mono_ms: int = 0

    def __post_init__(self) -> None:
        self.log = MemoryLog(self.partitions)
        self.publisher = MemoryPublisher(self.log)

    def now(self) -> int:
        assert self.wall_ms is not None
        return self.wall_ms

    def mono(self) -> int:
        self.mono_ms += 1
        return self.mono_ms

    def tenure(self, partition: int = 0, *, faults: Faults = NO_FAULTS, **more: Any) -> Tenure:
        more.setdefault("decoder", Decoder("USD"))
        made = Tenure(
            partition,
            partitions=self.partitions,
            table=self.table,
            log=self.log,
            publisher=self.publisher,
            engine=self.engine,
            limits=self.limits,
            wall_ms=None if self.wall_ms is None else self.now,
            mono_ms=self.mono,
            stats=self.told,
            faults=faults,
            sleep=no_pause,
            **more,
        )
        self.log.attach(partition, made)
        return made

    async def work(self, tenure: Tenure, *, chunk: int = 500, topics: Sequence[str] = CONSUMED) -> None:
        """Deliver and work until nothing moves."""
        while True:
            moved = self.log.deliver(tenure.number, topics=topics, chunk=chunk, asked_ms=self.wall_ms or 0)
            worked = await tenure.turn()
            published = await tenure.outbox.publish()
            if not (moved or worked or published):
                return

    async def all_done(self, **options: Any) -> Tenure:
        """A new owner that works until nothing is left."""
        tenure = self.tenure()
        await tenure.open()
        await self.work(tenure, **options)
        return tenure

    async def outlive(self, deaths: Sequence[tuple[Point, int]]) -> None:
        """One owner after the other, each of which dies where it comes to its point for the n-th time, if it does."""
        for point, times in deaths:
            tenure = self.tenure(faults=CrashAt(point, times))
            try:
                await tenure.open()
                await self.work(tenure, chunk=3)
            except Died:
                await no_pause(0)

    async def take_up(self, engine: Engine, faults: Faults) -> None:
        """An owner, once all is done, works by another engine; where it dies of that, the next owner goes on."""
        tenure = await self.all_done()
        tenure._faults = faults
        tenure.use(engine)
        try:
            await self.work(tenure)
        except Died:
            self.engine = engine
            await self.all_done()

    def send(self, *events: Event, partition: int = 0, timestamp_ms: int = 0) -> None:
        """Append events to their topics."""
        for event in events:
            self.log.append(topic_of(event), msgspec.json.encode(event), partition=partition, timestamp_ms=timestamp_ms)

    def outputs(self, *topics: str, partition: int = 0) -> list[tuple[str, str]]:
        """(topic, record id) of all that was published, by topic, repetitions included."""
        return [
            (topic, dict(record.headers)["record-id"].decode())
            for topic in topics or OUTPUTS
            for record in self.log.records(topic, partition)
        ]

    def values(self, topic: str, partition: int = 0) -> list[dict[str, Any]]:
        """What was published on a topic."""
        return [msgspec.json.decode(record.value or b"null") for record in self.log.records(topic, partition)]

    def stored(self) -> dict[str, Any]:
        """All that the table holds of state: profiles, ledgers, timers, population, goods and offsets."""
        parts = self.table.snapshot().partitions
        return {
            str(number): (
                part.profiles,
                part.ledgers,
                part.due,
                part.population,
                part.goods,
                part.watchers,
                part.queue,
                part.meta and part.meta.offsets,
            )
            for number, part in parts.items()
        }

    def offset(self, topic: str, partition: int = 0) -> int:
        """The stored offset of a topic, 0 where there is none."""
        part = self.table.snapshot().partitions.get(partition)
        return part.meta.offsets.get(topic, 0) if part is not None and part.meta is not None else 0

    def profile(self, profile_id: str, partition: int = 0) -> Profile | None:
        stored = run(self.table.profile(partition, profile_id))
        return None if stored is None else decode_profile(stored)


def added(user: str, minute: float, message_id: str, cart: str = "c1", product: str = "tea") -> Event:
    return ProductAdded(
        message_id=message_id,
        timestamp_ms=START_MS + int(minute * MINUTE_MS),
        user_id=user,
        cart_id=f"{user}-{cart}",
        product=Product(product_id=product, price_minor=500),
    )


def ordered(user: str, minute: float, order_id: str, **fields: Any) -> Event:
    return OrderCompleted(
        message_id=f"m-{order_id}",
        timestamp_ms=START_MS + int(minute * MINUTE_MS),
        user_id=user,
        order_id=order_id,
        revenue_minor=1000,
        **fields,
    )
