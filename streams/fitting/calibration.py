"""Do predicted totals come true? Outlooks noted with each model, compared later with what happened, cohort by cohort.

The models describe customers well and totals less so: they take everybody's rates as constant, so a shop that grows, or
seasons, move all predictions of a cohort to one side. The remedy is measured: actual over predicted orders, by month of first
purchase.

A model document carries an outlook: for each cohort its orders so far, and the orders expected in the days to come. A later fit
knows the orders since, since counts by x say how many a cohort has in all, so no snapshot of old counts is needed.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import numpy as np

from profiles.value.forecast import cohort_of
from profiles.value.model import Calibration, CohortOutlook, Outlook
from profiles.value.timing import DAYS_PER_WEEK, Timing
from streams.fitting.expected import expected_orders_of
from streams.fitting.population import Buyers, Floats, Ints

OUTLOOK_DAYS: Final = (30, 60, 90, 120, 180, 270, 365)
CALIBRATED_AFTER_DAYS: Final = 30
"""Sooner than this an outlook says little: within a month a total is mostly chance and weekday."""
RENEWED_AFTER_DAYS: Final = 90
"""An outlook so old gives way to a new one at the next fit."""
SHRINKAGE_ORDERS: Final = 50.0
"""A cohort's factor is shrunk towards that of the shop as if it had so many more orders, exactly as many as predicted."""


def outlook_of(parts: Iterable[tuple[Buyers, Timing]], today: int) -> Outlook:
    """What the model expects of each cohort, from a day on. Every buyer is in one of the parts, with what holds for her.

    Customers of a cohort with as many orders, whose first and newest fall into the same weeks, are taken together at the mean of
    their dates. That moves sums by less than a thousandth, and a shop of a million is summed up in a tenth of a second.
    """
    found: dict[str, Floats] = {}
    for buyers, timing in parts:
        _expect(buyers, timing, today, found)
    return Outlook(
        as_of_day=today,
        days=OUTLOOK_DAYS,
        cohorts={
            cohort: CohortOutlook(orders=round(float(sums[0])), expected=tuple(sums[1:].tolist()))
            for cohort, sums in sorted(found.items())
        },
    )


def _expect(buyers: Buyers, timing: Timing, today: int, found: dict[str, Floats]) -> None:
    """Add orders so far, and those expected within OUTLOOK_DAYS, to the sums by cohort."""
    if not len(buyers.x):
        return
    month = buyers.first_day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    keys = (buyers.last_day // 7, buyers.first_day // 7, buyers.x, month)
    order = np.lexsort(keys)
    new = np.r_[True, np.any([np.diff(key[order]) != 0 for key in keys], axis=0)]
    starts, count = np.flatnonzero(new), buyers.count[order]

    def mean(days: Ints) -> Floats:
        summed: Floats = np.add.reduceat(days[order] * count, starts) / customers
        return summed

    customers = np.add.reduceat(count, starts)
    x, month = buyers.x[order][starts], month[order][starts]
    t_x = mean(buyers.last_day - buyers.first_day) / DAYS_PER_WEEK
    age = mean(np.maximum(today, buyers.last_day) - buyers.first_day) / DAYS_PER_WEEK
    columns = [x.astype(np.float64)]
    columns += [expected_orders_of(timing, x, t_x, age, ahead / DAYS_PER_WEEK) for ahead in OUTLOOK_DAYS]
    months, places = np.unique(month, return_inverse=True)
    sums = np.array([np.bincount(places, customers * column, len(months)) for column in columns])
    for place, number in enumerate(months.tolist()):
        cohort = str(np.datetime64(number, "M"))
        found[cohort] = found.get(cohort, np.zeros(len(columns))) + sums[:, place]


def calibrated(outlook: Outlook, population: Buyers, today: int) -> Calibration | None:
    """Actual over predicted orders since an outlook was made; None before CALIBRATED_AFTER_DAYS.

    Overall F = (A + m) / (P + m), of a cohort (A_c + m F) / (P_c + m), with m = SHRINKAGE_ORDERS. Customers of the outlook's
    own month who came after it are not in it, so that month's cohort is left to the overall factor.
    """
    days = today - outlook.as_of_day
    if days < CALIBRATED_AFTER_DAYS:
        return None
    unfinished = cohort_of(outlook.as_of_day)
    now: dict[str, int] = {}
    for day, x, count in zip(
        population.first_day.tolist(), population.x.tolist(), population.count.tolist(), strict=True
    ):
        cohort = cohort_of(day)
        now[cohort] = now.get(cohort, 0) + x * count
    actual: dict[str, float] = {}
    predicted: dict[str, float] = {}
    for cohort, then in outlook.cohorts.items():
        if cohort != unfinished:
            # Cancellations and erased customers can take more away than came.
            actual[cohort] = max(0.0, now.get(cohort, 0) - then.orders)
            predicted[cohort] = _interpolated(outlook.days, then.expected, days)
    weight = SHRINKAGE_ORDERS
    overall = (sum(actual.values()) + weight) / (sum(predicted.values()) + weight)
    factors = {cohort: (actual[cohort] + weight * overall) / (predicted[cohort] + weight) for cohort in actual}
    return Calibration(days=days, until_day=today, overall=overall, cohorts=factors)


def _interpolated(days: tuple[int, ...], expected: tuple[float, ...], at: int) -> float:
    """Expected orders after `at` days, straight between the noted ones; beyond the last, at the pace of the last part."""
    points = [(0, 0.0), *zip(days, expected, strict=True)]
    for (start, low), (end, high) in pairwise(points):
        if at <= end or end == days[-1]:
            return low + (high - low) * (at - start) / (end - start)
    raise AssertionError("an outlook has days")
