"""The worker's own wiring: which partitions are held, one claim at a time, what it shows, and what tests may make it do."""

import asyncio
import os
import signal
import subprocess
import sys
from typing import Any, cast, get_args

import pytest
from faust.types import TP
from msgspec.structs import replace
from typing_extensions import override

from profiles.triggers import BUILT_IN
from schemas.reasons import REASONS
from schemas.topics import CONSUMED
from streams import worker
from streams.book_files import load_book
from streams.faults import NO_FAULTS
from streams.health import Report, Watch
from streams.kafka_log import held_partitions
from streams.keeper import Keeper
from streams.kill_points import faults_of
from streams.memory_table import MemoryTable
from streams.metrics import METRICS, Metrics
from streams.others_time import OthersTime
from streams.partition import Partition, why_of
from streams.setting_sections import Health
from streams.settings import Settings
from streams.stats import BatchStats, StopReason
from streams.table import Commit, Meta, Unavailable
from streams.worker_stats import DECISION_REASONS_MAX, WorkerStats

BATCH = BatchStats(
    partition=0,
    records={"orders": 3, "carts": 2},
    rejected={"not_json": 1},
    triggers={"welcome": 2},
    decisions={("emitted", None): 2, ("suppressed", "no_consent"): 3},
    forwarded=1,
    repeated_forwards=0,
    timers_fired=4,
    cache_hits=5,
    cache_misses=6,
    cached=7,
    profiles_written=3,
    profiles_created=1,
    take_s=0.001,
    load_s=0.002,
    work_s=0.003,
    commit_s=0.004,
    clock_ms=0,
    t0_ms=0,
)


class FakePartition:
    """Runs until it is told to stop; `patience` keeps it from ending at once."""

    def __init__(self, journal: list[str], number: int) -> None:
        self.journal, self.number = journal, number
        self.state = "running"
        self.commits = self.worked = 0
        self.t0_ms = self.heard_ms = 5000
        self.behind = {"orders": 4}
        self.unpublished: int | None = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        self.journal.append("run")
        await self._stopped.wait()
        await self.may_end.wait()
        self.journal.append("end")

    def stop(self) -> None:
        self._stopped.set()

    def drop(self) -> None:
        self.journal.append("drop")
        self._stopped.set()

    @property
    def waits_for(self) -> str:
        return why_of(self.state)

    def lag(self) -> dict[str, int]:
        return self.behind


