"""low.stock: few pieces are left of something she is after. Told when the stock falls to that, not while it is there."""

from typing import Any

import pytest

from profiles.triggers import CartAbandonedRule, LowStockRule
from schemas import events
from tests.stories.timeline import DAY, Timeline, product, shop

NAME = "low.stock"


def ada(**rule: Any) -> Timeline:
    return Timeline(shop(LowStockRule(**rule), CartAbandonedRule(enabled=False)))


@pytest.fixture(params=["cart", "wishlist", "two views"])
def story(request: pytest.FixtureRequest) -> Timeline:
    """She is after the tent in one of the three ways, and there are plenty."""
    match request.param:
        case "cart":
            told = ada().add("tent", 0)
        case "wishlist":
            told = ada().wish("tent", 0)
        case _:
            told = ada().view("tent", 0).view("tent", 5)
    return told.stock("tent", 10, 50)


def test_it_is_told_at_once_when_the_stock_falls_to_five(story: Timeline) -> None:
    story.stock("tent", 100, 5).until(DAY)

    assert story.emitted(NAME) == [100]
    (told,) = (trigger for trigger in story.triggers if trigger.name == NAME)
    assert (told.details, told.episode_key) == ({"stock": 5}, "user_id:ada|tent")


def test_a_further_fall_is_no_news(story: Timeline) -> None:
    assert story.stock("tent", 100, 5).stock("tent", 200, 4).until(DAY).emitted(NAME) == [100]


def test_sold_out_is_not_low(story: Timeline) -> None:
    assert story.stock("tent", 100, 0).until(DAY).decisions(NAME) == []


def test_what_she_bought_she_is_not_told(story: Timeline) -> None:
    assert story.order("o1", 50, "tent").stock("tent", 100, 5).until(DAY).emitted(NAME) == []


def test_one_view_is_a_glance() -> None:
    assert ada().view("tent", 0).stock("tent", 10, 50).stock("tent", 100, 5).until(DAY).emitted(NAME) == []


def test_two_views_more_than_seven_days_ago_are_forgotten() -> None:
    story = ada().view("tent", 0).view("tent", 7 * DAY).stock("tent", 7 * DAY + 1, 50)

    assert story.stock("tent", 7 * DAY + 2, 5).until(8 * DAY).emitted(NAME) == []


def test_what_left_the_cart_or_the_wishlist_is_not_wanted_any_more() -> None:
    removed = ada().add("tent", 0).stock("tent", 10, 50).remove("tent", 20).stock("tent", 100, 5)
    unwished = ada().wish("tent", 0).stock("tent", 10, 50)
    unwished.tell(events.ProductRemovedFromWishlist, 20, product=product("tent")).stock("tent", 100, 5)

    assert removed.until(DAY).emitted(NAME) == unwished.until(DAY).emitted(NAME) == []


def test_a_first_word_about_the_stock_is_no_fall_unless_it_says_from_what() -> None:
    silent = ada().wish("tent", 0).stock("tent", 100, 5)
    saying = ada().wish("tent", 0).stock("tent", 100, 5, previous_available=6)

    assert silent.until(DAY).emitted(NAME) == []
    assert saying.until(DAY).emitted(NAME) == [100]


def test_there_being_enough_again_before_it_goes_out_cancels_it() -> None:
    story = ada(delay_ms=600_000).wish("tent", 0).stock("tent", 10, 50).stock("tent", 100, 5).stock("tent", 105, 50)

    assert story.until(DAY).decisions(NAME) == [("armed", None), ("cancelled", "restocked")]


def test_being_sold_out_before_it_goes_out_shuts_the_gate() -> None:
    story = ada(delay_ms=600_000).wish("tent", 0).stock("tent", 10, 50).stock("tent", 100, 5).stock("tent", 105, 0)

    assert story.until(DAY).decisions(NAME) == [("armed", None), ("suppressed", "out_of_stock")]


def test_a_change_of_mind_before_it_goes_out_cancels_it() -> None:
    story = ada(delay_ms=600_000).add("tent", 0).stock("tent", 10, 50).stock("tent", 100, 5).remove("tent", 105)

    assert story.until(DAY).decisions(NAME) == [("armed", None), ("cancelled", "not_wanted")]


def test_a_product_is_told_at_most_once_in_seven_days_and_each_by_itself() -> None:
    story = ada().wish("tent", 0).wish("lamp", 1).stock("tent", 10, 50).stock("lamp", 11, 50).stock("tent", 100, 5)
    story.stock("tent", DAY, 50).stock("tent", 2 * DAY, 3).stock("lamp", 2 * DAY + 1, 3).until(4 * DAY)

    assert story.emitted(NAME) == [100, 2 * DAY + 1]
    assert ("suppressed", "cooldown") in story.decisions(NAME)
    assert story.stock("tent", 9 * DAY, 50).stock("tent", 10 * DAY, 3).until(11 * DAY).emitted(NAME)[-1] == 10 * DAY


def test_so_is_each_variant() -> None:
    story = ada().wish(product("tent", variant_id="red"), 0).wish(product("tent", variant_id="blue"), 1)
    story.stock("tent", 100, 5, variant_id="red", previous_available=6)
    story.stock("tent", DAY, 5, variant_id="blue", previous_available=6).until(2 * DAY)

    assert story.emitted(NAME) == [100, DAY]


def test_the_same_event_twice_is_told_once() -> None:
    story = ada(cooldown_ms=0).wish("tent", 0).stock("tent", 10, 50).stock("tent", 100, 5, message_id="s")

    assert story.stock("tent", 100, 5, message_id="s").until(DAY).emitted(NAME) == [100]


@pytest.mark.parametrize("before", ["wishlist", "view"])
def test_what_she_wished_for_or_viewed_before_she_bought_it_does_not_count_when_she_looks_once_more(
    before: str,
) -> None:
    story = ada().wish("tent", 0) if before == "wishlist" else ada().view("tent", 0)
    story.stock("tent", 10, 50).order("o1", 50, "tent").view("tent", 60).stock("tent", 100, 5).until(DAY)

    assert story.decisions(NAME) == []


def test_a_wish_that_was_bought_stays_settled_when_that_order_is_long_past() -> None:
    story = ada().wish("tent", 0).order("o1", DAY, "tent").stock("tent", 2 * DAY, 50).order("o2", 40 * DAY, "lamp")

    assert story.stock("tent", 50 * DAY, 5).until(51 * DAY).decisions(NAME) == []


def test_what_she_wishes_for_again_after_she_bought_it_counts() -> None:
    story = ada().wish("tent", 0).stock("tent", 10, 50).order("o1", 50, "tent").wish("tent", 60)

    assert story.stock("tent", 100, 5).until(DAY).emitted(NAME) == [100]


@pytest.mark.parametrize("came_by", [True, False])
def test_what_lies_in_a_cart_for_a_month_or_on_a_wishlist_for_a_quarter_is_not_wanted_any_more(
    *, came_by: bool
) -> None:
    carted, wished = ada().add("tent", 0), ada().wish("tent", 0)
    for story in (carted, wished):
        if came_by:
            story.tell(events.PageViewed, 95 * DAY, channel="browser")
        story.stock("tent", 96 * DAY, 50).stock("tent", 97 * DAY, 5).until(98 * DAY)

        assert story.emitted(NAME) == []
    recently = ada().wish("tent", 0).stock("tent", 10, 50).stock("tent", 80 * DAY, 5)
    assert recently.until(81 * DAY).emitted(NAME) == [80 * DAY]
