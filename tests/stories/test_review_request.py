"""A review is asked for once she has had time to try what she bought; never while she complains, and once for an order."""

import pytest

from profiles.catalogue import build_catalogue
from profiles.order_rules import ReviewRequestRule
from profiles.rules import DAY_MS, DeliveryRules
from schemas import events
from tests.stories.timeline import DAY, Timeline, product, shop

REVIEW = "review.request"
GRANT = (events.ConsentChange(state="GRANT", channel="email"),)


def buyer(*what: str, book: Timeline | None = None) -> Timeline:
    """Bought at 0, arrived after a day."""
    return (book or Timeline()).order("o1", 0, *(what or ("lamp",))).tell(events.OrderDelivered, DAY, order_id="o1")


def test_a_week_after_the_parcel_arrived_she_is_asked_and_a_week_later_reminded() -> None:
    ada = buyer("lamp", "chair").until(60 * DAY)

    assert ada.emitted(REVIEW) == [8 * DAY, 15 * DAY]
    assert [trigger.occurrence for trigger in ada.sent(REVIEW)] == [1, 2]
    assert [item.product_id for item in ada.sent(REVIEW)[0].items] == ["lamp", "chair"]
    assert ada.sent(REVIEW)[0].details["order_id"] == "o1"
    assert ada.sent(REVIEW)[0].episode_key == "o1"


def test_the_reminder_can_be_switched_off() -> None:
    ada = buyer(book=Timeline(shop(ReviewRequestRule(reminder_after_ms=0)))).until(60 * DAY)

    assert ada.emitted(REVIEW) == [8 * DAY]


def test_who_could_not_be_reached_before_its_time_does_not_get_both_in_the_same_moment() -> None:
    ada = Timeline(shop(ReviewRequestRule(reminder_after_ms=3 * DAY_MS)), customer="anonymous_id:d1")
    buyer(book=ada).tell(events.Identified, 13 * DAY, email="ada@example.com").until(60 * DAY)

    assert ada.emitted(REVIEW) == [13 * DAY]


def test_one_that_waits_when_it_is_switched_off_does_not_go_out() -> None:
    ada = buyer().until(9 * DAY).new_rules(shop(ReviewRequestRule(reminder_after_ms=0))).until(60 * DAY)

    assert ada.emitted(REVIEW) == [8 * DAY]
    assert ada.decisions(REVIEW)[-1] == ("cancelled", "disabled")


@pytest.mark.parametrize("country, day", [("DE", 14), ("FR", 21), (None, 14)])
def test_without_news_of_the_arrival_it_is_two_weeks_after_sending_and_three_abroad(
    country: str | None, day: int
) -> None:
    book = shop(delivery=DeliveryRules(home_countries=("DE",)))
    ada = Timeline(book).order("o1", -1, "lamp", country=country).tell(events.OrderFulfilled, 0, order_id="o1")
    ada.until(60 * DAY)

    assert ada.emitted(REVIEW)[0] == day * DAY


def test_goods_that_are_used_up_are_asked_about_when_most_of_it_is_gone() -> None:
    book = shop(catalogue=build_catalogue([{"product_id": "coffee", "supply_days": 30}]))
    ada = buyer("coffee", book=Timeline(book)).until(19 * DAY)

    assert ada.emitted(REVIEW) == [19 * DAY]


def test_the_line_that_is_ready_first_sends_for_the_order_and_speaks_of_what_is_ready() -> None:
    book = shop(catalogue=build_catalogue([{"product_id": "coffee", "supply_days": 30}]))
    ada = buyer("coffee", "lamp", book=Timeline(book)).until(60 * DAY)

    assert ada.emitted(REVIEW) == [8 * DAY, 15 * DAY]
    assert [item.product_id for item in ada.sent(REVIEW)[0].items] == ["lamp"]


def test_news_of_the_arrival_moves_what_was_planned_by_the_sending() -> None:
    ada = Timeline().order("o1", 0, "lamp").tell(events.OrderFulfilled, 1, order_id="o1")
    ada.tell(events.OrderDelivered, 3 * DAY, order_id="o1").until(11 * DAY)

    assert ada.emitted(REVIEW) == [10 * DAY]


def test_who_reviewed_it_already_is_not_asked() -> None:
    ada = buyer().tell(events.ProductReviewed, 2 * DAY, product_id="lamp", rating=5.0).until(60 * DAY)

    assert ada.decisions(REVIEW) == [("armed", None), ("cancelled", "reviewed")]


def test_a_review_after_the_request_spares_her_the_reminder() -> None:
    ada = buyer().until(9 * DAY).tell(events.ProductReviewed, 10 * DAY, product_id="lamp").until(60 * DAY)

    assert ada.emitted(REVIEW) == [8 * DAY]
    assert ada.decisions(REVIEW)[-1] == ("cancelled", "reviewed")


def test_of_two_products_the_one_not_yet_reviewed_is_asked_about() -> None:
    ada = buyer("lamp", "chair").tell(events.ProductReviewed, 2 * DAY, product_id="lamp").until(9 * DAY)

    assert [item.product_id for item in ada.sent(REVIEW)[0].items] == ["chair"]


