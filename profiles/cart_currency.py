"""One currency for a cart, or a checkout, whose prices were told in two.

A sum of two currencies is no amount, and a rate of the day is not the price that the shop would ask. So it is shown in the
currency of what was added last, which is how she sees the shop now: prices in another one are left out, and are in no value.

Nearly all carts have one currency, and keep nothing more than that. `Cart.currency` is the first that was named; what is in
another one is noted (`Cart.priced_in`).
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from profiles.goods import good_key
from profiles.state import Cart, CartLine, CartOp, PricedIn

_TELLS_PRICES: Final = ("add", "set")
"""Operations (of `profiles.carts`) whose prices become those of the cart."""
Named = dict[str, str | None]
"""Currencies of prices by the key of the line; None is the shop's."""


def note(cart: Cart, message_id: str, currency: str) -> None:
    """An operation tells prices in another currency than the first of the cart."""
    others = cart.priced_in = cart.priced_in or PricedIn()
    others.ops[message_id] = currency


def shown(cart: Cart) -> tuple[list[CartLine], str | None]:
    """The lines of a cart, with prices in one currency alone, which is given too (None: the shop's)."""
    lines = list(cart.lines.values())
    return in_one(lines, of_lines(cart)) if cart.priced_in is not None else (lines, cart.currency)


def used(cart: Cart) -> set[str | None]:
    """The currencies of the prices in a cart."""
    if cart.priced_in is None:
        return {cart.currency}
    named = of_lines(cart)
    return {named[key] for key, line in cart.lines.items() if line.price_minor is not None}


def of_lines(cart: Cart) -> Named:
    """The currency in which the price of each line of a cart was told."""
    return after(cart, _of_base(cart), cart.ops)


def after(cart: Cart, named: Named, ops: Iterable[CartOp]) -> Named:
    """Currencies of prices after some operations of the cart on them."""
    named = {**named}
    for op in ops:
        currency = _told_in(cart, op)
        for line in op.lines if op.kind in _TELLS_PRICES else ():
            if line.price_minor is not None:
                named[good_key(line.product_id, line.variant_id)] = currency
    return named


def in_one(lines: Iterable[CartLine], named: Named, wanted: str | None = None) -> tuple[list[CartLine], str | None]:
    """Lines with the prices of one currency alone: the `wanted` one, or that of the price that was added last. What a line cost
    when it was added may have been told in either, and is left out.
    """
    priced = {good_key(line.product_id, line.variant_id): line for line in lines if line.price_minor is not None}
    if wanted is None and priced:
        wanted = named.get(max(priced, key=lambda key: (priced[key].added_ms, key)))
    return [
        replace(
            line,
            price_minor=line.price_minor if named.get(good_key(line.product_id, line.variant_id)) == wanted else None,
            price_at_add_minor=None,
        )
        for line in lines
    ], wanted


def unpriced(lines: Iterable[CartLine]) -> list[CartLine]:
    """Lines without their prices."""
    return [replace(line, price_minor=None, price_at_add_minor=None) for line in lines]


def fold(cart: Cart, count: int) -> None:
    """Keep what the first operations told, which are about to go into the base."""
    named = after(cart, _of_base(cart), cart.ops[:count])
    told = _others(cart.currency, named)
    ops = _others(cart.currency, {op.message_id: _told_in(cart, op) for op in cart.ops[count:]})
    cart.priced_in = PricedIn(ops, told) if ops or told else None


def unite(ours: Cart, theirs: Cart, base_lines: Iterable[str]) -> None:
    """Two carts become one, which has the operations of both already, and these lines of the base of theirs."""
    ours.currency = ours.currency or theirs.currency
    if ours.priced_in is None and theirs.priced_in is None and theirs.currency in (None, ours.currency):
        return
    own = {op.message_id: _told_in(theirs, op) for op in theirs.ops if op.lines}
    ops = {op.message_id: own.get(op.message_id, _told_in(ours, op)) for op in ours.ops}
    named, theirs_named = _of_base(ours), _of_base(theirs)
    named |= {key: theirs_named[key] for key in base_lines}
    ours.priced_in = PricedIn(_others(ours.currency, ops), _others(ours.currency, named))


def _told_in(cart: Cart, op: CartOp) -> str | None:
    return cart.currency if cart.priced_in is None else cart.priced_in.ops.get(op.message_id, cart.currency)


def _of_base(cart: Cart) -> Named:
    others = {} if cart.priced_in is None else cart.priced_in.base
    return {key: others.get(key, cart.currency) for key in cart.base_lines}


def _others(currency: str | None, named: Named) -> dict[str, str]:
    """Those that are in another currency than this one."""
    return {key: told for key, told in named.items() if told is not None and told != currency}
