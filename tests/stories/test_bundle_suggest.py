"""bundle.suggest: of a set that the shop sells together, or that customers buy by themselves, she viewed two, or has one in a
cart, and lacks the rest.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from profiles.catalogue import build_catalogue
from profiles.engine import Engine
from profiles.models import Models
from profiles.triggers import BUILT_IN, BundleSuggestRule, CartAbandonedRule
from tests.stories.timeline import DAY, Timeline, product, shop

NAME = "bundle.suggest"
CATALOGUE = build_catalogue(
    [
        {"product_id": "tent", "bundles": "weekend"},
        {"product_id": "mat", "bundles": ["weekend", "sleep"]},
        {"product_id": "stove", "bundles": "weekend"},
        {"product_id": "pillow", "bundles": "sleep"},
        {"product_id": "alone", "bundles": "single"},
    ]
)


def ada(**rule: Any) -> Timeline:
    return Timeline(shop(BundleSuggestRule(**rule), CartAbandonedRule(enabled=False), catalogue=CATALOGUE))


def offered(story: Timeline) -> list[tuple[str, list[str]]]:
    return [
        (trigger.details["bundle"], [item.product_id for item in trigger.items])
        for trigger in story.triggers
        if trigger.name == NAME
    ]


def test_two_products_viewed_bring_the_rest_a_day_later() -> None:
    story = ada().view("tent", 0).view("stove", 10).until(5 * DAY)

    assert story.emitted(NAME) == [DAY + 10]
    assert offered(story) == [("weekend", ["tent", "mat", "stove"])]
    assert [one.episode_key for one in story.triggers if one.name == NAME] == ["user_id:ada|weekend"]


def test_two_views_do_where_no_other_trigger_goes_by_what_was_viewed() -> None:
    others = [one.rule_type(enabled=False) for one in BUILT_IN if one.name != NAME]
    story = Timeline(shop(*others, catalogue=CATALOGUE)).view("tent", 0).view("stove", 10).until(5 * DAY)

    assert offered(story) == [("weekend", ["tent", "mat", "stove"])]


def test_it_has_the_same_id_whichever_of_the_two_was_heard_of_first() -> None:
    in_order = ada().view("tent", 0, message_id="one").view("stove", 10, message_id="two").until(5 * DAY)
    late = ada().view("stove", 10, message_id="two").view("tent", 0, message_id="one", arrives=11).until(5 * DAY)

    first, second = in_order.sent(NAME)[0], late.sent(NAME)[0]
    assert first.trigger_id == second.trigger_id
    assert (first.evidence, second.evidence) == (("2026-03-02", "two"), ("2026-03-02", "one"))


def test_one_view_or_the_same_product_twice_is_not_enough() -> None:
    assert ada().view("tent", 0).view("tent", 10).until(5 * DAY).emitted(NAME) == []


def test_a_view_of_more_than_thirty_days_ago_does_not_count_though_she_wished_for_the_product_since() -> None:
    story = ada().view("tent", 0).wish("tent", 20 * DAY)

    assert story.view("stove", 31 * DAY).until(35 * DAY).emitted(NAME) == []
    assert story.view("tent", 40 * DAY).until(45 * DAY).emitted(NAME) == [41 * DAY]


def test_what_lies_in_a_cart_that_was_dropped_is_neither_begun_nor_there() -> None:
    story = ada(cooldown_ms=0).add("tent", 0).until(2 * DAY).view("stove", 31 * DAY).until(35 * DAY)
    assert len(offered(story)) == 1

    assert offered(story.view("mat", 36 * DAY).until(40 * DAY))[1:] == [("weekend", ["tent", "mat", "stove"])]


def test_one_in_a_cart_is_enough_and_is_not_suggested_again() -> None:
    story = ada().add("tent", 0).until(5 * DAY)

    assert offered(story) == [("weekend", ["mat", "stove"])]


def test_a_product_of_two_bundles_brings_both() -> None:
    story = ada().add("mat", 0).until(5 * DAY)

    assert sorted(offered(story)) == [("sleep", ["pillow"]), ("weekend", ["tent", "stove"])]


def test_what_she_takes_on_her_own_is_not_suggested() -> None:
    story = ada().add("tent", 0).add("mat", 1).until(5 * DAY)

    assert ("weekend", ["stove"]) in offered(story)


def test_the_whole_bundle_in_the_cart_or_bought_ends_it() -> None:
    in_cart = ada().add("pillow", 0).add("mat", 5)
    bought = ada().view("pillow", 0).view("mat", 5).order("o1", 50, "pillow", "mat")

    for story in (in_cart, bought):
        decided = [
            output for output in story.until(5 * DAY).out if getattr(output, "episode_key", "").endswith("|sleep")
        ]
        assert [(one.state, one.reason) for one in decided] == [("armed", None), ("cancelled", "complete")]  # type: ignore[union-attr]


def test_what_she_bought_more_than_thirty_days_ago_she_may_lack_again() -> None:
    story = ada().order("o1", 0, "pillow").view("pillow", 31 * DAY).view("mat", 31 * DAY + 5).until(40 * DAY)

    assert offered(story) == [("sleep", ["mat", "pillow"])]


def test_what_left_the_cart_is_not_wanted_any_more() -> None:
    story = ada().add("tent", 0).remove("tent", 10).until(5 * DAY)

    assert story.decisions(NAME) == [("armed", None), ("cancelled", "not_wanted")]


def test_a_bundle_is_suggested_at_most_once_in_thirty_days_and_each_by_itself() -> None:
    story = ada().add("tent", 0).until(2 * DAY).add("tent", 3 * DAY).add(product("pillow"), 4 * DAY).until(6 * DAY)

    assert [name for name, _ in offered(story)] == ["weekend", "sleep"]
    assert ("suppressed", "cooldown") in story.decisions(NAME)


def test_a_bundle_of_one_is_none() -> None:
    assert ada().add("alone", 0).until(5 * DAY).decisions(NAME) == []


def test_views_may_come_in_any_order() -> None:
    late = ada().view("stove", 10).view("tent", 0, arrives=12).until(5 * DAY)

    assert late.emitted(NAME) == [DAY + 10]


PICNIC = ("basket", "blanket", "flask")


def learned(*sets: tuple[str, ...], rows: list[dict[str, Any]] | None = None, **rule: Any) -> Timeline:
    """A shop whose customers buy these by themselves."""
    book = shop(BundleSuggestRule(**rule), CartAbandonedRule(enabled=False), catalogue=build_catalogue(rows or []))
    bundles = {product_id: members for members in sets for product_id in members}
    return Timeline(replace(book, models=Models(bundles=bundles)))


def test_a_set_that_customers_buy_by_themselves_is_a_bundle_too() -> None:
    story = learned(PICNIC).view("basket", 0).view("flask", 10).until(5 * DAY)

    assert story.emitted(NAME) == [DAY + 10]
    assert offered(story) == [("basket + blanket + flask", ["basket", "blanket", "flask"])]


def test_of_a_learned_set_too_one_in_a_cart_is_enough() -> None:
    assert offered(learned(PICNIC).add("flask", 0).until(5 * DAY)) == [
        ("basket + blanket + flask", ["basket", "blanket"])
    ]


def test_a_shop_may_keep_to_its_own_bundles() -> None:
    own = [{"product_id": "tent", "bundles": "weekend"}, {"product_id": "mat", "bundles": "weekend"}]
    story = learned(PICNIC, ("mat", "tent"), rows=own, learned=False).add("flask", 0).add("tent", 1).until(5 * DAY)

    assert offered(story) == [("weekend", ["mat"])]


def test_a_learned_set_that_is_part_of_a_bundle_of_the_shop_adds_nothing() -> None:
    own = [{"product_id": name, "bundles": "weekend"} for name in ("tent", "mat", "stove")]

    assert offered(learned(("mat", "tent"), rows=own).add("tent", 0).until(5 * DAY)) == [("weekend", ["mat", "stove"])]


@pytest.mark.parametrize(
    "rows",
    [
        [{"product_id": "red", "substitutes": "blue"}],
        [{"product_id": "blue", "substitutes": ["red"]}],
        [{"product_id": "red", "group": "paint"}, {"product_id": "blue", "group": "paint"}],
    ],
)
def test_what_would_only_stand_in_for_the_other_is_no_bundle(rows: list[dict[str, Any]]) -> None:
    assert learned(("blue", "red"), rows=rows).add("red", 0).until(5 * DAY).decisions(NAME) == []


def test_what_customers_do_not_buy_together_any_more_is_not_suggested() -> None:
    story = learned(PICNIC).add("flask", 0)
    models = Models(bundles={"flask": ("cup", "flask"), "cup": ("cup", "flask")})
    story.engine = Engine(replace(story.engine.book, models=models))

    assert story.until(5 * DAY).decisions(NAME) == [("armed", None), ("cancelled", "no_bundle")]


def test_what_is_sold_out_is_not_suggested() -> None:
    some = ada().add("tent", 0).stock("mat", 60, 0).until(5 * DAY)
    all_of_it = ada().add("pillow", 0).stock("mat", 60, 0).until(5 * DAY)

    assert offered(some) == [("weekend", ["stove"])]
    assert all_of_it.decisions(NAME)[-1] == ("suppressed", "out_of_stock")
