"""How many orders will come: the conditional expectation E[Y(t) | x, t_x, T], and the second moment behind intervals.

For k = 1 the textbook form (Fader, Hardie & Lee 2005, eq. 10) divides by zero at a = 1 and needs a hypergeometric function.
Euler's transform turns it into a series of positive powers that is harmless there. With o = 1 where she may leave after the
first order and else 0, C = a+b+x-1+o, e = a-1, c = C-r-x, z = t/(alpha+T+t) and L = ln((alpha+T)/(alpha+T+t)),

    E[Y(t)] = P(alive) ( -C expm1(eL)/e - exp(eL) sum_{j>=1} u_j ),   u_1 = c z,  u_{j+1} = u_j (c+j)(e+j)/((C+j)(j+1)) z.

For k > 1 the literature approximates by putting k alpha in place of alpha, which is often off by a fifth and can be off by
half. But given that she is alive, the rate and the chance to leave are independent, so the distribution of Y has closed tails
(`profiles.value.counts`), and E[Y] = sum_{n>=1} P(Y >= n). Where that sum would be long there is an integral instead: given p
and lambda, with j ticks since her newest order, the expected number of orders solves a linear system of
k equations, 1/p - sum s^(j+1-k) / (k (1-s)) e^(-lambda (1-s) t) over the k complex roots s of s^k = 1-p.
"""

from cmath import exp as cexp
from collections.abc import Callable
from math import exp, expm1, log1p, pi
from typing import Final

from profiles.value.alive import p_alive
from profiles.value.counts import phases, tails
from profiles.value.special import beta_mean
from profiles.value.timing import Buyer, Timing

RELATIVE_ERROR: Final = 1e-13
_SERIES_TERMS_MAX: Final = 400
"""Twenty terms are usual. More than these are wanted where the horizon is twenty times her age: an integral is then faster."""
_ALTERNATING: Final = -8.0
"""Terms change their sign while c + j < 0. A few that do are harmless; with many the sum is lost in their rounding."""
_TAILS_MAX: Final = 200
_RATE_MAX: Final = 60.0
_GROWTH_MAX: Final = 20.0
"""Bounds of orders expected if she stayed, and of horizon to age, within which _TAILS_MAX tails are all that matter."""
_SURE: Final = 1.0 - 1e-6
"""p is kept off 0 and 1, where terms cancel. What depends on p there changes by less than what is lost otherwise."""
_SUM_ERROR: Final = 1e-8
_DIED_OUT: Final = 30.0
"""What is below e^-30 of the rest is nothing."""


def expected_orders(model: Timing, buyer: Buyer, weeks: float) -> float:
    """The expected number of orders in the next `weeks` (>= 0), alive or not being unknown.

    Finite and not below zero for every Buyer and Timing. Relative error below 1e-9 for k = 1 (1e-4 where a parameter is near
    an end of what a fit may have) and 2e-5 for k > 1, where it takes tens of microseconds instead of five.

    >>> mbg = Timing(r=0.525, alpha=6.183, a=0.891, b=1.614)
    >>> round(expected_orders(mbg, Buyer(2, 30.43, 38.86), 39.0), 6)
    1.262961
    """
    return p_alive(model, buyer) * expected_orders_alive(model, buyer, weeks)


def expected_orders_alive(model: Timing, buyer: Buyer, weeks: float) -> float:
    """The same for a customer who is known to be alive."""
    if weeks <= 0.0:
        return 0.0
    if model.regularity == 1:
        return _series(model, buyer, weeks)
    if _few(model, buyer, weeks):
        return _summed(model, buyer, weeks)[0]
    return _over_leaving(model, buyer, _GivenLeaving(model, buyer, weeks).mean)


def order_moments_alive(model: Timing, buyer: Buyer, weeks: float) -> tuple[float, float]:
    """E[Y] and E[Y^2] given that she is alive; relative error below 3e-3 for as many orders as there are days."""
    if weeks <= 0.0:
        return 0.0, 0.0
    if _few(model, buyer, weeks):
        return _summed(model, buyer, weeks)
    mean = expected_orders_alive(model, buyer, weeks)
    return mean, mean + _over_leaving(model, buyer, _GivenLeaving(model, buyer, weeks).pairs)


def _few(model: Timing, buyer: Buyer, weeks: float) -> bool:
    k = model.regularity
    growth = weeks / (model.alpha + buyer.age)
    return growth < _GROWTH_MAX * k and (model.r + k * buyer.x) * growth < _RATE_MAX * k


