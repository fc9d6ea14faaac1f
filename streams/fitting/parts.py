"""Parts of the shop by channel or country: which values are looked at one by one, and which dimension is used.

A customer has one channel and one country, but a prediction needs one answer. So both ways of taking the shop apart are tried,
and the one that makes the data likelier is used, at two units of twice the log-likelihood for each parameter it adds (Akaike
1974). That is done for ordering, spend and margin each for itself: where customers come from may tell how often they order, and
where they live what they spend.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

import numpy as np

from profiles.value.model import Rejected, Rejection
from profiles.value.origin import DIMENSIONS, OTHER, Dimension, value_of
from streams.fitting.population import Population

SEGMENTS_MAX: Final = 24
"""Values of a dimension that are looked at one by one, those with the most buyers; all others together are "other"."""
OWN_CUSTOMERS: Final = 1_000
"""A segment of so many customers stands for itself; a smaller one is shrunk towards the shop in proportion."""


class Fit(Protocol):
    """What is fitted of a part of the shop."""

    @property
    def own_weight(self) -> float: ...


F = TypeVar("F", bound=Fit)


@dataclass(slots=True)
class Trial(Generic[F]):
    """One way of taking the shop apart. `gain` is in twice the log-likelihood, the price of parameters taken off."""

    gain: float = 0.0
    fits: dict[str, F] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def own(self) -> list[str]:
        """The segments with parameters of their own."""
        return [name for name, fit in self.fits.items() if fit.own_weight > 0.0]


@dataclass(frozen=True, slots=True, eq=False)
class Apart(Generic[F]):
    """How customers are told apart: by `by` (None: not at all), with the fits of its values, and what was refused."""

    by: Dimension | None = None
    fits: dict[str, F] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()

    @property
    def own(self) -> list[str]:
        """The segments with parameters of their own."""
        return [name for name, fit in self.fits.items() if fit.own_weight > 0.0]


def told_apart(
    population: Population, trial: Callable[[list[str | None], Dimension], Trial[F]], part: str = "segments"
) -> Apart[F]:
    """The better of the dimensions that tell customers apart. `trial` is given the segment of each of the population's
    origins; a dimension with less than two segments is not tried.
    """
    segments = {by: segment_of_origins(population, by) for by in DIMENSIONS}
    return better(
        {by: trial(names, by) for by, names in segments.items() if len(different(population, names)) > 1}, part
    )


def better(trials: Mapping[Dimension, Trial[F]], part: str = "segments") -> Apart[F]:
    """The dimension that tells customers apart, the better of both where both do. `part` is what the other is called."""
    telling = [by for by in DIMENSIONS if by in trials and trials[by].own]
    if not telling:
        return Apart(None, {}, tuple(one for trial in trials.values() for one in trial.rejected))
    by = max(telling, key=lambda by: trials[by].gain)
    found = trials[by]
    less = [_less_telling(f"{part}:{other}", trials[other], by, found) for other in telling if other != by]
    return Apart(by, found.fits, (*found.rejected, *less))


def segment_of_origins(population: Population, by: Dimension) -> list[str | None]:
    """The segment that each of the population's origins is in; None where the value is not known."""
    values = [value_of(origin, by) for origin in population.origins]
    buyers = np.bincount(population.origin_of_row, population.apart.count, len(values)).tolist()
    sizes: dict[str, float] = {}
    for value, count in zip(values, buyers, strict=True):
        if value is not None:
            sizes[value] = sizes.get(value, 0.0) + count
    largest = set(sorted(sizes, key=lambda value: (-sizes[value], value))[:SEGMENTS_MAX])
    return [value if value is None or value in largest else OTHER for value in values]


def different(population: Population, names: Sequence[str | None]) -> list[str]:
    """The segments that have buyers, by name."""
    inhabited = np.unique(population.origin_of_row).tolist()
    return sorted({name for place in inhabited if (name := names[place]) is not None})


def own_weight(customers: int) -> float:
    """How far parameters of so many customers are believed against those of the shop."""
    return min(1.0, customers / OWN_CUSTOMERS)


def _less_telling(part: str, trial: Trial[F], used: Dimension, found: Trial[F]) -> Rejected:
    detail = f"{len(trial.own)} segments gain {trial.gain:.1f}, those by {used} gain {found.gain:.1f}"
    return Rejected(part=part, reason=Rejection.LESS_TELLING, detail=detail)
