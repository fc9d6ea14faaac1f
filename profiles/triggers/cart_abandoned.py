"""cart.abandoned: items were left in a cart. Every change of the cart resets it; a checkout takes it over; an order ends it."""

from collections.abc import Iterable
from typing import Any, Final

from profiles import cart_currency, carts, checkouts
from profiles.book import Book
from profiles.cart_rules import CartAbandonedRule
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import cancel, plan, waiting
from profiles.gates import OUT_OF_STOCK
from profiles.gift_rules import missing_minor
from profiles.goods import good_key, in_stock
from profiles.goods_state import Goods
from profiles.profile import Profile
from profiles.state import Cart, CartLine, Description, Emitted, Episode, RecentOrder
from profiles.turn import Turn
from schemas.outputs import Item

ITEMS_MAX: Final = 20


def episode_key(profile: Profile, cart_id: str) -> str:
    """The cart id; for a sender without cart ids the customer's one cart."""
    return f"{profile.id}|cart" if cart_id == carts.DEFAULT_CART else cart_id


def items_of(lines: list[CartLine], described: dict[str, Description], goods: Goods) -> tuple[Item, ...]:
    """The lines as a trigger shows them, most valuable first, at most ITEMS_MAX."""
    ordered = sorted(lines, key=lambda line: (-(line.price_minor or 0) * line.quantity, line.product_id))
    return tuple(
        Item(
            product_id=line.product_id,
            variant_id=line.variant_id,
            sku=said.sku,
            name=said.name,
            category=said.category,
            brand=said.brand,
            price_minor=line.price_minor,
            price_at_add_minor=line.price_at_add_minor,
            quantity=line.quantity,
            url=said.url,
            image_url=said.image_url,
            in_stock=in_stock(goods, good_key(line.product_id, line.variant_id)),
        )
        for line in ordered[:ITEMS_MAX]
        for said in (carts.description_of(described, line),)
    )


def sold_out(lines: Iterable[CartLine], goods: Goods) -> bool:
    """Whether none of the lines can be had: each is known to be out of stock."""
    return all(in_stock(goods, good_key(line.product_id, line.variant_id)) is False for line in lines)


def covers_cart(order: RecentOrder, sent: Emitted) -> bool:
    """An order covers a cart if it names it or, naming none, has one of its items."""
    if order.cart_id is not None:
        return order.cart_id == sent.cart_id
    return not set(order.product_ids).isdisjoint(sent.product_ids)


