"""Assignment and the sums of an experiment: published vectors, exact changes, contaminated customers left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.insight.experiment import (
    Amounts,
    Arm,
    Exposure,
    Window,
    assignment,
    begin,
    count_order,
    merge,
    part_of,
    recount,
    tally,
)
from profiles.insight.tallies import Tally, add, difference
from streams.insight.arms import arm_sums, compared_groups, contaminated

DAY_MS = 86_400_000
WINDOW = Window(before_ms=10 * DAY_MS, after_ms=20 * DAY_MS)
SINCE = 100 * DAY_MS


def exposed(arm: Arm, since_ms: int = SINCE, before: int = 0, after: int = 0, cap_minor: int = 0) -> Exposure:
    """A customer with these amounts of net revenue."""
    exposure = begin(arm, since_ms, Window(10 * DAY_MS, 20 * DAY_MS, cap_minor))
    recount(exposure, [(since_ms - 1, Amounts(1, before, 0)), (since_ms, Amounts(1, after, 0))])
    return exposure


@pytest.mark.parametrize(
    "customer, published",
    [
        ("1", 0.9134502743300085),
        ("2", 0.27655901148900264),
        ("900", 0.2099287759129424),
        ("customer-42", 0.9844047083041427),
    ],
)
def test_assignment_is_the_published_formula(customer: str, published: float) -> None:
    assert assignment("holdout-1", customer) == published


def test_the_share_held_out_is_the_one_asked_for_and_salts_are_independent() -> None:
    customers = [str(number) for number in range(4_000)]
    held = {salt: {c for c in customers if assignment(salt, c) < 0.3} for salt in ("one", "other")}

    assert len(held["one"]) / 4_000 == pytest.approx(0.3, abs=0.02)
    assert len(held["one"] & held["other"]) / 4_000 == pytest.approx(0.09, abs=0.015)


def test_an_order_counts_on_the_side_it_was_placed() -> None:
    exposure = begin("treated", SINCE, WINDOW)
    for day, amount in ((89.9, 1), (90, 2), (99.9, 4), (100, 8), (119.9, 16), (120, 32)):
        count_order(exposure, round(day * DAY_MS), Amounts(1, amount, -amount))

    assert exposure.before == Amounts(2, 2 + 4, -(2 + 4))
    assert exposure.after == Amounts(2, 8 + 16, -(8 + 16))
    count_order(exposure, SINCE, Amounts(1, 8, -8), sign=-1)  # cancelled, whenever
    assert exposure.after == Amounts(1, 16, -16)


def test_nothing_is_told_of_a_customer_whose_past_is_not_known_yet() -> None:
    exposure = begin("treated", SINCE, WINDOW)
    assert tally(part_of(exposure)) == {}

    recount(exposure, [])
    assert tally(part_of(exposure)) == {"treated|customers|n": 1}


amounts = st.integers(-(10**9), 10**9)
changes = st.lists(st.tuples(st.booleans(), amounts), max_size=12)


@given(histories=st.lists(st.tuples(st.sampled_from(["holdout", "treated"]), changes), max_size=6))
def test_sums_moved_order_by_order_are_those_of_the_final_amounts(
    histories: list[tuple[Arm, list[tuple[bool, int]]]],
) -> None:
    counters: Tally = {}
    final: dict[Arm, list[tuple[int, int]]] = {"holdout": [], "treated": []}
    for arm, moves in histories:
        exposure = begin(arm, SINCE, WINDOW)
        recount(exposure, [])
        add(counters, tally(part_of(exposure)))
        for after, amount in moves:
            old = tally(part_of(exposure))
            count_order(exposure, SINCE if after else SINCE - 1, Amounts(0, 0, amount))
            add(counters, difference(tally(part_of(exposure)), old))
        final[arm].append((exposure.before.margin, exposure.after.margin))

    named = {f"effect:cart|{name}": value for name, value in counters.items()}
    assert compared_groups(named) == ({"cart"} if histories else set())
    for arm, pairs in final.items():
        sums = arm_sums(named, "cart", "margin", arm)
        assert (sums.n, sums.y, sums.x) == (len(pairs), sum(y for _, y in pairs), sum(x for x, _ in pairs))
        assert sums.y2 == sum(y * y for _, y in pairs)
        assert sums.x2 == sum(x * x for x, _ in pairs)
        assert sums.xy == sum(x * y for x, y in pairs)


@given(before=amounts, after=amounts)
def test_two_million_customers_with_ten_million_each_fit_counters_that_stay_exact(before: int, after: int) -> None:
    counters = tally(part_of(exposed("treated", before=before, after=after)))

    assert all(abs(value) * 2 * 10**6 < 2**53 for value in counters.values())


def test_amounts_beyond_the_cap_count_as_the_cap_and_come_back_from_it() -> None:
    def told(amount: int) -> int:
        return tally(part_of(exposed("treated", after=amount, cap_minor=1_000)))["treated|net|y"]

    assert (told(5_000), told(-5_000), told(400)) == (1_000, -1_000, 400)


@pytest.mark.parametrize(
    "later_ms, first", [(200 * DAY_MS, "holdout"), (50 * DAY_MS, "treated"), (100 * DAY_MS, "holdout")]
)
def test_a_customer_seen_in_both_arms_counts_in_her_first_and_is_told_apart(later_ms: int, first: str) -> None:
    for turned in (False, True):
        both = [exposed("treated", later_ms, 5, 7), exposed("holdout", 100 * DAY_MS, 1, 2)]
        one, other = reversed(both) if turned else both
        merge(one, other)
        recount(one, [])

        assert one.since_ms == min(later_ms, 100 * DAY_MS)
        assert tally(part_of(one)) == {f"{first}|customers|n": 1, "contaminated|customers|n": 1}


def test_who_was_left_out_as_contaminated_before_is_counted_with_her_next_change() -> None:
    assert tally([2]) == {"contaminated|customers|n": 1}
    assert contaminated({"effect:cart|contaminated|customers|n": 3}, "cart") == 3


def test_two_profiles_in_one_arm_stay_in_it_from_the_earlier_moment_on() -> None:
    one, other = exposed("treated", 100 * DAY_MS), exposed("treated", 50 * DAY_MS)
    merge(one, other)

    assert (one.contaminated, one.since_ms, one.from_ms, one.until_ms) == (
        False,
        50 * DAY_MS,
        40 * DAY_MS,
        70 * DAY_MS,
    )
    assert not one.counted


def test_a_group_may_have_any_name() -> None:
    assert compared_groups({"effect:a|b|treated|customers|n": 1, "effect:x|holdout|net|y2.low": 1, "orders": 2}) == {
        "a|b",
        "x",
    }
