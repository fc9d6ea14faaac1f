"""Is this worker well? Lag without progress makes it fail; a high share of rejected records, or a right to publish that lacks,
makes it degraded.

Pure bookkeeping over numbers that the worker hands in; the clock is an argument. `/health` shows the report, and the
watchdog (streams.watchdog) ends a worker that stays stalled.
"""

from collections import deque
from typing import Final, Literal

from msgspec import Struct

from streams.setting_sections import Health

SHARE_WINDOW_MS = 300_000
SHARE_RECORDS_MIN = 100
"""Below this many records in the window a share says nothing."""

Status = Literal["starting", "ok", "degraded", "failing"]


class PartitionHealth(Struct, kw_only=True):
    """What is known of one partition. `lag` is None while nobody knows how much waits: then something may. `stalled_ms` is the
    time with lag, or without knowing, and without progress.
    """

    partition: int
    state: str = ""
    lag: int | None = 0
    stalled_ms: int = 0


class RulesHealth(Struct, kw_only=True):
    """The rules in force, and what is wrong with the file where it was changed and not taken (at a line, where that is known)."""

    version: str
    digest: str
    refused: str = ""
    line: int | None = None


class Report(Struct, kw_only=True):
    """What /health answers, as JSON."""

    status: Status
    reasons: list[str] = []
    rejected_share: float = 0.0
    rules: RulesHealth | None = None
    partitions: list[PartitionHealth] = []

    @property
    def http_status(self) -> int:
        """503 where a restart or a hand is needed; a degraded worker works."""
        return 503 if self.status in {"failing", "starting"} else 200


NEEDS_HAND: Final = ("lost_state", "engine_errors")
"""How the state of a partition begins that waits for a person, or for another release. It fails /health at once: a roll-out of
workers with a wrong `redis.url` ends at the first.
"""
NO_RESTART_HELPS: Final = (*NEEDS_HAND, "refused", "unavailable")
"""The same, or that waits for a Redis that is full or away."""


class _Seen(Struct):
    place: int | None
    worked: int
    moved_ms: int
    excused_ms: int = 0
    """When it was last seen to wait for what no restart brings."""
    lag: int | None = 0
    state: str = ""


