"""The rules of replenishment: the arithmetic of `profiles.supply` and both reminders go by them."""

from typing import Annotated, ClassVar

from msgspec import Meta

from profiles.rules import DAY_MS, TriggerRule


class ReplenishmentDueRule(TriggerRule, frozen=True, kw_only=True):
    """The customer will soon run out of something she buys again and again."""

    trigger: ClassVar[str] = "replenishment.due"

    priority: int = 300
    max_lateness_ms: int = 7 * DAY_MS
    lead_ms: int = 3 * DAY_MS
    """Least time before running out at which the reminder is due."""
    lead_share: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """Share of the supply's span before running out at which it is due, if that is more."""
    delivery_ms: int = 0
    """Delivery time taken off the due time."""
    shrinkage: Annotated[float, Meta(gt=0, le=1000)] = 3.0
    """Weight of the product's own interval against the customer's, in intervals."""


class ReplenishmentLateRule(TriggerRule, frozen=True, kw_only=True):
    """The reminder is past and she still has not bought."""

    trigger: ClassVar[str] = "replenishment.late"

    priority: int = 310
    max_lateness_ms: int = 7 * DAY_MS
    after_ms: int = 7 * DAY_MS
    """Least time after running out."""
    after_share: Annotated[float, Meta(ge=0, le=10)] = 0.5
    """Share of the unit interval after running out, if that is more."""
