"""Functions of probability that the standard library lacks: incomplete beta and gamma, quantiles, means over a beta, roots.

scipy has them all, but takes most of a second to import and a worker needs five. Every loop here has a bound.
"""

from collections.abc import Callable
from math import ceil, cosh, exp, lgamma, log, log1p, log2, sinh, sqrt
from typing import Final

_TINY: Final = 1e-300
_EPSILON: Final = 1e-15
_FRACTION_STEPS_MAX: Final = 2_000
"""A continued fraction takes about sqrt(max(a, b)) steps, so this is enough for shapes beyond a million."""
_SERIES_STEPS_MAX: Final = 5_000
_BRACKET_STEPS_MAX: Final = 64
_ROOT_STEPS_MAX: Final = 100
_MEAN_STEP: Final = 0.05
_MEAN_STEPS_MAX: Final = 280
"""To each side; far enough for shapes down to 1e-4, the least that a fit may have."""


def log_beta(a: float, b: float) -> float:
    """The logarithm of B(a, b), for a, b > 0."""
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def beta_cdf(a: float, b: float, x: float, rest: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for a, b > 0, x in [0, 1] and `rest` = 1 - x.

    The caller gives 1 - x because it often knows it to more digits than a subtraction would leave. Continued fraction of
    DLMF 8.17.22, by Lentz' method.

    >>> round(beta_cdf(2.0, 1.0, 0.3, 0.7), 12)
    0.09
    """
    if x <= 0.0:
        return 0.0
    if rest <= 0.0:
        return 1.0
    front = exp(a * log(x) + b * log(rest) - log_beta(a, b))
    if x < (a + 1.0) / (a + b + 2.0):
        return min(1.0, front * _beta_fraction(a, b, x) / a)
    return max(0.0, 1.0 - front * _beta_fraction(b, a, rest) / b)


def _beta_fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, _FRACTION_STEPS_MAX):
        two_m = 2 * m
        step = m * (b - m) * x / ((a + two_m - 1.0) * (a + two_m))
        d = 1.0 + step * d
        c = 1.0 + step / c
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = c if abs(c) > _TINY else _TINY
        value *= d * c
        step = -(a + m) * (a + b + m) * x / ((a + two_m) * (a + two_m + 1.0))
        d = 1.0 + step * d
        c = 1.0 + step / c
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = c if abs(c) > _TINY else _TINY
        change = d * c
        value *= change
        if abs(change - 1.0) < _EPSILON:
            break
    return value


def gamma_cdf(shape: float, x: float) -> float:
    """The regularised lower incomplete gamma function P(shape, x), for shape > 0, x >= 0 (DLMF 8.7.1 and 8.9.2).

    >>> round(gamma_cdf(1.0, 1.0), 12)  # 1 - 1/e
    0.632120558829
    """
    if x <= 0.0:
        return 0.0
    front = exp(shape * log(x) - x - lgamma(shape))
    if x < shape + 1.0:
        term = total = 1.0 / shape
        for n in range(1, _SERIES_STEPS_MAX):
            term *= x / (shape + n)
            total += term
            if term < total * _EPSILON:
                break
        return min(1.0, front * total)
    b = x + 1.0 - shape
    c, d = 1.0 / _TINY, 1.0 / b
    value = d
    for n in range(1, _SERIES_STEPS_MAX):
        step = -n * (n - shape)
        b += 2.0
        d = step * d + b
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = b + step / c
        c = c if abs(c) > _TINY else _TINY
        change = d * c
        value *= change
        if abs(change - 1.0) < _EPSILON:
            break
    return max(0.0, 1.0 - front * value)


def gamma_quantile(shape: float, share: float) -> float:
    """The x with P(shape, x) = share, for share strictly between 0 and 1; relative error below 1e-9.

    >>> round(gamma_quantile(1.0, 0.5), 9)  # ln 2
    0.693147181
    """
    return exp(_log_quantile(lambda y: gamma_cdf(shape, exp(y)) - share, log(shape)))


def beta_prime_quantile(a: float, b: float, share: float) -> float:
    """The quantile of U / (1 - U) where U is Beta(a, b): the ratio of two gamma variables of shapes a and b."""

    def excess(y: float) -> float:
        ratio = exp(y)
        return beta_cdf(a, b, ratio / (1.0 + ratio), 1.0 / (1.0 + ratio)) - share

    return exp(_log_quantile(excess, log(a / b)))


def _log_quantile(excess: Callable[[float], float], start: float) -> float:
    """Where a distribution of ln x passes its share: a bracket that doubles around `start`, then a root in it."""
    width = 0.5
    low = high = start
    for _ in range(_BRACKET_STEPS_MAX):
        if low > -700.0 and excess(low) > 0.0:
            low = max(-700.0, low - width)
        elif high < 700.0 and excess(high) < 0.0:
            high = min(700.0, high + width)
        else:
            break
        width *= 2.0
    return root(excess, low, high)


def root(rising: Callable[[float], float], low: float, high: float, tolerance: float = 1e-10) -> float:
    """Where a non-decreasing function passes zero between `low` and `high`, to within `tolerance` (absolute).

    The ITP method (Oliveira & Takahashi 2021, ACM TOMS 47:5): interpolates like the secant, never needs more steps than
    bisection plus one. Where the function does not change sign, the end it is nearest to zero at.

    >>> round(root(lambda x: x * x - 2.0, 0.0, 2.0), 9)
    1.414213562
    """
    at_low, at_high = rising(low), rising(high)
    if at_low >= 0.0:
        return low
    if at_high <= 0.0:
        return high
    tolerance = max(tolerance, 4e-16 * max(abs(low), abs(high)))
    kappa = 0.2 / (high - low)
    steps_max = max(0, ceil(log2((high - low) / (2.0 * tolerance)))) + 1
    for step in range(_ROOT_STEPS_MAX):
        width = high - low
        if width <= 2.0 * tolerance:
            break
        middle = low + 0.5 * width
        secant = (high * at_low - low * at_high) / (at_low - at_high)
        towards = 1.0 if middle >= secant else -1.0
        reach = kappa * width * width
        guess = secant + towards * reach if reach <= abs(middle - secant) else middle
        radius = max(0.0, tolerance * 2.0 ** (steps_max - step) - 0.5 * width)
        if abs(guess - middle) > radius:
            guess = middle - towards * radius
        at_guess = rising(guess)
        if at_guess > 0.0:
            high, at_high = guess, at_guess
        elif at_guess < 0.0:
            low, at_low = guess, at_guess
        else:
            return guess
    return low + 0.5 * (high - low)


def beta_mean(of: Callable[[float], float], a: float, b: float) -> float:
    """The mean of a positive, falling function of p where p is Beta(a, b); relative error about 1e-9.

    Trapezoidal rule over y with p = 1/(1+e^-y), y = ln(a/b) + c sinh(w): the integrand then falls doubly exponentially to
    both sides, where the rule converges exponentially (Takahasi & Mori 1974). c is smaller where large shapes leave y little
    room (its standard deviation is then sqrt(1/a + 1/b)), so that steps never miss it. A few hundred calls of `of`, so it is
    for places where a series is too slow.

    >>> round(beta_mean(lambda p: 1.0 - p, 0.5, 1.5), 9)
    0.75
    """
    centre, scale = log(a / b), log_beta(a, b)
    width = 1.5 * min(1.0, sqrt(1.0 / a + 1.0 / b))

    def weighted(w: float) -> float:
        y = centre + width * sinh(w)
        log_p = -log1p(exp(-y)) if y > 0.0 else y - log1p(exp(y))
        log_rest = log_p - y
        weight = a * log_p + b * log_rest - scale
        # A tiny p stands for one too small for a float: nothing depends on how small it is.
        return exp(weight) * width * cosh(w) * of(max(exp(log_p), 1e-300)) if weight > -700.0 else 0.0

    total = weighted(0.0)
    for side in (_MEAN_STEP, -_MEAN_STEP):
        for step in range(1, _MEAN_STEPS_MAX):
            part = weighted(step * side)
            total += part
            if part < 1e-13 * total:
                break
    return total * _MEAN_STEP
