"""nps.detractor and feedback.overdue: somebody gave a low score, and the shop is to speak with her, in time.

Both are for those who call back. A low score opens a case, known by the key of its survey; `Case Updated` events tell of its
further steps. Until it is closed, marketing rests (`profiles.complaints`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from profiles import complaints
from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, retract, waiting
from profiles.feedback import is_low, survey_key
from profiles.feedback_rules import FeedbackOverdueRule, NpsDetractorRule
from profiles.insight.cases import Case
from profiles.profile import Profile
from profiles.state import Episode
from profiles.turn import Turn
from schemas.events import Arrival, CaseUpdated, NpsSubmitted

COMMENT_MAX: Final = 1000
"""Characters of her comment that travel in the trigger."""


def episode_key(profile: Profile, case_id: str) -> str:
    """Customer and survey."""
    return f"{profile.id}|{case_id}"


def _answers(profile: Profile) -> Iterable[str]:
    """The surveys she answered, which is how cases are known."""
    return profile.feedback.surveys if profile.has_feedback else ()


def _details(turn: Turn, case_id: str, case: Case) -> dict[str, Any]:
    kept, answer = turn.profile.feedback.cases[case_id], turn.profile.feedback.surveys[case_id]
    owner = None if kept.owner is None else kept.owner[2]
    told = {
        "case_id": case_id,
        "score": answer.score,
        "kind": answer.kind,
        "order_id": kept.order_id,
        "owner": owner,
        "state": case.state,
        "contact_due_ms": case.opened_ms + FEEDBACK_OVERDUE.rule(turn.book).contact_due_ms,
    }
    return {name: value for name, value in told.items() if value is not None}


class NpsDetractor(TriggerDefinition[NpsDetractorRule]):
    """The trigger, at once; a correction within minutes takes it back. One for each survey, and one more for each taken back."""

    name = "nps.detractor"
    rule_type = NpsDetractorRule
    follows_order = True
    listens = frozenset({NpsSubmitted})

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        event, profile = arrival.event, turn.profile
        assert isinstance(event, NpsSubmitted)
        case_id = survey_key(event)
        kept, answer = profile.feedback.cases.get(case_id), profile.feedback.surveys.get(case_id)
        if kept is None or kept.opened_ms is None or answer is None:
            return
        key = episode_key(profile, case_id)
        if not is_low(answer):
            cancel(turn, self, key, "score_corrected")
            since_ms = answer.answered_ms - self.rule(turn.book).correction_ms
            if retract(turn, self, key, "score_corrected", since_ms):
                kept.told, kept.taken_back = False, kept.taken_back + 1
        elif not kept.told:
            # What an older version of her answer said that came late is not what she says now.
            is_newest = answer.answered_ms == arrival.time_ms
            comment = (event.comment or "")[:COMMENT_MAX] if is_newest else ""
            known = waiting(profile, self, key)
            data = None if known is not None and not is_newest else {"case_id": case_id, "comment": comment}
            # Told once and taken back, it is news once more: from her newest word on, and with an id of its own.
            again = kept.taken_back
            opened_ms = answer.answered_ms if again else kept.opened_ms
            plan(turn, self, key, f"{case_id}#{again}" if again else case_id, opened_ms, opened_ms, data=data)

    def grounds(self, profile: Profile) -> Iterable[str]:
        return _answers(profile)

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        case = complaints.case_of(turn.profile, episode.data["case_id"], turn.book, now_ms)
        return "score_corrected" if case is None else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        case_id = episode.data["case_id"]
        case = complaints.case_of(turn.profile, case_id, turn.book, episode.due_ms)
        assert case is not None
        comment = {"comment": episode.data["comment"]} if episode.data["comment"] else {}
        return Content(details=_details(turn, case_id, case) | comment, rule="the customer gave a score of 6 or less")

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        kept = turn.profile.feedback.cases.get(episode.data["case_id"])
        if kept is not None and state != "cancelled":
            kept.told = True


class FeedbackOverdue(TriggerDefinition[FeedbackOverdueRule]):
    """The trigger, once for each case. Only an answer arms it: a step told later says no more of a score that came too late."""

    name = "feedback.overdue"
    speaks = False
    rule_type = FeedbackOverdueRule
    follows_order = True
    listens = frozenset({NpsSubmitted, CaseUpdated})
    reasons: ClassVar[Mapping[str, str]] = {"contacted": "Somebody spoke with the customer, or her case is closed."}

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        event, profile = arrival.event, turn.profile
        assert isinstance(event, NpsSubmitted | CaseUpdated)
        case_id = survey_key(event) if isinstance(event, NpsSubmitted) else event.case_id
        key = episode_key(profile, case_id)
        if (reason := self._settled(turn, case_id, turn.time_ms)) is not None:
            cancel(turn, self, key, reason)
        elif isinstance(event, NpsSubmitted) and not profile.feedback.cases[case_id].overdue:
            opened_ms = profile.feedback.cases[case_id].opened_ms
            assert opened_ms is not None
            due_ms = opened_ms + self.rule(turn.book).contact_due_ms
            plan(turn, self, key, case_id, opened_ms, due_ms, data={"case_id": case_id})

    def _settled(self, turn: Turn, case_id: str, now_ms: int) -> str | None:
        """Why nobody need be reminded of a case, None where somebody must."""
        case = complaints.case_of(turn.profile, case_id, turn.book, now_ms)
        if case is None:
            return "score_corrected"
        return "contacted" if case.contacted_ms is not None or not case.is_open else None

    def grounds(self, profile: Profile) -> Iterable[str]:
        return _answers(profile)

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return episode.opened_ms + self.rule(turn.book).contact_due_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        return self._settled(turn, episode.data["case_id"], now_ms)

    def content(self, turn: Turn, episode: Episode) -> Content:
        case_id = episode.data["case_id"]
        case = complaints.case_of(turn.profile, case_id, turn.book, episode.due_ms)
        assert case is not None
        return Content(details=_details(turn, case_id, case), rule="nobody has spoken with her in time")

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        kept = turn.profile.feedback.cases.get(episode.data["case_id"])
        if kept is not None and state != "cancelled":
            kept.overdue = True


NPS_DETRACTOR: Final = NpsDetractor()
FEEDBACK_OVERDUE: Final = FeedbackOverdue()
