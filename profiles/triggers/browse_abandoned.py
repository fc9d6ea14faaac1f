"""browse.abandoned: products were looked at in a visit, and nothing came of it.

The first view of a product in a visit sets a timer, which later ones move on; when it comes, all that is known of the visit is
looked at. If she was there again since, the timer moves on once more. So a view costs next to nothing, and what came late is
already in its place. Until then no episode stands for the visit, so it says itself what it foresees, and what a withdrawn consent
ends.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import ClassVar, Final

from profiles import browsing, carts
from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan
from profiles.gates import OUT_OF_STOCK
from profiles.messages import withdrawn_by
from profiles.profile import Profile
from profiles.state import Emitted, Episode, RecentOrder, Viewed
from profiles.triggers.cart_abandoned import CART_ABANDONED
from profiles.turn import Turn
from profiles.visit_rules import BrowseAbandonedRule
from schemas.events import Arrival, ProductViewed

VISIT: Final = "browse.abandoned|visit"


class BrowseAbandoned(TriggerDefinition[BrowseAbandonedRule]):
    """The trigger. Episodes are keyed by customer and visit, which is named by its first message."""

    name = "browse.abandoned"
    rule_type = BrowseAbandonedRule
    remembers_views = True
    follows_order = True
    listens = frozenset({ProductViewed})
    reasons: ClassVar[Mapping[str, str]] = {
        "recent_order": "The customer ordered only days ago.",
        "added_to_cart": "Something was put into a cart since.",
        "cart_pending": "There is a cart with items, which has a reminder of its own.",
    }

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        """The first view of a visit sets the timer, and each that follows moves it on: cheaper than to wake up in vain."""
        profile, due_ms = turn.profile, arrival.time_ms + self.rule(turn.book).delay_ms
        wakes = profile.wakes
        if VISIT in wakes:
            if due_ms > wakes[VISIT] and arrival.time_ms == profile.activity.session_last_ms:
                wakes[VISIT] = due_ms
        elif profile.has_browsing and profile.browsing.visits and (not turn.too_late or due_ms > turn.received_ms):
            wakes[VISIT] = max(due_ms, turn.at.clock_ms)

    def on_wake(self, turn: Turn, what: str) -> None:
        """Look at the visits that have ended, unless she was there again."""
        due_ms = self._due_ms(turn)
        if due_ms > turn.time_ms:
            turn.profile.wakes[VISIT] = due_ms
            return
        opened = self._opened(turn, due_ms)
        seen = turn.profile.browsing
        visits, seen.visits = seen.visits, []
        if opened is not None:
            seen.planned_ms = visits[-1][0]
            self._plan(turn, opened, due_ms)

    def on_parted(self, turn: Turn) -> None:
        """A visit that is still to be looked at is that of whoever made it."""
        profile, due_ms = turn.profile, self._due_ms(turn)
        profile.wakes.pop(VISIT, None)
        waits = profile.has_browsing and bool(profile.browsing.visits)
        if waits and due_ms >= turn.now_ms - self.rule(turn.book).max_lateness_ms:
            profile.wakes[VISIT] = max(due_ms, turn.at.clock_ms)

    def grounds(self, profile: Profile) -> Iterable[str]:
        """The views."""
        return [view.message_id for view in profile.browsing.views] if profile.has_browsing else ()

    def foreseen_ms(self, turn: Turn, what: str) -> int | None:
        due_ms = self._due_ms(turn)
        return due_ms if self._opened(turn, due_ms) is not None else None

    def on_consent(self, turn: Turn, arrival: Arrival) -> None:
        """A visit that was interest enough by then gets no reminder from someone who can't be sent one any more."""
        profile, reason = turn.profile, withdrawn_by(arrival.event)
        if reason is None or VISIT not in profile.wakes:
            return
        due_ms = self._due_ms(turn)
        opened = self._opened(turn, due_ms)
        if opened is None:
            return  # it may become more than it is
        seen = profile.browsing
        visits, seen.visits = seen.visits, []
        seen.planned_ms = visits[-1][0]
        del profile.wakes[VISIT]
        self._plan(turn, opened, due_ms)
        cancel(turn, self, opened[0], reason)

    def wake_again(self, turn: Turn, what: str, due_ms: int) -> int | None:
        """Sooner where the time after a visit was made shorter; that it was made longer is seen when the timer comes."""
        return None if turn.profile.activity.session_last_ms is None else min(due_ms, self._due_ms(turn))

    def _due_ms(self, turn: Turn) -> int:
        return (turn.profile.activity.session_last_ms or 0) + self.rule(turn.book).delay_ms

    def _plan(self, turn: Turn, opened: tuple[str, Viewed], due_ms: int) -> None:
        key, first = opened
        plan(turn, self, key, first.message_id, first.at_ms, due_ms)

    def _opened(self, turn: Turn, due_ms: int) -> tuple[str, Viewed] | None:
        """The first of the visits still to be looked at that showed enough interest: its episode key and first view."""
        profile = turn.profile
        if not profile.has_browsing:
            return None
        visits, bought = profile.browsing.visits, self._bought(turn, due_ms)
        for place, (start_ms, message_id) in enumerate(visits, 1):
            end_ms = visits[place][0] if place < len(visits) else due_ms + 1
            first = self._opening(turn, start_ms, end_ms, bought)
            if first is not None:
                return f"{profile.id}|{message_id}", first
        return None

    def _opening(self, turn: Turn, start_ms: int, end_ms: int, bought: Collection[str]) -> Viewed | None:
        """The first view of a visit that showed enough interest, None where it did not. What was bought does not count."""
        rule, views = self.rule(turn.book), turn.profile.browsing.views
        here = [view for view in views if start_ms <= view.at_ms < end_ms and view.product_id not in bought]
        if not here or len(here) >= rule.views:
            return here[0] if here else None
        for view, lasted_ms in browsing.looks(views):
            if lasted_ms >= rule.long_view_ms and start_ms <= view.at_ms < end_ms and view.product_id not in bought:
                return here[0]
        for view in here:
            if any(
                other.product_id == view.product_id and 0 < view.at_ms - other.at_ms <= rule.again_within_ms
                for other in views
            ):
                return here[0]
        return None

    def _bought(self, turn: Turn, now_ms: int) -> Collection[str]:
        """Products that were bought of late."""
        profile = turn.profile
        if not profile.has_recent_orders:
            return ()
        # The profile may hold older orders still: those of the 30 days before the newest one.
        return browsing.bought_since(profile.recent_orders, now_ms - self.rule(turn.book).after_purchase_ms)

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        profile, rule, since_ms = turn.profile, self.rule(turn.book), episode.opened_ms
        ordered_ms = (
            max((order.at_ms for order in profile.recent_orders), default=None) if profile.has_recent_orders else None
        )
        if (ordered_ms is not None and ordered_ms >= since_ms) or not self._counts(turn, since_ms, now_ms):
            return "ordered"
        if ordered_ms is not None and now_ms - ordered_ms < rule.after_order_ms:
            return "recent_order"
        if profile.has_checkouts and any(checkout.moved_ms >= since_ms for checkout in profile.checkouts.values()):
            return "checkout_started"
        if profile.browsing.added_ms >= since_ms:
            return "added_to_cart"
        if carts.any_full(profile, now_ms, CART_ABANDONED.rule(turn.book).forget_ms):
            return "cart_pending"
        return None

    def _counts(self, turn: Turn, since_ms: int, now_ms: int) -> bool:
        """Whether there is a view from a moment on of a product that was not bought of late."""
        bought = self._bought(turn, now_ms)
        for view in reversed(turn.profile.browsing.views):
            if view.at_ms < since_ms:
                return False
            if view.product_id not in bought:
                return True
        return False

    def recheck(self, turn: Turn, episode: Episode) -> str | None:
        return None if self._shown(turn, episode) else OUT_OF_STOCK

    def content(self, turn: Turn, episode: Episode) -> Content:
        seen = browsing.fold(turn.profile.browsing)
        shown = self._shown(turn, episode)[: self.rule(turn.book).items]
        views = [view for view in seen.views if view.at_ms >= episode.opened_ms]
        items, currency = browsing.items_of(seen, shown, turn.book.shop_currency)
        return Content(
            items=items,
            currency=currency,
            details={"views": len(views), "last_view_ms": views[-1].at_ms},
            rule="products looked at in a visit, nothing put into a cart or bought since",
        )

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """Any order ends it, also one of some days before the visit."""
        return order.at_ms >= sent.opened_ms or sent.emitted_ms - order.at_ms < self.rule(turn.book).after_order_ms

    def _shown(self, turn: Turn, episode: Episode) -> list[str]:
        """Products of the episode that can be had, by number of views, then by the newest view."""
        seen, bought = browsing.fold(turn.profile.browsing), self._bought(turn, turn.now_ms)
        newest: dict[str, tuple[int, int]] = {}
        for view in seen.views:
            if view.at_ms >= episode.opened_ms and view.product_id not in bought:
                count, _ = newest.get(view.product_id, (0, 0))
                newest[view.product_id] = (count + 1, view.at_ms)
        offered = seen.offered
        can_be_had = [key for key in newest if browsing.in_stock(turn.at.goods, key, offered.get(key)) is not False]
        return sorted(can_be_had, key=lambda key: (newest[key], key), reverse=True)


BROWSE_ABANDONED: Final = BrowseAbandoned()
