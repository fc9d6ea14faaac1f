"""Visitors nobody knows who do not come back: forgotten as if they had never been there. All others are kept."""

from collections.abc import Callable
from typing import Any

import pytest

from profiles import links, visitors
from profiles.conditions import compile_conditions
from profiles.profile import Profile
from profiles.rules import DAY_MS, RulesError, Visitors, read_rules
from profiles.triggers import RULE_TYPES
from profiles.windows import SPAN_MAX_MS
from schemas import events
from schemas.events import ConsentChange
from tests.stories.timeline import DAY, START_MS, Timeline, ms, shop

MONTH = 30 * DAY
FORGETFUL = shop(visitors=Visitors(forget_after_ms=30 * DAY_MS))
GRANT = (ConsentChange(state="GRANT", channel="email"),)


def passer_by(customer: str = "anonymous_id:a1") -> Timeline:
    return Timeline(FORGETFUL, customer=customer, consent=False).view("tent", 0)


def is_forgotten(visitor: Timeline) -> bool:
    return visitor.orders.forgotten and visitor.profile == Profile(
        visitor.profile.id, rewatched=visitor.profile.rewatched
    )


def looks_at(visitor: Timeline) -> float | None:
    """At which minute she is to be looked at next."""
    due_ms = visitor.profile.wakes.get(visitors.WAKE)
    return None if due_ms is None else (due_ms - START_MS) / 60_000


@pytest.mark.parametrize("customer", ["anonymous_id:a1", "cart_token:t1"])
def test_who_does_not_come_back_for_a_month_is_forgotten(customer: str) -> None:
    visitor = passer_by(customer).until(MONTH - 1)

    assert not is_forgotten(visitor)

    visitor.until(MONTH)

    assert is_forgotten(visitor)
    assert visitor.out == []


def test_whoever_comes_by_again_is_remembered_a_month_from_then_on_and_planned_once() -> None:
    visitor = passer_by().view("stove", 20 * DAY)

    assert looks_at(visitor) == MONTH

    visitor.until(MONTH)

    assert looks_at(visitor) == 20 * DAY + MONTH
    assert not is_forgotten(visitor)
    assert is_forgotten(visitor.until(20 * DAY + MONTH))


def test_what_a_visitor_was_after_goes_with_her() -> None:
    visitor = passer_by().add("tent", 1).wish("stove", 2).search("lamp", 3)
    visitor.tell(events.Identified, 4, traits={"size": "L"}).until(4 + MONTH)

    assert is_forgotten(visitor)
    assert set(visitor.profile.rewatched) == {"tent", "stove"}


LEAVES_SOMETHING: dict[str, Callable[[Timeline], object]] = {
    "an order": lambda her: her.order("o1", 1, "tent"),
    "an order that was cancelled": lambda her: her.order("o1", 1, "tent").tell(events.OrderCancelled, 2, order_id="o1"),
    "a refund of an order nobody told of": lambda her: her.tell(
        events.OrderRefunded, 1, order_id="o1", refund_id="r", amount_minor=1
    ),
    "a test order": lambda her: her.order("o1", 1, "tent", test=True),
    "a word about consent": lambda her: her.tell(events.ConsentChanged, 1, consent=GRANT),
    "an e-mail address": lambda her: her.tell(events.Identified, 1, email="ann@example.org"),
    "another device": lambda her: her.tell(events.Aliased, 1, previous_id="a0"),
    "a cart's token": lambda her: her.view("tent", 1, cart_token="t9"),
    "a sign-up": lambda her: her.tell(events.SignedUp, 1),
    "a place to push messages to": lambda her: her.tell(events.Identified, 1, push_token="p"),
    "an answer to a survey": lambda her: her.tell(events.NpsSubmitted, 1, score=3),
    "a review": lambda her: her.tell(events.ProductReviewed, 1, product_id="tent", rating=4),
    "a message that reached her": lambda her: her.tell(events.MessageDelivered, 1, trigger_id="t"),
    "a wish to be left alone": lambda her: her.tell(events.SuppressCustomer, 1, request_id="r"),
}


@pytest.mark.parametrize("what", LEAVES_SOMETHING)
def test_who_left_something_that_counts_is_kept_and_never_looked_at_again(what: str) -> None:
    visitor = passer_by()
    LEAVES_SOMETHING[what](visitor)
    visitor.until(1000 * DAY)

    assert not visitor.orders.forgotten
    assert visitor.profile.activity.first_ms == ms(0)
    assert looks_at(visitor) is None


def test_a_customer_with_a_name_has_no_such_timer() -> None:
    assert looks_at(Timeline(FORGETFUL).view("tent", 0)) is None
    assert looks_at(Timeline(FORGETFUL, customer="email:a@example.org", consent=False).view("tent", 0)) is None
    assert (
        looks_at(Timeline(FORGETFUL, customer="anonymous_id:a", consent=False).view("tent", 0, cart_token="t")) is None
    )


