"""What an event, a batch, a trigger and a customer cost, and whether the simulation that plans rest on agrees with a worker.

First a backlog, then more than it can take at a constant rate, then shares of that, then nothing: from their processor seconds
the costs are fitted. The simulation gets these costs, what a worker gets of a core when it wants all of it, and one number from
the lowest load, the time of a fetch; the other loads it has to foretell.
"""

import statistics
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bench.capacity.coefficients import PARTS, Coefficients, Load, fitted
from bench.engines import ENGINES
from bench.engines.engine import Engine
from bench.engines.regulars import RULES, Regulars
from bench.engines.run import run_engine
from bench.figures import Mark, rates
from bench.generator import Scenario
from bench.latencies import gathered
from bench.live import LiveRun, now_ms, speed
from bench.processes import EngineStopped
from bench.results import Result
from bench.schedule import HISTORY_MS, TICK_S, backlog, live_load
from bench.servers import Servers
from bench.stream_file import open_stream
from bench.studies import capacity_section
from bench.studies.study import Case, Session
from bench.watches import OffsetWatch

SHARES: Final = (0.1, 0.3, 0.5, 0.7)
"""Of what the worker does when more comes at a constant rate than it can take."""
LONG_TICK_S: Final = 0.025
LONG_TICKS: Final = "long ticks"
"""One load comes in fewer and larger record batches, which tells their cost."""
LONG_SHARE: Final = 0.3
FULL: Final = "backlog"
SATURATED: Final = "saturated"
IDLE: Final = "idle"
SETTLE_S: Final = 0.5
LOOK_EVERY_S: Final = 0.004


class Sizes(Struct, frozen=True, kw_only=True):
    """How much of everything."""

    backlog: int
    idle_s: float
    saturate_s: float
    level_s: float
    trigger_events: int
    rounds: int


OFFICIAL: Final = Sizes(
    backlog=1_000_000, idle_s=15.0, saturate_s=8.0, level_s=12.0, trigger_events=1_000_000, rounds=3
)
QUICK: Final = Sizes(backlog=30_000, idle_s=3.0, saturate_s=2.0, level_s=2.0, trigger_events=30_000, rounds=1)
# Customers with some history: what an event makes a worker encode and Redis store is the whole profile.
SCENARIO: Final = Scenario(events=0, customers=50_000)
QUICK_SCENARIO: Final = Scenario(events=0, customers=7_500)
TRIGGER_SCENARIO: Final = Scenario(events=0, customers=200_000)
QUICK_TRIGGER_SCENARIO: Final = Scenario(events=0, customers=30_000)
BYTES_AT: Final = "50%"
"""The load by which the bytes written to Redis are told: live, commits are small, and few events share a write."""


class TriggerCost(Struct, kw_only=True):
    """The same events with the reminder of carts and without: processor seconds of worker, Redis and broker, triggers sent."""

    triggers: int
    events: int
    cpu_with_s: float
    cpu_without_s: float

    @property
    def trigger_s(self) -> float:
        """Seconds for one trigger; not below nothing, however noisy the machine."""
        return max(0.0, (self.cpu_with_s - self.cpu_without_s) / max(1, self.triggers))


class CapacityData(Struct, kw_only=True):
    """What a result file of this study holds."""

    scenario: Scenario
    loads: list[Load]
    triggers: list[TriggerCost]
    redis_bytes_per_event: float
    log_bytes_per_event: float
    problems: list[str] = []

    def named(self, name: str) -> list[Load]:
        """The loads of a name, one for each round."""
        return [load for load in self.loads if load.name == name]

    @property
    def core(self) -> float:
        """The share of a core that a worker got when it wanted all of it."""
        return statistics.median(load.worker_use for load in self.named(SATURATED))

    def coefficients(self) -> Coefficients:
        """What follows from the loads."""
        idle, full = self.named(IDLE), self.named(FULL)
        busy = [load for load in self.loads if load.events]
        worker, redis, kafka = (
            fitted(statistics.median(load.cpu_s[part] / load.seconds for load in idle), busy, part)
            for part in range(len(PARTS))
        )
        return Coefficients(
            worker=worker,
            redis=redis,
            kafka=kafka,
            commit_max=sum(load.events for load in full) / sum(load.commits for load in full),
            trigger_s=statistics.median(told.trigger_s for told in self.triggers),
            triggers_per_event=self.triggers[0].triggers / self.triggers[0].events,
            redis_bytes_per_event=self.redis_bytes_per_event,
            log_bytes_per_event=self.log_bytes_per_event,
        )


