"""What a shop may set of the triggers about visits: views, searches, and what she is interested in."""

from typing import Annotated, ClassVar

from msgspec import Meta
from typing_extensions import override

from profiles.rules import DAY_MS, HOUR_MS, SECOND_MS, Count, Share, TriggerRule


class BrowseAbandonedRule(TriggerRule, frozen=True, kw_only=True):
    """Products were looked at in a visit, and nothing came of it."""

    trigger: ClassVar[str] = "browse.abandoned"

    priority: int = 470
    cooldown_ms: int = 14 * DAY_MS
    delay_ms: int = HOUR_MS
    """Quiet time after the last event of the visit, or of one that follows it."""
    views: Count = 2
    """So many views of products in one visit are interest enough."""
    long_view_ms: int = 30 * SECOND_MS
    """So is a single one that lasted this long, until the next event of the visit."""
    again_within_ms: int = 7 * DAY_MS
    """So is a product that was viewed twice within this time, at most 7d."""
    after_order_ms: int = 10 * DAY_MS
    """Nothing is sent this long after any order."""
    after_purchase_ms: int = 30 * DAY_MS
    """Views of a product do not count this long after it was bought, at most 30d."""
    items: Count = 3
    """How many products are shown: those viewed most often, then those viewed last."""

    @override
    def impossible(self) -> tuple[str, str] | None:
        if self.again_within_ms > 7 * DAY_MS:
            return ("again_within_ms", "more than 7d: views are not remembered for longer")
        if self.after_purchase_ms > 30 * DAY_MS:
            return ("after_purchase_ms", "more than 30d: purchases are not remembered for longer")
        return super().impossible()


class SearchAbandonedRule(TriggerRule, frozen=True, kw_only=True):
    """She searched, and looked at nothing that was found."""

    trigger: ClassVar[str] = "search.abandoned"

    priority: int = 460
    cooldown_ms: int = 14 * DAY_MS
    delay_ms: int = 2 * HOUR_MS
    """Time after the last search for the same."""
    searches: Count = 2
    """From this many searches of one visit on without a look at a product; one without hits counts at once."""


class CategoryInterestRule(TriggerRule, frozen=True, kw_only=True):
    """One category interests her far more than the others."""

    trigger: ClassVar[str] = "category.interest"

    priority: int = 900
    cooldown_ms: int = 30 * DAY_MS
    """Least time between two of them about one category for one customer; 0 is none."""
    points: Annotated[float, Meta(gt=0, le=1_000_000)] = 5.0
    """Least score of the category. A view is 1 point, a wish 3, a cart 4, a purchase 5; they halve every 14 days."""
    share: Share = 0.4
    """Least share of the category in the sum of all."""
    leaves_share: Share = 0.7
    """Below this part of `points`, or of `share`, the interest is over, and may begin again."""
    after_purchase_ms: int = 7 * DAY_MS
    """Nothing is sent this long after something of the category was bought."""
    items: Count = 3
    """How many products of the category that she viewed of late are shown."""
