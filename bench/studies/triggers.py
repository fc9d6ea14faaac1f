"""What all built-in triggers cost against the job's one (bench/trigger_cost.py), side by side in fresh processes."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from bench.figures import spread
from bench.results import Result
from bench.studies.study import Case, Session
from bench.tables import table
from bench.trigger_cost import BUDGET, COMPILED, CUSTOMERS, EVENTS, compare
from profiles.triggers import BUILT_IN

ROUNDS: Final = 7


class TriggersData(Struct, kw_only=True):
    """What a result file of this study holds: processor seconds of each round for all events, on both sides."""

    events: int
    customers: int
    triggers: int
    job: list[float]
    everything: list[float]
    compiled: bool = False


def _measured(rounds: int, events: int, *, compiled: bool) -> TriggersData:
    job, everything = compare(rounds, events, compiled=compiled)
    for number, (one, all_of_them) in enumerate(zip(job, everything, strict=True), 1):
        print(f"  round {number}  job {one:.2f} s   all {all_of_them:.2f} s   {all_of_them / one:.2f}", flush=True)
    return TriggersData(
        events=events,
        customers=CUSTOMERS,
        triggers=len(BUILT_IN),
        job=job,
        everything=everything,
        compiled=compiled,
    )


class Triggers:
    """The study."""

    name = "triggers"

    def options(self, parser: ArgumentParser) -> None:
        """It has none of its own; `python -m bench.trigger_cost` has."""

    def run(self, session: Session, chosen: Namespace) -> Iterator[Case]:
        events = EVENTS // 4 if session.quick else EVENTS
        rounds = chosen.rounds or (1 if session.quick else ROUNDS)
        case = "quick" if session.quick else "all-built-in"
        yield Case(name=case, data=_measured(rounds, events, compiled=False))
        if COMPILED.exists():
            yield Case(name=f"{case}-compiled", data=_measured(rounds, events, compiled=True))
        else:
            print("  the compiled worker is left out: `make compiled` builds it", flush=True)

    def section(self, results: list[Result]) -> str:
        parts = ["## What the triggers cost\n"]
        for result in results:
            data = msgspec.convert(result.data, TriggersData)
            form = "compiled" if data.compiled else "interpreted"
            rows = [
                [title, spread([seconds / data.events * 1e6 for seconds in side]).show("{:.1f}".format)]
                for title, side in (("cart.abandoned alone", data.job), (f"all {data.triggers}", data.everything))
            ]
            ratios = [all_of_them / one for one, all_of_them in zip(data.job, data.everything, strict=True)]
            parts.append(
                "The way of a record without servers (merge, decode, load, step, encode, commit, publish, in memory), "
                f"{form}; {data.events:,} events of {data.customers:,} customers, {len(ratios)} rounds in turn; median, "
                "least and most.\n\n"
                + table(["triggers that are on", "CPU us an event"], rows)
                + f"\nRatio, round by round: {spread(ratios).show('{:.2f}'.format)}; the budget is {BUDGET}.\n"
            )
        return "\n".join(parts)


STUDY: Final = Triggers()
