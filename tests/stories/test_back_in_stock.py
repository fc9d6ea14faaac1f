"""back.in.stock: who asked first hears first, each stock alert is answered once, and only while there is any."""

from typing import Any

import pytest

from profiles.triggers import BackInStockRule, CartAbandonedRule
from schemas import events
from tests.stories.timeline import DAY, Timeline, product, shop

NAME = "back.in.stock"


def ada(*, asks_at: float = 0, **rule: Any) -> Timeline:
    story = Timeline(shop(BackInStockRule(**rule), CartAbandonedRule(enabled=False)))
    return story.tell(events.StockAlertSubscribed, asks_at, product=product("tent"), subscription_id="s1")


def test_it_is_told_at_once_when_the_product_is_there_again() -> None:
    story = ada().stock("tent", 10, 0).stock("tent", 100, 3).until(DAY)

    assert story.emitted(NAME) == [100]
    (trigger,) = story.triggers
    assert trigger.details == {"stock": 3, "subscription_id": "s1"}
    assert (trigger.items[0].product_id, trigger.items[0].in_stock) == ("tent", True)
    assert trigger.episode_key == "user_id:ada|tent|s1"


def test_a_first_word_about_the_stock_counts_since_she_asked_because_there_was_none() -> None:
    assert ada().stock("tent", 100, 3).until(DAY).emitted(NAME) == [100]


def asked_late(story: Timeline, minute: float, arrives: float) -> Timeline:
    return story.tell(
        events.StockAlertSubscribed, minute, arrives=arrives, product=product("tent"), subscription_id="s1"
    )


def test_who_had_asked_before_it_came_back_is_told_once_we_hear_of_it() -> None:
    in_time = ada(asks_at=5).stock("tent", 10, 3, message_id="s").until(DAY)
    late = asked_late(Timeline(shop()).stock("tent", 0, 0).stock("tent", 10, 3, message_id="s"), 5, 20).until(DAY)

    assert (in_time.emitted(NAME), late.emitted(NAME)) == ([10], [20])
    assert in_time.triggers[0].trigger_id == late.triggers[0].trigger_id


@pytest.mark.parametrize("asked, arrives, left", [(15, 20, 3), (5, 20, 0), (5, 5 + 2 * DAY, 3)])
def test_not_so_who_asked_since_nor_where_it_is_gone_again_nor_days_later(
    asked: float, arrives: float, left: int
) -> None:
    story = Timeline(shop()).stock("tent", 0, 0).stock("tent", 10, 3).stock("tent", 12, left)

    assert asked_late(story, asked, arrives).until(5 * DAY).emitted(NAME) == []


def test_an_alert_that_was_answered_is_not_answered_again_for_another_that_came_late() -> None:
    story = ada().stock("tent", 10, 3).until(15)
    story.tell(events.StockAlertSubscribed, 5, arrives=20, product=product("tent"), subscription_id="s2")

    assert story.until(DAY).emitted(NAME) == [10]


def test_more_of_what_is_there_is_no_news() -> None:
    story = ada().tell(events.StockAlertSubscribed, 1, product=product("lamp"), subscription_id="s2")

    assert story.stock("lamp", 2, 5, previous_available=4).until(DAY).emitted(NAME) == []


def test_a_sender_that_knows_the_moment_need_not_tell_a_number() -> None:
    assert ada().shop_tells(events.ProductBackInStock, "tent", 100).until(DAY).emitted(NAME) == [100]


def test_a_shop_may_ask_for_more_than_one_piece() -> None:
    story = ada(pieces=3).stock("tent", 10, 0).stock("tent", 100, 2)

    assert story.until(200).emitted(NAME) == []
    assert story.stock("tent", 300, 3).until(DAY).emitted(NAME) == [300]


def test_who_only_looked_at_it_is_not_told() -> None:
    story = Timeline(shop()).view("tent", 0).stock("tent", 10, 0).stock("tent", 100, 3)

    assert story.until(DAY).emitted(NAME) == []


@pytest.mark.parametrize("place, minute", [(0, 100), (29, 100), (30, 110), (95, 130)])
def test_ten_are_told_for_each_piece_and_as_many_again_every_ten_minutes(place: int, minute: int) -> None:
    story = ada().stock("tent", 10, 0).stock("tent", 100, 3, place=place)

    assert story.until(DAY).emitted(NAME) == [minute]


