"""Assignment and the sums of an experiment: published vectors, exact changes, contaminated customers left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.insight.experiment import (
    DAY_MS,
    Experiment,
    Exposure,
    arm_of,
    assignment,
    contribution,
    count_order,
    merge,
)
from profiles.insight.tallies import Tally, add, difference
from streams.insight.arms import arm_sums

CAPPED = Experiment("capped", "s", 0.2, before_days=10, after_days=20, cap_minor=1_000)
OPEN = Experiment("open", "s", 0.2)
SINCE = 100 * DAY_MS


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
    one, other = (Experiment(name, name, 0.3) for name in ("one", "other"))
    customers = [str(number) for number in range(4_000)]
    held = {
        experiment.name: {c for c in customers if arm_of(experiment, c) == "holdout"} for experiment in (one, other)
    }

    assert len(held["one"]) / 4_000 == pytest.approx(0.3, abs=0.02)
    assert len(held["one"] & held["other"]) / 4_000 == pytest.approx(0.09, abs=0.015)
    assert arm_of(Experiment("none", "s", 0.0), "1") == "treated"


def test_an_order_counts_on_the_side_it_was_placed() -> None:
    exposure = Exposure("treated", SINCE)
    for day, amount in ((89.9, 1), (90, 2), (99.9, 4), (100, 8), (119.9, 16), (120, 32)):
        count_order(exposure, CAPPED, round(day * DAY_MS), amount)

    assert (exposure.before_minor, exposure.after_minor) == (2 + 4, 8 + 16)
    count_order(exposure, CAPPED, SINCE, -8)  # refunded, whenever
    assert exposure.after_minor == 16


amounts = st.integers(-(10**9), 10**9)
changes = st.lists(st.tuples(st.booleans(), amounts), max_size=12)


@given(histories=st.lists(st.tuples(st.sampled_from(["holdout", "treated"]), changes), max_size=6))
def test_sums_moved_order_by_order_are_those_of_the_final_amounts(
    histories: list[tuple[str, list[tuple[bool, int]]]],
) -> None:
    counters: Tally = {}
    final: dict[str, list[tuple[int, int]]] = {"holdout": [], "treated": []}
    for arm, moves in histories:
        exposure = Exposure("holdout" if arm == "holdout" else "treated", SINCE)
        add(counters, contribution(exposure, OPEN))
        for after, amount in moves:
            old = contribution(exposure, OPEN)
            count_order(exposure, OPEN, SINCE if after else SINCE - 1, amount)
            add(counters, difference(contribution(exposure, OPEN), old))
        final[arm].append((exposure.before_minor, exposure.after_minor))

    for arm, pairs in final.items():
        sums = arm_sums(counters, "holdout" if arm == "holdout" else "treated")
        assert (sums.n, sums.y, sums.x) == (len(pairs), sum(y for _, y in pairs), sum(x for x, _ in pairs))
        assert sums.y2 == sum(y * y for _, y in pairs)
        assert sums.x2 == sum(x * x for x, _ in pairs)
        assert sums.xy == sum(x * y for x, y in pairs)


@given(before=amounts, after=amounts)
def test_a_billion_customers_with_ten_million_each_fit_counters_of_64_bits(before: int, after: int) -> None:
    tally = contribution(Exposure("treated", 0, before, after), OPEN)

    assert all(abs(value) * 10**9 < 2**63 for value in tally.values())


def test_amounts_beyond_the_cap_count_as_the_cap_and_come_back_from_it() -> None:
    exposure = Exposure("treated", SINCE, after_minor=5_000)
    assert contribution(exposure, CAPPED)["treated.y"] == 1_000
    exposure.after_minor = -5_000
    assert contribution(exposure, CAPPED)["treated.y"] == -1_000
    exposure.after_minor = 400
    assert contribution(exposure, CAPPED)["treated.y"] == 400


def test_a_customer_seen_in_both_arms_is_counted_apart() -> None:
    one, other = Exposure("treated", 200, 5, 7), Exposure("holdout", 100, 1, 2)
    merge(one, other)

    assert one.since_ms == 100
    assert contribution(one, OPEN) == {"contaminated": 1}


def test_two_profiles_in_one_arm_stay_in_it() -> None:
    one, other = Exposure("treated", 100), Exposure("treated", 50)
    merge(one, other)

    assert (one.contaminated, one.since_ms) == (False, 50)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"holdout_share": 1.5}, "between 0 and 1, not 1.5"),
        ({"after_days": 0}, "after_days at least 1"),
        ({"cap_minor": 0}, "cap_minor is above 0"),
    ],
)
def test_rules_that_make_no_sense_are_refused_with_the_experiment_s_name(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"experiment spring: .*{message}"):
        Experiment(**{"name": "spring", "salt": "s", "holdout_share": 0.1, **wrong})  # type: ignore[arg-type]  # wrong on purpose
