"""next.order.coupon and coupon.expiring: a reason to order again, and a word before it lapses."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from profiles import coupons
from profiles.content import Content, OrderTold
from profiles.contribution import is_undone
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, waiting, waiting_of, was_sent
from profiles.order_rules import CouponExpiringRule, NextOrderCouponRule
from profiles.order_state import OrderEntry
from profiles.profile import Profile
from profiles.state import Coupon, Emitted, Episode, RecentOrder
from profiles.triggers.cart_abandoned import CART_ABANDONED
from profiles.turn import Turn
from schemas.events import Arrival, CouponEvent
from schemas.outputs import CouponShown


class NextOrderCoupon(TriggerDefinition[NextOrderCouponRule]):
    """The trigger. Episodes are keyed and opened by the order; the second occurrence is the reminder."""

    name = "next.order.coupon"
    rule_type = NextOrderCouponRule
    follows_order = True
    waits_apart = True
    reasons: ClassVar[Mapping[str, str]] = {
        "margin": "The order's margin is below the floor.",
        "discount_habit": "The customer mostly orders with coupons anyway.",
        "issued": "A coupon was issued to her since, which has a reminder of its own.",
        "ordered": "She has ordered since: there is nothing to remind her of.",
    }

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        profile, entry = turn.profile, told.change.entry
        key = entry.order_id
        episode = waiting(profile, self, key)
        if episode is not None and is_undone(entry):
            cancel(turn, self, key, "refunded")
        elif episode is not None:
            episode.data |= _money(entry)
        if told.change.is_new and entry.placed_ms is not None:
            for other in waiting_of(profile, self):
                if other.occurrence > 1 and entry.placed_ms > other.data["sent_ms"]:
                    cancel(turn, self, other.key, "ordered", key)
        before = told.change.before
        known_before = before is not None and before.placed_ms is not None and before.delivered_ms == entry.delivered_ms
        if entry.delivered_ms is None or known_before or is_undone(entry) or self._was_sent(profile, key):
            return
        if episode is None or episode.occurrence == 1:
            due_ms = entry.delivered_ms + self.rule(turn.book).delay_ms
            plan(turn, self, key, key, entry.delivered_ms, due_ms, data=_money(entry))

    def _was_sent(self, profile: Profile, key: str) -> bool:
        """To her, or to whom the order was taken for."""
        delivery = profile.deliveries.get(key)
        return (delivery is not None and self.name in delivery.asked) or was_sent(profile, self.name, key)

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        rule = self.rule(turn.book)
        if episode.occurrence == 1:
            return episode.opened_ms + rule.delay_ms
        expires_ms: int = episode.data["expires_ms"]
        return expires_ms - rule.remind_before_ms if self._has_reminder(turn, episode) else None

    def _has_reminder(self, turn: Turn, episode: Episode) -> bool:
        """Whether the coupon of a waiting reminder is one that is reminded of, by the present rules."""
        holds_ms: int = episode.data["expires_ms"] - episode.data["sent_ms"]
        return 0 < self.rule(turn.book).remind_before_ms < holds_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        rule, profile = self.rule(turn.book), turn.profile
        if episode.occurrence > 1:
            if not self._has_reminder(turn, episode):
                return "disabled"
            sent_ms: int = episode.data["sent_ms"]
            if any(known.issued is not None and known.issued[0] >= sent_ms for known in profile.coupons.values()):
                return "issued"
            newest = profile.orders.recent[-1:]
            return "ordered" if newest and newest[0][0] > sent_ms else None
        if episode.data["margin_minor"] < rule.margin_floor * episode.data["net_minor"]:
            return "margin"
        orders = profile.orders
        habit = orders.count >= rule.guard_orders and orders.couponed > rule.discount_share * orders.count
        return "discount_habit" if rule.discount_guard and habit else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        expires_ms = episode.data.get("expires_ms", turn.now_ms + self.rule(turn.book).valid_ms)
        return Content(
            coupon=CouponShown(expires_at_ms=expires_ms),
            details={"order_id": episode.anchor, "reminder": episode.occurrence > 1},
            rule="an order that was delivered, neither refunded nor without margin",
        )

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """Who had ordered since the coupon was not to be reminded of it."""
        rule = self.rule(turn.book)
        return sent.occurrence > 1 and order.at_ms > sent.due_ms + rule.remind_before_ms - rule.valid_ms

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """After the coupon comes its reminder, if it holds for longer than that is ahead of its end."""
        rule = self.rule(turn.book)
        if state != "emitted" or episode.occurrence > 1 or not 0 < rule.remind_before_ms < rule.valid_ms:
            return
        expires_ms = now_ms + rule.valid_ms
        data = {**episode.data, "sent_ms": now_ms, "expires_ms": expires_ms}
        due_ms = expires_ms - rule.remind_before_ms
        plan(turn, self, episode.key, episode.anchor, episode.opened_ms, due_ms, occurrence=2, data=data)


def _money(entry: OrderEntry) -> dict[str, Any]:
    contribution = entry.contribution
    assert contribution is not None  # of an order that is not undone
    return {"net_minor": contribution.amounts.net, "margin_minor": contribution.amounts.margin}


class CouponExpiring(TriggerDefinition[CouponExpiringRule]):
    """The trigger. Episodes are keyed by customer and coupon, and opened by its issue."""

    name = "coupon.expiring"
    rule_type = CouponExpiringRule
    follows_order = True
    waits_apart = True
    listens = coupons.EVENTS
    reasons: ClassVar[Mapping[str, str]] = {
        "used": "The coupon was used.",
        "coupon_expired": "The coupon had lapsed, or holds longer than was said, or too short for a reminder (`before`).",
        "coupon_in_cart": "The coupon is in a cart already.",
    }

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        event = arrival.event
        assert isinstance(event, CouponEvent)
        coupon = turn.profile.coupons.get(event.coupon_id or "")
        if coupon is not None:
            self._replan(turn, coupon)

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        """An order may have spent one of the coupons that are waited for."""
        if told.change.entry.couponed:
            for episode in waiting_of(turn.profile, self):
                coupon = _coupon_of(turn.profile, episode)
                if coupon is not None and coupon.used_ms is not None:
                    cancel(turn, self, episode.key, "used", told.change.entry.order_id)

    def _replan(self, turn: Turn, coupon: Coupon) -> None:
        key = f"{turn.profile.id}|{coupon.coupon_id}"
        if coupon.used_ms is not None:
            cancel(turn, self, key, "used")
            return
        due_ms = self._due_ms(turn, coupon)
        if due_ms is None:
            cancel(turn, self, key, "coupon_expired")
        elif coupon.issued is not None and coupon.told_ms < coupon.issued[0]:
            plan(turn, self, key, coupon.issued[1], coupon.issued[0], due_ms)

    def _due_ms(self, turn: Turn, coupon: Coupon) -> int | None:
        if coupon.issued is None or coupon.expires_ms is None:
            return None
        due_ms = coupon.expires_ms - self.rule(turn.book).before_ms
        return due_ms if due_ms > coupon.issued[0] else None

    def grounds(self, profile: Profile) -> Iterable[str]:
        """Coupons, and what issued them."""
        if not profile.has_coupons:
            return ()
        issued = [coupon.issued for coupon in profile.coupons.values()]
        return [*profile.coupons, *(one[1] for one in issued if one is not None)]

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        coupon = _coupon_of(turn.profile, episode)
        return None if coupon is None else self._due_ms(turn, coupon)

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        coupon = _coupon_of(turn.profile, episode)
        if coupon is None or not coupons.is_open(coupon, now_ms):
            return "used" if coupon is not None and coupon.used_ms is not None else "coupon_expired"
        if self._due_ms(turn, coupon) is None:
            return "coupon_expired"
        kept_since_ms = now_ms - CART_ABANDONED.rule(turn.book).forget_ms
        return "coupon_in_cart" if coupons.in_cart(coupon, kept_since_ms) else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        coupon = _coupon_of(turn.profile, episode)
        assert coupon is not None
        return Content(
            coupon=CouponShown(
                coupon_id=coupon.coupon_id, expires_at_ms=coupon.expires_ms, discount_minor=coupon.discount_minor
            ),
            currency=coupon.currency,
            rule="a coupon that will lapse soon, neither used nor in a cart",
        )

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """It had spent the coupon."""
        coupon = turn.profile.coupons.get(sent.key.removeprefix(f"{turn.profile.id}|"))
        return coupon is not None and coupon.used_ms == order.at_ms

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """One reminder for each issue."""
        coupon = _coupon_of(turn.profile, episode)
        if coupon is not None:
            coupon.told_ms = max(coupon.told_ms, episode.opened_ms)


def _coupon_of(profile: Profile, episode: Episode) -> Coupon | None:
    return profile.coupons.get(episode.key.removeprefix(f"{profile.id}|"))


NEXT_ORDER_COUPON: Final = NextOrderCoupon()
COUPON_EXPIRING: Final = CouponExpiring()
