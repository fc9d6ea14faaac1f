"""One category that interests her most. A view is one point, a wish three, a cart four; points halve every 14 days."""

from itertools import permutations

import pytest

from profiles.visit_rules import CategoryInterestRule
from schemas import events
from schemas.events import Product
from tests.stories.timeline import DAY, Timeline, product, shop

INTEREST = "category.interest"


@pytest.fixture
def ada() -> Timeline:
    return Timeline()


def of(category: str, product_id: str = "A") -> Product:
    return product(product_id, category=category)


def look(ada: Timeline, category: str, times: int, minute: float) -> Timeline:
    for number in range(times):
        ada.view(of(category), minute + number / 1000)
    return ada


def test_two_wishes_and_two_views_pass_five_points_at_the_instant_of_the_last(ada: Timeline) -> None:
    ada.wish(of("tents"), 0).view(of("tents"), 0.001).view(of("tents", "B"), 0.002)

    assert ada.decisions(INTEREST) == []

    ada.wish(of("tents"), 1).until(2)

    assert ada.emitted(INTEREST) == [1]
    assert ada.triggers[0].episode_key == "user_id:ada|tents"
    assert ada.triggers[0].details == {"category": "tents", "score": 7.9998, "share": 1.0}
    assert [item.product_id for item in ada.triggers[0].items] == ["B", "A"]


def test_five_points_need_five_views_at_one_moment_and_six_over_time(ada: Timeline) -> None:
    look(ada, "tents", 5, 0)

    assert ada.decisions(INTEREST) == []  # the first of them have faded by a few milliseconds

    ada.view(of("tents"), 1).until(2 * DAY)

    assert ada.emitted(INTEREST) == [1]

    at_once = Timeline()
    for _ in range(5):
        at_once.view(of("tents"), 0)
    at_once.until(DAY)

    assert at_once.emitted(INTEREST) == [0]


def test_old_points_fade(ada: Timeline) -> None:
    look(ada, "tents", 4, 0)
    look(ada, "tents", 2, 14 * DAY).until(15 * DAY)

    assert ada.decisions(INTEREST) == []  # 4 / 2 + 2 = 4


def test_a_category_needs_two_fifths_of_all_interest(ada: Timeline) -> None:
    for number, category in enumerate(("a", "b", "c", "tents")):
        look(ada, category, 4, number / 10)
    look(ada, "tents", 3, 5).until(DAY)

    assert ada.decisions(INTEREST) == []  # 7 of 19

    look(ada, "tents", 2, DAY).until(2 * DAY)

    assert len(ada.emitted(INTEREST)) == 1  # 9 of 21, a little less of each


def test_and_no_other_may_interest_her_more(ada: Timeline) -> None:
    look(ada, "boots", 7, 0)
    look(ada, "tents", 6, 1).until(DAY)  # 6 of 13

    assert [trigger.details["category"] for trigger in ada.sent(INTEREST)] == ["boots"]


def test_it_is_told_once_while_the_interest_lasts(ada: Timeline) -> None:
    look(ada, "tents", 9, 0)
    look(ada, "tents", 9, 15 * DAY).until(40 * DAY)  # 9 -> 4.3 in between

    assert ada.decisions(INTEREST) == [("armed", None), ("emitted", None)]


def test_once_faded_below_seven_tenths_it_may_begin_again(ada: Timeline) -> None:
    look(ada, "tents", 6, 0)
    look(ada, "tents", 6, 42 * DAY).until(50 * DAY)

    assert len(ada.emitted(INTEREST)) == 2  # 6 -> 0.75 in between


def test_a_new_interest_in_the_same_within_30_days_is_suppressed(ada: Timeline) -> None:
    look(ada, "tents", 6, 0)
    look(ada, "tents", 6, 25 * DAY).until(50 * DAY)

    assert ada.decisions(INTEREST)[-1] == ("suppressed", "cooldown")  # 6 -> 1.7 in between


def test_other_categories_may_drive_it_out_of_its_band() -> None:
    ada = Timeline(shop(CategoryInterestRule(cooldown_ms=0)))
    look(ada, "tents", 6, 0)
    look(ada, "boots", 16, DAY)  # tents have 6 of 22, less than 0.7 x 40 %
    look(ada, "tents", 12, 2 * DAY).until(50 * DAY)

    assert [trigger.details["category"] for trigger in ada.triggers if trigger.name == INTEREST] == [
        "tents",
        "boots",
        "tents",
    ]


def test_it_begins_once_a_day_at_most_and_is_known_by_the_day() -> None:
    ada = Timeline(shop(CategoryInterestRule(cooldown_ms=0)))
    look(ada, "tents", 6, 0)
    look(ada, "boots", 16, 10)
    look(ada, "tents", 24, 20).until(50 * DAY)

    assert [trigger.details["category"] for trigger in ada.sent(INTEREST)] == ["tents", "boots"]
    assert ada.sent(INTEREST)[0].evidence == ("2026-03-02", "m7")


