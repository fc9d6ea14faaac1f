"""What a new visit clears away: what nothing can come of any more need not lie in every profile until it is full."""

import pytest

from profiles import carts
from profiles.rules import DAY_MS
from schemas import events
from tests.stories.timeline import DAY, HOUR, Timeline, ms, product, shop


def ada() -> Timeline:
    return Timeline(shop())


def test_what_she_looked_at_a_month_ago_is_watched_no_more_once_she_is_back() -> None:
    story = ada().view("tent", 0).view("lamp", 29 * DAY)
    assert set(story.profile.watches) == {"tent", "lamp"}

    story.profile.rewatched.clear()
    story.view("mat", 30 * DAY + 1)

    assert set(story.profile.watches) == {"lamp", "mat"}
    assert set(story.profile.rewatched) == {"tent", "mat"}, "the index from products to customers hears of it"


@pytest.mark.parametrize("kind", ["wish", "alert"])
def test_wishes_and_stock_alerts_stay_for_three_months(kind: str) -> None:
    story = ada()
    if kind == "wish":
        story.wish("tent", 0)
    else:
        story.tell(events.StockAlertSubscribed, 0, product=product("tent"), channel="browser")

    assert set(story.view("mat", 89 * DAY).profile.watches) == {"tent", "mat"}
    assert set(story.view("mat", 91 * DAY).profile.watches) == {"mat"}


def test_what_lies_in_a_cart_is_watched_as_long_as_it_lies_there() -> None:
    story = ada().add("tent", 0).add("lamp", 20 * DAY).view("mat", 31 * DAY)
    assert "tent" in story.profile.watches

    story.stock("tent", 31 * DAY + 10, 0).stock("lamp", 31 * DAY + 11, 0).add("rope", 31 * DAY + 20)

    reminder = story.until(32 * DAY).sent("cart.abandoned")[-1]
    assert {item.product_id: item.in_stock for item in reminder.items} == {"tent": False, "lamp": False, "rope": None}


def test_an_ordered_cart_is_gone_with_the_next_visit() -> None:
    story = ada().add("tent", 0, channel="browser").order("o1", 10, "tent", cart_id="c1", channel="browser")
    assert set(story.view("lamp", DAY).profile.carts) == {"c1"}, "an event that comes late may still change it"

    assert story.view("lamp", 3 * DAY).profile.carts == {}


def test_of_two_views_of_a_product_that_lie_more_than_a_week_apart_the_newer_alone_is_kept() -> None:
    story = ada().view(product("tent"), 0).view(product("tent"), HOUR)
    assert len(story.profile.watches["tent"].views) == 2

    assert len(story.view("tent", HOUR + 7 * DAY).profile.watches["tent"].views) == 2
    assert len(story.view("tent", HOUR + 14 * DAY + 1).profile.watches["tent"].views) == 1


def test_a_cart_put_aside_is_as_old_as_its_last_change_however_often_it_was_looked_at() -> None:
    story = ada().add("tent", 0).tell(events.CartViewed, 10 * DAY, cart_id="c1", channel="browser")
    profile = story.view("lamp", 20 * DAY).profile
    assert set(profile.left_carts) == {"c1"}

    assert carts.any_full(profile, ms(30 * DAY), 30 * DAY_MS)
    assert not carts.any_full(profile, ms(30 * DAY + 1), 30 * DAY_MS)


def test_a_look_around_forgets_no_cart_that_holds_something() -> None:
    """Conditions about carts are not asked again by a view, so none may change what they would find."""
    story = ada().add("tent", 0).view("lamp", 40 * DAY)
    assert [set(cart.lines) for cart in carts.seen_carts(story.profile)] == [{"tent"}]

    story.add("rope", 41 * DAY, cart="c2")
    assert [set(cart.lines) for cart in carts.seen_carts(story.profile)] == [{"rope"}]
