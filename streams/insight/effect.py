"""What a trigger brings: the difference between customers who got it and those held out, and how far to trust it.

Three intervals, for three ways of looking:

- `difference` (Welch 1947) holds if one looks once, at a time fixed before;
- with `adjust=True` it uses each customer's own past (CUPED: Deng, Xu, Kohavi & Walker, WSDM 2013), which halves the width
  for regular shoppers: d - theta (mean x treated - mean x held out), theta = cov(x, y) / var(x) over both arms;
- `low_always`, `high_always` and `p_always` hold at every look, so the report may be read weekly and stopped at will:
  half-width = se sqrt(2 (N r + 1) / (N r) ln(sqrt(N r + 1) / alpha)), r = (-2 ln alpha + ln(1 - 2 ln alpha)) / N*, N the
  customers in both arms and N* the number it is tightest for (asymptotic confidence sequence: Waudby-Smith, Arbour, Sinha,
  Kennedy & Ramdas 2021, arXiv 2103.06476, as GrowthBook uses it). The price is a factor of 1.6.

They rest on the spread found in each arm. Of rare buyers a small arm often has none, or none who spends much, and then looks
surer than it is: with one in twenty held out and one in twenty buying, 36 % of comparisons of nothing with nothing were
found to have an effect at one of 26 looks. With `pooled` the always-valid ones reach at least as far as one spread, that of
both arms together, says; that is what the lot makes where there is no effect, and leaves under 1 %.

An arm too small to say anything gives a `NoEffect` with its reason, never a number that is none.
"""

from collections.abc import Sequence
from math import exp, inf, log, sqrt
from typing import Final, Literal

from msgspec import Struct

from profiles.insight.distributions import NORMAL, chi_squared_above, t_cdf, t_quantile
from streams.insight.arms import ArmSums

ALPHA: Final = 0.05
TIGHTEST_AT: Final = 5_000
"""N*: customers in both arms for which the always-valid interval is made tightest."""
RATIO_ALARM: Final = 0.001
BALANCE_ALARM: Final = 0.001
EXPECTED_MIN: Final = 5
"""The usual rule for chi-squared (Cochran 1954)."""

NoEffectReason = Literal["no_customers", "one_customer", "no_variation", "no_control_value", "no_past"]
Warning_ = Literal["sample_ratio", "not_randomised"]


class Estimate(Struct, frozen=True):
    """Treated less held out. `low` and `high` at 1 - alpha; the *_always ones hold however often one looks.

    Absolute ones are in the unit of y for a customer; relative ones are shares of the held-out mean.
    """

    difference: float
    standard_error: float
    degrees: float
    low: float
    high: float
    p: float
    low_always: float
    high_always: float
    p_always: float
    treated: int
    holdout: int
    theta: float | None = None


class NoEffect(Struct, frozen=True):
    """Why there is no number: an arm has no or one customer; all are equal; the held-out mean, or the past, is zero."""

    reason: NoEffectReason


def difference(
    holdout: ArmSums,
    treated: ArmSums,
    *,
    adjust: bool = False,
    pooled: bool = False,
    alpha: float = ALPHA,
    tightest_at: int = TIGHTEST_AT,
) -> Estimate | NoEffect:
    """The absolute difference of means, with Welch's degrees of freedom; `adjust` takes each customer's past into account."""
    reason = _too_small(holdout, treated)
    if reason is not None:
        return NoEffect(reason)
    theta = None
    value = treated.mean - holdout.mean
    spreads = [holdout.variance, treated.variance]
    if adjust:
        theta = _theta(holdout, treated)
        if theta is None:
            return NoEffect("no_past")
        value -= theta * (treated.mean_before - holdout.mean_before)
        spreads = [
            arm.variance + theta * theta * arm.variance_before - 2 * theta * arm.covariance
            for arm in (holdout, treated)
        ]
    degrees = _welch(spreads[0] / holdout.n, spreads[1] / treated.n, holdout.n, treated.n)
    return _estimate(value, spreads, (holdout.n, treated.n), degrees, alpha, tightest_at, theta, pooled)


def relative_difference(
    holdout: ArmSums,
    treated: ArmSums,
    *,
    pooled: bool = False,
    alpha: float = ALPHA,
    tightest_at: int = TIGHTEST_AT,
) -> Estimate | NoEffect:
    """The difference as a share of the held-out mean, by the delta method: var = vt/m_h^2/n_t + vh m_t^2/m_h^4/n_h.

    Degrees of freedom are those of the absolute difference.
    """
    reason = _too_small(holdout, treated)
    if reason is not None:
        return NoEffect(reason)
    if holdout.mean == 0:
        return NoEffect("no_control_value")
    ratio = treated.mean / holdout.mean
    spreads = [holdout.variance * ratio**2 / holdout.mean**2, treated.variance / holdout.mean**2]
    degrees = _welch(holdout.variance / holdout.n, treated.variance / treated.n, holdout.n, treated.n)
    return _estimate(ratio - 1, spreads, (holdout.n, treated.n), degrees, alpha, tightest_at, None, pooled)


def sequence_factor(customers: int, alpha: float = ALPHA, tightest_at: int = TIGHTEST_AT) -> float:
    """By how many standard errors the always-valid interval reaches to each side (1.96 for one fixed look).

    >>> round(sequence_factor(5_000), 6)
    3.035209
    """
    scaled = customers * _tuning(alpha, tightest_at)
    return sqrt(2 * (scaled + 1) / scaled * log(sqrt(scaled + 1) / alpha))