def test_a_refund_that_names_the_product_cancels_and_one_that_names_another_does_not() -> None:
    of_it = buyer("lamp").tell(
        events.OrderRefunded, 2 * DAY, order_id="o1", refund_id="r", amount_minor=100, products=(product("lamp"),)
    )
    of_other = buyer("lamp", "chair").tell(
        events.OrderRefunded, 2 * DAY, order_id="o1", refund_id="r", products=(product("chair"),)
    )
    of_other.until(9 * DAY)

    assert of_it.decisions(REVIEW) == [("armed", None), ("cancelled", "refunded")]
    assert [item.product_id for item in of_other.sent(REVIEW)[0].items] == ["lamp"]


def test_a_refund_without_products_cancels_only_if_nothing_is_left() -> None:
    part = buyer().tell(events.OrderRefunded, 2 * DAY, order_id="o1", refund_id="r", amount_minor=999).until(9 * DAY)
    whole = buyer().tell(events.OrderRefunded, 2 * DAY, order_id="o1", refund_id="r", amount_minor=1000).until(9 * DAY)

    assert part.emitted(REVIEW) == [8 * DAY]
    assert whole.decisions(REVIEW) == [("armed", None), ("cancelled", "refunded")]


def test_a_refund_that_is_told_smaller_in_time_lets_her_be_asked_again() -> None:
    ada = buyer().tell(events.OrderRefunded, 2 * DAY, order_id="o1", refund_id="r", amount_minor=1000)
    ada.tell(events.OrderRefunded, 3 * DAY, order_id="o1", refund_id="r", amount_minor=100).until(9 * DAY)

    assert ada.emitted(REVIEW) == [8 * DAY]


def test_a_cancelled_order_and_one_sent_back_are_not_asked_about() -> None:
    cancelled = buyer().tell(events.OrderCancelled, 2 * DAY, order_id="o1")
    returned = buyer().tell(events.OrderReturned, 2 * DAY, order_id="o1")

    assert cancelled.decisions(REVIEW) == [("armed", None), ("cancelled", "refunded")]
    assert returned.decisions(REVIEW) == [("armed", None), ("cancelled", "returned")]


def test_an_open_complaint_stands_in_the_way_and_a_resolved_one_does_not() -> None:
    open_ = buyer().tell(events.TicketOpened, 2 * DAY, ticket_id="t1").until(60 * DAY)
    done = buyer().tell(events.TicketOpened, 2 * DAY, ticket_id="t1")
    done.tell(events.TicketResolved, 3 * DAY, ticket_id="t1").until(9 * DAY)

    assert open_.decisions(REVIEW) == [("armed", None), ("cancelled", "open_complaint")]
    assert done.emitted(REVIEW) == [8 * DAY]


def test_a_low_score_of_the_last_thirty_days_stands_in_the_way_though_the_case_is_closed() -> None:
    ada = buyer().tell(events.NpsSubmitted, -22 * DAY + 1, score=6, survey_id="s")
    ada.tell(events.CaseUpdated, 2 * DAY, case_id="s", state="resolved").until(60 * DAY)
    long_ago = buyer().tell(events.NpsSubmitted, -22 * DAY - 1, score=6, survey_id="s")
    long_ago.tell(events.CaseUpdated, 2 * DAY, case_id="s", state="resolved").until(9 * DAY)

    assert ada.decisions(REVIEW) == [("armed", None), ("cancelled", "low_score")]
    assert long_ago.emitted(REVIEW) == [8 * DAY]


def test_an_order_that_changes_after_she_was_asked_does_not_bring_it_up_again() -> None:
    ada = buyer("lamp", "chair").until(20 * DAY)
    ada.tell(events.OrderRefunded, 21 * DAY, order_id="o1", refund_id="r", products=(product("chair"),)).until(90 * DAY)

    assert ada.emitted(REVIEW) == [8 * DAY, 15 * DAY]


def test_nor_one_of_which_she_had_wanted_to_hear_nothing_where_its_time_is_over() -> None:
    ada = buyer("lamp", "chair").tell(events.Unsubscribed, 2 * DAY, message_channel="email")
    ada.tell(events.ConsentChanged, 9 * DAY, consent=GRANT)
    ada.tell(events.OrderRefunded, 10 * DAY, order_id="o1", refund_id="r1", products=(product("chair"),)).until(
        60 * DAY
    )

    assert ada.decisions(REVIEW) == [("armed", None), ("cancelled", "unsubscribed")]


def test_without_consent_she_is_not_asked() -> None:
    ada = Timeline(consent=False).order("o1", 0, "lamp").tell(events.OrderDelivered, DAY, order_id="o1").until(60 * DAY)

    assert ada.decisions(REVIEW) == [("armed", None), ("suppressed", "no_consent")]


def test_news_of_an_arrival_within_the_lateness_is_asked_about_and_later_news_is_not() -> None:
    in_time = Timeline().order("o1", 0, "lamp").tell(events.OrderDelivered, DAY, order_id="o1", arrives=1.5 * DAY)
    too_late = Timeline().order("o1", 0, "lamp").tell(events.OrderDelivered, DAY, order_id="o1", arrives=10 * DAY)

    assert in_time.until(9 * DAY).emitted(REVIEW) == [8 * DAY]
    assert too_late.decisions(REVIEW) == [("expired", "max_lateness")]
