"""gift.threshold: a little more in the cart, and there is a gift or free shipping. Meant for the page she is on; once a cart."""

from collections.abc import Mapping
from typing import ClassVar, Final

from profiles import cart_currency, carts
from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, waiting
from profiles.gift_rules import GiftThresholdRule, missing_minor
from profiles.state import Cart, Emitted, Episode, RecentOrder
from profiles.triggers.cart_abandoned import cart_of, episode_key, items_of
from profiles.turn import Turn


class GiftThreshold(TriggerDefinition[GiftThresholdRule]):
    """The trigger. Episodes are keyed by cart; the delay is none."""

    name = "gift.threshold"
    rule_type = GiftThresholdRule
    waits_apart = True
    reasons: ClassVar[Mapping[str, str]] = {"not_near": "The cart is worth enough now, or far less than enough."}

    def on_cart(self, turn: Turn, cart: Cart) -> None:
        if not self.rule(turn.book).threshold_minor:
            return
        key = episode_key(turn.profile, cart.cart_id)
        if missing_minor(turn.book, cart) is None:
            cancel(turn, self, key, "not_near")
        elif waiting(turn.profile, self, key) is None and self.name not in cart.told and not self._was_told(turn, key):
            plan(turn, self, key, turn.cause, turn.time_ms, turn.time_ms)

    def _was_told(self, turn: Turn, key: str) -> bool:
        """Whether she was told of this cart, and has not ordered it since: what is put into it after that is another one."""
        profile = turn.profile
        return profile.has_emitted and any(
            sent.name == self.name
            and sent.key == key
            and not any(self.covers(turn, order, sent) for order in profile.recent_orders)
            for sent in profile.emitted
        )

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        cart = cart_of(turn.profile, episode)
        if cart is None or missing_minor(turn.book, cart) is None:
            return "not_near"
        # She may have been told under another name, as is known once two profiles became one.
        return "cooldown" if self._was_told(turn, episode.key) else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        cart = cart_of(turn.profile, episode)
        assert cart is not None
        lines, currency = cart_currency.shown(cart)
        return Content(
            items=items_of(lines, cart.described, turn.at.goods),
            value_minor=carts.value_minor(lines),
            currency=currency,
            recovery_url=cart.url,
            details={"cart_id": cart.cart_id, "missing_minor": missing_minor(turn.book, cart)},
            rule="a cart near the threshold of a gift or free shipping",
        )

    def cools(self, episode: Episode, sent: Emitted) -> bool:
        """Each cart is told of once, until it was ordered: that is looked at when it is planned, and again when it is due."""
        return False

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """Nothing is to be added any more to a cart that was ordered."""
        if order.cart_id is None:
            is_hers = not set(order.product_ids).isdisjoint(sent.product_ids)
        else:
            is_hers = episode_key(turn.profile, order.cart_id) == sent.key
        return is_hers and order.at_ms >= sent.opened_ms


GIFT_THRESHOLD: Final = GiftThreshold()
