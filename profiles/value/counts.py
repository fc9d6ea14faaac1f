"""The whole distribution of the number of orders in a horizon, and an interval from it.

Given the data and that she is alive, her rate and her chance p to leave after an order are independent: p is Beta(a, s) with
s = b+x+o, and at least n hidden ticks come within t with the probability of a negative binomial tail, which is a regularised
incomplete beta function I_z(n, .) with z = t/(alpha+T+t). So with R = r+kx and w_j the probability that j ticks have already
passed since her newest order,

    P(Y >= n | alive) = B(a, s+n-1)/B(a, s) sum_{j<k} w_j I_z(nk-j, R+j),   w_j ~ (R)_j/j! ((T-t_x)/(alpha+T))^j.

For k = 1 this is P(X(t) = n) of Fader, Hardie & Lee (2005, eq. 8), written as a tail and with updated parameters.
"""

from collections.abc import Iterator
from math import exp, log1p
from typing import Final

from profiles.value.alive import p_alive
from profiles.value.special import beta_cdf, log_beta
from profiles.value.timing import Buyer, Timing

COVERAGE: Final = 0.9
_DOUBLINGS_MAX: Final = 20
"""So intervals end at a million orders at the latest."""


def phases(model: Timing, buyer: Buyer) -> list[float]:
    """w_0 .. w_{k-1}: the probabilities of 0 .. k-1 hidden ticks since her newest order, given that she is alive."""
    power = model.r + model.regularity * buyer.x
    share = (buyer.age - buyer.t_x) / (model.alpha + buyer.age)
    terms = [1.0]
    for j in range(1, model.regularity):
        terms.append(terms[-1] * (power + j - 1.0) / j * share)
    total = sum(terms)
    return [term / total for term in terms]


def p_at_least(model: Timing, buyer: Buyer, weeks: float, orders: int) -> float:
    """The probability of at least so many orders (>= 1) in the next `weeks`, alive or not being unknown.

    >>> bg = Timing(family="bg_nbd", r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> new = Buyer(0, 0.0, 0.0)
    >>> round(p_at_least(bg, new, 30.0, 11) - p_at_least(bg, new, 30.0, 12), 9)
    0.001999521
    """
    k, scale = model.regularity, model.alpha + buyer.age
    power = model.r + k * buyer.x
    z, rest = weeks / (scale + weeks), scale / (scale + weeks)
    stay = model.b + buyer.x + model.leaves_at_first
    stays = exp(log_beta(model.a, stay + orders - 1.0) - log_beta(model.a, stay))
    comes = sum(
        share * beta_cdf(float(orders * k - j), power + j, z, rest) for j, share in enumerate(phases(model, buyer))
    )
    return p_alive(model, buyer) * stays * comes


def order_interval(model: Timing, buyer: Buyer, weeks: float, coverage: float = COVERAGE) -> tuple[int, int]:
    """The interval (low, high) of the number of orders in the next `weeks` that leaves (1 - coverage)/2 out on each side.

    Exact under the model for parameters taken as known: it covers chance and what is unknown about this customer (her rate,
    her chance to leave, whether she is alive), not the uncertainty of the fit. As counts are whole, it covers at least
    `coverage`; for customers who will mostly not return, (0, 0) or (0, 1) can cover far more. Logarithmic in the result.
    """
    out = (1.0 - coverage) / 2.0
    return _quantile(model, buyer, weeks, out), _quantile(model, buyer, weeks, 1.0 - out)


def _quantile(model: Timing, buyer: Buyer, weeks: float, share: float) -> int:
    """The smallest n with P(Y <= n) >= share."""
    above = 1.0 - share
    if weeks <= 0.0 or p_at_least(model, buyer, weeks, 1) <= above:
        return 0
    low, high = 0, 1
    for _ in range(_DOUBLINGS_MAX):
        if p_at_least(model, buyer, weeks, high + 1) <= above:
            break
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if p_at_least(model, buyer, weeks, middle + 1) <= above:
            high = middle
        else:
            low = middle
    return high


def tails(model: Timing, buyer: Buyer, weeks: float) -> Iterator[float]:
    """P(Y >= 1 | alive), P(Y >= 2 | alive), ... by recursion, without end; k^2 multiplications each.

    Only for R ln(1 + t/(alpha+T)) below about 700: beyond that the chance of no tick at all is no float.
    """
    k, scale = model.regularity, model.alpha + buyer.age
    power = model.r + k * buyer.x
    z, log_rest = weeks / (scale + weeks), -log1p(weeks / scale)
    # For each j: the probability of exactly `ticks` ticks, and of more than that.
    points = [exp((power + j) * log_rest) for j in range(k)]
    beyond = [1.0 - point for point in points]
    ticks = [0] * k
    shares = phases(model, buyer)
    stays, stay, n = 1.0, model.b + buyer.x + model.leaves_at_first, 0
    while True:
        n += 1
        comes = 0.0
        for j in range(k):
            point, more, tick = points[j], beyond[j], ticks[j]
            while tick < n * k - j - 1:
                point *= (power + j + tick) / (tick + 1.0) * z
                tick += 1
                more -= point
            points[j], beyond[j], ticks[j] = point, more, tick
            comes += shares[j] * max(0.0, more)
        yield stays * comes
        stays *= (stay + n - 1.0) / (model.a + stay + n - 1.0)
