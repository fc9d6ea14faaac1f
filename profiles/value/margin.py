"""What an order after the first leaves as margin, which can be below zero: the normal-normal model.

Margins of one customer's orders scatter around her own mean with variance `within`; her mean is Normal(mu, between) (Bühlmann
1967: the credibility estimate is the exact posterior mean here, and the best linear one whatever the distributions are).
Intervals are those of normal distributions: with heavy tails they are too narrow far out, about right in the middle.
"""

from math import isfinite, sqrt
from statistics import NormalDist
from typing import Final

from msgspec import Struct

from profiles.value.spend import COVERAGE, Interval

_NORMAL: Final = NormalDist()


class NormalNormal(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Parameters: `mu` in the unit of the margins, the variances `between` and `within` customers in its square, above zero.

    Raises ValueError for anything else.
    """

    mu: float
    between: float
    within: float
    version: int = 1

    def __post_init__(self) -> None:
        if not isfinite(self.mu):
            raise ValueError(f"margin parameter mu is {self.mu}; it must be finite")
        for name in ("between", "within"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0.0):
                raise ValueError(f"margin parameter {name} is {value}; it must be finite and above zero")


def mean_margin(model: NormalNormal, x: int, mbar: float) -> float:
    """Her expected mean margin of an order: (within mu + x between mbar) / (within + x between).

    `mbar` is the mean of her `x` orders after the first (any value for x = 0).

    >>> mean_margin(NormalNormal(mu=10.0, between=4.0, within=16.0), 4, -2.0)
    4.0
    """
    if x <= 0:
        return model.mu
    return (model.within * model.mu + x * model.between * mbar) / (model.within + x * model.between)


def margin_variances(model: NormalNormal, x: int) -> tuple[float, float]:
    """What is not known of her own mean, and the scatter of her orders around it."""
    return model.within * model.between / (model.within + x * model.between), model.within


def mean_margin_interval(model: NormalNormal, x: int, mbar: float, coverage: float = COVERAGE) -> Interval:
    """The central interval of her own mean margin of an order, for parameters taken as known."""
    return _around(mean_margin(model, x, mbar), margin_variances(model, x)[0], coverage)


def order_margin_interval(model: NormalNormal, x: int, mbar: float, coverage: float = COVERAGE) -> Interval:
    """The central predictive interval of the margin of her next order."""
    return _around(mean_margin(model, x, mbar), sum(margin_variances(model, x)), coverage)


def _around(mean: float, variance: float, coverage: float) -> Interval:
    half = _NORMAL.inv_cdf(0.5 + coverage / 2.0) * sqrt(variance)
    return mean - half, mean + half
