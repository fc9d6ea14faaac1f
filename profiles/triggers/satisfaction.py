"""satisfaction.dropped: her newest word is clearly worse than her own earlier ones, though no complaint yet.

Each scale is compared with itself alone: answers about an order with such answers, those about the shop with theirs, ratings
with ratings. A score low enough for nps.detractor is left to that.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final, Literal, NamedTuple

from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan
from profiles.feedback import was_told
from profiles.feedback_rules import SatisfactionDroppedRule
from profiles.insight.nps import group_of
from profiles.profile import Profile
from profiles.state import Episode
from profiles.turn import Turn
from schemas.events import Arrival, NpsSubmitted, ProductReviewed

Scale = Literal["transactional", "relational", "rating"]
SCALES: Final[tuple[Scale, ...]] = ("transactional", "relational", "rating")


class Drop(NamedTuple):
    """Her newest word on a scale: when, by which id, how good, and the mean of the earlier ones."""

    at_ms: int
    word_id: str
    value: float
    usual: float


class SatisfactionDropped(TriggerDefinition[SatisfactionDroppedRule]):
    """The trigger. One for each word that was a drop."""

    name = "satisfaction.dropped"
    rule_type = SatisfactionDroppedRule
    follows_order = True
    listens = frozenset({NpsSubmitted, ProductReviewed})
    reasons: ClassVar[Mapping[str, str]] = {
        "recovered": "Her newest word is not worse than her earlier ones, or was corrected."
    }

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        self._replan(turn, SCALES[2:] if isinstance(arrival.event, ProductReviewed) else SCALES[:2])

    def on_united(self, turn: Turn, brought: Profile) -> None:
        """Her newest word may be one of them, and what she is used to that of the other."""
        if brought.has_feedback:
            self.on_parted(turn)

    def on_parted(self, turn: Turn) -> None:
        """The words it was held against may be another customer's."""
        self._replan(turn, SCALES, since_ms=turn.now_ms - self.rule(turn.book).max_lateness_ms)

    def _replan(self, turn: Turn, scales: tuple[Scale, ...], *, since_ms: int = 0) -> None:
        """End what waits for a word that is no drop, and plan for those that are, if due since then."""
        profile = turn.profile
        for scale in scales:
            drop = find_drop(profile, scale, self.rule(turn.book))
            what = "" if drop is None else f"{scale}|{drop.word_id}"
            key = f"{profile.id}|{what}"
            for episode in list(profile.episodes.values()):
                if episode.name == self.name and episode.data["scale"] == scale and episode.key != key:
                    cancel(turn, self, episode.key, "recovered")
            if drop is None or was_told(profile, self.name, what):
                continue
            due_ms = drop.at_ms + self.rule(turn.book).delay_ms
            if due_ms < since_ms:
                continue
            plan(turn, self, key, drop.word_id, drop.at_ms, due_ms, data={"scale": scale, "word_id": drop.word_id})

    def grounds(self, profile: Profile) -> Iterable[str]:
        return (*profile.feedback.surveys, *profile.feedback.reviews) if profile.has_feedback else ()

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return episode.opened_ms + self.rule(turn.book).delay_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        drop = find_drop(turn.profile, episode.data["scale"], self.rule(turn.book))
        return "recovered" if drop is None or drop.word_id != episode.data["word_id"] else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        scale = episode.data["scale"]
        drop = find_drop(turn.profile, scale, self.rule(turn.book))
        assert drop is not None
        return Content(
            details={"scale": scale, "value": drop.value, "usual": round(drop.usual, 2)},
            rule="her newest score or rating is clearly below her own earlier ones",
        )


def find_drop(profile: Profile, scale: Scale, rule: SatisfactionDroppedRule) -> Drop | None:
    """Her newest word on a scale, if it is that far below the mean of her earlier ones; else None."""
    if not profile.has_feedback:
        return None
    if scale == "rating":
        found = profile.feedback.reviews.items()
        words = [(one.at_ms, word_id, one.rating) for word_id, one in found if one.rating is not None]
        least = rule.rating_drop
    else:
        answers = profile.feedback.surveys.values()
        words = [(one.answered_ms, one.survey_id, float(one.score)) for one in answers if one.kind == scale]
        least = rule.score_drop
    if len(words) <= rule.earlier:
        return None
    *earlier, (at_ms, word_id, value) = sorted(words)
    if scale != "rating" and group_of(int(value)) == "detractors":
        return None
    compared = [word[2] for word in earlier[-rule.newest :]]
    usual = sum(compared) / len(compared)
    return Drop(at_ms, word_id, value, usual) if usual - value >= least else None


SATISFACTION_DROPPED: Final = SatisfactionDropped()
