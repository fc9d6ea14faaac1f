"""An abandoned checkout: up to three reminders, and any order of the customer ends them."""

from typing import Any

import pytest

from profiles.rules import DAY_MS, HOUR_MS, QuietHours
from profiles.triggers import CheckoutAbandonedRule
from schemas import events
from schemas.outputs import TriggerOutcome
from tests.stories.timeline import DAY, HOUR, Timeline, product, shop

CHECKOUT = "checkout.abandoned"
CART = "cart.abandoned"


def started(ada: Timeline, minute: float, checkout: str = "k1", **fields: Any) -> Timeline:
    return ada.tell(events.CheckoutStarted, minute, checkout_id=checkout, **fields)


def test_three_reminders_follow_each_other_from_the_first_ones_due_time() -> None:
    ada = started(Timeline().add("A", 0), 10).until(10 * DAY)

    assert ada.emitted(CHECKOUT) == [70, 70 + DAY, 70 + 3 * DAY]
    assert [trigger.occurrence for trigger in ada.triggers] == [1, 2, 3]
    assert len({trigger.trigger_id for trigger in ada.triggers}) == 3


def test_a_further_one_that_an_earlier_release_planned_keeps_its_time() -> None:
    ada = started(Timeline().add("A", 0), 10).until(2 * HOUR)
    ada.profile.checkouts["k1"].reminded = False  # nor did it keep that the first one went out

    assert ada.tell(events.PaymentInfoEntered, 3 * HOUR, checkout_id="k1").waiting(CHECKOUT) == [70 + DAY]


def test_each_later_step_starts_the_hour_anew() -> None:
    ada = started(Timeline().add("A", 0), 10)
    ada.tell(events.CheckoutStepCompleted, 30, checkout_id="k1", step=1)
    ada.tell(events.PaymentInfoEntered, 40, checkout_id="k1")

    assert ada.waiting(CHECKOUT) == [100]


def test_a_change_of_the_cart_in_checkout_resets_the_checkout_and_arms_no_cart() -> None:
    ada = started(Timeline().add("A", 0), 10).add("B", 30)

    assert ada.waiting(CHECKOUT) == [90]
    assert ada.waiting(CART) == []


def test_an_order_between_reminders_ends_them() -> None:
    ada = started(Timeline().add("A", 0), 10).until(2 * HOUR).order("o1", 5 * HOUR, "Z").until(10 * DAY)

    assert ada.emitted(CHECKOUT) == [70]
    assert ("cancelled", "ordered") in ada.decisions(CHECKOUT)


def test_a_newer_checkout_replaces_an_older_one() -> None:
    ada = started(started(Timeline().add("A", 0), 10), 20, "k2").until(75)

    assert ada.waiting(CHECKOUT) == [80]
    assert ("cancelled", "replaced") in ada.decisions(CHECKOUT)


def test_a_checkout_of_an_empty_cart_arms_nothing() -> None:
    assert started(Timeline(), 10).waiting(CHECKOUT) == []


def test_a_cart_that_is_emptied_within_a_checkout_ends_the_reminder_until_something_is_put_in_again() -> None:
    ada = started(Timeline().add("A", 0), 10).remove("A", 20)

    assert ada.decisions(CHECKOUT) == [("armed", None), ("cancelled", "empty")]
    assert ada.add("B", 30).until(90).emitted(CHECKOUT) == [90]
    assert ada.emitted(CART) == []


def test_of_a_checkout_whose_own_products_were_removed_the_cart_is_free_again() -> None:
    ada = started(Timeline().add("A", 0).add("A", 1), 2, products=(product("A"),)).remove("A", 3).until(DAY)

    assert ada.emitted(CHECKOUT) == []
    assert ada.emitted(CART) == [63]


def test_an_emptied_checkout_is_in_no_other_carts_way() -> None:
    ada = started(Timeline().add("B", 0, cart="c2"), 10, cart_id="c1", products=(product("A"),))
    ada.tell(events.CartUpdated, 20, cart_id="c1", products=()).until(DAY)

    assert ada.emitted(CART) == [60]


