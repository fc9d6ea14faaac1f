"""RFM cut points from counts: the 20, 40, 60 and 80 % points of all buyers."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from profiles.value.rfm import Cuts, RfmCuts
from streams.fitting.population import Floats, Ints, Population

SHARES: Final = (0.2, 0.4, 0.6, 0.8)


def rfm_cuts(population: Population, today: int) -> RfmCuts:
    """The cut points as of a day. Net values are known to their 1 % bucket, days and orders exactly."""
    silent = np.maximum(0, today - population.last_day)
    return RfmCuts(
        recency_days=_cuts(silent.astype(np.float64), population.count),
        orders=_cuts((population.x + 1).astype(np.float64), population.count),
        net_minor=_cuts(population.value, population.value_count),
    )


def net_percentiles(population: Population) -> tuple[float, ...]:
    """The 1 to 99 % points of buyers by their total net value, known to its 1 % bucket."""
    return _points(population.value, population.value_count, [share / 100 for share in range(1, 100)])


def _cuts(values: Floats, count: Ints) -> Cuts:
    """The smallest values that at least 20, 40, 60 and 80 % do not exceed."""
    a, b, c, d = _points(values, count, SHARES)
    return a, b, c, d


def _points(values: Floats, count: Ints, shares: Sequence[float]) -> tuple[float, ...]:
    """The smallest values that at least these shares of all do not exceed."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(count[order])
    # Whole customers: a share of their number, rounded up. The small subtraction undoes the rounding of 0.6 * 5 = 3.0000...04.
    wanted = [int(np.ceil(share * reached[-1] - 1e-9)) for share in shares]
    return tuple(float(values[order][np.searchsorted(reached, number)]) for number in wanted)
