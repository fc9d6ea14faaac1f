"""What she bought and gave back, all of it or that product, or cancelled: it counts as not bought."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from profiles.catalogue import build_catalogue
from profiles.document import recommended
from profiles.insight.pair_table import Partner
from profiles.models import Models
from profiles.triggers import CartAbandonedRule
from schemas import events
from tests.stories.timeline import DAY, HOUR, Timeline, ms, product, shop

CATALOGUE = build_catalogue(
    [
        {"product_id": "tent", "complementary": "mat"},
        {"product_id": "rope", "bundles": "climb"},
        {"product_id": "mat", "bundles": "climb"},
    ]
)
NO_CART = CartAbandonedRule(enabled=False)

Undo = Callable[[Timeline, float], Timeline]


def cancelled(story: Timeline, minute: float) -> Timeline:
    return story.tell(events.OrderCancelled, minute, order_id="o1")


def cancelled_as_a_whole(story: Timeline, minute: float) -> Timeline:
    return story.tell(events.OrderCancelled, minute, order_id="o1", products=(product("mat"), product("cup")))


def paid_back(story: Timeline, minute: float) -> Timeline:
    return story.tell(events.OrderRefunded, minute, order_id="o1", refund_id="r1")


def paid_back_by_amount(story: Timeline, minute: float) -> Timeline:
    return story.tell(events.OrderRefunded, minute, order_id="o1", refund_id="r1", amount_minor=2000)


def given_back(story: Timeline, minute: float) -> Timeline:
    return story.tell(events.OrderRefunded, minute, order_id="o1", refund_id="r1", products=(product("mat"),))


UNDONE = pytest.mark.parametrize("undo", [cancelled, cancelled_as_a_whole, paid_back, paid_back_by_amount, given_back])


def ada(**more: Any) -> Timeline:
    return Timeline(shop(NO_CART, catalogue=CATALOGUE, **more))


def bought(story: Timeline, minute: float) -> Timeline:
    return story.order("o1", minute, "mat", "cup")


def offered(story: Timeline, name: str) -> list[list[str]]:
    return [[item.product_id for item in trigger.items] for trigger in story.sent(name)]


@UNDONE
def test_it_is_offered_with_another_order(undo: Undo) -> None:
    story = undo(bought(ada(), 0), HOUR).order("o2", 2 * HOUR, "tent").until(20 * DAY)

    assert offered(story, "cross.sell") == [["mat"]]


@UNDONE
def test_it_is_missing_from_a_bundle(undo: Undo) -> None:
    story = undo(bought(ada(), 0), HOUR).add("rope", 2 * HOUR).until(3 * DAY)

    assert offered(story, "bundle.suggest") == [["mat"]]


@UNDONE
def test_she_is_reminded_of_her_wish_for_it(undo: Undo) -> None:
    story = undo(bought(ada().wish("mat", 0), HOUR), 2 * HOUR)

    assert story.waiting("wishlist.reminder") == [3 * DAY]
    assert story.until(4 * DAY).emitted("wishlist.reminder") == [3 * DAY]


def test_not_once_the_reminder_would_come_days_too_late() -> None:
    story = cancelled(bought(ada().wish("mat", 0), HOUR), 6 * DAY).until(8 * DAY)

    assert story.decisions("wishlist.reminder") == [("armed", None), ("cancelled", "ordered")]


def test_a_wish_that_she_was_reminded_of_is_not_brought_up_again() -> None:
    story = cancelled(bought(ada().wish("mat", 0).until(3 * DAY), 3 * DAY + HOUR), 3 * DAY + 2 * HOUR).until(8 * DAY)

    assert story.emitted("wishlist.reminder") == [3 * DAY]


def test_a_wish_stays_settled_when_the_order_is_too_long_ago_to_be_remembered() -> None:
    story = bought(ada().wish("mat", 0), HOUR).order("o2", 40 * DAY, "rope").wish("mat", 41 * DAY)

    assert story.until(50 * DAY).emitted("wishlist.reminder") == [44 * DAY]


@UNDONE
def test_it_does_not_matter_that_the_order_is_heard_of_after_it_was_undone(undo: Undo) -> None:
    story = undo(ada().wish("mat", 0), 2 * HOUR)
    story.order("o1", HOUR, "mat", "cup", arrives=3 * HOUR)

    assert story.until(4 * DAY).emitted("wishlist.reminder") == [3 * DAY]


@UNDONE
def test_she_hears_that_its_price_fell(undo: Undo) -> None:
    story = undo(bought(ada().view("mat", 0), HOUR), 2 * HOUR).price("mat", 3 * HOUR, 900)

    assert story.until(DAY).emitted("price.dropped") == [3 * HOUR + 5]


@UNDONE
def test_she_hears_that_it_is_there_again(undo: Undo) -> None:
    story = ada().tell(events.StockAlertSubscribed, 0, product=product("mat"), subscription_id="s1")
    undo(bought(story, HOUR), 2 * HOUR).stock("mat", 3 * HOUR, 0).stock("mat", 4 * HOUR, 3)

    assert story.until(DAY).emitted("back.in.stock") == [4 * HOUR]


@UNDONE
def test_she_hears_that_few_are_left(undo: Undo) -> None:
    story = undo(bought(ada().wish("mat", 0), HOUR), 2 * HOUR).stock("mat", 3 * HOUR, 50).stock("mat", 4 * HOUR, 5)

    assert story.until(DAY).emitted("low.stock") == [4 * HOUR]


def test_an_alert_stays_open_when_an_order_that_was_undone_is_forgotten() -> None:
    story = ada().tell(events.StockAlertSubscribed, 0, product=product("mat"), subscription_id="s1")
    cancelled(bought(story, HOUR), 2 * HOUR).order("o2", 40 * DAY, "rope").stock("mat", 41 * DAY, 3)

    assert story.until(42 * DAY).emitted("back.in.stock") == [41 * DAY]


@UNDONE
def test_nothing_is_recommended_for_it(undo: Undo) -> None:
    together = {"mat": [Partner("lamp", 30, 2.0, 0.5, 0.4, 100.0)]}
    story = undo(bought(ada(), 0), HOUR)
    book = replace(story.engine.book, models=Models(together=together))

    assert recommended(story.profile, book, ms(2 * HOUR)) == ()


def test_what_she_kept_of_an_order_she_has() -> None:
    story = given_back(bought(ada().wish("cup", 0), HOUR), 2 * HOUR).until(4 * DAY)

    assert story.decisions("wishlist.reminder") == [("armed", None), ("cancelled", "ordered")]


def test_a_refund_that_was_none_after_all_leaves_it_bought() -> None:
    story = paid_back_by_amount(bought(ada(), 0), HOUR)
    story.tell(events.OrderRefunded, 2 * HOUR, order_id="o1", refund_id="r1", amount_minor=0)
    story.order("o2", 3 * HOUR, "tent").until(20 * DAY)

    assert offered(story, "cross.sell") == []


def test_wishing_for_it_over_and_over_since_she_bought_it_does_not_put_the_reminder_off() -> None:
    story = bought(ada().wish("mat", 0), HOUR)
    for day in range(1, 7):
        story.wish("mat", DAY + day * HOUR)

    assert story.until(10 * DAY).emitted("wishlist.reminder") == [4 * DAY + HOUR]


def test_an_alert_is_open_again_though_the_product_came_back_while_she_had_it_on_order() -> None:
    story = ada().tell(events.StockAlertSubscribed, 0, product=product("mat"), subscription_id="s1")
    bought(story, HOUR).stock("mat", 2 * HOUR, 3)
    cancelled(story, 3 * HOUR).stock("mat", 4 * HOUR, 0).stock("mat", 5 * HOUR, 3)

    assert story.until(DAY).emitted("back.in.stock") == [5 * HOUR]