class Watch:
    """Keeps the numbers by which health is judged. Times are milliseconds of any one clock that never goes back."""

    def __init__(self, settings: Health) -> None:
        self._settings = settings
        self._partitions: dict[int, _Seen] = {}
        self._samples: deque[tuple[int, int, int]] = deque()
        self._ready = False
        self._rules: RulesHealth | None = None
        self._held_back: dict[int, str] = {}

    def ready(self) -> None:
        """The worker has joined its group; until then it is starting."""
        self._ready = True

    def observe(
        self, partition: int, *, lag: int | None, progress: int | None, worked: int = 0, state: str, now_ms: int
    ) -> None:
        """How a partition stands: records not committed (None: nobody knows), a number that changes with every record committed,
        and how far the batch at hand is. While many partitions catch up in turns, a batch takes long, and so it is progress to
        come further in it; to come as far in it again, after another claim, is none.

        The number is None while it is not known: a partition that is claimed again and again has made no progress by that.
        """
        seen = self._partitions.get(partition)
        if seen is None:
            seen = self._partitions[partition] = _Seen(progress, worked, now_ms)
        elif lag == 0 or (progress is not None and (seen.place != progress or worked > seen.worked)):
            seen.place, seen.worked, seen.moved_ms = progress, worked, now_ms
        if state.startswith(NO_RESTART_HELPS):
            seen.excused_ms = now_ms
        seen.lag, seen.state = lag, state

    def forget(self, partition: int) -> None:
        """The partition is not this worker's any more."""
        self._partitions.pop(partition, None)
        self.held_back(partition, "")

    def held_back(self, partition: int, why: str) -> None:
        """What a partition publishes waits for a person, and for what; "" once it goes out."""
        if why:
            self._held_back[partition] = why
        else:
            self._held_back.pop(partition, None)

    def ruled(self, rules: RulesHealth) -> None:
        """By which rules it works, and what is wrong with the file where it was not taken."""
        self._rules = rules

    def count(self, records: int, rejected: int, now_ms: int) -> None:
        """Running totals of processed and rejected records."""
        self._samples.append((now_ms, records, rejected))
        while self._samples and self._samples[0][0] < now_ms - SHARE_WINDOW_MS:
            self._samples.popleft()

    def rejected_share(self) -> float:
        """Share of records set aside within the window, 0 while there were too few to say."""
        if len(self._samples) < 2:
            return 0.0
        (_, records_before, rejected_before), (_, records, rejected) = self._samples[0], self._samples[-1]
        total = records - records_before
        return (rejected - rejected_before) / total if total >= SHARE_RECORDS_MIN else 0.0

    def stuck(self, now_ms: int) -> PartitionHealth | None:
        """The partition that has had lag and made no progress for longest, for a reason that a restart could heal; None where
        there is none. `stalled_ms` counts from when it last waited for what no restart brings: that fails /health, but ends no
        worker, not even in the moment in which it is there again.
        """
        found = (
            PartitionHealth(
                partition=partition,
                state=seen.state,
                lag=seen.lag,
                stalled_ms=now_ms - max(seen.moved_ms, seen.excused_ms),
            )
            for partition, seen in self._partitions.items()
            if seen.lag != 0
        )
        return max(found, key=lambda one: one.stalled_ms, default=None)

    def still_ms(self, partition: int, now_ms: int) -> int:
        """For how long a partition has made no progress, as far as was seen."""
        seen = self._partitions.get(partition)
        return 0 if seen is None else now_ms - seen.moved_ms

    @property
    def partitions_held_back(self) -> int:
        """Of how many partitions something waits for a right."""
        return len(self._held_back)

    def stalled_ms(self, now_ms: int) -> int:
        """The longest that a partition has had lag, or has not known it, and made no progress."""
        return max((now_ms - seen.moved_ms for seen in self._partitions.values() if seen.lag != 0), default=0)

    def report(self, now_ms: int) -> Report:
        """The state of the worker."""
        partitions = [
            PartitionHealth(
                partition=partition,
                state=seen.state,
                lag=seen.lag,
                stalled_ms=now_ms - seen.moved_ms if seen.lag != 0 else 0,
            )
            for partition, seen in sorted(self._partitions.items())
        ]
        reasons = [
            f"partition {found.partition} has {_lag_of(found)} and no progress for {found.stalled_ms} ms"
            + (f" ({found.state})" if found.state else "")
            for found in partitions
            if found.stalled_ms >= self._settings.stall_ms or found.state.startswith(NEEDS_HAND)
        ]
        share = self.rejected_share()
        status: Status = "ok" if self._ready else "starting"
        if reasons:
            status = "failing"
        elif share > self._settings.rejected_share:
            status = "degraded" if self._ready else status
            reasons.append(f"{share:.1%} of the records of the last minutes were set aside; see the rejected topic")
        for why in sorted(set(self._held_back.values())):
            status = "degraded" if status == "ok" else status
            numbers = ", ".join(str(number) for number, one in sorted(self._held_back.items()) if one == why)
            reasons.append(f"partition {numbers}: what is to be published waits: {why}")
        if self._rules is not None and self._rules.refused:
            status = "degraded" if status == "ok" else status
            reasons.append(f"{self._rules.refused}; the rules before it, {self._rules.version!r}, stay in force")
        return Report(
            status=status,
            reasons=reasons,
            rejected_share=round(share, 4),
            rules=self._rules,
            partitions=partitions,
        )


def _lag_of(partition: PartitionHealth) -> str:
    return "a lag that nobody knows" if partition.lag is None else f"{partition.lag} records of lag"
