"""What a page says of a comparison: found, not found, no number and why, not to be believed and why."""

import numpy as np
import pytest

from profiles.cart_rules import CartAbandonedRule, CheckoutAbandonedRule
from profiles.holdout_plans import Plan, measured_triggers, plans
from profiles.insight.experiment import Amounts, Window, begin, part_of, recount, tally
from profiles.insight.tallies import Tally, add
from profiles.life_rules import WelcomeRule
from profiles.rules import DAY_MS, GLOBAL, Holdout, Rules
from streams.insight.effect import Estimate, NoEffect
from streams.insight.trigger_effects import effects, sent
from streams.trigger_registry import all_triggers
from tests.stories.timeline import shop

SINCE = 400 * DAY_MS


def plan(group: str, share: float = 0.5) -> Plan:
    return Plan(group=group, share=share, triggers=(group,), before_days=182, after_days=90)


def customers(group: str, arm: str, past: np.ndarray, later: np.ndarray) -> Tally:
    """The counters of customers with these amounts, one order on each side."""
    counters: Tally = {}
    for before, after in zip(past.tolist(), later.tolist(), strict=True):
        exposure = begin("holdout" if arm == "holdout" else "treated", SINCE, Window(182 * DAY_MS, 90 * DAY_MS))
        recount(exposure, [(SINCE - 1, Amounts(1, round(before), 0)), (SINCE, Amounts(1, round(after), 0))])
        add(counters, tally(part_of(exposure)))
    return {f"effect:{group}|{name}": value for name, value in counters.items()}


def comparison(group: str, seed: int, uplift: float, sizes: tuple[int, int] = (400, 400), chosen: float = 0.0) -> Tally:
    """Two arms; `uplift` is what the treated bring more, `chosen` what they had brought more before."""
    random = np.random.default_rng(seed)
    counters: Tally = {}
    for arm, size, more, better in (("holdout", sizes[0], 0.0, 0.0), ("treated", sizes[1], uplift, chosen)):
        past = random.gamma(2.0, 2_000, size) + better
        later = 0.8 * past + random.normal(3_000, 800, size) + more
        add(counters, customers(group, arm, past, later))
    return counters


def test_an_effect_is_found_with_its_interval_and_nothing_where_there_is_none() -> None:
    counters = comparison("cart", 1, 1_500) | comparison("welcome", 2, 0)
    cart, welcome = effects(counters, [plan("cart"), plan("welcome")])

    assert (cart.standing, welcome.standing) == ("found", "not_found")
    estimate = cart.of("net").estimate
    assert isinstance(estimate, Estimate)
    assert estimate.low < 1_500 < estimate.high
    assert cart.of("net").adjusted
    assert estimate.standard_error < 0.5 * cart.of("net").plain.standard_error  # type: ignore[union-attr] # a number too
    assert cart.of("orders").estimate == NoEffect("no_variation")  # each has exactly one


def test_of_many_comparisons_without_effect_none_is_found_where_single_looks_would() -> None:
    groups = [f"group {number}" for number in range(40)]
    counters: Tally = {}
    for number, group in enumerate(groups):
        counters |= comparison(group, 100 + number, 0, (60, 60))
    found = effects(counters, [plan(group) for group in groups])

    plain = [effect.of("net").estimate.p for effect in found]  # type: ignore[union-attr] # all have numbers
    assert min(plain) < 0.05
    assert {effect.standing for effect in found} == {"not_found"}


@pytest.mark.parametrize(
    "counters, warning",
    [
        (comparison("cart", 3, 1_500, (400, 600)), "sample_ratio"),
        (comparison("cart", 4, 1_500, chosen=2_000), "not_randomised"),
    ],
)
def test_arms_that_no_lot_would_make_are_warned_of_and_never_count_as_found(counters: Tally, warning: str) -> None:
    (effect,) = effects(counters, [plan("cart")])

    assert effect.warnings == (warning,)
    assert (effect.standing, effect.p_discovery) == ("not_believed", None)


@pytest.mark.parametrize(
    "sizes, reason", [((0, 0), "no_customers"), ((0, 9), "no_customers"), ((1, 9), "one_customer")]
)
def test_arms_too_small_have_a_reason_and_no_number(sizes: tuple[int, int], reason: str) -> None:
    (effect,) = effects(comparison("cart", 5, 0, sizes), [plan("cart", 0.1)])

    assert effect.standing == "no_number"
    assert {outcome.estimate for outcome in effect.outcomes} == {NoEffect(reason)}  # type: ignore[arg-type]
    assert effect.of("net").holdout_mean is None or sizes[0]


def test_a_hold_out_that_the_rules_no_longer_have_is_still_shown() -> None:
    counters = comparison("spring", 6, 1_500, (100, 300))
    (effect,) = effects(counters, [])

    assert (effect.group, effect.share, effect.triggers, effect.warnings) == ("spring", None, (), ())
    assert effect.standing == "found"


def test_the_rules_say_which_triggers_share_a_hold_out() -> None:
    book = shop(
        CartAbandonedRule(holdout=0.1, holdout_group="left"),
        CheckoutAbandonedRule(holdout=0.1, holdout_group="left"),
        WelcomeRule(enabled=False, holdout=0.2),
        holdout=Holdout(share=0.05, before_ms=100 * DAY_MS, after_ms=30 * DAY_MS),
    )
    everything, left = plans(book, all_triggers())

    assert (everything.group, everything.share) == (GLOBAL, 0.05)
    assert set(everything.triggers) > {"cart.abandoned", "replenishment.due"} > {"cart.abandoned"} - {"welcome"}
    assert "welcome" not in everything.triggers
    assert (left.group, left.share, left.triggers) == ("left", 0.1, ("cart.abandoned", "checkout.abandoned"))
    assert (left.before_days, left.after_days) == (100, 30)


def test_messages_without_a_hold_out_are_listed_as_such() -> None:
    book = shop(CartAbandonedRule(holdout=0.1))
    counters = {"trigger:cart.abandoned|sent": 9, "trigger:cart.abandoned|converted": 2, "trigger:welcome|sent": 4}
    cart, welcome = sent(counters | {"trigger:welcome|recovered": 1}, measured_triggers(book, all_triggers()))

    assert (cart.trigger, cart.group, cart.sent, cart.converted) == ("cart.abandoned", "cart.abandoned", 9, 2)
    assert (welcome.trigger, welcome.group, welcome.sent) == ("welcome", None, 4)
    assert measured_triggers(shop(holdout=Holdout(share=0.1)), all_triggers())["welcome"] == GLOBAL


def test_defaults_hold_nobody_out() -> None:
    assert plans(shop(), all_triggers()) == []
    assert Rules().holdout.share == 0
