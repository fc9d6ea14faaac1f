"""An abandoned cart: when its reminder is due, what cancels it, what becomes of it after it went out."""

import pytest

from profiles.document import document
from profiles.triggers import CartAbandonedRule
from schemas import events
from tests.stories.timeline import DAY, HOUR, MINUTE_MS, Timeline, ms, product, shop

CART = "cart.abandoned"
GRANT = (events.ConsentChange(state="GRANT", channel="email"),)


@pytest.fixture
def ada() -> Timeline:
    return Timeline()


def test_a_cart_left_for_an_hour_is_abandoned(ada: Timeline) -> None:
    ada.add("A", 0)

    assert ada.waiting(CART) == [60]

    ada.until(60)

    assert ada.emitted(CART) == [60]
    assert [item.product_id for item in ada.triggers[0].items] == ["A"]


def test_every_change_of_the_cart_starts_the_hour_anew(ada: Timeline) -> None:
    ada.add("A", 0).add("B", 50)

    assert ada.waiting(CART) == [110]

    ada.until(110)

    assert ada.emitted(CART) == [110]
    assert {item.product_id for item in ada.triggers[0].items} == {"A", "B"}


def test_a_cart_emptied_again_cancels_the_reminder(ada: Timeline) -> None:
    ada.add("A", 0).remove("A", 10).until(DAY)

    assert ada.triggers == []
    assert ada.decisions(CART) == [("armed", None), ("cancelled", "empty")]


def test_the_reminder_shows_what_is_left_in_the_cart(ada: Timeline) -> None:
    ada.add("A", 0).add("B", 5).remove("A", 6)

    assert ada.waiting(CART) == [66]

    ada.until(66)

    assert [item.product_id for item in ada.triggers[0].items] == ["B"]


def test_an_order_placed_before_the_reminder_but_known_after_it_takes_it_back(ada: Timeline) -> None:
    ada.add("A", 0).until(60)
    ada.order("o1", 59, "A", cart_id="c1", arrives=65)

    assert ada.emitted(CART) == [60]
    assert ada.outcomes == [("trigger.cancelled", "late_conversion")]


def test_an_order_after_the_reminder_is_its_conversion_and_recovers_the_cart(ada: Timeline) -> None:
    ada.add("A", 0).order("o1", 90, "A", cart_id="c1")

    assert ada.emitted(CART) == [60]
    assert ada.outcomes == [("trigger.converted", None), ("cart.recovered", None)]


@pytest.mark.parametrize("later, recovered", [(3 * DAY, True), (3 * DAY + 1, False)])
def test_for_three_days_after_the_reminder_and_no_longer(ada: Timeline, later: int, recovered: bool) -> None:
    ada.add("A", 0).order("o1", 60 + later, "A", cart_id="c1")

    assert bool(ada.outcomes) == recovered


@pytest.mark.parametrize(
    "cart, bought, recovered", [("c1", "Z", True), ("c2", "A", False), (None, "A", True), (None, "Z", False)]
)
def test_an_order_that_names_a_cart_is_the_sale_of_that_one_and_any_other_that_of_what_it_holds(
    ada: Timeline, cart: str | None, bought: str, recovered: bool
) -> None:
    ada.add("A", 0).order("o1", 90, bought, cart_id=cart)

    assert bool(ada.outcomes) == recovered


def test_an_order_in_time_cancels_the_reminder(ada: Timeline) -> None:
    ada.add("A", 0).order("o1", 30, "A", cart_id="c1").until(DAY)

    assert ada.triggers == []
    assert ada.decisions(CART) == [("armed", None), ("cancelled", "ordered")]


def test_nobody_is_reminded_by_the_very_order_she_places_at_the_due_time(ada: Timeline) -> None:
    ada.add("A", 0).order("o1", 60, "A", cart_id="c1").until(DAY)

    assert ada.triggers == []


ANY_ID = pytest.mark.parametrize("message_id", ["0", "z"])
"""What events are called does not decide in which order things of one moment happened."""


@ANY_ID
@pytest.mark.parametrize("cart", ["c1", None])
def test_nor_of_what_she_buys_in_the_moment_in_which_she_puts_it_into_the_cart(
    ada: Timeline, message_id: str, cart: str | None
) -> None:
    ada.add("A", 0, message_id=message_id).order("o1", 0, "A", cart_id=cart).until(DAY)

    assert ada.decisions(CART) == [("armed", None), ("cancelled", "ordered")]


