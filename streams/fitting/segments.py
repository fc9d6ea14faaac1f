"""Parts of the shop by channel or country: which there are, what parameters of ordering each has, and which dimension is used.

A customer has one channel and one country, but predictions need one answer. So both ways of taking the shop apart are fitted,
and the one that makes the data likelier is used, at two units of twice the log-likelihood for each parameter it adds (Akaike
1974).

A segment has parameters of its own only where it orders otherwise than the shop: twice the gain in log-likelihood of its own four
parameters over the shop's is chi-squared with four degrees of freedom if there is no difference (Wilks 1938), and must be beyond
what chance brings once in a thousand. Otherwise the shop's parameters, which rest on more customers, are the better ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from profiles.value.model import Rejected, Rejection, TimingFit
from profiles.value.origin import DIMENSIONS, OTHER, Dimension, value_of
from profiles.value.timing import Timing
from streams.fitting.likelihood import PARAMETERS, TimingLikelihood, timing_counts
from streams.fitting.optimum import Refused
from streams.fitting.population import Buyers, Population, grouped
from streams.fitting.timing import array_of, fit_counts, timing_of

SEGMENTS_MAX: Final = 24
"""Values of a dimension that are looked at one by one, those with the most buyers; all others together are "other"."""
OWN_CUSTOMERS: Final = 1_000
"""A segment of so many customers stands for itself; a smaller one is shrunk towards the shop in proportion."""
DISTINCT: Final = 18.47
"""Chi-squared with four degrees of freedom is beyond it once in a thousand."""
_PRICE: Final = 2.0 * len(PARAMETERS)
"""What a segment with parameters of its own has to bring in twice the log-likelihood."""


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """How customers are told apart: by `by` (None: not at all), with the fits of its values.

    `parts` are all buyers of the shop, each group with the parameters that hold for it.
    """

    by: Dimension | None
    fits: dict[str, TimingFit]
    rejected: tuple[Rejected, ...]
    parts: tuple[tuple[Buyers, Timing], ...]


@dataclass(slots=True)
class Trial:
    """One way of taking the shop apart. `gain` is in twice the log-likelihood, the price of parameters taken off."""

    gain: float = 0.0
    fits: dict[str, TimingFit] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def own(self) -> list[str]:
        """The segments with parameters of their own."""
        return [name for name, fit in self.fits.items() if fit.own_weight > 0.0]


def segmented(population: Population, pooled: TimingFit, today: int) -> Segmented:
    """The better of the dimensions that tell customers apart, and the parameters of its segments."""
    trials: dict[Dimension, Trial] = {}
    for by in DIMENSIONS:
        segments = segments_of(population, by)
        if len(segments) > 1:  # else there is nothing to tell apart
            trials[by] = fit_segments(segments, pooled, today, by)
    telling = [by for by, trial in trials.items() if trial.own]
    if not telling:
        rejected = tuple(one for trial in trials.values() for one in trial.rejected)
        return Segmented(None, {}, rejected, ((population, pooled.parameters),))
    by = max(telling, key=lambda by: trials[by].gain)
    found = trials[by]
    rejected = (*found.rejected, *(_less_telling(other, trials[other], by, found) for other in telling if other != by))
    names = _segment_of_origins(population, by)
    rest = _rows(population, [name not in found.own for name in names])
    parts = [(rest, pooled.parameters)]
    parts += [(_rows(population, [name == own for name in names]), found.fits[own].parameters) for own in found.own]
    return Segmented(by, found.fits, rejected, tuple(parts))


def segments_of(population: Population, by: Dimension) -> dict[str, Buyers]:
    """Buyers by channel or country, where it is known: the SEGMENTS_MAX with the most buyers, and "other"."""
    names = _segment_of_origins(population, by)
    different = sorted({name for name in names if name is not None})
    return {name: _rows(population, [one == name for one in names]) for name in different}


def _segment_of_origins(population: Population, by: Dimension) -> list[str | None]:
    """The segment that each of the population's origins is in; None where the value is not known."""
    values = [value_of(origin, by) for origin in population.origins]
    buyers = np.bincount(population.origin_of_row, population.apart.count, len(values)).tolist()
    sizes: dict[str, float] = {}
    for value, count in zip(values, buyers, strict=True):
        if value is not None:
            sizes[value] = sizes.get(value, 0.0) + count
    largest = set(sorted(sizes, key=lambda value: (-sizes[value], value))[:SEGMENTS_MAX])
    return [value if value is None or value in largest else OTHER for value in values]


def _rows(population: Population, wanted: list[bool]) -> Buyers:
    """The buyers of the origins that are wanted."""
    chosen, apart = np.array(wanted)[population.origin_of_row], population.apart
    return grouped(
        Buyers(apart.x[chosen], apart.first_day[chosen], apart.last_day[chosen], apart.count[chosen], apart.log_gaps)
    )


def fit_segments(segments: Mapping[str, Buyers], pooled: TimingFit, today: int, by: Dimension) -> Trial:
    """Fits of parts of the shop, of the shop's family and regularity.

    With n customers and w = min(1, n / OWN_CUSTOMERS), each parameter is own^w x pooled^(1-w). A segment whose fit is refused,
    or that orders like the shop, has the shop's parameters, and the reason is noted.
    """
    trial = Trial()
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
            weight = min(1.0, counts.customers / OWN_CUSTOMERS)
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


def _less_telling(by: Dimension, trial: Trial, used: Dimension, found: Trial) -> Rejected:
    detail = f"{len(trial.own)} segments gain {trial.gain:.1f}, those by {used} gain {found.gain:.1f}"
    return Rejected(part=f"segments:{by}", reason=Rejection.LESS_TELLING, detail=detail)
