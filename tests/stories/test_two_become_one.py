"""Two profiles turn out to be one customer: what either was sent counts for both, and what both did together is told once."""

from collections import Counter
from typing import Any

import pytest

from profiles.catalogue import build_catalogue
from profiles.gift_rules import GiftThresholdRule
from profiles.order_rules import CrossSellRule
from profiles.profile import decode_profile
from profiles.rules import DAY_MS, Caps, QuietHours
from profiles.state import EPISODES_MAX
from profiles.triggers import BundleSuggestRule, CartAbandonedRule, LtvMilestoneRule, VipEnteredRule
from profiles.visit_rules import BrowseAbandonedRule, CategoryInterestRule
from schemas import events
from schemas.outputs import Decision, IdentityChange, TriggerOutcome
from tests.stories.customers import buys
from tests.stories.timeline import DAY, HOUR, Timeline, ms, product, shop

BUNDLES = shop(
    BundleSuggestRule(),
    CartAbandonedRule(enabled=False),
    catalogue=build_catalogue([{"product_id": name, "bundles": "weekend"} for name in ("tent", "mat", "stove")]),
)
VALUE = shop(LtvMilestoneRule(milestones=(1_000, 5_000)), VipEnteredRule(limits=(3_000,)))
TEA = shop(
    catalogue=build_catalogue(
        [{"product_id": "tea", "contents": "brew", "complementary": "cup"}, {"product_id": "cup"}]
    )
)
NIGHT = 22 * HOUR
AT_NIGHT: dict[str, Any] = {"quiet_hours": QuietHours(jitter_ms=0)}


def two(book: Any = None, *, guest: str = "email:ada@example.com") -> tuple[Timeline, Timeline]:
    """Ada with her account, and a guest who will turn out to be her."""
    return Timeline(book), Timeline(book, customer=guest)


def of_value(*stories: Timeline) -> list[tuple[str, Any]]:
    """What was told of her value, with the tier or the sum."""
    return [
        (one.name, one.details.get("tier", one.details.get("milestone_minor")))
        for story in stories
        for one in story.triggers
        if one.name in ("vip.entered", "vip.left", "ltv.milestone")
    ]


# --- what was sent to either ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("guest", ["email:ada@example.com", "email:a|b@example.com"])
def test_a_bundle_that_was_suggested_to_the_guest_is_not_suggested_again_to_her(guest: str) -> None:
    ada, guest_of_hers = two(BUNDLES, guest=guest)
    guest_of_hers.add("tent", 0, cart=None).until(2 * DAY)
    ada.becomes_one_with(guest_of_hers).add("mat", 3 * DAY, cart=None).until(20 * DAY)

    assert (guest_of_hers.emitted("bundle.suggest"), ada.emitted("bundle.suggest")) == ([DAY], [])
    assert ada.decisions("bundle.suggest") == [("armed", None), ("suppressed", "cooldown")]


def test_the_cart_of_a_shop_without_cart_ids_is_told_of_its_gift_once() -> None:
    ada, guest = two(shop(GiftThresholdRule(threshold_minor=5_000)))
    guest.add(product("A", 4_500), 0, cart=None).until(5)
    ada.becomes_one_with(guest).add(product("B", 100), 10, cart=None).until(DAY)

    assert (len(guest.sent("gift.threshold")), len(ada.sent("gift.threshold"))) == (1, 0)


def test_what_waits_under_an_id_with_a_bar_is_hers_too() -> None:
    ada, guest = two(BUNDLES, guest="email:a|b@example.com")
    guest.add("tent", 0, cart=None)
    ada.becomes_one_with(guest).until(20 * DAY)

    assert [one.episode_key for one in ada.sent("bundle.suggest")] == ["user_id:ada|weekend"]


def test_caps_count_what_both_were_sent() -> None:
    ada, guest = two(shop(CartAbandonedRule(cooldown_ms=0, max_in_window=0), caps=Caps(max_in_24h=2)))
    guest.add("A", 0, cart="c1").until(2 * HOUR)
    ada.add("B", 5, cart="c2").until(2 * HOUR)
    ada.becomes_one_with(guest).add("C", 3 * HOUR, cart="c3").until(DAY)

    assert (len(guest.triggers), len(ada.triggers)) == (1, 1)
    assert ada.decisions("cart.abandoned")[-1] == ("suppressed", "frequency_cap")


