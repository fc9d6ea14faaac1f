"""vip.entered and vip.left: her net lifetime value reached a tier, or fell below the one she was in.

One episode a tier and passage.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, TypeVar

from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan_by_day, told_since
from profiles.rules import TriggerRule
from profiles.standing import StandingChange, tier_limits, utc_date
from profiles.standing_rules import VipEnteredRule, VipLeftRule
from profiles.state import Episode
from profiles.turn import Turn

__all__ = ["VIP_ENTERED", "VIP_LEFT", "VipEnteredRule", "VipLeftRule"]

R = TypeVar("R", bound=TriggerRule)


def plan_passage(turn: Turn, definition: TriggerDefinition[Any], limit: int, at_ms: int, data: dict[str, Any]) -> None:
    """Arm what comes of a limit that she passed; `limit` names it.

    Which event passes it depends on which was heard of first. So it is anchored in its day and, where she was told of the same
    on that day already, in how often.
    """
    profile = turn.profile
    key, day = f"{profile.id}|{limit}", utc_date(at_ms)
    told = sum(
        sent.name == definition.name and sent.key == key and utc_date(sent.opened_ms) == day for sent in profile.emitted
    )
    plan_by_day(turn, definition, key, f"{day}/{told + 1}" if told else day, at_ms, at_ms, data=data)


class _Vip(TriggerDefinition[R]):
    """What both share: the episode of a passage is about the tier she is in from then on."""

    reasons: ClassVar[Mapping[str, str]] = {"moved_on": "Her tier changed again before it was sent."}

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        return None if turn.profile.standing.tier == episode.data.get("tier") else "moved_on"

    def content(self, turn: Turn, episode: Episode) -> Content:
        tier, limits = episode.data.get("tier", 0), tier_limits(turn.book)
        details: dict[str, Any] = {"tier": tier, "net_minor": turn.profile.ltv.net}
        if 0 < tier <= len(limits):
            details["limit_minor"] = limits[tier - 1]
        return Content(details=details, rule=f"net lifetime value {self.passage}")

    passage = ""

    def _passed(self, turn: Turn, change: StandingChange) -> None:
        """Tell of the way from the tier that she was last told of to this one, if that is another; what waited goes."""
        tier, told = turn.profile.standing.tier, change.tier_before
        for before in list(turn.profile.episodes.values()):
            if before.name in (VIP_ENTERED.name, VIP_LEFT.name) and before.data.get("tier") != tier:
                told = before.data.get("from", told)
                cancel(turn, VIP_ENTERED if before.name == VIP_ENTERED.name else VIP_LEFT, before.key, "moved_on")
        passage: _Vip[Any] = VIP_ENTERED if tier > told else VIP_LEFT
        if tier != told and passage.rule(turn.book).enabled:
            plan_passage(turn, passage, tier, change.at_ms, {"tier": tier, "from": told})


class VipEntered(_Vip[VipEnteredRule]):
    """She reached a higher tier."""

    name = "vip.entered"
    rule_type = VipEnteredRule
    passage = "reached a tier"
    reasons: ClassVar[Mapping[str, str]] = {
        **_Vip.reasons,
        "told_before": "She was told of it before, as is known now under another name.",
    }

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        if (reason := super().check(turn, episode, now_ms)) is not None:
            return reason
        since_ms = episode.opened_ms
        told = turn.profile.standing.tier_since_ms < since_ms or told_since(turn.profile, episode, since_ms)
        return "told_before" if told else None

    def on_standing(self, turn: Turn, change: StandingChange) -> None:
        if turn.profile.standing.tier > change.tier_before:
            self._passed(turn, change)


class VipLeft(_Vip[VipLeftRule]):
    """She fell below her tier."""

    name = "vip.left"
    rule_type = VipLeftRule
    passage = "fell below her tier"

    def on_standing(self, turn: Turn, change: StandingChange) -> None:
        if turn.profile.standing.tier < change.tier_before:
            self._passed(turn, change)


VIP_ENTERED: Final = VipEntered()
VIP_LEFT: Final = VipLeft()
