"""Means and second moments against sums written out, against scipy's distributions, and against draws."""

import numpy as np
import pytest
from scipy.stats import invgamma

from profiles.value.alive import p_alive, p_order_within
from profiles.value.counts import p_at_least
from profiles.value.orders import expected_orders, order_moments_alive
from profiles.value.spend import GammaGamma, spend_variances
from profiles.value.timing import Buyer, Timing
from profiles.value.worth import sum_moments

# Horizons so long, or rates so high, that sums over the number of orders give way to integrals.
LONG = [
    (Timing(family="mbg_nbd", regularity=1, r=1.4, alpha=0.3, a=0.8, b=2.4), Buyer(0, 0.0, 0.0), 13.0),
    (Timing(family="mbg_nbd", regularity=2, r=1.4, alpha=0.3, a=0.8, b=2.4), Buyer(0, 0.0, 0.0), 13.0),
    (Timing(family="bg_nbd", regularity=3, r=0.2, alpha=0.3, a=0.8, b=2.4), Buyer(0, 0.0, 0.0), 26.0),
    (Timing(family="mbg_nbd", regularity=2, r=1.4, alpha=3.0, a=0.8, b=2.4), Buyer(30, 9.0, 10.0), 52.0),
    (Timing(family="bg_nbd", regularity=6, r=1.4, alpha=3.0, a=0.8, b=2.4), Buyer(40, 19.8, 20.0), 52.0),
    # Shops whose customers leave with nearly the same probability.
    (Timing(family="mbg_nbd", regularity=1, r=1.4, alpha=3.0, a=2_000.0, b=6_000.0), Buyer(0, 0.0, 1.0), 52.0),
    (Timing(family="bg_nbd", regularity=1, r=1.4, alpha=3.0, a=8_000.0, b=7_000.0), Buyer(1, 2.0, 2.0), 52.0),
    (Timing(family="mbg_nbd", regularity=2, r=1.4, alpha=0.3, a=4_000.0, b=6_000.0), Buyer(0, 0.0, 0.0), 52.0),
]


@pytest.mark.parametrize("model, buyer, weeks", LONG, ids=lambda part: str(getattr(part, "regularity", "")))
def test_integrals_equal_the_sums_they_stand_for(model: Timing, buyer: Buyer, weeks: float) -> None:
    tails = np.array([p_at_least(model, buyer, weeks, n) for n in range(1, 1_500)])
    n = np.arange(1, 1_500)
    alive = p_alive(model, buyer)
    first, second = order_moments_alive(model, buyer, weeks)

    assert tails[-1] < 1e-9
    assert expected_orders(model, buyer, weeks) == pytest.approx(tails.sum(), rel=1e-6)
    assert alive * first == pytest.approx(tails.sum(), rel=1e-6)
    assert alive * second == pytest.approx(((2 * n - 1) * tails).sum(), rel=1e-3)


@pytest.mark.parametrize("x, zbar", [(0, 0.0), (1, 2_000.0), (6, 900.0)])
def test_variances_of_spend_are_those_of_its_inverse_gamma(x: int, zbar: float) -> None:
    model = GammaGamma(p=4.0, q=3.7, v=3_000.0)
    mean_of_orders = invgamma(model.p * x + model.q, scale=model.p * (model.v + x * zbar))
    found = spend_variances(model, x, zbar)

    assert not isinstance(found, str)
    # A gamma variable of shape p and mean M has the variance M^2 / p.
    square = mean_of_orders.var() + mean_of_orders.mean() ** 2
    assert found == pytest.approx((mean_of_orders.var(), square / model.p), rel=1e-9)


def test_the_sum_of_order_values_has_the_moments_of_draws() -> None:
    """One customer drawn two hundred thousand times: alive or not, her rate, her chance to leave, her mean value, her orders."""
    model, spend = Timing(r=0.9, alpha=8.0, a=0.7, b=2.2), GammaGamma(p=2.5, q=6.0, v=6_000.0)
    buyer, weeks, zbar = Buyer(3, 20.0, 24.0), 26.0, 2_000.0
    rng = np.random.default_rng(5)
    draws = 200_000
    alive = rng.random(draws) < p_alive(model, buyer)
    rate = rng.gamma(model.r + 3, 1.0 / (model.alpha + 24.0), draws)
    leaves = rng.beta(model.a, model.b + 4, draws)
    orders = np.where(alive, np.minimum(rng.poisson(rate * weeks), rng.geometric(np.maximum(leaves, 1e-12))), 0)
    nu = rng.gamma(spend.p * 3 + spend.q, 1.0 / (spend.v + 3 * zbar), draws)
    sums = rng.gamma(np.maximum(spend.p * orders, 1e-12), 1.0 / nu) * (orders > 0)
    mean = spend.p * (spend.v + 3 * zbar) / (spend.p * 3 + spend.q - 1.0)
    variances = spend_variances(spend, 3, zbar)
    assert not isinstance(variances, str)
    found = sum_moments(model, buyer, weeks, mean, *variances)

    some = sums[orders > 0]
    assert found.p_any == pytest.approx(len(some) / draws, abs=0.004)
    assert found.p_any == pytest.approx(p_order_within(model, buyer, weeks))
    assert found.mean == pytest.approx(some.mean(), rel=0.01)
    assert found.variance == pytest.approx(some.var(), rel=0.03)
