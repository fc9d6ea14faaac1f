"""The likelihood over grouped counts: equal to the sum over customers, to the integral it stands for, and to its own slope."""

from itertools import pairwise
from math import exp, lgamma, log
from time import process_time
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import betaln, gammaincc, gammaln
from scipy.stats import gamma

from profiles.value.alive import p_alive, p_order_within
from profiles.value.history import history_of
from profiles.value.tallies import tallies
from profiles.value.timing import Buyer, Family, Timing
from streams.fitting.build import FitPlan, fit_model
from streams.fitting.likelihood import TimingLikelihood, timing_counts
from streams.fitting.population import population_of
from streams.fitting.timing import fit_timing
from tests.models.simulator import counters_of, simulate

Floats = NDArray[np.float64]
FAMILIES = get_args(Family)


def naive(model: Timing, x: Floats, t_x: Floats, age: Floats) -> Floats:
    """One customer at a time, as the papers write it (k = 1)."""
    o = model.leaves_at_first
    chances = x + o
    alive = -(model.r + x) * np.log(model.alpha + age)
    with np.errstate(divide="ignore"):
        gone = np.log(np.where(chances > 0, model.a / (model.b + np.maximum(chances, 1) - 1), 0.0))
    gone = gone - (model.r + x) * np.log(model.alpha + t_x)
    orders = gammaln(model.r + x) - gammaln(model.r) + model.r * log(model.alpha)
    stays = betaln(model.a, model.b + chances) - betaln(model.a, model.b)
    return np.asarray(orders + stays + np.logaddexp(alive, gone), np.float64)


@pytest.mark.parametrize("family", FAMILIES)
def test_grouping_changes_nothing(family: Family) -> None:
    made = simulate(Timing(family=family, r=0.6, alpha=4.5, a=0.8, b=2.4), 20_000, 365, 364, seed=5)
    x, last = made.until(364)
    likelihood = TimingLikelihood(timing_counts(population_of(counters_of(x, made.first_day, last)), 364), family, 1)
    model = Timing(family=family, r=0.7, alpha=5.1, a=0.9, b=2.2)

    one_by_one = naive(model, x.astype(np.float64), (last - made.first_day) / 7, (364 - made.first_day) / 7).sum()
    assert likelihood.value(model) == pytest.approx(one_by_one, rel=1e-12)


def integrated(model: Timing, days: list[int], today: int) -> tuple[float, float]:
    """The likelihood of purchase days and P(alive) at the end, by integrating the story over the rate of ticks.

    Given rate and p: the density of every gap, a coin after every order, and silence since the last one or a coin that fell.
    """
    k, o, x = model.regularity, model.leaves_at_first, len(days) - 1
    gaps = [(b - a) / 7 for a, b in pairwise(days)]
    silent = (today - days[-1]) / 7
    stays = exp(betaln(model.a, model.b + x + o) - betaln(model.a, model.b))
    leaves = exp(betaln(model.a + 1, model.b + x + o - 1) - betaln(model.a, model.b)) if x + o else 0.0

    def weighted(rate: float, end: float) -> float:
        density = float(gamma.pdf(rate, model.r, scale=1 / model.alpha))
        for gap in gaps:
            density *= rate**k * gap ** (k - 1) * exp(-rate * gap - lgamma(k))
        return density * end

    def quiet(rate: float) -> float:
        return float(gammaincc(k, rate * silent)) if silent else 1.0

    alive = stays * quad(lambda rate: weighted(rate, quiet(rate)), 0, np.inf, limit=200, epsrel=1e-11)[0]
    gone = leaves * quad(lambda rate: weighted(rate, 1.0), 0, np.inf, limit=200, epsrel=1e-11)[0] if x + o else 0.0
    return alive + gone, alive / (alive + gone)