def test_an_outcome_names_what_was_sent_as_it_was_sent() -> None:
    ada, guest = two(BUNDLES)
    guest.add("tent", 0, cart=None).until(2 * DAY)
    ada.becomes_one_with(guest).order("o1", 3 * DAY, "mat")

    outcomes = [output for output in ada.out if isinstance(output, TriggerOutcome)]
    assert [(one.name, one.of_trigger_id, one.episode_key, one.customer_id) for one in outcomes] == [
        ("trigger.converted", guest.triggers[0].trigger_id, "email:ada@example.com|weekend", "user_id:ada")
    ]


def test_an_order_of_one_is_the_recovery_of_the_cart_the_other_was_reminded_of() -> None:
    ada, guest = two()
    ada.add("tea", 0).until(2 * HOUR)
    ada.becomes_one_with(guest.order("o1", 3 * HOUR, "tea"))

    assert ada.outcomes == [("trigger.converted", None), ("cart.recovered", None)]


def test_a_reminder_of_the_guest_is_taken_back_where_she_had_ordered_before_it() -> None:
    ada, guest = two()
    guest.add("tea", 0).until(2 * HOUR)
    ada.order("o1", 30, "tea").becomes_one_with(guest)

    assert ada.outcomes == [("trigger.cancelled", "late_conversion")]


def test_a_cancelled_order_of_the_guest_is_nobodys_conversion() -> None:
    ada, guest = two()
    ada.add("tea", 0).until(2 * HOUR)
    guest.order("o1", 3 * HOUR, "tea").tell(events.OrderCancelled, 4 * HOUR, order_id="o1")

    assert ada.becomes_one_with(guest).outcomes == []


def test_a_second_merge_settles_nothing_twice() -> None:
    ada, guest = two()
    ada.add("tea", 0).until(2 * HOUR)
    guest.order("o1", 3 * HOUR, "tea")

    assert len(ada.becomes_one_with(guest).becomes_one_with(guest).outcomes) == 2


def test_a_merge_that_is_told_of_twice_sends_nothing_twice() -> None:
    ada, guest = two(VALUE)
    buys(guest, 0, 3_500, "o1").tell(events.NpsSubmitted, 1, survey_id="s1", score=3)
    guest.tell(events.PaymentFailed, 2, checkout_id="k1")
    guest.tell(events.CheckoutStarted, 3, checkout_id="k1", cart_id="c1", products=(product("tea"),))
    first = guest.profile.pack()
    ada.becomes_one_with(guest).tell(events.CaseUpdated, 5, case_id="s1", state="verified").until(8 * DAY)
    ada.tell(events.OrderRefunded, 8 * DAY, order_id="o1", refund_id="r1")
    before = [(one.name, one.occurrence) for one in ada.until(9 * DAY).triggers]
    guest.profile = decode_profile(first)
    ada.becomes_one_with(guest).until(30 * DAY)

    assert {"payment.failed", "vip.left"} <= {name for name, _ in before}
    assert [(one.name, one.occurrence) for one in ada.triggers] == before


# --- what waits -----------------------------------------------------------------------------------------------------


def test_a_coupon_that_was_issued_anew_to_her_is_told_of_by_its_new_end() -> None:
    ada, guest = two()
    guest.tell(events.CouponIssued, 0, coupon_id="x1", expires_ms=ms(20 * DAY))
    ada.tell(events.CouponIssued, DAY, coupon_id="x1", expires_ms=ms(30 * DAY))
    ada.becomes_one_with(guest).until(40 * DAY)

    assert ada.emitted("coupon.expiring") == [27 * DAY]


def test_a_survey_is_put_off_by_an_answer_of_the_guest() -> None:
    ada, guest = two()
    guest.tell(events.NpsSubmitted, 5 * DAY, survey_id="s1", score=9)
    ada.order("o1", 0, "tea").tell(events.OrderDelivered, 2 * DAY, order_id="o1")
    ada.becomes_one_with(guest).tell(events.PageViewed, 90 * DAY).until(100 * DAY)

    assert ada.emitted("nps.survey") == [95 * DAY]
    assert ada.sent("nps.survey")[0].details == {"kind": "transactional", "order_id": "o1"}


