"""Decayed interest: the order of events changes nothing, and the sum by definition agrees."""

from math import log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.interests import HALF_LIFE_MS, WEIGHTS, add, read, touch, unite
from profiles.state import INTERESTS_MAX, Interests, Score

DAY_MS = 86_400_000
# No deadline of its own: the suite has one, and machines differ.
few = settings(max_examples=60, deadline=None)
moments = st.integers(0, 400 * DAY_MS)
weights = st.sampled_from(sorted(WEIGHTS.values()))
scored = st.lists(st.tuples(moments, weights), min_size=1, max_size=20)


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    events = draw(scored)
    return events, draw(st.permutations(events))


def fold(events: list[tuple[int, float]]) -> Score:
    scores: dict[str, Score] = {}
    for at_ms, weight in events:
        add(scores, "x", weight, at_ms)
    return scores["x"]


@few
@given(orders=shuffled())
def test_the_order_of_events_changes_nothing(orders: tuple[list[tuple[int, float]], list[tuple[int, float]]]) -> None:
    one, other = fold(orders[0]), fold(orders[1])

    assert one.at_ms == other.at_ms
    assert one.value == pytest.approx(other.value, rel=1e-12)


@few
@given(events=scored, later=st.integers(0, 100 * DAY_MS))
def test_a_score_is_the_sum_of_its_decayed_weights(events: list[tuple[int, float]], later: int) -> None:
    now_ms = max(at_ms for at_ms, _ in events) + later
    by_definition = sum(weight * 0.5 ** ((now_ms - at_ms) / HALF_LIFE_MS) for at_ms, weight in events)

    assert read(fold(events), now_ms) == pytest.approx(by_definition, rel=1e-9)


@few
@given(names=st.lists(st.tuples(st.integers(0, 60), moments, weights), max_size=200))
def test_interests_stay_bounded_and_the_strongest_stay(names: list[tuple[int, int, float]]) -> None:
    scores: dict[str, Score] = {}
    for name, at_ms, weight in names:
        weakest_before = min((log2(s.value) + s.at_ms / HALF_LIFE_MS for s in scores.values()), default=None)
        full = len(scores) == INTERESTS_MAX
        add(scores, str(name), weight, at_ms)

        assert len(scores) <= INTERESTS_MAX
        if full and weakest_before is not None:
            assert min(log2(s.value) + s.at_ms / HALF_LIFE_MS for s in scores.values()) >= weakest_before


@few
@given(mine=scored, theirs=scored)
def test_two_profiles_united_are_as_interested_as_one_that_saw_all(
    mine: list[tuple[int, float]], theirs: list[tuple[int, float]]
) -> None:
    one, other, both = Interests(), Interests(), Interests()
    for target, events in ((one, mine), (other, theirs), (both, [*mine, *theirs])):
        for at_ms, weight in events:
            add(target.brands, "acme", weight, at_ms)
    unite(one, other)

    assert one.brands["acme"].at_ms == both.brands["acme"].at_ms
    assert one.brands["acme"].value == pytest.approx(both.brands["acme"].value, rel=1e-12)


def test_the_reference_sum_is_met() -> None:
    # Half-life 30 days, weights 1, 2, 1 on days 0, 10, 45, read on day 60: 2^-2 + 2*2^-(50/30) + 2^-(15/30).
    scores: dict[str, Score] = {}
    for day, weight in ((10, 2.0), (45, 1.0), (0, 1.0)):
        add(scores, "x", weight, day * DAY_MS, 30 * DAY_MS)

    assert read(scores["x"], 60 * DAY_MS, 30 * DAY_MS) == pytest.approx(1.587067306134, abs=1e-12)


def test_a_purchase_speaks_for_category_brand_and_occasion() -> None:
    interests = Interests()
    touch(interests, "purchase", "garden/tools", "acme", ("spring", "gift"), 5)

    assert interests.categories == {"garden/tools": Score(5.0, 5)}
    assert interests.brands == {"acme": Score(5.0, 5)}
    assert interests.occasions == {"spring": Score(5.0, 5), "gift": Score(5.0, 5)}


def test_nothing_is_read_into_the_future_of_an_event() -> None:
    assert read(Score(4.0, 100), 50) == 4.0
