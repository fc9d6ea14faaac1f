"""Incomplete beta and gamma functions, their quantiles and means over a beta: against scipy; roots against themselves."""

import random
from math import exp, log1p

import pytest
from scipy import special as other

from profiles.value.special import beta_cdf, beta_mean, beta_prime_quantile, gamma_cdf, gamma_quantile, log_beta, root

SHAPES = (0.02, 0.3, 1.0, 2.5, 17.0, 400.0, 9_000.0)


@pytest.mark.parametrize("a", SHAPES)
@pytest.mark.parametrize("b", SHAPES)
def test_the_incomplete_beta_function_is_scipys(a: float, b: float) -> None:
    for x in (0.0, 1e-9, 0.01, a / (a + b), 0.5, 0.97, 1.0):
        assert beta_cdf(a, b, x, 1.0 - x) == pytest.approx(float(other.betainc(a, b, x)), abs=1e-10)
    assert log_beta(a, b) == pytest.approx(float(other.betaln(a, b)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_incomplete_gamma_function_is_scipys(shape: float) -> None:
    for x in (0.0, 1e-9, 0.3, 0.7 * shape, shape, shape + 1.0, 3.0 * shape + 5.0):
        assert gamma_cdf(shape, x) == pytest.approx(float(other.gammainc(shape, x)), abs=1e-10)


@pytest.mark.parametrize("share", [1e-4, 0.05, 0.5, 0.95, 0.9999])
@pytest.mark.parametrize("shape", [0.3, 1.0, 2.5, 17.0, 400.0])
def test_quantiles_are_scipys(shape: float, share: float) -> None:
    assert gamma_quantile(shape, share) == pytest.approx(float(other.gammaincinv(shape, share)), rel=1e-8)
    for b in (0.4, 3.0, 60.0):
        u = float(other.betaincinv(shape, b, share))
        if u < 1.0 - 1e-9:  # beyond, scipy's own answer has lost its digits
            assert beta_prime_quantile(shape, b, share) == pytest.approx(u / (1.0 - u), rel=1e-5)


@pytest.mark.parametrize("a", [0.05, 0.4, 1.0, 3.0, 40.0])
@pytest.mark.parametrize("b", [0.4, 2.0, 500.0])
def test_means_over_a_beta_are_the_known_ones(a: float, b: float) -> None:
    assert beta_mean(lambda p: 1.0, a, b) == pytest.approx(1.0, rel=1e-8)
    assert beta_mean(lambda p: 1.0 - p, a, b) == pytest.approx(b / (a + b), rel=1e-8)
    laplace = float(other.hyp1f1(a, a + b, -3.0))
    assert beta_mean(lambda p: exp(-3.0 * p), a, b) == pytest.approx(laplace, rel=1e-8)
    # Pfaff's transformation keeps scipy's series where it converges.
    power = 5.0**-2.5 * float(other.hyp2f1(2.5, b, a + b, 0.8))
    assert beta_mean(lambda p: exp(-2.5 * log1p(4.0 * p)), a, b) == pytest.approx(power, rel=1e-7)


@pytest.mark.parametrize("a", [1e-4, 0.3, 2_000.0, 9_900.0])
@pytest.mark.parametrize("b", [1e-4, 0.7, 3_000.0, 9_900.0])
def test_means_over_a_beta_hold_at_the_ends_of_what_may_be_fitted(a: float, b: float) -> None:
    # Nearly all at one end or at both, and so narrow that coarse steps would miss it.
    assert beta_mean(lambda p: 1.0, a, b) == pytest.approx(1.0, rel=1e-6)
    assert beta_mean(lambda p: 1.0 - p, a, b) == pytest.approx(b / (a + b), rel=1e-6)


def test_a_root_is_found_in_no_more_steps_than_halving_takes() -> None:
    numbers = random.Random(7)
    for _ in range(200):
        zero, steep = numbers.uniform(-5.0, 5.0), numbers.choice((0.01, 1.0, 30.0))
        calls: list[float] = []

        def rising(x: float, zero: float = zero, steep: float = steep, calls: list[float] = calls) -> float:
            calls.append(x)
            return (x - zero) ** 3 + steep * (x - zero)

        assert root(rising, -8.0, 8.0, 1e-9) == pytest.approx(zero, abs=1.1e-9)
        # log2(16 / 2e-9) = 33 halvings, one more, one for rounding, and the two ends.
        assert len(calls) <= 37


def test_without_a_change_of_sign_the_nearer_end_is_the_root() -> None:
    assert root(lambda x: x + 1.0, 0.0, 2.0) == 0.0
    assert root(lambda x: x - 3.0, 0.0, 2.0) == 2.0
