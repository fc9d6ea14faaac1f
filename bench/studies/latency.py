"""How long it takes from an event to the profile that shows it, and from an order to the record it causes, under live load.

Each engine is first driven beyond what it can do, at a constant rate; what it does then is its saturation. Then come loads at
shares of that, each begun caught up. Open loop: a latency counts from when its event was due (bench/schedule.py).
"""

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from bench.generator import Scenario
from bench.latencies import Latencies, gathered
from bench.live import LiveRun, now_ms, speed
from bench.processes import EngineStopped, without_place
from bench.results import Result
from bench.schedule import HISTORY_MS, backlog, live_load
from bench.servers import Servers
from bench.studies import latency_section
from bench.studies.latency_section import quantiles
from bench.studies.latency_sides import SIDES, Side
from bench.studies.study import Case, Session

SHARES: Final = (0.1, 0.5, 0.9)
OUTPUTS_SETTLE_S: Final = 1.0


class Lengths(Struct, frozen=True, kw_only=True):
    """How much of everything. `settle_s` of each load are left out of its latencies."""

    backlog: int
    saturate_s: float
    level_s: float
    settle_s: float
    rounds: int


OFFICIAL: Final = Lengths(backlog=1_000_000, saturate_s=10.0, level_s=40.0, settle_s=5.0, rounds=3)
QUICK: Final = Lengths(backlog=20_000, saturate_s=2.0, level_s=2.0, settle_s=0.5, rounds=1)
SCENARIO: Final = Scenario(events=0, customers=200_000)
QUICK_SCENARIO: Final = Scenario(events=0, customers=30_000)


class Level(Struct, kw_only=True):
    """One load. CPU is in cores, of engine, broker and Redis. `acknowledged`: from due to the broker's acknowledgement.

    `orders` were due after the first seconds, of which `outputs` holds those that led to a record. `witnesses` are profiles read
    right after an offset had passed an event of theirs; `blind` those that did not show it.
    """

    share: float
    per_s: float
    behind_s: float
    profiles: Latencies
    outputs: Latencies
    orders: int
    acknowledged: Latencies
    cpu: tuple[float, float, float]
    witnesses: int = 0
    blind: int = 0


class LatencyRound(Struct, kw_only=True):
    """One engine once."""

    engine: str
    number: int
    backlog_per_s: float = 0.0
    saturation_per_s: float = 0.0
    levels: list[Level] = []
    problem: str | None = None


class LatencyData(Struct, kw_only=True):
    """What a result file of this study holds."""

    scenario: Scenario
    lengths: Lengths
    rounds: list[LatencyRound]
    versions: dict[str, dict[str, str]]


class Latency:
    """The study."""

    name = "latency"

    def options(self, parser: ArgumentParser) -> None:
        """It has none of its own."""

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        lengths = QUICK if session.quick else OFFICIAL
        scenario = QUICK_SCENARIO if session.quick else SCENARIO
        sides = [side() for name, side in SIDES.items() if name in chosen.engines]
        for side in sides:
            side.engine.build()
        rounds: list[LatencyRound] = []
        servers = Servers(session.folder)
        try:
            for number in range(1, (chosen.rounds or lengths.rounds) + 1):
                rounds += [_round(side, servers, scenario, lengths, number) for side in sides]
        finally:
            servers.stop()
        yield Case(
            name="quick" if session.quick else "live",
            data=LatencyData(
                scenario=scenario,
                lengths=lengths,
                rounds=rounds,
                versions={side.engine.name: dict(side.engine.versions()) for side in sides},
            ),
        )

    def section(self, results: list[Result]) -> str:
        return latency_section.section([msgspec.convert(result.data, LatencyData) for result in results])


def _round(side: Side, servers: Servers, scenario: Scenario, lengths: Lengths, number: int) -> LatencyRound:
    found = LatencyRound(engine=side.engine.name, number=number)
    with LiveRun(side.engine, servers, scenario, sampled=side.sampled) as run:
        try:
            run.send(backlog(lengths.backlog, HISTORY_MS, now_ms()))
            run.start()
            found.backlog_per_s = speed(run.catch_up())
            found.saturation_per_s = run.saturation(found.backlog_per_s, lengths.saturate_s).per_s
            print(
                f"  round {number}  {found.engine:14} saturated at {found.saturation_per_s:,.0f} events/s", flush=True
            )
            for share in SHARES:
                level = _level(side, run, share, found.saturation_per_s, lengths)
                found.levels.append(level)
                print(f"  round {number}  {found.engine:14} {_line(level)}", flush=True)
            found.problem = run.problem()
        except EngineStopped as error:
            found.problem = without_place(f"{error}\n{run.processes.log_tail()}", run.ground.state)
    if found.problem is not None:
        print(f"  round {number}  {found.engine:14} WRONG: {found.problem}", flush=True)
    return found


def _level(side: Side, run: LiveRun, share: float, saturation_per_s: float, lengths: Lengths) -> Level:
    per_s = share * saturation_per_s
    stretch = run.prepare(live_load(per_s, lengths.level_s, now_ms()))
    with side.profiles(run, stretch) as profiles, side.outputs(run) as outputs:
        meter = run.ground.meter(run.processes.pids)
        stretch.began_s = run.sender.begin()
        time.sleep(max(0.0, stretch.began_s + lengths.settle_s - time.monotonic()))
        begin = meter.mark(0)
        sent = run.sender.ended()
        end = meter.mark(0)
        run.catch_up()
        behind_s = time.monotonic() - stretch.began_s - lengths.level_s
        time.sleep(OUTPUTS_SETTLE_S)
    cores = [(after - before) / (end.at_s - begin.at_s) for before, after in zip(begin.cpu(), end.cpu(), strict=True)]
    return Level(
        share=share,
        per_s=per_s,
        behind_s=max(0.0, behind_s),
        profiles=gathered(side.latencies(stretch, profiles, lengths.settle_s)),
        outputs=gathered(stretch.of_orders(outputs.found, settle_s=lengths.settle_s)),
        orders=sum(due_s >= lengths.settle_s for due_s in stretch.orders.values()),
        acknowledged=sent.acknowledged,
        cpu=(cores[0], cores[1], cores[2]),
        witnesses=profiles.seen + profiles.unseen,
        blind=profiles.unseen,
    )


def _line(level: Level) -> str:
    shown = " ".join(
        f"{name} {' / '.join(quantiles([latencies]))}"
        for name, latencies in (
            ("profile", level.profiles),
            ("output", level.outputs),
            ("acknowledged", level.acknowledged),
        )
    )
    cores = ", ".join(f"{share:.2f}" for share in level.cpu)
    return (
        f"{level.share:4.0%} {level.per_s:8,.0f}/s  {shown}  cores {cores}  behind {level.behind_s:.2f} s  "
        f"{level.profiles.count:,} profiles, {level.outputs.count:,} outputs, {level.blind} of {level.witnesses} blind"
    )


STUDY: Final = Latency()