def test_an_order_ends_what_waits_for_the_cart_in_checkout_also_where_that_is_heard_of_after_it() -> None:
    ada = started(Timeline(), 4, cart_id="c1").order("o1", 6).add("A", 3).until(DAY)

    assert ada.triggers == []


def test_a_cart_is_taken_over_when_its_checkout_began_though_later_steps_were_heard_of_first() -> None:
    ada = Timeline().add("B", 2).tell(events.CheckoutStepCompleted, 4, checkout_id="k1", cart_id="c1")
    started(ada.order("o1", 1, cart_id="c1"), 0, cart_id="c1").until(DAY)

    assert ada.emitted(CART) == [62]


def test_a_checkout_that_brings_its_own_products_needs_no_cart() -> None:
    ada = started(Timeline(), 10, products=(product("A", 500, 2),), value_minor=990).until(70)

    assert ada.emitted(CHECKOUT) == [70]
    assert ada.triggers[0].value_minor == 990


def test_what_is_put_into_the_cart_by_the_very_click_that_begins_the_checkout_is_in_it_once() -> None:
    ada = started(Timeline().add("A", 10), 10, products=(product("A"),)).add("B", 20).until(80)

    assert [(item.product_id, item.quantity) for item in ada.triggers[0].items] == [("A", 1), ("B", 1)]


def test_after_a_checkout_reminder_the_cart_is_held_back_for_two_days() -> None:
    ada = started(Timeline().add("A", 0), 10).until(70).add("B", 100).until(100 + HOUR)

    assert ada.emitted(CART) == []
    assert ("suppressed", "superseded") in ada.decisions(CART)


def test_an_order_that_names_the_checkout_converts_its_reminder_and_recovers_the_cart() -> None:
    ada = started(Timeline().add("A", 0), 10).order("o1", 3 * HOUR, "A", checkout_id="k1")

    assert ada.outcomes == [("trigger.converted", None), ("cart.recovered", None)]


def test_the_order_id_stands_for_a_checkout_id_that_is_missing() -> None:
    ada = Timeline().add("A", 0).tell(events.CheckoutStarted, 10, order_id="o1").order("o1", 40, "A").until(DAY)

    assert ada.triggers == []


def test_a_checkout_that_began_under_an_order_id_goes_on_under_the_checkout_id_of_its_steps() -> None:
    ada = Timeline().add("A", 0).tell(events.CheckoutStarted, 5, order_id="o1")
    for minute in (30, 50, 64):
        ada.tell(events.CheckoutStepCompleted, minute, checkout_id="k1", step=1)
    ada.until(64 + HOUR)

    assert ada.emitted(CHECKOUT) == [64 + HOUR]
    assert ada.waiting(CHECKOUT) == [64 + HOUR + DAY]
    assert ada.order("o1", 3 * HOUR, "Z", checkout_id="k1").waiting(CHECKOUT) == []
    assert ada.outcomes == [("trigger.converted", None), ("cart.recovered", None)]


def test_a_step_that_names_both_ids_belongs_to_the_checkout_that_began_under_either() -> None:
    ada = Timeline().add("A", 0).tell(events.CheckoutStarted, 5, order_id="o1")
    ada.tell(events.PaymentInfoEntered, 30, checkout_id="k1", order_id="o1")

    assert ada.waiting(CHECKOUT) == [90]


def test_two_checkouts_with_ids_of_their_own_stay_two() -> None:
    ada = Timeline().add("A", 0).tell(events.CheckoutStarted, 5, order_id="o1", checkout_id="k1")
    ada.tell(events.CheckoutStepCompleted, 30, checkout_id="k2", step=1)

    assert ada.waiting(CHECKOUT) == [65, 90]


# --- whatever is heard of first -----------------------------------------------------------------------------------


def test_a_checkout_heard_of_after_the_order_that_ended_it_is_not_reminded_of() -> None:
    ada = started(Timeline().order("o1", 30, "A"), 10, products=(product("A"),)).until(DAY)

    assert ada.triggers == []


def test_a_step_heard_of_after_the_order_of_its_checkout_is_not_reminded_of() -> None:
    ada = Timeline().add("A", 0).order("o1", 30, "A", checkout_id="k1")
    ada.tell(events.PaymentInfoEntered, 29, checkout_id="k1", products=(product("A"),)).until(DAY)

    assert ada.triggers == []