def _series(model: Timing, buyer: Buyer, weeks: float) -> float:
    """E[Y] given alive for k = 1: the series of the module's heading, or the integral where it converges slowly."""
    e = model.a - 1.0
    shape, stay = model.r + buyer.x, model.b + buyer.x + model.leaves_at_first
    growth = weeks / (model.alpha + buyer.age)
    log_fall = -log1p(growth)
    z = growth / (1.0 + growth)
    # At e = 0 the quotient is its limit; the parameters then have no digit in which the two could differ.
    first = -(e + stay) * (expm1(e * log_fall) / e if abs(e) > 1e-12 else log_fall)
    factor = exp(e * log_fall)
    c = e + stay - shape
    term = c * z
    total = 0.0
    for j in range(1, _SERIES_TERMS_MAX if c > _ALTERNATING else 0):
        total += term
        ratio = (c + j) * (e + j) / ((e + stay + j) * (j + 1.0)) * z
        term *= ratio
        # The terms behind fall at least like a geometric series of the larger of their first and their last ratio.
        slowest = max(abs(ratio), z)
        if slowest < 1.0 and factor * abs(term) <= RELATIVE_ERROR * (1.0 - slowest) * abs(first - factor * total):
            return max(0.0, first - factor * total)
    return _over_leaving(model, buyer, lambda p: -expm1(-shape * log1p(p * growth)) / p)


def _summed(model: Timing, buyer: Buyer, weeks: float) -> tuple[float, float]:
    """E[Y] and E[Y^2] from the tails P(Y >= n); what lies beyond the last one is taken for a geometric series."""
    mean = second = 0.0
    before, rest = 1.0, 0.0
    for n, tail in enumerate(tails(model, buyer, weeks), 1):
        mean += tail
        second += (2 * n - 1) * tail
        ratio = min(tail / before, 0.999) if before > 0.0 else 0.0
        before = tail
        rest = tail * ratio / (1.0 - ratio)
        if rest * n < _SUM_ERROR * mean or n == _TAILS_MAX:
            second += rest * (2 * n - 1 + 2.0 / (1.0 - ratio))
            break
    return mean + rest, second


def _over_leaving(model: Timing, buyer: Buyer, given: Callable[[float], float]) -> float:
    """The mean of a function of p, her chance to leave after an order, over what is believed of it while she is alive."""
    return beta_mean(given, model.a, model.b + buyer.x + model.leaves_at_first)


class _GivenLeaving:
    """E[Y] and E[Y (Y-1)] given that she is alive and leaves after each order with probability p: sums over s^k = 1-p."""

    __slots__ = ("growth", "k", "shape", "shares", "turns")

    def __init__(self, model: Timing, buyer: Buyer, weeks: float) -> None:
        self.k = model.regularity
        self.shape = model.r + self.k * buyer.x
        self.growth = weeks / (model.alpha + buyer.age)
        self.shares = phases(model, buyer)
        # The solutions that turn (s not real) die out while ticks come; where many have come they are nothing.
        lasting = 1 if self.shape * log1p(self.growth) > _DIED_OUT else self.k
        self.turns = [cexp(2j * pi * turn / self.k) for turn in range(lasting)]

    def mean(self, p: float) -> float:
        p = min(max(p, 1e-7), _SURE)
        return 1.0 / p - self._left(p, pairs=False)

    def pairs(self, p: float) -> float:
        """2 (1-p) dE[Y]/d(1-p), since E[Y] is a power series in 1-p."""
        p = min(max(p, 1e-5), _SURE)
        return 2.0 * ((1.0 - p) / (p * p) - self._left(p, pairs=True))

    def _left(self, p: float, *, pairs: bool) -> float:
        k, growth, total = self.k, self.growth, 0.0
        size = exp(log1p(-p) / k)
        for turn in self.turns:
            s = size * turn
            # 1 - s is a small difference only where s is real.
            leave = -expm1(log1p(-p) / k) if turn == 1.0 else 1.0 - s
            reach = 1.0 + leave * growth
            for j, share in enumerate(self.shares):
                part = share * s ** (j + 1 - k) / (k * leave) * reach ** -(self.shape + j)
                if pairs:
                    part *= (j + 1 - k + s / leave + s * (self.shape + j) * growth / reach) / k
                total += part.real
        return total
