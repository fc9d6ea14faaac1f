"""The job profile-ltv (bench/job.py) on every engine, side by side: rounds alternate, each run starts from nothing."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bench.engines import ENGINES, Engine
from bench.engines.run import Round, run_engine
from bench.figures import rates
from bench.generator import Scenario
from bench.results import Result
from bench.servers import Servers
from bench.stream_file import Stream, StreamFacts, open_stream
from bench.studies import profile_ltv_section
from bench.studies.study import Case, Session

SCENARIOS: Final[dict[str, Scenario]] = {
    "uniform": Scenario(events=2_000_000, customers=100_000),
    "zipf": Scenario(events=2_000_000, customers=100_000, draw="zipf"),
    "few-customers": Scenario(events=2_000_000, customers=10_000),
    "many-customers": Scenario(events=3_000_000, customers=1_000_000),
    "kilobyte": Scenario(events=1_000_000, customers=100_000, event_bytes=1000),
}
"""The scenarios of the report, by case name."""
QUICK: Final[dict[str, Scenario]] = {"quick": Scenario(events=200_000, customers=10_000)}
PREFIX_EVENTS: Final = 200_000
QUICK_PREFIX_EVENTS: Final = 20_000
ROUNDS: Final = 3


class ProfileLtvData(Struct, kw_only=True):
    """What a result file of this study holds."""

    scenario: Scenario
    facts: StreamFacts
    prefix_events: int
    threads: int
    rounds: list[Round]
    versions: dict[str, dict[str, str]]


class ProfileLtv:
    """The study."""

    name = "profile-ltv"

    def options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cases", nargs="+", choices=[*SCENARIOS, *QUICK], default=None, metavar="CASE")
        parser.add_argument("--threads", type=int, default=1, help="threads, task slots or processes of each engine")
        parser.add_argument("--events", type=int, default=None, help="instead of the scenario's own")
        parser.add_argument("--customers", type=int, default=None, help="instead of the scenario's own")
        parser.add_argument("--carts", choices=["fresh", "kept"], default=None, help="see bench/generator.py")
        parser.add_argument("--prefix-events", type=int, default=None, help="for the engines that are too slow for all")

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        engines = [ENGINES[name] for name in chosen.engines]
        for engine in engines:
            engine.build()
        names = chosen.cases or list(QUICK if session.quick else SCENARIOS)
        rounds = chosen.rounds or (1 if session.quick else ROUNDS)
        prefix_events = chosen.prefix_events or (QUICK_PREFIX_EVENTS if session.quick else PREFIX_EVENTS)
        servers = Servers(session.folder)
        try:
            for name in names:
                scenario = _changed((SCENARIOS | QUICK)[name], chosen)
                case = name if scenario == (SCENARIOS | QUICK)[name] else f"{name}-changed"
                if chosen.threads > 1:
                    case += f"-{chosen.threads}-threads"
                whole = open_stream(scenario, session.cache)
                short_events = min(prefix_events, scenario.events)
                short = open_stream(replace(scenario, events=short_events), session.cache)
                yield Case(
                    name=case,
                    data=ProfileLtvData(
                        scenario=scenario,
                        facts=whole.facts,
                        prefix_events=short_events,
                        threads=chosen.threads,
                        rounds=list(_rounds(engines, servers, whole, short, rounds, chosen.threads)),
                        versions={engine.name: dict(engine.versions()) for engine in engines},
                    ),
                )
        finally:
            servers.stop()

    def section(self, results: list[Result]) -> str:
        return profile_ltv_section.section(
            [(result, msgspec.convert(result.data, ProfileLtvData)) for result in results]
        )


def _rounds(
    engines: list[Engine], servers: Servers, whole: Stream, short: Stream, rounds: int, threads: int
) -> Iterator[Round]:
    """A B C A B C ..., each shown when it has ended."""
    streams = {engine.name: short if engine.runs_prefix else whole for engine in engines}
    truths = {id(stream): stream.expected() for stream in streams.values()}
    for number in range(1, rounds + 1):
        for engine in engines:
            stream = streams[engine.name]
            found = run_engine(engine, servers, stream, truths[id(stream)], number=number, threads=threads)
            print(_line(found), flush=True)
            yield found


def _line(found: Round) -> str:
    start = f"  round {found.number}  {found.engine:14}"
    if found.problem is not None:
        return f"{start}  WRONG: {found.problem}"
    try:
        told = rates(found.marks, found.records)
    except ValueError as error:
        return f"{start}  right, {error}"
    warm = "-" if told.second_half_per_s is None else f"{told.second_half_per_s:,.0f}"
    return (
        f"{start} {told.per_s:9,.0f} events/s, second half {warm:>9};  CPU s per million: engine "
        f"{told.engine_cpu:6.1f}, Redis {told.redis_cpu:4.1f}, Kafka {told.kafka_cpu:4.1f};  first commit after "
        f"{told.start_s:4.1f} s;  {found.rss_peak_bytes / 1e6:6,.0f} MB"
    )


def _changed(scenario: Scenario, chosen: Namespace) -> Scenario:
    wanted = {"events": chosen.events, "customers": chosen.customers, "carts": chosen.carts}
    return replace(scenario, **{name: value for name, value in wanted.items() if value is not None})


STUDY: Final = ProfileLtv()
