"""checkout.abandoned: a checkout was begun and not finished. Up to three reminders; any order of the customer ends it."""

from typing import Final

from profiles import carts
from profiles.book import Book
from profiles.definition import Content
from profiles.episodes import cancel, plan, slot
from profiles.profile import Profile
from profiles.rules import CheckoutAbandonedRule
from profiles.state import CART_LINES_MAX, CHECKOUTS_MAX, Cart, Checkout, Emitted, Episode, RecentOrder
from profiles.triggers.cart_abandoned import CART_ABANDONED, covers_cart, items_of
from profiles.turn import Turn
from schemas.events import Arrival, CheckoutEvent, CheckoutStarted


def checkout_id_of(event: CheckoutEvent) -> str | None:
    """A checkout's id is its checkout_id, or the order id that stands in its place."""
    return event.checkout_id or event.order_id


class CheckoutAbandoned:
    """The trigger. Episodes are keyed by checkout."""

    name = "checkout.abandoned"
    version = 1

    def rule(self, book: Book) -> CheckoutAbandonedRule:
        return book.rules.checkout_abandoned

    def apply(self, turn: Turn, arrival: Arrival) -> None:
        """A step of a checkout: it takes its cart over, resets its reminder, and a new one replaces older ones."""
        event = arrival.event
        assert isinstance(event, CheckoutEvent)
        profile, at_ms = turn.profile, arrival.time_ms
        lateness_ms = turn.book.rules.allowed_lateness_ms
        checkout_id = checkout_id_of(event) or f"{profile.id}|checkout"
        checkout = profile.checkouts.get(checkout_id)
        if checkout is None:
            checkout = Checkout(checkout_id, started_ms=at_ms, started_by=event.message_id, moved_ms=at_ms)
            _make_room(profile)
            profile.checkouts[checkout_id] = checkout
        elif (at_ms, event.message_id) < (checkout.started_ms, checkout.started_by):
            checkout.started_ms, checkout.started_by = at_ms, event.message_id
        checkout.moved_ms = max(checkout.moved_ms, at_ms)
        if checkout.cart_id is None:
            cart_of = carts.newest_cart(profile)
            checkout.cart_id = event.cart_id or (cart_of.cart_id if cart_of else None)
        checkout.order_id = event.order_id or checkout.order_id
        if event.value_minor is not None:
            checkout.value_minor = event.value_minor
        checkout.currency = event.currency or checkout.currency
        checkout.url = event.url or checkout.url
        if event.products:
            products = event.products[:CART_LINES_MAX]
            checkout.lines = [carts.line_of(product, at_ms) for product in products]
            checkout.described = {}
            for product in products:
                carts.describe(checkout.described, product, at_ms)
        if type(event) is CheckoutStarted:
            self._replace_others(turn, checkout)
        self.replan(turn, checkout)
        if checkout.cart_id is not None:
            cart = carts.hand_over(
                profile, checkout.cart_id, checkout.started_ms, f"checkout:{checkout_id}", lateness_ms
            )
            CART_ABANDONED.replan(turn, cart, "checkout_started")

    def _replace_others(self, turn: Turn, checkout: Checkout) -> None:
        for other in list(turn.profile.checkouts.values()):
            if other is not checkout and other.started_ms <= checkout.started_ms and other.done is None:
                other.done = "replaced"
                cancel(turn, self, other.checkout_id, "replaced")

    def replan(self, turn: Turn, checkout: Checkout) -> None:
        """Arm the first reminder, or move it; reminders that follow an emission keep their times."""
        rule = self.rule(turn.book)
        profile = turn.profile
        waiting = profile.episodes.get(slot(self.name, checkout.checkout_id))
        if not rule.enabled or checkout.done is not None or checkout.reminded:
            return
        if waiting is not None and waiting.occurrence > 1:
            return
        if not _has_lines(profile, checkout):
            return
        due_ms = checkout.moved_ms + rule.delay_ms
        plan(turn, self, checkout.checkout_id, checkout.started_by, checkout.started_ms, due_ms)

    def cart_changed(self, turn: Turn, cart: Cart) -> None:
        """A change of a cart that a checkout took over resets the checkout's reminder."""
        for checkout in turn.profile.checkouts.values():
            if checkout.cart_id == cart.cart_id and checkout.done is None and cart.changed_ms > checkout.moved_ms:
                checkout.moved_ms = cart.changed_ms
                self.replan(turn, checkout)

    def ordered(self, turn: Turn, order: RecentOrder) -> None:
        """An order ends the checkout it names, and every other one begun before it."""
        for checkout in list(turn.profile.checkouts.values()):
            if checkout.done is None and (
                checkout.checkout_id == order.checkout_id or checkout.started_ms <= order.at_ms
            ):
                checkout.done = order.order_id
                cancel(turn, self, checkout.checkout_id, "ordered", order.order_id)

    def check(self, profile: Profile, episode: Episode, book: Book, now_ms: int) -> str | None:
        checkout = profile.checkouts.get(episode.key)
        if checkout is None:
            return "forgotten"
        if checkout.done is not None:
            return "ordered"
        return None if _has_lines(profile, checkout) else "empty"

    def superseded(self, profile: Profile, episode: Episode, book: Book, now_ms: int) -> bool:
        return False

    def content(self, profile: Profile, episode: Episode, book: Book) -> Content:
        checkout = profile.checkouts[episode.key]
        lines, described = checkout.lines, checkout.described
        if not lines and (cart := _cart(profile, checkout)) is not None:
            lines, described = list(cart.lines.values()), cart.described
        return Content(
            items=items_of(lines, described),
            value_minor=carts.value_minor(lines) if checkout.value_minor is None else checkout.value_minor,
            currency=checkout.currency,
            recovery_url=checkout.url,
            details={"checkout_id": checkout.checkout_id, "cart_id": checkout.cart_id},
            cart_id=checkout.cart_id,
            checkout_id=checkout.checkout_id,
            rule="a checkout with items, no step for the delay, no order since",
        )

    def covers(self, profile: Profile, order: RecentOrder, emitted: Emitted) -> bool:
        if order.checkout_id is not None and order.checkout_id == emitted.checkout_id:
            return True
        return covers_cart(order, emitted)

    def converts(self, profile: Profile, order: RecentOrder, emitted: Emitted) -> bool:
        return self.covers(profile, order, emitted)

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """Its cart is free again from here on; after an emission the next reminder is planned."""
        checkout = turn.profile.checkouts.get(episode.key)
        if checkout is None:
            return
        if episode.occurrence == 1 and checkout.cart_id is not None:
            cart = carts.find(turn.profile, checkout.cart_id)
            if cart is not None:
                kind = carts.EMITTED if state == "emitted" else carts.ENDED
                at_ms = max(episode.due_ms, cart.changed_ms)
                carts.mark(cart, kind, at_ms, f"{kind}:{episode.anchor}:{at_ms}", turn.book.rules.allowed_lateness_ms)
        if state == "emitted":
            checkout.reminded = True
            self._plan_next(turn, episode)

    def _plan_next(self, turn: Turn, episode: Episode) -> None:
        rule = self.rule(turn.book)
        first_due_ms = episode.due_ms if episode.first_due_ms is None else episode.first_due_ms
        after_ms = {1: rule.second_after_ms, 2: rule.third_after_ms}.get(episode.occurrence, 0)
        if after_ms:
            plan(
                turn,
                self,
                episode.key,
                episode.anchor,
                episode.opened_ms,
                first_due_ms + after_ms,
                occurrence=episode.occurrence + 1,
            )
            following = turn.profile.episodes.get(slot(self.name, episode.key))
            if following is not None:
                following.first_due_ms = first_due_ms


def _cart(profile: Profile, checkout: Checkout) -> Cart | None:
    return carts.find(profile, checkout.cart_id) if checkout.cart_id is not None else None


def _has_lines(profile: Profile, checkout: Checkout) -> bool:
    if checkout.lines:
        return True
    cart = _cart(profile, checkout)
    return cart is not None and bool(cart.lines)


def _make_room(profile: Profile) -> None:
    if len(profile.checkouts) >= CHECKOUTS_MAX:
        oldest = min(profile.checkouts.values(), key=lambda checkout: (checkout.moved_ms, checkout.checkout_id))
        del profile.checkouts[oldest.checkout_id]


CHECKOUT_ABANDONED: Final = CheckoutAbandoned()
