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

from profiles.value.forecast import cohort_of
from profiles.value.model import Calibration, CohortOutlook, Outlook
from profiles.value.orders import expected_orders
from profiles.value.timing import DAYS_PER_WEEK, Buyer, Timing
from streams.fitting.population import Buyers

OUTLOOK_DAYS: Final = (30, 60, 90, 120, 180, 270, 365)
CALIBRATED_AFTER_DAYS: Final = 30
"""Sooner than this an outlook says little: within a month a total is mostly chance and weekday."""
RENEWED_AFTER_DAYS: Final = 90
"""An outlook so old gives way to a new one at the next fit."""
SHRINKAGE_ORDERS: Final = 50.0
"""A cohort's factor is shrunk towards that of the shop as if it had so many more orders, exactly as many as predicted."""


def outlook_of(parts: Iterable[tuple[Buyers, Timing]], today: int) -> Outlook:
    """What the model expects of each cohort, from a day on. Every buyer is in one of the parts, with what holds for her."""
    found: dict[str, list[float]] = {}
    for buyers, timing in parts:
        _expect(buyers, timing, today, found)
    return Outlook(
        as_of_day=today,
        days=OUTLOOK_DAYS,
        cohorts={
            cohort: CohortOutlook(orders=round(sums[0]), expected=tuple(sums[1:]))
            for cohort, sums in sorted(found.items())
        },
    )


def _expect(buyers: Buyers, timing: Timing, today: int, found: dict[str, list[float]]) -> None:
    """Add orders so far, and those expected within OUTLOOK_DAYS, to the sums by cohort."""
    rows = zip(
        buyers.first_day.tolist(), buyers.last_day.tolist(), buyers.x.tolist(), buyers.count.tolist(), strict=True
    )
    for first_day, last_day, x, count in rows:
        sums = found.setdefault(cohort_of(first_day), [0.0] * (1 + len(OUTLOOK_DAYS)))
        age_days = max(today, last_day) - first_day
        buyer = Buyer(x, (last_day - first_day) / DAYS_PER_WEEK, age_days / DAYS_PER_WEEK)
        sums[0] += x * count
        for place, ahead in enumerate(OUTLOOK_DAYS, 1):
            sums[place] += count * expected_orders(timing, buyer, ahead / DAYS_PER_WEEK)


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
