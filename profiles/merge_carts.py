"""Carts, checkouts and remembered orders of two profiles become those of one.

A cart is the fold of its operations, so carts of the same id are united by uniting the operations and folding anew. That is
exact for what both still keep as operations, the last day; of what was folded into bases before, each line keeps the
newer word.
"""

import msgspec

from profiles import cart_currency, carts, checkouts
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.state import CART_LINES_MAX, CART_OPS_MAX, CARTS_MAX, CHECKOUTS_MAX, Cart, CartLine, Checkout, RecentOrder

_copy = msgspec.structs.replace


def unite(into: Profile, other: Profile, ledger: Ledger, lateness_ms: int, *, again: bool) -> None:
    """Take over the carts, remembered orders and checkouts of `other`; `ledger` is the united one.

    Orders of either are held against the carts of both. `again` says that `other` was absorbed before: operations that
    have since been folded into a base are not added a second time.
    """
    carts.all_carts(into)
    carts.all_carts(other)
    _unite_checkouts(into, other)
    changed = _unite_orders(into, other, ledger)
    before = set(into.carts)
    for cart_id, theirs in other.carts.items():
        ours = into.carts.get(cart_id)
        if ours is None:
            into.carts[cart_id] = theirs
        else:
            _unite_cart(ours, theirs, again=again)
    for cart in into.carts.values():
        if changed or cart.cart_id not in before or cart.cart_id in other.carts:
            _refold(cart, into.recent_orders, lateness_ms)
    if into.has_checkouts:
        checkouts.settle(into)
    while len(into.carts) > CARTS_MAX:
        oldest = min(into.carts.values(), key=lambda cart: (cart.changed_ms, cart.cart_id))
        del into.carts[oldest.cart_id]


def _unite_orders(into: Profile, other: Profile, ledger: Ledger) -> bool:
    """Unite the remembered orders, each as its united entry has it where that is loaded. True if any changed."""
    before = [*into.recent_orders]
    known = {order.order_id: order for order in (*other.recent_orders, *before)}
    for order in other.recent_orders:
        if order.told_ms > known[order.order_id].told_ms:
            known[order.order_id] = _copy(known[order.order_id], told_ms=order.told_ms)
    into.recent_orders.clear()
    for order in known.values():
        carts.remember_order(into, _described(order, into, ledger))
    return into.recent_orders != before


def _described(order: RecentOrder, profile: Profile, ledger: Ledger) -> RecentOrder:
    """An order as its entry has it; its cart is the one it names, itself or through its checkout."""
    entry = ledger.known(order.order_id)
    if entry is not None and entry.placed_ms is not None:
        products = sorted({line.product_id for line in entry.lines}) or order.product_ids
        gone = carts.gone_of(entry, products)
        named = (entry.order_id, entry.cart_id, entry.checkout_id)
        order = RecentOrder(entry.placed_ms, *named, products, gone, order.told_ms)
    checkout = None if order.cart_id else checkouts.of_order(profile, order.checkout_id, order.order_id)
    return order if checkout is None else _copy(order, cart_id=checkout.cart_id)


def _unite_cart(ours: Cart, theirs: Cart, *, again: bool) -> None:
    if (theirs.changed_ms, theirs.url or "") > (ours.changed_ms, ours.url or ""):
        ours.url = theirs.url or ours.url
    else:
        ours.url = ours.url or theirs.url
    for key, said in theirs.described.items():
        carts.keep_description(ours.described, key, said)
    ours.told = sorted({*ours.told, *theirs.told})
    known = {op.message_id for op in ours.ops}
    # Nothing says which operations a base was folded from, but all of them came before the ones that are left.
    folded_to = carts.place(ours.ops[0]) if again and ours.ops and ours.base_changed_ms else (0, 0, "")
    ours.ops += [op for op in theirs.ops if op.message_id not in known and carts.place(op) >= folded_to]
    taken = [] if again else _unite_base(ours, theirs)
    cart_currency.unite(ours, theirs, taken)


