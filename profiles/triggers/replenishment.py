"""replenishment.due and replenishment.late: she will soon run out of something she buys again, or should have by now.

When is arithmetic of `profiles.supply`; here is only what it means for the reminders. One episode per product (or
substitute group) and last purchase: buying again ends it and opens the next.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, TypeVar

from profiles import order_stats, supply
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, slot, was_sent
from profiles.profile import Profile
from profiles.rules import DAY_MS, TriggerRule
from profiles.shown import item_of
from profiles.state import Emitted, Episode, RecentOrder, Supply
from profiles.supply_rules import ReplenishmentDueRule, ReplenishmentLateRule
from profiles.turn import Turn

LATER_SHARE: Final = 0.1
"""A reminder that would come sooner than is right by now, by more than this share of its wait, is planned anew."""


def episode_key(profile: Profile, product_id: str, order_id: str) -> str:
    """Customer, product and the purchase that is running out."""
    return f"{profile.id}|{product_id}|{order_id}"


def _product_of(profile: Profile, episode: Episode) -> str:
    """The product of an episode. Ids may hold bars themselves; both ends of the key are known, the anchor is the order."""
    return episode.key.removeprefix(f"{profile.id}|").removesuffix(f"|{episode.anchor}")


R = TypeVar("R", bound=TriggerRule)


def _replaced(turn: Turn, state: Supply) -> bool:
    """Whether she has since bought what stands in for the product, by what the shop says of it now."""
    last, profile = state.purchases[-1], turn.profile
    substitutes = turn.facts(state.product_id, state.category).substitutes
    if not substitutes:
        return False
    lately = any(
        order.at_ms > last.at_ms and not set(substitutes).isdisjoint(order.product_ids) and not _gone(profile, order)
        for order in profile.recent_orders
    )
    return lately or any(
        (other := profile.supply.get(product_id)) is not None and other.purchases[-1].at_ms > last.at_ms
        for product_id in substitutes
    )


def _gone(profile: Profile, order: RecentOrder) -> bool:
    """Whether nothing is left of an order: cancelled, or all that was sent came back, as far as that is remembered."""
    place, newest = (order.at_ms, order.order_id), order_stats.newest(profile.orders)
    if place not in newest and (len(newest) < order_stats.RECENT_EXACT or place > newest[0]):
        return True
    parcel = profile.deliveries.get(order.order_id)
    return parcel is not None and (parcel.gone or parcel.all_returned)


class _Replenishment(TriggerDefinition[R]):
    """What both share: the condition, the content and what an order means for them."""

    reasons: ClassVar[Mapping[str, str]] = {
        "unsure": "When she will buy it again is less certain than the rules ask for (`repurchase.confidence_min`).",
        "stopped": "She has not bought it for so long that she has most likely stopped: no case for a reminder.",
    }

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        product_id = _product_of(turn.profile, episode)
        state = turn.profile.supply.get(product_id)
        if state is None or not state.purchases:
            return "refunded"
        if episode_key(turn.profile, product_id, state.purchases[-1].order_id) != episode.key:
            return "repurchased"
        bought = {product_id, *(purchase.product_id for purchase in state.purchases)}
        if any(not bought.isdisjoint(products) for products in turn.profile.subscriptions.values()):
            return "subscribed"
        if _replaced(turn, state):
            return "repurchased"
        if turn.book.models.repurchase is None:
            return None
        forecast = supply.forecast(turn.profile, product_id, turn.book)
        if forecast is None or forecast.learned is None:
            return None
        if now_ms - forecast.last_purchase_ms > forecast.learned.stopped_days * DAY_MS:
            return "stopped"
        return "unsure" if forecast.learned.unsure else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        product_id = _product_of(turn.profile, episode)
        forecast = supply.forecast(turn.profile, product_id, turn.book)
        shown = product_id
        details: dict[str, Any] = {"supply": product_id}
        if forecast is not None:
            shown = forecast.product_id
            details |= {
                "run_out_ms": forecast.run_out_ms,
                "unit_days": round(forecast.unit_days, 2),
                "intervals": forecast.intervals,
                "last_purchase_ms": forecast.last_purchase_ms,
            }
            if (learned := forecast.learned) is not None:
                details |= {
                    "window_start_ms": forecast.last_purchase_ms + learned.window_start * DAY_MS,
                    "window_end_ms": forecast.last_purchase_ms + learned.window_end * DAY_MS,
                    "confidence": round(learned.confidence, 4),
                    "models": turn.book.models.id,
                }
        return Content(
            items=(item_of(turn, shown),),
            details=details,
            rule="a product bought before runs out by the customer's own pace, and was not bought again",
        )

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """Whether the order bought the product, or what stands in for it, again."""
        profile = turn.profile
        rest = sent.key.removeprefix(f"{profile.id}|")
        return order.at_ms >= sent.opened_ms and any(
            rest.startswith(f"{product_id}|")
            and (
                any(purchase.order_id == order.order_id for purchase in state.purchases)
                or not set(turn.facts(state.product_id, state.category).substitutes).isdisjoint(order.product_ids)
            )
            for product_id, state in profile.supply.items()
        )


class ReplenishmentDue(_Replenishment[ReplenishmentDueRule]):
    """The reminder before she runs out."""

    name = "replenishment.due"
    rule_type = ReplenishmentDueRule
    reasons: ClassVar[Mapping[str, str]] = {
        **_Replenishment.reasons,
        "lasts_longer": "It lasts longer than was known when it was planned (new models, another `supply_days`): planned anew.",
    }

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        """Plan the products an order event bought, changed or took back."""
        profile = turn.profile
        for product_id in told.supplies.products:
            forecast = told.supplies.forecasts[product_id]
            current = None if forecast is None else episode_key(profile, product_id, forecast.last_order_id)
            self._end_stale(turn, product_id, current)
            if forecast is None or current is None or slot(REPLENISHMENT_LATE.name, current) in profile.episodes:
                continue
            if profile.supply[product_id].reminded == forecast.last_order_id:
                continue
            if forecast.due_ms < told.arrival.received_ms and was_sent(profile, self.name, current):
                continue  # before what she bought since, which was paid back
            plan(turn, self, current, forecast.last_order_id, forecast.last_purchase_ms, forecast.due_ms)

    def on_united(self, turn: Turn, brought: Profile) -> None:
        """Of what both bought the last purchase counts, and of an order that both told of what is known together."""
        self.on_parted(turn)

    def on_parted(self, turn: Turn) -> None:
        """What she bought herself is reminded of, unless that was done while her orders were another customer's."""
        profile, over_ms = turn.profile, turn.now_ms - self.rule(turn.book).max_lateness_ms
        for product_id, bought in profile.supply.items() if profile.has_supply else ():
            forecast = supply.forecast(profile, product_id, turn.book)
            current = None if forecast is None else episode_key(profile, product_id, forecast.last_order_id)
            self._end_stale(turn, product_id, current)
            if forecast is None or current is None or bought.reminded == forecast.last_order_id:
                continue
            if forecast.due_ms < over_ms:
                continue
            waits = any(slot(definition.name, current) in profile.episodes for definition in WAITING.values())
            if not waits and not was_sent(profile, self.name, current):
                plan(turn, self, current, forecast.last_order_id, forecast.last_purchase_ms, forecast.due_ms)

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        reason = super().check(turn, episode, now_ms)
        return "lasts_longer" if reason is None and self._later_ms(turn, episode) is not None else reason

    def _later_ms(self, turn: Turn, episode: Episode) -> int | None:
        """When it is due by what is known of the product by now, where that is later by a day and a tenth of the wait."""
        forecast = supply.forecast(turn.profile, _product_of(turn.profile, episode), turn.book)
        if forecast is None:
            return None
        least_ms = max(DAY_MS, round(LATER_SHARE * (episode.due_ms - forecast.last_purchase_ms)))
        return forecast.due_ms if forecast.due_ms - episode.due_ms > least_ms else None

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        """By all that is known of her by now: orders of other things since may have moved the hour at which she orders."""
        forecast = supply.forecast(turn.profile, _product_of(turn.profile, episode), turn.book)
        return None if forecast is None else forecast.due_ms

    def _end_stale(self, turn: Turn, product_id: str, current: str | None) -> None:
        """End what waits for this product because of any purchase but the present one."""
        reason = "repurchased" if current is not None else "refunded"
        for waiting in list(turn.profile.episodes.values()):
            definition = WAITING.get(waiting.name)
            if definition is None or waiting.key == current:
                continue
            if waiting.key == episode_key(turn.profile, product_id, waiting.anchor):
                cancel(turn, definition, waiting.key, reason)

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """Once it was sent, or would have been but for a gate, the late reminder waits; one that was too soon waits on."""
        if state == "cancelled" and now_ms >= episode.due_ms and self.rule(turn.book).enabled:
            if super().check(turn, episode, now_ms) is None and (later_ms := self._later_ms(turn, episode)):
                plan(turn, self, episode.key, episode.anchor, episode.opened_ms, later_ms)
            return
        if state not in ("emitted", "suppressed"):
            return
        key = _product_of(turn.profile, episode)
        if state == "emitted" and key in turn.profile.supply:
            turn.profile.supply[key].reminded = episode.anchor
        if not REPLENISHMENT_LATE.rule(turn.book).enabled:
            return
        forecast = supply.forecast(turn.profile, key, turn.book)
        if forecast is not None:
            plan(turn, REPLENISHMENT_LATE, episode.key, episode.anchor, episode.opened_ms, forecast.late_ms)


class ReplenishmentLate(_Replenishment[ReplenishmentLateRule]):
    """The reminder after she should have run out."""

    name = "replenishment.late"
    rule_type = ReplenishmentLateRule
    follows_order = True

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        forecast = supply.forecast(turn.profile, _product_of(turn.profile, episode), turn.book)
        return None if forecast is None else forecast.late_ms


REPLENISHMENT_DUE: Final = ReplenishmentDue()
REPLENISHMENT_LATE: Final = ReplenishmentLate()
WAITING: Final[dict[str, TriggerDefinition[Any]]] = {
    REPLENISHMENT_DUE.name: REPLENISHMENT_DUE,
    REPLENISHMENT_LATE.name: REPLENISHMENT_LATE,
}
