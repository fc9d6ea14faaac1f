"""A rhythm's counters are a function of the purchases alone, and by definition: whatever the order, the detours, the cuts."""

from itertools import pairwise
from math import exp, log

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.insight.rhythm import (
    BIN,
    FIRST_EDGE,
    HISTORY,
    PURCHASES_MAX,
    UNIT,
    Rhythm,
    contribution,
    pace,
    record,
    record_and_count,
    unite,
    withdraw,
)
from profiles.insight.tallies import Tally, add, difference, merged

few = settings(max_examples=60, deadline=None)
purchases = st.lists(st.tuples(st.integers(17_000, 17_400), st.sampled_from([1.0, 1.0, 2.0, 0.5])), max_size=40)


def told(events: list[tuple[int, float]]) -> Rhythm:
    rhythm = Rhythm()
    for day, units in events:
        record(rhythm, day, units)
    return rhythm


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    events = draw(st.lists(st.tuples(st.integers(17_000, 17_200), st.sampled_from([1.0, 2.0])), max_size=80))
    return events, draw(st.permutations(events))


@few
@given(orders=shuffled())
def test_the_order_of_arrival_leaves_no_trace(
    orders: tuple[list[tuple[int, float]], list[tuple[int, float]]],
) -> None:
    one, other = told(orders[0]), told(orders[1])

    assert one == other
    assert len(one.days) <= PURCHASES_MAX


@few
@given(events=purchases, cancelled=purchases)
def test_what_is_cancelled_was_never_there(events: list[tuple[int, float]], cancelled: list[tuple[int, float]]) -> None:
    kept = cancelled[: PURCHASES_MAX - len(events)]
    rhythm = told([*events, *kept])
    for day, units in kept:
        assert withdraw(rhythm, day, units)

    assert rhythm == told(events)


@few
@given(mine=purchases, theirs=purchases)
def test_two_profiles_of_a_customer_are_one_rhythm(
    mine: list[tuple[int, float]], theirs: list[tuple[int, float]]
) -> None:
    rhythm = told(mine)
    unite(rhythm, told(theirs))

    assert rhythm == told([*mine, *theirs])


@few
@given(parts=st.lists(purchases, max_size=6), exponent=st.sampled_from([0.0, 0.3]))
def test_counters_changed_step_by_step_are_the_sum_of_all_customers(
    parts: list[list[tuple[int, float]]], exponent: float
) -> None:
    counters: Tally = {}
    for events in parts:
        rhythm, before = Rhythm(), dict[str, int]()
        for day, units in events:
            record(rhythm, day, units)
            after = contribution(rhythm, exponent)
            add(counters, difference(after, before))
            before = after

    assert counters == merged(contribution(told(events), exponent) for events in parts)


@few
@given(events=purchases, in_time=st.booleans(), exponent=st.sampled_from([0.0, 0.3]))
def test_the_short_way_to_the_change_is_the_long_one(
    events: list[tuple[int, float]], in_time: bool, exponent: float
) -> None:
    rhythm, plain = Rhythm(), Rhythm()
    for day, units in sorted(events) if in_time else events:
        before = contribution(plain, exponent)
        record(plain, day, 1.0 if in_time else units)
        change = record_and_count(rhythm, day, 1.0 if in_time else units, exponent)

        assert change == difference(contribution(plain, exponent), before)
        assert rhythm == plain


def test_the_short_way_holds_beyond_the_bound() -> None:
    rhythm, total = Rhythm(), dict[str, int]()
    for place in range(PURCHASES_MAX + 10):
        add(total, record_and_count(rhythm, 17_000 + 5 * place + place % 3))

    assert total == contribution(rhythm)


@few
@given(events=purchases)
def test_the_counters_follow_the_definitions(events: list[tuple[int, float]]) -> None:
    days = sorted({day for day, _ in events})
    tally = contribution(told(events))
    gaps = [end - begin for begin, end in pairwise(days)]

    assert sum(count for name, count in tally.items() if name[0] == "c" and "." in name) == len(gaps)
    assert sum(count for name, count in tally.items() if name[0] == "o") == (1 if days else 0)
    for place, gap in enumerate(gaps):
        own = gaps[max(0, place - HISTORY) : place]
        centre = (3 * log(30) + sum(log(value) for value in own)) / (3 + len(own))
        place_in_bins = (log(gap) - centre) * UNIT - FIRST_EDGE
        nearest = round(place_in_bins / BIN) * BIN
        if abs(place_in_bins - nearest) > 3:  # logarithms are rounded to 1/1024: not on the edge of a bin
            bucket = next(b for b, top in enumerate((0, 1, 2, 4, 7, 10**9)) if place <= top)
            assert tally[f"c{bucket}.{0 if place_in_bins < 0 else min(1 + int(place_in_bins // BIN), 40)}"] > 0
    if gaps:
        assert tally["gaps"] == len(gaps)
        assert tally.get("logs", 0) / UNIT == pytest.approx(sum(map(log, gaps)), abs=0.001 * len(gaps))


@few
@given(events=purchases)
def test_a_rhythm_survives_storage(events: list[tuple[int, float]]) -> None:
    rhythm = told(events)

    assert msgspec.json.decode(msgspec.json.encode(rhythm), type=Rhythm) == rhythm


def test_a_full_rhythm_counts_only_intervals_whose_history_is_known() -> None:
    full = told([(17_000 + 3 * place, 1.0) for place in range(PURCHASES_MAX + 20)])
    closed = {name: count for name, count in contribution(full).items() if name[0] == "c" and "." in name}

    assert sum(closed.values()) == PURCHASES_MAX - 1 - HISTORY
    assert all(name.startswith("c5.") for name in closed)
    assert not record(full, 16_000)


def test_own_pace_rests_on_the_newest_gaps() -> None:
    rhythm = told([(17_000 + 100 * place, 1.0) for place in range(5)] + [(17_400 + 7 * p, 1.0) for p in range(1, 14)])
    found = pace(rhythm)

    assert (found.gaps, found.bucket) == (HISTORY, 5)
    assert exp(found.logs / UNIT / HISTORY) == pytest.approx(7, rel=0.001)


def test_twice_as_much_lasts_longer_where_units_matter() -> None:
    rhythm = told([(17_000, 2.0), (17_060, 4.0)])

    assert pace(rhythm).stretch == 0
    assert pace(rhythm, 1.0).stretch == round(UNIT * log(4))
    assert pace(rhythm, 1.0).logs == pytest.approx(UNIT * log(30), abs=1)


def test_units_below_zero_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="units above zero"):
        record(Rhythm(), 5, 0.0)
    assert not withdraw(Rhythm(), 5)
