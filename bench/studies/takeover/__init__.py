"""What it costs when a worker goes, comes or was away: hand-over of partitions, an hour's outage, a start with much state.

Each case is a module here with its measurement, its data and its part of the report.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final

from bench.engines import ENGINES
from bench.results import Result
from bench.servers import Servers
from bench.studies.study import Case, Session
from bench.studies.takeover import handover, outage, restore

ROUNDS: Final = 3
_MODULES: Final = {"handover": handover, "outage": outage, "restore": restore}
_QUICK: Final = "quick-"


class Takeover:
    """The study."""

    name = "takeover"

    def options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--takeover-cases", nargs="+", choices=list(_MODULES), default=list(_MODULES), metavar="CASE"
        )

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        for name in chosen.engines:
            if name in restore.SIDES:
                ENGINES[name].build()
        rounds = chosen.rounds or (1 if session.quick else ROUNDS)
        servers = Servers(session.folder)
        try:
            for name in chosen.takeover_cases:
                data = _MODULES[name].measure(servers, quick=session.quick, rounds=rounds, engines=chosen.engines)
                yield Case(name=f"{_QUICK if session.quick else ''}{name}", data=data)
        finally:
            servers.stop()

    def section(self, results: list[Result]) -> str:
        parts = ["## Takeover, outage, start\n"]
        parts += [_MODULES[result.case.removeprefix(_QUICK)].section(result.data) for result in results]
        return "\n".join(parts)


STUDY: Final = Takeover()
