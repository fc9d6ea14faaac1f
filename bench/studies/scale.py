"""Regulars alone, larger and more uneven: processes, customers, a hot customer, only new ones."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bench.engines import ENGINES
from bench.engines.run import Round, run_engine
from bench.figures import rates
from bench.generator import Scenario
from bench.results import Result
from bench.servers import Servers
from bench.stream_file import StreamFacts, open_stream
from bench.studies import scale_section
from bench.studies.study import Case, Session

EVENTS: Final = 2_000_000
QUICK_EVENTS: Final = 30_000
ROUNDS: Final = 3


class Variant(Struct, frozen=True, kw_only=True):
    """One thing that is varied."""

    scenario: Scenario
    processes: int = 1


_UNIFORM: Final = Scenario(events=EVENTS, customers=100_000)
VARIANTS: Final[Mapping[str, Variant]] = {
    "100,000 customers": Variant(scenario=_UNIFORM),
    "100,000 customers, two processes": Variant(scenario=_UNIFORM, processes=2),
    "10,000 customers": Variant(scenario=replace(_UNIFORM, customers=10_000)),
    "1,000,000 customers": Variant(scenario=replace(_UNIFORM, customers=1_000_000)),
    "a hot customer": Variant(scenario=replace(_UNIFORM, draw="hot")),
    "only new customers": Variant(scenario=replace(_UNIFORM, draw="cold", events=EVENTS // 2, customers=EVENTS // 2)),
}
"""By their names in the report; the first is what the others are compared with."""


class Runs(Struct, kw_only=True):
    """The rounds of one variant."""

    variant: Variant
    facts: StreamFacts
    rounds: list[Round] = []


class ScaleData(Struct, kw_only=True):
    """What a result file of this study holds."""

    runs: dict[str, Runs]


class Scale:
    """The study."""

    name = "scale"

    def options(self, parser: ArgumentParser) -> None:
        """It has none of its own."""

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        ENGINES["regulars"].build()
        variants = {name: _shortened(variant) if session.quick else variant for name, variant in VARIANTS.items()}
        streams = {name: open_stream(variant.scenario, session.cache) for name, variant in variants.items()}
        runs = {name: Runs(variant=variants[name], facts=stream.facts) for name, stream in streams.items()}
        servers = Servers(session.folder)
        try:
            for number in range(1, (chosen.rounds or (1 if session.quick else ROUNDS)) + 1):
                for name, of_it in runs.items():
                    stream, processes = streams[name], of_it.variant.processes
                    found = run_engine(
                        ENGINES["regulars"], servers, stream, stream.expected(), number=number, threads=processes
                    )
                    of_it.rounds.append(found)
                    print(f"  round {number}  {name:32} {_line(found)}", flush=True)
        finally:
            servers.stop()
        yield Case(name="quick" if session.quick else "regulars", data=ScaleData(runs=runs))

    def section(self, results: list[Result]) -> str:
        return scale_section.section([msgspec.convert(result.data, ScaleData) for result in results])


def _shortened(variant: Variant) -> Variant:
    """The same with fewer events and customers by one factor."""
    scenario = variant.scenario
    factor = EVENTS // QUICK_EVENTS
    shorter = replace(scenario, events=scenario.events // factor, customers=scenario.customers // factor)
    return replace(variant, scenario=shorter)


def _line(found: Round) -> str:
    if found.problem is not None:
        return f"WRONG: {found.problem}"
    try:
        told = rates(found.marks, found.records)
    except ValueError as error:
        return f"right, {error}"
    return f"{told.per_s:9,.0f} events/s, CPU s per million: {told.engine_cpu:.1f}, Redis {told.redis_cpu:.1f}"


STUDY: Final = Scale()
