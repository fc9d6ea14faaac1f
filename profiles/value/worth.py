"""What her orders in a horizon will be worth: expected value, discounted, and an interval around it.

CLV over a horizon = sum over periods of (expected orders in the period) x (expected value of an order) / (1 + d)^years to the
middle of the period. The number of orders and their values are taken as independent, given the data.

The interval is that of the sum S of Y order values. With mean m and variances of `profiles.value.spend` or `margin` for her
own mean M and for the scatter s2 around it,

    Var(S | alive) = E[Y^2] Var(M) + Var(Y) m^2 + E[Y] s2,

and S is nothing with the known probability of no order, else its distribution is matched to the first two moments: gamma for
spend, normal for margin, which may be negative.
"""

from math import sqrt
from statistics import NormalDist
from typing import Final

from msgspec import Struct

from profiles.value.alive import p_alive, p_order_within_alive
from profiles.value.orders import expected_orders, order_moments_alive
from profiles.value.special import gamma_quantile
from profiles.value.spend import COVERAGE, Interval
from profiles.value.timing import DAYS_PER_WEEK, Buyer, Timing

PERIOD_DAYS: Final = 92
"""Horizons are discounted in parts of at most a quarter: at 10 % a year that differs from daily parts by 4 in 10,000."""
_YEAR_DAYS: Final = 365.25
_NORMAL: Final = NormalDist()


class OrderFlow(Struct, frozen=True, gc=False):
    """Orders expected in a horizon: plain, and discounted. Their quotient discounts money that comes with orders."""

    orders: float
    discounted: float


def order_flow(model: Timing, buyer: Buyer, days: int, annual_discount: float) -> OrderFlow:
    """Expected orders in the next `days`, and the same weighted by what money is worth when they come."""
    if days <= 0:
        return OrderFlow(0.0, 0.0)
    periods = -(-days // PERIOD_DAYS)
    discounted = before = 0.0
    for period in range(periods):
        until = days * (period + 1) / periods
        orders = expected_orders(model, buyer, until / DAYS_PER_WEEK)
        middle_years = days * (period + 0.5) / periods / _YEAR_DAYS
        discounted += max(0.0, orders - before) * (1.0 + annual_discount) ** -middle_years
        before = orders
    return OrderFlow(before, discounted)


class SumMoments(Struct, frozen=True, gc=False):
    """The undiscounted sum of order values in a horizon: probability of any order, mean and variance given that one comes."""

    p_any: float
    mean: float
    variance: float


def sum_moments(model: Timing, buyer: Buyer, weeks: float, mean: float, unknown: float, scatter: float) -> SumMoments:
    """Moments of the sum of values in the next `weeks`.

    `mean` is her expected value of an order, `unknown` the variance of that expectation, `scatter` that of orders around it.
    """
    alive, some = p_alive(model, buyer), p_order_within_alive(model, buyer, weeks)
    first, second = order_moments_alive(model, buyer, weeks)
    if some <= 0.0 or first <= 0.0:
        return SumMoments(0.0, 0.0, 0.0)
    # E[S^2 | alive], then both moments given at least one order.
    square = second * (unknown + mean * mean) + first * scatter
    given = first * mean / some
    return SumMoments(alive * some, given, max(0.0, square / some - given * given))


def positive_interval(sums: SumMoments, coverage: float = COVERAGE) -> Interval:
    """The central interval of a sum of positive values."""
    out = (1.0 - coverage) / 2.0
    none = 1.0 - sums.p_any

    def quantile(share: float) -> float:
        if share <= none or sums.mean <= 0.0:
            return 0.0
        within = (share - none) / sums.p_any
        if sums.variance <= 1e-12 * sums.mean * sums.mean:
            return sums.mean
        shape = sums.mean * sums.mean / sums.variance
        return sums.mean / shape * gamma_quantile(shape, within)

    return quantile(out), quantile(1.0 - out)


def signed_interval(sums: SumMoments, coverage: float = COVERAGE) -> Interval:
    """The central interval of a sum of values of either sign."""
    out = (1.0 - coverage) / 2.0
    spread = sqrt(sums.variance)

    def quantile(share: float) -> float:
        if sums.p_any <= 0.0 or spread <= 0.0:
            return sums.mean if share > 1.0 - sums.p_any else 0.0
        below_zero = sums.p_any * _NORMAL.cdf(-sums.mean / spread)
        if share < below_zero:
            return sums.mean + spread * _NORMAL.inv_cdf(share / sums.p_any)
        if share <= below_zero + 1.0 - sums.p_any:
            return 0.0
        return sums.mean + spread * _NORMAL.inv_cdf((share - 1.0 + sums.p_any) / sums.p_any)

    return quantile(out), quantile(1.0 - out)
