"""One partition of this worker, for as long as Kafka says it is ours: claims, works (`Tenure`), and claims again.

After a refused commit it is claimed again only when Kafka has accepted an offset commit under this worker's present
membership (a zombie's is refused), at most once a second and with growing pauses: two workers that both believe to be the
owner can't take it from each other in turns. Nothing in memory outlives a claim.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, get_args

from profiles.profile import UnsupportedVersion
from schemas.decode import Decoder
from streams.engine_errors import EngineErrors
from streams.faults import NO_FAULTS, Faults
from streams.log import Log, LogError, Reach
from streams.logs import place_of
from streams.lost_state import LostState
from streams.outbox import Publisher
from streams.partition_limits import DEFAULT_LIMITS, PartitionLimits
from streams.record import Chunk
from streams.stats import NO_STATS, Stats, StopReason
from streams.table import Fenced, Refused, RolledBack, Table, TableError, Unavailable
from streams.tenure import Tenure
from streams.terms import Steps
from streams.turnstile import Turnstile

__all__ = ["EngineErrors", "LostState", "Partition", "PartitionLimits"]

_log = logging.getLogger(__name__)

PAUSE_S: Final = 1.0
PAUSE_MAX_S: Final = 30.0
ASIDE_S: Final = 10.0
"""Between looks at a partition that needs a person: a decision is then found by itself."""
OF_ALL: Final = frozenset({"unavailable", "refused", "log"})
"""Troubles that most often all partitions have together: Redis or Kafka is away. The log tells of them once in a while."""
GOOD_MS: Final = 30_000
"""A claim that held this long lets the pauses begin anew."""


class Partition:
    """Keeps one partition going. `wall_ms` is the wall clock in epoch ms; see `Tenure` for the rest.

    `take`, `reached` and `lost` are pushed in by delivery; they neither wait nor raise. `state` is for people.
    """

    def __init__(
        self,
        number: int,
        *,
        partitions: int,
        table: Table,
        log: Log,
        publisher: Publisher,
        engine: Steps,
        decoder: Decoder,
        shop_id: str = "shop",
        limits: PartitionLimits = DEFAULT_LIMITS,
        wall_ms: Callable[[], int] | None = None,
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
        others_t0_ms: Callable[[], int] | None = None,
        turnstile: Turnstile | None = None,
        stats: Stats = NO_STATS,
        faults: Faults = NO_FAULTS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.number = number
        self.claims = 0
        self._log, self._stats, self._mono_ms, self._sleep = log, stats, mono_ms, sleep
        self._engine = engine
        self._stopping = asyncio.Event()
        self._trouble = ""
        self._told = ""
        self._engine = engine
        # Without a way back to this object, which would keep it, and all profiles in its memory, alive after its last use:
        # what is in a circle is never looked for (streams.worker).
        self._make = partial(
            Tenure,
            number,
            partitions=partitions,
            table=table,
            log=log,
            publisher=publisher,
            decoder=decoder,
            shop_id=shop_id,
            limits=limits,
            wall_ms=wall_ms,
            mono_ms=mono_ms,
            others_t0_ms=others_t0_ms,
            turnstile=turnstile,
            stats=stats,
            faults=faults,
            sleep=sleep,
        )
        self._tenure = self._make(engine=engine)

    # --- pushed in by delivery ------------------------------------------------------------------------------------

    def take(self, chunk: Chunk, number: int, position: int) -> None:
        """Keep chunk `number` of its session; the next fetch starts at `position`."""
        self._tenure.take(chunk, number, position)

    def reached(self, topic: str, reach: Reach) -> None:
        """How far a topic is, and where its log ended at some wall time."""
        self._tenure.reached(topic, reach)

    def lost(self, topic: str) -> None:
        """The log no longer holds what was to be read next."""
        self._tenure.lost(topic)

    def use(self, engine: Steps) -> None:
        """Go by other rules from the next batch on, and in all later claims."""
        self._engine = engine
        self._tenure.use(engine)

    def stop(self) -> None:
        """Finish the batch at hand, publish it, then return from `run`."""
        self._stopping.set()
        self._tenure.stop()

    def drop(self) -> None:
        """The partition was revoked: forget what waits in memory, at once, and return from `run` soon."""
        self._stopping.set()
        self._tenure.drop()

    # --- what others look at --------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """What the partition is doing, in words."""
        return self._trouble or self._tenure.state

    @property
    def waits_for(self) -> str:
        """Why it does not work: a StopReason, that of the last claim while another is made, or "starting"; "" while it works."""
        return why_of(self._told or self.state)

    @property
    def commits(self) -> int:
        """The commit counter of the present claim; grows with every commit."""
        return self._tenure.commits

    @property
    def worked(self) -> int:
        """How far the batch is that the next commit ends."""
        return self._tenure.worked

    @property
    def t0_ms(self) -> int:
        """The newest wall time up to which everything is known to have been read."""
        return self._tenure.clock.t0_ms

    @property
    def heard_ms(self) -> int:
        """The wall time at which Kafka was last asked where the logs end, and answered; 0 before that under the present claim."""
        return self._tenure.heard_ms

    @property
    def clock_ms(self) -> int:
        """The partition's clock."""
        return self._tenure.clock.now_ms

    @property
    def unpublished(self) -> int | None:
        """Rows committed and not known to be in Kafka; None while the partition is claimed: nobody has read them yet."""
        tenure = self._tenure
        return None if tenure.state in {"new", "claiming"} else tenure.outbox.waiting

    def lag(self) -> dict[str, int]:
        """Records known to be in the log and not committed, by topic; topics of which that is not known are left out."""
        return self._tenure.lag()

    # --- claiming and working -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until stopped or cancelled. Every trouble is told, logged, and followed by another claim."""
        pause_s = PAUSE_S
        while not self._stopping.is_set():
            began_ms = self._mono_ms()
            reason = await self._hold()
            if reason is None or self._stopping.is_set():
                return
            if self._mono_ms() - began_ms >= GOOD_MS:
                pause_s = PAUSE_S
            if reason in {"lost_state", "engine_errors"}:
                await self._pause(ASIDE_S)
            else:
                await self._pause(pause_s)
                pause_s = min(pause_s * 2, PAUSE_MAX_S)
            while reason in {"fenced", "rolled_back"} and not self._stopping.is_set():
                if await self._is_ours():
                    break
                self._trouble = "fenced: not ours as far as Kafka knows"
                await self._pause(pause_s)
                pause_s = min(pause_s * 2, PAUSE_MAX_S)

    async def _hold(self) -> StopReason | None:
        """One claim, from beginning to end; why it ended, None when stopped."""
        tenure = self._tenure = self._make(engine=self._engine)
        if self._stopping.is_set():
            return None
        self._trouble = ""
        try:
            await tenure.open()
            self.claims += 1
            if self._told:
                _log.info("claimed again", extra={"facts": {"partition": self.number}, "often": True})
                self._told = ""
            await tenure.run()
            await self._close()
        except Exception as error:  # noqa: BLE001 - whatever it was, the other partitions go on, and this one begins anew
            return await self._ended(error)
        return None

    async def _ended(self, error: Exception) -> StopReason:
        reason, level = _reason(error)
        told = f"{type(error).__name__} at {place_of(error)}" if reason == "bug" else str(error)
        trouble = f"{reason}: {told}"
        facts = {"facts": {"partition": self.number, "reason": reason}, "often": reason in OF_ALL}
        if reason != "lost_state" or trouble != self._told:  # the same one every few seconds would bury all else
            _log.log(level, "%s", told, extra=facts)
        self._trouble = self._told = trouble
        self._stats.stopped(self.number, reason, told)
        await self._close()
        return reason

    async def _close(self) -> None:
        try:
            await self._log.close(self.number)
        except LogError as error:
            # Revoked, or the brokers are away: the next session makes this one's chunks worthless anyway.
            _log.info("sessions were not closed: %s", error, extra={"facts": {"partition": self.number}})

    async def _is_ours(self) -> bool:
        try:
            return await self._log.prove_ownership(self.number, self._tenure.offsets)
        except LogError:
            return False

    async def _pause(self, seconds: float) -> None:
        """Wait, but not beyond being stopped."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        try:
            await asyncio.wait([stopping, sleeping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            sleeping.cancel()


def why_of(state: str) -> str:
    """Why a partition in this state does not work: a StopReason, or "starting"; "" where it works."""
    reason = state.partition(":")[0]
    if reason == "running":
        return ""
    return reason if reason in get_args(StopReason) else "starting"


def _reason(error: Exception) -> tuple[StopReason, int]:
    """The code of what ended a claim, and the log level: warning where it heals by itself, error where a hand is needed."""
    match error:
        case Fenced():
            return "fenced", logging.WARNING
        case RolledBack():
            return "rolled_back", logging.WARNING
        case LostState():
            return "lost_state", logging.ERROR
        case EngineErrors():
            return "engine_errors", logging.ERROR
        case Refused() | UnsupportedVersion():
            return "refused", logging.WARNING
        case Unavailable() | TableError():
            return "unavailable", logging.WARNING
        case LogError():
            return "log", logging.WARNING
        case _:
            return "bug", logging.ERROR