@ANY_ID
def test_nor_by_a_look_at_the_cart_after_a_reminder_of_the_very_moment(message_id: str) -> None:
    ada = Timeline(shop(CartAbandonedRule(delay_ms=0, cooldown_ms=0))).add("A", 0, message_id=message_id).until(1)
    ada.tell(events.CartViewed, 5, cart_id="c1").until(DAY)

    assert ada.emitted(CART) == [0]


@ANY_ID
def test_what_a_cart_told_as_a_whole_in_the_same_moment_holds_is_in_it_once(ada: Timeline, message_id: str) -> None:
    ada.add("A", 0).tell(events.CartUpdated, 5, cart_id="c1", products=(product("A"), product("B")), message_id="m")
    ada.add("B", 5, message_id=message_id).until(DAY)

    assert [(item.product_id, item.quantity) for item in ada.triggers[0].items] == [("A", 1), ("B", 1)]


@ANY_ID
def test_what_is_put_in_and_taken_out_in_one_moment_is_not_in_it(ada: Timeline, message_id: str) -> None:
    ada.add("B", 0).remove("A", 5, message_id="m").add("A", 5, message_id=message_id).until(DAY)

    assert [item.product_id for item in ada.triggers[0].items] == ["B"]


def test_a_checkout_takes_the_reminder_over(ada: Timeline) -> None:
    ada.add("A", 0).tell(events.CheckoutStarted, 10, checkout_id="k1")

    assert ada.waiting(CART) == []
    assert ada.waiting("checkout.abandoned") == [70]

    ada.until(70)

    assert ada.emitted(CART) == []
    assert ada.emitted("checkout.abandoned") == [70]


def test_the_same_message_ten_hours_later_changes_nothing(ada: Timeline) -> None:
    ada.add("A", 0, message_id="once").add("A", 0, message_id="once", arrives=10 * HOUR).until(2 * DAY)

    assert ada.emitted(CART) == [60]
    assert ada.profile.carts["c1"].lines["A"].quantity == 1


def test_an_order_of_one_cart_leaves_the_other_cart_abandoned(ada: Timeline) -> None:
    ada.add("A", 0, cart="c1").add("B", 20, cart="c2").order("o1", 30, "A", cart_id="c1").until(DAY)

    assert ada.emitted(CART) == [80]
    assert ada.triggers[0].episode_key == "c2"


def test_with_the_any_order_setting_an_order_ends_every_cart() -> None:
    ada = Timeline(shop(CartAbandonedRule(any_order=True)))
    ada.add("A", 0, cart="c1").add("B", 20, cart="c2").order("o1", 30, "A", cart_id="c1").until(DAY)

    assert ada.emitted(CART) == []


def test_an_order_that_names_no_cart_covers_the_carts_with_its_items(ada: Timeline) -> None:
    ada.add("A", 0, cart="c1").add("B", 5, cart="c2").order("o1", 30, "B").until(DAY)

    assert ada.emitted(CART) == [60]
    assert ada.triggers[0].episode_key == "c1"


def test_after_a_reminder_only_an_added_item_opens_a_new_episode(ada: Timeline) -> None:
    ada.add("A", 0).add("B", 1).until(2 * DAY).remove("B", 2 * DAY + 1)

    assert ada.waiting(CART) == []

    ada.add("C", 2 * DAY + 10)

    assert ada.waiting(CART) == [2 * DAY + 70]


def test_looking_at_the_cart_moves_the_reminder_but_does_not_open_one(ada: Timeline) -> None:
    ada.tell(events.CartViewed, 0, cart_id="c1").add("A", 5).tell(events.CartViewed, 30, cart_id="c1")

    assert ada.waiting(CART) == [90]


def test_a_second_cart_within_the_cooldown_is_not_reminded(ada: Timeline) -> None:
    ada.add("A", 0, cart="c1").until(HOUR).add("B", 2 * HOUR, cart="c2").until(DAY)

    assert ada.emitted(CART) == [60]
    assert ("suppressed", "cooldown") in ada.decisions(CART)


def test_without_consent_nothing_is_sent_and_the_reason_is_kept() -> None:
    ada = Timeline(consent=False).add("A", 0).until(DAY)

    assert ada.triggers == []
    assert ada.decisions(CART) == [("armed", None), ("suppressed", "no_consent")]