def test_who_became_one_with_another_is_kept() -> None:
    visitor, other = passer_by("anonymous_id:a1"), passer_by("anonymous_id:a2")
    visitor.becomes_one_with(other).until(1000 * DAY)

    assert looks_at(visitor) is None
    assert not visitor.orders.forgotten
    assert visitor.profile.absorbed == ["anonymous_id:a2"]


def test_a_customer_does_not_get_the_timer_of_the_visitor_she_was() -> None:
    ada = Timeline(FORGETFUL).becomes_one_with(passer_by())

    assert looks_at(ada) is None


def test_an_armed_trigger_ends_before_she_is_forgotten() -> None:
    visitor = passer_by()
    visitor.tell(events.CouponIssued, 1, coupon_id="c", expires_ms=ms(60 * DAY))
    (armed,) = [episode for episode in visitor.profile.episodes.values() if episode.name == "coupon.expiring"]
    visitor.until(1 + MONTH)

    assert armed.wake_ms > ms(1 + MONTH)
    assert not is_forgotten(visitor)

    visitor.until(100 * DAY)

    assert is_forgotten(visitor)
    assert ("expired", "unreachable") in visitor.decisions("coupon.expiring")


def test_she_who_comes_back_begins_anew() -> None:
    visitor = passer_by().until(MONTH)
    visitor.orders.forgotten = False  # as the partition does once it took her out
    visitor.view("stove", 50 * DAY)

    assert visitor.profile.activity.first_ms == ms(50 * DAY)
    assert visitor.profile.activity.events == 1
    assert looks_at(visitor) == 50 * DAY + MONTH


def test_an_event_that_comes_too_late_makes_a_visitor_of_its_own_time() -> None:
    visitor = passer_by().until(MONTH)
    visitor.orders.forgotten = False
    visitor.view("stove", 29 * DAY, arrives=31 * DAY)

    assert looks_at(visitor) == 29 * DAY + MONTH

    ancient = Timeline(FORGETFUL, customer="anonymous_id:a", consent=False)
    ancient.view("stove", -90 * DAY, arrives=0).until(1)

    assert is_forgotten(ancient)


def test_nobody_is_forgotten_where_the_rules_say_so() -> None:
    visitor = Timeline(shop(visitors=Visitors(forget_after_ms=0)), customer="anonymous_id:a1", consent=False)
    visitor.view("tent", 0).until(3000 * DAY)

    assert visitor.profile.wakes == {}
    assert visitor.profile.activity.events == 1


def test_other_rules_hold_for_visitors_who_are_there_already() -> None:
    visitor = passer_by().view("tent", 5 * DAY)
    longer = shop(visitors=Visitors(forget_after_ms=60 * DAY_MS))
    visitor.new_rules(longer).until(5 * DAY + 60 * DAY - 1)

    assert looks_at(visitor) == 65 * DAY
    assert not is_forgotten(visitor)

    visitor.new_rules(FORGETFUL)

    assert is_forgotten(visitor.until(65 * DAY))

    kept = passer_by().new_rules(shop(visitors=Visitors(forget_after_ms=0))).until(1000 * DAY)

    assert kept.profile.wakes == {}
    assert not kept.orders.forgotten


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "40d of cart_abandoned.forget": ({"cart_abandoned": {"forget": "40d"}}, {}),
    "50d of allowed_lateness": ({"allowed_lateness": "50d"}, {}),
    "60d of segments.looking": ({}, {"looking": {"when": 'views("60d") > 3'}}),
    "70d of welcome.condition": ({"welcome": {"condition": 'sessions("70d") > 3'}}, {}),
}


@pytest.mark.parametrize("needed", REFUSED)
def test_visitors_who_still_count_for_something_can_not_be_forgotten(needed: str) -> None:
    document, segments = REFUSED[needed]
    months, never, enough = (
        read_rules({**document, "visitors": {"forget_after": after}}, RULE_TYPES) for after in ("30d", "0d", needed[:3])
    )

    with pytest.raises(RulesError, match=f"^visitors.forget_after: 30d is less than the {needed}: .* at least"):
        compile_conditions(months, segments)
    compile_conditions(never, segments)
    compile_conditions(enough, segments)


def test_orders_may_be_counted_over_longer_since_who_ordered_is_kept() -> None:
    compile_conditions(FORGETFUL.rules, {"buying": {"when": 'orders("365d") > 3 && spend_minor("400d") > 5'}})


def test_no_condition_can_ask_for_longer_than_visitors_are_kept_unless_said() -> None:
    assert Visitors().forget_after_ms >= SPAN_MAX_MS


def test_types_that_name_nobody_are_those_that_change_hands() -> None:
    assert visitors.NAMELESS == links.WEAK


def test_only_parts_that_are_there_may_go() -> None:
    assert {*Profile.__struct_fields__} >= visitors.MAY_HAVE
