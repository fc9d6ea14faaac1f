"""price.dropped: told once for each drop, measured against the lowest price the customer saw."""

import pytest

from profiles.rules import HOUR_MS, MINUTE_MS
from profiles.state import Moment
from profiles.triggers import CartAbandonedRule, PriceDroppedRule
from profiles.turn import Turn
from schemas import events
from schemas.events import ProductUpdated
from tests.stories.timeline import DAY, HOUR, Timeline, product, shop

NAME = "price.dropped"
NO_CART = CartAbandonedRule(enabled=False)


def ada(**rule: object) -> Timeline:
    return Timeline(shop(PriceDroppedRule(**rule), NO_CART))  # type: ignore[arg-type]


def test_a_product_she_viewed_that_becomes_a_tenth_cheaper_is_told_five_minutes_later() -> None:
    story = ada().view("tent", 0).price("tent", 100, 900).until(DAY)

    assert story.emitted(NAME) == [105]
    (trigger,) = story.triggers
    assert trigger.details == {"price_minor": 900, "lowest_seen_minor": 1000}
    assert [(item.product_id, item.price_minor) for item in trigger.items] == [("tent", 900)]
    assert trigger.episode_key == "user_id:ada|tent"


def test_a_little_less_than_a_tenth_is_no_drop() -> None:
    assert ada().view("tent", 0).price("tent", 100, 901).until(DAY).emitted(NAME) == []


def test_a_drop_that_she_could_not_be_told_of_is_not_brought_up_by_her_next_look() -> None:
    story = (
        Timeline(shop(PriceDroppedRule(), NO_CART), consent=False).view("tent", 0).price("tent", 100, 900).until(DAY)
    )
    story.tell(events.ConsentChanged, DAY, consent=(events.ConsentChange(state="GRANT", channel="email"),))
    story.view(product("tent", None), DAY + 1).until(2 * DAY)

    assert story.decisions(NAME) == [("armed", None), ("suppressed", "no_consent")]


def test_the_window_counts_drops_of_all_products_though_each_cools_by_itself() -> None:
    story = ada(max_in_window=1, window_ms=DAY * MINUTE_MS).view("tent", 0).view("mat", 1)
    story.price("tent", 100, 900).price("mat", 200, 900).price("mat", 2 * DAY, 800)

    assert story.until(3 * DAY).emitted(NAME) == [105, 2 * DAY + 5]


def test_a_shop_may_count_an_amount_instead() -> None:
    story = ada(amount_minor=50).view("tent", 0).price("tent", 100, 950)

    assert story.until(DAY).emitted(NAME) == [105]


@pytest.mark.parametrize("kind", ["wish", "add"])
def test_a_price_seen_on_the_wishlist_or_in_the_cart_counts_like_one_viewed(kind: str) -> None:
    story = ada()
    (story.wish if kind == "wish" else story.add)("tent", 0)

    assert story.price("tent", 100, 900).until(DAY).emitted(NAME) == [105]


def test_a_cart_sent_as_a_whole_counts_too() -> None:
    story = ada().tell(events.CartUpdated, 0, cart_id="c", products=(product("tent"),))

    assert story.price("tent", 100, 900).until(DAY).emitted(NAME) == [105]


def test_the_drop_is_measured_against_the_lowest_price_she_has_seen() -> None:
    story = ada().view(product("tent", 950), 0).view(product("tent", 1000), 50)

    assert story.price("tent", 100, 900).until(DAY).emitted(NAME) == []
    assert story.price("tent", 2 * DAY, 855).until(3 * DAY).emitted(NAME) == [2 * DAY + 5]


def test_a_price_she_saw_more_than_thirty_days_ago_counts_no_more() -> None:
    story = ada().view(product("tent", 900), 0).view(product("tent", 1000), 29 * DAY)

    assert story.price("tent", 31 * DAY, 900).until(32 * DAY).emitted(NAME) == [31 * DAY + 5]