class Capacity:
    """The study."""

    name = "capacity"

    def options(self, parser: ArgumentParser) -> None:
        """It has none of its own; prices and assumptions stand in bench/capacity/prices.toml."""

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        ENGINES["regulars"].build()
        sizes, scenario = (QUICK, QUICK_SCENARIO) if session.quick else (OFFICIAL, SCENARIO)
        rounds = chosen.rounds or sizes.rounds
        of_triggers = QUICK_TRIGGER_SCENARIO if session.quick else TRIGGER_SCENARIO
        trigger_stream = open_stream(replace(of_triggers, events=sizes.trigger_events), session.cache)
        servers = Servers(session.folder)
        try:
            data = _measure(servers, scenario, sizes, rounds)
            for number in range(1, rounds + 1):
                data.triggers.append(_trigger_cost(servers, trigger_stream, number))
        finally:
            servers.stop()
        for line in capacity_section.lines(data):
            print(f"  {line}", flush=True)
        yield Case(name="quick" if session.quick else "regulars", data=data)

    def section(self, results: list[Result]) -> str:
        return capacity_section.section([msgspec.convert(result.data, CapacityData) for result in results])


def _measure(servers: Servers, scenario: Scenario, sizes: Sizes, rounds: int) -> CapacityData:
    data = CapacityData(
        scenario=scenario,
        loads=[],
        triggers=[],
        redis_bytes_per_event=0.0,
        log_bytes_per_event=0.0,
    )
    for number in range(1, rounds + 1):
        with LiveRun(ENGINES["regulars"], servers, scenario) as run:
            _backlog(run, data, sizes.backlog)
            shown_per_s = data.loads[-1].per_s
            data.loads.append(_saturated(run, shown_per_s, sizes.saturate_s))
            saturation_per_s = data.loads[-1].per_s
            for share in SHARES:
                bytes_before, sent_before = _redis_in(run), run.sent
                data.loads.append(_level(run, f"{share:.0%}", share * saturation_per_s, sizes.level_s))
                if data.loads[-1].name == BYTES_AT:
                    data.redis_bytes_per_event = (_redis_in(run) - bytes_before) / (run.sent - sent_before)
            data.loads.append(_level(run, LONG_TICKS, LONG_SHARE * saturation_per_s, sizes.level_s, tick_s=LONG_TICK_S))
            data.loads.append(_idle(run, sizes.idle_s))
            for load in data.loads[-len(SHARES) - 4 :]:
                print(f"  round {number}  {_line(load)}", flush=True)
            problem = run.problem()
            if problem is not None:
                data.problems.append(f"round {number}: {problem}")
    return data


def _line(load: Load) -> str:
    cores = ", ".join(f"{cpu_s / load.seconds:.2f}" for cpu_s in load.cpu_s)
    return (
        f"{load.name:10} {load.per_s:8,.0f} events/s: {load.events / max(1, load.commits):7.1f} a commit, cores {cores}, "
        f"p50 {load.p50_ms:.0f} ms, p99 {load.p99_ms:.0f} ms"
    )


def _backlog(run: LiveRun, data: CapacityData, events: int) -> None:
    """Many events at once, and what they take in Kafka and on the way to Redis."""
    load = backlog(events, HISTORY_MS, now_ms())
    stretch = run.prepare(load)
    run.sender.begin()
    run.sender.ended()
    ground, servers = run.ground, run.servers
    others = servers.bytes_on_disk(ground.prefix, without=[ground.topic("clickstream")])
    data.log_bytes_per_event = (servers.bytes_on_disk(ground.prefix) - others) / events
    run.start()
    marks = run.catch_up()
    # The second half: caches and interpreter are warm by then. Commits are alike in both.
    warm = [mark for mark in marks if mark.done * 2 >= events]
    speed(warm)
    share = (warm[-1].done - warm[0].done) / events
    data.loads.append(_load(FULL, warm[0], warm[-1], stretch.record_batches * share, _commits(run) * share))


