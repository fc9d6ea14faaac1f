"""The survey: two weeks after a parcel, every ninety days while she is around, and never to who was asked or complains."""

from msgspec.structs import replace

from profiles.feedback_rules import NpsSurveyRule
from schemas import events
from tests.stories.timeline import DAY, Timeline, product, shop

SURVEY = "nps.survey"


def buyer() -> Timeline:
    return Timeline().order("o1", 0, "lamp").tell(events.OrderDelivered, DAY, order_id="o1")


def test_two_weeks_after_a_parcel_she_is_asked_about_it() -> None:
    ada = buyer().until(16 * DAY)

    assert ada.emitted(SURVEY) == [15 * DAY]
    asked = ada.sent(SURVEY)
    assert asked[0].details == {"kind": "transactional", "order_id": "o1"}


def test_surveys_that_went_out_are_counted_by_kind_and_day_for_the_share_that_answers() -> None:
    ada = buyer()
    for day in range(20, 110, 20):
        ada.tell(events.PageViewed, day * DAY)
    about_order, about_shop = ada.until(110 * DAY).sent(SURVEY)
    days = [ada.engine.book.shop_day(trigger.emitted_at_ms) for trigger in (about_order, about_shop)]

    assert ada.engine.counters_of(about_order)[1:] == [f"asked:transactional.{days[0]}.asked.all"]
    assert ada.engine.counters_of(about_shop)[1:] == [f"asked:relational.{days[1]}.asked.all"]
    assert ada.engine.counters_of(replace(about_shop, shadow=True)) == ["trigger:nps.survey|withheld"]


def test_an_active_customer_is_asked_again_after_ninety_days_about_the_shop() -> None:
    ada = buyer()
    for day in range(20, 300, 20):
        ada.tell(events.PageViewed, day * DAY)
    ada.until(290 * DAY)

    assert ada.emitted(SURVEY) == [15 * DAY, 105 * DAY, 195 * DAY, 285 * DAY]
    asked = ada.sent(SURVEY)
    assert asked[1].details == {"kind": "relational"}
    assert len({trigger.trigger_id for trigger in asked}) == 4


def test_who_was_not_seen_since_is_left_in_peace_until_her_next_parcel() -> None:
    ada = buyer().until(200 * DAY)

    assert ada.emitted(SURVEY) == [15 * DAY]
    assert ada.decisions(SURVEY)[-1] == ("cancelled", "inactive")

    ada.order("o2", 200 * DAY, "chair").tell(events.OrderDelivered, 201 * DAY, order_id="o2").until(216 * DAY)

    assert ada.emitted(SURVEY) == [15 * DAY, 215 * DAY]


def test_who_was_seen_on_the_first_of_the_ninety_days_is_asked_again() -> None:
    for seen, surveys in ((15 * DAY, [15 * DAY, 105 * DAY]), (15 * DAY - 1, [15 * DAY])):
        assert buyer().tell(events.PageViewed, seen).until(110 * DAY).emitted(SURVEY) == surveys


def test_a_parcel_whose_time_was_over_does_not_take_the_place_of_one_that_was_given_back() -> None:
    ada = buyer().order("o2", 2 * DAY, "chair").tell(events.OrderDelivered, 3 * DAY, order_id="o2")
    ada.tell(events.NpsSubmitted, 5 * DAY, score=8)  # until day 95 she is asked nothing
    ada.tell(events.OrderReturned, 50 * DAY, order_id="o1").until(100 * DAY)

    assert ada.emitted(SURVEY) == []


def test_a_second_parcel_within_the_ninety_days_does_not_bring_a_second_survey() -> None:
    ada = buyer().until(16 * DAY)
    ada.order("o2", 20 * DAY, "chair").tell(events.OrderDelivered, 21 * DAY, order_id="o2").until(110 * DAY)

    assert ada.emitted(SURVEY) == [15 * DAY, 105 * DAY]