@pytest.mark.parametrize("hers_is_the_cart", [True, False])
def test_a_checkout_of_one_is_about_the_cart_that_the_other_filled_days_ago(*, hers_is_the_cart: bool) -> None:
    ada, guest = two(shop(CartAbandonedRule(enabled=False)))
    filled, checked_out = (ada, guest) if hers_is_the_cart else (guest, ada)
    filled.add("tea", 0, cart="c1").until(2 * DAY)
    checked_out.tell(events.CheckoutStarted, 3 * DAY, checkout_id="k1", cart_id="c1")
    ada.becomes_one_with(guest).until(3 * DAY + 2 * HOUR)

    assert ada.emitted("checkout.abandoned") == [3 * DAY + 60]
    assert [item.product_id for item in ada.sent("checkout.abandoned")[0].items] == ["tea"]


@pytest.mark.parametrize("hers_first", [True, False])
def test_a_payment_that_was_refused_under_both_names_is_told_of_by_the_last_time(*, hers_first: bool) -> None:
    ada, guest = two()
    first, second = (ada, guest) if hers_first else (guest, ada)
    first.tell(events.PaymentFailed, 0, checkout_id="k1", reason="no funds")
    second.tell(events.PaymentFailed, 20, checkout_id="k1", reason="expired card")
    ada.becomes_one_with(guest).until(2 * HOUR)

    assert ada.emitted("payment.failed") == [50]
    assert ada.sent("payment.failed")[0].details["reason"] == "expired card"


@pytest.mark.parametrize("hers_first", [True, False])
def test_a_checkout_of_which_both_took_steps_is_reminded_of_by_the_last_one(*, hers_first: bool) -> None:
    ada, guest = two()
    first, second = (ada, guest) if hers_first else (guest, ada)
    first.tell(events.CheckoutStarted, 0, checkout_id="k1", products=(product("tea"),))
    second.tell(events.CheckoutStepViewed, 20, checkout_id="k1", products=(product("tea"),))
    ada.becomes_one_with(guest).until(5 * HOUR)

    assert ada.emitted("checkout.abandoned") == [80]


def test_a_checkout_of_one_is_about_the_others_cart_though_nothing_of_that_is_known_to_her_any_more() -> None:
    ada, guest = two()
    guest.tell(events.CheckoutStepCompleted, 14, checkout_id="k1", cart_id="c1").view("cup", 16)
    ada.add("tea", 17, cart="c1").becomes_one_with(guest).until(DAY)

    assert (ada.emitted("cart.abandoned"), ada.emitted("checkout.abandoned")) == ([], [77])


@pytest.mark.parametrize("hers_is_the_order", [True, False])
def test_a_checkout_that_an_order_of_the_other_ended_is_in_nobodys_way(*, hers_is_the_order: bool) -> None:
    ada, guest = two()
    orders, begins = (ada, guest) if hers_is_the_order else (guest, ada)
    begins.tell(events.CheckoutStarted, 0, checkout_id="k1", cart_id="c1", products=(product("tea"),))
    orders.order("o1", 5, "tea")
    ada.becomes_one_with(guest).add("cup", 10, cart="c1").until(DAY)

    assert (ada.emitted("checkout.abandoned"), ada.emitted("cart.abandoned")) == ([], [70])


@pytest.mark.parametrize("hers_is_the_order", [True, False])
@pytest.mark.parametrize("by_order", [True, False])
def test_what_is_put_into_a_cart_after_the_other_ended_its_checkout_is_reminded_of(
    *, hers_is_the_order: bool, by_order: bool
) -> None:
    ada, guest = two()
    ends, begins = (ada, guest) if hers_is_the_order else (guest, ada)
    begins.tell(events.CheckoutStarted, 0, checkout_id="k1", cart_id="c1", products=(product("tea"),))
    if by_order:
        ends.order("o1", 5, "tea")
    else:
        ends.tell(events.CheckoutStarted, 5, checkout_id="k2", cart_id="c2")
    begins.add("cup", 10)
    ada.becomes_one_with(guest).until(DAY)

    assert (ada.emitted("checkout.abandoned"), ada.emitted("cart.abandoned")) == ([], [70])


