"""ltv.milestone: her net lifetime value passed a round sum for the first time.

Of several passed at once only the highest is told.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import plan
from profiles.standing import StandingChange, anchor_of
from profiles.standing_rules import LtvMilestoneRule
from profiles.state import Episode
from profiles.turn import Turn

__all__ = ["LTV_MILESTONE", "LtvMilestoneRule"]


class LtvMilestone(TriggerDefinition[LtvMilestoneRule]):
    """The trigger. One episode a milestone."""

    name = "ltv.milestone"
    rule_type = LtvMilestoneRule
    reasons: ClassVar[Mapping[str, str]] = {
        "refunded": "A refund or cancellation took her below the sum before it was sent."
    }

    def on_standing(self, turn: Turn, change: StandingChange) -> None:
        net, standing = turn.profile.ltv.net, turn.profile.standing
        passed = [sum_ for sum_ in self.rule(turn.book).milestones if standing.milestone < sum_ <= net]
        if passed:
            standing.milestone = passed[-1]
            key, anchor = f"{turn.profile.id}|{passed[-1]}", anchor_of(turn, change.at_ms)
            plan(turn, self, key, anchor, change.at_ms, change.at_ms, data={"milestone": passed[-1]})

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        return None if turn.profile.ltv.net >= episode.data.get("milestone", 0) else "refunded"

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """What was taken back before it was told may be passed again."""
        if state == "cancelled" and turn.profile.standing.milestone == episode.data.get("milestone"):
            below = [sum_ for sum_ in self.rule(turn.book).milestones if sum_ < turn.profile.standing.milestone]
            turn.profile.standing.milestone = below[-1] if below else 0

    def content(self, turn: Turn, episode: Episode) -> Content:
        milestone = episode.data.get("milestone", 0)
        return Content(
            value_minor=milestone,
            details={"milestone_minor": milestone, "net_minor": turn.profile.ltv.net},
            rule="net lifetime value passed a sum for the first time",
        )


LTV_MILESTONE: Final = LtvMilestone()
