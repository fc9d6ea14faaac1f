"""Fits of ordering and leaving: one family and regularity, or the best regularity."""

from typing import Final

import numpy as np

from profiles.value.model import Rejection, TimingFit
from profiles.value.timing import REGULARITY_MAX, Family, Timing
from streams.fitting.likelihood import PARAMETERS, TimingCounts, TimingLikelihood, timing_counts
from streams.fitting.optimum import Refused, maximise
from streams.fitting.population import Buyers, Floats

REPEAT_BUYERS_MIN: Final = 50
"""Below this the four parameters rest on less than a dozen customers each."""
_START: Final = (1.0, 3.0, 1.0, 3.0)
_WORSE_TOLERANCE: Final = 1e-9


def fit_timing(
    population: Buyers, today: int, family: Family = "mbg_nbd", regularity: int = 1, last: Timing | None = None
) -> TimingFit:
    """The most likely parameters for the buyers as they stand on a day. `last` is where the search begins.

    Raises Refused, also where the result is less likely than `last` is on the same data (WORSE_THAN_LAST).
    """
    return fit_counts(timing_counts(population, today), today, family, regularity, last, population.repeat_buyers)


def fit_regular_timing(
    population: Buyers, today: int, family: Family = "mbg_nbd", last: Timing | None = None
) -> TimingFit:
    """The fit with the regularity from 1 to 6 that makes the data most likely.

    All have four parameters, so likelihoods compare without a correction. Raises Refused where no regularity could be fitted.
    """
    counts = timing_counts(population, today)
    best: TimingFit | None = None
    near, refusal = last, None
    for regularity in range(1, REGULARITY_MAX + 1):
        try:
            fit = fit_counts(counts, today, family, regularity, near, population.repeat_buyers)
        except Refused as error:
            refusal = refusal or error
            continue
        near = fit.parameters
        if best is None or fit.log_likelihood > best.log_likelihood:
            best = fit
    if best is None:
        assert refusal is not None
        raise refusal
    return best


def fit_counts(
    counts: TimingCounts, today: int, family: Family, regularity: int, last: Timing | None, repeat_buyers: int
) -> TimingFit:
    """`fit_timing` from counts that are grouped already."""
    if repeat_buyers < REPEAT_BUYERS_MIN:
        raise Refused(
            Rejection.FEW_REPEAT_BUYERS, f"{repeat_buyers} customers have ordered again, {REPEAT_BUYERS_MIN} are needed"
        )
    likelihood = TimingLikelihood(counts, family, regularity)
    start = np.array(_START) if last is None else array_of(last)
    found = maximise(likelihood.at, start, counts.customers, PARAMETERS)
    if last is not None and (last.family, last.regularity) == (family, regularity):
        before = likelihood.value(last)
        if found.log_likelihood < before - _WORSE_TOLERANCE * abs(before):
            detail = f"log-likelihood {found.log_likelihood:.3f}, that of the last parameters is {before:.3f}"
            raise Refused(Rejection.WORSE_THAN_LAST, detail)
    errors = {} if found.standard_errors is None else dict(zip(PARAMETERS, found.standard_errors.tolist(), strict=True))
    return TimingFit(
        parameters=timing_of(family, regularity, found.parameters),
        customers=counts.customers,
        log_likelihood=found.log_likelihood,
        standard_errors=errors,
        as_of_day=today,
    )


def timing_of(family: Family, regularity: int, parameters: Floats) -> Timing:
    """The model with parameters in the order of PARAMETERS."""
    r, alpha, a, b = parameters.tolist()
    return Timing(family=family, regularity=regularity, r=r, alpha=alpha, a=a, b=b)


def array_of(timing: Timing) -> Floats:
    """The parameters of a model in the order of PARAMETERS."""
    return np.array([timing.r, timing.alpha, timing.a, timing.b])
