"""ltv.milestone: her net lifetime value passed a round sum for the first time.

Of several passed before one could be told only the highest is told.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import told_since
from profiles.standing import StandingChange
from profiles.standing_rules import LtvMilestoneRule
from profiles.state import Episode
from profiles.triggers.vip import plan_passage
from profiles.turn import Turn

__all__ = ["LTV_MILESTONE", "LtvMilestoneRule"]


class LtvMilestone(TriggerDefinition[LtvMilestoneRule]):
    """The trigger. One episode a milestone."""

    name = "ltv.milestone"
    rule_type = LtvMilestoneRule
    reasons: ClassVar[Mapping[str, str]] = {
        "refunded": "A refund or cancellation took her below the sum before it was sent.",
        "passed_on": "She passed a higher sum before it was sent.",
        "told_before": "She was told of it before, as is known now under another name.",
    }

    def on_standing(self, turn: Turn, change: StandingChange) -> None:
        net, standing = turn.profile.ltv.net, turn.profile.standing
        passed = [sum_ for sum_ in self.rule(turn.book).milestones if standing.milestone < sum_ <= net]
        if passed:
            standing.milestone, standing.milestone_ms = passed[-1], change.at_ms
            plan_passage(turn, self, passed[-1], change.at_ms, {"milestone": passed[-1]})

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        if turn.profile.ltv.net < episode.data.get("milestone", 0):
            return "refunded"
        if turn.profile.standing.milestone > episode.data.get("milestone", 0):
            return "passed_on"
        return "told_before" if _was_told(turn, episode) else None

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """What was taken back before it was told may be passed again."""
        standing = turn.profile.standing
        if state != "cancelled" or standing.milestone != episode.data.get("milestone") or _was_told(turn, episode):
            return
        below = [sum_ for sum_ in self.rule(turn.book).milestones if sum_ < standing.milestone]
        standing.milestone, standing.milestone_ms = below[-1] if below else 0, 0

    def content(self, turn: Turn, episode: Episode) -> Content:
        milestone = episode.data.get("milestone", 0)
        return Content(
            value_minor=milestone,
            details={"milestone_minor": milestone, "net_minor": turn.profile.ltv.net},
            rule="net lifetime value passed a sum for the first time",
        )


def _was_told(turn: Turn, episode: Episode) -> bool:
    """Whether she had passed the sum before, or was told of it since, as is known once two profiles became one."""
    passed_ms = turn.profile.standing.milestone_ms
    return 0 < passed_ms < episode.opened_ms or told_since(turn.profile, episode, 0)


LTV_MILESTONE: Final = LtvMilestone()
