"""Nobody called her back in time: the shop is told, once for each case."""

import pytest

from profiles.feedback_rules import FeedbackOverdueRule
from profiles.rules import HOUR_MS
from schemas import events
from tests.stories.timeline import DAY, Timeline, shop

OVERDUE = "feedback.overdue"


def low() -> Timeline:
    return Timeline().tell(events.NpsSubmitted, 0, score=2, survey_id="s1")


def test_a_day_after_a_low_score_that_nobody_took_up() -> None:
    ada = low().tell(events.CaseUpdated, 60, case_id="s1", state="assigned", owner="bob").until(2 * DAY)

    assert ada.emitted(OVERDUE) == [DAY]
    assert ada.sent(OVERDUE)[0].details["owner"] == "bob"
    assert ada.sent(OVERDUE)[0].details["state"] == "assigned"


def test_the_time_to_call_is_a_rule() -> None:
    ada = Timeline(shop(FeedbackOverdueRule(contact_due_ms=48 * HOUR_MS)))
    ada.tell(events.NpsSubmitted, 0, score=2, survey_id="s1").until(3 * DAY)

    assert ada.emitted(OVERDUE) == [2 * DAY]
    assert ada.sent("nps.detractor")[0].details["contact_due_ms"] == ada.sent(OVERDUE)[0].due_at_ms


@pytest.mark.parametrize("state", ["contacted", "resolved", "verified"])
def test_who_was_spoken_with_in_time_is_not_overdue(state: str) -> None:
    ada = low().tell(events.CaseUpdated, DAY - 1, case_id="s1", state=state).until(9 * DAY)

    assert ada.decisions(OVERDUE) == [("armed", None), ("cancelled", "contacted")]


def test_a_corrected_score_is_nothing_to_call_about() -> None:
    ada = low().tell(events.NpsSubmitted, 60, score=8, survey_id="s1").until(9 * DAY)

    assert ada.decisions(OVERDUE) == [("armed", None), ("cancelled", "score_corrected")]


def test_it_is_told_once_whatever_happens_to_the_case_later() -> None:
    ada = low().until(2 * DAY).tell(events.CaseUpdated, 3 * DAY, case_id="s1", state="assigned").until(9 * DAY)

    assert ada.emitted(OVERDUE) == [DAY]


def test_a_call_that_was_told_late_but_made_in_time_counts() -> None:
    ada = low().tell(events.CaseUpdated, 60, case_id="s1", state="contacted", arrives=DAY - 1).until(9 * DAY)

    assert ada.emitted(OVERDUE) == []


def test_a_score_that_came_too_late_to_be_told_is_not_told_with_a_step_of_its_case() -> None:
    ada = Timeline().tell(events.NpsSubmitted, 0, score=2, survey_id="s1", arrives=2 * DAY)
    ada.tell(events.CaseUpdated, 2 * DAY + 60, case_id="s1", state="assigned").until(9 * DAY)

    assert ada.decisions(OVERDUE) == [("expired", "max_lateness")]
