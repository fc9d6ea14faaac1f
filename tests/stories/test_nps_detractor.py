"""A low score: told at once, taken back when she slipped, and no marketing until somebody has dealt with it."""

from typing import Any

from profiles.rules import OpenFeedback, QuietHours
from schemas import events
from tests.stories.timeline import DAY, HOUR, Timeline, ms, shop

DETRACTOR = "nps.detractor"
CART = "cart.abandoned"
OFTEN_QUIET = QuietHours(start_at="00:01", end_at="23:59")


def low(score: int = 3, **fields: Any) -> Timeline:
    """A low score at minute 0."""
    return Timeline().tell(events.NpsSubmitted, 0, score=score, survey_id="s1", **fields)


def test_a_low_score_is_told_at_once_with_all_that_a_caller_needs() -> None:
    ada = low(order_id="o1", comment="Broken on arrival").until(1)
    trigger = ada.sent(DETRACTOR)[0]

    assert ada.emitted(DETRACTOR) == [0]
    assert trigger.trigger_class == "service"
    assert trigger.details == {
        "case_id": "s1|o1",
        "score": 3,
        "kind": "transactional",
        "order_id": "o1",
        "state": "opened",
        "contact_due_ms": ms(DAY),
        "comment": "Broken on arrival",
    }


def test_what_she_says_last_is_told_also_where_what_she_said_before_comes_late() -> None:
    ada = Timeline().tell(events.NpsSubmitted, 10, score=3, survey_id="s1", comment="Broken on arrival")
    ada.tell(events.NpsSubmitted, 9, score=4, survey_id="s1", comment="Hm").until(11)

    assert [trigger.details["comment"] for trigger in ada.sent(DETRACTOR)] == ["Broken on arrival"]


def test_six_is_low_and_seven_is_not() -> None:
    assert low(6).until(DAY).emitted(DETRACTOR) == [0]
    assert low(7).until(DAY).decisions(DETRACTOR) == []


def test_it_needs_no_consent_to_marketing_and_knows_no_night() -> None:
    ada = Timeline(shop(quiet_hours=OFTEN_QUIET), consent=False)
    ada.tell(events.NpsSubmitted, 2 * HOUR, score=0).until(3 * HOUR)

    assert ada.emitted(DETRACTOR) == [2 * HOUR]


def test_a_slip_of_the_finger_mended_within_five_minutes_is_taken_back() -> None:
    ada = low().until(1).tell(events.NpsSubmitted, 5, score=9, survey_id="s1").until(DAY)

    assert ada.emitted(DETRACTOR) == [0]
    assert ada.outcomes == [("trigger.cancelled", "score_corrected")]
    assert ada.decisions(DETRACTOR)[-1] == ("retracted", "score_corrected")


def test_of_two_slips_of_the_finger_each_is_taken_back_once() -> None:
    ada = low().until(0).tell(events.NpsSubmitted, 1, score=9, survey_id="s1")
    ada.tell(events.NpsSubmitted, 2, score=3, survey_id="s1").until(2)
    ada.tell(events.NpsSubmitted, 3, score=9, survey_id="s1").until(DAY)

    assert ada.emitted(DETRACTOR) == [0, 2]
    assert ada.outcomes == [("trigger.cancelled", "score_corrected")] * 2


def test_who_gives_a_low_score_again_after_it_was_taken_back_is_told_of_again() -> None:
    ada = low().until(1).tell(events.NpsSubmitted, 3, score=9, survey_id="s1").until(4)
    ada.tell(events.NpsSubmitted, 6, score=1, survey_id="s1", comment="No, really").until(7)

    assert ada.emitted(DETRACTOR) == [0, 6]
    first, again = ada.sent(DETRACTOR)
    assert first.trigger_id != again.trigger_id
    assert (again.details["case_id"], again.details["score"], again.details["comment"]) == ("s1", 1, "No, really")

    ada.tell(events.NpsSubmitted, 10, score=8, survey_id="s1").tell(events.NpsSubmitted, 12, score=0, survey_id="s1")

    assert ada.outcomes == [("trigger.cancelled", "score_corrected")] * 2
    assert ada.until(DAY).emitted(DETRACTOR) == [0, 6, 12]
    assert len({trigger.trigger_id for trigger in ada.sent(DETRACTOR)}) == 3


def test_a_low_score_that_comes_after_it_was_taken_back_leaves_as_much_time_to_call_her() -> None:
    ada = low().until(1).tell(events.NpsSubmitted, 3, score=9, survey_id="s1").until(4)
    ada.tell(events.NpsSubmitted, 30 * HOUR, score=2, survey_id="s1").until(4 * DAY)

    assert ada.sent(DETRACTOR)[-1].details["contact_due_ms"] == ms(54 * HOUR)
    assert ada.emitted("feedback.overdue") == [54 * HOUR]


