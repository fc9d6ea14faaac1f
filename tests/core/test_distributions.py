"""Our few distributions against scipy's, over the range that shops need and at its ends."""

from math import inf

import numpy as np
import pytest
from scipy import stats

from profiles.insight.distributions import (
    NORMAL,
    beta_cdf,
    chi_squared_above,
    chi_squared_quantile,
    normal_score_of_t,
    t_cdf,
    t_quantile,
)


@pytest.mark.parametrize("a", [0.5, 1.0, 3.0, 40.0, 2_000.0, 1e6])
@pytest.mark.parametrize("b", [0.5, 1.0, 7.0, 300.0, 1e6])
def test_the_beta_distribution_is_scipys(a: float, b: float) -> None:
    middle = a / (a + b)
    spread = (middle * (1 - middle) / (a + b + 1)) ** 0.5
    for x in (middle * 1e-3, *np.clip(middle + spread * np.array([-3, -1, 0, 1, 3]), 1e-9, 1 - 1e-9)):
        assert beta_cdf(float(x), a, b) == pytest.approx(stats.beta.cdf(x, a, b), rel=1e-8, abs=1e-300)


def test_outside_of_its_range_the_beta_distribution_is_zero_or_one() -> None:
    assert (beta_cdf(-0.1, 2, 3), beta_cdf(0, 2, 3), beta_cdf(1, 2, 3), beta_cdf(1.5, 2, 3)) == (0, 0, 1, 1)
    with pytest.raises(ValueError, match="above zero"):
        beta_cdf(0.5, 0, 1)


@pytest.mark.parametrize("degrees", [1, 2.5, 7, 30, 2_466.7, 1e6, inf])
def test_students_t_is_scipys_both_ways(degrees: float) -> None:
    for t in (-40.0, -3.0, -0.5, 0.0, 1e-6, 1.0, 2.5, 8.0):
        assert t_cdf(t, degrees) == pytest.approx(stats.t.cdf(t, degrees), rel=1e-8)
    for probability in (1e-6, 0.025, 0.3, 0.5, 0.5000001, 0.9, 0.975, 0.9999):
        assert t_quantile(probability, degrees) == pytest.approx(stats.t.ppf(probability, degrees), rel=1e-7, abs=1e-9)


def test_a_quantile_of_certainty_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        t_quantile(1.0, 5)


def test_chi_squared_is_scipys() -> None:
    for value in (0.0, 0.1, 0.748886, 3.84, 10.8, 60.0):
        assert chi_squared_above(value) == pytest.approx(stats.chi2.sf(value, 1), rel=1e-10)
    for degrees in range(1, 30):
        for probability in (0.95, 0.99, 0.999):
            exact = stats.chi2.ppf(probability, degrees)
            near = 0.015 if degrees >= 4 else 0.031
            assert chi_squared_quantile(probability, degrees) == pytest.approx(exact, rel=near)


def test_the_score_of_a_t_is_as_near_as_it_says() -> None:
    for degrees in (7, 8, 12, 30, 200):
        for t in np.linspace(-10, 10, 81):
            exact = stats.norm.ppf(stats.t.cdf(t, degrees)) if t < 0 else -stats.norm.ppf(stats.t.sf(t, degrees))
            assert abs(normal_score_of_t(float(t), degrees) - exact) <= (0.01 if abs(t) <= 4 else 0.03)


def test_the_inverse_of_the_normal_has_fifteen_digits() -> None:
    for probability in (1e-12, 1e-4, 0.05, 0.5, 0.95, 1 - 1e-9):
        assert NORMAL.inv_cdf(probability) == pytest.approx(stats.norm.ppf(probability), rel=1e-14, abs=1e-15)
