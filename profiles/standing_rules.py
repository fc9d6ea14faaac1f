"""The rules of where a customer stands: churn, tiers, milestones. `profiles.standing` and the triggers go by them."""

from typing import Annotated, ClassVar

from msgspec import Meta

from profiles.rules import DAY_MS, Share, TriggerRule

Minor = Annotated[int, Meta(ge=1)]


class ChurnRiskRule(TriggerRule, frozen=True, kw_only=True):
    """By her own pace she is likely not to order again within 90 days."""

    trigger: ClassVar[str] = "churn.risk"

    max_lateness_ms: int = 7 * DAY_MS
    cooldown_ms: int = 60 * DAY_MS
    apart_ms: int = 7 * DAY_MS
    """Least time between leaving the highest band and entering it again that counts as another entry."""
    concern: Share = 0.1
    """Added to the churn risk of whoever is unlikely to recommend the shop (0 to 6 of 10)."""
    concern_for_ms: int = 180 * DAY_MS
    """How long such an answer counts."""
    ticket_concern: Share = 0.1
    """Added to the churn risk while a ticket of hers is open; with a low score the larger of the two counts. 0: tickets count
    nothing."""


class VipEnteredRule(TriggerRule, frozen=True, kw_only=True):
    """Her net lifetime value reached a tier."""

    trigger: ClassVar[str] = "vip.entered"

    limits: tuple[Minor, ...] = ()
    """Net lifetime value at which each tier begins, ascending, in minor units of the shop's currency. Empty: `top_share`."""
    top_share: Share = 0.1
    """Without limits there is one tier: this share of all buyers, those of the highest value, as last fitted."""
    leave_share: Share = 0.9
    """She leaves a tier below this share of its limit."""

    def __post_init__(self) -> None:
        if list(self.limits) != sorted(set(self.limits)):
            raise ValueError(f"limits have to ascend, these do not: {list(self.limits)}")


class VipLeftRule(TriggerRule, frozen=True, kw_only=True):
    """Refunds or cancellations took her net lifetime value below her tier."""

    trigger: ClassVar[str] = "vip.left"


class LtvMilestoneRule(TriggerRule, frozen=True, kw_only=True):
    """Her net lifetime value passed a round sum for the first time."""

    trigger: ClassVar[str] = "ltv.milestone"

    milestones: tuple[Minor, ...] = (10_000, 50_000, 100_000, 500_000)
    """The sums, ascending, in minor units of the shop's currency."""

    def __post_init__(self) -> None:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones have to ascend, these do not: {list(self.milestones)}")
