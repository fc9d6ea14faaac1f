"""Made-up customers, whose future is known: parameters come back, predictions come true, intervals hold what they promise."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from profiles.value.alive import p_order_within
from profiles.value.counts import order_interval, p_at_least
from profiles.value.history import history_of
from profiles.value.margin import (
    NormalNormal,
    margin_variances,
    mean_margin,
    mean_margin_interval,
    order_margin_interval,
)
from profiles.value.orders import expected_orders
from profiles.value.spend import GammaGamma, mean_interval, mean_spend, order_value_interval, spend_variances
from profiles.value.tallies import tallies
from profiles.value.timing import Buyer, Timing
from profiles.value.worth import positive_interval, signed_interval, sum_moments
from streams.fitting.population import population_of
from streams.fitting.spend import fit_margin, fit_spend_rows
from streams.fitting.timing import fit_regular_timing, fit_timing
from tests.models.simulator import Shop, counters_of, simulate

Floats = NDArray[np.float64]

SLOW = Timing(family="mbg_nbd", r=0.9, alpha=14.0, a=0.7, b=2.2)
"""A few orders a year: two on one day, which a shop can't tell from one, are rare."""
BG = Timing(family="bg_nbd", r=0.9, alpha=14.0, a=0.7, b=2.2)
REGULAR = Timing(family="mbg_nbd", regularity=3, r=1.4, alpha=6.0, a=0.7, b=2.2)
TODAY, LATER = 364, 364 + 91


def buyers_of(shop: Shop, today: int = TODAY) -> list[Buyer]:
    x, last = shop.until(today)
    rows = zip(x.tolist(), (last - shop.first_day).tolist(), (today - shop.first_day).tolist(), strict=True)
    return [Buyer(n, recency / 7, age / 7) for n, recency, age in rows]


@pytest.mark.parametrize("model", [SLOW, BG, REGULAR], ids=["mbg_nbd", "bg_nbd", "mbg_cnbd_3"])
def test_parameters_come_back(model: Timing) -> None:
    shop = simulate(model, 40_000, 300, TODAY, seed=1)
    x, last = shop.until(TODAY)
    counters = counters_of(x, shop.first_day, last, shop.log_gaps(TODAY))
    fit = fit_timing(population_of(counters), TODAY, model.family, model.regularity)

    for name in ("r", "alpha", "a", "b"):
        # Rounding to days and joining what is bought on one day moves r and alpha by about a standard error of this many.
        away = abs(getattr(fit.parameters, name) - getattr(model, name))
        assert away < 3.5 * fit.standard_errors[name], (name, fit)


def test_the_regularity_of_orders_is_recognised() -> None:
    shop = simulate(REGULAR, 3_000, 300, TODAY, seed=3)
    x, last = shop.until(TODAY)
    counters = counters_of(x, shop.first_day, last, shop.log_gaps(TODAY))

    assert fit_regular_timing(population_of(counters), TODAY).parameters.regularity == 3


@pytest.mark.parametrize("model", [SLOW, BG, REGULAR], ids=["mbg_nbd", "bg_nbd", "mbg_cnbd_3"])
def test_predictions_come_true_at_every_frequency(model: Timing) -> None:
    """Expected orders and P(order) within 13 weeks, summed over customers of like x, against what they did."""
    shop = simulate(model, 12_000, 300, LATER, seed=4)
    buyers, actual = buyers_of(shop), shop.between(TODAY, LATER)
    expected = np.array([expected_orders(model, buyer, 13.0) for buyer in buyers])
    likely = np.array([p_order_within(model, buyer, 13.0) for buyer in buyers])
    group = np.minimum([buyer.x for buyer in buyers], 5)
    for x in range(6):
        orders, some = actual[group == x], actual[group == x] > 0

        # Four standard errors of chance; the allowance of a percent is for orders of one day that are one.
        chance = 4 * orders.std() * np.sqrt(len(orders))
        assert abs(orders.sum() - expected[group == x].sum()) < chance + 0.01 * orders.sum()
        p = likely[group == x]
        assert abs(some.sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum()) + 0.01 * some.sum()


@pytest.mark.parametrize("model", [SLOW, REGULAR], ids=["mbg_nbd", "mbg_cnbd_3"])
def test_intervals_of_orders_cover_what_they_promise(model: Timing) -> None:
    shop = simulate(model, 1_500, 300, LATER, seed=6)
    buyers, actual = buyers_of(shop), shop.between(TODAY, LATER)
    bounds = np.array([order_interval(model, buyer, 13.0) for buyer in buyers])
    covered = (bounds[:, 0] <= actual) & (actual <= bounds[:, 1])

    # Counts are whole, so the promise is "at least 90 %"; three standard errors of chance are 2.3 %.
    assert covered.mean() > 0.9 - 0.023
    # And not by being wide: where the number of orders is large, nothing is left to round.
    assert (bounds[:, 1] - bounds[:, 0]).mean() < 4.0


@pytest.mark.parametrize("model", [SLOW, REGULAR], ids=["mbg_nbd", "mbg_cnbd_3"])
def test_the_distribution_of_orders_is_the_true_one(model: Timing) -> None:
    """Randomised ranks in the predicted distribution are uniform: a stricter test than any interval."""
    shop = simulate(model, 1_500, 300, LATER, seed=8)
    rng = np.random.default_rng(0)
    ranks = []
    for buyer, orders in zip(buyers_of(shop), shop.between(TODAY, LATER).tolist(), strict=True):
        at_least = 1.0 if orders == 0 else p_at_least(model, buyer, 13.0, orders)
        more = p_at_least(model, buyer, 13.0, orders + 1)
        ranks.append(1.0 - at_least + rng.random() * (at_least - more))
    counts = np.histogram(ranks, bins=10, range=(0.0, 1.0))[0]

    # Chi-squared of 9 degrees of freedom: beyond 27.9 once in a thousand.
    assert ((counts - 150.0) ** 2 / 150.0).sum() < 27.9


