"""Price and stock as the last gate before a cart's or a checkout's reminder: nobody is reminded of what she can't have."""

from profiles.triggers import LowStockRule
from schemas import events
from tests.stories.timeline import DAY, Timeline, product, shop


def ada() -> Timeline:
    return Timeline(shop(LowStockRule(enabled=False)))


def test_a_cart_of_which_nothing_is_left_is_not_reminded_of() -> None:
    story = ada().add("tent", 0).stock("tent", 10, 0).until(DAY)

    assert story.decisions("cart.abandoned") == [("armed", None), ("suppressed", "out_of_stock")]


def test_a_cart_of_which_something_is_left_is_and_shows_what_is_not() -> None:
    story = ada().add("tent", 0).add("lamp", 1).stock("tent", 10, 0).stock("lamp", 11, 4).until(DAY)

    (trigger,) = story.triggers
    assert {item.product_id: item.in_stock for item in trigger.items} == {"tent": False, "lamp": True}


def test_what_nobody_told_the_stock_of_is_taken_to_be_there() -> None:
    story = ada().add("tent", 0).add("lamp", 1).stock("tent", 10, 0).until(DAY)

    (trigger,) = story.triggers
    assert {item.product_id: item.in_stock for item in trigger.items} == {"tent": False, "lamp": None}


def test_what_is_there_again_in_time_is_reminded_of() -> None:
    assert ada().add("tent", 0).stock("tent", 10, 0).stock("tent", 50, 1).until(DAY).emitted("cart.abandoned") == [60]


def test_a_checkout_of_which_nothing_is_left_is_not_reminded_of() -> None:
    story = ada().tell(events.CheckoutStarted, 0, checkout_id="k", products=(product("tent"),))
    story.stock("tent", 10, 5).stock("tent", 20, 0).until(5 * DAY)

    assert story.decisions("checkout.abandoned") == [("armed", None), ("suppressed", "out_of_stock")]


def test_a_second_reminder_asks_again() -> None:
    story = ada().tell(events.CheckoutStarted, 0, checkout_id="k", products=(product("tent"),))
    story.until(61).stock("tent", 100, 0).until(5 * DAY)

    assert story.emitted("checkout.abandoned") == [60]
    assert story.decisions("checkout.abandoned")[-1] == ("suppressed", "out_of_stock")
