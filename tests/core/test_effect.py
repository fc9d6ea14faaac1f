"""Effects of triggers: GrowthBook's published numbers, scipy, and named reasons where no number can be."""

from math import isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from streams.insight import effect
from streams.insight.arms import ArmSums, proportion
from streams.insight.effect import Estimate, NoEffect, difference, relative_difference

# The two arms of GrowthBook's own tests (gbstats 0.8.0, tests/frequentist): n, sum, sum of squares.
A = ArmSums(3407, 1396.87, 52377.9767)
B = ArmSums(3461, 2422.7, 134698.29)


def estimate(found: Estimate | NoEffect) -> Estimate:
    assert isinstance(found, Estimate)
    return found


def test_growthbooks_relative_difference() -> None:
    found = estimate(relative_difference(A, B))

    assert (found.difference, found.low, found.high) == pytest.approx((0.70732, -0.03526, 1.44989), abs=5e-6)
    assert (found.standard_error, found.p) == pytest.approx((0.37879, 0.06191), abs=5e-6)


def test_growthbooks_absolute_difference() -> None:
    found = estimate(difference(A, B))

    assert (found.difference, found.low, found.high) == pytest.approx((0.29, 0.04538, 0.53462), abs=6e-6)
    assert found.p == pytest.approx(0.02016, abs=5e-6)


def test_growthbooks_proportions() -> None:
    found = estimate(relative_difference(proportion(14, 28), proportion(16, 30)))

    assert (found.difference, found.low, found.high) == pytest.approx((0.06667, -0.47767, 0.61101), abs=5e-6)
    assert found.p == pytest.approx(0.80707, abs=5e-6)


def test_growthbooks_sequential_interval() -> None:
    fewer = ArmSums(3000, A.y, A.y2)
    found = estimate(relative_difference(fewer, B, tightest_at=1_000))

    assert (found.difference, found.standard_error) == pytest.approx((0.50336, 0.33341), abs=5e-6)
    assert (found.low_always, found.high_always) == pytest.approx((-0.55844, 1.56516), abs=5e-6)
    assert found.p_always == 1.0


def test_growthbooks_sequential_proportions() -> None:
    found = estimate(relative_difference(proportion(1396, 3000), proportion(2422, 3461)))

    assert (found.low_always, found.high_always) == pytest.approx((0.40098, 0.60675), abs=6e-6)
    assert found.p_always < 1e-6


@pytest.mark.parametrize("customers, published", [(2_469, 3.085439), (5_000, 3.035209), (50_000, 3.241723)])
def test_the_price_of_looking_at_any_time(customers: int, published: float) -> None:
    assert effect.sequence_factor(customers) == pytest.approx(published, abs=5e-7)


@given(value=st.floats(0.01, 10), customers=st.integers(10, 10**6))
def test_the_always_valid_p_is_below_alpha_exactly_outside_of_the_interval(value: float, customers: int) -> None:
    factor = effect.sequence_factor(customers)

    assert (effect.always_valid_p(value, 1.0, customers) < effect.ALPHA) == pytest.approx(value > factor)