def test_a_checkout_heard_of_after_the_newer_one_that_replaced_it_is_not_reminded_of() -> None:
    ada = started(started(Timeline().add("A", 0), 20, "k2"), 10, "k1").until(2 * HOUR)

    assert ada.emitted(CHECKOUT) == [80]
    assert ada.triggers[0].details["checkout_id"] == "k2"


def test_what_was_put_into_the_cart_before_but_is_heard_of_after_the_checkout_is_reminded_of() -> None:
    ada = started(Timeline(), 10, cart_id="c1").add("A", 0).until(2 * HOUR)

    assert ada.emitted(CHECKOUT) == [70]
    assert [item.product_id for item in ada.triggers[0].items] == ["A"]


# --- checkouts that nobody named ----------------------------------------------------------------------------------


def unnamed(ada: Timeline, minute: float, **fields: Any) -> Timeline:
    return ada.tell(events.CheckoutStarted, minute, **fields)


def test_after_an_order_a_checkout_without_a_name_is_another_one() -> None:
    ada = unnamed(Timeline().add("A", 0), 10).order("o1", 30, "A")
    unnamed(ada.add("B", 5 * DAY), 5 * DAY + 10).until(6 * DAY)

    assert ada.emitted(CHECKOUT) == [5 * DAY + 70]
    assert ada.emitted(CART) == []


def test_after_all_reminders_a_checkout_without_a_name_is_another_one() -> None:
    ada = unnamed(Timeline().add("A", 0), 10).until(10 * DAY)
    unnamed(ada.add("B", 15 * DAY), 15 * DAY + 10).until(16 * DAY)

    assert ada.emitted(CHECKOUT)[3:] == [15 * DAY + 70]
    assert len({trigger.trigger_id for trigger in ada.triggers}) == 4


def test_a_late_step_of_an_ordered_checkout_without_a_name_leaves_the_next_one_alone() -> None:
    ada = unnamed(Timeline().add("A", 0), 10).order("o1", 30, "A")
    unnamed(ada.add("B", 2 * HOUR), 3 * HOUR).tell(events.PaymentInfoEntered, 29).until(5 * HOUR)

    assert ada.emitted(CHECKOUT) == [4 * HOUR]


# --- the cart afterwards ------------------------------------------------------------------------------------------


def test_what_is_put_into_the_cart_soon_after_the_order_opens_a_new_episode() -> None:
    ada = started(Timeline().add("A", 0), 10).order("o1", 40, "A", cart_id="c1").add("B", 50).until(DAY)

    assert ada.emitted(CART) == [110]


def test_a_checkout_of_long_ago_is_not_taken_up_again_by_a_change_of_the_cart() -> None:
    ada = started(Timeline(consent=False).add("A", 0), 10, products=(product("A"),)).until(DAY)
    ada.tell(events.ConsentChanged, 31 * DAY, consent=(events.ConsentChange(state="GRANT", channel="email"),))
    ada.add("B", 31 * DAY + HOUR).until(40 * DAY)

    assert ada.emitted(CHECKOUT) == []
    assert ada.emitted(CART) == [31 * DAY + 2 * HOUR]


# --- fewer reminders ----------------------------------------------------------------------------------------------


def test_a_shop_without_the_second_reminder_may_have_the_third() -> None:
    ada = started(Timeline(shop(CheckoutAbandonedRule(second_after_ms=0))).add("A", 0), 10).until(10 * DAY)

    assert ada.emitted(CHECKOUT) == [70, 70 + 3 * DAY]
    assert [trigger.occurrence for trigger in ada.triggers] == [1, 3]


def test_a_reminder_that_is_switched_off_while_it_waits_is_not_sent() -> None:
    ada = started(Timeline().add("A", 0), 10).until(2 * HOUR)
    ada.new_rules(shop(CheckoutAbandonedRule(second_after_ms=0, third_after_ms=0))).until(10 * DAY)

    assert ada.emitted(CHECKOUT) == [70]
    assert ada.decisions(CHECKOUT)[-1] == ("cancelled", "disabled")


