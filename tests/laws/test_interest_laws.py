"""Decayed interest: the order of events changes nothing, and the sum by definition agrees."""

from math import exp2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.interests import HALF_LIFE_MS, STEP_MS, UNITS, WEIGHTS, grown, purchase, read, touch, unite
from profiles.state import INTERESTS_MAX, Interests

DAY_MS = 86_400_000
START_MS = 7 * STEP_MS
# No deadline of its own: the suite has one, and machines differ.
few = settings(max_examples=60, deadline=None)
moments = st.integers(START_MS, START_MS + STEP_MS - 1)
weights = st.sampled_from(sorted(WEIGHTS.values()))
scored = st.lists(st.tuples(moments, weights), min_size=1, max_size=20)
over_years = st.lists(st.tuples(st.integers(START_MS, START_MS + 9 * STEP_MS), weights), min_size=1, max_size=20)


def fold(events: list[tuple[int, float]]) -> Interests:
    interests = Interests()
    for at_ms, weight in events:
        touch(interests, weight, "x", None, (), at_ms)
    return interests


def score(interests: Interests, now_ms: int, name: str = "x") -> float:
    return read(interests.categories[name], interests.landmark_ms, now_ms)


@few
@given(events=scored, data=st.data())
def test_within_a_step_the_order_of_events_changes_nothing_at_all(
    events: list[tuple[int, float]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(events))

    assert fold(events) == fold(shuffled)


@few
@given(events=over_years, data=st.data())
def test_over_the_years_it_changes_less_than_can_be_shown(events: list[tuple[int, float]], data: st.DataObject) -> None:
    now_ms = max(at_ms for at_ms, _ in events)
    one, other = fold(events), fold(data.draw(st.permutations(events)))

    assert score(one, now_ms) == pytest.approx(score(other, now_ms), abs=len(events) / UNITS)


@few
@given(events=over_years, later=st.integers(0, 100 * DAY_MS))
def test_a_score_is_the_sum_of_its_decayed_weights(events: list[tuple[int, float]], later: int) -> None:
    now_ms = max(at_ms for at_ms, _ in events) + later
    by_definition = sum(weight * exp2(-(now_ms - at_ms) / HALF_LIFE_MS) for at_ms, weight in events)

    assert score(fold(events), now_ms) == pytest.approx(by_definition, abs=len(events) / UNITS)


@few
@given(names=st.lists(st.tuples(st.integers(0, 60), weights), max_size=200))
def test_interests_stay_bounded_and_the_strongest_stay(names: list[tuple[int, float]]) -> None:
    interests = Interests()
    scores = interests.categories
    for name, weight in names:
        weakest_before, full = min(scores.values(), default=0), len(scores) == INTERESTS_MAX
        touch(interests, weight, str(name), None, (), 0)

        assert len(scores) <= INTERESTS_MAX
        assert not full or min(scores.values()) >= weakest_before


@few
@given(mine=over_years, theirs=over_years)
def test_two_profiles_united_are_as_interested_as_one_that_saw_all(
    mine: list[tuple[int, float]], theirs: list[tuple[int, float]]
) -> None:
    one, both = fold(mine), fold([*mine, *theirs])
    unite(one, fold(theirs))
    now_ms = max(at_ms for at_ms, _ in (*mine, *theirs))

    assert one.landmark_ms == both.landmark_ms
    assert score(one, now_ms) == pytest.approx(score(both, now_ms), abs=(len(mine) + len(theirs)) / UNITS)


def test_the_reference_sum_is_met() -> None:
    # Published for a half-life of 30 days: weights 1, 2, 1 on days 0, 10, 45 are 1.587067306134 on day 60. In our 14 days
    # those are days 0, 14/3, 21 and 28.
    stretched = HALF_LIFE_MS / 30
    events = [(START_MS + round(day * stretched), weight) for day, weight in ((10, 2.0), (45, 1.0), (0, 1.0))]

    assert score(fold(events), START_MS + round(60 * stretched)) == pytest.approx(1.587067306134, abs=3 / UNITS)


def test_a_purchase_speaks_for_category_brand_and_occasion() -> None:
    interests = Interests()
    purchase(interests, [("garden/tools", "acme", ("spring", "gift"))], START_MS)
    units = grown(interests, WEIGHTS["purchase"], START_MS)

    assert units == 5 * UNITS
    assert interests.categories == {"garden/tools": units}
    assert interests.brands == {"acme": units}
    assert interests.occasions == {"spring": units, "gift": units}


def test_the_landmark_never_goes_back_for_a_late_event() -> None:
    interests = fold([(START_MS + STEP_MS, 1.0), (START_MS + STEP_MS - HALF_LIFE_MS, 1.0)])

    assert interests.landmark_ms == START_MS + STEP_MS
    assert score(interests, START_MS + STEP_MS) == pytest.approx(1.5)
