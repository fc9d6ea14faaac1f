"""What customers of each channel cost and brought: acquisition cost, lifetime value against it, and when it was paid back; for
each month's new customers by themselves, and for all of a channel together.

For the latter cohorts are put together: the margin of a month of age is the mean over the customers who are that old, and value
at an age the sum of the months up to it. So young cohorts count as far as they go, and a curve does not jump where one ends.
Ages that fewer than CUSTOMERS_MIN have reached are left out. Value is margin before marketing (the second contribution margin),
cost that of the customers won from the first month with spend to the last, so that 1.0 means paid back: who came before anybody
noted what was spent would make the others look cheap.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from profiles.acquisition import label
from profiles.months import month_of
from profiles.state import Touch
from profiles.statistics import part_of
from streams.insight.cohort_report import Cohort, acquisition, cohorts, payback_month
from streams.reporting.missing import Missing
from streams.reporting.snapshot import Snapshot, month_name
from streams.reporting.worth import NO_FULL_MONTH, NO_ORDERS

AGES: Final = (1, 3, 6, 12)
"""Months after which value is held against cost, the month of the first order included."""
CUSTOMERS_MIN: Final = 30
NO_SPEND: Final = "no_spend"
NO_CUSTOMERS: Final = "no_customers"


class ChannelFigures(Struct, frozen=True):
    """One channel. Amounts are minor units; `spend` of the months that are over, `cost` per new customer of the months it is of.

    `value` is margin per customer within the first so many months, `ratio` that over the cost; both only at ages that enough
    customers have reached. `payback` is the month (1 is the first) by whose end the average customer has
    brought her cost. `curve` is cumulative margin per customer by month. `reason` says why there is no ratio: no spend is known
    ("no_spend"), or it brought nobody ("no_customers").
    """

    channel: str
    customers: int
    spend: int | None
    cost: float | None
    value: dict[int, float]
    ratio: dict[int, float]
    payback: int | None
    curve: list[float]
    reason: str | None = None


class CohortFigures(Struct, frozen=True):
    """The customers whom a channel won in one month, against what it cost in that month; fields as in ChannelFigures.

    `ratio` is at the ages that the whole month has reached. Young and small months are shown as they are: look at `customers`.
    """

    channel: str
    month: str
    customers: int
    cost: float | None
    ratio: dict[int, float]
    payback: int | None
    reason: str | None = None


class Channels(Struct, frozen=True, tag=True):
    """All channels, those with the most new customers first; and the months of those on which something was spent."""

    channels: list[ChannelFigures]
    cohorts: list[CohortFigures] = []


def channels(found: Snapshot, spend: Mapping[tuple[str, int], int]) -> Channels | Missing:
    """Figures by channel; `spend` is minor units by (channel, month), empty where none is known."""
    counters, last = part_of(found.counters, "cohort"), month_of(found.today) - 1
    names = {name.split("|")[1] for name in counters if name.startswith("size|")}
    if not names:
        return NO_ORDERS
    if not cohorts(counters, last):
        return NO_FULL_MONTH
    spend = _as_counted(spend)
    figures = [_figures(counters, name, spend, last) for name in sorted(names | {channel for channel, _ in spend})]
    return Channels(sorted(figures, key=lambda one: (-one.customers, one.channel)), _by_cohort(counters, spend, last))


def _as_counted(spend: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """Spend under the names by which customers are counted: these are cut, and hold no bars and colons."""
    counted: dict[tuple[str, int], int] = {}
    for (channel, month), amount in spend.items():
        place = (label(Touch(0, source=channel)), month)
        counted[place] = counted.get(place, 0) + amount
    return counted


def _by_cohort(counters: Mapping[str, int], spend: dict[tuple[str, int], int], last: int) -> list[CohortFigures]:
    """Months of channels on which something was ever spent, oldest first."""
    paid = {channel for channel, _ in spend}
    by_age = [acquisition(counters, spend, last, age - 1) for age in AGES]
    return [
        CohortFigures(
            channel=one.channel,
            month=month_name(one.month),
            customers=one.customers,
            cost=one.cost,
            ratio={age: of.ratio for age, of in zip(AGES, of_ages, strict=True) if of.ratio is not None},
            payback=None if one.payback_month is None else one.payback_month + 1,
            reason=NO_CUSTOMERS if not one.customers else NO_SPEND if one.cost is None else None,
        )
        for of_ages in zip(*by_age, strict=True)
        if (one := of_ages[0]).channel in paid
    ]


def _figures(
    counters: Mapping[str, int], channel: str, spend: Mapping[tuple[str, int], int], last: int
) -> ChannelFigures:
    table = cohorts(counters, last, "margin", channel)
    spent = {month: amount for (name, month), amount in spend.items() if name == channel and month <= last}
    customers = sum(cohort.customers for cohort in table)
    total = sum(spent.values()) if spent else None
    won = sum(cohort.customers for cohort in table if spent and min(spent) <= cohort.month <= max(spent))
    cost = total / won if total is not None and won else None
    curve = _curve(table)
    value = {age: curve[age - 1] for age in AGES if age <= len(curve)}
    ratio = {age: brought / cost for age, brought in value.items()} if cost else {}
    paid = None if cost is None else payback_month(curve, cost)
    return ChannelFigures(
        channel=channel,
        customers=customers,
        spend=total,
        cost=cost,
        value=value,
        ratio=ratio,
        payback=None if paid is None else paid + 1,
        curve=curve,
        reason=None if cost is not None else NO_SPEND if total is None and customers else NO_CUSTOMERS,
    )


def _curve(table: Sequence[Cohort]) -> list[float]:
    """Cumulative margin per customer by months of age, from the mean of each month of age over those who reached it."""
    curve: list[float] = []
    brought = 0.0
    for age in range(max((len(cohort.revenue) for cohort in table), default=0)):
        old = [cohort for cohort in table if len(cohort.revenue) > age]
        size = sum(cohort.customers for cohort in old)
        if age and size < CUSTOMERS_MIN:
            break
        brought += sum(cohort.customers * cohort.revenue[age] for cohort in old) / size
        curve.append(brought)
    return curve
