"""How many events share one write of a profile while Regulars works off a backlog: the coalescing factor."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final
from urllib.request import urlopen

import msgspec
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families
from typing_extensions import override

from bench.engines.engine import Ground
from bench.engines.regulars import Regulars
from bench.engines.run import run_engine
from bench.figures import spread
from bench.generator import Scenario
from bench.job import Expected, Totals
from bench.results import Result
from bench.servers import Servers
from bench.stream_file import StreamFacts, open_stream
from bench.studies.profile_ltv_section import LAWS
from bench.studies.study import Case, Session
from bench.tables import table
from streams.local.process import LOOPBACK, free_ports

EVENTS: Final = 600_000
QUICK_EVENTS: Final = 60_000
VISITS_EVENTS: Final = 20
"""Events of each customer, on average, if all came."""
ROUNDS: Final = 3
DRAWS: Final = ("uniform", "zipf")


class Writes(Struct, kw_only=True):
    """What one run counted."""

    events: int
    commits: int
    profiles: int

    @property
    def factor(self) -> float:
        """Events for each profile written."""
        return self.events / self.profiles


class OfScenario(Struct, kw_only=True):
    """The rounds of one scenario."""

    scenario: Scenario
    facts: StreamFacts
    rounds: list[Writes] = []


class CoalescingData(Struct, kw_only=True):
    """What a result file of this study holds."""

    scenarios: list[OfScenario]


class Counted(Regulars):
    """Regulars with its metrics page, which is read when all is done."""

    writes: Writes | None = None

    def __init__(self) -> None:
        self._port = free_ports(1)[0]
        super().__init__(settings={"REGULARS_HTTP_HOST": LOOPBACK, "REGULARS_HTTP_PORT": str(self._port)})

    @override
    def totals(self, ground: Ground, expected: Expected) -> dict[str, Totals]:
        with urlopen(f"http://{LOOPBACK}:{self._port}/metrics", timeout=30.0) as answer:
            self.writes = writes_of(answer.read().decode())
        return super().totals(ground, expected)


class Coalescing:
    """The study."""

    name = "coalescing"

    def options(self, parser: ArgumentParser) -> None:
        """It has none of its own."""

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        engine = Counted()
        engine.build()
        events = QUICK_EVENTS if session.quick else EVENTS
        scenarios = [Scenario(events=events, customers=events // VISITS_EVENTS, draw=draw) for draw in DRAWS]
        streams = [open_stream(scenario, session.cache) for scenario in scenarios]
        found = [OfScenario(scenario=one, facts=stream.facts) for one, stream in zip(scenarios, streams, strict=True)]
        servers = Servers(session.folder)
        try:
            for number in range(1, (chosen.rounds or (1 if session.quick else ROUNDS)) + 1):
                for one, stream in zip(found, streams, strict=True):
                    ended = run_engine(engine, servers, stream, stream.expected(), number=number, threads=1)
                    if ended.problem is not None or engine.writes is None:
                        raise RuntimeError(f"{one.scenario.draw}, round {number}: {ended.problem}")
                    one.rounds.append(engine.writes)
                    print(
                        f"  round {number}  {one.scenario.draw:8} {engine.writes.factor:.2f} events a write", flush=True
                    )
        finally:
            servers.stop()
        yield Case(name="quick" if session.quick else "regulars", data=CoalescingData(scenarios=found))

    def section(self, results: list[Result]) -> str:
        scenarios = [one for result in results for one in msgspec.convert(result.data, CoalescingData).scenarios]
        rows = [_row(one) for one in scenarios]
        return (
            "## Coalescing\n\n"
            "A profile is written once a commit, however many events of its customer the commit holds. Regulars, one process, "
            "working off a backlog of the job above in 8 partitions; by the worker's own metrics. A visit's six events or so lie "
            "close together in the log, so most of them share a write even where customers come by evenly. What comes live is "
            "taken at once and shares next to nothing.\n\n"
            + table(["customers", "seen", "events", "events a commit", "profiles a commit", "coalescing factor"], rows)
        )


def _row(one: OfScenario) -> list[str]:
    scenario, rounds = one.scenario, one.rounds
    return [
        f"{LAWS[scenario.draw]} out of {scenario.customers:,}",
        f"{one.facts.customers:,}",
        f"{one.facts.records:,}",
        spread([told.events / told.commits for told in rounds]).show("{:,.0f}".format),
        spread([told.profiles / told.commits for told in rounds]).show("{:,.0f}".format),
        spread([told.factor for told in rounds]).show("{:.2f}".format),
    ]


def writes_of(page: str) -> Writes:
    r"""The counters on a worker's metrics page. Raises KeyError where one is not there.

    >>> writes_of(
    ...     "# TYPE regulars_events counter\n"
    ...     'regulars_events_total{topic="orders"} 2.0\nregulars_events_total{topic="clickstream"} 4.0\n'
    ...     "# TYPE regulars_commits counter\nregulars_commits_total 2.0\n"
    ...     "# TYPE regulars_profiles_written counter\nregulars_profiles_written_total 3.0\n"
    ... ).factor
    2.0
    """
    sums: dict[str, int] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0) + int(sample.value)
    return Writes(
        events=sums["regulars_events_total"],
        commits=sums["regulars_commits_total"],
        profiles=sums["regulars_profiles_written_total"],
    )


STUDY: Final = Coalescing()
