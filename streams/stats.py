"""What a partition tells about its work: once for each batch, never for each event."""

from typing import Final, Literal, Protocol

from msgspec import Struct

StopReason = Literal["fenced", "rolled_back", "refused", "unavailable", "log", "lost_state", "engine_errors", "bug"]


class BatchStats(Struct, kw_only=True):
    """One committed batch. `records` is by topic, `rejected` by reason, `triggers` by name, and so are those that `failed` and
    were left out of something; `decisions` by state and reason. Times are seconds.

    `forwarded` records were sent on to their home; `repeated_forwards` came here a second time and were dropped.
    """

    partition: int
    records: dict[str, int]
    rejected: dict[str, int]
    triggers: dict[str, int]
    failed: dict[str, int] = {}
    decisions: dict[tuple[str, str | None], int] = {}
    forwarded: int
    repeated_forwards: int
    timers_fired: int
    visitors_forgotten: int = 0
    cache_hits: int
    cache_misses: int
    cached: int
    profiles_written: int
    profiles_created: int
    take_s: float
    load_s: float
    work_s: float
    commit_s: float
    clock_ms: int
    t0_ms: int


class Stats(Protocol):
    """Who is told."""

    def batch(self, done: BatchStats) -> None:
        """A batch was committed."""

    def published(self, partition: int, rows: int, waited_ms: list[int], seconds: float) -> None:
        """Rows of the outbox were acknowledged. `waited_ms` is for triggers: from their cause or due time to now."""

    def refused(self, partition: int, reason: str, rows: int) -> None:
        """Rows of the outbox were set aside, since a broker refuses them for good."""

    def held_back(self, partition: int, why: str) -> None:
        """Rows of the outbox wait for a right, or with an empty `why` no longer do."""

    def stopped(self, partition: int, reason: StopReason, message: str) -> None:
        """The partition stopped or pauses; it goes on by itself where it can."""

    def claimed(self, partition: int) -> None:
        """The partition was claimed and reads on."""


class NoStats:
    """Tells nobody."""

    def batch(self, done: BatchStats) -> None:
        """Nothing."""

    def published(self, partition: int, rows: int, waited_ms: list[int], seconds: float) -> None:
        """Nothing."""

    def refused(self, partition: int, reason: str, rows: int) -> None:
        """Nothing."""

    def held_back(self, partition: int, why: str) -> None:
        """Nothing."""

    def stopped(self, partition: int, reason: StopReason, message: str) -> None:
        """Nothing."""

    def claimed(self, partition: int) -> None:
        """Nothing."""


NO_STATS: Final = NoStats()