def samples(seed: int, size: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    before = random.gamma(2.0, 50.0, size)
    return before, 0.8 * before + random.normal(20 + shift, 30, size)


def sums(before: np.ndarray, after: np.ndarray) -> ArmSums:
    return ArmSums(
        len(after),
        after.sum(),
        (after**2).sum(),
        before.sum(),
        (before**2).sum(),
        (before * after).sum(),
    )


def test_the_difference_is_scipys_welch_test() -> None:
    (xa, ya), (xb, yb) = samples(1, 40, 0), samples(2, 25, 12)
    by_scipy = stats.ttest_ind(yb, ya, equal_var=False)
    interval = by_scipy.confidence_interval()
    found = estimate(difference(sums(xa, ya), sums(xb, yb)))

    assert (found.p, found.degrees) == pytest.approx((by_scipy.pvalue, by_scipy.df), rel=1e-9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_the_adjusted_difference_is_that_of_what_the_past_leaves() -> None:
    (xa, ya), (xb, yb) = samples(3, 300, 0), samples(4, 200, 5)
    slope = np.cov(np.append(xa, xb), np.append(ya, yb))
    theta = slope[0, 1] / slope[0, 0]
    by_scipy = stats.ttest_ind(yb - theta * xb, ya - theta * xa, equal_var=False)
    found = estimate(difference(sums(xa, ya), sums(xb, yb), adjust=True))

    assert found.theta == pytest.approx(theta)
    assert found.p == pytest.approx(by_scipy.pvalue, rel=1e-6)
    assert found.standard_error < 0.6 * estimate(difference(sums(xa, ya), sums(xb, yb))).standard_error


NONE, ONE, EQUAL = ArmSums(0, 0, 0), ArmSums(1, 5, 25, 2, 4, 10), ArmSums(10, 50, 250, 20, 40, 100)
SOME = ArmSums(10, 50, 300, 20, 80, 120)


@pytest.mark.parametrize(
    "holdout, treated, reason",
    [
        (NONE, SOME, "no_customers"),
        (SOME, NONE, "no_customers"),
        (NONE, NONE, "no_customers"),
        (ONE, SOME, "one_customer"),
        (SOME, ONE, "one_customer"),
        (EQUAL, EQUAL, "no_variation"),
    ],
)
def test_arms_too_small_give_a_reason_and_never_a_number(holdout: ArmSums, treated: ArmSums, reason: str) -> None:
    for found in (
        difference(holdout, treated),
        difference(holdout, treated, adjust=True),
        relative_difference(holdout, treated),
    ):
        assert isinstance(found, NoEffect)
        assert found.reason == reason
    assert isfinite(effect.balance_p(holdout, treated))
    assert isfinite(effect.sample_ratio_p(holdout.n, treated.n, 0.1))


def test_there_is_no_relative_effect_on_nothing_and_no_adjustment_without_a_past() -> None:
    zero = ArmSums(10, 0, 50)

    assert relative_difference(zero, SOME) == NoEffect("no_control_value")
    assert difference(ArmSums(10, 50, 300), ArmSums(10, 50, 300), adjust=True) == NoEffect("no_past")
    assert estimate(difference(SOME, EQUAL)).p == pytest.approx(1.0)  # one arm without variation is enough


def test_a_past_that_explains_everything_leaves_nothing_to_estimate() -> None:
    arm = ArmSums(4, 10, 30, 10, 30, 30)  # y = x

    assert difference(arm, arm, adjust=True) == NoEffect("no_variation")


def test_the_sample_ratio_is_scipys_chi_squared() -> None:
    for held, treated, share in ((1213, 1256, 0.5), (90, 1_010, 0.1), (200, 1_000, 0.1)):
        total = held + treated
        by_scipy = stats.chisquare([held, treated], [total * share, total * (1 - share)])

        assert effect.sample_ratio_p(held, treated, share) == pytest.approx(by_scipy.pvalue)
    assert effect.sample_ratio_p(200, 1_000, 0.1) < effect.RATIO_ALARM
    assert effect.sample_ratio_p(0, 50, 0.0) == 1.0


def test_unequal_arms_and_unequal_pasts_are_warned_of() -> None:
    before, after = samples(5, 1_000, 0)
    fair = sums(before[:500], after[:500]), sums(before[500:], after[500:])
    best = before > np.median(before)
    chosen = sums(before[~best], after[~best]), sums(before[best], after[best])

    assert effect.warnings(*fair, 0.5) == []
    assert effect.warnings(*fair, 0.1) == ["sample_ratio"]
    assert effect.warnings(*chosen, 0.5) == ["not_randomised"]


def test_many_triggers_are_judged_together_as_scipy_does() -> None:
    p_values = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216, 0.9, 0.9]

    assert effect.discoveries(p_values) == pytest.approx(list(stats.false_discovery_control(p_values)))
    assert effect.discoveries([]) == []
