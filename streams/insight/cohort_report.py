"""Cohorts by month of the first order, repurchase, and what customers bring against what they cost; from the counters.

A cell is shown only when the whole cohort has lived through it: the month must be over. A rate within d days is taken over
those whose first order is at least d days old.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from profiles.insight.cohorts import HORIZONS

Measure = Literal["net", "margin"]


class Cohort(Struct, frozen=True):
    """A month's new customers, by months since (0 is the month of the first order itself).

    `retention` is the share of customers who ordered in that month, `revenue` minor units of that month for each customer
    of the cohort, `cumulative` its running sum, `revenue_retention` the month's revenue over that of month 0 (None if that
    was zero).
    """

    month: int
    customers: int
    retention: list[float]
    revenue: list[float]
    cumulative: list[float]
    revenue_retention: list[float | None]


class Acquisition(Struct, frozen=True):
    """A cohort of one channel against its cost. `cost` is minor units for each new customer; None when no spend is known.

    `value` is the cumulative measure for each customer at the horizon (None: not lived through yet), `ratio` value over cost,
    `payback_month` the first month since the start by whose end the cumulative measure reaches the cost.
    """

    channel: str
    month: int
    customers: int
    cost: float | None
    value: float | None
    ratio: float | None
    payback_month: int | None


def cohorts(
    counters: Mapping[str, int], last_full_month: int, measure: Measure = "net", channel: str | None = None
) -> list[Cohort]:
    """The cohort table up to a month that is over (year * 12 + month - 1), of one channel or of all, oldest first."""
    sizes: dict[int, int] = {}
    cells: dict[tuple[str, int, int], int] = {}
    for name, value in counters.items():
        kind, *place = name.split("|")
        if kind not in {"size", "active", measure} or (channel is not None and place[0] != channel):
            continue
        month = int(place[1])
        if kind == "size":
            sizes[month] = sizes.get(month, 0) + value
        else:
            cell = ("amount" if kind == measure else kind, month, int(place[2]))
            cells[cell] = cells.get(cell, 0) + value
    table = []
    for month, size in sorted(sizes.items()):
        if size <= 0 or month > last_full_month:
            continue
        ages = range(last_full_month - month + 1)
        amounts = [cells.get(("amount", month, age), 0) for age in ages]
        running, total = [], 0
        for amount in amounts:
            total += amount
            running.append(total / size)
        table.append(
            Cohort(
                month=month,
                customers=size,
                retention=[cells.get(("active", month, age), 0) / size for age in ages],
                revenue=[amount / size for amount in amounts],
                cumulative=running,
                revenue_retention=[amount / amounts[0] if amounts[0] else None for amount in amounts],
            )
        )
    return table


def repurchase_rate(counters: Mapping[str, int], days: int, today: int) -> float | None:
    """Share of customers who ordered again, on a later day, within so many days, of those whose first order is that
    old. None without any.

    Raises ValueError when the counters hold no such horizon.
    """
    if days not in HORIZONS:
        raise ValueError(f"repurchase is counted within {HORIZONS} days, not {days}")
    old_enough = again = 0
    for name, value in counters.items():
        kind, _, day = name.partition("|")
        if kind == "first" and int(day) <= today - days:
            old_enough += value
        elif kind == f"again{days}" and int(day) <= today - days:
            again += value
    return again / old_enough if old_enough else None


def acquisition(
    counters: Mapping[str, int],
    spend: Mapping[tuple[str, int], int],
    last_full_month: int,
    horizon_months: int,
    measure: Measure = "margin",
) -> list[Acquisition]:
    """Each channel's cohorts against the spend of the same channel and month (minor units), to a horizon in months.

    A cohort with spend and no customer is there too, with neither cost nor value: money that brought nobody.
    """
    channels = {name.split("|")[1] for name in counters if name.startswith("size|")} | {name for name, _ in spend}
    found = []
    for channel in sorted(channels):
        seen = set()
        for cohort in cohorts(counters, last_full_month, measure, channel):
            seen.add(cohort.month)
            found.append(_against(cohort, channel, spend.get((channel, cohort.month)), horizon_months))
        for (spent_on, month), _ in sorted(spend.items()):
            if spent_on == channel and month not in seen and month <= last_full_month:
                found.append(Acquisition(channel, month, 0, None, None, None, None))
    return found


def payback_month(cumulative: list[float], cost: float) -> int | None:
    """The first month since the start by whose end a customer has brought her cost; None while that is not so."""
    return next((age for age, value in enumerate(cumulative) if value >= cost), None)


def _against(cohort: Cohort, channel: str, spent: int | None, horizon: int) -> Acquisition:
    cost = None if spent is None else spent / cohort.customers
    value = cohort.cumulative[horizon] if horizon < len(cohort.cumulative) else None
    return Acquisition(
        channel=channel,
        month=cohort.month,
        customers=cohort.customers,
        cost=cost,
        value=value,
        ratio=value / cost if value is not None and cost else None,
        payback_month=None if cost is None else payback_month(cohort.cumulative, cost),
    )
