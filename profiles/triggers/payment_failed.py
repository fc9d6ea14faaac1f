"""payment.failed: a payment was refused and the order has not come since. A service message about her own purchase."""

from typing import Any, Final

from profiles import checkouts
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, retract, waiting, waiting_of
from profiles.order_rules import PaymentFailedRule
from profiles.profile import Profile
from profiles.state import Emitted, Episode, RecentOrder
from profiles.triggers.cart_abandoned import items_of
from profiles.turn import Turn
from schemas.events import Arrival, PaymentFailed


class PaymentFailedTrigger(TriggerDefinition[PaymentFailedRule]):
    """The trigger. Episodes are keyed by checkout."""

    name = "payment.failed"
    rule_type = PaymentFailedRule
    listens = frozenset({PaymentFailed})
    waits_apart = True

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        event, profile, at_ms = arrival.event, turn.profile, arrival.time_ms
        assert isinstance(event, PaymentFailed)
        key = checkouts.id_of(profile, event)
        if _ordered_since(profile, at_ms) or _told_since(profile, key, at_ms):
            return
        episode = waiting(profile, self, key)
        opening = (at_ms, event.message_id)
        data: dict[str, Any] = {
            "failed_ms": at_ms,
            "failed_by": event.message_id,
            "reason": event.reason,
            "order_id": event.order_id,
        }
        shown = {"value_minor": event.value_minor, "currency": event.currency, "url": event.url}
        data |= {name: value for name, value in shown.items() if value is not None}
        if episode is not None:
            opening = min(opening, (episode.opened_ms, episode.anchor))
            if episode.data["failed_ms"] > at_ms:
                data = episode.data
        due_ms = data["failed_ms"] + self.rule(turn.book).delay_ms
        plan(turn, self, key, opening[1], opening[0], due_ms, data=data)

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        if told.order is None:
            return
        for episode in waiting_of(turn.profile, self):
            failed_ms = episode.data["failed_ms"]
            named = episode.key in (told.order.checkout_id, told.order.order_id)
            if told.order.at_ms >= failed_ms or (named and told.arrival.time_ms >= failed_ms):
                cancel(turn, self, episode.key, "ordered", told.order.order_id)
            elif told.order.at_ms >= episode.opened_ms:
                self._open_again(turn, episode)
        if turn.profile.has_emitted and not told.change.is_new:
            self._take_back(turn, told.order, told.arrival.time_ms)

    def _take_back(self, turn: Turn, order: RecentOrder, at_ms: int) -> None:
        """A later word on an order that was placed before the refusal would have ended this, had it been known in time."""
        delay_ms = self.rule(turn.book).delay_ms
        for sent in turn.profile.emitted:
            if (
                sent.name == self.name
                and sent.key in (order.checkout_id, order.order_id)
                and sent.due_ms - delay_ms <= at_ms <= sent.emitted_ms
            ):
                retract(turn, self, sent.key, "late_conversion", sent.opened_ms, order.order_id)

    def on_joined(self, turn: Turn, episode: Episode, other: Episode) -> None:
        """The last refusal counts."""
        if other.data["failed_ms"] > episode.data["failed_ms"]:
            plan(
                turn,
                self,
                episode.key,
                episode.anchor,
                episode.opened_ms,
                other.data["failed_ms"] + self.rule(turn.book).delay_ms,
                data=other.data,
            )

    def on_united(self, turn: Turn, brought: Profile) -> None:
        """The order may have come under the other name, and a payment have been refused again since."""
        for episode in waiting_of(turn.profile, self) if turn.profile.has_recent_orders else ():
            failed_ms = episode.data["failed_ms"]
            if _ordered_since(turn.profile, failed_ms) or _told_since(turn.profile, episode.key, failed_ms):
                cancel(turn, self, episode.key, "ordered")
            elif _ordered_since(turn.profile, episode.opened_ms):
                self._open_again(turn, episode)

    def _open_again(self, turn: Turn, episode: Episode) -> None:
        """An order ended what a payment refused before it had opened: the last refusal came after it."""
        anchor = episode.data.get("failed_by", episode.anchor)
        plan(turn, self, episode.key, anchor, episode.data["failed_ms"], episode.due_ms)

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        failed_ms: int = episode.data["failed_ms"]
        return failed_ms + self.rule(turn.book).delay_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        return "ordered" if _ordered_since(turn.profile, episode.opened_ms) else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        checkout, told = turn.profile.checkouts.get(episode.key), episode.data
        details = {"checkout_id": episode.key, "reason": episode.data["reason"], "failed_ms": episode.data["failed_ms"]}
        rule = "a refused payment and no order since"
        if checkout is None:
            return Content(
                value_minor=told.get("value_minor"),
                currency=told.get("currency"),
                recovery_url=told.get("url"),
                details=details,
                rule=rule,
            )
        basket = checkouts.basket(turn.profile, checkout)
        return Content(
            items=items_of(basket.lines, basket.described, turn.at.goods),
            value_minor=basket.value_minor,
            currency=basket.currency,
            recovery_url=basket.url,
            details=details,
            rule=rule,
        )

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """Any order ends it."""
        return order.at_ms >= sent.opened_ms

    def cools(self, episode: Episode, sent: Emitted) -> bool:
        """Each checkout cools for itself."""
        return sent.key == episode.key


def _ordered_since(profile: Profile, at_ms: int) -> bool:
    return any(order.at_ms >= at_ms for order in profile.recent_orders)


def _told_since(profile: Profile, key: str, at_ms: int) -> bool:
    """Whether there was a word since on the order of a checkout, which was placed before: it was paid."""
    return any(order.told_ms >= at_ms and key in (order.checkout_id, order.order_id) for order in profile.recent_orders)


PAYMENT_FAILED: Final = PaymentFailedTrigger()
