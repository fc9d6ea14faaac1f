"""From counts to a model document: what `regulars fit` runs.

Every part is fitted for itself. A fit that is not good is refused with a named reason, and the last good one of that part stays
in the document, with its own day. A shop whose data are thin gets rules of thumb instead, named so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
from msgspec.structs import replace

from profiles.value.absent import Absent
from profiles.value.model import (
    Calibration,
    Heuristic,
    MarginFit,
    Outlook,
    Rejected,
    SpendFit,
    TimingFit,
    ValueModel,
    named,
)
from profiles.value.timing import Family
from streams.fitting.calibration import RENEWED_AFTER_DAYS, calibrated, outlook_of
from streams.fitting.cuts import net_percentiles, rfm_cuts
from streams.fitting.optimum import Refused
from streams.fitting.parts import Apart
from streams.fitting.population import CountsError, Floats, Ints, Population, population_of
from streams.fitting.segment_worth import segmented_margin, segmented_spend
from streams.fitting.segments import Segmented, segmented
from streams.fitting.spend import fit_margin, fit_spend
from streams.fitting.timing import fit_regular_timing, fit_timing

BUYERS_MIN: Final = 500
HISTORY_MIN_DAYS: Final = 180
"""A model needs that many buyers and that long a history; below, rules of thumb say as much."""
INTERVAL_UNKNOWN_DAYS: Final = 60.0
"""The days between purchases that rules of thumb assume in a shop where nobody has bought twice."""

T = TypeVar("T")

_NOTHING: Final = ValueModel(currency="", first_day=None, as_of_day=0, buyers=0, repeat_buyers=0)
"""The model before the first fit."""


@dataclass(frozen=True, kw_only=True)
class FitPlan:
    """What to fit. `regularity` None tries 1 to 6 and takes the most likely; that costs six fits.

    It is not the default, since the likelier model need not predict better: on a grocer's year k = 2 is likelier by far and
    still worse at telling who will lapse. `annual_discount` is the interest that money waits at: 0.1 is ten per cent a year.
    """

    currency: str
    family: Family = "mbg_nbd"
    regularity: int | None = 1
    annual_discount: float = 0.1


@dataclass(slots=True)
class _Refusals:
    """Fits that were refused so far."""

    found: list[Rejected] = field(default_factory=list)

    def keep(self, part: str, fit: Callable[[], T], last: T | None) -> T | None:
        """The new fit of a part, or the last one where the new one is refused."""
        try:
            return fit()
        except Refused as refusal:
            self.found.append(Rejected(part=part, reason=refusal.reason, detail=refusal.detail))
            return last


def fit_model(
    counters: Mapping[str, int],
    today: int,
    plan: FitPlan,
    last: ValueModel | None = None,
) -> ValueModel:
    """The value model of a shop on a day, from the counters of all its partitions added up.

    `last` is the model in use: where fits begin, and what stays where one is refused; a segment's is the shop's then. Of one in
    another currency nothing about money does. Raises CountsError for counters that can't be.
    """
    population = population_of(counters)
    _agreeing(population)
    refusals = _Refusals()
    thin = _thin(population, today)
    timing: TimingFit | None = None
    spend: SpendFit | None = None
    margin: MarginFit | None = None
    calibration: Calibration | None = None
    outlook: Outlook | None = None
    apart: Segmented | None = None
    by_timing: Apart[TimingFit] = Apart()
    by_spend: Apart[SpendFit] = Apart()
    by_margin: Apart[MarginFit] = Apart()
    if thin is None:
        before = _NOTHING if last is None else last
        if before.currency != plan.currency:
            before = replace(before, spend=None, margin=None)
        timing = refusals.keep("timing", lambda: _fit_timing(population, today, plan, before.timing), before.timing)
        spend = refusals.keep("spend", lambda: _fit_spend(population, today, before.spend), before.spend)
        margin = refusals.keep("margin", lambda: fit_margin(population, today), before.margin)
    if timing is not None:
        apart = segmented(population, timing, today)
        by_timing = apart.apart
        calibration, outlook = _calibration(population, apart, today, last)
        by_spend = by_spend if spend is None else segmented_spend(population, spend, today)
        by_margin = by_margin if margin is None else segmented_margin(population, margin, today)
    else:
        thin = thin or Absent.NO_GOOD_FIT
    return named(
        ValueModel(
            currency=plan.currency,
            first_day=int(population.first_day.min()) if population.buyers else None,
            as_of_day=today,
            buyers=population.buyers,
            repeat_buyers=population.repeat_buyers,
            timing=timing,
            segmented_by=by_timing.by,
            segments=by_timing.fits,
            spend=spend,
            spend_by=by_spend.by,
            spend_segments=by_spend.fits,
            margin=margin,
            margin_by=by_margin.by,
            margin_segments=by_margin.fits,
            calibration=calibration,
            outlook=outlook,
            rfm=rfm_cuts(population, today) if population.buyers else None,
            net_percentiles=net_percentiles(population) if population.buyers else (),
            heuristic=None if thin is None else _heuristic(population, thin),
            rejected=(*refusals.found, *by_timing.rejected, *by_spend.rejected, *by_margin.rejected),
            annual_discount=plan.annual_discount,
        )
    )


def _agreeing(population: Population) -> None:
    """Each buyer is in `buyers` and `value`, each repeat buyer in `spend` and `margin`. Raises CountsError otherwise."""
    for kind, count, wanted in (
        ("value", population.value_count, population.buyers),
        ("spend", population.spend_count, population.repeat_buyers),
        ("margin", population.margin_count, population.repeat_buyers),
    ):
        if int(count.sum()) != wanted:
            raise CountsError(
                f"counters `{kind}` hold {int(count.sum())} customers, counters `buyers` hold {wanted} of them"
            )


def _thin(population: Population, today: int) -> Absent | None:
    """Why the data are too thin for a model; None where they are not."""
    if population.buyers < BUYERS_MIN:
        return Absent.FEW_BUYERS
    return Absent.SHORT_HISTORY if today - int(population.first_day.min()) < HISTORY_MIN_DAYS else None


def _fit_timing(population: Population, today: int, plan: FitPlan, last: TimingFit | None) -> TimingFit:
    start = None if last is None else last.parameters
    if plan.regularity is None:
        return fit_regular_timing(population, today, plan.family, start)
    return fit_timing(population, today, plan.family, plan.regularity, start)


def _fit_spend(population: Population, today: int, last: SpendFit | None) -> SpendFit:
    return fit_spend(population, today, None if last is None else last.parameters)


def _calibration(
    population: Population, apart: Segmented, today: int, last: ValueModel | None
) -> tuple[Calibration | None, Outlook]:
    """Factors by the last model's outlook, as soon as it is old enough, and the outlook for the next fit."""
    outlook = None if last is None else last.outlook
    if last is None or outlook is None:
        return None, outlook_of(apart.parts, today)
    calibration = calibrated(outlook, population, today) or last.calibration
    if today - outlook.as_of_day >= RENEWED_AFTER_DAYS:
        outlook = outlook_of(apart.parts, today)
    return calibration, outlook


def _heuristic(population: Population, reason: Absent) -> Heuristic:
    orders = int((population.x * population.count).sum())
    interval = float(np.exp(population.log_gaps / orders)) if orders else INTERVAL_UNKNOWN_DAYS
    return Heuristic(
        reason=reason,
        interval_days=interval,
        # Laplace's rule of succession: that nobody has come back yet is not to say that nobody ever will.
        repeat_share=(population.repeat_buyers + 1) / (population.buyers + 2),
        order_net_minor=_mean(population.spend, population.spend_x, population.spend_count),
        order_margin_minor=_mean(population.margin, population.margin_x, population.margin_count),
    )


def _mean(means: Floats, x: Ints, count: Ints) -> float | None:
    """The mean of all orders after the first; None where there are none."""
    orders = float((count * x).sum())
    return float((means * x * count).sum()) / orders if orders else None
