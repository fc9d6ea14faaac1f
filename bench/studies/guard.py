"""Instructions for an event, counted: does not depend on what else the machine does. `make bench-check` compares them."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final

import msgspec

from bench.guard.counting import PARTS, REFERENCE, Counts, NoValgrind, count_instructions
from bench.guard.thresholds import judge, read_thresholds, write_thresholds
from bench.results import Result
from bench.studies.study import Case, Session
from bench.tables import table


class Guard:
    """The study."""

    name = "guard"

    def options(self, parser: ArgumentParser) -> None:
        """It has none of its own."""

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        try:
            counts = count_instructions()
        except NoValgrind as missing:
            print(missing, flush=True)
            return
        for verdict in judge(counts, read_thresholds()):
            print(f"  {verdict.line()}", flush=True)
        yield Case(name="quick" if session.quick else "instructions", data=counts)

    def section(self, results: list[Result]) -> str:
        parts = ["## Instructions for an event\n"]
        for result in results:
            counts = msgspec.convert(result.data, Counts)
            ratios = counts.ratios()
            rows = [
                [part.title, f"{counts.instructions[name]:,.0f}", "1" if name == REFERENCE else f"{ratios[name]:.2f}"]
                for name, part in PARTS.items()
            ]
            parts.append(
                "Counted by cachegrind, the interpreter's own included, garbage collector off: the same number on any machine "
                f"with the same build of Python (here {counts.python}). *Core* is decoding an event and applying it; the loop is "
                "the whole way of a record on a table in memory, in batches of 500. `make bench-check` fails when one of them "
                "grows.\n\n" + table(["", "instructions", "in iterations of the reference loop"], rows)
            )
        return "\n".join(parts)


def check(*, accept: bool) -> int:
    """Count, compare and tell; gives the exit code: 0 where nothing is dearer than it may be, 1 where something is, 2 where
    nothing could be counted. `accept` takes the counts as the new thresholds.
    """
    try:
        counts = count_instructions()
    except NoValgrind as missing:
        print(missing)
        return 2
    thresholds = read_thresholds()
    verdicts = judge(counts, thresholds)
    for verdict in verdicts:
        print(verdict.line())
    if accept:
        write_thresholds(counts)
        print(
            "These are the thresholds from now on; commit bench/guard/thresholds.toml with the change that made them."
        )
        return 0
    dearer = [verdict for verdict in verdicts if verdict.is_dearer]
    if thresholds.python != counts.python:
        taken = thresholds.python or "?"
        print(f"(The thresholds are of Python {taken}, this is {counts.python}: that may be some percent.)")
    if not dearer:
        print(f"Nothing costs more than {thresholds.tolerance:.0%} above its threshold.")
        return 0
    worst = max(dearer, key=lambda verdict: verdict.change)
    print(
        f"{len(dearer)} of {len(verdicts)} cost more than they may, most of all '{PARTS[worst.name].title}' "
        f"({worst.change:+.1%}). If that is meant: make bench-check ARGS=--accept"
    )
    return 1


STUDY: Final = Guard()
