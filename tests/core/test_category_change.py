"""Change in what a customer buys: the distance, its false alarms, and the order of events."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from profiles.insight.change import categories
from profiles.insight.change.categories import CATEGORIES_MAX, Shares, divergence, observe, samples
from profiles.insight.change.shift import Shift

STEADY = {"milk": 5, "bread": 4, "fruit": 3, "wine": 1, "soap": 1}
OTHER = {"nappies": 5, "milk": 4, "baby food": 4, "bread": 1}


def shopping(random: Random, tastes: dict[str, int], days: range) -> list[tuple[int, frozenset[str]]]:
    """An order about once a week, of one category each, so that purchases are independent draws."""
    names, weights = list(tastes), list(tastes.values())
    return [(day + random.randrange(3), frozenset(random.choices(names, weights))) for day in days]


def told(state: Shares, orders: list[tuple[int, frozenset[str]]]) -> list[Shift]:
    return [shift for day, bought in orders if (shift := observe(state, day, bought)) is not None]


def test_the_divergence_is_scipys() -> None:
    late, long = {"a": 3.0, "b": 1.0, "c": 0.0}, {"a": 2.0, "b": 2.0, "c": 4.0}

    assert divergence(late, long) == pytest.approx(stats.entropy([3, 1, 0], [2, 2, 4]))


def test_a_steady_customer_gives_few_false_alarms() -> None:
    random = Random(1)
    alarms = sum(bool(told(Shares(), shopping(random, STEADY, range(0, 730, 4)))) for _ in range(150))

    assert alarms <= 4  # 3 % in two years, 180 orders


def test_a_new_life_is_noticed_once_and_explained() -> None:
    random, noticed = Random(2), 0
    for _ in range(60):
        state = Shares()
        assert not told(state, shopping(random, STEADY, range(0, 300, 4)))
        shifts = told(state, shopping(random, OTHER, range(300, 500, 4)))
        noticed += len(shifts) == 1 and shifts[0].observations >= categories.PURCHASES_MIN
        if shifts:
            assert shifts[0].measure == "categories"
            assert shifts[0].path[0] >= categories.DIVERGENCE_MIN
            assert (shifts[0].after > shifts[0].before) == (shifts[0].direction == "up")
            assert shifts[0].detail in STEADY | OTHER

    assert noticed >= 48


def test_after_an_alarm_nothing_is_before_until_time_has_passed() -> None:
    state, random = Shares(), Random(3)
    told(state, shopping(random, STEADY, range(0, 300, 4)))
    for order in shopping(random, OTHER, range(300, 600, 4)):
        if observe(state, *order) is not None:
            break
    late, before = samples(state, state.since_day or 0)

    assert sum(late.values()) > 5
    assert sum(before.values()) == pytest.approx(0, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_order_of_arrival_leaves_no_trace(data: st.DataObject) -> None:
    # As many as stay below any alarm, after which the past is another one.
    orders = data.draw(
        st.lists(st.tuples(st.integers(0, 40), st.frozensets(st.sampled_from("abcd"), min_size=1)), max_size=4)
    )
    one, other = Shares(since_day=0), Shares(since_day=0)
    told(one, orders)
    told(other, data.draw(st.permutations(orders)))

    assert one.weights.keys() == other.weights.keys()
    for name, weights in one.weights.items():
        assert weights == pytest.approx(other.weights[name])


def test_late_and_before_are_the_sums_by_definition() -> None:
    state, days, now = Shares(), [0, 100, 170, 200], 200
    for day in days:
        observe(state, day, frozenset({"tea"}))
    late, before = samples(state, 0)
    weights = [(0.5 ** ((now - day) / 60), 0.5 ** ((now - day) / 360)) for day in days]
    fast, gone = [fast for fast, _ in weights], [slow - fast for fast, slow in weights]

    assert late["tea"] == pytest.approx(sum(fast) ** 2 / sum(value * value for value in fast))
    assert before["tea"] == pytest.approx(sum(gone) ** 2 / sum(value * value for value in gone))


def test_categories_stay_bounded_and_the_heaviest_stay() -> None:
    state = Shares()
    for _ in range(3):
        observe(state, 0, frozenset({"always"}))
    for number in range(40):
        observe(state, 0, frozenset({f"c{number}"}))

    assert len(state.weights) == CATEGORIES_MAX
    assert "always" in state.weights
