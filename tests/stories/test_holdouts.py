"""Stories of hold-outs: who is compared, from when on, and that the population's counters say exactly that."""

from typing import Any

import pytest
from typing_extensions import override

from profiles import population
from profiles.cart_rules import CartAbandonedRule, CheckoutAbandonedRule
from profiles.exposures import recount
from profiles.insight.experiment import Amounts, assignment
from profiles.insight.tallies import Tally, add
from profiles.links import leave
from profiles.merge import merge
from profiles.needs import NeedLedger
from profiles.order_state import Ledger
from profiles.rules import GLOBAL, Holdout
from schemas import events
from tests.stories.timeline import DAY, HOUR, Timeline, ms, product, shop

GROUP = "cart.abandoned"


def customer_of(arm: str, salt: str = GROUP, share: float = 0.5) -> str:
    """A customer whom the formula puts into this arm."""
    held_out = arm == "holdout"
    return next(f"user_id:{n}" for n in range(100) if (assignment(salt, str(n)) < share) == held_out)


class Told(Timeline):
    """A story that keeps the population's counters as a partition does."""

    def __init__(self, *rules: Any, customer: str, **general: Any) -> None:
        self.counters: Tally = {}
        super().__init__(shop(*rules, **general), customer=customer)

    @override
    def tell(self, *args: Any, **fields: Any) -> "Told":
        super().tell(*args, **fields)
        add(self.counters, population.delta(self.profile))
        return self

    @override
    def until(self, minute: float) -> "Told":
        super().until(minute)
        add(self.counters, population.delta(self.profile))
        return self

    def effect(self) -> Tally:
        return {name: value for name, value in self.counters.items() if name.startswith("effect:")}


HALF = CartAbandonedRule(holdout=0.5)


def test_a_customer_enters_with_her_first_reminder_and_brings_her_past() -> None:
    story = Told(HALF, customer=customer_of("treated"))
    story.order("o1", -200 * DAY, product("tea", 700)).order("o2", -10 * DAY, product("tea", 500))
    story.add("mug", 0).until(2 * HOUR)
    exposure = story.profile.exposures[GROUP]

    assert story.emitted(GROUP) == [60]
    assert (exposure.arm, exposure.since_ms) == ("treated", ms(60))
    assert exposure.before == Amounts(1, 500, 500)  # the first order is older than half a year
    assert story.effect()["effect:cart.abandoned|treated|net|x"] == 500
    assert story.effect()["effect:cart.abandoned|treated|customers|n"] == 1


def test_who_is_held_out_is_compared_from_the_same_moment_on() -> None:
    story = Told(HALF, customer=customer_of("holdout"))
    story.add("mug", 0).until(2 * HOUR)
    story.order("o1", DAY, product("mug", 1_300))

    assert [trigger.shadow for trigger in story.triggers] == [True]
    assert story.profile.exposures[GROUP].since_ms == ms(60)
    assert story.effect() == {
        "effect:cart.abandoned|holdout|customers|n": 1,
        "effect:cart.abandoned|holdout|orders|y": 1,
        "effect:cart.abandoned|holdout|orders|y2.low": 1,
        "effect:cart.abandoned|holdout|net|y": 1_300,
        "effect:cart.abandoned|holdout|net|y2.low": 1_690_000,
        "effect:cart.abandoned|holdout|margin|y": 1_300,
        "effect:cart.abandoned|holdout|margin|y2.low": 1_690_000,
    }


def test_a_cancelled_order_is_taken_out_and_a_refund_counts_where_its_order_does() -> None:
    story = Told(HALF, customer=customer_of("treated"))
    story.order("before", -10 * DAY, product("tea", 500))
    story.tell(events.OrderRefunded, -5 * DAY, order_id="before", amount_minor=100)
    story.add("mug", 0).until(2 * HOUR)
    story.order("after", DAY, product("mug", 1_300))
    story.tell(events.OrderRefunded, 2 * DAY, order_id="after", amount_minor=300)
    exposure = story.profile.exposures[GROUP]
    assert (exposure.before, exposure.after) == (Amounts(1, 400, 400), Amounts(1, 1_000, 1_000))

    story.tell(events.OrderCancelled, 3 * DAY, order_id="after")
    assert exposure.after == Amounts()
    assert "effect:cart.abandoned|treated|net|y" not in story.effect()


def test_her_past_is_what_it_was_when_she_was_drawn_whatever_goes_back_of_it_since() -> None:
    """A message may keep goods from going back; the past by which she is judged must not move by what was sent."""
    story = Told(HALF, customer=customer_of("treated"))
    story.order("o1", -10 * DAY, product("tea", 500)).order("o2", -9 * DAY, product("mug", 900))
    story.tell(events.OrderRefunded, -5 * DAY, order_id="o1", amount_minor=100)
    story.add("mug", 0).until(2 * HOUR)
    drawn = story.effect()
    exposure = story.profile.exposures[GROUP]
    story.tell(events.OrderRefunded, DAY, order_id="o1", amount_minor=200)
    story.tell(events.OrderRefunded, DAY, order_id="o1", refund_id="r2", amount_minor=50)
    story.tell(events.OrderCancelled, 2 * DAY, order_id="o2")

    assert (exposure.before, exposure.after) == (Amounts(2, 1_300, 1_300), Amounts())
    assert story.effect() == drawn
    assert story.profile.ltv.net == 150

    story.tell(events.OrderRefunded, -DAY, order_id="o2", amount_minor=40, arrives=3 * DAY)
    assert exposure.before == Amounts(2, 1_260, 1_260)

    recount(exposure, story.orders.all(), story.engine.book)
    assert exposure.before == Amounts(2, 1_260, 1_260)