STORIES = [([0], 70), ([0, 21], 70), ([0, 14, 35, 42], 50), ([0, 7, 14, 21, 28, 35], 140), ([0, 30], 30)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("regularity", [1, 2, 3, 6])
@pytest.mark.parametrize("days, today", STORIES)
def test_likelihood_and_alive_are_integrals_of_the_story(
    family: Family, regularity: int, days: list[int], today: int
) -> None:
    model = Timing(family=family, regularity=regularity, r=1.6, alpha=2.5, a=0.8, b=2.4)
    likelihood, alive = integrated(model, days, today)
    counters = tallies(history_of((day, 100, 10) for day in days))
    ours = TimingLikelihood(timing_counts(population_of(counters), today), family, regularity).value(model)

    # Sums of logarithms of gaps are kept in millionths.
    assert ours == pytest.approx(log(likelihood), abs=1e-5)
    assert p_alive(model, Buyer(len(days) - 1, days[-1] / 7, today / 7)) == pytest.approx(alive, rel=1e-7)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("regularity", [1, 2, 4])
def test_the_probability_of_an_order_soon_is_what_silence_would_cost(family: Family, regularity: int) -> None:
    """P(alive at T) (1 - P(order soon | alive)) is the likelihood of being alive and silent until later, over that of now."""
    model = Timing(family=family, regularity=regularity, r=1.6, alpha=2.5, a=0.8, b=2.4)
    days, today, later = [0, 14, 35, 42], 50, 71
    now, _ = integrated(model, days, today)
    then, alive_then = integrated(model, days, later)
    buyer = Buyer(3, 6.0, today / 7)

    silent_and_alive = then * alive_then / now
    assert p_alive(model, buyer) - p_order_within(model, buyer, 3.0) == pytest.approx(silent_and_alive, rel=1e-7)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("regularity", [1, 3])
def test_the_gradient_is_the_slope(family: Family, regularity: int) -> None:
    made = simulate(Timing(family=family, regularity=regularity, r=1.0, alpha=2.0, a=0.8, b=2.4), 300, 200, 364, seed=2)
    x, last = made.until(364)
    counters = counters_of(x, made.first_day, last, made.log_gaps(364))
    likelihood = TimingLikelihood(timing_counts(population_of(counters), 364), family, regularity)
    at = np.array([1.3, 2.9, 0.7, 2.0])
    steps = np.diag(1e-5 * at)

    slope = [(likelihood.at(at + step)[0] - likelihood.at(at - step)[0]) / (2 * step.sum()) for step in steps]
    assert likelihood.at(at)[1] == pytest.approx(slope, rel=1e-5, abs=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_a_million_customers_are_fitted_within_a_second_of_work(family: Family) -> None:
    made = simulate(Timing(family=family, r=0.6, alpha=4.5, a=0.8, b=2.4), 1_000_000, 365, 364, seed=1)
    x, last = made.until(364)
    counters = counters_of(x, made.first_day, last)
    work = []
    for _ in range(3):
        before = process_time()
        fit = fit_timing(population_of(counters), 364, family)
        work.append(process_time() - before)

    one_by_one = naive(fit.parameters, x.astype(np.float64), (last - made.first_day) / 7, (364 - made.first_day) / 7)
    assert fit.log_likelihood == pytest.approx(one_by_one.sum(), rel=1e-6)
    assert min(work) <= 1.0


@pytest.mark.long
def test_all_that_a_fit_makes_of_a_million_customers_takes_a_second_of_work() -> None:
    """From counters to the document: ordering, spend, margin, cut points, and the outlook that recalibration will need."""
    made = simulate(Timing(r=0.6, alpha=4.5, a=0.8, b=2.4), 1_000_000, 365, 364, seed=1)
    x, last = made.until(364)
    counters = counters_of(x, made.first_day, last, made.log_gaps(364))
    work = []
    for _ in range(3):
        before = process_time()
        model = fit_model(counters, 364, FitPlan(currency="EUR"))
        work.append(process_time() - before)

    assert model.timing is not None
    assert model.outlook is not None
    assert min(work) <= 1.0
