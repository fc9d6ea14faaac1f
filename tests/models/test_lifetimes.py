"""Against `lifetimes`, an implementation that shares nothing with ours: on CDNOW and on customers made from a seed.

lifetimes rescales times before it fits, so likelihoods are compared at its parameters by ours. Its import sets an option that
pandas no longer has; the warning is its own.
"""

import warnings
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from profiles.value.alive import p_alive
from profiles.value.counts import p_at_least
from profiles.value.orders import expected_orders
from profiles.value.spend import GammaGamma, mean_spend
from profiles.value.timing import Buyer, Family, Timing
from streams.fitting.likelihood import TimingLikelihood, timing_counts
from streams.fitting.population import population_of
from streams.fitting.spend import fit_spend_rows
from streams.fitting.timing import fit_timing
from tests.models import cdnow
from tests.models.simulator import counters_of, simulate

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def lifetimes() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("lifetimes")


def fitter(lifetimes: ModuleType, family: Family) -> Any:
    return lifetimes.BetaGeoFitter() if family == "bg_nbd" else lifetimes.ModifiedBetaGeoFitter()


@pytest.mark.parametrize("family", ["bg_nbd", "mbg_nbd"])
def test_both_fit_cdnow_alike_and_agree_on_every_customer(lifetimes: ModuleType, family: Family) -> None:
    rows = cdnow.buyers("sample")
    other = fitter(lifetimes, family)
    other.fit(rows.x, rows.t_x, rows.age)
    population = cdnow.population("sample")
    ours = fit_timing(population, cdnow.CALIBRATED_UNTIL, family)
    r, alpha, a, b = (float(other.params_[name]) for name in ("r", "alpha", "a", "b"))
    theirs = Timing(family=family, r=r, alpha=alpha, a=a, b=b)

    likelihood = TimingLikelihood(timing_counts(population, cdnow.CALIBRATED_UNTIL), family, 1)
    assert -1e-9 < ours.log_likelihood - likelihood.value(theirs) < 0.01
    alive = other.conditional_probability_alive(rows.x, rows.t_x, rows.age)
    orders = other.conditional_expected_number_of_purchases_up_to_time(39.0, rows.x, rows.t_x, rows.age)
    buyers = [
        Buyer(x, t_x, age) for x, t_x, age in zip(rows.x.tolist(), rows.t_x.tolist(), rows.age.tolist(), strict=True)
    ]
    assert [p_alive(theirs, buyer) for buyer in buyers] == pytest.approx(np.ravel(alive), rel=1e-9)
    assert [expected_orders(theirs, buyer, 39.0) for buyer in buyers] == pytest.approx(np.ravel(orders), rel=1e-7)


@pytest.mark.parametrize("family", ["bg_nbd", "mbg_nbd"])
def test_both_fit_made_up_customers_alike(lifetimes: ModuleType, family: Family) -> None:
    made = simulate(Timing(family=family, r=0.8, alpha=9.0, a=0.7, b=2.0), 3_000, 180, 364, seed=11)
    x, last = made.until(364)
    other = fitter(lifetimes, family)
    other.fit(x, (last - made.first_day) / 7, (364 - made.first_day) / 7)
    ours = fit_timing(population_of(counters_of(x, made.first_day, last)), 364, family).parameters

    theirs = [float(other.params_[name]) for name in ("r", "alpha", "a", "b")]
    assert [ours.r, ours.alpha, ours.a, ours.b] == pytest.approx(theirs, rel=0.01)


def test_both_count_new_customers_orders_alike(lifetimes: ModuleType) -> None:
    other = lifetimes.BetaGeoFitter()
    other.params_ = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    model, new = Timing(family="bg_nbd", r=0.243, alpha=4.414, a=0.793, b=2.426), Buyer(0, 0.0, 0.0)
    for n in range(1, 12):
        point = p_at_least(model, new, 30.0, n) - p_at_least(model, new, 30.0, n + 1)

        assert point == pytest.approx(float(other.probability_of_n_purchases_up_to_time(30.0, n)), rel=1e-7)


def test_both_fit_spend_alike(lifetimes: ModuleType) -> None:
    rows = cdnow.buyers("sample")
    spent = rows.repeat_dollars > 0
    x = rows.x[spent]
    means = rows.repeat_dollars[spent] / x
    other = lifetimes.GammaGammaFitter()
    other.fit(x, means)
    ours = fit_spend_rows(x, means, np.ones_like(x), 0).parameters

    p, q, v = (float(other.params_[name]) for name in ("p", "q", "v"))
    assert (ours.p, ours.q, ours.v) == pytest.approx((p, q, v), rel=1e-3)
    expected = other.conditional_expected_average_profit(x, means)
    theirs = GammaGamma(p=p, q=q, v=v)
    found = [mean_spend(theirs, n, mean) for n, mean in zip(x.tolist(), means.tolist(), strict=True)]
    assert found == pytest.approx(np.ravel(expected), rel=1e-9)