@pytest.mark.parametrize("again_before", [True, False])
def test_a_payment_refused_after_an_order_of_the_other_is_told_of_though_one_was_refused_before(
    *, again_before: bool
) -> None:
    ada, guest = two()
    guest.tell(events.PaymentFailed, 0)
    ada.order("o1", 5, "tea")
    if again_before:
        guest.tell(events.PaymentFailed, 20)
    ada.becomes_one_with(guest)
    if not again_before:
        ada.tell(events.PaymentFailed, 20)
    ada.until(DAY)

    assert ada.emitted("payment.failed") == [50]


@pytest.mark.parametrize("named", [{}, {"checkout_id": "k1"}])
@pytest.mark.parametrize("hers_first", [True, False])
def test_of_checkouts_that_turn_out_to_be_one_a_further_reminder_is_sent_once(
    named: dict[str, Any], *, hers_first: bool
) -> None:
    ada, guest = two()
    first, then = (ada, guest) if hers_first else (guest, ada)
    first.tell(events.CheckoutStarted, 0, products=(product("tea"),), **named).until(4 * DAY)
    then.tell(events.CheckoutStarted, DAY, products=(product("tea"),), **named).until(3 * DAY)
    ada.clock_ms = guest.clock_ms = ms(3.5 * DAY)
    ada.becomes_one_with(guest).until(9 * DAY)

    assert sorted(one.occurrence for one in (*ada.triggers, *guest.triggers)) == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("hers_is_the_order", [True, False])
@pytest.mark.parametrize("any_order, told", [(True, []), (False, [60])])
def test_where_any_order_ends_a_cart_one_of_the_other_does(
    any_order: bool, told: list[float], *, hers_is_the_order: bool
) -> None:
    ada, guest = two(shop(CartAbandonedRule(any_order=any_order)))
    orders, fills = (ada, guest) if hers_is_the_order else (guest, ada)
    fills.add("tea", 0)
    orders.order("o1", 5, "cup")
    ada.becomes_one_with(guest).until(DAY)

    assert ada.emitted("cart.abandoned") == told


@pytest.mark.parametrize("again_before", [True, False])
def test_a_wish_that_the_other_had_fulfilled_can_be_wished_for_again(*, again_before: bool) -> None:
    ada, guest = two()
    guest.wish("tea", 0)
    ada.order("o1", 5, "tea")
    if again_before:
        guest.wish("tea", 10)
    ada.becomes_one_with(guest)
    if not again_before:
        ada.wish("tea", 10)
    ada.until(9 * DAY)

    assert ada.emitted("wishlist.reminder") == [3 * DAY + 10]


@pytest.mark.parametrize("hers_is_the_newest", [True, False])
def test_what_goes_with_an_order_that_both_told_of_is_by_its_newest_version(*, hers_is_the_newest: bool) -> None:
    ada, guest = two(TEA)
    first, then = (guest, ada) if hers_is_the_newest else (ada, guest)
    first.order("o1", 0, "tea")
    then.order("o1", -5, "tea").tell(events.OrderUpdated, 5, order_id="o1", products=(product("mug"),))
    ada.becomes_one_with(guest).until(30 * DAY)

    assert ada.sent("cross.sell") == []


@pytest.mark.parametrize("hers_is_the_order", [True, False])
def test_a_supply_of_which_only_both_know_how_much_is_left_is_reminded_of(*, hers_is_the_order: bool) -> None:
    ada, guest = two(shop(catalogue=build_catalogue([{"product_id": "tea", "supply_days": 30}])))
    orders, corrects = (ada, guest) if hers_is_the_order else (guest, ada)
    orders.order("o1", 0, "tea").tell(events.OrderRefunded, 5, order_id="o1", refund_id="r1")
    corrects.tell(events.OrderRefunded, 10, order_id="o1", refund_id="r1", amount_minor=100)
    ada.becomes_one_with(guest).until(30 * DAY)

    assert ada.emitted("replenishment.due") == [27 * DAY]


# --- what a login did itself, and what came with it later ------------------------------------------------------------