def test_nobody_is_told_of_what_she_never_saw() -> None:
    assert ada().view("lamp", 0).price("tent", 100, 1).until(DAY).emitted(NAME) == []


def test_the_first_reading_of_the_catalogue_is_no_drop() -> None:
    story = ada().view("tent", 0).shop_tells(ProductUpdated, "tent", 10, price_minor=500).until(DAY)

    assert story.emitted(NAME) == []
    assert story.shop_tells(ProductUpdated, "tent", 2 * DAY, price_minor=450).until(3 * DAY).emitted(NAME) == [
        2 * DAY + 5
    ]


def test_a_price_that_rises_is_no_drop_even_if_it_is_below_what_she_saw() -> None:
    story = ada().view("tent", 0).shop_tells(ProductUpdated, "tent", 10, price_minor=500)

    assert story.price("tent", 100, 600).until(DAY).emitted(NAME) == []


def test_a_price_in_another_currency_is_left_alone() -> None:
    seen_abroad = ada().view("tent", 0, currency="EUR").price("tent", 100, 500)
    told_abroad = ada().view("tent", 0).price("tent", 100, 500, currency="EUR")

    assert seen_abroad.until(DAY).emitted(NAME) == told_abroad.until(DAY).emitted(NAME) == []


def test_a_price_that_is_back_before_she_is_told_is_not_told() -> None:
    story = ada().view("tent", 0).price("tent", 100, 900).price("tent", 103, 1000).until(DAY)

    assert story.decisions(NAME) == [("armed", None), ("cancelled", "price_back")]


def test_further_drops_within_the_five_minutes_are_told_together() -> None:
    story = ada().view("tent", 0).price("tent", 100, 900).price("tent", 103, 800).until(DAY)

    assert story.emitted(NAME) == [105]
    assert story.triggers[0].items[0].price_minor == 800


def test_a_customer_who_has_seen_the_new_price_meanwhile_needs_no_message() -> None:
    story = ada().view("tent", 0).price("tent", 100, 900).view(product("tent", 900), 102).until(DAY)

    assert story.decisions(NAME) == [("armed", None), ("cancelled", "price_back")]


def test_having_bought_it_ends_it() -> None:
    story = ada().view("tent", 0).order("o1", 50, "tent").price("tent", 100, 900).until(DAY)

    assert story.decisions(NAME) == [("armed", None), ("cancelled", "ordered")]


def test_an_order_of_something_else_does_not() -> None:
    assert ada().view("tent", 0).order("o1", 50, "lamp").price("tent", 100, 900).until(DAY).emitted(NAME) == [105]


def test_what_is_sold_out_is_not_offered() -> None:
    story = ada().view("tent", 0).stock("tent", 50, 0).price("tent", 100, 900).until(DAY)

    assert story.decisions(NAME) == [("armed", None), ("suppressed", "out_of_stock")]


def test_what_she_was_told_she_has_seen() -> None:
    story = ada(cooldown_ms=0).view("tent", 0).price("tent", 100, 900).until(DAY)

    assert story.price("tent", 2 * DAY, 850).until(3 * DAY).emitted(NAME) == [105]
    assert story.price("tent", 4 * DAY, 810).until(5 * DAY).emitted(NAME) == [105, 4 * DAY + 5]


@pytest.mark.parametrize("came_by", [True, False])
def test_what_she_was_told_holds_for_thirty_days_whether_she_came_by_or_not(*, came_by: bool) -> None:
    story = ada().view("tent", 0).price("tent", 20 * DAY, 500)
    if came_by:
        story.tell(events.PageViewed, 31 * DAY, channel="browser")
    story.price("tent", 32 * DAY, 1000).view("tent", 33 * DAY).price("tent", 34 * DAY, 800).until(35 * DAY)

    assert story.emitted(NAME) == [20 * DAY + 5]


