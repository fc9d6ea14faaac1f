"""A cart that is nearly worth a gift. The threshold is 50.00."""

import pytest

from profiles.gift_rules import GiftThresholdRule
from profiles.rules import DAY_MS
from tests.stories.timeline import DAY, Timeline, product, shop

GIFT = "gift.threshold"


@pytest.fixture
def ada() -> Timeline:
    return Timeline(shop(GiftThresholdRule(threshold_minor=5000)))


def test_from_four_fifths_on_it_tells_at_once_what_is_missing(ada: Timeline) -> None:
    ada.add(product("A", 3999), 0).add(product("B", 1), 5).until(6)

    assert ada.emitted(GIFT) == [5]
    assert ada.triggers[0].details["missing_minor"] == 1000
    assert ada.triggers[0].episode_key == "c1"


@pytest.mark.parametrize("price", [3999, 5000, 9000])
def test_below_and_above_it_says_nothing(ada: Timeline, price: int) -> None:
    ada.add(product("A", price), 0).until(DAY)

    assert ada.decisions(GIFT) == []


def test_a_cart_that_passes_the_threshold_in_the_same_moment_is_not_told(ada: Timeline) -> None:
    ada.add(product("A", 4500), 0).add(product("B", 500), 0).until(DAY)

    assert ada.decisions(GIFT) == [("armed", None), ("cancelled", "not_near")]


def test_once_for_a_cart(ada: Timeline) -> None:
    ada.add(product("A", 4500), 0).add(product("B", 900), 5).remove(product("B", 900), 6).until(7)
    ada.add(product("C", 4500), 8, cart="c2").until(9)

    assert ada.emitted(GIFT) == [0, 8]


def test_of_several_carts_no_more_are_told_within_the_window_than_the_rules_say() -> None:
    story = Timeline(shop(GiftThresholdRule(threshold_minor=5000, max_in_window=2, window_ms=DAY_MS)))
    for number, minute in enumerate((0, 10, 20, DAY + 10)):
        story.add(product("A", 4500), minute, cart=f"c{number}").until(minute + 1)

    assert story.emitted(GIFT) == [0, 10, DAY + 10]
    assert ("suppressed", "cap") in story.decisions(GIFT)


@pytest.mark.parametrize("cart", ["c1", None])
@pytest.mark.parametrize("ordered", [10, 9 * DAY])
def test_what_is_put_into_it_after_it_was_ordered_is_another_cart(
    ada: Timeline, cart: str | None, ordered: int
) -> None:
    """Also where the order came too late to count as the hint's success."""
    ada.add(product("A", 4500), 0, cart=cart).add(product("B", 900), 5, cart=cart)
    ada.order("o1", ordered, "A", "B", cart_id=cart)
    ada.add(product("B", 4500), 11 * DAY, cart=cart).remove(product("B", 4500), 11 * DAY + 1, cart=cart)
    ada.add(product("B", 4500), 11 * DAY + 2, cart=cart).until(12 * DAY)

    assert ada.emitted(GIFT) == [0, 11 * DAY]


def test_a_cart_that_she_was_told_of_before_she_logged_in_again_is_not_told_of_again() -> None:
    """Logged out, she put something else into it; there she could not be reached."""
    rules = shop(GiftThresholdRule(threshold_minor=5000))
    ada = Timeline(rules).add(product("A", 4500), 0).remove(product("A", 4500), 1)
    browser = Timeline(rules, customer="anonymous_id:b1", consent=False).add(product("B", 4500), 10).until(11)
    ada.until(11).becomes_one_with(browser).until(DAY)

    assert ada.emitted(GIFT) == [0]


def test_an_order_of_something_else_makes_it_no_other_cart(ada: Timeline) -> None:
    ada.add(product("A", 4500), 0).until(1).order("o1", 10, "Z", cart_id="c2")
    ada.remove(product("A", 4500), 20).add(product("A", 4500), 30).until(DAY)

    assert ada.emitted(GIFT) == [0]


def test_the_reminder_of_the_cart_tells_of_it_too(ada: Timeline) -> None:
    ada.add(product("A", 4500), 0).until(DAY)

    assert [one.details.get("gift_missing_minor") for one in ada.triggers if one.name == "cart.abandoned"] == [500]


def test_a_cart_in_another_currency_is_left_alone(ada: Timeline) -> None:
    ada.add(product("A", 4500), 0, currency="EUR").until(DAY)

    assert ada.decisions(GIFT) == []


def test_a_cart_with_something_in_another_currency_is_left_alone_until_that_is_gone(ada: Timeline) -> None:
    ada.add(product("B", 900), 1, currency="EUR").add(product("A", 4500), 2, currency="USD").until(3)

    assert ada.decisions(GIFT) == []

    ada.remove("B", 4, currency="EUR").until(5)

    assert ada.emitted(GIFT) == [4]
    assert (ada.triggers[0].value_minor, ada.triggers[0].currency) == (4500, "USD")


def test_without_a_threshold_there_is_no_such_trigger() -> None:
    ada = Timeline().add(product("A", 4500), 0).until(DAY)

    assert ada.decisions(GIFT) == []
    assert "gift_missing_minor" not in ada.triggers[0].details
