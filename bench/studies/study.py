"""What a benchmark is to the command and to the report."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from bench.results import Result


class Session(Struct, kw_only=True):
    """One call of the command: a folder that is gone afterwards, a cache that stays, and whether it is to be quick."""

    folder: Path
    cache: Path
    quick: bool


class Case(Struct, kw_only=True):
    """What a study measured in one case, ready for its result file."""

    name: str
    data: Any


class Study(Protocol):
    """One benchmark. It shows its rounds as they end and yields each case when it is complete."""

    name: str

    def options(self, parser: ArgumentParser) -> None:
        """Add the options that only this study has."""
        ...

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        """Measure."""
        ...

    def section(self, results: list[Result]) -> str:
        """The section of docs/benchmarks.md for the newest result of each of its cases (at least one)."""
        ...