def test_of_two_that_wait_the_third_is_sent_though_the_second_was_switched_off() -> None:
    ada = started(Timeline().add("A", 0), 10).until(2 * HOUR)
    ada.new_rules(shop(CheckoutAbandonedRule(second_after_ms=0))).until(10 * DAY)

    assert ada.emitted(CHECKOUT) == [70, 70 + 3 * DAY]
    assert [trigger.occurrence for trigger in ada.triggers] == [1, 3]


def test_two_that_quiet_hours_put_off_do_not_go_out_in_the_same_moment() -> None:
    soon = CheckoutAbandonedRule(second_after_ms=4 * HOUR_MS, third_after_ms=DAY_MS)
    ada = started(Timeline(shop(soon, quiet_hours=QuietHours(jitter_ms=0))).add("A", 20 * HOUR), 20 * HOUR + 30)
    ada.until(10 * DAY)

    assert ada.emitted(CHECKOUT) == [DAY + 8 * HOUR, 2 * DAY + 8 * HOUR]
    assert [trigger.occurrence for trigger in ada.triggers] == [1, 3]


def test_two_whose_time_has_come_by_new_rules_do_not_go_out_in_the_same_moment() -> None:
    ada = started(Timeline().add("A", 0), 10).until(5 * HOUR)
    sooner = CheckoutAbandonedRule(second_after_ms=2 * HOUR_MS, third_after_ms=3 * HOUR_MS)
    ada.new_rules(shop(sooner)).until(10 * DAY)

    assert ada.emitted(CHECKOUT) == [70, pytest.approx(5 * HOUR, abs=1)]


def test_neither_is_sent_to_who_ordered_or_unsubscribed_meanwhile() -> None:
    without_second = shop(CheckoutAbandonedRule(second_after_ms=0))
    ordered = started(Timeline().add("A", 0), 10).until(2 * HOUR).new_rules(without_second).order("o1", DAY, "A")
    left = started(Timeline().add("A", 0), 10).until(2 * HOUR).new_rules(without_second)
    left.tell(events.Unsubscribed, DAY, message_channel="email")

    assert ordered.until(10 * DAY).emitted(CHECKOUT) == left.until(10 * DAY).emitted(CHECKOUT) == [70]


def test_of_several_reminders_the_last_one_brought_the_order() -> None:
    ada = started(Timeline().add("A", 0), 10).until(2 * DAY).order("o1", 2 * DAY, "A", checkout_id="k1").until(10 * DAY)

    assert [one.of_trigger_id for one in ada.out if isinstance(one, TriggerOutcome)] == [ada.triggers[1].trigger_id] * 2
    assert ada.outcomes == [("trigger.converted", None), ("cart.recovered", None)]


def test_what_happens_to_the_cart_after_the_checkout_began_is_in_the_reminder_and_in_its_value() -> None:
    ada = Timeline().add("A", 0).add("B", 1)
    started(ada, 5, products=(product("A"), product("B")), value_minor=2500, currency="USD")
    ada.remove("A", 10).add(product("C", 700, name="Cup"), 11).until(71)

    (reminder,) = ada.sent(CHECKOUT)
    assert [(item.product_id, item.name) for item in reminder.items] == [("B", None), ("C", "Cup")]
    assert reminder.value_minor == 1700


def test_it_is_so_where_the_shop_tells_of_the_cart_only_what_changes_in_it() -> None:
    ada = started(Timeline(), 5, cart_id="c1", products=(product("A"), product("B"))).remove("A", 10).until(70)

    assert [item.product_id for item in ada.sent(CHECKOUT)[0].items] == ["B"]


@pytest.mark.parametrize("minute, sent", [(10, []), (80, [65])])
def test_nobody_is_reminded_of_a_checkout_whose_cart_was_emptied_though_it_had_told_its_products(
    minute: float, sent: list[float]
) -> None:
    ada = started(Timeline().add("A", 0), 5, products=(product("A"),)).remove("A", minute).until(10 * DAY)

    assert ada.emitted(CHECKOUT) == sent
    assert ada.decisions(CHECKOUT)[-1] == ("cancelled", "empty")