def always_valid_p(
    value: float, standard_error: float, customers: int, alpha: float = ALPHA, tightest_at: int = TIGHTEST_AT
) -> float:
    """The p-value that may be read at every look: one over the evidence against no effect, at most 1."""
    scaled = customers * _tuning(alpha, tightest_at)
    # In logarithms: the evidence itself has no bound.
    evidence = scaled / (scaled + 1) * (value / standard_error) ** 2 / 2 - log(scaled + 1) / 2
    return min(1.0, exp(-evidence))


def sample_ratio_p(holdout: int, treated: int, holdout_share: float) -> float:
    """How likely such unequal arms are if the share is as planned (chi-squared, one degree). Alarm below RATIO_ALARM.

    1 where fewer than EXPECTED_MIN customers are expected in an arm: chi-squared is no measure of so few.

    >>> round(sample_ratio_p(1213, 1256, 0.5), 6)
    0.386829
    """
    total = holdout + treated
    expected = total * holdout_share
    if min(expected, total - expected) < EXPECTED_MIN:
        return 1.0
    return chi_squared_above((holdout - expected) ** 2 * (1 / expected + 1 / (total - expected)))


def balance_p(holdout: ArmSums, treated: ArmSums) -> float:
    """How likely it is that randomised arms had so different pasts (two-sided). Alarm below BALANCE_ALARM."""
    if _too_small(holdout, treated) in {"no_customers", "one_customer"}:
        return 1.0
    spread = _widest((holdout.variance_before, treated.variance_before), (holdout.n, treated.n))
    apart = abs(treated.mean_before - holdout.mean_before)
    if spread <= 0:
        return 1.0 if apart == 0 else 0.0
    return 2 * NORMAL.cdf(-apart / sqrt(spread))


def warnings(holdout: ArmSums, treated: ArmSums, holdout_share: float) -> list[Warning_]:
    """Reasons not to believe any estimate: the arms' sizes are not as planned, or their pasts differ too much for chance."""
    found: list[Warning_] = []
    if sample_ratio_p(holdout.n, treated.n, holdout_share) < RATIO_ALARM:
        found.append("sample_ratio")
    if balance_p(holdout, treated) < BALANCE_ALARM:
        found.append("not_randomised")
    return found


def discoveries(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of many triggers: calling all below q real, at most a share q of these is false (on average).

    Benjamini & Hochberg 1995, for independent or positively dependent tests.

    >>> discoveries([0.01, 0.04, 0.03, 0.5])
    [0.04, 0.05333333333333334, 0.05333333333333334, 0.5]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place], reverse=True)
    adjusted, least = [0.0] * len(p_values), 1.0
    for behind, place in enumerate(order):
        least = min(least, p_values[place] * len(p_values) / (len(p_values) - behind))
        adjusted[place] = least
    return adjusted


def _too_small(holdout: ArmSums, treated: ArmSums) -> NoEffectReason | None:
    least = min(holdout.n, treated.n)
    if least <= 1:
        return "one_customer" if least == 1 else "no_customers"
    if holdout.variance <= 0 and treated.variance <= 0:
        return "no_variation"
    return None


def _theta(holdout: ArmSums, treated: ArmSums) -> float | None:
    both = ArmSums(
        holdout.n + treated.n,
        holdout.y + treated.y,
        holdout.y2 + treated.y2,
        holdout.x + treated.x,
        holdout.x2 + treated.x2,
        holdout.xy + treated.xy,
    )
    return both.covariance / both.variance_before if both.variance_before > 0 else None


def _welch(a: float, b: float, n_a: int, n_b: int) -> float:
    """Degrees of freedom (Welch & Satterthwaite) from the two variances of the means."""
    bottom = a * a / (n_a - 1) + b * b / (n_b - 1)
    return (a + b) ** 2 / bottom if bottom > 0 else inf


def _estimate(
    value: float,
    variances: Sequence[float],
    sizes: tuple[int, int],
    degrees: float,
    alpha: float,
    tightest_at: int,
    theta: float | None,
    pooled: bool,
) -> Estimate | NoEffect:
    spread = variances[0] / sizes[0] + variances[1] / sizes[1]
    # With the past taken off, rounding may leave next to nothing, or less.
    if spread <= 0:
        return NoEffect("no_variation")
    error = sqrt(spread)
    half = t_quantile(1 - alpha / 2, degrees) * error
    customers = sum(sizes)
    error_always = sqrt(_widest(variances, sizes)) if pooled else error
    always = sequence_factor(customers, alpha, tightest_at) * error_always
    return Estimate(
        difference=value,
        standard_error=error,
        degrees=degrees,
        low=value - half,
        high=value + half,
        p=2 * t_cdf(-abs(value) / error, degrees),
        low_always=value - always,
        high_always=value + always,
        p_always=always_valid_p(value, error_always, customers, alpha, tightest_at),
        treated=sizes[1],
        holdout=sizes[0],
        theta=theta,
    )


def _widest(variances: Sequence[float], sizes: tuple[int, int]) -> float:
    """The variance of the difference by each arm's own spread, or by one of both together where that is more."""
    (a, b), (n_a, n_b) = variances, sizes
    common = ((n_a - 1) * a + (n_b - 1) * b) / (n_a + n_b - 2)
    return max(a / n_a + b / n_b, common / n_a + common / n_b)


def _tuning(alpha: float, tightest_at: int) -> float:
    return (-2 * log(alpha) + log(1 - 2 * log(alpha))) / tightest_at