@pytest.mark.parametrize(
    "book, name",
    [(shop(segments={"big": {"when": "profile.ltv.net_minor > 3000"}}), "segment.entered"), (VALUE, "vip.entered")],
)
def test_where_she_came_by_her_login_and_again_by_what_it_brought_both_are_told(book: Any, name: str) -> None:
    """Two messages under one id would be one to whoever drops repeats, and she be left where she was in between."""
    ada, guest = two(book)
    guest.order("g1", 0, product("tent", 2_000))
    ada.order("a1", 10, product("tent", 4_000), message_id="login").until(20)
    ada.tell(events.OrderRefunded, 30, order_id="a1", refund_id="r1", amount_minor=2_500).until(40)
    ada.becomes_one_with(guest).until(DAY)

    sent = ada.sent(name)
    assert [one.evidence[-1] for one in sent] == ["login", "login/email"]
    assert len({one.trigger_id for one in sent}) == 2
    assert len({one.trigger_id for one in sent}) == 2


def test_a_cart_that_waits_again_by_what_a_login_brought_is_told_of_by_a_decision_of_its_own() -> None:
    """The guest's word of the order is the earlier one: it was placed before anything was in the cart."""
    ada, guest = two()
    guest.order("o1", -10, "mug")
    ada.add("tea", 0, message_id="login").order("o1", 5, "tea")
    ada.becomes_one_with(guest).until(DAY)

    decided = [one for one in ada.out if isinstance(one, Decision) and one.name == "cart.abandoned"]
    assert [one.state for one in decided] == ["armed", "cancelled", "armed", "emitted"]
    assert len({one.decision_id for one in decided}) == 4


def test_a_merge_is_told_of_by_the_message_that_named_both() -> None:
    ada, guest = two()
    guest.view("tea", 0)
    ada.becomes_one_with(guest)

    assert [one.cause for one in ada.out if isinstance(one, IdentityChange)] == ["login"]


# --- what both did together -----------------------------------------------------------------------------------------


def test_a_bundle_of_which_each_viewed_one_product_is_suggested_after_the_merge() -> None:
    ada, guest = two(BUNDLES)
    guest.view("tent", 0)
    ada.view("mat", 5).becomes_one_with(guest).until(2 * DAY)

    assert ada.emitted("bundle.suggest") == [DAY + 5]


def test_what_one_of_them_bought_is_no_interest_that_both_showed() -> None:
    ada, guest = two()
    tent = product("tent", category="tents")
    guest.order("o1", 0, tent, product("mat", category="tents"))

    assert ada.view(tent, 5).becomes_one_with(guest).until(DAY).decisions("category.interest") == []


def test_an_interest_that_both_have_together_is_told_with_the_merge() -> None:
    ada, guest = two(shop(CategoryInterestRule()))
    for minute in range(3):
        guest.view(product("A", category="tea"), minute)
        ada.view(product("B", category="tea"), minute)
    ada.becomes_one_with(guest).until(5)

    assert ada.emitted("category.interest") == [2]
    assert ada.sent("category.interest")[0].details["category"] == "tea"


def test_an_interest_that_one_of_them_had_before_is_no_news_with_the_merge() -> None:
    ada, guest = two(shop(CategoryInterestRule()))
    ada.order("o1", 0, product("B", category="tea")).order("o2", 5, product("B", category="tea"))
    guest.view(product("A", category="tea"), 9 * DAY)
    ada.becomes_one_with(guest).until(10 * DAY)

    assert ada.decisions("category.interest") == []


# --- her value ------------------------------------------------------------------------------------------------------


def test_a_tier_and_a_sum_that_both_reach_together_are_told_with_the_merge() -> None:
    ada, guest = two(VALUE)
    buys(guest, 0, 2_900, "o1").until(DAY)
    buys(ada, 0, 2_900, "o2").until(DAY)
    ada.becomes_one_with(guest).until(DAY + 1)

    assert of_value(guest) == [("ltv.milestone", 1_000)]
    assert of_value(ada) == [("ltv.milestone", 1_000), ("ltv.milestone", 5_000), ("vip.entered", 1)]


def test_what_one_of_them_was_told_is_not_told_again() -> None:
    ada, guest = two(VALUE)
    buys(guest, 0, 3_500, "o1").until(DAY)
    buys(ada, 2, 1_000, "o2").until(2 * DAY)
    assert of_value(ada) == [("ltv.milestone", 1_000)]
    buys(ada.becomes_one_with(guest), 3, 100, "o3").until(4 * DAY)

    assert of_value(guest) == [("ltv.milestone", 1_000), ("vip.entered", 1)]
    assert of_value(ada) == [("ltv.milestone", 1_000)]