def test_a_value_that_was_told_counts_until_the_cart_is_another() -> None:
    ada = started(Timeline().add("A", 0), 5, value_minor=1500).until(65).add("B", 100).until(2 * DAY)

    assert [reminder.value_minor for reminder in ada.sent(CHECKOUT)] == [1500, 2000]


def test_currency_and_address_are_those_of_the_cart_where_the_checkout_has_none() -> None:
    ada = Timeline().tell(
        events.CartUpdated, 0, cart_id="c1", products=(product("A"),), currency="EUR", url="https://shop.example/c1"
    )
    started(ada, 10).until(70)

    (reminder,) = ada.sent(CHECKOUT)
    assert (reminder.currency, reminder.recovery_url) == ("EUR", "https://shop.example/c1")


@pytest.mark.parametrize("late", [False, True])
def test_of_two_words_on_what_is_in_a_checkout_the_newer_counts_whichever_comes_first(*, late: bool) -> None:
    ada = Timeline()
    first: dict[str, Any] = {"message_id": "first", "products": (product("A"), product("B")), "value_minor": 2000}
    if not late:
        started(ada, 0, **first)
    ada.tell(
        events.CheckoutStepCompleted, 5, message_id="later", checkout_id="k1", products=(product("A"),), value_minor=900
    )
    if late:
        started(ada, 0, arrives=6, **first)
    ada.until(80)

    assert ([item.product_id for item in ada.triggers[0].items], ada.triggers[0].value_minor) == (["A"], 900)


def test_a_change_of_the_cart_resets_the_checkout_also_where_the_checkout_is_heard_of_after_it() -> None:
    ada = started(Timeline().add("A", 0).add("B", 20), 10, cart_id="c1", arrives=21)

    assert ada.waiting(CHECKOUT) == [80]


def shown(ada: Timeline) -> tuple[int | None, str, list[tuple[str, int | None]]]:
    (reminder,) = ada.until(HOUR * 2).sent(CHECKOUT)
    prices = sorted((item.product_id, item.price_minor) for item in reminder.items)
    return reminder.value_minor, reminder.currency, prices


def test_what_is_added_to_the_cart_of_a_checkout_in_another_currency_is_not_added_up_with_it() -> None:
    ada = Timeline().add(product("A", 1000), 0, currency="USD")
    started(ada, 5, products=(product("A", 900),), value_minor=900, currency="EUR")
    ada.add(product("B", 300), 10, currency="USD")

    assert shown(ada) == (300, "USD", [("A", None), ("B", 300)])


def test_a_value_that_was_told_for_a_checkout_is_in_its_currency_and_so_are_the_prices_shown_with_it() -> None:
    ada = Timeline().add(product("A", 1000), 0, currency="USD")
    started(ada, 5, value_minor=900, currency="EUR")

    assert shown(ada) == (900, "EUR", [("A", None)])


def test_a_step_in_another_currency_leaves_what_it_does_not_tell_anew_without_a_price() -> None:
    ada = started(Timeline(), 5, products=(product("A", 1000),), value_minor=1000, currency="USD")
    ada.tell(events.CheckoutStepCompleted, 6, checkout_id="k1", value_minor=900, currency="EUR")

    assert shown(ada) == (900, "EUR", [("A", None)])


def test_a_step_without_amounts_gives_those_of_before_no_other_currency() -> None:
    ada = started(Timeline(), 5, products=(product("A", 1000),), value_minor=1000, currency="USD")
    ada.tell(events.CheckoutStepCompleted, 6, checkout_id="k1", currency="EUR")

    assert shown(ada) == (1000, "USD", [("A", 1000)])


def test_a_reminder_that_could_not_be_sent_takes_no_credit_from_one_that_was() -> None:
    ada = started(Timeline().add("A", 0), 0).until(DAY + 60)
    first, second = ada.sent(CHECKOUT)
    ada.tell(events.MessageFailed, DAY + 61, trigger_id=second.trigger_id)
    ada.order("o1", DAY + 90, "A", checkout_id="k1")

    told = [one for one in ada.out if isinstance(one, TriggerOutcome)]
    assert [(one.name, one.of_trigger_id) for one in told] == [
        ("trigger.converted", first.trigger_id),
        ("cart.recovered", first.trigger_id),
    ]
