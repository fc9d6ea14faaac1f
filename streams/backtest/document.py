"""What a back-test says, as one document: the figures of a rule set, or of two beside each other with examples."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final, NamedTuple

from msgspec import Struct

from streams.backtest.course import Course, busiest_week
from streams.backtest.difference import Difference, difference
from streams.report import Summary, Tally

BANDS: Final = (0, 1, 2, 3, 5, 10, 20, 50)
"""Lower ends of the bands in which customers are counted by messages."""


class TriggerFigures(Struct, frozen=True, kw_only=True):
    """One trigger of a run. `weeks` has the count of each week of the run, in order, zeros included. `kept_back` counts by
    reason code, `failed` what it failed on and was left out of, by what was raised and where. With `credited` false no order is
    counted as its success, whatever follows it: it is of the class service.
    """

    name: str
    sent: int
    converted: int
    converted_minor: int
    kept_back: dict[str, int]
    weeks: tuple[int, ...]
    credited: bool = True
    failed: dict[str, int] = {}


class Pressure(Struct, frozen=True, kw_only=True):
    """How much customers were written to: over the whole run, and in the busiest seven days of each.

    `customers` counts all, also those who were sent nothing, or were erased since. `bands` and `busiest_bands` map the lower end
    of a band ("3" is 3 to 4) to customers. Percentiles are of messages over all customers (nearest rank).
    """

    customers: int
    messages: int
    mean: float
    median: int
    p90: int
    p99: int
    most: int
    bands: dict[str, int]
    busiest_bands: dict[str, int]


class RunFigures(Struct, frozen=True, kw_only=True):
    """What one set of rules did. `rules` is its version; `weeks` are the Mondays that `TriggerFigures.weeks` count."""

    rules: str
    weeks: tuple[str, ...]
    triggers: tuple[TriggerFigures, ...]
    pressure: Pressure


class BacktestDocument(Struct, frozen=True, kw_only=True):
    """A back-test: the run of the rules in question, and where they were set against others, the others' and the difference.

    Weeks are of `timezone`, the shop's; instants are epoch milliseconds, and times in texts UTC. `unconverted_orders` and
    `unconverted_refunds` have no exchange rate to `currency`: their amounts are in none of the figures.
    """

    events: int
    unconverted_orders: int
    unconverted_refunds: int
    currency: str
    timezone: str
    run: RunFigures
    against: RunFigures | None = None
    difference: Difference | None = None
    schema: str = "regulars/backtest/1"


class Run(NamedTuple):
    """What a run of one set of rules left: its version, the shop's currency, the triggers to which no order is credited, the
    closing figures and the course.
    """

    rules: str
    currency: str
    service: frozenset[str]
    summary: Summary
    tally: Tally
    course: Course


def backtest(run: Run, against: Run | None) -> BacktestDocument:
    """What a run comes to, set against another over the same events if there is one."""
    courses = [one.course for one in (run, against) if one is not None]
    weeks, names = all_weeks(courses), {name for course in courses for name in _names(course)}

    def of(one: Run) -> RunFigures:
        return figures(
            one.course,
            rules=one.rules,
            customers=one.summary.customers,
            weeks=weeks,
            names=names,
            service=one.service,
        )

    return BacktestDocument(
        events=run.summary.events,
        unconverted_orders=run.summary.unconverted_orders,
        unconverted_refunds=run.summary.unconverted_refunds,
        currency=run.currency,
        timezone=run.course.zone.key,
        run=of(run),
        against=None if against is None else of(against),
        difference=None if against is None else difference(run.course, against.course),
    )


def called(document: BacktestDocument) -> tuple[str, str]:
    """What the rules in question and those they are set against are called where both are shown: by their versions, and by
    their part in it where these are the same.
    """
    these = document.run.rules
    if document.against is None:
        return these, ""
    others = document.against.rules
    return (f"{these} (these)", f"{others} (the others)") if these == others else (these, others)


def figures(
    course: Course,
    *,
    rules: str,
    customers: int,
    weeks: tuple[str, ...],
    names: Iterable[str] = (),
    service: frozenset[str] = frozenset(),
) -> RunFigures:
    """The figures of a course. `customers` is how many there are at its end, `weeks` what `all_weeks` gives, `names` triggers
    that are shown even if nothing came of them here, `service` those to which no order is credited.
    """
    kept_back = course.kept_back()
    return RunFigures(
        rules=rules,
        weeks=weeks,
        triggers=tuple(
            TriggerFigures(
                name=name,
                sent=course.sent[name].total() if name in course.sent else 0,
                converted=course.converted[name],
                converted_minor=course.converted_minor[name],
                kept_back=dict(kept_back.get(name, Counter()).most_common()),
                weeks=tuple(course.sent[name][week] if name in course.sent else 0 for week in weeks),
                credited=name not in service,
                failed=dict(course.failed.get(name, Counter()).most_common()),
            )
            for name in sorted({*names, *_names(course)})
        ),
        pressure=_pressure(course, customers + sum(course.erased.values())),
    )


def _names(course: Course) -> set[str]:
    return {*course.sent, *(name for name, _ in course.held.values()), *course.converted, *course.failed}


def all_weeks(courses: Iterable[Course]) -> tuple[str, ...]:
    """Every week from the first to the last in which something was sent, those without included."""
    found = sorted({week for course in courses for counts in course.sent.values() for week in counts})
    if not found:
        return ()
    first, last = date.fromisoformat(found[0]), date.fromisoformat(found[-1])
    return tuple((first + timedelta(weeks=n)).isoformat() for n in range((last - first).days // 7 + 1))


def _pressure(course: Course, customers: int) -> Pressure:
    counts = sorted(len(instants) for instants in course.contacts.values())
    customers = max(customers, len(counts))
    none = customers - len(counts)
    messages = sum(counts)

    def rank(share: float) -> int:
        place = max(1, -int(-share * customers // 1)) - 1  # nearest rank, from zero
        return 0 if place < none or not counts else counts[place - none]

    return Pressure(
        customers=customers,
        messages=messages,
        mean=round(messages / customers, 4) if customers else 0.0,
        median=rank(0.5),
        p90=rank(0.9),
        p99=rank(0.99),
        most=counts[-1] if counts else 0,
        bands=_bands(counts, none),
        busiest_bands=_bands([busiest_week(instants) for instants in course.contacts.values()], none),
    )


def _bands(counts: list[int], none: int) -> dict[str, int]:
    found = dict.fromkeys((str(low) for low in BANDS), 0)
    found["0"] = none
    for count in counts:
        found[str(max(low for low in BANDS if low <= count))] += 1
    return found