def test_of_two_parcels_the_first_to_arrive_is_asked_about() -> None:
    ada = Timeline().order("o1", 0, "lamp").order("o2", 1, "chair").tell(events.OrderDelivered, 5 * DAY, order_id="o1")
    ada.tell(events.OrderDelivered, 4 * DAY, order_id="o2", arrives=5 * DAY + 1).until(20 * DAY)

    assert ada.emitted(SURVEY) == [18 * DAY]
    assert [trigger.details["order_id"] for trigger in ada.sent(SURVEY)] == ["o2"]


def test_an_answer_she_gave_elsewhere_puts_it_off() -> None:
    ada = buyer().tell(events.NpsSubmitted, 5 * DAY, score=8).tell(events.PageViewed, 60 * DAY)

    assert ada.waiting(SURVEY) == [95 * DAY]
    assert ada.until(96 * DAY).emitted(SURVEY) == [95 * DAY]


def test_while_a_complaint_is_open_she_is_not_asked() -> None:
    ada = buyer().tell(events.TicketOpened, 10 * DAY, ticket_id="t1").until(20 * DAY)

    assert ada.decisions(SURVEY)[:2] == [("armed", None), ("cancelled", "open_complaint")]
    assert ada.emitted(SURVEY) == []


def test_but_ninety_days_later_as_everybody_is() -> None:
    ada = buyer().tell(events.TicketOpened, 100 * DAY, ticket_id="t1").until(106 * DAY)
    ada.tell(events.TicketResolved, 106 * DAY, ticket_id="t1")
    for day in range(110, 200, 20):
        ada.tell(events.PageViewed, day * DAY)
    ada.until(200 * DAY)

    assert ada.emitted(SURVEY) == [15 * DAY, 195 * DAY]
    assert ("cancelled", "open_complaint") in ada.decisions(SURVEY)


def test_so_is_who_did_not_meet_the_further_condition_of_the_rules_when_it_was_due() -> None:
    ada = Timeline(shop(NpsSurveyRule(condition="profile.orders.count >= 2"))).order("o1", 0, "lamp")
    ada.tell(events.OrderDelivered, DAY, order_id="o1").order("o2", 50 * DAY, "chair").until(110 * DAY)

    assert ada.emitted(SURVEY) == [105 * DAY]


def test_nor_when_that_is_over_and_something_of_the_order_changes() -> None:
    ada = Timeline().order("o1", 0, "lamp", "chair").tell(events.OrderDelivered, DAY, order_id="o1")
    ada.tell(events.TicketOpened, 10 * DAY, ticket_id="t1").tell(events.TicketResolved, 16 * DAY, ticket_id="t1")
    ada.tell(events.OrderReturned, 17 * DAY, order_id="o1", products=(product("chair"),)).until(40 * DAY)

    assert ada.decisions(SURVEY)[:2] == [("armed", None), ("cancelled", "open_complaint")]
    assert ada.waiting(SURVEY) == [105 * DAY]


def test_nor_one_that_had_stood_back_behind_it() -> None:
    ada = buyer().order("o2", 1, "lamp", "chair").tell(events.OrderDelivered, 2 * DAY, order_id="o2")
    ada.tell(events.TicketOpened, 10 * DAY, ticket_id="t1").until(15 * DAY + 1)
    ada.tell(events.TicketResolved, 16 * DAY, ticket_id="t1")
    ada.tell(events.OrderReturned, 17 * DAY, order_id="o2", products=(product("chair"),)).until(40 * DAY)

    assert ada.emitted(SURVEY) == []
    assert ada.waiting(SURVEY) == [105 * DAY]


def test_nor_does_that_one_take_the_place_of_a_parcel_that_came_since() -> None:
    ada = buyer().order("o2", 1, "lamp", "chair").tell(events.OrderDelivered, 2 * DAY, order_id="o2")
    ada.tell(events.TicketOpened, 10 * DAY, ticket_id="t1").until(15 * DAY + 1)
    ada.tell(events.TicketResolved, 16 * DAY, ticket_id="t1")
    ada.order("o3", 19 * DAY, "desk").tell(events.OrderDelivered, 20 * DAY, order_id="o3")
    ada.tell(events.OrderReturned, 22 * DAY, order_id="o2", products=(product("chair"),)).until(40 * DAY)

    assert ada.emitted(SURVEY) == [34 * DAY]
    assert [trigger.details["order_id"] for trigger in ada.sent(SURVEY)] == ["o3"]


