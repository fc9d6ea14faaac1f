"""The whole thing in one process without servers: the same partition loop, batches and commits, on a table in memory.

For replay, backtests and the demo. One partition holds everybody. Records enter at the inbox in the order in which they
arrive; the clock is simulated and follows the events. Memory is bounded by the customers, not by the events.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple, Self, TypeVar

from typing_extensions import override

from profiles.order_state import OrderEntry, decode_entry
from profiles.profile import Profile, decode_profile
from schemas.decode import Decoder
from schemas.outputs import Outgoing
from schemas.topics import CONSUMED
from streams.forwards import FORWARDS
from streams.log import Bounds
from streams.memory_table import MemoryTable
from streams.partition_limits import PartitionLimits
from streams.record import Chunk, Record
from streams.stats import BatchStats, NoStats
from streams.table import INTEGER_MAX
from streams.tenure import Tenure
from streams.terms import Steps

ARRIVALS: Final = "clickstream"
"""The topic through which everything comes: with one topic the order of arrival is the order of the log."""
P: Final = 0
_BATCH_BYTES: Final = 64 * 1024 * 1024
_CACHE_BYTES: Final = 1 << 40

T = TypeVar("T")


class Pace(NamedTuple):
    """How far a run is: records taken in, those set aside, the simulated clock, timers fired, triggers decided."""

    events: int
    rejected: int
    clock_ms: int
    timers_fired: int
    triggers: int
    profiles: int


class Waiting(NamedTuple):
    """A timer that is still to come."""

    profile_id: str
    due_ms: int


class _Counts(NoStats):
    """Adds up what batches tell."""

    def __init__(self) -> None:
        self.events = self.rejected = self.timers_fired = self.triggers = self.profiles = 0

    @override
    def batch(self, done: BatchStats) -> None:
        # What the engine sends itself is no event that anybody fed.
        self.events += sum(count for topic, count in done.records.items() if topic != FORWARDS)
        self.rejected += sum(done.rejected.values())
        self.timers_fired += done.timers_fired
        self.triggers += sum(done.triggers.values())
        self.profiles += done.profiles_created


class _Here:
    """A log that holds nothing: what comes is pushed in. And a publisher that hands rows to a function."""

    def __init__(self, on_row: Callable[[Outgoing], None]) -> None:
        self._on_row = on_row
        self.mail: list[bytes] = []
        """What the engine sent to another home, which is here as well."""

    async def topic_ids(self) -> dict[str, str]:
        return {}

    async def bounds(self, partition: int) -> dict[str, Bounds]:
        return dict.fromkeys(CONSUMED, Bounds(0, 0))

    async def group_offsets(self, partition: int) -> dict[str, int | None]:
        return {}

    async def open(self, partition: int, offsets: dict[str, int]) -> dict[str, int]:
        return dict.fromkeys(offsets, 1)

    async def close(self, partition: int) -> None:
        return None

    async def prove_ownership(self, partition: int, offsets: dict[str, int]) -> bool:
        return True

    def stored(self, partition: int, offsets: dict[str, int]) -> None:
        return None

    def pause(self, partition: int, topic: str) -> None:
        return None

    def resume(self, partition: int, topic: str) -> None:
        return None

    async def publish(self, rows: Iterable[Outgoing]) -> list[str | None]:
        outcomes: list[str | None] = []
        for row in rows:
            if row.topic == FORWARDS:
                self.mail.append(bytes(row.value))
            else:
                self._on_row(row)
            outcomes.append(None)
        return outcomes

    async def ends(self, topic: str, partition: int) -> int:
        return 0

    async def tail(self, topic: str, partition: int, since: int) -> tuple[set[str], int]:
        return set(), 0

    def broker_name(self, topic: str) -> str:
        return topic


class Embedded:
    """One run. `on_row` gets every record that goes out, rejects included, in the order in which they are decided.

    At the end of the input the clock stands at the last event less `disorder_ms`, and timers due later are still waiting;
    `advance_to` moves it on. Close it when done, or use it as a context manager. Not for use inside a running event loop.
    """

    def __init__(
        self,
        engine: Steps,
        decoder: Decoder,
        *,
        on_row: Callable[[Outgoing], None],
        shop_id: str = "shop",
        batch_records: int = 40_000,
        cache_profiles: int = 200_000,
        disorder_ms: int = 60_000,
    ) -> None:
        self.table = MemoryTable()
        self._chunk = batch_records
        self._counts = _Counts()
        self._here = _Here(on_row)
        self._runner = asyncio.Runner()
        self._numbers = {ARRIVALS: 0, FORWARDS: 0}
        self._offsets = {ARRIVALS: 0, FORWARDS: 0}
        limits = PartitionLimits(
            batch_records=batch_records,
            batch_profiles=batch_records,
            batch_bytes=_BATCH_BYTES,
            due_timers=2 * batch_records,
            cache_profiles=cache_profiles,
            cache_bytes=_CACHE_BYTES,
            disorder_ms=disorder_ms,
        )
        self._tenure = Tenure(
            P,
            partitions=1,
            table=self.table,
            log=self._here,
            publisher=self._here,
            engine=engine,
            decoder=decoder,
            shop_id=shop_id,
            limits=limits,
            topics=(ARRIVALS, FORWARDS),
            stats=self._counts,
        )
        self._runner.run(self._tenure.open())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the event loop; results can still be read."""
        self._runner.close()

    def feed(self, records: Iterable[tuple[bytes | None, int]], progress: Callable[[Pace], None] | None = None) -> None:
        """Take in records, (value, time of arrival in epoch ms or 0), in their order of arrival; `progress` after each batch.

        May be called again. Reads no further ahead than one batch.
        """
        records = iter(records)
        while batch := list(islice(records, self._chunk)):
            self._take(ARRIVALS, batch)
            self._runner.run(self._work())
            if progress is not None:
                progress(self.pace)

    def advance_to(self, until_ms: int, progress: Callable[[Pace], None] | None = None) -> None:
        """Move the clock on and fire everything that is due at or before `until_ms`."""
        # Timers fire strictly before the clock.
        self._tenure.advance_to(until_ms + 1)
        self._runner.run(self._work(progress))

    def use(self, engine: Steps) -> None:
        """Work with another engine from the next batch on: rules changed, or models were fitted."""
        self._tenure.use(engine)

    @property
    def pace(self) -> Pace:
        """How far the run is."""
        counts = self._counts
        return Pace(
            events=counts.events,
            rejected=counts.rejected,
            clock_ms=self._tenure.clock.now_ms,
            timers_fired=counts.timers_fired,
            triggers=counts.triggers,
            profiles=counts.profiles,
        )

    def profiles(self) -> Iterator[Profile]:
        """All profiles, sorted by id, each decoded as it is asked for. Redirects are none."""
        for profile_id in sorted(self._ask(self.table.profile_ids(P))):
            stored = self._ask(self.table.profile(P, profile_id))
            assert stored is not None
            profile = decode_profile(stored)
            if not profile.redirect:
                yield profile

    def ledger(self, profile_id: str) -> dict[str, OrderEntry]:
        """The ledger of one customer."""
        return {
            order_id: decode_entry(stored) for order_id, stored in self._ask(self.table.ledger(P, profile_id)).items()
        }

    def population(self) -> dict[str, int]:
        """The population counters."""
        return self._ask(self.table.population(P))

    def waiting(self, limit: int = 1_000_000) -> list[Waiting]:
        """Timers still to come, earliest first."""
        loaded = self._ask(self.table.load(P, [], [], due_before_ms=INTEGER_MAX, due_limit=limit))
        return [Waiting(profile_id, due_ms) for profile_id, due_ms in loaded.due]

    def _take(self, topic: str, batch: Sequence[tuple[bytes | None, int]]) -> None:
        offset = self._offsets[topic]
        records = [Record(at, record_ms, None, value) for at, (value, record_ms) in enumerate(batch, offset)]
        self._offsets[topic] = offset + len(records)
        self._numbers[topic] += 1
        self._tenure.take(Chunk(topic, P, 1, records), self._numbers[topic], self._offsets[topic])

    async def _work(self, progress: Callable[[Pace], None] | None = None) -> None:
        while await self._tenure.turn():
            await self._tenure.outbox.flush()
            if self._here.mail:
                mail, self._here.mail = self._here.mail, []
                self._take(FORWARDS, [(value, 0) for value in mail])
            if progress is not None:
                progress(self.pace)

    @staticmethod
    def _ask(answer: Coroutine[None, None, T]) -> T:
        """The result of a call of the table in memory, which never waits."""
        try:
            answer.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        raise AssertionError("a table in memory never waits")