def test_marketing_rests_after_a_low_score_that_comes_long_after_it_was_taken_back() -> None:
    ada = low().until(1).tell(events.NpsSubmitted, 3, score=9, survey_id="s1").until(4)
    ada.tell(events.NpsSubmitted, 40 * DAY, score=2, survey_id="s1")

    assert cart_after(ada, 41)[-1] == ("suppressed", "open_feedback")


def test_mended_while_it_waited_it_never_goes_out() -> None:
    visitor = Timeline(customer="anonymous_id:v1").tell(events.NpsSubmitted, 0, score=3, survey_id="s1").until(1)
    visitor.tell(events.NpsSubmitted, 3, score=9, survey_id="s1").tell(events.Identified, 9, email="v@example.org")

    assert visitor.until(DAY).emitted(DETRACTOR) == []
    assert visitor.decisions(DETRACTOR)[1:] == [("unreachable", "unreachable"), ("cancelled", "score_corrected")]


def test_a_better_score_after_that_changes_nothing_of_what_was_told() -> None:
    ada = low().until(1).tell(events.NpsSubmitted, 6, score=9, survey_id="s1").until(DAY)

    assert ada.outcomes == []


def test_a_worse_score_to_the_same_survey_is_not_told_again() -> None:
    ada = low(5).until(1).tell(events.NpsSubmitted, 10, score=1, survey_id="s1").until(20)

    assert ada.emitted(DETRACTOR) == [0]


def test_each_survey_has_its_own_case() -> None:
    ada = low().tell(events.NpsSubmitted, 10, score=2, survey_id="s2").until(20)

    assert ada.emitted(DETRACTOR) == [0, 10]
    assert len({trigger.trigger_id for trigger in ada.triggers}) == 2


def test_a_score_that_comes_days_late_opens_the_case_but_is_not_told_as_news() -> None:
    ada = Timeline().tell(events.NpsSubmitted, 0, score=2, survey_id="s1", arrives=3 * DAY).until(4 * DAY)

    assert ada.decisions(DETRACTOR) == [("expired", "max_lateness")]


# --- what rests meanwhile -----------------------------------------------------------------------------------------


def cart_after(ada: Timeline, day: float) -> list[tuple[str, str | None]]:
    """What becomes of a cart left on this day."""
    before = len(ada.decisions(CART))
    return ada.add("A", day * DAY, cart=f"c{day}").until(day * DAY + 2 * HOUR).decisions(CART)[before:]


def test_marketing_rests_for_seven_days_after_a_low_score_even_if_the_case_is_closed_at_once() -> None:
    for due, became in ((7 * DAY - 1, ("suppressed", "open_feedback")), (7 * DAY, ("emitted", None))):
        ada = low().tell(events.CaseUpdated, 10, case_id="s1", state="resolved").add("A", due - 60).until(8 * DAY)

        assert ada.decisions(CART) == [("armed", None), became]


def test_marketing_rests_as_long_as_the_case_is_open() -> None:
    ada = low().tell(events.CaseUpdated, 10, case_id="s1", state="contacted")

    assert cart_after(ada, 20)[-1] == ("suppressed", "open_feedback")

    ada.tell(events.CaseUpdated, 21 * DAY, case_id="s1", state="resolved")

    assert cart_after(ada, 22)[-1] == ("emitted", None)


def test_a_case_that_nobody_resolves_expires_after_thirty_days() -> None:
    ada = low()

    assert cart_after(ada, 29)[-1] == ("suppressed", "open_feedback")
    assert cart_after(ada, 31)[-1] == ("emitted", None)


def test_a_corrected_score_holds_nothing_back() -> None:
    ada = low().tell(events.NpsSubmitted, 3, score=9, survey_id="s1")

    assert cart_after(ada, 1)[-1] == ("emitted", None)


def test_a_step_that_was_told_before_the_score_counts() -> None:
    ada = Timeline().tell(events.CaseUpdated, 5, case_id="s1", state="resolved")
    ada.tell(events.NpsSubmitted, 0, score=3, survey_id="s1", arrives=6)

    assert cart_after(ada, 8)[-1] == ("emitted", None)


def test_an_open_ticket_holds_all_marketing_back_only_where_the_rules_say_so() -> None:
    plain = Timeline().tell(events.TicketOpened, 0, ticket_id="t1")
    strict = Timeline(shop(open_feedback=OpenFeedback(tickets=True))).tell(events.TicketOpened, 0, ticket_id="t1")

    assert cart_after(plain, 1)[-1] == ("emitted", None)
    assert cart_after(strict, 1)[-1] == ("suppressed", "open_feedback")


def test_service_messages_go_on() -> None:
    ada = low().tell(events.Unsubscribed, 10, message_channel="email").until(20)

    assert ada.emitted("unsubscribe.feedback") == [10]
