"""The fit finds what generated the data: exponential gaps, a new key, what the merchant says, those who left."""

from math import exp, log
from typing import Any

import numpy as np
import pytest

from profiles.insight.repurchase import clock_of
from profiles.insight.rhythm import Rhythm, contribution, pace, record
from profiles.insight.tallies import Tally, add
from streams.insight.fit_repurchase import OWN_SHAPE_GAPS, fit_repurchase

START, TODAY = 17_000, 18_000


def history(random: np.random.Generator, mean_days: float, leaves: float = 0.0) -> Rhythm:
    """Purchases with exponential gaps (in whole days) from a day between START and TODAY on; may leave after each."""
    rhythm = Rhythm()
    day = START + random.uniform(0, TODAY - START)
    while day < TODAY:
        record(rhythm, int(day))
        if random.random() < leaves:
            break
        day += max(1.0, random.exponential(mean_days))
    return rhythm


def counters_of(customers: int, **history_of: Any) -> Tally:
    random = np.random.default_rng(20_260)
    total: Tally = {}
    for _ in range(customers):
        add(total, contribution(history(random, **history_of)))
    return total


@pytest.mark.parametrize("mean_days", [8.0, 60.0])
def test_exponential_gaps_are_recovered_although_every_customer_has_an_open_one(mean_days: float) -> None:
    model = fit_repurchase({"tea": counters_of(1_500, mean_days=mean_days)}, TODAY)
    clock = clock_of(model, "tea", pace(Rhythm([TODAY])))

    for horizon in (0.5, 1.0, 2.0):
        # Gaps are whole days, rounded up or down with the day of the purchase.
        assert clock.probability(0, horizon * mean_days) == pytest.approx(1 - exp(-horizon), abs=0.03)


def test_without_open_intervals_the_chances_would_come_out_too_high() -> None:
    counters = counters_of(1_500, mean_days=60.0, leaves=0.3)
    without = {name: count for name, count in counters.items() if name[0] != "o"}
    here, rosy = (
        clock_of(fit_repurchase({"tea": tally}, TODAY), "tea", pace(Rhythm([TODAY]))) for tally in (counters, without)
    )

    # 70 % stay, so 70 % of 1 - 1/e buy within the mean gap.
    assert here.probability(0, 60) == pytest.approx(0.7 * (1 - exp(-1)), abs=0.04)
    assert rosy.probability(0, 60) - here.probability(0, 60) > 0.1


def test_a_key_with_little_of_its_own_takes_the_pooled_shape_at_the_merchants_pace() -> None:
    counters = {"tea": counters_of(1_500, mean_days=20.0), "oil": contribution(Rhythm([TODAY - 5]))}
    model = fit_repurchase(counters, TODAY, {"oil": 80.0})

    assert model.keys["tea"].gaps >= OWN_SHAPE_GAPS
    assert model.keys["tea"].shapes is not None
    assert model.keys["oil"].shapes is None
    assert exp(model.keys["oil"].location) == pytest.approx(80, rel=1e-4)
    tea, oil = (clock_of(model, key, pace(Rhythm([TODAY]))) for key in ("tea", "oil"))
    typical = exp(model.keys["tea"].location)
    assert oil.probability(0, 80) == pytest.approx(tea.probability(0, typical), abs=0.02)


def test_variances_within_and_between_customers_are_told_apart() -> None:
    random = np.random.default_rng(7)
    total: Tally = {}
    for _ in range(800):
        typical = random.normal(log(40), 0.5)
        days = np.cumsum([START, *np.maximum(1, np.rint(np.exp(random.normal(typical, 0.7, 12))))])
        add(total, contribution(Rhythm([int(day) for day in days])))
    key = fit_repurchase({"tea": total}, TODAY).keys["tea"]

    assert key.location == pytest.approx(log(40), abs=0.05)
    assert key.within == pytest.approx(0.49, rel=0.05)
    assert key.between == pytest.approx(0.25, rel=0.12)


def test_with_nothing_learned_there_is_a_sensible_table() -> None:
    model = fit_repurchase({}, TODAY)
    clock = clock_of(model, "anything", pace(Rhythm([TODAY])), supply_days=30)

    assert clock.day_at(0.5) == pytest.approx(30, rel=0.1)
    assert 0.1 < clock.outlook(7).confidence < 0.4


def test_the_same_counters_give_the_same_table() -> None:
    counters = counters_of(100, mean_days=20.0)
    backwards = dict(reversed(list(counters.items())))

    assert fit_repurchase({"tea": counters}, TODAY) == fit_repurchase({"tea": backwards}, TODAY)


def test_counters_below_zero_are_refused_with_their_name() -> None:
    with pytest.raises(ValueError, match=r"tea: counter c0\.5 stands at -1"):
        fit_repurchase({"tea": {"c0.5": -1}}, TODAY)
    with pytest.raises(ValueError, match="tea: 0 gaps of 2 customers"):
        fit_repurchase({"tea": {"customers": 2}}, TODAY)