def test_a_visitor_nobody_can_reach_is_reminded_once_she_logs_in() -> None:
    ada = Timeline(customer="anonymous_id:a1").add("A", 0).until(61)

    assert ada.triggers == []

    ada.tell(events.Identified, 300, email="ada@example.org").until(301)

    assert ada.emitted(CART) == [300]


def test_a_visitor_who_never_logs_in_is_let_go() -> None:
    ada = Timeline(customer="anonymous_id:a1").add("A", 0).until(3 * DAY)

    assert ada.decisions(CART) == [("armed", None), ("unreachable", "unreachable"), ("expired", "unreachable")]


def test_an_event_that_came_a_day_and_a_half_late_arms_nothing_that_would_expire(ada: Timeline) -> None:
    ada.add("A", 0, arrives=36 * HOUR)

    assert ada.waiting(CART) == []
    assert ada.decisions(CART) == [("expired", "max_lateness")]


def test_an_event_late_by_two_hours_is_reminded_of_at_once(ada: Timeline) -> None:
    ada.add("A", 0, arrives=120).until(121)

    assert ada.emitted(CART) == [120]


@pytest.mark.parametrize("late, sent", [(7 * HOUR, [7 * HOUR]), (7 * HOUR + 1, [])])
def test_a_reminder_may_be_as_late_as_the_rules_say_and_no_minute_later(late: int, sent: list[int]) -> None:
    ada = Timeline(shop(CartAbandonedRule(max_lateness_ms=6 * HOUR * MINUTE_MS))).add("A", 0, arrives=late).until(DAY)

    assert ada.emitted(CART) == sent


def test_units_add_up_and_the_value_is_that_of_the_whole_cart(ada: Timeline) -> None:
    ada.add(product("A", 250, 2), 0).add(product("A", 250, 1), 1).add(product("B", 100), 2).until(DAY)

    assert ada.triggers[0].value_minor == 850
    assert ada.triggers[0].currency == "USD"
    assert ada.triggers[0].exponent == 2


def test_what_is_worth_most_is_shown_first(ada: Timeline) -> None:
    ada.add(product("B", 900), 0).add(product("A", 250, 4), 1).until(DAY)

    assert [item.product_id for item in ada.triggers[0].items] == ["A", "B"]


def test_the_id_of_a_reminder_does_not_depend_on_when_it_was_decided() -> None:
    first = Timeline().add("A", 0).until(60).triggers[0]
    again = Timeline().add("A", 0).until(90).triggers[0]

    assert first.trigger_id == again.trigger_id


def test_a_reminder_names_what_opened_it_and_the_newest_eight_events_that_moved_it(ada: Timeline) -> None:
    for number in range(12):
        ada.add("A", number, message_id=f"add {number}")
    (reminder,) = ada.until(DAY).triggers

    assert reminder.evidence == ("add 0", *(f"add {number}" for number in range(4, 12)))


def test_what_a_late_event_shows_to_have_been_the_second_is_still_named(ada: Timeline) -> None:
    ada.add("A", 10, message_id="second").add("B", 5, message_id="first", arrives=11)
    (reminder,) = ada.until(DAY).triggers

    assert reminder.evidence == ("first", "second")


def test_nothing_is_named_twice_nor_what_an_order_had_ended(ada: Timeline) -> None:
    ada.add("A", 0, message_id="bought").add("B", 10, message_id="left")
    ada.order("o1", 5, "A", arrives=11, message_id="order").until(DAY)

    assert ada.triggers[0].evidence == ("left", "order")


def test_what_was_sent_is_forgotten_when_it_stands_in_the_way_of_nothing_any_more(ada: Timeline) -> None:
    ada.add("A", 0, cart="c1").add("A", 30 * DAY, cart="c2").until(31 * DAY)

    assert ada.emitted(CART) == [60, 30 * DAY + 60]
    assert [sent.key for sent in ada.profile.emitted] == ["c2"]


def test_what_is_put_in_after_unsubscribing_opens_a_new_episode() -> None:
    ada = Timeline().add("A", 0).tell(events.Unsubscribed, 10, message_channel="email")
    ada.tell(events.ConsentChanged, 15, consent=GRANT).add("B", 20).until(DAY)

    assert ada.emitted(CART) == [80]
    assert [item.product_id for item in ada.triggers[-1].items] == ["A", "B"]


