"""What a shop may set of the triggers about carts, checkouts and wishlists."""

from typing import ClassVar

from typing_extensions import override

from profiles.rules import DAY_MS, HOUR_MS, Count, TriggerRule, format_duration


class CartAbandonedRule(TriggerRule, frozen=True, kw_only=True):
    """Items were left in a cart."""

    trigger: ClassVar[str] = "cart.abandoned"

    priority: int = 200
    cooldown_ms: int = DAY_MS
    max_in_window: Count = 2
    attribution_ms: int = 3 * DAY_MS
    delay_ms: int = HOUR_MS
    """Quiet time after the last change of the cart before it counts as abandoned."""
    any_order: bool = False
    """Whether any order of the customer ends the reminder, also one that has nothing of the cart."""
    forget_ms: int = 30 * DAY_MS
    """A cart is dropped this long after its last change."""

    @override
    def impossible(self) -> tuple[str, str] | None:
        if self.delay_ms >= self.forget_ms:
            return ("delay_ms", f"not before the cart is dropped, after {format_duration(self.forget_ms)} (forget)")
        return super().impossible()


class CheckoutAbandonedRule(TriggerRule, frozen=True, kw_only=True):
    """A checkout was begun and not finished. Reminders follow while it stays so."""

    trigger: ClassVar[str] = "checkout.abandoned"

    priority: int = 100
    cooldown_ms: int = DAY_MS
    attribution_ms: int = 3 * DAY_MS
    delay_ms: int = HOUR_MS
    """Quiet time after the last step before the checkout counts as abandoned."""
    second_after_ms: int = DAY_MS
    """When the second reminder is due, from the first one's due time; 0 is none; the third one may come without it. Left out
    where the first one went out later than that."""
    third_after_ms: int = 3 * DAY_MS
    """When the third reminder is due, from the first one's due time; 0 is none. Left out where the one before went out later."""

    @override
    def impossible(self) -> tuple[str, str] | None:
        if self.third_after_ms and self.third_after_ms <= self.second_after_ms:
            return (
                "third_after_ms",
                f"not after the second reminder, which comes after {format_duration(self.second_after_ms)}",
            )
        return super().impossible()


class WishlistReminderRule(TriggerRule, frozen=True, kw_only=True):
    """A product is on the wishlist and was not bought."""

    trigger: ClassVar[str] = "wishlist.reminder"

    priority: int = 450
    cooldown_ms: int = 14 * DAY_MS
    delay_ms: int = 3 * DAY_MS
    """Time after the product was put on the wishlist."""