def test_orders_beyond_the_time_that_counts_change_nothing() -> None:
    story = Told(HALF, customer=customer_of("treated"), holdout=Holdout(before_ms=DAY * 60_000, after_ms=DAY * 60_000))
    story.order("long ago", -2 * DAY, product("tea", 500))
    story.add("mug", 0).until(2 * HOUR)
    before = story.effect()
    story.order("much later", 5 * DAY, product("mug", 1_300))

    assert story.effect() == before


def test_later_reminders_do_not_move_the_beginning() -> None:
    story = Told(HALF, customer=customer_of("treated"))
    story.add("mug", 0).until(2 * HOUR)
    story.add("tea", 20 * DAY, cart="c2").until(21 * DAY)

    assert len(story.emitted(GROUP)) > 1
    assert story.profile.exposures[GROUP].since_ms == ms(60)


def test_triggers_of_one_group_are_one_comparison() -> None:
    rules = (
        CartAbandonedRule(holdout=0.5, holdout_group="left"),
        CheckoutAbandonedRule(holdout=0.5, holdout_group="left"),
    )
    story = Told(*rules, customer=customer_of("treated", "left"))
    story.add("mug", 0).until(2 * HOUR)

    assert list(story.profile.exposures) == ["left"]


def test_who_is_held_out_of_everything_is_in_that_comparison_alone() -> None:
    for arm, expected in (("holdout", {GLOBAL: "holdout"}), ("treated", {GLOBAL: "treated", GROUP: "treated"})):
        story = Told(CartAbandonedRule(holdout=0.001), customer=customer_of(arm, "global"), holdout=Holdout(share=0.5))
        story.add("mug", 0).until(2 * HOUR)

        assert {group: exposure.arm for group, exposure in story.profile.exposures.items()} == expected


def test_without_a_hold_out_nothing_is_kept() -> None:
    story = Told(customer="user_id:1")
    story.add("mug", 0).until(2 * HOUR)

    assert story.emitted(GROUP) == [60]
    assert not story.profile.has_exposures
    assert story.effect() == {}


def test_the_whole_ledger_is_asked_for_before_anything_is_decided() -> None:
    story = Told(HALF, customer=customer_of("treated"))
    story.order("o1", -10 * DAY, product("tea", 500)).add("mug", 0)
    complete, story.orders = story.orders, Ledger()
    before = story.profile.pack()
    with pytest.raises(NeedLedger) as need:
        story.until(2 * HOUR)
    assert need.value.order_id is None
    assert (story.profile.pack(), story.triggers) == (before, [])

    story.orders = complete
    story.until(2 * HOUR)
    assert story.profile.exposures[GROUP].before == Amounts(1, 500, 500)


def test_who_is_moved_by_a_share_that_changes_counts_in_her_first_arm_and_is_told_apart() -> None:
    customer = customer_of("holdout")
    story = Told(CartAbandonedRule(holdout=0.0001), customer=customer)
    story.add("mug", 0).until(2 * HOUR)
    story.engine = type(story.engine)(shop(HALF))
    story.add("tea", 20 * DAY, cart="c2").until(21 * DAY)

    assert story.effect() == {
        "effect:cart.abandoned|treated|customers|n": 1,
        "effect:cart.abandoned|contaminated|customers|n": 1,
    }


def test_two_profiles_that_become_one_are_counted_once_by_all_their_orders() -> None:
    treated = [f"user_id:{n}" for n in range(100) if assignment(GROUP, str(n)) >= 0.5]
    one, other = (Told(HALF, customer=customer) for customer in treated[:2])
    one.order("o1", -5 * DAY, product("tea", 500)).add("mug", 0).until(2 * HOUR)
    other.order("o2", -4 * DAY, product("tea", 300)).add("mug", DAY).until(DAY + 2 * HOUR)
    counters = dict(one.counters)
    add(counters, other.counters)

    merge(one.profile, one.orders, other.profile, other.orders.all(), one.engine.book)
    add(counters, population.forget(other.profile))
    add(counters, population.delta(one.profile))

    assert one.profile.exposures[GROUP].before == Amounts(2, 800, 800)
    assert counters["effect:cart.abandoned|treated|customers|n"] == 1
    assert counters["effect:cart.abandoned|treated|net|x"] == 800
    add(counters, population.forget(one.profile))
    assert not [name for name in counters if name.startswith("effect:")]


@pytest.mark.parametrize("goes", ["erased", "became a redirect"])
def test_who_goes_takes_her_part_out_of_the_comparison(goes: str) -> None:
    story = Told(HALF, customer=customer_of("treated"))
    story.order("o1", -5 * DAY, product("tea", 500)).add("mug", 0).until(2 * HOUR)
    assert story.effect()

    if goes == "erased":
        story.profile.wipe()
    else:
        leave(story.profile, [(0, "user_id:other")])
    add(story.counters, population.forget(story.profile))

    assert story.effect() == {}
    assert not story.profile.exposures


def test_a_further_reminder_that_was_held_out_takes_no_credit_from_one_that_was_sent() -> None:
    story = Timeline(shop(CheckoutAbandonedRule())).add("tea", 0)
    story.tell(events.CheckoutStarted, 1, checkout_id="k1", cart_id="c1").until(2 * HOUR)
    story.new_rules(shop(CheckoutAbandonedRule(holdout=1.0))).until(2 * DAY)
    story.order("o1", 2 * DAY + 1, "tea", checkout_id="k1")

    assert [(one.occurrence, one.shadow) for one in story.sent("checkout.abandoned")] == [(1, False), (2, True)]
    assert story.outcomes == [("trigger.converted", None), ("cart.recovered", None)]
