"""A visit in which products were looked at and nothing came of it."""

from typing import Any

import pytest

from profiles.goods_state import Good
from profiles.rules import HOUR_MS
from profiles.visit_rules import BrowseAbandonedRule
from schemas import events
from tests.stories.timeline import DAY, HOUR, Timeline, product, shop

BROWSE = "browse.abandoned"
GRANT = (events.ConsentChange(state="GRANT", channel="email"),)


@pytest.fixture
def ada() -> Timeline:
    return Timeline()


def page(ada: Timeline, minute: float, **fields: Any) -> Timeline:
    return ada.tell(events.PageViewed, minute, **{"channel": "browser", **fields})


def shown(ada: Timeline) -> list[str]:
    return [item.product_id for item in ada.triggers[-1].items]


def test_two_products_looked_at_are_told_of_an_hour_after_the_last_event_of_the_visit(ada: Timeline) -> None:
    ada.view("A", 0).view("B", 2)
    page(ada, 9).until(DAY)

    assert ada.emitted(BROWSE) == [69]
    assert ada.decisions(BROWSE) == [("armed", None), ("emitted", None)]


def test_the_visit_is_named_by_its_first_message_and_the_episode_opens_with_the_first_view(ada: Timeline) -> None:
    page(ada, 0, message_id="came").view("A", 1, message_id="first").view("B", 2).until(DAY)

    assert ada.triggers[0].episode_key == "user_id:ada|came"
    assert ada.triggers[0].evidence[0] == "first"


def test_one_short_look_is_no_interest(ada: Timeline) -> None:
    ada.view("A", 0)
    page(ada, 0.49).until(DAY)

    assert ada.decisions(BROWSE) == []


def test_one_look_of_half_a_minute_is(ada: Timeline) -> None:
    ada.view("A", 0)
    page(ada, 0.5).until(DAY)

    assert ada.emitted(BROWSE) == [60.5]


def test_the_last_look_of_a_visit_has_no_length(ada: Timeline) -> None:
    ada.view("A", 0)
    page(ada, 31).until(DAY)

    assert ada.decisions(BROWSE) == []


def test_the_same_product_twice_in_a_week_is_interest(ada: Timeline) -> None:
    ada.view("A", 0).view("A", 7 * DAY).until(9 * DAY)

    assert ada.emitted(BROWSE) == [7 * DAY + 60]


def test_after_more_than_a_week_it_is_not(ada: Timeline) -> None:
    ada.view("A", 0).view("A", 7 * DAY + 1).until(9 * DAY)

    assert ada.decisions(BROWSE) == []


def test_one_view_in_each_of_two_visits_is_not(ada: Timeline) -> None:
    ada.view("A", 0).view("B", 35).until(DAY)

    assert ada.decisions(BROWSE) == []


def test_a_new_visit_before_the_hour_is_over_moves_it(ada: Timeline) -> None:
    ada.view("A", 0, message_id="v1").view("B", 2)
    page(ada, 50).until(DAY)

    assert ada.emitted(BROWSE) == [110]
    assert ada.triggers[0].episode_key == "user_id:ada|v1"


def test_what_a_server_tells_is_no_visit(ada: Timeline) -> None:
    ada.view("A", 0, channel="server").view("B", 2, channel="server").until(DAY)

    assert ada.decisions(BROWSE) == []


def test_the_products_looked_at_most_come_first_then_the_latest_and_no_more_than_three(ada: Timeline) -> None:
    ada.view("A", 0).view("B", 1).view("C", 2).view("D", 3).view("A", 4).until(DAY)

    assert shown(ada) == ["A", "D", "C"]


def test_items_are_described_by_the_fullest_word_and_the_newest_price(ada: Timeline) -> None:
    ada.view(product("A", 900, name="Tent", url="https://shop.example/a"), 0).view(product("A", 800), 1).until(DAY)
    item = ada.triggers[0].items[0]

    assert (item.name, item.url, item.price_minor) == ("Tent", "https://shop.example/a", 800)


@pytest.mark.parametrize(
    "what, reason",
    [
        (lambda ada: ada.add("A", 5), "added_to_cart"),
        (lambda ada: ada.add("A", 5).remove("A", 6), "added_to_cart"),
        (lambda ada: ada.tell(events.CheckoutStarted, 5, checkout_id="k", products=()), "checkout_started"),
        (lambda ada: ada.tell(events.CheckoutStarted, 0, checkout_id="k", products=()), "checkout_started"),
        (lambda ada: ada.order("o1", 5, "Z"), "ordered"),
    ],
)
def test_an_add_a_checkout_or_an_order_since_the_first_view_ends_it(ada: Timeline, what: Any, reason: str) -> None:
    what(ada.view("A", 0).view("B", 2)).until(50 * DAY)

    assert ada.emitted(BROWSE) == []
    assert ada.decisions(BROWSE) == [("armed", None), ("cancelled", reason)]


