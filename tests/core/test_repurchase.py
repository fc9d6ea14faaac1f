"""Predictions from a table: closed forms where the hazard is flat or a step, and what follows for a reminder."""

from math import exp, log

import msgspec
import pytest

from profiles.insight.repurchase import EDGES, Clock, Key, RepurchaseModel, Shape, clock_of, log_gap
from profiles.insight.repurchase_plan import NoPlan, Plan, RepurchaseRule, RepurchaseRules, plan
from profiles.insight.rhythm import BUCKETS, UNIT, Pace, gap_log

FLAT = Shape(list(EDGES), [0.0] * 40)
"""One event for each unit of u: exponential gaps with mean e^m."""
NEW = Pace(gaps=0, logs=0, bucket=0)


def model_of(shape: Shape, **keys: Key) -> RepurchaseModel:
    return RepurchaseModel([shape] * BUCKETS, Key(log(30), 0.65, 0.3), keys)


def test_a_flat_hazard_is_the_exponential_distribution() -> None:
    clock = Clock(FLAT, 20.0)

    assert clock.probability(0, 20) == pytest.approx(1 - exp(-1))
    assert clock.probability(55, 20) == pytest.approx(1 - exp(-1))  # without memory
    assert clock.survival(30) == pytest.approx(exp(-1.5))
    assert clock.day_at(0.5) == pytest.approx(20 * log(2))


def test_beyond_the_last_bin_the_hazard_goes_on() -> None:
    clock = Clock(FLAT, 1.0)

    assert clock.survival(100) == pytest.approx(exp(-100))
    assert clock.day_at(exp(-100)) == pytest.approx(100)


def test_whoever_will_never_come_back_has_no_median() -> None:
    outlook = Clock(Shape([0.0] * 41, [0.0] * 40), 10.0).outlook(7)

    assert (outlook.median, outlook.confidence) == (None, 0.0)


def test_the_window_holds_what_its_confidence_says() -> None:
    # Nobody buys before day 28, nearly all soon after.
    rise = EDGES[22]
    hazard = [max(0.0, edge - rise) * 30 for edge in EDGES]
    clock = Clock(Shape(hazard, [rise] * 40), 28.0 / rise)
    outlook = clock.outlook(7)

    assert outlook.window == 7 + 28
    assert outlook.confidence == pytest.approx(clock.survival(outlook.window - 7) - clock.survival(outlook.window + 7))
    assert outlook.confidence > 0.95
    assert outlook.median is not None
    assert outlook.window - 7 <= outlook.median <= outlook.window + 7


def test_a_new_customer_is_at_the_keys_pace_and_a_regular_one_near_her_own() -> None:
    model = model_of(FLAT, tea=Key(log(20), 0.65, 0.3, 40))
    weekly = Pace(gaps=12, logs=12 * gap_log(7), bucket=5)

    assert clock_of(model, "tea", NEW).scale_days == pytest.approx(20)
    assert clock_of(model, "tea", weekly).scale_days == pytest.approx((20**3 * 7**12) ** (1 / 15), rel=0.001)


def test_an_unknown_key_is_where_the_merchant_says() -> None:
    model = model_of(FLAT)

    assert clock_of(model, "oil", NEW, supply_days=90).scale_days == pytest.approx(90)
    assert clock_of(model, "oil", NEW).scale_days == pytest.approx(30)


def test_shapes_of_its_own_are_read_against_the_ruler() -> None:
    model = model_of(FLAT, milk=Key(log(6), 0.65, 0.3, 5_000, [FLAT] * BUCKETS))

    assert clock_of(model, "milk", NEW).scale_days == pytest.approx(30, rel=0.001)


def test_more_units_stretch_the_time_until_the_next_purchase() -> None:
    twice = Pace(gaps=0, logs=0, bucket=0, stretch=round(UNIT * log(2)))

    assert clock_of(model_of(FLAT), "tea", twice).scale_days == pytest.approx(60, rel=0.001)


def test_the_log_normal_model_weighs_own_gaps_by_their_variance() -> None:
    model = model_of(FLAT, tea=Key(location=3.0, within=0.6, between=0.3))
    mean, deviation = log_gap(model, "tea", Pace(gaps=2, logs=2 * 4096, bucket=2))

    assert mean == pytest.approx((3 / 0.3 + 8 / 0.6) / (1 / 0.3 + 2 / 0.6))
    assert deviation**2 == pytest.approx(1 / (1 / 0.3 + 2 / 0.6) + 0.6)
    assert log_gap(model, "oil", NEW, supply_days=90)[0] == pytest.approx(log(90))


def test_a_model_survives_storage() -> None:
    model = model_of(FLAT, milk=Key(1.8, 0.6, 0.3, 5_000, [FLAT] * BUCKETS))

    assert msgspec.json.decode(msgspec.json.encode(model), type=RepurchaseModel) == model


def test_a_reminder_goes_out_before_the_window() -> None:
    hazard = [max(0.0, edge - 1.0) * 10 for edge in EDGES]
    clock = Clock(Shape(hazard, [1.0] * 40), 28.0)

    found = plan(clock, RepurchaseRule(lead_days=4))

    assert isinstance(found, Plan)
    assert (found.due, found.window_start, found.window_end) == (24, 28, 42)
    assert isinstance(plan(clock, RepurchaseRule(lead_days=90)), Plan)
    assert plan(clock, RepurchaseRule(lead_days=90)).due == 1  # type: ignore[union-attr]  # asserted above


def test_the_unsure_and_the_gone_are_left_alone() -> None:
    clock = Clock(FLAT, 100.0)

    unsure = plan(clock, RepurchaseRule())
    assert isinstance(unsure, NoPlan)
    assert unsure.reason == "unsure"
    assert unsure.confidence == pytest.approx(1 - exp(-0.14))
    assert isinstance(plan(clock, RepurchaseRule(confidence_min=0.1), elapsed_days=299), Plan)
    gone = plan(clock, RepurchaseRule(confidence_min=0.1), elapsed_days=-100 * log(0.05))
    assert isinstance(gone, NoPlan)
    assert gone.reason == "stopped"


def test_a_category_has_its_own_rule_and_those_below_it_follow() -> None:
    rules = RepurchaseRules(by_key={"tea": RepurchaseRule(half_width_days=3)})

    assert rules.of("tea/green/sencha").half_width_days == 3
    assert rules.of("tea").half_width_days == 3
    assert rules.of("teapot") is rules


def test_rules_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="half_width_days is at least 1"):
        RepurchaseRule(half_width_days=0)
    with pytest.raises(ValueError, match="confidence_min lies between 0 and 1"):
        RepurchaseRule(confidence_min=30)