class CartAbandoned(TriggerDefinition[CartAbandonedRule]):
    """The trigger. Episodes are keyed by cart."""

    name = "cart.abandoned"
    rule_type = CartAbandonedRule

    def on_cart(self, turn: Turn, cart: Cart) -> None:
        """What we hear of only now may have been ended by an order that is known already."""
        if turn.profile.has_recent_orders:
            self._end_by_known(turn)
        self.replan(turn, cart, "changed")

    def on_order(self, turn: Turn, told: OrderTold) -> None:
        if told.order is None:
            return
        touched = told.carts
        if self.rule(turn.book).any_order:
            touched = _end_by_any(turn, told.order)
        for cart in touched:
            self.replan(turn, cart, "ordered")

    def on_united(self, turn: Turn, brought: Profile) -> None:
        """An order of one may have ended, or bought, what was in a cart of the other; or turns out to have emptied another cart
        than was thought.
        """
        if turn.profile.has_recent_orders:
            self._end_by_known(turn)
            self._plan_anew(turn, "ordered")

    def _end_by_known(self, turn: Turn) -> None:
        for order in turn.profile.recent_orders if self.rule(turn.book).any_order else ():
            _end_by_any(turn, order)

    def on_parted(self, turn: Turn) -> None:
        """A cart that two customers filled is hers alone now."""
        self._plan_anew(turn, "split")

    def _plan_anew(self, turn: Turn, ground_gone: str) -> None:
        """Look again at each cart that waits, or changed of late."""
        profile, lately_ms = turn.profile, turn.now_ms - turn.book.rules.allowed_lateness_ms
        for cart in profile.carts.values():
            waits = waiting(profile, self, episode_key(profile, cart.cart_id)) is not None
            if waits or cart.changed_ms >= lately_ms:
                self.replan(turn, cart, ground_gone)

    def replan(self, turn: Turn, cart: Cart, ground_gone: str) -> None:
        """Arm, move or cancel this cart's episode after the cart changed; `ground_gone` is the reason if it has none."""
        key = episode_key(turn.profile, cart.cart_id)
        if cart.lines and cart.opened_ms is not None and cart.opened_by is not None:
            if pending_checkout(turn.profile, cart.cart_id):
                cancel(turn, self, key, "checkout_started")
            else:
                plan(turn, self, key, cart.opened_by, cart.opened_ms, self._due_ms(turn.book, cart))
        else:
            cancel(turn, self, key, ground_gone if cart.lines else _empty_reason(ground_gone))

    def _due_ms(self, book: Book, cart: Cart) -> int:
        return cart.changed_ms + self.rule(book).delay_ms

    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        cart = cart_of(turn.profile, episode)
        return None if cart is None else self._due_ms(turn.book, cart)

    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        cart = cart_of(turn.profile, episode)
        if cart is None or now_ms - cart.mutated_ms > self.rule(turn.book).forget_ms:
            return "forgotten"
        return None if cart.lines else "empty"

    def recheck(self, turn: Turn, episode: Episode) -> str | None:
        cart = cart_of(turn.profile, episode)
        return OUT_OF_STOCK if cart is not None and sold_out(cart.lines.values(), turn.at.goods) else None

    def content(self, turn: Turn, episode: Episode) -> Content:
        cart = cart_of(turn.profile, episode)
        assert cart is not None
        lines, currency = cart_currency.shown(cart)
        details: dict[str, Any] = {"cart_id": cart.cart_id}
        if (missing := missing_minor(turn.book, cart)) is not None:
            details["gift_missing_minor"] = missing
        return Content(
            items=items_of(lines, cart.described, turn.at.goods),
            value_minor=carts.value_minor(lines),
            currency=currency,
            recovery_url=cart.url,
            details=details,
            cart_id=cart.cart_id,
            rule="a cart with items, unchanged for the delay, not bought and not in checkout",
        )

    def covers(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        return order.at_ms >= sent.opened_ms and (self.rule(turn.book).any_order or covers_cart(order, sent))

    def converts(self, turn: Turn, order: RecentOrder, sent: Emitted) -> bool:
        return covers_cart(order, sent)

    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        """After an emission only an item added arms again, after any other end any change of the cart."""
        cart = cart_of(turn.profile, episode)
        if cart is None or (cart.opened_ms is None and state != "emitted"):
            return
        if state == "cancelled" and pending_checkout(turn.profile, cart.cart_id):
            return  # the checkout waits in its place, and stands among the operations itself
        kind = carts.EMITTED if state == "emitted" else carts.ENDED
        # At the time it was due, not when it was decided: behind a backlog what happened in between is still to be read.
        # What an event ended before (a withdrawn consent) ended then, and what is put in after that opens a new episode.
        at_ms = max(min(episode.due_ms, turn.time_ms), cart.changed_ms)
        word = carts.EARLY if state == "cancelled" and at_ms < episode.due_ms else kind
        mark_id = f"{word}:{episode.anchor}:{at_ms}"
        carts.mark(cart, kind, at_ms, mark_id, turn.book.rules.allowed_lateness_ms)


def cart_of(profile: Profile, episode: Episode) -> Cart | None:
    """The cart an episode is about; None where it was forgotten."""
    if episode.key == episode_key(profile, carts.DEFAULT_CART):
        return carts.find(profile, carts.DEFAULT_CART)
    return carts.find(profile, episode.key)


def _end_by_any(turn: Turn, order: RecentOrder) -> list[Cart]:
    """End the present episodes of the carts that were open when an order was placed; gives these."""
    known = carts.all_carts(turn.profile).values()
    begun = [cart for cart in known if cart.opened_ms is not None and order.at_ms >= cart.opened_ms]
    for cart in begun:
        carts.mark(cart, carts.ENDED, order.at_ms, f"any:{order.order_id}", turn.book.rules.allowed_lateness_ms)
    return begun


def pending_checkout(profile: Profile, cart_id: str) -> bool:
    """Whether a checkout that took this cart over still waits for its first reminder."""
    return profile.has_checkouts and any(
        checkout.cart_id == cart_id
        and (episode := profile.episodes.get(f"{checkouts.TRIGGER}|{checkout.checkout_id}")) is not None
        and episode.occurrence == 1
        for checkout in profile.checkouts.values()
    )


def _empty_reason(ground_gone: str) -> str:
    return "empty" if ground_gone == "changed" else ground_gone


CART_ABANDONED: Final = CartAbandoned()
