"""Change in behaviour: average run lengths as published, alarms with their evidence, and other people's detectors."""

from math import exp, log
from random import Random

import numpy as np
import pytest
from scipy import stats

from profiles.insight.change import cusum, order_value, returns
from profiles.insight.change.cusum import Cusum
from profiles.insight.change.order_value import OrderValues
from profiles.insight.change.returns import Returns


def cusum_run(random: Random, shift: float, limit: float) -> int:
    """Standard scores until the first alarm."""
    state, count = Cusum(), 0
    while True:
        count += 1
        if cusum.observe(state, random.gauss(shift, 1), limit=limit) is not None:
            return count


def average_run(run: int, limit: float, shift: float, seed: int = 1) -> tuple[float, float]:
    """Mean run length and its standard error."""
    random = Random(seed)
    lengths = [cusum_run(random, shift, limit) for _ in range(run)]
    return float(np.mean(lengths)), float(np.std(lengths) / run**0.5)


# Montgomery, Introduction to Statistical Quality Control, table 9.3: k = 1/2, two-sided.
RUN_LENGTHS = [
    (4.0, 0.0, 168.0),
    (4.0, 1.0, 8.38),
    (4.0, 2.0, 3.34),
    (5.0, 0.0, 465.0),
    (5.0, 0.5, 38.0),
    (5.0, 1.0, 10.4),
    (5.0, 2.0, 4.01),
]


@pytest.mark.parametrize("limit, shift, published", RUN_LENGTHS)
def test_the_cumulative_sum_has_the_published_run_lengths(limit: float, shift: float, published: float) -> None:
    found, error = average_run(600 if shift == 0 else 2_000, limit, shift)

    assert found == pytest.approx(published, abs=3 * error)


@pytest.mark.long
@pytest.mark.parametrize("limit, shift, published", RUN_LENGTHS)
def test_the_published_run_lengths_to_two_percent(limit: float, shift: float, published: float) -> None:
    found, _ = average_run(20_000, limit, shift, seed=2)

    assert found == pytest.approx(published, rel=0.02)


def test_an_alarm_tells_from_what_to_what_and_starts_anew() -> None:
    state, mean, deviation = Cusum(), log(20), 0.5
    found = None
    for day in range(20):
        found = cusum.observe_gap(state, log(20) if day < 5 else log(20) + 2 * deviation, mean, deviation)
        if found is not None:
            break
    assert found is not None

    assert (found.measure, found.direction, found.observations) == ("interval", "up", 4)
    assert found.before == 20.0
    assert found.after == pytest.approx(20 * exp(2 * deviation), rel=0.01)
    assert found.path == (2.0, 2.0, 2.0, 2.0)
    assert (state.above, state.below, state.above_run) == (0.0, 0.0, 0)
    assert cusum.observe(state, 0.0) is None
    assert state.path == [0.0]


def test_shorter_gaps_are_a_change_too() -> None:
    state = Cusum()
    shifts = [cusum.observe(state, -1.5) for _ in range(6)]

    assert shifts[:5] == [None] * 5
    assert shifts[5] == pytest.approx(-1.5)


def test_silence_is_news_when_only_one_gap_in_twenty_lasts_longer() -> None:
    mean, deviation = 3.0, 0.7

    days = cusum.silence_days(mean, deviation)

    assert stats.lognorm(deviation, scale=exp(mean)).sf(days) == pytest.approx(0.05)
    shift = cusum.silence(mean, deviation, days)
    assert (shift.before, shift.after) == pytest.approx((20.1, round(days, 1)))
    assert shift.path == (1.645,)


@pytest.mark.long
def test_the_sum_finds_a_shift_when_page_hinkley_does_and_sooner_than_adwin() -> None:
    """Page-Hinkley is the same sum against a running mean; ADWIN needs no idea of the shift and pays for it."""
    from river.drift import ADWIN, PageHinkley  # two seconds to import

    ours, theirs, windows = list[int](), list[int](), list[int]()
    for seed in range(60):
        random = Random(seed)
        scores = [random.gauss(0, 1) for _ in range(300)] + [random.gauss(1, 1) for _ in range(300)]
        state = Cusum()
        page = PageHinkley(min_instances=1, delta=0.5, threshold=5.0, alpha=1.0, mode="up")
        adwin = ADWIN()
        found = [600, 600, 600]
        for place, score in enumerate(scores):
            shift = cusum.observe(state, score)
            page.update(score)
            adwin.update(score)
            for detector, alarm in enumerate(
                (shift is not None and shift > 0, page.drift_detected, adwin.drift_detected)
            ):
                if alarm:
                    found[detector] = min(found[detector], place)
        if min(found[:2]) >= 300:
            ours.append(found[0])
            theirs.append(found[1])
            windows.append(found[2])

    assert len(ours) >= 25
    assert np.median(np.abs(np.subtract(ours, theirs))) <= 1
    assert np.median(ours) < np.median(windows)