def test_an_order_of_the_last_ten_days_keeps_it_back(ada: Timeline) -> None:
    ada.order("o1", 0, "Z").view("A", 9 * DAY).view("B", 9 * DAY + 2).until(20 * DAY)

    assert ada.decisions(BROWSE) == [("armed", None), ("cancelled", "recent_order")]


@pytest.mark.parametrize("due, sent", [(10 * DAY - 1, []), (10 * DAY, [10 * DAY])])
def test_ten_days_after_an_order_it_goes_out(ada: Timeline, due: int, sent: list[int]) -> None:
    ada.order("o1", 0, "Z").view("A", due - 62).view("B", due - 60).until(20 * DAY)

    assert ada.emitted(BROWSE) == sent


def test_products_bought_in_the_last_30_days_neither_count_nor_are_shown(ada: Timeline) -> None:
    ada.order("o1", 0, "A").view("A", 11 * DAY).view("B", 11 * DAY + 0.1).until(12 * DAY)

    assert ada.decisions(BROWSE) == []

    ada.view("A", 20 * DAY).view("B", 20 * DAY + 0.1).view("C", 20 * DAY + 0.2).until(21 * DAY)

    assert shown(ada) == ["C", "B"]


def cart(ada: Timeline, minute: float, *what: str) -> Timeline:
    """The whole cart, as some shops tell it."""
    return ada.tell(events.CartUpdated, minute, cart_id="c1", products=tuple(product(item) for item in what))


def test_a_cart_told_as_a_whole_that_holds_more_than_before_is_an_add(ada: Timeline) -> None:
    cart(cart(ada.view("A", 0).view("B", 2), 5, "A"), 6).until(DAY)

    assert ada.decisions(BROWSE) == [("armed", None), ("cancelled", "added_to_cart")]


def test_a_cart_told_as_a_whole_that_holds_less_than_before_is_none(ada: Timeline) -> None:
    cart(ada, 0, "A", "B").view("A", 3 * DAY).view("B", 3 * DAY + 2)
    cart(cart(ada, 3 * DAY + 5, "A"), 3 * DAY + 6).until(4 * DAY)

    assert ada.emitted(BROWSE) == [3 * DAY + 62]


@pytest.mark.parametrize("due, became", [(30 * DAY, ("cancelled", "cart_pending")), (30 * DAY + 1, ("emitted", None))])
def test_a_cart_with_items_has_a_reminder_of_its_own_until_it_is_forgotten(
    ada: Timeline, due: int, became: tuple[str, str | None]
) -> None:
    ada.add("Z", 0).view("A", due - 62).view("B", due - 60).until(32 * DAY)

    assert ada.decisions(BROWSE) == [("armed", None), became]


def test_what_is_out_of_stock_is_not_shown_and_nothing_is_sent_of_nothing(ada: Timeline) -> None:
    ada.goods["A"] = Good(stock=0)
    ada.view("A", 0).view("B", 2).until(DAY)

    assert shown(ada) == ["B"]

    none = Timeline()
    none.goods = {"A": Good(stock=0), "B": Good(stock=0)}
    none.view("A", 0).view("B", 2).until(DAY)

    assert none.decisions(BROWSE) == [("armed", None), ("suppressed", "out_of_stock")]


def test_a_visitor_nobody_knows_is_told_once_she_logs_in(ada: Timeline) -> None:
    visitor = Timeline(customer="anonymous_id:a1").view("A", 0).view("B", 2).until(63)

    assert visitor.decisions(BROWSE)[-1] == ("unreachable", "unreachable")

    visitor.tell(events.Identified, 600, email="ada@example.org").until(601)

    assert visitor.emitted(BROWSE) == [600]


def test_within_two_weeks_there_is_no_second_one(ada: Timeline) -> None:
    ada.view("A", 0).view("B", 2).view("C", 13 * DAY).view("D", 13 * DAY + 2).until(14 * DAY)

    assert ada.decisions(BROWSE)[-1] == ("suppressed", "cooldown")

    ada.view("E", 15 * DAY).view("F", 15 * DAY + 2).until(16 * DAY)

    assert ada.emitted(BROWSE) == [62, 15 * DAY + 62]


def test_a_view_that_comes_late_counts_where_it_belongs(ada: Timeline) -> None:
    ada.view("B", 2).view("A", 0, arrives=30, message_id="first").until(DAY)

    assert ada.emitted(BROWSE) == [62]
    assert ada.triggers[0].evidence[0] == "first"


def test_a_visit_that_becomes_known_hours_later_is_told_of_at_once(ada: Timeline) -> None:
    ada.view("A", 0, arrives=5 * HOUR).view("B", 2, arrives=5 * HOUR).until(6 * HOUR)

    assert ada.emitted(BROWSE) == [5 * HOUR]
    assert ada.triggers[0].due_at_ms == ada.triggers[0].emitted_at_ms - (5 * HOUR - 62) * 60_000


