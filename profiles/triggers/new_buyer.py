"""second.order.welcome: somebody has bought for the first time. Once per customer."""

from typing import Final

from profiles.content import Content, OrderTold
from profiles.contribution import is_undone
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, waiting
from profiles.order_rules import SecondOrderWelcomeRule
from profiles.state import Episode
from profiles.turn import Turn


class SecondOrderWelcome(TriggerDefinition[SecondOrderWelcomeRule]):
    """The trigger. There is one episode a customer, opened by the first order."""

    name = "second.order.welcome"
    rule_type = SecondOrderWelcomeRule
    follows_order = True

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        profile, change = turn.profile, told.change
        key, first, entry = profile.id, profile.orders.first, change.entry
        episode = waiting(profile, self, key)
        if episode is not None and episode.anchor == entry.order_id and is_undone(entry):
            cancel(turn, self, key, "refunded")
        if profile.milestones.new_buyer_ms is not None or first is None:
            return
        placed_ms, order_id = first
        due_ms = placed_ms + self.rule(turn.book).delay_ms
        if order_id == entry.order_id:
            # An order that is told of again may have been placed earlier than was known, and be the first for that.
            opens = (change.is_new or episode is not None) and not is_undone(entry)
        else:
            # The one before it is no more: she ordered anew and had the other one cancelled.
            gone = change.was_counted and not change.is_counted
            stands = change.first is None or not is_undone(change.first)
            opens = gone and stands and (entry.placed_ms or 0) <= placed_ms and due_ms > turn.now_ms
        if opens:
            plan(turn, self, key, order_id, placed_ms, due_ms)

    def on_parted(self, turn: Turn) -> None:
        """Her first order may have come after one that was another customer's."""
        profile = turn.profile
        first = profile.orders.first
        if first is None or profile.milestones.new_buyer_ms is not None:
            return
        entry = None if turn.orders is None else turn.orders.known(first[1])
        if entry is None or is_undone(entry):
            return
        due_ms = first[0] + self.rule(turn.book).delay_ms
        if due_ms > turn.now_ms and waiting(profile, self, profile.id) is None:
            plan(turn, self, profile.id, first[1], first[0], due_ms)

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return episode.opened_ms + self.rule(turn.book).delay_ms

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        """She may have turned out to be a customer who had bought before."""
        first = turn.profile.orders.first
        is_first = first is not None and first[1] == episode.anchor
        return None if is_first and turn.profile.milestones.new_buyer_ms is None else "existing_customer"

    def content(self, turn: Turn, episode: Episode) -> Content:
        return Content(
            details={"order_id": episode.anchor, "first_order_ms": episode.opened_ms},
            rule="the first order of a customer, not cancelled and not refunded in full",
        )

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        if state == "emitted":
            turn.profile.milestones.new_buyer_ms = now_ms


SECOND_ORDER_WELCOME: Final = SecondOrderWelcome()
