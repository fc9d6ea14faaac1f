"""What the shop tells of a product by an event holds from then on: cost, category, days of supply, what goes with it, what
stands in for it, what there is to tell of it. Beside the catalogue's file the newest word wins.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from profiles.catalogue import Catalogue, build_catalogue
from profiles.deliveries import DELIVERIES_MAX
from profiles.engine import Engine
from profiles.order_rules import CrossSellRule
from profiles.rates import build_rates
from schemas import events
from schemas.money import exponent
from tests.stories.timeline import DAY, HOUR, START_MS, Timeline, product, shop

CONTENT, CROSS, DUE, REVIEW = "post.purchase.content", "cross.sell", "replenishment.due", "review.request"


def ada(*rules: Any, catalogue: Catalogue | None = None) -> Timeline:
    return Timeline(shop(*rules, catalogue=catalogue))


def offered(story: Timeline) -> list[list[str]]:
    return [[item.product_id for item in trigger.items] for trigger in story.sent(CROSS)]


# --- read when a trigger is decided ---------------------------------------------------------------------------------


def test_what_goes_with_a_product_is_what_was_told_last_before_the_offer_goes_out() -> None:
    story = ada().facts_of("tent", 0, complementary=("mat", "stove")).order("o1", HOUR, "tent")
    story.facts_of("tent", DAY, complementary=("lamp",)).until(30 * DAY)

    assert offered(story) == [["lamp"]]


def test_what_is_told_of_a_product_after_the_order_is_still_in_time() -> None:
    story = ada().order("o1", 0, "tent").facts_of("tent", DAY, complementary=("mat",)).until(30 * DAY)

    assert offered(story) == [["mat"]]


def test_what_would_only_stand_in_for_what_she_bought_is_not_offered() -> None:
    story = ada().facts_of("tent", 0, complementary=("mat", "dome"), substitutes=("dome",))
    story.order("o1", HOUR, "tent").until(30 * DAY)

    assert offered(story) == [["mat"]]


def test_an_offer_shows_the_category_that_events_told() -> None:
    story = ada().facts_of("tent", 0, complementary=("mat",)).facts_of("mat", 1, category="camping")
    story.order("o1", HOUR, "tent").until(30 * DAY)

    assert [item.category for item in story.sent(CROSS)[0].items] == ["camping"]


def test_an_offer_can_be_named_linked_and_shown() -> None:
    told = {
        "name": "Sleeping mat",
        "brand": "Acme",
        "url": "https://shop.example/mat",
        "image_url": "https://shop.example/mat.png",
    }
    story = ada().facts_of("tent", 0, complementary=("mat",)).facts_of("mat", 1, category="camping", **told)
    story.price("mat", 2, 2_500).order("o1", HOUR, "tent").until(30 * DAY)

    (item,) = story.sent(CROSS)[0].items
    assert (item.name, item.brand, item.category) == ("Sleeping mat", "Acme", "camping")
    assert (item.url, item.image_url, item.price_minor) == (told["url"], told["image_url"], 2_500)


def test_whatever_the_shop_told_last_is_what_is_shown() -> None:
    rows = [
        {"product_id": "mat", "name": "Mat", "url": "https://shop.example/old", "updated_at": "2020-01-01T00:00:00Z"}
    ]
    story = ada(catalogue=build_catalogue(rows)).facts_of("tent", 0, complementary=("mat",))
    story.facts_of("mat", 1, url="https://shop.example/new").order("o1", HOUR, "tent").until(30 * DAY)

    (item,) = story.sent(CROSS)[0].items
    assert (item.name, item.url) == ("Mat", "https://shop.example/new")


def test_a_category_lends_its_products_no_name() -> None:
    catalogue = build_catalogue([{"category": "tea", "name": "Tea", "supply_days": "30"}])
    story = ada(catalogue=catalogue).order("o1", 0, product("sencha", category="tea")).until(60 * DAY)

    (item,) = story.sent(DUE)[0].items
    assert (item.product_id, item.name) == ("sencha", None)


def test_content_told_by_an_event_comes_the_day_after_the_parcel() -> None:
    story = ada().facts_of("sencha", 0, contents=("brewing",), complementary=("pot", "cup"), occasions=("gift",))
    story.order("o1", HOUR, "sencha").tell(events.OrderDelivered, DAY, order_id="o1").until(9 * DAY)

    details = story.sent(CONTENT)[0].details
    assert story.emitted(CONTENT) == [2 * DAY]
    assert details == {
        "content_id": "brewing",
        "order_id": "o1",
        "complementary": ["pot", "cup"],
        "occasions": ["gift"],
    }


def test_content_names_no_complement_that_is_sold_out() -> None:
    story = ada().facts_of("sencha", 0, contents=("brewing",), complementary=("pot", "cup"))
    story.stock("pot", 1, 0).order("o1", HOUR, "sencha").tell(events.OrderDelivered, DAY, order_id="o1").until(9 * DAY)

    assert story.sent(CONTENT)[0].details["complementary"] == ["cup"]


def test_content_that_is_told_between_the_parcel_and_the_message_is_in_time() -> None:
    story = ada().facts_of("cup", 0, category="china").order("o1", HOUR, "sencha")
    story.tell(events.OrderDelivered, DAY, order_id="o1").facts_of("sencha", DAY + HOUR, contents=("brewing",))
    story.until(9 * DAY)

    assert story.emitted(CONTENT) == [2 * DAY]


def test_content_told_after_the_message_was_due_waits_for_the_next_parcel() -> None:
    story = ada().facts_of("cup", 0, category="china").order("o1", HOUR, "sencha")
    story.tell(events.OrderDelivered, DAY, order_id="o1").facts_of("sencha", 3 * DAY, contents=("brewing",))
    story.until(9 * DAY)

    assert story.decisions(CONTENT) == []


def test_there_are_never_more_timers_for_content_than_parcels_that_are_kept() -> None:
    story = ada().facts_of("cup", 0, category="china")
    for number in range(3 * DELIVERIES_MAX):
        story.order(f"o{number}", HOUR + number, "sencha")
        story.tell(events.OrderDelivered, 2 * HOUR + number, order_id=f"o{number}")

    waiting = [wake for wake in story.profile.wakes if wake.startswith(CONTENT)]
    assert len(waiting) == DELIVERIES_MAX


def test_content_that_another_one_took_the_place_of_is_not_sent_any_more() -> None:
    story = ada().facts_of("sencha", 0, contents=("brewing",)).order("o1", HOUR, "sencha")
    story.tell(events.OrderDelivered, DAY, order_id="o1").facts_of("sencha", DAY + HOUR, contents=("storing",))
    story.until(9 * DAY)

    assert [trigger.details["content_id"] for trigger in story.sent(CONTENT)] == ["storing"]
    assert ("suppressed", "no_content") in story.decisions(CONTENT) or ("cancelled", "no_content") in story.decisions(
        CONTENT
    )


def test_who_bought_a_substitute_is_not_reminded_of_the_product() -> None:
    story = ada().facts_of("sencha", 0, supply_days=30.0, substitutes=("gyokuro",)).order("o1", HOUR, "sencha")
    story.order("o2", 20 * DAY, "gyokuro").until(60 * DAY)

    assert story.emitted(DUE) == []
    assert story.decisions(DUE)[-1] == ("cancelled", "repurchased")


# --- kept with what is counted by them ------------------------------------------------------------------------------


def test_days_of_supply_told_by_an_event_bring_the_reminder() -> None:
    """Run-out on day 30, three days before: 10 % of 30 days is no more than that."""
    story = ada().facts_of("sencha", 0, supply_days=30.0).order("o1", HOUR, "sencha").until(60 * DAY)

    assert story.emitted(DUE) == [27 * DAY + HOUR]


def test_an_order_keeps_the_days_of_supply_that_were_known_when_it_came() -> None:
    story = ada().facts_of("sencha", 0, supply_days=30.0).order("o1", HOUR, "sencha")
    story.facts_of("sencha", DAY, supply_days=90.0).until(60 * DAY)

    assert story.emitted(DUE) == [27 * DAY + HOUR]


def test_products_of_a_told_group_stand_in_for_each_other_by_how_long_they_last() -> None:
    """A bag of 10 days and a box of 30 bought together last 40 days, which is told of in days of the last one bought."""
    story = ada().facts_of("bag", 0, supply_days=10.0, group="tea").facts_of("box", 0, supply_days=30.0, group="tea")
    story.order("o1", HOUR, "bag").order("o2", 2 * HOUR, "box").until(60 * DAY)

    (reminder,) = story.sent(DUE)
    assert story.emitted(DUE) == [36 * DAY + HOUR]  # 10 % of 40 days before
    assert reminder.details["unit_days"] == pytest.approx(30.0)


def test_goods_that_are_used_up_are_asked_about_after_most_of_what_events_said_they_last() -> None:
    story = ada().facts_of("sencha", 0, supply_days=20.0).order("o1", HOUR, "sencha")
    story.tell(events.OrderDelivered, DAY, order_id="o1").until(40 * DAY)

    assert story.emitted(REVIEW)[0] == DAY + 12 * DAY  # 60 % of 20 days


def test_margin_goes_by_the_cost_that_was_known_when_the_order_came_and_is_taken_back_exactly() -> None:
    story = ada().facts_of("tent", 0, cost_minor=400).order("o1", HOUR, product("tent", 1000, 2))
    story.facts_of("tent", DAY, cost_minor=900)

    assert story.profile.ltv.margin == 2000 - 800

    story.tell(events.OrderCancelled, 2 * DAY, order_id="o1")

    assert story.profile.ltv.margin == 0


def test_an_order_that_is_sent_again_with_each_change_keeps_the_cost_it_came_with() -> None:
    story = ada().facts_of("tent", 0, cost_minor=400, category="camping").order("o1", HOUR, product("tent", 1000))
    story.facts_of("tent", DAY, cost_minor=900, category="sale").facts_of("mat", DAY, cost_minor=50)
    story.tell(events.OrderUpdated, 2 * DAY, order_id="o1", products=(product("tent", 1000, 2), product("mat", 100)))

    assert story.profile.ltv.margin == (2000 - 800) + (100 - 50)
    assert story.orders.all()[0].lines[0].category == "camping"


def test_a_told_cost_counts_in_the_currency_of_the_order() -> None:
    """In euros, of which one is 1.10 dollars: 4.40 dollars are 4.00 euros."""
    story = ada()
    story.engine = Engine(
        replace(
            story.engine.book,
            rates=build_rates([{"currency": "EUR", "date": "2026-03-01", "rate": "1.10"}], "USD", exponent),
        )
    )
    story.facts_of("tent", 0, cost_minor=440).order("o1", HOUR, product("tent", 1000), currency="EUR")

    assert story.profile.by_currency["EUR"].margin == 600


def test_what_the_order_says_itself_stands_before_what_the_shop_told() -> None:
    story = ada().facts_of("tent", 0, cost_minor=400, category="camping")
    story.order("o1", HOUR, product("tent", 1000, cost_minor=100, category="tents"))

    assert story.profile.ltv.margin == 900
    assert list(story.profile.interests.categories) == ["tents"]


def test_the_cost_of_a_variant_is_its_own() -> None:
    story = ada().facts_of("tent", 0, cost_minor=400).facts_of("tent", 1, variant_id="red", cost_minor=500)
    story.order("o1", HOUR, product("tent", 1000, variant_id="red"), product("tent", 1000, variant_id="blue"))

    assert story.profile.ltv.margin == (1000 - 500) + (1000 - 400)


def test_a_cost_in_another_currency_is_left_alone() -> None:
    story = ada().facts_of("tent", 0, cost_minor=400, currency="EUR").order("o1", HOUR, product("tent", 1000))

    assert story.profile.ltv.margin == 1000


def test_a_view_without_a_category_counts_for_the_one_that_was_told() -> None:
    story = ada().facts_of("tent", 0, category="camping", brand="acme", occasions=("holiday",)).view("tent", HOUR)

    interests = story.profile.interests
    assert (list(interests.categories), list(interests.brands), list(interests.occasions)) == (
        ["camping"],
        ["acme"],
        ["holiday"],
    )


def test_a_cart_and_a_wish_without_a_category_count_too() -> None:
    for act in (Timeline.add, Timeline.wish):
        story = act(ada().facts_of("tent", 0, category="camping"), "tent", HOUR)

        assert list(story.profile.interests.categories) == ["camping"]


# --- beside the file ------------------------------------------------------------------------------------------------


def file_of(**columns: Any) -> Catalogue:
    return build_catalogue([{"product_id": "tent", **columns}])


def test_an_event_is_newer_than_a_file_that_does_not_say_when_it_was_written() -> None:
    story = ada(catalogue=file_of(complementary="mat", category="tents", cost="1.00"))
    story.facts_of("tent", 0, complementary=("lamp",)).order("o1", HOUR, product("tent", 1000)).until(30 * DAY)

    assert offered(story) == [["lamp"]]
    assert story.profile.ltv.margin == 900  # what the event left out is the file's
    assert list(story.profile.interests.categories) == ["tents"]


@pytest.mark.parametrize("days, wins", [(-1, "lamp"), (1, "mat")])
def test_of_file_and_event_the_newer_word_wins(days: int, wins: str) -> None:
    stamp = {-1: "2026-03-01T00:00:00Z", 1: "2026-03-03T00:00:00Z"}[days]  # the story begins on the second
    story = ada(CrossSellRule(), catalogue=file_of(complementary="mat", updated_at=stamp))
    story.facts_of("tent", 0, complementary=("lamp",)).order("o1", HOUR, "tent").until(30 * DAY)

    assert offered(story) == [[wins]]
    assert START_MS == 1_772_409_600_000  # 2 March 2026