def _idle(run: LiveRun, seconds: float) -> Load:
    """Nothing comes. What watches the loads watches here, too, and so counts as being there."""
    with _watch(run):
        meter = run.ground.meter(run.processes.pids)
        first = meter.mark(0)
        time.sleep(seconds)
        return _load(IDLE, first, meter.mark(0), 0, 0)


def _saturated(run: LiveRun, shown_per_s: float, seconds: float) -> Load:
    with _watch(run):
        found = run.saturation(shown_per_s, seconds, partial(_commits, run))
    speed(found.marks)
    first, last = found.marks[0], found.marks[-1]
    record_batches = found.record_batches_per_event * (last.done - first.done)
    return _load(SATURATED, first, last, record_batches, found.counted[-1] - found.counted[0])


def _level(run: LiveRun, name: str, per_s: float, seconds: float, *, tick_s: float = TICK_S) -> Load:
    stretch = run.prepare(live_load(per_s, seconds, now_ms(), tick_s=tick_s))
    with _watch(run) as watch:
        meter = run.ground.meter(run.processes.pids)
        stretch.began_s = run.sender.begin()
        time.sleep(max(0.0, stretch.began_s + SETTLE_S - time.monotonic()))
        first, before = meter.mark(run.done), _commits(run)
        run.sender.ended()
        last, commits = meter.mark(run.done), _commits(run) - before
        run.catch_up()
    latencies = gathered(stretch.of_profiles(watch.moves, settle_s=SETTLE_S))
    share = (last.done - first.done) / stretch.load.count
    load = _load(name, first, last, stretch.record_batches * share, commits)
    return replace(load, offered_per_s=per_s, p50_ms=latencies.quantile_ms(0.5), p99_ms=latencies.quantile_ms(0.99))


def _trigger_cost(servers: Servers, stream: Any, number: int) -> TriggerCost:
    """The same backlog twice. Its event time runs through weeks, so reminders come due in it."""
    expected = stream.expected()
    without = replace(expected, triggers=[])
    spent = {}
    sides: dict[str, tuple[Engine, Any]] = {
        "with": (ENGINES["regulars"], expected),
        "without": (Regulars(RULES.replace("[cart_abandoned]", "[cart_abandoned]\nenabled = false")), without),
    }
    for side, (engine, truth) in sides.items():
        found = run_engine(engine, servers, stream, truth, number=number, threads=1)
        if found.problem is not None:
            raise EngineStopped(f"{side} triggers: {found.problem}")
        told = rates(found.marks, found.records)
        spent[side] = (told.engine_cpu + told.redis_cpu + told.kafka_cpu) * found.records / 1e6
    return TriggerCost(
        triggers=len(expected.triggers),
        events=stream.facts.records,
        cpu_with_s=spent["with"],
        cpu_without_s=spent["without"],
    )


def _load(name: str, first: Mark, last: Mark, record_batches: float, commits: float) -> Load:
    """What lies between two marks."""
    return Load(
        name=name,
        seconds=last.at_s - first.at_s,
        events=last.done - first.done,
        record_batches=round(record_batches),
        commits=round(commits),
        cpu_s=(
            last.engine_cpu_s - first.engine_cpu_s,
            last.redis_cpu_s - first.redis_cpu_s,
            last.kafka_cpu_s - first.kafka_cpu_s,
        ),
    )


def _watch(run: LiveRun) -> OffsetWatch:
    assert run.ground.redis is not None
    return OffsetWatch(run.ground.redis, run.ground.partitions, every_s=LOOK_EVERY_S)


def _commits(run: LiveRun) -> int:
    assert run.ground.redis is not None
    with run.ground.redis.client() as client:
        found = [client.hget(f"regulars:{{{number}}}:meta", "commits") for number in range(run.ground.partitions)]
    return sum(int(commits or 0) for commits in found)


def _redis_in(run: LiveRun) -> int:
    assert run.ground.redis is not None
    with run.ground.redis.client() as client:
        return int(client.info("stats")["total_net_input_bytes"])


STUDY: Final = Capacity()
