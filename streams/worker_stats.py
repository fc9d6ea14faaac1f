"""What the partitions of a worker tell, turned into its metrics and into what /health goes by."""

from collections.abc import Callable
from typing import Final, get_args

from schemas.reasons import REASONS
from schemas.topics import CONSUMED
from streams.health import Watch
from streams.keeper import Keeper
from streams.metrics import Metrics
from streams.rows import OUTCOME_TOPICS
from streams.stats import BatchStats, StopReason
from streams.trigger_registry import all_triggers

SILENCE_MS: Final = 10_000
"""So long no end of a log may be heard before what waits there counts as not known. An election of leaders is shorter."""

DECISION_REASONS_MAX: Final = 200
"""So many different reasons of decisions are counted apart. The built-in triggers have some sixty."""


class WorkerStats:
    """Hears every partition of one worker. Called once for each batch, so it may take a few microseconds.

    The ends of the logs are asked for every `ends_every_ms`.
    """

    def __init__(self, metrics: Metrics, watch: Watch, ends_every_ms: int = 1000) -> None:
        self._metrics, self._watch = metrics, watch
        # To Prometheus a counter that appears with its first event has not risen.
        for reason in get_args(StopReason):
            metrics.count("regulars_stops_total", 0, reason=reason)
        for topic in CONSUMED:
            metrics.count("regulars_events_total", 0, topic=topic)
        for result in ("taken", "refused"):
            metrics.count("regulars_rules_read_total", 0, result=result)
        for name in (*(trigger.name for trigger in all_triggers()), *OUTCOME_TOPICS):
            metrics.count("regulars_triggers_total", 0, name=name)
        for trigger in all_triggers():
            metrics.count("regulars_triggers_failed_total", 0, name=trigger.name)
        for reason in REASONS:
            metrics.count("regulars_rejected_total", 0, reason=reason)
        self._silence_ms = max(SILENCE_MS, 3 * ends_every_ms)
        self._read_ms: dict[int, int] = {}
        """By partition: the wall time up to which everything is known to have been read, or since when it is ours."""
        self._records = self._rejected = 0
        self._nodes: set[str] = set()
        self._reasons: set[str] = set()
        self._cached: dict[int, int] = {}
        self._outbox: dict[int, int] = {}
        """By partition: rows that wait for Kafka, as last known."""

    def batch(self, done: BatchStats) -> None:
        """A batch was committed."""
        metrics = self._metrics
        records = 0
        for topic, count in done.records.items():
            metrics.count("regulars_events_total", count, topic=topic)
            records += count
        for reason, count in done.rejected.items():
            metrics.count("regulars_rejected_total", count, reason=reason)
            self._rejected += count
        for name, count in done.triggers.items():
            metrics.count("regulars_triggers_total", count, name=name)
        for name, count in done.failed.items():
            metrics.count("regulars_triggers_failed_total", count, name=name)
        for (state, why), count in done.decisions.items():
            metrics.count("regulars_decisions_total", count, state=state, reason=self._told(why or ""))
        self._records += records
        metrics.count("regulars_commits_total")
        metrics.count("regulars_forwarded_total", done.forwarded)
        metrics.count("regulars_timers_fired_total", done.timers_fired)
        metrics.count("regulars_visitors_forgotten_total", done.visitors_forgotten)
        metrics.count("regulars_cache_hits_total", done.cache_hits)
        metrics.count("regulars_cache_misses_total", done.cache_misses)
        metrics.count("regulars_profiles_written_total", done.profiles_written)
        metrics.observe("regulars_batch_events", records)
        for stage, seconds in (
            ("take", done.take_s),
            ("load", done.load_s),
            ("work", done.work_s),
            ("commit", done.commit_s),
        ):
            metrics.observe("regulars_stage_seconds", seconds, stage=stage)
        self._cached[done.partition] = done.cached

    def _told(self, reason: str) -> str:
        """A reason as a label. A trigger of a company's own may give as many as it likes, Prometheus can't keep them all."""
        if reason not in self._reasons:
            if len(self._reasons) >= DECISION_REASONS_MAX:
                return "other"
            self._reasons.add(reason)
        return reason

    def published(self, partition: int, rows: int, waited_ms: list[int], seconds: float) -> None:
        """Rows of the outbox were acknowledged."""
        self._metrics.observe("regulars_stage_seconds", seconds, stage="publish")
        for waited in waited_ms:
            self._metrics.observe("regulars_cause_to_trigger_seconds", waited / 1000)

    def refused(self, partition: int, reason: str, rows: int) -> None:
        """Outputs were set aside."""
        self._metrics.count("regulars_rejected_total", rows, reason=reason)

    def held_back(self, partition: int, why: str) -> None:
        """Outputs wait for a right, or no longer do."""
        self._watch.held_back(partition, why)

    def stopped(self, partition: int, reason: StopReason, message: str) -> None:
        """The partition stopped or pauses."""
        self._metrics.count("regulars_stops_total", reason=reason)
        if reason == "fenced":
            self._metrics.count("regulars_fenced_total")
        elif reason == "rolled_back":
            self._metrics.count("regulars_rollbacks_total")

    def claimed(self, partition: int) -> None:
        """The partition was claimed; nothing of an earlier claim is in memory."""
        self._cached.pop(partition, None)
        self._watch.held_back(partition, "")

    def rebalanced(self) -> None:
        """Partitions were handed out anew."""
        self._metrics.count("regulars_rebalances_total")

    def redis_memory(self, found: dict[str, tuple[int, int]]) -> None:
        """What each Redis master uses and may use, in bytes. Those that are not among them are not known any more."""
        for node in self._nodes - found.keys():
            self._metrics.hide("regulars_redis_used_bytes", node=node)
            self._metrics.hide("regulars_redis_max_bytes", node=node)
        self._nodes = set(found)
        for node, (used, most) in found.items():
            self._metrics.show("regulars_redis_used_bytes", used, node=node)
            self._metrics.show("regulars_redis_max_bytes", most, node=node)

    def look(self, keepers: dict[int, Keeper], *, now_ms: int, wall_ms: Callable[[], int], started_ms: int) -> None:
        """Look at all partitions: what only shows from outside of a batch. To be called about once a second."""
        lag_of: dict[str, int] = dict.fromkeys(CONSUMED, 0)
        unknown: set[str] = set()
        oldest_ms = wall_ms()
        waiting = dict.fromkeys(("starting", *get_args(StopReason)), 0)
        running = 0
        for number, keeper in keepers.items():
            if not keeper.held:
                self._watch.forget(number)
                self._cached.pop(number, None)
                self._outbox.pop(number, None)
                self._read_ms.pop(number, None)
                continue
            partition = keeper.partition
            state = "claiming" if partition is None else partition.state
            behind: dict[str, int] = {} if partition is None else partition.lag()
            progress, worked = None, 0
            read_ms = self._read_ms.setdefault(number, wall_ms())
            if partition is not None and (rows := partition.unpublished) is not None:
                self._outbox[number] = rows
            for topic, count in behind.items():
                lag_of[topic] += count
            lag: int | None = sum(behind.values())
            if partition is not None and partition.t0_ms:
                # A claim that is being made knows no time yet: what the last one knew still holds.
                read_ms = self._read_ms[number] = max(partition.t0_ms, started_ms)
            oldest_ms = min(oldest_ms, read_ms)
            reason = "starting" if partition is None else partition.waits_for
            if partition is not None and not reason:
                progress, worked = partition.commits, partition.worked
                silent = wall_ms() - max(partition.heard_ms, started_ms) > self._silence_ms
                if silent and (not lag or self._watch.still_ms(number, now_ms) > self._silence_ms):
                    # Where one broker of several is away, records may come without the ends being known.
                    lag, state, reason = None, "Kafka does not say where the logs end", "log"
                    behind = {}
            else:
                # Nobody knows how much waits while it does not run, beyond what was heard before.
                lag = lag or None
            if reason:
                waiting[reason] += 1
            else:
                running += 1
            self._watch.observe(number, lag=lag, progress=progress, worked=worked, state=state, now_ms=now_ms)
            unknown |= lag_of.keys() - behind.keys()
        for topic, count in lag_of.items():
            # A sum without what one of them does not know would be a comfort that nobody can give.
            if topic in unknown:
                self._metrics.hide("regulars_lag_events", topic=topic)
            else:
                self._metrics.show("regulars_lag_events", count, topic=topic)
        self._metrics.show("regulars_lag_seconds", max(0, wall_ms() - oldest_ms) / 1000)
        self._metrics.show("regulars_partitions", running)
        for reason, count in waiting.items():
            self._metrics.show("regulars_partitions_waiting", count, reason=reason)
        self._metrics.show("regulars_partitions_held_back", self._watch.partitions_held_back)
        self._metrics.show("regulars_stalled_seconds", self._watch.stalled_ms(now_ms) / 1000)
        self._metrics.show("regulars_cached_profiles", sum(self._cached.values()))
        self._metrics.show("regulars_outbox_rows", sum(self._outbox.values()))
        self._watch.count(self._records, self._rejected, now_ms)