SPEND = GammaGamma(p=4.0, q=3.7, v=3_000.0)
MARGIN = NormalNormal(mu=900.0, between=250_000.0, within=1_000_000.0)


def spender(rng: np.random.Generator) -> Callable[[int], Floats]:
    rate = rng.gamma(SPEND.q, 1.0 / SPEND.v)
    return lambda orders: rng.gamma(SPEND.p, 1.0 / rate, orders)


def earner(rng: np.random.Generator) -> Callable[[int], Floats]:
    own = rng.normal(MARGIN.mu, np.sqrt(MARGIN.between))
    return lambda orders: rng.normal(own, np.sqrt(MARGIN.within), orders)


def coverage(inside: list[bool]) -> float:
    return sum(inside) / len(inside)


def test_intervals_of_value_cover_nine_in_ten() -> None:
    """Of the sum of all orders in 26 weeks, where some customers order nothing and some a dozen times."""
    later = TODAY + 182
    shop = simulate(SLOW, 2_500, 300, later, seed=9)
    rng = np.random.default_rng(1)
    spent_inside, earned_inside, spent_above, earned_above = [], [], [], []
    for buyer, orders in zip(buyers_of(shop), shop.between(TODAY, later).tolist(), strict=True):
        spend, earn = spender(rng), earner(rng)
        zbar, mbar = (float(draw(buyer.x).mean()) if buyer.x else 0.0 for draw in (spend, earn))
        mean, variances = mean_spend(SPEND, buyer.x, zbar), spend_variances(SPEND, buyer.x, zbar)
        assert not isinstance(mean, str)
        assert not isinstance(variances, str)
        low, high = positive_interval(sum_moments(SLOW, buyer, 26.0, mean, *variances))
        spent = spend(orders).sum()
        spent_inside.append(low <= spent <= high)
        spent_above.append(spent > high)
        moments = sum_moments(SLOW, buyer, 26.0, mean_margin(MARGIN, buyer.x, mbar), *margin_variances(MARGIN, buyer.x))
        low, high = signed_interval(moments)
        earned = earn(orders).sum()
        earned_inside.append(low <= earned <= high)
        earned_above.append(earned > high)

    # Nothing is the lower bound for most and can't be fallen short of, so 95 % of sums of positive values are inside.
    assert coverage(spent_inside) == pytest.approx(0.95, abs=0.015)
    assert 0.89 < coverage(earned_inside) < 0.95
    # Above are 5 %, as promised.
    assert coverage(spent_above) == pytest.approx(0.05, abs=0.015)
    assert coverage(earned_above) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("x", [0, 1, 6])
def test_intervals_of_one_order_and_of_her_own_mean_cover_nine_in_ten(x: int) -> None:
    rng = np.random.default_rng(2)
    inside: dict[str, list[bool]] = {"spend": [], "value": [], "margin": [], "earning": []}
    for _ in range(1_500):
        rate = rng.gamma(SPEND.q, 1.0 / SPEND.v)
        own = rng.normal(MARGIN.mu, np.sqrt(MARGIN.between))
        zbar = float(rng.gamma(SPEND.p, 1.0 / rate, x).mean()) if x else 0.0
        mbar = float(rng.normal(own, np.sqrt(MARGIN.within), x).mean()) if x else 0.0
        for name, interval, truth in (
            ("spend", mean_interval(SPEND, x, zbar), SPEND.p / rate),
            ("value", order_value_interval(SPEND, x, zbar), rng.gamma(SPEND.p, 1.0 / rate)),
            ("margin", mean_margin_interval(MARGIN, x, mbar), own),
            ("earning", order_margin_interval(MARGIN, x, mbar), rng.normal(own, np.sqrt(MARGIN.within))),
        ):
            assert not isinstance(interval, str)
            inside[name].append(interval[0] <= truth <= interval[1])
    for name, found in inside.items():
        assert coverage(found) == pytest.approx(0.9, abs=0.027), name


def test_spend_and_margin_parameters_come_back() -> None:
    rng = np.random.default_rng(3)
    x = rng.geometric(0.3, 20_000)
    rate = rng.gamma(SPEND.q, 1.0 / SPEND.v, len(x))
    means = rng.gamma(SPEND.p * x, 1.0 / rate) / x
    fit = fit_spend_rows(x, means, np.ones_like(x), TODAY)
    for name in ("p", "q", "v"):
        assert abs(getattr(fit.parameters, name) - getattr(SPEND, name)) < 3.5 * fit.standard_errors[name]


def test_margin_parameters_come_back_from_counters() -> None:
    rng = np.random.default_rng(4)
    counters: dict[str, int] = {}
    for x in rng.geometric(0.3, 6_000).tolist():
        own = rng.normal(MARGIN.mu, np.sqrt(MARGIN.between))
        margins = rng.normal(own, np.sqrt(MARGIN.within), x + 1).round().astype(int).tolist()
        for name, count in tallies(history_of((7 * i, 5_000, m) for i, m in enumerate(margins))).items():
            counters[name] = counters.get(name, 0) + count
    found = fit_margin(population_of(counters), TODAY).parameters

    assert found.mu == pytest.approx(MARGIN.mu, rel=0.05)
    assert found.within == pytest.approx(MARGIN.within, rel=0.04)
    assert found.between == pytest.approx(MARGIN.between, rel=0.15)
