"""A product on the wishlist."""

import pytest

from profiles.cart_rules import WishlistReminderRule
from profiles.goods_state import Good
from schemas import events
from tests.stories.timeline import DAY, HOUR, Timeline, product, shop

WISH = "wishlist.reminder"
GRANT = (events.ConsentChange(state="GRANT", channel="email"),)


@pytest.fixture
def ada() -> Timeline:
    return Timeline()


def unwish(ada: Timeline, what: str, minute: float, **fields: float) -> Timeline:
    return ada.tell(events.ProductRemovedFromWishlist, minute, product=product(what), **fields)


def test_a_wish_is_reminded_of_after_three_days(ada: Timeline) -> None:
    ada.wish(product("A", 4900, name="Tent"), 0)

    assert ada.waiting(WISH) == [3 * DAY]

    ada.until(4 * DAY)

    assert ada.emitted(WISH) == [3 * DAY]
    assert [(item.product_id, item.name) for item in ada.triggers[0].items] == [("A", "Tent")]
    assert (ada.triggers[0].value_minor, ada.triggers[0].episode_key) == (4900, "user_id:ada|A")


def test_taking_it_off_ends_it(ada: Timeline) -> None:
    unwish(ada.wish("A", 0), "A", DAY).until(5 * DAY)

    assert ada.decisions(WISH) == [("armed", None), ("cancelled", "removed")]


def test_buying_it_ends_it(ada: Timeline) -> None:
    ada.wish("A", 0).order("o1", DAY, "A").until(5 * DAY)

    assert ada.decisions(WISH) == [("armed", None), ("cancelled", "ordered")]


def test_having_bought_it_before_she_wished_for_it_again_does_not_be_that_known_late(ada: Timeline) -> None:
    ada.wish("A", DAY).order("o1", DAY - 1, "A", arrives=2 * DAY).until(5 * DAY)

    assert ada.emitted(WISH) == [4 * DAY]


def test_nor_does_an_order_that_turns_out_to_have_been_placed_before_it(ada: Timeline) -> None:
    ada.wish("A", 10).order("o1", 20, "A").order("o1", 0, "A", arrives=30).until(5 * DAY)

    assert ada.emitted(WISH) == [3 * DAY + 10]


def test_buying_something_else_does_not(ada: Timeline) -> None:
    ada.wish("A", 0).order("o1", DAY, "B").until(5 * DAY)

    assert ada.emitted(WISH) == [3 * DAY]


def test_what_cannot_be_had_is_not_offered(ada: Timeline) -> None:
    ada.goods["A"] = Good(stock=0)
    ada.wish("A", 0).until(5 * DAY)

    assert ada.decisions(WISH)[-1] == ("suppressed", "out_of_stock")


def test_wishing_for_it_again_while_it_is_there_changes_nothing(ada: Timeline) -> None:
    ada.wish("A", 0).wish("A", DAY)

    assert ada.waiting(WISH) == [3 * DAY]


def test_taken_off_and_wished_for_again_it_starts_anew(ada: Timeline) -> None:
    unwish(ada.wish("A", 0), "A", DAY).wish("A", 2 * DAY)

    assert ada.waiting(WISH) == [5 * DAY]


def test_the_order_of_arrival_does_not_matter(ada: Timeline) -> None:
    ada.wish("A", 10)
    unwish(ada, "A", 5, arrives=20)
    ada.wish("A", 0, arrives=30)

    assert ada.waiting(WISH) == [3 * DAY + 10]


def test_after_the_reminder_only_a_new_wish_opens_another() -> None:
    ada = Timeline(shop(WishlistReminderRule(cooldown_ms=0)))
    ada.wish("A", 0).wish("A", DAY).until(4 * DAY).wish("A", 5 * DAY).until(9 * DAY)

    assert ada.emitted(WISH) == [3 * DAY, 8 * DAY]
    assert len({trigger.trigger_id for trigger in ada.triggers}) == 2


def test_wishing_for_it_again_and_again_does_not_put_the_next_reminder_off(ada: Timeline) -> None:
    ada.wish("A", 0).until(20 * DAY).wish("A", 20 * DAY)
    for hour in range(1, 24):
        ada.wish("A", 20 * DAY + hour * HOUR)

    assert ada.until(30 * DAY).emitted(WISH) == [3 * DAY, 23 * DAY]


def test_what_she_wished_for_before_she_unsubscribed_is_done_with_however_often_she_had(ada: Timeline) -> None:
    ada.wish("A", 0).wish("A", 5).tell(events.Unsubscribed, 10, message_channel="email")
    ada.tell(events.ConsentChanged, DAY, consent=GRANT).wish("A", 20 * DAY).until(30 * DAY)

    assert ada.emitted(WISH) == [23 * DAY]


def test_another_wish_within_two_weeks_is_suppressed(ada: Timeline) -> None:
    ada.wish("A", 0).wish("B", DAY).until(9 * DAY)

    assert ada.decisions(WISH)[-1] == ("suppressed", "cooldown")


def test_a_cart_that_waits_goes_before_a_wish(ada: Timeline) -> None:
    ada.wish("A", 0).add("B", 3 * DAY - 30).until(4 * DAY)

    assert ada.emitted(WISH) == []
    assert ada.decisions(WISH)[-1] == ("suppressed", "superseded")


def test_an_order_of_the_product_that_became_known_late_takes_the_reminder_back(ada: Timeline) -> None:
    ada.wish("A", 0).until(3 * DAY + 1).order("o1", 3 * DAY - 5, "A", arrives=3 * DAY + 10)

    assert ada.outcomes == [("trigger.cancelled", "late_conversion")]


def test_a_wish_known_two_days_late_is_still_ahead(ada: Timeline) -> None:
    ada.wish("A", 0, arrives=2 * DAY).until(4 * DAY)

    assert ada.emitted(WISH) == [3 * DAY]


def test_a_wish_known_a_week_late_is_not_reminded_of(ada: Timeline) -> None:
    ada.wish("A", 0, arrives=7 * DAY).until(8 * DAY)

    assert ada.decisions(WISH) == [("expired", "max_lateness")]


@pytest.mark.parametrize("arrival", ["wow", "wwo", "oww"])
def test_a_wish_for_what_was_bought_before_is_reminded_of_whatever_was_heard_of_first(
    ada: Timeline, arrival: str
) -> None:
    wishes = iter((0, 2))
    for heard in arrival:
        if heard == "w":
            ada.wish("A", next(wishes))
        else:
            ada.order("o1", 1, "A")
    ada.until(5 * DAY)

    assert ada.emitted(WISH) == [3 * DAY + 2]
