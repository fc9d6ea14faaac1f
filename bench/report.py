"""docs/benchmarks.md, and the tables of docs/explanation/capacity.md, written from the raw results under bench/results."""

from pathlib import Path
from typing import Final

import msgspec

from bench.capacity.page import PAGE, filled
from bench.capacity.plan import read_basis
from bench.machine import Machine
from bench.results import RESULTS, Result, newest_of, newest_results
from bench.studies import STUDIES, capacity_section
from bench.studies.capacity import CapacityData
from bench.studies.memory import MemoryData
from bench.tables import table

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "benchmarks.md"

HEAD: Final = """\
# Benchmarks

Generated from the raw results under `bench/results` by `python -m bench report`; `make bench` measures anew. What is measured,
and how, stands in [bench/README.md](../bench/README.md). Figures of different machines can't be compared, nor can those of
different days on a shared one: what counts is the ratio within one table, whose rounds alternate between the engines.
"""


def write(folder: Path = RESULTS, document: Path = DOCUMENT, page: Path = PAGE) -> list[Path]:
    """Write the report, where there is something to report, and the page on capacity; gives what was written.

    Raises ValueError where there are no results at all, or some of an unknown study.
    """
    written = []
    plan = capacity_page(page.read_text(), folder)
    if plan is not None:
        page.write_text(plan)
        written.append(page)
    results = newest_results(folder)
    if results or not written:
        document.write_text(compose(results))
        written.append(document)
    return written


def capacity_page(text: str, folder: Path = RESULTS) -> str | None:
    """The page with its tables by the newest results of capacity and memory; a quick one counts where there is no other.

    None where one of the two is missing. Raises ValueError where the page has other tables.
    """
    result, weighed = newest_of("capacity", folder), newest_of("memory", folder)
    if result is None or weighed is None:
        return None
    data = msgspec.convert(result.data, CapacityData)
    customer_bytes = msgspec.convert(weighed.data, MemoryData).most
    machine = result.machine
    source = (
        f"Measured {result.began.removesuffix('+00:00')} (UTC) on {machine.cpu}, {machine.cores} cores, Python {machine.python}, "
        f"by `{result.command}`" + ("; a small run, good for the order of things only." if result.quick else ".")
    )
    return filled(text, {"source": source, **capacity_section.page_blocks(data, customer_bytes, read_basis())})


def compose(results: list[Result]) -> str:
    """The whole page."""
    unknown = {result.study for result in results} - STUDIES.keys()
    if unknown:
        raise ValueError(f"results of unknown studies: {', '.join(sorted(unknown))}; known are {', '.join(STUDIES)}")
    if not results:
        raise ValueError("there are no results to report: run `make bench` first")
    parts = [HEAD]
    for name, study in STUDIES.items():
        found = [result for result in results if result.study == name]
        if found:
            parts.append(study.section(found))
    parts.append(_sources(results))
    return "\n".join(parts)


def _sources(results: list[Result]) -> str:
    """Where the figures come from: machines, and the command of each result."""
    parts = ["## Where these figures come from\n"]
    machines: dict[Machine, list[Result]] = {}
    for result in results:
        machines.setdefault(result.machine, []).append(result)
    for machine, of_it in machines.items():
        parts.append(
            table(
                ["", "machine"],
                [
                    ["processor", f"{machine.cpu}, {machine.cores} cores"],
                    ["memory", f"{machine.memory_gb:g} GB"],
                    ["system", machine.system],
                    ["Kafka broker", f"{machine.kafka}, one, on the same machine"],
                    ["Redis", machine.redis],
                    ["Java", machine.java],
                    ["Python", machine.python],
                    ["commit", machine.commit],
                ],
                figures=False,
            )
            + "\n"
            + table(
                ["result", "began (UTC)", "command"],
                [
                    [f"{result.study}, {result.case}", result.began.removesuffix("+00:00"), f"`{result.command}`"]
                    for result in of_it
                ],
                figures=False,
            )
        )
    return "\n".join(parts)
