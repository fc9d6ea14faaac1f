"""Raw results as JSON: one file for each benchmark and scenario, in a folder for each session.

bench/results/<label>/<study>-<case>.json. The file holds every round as it was measured; figures are worked out from it when
the report is written, so a better way to look at them needs no new measurement.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from bench.machine import Machine

RESULTS: Final = Path(__file__).parent / "results"
_NUMBERS: Final = re.compile(r"\[\s+((?:-?\d[-+.\deE]*,?\s+)+)\]")


class Result(Struct, kw_only=True):
    """One result file. `data` belongs to the study, which knows its shape; `quick` ones are not for the report."""

    study: str
    case: str
    label: str
    began: str
    command: str
    machine: Machine
    data: Any
    quick: bool = False
    schema: str = "regulars/bench/1"


def new_label() -> str:
    """A name for a session: its date and time, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d-%H%M")


def write_result(result: Result, folder: Path = RESULTS) -> Path:
    """Write a result to its file; an older one of the same label and case is replaced."""
    path = folder / result.label / f"{result.study}-{result.case}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(result), indent=1).decode()
    # Rows of figures on one line each: they are most of the file.
    path.write_text(_NUMBERS.sub(lambda row: f"[{' '.join(row[1].split())}]", text) + "\n")
    return path


def newest_results(folder: Path = RESULTS) -> list[Result]:
    """The newest result of every study and case that was not a quick one, in the order of study and case."""
    newest: dict[tuple[str, str], Result] = {}
    for result in _all(folder):
        key = (result.study, result.case)
        if not result.quick and (key not in newest or result.began > newest[key].began):
            newest[key] = result
    return [newest[key] for key in sorted(newest)]


def newest_of(study: str, folder: Path = RESULTS) -> Result | None:
    """The newest result of a study; a quick one only where there is no other. None where there is none at all."""
    found = [result for result in _all(folder) if result.study == study]
    return max(found, key=lambda result: (not result.quick, result.began), default=None)


def _all(folder: Path) -> list[Result]:
    return [msgspec.json.decode(path.read_bytes(), type=Result) for path in sorted(folder.glob("*/*.json"))]
