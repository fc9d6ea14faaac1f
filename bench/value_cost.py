"""What customer value costs a worker: the profile job with all of it, and with none, side by side.

    python -m bench.value_cost --rounds 7

All of it: the population's counters with every order, band and tier at every order, supplies and learned replenishment, change in
behaviour, hold-outs, and every trigger by them, with fitted models in use. None: the same job and the same engine with these
left out, which no worker can do: they are taken out of the running program here. Between both, the same without the triggers.

As in `bench.trigger_cost` the whole way of a record but for servers is measured, in processor seconds, each time in a process of
its own; rounds alternate, medians are compared. The budget is 10 us an event.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final
from unittest.mock import patch

from bench.trigger_cost import spent

BUDGET_US: Final = 10.0
HERE: Final = Path(__file__).parent.parent
EVENTS: Final = 60_000
CUSTOMERS: Final = 2_000
SIDES: Final = ("plain", "kept", "value")


def measure(side: str, events: int) -> float:
    """Processor seconds for the stream."""
    from bench.generator import Scenario, records

    values = [record.value for record in records(Scenario(events=events, customers=CUSTOMERS))]
    if side == "plain":
        return _without_value(lambda: spent(_plain(), values))
    return spent(_with_value(triggers=side == "value"), values)


def _plain() -> Any:
    """The engine of the profile job: one trigger, no models, nothing in the catalogue."""
    from profiles.book import Book
    from profiles.engine import Engine
    from profiles.triggers import CART_ABANDONED

    return Engine(Book(), (CART_ABANDONED,))


def _with_value(*, triggers: bool) -> Any:
    """The same with models, and with all triggers that go by what is foretold or learned; a tenth of customers is held out."""
    from bench.generator import _AISLES, _DEPARTMENTS
    from profiles.book import Book
    from profiles.catalogue import build_catalogue
    from profiles.engine import Engine
    from profiles.life_rules import WinbackRule
    from profiles.rules import Holdout, Rules
    from profiles.supply_rules import ReplenishmentDueRule
    from profiles.triggers import BUILT_IN, CART_ABANDONED

    rules = Rules.of(WinbackRule(holdout=0.1), ReplenishmentDueRule(holdout=0.1), holdout=Holdout(share=0.1))
    # The merchant's word for every category makes every purchase a supply: the dearest case.
    rows = [{"category": f"{one}/{other}", "supply_days": 30} for one in _DEPARTMENTS for other in _AISLES]
    families = ("churn.", "winback", "vip.", "ltv.", "replenishment.", "behaviour.", "cross.", "bundle.", "second.")
    more = tuple(trigger for trigger in BUILT_IN if triggers and trigger.name.startswith(families))
    book = Book(rules=rules, models=_models(), catalogue=build_catalogue(rows))
    return Engine(book, (CART_ABANDONED, *more))


def _models() -> Any:
    """MBG/NBD at the published parameters of CDNOW, the shop's and those of a segment of its own."""
    from profiles.models import Models, named
    from profiles.value.model import TimingFit, ValueModel
    from profiles.value.model import named as named_value
    from profiles.value.timing import Timing

    timing = Timing(r=0.525, alpha=6.183, a=0.891, b=1.614)
    fit = TimingFit(parameters=timing, customers=2_357, log_likelihood=0.0, standard_errors={}, as_of_day=19_700)
    value = ValueModel(
        currency="USD",
        first_day=19_000,
        as_of_day=19_700,
        buyers=2_357,
        repeat_buyers=946,
        timing=fit,
        segmented_by="channel",
        segments={"direct": fit},
        net_percentiles=tuple(float(1_000 * n) for n in range(1, 100)),
    )
    return named(Models(as_of_day=19_700, value=named_value(value)))


def _without_value(run: Callable[[], float]) -> float:
    """A run without anything that this is about."""
    from profiles import acquisition, exposures, origins, statistics, supply
    from profiles.engine import Engine

    def nothing(*_: Any, **__: Any) -> Any:
        return {}

    def no_supplies(*_: Any) -> Any:
        return supply.SupplyChange({})

    with (
        patch.object(statistics, "tell_order", nothing),
        patch.object(Engine, "_look", nothing),
        patch.object(origins, "follow", nothing),
        patch.object(origins, "follow_country", nothing),
        patch.object(acquisition, "restate", nothing),
        patch.object(supply, "record_purchases", no_supplies),
        patch.object(exposures, "note_order", nothing),
    ):
        return run()


def main() -> int:
    parser = argparse.ArgumentParser(description="What customer value costs an event.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured")
    parser.add_argument("--events", type=int, default=EVENTS, help="length of the stream")
    parser.add_argument("--measure", choices=SIDES, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(measure(asked.measure, asked.events))
        return 0
    found: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(asked.rounds):
        for side in SIDES:
            command = [sys.executable, "-m", "bench.value_cost", "--measure", side, "--events", str(asked.events)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE)
            found[side].append(float(done.stdout))
    plain, kept, value = (median(found[side]) / asked.events * 1e6 for side in SIDES)
    print(f"the profile job alone              {plain:6.2f} us an event")
    print(f"what is counted and foretold       {kept:6.2f} us an event, {kept / plain:.2f} times as much")
    print(f"with the triggers that go by it    {value:6.2f} us an event, {value / plain:.2f} times as much")
    print(
        f"difference {kept - plain:.2f} without these triggers, {value - plain:.2f} with them; budget {BUDGET_US:.0f}"
    )
    return 0 if value - plain <= BUDGET_US else 1


if __name__ == "__main__":
    sys.exit(main())
