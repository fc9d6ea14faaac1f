"""churn.risk: by her own pace she has been silent so long that she is likely not to come back, at the moment this becomes so.

When is the matter of `profiles.standing`; here is only what an entry into the highest band means. One episode an entry. Somebody
whom an order leaves in the highest band (most first-time buyers of many shops) has not been silent: what tells of her is winback.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan
from profiles.standing import StandingChange, concern, utc_date
from profiles.standing_rules import ChurnRiskRule
from profiles.state import Emitted, Episode, RecentOrder
from profiles.turn import Turn
from profiles.value.pulse import CHURN_DAYS, pulse

__all__ = ["CHURN_RISK", "ChurnRiskRule"]


class ChurnRisk(TriggerDefinition[ChurnRiskRule]):
    """The trigger."""

    name = "churn.risk"
    rule_type = ChurnRiskRule
    reasons: ClassVar[Mapping[str, str]] = {
        "came_back": "She ordered, or her churn band fell for another reason, before it was sent."
    }

    def on_standing(self, turn: Turn, change: StandingChange) -> None:
        standing = turn.profile.standing
        if standing.band == change.band_before:
            return
        if standing.band != "high":
            for waiting in list(turn.profile.episodes.values()):
                if waiting.name == self.name:
                    cancel(turn, self, waiting.key, "came_back")
            return
        if change.by_order:
            return
        left_ms = standing.left_high_ms
        if left_ms is not None and change.at_ms - left_ms < self.rule(turn.book).apart_ms:
            return
        day = utc_date(change.at_ms)
        plan(turn, self, f"{turn.profile.id}|{day}", day, change.at_ms, change.at_ms)

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        return None if turn.profile.standing.band == "high" else "came_back"

    def content(self, turn: Turn, episode: Episode) -> Content:
        profile, model = turn.profile, turn.book.models.value
        details: dict[str, Any] = {"band": "high", "models": turn.book.models.id}
        if model is not None:
            day = turn.book.shop_day(episode.due_ms)
            worry = concern(profile, turn.book, episode.due_ms).risk
            found = pulse(model, profile.purchases.history, day, "high", profile.origin, concern=worry)
            if found.p_order is not None:
                details[f"p_order_{CHURN_DAYS}d"] = round(found.p_order, 4)
        return Content(
            details=details,
            rule=f"by her own pace and what the shop's customers do, an order within {CHURN_DAYS} days has become unlikely",
        )

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """She had not been silent since the order that was the last one known then."""
        return (order.at_ms, order.order_id) in turn.profile.orders.recent[-1:]


CHURN_RISK: Final = ChurnRisk()