def _unite_base(ours: Cart, theirs: Cart) -> list[str]:
    """The lines that are those of theirs now, by their keys."""
    taken: list[str] = []
    if not theirs.base_changed_ms:
        return taken
    lines: dict[str, CartLine] = dict(ours.base_lines)
    for key, line in theirs.base_lines.items():
        known = lines.get(key)
        if known is None or (known.added_ms, known.quantity) < (line.added_ms, line.quantity):
            lines[key] = line
            taken.append(key)
    newest = sorted(lines.items(), key=lambda item: (-item[1].added_ms, item[0]))
    ours.base_lines = dict(newest[:CART_LINES_MAX])
    openings = [
        (cart.base_opened_ms, cart.base_opened_by or "") for cart in (ours, theirs) if cart.base_opened_ms is not None
    ]
    ours.base_opened_ms, ours.base_opened_by = min(openings, default=(None, None))
    newer = max((ours, theirs), key=lambda cart: (cart.base_changed_ms, cart.base_needs_add))
    ours.base_needs_add = newer.base_needs_add
    ours.base_changed_ms = newer.base_changed_ms
    ours.base_mutated_ms = max(ours.base_mutated_ms, theirs.base_mutated_ms)
    return taken


def _refold(cart: Cart, orders: list[RecentOrder], lateness_ms: int) -> None:
    """Hold the orders against the cart and work it out anew."""
    ops = {op.message_id: op for op in cart.ops}
    newest_ms = max((op.at_ms for op in cart.ops), default=cart.base_changed_ms)
    for order in orders:
        ops.pop(carts.order_mark(order), None)
        op = carts.order_op(order, cart.cart_id)
        # An older order took what it bought out of the cart when that part of it was folded.
        if op is not None and op.at_ms >= newest_ms - lateness_ms:
            ops[op.message_id] = op
    cart.ops = sorted(ops.values(), key=carts.place)
    carts.fold(cart)
    if cart.ops and (cart.ops[-1].at_ms - cart.ops[0].at_ms > lateness_ms or len(cart.ops) > CART_OPS_MAX):
        carts.fold_into_base(cart, cart.ops[-1].at_ms - lateness_ms)


def _unite_checkouts(into: Profile, other: Profile) -> None:
    here, there = checkouts.nameless(into.id), checkouts.nameless(other.id)
    for known_as, theirs in other.checkouts.items():
        checkout_id = known_as
        if known_as == there:
            checkout_id = theirs.checkout_id = here
        ours = into.checkouts.get(checkout_id)
        into.checkouts[checkout_id] = theirs if ours is None else _united_checkout(ours, theirs, nameless=here)
    while len(into.checkouts) > CHECKOUTS_MAX:
        oldest = min(into.checkouts.values(), key=lambda checkout: (checkout.moved_ms, checkout.checkout_id))
        del into.checkouts[oldest.checkout_id]


def _united_checkout(ours: Checkout, theirs: Checkout, *, nameless: str) -> Checkout:
    """One checkout of both: begun at the earlier start, as the one that moved last describes it, done if either is. Of two that
    name none, one that began after the other was over is another checkout.
    """
    older, newer = sorted(
        (ours, theirs), key=lambda checkout: (checkout.moved_ms, checkout.started_ms, checkout.started_by)
    )
    is_over = older.done is not None or older.reminded
    if ours.checkout_id == nameless and is_over and newer.started_ms > older.moved_ms:
        return newer
    first = min(ours, theirs, key=lambda checkout: (checkout.started_ms, checkout.started_by))
    valued = max(newer, older, key=lambda checkout: (checkout.value_minor is not None, checkout.value_ms))
    filled = max(newer, older, key=checkouts.told_ms)
    currency = newer.currency or older.currency
    return _copy(
        newer,
        started_ms=first.started_ms,
        started_by=first.started_by,
        cart_id=newer.cart_id or older.cart_id,
        order_id=newer.order_id or older.order_id,
        value_minor=valued.value_minor if valued.currency in (None, currency) else None,
        value_ms=valued.value_ms,
        currency=currency,
        url=newer.url or older.url,
        lines=filled.lines if filled.currency in (None, currency) else cart_currency.unpriced(filled.lines),
        described=filled.described,
        reminded=newer.reminded or older.reminded,
        done=newer.done or older.done,
        announced=newer.announced or older.announced,
        also=newer.also or older.also,
    )