@pytest.mark.parametrize("guest_first", [True, False])
def test_what_waits_for_the_morning_is_not_told_where_the_other_was_told_before(*, guest_first: bool) -> None:
    rules = shop(LtvMilestoneRule(milestones=(1_000,)), VipEnteredRule(limits=(1_000,)), **AT_NIGHT)
    ada, guest = two(rules)
    early, late = (guest, ada) if guest_first else (ada, guest)
    early.order("o1", -10 * DAY + 12 * HOUR, product("tea", 1_200)).until(0)
    late.order("o2", NIGHT, product("tea", 1_500))
    ada.becomes_one_with(guest).until(3 * DAY)

    assert sorted(of_value(ada, guest)) == [("ltv.milestone", 1_000), ("vip.entered", 1)]
    assert ada.profile.standing.milestone == 1_000


def test_what_waits_for_the_morning_on_both_sides_is_told_once() -> None:
    ada, guest = two(shop(LtvMilestoneRule(milestones=(1_000,)), VipEnteredRule(limits=(1_000,)), **AT_NIGHT))
    guest.order("o1", NIGHT, product("tea", 1_200))
    ada.order("o2", NIGHT + 5, product("tea", 1_500)).becomes_one_with(guest).until(3 * DAY)

    assert sorted(of_value(ada, guest)) == [("ltv.milestone", 1_000), ("vip.entered", 1)]


def test_of_two_sums_passed_before_the_morning_the_higher_is_told() -> None:
    ada = Timeline(shop(LtvMilestoneRule(milestones=(1_000, 2_000)), **AT_NIGHT))
    ada.order("o1", NIGHT, product("tea", 1_200)).order("o2", NIGHT + 5, product("tea", 1_500)).until(3 * DAY)

    assert of_value(ada) == [("ltv.milestone", 2_000)]
    assert ("cancelled", "passed_on") in ada.decisions("ltv.milestone")


def test_who_fell_out_of_a_tier_is_told_so_though_the_other_was_never_in_it() -> None:
    ada, guest = two(shop(VipEnteredRule(limits=(3_000,)), **AT_NIGHT))
    guest.order("o1", 12 * HOUR, product("tea", 3_500)).until(13 * HOUR)
    guest.tell(events.OrderRefunded, NIGHT, order_id="o1", refund_id="r1", amount_minor=3_000)
    ada.order("o2", 14 * HOUR, product("tea", 100)).becomes_one_with(guest).until(3 * DAY)

    assert [one for one in of_value(guest, ada) if one[0] != "ltv.milestone"] == [("vip.entered", 1), ("vip.left", 0)]


# --- segments -------------------------------------------------------------------------------------------------------


def test_a_segment_that_both_are_in_together_is_entered_with_the_merge() -> None:
    ada, guest = two(shop(segments={"regular": {"when": "profile.orders.count >= 2"}}))
    guest.order("o1", 0, "tea")
    ada.order("o2", 5, "tea").becomes_one_with(guest).until(10)

    assert ada.emitted("segment.entered") == [5]


# --- what makes sense only together ---------------------------------------------------------------------------------

AFTER_THE_PARCEL = {
    "cross.sell": [5 * DAY],
    "next.order.coupon": [3 * DAY, 30 * DAY],
    "nps.survey": [16 * DAY],
    "post.purchase.content": [3 * DAY],
    "review.request": [9 * DAY, 16 * DAY],
}
"""Of a parcel that arrived on the second day."""


@pytest.mark.parametrize("name", AFTER_THE_PARCEL)
@pytest.mark.parametrize("hers_is_the_order", [True, False])
def test_an_order_of_one_and_its_parcel_that_the_other_was_told_of_are_one(
    name: str, *, hers_is_the_order: bool
) -> None:
    ada, guest = two(TEA)
    orders, receives = (ada, guest) if hers_is_the_order else (guest, ada)
    orders.order("o1", 0, "tea")
    receives.tell(events.OrderDelivered, 2 * DAY, order_id="o1")
    ada.becomes_one_with(guest).until(60 * DAY)

    assert ada.emitted(name) == AFTER_THE_PARCEL[name]