@pytest.mark.parametrize(
    "minute, became",
    [(1, ("cancelled", "bought")), (7 * DAY - 1, ("cancelled", "bought")), (7 * DAY, ("emitted", None))],
)
def test_what_was_bought_this_week_is_not_advertised(
    ada: Timeline, minute: int, became: tuple[str, str | None]
) -> None:
    ada.order("o1", 0, of("tents")).wish(of("tents"), minute).until(8 * DAY)

    assert ada.decisions(INTEREST) == [("armed", None), became]


def test_a_purchase_alone_is_no_opening(ada: Timeline) -> None:
    ada.order("o1", 0, of("tents"), of("tents", "B")).until(DAY)

    assert ada.decisions(INTEREST) == []


def test_lists_and_carts_count_too(ada: Timeline) -> None:
    ada.tell(events.ProductListViewed, 0, category="tents").tell(events.ProductListViewed, 0.001, category="tents")
    ada.add(of("tents"), 0.002).tell(events.ProductListViewed, 1, category="tents").until(2)

    assert ada.emitted(INTEREST) == [1]


def snapshot(ada: Timeline, minute: float, *products: Product) -> Timeline:
    return ada.tell(events.CartUpdated, minute, cart_id="c1", products=products)


def test_what_a_snapshot_brings_into_the_cart_counts_as_added_once(ada: Timeline) -> None:
    snapshot(ada, 0, of("tents"))
    snapshot(ada, 1, of("tents"))

    assert ada.decisions(INTEREST) == []

    snapshot(ada, 2, of("tents"), of("tents", "B")).until(3)

    assert ada.emitted(INTEREST) == [2]
    assert ada.triggers[0].details["score"] == pytest.approx(8.0, abs=0.001)


def test_two_products_of_a_category_in_one_snapshot_are_enough(ada: Timeline) -> None:
    assert snapshot(ada, 0, of("tents"), of("tents", "B")).until(1).emitted(INTEREST) == [0]


def test_an_interest_that_had_faded_before_a_purchase_begins_again_with_the_next_look_after_it(ada: Timeline) -> None:
    look(ada, "tents", 10, 0)  # of 10 points 2.3 are left after 30 days
    ada.order("o1", 30 * DAY, of("tents"))
    look(ada, "tents", 2, 38 * DAY).until(39 * DAY)  # 1.5 and 3.4, and one of the look

    assert ada.emitted(INTEREST) == [0.005, 38 * DAY]


def test_one_that_had_not_goes_on(ada: Timeline) -> None:
    look(ada, "tents", 10, 0)
    ada.order("o1", 20 * DAY, of("tents"))  # 3.7 are left of them
    look(ada, "tents", 2, 31 * DAY).until(32 * DAY)

    assert ada.emitted(INTEREST) == [0.005]


def test_one_that_others_had_driven_out_of_its_band_before_the_purchase_begins_again_too(ada: Timeline) -> None:
    look(ada, "tents", 6, 0)
    look(ada, "boats", 20, 29 * DAY)
    ada.order("o1", 30 * DAY, *(of("tents", f"t{number}") for number in range(4)))
    look(ada, "tents", 2, 38 * DAY).until(39 * DAY)

    assert [one.details["category"] for one in ada.sent(INTEREST)] == ["tents", "boats", "tents"]


ADD, REMOVE, CART = events.ProductAdded, events.ProductRemoved, events.CartUpdated


@pytest.mark.parametrize(
    "told",
    [
        [(ADD, "A"), (CART, "A")],
        [(ADD, "A"), (REMOVE, "A"), (CART, "A")],
        [(ADD, "A"), (CART, "AB"), (ADD, "B"), (CART, "AB")],
        [(CART, "A"), (CART, ""), (CART, "AB")],
        [(CART, "AB"), (REMOVE, "B"), (ADD, "A"), (CART, "AB")],
    ],
)
def test_what_came_into_the_cart_counts_the_same_in_whatever_order_it_is_heard_of(
    told: list[tuple[type[events.Event], str]],
) -> None:
    found = []
    for order in permutations(range(len(told))):
        ada = Timeline()
        for place, number in enumerate(order):
            kind, what = told[number]
            named = tuple(of("tents", one) for one in what)
            fields = {"products": named} if kind is CART else {"product": named[0]}
            ada.tell(kind, number, arrives=10 + place, cart_id="c1", message_id=f"told {number}", **fields)
        found.append(ada.profile.interests.categories)

    assert found == [found[0]] * len(found)


def test_a_snapshot_that_is_heard_before_the_add_that_it_shows_makes_no_interest_of_one_product(ada: Timeline) -> None:
    snapshot(ada, 1, of("tents")).add(of("tents"), 0, arrives=2).until(DAY)

    assert ada.decisions(INTEREST) == []
