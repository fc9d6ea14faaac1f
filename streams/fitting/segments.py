"""Ordering and leaving by parts of the shop: what parameters customers of a channel or country have.

A segment has parameters of its own only where it orders otherwise than the shop: twice the gain in log-likelihood of its own four
parameters over the shop's is chi-squared with four degrees of freedom if there is no difference (Wilks 1938), and must be beyond
what chance brings once in a thousand. Otherwise the shop's parameters, which rest on more customers, are the better ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from profiles.value.model import Rejected, Rejection, TimingFit
from profiles.value.origin import Dimension
from profiles.value.timing import Timing
from streams.fitting.likelihood import PARAMETERS, TimingLikelihood, timing_counts
from streams.fitting.optimum import Refused
from streams.fitting.parts import Apart, Trial, different, own_weight, segment_of_origins, told_apart
from streams.fitting.population import Buyers, Population, grouped
from streams.fitting.timing import array_of, fit_counts, timing_of

DISTINCT: Final = 18.47
"""Chi-squared with four degrees of freedom is beyond it once in a thousand."""
_PRICE: Final = 2.0 * len(PARAMETERS)
"""What a segment with parameters of its own has to bring in twice the log-likelihood."""


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """How customers are told apart by their ordering. `parts` are all buyers of the shop, each group with the parameters that
    hold for it.
    """

    apart: Apart[TimingFit]
    parts: tuple[tuple[Buyers, Timing], ...]


def segmented(population: Population, pooled: TimingFit, today: int) -> Segmented:
    """The better of the dimensions that tell customers apart, and the parameters of its segments."""
    found = told_apart(population, lambda names, by: fit_segments(segments_of(population, names), pooled, today, by))
    if found.by is None:
        return Segmented(found, ((population, pooled.parameters),))
    names = segment_of_origins(population, found.by)
    rest = _rows(population, [name not in found.own for name in names])
    parts = [(rest, pooled.parameters)]
    parts += [(_rows(population, [name == own for name in names]), found.fits[own].parameters) for own in found.own]
    return Segmented(found, tuple(parts))


def segments_of(population: Population, names: Sequence[str | None]) -> dict[str, Buyers]:
    """Buyers by segment, where it is known; `names` has the segment of each of the population's origins."""
    return {name: _rows(population, [one == name for one in names]) for name in different(population, names)}


def _rows(population: Population, wanted: list[bool]) -> Buyers:
    """The buyers of the origins that are wanted."""
    chosen, apart = np.array(wanted)[population.origin_of_row], population.apart
    return grouped(
        Buyers(apart.x[chosen], apart.first_day[chosen], apart.last_day[chosen], apart.count[chosen], apart.log_gaps)
    )


def fit_segments(segments: Mapping[str, Buyers], pooled: TimingFit, today: int, by: Dimension) -> Trial[TimingFit]:
    """Fits of parts of the shop, of the shop's family and regularity.

    With n customers and w = own_weight(n), each parameter is own^w x pooled^(1-w). A segment whose fit is refused,
    or that orders like the shop, has the shop's parameters, and the reason is noted.
    """
    trial: Trial[TimingFit] = Trial()
    whole = pooled.parameters
    for name, buyers in sorted(segments.items()):
        counts = timing_counts(buyers, today)
        likelihood = TimingLikelihood(counts, whole.family, whole.regularity)
        as_shop = likelihood.value(whole)
        weight, parameters, errors = 0.0, whole, dict[str, float]()
        try:
            own = fit_counts(counts, today, whole.family, whole.regularity, whole, buyers.repeat_buyers)
            gain = 2.0 * (own.log_likelihood - as_shop)
            if gain < DISTINCT:
                raise Refused(
                    Rejection.LIKE_THE_SHOP, f"own parameters gain {gain:.1f}, chance alone gives up to {DISTINCT}"
                )
        except Refused as refusal:
            trial.rejected.append(Rejected(part=f"segment:{by}:{name}", reason=refusal.reason, detail=refusal.detail))
        else:
            weight = own_weight(counts.customers)
            shrunk = array_of(own.parameters) ** weight * array_of(whole) ** (1.0 - weight)
            parameters = timing_of(whole.family, whole.regularity, shrunk)
            errors = own.standard_errors if weight == 1.0 else {}
        log_likelihood = likelihood.value(parameters)
        if weight:
            trial.gain += 2.0 * (log_likelihood - as_shop) - _PRICE
        trial.fits[name] = TimingFit(
            parameters=parameters,
            customers=counts.customers,
            log_likelihood=log_likelihood,
            standard_errors=errors,
            as_of_day=today,
            own_weight=weight,
        )
    return trial