def test_a_visit_of_two_days_ago_is_none_any_more(ada: Timeline) -> None:
    ada.view("A", 0, arrives=2 * DAY).view("B", 2, arrives=2 * DAY).until(3 * DAY)

    assert ada.decisions(BROWSE) == []


def test_a_late_view_after_the_message_does_not_send_it_again() -> None:
    ada = Timeline(shop(BrowseAbandonedRule(cooldown_ms=0)))
    ada.view("A", 0).view("B", 2).until(70).view("C", 1, arrives=80).until(DAY)

    assert ada.emitted(BROWSE) == [62]


def test_how_many_views_and_how_long_is_for_the_shop_to_say() -> None:
    ada = Timeline(shop(BrowseAbandonedRule(views=1, delay_ms=2 * HOUR_MS)))
    ada.view("A", 0).until(DAY)

    assert ada.emitted(BROWSE) == [120]


def test_what_was_bought_more_than_30_days_ago_counts_again_even_if_nothing_was_bought_since(ada: Timeline) -> None:
    ada.order("o1", 0, "A").view("A", 31 * DAY).view("A", 31 * DAY + 2).until(32 * DAY)

    assert ada.emitted(BROWSE) == [31 * DAY + 62]
    assert shown(ada) == ["A"]


def test_unsubscribing_before_it_is_due_ends_it_and_a_new_consent_does_not_bring_it_back(ada: Timeline) -> None:
    ada.view("A", 0).view("B", 2).tell(events.Unsubscribed, 30, message_channel="email")
    ada.tell(events.ConsentChanged, 40, consent=GRANT).until(DAY)

    assert ada.decisions(BROWSE) == [("armed", None), ("cancelled", "unsubscribed")]


def test_what_is_looked_at_after_that_is_another_visit(ada: Timeline) -> None:
    ada.view("A", 0).view("B", 2).tell(events.Unsubscribed, 30, message_channel="email")
    ada.tell(events.ConsentChanged, 40, consent=GRANT)
    ada.view("C", 50).view("D", 51).until(DAY)

    assert ada.emitted(BROWSE) == [111]


def test_unsubscribing_ends_nothing_where_nothing_was_worth_a_reminder_yet(ada: Timeline) -> None:
    ada.view("A", 0).tell(events.Unsubscribed, 0.1, message_channel="email")
    ada.tell(events.ConsentChanged, 0.2, consent=GRANT)
    ada.view("B", 2).until(DAY)

    assert ada.emitted(BROWSE) == [62]


def test_a_less_important_one_that_is_due_within_the_minute_before_waits_for_it() -> None:
    ada = Timeline(consent=False).view("A", 0).view("B", 2)
    ada.tell(events.ConsentChanged, 56.5, consent=GRANT).until(DAY)

    assert [trigger.name for trigger in ada.triggers] == [BROWSE, "welcome"]
    assert ada.emitted(BROWSE) == ada.emitted("welcome") == [62]


def test_it_waits_for_no_visit_that_is_worth_nothing() -> None:
    ada = Timeline(consent=False).view("A", 2).tell(events.ConsentChanged, 56.5, consent=GRANT).until(DAY)

    assert ada.emitted("welcome") == [61.5]


def test_an_order_within_a_week_is_its_conversion(ada: Timeline) -> None:
    ada.view("A", 0).view("B", 2).until(DAY).order("o1", 2 * DAY, "A")

    assert ada.outcomes == [("trigger.converted", None)]


def test_prices_in_another_currency_than_the_first_one_shown_are_left_out(ada: Timeline) -> None:
    ada.view(product("A", 1000), 0).view(product("B", 900), 1, currency="EUR").view(
        product("B", 900), 2, currency="EUR"
    )
    ada.view(product("C", 800), 3, currency="USD").until(DAY)

    (told,) = ada.sent(BROWSE)
    assert told.currency == "EUR"
    assert [(item.product_id, item.price_minor) for item in told.items] == [("B", 900), ("C", None), ("A", None)]


def test_what_names_no_currency_is_in_the_shops(ada: Timeline) -> None:
    ada.view(product("A", 1000), 0).view(product("B", 900), 1, currency="EUR").view(product("A", 1000), 2).until(DAY)

    (told,) = ada.sent(BROWSE)
    assert told.currency == "USD"
    assert [(item.product_id, item.price_minor) for item in told.items] == [("A", 1000), ("B", None)]


def test_what_was_put_into_a_cart_before_any_view_was_heard_of_ends_it_too(ada: Timeline) -> None:
    ada.add("C", 5).remove("C", 6).view("B", 0).view("C", 4).until(DAY)

    assert ("cancelled", "added_to_cart") in ada.decisions(BROWSE)