# Montgomery, table 9.11: weight 0.2, L = 2.962.
@pytest.mark.parametrize("shift, published", [(0.0, 500.0), (0.5, 41.8), (1.0, 10.5), (2.0, 3.7)])
def test_the_moving_average_has_the_published_run_lengths(shift: float, published: float) -> None:
    random, lengths = Random(3), []
    for _ in range(600 if shift == 0 else 2_000):
        average, count = 0.0, 0
        while abs(average) <= order_value.LIMIT:
            average = order_value.moved(average, random.gauss(shift, 1))
            count += 1
        lengths.append(count)

    assert np.mean(lengths) == pytest.approx(published, abs=3 * np.std(lengths) / len(lengths) ** 0.5 + 0.05)


def orders_until_alarm(random: Random, orders: int, shift_after: int, factor: float) -> int | None:
    state = OrderValues()
    for count in range(orders):
        value = exp(random.gauss(8, 0.6)) * (factor if count >= shift_after else 1.0)
        if order_value.observe(state, round(value)) is not None:
            return count
    return None


def test_a_steady_customer_is_left_alone_although_her_past_is_short() -> None:
    random = Random(4)
    alarms = [orders_until_alarm(random, 58, 10**9, 1.0) for _ in range(1_500)]

    # 50 judged orders; a run length of 500 gives 1 - exp(-50/500) = 9.5 %.
    assert np.mean([alarm is not None for alarm in alarms]) == pytest.approx(0.095, abs=0.03)


def test_a_customer_who_spends_double_is_noticed() -> None:
    random = Random(5)
    alarms = [orders_until_alarm(random, 60, 30, 2.0) for _ in range(400)]

    assert np.mean([alarm is not None and 30 <= alarm < 50 for alarm in alarms]) > 0.6


def test_a_value_alarm_tells_amounts_and_starts_a_new_past() -> None:
    state, shift = OrderValues(), None
    for value in [1_000, 1_100, 900, 1_050, 950, 1_000, 1_080, 920, 1_010, 990]:
        assert order_value.observe(state, value) is None
    for _ in range(10):
        shift = order_value.observe(state, 3_000)
        if shift is not None:
            break

    assert shift is not None
    assert shift.direction == "up"
    assert shift.before == pytest.approx(1_000, rel=0.01)
    assert shift.after == 3_000
    assert state.orders == 1


def test_orders_of_no_value_and_equal_ones_say_nothing() -> None:
    state = OrderValues()
    for value in [0, -5, *[500] * 20]:
        assert order_value.observe(state, value) is None

    assert state.orders == 20


def test_the_probability_of_a_high_return_rate_is_the_posteriors() -> None:
    by_scipy = stats.beta(20 * 0.1 + 8, 20 * 0.9 + 12).sf(0.15)

    assert returns.probability_above(8, 20, 0.1, 1.5) == pytest.approx(by_scipy)
    assert returns.probability_above(3, 3, 0.8, 1.5) == 0.0  # 120 % is no rate
    assert returns.probability_above(3, 3, 0.0, 1.5) == 0.0


def test_many_returns_are_one_alarm_until_the_rate_has_sunk() -> None:
    state = Returns()
    assert returns.observe(state, 10, 1, 0.1) is None
    shift = returns.observe(state, 10, 8, 0.1)
    assert shift is not None
    assert (shift.before, shift.after, shift.observations) == pytest.approx((0.1, 11 / 40, 20), abs=1e-3)

    assert returns.observe(state, 2, 2, 0.1) is None
    assert state.high
    assert returns.observe(state, 60, 1, 0.1) is None
    assert not state.high


def test_two_returns_are_no_case() -> None:
    assert returns.observe(Returns(), 2, 2, 0.01) is None