@pytest.mark.parametrize("came_by", [True, False])
def test_what_she_has_not_looked_at_for_thirty_days_she_is_told_no_more_about(*, came_by: bool) -> None:
    story = ada().view("tent", 0).price("tent", 20 * DAY, 500)
    if came_by:
        story.tell(events.PageViewed, 31 * DAY, channel="browser")

    assert story.price("tent", 34 * DAY, 300).until(35 * DAY).emitted(NAME) == [20 * DAY + 5]


def test_a_product_is_told_at_most_once_in_seven_days_and_each_by_itself() -> None:
    story = ada().view("tent", 0).view("lamp", 1).price("tent", 100, 900).price("tent", DAY, 500)

    assert story.until(2 * DAY).decisions(NAME)[-1] == ("suppressed", "cooldown")
    assert story.price("lamp", 3 * DAY, 800).until(4 * DAY).emitted(NAME) == [105, 3 * DAY + 5]


def test_so_does_each_variant() -> None:
    story = ada().view(product("tent", variant_id="red"), 0).view(product("tent", variant_id="blue"), 1)
    story.price("tent", 100, 900, variant_id="red", previous_price_minor=1000)
    story.price("tent", DAY, 900, variant_id="blue", previous_price_minor=1000).until(2 * DAY)

    assert [trigger.items[0].variant_id for trigger in story.sent(NAME)] == ["red", "blue"]


def test_a_variant_is_a_product_of_its_own() -> None:
    story = ada().view(product("tent", variant_id="red"), 0)

    assert story.shop_tells(events.ProductPriceChanged, "tent", 100, price_minor=900).until(DAY).emitted(NAME) == []


def test_a_view_that_arrives_after_the_drop_it_came_before_arms_it_at_the_same_minute() -> None:
    in_time = ada().view("tent", 0).view("tent", 90).price("tent", 100, 900, message_id="p").until(DAY)
    late = ada().view(product("tent", None), 0).price("tent", 100, 900, message_id="p")
    late.view("tent", 90, arrives=102).until(DAY)

    assert in_time.emitted(NAME) == late.emitted(NAME) == [105]
    assert in_time.triggers[0].trigger_id == late.triggers[0].trigger_id


def test_the_same_event_twice_is_told_once() -> None:
    story = ada(cooldown_ms=0).view("tent", 0).price("tent", 100, 900, message_id="p").until(HOUR * 5)

    assert story.price("tent", 100, 900, message_id="p").until(DAY).emitted(NAME) == [105]


def test_an_older_price_that_arrives_late_changes_nothing() -> None:
    story = ada().view("tent", 0).price("tent", 100, 1000).price("tent", 90, 500).until(DAY)

    assert story.decisions(NAME) == []
    assert story.goods["tent"].price_minor == 1000


def test_an_order_known_too_late_takes_it_back() -> None:
    story = ada().view("tent", 0).price("tent", 100, 900).until(110)

    assert story.order("o1", 104, "tent", arrives=111).outcomes == [("trigger.cancelled", "late_conversion")]


def test_an_order_after_it_is_its_conversion() -> None:
    story = ada().view("tent", 0).price("tent", 100, 900).until(110).order("o1", 200, "lamp")

    assert story.outcomes == [("trigger.converted", None)]


def test_it_expires_where_nobody_can_be_reached() -> None:
    story = Timeline(shop(PriceDroppedRule(), NO_CART, soft_opt_in=True), customer="anonymous_id:x", consent=False)
    story.view("tent", 0).price("tent", 100, 900).until(3 * DAY)

    assert story.decisions(NAME) == [("armed", None), ("unreachable", "unreachable"), ("expired", "unreachable")]


def test_a_changed_delay_moves_what_waits() -> None:
    story = ada().view("tent", 0).price("tent", 100, 900)
    (episode,) = story.profile.episodes.values()
    later = Timeline(shop(PriceDroppedRule(delay_ms=HOUR_MS)))

    definition = later.engine.triggers[NAME]
    turn = Turn(story.profile, later.engine.book, Moment(0), [], "timer", 0, 0)
    assert definition.due_again(turn, episode) == episode.opened_ms + 60 * MINUTE_MS