@pytest.mark.parametrize("cart", ["c1", None])
def test_a_cart_that_was_left_for_more_than_thirty_days_begins_anew(cart: str | None) -> None:
    came_by = Timeline().add("A", 0, cart=cart).tell(events.PageViewed, 39 * DAY, channel="browser")
    stayed_away = Timeline().add("A", 0, cart=cart)

    for ada in (came_by, stayed_away):
        ada.add("B", 40 * DAY, cart=cart).until(41 * DAY)
        assert [[item.product_id for item in trigger.items] for trigger in ada.sent(CART)] == [["A"], ["B"]]


def test_one_that_was_looked_at_in_between_goes_on() -> None:
    ada = Timeline().add("A", 0).tell(events.CartViewed, 20 * DAY, cart_id="c1").add("B", 40 * DAY).until(41 * DAY)

    assert [item.product_id for item in ada.sent(CART)[-1].items] == ["A", "B"]


@pytest.mark.parametrize(
    "looked_at, became", [(10 * DAY, ("emitted", None)), (10 * DAY + 1, ("cancelled", "forgotten"))]
)
def test_a_cart_is_forgotten_thirty_days_after_its_last_change_whenever_she_looked_at_it(
    looked_at: int, became: tuple[str, str | None]
) -> None:
    patient = shop(CartAbandonedRule(delay_ms=20 * DAY * MINUTE_MS))
    ada = Timeline(patient).add("A", 0).tell(events.CartViewed, looked_at, cart_id="c1").until(31 * DAY)

    assert ada.decisions(CART)[-1] == became


def test_an_order_from_before_the_cart_was_filled_takes_nothing_back_though_it_is_told_of_after_the_reminder() -> None:
    ada = Timeline().add("tea", 10).until(80).order("o1", 5, "tea", arrives=90)

    assert ada.emitted("cart.abandoned") == [70]
    assert ada.outcomes == []


def test_what_comes_too_late_arms_nothing_that_is_due_when_it_comes() -> None:
    a_day_later = shop(CartAbandonedRule(delay_ms=25 * HOUR * MINUTE_MS))

    assert Timeline(a_day_later).add("tea", 0, arrives=25 * HOUR).until(3 * DAY).emitted("cart.abandoned") == []
    assert Timeline(a_day_later).add("tea", 0, arrives=25 * HOUR - 1).until(3 * DAY).emitted("cart.abandoned") == [
        25 * HOUR
    ]


def test_a_look_at_the_cart_in_another_currency_gives_its_prices_no_other_name(ada: Timeline) -> None:
    ada.add("A", 0, currency="EUR").tell(events.CartViewed, 5, cart_id="c1", currency="USD").until(65)

    (reminder,) = ada.sent(CART)
    assert (reminder.value_minor, reminder.currency) == (1000, "EUR")


def test_of_a_cart_in_two_currencies_the_prices_in_that_of_what_was_added_last_are_shown(ada: Timeline) -> None:
    ada.add(product("A", 1000), 0, currency="USD").add(product("B", 300), 5, currency="EUR").until(65)

    (reminder,) = ada.sent(CART)
    assert (reminder.value_minor, reminder.currency) == (300, "EUR")
    assert [(item.product_id, item.price_minor, item.price_at_add_minor) for item in reminder.items] == [
        ("B", 300, None),
        ("A", None, None),
    ]


def test_a_cart_that_is_told_anew_in_another_currency_is_in_that_one(ada: Timeline) -> None:
    ada.add(product("A", 1000), 0, currency="USD")
    ada.tell(events.CartUpdated, 5, cart_id="c1", products=(product("A", 900),), currency="EUR").until(65)

    (reminder,) = ada.sent(CART)
    assert (reminder.value_minor, reminder.currency) == (900, "EUR")


def test_a_cart_in_two_currencies_is_so_after_days(ada: Timeline) -> None:
    ada.add(product("A", 1000), 0, currency="USD").add(product("B", 300), 5, currency="EUR").until(65)
    ada.add(product("C", 200), 10 * DAY).until(10 * DAY + 60)

    _, reminder = ada.sent(CART)
    assert (reminder.value_minor, reminder.currency) == (1200, "USD")  # what names none is in the cart's first
    assert [cart.value_minor for cart in document(ada.profile, ada.engine.book, ms(10 * DAY)).carts] == [1200]
