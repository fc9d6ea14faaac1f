"""What a shop may set of the triggers about price and stock of watched products."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from profiles.rules import DAY_MS, MINUTE_MS, Count, Share, TriggerRule

AtLeastOne = Annotated[int, Meta(ge=1, le=1_000_000)]
_PARTS: Final = 1_000_000


class BackInStockRule(TriggerRule, frozen=True, kw_only=True):
    """A product the customer asked to be told of is there again."""

    trigger: ClassVar[str] = "back.in.stock"

    priority: int = 220
    cooldown_ms: int = 0
    """Least time between two of them about one product or variant for one customer; 0 is none."""
    pieces: AtLeastOne = 1
    """So many have to be there. It is told when the stock rises to that from fewer."""
    told_per_piece: AtLeastOne = 10
    """How many customers are told at once for each piece, over the whole shop and oldest first."""
    every_ms: int = 10 * MINUTE_MS
    """Time until as many again are told."""


class PriceDroppedRule(TriggerRule, frozen=True, kw_only=True):
    """A product the customer saw became clearly cheaper."""

    trigger: ClassVar[str] = "price.dropped"

    priority: int = 240
    cooldown_ms: int = 7 * DAY_MS
    """Least time between two of them about one product or variant for one customer; 0 is none."""
    share: Share = 0.1
    """By which share of the lowest price she saw it has to be cheaper."""
    amount_minor: Count = 0
    """Or by how much, in minor units of the shop currency; 0: only the share counts."""
    delay_ms: int = 5 * MINUTE_MS
    """Time from the first drop to the trigger: further ones in it are told together."""

    def cheaper(self, price_minor: int, seen_minor: int) -> bool:
        """Whether a price is so far below one that was seen.

        >>> PriceDroppedRule().cheaper(900, 1000), PriceDroppedRule().cheaper(901, 1000)
        (True, False)
        """
        saved = seen_minor - price_minor
        if saved <= 0:
            return False
        # In whole numbers: 10 % of a price must not turn on how a float is rounded.
        return saved * _PARTS >= round(self.share * _PARTS) * seen_minor or 0 < self.amount_minor <= saved


class LowStockRule(TriggerRule, frozen=True, kw_only=True):
    """Few pieces are left of something in a cart, on a wishlist, or viewed twice within 7 days."""

    trigger: ClassVar[str] = "low.stock"

    priority: int = 830
    cooldown_ms: int = 7 * DAY_MS
    """Least time between two of them about one product or variant for one customer; 0 is none."""
    pieces: AtLeastOne = 5
    """So many or fewer are few. It is told once, when the stock falls to that from more."""
    delay_ms: int = 0
    """Time from then to the trigger."""