@pytest.mark.parametrize("name", AFTER_THE_PARCEL)
@pytest.mark.parametrize("hers_is_the_order", [True, False])
def test_an_order_of_one_that_the_other_was_paid_back_is_no_ground_for_anything(
    name: str, *, hers_is_the_order: bool
) -> None:
    ada, guest = two(TEA)
    orders, gives_back = (ada, guest) if hers_is_the_order else (guest, ada)
    orders.order("o1", 0, "tea").tell(events.OrderDelivered, 2 * DAY, order_id="o1")
    gives_back.tell(events.OrderRefunded, 2 * DAY + 5, order_id="o1", refund_id="r1")
    ada.becomes_one_with(guest).until(60 * DAY)

    assert ada.emitted(name) == []
    assert ada.decisions(name)[-1] == ("cancelled", "refunded")


@pytest.mark.parametrize("name", AFTER_THE_PARCEL)
@pytest.mark.parametrize("merges", [4 * DAY, 12 * DAY, 50 * DAY])
def test_what_the_guest_was_sent_about_an_order_that_both_told_of_is_not_sent_again(name: str, merges: int) -> None:
    ada, guest = two(TEA)
    for one in (ada, guest):
        one.order("o1", 0, "tea")
    guest.tell(events.OrderDelivered, 2 * DAY, order_id="o1").until(merges)
    ada.becomes_one_with(guest).until(100 * DAY)

    assert sorted(ada.emitted(name) + guest.emitted(name)) in (
        AFTER_THE_PARCEL[name],
        [5 * DAY, 7 * DAY],  # cross.sell went out to both before
    )


def test_a_parcel_of_long_ago_is_asked_about_by_nobody() -> None:
    ada, guest = two(TEA)
    guest.tell(events.OrderDelivered, 2 * DAY, order_id="o1")
    ada.order("o1", 0, "tea").until(90 * DAY).becomes_one_with(guest).until(120 * DAY)

    assert ada.sent("review.request") == ada.sent("post.purchase.content") == ada.sent("next.order.coupon") == []


def test_who_had_her_newest_order_cancelled_under_another_name_is_won_back_by_the_one_before() -> None:
    ada, guest = two()
    guest.tell(events.OrderCancelled, 41 * DAY, order_id="o2")
    ada.order("o1", 0, "tea").order("o2", 40 * DAY, "tea").becomes_one_with(guest).until(91 * DAY)

    assert ada.emitted("winback") == [90 * DAY]


@pytest.mark.parametrize("hers_is_the_drop", [True, False])
@pytest.mark.parametrize("merges, told", [(2, [5]), (DAY, [DAY]), (10 * DAY, [])])
def test_who_was_more_content_under_another_name_is_less_so_now(
    merges: int, told: list[int], *, hers_is_the_drop: bool
) -> None:
    ada, guest = two()
    drops, before = (ada, guest) if hers_is_the_drop else (guest, ada)
    for number in (2, 1):
        before.tell(events.NpsSubmitted, -number * DAY, survey_id=f"s{number}", score=10)
    drops.tell(events.NpsSubmitted, 0, survey_id="s0", score=7)
    ada.until(merges).becomes_one_with(guest).until(20 * DAY)

    assert [round(minute) for minute in ada.emitted("satisfaction.dropped")] == told


def test_an_order_under_another_name_ends_her_silence_though_nothing_else_waits() -> None:
    book = shop(CrossSellRule(enabled=False))
    ada, guest = two(book)
    for number in range(12):
        ada.order(f"o{number}", 10 * number * DAY, "tea")
    guest.order("x1", 119 * DAY, "tea").until(122 * DAY)
    ada.until(122 * DAY).becomes_one_with(guest).until(125 * DAY)

    assert [one.details["measure"] for one in ada.sent("behaviour.change")] == []


def test_a_first_search_of_one_and_a_second_of_the_other_are_two() -> None:
    ada, guest = two()
    guest.search("tea", 0, results=3)
    ada.search("tea", 2, results=3).becomes_one_with(guest).until(DAY)

    assert ada.emitted("search.abandoned") == [122]


