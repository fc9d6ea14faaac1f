"""cross.sell: what goes with an order, three days after it came. Learned from all orders, or told by the catalogue."""

from typing import Any

import pytest
from msgspec.structs import replace

from profiles.catalogue import build_catalogue
from profiles.insight.pair_table import Partner
from profiles.models import Models
from profiles.triggers import BundleSuggestRule, CartAbandonedRule, CrossSellRule, LowStockRule
from schemas import events
from tests.stories.timeline import DAY, Timeline, product, shop

NAME = "cross.sell"
CATALOGUE = build_catalogue(
    [
        {"product_id": "tent", "category": "camping", "complementary": "mat;stove"},
        {"product_id": "mat", "category": "camping"},
    ]
)


def partner(item: str, npmi: float) -> Partner:
    return Partner(item, 30, 2.0, 0.5, npmi, 100.0)


LEARNED = {"tent": [partner("lamp", 0.4), partner("mat", 0.3)], "rope": [partner("mat", 0.3)]}


def ada(*, learned: dict[str, list[Partner]] | None = None, **rule: Any) -> Timeline:
    rules = (CrossSellRule(**rule), CartAbandonedRule(enabled=False), BundleSuggestRule(enabled=False))
    book = shop(*rules, LowStockRule(enabled=False), catalogue=CATALOGUE)
    return Timeline(replace(book, models=Models(together=learned)))


def offered(story: Timeline) -> list[list[str]]:
    return [[item.product_id for item in trigger.items] for trigger in story.triggers if trigger.name == NAME]


def test_it_is_offered_three_days_after_the_delivery() -> None:
    story = ada().order("o1", 0, "tent").tell(events.OrderDelivered, 2 * DAY, order_id="o1").until(20 * DAY)

    assert story.emitted(NAME) == [5 * DAY]
    (trigger,) = [trigger for trigger in story.triggers if trigger.name == NAME]
    assert trigger.details == {"order_id": "o1", "bought": ["tent"]}
    assert trigger.episode_key == "o1"


def test_without_a_delivery_seven_days_after_the_order() -> None:
    assert ada().order("o1", 0, "tent").until(20 * DAY).emitted(NAME) == [7 * DAY]


def test_complementary_products_of_the_catalogue_are_offered_where_nothing_was_learned() -> None:
    assert offered(ada().order("o1", 0, "tent").until(20 * DAY)) == [["mat", "stove"]]


def test_what_was_learned_comes_first_and_the_best_of_it_for_the_whole_order() -> None:
    # mat goes with both, 0.3 + 0.3; lamp with one, 0.4.
    assert offered(ada(learned=LEARNED).order("o1", 0, "tent", "rope").until(20 * DAY)) == [["mat", "lamp", "stove"]]


def test_no_more_are_offered_than_the_rules_say() -> None:
    assert offered(ada(learned=LEARNED, products=1).order("o1", 0, "tent").until(20 * DAY)) == [["lamp"]]


def test_what_she_has_bought_lately_or_has_in_a_cart_is_not_offered() -> None:
    story = ada().order("o0", -DAY, "mat", cart_id="c0").order("o1", 0, "tent", cart_id="c0")
    assert offered(story.add("boat", 1).until(6.5 * DAY)) == []
    assert offered(story.until(8 * DAY)) == [["stove"]]

    assert offered(ada().order("o1", 0, "tent", cart_id="c0").add("stove", 5).until(8 * DAY)) == [["mat"]]


def test_what_she_bought_more_than_thirty_days_ago_is_offered_whether_she_bought_since_or_not() -> None:
    bought = ada().order("o0", -25 * DAY, "mat").order("o1", 0, "tent")

    assert offered(bought.until(20 * DAY)) == [["mat", "stove"]]


def test_what_lies_in_a_cart_that_was_dropped_is_offered() -> None:
    story = ada().add("mat", -25 * DAY).order("o1", 0, "tent", cart_id="c2")

    assert offered(story.until(20 * DAY)) == [["mat", "stove"]]


def test_what_is_sold_out_is_not_offered() -> None:
    assert offered(ada().order("o1", 0, "tent").stock("mat", DAY, 0).until(20 * DAY)) == [["stove"]]


def test_with_nothing_to_offer_nothing_is_sent() -> None:
    story = ada().order("o1", 0, "boat").until(20 * DAY)

    assert story.decisions(NAME) == [("armed", None), ("cancelled", "nothing_to_offer")]


@pytest.mark.parametrize("kind", [events.OrderRefunded, events.OrderCancelled])
def test_money_going_back_ends_it(kind: type[events.OrderEvent]) -> None:
    story = ada().order("o1", 0, "tent").tell(kind, DAY, order_id="o1").until(20 * DAY)

    assert story.decisions(NAME) == [("armed", None), ("cancelled", "refunded")]


def test_an_order_is_offered_for_once_also_if_its_delivery_is_told_after() -> None:
    story = ada().order("o1", 0, "tent").until(8 * DAY).tell(events.OrderDelivered, 8 * DAY, order_id="o1")

    assert story.until(20 * DAY).emitted(NAME) == [7 * DAY]


def test_so_it_is_if_the_parcel_took_weeks_and_other_things_were_sent_meanwhile() -> None:
    story = ada().order("o1", 0, "tent").tell(events.NpsSubmitted, 15 * DAY, score=2, survey_id="s1")
    story.tell(events.CaseUpdated, 15 * DAY + 1, case_id="s1", state="resolved")
    story.tell(events.OrderDelivered, 30 * DAY, order_id="o1").until(60 * DAY)

    assert story.emitted(NAME) == [7 * DAY]


def test_a_word_on_an_order_of_weeks_ago_brings_nothing_up() -> None:
    story = ada().order("o1", 0, "tent").tell(events.NpsSubmitted, 15 * DAY, score=2, survey_id="s1")
    story.tell(events.OrderUpdated, 30 * DAY, order_id="o1", products=(product("tent"),)).until(60 * DAY)

    assert story.decisions(NAME) == [("armed", None), ("emitted", None)]


def test_a_test_order_is_none() -> None:
    assert ada().order("o1", 0, "tent", test=True).until(20 * DAY).decisions(NAME) == []


def test_the_delivery_known_before_the_order_gives_the_same_minute() -> None:
    story = ada().tell(events.OrderDelivered, 2 * DAY, order_id="o1").order("o1", 0, "tent", arrives=2 * DAY + 1)

    assert story.until(20 * DAY).emitted(NAME) == [5 * DAY]


def test_the_same_order_told_twice_is_offered_for_once() -> None:
    story = ada().order("o1", 0, "tent", message_id="m").order("o1", 0, "tent", message_id="m")

    assert story.until(20 * DAY).emitted(NAME) == [7 * DAY]


def test_nor_is_it_waited_for_again_once_she_has_unsubscribed() -> None:
    story = ada().order("o1", 0, "tent", message_id="m").tell(events.Unsubscribed, 10)
    story.order("o1", 0, "tent", message_id="m", arrives=20)

    assert story.decisions(NAME) == [("armed", None), ("cancelled", "unsubscribed")]
