"""A worker was away for an hour while events came at a steady rate, and they go on coming; when it has caught up."""

import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from bench.engines.regulars import Regulars
from bench.figures import spread
from bench.generator import Scenario
from bench.live import LiveRun, now_ms
from bench.processes import EngineStopped
from bench.schedule import backlog, live_load
from bench.servers import Servers
from bench.tables import table

SCENARIO: Final = Scenario(events=0, customers=100_000)
PER_S: Final = 1_000.0
QUICK_PER_S: Final = 15.0
BEFORE: Final = 200_000
QUICK_BEFORE: Final = 20_000
"""Events of the time before the outage, so that there are customers."""
HOUR_S: Final = 3_600
SLOWEST_PER_S: Final = 15_000.0
"""Slower than this a worker is not expected to catch up; the live load lasts accordingly."""
CAUGHT_UP_S: Final = 1.0
"""Caught up is who is at most this far behind what was due."""


class Outage(Struct, kw_only=True):
    """One start after an outage. Seconds count from the start of the process."""

    round: int
    backlog: int
    first_commit_s: float
    caught_up_s: float
    worked_off: int

    @property
    def per_s(self) -> float:
        """Events a second from the first commit to having caught up."""
        return self.worked_off / (self.caught_up_s - self.first_commit_s)


class OutageData(Struct, kw_only=True):
    """What a result file of this case holds."""

    scenario: Scenario
    per_s: float
    outages: list[Outage]
    problems: list[str] = []


def measure(servers: Servers, *, quick: bool, rounds: int, engines: Sequence[str]) -> OutageData:
    """`rounds` outages."""
    del engines  # other engines are not compared here
    data = OutageData(scenario=SCENARIO, per_s=QUICK_PER_S if quick else PER_S, outages=[])
    for number in range(1, rounds + 1):
        try:
            found, problem = _once(servers, data.per_s, QUICK_BEFORE if quick else BEFORE, number)
        except EngineStopped as error:
            data.problems.append(f"round {number}: {error}")
            continue
        data.outages.append(found)
        if problem is not None:
            data.problems.append(f"round {number}: {problem}")
        print(
            f"  round {number}  {found.backlog:,} events behind: first commit after {found.first_commit_s:.1f} s, caught up "
            f"after {found.caught_up_s:.1f} s, at {found.per_s:,.0f} events/s  {problem or ''}",
            flush=True,
        )
    return data


def _once(servers: Servers, per_s: float, before: int, number: int) -> tuple[Outage, str | None]:
    missed = round(per_s * HOUR_S)
    with LiveRun(Regulars(), servers, SCENARIO) as run:
        run.send(backlog(before, HOUR_S * 1_000, now_ms() - HOUR_S * 1_000))
        run.start()
        run.catch_up()
        run.processes.stop_all()
        run.send(backlog(missed, HOUR_S * 1_000, now_ms()))
        behind = run.sent
        stretch = run.begin(live_load(per_s, missed / SLOWEST_PER_S + 8.0, now_ms()))
        began_s = time.monotonic()
        run.start()
        start_s = time.monotonic()
        first, found = None, None
        for mark in run.marks(run.sent):
            if mark.done <= before:
                continue
            at_s = start_s + mark.at_s
            first = first or (at_s, mark.done)
            due = behind + min(stretch.load.count, max(0.0, at_s - stretch.began_s) * per_s)
            if found is None and mark.done >= due - per_s * CAUGHT_UP_S:
                found = (at_s, mark.done)
        run.sender.ended()
        if first is None or found is None or found[0] <= first[0]:
            raise EngineStopped("it had not caught up before the load ended, or with its first commit")
        outage = Outage(
            round=number,
            backlog=missed,
            first_commit_s=first[0] - began_s,
            caught_up_s=found[0] - began_s,
            worked_off=found[1] - first[1],
        )
        return outage, run.problem()


def section(raw: Any) -> str:
    """The part of the report."""
    data = msgspec.convert(raw, OutageData)
    outages = data.outages
    text = "### An hour's outage\n\n"
    if outages:
        text += (
            f"One worker, away for an hour of {data.per_s:,.0f} events/s, which go on while it catches up; "
            f"{data.scenario.customers:,} customers. Seconds count from the start of the process; caught up is less than "
            f"{CAUGHT_UP_S:g} s behind. Median (least to most).\n\n"
        ) + table(
            ["events missed", "first commit", "caught up", "events/s meanwhile", "times"],
            [
                [
                    f"{outages[0].backlog:,}",
                    spread([told.first_commit_s for told in outages]).show("{:.1f} s".format),
                    spread([told.caught_up_s for told in outages]).show("{:.1f} s".format),
                    spread([told.per_s for told in outages]).show("{:,.0f}".format),
                    str(len(outages)),
                ]
            ],
        )
    if data.problems:
        return text + "\n" + "".join(f"- {problem.splitlines()[0]}\n" for problem in data.problems)
    return text + "\nEvery customer's totals and interests were right afterwards.\n"
