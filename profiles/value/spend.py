"""What an order after the first is worth: the Gamma-Gamma model of positive spend.

Values of one customer's orders are Gamma(p, nu), so they scatter around her own mean p / nu with a coefficient of variation of
1 / sqrt(p); nu differs between customers as Gamma(q, v) (Fader & Hardie 2013, note 025 at brucehardie.com). Her first order
stays out: it is often unlike the others. The model takes spend to be independent of how often she orders; the fit reports
their correlation, and above about 0.2 in size its figures lean.
"""

from math import isfinite
from typing import Final

from msgspec import Struct

from profiles.value.absent import Absent
from profiles.value.special import beta_prime_quantile, gamma_quantile

COVERAGE: Final = 0.9
Interval = tuple[float, float]


class GammaGamma(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Parameters: `p` and `q` are pure numbers, `v` is in the unit of the values. Raises ValueError unless above zero."""

    p: float
    q: float
    v: float
    version: int = 1

    def __post_init__(self) -> None:
        for name in ("p", "q", "v"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0.0):
                raise ValueError(f"spend parameter {name} is {value}; it must be finite and above zero")


def mean_spend(model: GammaGamma, x: int, zbar: float) -> float | Absent:
    """E[M | x, zbar] = p (v + x zbar) / (p x + q - 1): her expected mean value of an order, shrunk towards the shop's.

    `zbar` is the mean of her `x` orders after the first (any value for x = 0). NOT_POSITIVE where it is not above zero,
    NO_MEAN where there is too little of her own for a mean to exist (p x + q <= 1).

    >>> round(mean_spend(GammaGamma(p=6.25, q=3.74, v=15.44), 2, 22.35), 6)
    24.663714
    """
    if x > 0 and zbar <= 0.0:
        return Absent.NOT_POSITIVE
    degrees = model.p * x + model.q - 1.0
    return model.p * _scale(model, x, zbar) / degrees if degrees > 0.0 else Absent.NO_MEAN


def mean_interval(model: GammaGamma, x: int, zbar: float, coverage: float = COVERAGE) -> Interval | Absent:
    """The central interval of her own mean value of an order, M = p / nu, given her orders so far.

    It covers what is not known of her, for parameters taken as known. Here nu is Gamma(p x + q, v + x zbar).
    """
    if x > 0 and zbar <= 0.0:
        return Absent.NOT_POSITIVE
    out = (1.0 - coverage) / 2.0
    shape, scale = model.p * x + model.q, model.p * _scale(model, x, zbar)
    return scale / gamma_quantile(shape, 1.0 - out), scale / gamma_quantile(shape, out)


def order_value_interval(model: GammaGamma, x: int, zbar: float, coverage: float = COVERAGE) -> Interval | Absent:
    """The central predictive interval of the value of her next order: her own scatter, and what is not known of her.

    Over v + x zbar that value is beta prime of shapes p and p x + q.
    """
    if x > 0 and zbar <= 0.0:
        return Absent.NOT_POSITIVE
    out = (1.0 - coverage) / 2.0
    shape, scale = model.p * x + model.q, _scale(model, x, zbar)
    low, high = (beta_prime_quantile(model.p, shape, share) for share in (out, 1.0 - out))
    return scale * low, scale * high


def spend_variances(model: GammaGamma, x: int, zbar: float) -> tuple[float, float] | Absent:
    """What is not known of her own mean, Var(M), and the mean scatter of her orders around it, E[M^2] / p.

    NO_MEAN where a variance does not exist (p x + q <= 2).
    """
    if x > 0 and zbar <= 0.0:
        return Absent.NOT_POSITIVE
    shape, scale = model.p * x + model.q, model.p * _scale(model, x, zbar)
    if shape <= 2.0:
        return Absent.NO_MEAN
    mean = scale / (shape - 1.0)
    square = mean * scale / (shape - 2.0)
    return square - mean * mean, square / model.p


def _scale(model: GammaGamma, x: int, zbar: float) -> float:
    return model.v + x * zbar if x > 0 else model.v
