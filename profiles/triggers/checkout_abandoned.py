"""checkout.abandoned: a checkout was begun and not finished. Up to three reminders; any order of the customer ends it."""

from typing import Final

from profiles import carts, checkouts
from profiles.book import Book
from profiles.cart_rules import CheckoutAbandonedRule
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, waiting, waiting_of
from profiles.gates import OUT_OF_STOCK
from profiles.profile import Profile
from profiles.state import Cart, Checkout, Emitted, Episode, RecentOrder
from profiles.triggers.cart_abandoned import CART_ABANDONED, covers_cart, items_of, sold_out
from profiles.turn import Turn
from schemas.events import Arrival, CheckoutEvent

LAST: Final = 3
"""The number of the last reminder."""


class CheckoutAbandoned(TriggerDefinition[CheckoutAbandonedRule]):
    """The trigger. Episodes are keyed by checkout."""

    name = "checkout.abandoned"
    rule_type = CheckoutAbandonedRule
    listens = checkouts.EVENTS

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        """A step of a checkout takes its cart over and resets its reminder; a new one replaces older ones."""
        event, profile = arrival.event, turn.profile
        assert isinstance(event, CheckoutEvent)
        checkout = checkouts.of_event(profile, event)
        if checkout.done is None and (known := _cart(profile, checkout)) is not None:
            self._follow(turn, checkout, known)
        self.replan(turn, checkout)
        cart = None
        if checkout.cart_id is not None:
            cart = carts.hand_over(
                profile,
                checkout.cart_id,
                checkout.started_ms,
                _mark_of(profile, checkout),
                turn.book.rules.allowed_lateness_ms,
            )
        self._end_done(turn)
        if cart is not None:
            CART_ABANDONED.replan(turn, cart, "checkout_started")

    def on_cart(self, turn: Turn, cart: Cart) -> None:
        """A change of a cart that a checkout took over resets the checkout's reminder."""
        if not turn.profile.has_checkouts:
            return
        for checkout in turn.profile.checkouts.values():
            if checkout.cart_id != cart.cart_id or checkout.done is not None:
                continue
            if self._follow(turn, checkout, cart):
                self.replan(turn, checkout)
            elif checkout.moved_ms + self.rule(turn.book).delay_ms > turn.now_ms:
                self.replan(turn, checkout)  # it may be the first we hear of what is in its cart

    def _follow(self, turn: Turn, checkout: Checkout, cart: Cart) -> bool:
        """Let a checkout have moved with its cart; whether it did."""
        forget_ms = CART_ABANDONED.rule(turn.book).forget_ms
        if not checkout.moved_ms < cart.changed_ms <= checkout.moved_ms + forget_ms:
            return False
        checkout.moved_ms = cart.changed_ms
        return True

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        """An order ended the checkout it names, and every other one begun before it; one begun after it may have nothing left."""
        if told.order is not None and turn.profile.has_checkouts:
            for checkout in turn.profile.checkouts.values():
                if checkout.done == told.order.order_id:
                    self._end(turn, checkout)
                elif any(cart.cart_id == checkout.cart_id for cart in told.carts):
                    self.replan(turn, checkout)

    def on_united(self, turn: Turn, brought: Profile) -> None:
        """What one had begun an order or a newer checkout of the other may have ended: its cart is free again since then."""
        for episode in waiting_of(turn.profile, self):
            if episode.occurrence > 1 and _was_sent(turn.profile, episode):
                cancel(turn, self, episode.key, "replaced")
        self._end_done(turn)

    def _end_done(self, turn: Turn) -> None:
        for checkout in turn.profile.checkouts.values():
            if checkout.done is not None:
                self._end(turn, checkout)

    def _end(self, turn: Turn, checkout: Checkout) -> None:
        """What ended a checkout ends its reminder, and that of the cart it held until then, armed or not."""
        profile, lateness_ms = turn.profile, turn.book.rules.allowed_lateness_ms
        waited = waiting(profile, self, checkout.checkout_id) is not None
        if checkout.done == checkouts.REPLACED:
            cancel(turn, self, checkout.checkout_id, "replaced")
        else:
            cancel(turn, self, checkout.checkout_id, "ordered", checkout.done)
        at_ms = _done_ms(profile, checkout)
        held = (
            not checkout.reminded
            and at_ms is not None
            and turn.now_ms - lateness_ms <= at_ms <= checkout.moved_ms + self.rule(turn.book).delay_ms
        )
        cart = _cart(profile, checkout) if held or waited else None
        if cart is None:
            return
        if held:
            assert at_ms is not None
            carts.end(cart, at_ms, _ended(carts.ENDED, checkout.started_by, at_ms), lateness_ms)
        CART_ABANDONED.replan(turn, cart, "ordered")

    def on_parted(self, turn: Turn) -> None:
        """A checkout whose first reminder is still ahead waits for it with whom it belongs to."""
        for checkout in turn.profile.checkouts.values():
            if checkout.moved_ms + self.rule(turn.book).delay_ms > turn.now_ms:
                self.replan(turn, checkout)

    def replan(self, turn: Turn, checkout: Checkout) -> None:
        """Arm the first reminder where there is something to remind of, or move it, else end it: its cart is free then. Those
        that follow an emission keep theirs.
        """
        profile = turn.profile
        if checkout.done is not None or checkout.reminded:
            return
        episode = waiting(profile, self, checkout.checkout_id)
        if episode is not None and episode.occurrence > 1:
            return
        if not checkouts.basket(profile, checkout).lines:
            cancel(turn, self, checkout.checkout_id, "empty")
            return
        due_ms = checkout.moved_ms + self.rule(turn.book).delay_ms
        plan(turn, self, checkout.checkout_id, checkout.started_by, checkout.started_ms, due_ms)

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        checkout = turn.profile.checkouts.get(episode.key)
        if checkout is None:
            return None
        if episode.first_due_ms is None:
            return checkout.moved_ms + self.rule(turn.book).delay_ms
        after_ms = self._after_ms(turn.book, episode.occurrence)
        return episode.first_due_ms + after_ms if after_ms else None

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        checkout = turn.profile.checkouts.get(episode.key)
        if checkout is None:
            return "forgotten"
        if checkout.done is not None:
            return "replaced" if checkout.done == checkouts.REPLACED else "ordered"
        if episode.first_due_ms is not None and not self._after_ms(turn.book, episode.occurrence):
            return "disabled"
        return None if checkouts.basket(turn.profile, checkout).lines else "empty"

    def recheck(self, turn: Turn, episode: Episode) -> str | None:
        basket = checkouts.basket(turn.profile, turn.profile.checkouts[episode.key])
        return OUT_OF_STOCK if sold_out(basket.lines, turn.at.goods) else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        checkout = turn.profile.checkouts[episode.key]
        basket = checkouts.basket(turn.profile, checkout)
        return Content(
            items=items_of(basket.lines, basket.described, turn.at.goods),
            value_minor=basket.value_minor,
            currency=basket.currency,
            recovery_url=basket.url,
            details={"checkout_id": checkout.checkout_id, "cart_id": checkout.cart_id},
            cart_id=checkout.cart_id,
            checkout_id=checkout.checkout_id,
            rule="a checkout with items, no step for the delay, no order since",
        )

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        """Any order ends a checkout."""
        return order.at_ms >= sent.opened_ms

    def converts(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        if order.checkout_id is not None and order.checkout_id == sent.checkout_id:
            return True
        return covers_cart(order, sent)

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """Its cart is free again from here on; after an emission the next reminder is planned."""
        checkout = turn.profile.checkouts.get(episode.key)
        if checkout is None:
            return
        if episode.occurrence == 1 and checkout.cart_id is not None:
            cart = _cart(turn.profile, checkout)
            is_emptied = checkout.done is None and not checkouts.basket(turn.profile, checkout).lines
            if cart is not None and not is_emptied:
                kind = carts.EMITTED if state == "emitted" else carts.ENDED
                # What an order ended before it was due ended then: what is put in after that opens a new episode.
                due_ms = episode.due_ms
                ended_ms = _done_ms(turn.profile, checkout) or turn.time_ms
                at_ms = min(due_ms, ended_ms) if state == "cancelled" else max(due_ms, cart.changed_ms)
                carts.mark(cart, kind, at_ms, _ended(kind, episode.anchor, at_ms), turn.book.rules.allowed_lateness_ms)
        switched_off = episode.occurrence > 1 and not self._after_ms(turn.book, episode.occurrence)
        if state == "emitted":
            checkout.reminded = True
            self._plan_next(turn, episode, now_ms)
        elif switched_off and checkout.done is None and now_ms >= episode.due_ms and self.rule(turn.book).enabled:
            self._plan_next(turn, episode, episode.due_ms)  # the one after it is still wanted

    def _plan_next(self, turn: Turn, episode: Episode, since_ms: int) -> None:
        """Plan the next reminder that is due after `since_ms`, when the one before went out: after a night, or by new rules, two
        would go out in the same moment.
        """
        first_due_ms = episode.due_ms if episode.first_due_ms is None else episode.first_due_ms
        for occurrence in range(episode.occurrence + 1, LAST + 1):
            after_ms = self._after_ms(turn.book, occurrence)
            due_ms = first_due_ms + after_ms
            if not after_ms or due_ms <= since_ms:
                continue
            plan(turn, self, episode.key, episode.anchor, episode.opened_ms, due_ms, occurrence=occurrence)
            following = waiting(turn.profile, self, episode.key)
            if following is not None:
                following.first_due_ms = first_due_ms
            return

    def _after_ms(self, book: Book, occurrence: int) -> int:
        """How long after the first reminder's due time a further one is due; 0 is none."""
        rule = self.rule(book)
        return {2: rule.second_after_ms, 3: rule.third_after_ms}.get(occurrence, 0)


def _mark_of(profile: Profile, checkout: Checkout) -> str:
    """How a checkout stands among the operations of its cart; each of those that have no name of their own apart."""
    named = checkout.checkout_id != checkouts.nameless(profile.id)
    return f"checkout:{checkout.checkout_id if named else checkout.started_by}"


def _ended(kind: str, anchor: str, at_ms: int) -> str:
    """How the end of what waited for a cart stands among its operations."""
    return f"{kind}:{anchor}:{at_ms}"


def _was_sent(profile: Profile, episode: Episode) -> bool:
    """Whether a further reminder of a checkout, or of the one that she has under no name, went out under her other name since."""
    return profile.has_emitted and any(
        sent.name == episode.name
        and sent.key == episode.key
        and sent.occurrence >= episode.occurrence
        and sent.emitted_ms >= episode.opened_ms
        for sent in profile.emitted
    )


def _done_ms(profile: Profile, checkout: Checkout) -> int | None:
    """When the order or the newer checkout came that ended a checkout, where that is remembered."""
    if checkout.done == checkouts.REPLACED:
        begun = (one.started_ms for one in profile.checkouts.values() if one.announced)
        return min((ms for ms in begun if ms > checkout.started_ms), default=None)
    orders = profile.recent_orders if checkout.done is not None and profile.has_recent_orders else ()
    return next((order.at_ms for order in orders if order.order_id == checkout.done), None)


def _cart(profile: Profile, checkout: Checkout) -> Cart | None:
    return carts.find(profile, checkout.cart_id) if checkout.cart_id is not None else None


CHECKOUT_ABANDONED: Final = CheckoutAbandoned()
