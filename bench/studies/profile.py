"""Where a worker's time goes: its stacks sampled at saturation and at half of it, what Redis did meanwhile, and the collector.

Sampling stops the worker for each sample. So the sampled stretch tells shares; what an event takes in all is the processor time
of that stretch.
"""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from bench import sampler
from bench.engines.regulars import ObservedRegulars
from bench.generator import Scenario
from bench.live import LiveRun, now_ms
from bench.observed_worker import Observed
from bench.processes import EngineStopped
from bench.results import Result
from bench.schedule import HISTORY_MS, backlog, live_load
from bench.servers import Servers
from bench.studies import profile_section
from bench.studies.study import Case, Session

SCENARIO: Final = Scenario(events=0, customers=200_000)
QUICK_SCENARIO: Final = Scenario(events=0, customers=30_000)
ENGINE: Final = ObservedRegulars()
WARM_SHARE: Final = 0.2
"""So much of the backlog is worked off before anything is looked at."""
HALF: Final = 0.5
LOOK_PATIENCE_S: Final = 10.0
NATIVE_KEPT: Final = 15


class Sizes(Struct, frozen=True, kw_only=True):
    """How much of everything. Each load is sampled twice for `sample_s`, and for `native_s` with frames of C code."""

    backlog: int
    sample_s: float
    native_s: float
    rate: int


OFFICIAL: Final = Sizes(backlog=2_000_000, sample_s=8.0, native_s=4.0, rate=500)
QUICK: Final = Sizes(backlog=200_000, sample_s=1.0, native_s=1.0, rate=200)


class RedisWork(Struct, kw_only=True):
    """What Redis did in a stretch: calls and microseconds by command, bytes in and out, processor seconds."""

    calls: dict[str, int]
    used_us: dict[str, int]
    bytes_in: int
    bytes_out: int
    cpu_s: float


class Stretch(Struct, kw_only=True):
    """One load while it was sampled. `samples` is by stage, of threads that ran; `ticks` is how often was sampled.

    `waiting` of `waiting_of` samples, taken whether it ran or not, found the main thread waiting in its event loop. `native` is
    the innermost C functions, by samples. Observed before and after.
    """

    name: str
    seconds: float
    events: int
    cpu_s: float
    samples: dict[str, int]
    ticks: int
    waiting: int
    waiting_of: int
    redis: RedisWork
    before: Observed
    after: Observed
    native: dict[str, int] = {}
    native_problem: str | None = None


class ProfileData(Struct, kw_only=True):
    """What a result file of this study holds."""

    scenario: Scenario
    stretches: list[Stretch]


class Profile:
    """The study."""

    name = "profile"

    def options(self, parser: ArgumentParser) -> None:
        """It has none of its own."""

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        sizes, scenario = (QUICK, QUICK_SCENARIO) if session.quick else (OFFICIAL, SCENARIO)
        servers = Servers(session.folder)
        try:
            with LiveRun(ENGINE, servers, scenario, checked=False) as run:
                run.send(backlog(sizes.backlog, HISTORY_MS, now_ms()))
                run.start()
                _until(run, round(sizes.backlog * WARM_SHARE))
                stretches = [_sampled(run, profile_section.SATURATED, sizes)]
                _print(stretches[0])
                run.catch_up()
                rest = sizes.sample_s * 2 + sizes.native_s + 5.0
                stretch = run.begin(live_load(HALF * stretches[0].events / stretches[0].seconds, rest, now_ms()))
                _until(run, sum(stretch.first) + stretch.load.count // 20)
                stretches.append(_sampled(run, profile_section.HALF, sizes))
                _print(stretches[1])
                run.sender.ended()
                run.catch_up()
        except sampler.NotAllowed as error:
            print(f"  nothing measured: {error}", flush=True)
            return
        finally:
            servers.stop()
        yield Case(
            name="quick" if session.quick else "regulars", data=ProfileData(scenario=scenario, stretches=stretches)
        )

    def section(self, results: list[Result]) -> str:
        return profile_section.section([msgspec.convert(result.data, ProfileData) for result in results])


def _until(run: LiveRun, done: int) -> None:
    for _ in run.marks(done):
        pass


def _sampled(run: LiveRun, name: str, sizes: Sizes) -> Stretch:
    (pid,) = run.processes.pids
    sheet = ENGINE.sheet(run.ground)
    before = sheet.ask(LOOK_PATIENCE_S)
    meter, redis_before, first_done = run.ground.meter([pid]), _info(run), run.done
    first = meter.mark(first_done)
    ran = sampler.record(pid, sizes.sample_s, sizes.rate)
    last, redis_after = meter.mark(run.done), _info(run)
    if last.done == first.done:
        raise EngineStopped("nothing was committed while it was sampled: sample longer")
    waiting, waiting_of = sampler.waits(sampler.record(pid, sizes.sample_s, sizes.rate, idle=True))
    after = sheet.ask(LOOK_PATIENCE_S)
    native: dict[str, int] = {}
    problem = None
    try:
        native = _innermost(sampler.record(pid, sizes.native_s, sizes.rate, native=True))
    except sampler.NotAllowed as error:
        problem = str(error)
    return Stretch(
        name=name,
        seconds=last.at_s - first.at_s,
        events=last.done - first.done,
        cpu_s=last.engine_cpu_s - first.engine_cpu_s,
        samples=dict(sampler.by_stage(ran).most_common()),
        ticks=round(max(1, round(sizes.sample_s)) * sizes.rate),
        waiting=waiting,
        waiting_of=waiting_of,
        redis=_between(redis_before, redis_after),
        before=before,
        after=after,
        native=native,
        native_problem=problem,
    )


def _innermost(samples: list[sampler.Sample]) -> dict[str, int]:
    """The C functions in which the threads were, most often first; without those that have no name, or in which one waits."""
    found: Counter[str] = Counter()
    for sample in samples:
        name = sample.frames[-1]
        if sampler.stage_of(sample) is not None and ".py" not in name and not name.startswith(("0x", "epoll_")):
            found[name] += sample.times
    return dict(found.most_common(NATIVE_KEPT))


def _info(run: LiveRun) -> dict[str, Any]:
    assert run.ground.redis is not None
    with run.ground.redis.client() as client:
        return {"commands": client.info("commandstats"), "stats": client.info("stats"), "cpu": client.info("cpu")}


def _between(before: dict[str, Any], after: dict[str, Any]) -> RedisWork:
    calls, used_us = {}, {}
    for name, told in after["commands"].items():
        earlier = before["commands"].get(name, {"calls": 0, "usec": 0})
        if told["calls"] > earlier["calls"] and name != "cmdstat_info":
            short = name.removeprefix("cmdstat_")
            calls[short], used_us[short] = told["calls"] - earlier["calls"], told["usec"] - earlier["usec"]

    def grown(part: str, *names: str) -> float:
        return float(sum(after[part][name] - before[part][name] for name in names))

    return RedisWork(
        calls=calls,
        used_us=used_us,
        bytes_in=round(grown("stats", "total_net_input_bytes")),
        bytes_out=round(grown("stats", "total_net_output_bytes")),
        cpu_s=grown("cpu", "used_cpu_user", "used_cpu_sys"),
    )


def _print(stretch: Stretch) -> None:
    for line in profile_section.lines(stretch):
        print(f"  {line}", flush=True)


STUDY: Final = Profile()
