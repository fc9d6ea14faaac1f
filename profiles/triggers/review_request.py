"""review.request: what does she think of what she bought? One message for an order, and one reminder.

The line that is the first to be ready for a review sends for the order. Goods that are used up are ready once most of it is
gone, all others some days after they arrived.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from profiles import complaints, deliveries
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, waiting
from profiles.order_rules import ReviewRequestRule
from profiles.profile import Profile
from profiles.rules import DAY_MS
from profiles.shown import item_of
from profiles.state import Delivered, Delivery, Episode
from profiles.turn import Turn
from schemas.events import Arrival, ProductReviewed


class ReviewRequest(TriggerDefinition[ReviewRequestRule]):
    """The trigger. One episode an order; the reminder is its second occurrence."""

    name = "review.request"
    rule_type = ReviewRequestRule
    follows_order = True
    waits_apart = True
    listens = frozenset({ProductReviewed})
    reasons: ClassVar[Mapping[str, str]] = {
        "reviewed": "She reviewed it already.",
        "low_score": "She gave the shop a low score a short time ago.",
    }

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        if told.delivery is not None:
            self._replan(turn, told.change.entry.order_id, told.delivery)

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        event = arrival.event
        assert isinstance(event, ProductReviewed)
        for order_id, delivery in turn.profile.deliveries.items():
            if waiting(turn.profile, self, order_id) is not None and _names(delivery, event.product_id):
                self._replan(turn, order_id, delivery)

    def _replan(self, turn: Turn, order_id: str, delivery: Delivery) -> None:
        due_ms = self._due_ms(turn, delivery)
        if due_ms is None:
            reason = _why_none(turn.profile, delivery) or "refunded"
            cancel(turn, self, order_id, reason)
        elif self.name not in delivery.asked and (
            # What she had wanted to hear nothing of is brought up by nothing that becomes of the order once its time is over.
            due_ms >= turn.time_ms or waiting(turn.profile, self, order_id) is not None
        ):
            arrived_ms = deliveries.arrived_ms(delivery, turn.profile, turn.book)
            assert arrived_ms is not None
            plan(turn, self, order_id, order_id, arrived_ms, due_ms)

    def _due_ms(self, turn: Turn, delivery: Delivery) -> int | None:
        """When the first line is ready, None if nothing is left to review."""
        arrived_ms = deliveries.arrived_ms(delivery, turn.profile, turn.book)
        lines = _unreviewed(turn.profile, delivery)
        if arrived_ms is None or not lines:
            return None
        return min(self._ready_ms(turn, line, arrived_ms) for line in lines)

    def _ready_ms(self, turn: Turn, line: Delivered, arrived_ms: int) -> int:
        rule = self.rule(turn.book)
        supply_days = line.supply_days
        if supply_days is None:
            supply_days = turn.facts(line.product_id, line.category, line.variant_id).supply_days
        if supply_days is None:
            return arrived_ms + rule.delay_ms
        return arrived_ms + round(supply_days * rule.supply_share * DAY_MS)

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        delivery = turn.profile.deliveries.get(episode.key)
        due_ms = None if delivery is None else self._due_ms(turn, delivery)
        if due_ms is None or episode.occurrence == 1:
            return due_ms
        after_ms = self.rule(turn.book).reminder_after_ms
        return (episode.first_due_ms or due_ms) + after_ms if after_ms else None

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        if episode.occurrence > 1 and not self.rule(turn.book).reminder_after_ms:
            return "disabled"
        delivery = turn.profile.deliveries.get(episode.key)
        if delivery is None:
            return "refunded"
        if (reason := _why_none(turn.profile, delivery)) is not None:
            return reason
        if complaints.complains(turn.profile, turn.book, now_ms):
            return "open_complaint"
        if complaints.low_score_since(turn.profile, now_ms - self.rule(turn.book).after_low_score_ms):
            return "low_score"
        return None

    def content(self, turn: Turn, episode: Episode) -> Content:
        delivery = turn.profile.deliveries[episode.key]
        arrived_ms = deliveries.arrived_ms(delivery, turn.profile, turn.book)
        assert arrived_ms is not None
        lines = _unreviewed(turn.profile, delivery)
        ready = [line for line in lines if self._ready_ms(turn, line, arrived_ms) <= episode.due_ms]
        return Content(
            items=tuple(item_of(turn, line.product_id, line.category, line.variant_id) for line in ready or lines),
            details={"order_id": episode.key, "arrived_ms": arrived_ms},
            rule="the customer has had time to try what she bought, and has not reviewed it",
        )

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """An order is asked about once; after an emission the reminder is planned."""
        delivery = turn.profile.deliveries.get(episode.key)
        if delivery is None or (state == "cancelled" and now_ms < episode.due_ms):
            return  # what cancelled it may itself be taken back
        delivery.asked = sorted({*delivery.asked, self.name})
        after_ms = self.rule(turn.book).reminder_after_ms
        due_ms = episode.due_ms + after_ms
        # Who could not be reached for long does not get both in the same moment.
        if state == "emitted" and episode.occurrence == 1 and after_ms and due_ms > now_ms:
            plan(turn, self, episode.key, episode.anchor, episode.opened_ms, due_ms, occurrence=2)
            reminder = waiting(turn.profile, self, episode.key)
            if reminder is not None:
                reminder.first_due_ms = episode.due_ms


def _names(delivery: Delivery, product_id: str) -> bool:
    return any(line.product_id == product_id for line in delivery.lines)


def _unreviewed(profile: Profile, delivery: Delivery) -> list[Delivered]:
    reviewed = {review.product_id for review in profile.feedback.reviews.values()} if profile.has_feedback else set()
    return [line for line in deliveries.kept(delivery) if line.product_id not in reviewed]


def _why_none(profile: Profile, delivery: Delivery) -> str | None:
    """Why there is nothing to review, None where there is something."""
    if _unreviewed(profile, delivery):
        return None
    if deliveries.kept(delivery):
        return "reviewed"
    return "returned" if not delivery.gone and delivery.lines else "refunded"


REVIEW_REQUEST: Final = ReviewRequest()
