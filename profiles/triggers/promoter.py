"""nps.promoter: she would recommend the shop, so ask her to: for a review, or to bring a friend."""

from collections.abc import Iterable
from typing import Final

from profiles import complaints
from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan
from profiles.feedback import survey_key, was_told
from profiles.feedback_rules import NpsPromoterRule
from profiles.insight.nps import group_of
from profiles.profile import Profile
from profiles.state import Episode
from profiles.turn import Turn
from schemas.events import Arrival, NpsSubmitted


class NpsPromoter(TriggerDefinition[NpsPromoterRule]):
    """The trigger. One for each survey."""

    name = "nps.promoter"
    rule_type = NpsPromoterRule
    follows_order = True
    waits_apart = True
    listens = frozenset({NpsSubmitted})

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        event, profile = arrival.event, turn.profile
        assert isinstance(event, NpsSubmitted)
        survey_id = survey_key(event)
        key = f"{profile.id}|{survey_id}"
        if not _is_promoter(profile, survey_id):
            cancel(turn, self, key, "score_corrected")
        elif not was_told(profile, self.name, survey_id):
            answered_ms = profile.feedback.surveys[survey_id].answered_ms
            data = {"survey_id": survey_id, "order_id": event.order_id}
            plan(turn, self, key, survey_id, answered_ms, answered_ms + self.rule(turn.book).delay_ms, data=data)

    def grounds(self, profile: Profile) -> Iterable[str]:
        return profile.feedback.surveys if profile.has_feedback else ()

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return episode.opened_ms + self.rule(turn.book).delay_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        if not _is_promoter(turn.profile, episode.data["survey_id"]):
            return "score_corrected"
        return "open_complaint" if complaints.complains(turn.profile, turn.book, now_ms) else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        score = turn.profile.feedback.surveys[episode.data["survey_id"]].score
        order_id = episode.data["order_id"]
        return Content(
            details={"score": score} | ({} if order_id is None else {"order_id": order_id}),
            rule="the customer gave a score of 9 or 10",
        )


def _is_promoter(profile: Profile, survey_id: str) -> bool:
    answer = profile.feedback.surveys.get(survey_id)
    return answer is not None and group_of(answer.score) == "promoters"


NPS_PROMOTER: Final = NpsPromoter()