class Bench:
    """A keeper over fake partitions, and what happened in order."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.made: list[FakePartition] = []
        self.keeper = Keeper(0, self._make)

    def _make(self, number: int) -> Partition:
        self.made.append(FakePartition(self.journal, number))
        return cast("Partition", self.made[-1])


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_partition_is_held_only_with_every_topic() -> None:
    tps = [TP("x.orders", 0), TP("x.orders", 1), TP("x.carts", 1), TP("x.carts", 2), TP("foreign", 0)]

    assert held_partitions(tps, ["x.orders", "x.carts"]) == {1}
    assert held_partitions([], ["x.orders"]) == set()


def test_a_rebalance_ends_the_old_claim_before_a_new_one_is_made() -> None:
    async def run() -> list[str]:
        bench = Bench()
        bench.keeper.hold()
        await turns()
        bench.made[0].may_end.clear()
        bench.keeper.release()
        bench.keeper.hold()
        await turns()
        assert bench.journal == ["run", "drop"]
        bench.made[0].may_end.set()
        await turns()
        bench.keeper.stop()
        await bench.keeper.ended(1)
        return bench.journal

    assert asyncio.run(run()) == ["run", "drop", "end", "run", "end"]


def test_nothing_runs_while_the_partition_is_not_held() -> None:
    async def run() -> list[str]:
        bench = Bench()
        bench.keeper.hold()
        await turns()
        bench.keeper.release()
        await bench.keeper.idle()
        await turns()
        assert bench.keeper.partition is None
        bench.keeper.stop()
        await bench.keeper.ended(1)
        return bench.journal

    assert asyncio.run(run()) == ["run", "drop", "end"]


def test_a_partition_that_will_not_end_is_cut_off() -> None:
    async def run() -> list[str]:
        bench = Bench()
        bench.keeper.hold()
        await turns()
        bench.made[0].may_end.clear()
        bench.keeper.stop()
        await bench.keeper.ended(0.01)
        return bench.journal

    assert asyncio.run(run()) == ["run"]


def test_a_batch_shows_in_the_metrics() -> None:
    metrics = Metrics()
    stats = WorkerStats(metrics, Watch(Health()))

    stats.batch(BATCH)
    stats.published(0, 4, [1500], 0.01)
    stats.refused(0, "refused_by_broker", 2)
    stats.stopped(0, "fenced", "")
    stats.stopped(0, "rolled_back", "")

    shown = {
        name: metrics.total(name)
        for name in (
            "regulars_events_total",
            "regulars_rejected_total",
            "regulars_triggers_total",
            "regulars_commits_total",
            "regulars_forwarded_total",
            "regulars_timers_fired_total",
            "regulars_cache_hits_total",
            "regulars_cache_misses_total",
            "regulars_profiles_written_total",
            "regulars_fenced_total",
            "regulars_rollbacks_total",
            "regulars_stops_total",
        )
    }
    assert list(shown.values()) == [5, 3, 2, 1, 1, 4, 5, 6, 3, 1, 1, 2]
    page = metrics.page().decode()
    assert 'regulars_stage_seconds_bucket{le="0.005",stage="commit"} 1.0' in page
    assert 'regulars_cause_to_trigger_seconds_bucket{le="2.5"} 1.0' in page
    assert 'regulars_decisions_total{reason="",state="emitted"} 2.0' in page
    assert 'regulars_decisions_total{reason="no_consent",state="suppressed"} 3.0' in page


def test_a_trigger_that_gives_a_reason_of_its_own_to_each_customer_fills_no_prometheus() -> None:
    metrics = Metrics()
    stats = WorkerStats(metrics, Watch(Health()))
    for number in range(2 * DECISION_REASONS_MAX):
        stats.batch(replace(BATCH, decisions={("cancelled", f"not for customer {number}"): 1}))

    shown = [line for line in metrics.page().decode().splitlines() if line.startswith("regulars_decisions_total{")]
    assert len(shown) == DECISION_REASONS_MAX + 1
    assert f'regulars_decisions_total{{reason="other",state="cancelled"}} {DECISION_REASONS_MAX}.0' in shown


def test_what_may_happen_for_the_first_time_is_counted_from_0() -> None:
    """To Prometheus a counter that appears with its first event has not risen."""
    metrics = Metrics()
    WorkerStats(metrics, Watch(Health()))
    page = metrics.page().decode()

    for reason in get_args(StopReason):
        assert f'regulars_stops_total{{reason="{reason}"}} 0.0' in page
    for topic in CONSUMED:
        assert f'regulars_events_total{{topic="{topic}"}} 0.0' in page
    for result in ("taken", "refused"):
        assert f'regulars_rules_read_total{{result="{result}"}} 0.0' in page
    for reason in REASONS:
        assert f'regulars_rejected_total{{reason="{reason}"}} 0.0' in page
    for name in (*(trigger.name for trigger in BUILT_IN), "cart.recovered", "trigger.converted"):
        assert f'regulars_triggers_total{{name="{name}"}} 0.0' in page


def test_of_a_redis_that_does_not_answer_no_memory_is_shown() -> None:
    metrics = Metrics()
    stats = WorkerStats(metrics, Watch(Health()))

    def shown(name: str) -> list[float | None]:
        nodes = ("a:6379", "b:6379")
        return [metrics.registry.get_sample_value(f"regulars_redis_{name}_bytes", {"node": node}) for node in nodes]

    stats.redis_memory({"a:6379": (5, 100), "b:6379": (6, 0)})
    assert (shown("used"), shown("max")) == ([5, 6], [100, 0])

    stats.redis_memory({"b:6379": (7, 0)})
    assert (shown("used"), shown("max")) == ([None, 7], [None, 0])


def test_the_reference_names_the_reasons_for_which_partitions_stop() -> None:
    (stops,) = (metric for metric in METRICS if metric.name == "regulars_stops_total")

    assert all(reason in stops.meaning for reason in get_args(StopReason))


def test_rows_that_wait_for_kafka_are_as_the_partitions_count_them_and_unknown_ones_as_they_were_last() -> None:
    async def story() -> list[float]:
        metrics = Metrics()
        stats = WorkerStats(metrics, Watch(Health()))
        bench = Bench()
        bench.keeper.hold()
        await turns()
        shown = []
        for waiting in (7, 3, None, 0, 5):
            bench.made[0].unpublished = waiting
            stats.look({0: bench.keeper}, now_ms=0, wall_ms=lambda: 0, started_ms=0)
            shown.append(metrics.value("regulars_outbox_rows"))
        bench.keeper.stop()
        await bench.keeper.ended(1)
        stats.look({0: bench.keeper}, now_ms=0, wall_ms=lambda: 0, started_ms=0)
        return [*shown, metrics.value("regulars_outbox_rows")]

    assert asyncio.run(story()) == [7, 3, 3, 0, 5, 0]


def test_what_waits_for_a_right_shows_in_health_until_it_goes_out_or_the_partition_is_claimed_anew() -> None:
    watch = Watch(Health())
    watch.ready()
    stats = WorkerStats(Metrics(), watch)
    shown = []
    for why in ("this Kafka user lacks Write on topic triggers", "", "this Kafka user lacks Write on topic triggers"):
        stats.held_back(0, why)
        shown.append(watch.report(0).status)
    stats.claimed(0)
    shown.append(watch.report(0).status)

    assert shown == ["degraded", "ok", "degraded", "ok"]


def test_lag_and_time_behind_are_looked_at_from_outside() -> None:
    async def run() -> tuple[Metrics, Watch]:
        metrics, watch = Metrics(), Watch(Health(stall_ms=60_000))
        watch.ready()
        stats = WorkerStats(metrics, watch)
        bench = Bench()
        bench.keeper.hold()
        await turns()
        for now_ms in (0, 60_000):
            stats.look({0: bench.keeper}, now_ms=now_ms, wall_ms=lambda: 8000, started_ms=0)
        bench.keeper.stop()
        await bench.keeper.ended(1)
        return metrics, watch

    metrics, watch = asyncio.run(run())

    assert metrics.value("regulars_lag_events", topic="orders") == 4
    assert metrics.value("regulars_lag_seconds") == 3
    assert metrics.value("regulars_partitions") == 1
    assert watch.report(60_000).status == "failing"


Seen = tuple[dict[str, Any], int]
"""How a partition stands, and the seconds since the look before."""


def looked_at(seen: list[Seen], stall_ms: int = 60_000) -> tuple[list[float], Report]:
    """What regulars_lag_seconds showed at each look at one partition, and what /health says after the last."""

    async def run() -> tuple[list[float], Report]:
        metrics, watch = Metrics(), Watch(Health(stall_ms=stall_ms))
        watch.ready()
        stats = WorkerStats(metrics, watch)
        bench = Bench()
        bench.keeper.hold()
        await turns()
        shown, now_ms = [], 10_000_000
        for changes, seconds in seen:
            now_ms += seconds * 1000
            for name, value in changes.items():
                setattr(bench.made[0], name, value)
            stats.look({0: bench.keeper}, now_ms=now_ms, wall_ms=lambda now=now_ms: now, started_ms=0)  # type: ignore[misc]
            shown.append(metrics.value("regulars_lag_seconds"))
        bench.keeper.stop()
        await bench.keeper.ended(1)
        return shown, watch.report(now_ms)

    return asyncio.run(run())


def test_while_a_partition_is_claimed_anew_it_is_as_far_behind_as_it_was_and_not_since_the_worker_began() -> None:
    shown, _ = looked_at(
        [
            ({"t0_ms": 9_999_000, "behind": {}}, 0),
            ({"state": "unavailable: no connection", "t0_ms": 0}, 2),
            ({"state": "claiming"}, 2),
        ]
    )

    assert shown == [1, 3, 5]


def waiting_shown(state: str) -> dict[str, float]:
    """What the gauges show of one partition in this state: the reason for which it waits, or "works"."""

    async def run() -> dict[str, float]:
        metrics, watch = Metrics(), Watch(Health())
        stats = WorkerStats(metrics, watch)
        bench = Bench()
        bench.keeper.hold()
        await turns()
        bench.made[0].state = state
        stats.look({0: bench.keeper}, now_ms=0, wall_ms=lambda: 5000, started_ms=0)
        stats.look({0: bench.keeper}, now_ms=7000, wall_ms=lambda: 5000, started_ms=0)
        bench.keeper.stop()
        await bench.keeper.ended(1)
        shown = {
            reason: metrics.value("regulars_partitions_waiting", reason=reason)
            for reason in ("starting", *get_args(StopReason))
        }
        shown |= {"works": metrics.value("regulars_partitions"), "stalled": metrics.value("regulars_stalled_seconds")}
        return {name: value for name, value in shown.items() if value}

    return asyncio.run(run())


@pytest.mark.parametrize(
    "state, reason",
    [
        ("running", "works"),
        ("claiming", "starting"),
        ("unavailable: no connection", "unavailable"),
        ("refused: Redis is full", "refused"),
        ("lost_state: records are gone", "lost_state"),
        ("fenced: not ours as far as Kafka knows", "fenced"),
    ],
)
def test_each_partition_is_counted_once_by_what_it_waits_for(state: str, reason: str) -> None:
    assert waiting_shown(state) == {reason: 1, "stalled": 7}


def test_a_partition_whose_claim_was_never_made_is_behind_since_it_is_ours() -> None:
    shown, _ = looked_at([({"state": "claiming", "t0_ms": 0, "behind": {}}, 0), ({}, 30)])

    assert shown == [0, 30]


def lag_shown(seen: list[dict[str, Any]]) -> list[float | None]:
    """What regulars_lag_events showed of orders at each look, a second apart; None where it showed nothing."""

    async def run() -> list[float | None]:
        metrics = Metrics()
        stats = WorkerStats(metrics, Watch(Health()))
        bench = Bench()
        bench.keeper.hold()
        await turns()
        shown, now_ms = [], 10_000_000
        for changes in seen:
            now_ms += 1000
            for name, value in changes.items():
                setattr(bench.made[0], name, value)
            stats.look({0: bench.keeper}, now_ms=now_ms, wall_ms=lambda now=now_ms: now, started_ms=0)  # type: ignore[misc]
            shown.append(metrics.registry.get_sample_value("regulars_lag_events", {"topic": "orders"}))
        bench.keeper.stop()
        await bench.keeper.ended(1)
        return shown

    return asyncio.run(run())


def test_while_nobody_knows_how_much_waits_no_number_is_shown_and_least_of_all_0() -> None:
    known = {"state": "running", "t0_ms": 9_999_000, "behind": dict.fromkeys(CONSUMED, 7)}
    claiming = {"state": "unavailable: no connection", "t0_ms": 0, "behind": {}}

    assert lag_shown([known, claiming, claiming, known]) == [7, None, None, 7]


def test_of_a_kafka_that_no_longer_says_where_the_logs_end_no_lag_is_shown() -> None:
    nothing = dict.fromkeys(CONSUMED, 0)

    assert lag_shown([{"heard_ms": 10_000_000, "behind": nothing}, {"heard_ms": 9_000_000}]) == [0, None]


def test_a_kafka_that_no_longer_says_where_the_logs_end_fails_health_in_time() -> None:
    heard: Seen = ({"heard_ms": 9_999_000, "behind": {}}, 0)
    silence: list[Seen] = [({}, 5)] * 5

    _, within = looked_at([heard, *silence[:2]], stall_ms=10_000)
    _, after = looked_at([heard, *silence], stall_ms=10_000)

    assert within.status == "ok"
    assert (after.status, after.reasons) == (
        "failing",
        [
            "partition 0 has a lag that nobody knows and no progress for 20000 ms (Kafka does not say where the logs end)",
        ],
    )


def test_a_partition_that_had_lag_when_kafka_went_away_says_so_too() -> None:
    """It was called "running", and a shop that is never without lag was never told that Kafka is away."""
    _, report = looked_at([({"heard_ms": 9_999_000}, 0), *[({}, 5)] * 4], stall_ms=10_000)

    assert report.reasons == [
        "partition 0 has a lag that nobody knows and no progress for 20000 ms (Kafka does not say where the logs end)"
    ]


def test_while_records_come_nobody_is_called_deaf_who_does_not_hear_where_the_logs_end() -> None:
    _, report = looked_at([({"heard_ms": 9_999_000}, 0), *[({"commits": n}, 5) for n in range(1, 5)]])

    assert [(one.state, one.lag) for one in report.partitions] == [("running", 4)]


def test_who_waits_for_its_turns_at_a_large_batch_is_well() -> None:
    turns_at_it: list[Seen] = [({"worked": worked}, 9) for worked in (250, 500, 750)]

    _, report = looked_at([({"worked": 0}, 0), *turns_at_it], stall_ms=10_000)

    assert report.status == "ok"


def test_to_be_claimed_again_and_again_is_no_progress() -> None:
    claimed: Seen = ({"state": "running", "commits": 7}, 5)
    failed: Seen = ({"state": "claiming", "commits": 0}, 5)

    _, report = looked_at([claimed, failed] * 3, stall_ms=20_000)

    assert report.status == "failing"


def test_clocks_wait_for_other_workers_until_it_is_known_how_far_they_are() -> None:
    async def run() -> tuple[int, int]:
        table = MemoryTable()
        for number, t0_ms in ((0, 700), (1, 300)):
            claim = await table.claim(number)
            await table.commit(number, Commit(token=claim.meta.token, expected=claim.meta.commits, t0_ms=t0_ms))
        others = OthersTime(table, 2)
        task = asyncio.create_task(others.keep({}))
        before = others.least_t0_ms()
        await turns()
        task.cancel()
        return before, others.least_t0_ms()

    assert asyncio.run(run()) == (0, 300)


class BrokenShard(MemoryTable):
    """One of several Redis: that of partition 1 does not answer."""

    @override
    async def meta(self, partition: int) -> Meta | None:
        if partition == 1:
            raise Unavailable("no connection")
        return await super().meta(partition)


class LogOfEnds:
    def __init__(self) -> None:
        self.asked: list[int] = []

    async def ends(self, topic: str, partition: int) -> int:
        self.asked.append(partition)
        return 0


@pytest.mark.parametrize("held, answer", [({0, 2}, True), ({0, 1, 2}, False), (set(), True)])
def test_servers_answer_where_each_does_that_holds_something_of_this_worker(held: set[int], answer: bool) -> None:
    """A worker whose partitions lie on a Redis that is away was ended since another one answered."""
    one = worker.Worker(Settings(), load_book(Settings()))
    log = LogOfEnds()
    one._table, one._publisher = cast("Any", BrokenShard()), cast("Any", log)

    async def ask() -> bool:
        for number in held:
            one.keepers[number] = keeper = Bench().keeper
            keeper._held.set()
        return await one._servers_answer()

    assert asyncio.run(ask()) == answer
    if answer:
        assert set(log.asked) == held or log.asked == [0]


class FaustThatWaits:
    """Never comes up, as without the right to the consumer group."""

    consumer = None
    crash_reason = None

    def __init__(self) -> None:
        self._crashed = asyncio.Event()
        self.stopped = False

    async def start(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self.stopped = True


class TableInRedis(MemoryTable):
    async def memory(self) -> dict[str, tuple[int, int]]:
        return {}


class NoModels:
    async def keep(self) -> None:
        await asyncio.Event().wait()


def test_a_worker_whose_consumer_never_comes_up_stops_when_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    faust = FaustThatWaits()
    monkeypatch.setattr(worker, "make_app", lambda *_, **__: faust)

    async def scenario() -> None:
        one = worker.Worker(Settings(), load_book(Settings()))
        one._table, one._models = cast("Any", TableInRedis()), cast("Any", NoModels())
        one._ended = asyncio.get_running_loop().create_future()
        working = asyncio.create_task(one._work())
        await turns()
        one._end()
        async with asyncio.timeout(10):
            await working

    asyncio.run(scenario())

    assert faust.stopped


def test_a_worker_is_killed_at_the_point_that_the_environment_names() -> None:
    code = (
        "from streams.kill_points import faults_of; import os; f = faults_of(os.environ)\n"
        "f.at('after_ack'); f.at('in_claim'); print('first'); f.at('after_ack'); print('second')"
    )
    environment = {**os.environ, "REGULARS_FAULTS": "after_ack:2", "PYTHONUNBUFFERED": "1"}

    ended: subprocess.CompletedProcess[Any] = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "first\n")


def test_without_being_asked_nothing_is_killed_and_unknown_points_are_refused() -> None:
    assert faults_of({}) is NO_FAULTS
    with pytest.raises(ValueError, match="there is no point 'lunch'"):
        faults_of({"REGULARS_FAULTS": "lunch"})
