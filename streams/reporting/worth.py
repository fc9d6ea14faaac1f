"""What customers have been worth so far: the average over time, its distribution, and who came back.

Average lifetime value to date rises as customers grow older, also where nothing gets better. So beside it stands what each
month's new customers had brought at the same age, which is what a shop can steer by.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from msgspec import Struct

from profiles.insight.cohorts import HORIZONS
from profiles.months import month_of
from profiles.statistics import part_of
from profiles.value.buckets import amount_of
from streams.insight.cohort_report import Cohort, cohorts, repurchase_rate
from streams.reporting.missing import Missing
from streams.reporting.snapshot import Snapshot

NO_ORDERS: Final = Missing("no_orders", "no order of a customer has been counted yet")
NO_FULL_MONTH: Final = Missing("no_full_month", "no month is over yet since the first order; come back in the next one")
AGES: Final = (1, 3, 6, 12)
"""Months after which cohorts are compared: the first so many, the month of the first order included."""
CUSTOMERS_MIN: Final = 30
"""A share of fewer customers is not told: one who came back would be 100 %."""
SHARES: Final = (0.1, 0.25, 0.5, 0.75, 0.9)


class TrendPoint(Struct, frozen=True):
    """The end of a month: customers won until then, and what each has brought on average (minor units)."""

    month: int
    customers: int
    net: float
    margin: float


class Trend(Struct, frozen=True, tag=True):
    """Average lifetime value to date, month by month; and by month of first order what customers had brought at an age.

    `at_age` is net revenue per customer within the first so many months, by age and cohort; only what all lived through.
    """

    points: list[TrendPoint]
    at_age: dict[int, list[tuple[int, float]]]


class Distribution(Struct, frozen=True, tag=True):
    """Customers by net lifetime value (minor units). `bins` are (from, to, customers), ascending.

    `quantiles` stand at SHARES. `top_tenth` is the share of all revenue that the best tenth of customers brought (None where
    revenue is not above zero), `not_above_zero` the customers whose refunds ate all.
    """

    customers: int
    mean: float
    quantiles: list[float]
    top_tenth: float | None
    not_above_zero: int
    bins: list[tuple[int, int, int]]


class Repurchase(Struct, frozen=True, tag=True):
    """Share of customers who ordered again, on a later day, within so many days, of those whose first order is that old (None:
    those are too few).
    """

    within: dict[int, float | None]
    old_enough: dict[int, int]


class Tables(Struct, frozen=True, tag=True):
    """Cohorts by month of first order, oldest first."""

    cohorts: list[Cohort]


def trend(found: Snapshot) -> Trend | Missing:
    """Average lifetime value over time, to the last month that is over."""
    counters, last = part_of(found.counters, "cohort"), month_of(found.today) - 1
    net, margin = cohorts(counters, last, "net"), cohorts(counters, last, "margin")
    if not net:
        return _none_yet(counters)
    points = []
    for month in range(net[0].month, last + 1):
        alive = [(one, other) for one, other in zip(net, margin, strict=True) if one.month <= month]
        customers = sum(one.customers for one, _ in alive)
        brought, earned = (
            sum(side.customers * side.cumulative[month - side.month] for side in sides)
            for sides in zip(*alive, strict=True)
        )
        points.append(TrendPoint(month, customers, brought / customers, earned / customers))
    at_age = {age: [(one.month, one.cumulative[age - 1]) for one in net if len(one.cumulative) >= age] for age in AGES}
    return Trend(points, {age: line for age, line in at_age.items() if line})


def tables(found: Snapshot) -> Tables | Missing:
    """Cohorts with retention and revenue, by net revenue."""
    counters = part_of(found.counters, "cohort")
    table = cohorts(counters, month_of(found.today) - 1, "net")
    return Tables(table) if table else _none_yet(counters)


def repurchase(found: Snapshot) -> Repurchase | Missing:
    """Who came back, within how many days."""
    counters = part_of(found.counters, "cohort")
    if not any(name.startswith("first|") for name in counters):
        return NO_ORDERS
    old_enough = {days: _first_until(counters, found.today - days) for days in HORIZONS}
    return Repurchase(
        {
            days: repurchase_rate(counters, days, found.today) if old_enough[days] >= CUSTOMERS_MIN else None
            for days in HORIZONS
        },
        old_enough,
    )


def distribution(found: Snapshot) -> Distribution | Missing:
    """How lifetime value is spread over customers."""
    values: dict[float, int] = {}
    for name, count in part_of(found.counters, "value").items():
        kind, _, bucket = name.partition("|")
        if kind == "value" and count > 0:
            amount = amount_of(int(bucket))
            values[amount] = values.get(amount, 0) + count
    if not values:
        return NO_ORDERS
    ranked = sorted(values.items())
    customers = sum(values.values())
    total = sum(amount * count for amount, count in ranked)
    return Distribution(
        customers=customers,
        mean=total / customers,
        quantiles=weighted_quantiles(ranked, SHARES),
        top_tenth=_of_the_best(ranked, customers / 10) / total if total > 0 else None,
        not_above_zero=sum(count for amount, count in ranked if amount <= 0),
        bins=_bins(ranked),
    )


def weighted_quantiles(ranked: Sequence[tuple[float, int]], shares: Iterable[float]) -> list[float]:
    """The smallest value that at least each share of all do not exceed, from (value, count) in ascending order.

    >>> weighted_quantiles([(1.0, 1), (5.0, 3)], (0.25, 0.5))
    [1.0, 5.0]
    """
    total = sum(count for _, count in ranked)
    found = []
    for share in shares:
        below = 0
        for value, count in ranked:
            below += count
            if below >= share * total - 1e-9:
                found.append(value)
                break
    return found


def _of_the_best(ranked: Sequence[tuple[float, int]], customers: float) -> float:
    """What so many of the best customers brought together."""
    left, sum_ = customers, 0.0
    for amount, count in reversed(ranked):
        taken = min(left, count)
        sum_ += taken * amount
        left -= taken
        if left <= 0:
            break
    return sum_


def _bins(ranked: Sequence[tuple[float, int]]) -> list[tuple[int, int, int]]:
    """Counts between round bounds, six to a power of ten; what is not above zero is not among them."""
    bounds = [round(step * 10**power) for power in range(16) for step in (1, 1.5, 2, 3, 5, 7)]
    bounds = sorted(set(bounds))
    positive = [(amount, count) for amount, count in ranked if amount > 0]
    if not positive:
        return []
    found = []
    for low, high in pairwise(bounds):
        found.append((low, high, sum(count for amount, count in positive if low <= amount < high)))
    while found and not found[0][2]:
        del found[0]
    while found and not found[-1][2]:
        del found[-1]
    return found


def _none_yet(counters: Mapping[str, int]) -> Missing:
    """Why there is no cohort to show."""
    return NO_FULL_MONTH if any(name.startswith("size|") for name in counters) else NO_ORDERS


def _first_until(counters: Mapping[str, int], day: int) -> int:
    return sum(
        count for name, count in counters.items() if name.startswith("first|") and int(name.partition("|")[2]) <= day
    )