def test_an_order_that_came_back_is_not_asked_about() -> None:
    ada = buyer().tell(events.OrderReturned, 3 * DAY, order_id="o1").until(40 * DAY)

    assert ada.decisions(SURVEY) == [("armed", None), ("cancelled", "refunded")]


def test_unless_that_was_a_mistake_as_is_known_in_time() -> None:
    ada = buyer().tell(events.OrderRefunded, 3 * DAY, order_id="o1", refund_id="r", amount_minor=1000)
    ada.tell(events.OrderRefunded, 4 * DAY, order_id="o1", refund_id="r", amount_minor=100).until(40 * DAY)

    assert ada.emitted(SURVEY) == [15 * DAY]


def test_if_the_first_of_two_parcels_comes_back_she_is_asked_about_the_other() -> None:
    ada = buyer().order("o2", 1, "chair").tell(events.OrderDelivered, 2 * DAY, order_id="o2")
    ada.tell(events.OrderReturned, 5 * DAY, order_id="o1").until(40 * DAY)

    assert ada.emitted(SURVEY) == [16 * DAY]
    assert [trigger.details["order_id"] for trigger in ada.sent(SURVEY)] == ["o2"]


def test_a_parcel_whose_time_has_passed_is_not_brought_up_again_for_it() -> None:
    ada = buyer().order("o2", 1, "chair").tell(events.OrderDelivered, 2 * DAY, order_id="o2").until(100 * DAY)
    ada.order("o3", 120 * DAY, "desk").tell(events.OrderDelivered, 121 * DAY, order_id="o3")
    ada.tell(events.OrderReturned, 122 * DAY, order_id="o3").until(140 * DAY)

    assert ada.emitted(SURVEY) == [15 * DAY]


def test_a_second_parcel_that_comes_back_does_not_take_the_next_survey_along() -> None:
    ada = buyer().order("o0", 20 * DAY, "chair").tell(events.OrderDelivered, 21 * DAY, order_id="o0")
    ada.tell(events.OrderReturned, 25 * DAY, order_id="o0").tell(events.PageViewed, 60 * DAY).until(110 * DAY)

    assert ada.emitted(SURVEY) == [15 * DAY, 105 * DAY]
    assert ada.sent(SURVEY)[1].details == {"kind": "relational"}


def test_nor_the_one_about_the_first_parcel_where_an_answer_put_both_off_to_the_same_day() -> None:
    ada = Timeline().order("o9", 0, "lamp").tell(events.OrderDelivered, DAY, order_id="o9")
    ada.tell(events.NpsSubmitted, 10 * DAY, score=8)
    ada.order("o10", 20 * DAY, "chair").tell(events.OrderDelivered, 21 * DAY, order_id="o10")
    ada.tell(events.OrderReturned, 25 * DAY, order_id="o10").until(110 * DAY)

    assert ada.emitted(SURVEY) == [100 * DAY]
    assert [trigger.details["order_id"] for trigger in ada.sent(SURVEY)] == ["o9"]


def test_who_was_asked_under_another_name_is_asked_again_when_her_time_has_come() -> None:
    ada = buyer().until(40 * DAY)
    guest = Timeline(customer="email:ada@example.com").order("o2", 20 * DAY, "chair")
    guest.tell(events.OrderDelivered, 21 * DAY, order_id="o2").until(40 * DAY)
    ada.becomes_one_with(guest).tell(events.PageViewed, 100 * DAY).until(140 * DAY)

    assert guest.emitted(SURVEY) == [35 * DAY]
    assert ada.emitted(SURVEY) == [15 * DAY, 125 * DAY]


def test_an_order_that_changes_after_it_was_asked_about_does_not_bring_it_up_again() -> None:
    ada = buyer().until(16 * DAY)
    ada.tell(events.OrderRefunded, 17 * DAY, order_id="o1", refund_id="r", amount_minor=100)

    assert ada.waiting(SURVEY) == [105 * DAY]