def test_when_it_is_sold_out_before_her_turn_she_waits_for_the_next_time() -> None:
    story = ada().stock("tent", 10, 0).stock("tent", 100, 1, place=10).stock("tent", 105, 0).until(DAY)

    assert story.decisions(NAME) == [("armed", None), ("suppressed", "out_of_stock")]
    assert story.stock("tent", 2 * DAY, 5).until(3 * DAY).emitted(NAME) == [2 * DAY]


def test_an_alert_is_answered_once() -> None:
    story = ada().stock("tent", 100, 3).stock("tent", 200, 0).stock("tent", 300, 3).until(DAY)

    assert story.emitted(NAME) == [100]


def test_a_new_alert_is_answered_again() -> None:
    story = ada().stock("tent", 100, 3).stock("tent", 200, 0)
    story.tell(events.StockAlertSubscribed, 250, product=product("tent"), subscription_id="s2")

    assert story.stock("tent", 300, 3).until(DAY).emitted(NAME) == [100, 300]


def test_an_alert_without_an_id_is_known_by_its_message() -> None:
    story = Timeline(shop()).tell(events.StockAlertSubscribed, 0, product=product("tent"), message_id="m0")

    assert story.stock("tent", 100, 3).until(DAY).triggers[0].episode_key == "user_id:ada|tent|m0"


def test_an_alert_of_more_than_ninety_days_ago_is_void() -> None:
    assert ada().stock("tent", 90 * DAY, 3).until(91 * DAY).emitted(NAME) == [90 * DAY]
    assert ada().stock("tent", 90 * DAY + 1, 3).until(91 * DAY).emitted(NAME) == []


def test_who_bought_it_elsewhere_in_the_shop_is_not_told_and_the_alert_is_closed() -> None:
    story = ada().stock("tent", 10, 0).stock("tent", 100, 1, place=10).order("o1", 105, "tent").until(DAY)

    assert story.decisions(NAME) == [("armed", None), ("cancelled", "ordered")]
    story.order("o2", 40 * DAY, "pot")  # the order of the tent is long ago
    assert story.stock("tent", 41 * DAY, 0).stock("tent", 42 * DAY, 5).until(43 * DAY).emitted(NAME) == []


def test_so_it_is_when_that_order_is_long_past() -> None:
    story = ada().order("o1", DAY, "tent").order("o2", 40 * DAY, "lamp")

    assert story.stock("tent", 49 * DAY, 0).stock("tent", 50 * DAY, 5).until(51 * DAY).emitted(NAME) == []


def test_the_same_event_twice_is_told_once() -> None:
    story = ada().stock("tent", 100, 3, message_id="s").stock("tent", 100, 3, message_id="s")

    assert story.until(DAY).emitted(NAME) == [100]


def test_an_older_stock_that_arrives_late_changes_nothing() -> None:
    story = ada().stock("tent", 100, 0).stock("tent", 90, 3).until(DAY)

    assert story.decisions(NAME) == []


def test_a_stock_told_by_location_is_added_up() -> None:
    story = ada().stock("tent", 10, 0, location_id="north").stock("tent", 20, 0, location_id="south")

    assert story.stock("tent", 100, 2, location_id="south").until(DAY).triggers[0].details["stock"] == 2


def test_a_place_that_is_told_of_late_brings_the_product_back_though_another_one_was_told_of_since() -> None:
    story = ada().stock("tent", 10, 0, location_id="north").stock("tent", 20, 0, location_id="south")
    story.stock("tent", 100, 0, location_id="north").stock("tent", 99, 2, location_id="south")

    assert [trigger.details["stock"] for trigger in story.until(DAY).triggers] == [2]


def test_without_consent_it_is_not_sent_and_the_alert_stays_open() -> None:
    story = Timeline(shop(), consent=False).tell(events.StockAlertSubscribed, 0, product=product("tent"))
    story.stock("tent", 100, 3).until(DAY)

    assert story.decisions(NAME)[-1] == ("suppressed", "no_consent")
    assert story.profile.watches["tent"].waits


def test_where_the_shop_sets_a_cooldown_each_product_cools_by_itself_whichever_alert_it_was() -> None:
    story = ada(cooldown_ms=7 * DAY * 60_000).stock("tent", 10, 0).stock("tent", 100, 3).until(101)
    for number, what in ((2, "tent"), (3, "lamp")):
        story.tell(events.StockAlertSubscribed, DAY, product=product(what), subscription_id=f"s{number}")
        story.stock(what, DAY + 1, 0).stock(what, DAY + 2, 3)
    story.until(2 * DAY)

    assert [trigger.items[0].product_id for trigger in story.triggers] == ["tent", "lamp"]
    assert ("suppressed", "cooldown") in story.decisions(NAME)