@pytest.mark.parametrize("hers_is_the_search", [True, False])
def test_who_had_ordered_under_another_name_had_found_something(*, hers_is_the_search: bool) -> None:
    ada, guest = two()
    searches, orders = (ada, guest) if hers_is_the_search else (guest, ada)
    searches.search("tea", 0, results=0)
    orders.order("o1", 10, "tea")
    ada.becomes_one_with(guest).until(DAY)

    assert ada.emitted("search.abandoned") == []
    assert ada.decisions("search.abandoned")[-1] == ("cancelled", "found")


@pytest.mark.parametrize("hers_is_the_search", [True, False])
@pytest.mark.parametrize("found", ["added", "taken back", "clicked", "viewed by a server"])
def test_who_had_found_something_under_another_name_is_reminded_of_neither_search_nor_visit(
    found: str, *, hers_is_the_search: bool
) -> None:
    ada, guest = two(shop(CartAbandonedRule(enabled=False)))
    searches, finds = (ada, guest) if hers_is_the_search else (guest, ada)
    searches.view("tea", 0).view("cup", 1).search("tea", 2, results=0)
    if found == "clicked":
        finds.tell(events.ProductClicked, 10, product=product("tea"), channel="browser")
    elif found == "viewed by a server":
        finds.view("tea", 10, channel="server")
    else:
        finds.add("tea", 10)
    if found == "taken back":
        finds.remove("tea", 11)
    ada.becomes_one_with(guest).until(DAY)

    assert ada.emitted("search.abandoned") == []
    assert len(ada.emitted("browse.abandoned")) == (0 if found in {"added", "taken back"} else 1)


def test_an_order_from_before_the_search_is_none_of_what_was_found() -> None:
    ada, guest = two()
    guest.order("o1", -10, "tea")
    ada.search("tea", 0, results=0).becomes_one_with(guest).until(DAY)

    assert ada.emitted("search.abandoned") == [120]


def test_searches_that_make_two_only_days_later_are_no_news() -> None:
    ada, guest = two()
    guest.search("tea", 0, results=3)
    ada.search("tea", 2, results=3).until(3 * DAY).becomes_one_with(guest).until(4 * DAY)

    assert ada.decisions("search.abandoned") == []


@pytest.mark.parametrize("hers_is_the_first", [True, False])
def test_a_visit_of_which_each_made_a_part_is_one_and_is_reminded_of_once(*, hers_is_the_first: bool) -> None:
    ada, guest = two(shop(BrowseAbandonedRule(long_view_ms=DAY_MS)))
    first, second = (ada, guest) if hers_is_the_first else (guest, ada)
    first.view("tea", 0)
    second.view("cup", 2)
    ada.becomes_one_with(guest).becomes_one_with(guest).until(DAY)

    assert ada.emitted("browse.abandoned") == [62]


def test_a_visit_that_she_was_reminded_of_is_not_one_more_because_the_guest_went_on_with_it() -> None:
    ada, guest = two()
    ada.view("tea", 0).view("cup", 1)
    guest.view("tea", 20).view("cup", 21)
    ada.until(2 * HOUR).becomes_one_with(guest).until(DAY)

    assert ada.decisions("browse.abandoned") == [("armed", None), ("emitted", None)]


def test_visits_with_a_pause_in_between_are_two() -> None:
    ada, guest = two()
    guest.view("tea", 0)
    ada.view("cup", 40).becomes_one_with(guest).until(DAY)

    assert ada.emitted("browse.abandoned") == []


@pytest.mark.parametrize("hers_come_first", [True, False])
def test_what_both_waited_for_and_one_has_no_place_for_is_said_to_have_ended(*, hers_come_first: bool) -> None:
    ada, guest = two()
    for story, first in ((ada, hers_come_first), (guest, not hers_come_first)):
        for number in range(40):
            story.wish(f"{story.profile.id}'s {number}", number if first else DAY + number)
    ada.becomes_one_with(guest)

    told = [one for story in (guest, ada) for one in story.out if isinstance(one, Decision)]
    last = {one.trigger_id: (one.state, one.reason) for one in told}
    ends = Counter(last.values())
    assert len(ada.profile.episodes) == EPISODES_MAX
    assert (ends["armed", None], ends["cancelled", "too_many"]) == (EPISODES_MAX, 80 - EPISODES_MAX)
