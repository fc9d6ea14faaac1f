"""The threshold from which a cart gets a gift or free shipping: its rule, and what a cart lacks of it.

A module of its own, since the cart's reminder tells of it too.
"""

from typing import ClassVar

from profiles import cart_currency, carts
from profiles.book import Book
from profiles.rules import DAY_MS, Count, Share, TriggerRule
from profiles.state import Cart


class GiftThresholdRule(TriggerRule, frozen=True, kw_only=True):
    """A cart is worth nearly as much as it takes for a gift or free shipping."""

    trigger: ClassVar[str] = "gift.threshold"

    priority: int = 910
    cooldown_ms: int = 30 * DAY_MS
    """At least so long she is not told of the same cart again, unless it was ordered; 7d where this is less."""
    max_lateness_ms: int = DAY_MS // 24
    threshold_minor: Count = 0
    """What a cart must be worth, in minor units of the shop's currency. 0: there is no such thing, and no trigger."""
    from_share: Share = 0.8
    """From this part of it on a cart is near."""


def missing_minor(book: Book, cart: Cart) -> int | None:
    """What a cart that is near the threshold lacks of it, in minor units; None where it is not, or has another currency in it."""
    rule = book.rule(GiftThresholdRule)
    if not rule.threshold_minor or not cart_currency.used(cart) <= {None, book.shop_currency}:
        return None
    value = carts.value_minor(cart.lines.values())
    if not rule.from_share * rule.threshold_minor <= value < rule.threshold_minor:
        return None
    return rule.threshold_minor - value
