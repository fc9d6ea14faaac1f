"""Carts at item level: each cart is the fold of its operations in event-time order.

Adds, removals, snapshots, views, checkouts and orders are operations. An operation that comes late is put in its place and
the fold is done again, so that every order of arrival within a day gives the same cart. Operations older than a day are
folded into the cart's base. What a trigger did (`EMITTED`, `ENDED`) stands among the operations too: after an emission
only an item added opens a new episode, after any other end any change does.

Start at `apply_cart_event` and `apply_order`; `fold` is the heart.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Raw

from profiles import cart_currency
from profiles.contribution import is_undone, net_units
from profiles.goods import good_key
from profiles.order_state import OrderEntry
from profiles.profile import Profile
from profiles.state import (
    CART_LINES_MAX,
    CART_OPS_MAX,
    CARTS_MAX,
    Cart,
    CartLine,
    CartOp,
    Description,
    OpLine,
    RecentOrder,
    encode,
)
from schemas.events import (
    Arrival,
    CartUpdated,
    CartViewed,
    Event,
    Product,
    ProductAdded,
    ProductRemoved,
    WishlistProductAddedToCart,
)

ADD: Final = "add"
REMOVE: Final = "remove"
SET: Final = "set"
VIEW: Final = "view"
CHECKOUT: Final = "checkout"
ORDER: Final = "order"
COVER: Final = "cover"
ENDED: Final = "ended"
EMITTED: Final = "emitted"
EARLY: Final = "early"
"""How the ids of those ENDED begin that an event brought about before the episode was due: it withdrew consent."""

_OPERATIONS: Final[dict[type[Event], str]] = {
    ProductAdded: ADD,
    WishlistProductAddedToCart: ADD,
    ProductRemoved: REMOVE,
    CartViewed: VIEW,
    CartUpdated: SET,
}
MARKS: Final = frozenset((ENDED, EMITTED, CHECKOUT))
_TURNS: Final = {ADD: 0, VIEW: 0, REMOVE: 1, SET: 2} | dict.fromkeys((*MARKS, ORDER, COVER), 3)
"""Of one moment: what is taken out was put in before, a snapshot knows of both, and what ends a cart ends what they made."""

DEFAULT_CART: Final = "~cart"
"""The cart of a sender that names none."""

Brought = tuple[int, str]
"""When a snapshot brought something into a cart, and the key of its line."""

DAY_MS: Final = 86_400_000
RECENT_ORDERS_KEPT_MS: Final = 30 * DAY_MS
RECENT_ORDERS_MAX: Final = 16

_decode = msgspec.json.Decoder(Cart).decode


line_key = good_key
"""The key of a cart line: a product, or one variant of it, as goods are known by."""


def line_of(product: Product, at_ms: int) -> CartLine:
    """A cart line as an event shows it."""
    price = product.price_minor
    return CartLine(product.product_id, product.variant_id, float(product.quantity), at_ms, price, price)


def describe(described: dict[str, Description], product: Product, at_ms: int) -> None:
    """Keep how an event describes a product: the fullest description, of equally full ones the newest.

    So no order of arrival matters, and a terse event does not take a name or a picture away.
    """
    said = Description(
        at_ms, product.sku, product.name, product.category, product.brand, product.url, product.image_url
    )
    keep_description(described, line_key(product.product_id, product.variant_id), said)


def keep_description(described: dict[str, Description], key: str, said: Description) -> None:
    """As `describe`, for a description that was made already; one that says nothing is not kept."""
    known = described.get(key, _NOT_DESCRIBED)
    gained = _left_out(known) - _left_out(said)
    if gained > 0 or (gained == 0 and known is not _NOT_DESCRIBED and _newness(said) > _newness(known)):
        described[key] = said


def description_of(described: dict[str, Description], line: CartLine) -> Description:
    """How the product of a line was described; an empty description where no event said anything."""
    return described.get(line_key(line.product_id, line.variant_id)) or _NOT_DESCRIBED


_NOT_DESCRIBED: Final = Description(0)


def _left_out(one: Description) -> int:
    return (one.sku, one.name, one.category, one.brand, one.url, one.image_url).count(None)


def _newness(one: Description) -> tuple[int, str, str, str, str, str, str]:
    """By time; at the same moment by the texts, so that every order of arrival agrees."""
    texts = (one.sku or "", one.name or "", one.category or "", one.brand or "", one.url or "", one.image_url or "")
    return (one.at_ms, *texts)


def value_minor(lines: Iterable[CartLine]) -> int:
    """What lines are worth at the prices last seen, minor units of their currency; half-even for parts of units."""
    return sum(round(line.price_minor * line.quantity) for line in lines if line.price_minor is not None)


def apply_cart_event(profile: Profile, arrival: Arrival, lateness_ms: int, forget_ms: int) -> Cart | None:
    """Apply a cart event. The cart it changed, or None where the very event was applied before. A cart whose last change is
    longer ago than `forget_ms` was dropped by then, whether or not she came by in between: this one begins anew. One that never
    changed is known by what a checkout or a trigger did.
    """
    event: Any = arrival.event  # of the kinds in _OPERATIONS, which have what is asked of them
    at_ms, kind, url = arrival.time_ms, _OPERATIONS[type(event)], None
    products: tuple[Product, ...] = ()
    if kind == SET:
        products, url = event.products[:CART_LINES_MAX], event.url
    elif kind == VIEW:
        url = event.url
    else:
        products = (event.product,)
    cart_id = event.cart_id or DEFAULT_CART
    cart, forgotten_ms = find(profile, cart_id), at_ms - forget_ms
    if cart is None or (cart.mutated_ms < forgotten_ms and 0 < cart.changed_ms < forgotten_ms):
        cart = _new_cart(profile, cart_id, at_ms, lateness_ms)
    op = CartOp(at_ms, event.message_id, kind, [_op_line(product) for product in products])
    if event.currency is not None and event.currency != cart.currency:
        if cart.currency is None:
            cart.currency = event.currency
        elif kind != VIEW:  # a look takes over no prices
            cart_currency.note(cart, event.message_id, event.currency)
    if not _insert(cart, op, lateness_ms):
        return None
    for product in products:
        describe(cart.described, product, at_ms)
    if url is not None:
        cart.url = url
    return cart


def lines_since(cart: Cart, lines: list[CartLine], told_ms: int) -> list[CartLine]:
    """What lines that were told at a moment have become by what happened to their cart since."""
    if cart.mutated_ms <= told_ms:
        return lines
    if cart.base_mutated_ms > told_ms:  # too long ago for its operations to be there still
        return list(cart.lines.values())
    now = Cart(cart.cart_id, lines={line_key(line.product_id, line.variant_id): _copy(line) for line in lines})
    for op in cart.ops:
        if op.at_ms > told_ms:
            _apply(now, op)
    return list(now.lines.values())


def _op_line(product: Product) -> OpLine:
    # The quantity as a float, since an int would come back from storage as one and be other bytes than before.
    return OpLine(product.product_id, product.variant_id, float(product.quantity), product.price_minor)


def last_change_ms(cart: Cart) -> int:
    """When anything last happened to a cart, be it a look at it."""
    return max(cart.mutated_ms, cart.changed_ms)


def added_by(cart: Cart, event: CartUpdated, at_ms: int) -> list[Product]:
    """Of a snapshot of that moment, the products that came into the cart with it, or were raised, whatever came of them since."""
    lines, ops = cart.lines, cart.ops
    if ops and ops[-1].message_id != event.message_id:  # it is heard of late
        then = _base(cart)
        for op in ops:
            _apply(then, op)
            if op.message_id == event.message_id:
                lines = then.lines
                break
    added: dict[str, Product] = {}
    for product in event.products:
        key = line_key(product.product_id, product.variant_id)
        line = lines.get(key)
        if line is not None and line.added_ms == at_ms:
            added[key] = product
    return list(added.values())


def brought_anew(cart: Cart, message_id: str) -> tuple[list[Brought], list[Brought]]:
    """What later snapshots brought into the cart before this late event was heard of and no longer do, and what they bring only
    since.
    """
    if all(op.kind != SET for op in cart.ops):
        return [], []
    before, after = _brought(cart, message_id, heard=False), _brought(cart, message_id, heard=True)
    return sorted(before - after), sorted(after - before)


def _brought(cart: Cart, message_id: str, *, heard: bool) -> set[Brought]:
    """What the snapshots but for this event itself bring, with the moment, as if the event was heard of or was not."""
    then = _base(cart)
    found: set[Brought] = set()
    for op in cart.ops:
        is_it = op.message_id == message_id
        if is_it and not heard:
            continue
        _apply(then, op)
        if op.kind == SET and not is_it:
            found.update((op.at_ms, key) for key, line in then.lines.items() if line.added_ms == op.at_ms)
    return found


def mark(cart: Cart, kind: str, at_ms: int, mark_id: str, lateness_ms: int) -> None:
    """Put a trigger's end or emission, or a checkout, among the cart's operations."""
    _insert(cart, CartOp(at_ms, mark_id, kind), lateness_ms)


def end(cart: Cart, at_ms: int, mark_id: str, lateness_ms: int) -> None:
    """Put the end of a checkout that held a cart among its operations, in place of a later end of the same checkout.

    The mark ends with the moment.
    """
    same = mark_id.removesuffix(str(at_ms))
    kept = [op for op in cart.ops if op.at_ms <= at_ms or not op.message_id.startswith(same)]
    if len(kept) < len(cart.ops):
        cart.ops = kept
        fold(cart)
    mark(cart, ENDED, at_ms, mark_id, lateness_ms)


def mark_as(cart: Cart, known: Cart, at_ms: int, lateness_ms: int, others: range) -> None:
    """Let a cart know what was sent about it, or ended, while it was taken for `known`, which it was a part of; but not what
    somebody else withdrew, in the moments `others`.
    """
    for op in known.ops:
        if op.kind in MARKS and not (op.at_ms in others and op.message_id.startswith(EARLY)):
            mark(cart, op.kind, op.at_ms, op.message_id, lateness_ms)
    is_ended = known.opened_ms is None and known.base_opened_ms is None
    if is_ended and cart.opened_ms is not None and cart.lines.keys() <= known.base_lines.keys():
        # Longer ago than operations are kept, and not by an order of the other's, which takes lines out.
        kind = EMITTED if known.base_needs_add else ENDED
        mark(cart, kind, max(at_ms, cart.changed_ms), f"{kind}:{known.cart_id}", lateness_ms)


def hand_over(profile: Profile, cart_id: str, at_ms: int, message_id: str, lateness_ms: int) -> Cart:
    """A checkout takes a cart over, at the earliest moment that is told; the cart need not be known yet."""
    cart = find(profile, cart_id) or _new_cart(profile, cart_id, at_ms, lateness_ms)
    cart.ops = [op for op in cart.ops if op.message_id != message_id or op.at_ms <= at_ms]
    _insert(cart, CartOp(at_ms, message_id, CHECKOUT), lateness_ms)
    return cart


def newest_cart(profile: Profile) -> Cart | None:
    """The customer's non-empty cart that changed last."""
    full = [cart for cart in all_carts(profile).values() if cart.lines]
    return max(full, key=lambda cart: (cart.mutated_ms, cart.cart_id), default=None)


def added_ms(profile: Profile) -> int:
    """When the customer last put anything into a cart, as far as her carts still tell; 0 where they don't."""
    known = profile.carts.values()
    added = [line.added_ms for cart in known for line in cart.lines.values()]
    return max(added + [op.at_ms for cart in known for op in cart.ops if op.kind == ADD], default=0)


def kept_carts(profile: Profile, now_ms: int, forget_ms: int) -> list[Cart]:
    """Her carts that hold something, without those whose last change is longer ago than `forget_ms`, though she did not come by
    since, so that they were not tidied up; only to look at.
    """
    horizon_ms = now_ms - forget_ms
    return [cart for cart in seen_carts(profile) if cart.lines and last_change_ms(cart) >= horizon_ms]


def kept_products(profile: Profile, now_ms: int, forget_ms: int) -> set[str]:
    """What lies in these carts."""
    return {line.product_id for cart in kept_carts(profile, now_ms, forget_ms) for line in cart.lines.values()}


def any_full(profile: Profile, now_ms: int, forget_ms: int) -> bool:
    """Whether the customer has a cart with items that changed within `forget_ms`."""
    horizon_ms = now_ms - forget_ms
    return any(cart.lines and cart.mutated_ms >= horizon_ms for cart in profile.carts.values()) or any(
        changed_ms >= horizon_ms and _decode(stored).mutated_ms >= horizon_ms  # it may have been looked at since
        for changed_ms, stored in profile.left_carts.values()
    )


# --- orders -------------------------------------------------------------------------------------------------------


def apply_order(profile: Profile, entry: OrderEntry, cart_id: str | None, lateness_ms: int) -> list[Cart]:
    """Let a placed order empty the cart it names, or, naming none, take its products out of every cart open at its time.

    Works from the order's ledger entry, so a later version of the order takes the place of what an earlier one did.
    `cart_id` is the cart it names, itself or through its checkout. Gives the carts it touched.
    """
    assert entry.placed_ms is not None
    products = sorted({line.product_id for line in entry.lines})
    known = recent_order(profile, entry.order_id)
    if known is not None:
        profile.recent_orders.remove(known)
    gone, told_ms = ([], 0) if known is None else (known.gone, max(known.at_ms, known.told_ms))
    if told_ms <= entry.placed_ms:
        told_ms = 0
    order = RecentOrder(entry.placed_ms, entry.order_id, cart_id, entry.checkout_id, products, gone, told_ms)
    remember_order(profile, order)
    if order == known:
        return []
    if known is not None:
        return hold_anew(profile, order, lateness_ms)
    if cart_id is not None:
        named = find(profile, cart_id)
        concerned = [] if named is None else [named]
    else:
        concerned = list(all_carts(profile).values())
    touched = []
    for cart in concerned:
        op = order_op(order, cart.cart_id)
        if op is not None:
            _insert(cart, op, lateness_ms)
            touched.append(cart)
    return touched


def hold_anew(profile: Profile, order: RecentOrder, lateness_ms: int) -> list[Cart]:
    """Let an order of which more is known by now do that to the carts, in place of what it did before; gives all carts."""
    known = list(all_carts(profile).values())
    for cart in known:
        op = order_op(order, cart.cart_id)
        cart.ops = [other for other in cart.ops if other.message_id != order_mark(order)]
        if op is not None:
            _insert(cart, op, lateness_ms)
        fold(cart)
    return known


def order_mark(order: RecentOrder) -> str:
    """The message id under which an order stands among a cart's operations."""
    return f"order:{order.order_id}"


def order_op(order: RecentOrder, cart_id: str) -> CartOp | None:
    """What an order does to a cart: empty the one it names, or cover lines where it names none; None for any other."""
    if order.cart_id is not None:
        return CartOp(order.at_ms, order_mark(order), ORDER) if order.cart_id == cart_id else None
    if not order.product_ids:
        return None
    lines = [OpLine(product_id, None, 0.0) for product_id in order.product_ids]
    return CartOp(order.at_ms, order_mark(order), COVER, lines)


def remember_order(profile: Profile, order: RecentOrder) -> None:
    """Keep a placed order of the last 30 days for carts and conversions still to come; at most RECENT_ORDERS_MAX."""
    orders = profile.recent_orders
    orders.append(order)
    orders.sort(key=lambda other: (other.at_ms, other.order_id))
    horizon = orders[-1].at_ms - RECENT_ORDERS_KEPT_MS
    if orders[0].at_ms < horizon or len(orders) > RECENT_ORDERS_MAX:
        kept = [other for other in orders if other.at_ms >= horizon][-RECENT_ORDERS_MAX:]
        if profile.has_watches or profile.has_wishes:
            for past in orders[: len(orders) - len(kept)]:
                _settle(profile, past)
        orders[:] = kept


def recent_order(profile: Profile, order_id: str) -> RecentOrder | None:
    """An order of the last 30 days, as it is remembered."""
    return next((order for order in profile.recent_orders if order.order_id == order_id), None)


def gone_of(entry: OrderEntry, product_ids: list[str]) -> list[str]:
    """Of the products of an order those that she did not keep."""
    if is_undone(entry):
        return product_ids
    if not entry.refunds or not entry.lines:
        return []
    units = net_units(entry)
    return [product_id for product_id in product_ids if product_id not in units]


def note_gone(order: RecentOrder, entry: OrderEntry) -> list[str]:
    """Note with an order which of its products she did not keep; gives those of whom that is news."""
    known, order.gone = order.gone, gone_of(entry, order.product_ids)
    return [product_id for product_id in order.gone if product_id not in known]


def _settle(profile: Profile, order: RecentOrder) -> None:
    """Note with what she watches and wishes for that an order which is kept no longer had it: both are open for longer."""
    bought = order.bought
    for product_id in bought if profile.has_wishes else ():
        wish = profile.wishes.get(product_id)
        if wish is not None and wish.adds and wish.adds[0][0] <= order.at_ms:
            wish.told_ms = max(wish.told_ms, order.at_ms)
    for key, watch in profile.watches.items() if profile.has_watches else ():
        if watch.product_id in bought:
            if watch.wish is not None and watch.wish[0] <= order.at_ms:
                watch.wish = (order.at_ms, False)
            if watch.waits and watch.alert is not None and watch.alert[0] <= order.at_ms:
                watch.alert_done = watch.alert
                profile.rewatched.append(key)


def _new_cart(profile: Profile, cart_id: str, at_ms: int, lateness_ms: int) -> Cart:
    cart, here = Cart(cart_id), profile.carts
    here[cart_id] = cart
    for order in profile.recent_orders if profile.has_recent_orders else ():
        if order.at_ms >= at_ms - lateness_ms:
            op = order_op(order, cart_id)
            if op is not None:
                cart.ops.append(op)
    if cart.ops:
        fold(cart)
    left = profile.left_carts if profile.has_left_carts else {}
    while len(here) + len(left) > CARTS_MAX:
        if left:
            del left[min(left, key=lambda one: (left[one][0], one))]
        else:
            oldest = min(here.values(), key=lambda other: (other is cart, other.changed_ms, other.cart_id))
            del here[oldest.cart_id]
    return cart


# --- carts that were left -----------------------------------------------------------------------------------------


def find(profile: Profile, cart_id: str) -> Cart | None:
    """A cart of the customer, taken back from those that were left days ago if need be; None where there is none."""
    cart = profile.carts.get(cart_id)
    if cart is None and profile.has_left(cart_id) and cart_id in profile.left_carts:
        _, stored = profile.left_carts.pop(cart_id)
        cart = profile.carts[cart_id] = _decode(stored)
        # It was left without operations, when its base was as it stands.
        cart.base_lines = {key: _copy(line) for key, line in cart.lines.items()}
        cart.base_opened_ms, cart.base_opened_by, cart.base_needs_add = cart.opened_ms, cart.opened_by, cart.needs_add
        cart.base_changed_ms, cart.base_mutated_ms = cart.changed_ms, cart.mutated_ms
    return cart


def seen_carts(profile: Profile) -> list[Cart]:
    """All carts of the customer, only to look at: those that were left stay where they are."""
    return [*profile.carts.values(), *(_decode(stored) for _, stored in profile.left_carts.values())]


def all_carts(profile: Profile) -> dict[str, Cart]:
    """All carts of the customer by cart id; those that were left are taken back."""
    for cart_id in list(profile.left_carts):
        find(profile, cart_id)
    return profile.carts


def tidy(profile: Profile, now_ms: int, forget_ms: int, lateness_ms: int) -> None:
    """Keep carts small: operations that can't be overtaken any more go into the base, and a cart that has none left is put
    aside. A cart is dropped once it is empty for that long, or once its last change is longer ago than `forget_ms`.
    """
    here = profile.carts
    if not here:
        return
    settled_ms = now_ms - 2 * lateness_ms
    done = []
    for cart in here.values():
        if (
            cart.changed_ms < settled_ms
            and cart.mutated_ms < settled_ms
            and (cart.changed_ms or not cart.ops or cart.ops[-1].at_ms < settled_ms)  # it may be heard of after its end
        ):
            done.append(cart)
        elif cart.ops and cart.ops[0].at_ms < settled_ms:
            fold_into_base(cart, settled_ms)
    for cart in done:
        del here[cart.cart_id]
        if cart.lines and last_change_ms(cart) >= now_ms - forget_ms:
            _leave(profile, cart)
    if profile.has_left_carts:
        left = profile.left_carts
        for cart_id in [cart_id for cart_id, (changed_ms, _) in left.items() if changed_ms < now_ms - forget_ms]:
            del left[cart_id]


def _leave(profile: Profile, cart: Cart) -> None:
    fold_into_base(cart, cart.ops[-1].at_ms + 1 if cart.ops else 0)
    bare = Cart(
        cart.cart_id,
        currency=cart.currency,
        lines=cart.lines,
        opened_ms=cart.opened_ms,
        opened_by=cart.opened_by,
        needs_add=cart.needs_add,
        changed_ms=cart.changed_ms,
        mutated_ms=cart.mutated_ms,
        url=cart.url,
        described=cart.described,
        told=cart.told,
        priced_in=cart.priced_in,
    )
    profile.left_carts[cart.cart_id] = (last_change_ms(cart), Raw(encode(bare)))


# --- the fold -----------------------------------------------------------------------------------------------------


def _insert(cart: Cart, op: CartOp, lateness_ms: int) -> bool:
    """Put an operation in its place and bring the cart up to date. False if it is there already."""
    ops, at_ms, message_id = cart.ops, op.at_ms, op.message_id
    for other in ops:
        if other.message_id == message_id:
            return False
    ops.append(op)
    newest = ops[-2] if len(ops) > 1 else op
    if newest.at_ms < at_ms or newest is op or (newest.at_ms == at_ms and place(newest) < place(op)):
        _apply(cart, op)
    else:
        ops.sort(key=place)
        at_ms = ops[-1].at_ms
        fold(cart)
    if ops[0].at_ms < at_ms - lateness_ms or len(ops) > CART_OPS_MAX:
        fold_into_base(cart, at_ms - lateness_ms)
    return True


def place(op: CartOp) -> tuple[int, int, str]:
    """Where an operation stands among those of its cart."""
    return (op.at_ms, _TURNS[op.kind], op.message_id)


def fold(cart: Cart) -> None:
    """Work the cart out anew from its base and its operations."""
    _take(cart, _base(cart))
    for op in cart.ops:
        _apply(cart, op)


def fold_into_base(cart: Cart, horizon_ms: int) -> None:
    """Move operations older than the horizon (or over the bound) into the base; the cart itself stays as it is."""
    ops = cart.ops
    count = 0
    while count < len(ops) and ops[count].at_ms < horizon_ms:
        count += 1
    if len(ops) - count > CART_OPS_MAX:
        # Half of them at a time, or a busy cart would be folded for each event.
        count = len(ops) - CART_OPS_MAX // 2
    if cart.priced_in is not None:
        cart_currency.fold(cart, count)
    base = _base(cart)
    for op in ops[:count]:
        _apply(base, op)
    cart.base_lines, cart.base_opened_ms, cart.base_opened_by = base.lines, base.opened_ms, base.opened_by
    cart.base_needs_add = base.needs_add
    cart.base_changed_ms, cart.base_mutated_ms = base.changed_ms, base.mutated_ms
    del ops[:count]
    if len(cart.described) > len(cart.lines) + len(cart.base_lines) + len(ops):
        named = {line_key(line.product_id, line.variant_id) for op in ops for line in op.lines}
        for key in [key for key in cart.described if not (key in cart.lines or key in cart.base_lines or key in named)]:
            del cart.described[key]


def _base(cart: Cart) -> Cart:
    """The cart as it was before its operations, to be changed freely."""
    return Cart(
        cart.cart_id,
        lines={key: _copy(line) for key, line in cart.base_lines.items()},
        opened_ms=cart.base_opened_ms,
        opened_by=cart.base_opened_by,
        needs_add=cart.base_needs_add,
        changed_ms=cart.base_changed_ms,
        mutated_ms=cart.base_mutated_ms,
    )


def _take(cart: Cart, other: Cart) -> None:
    cart.lines, cart.opened_ms, cart.opened_by = other.lines, other.opened_ms, other.opened_by
    cart.needs_add, cart.changed_ms, cart.mutated_ms = other.needs_add, other.changed_ms, other.mutated_ms


def _copy(line: CartLine) -> CartLine:
    return CartLine(
        line.product_id,
        line.variant_id,
        line.quantity,
        line.added_ms,
        line.price_minor,
        line.price_at_add_minor,
    )


def _apply(cart: Cart, op: CartOp) -> None:
    kind, at_ms = op.kind, op.at_ms
    added = False
    if kind == ADD:
        for line in op.lines:
            added = _add(cart.lines, line, at_ms) or added
    elif kind == VIEW:
        cart.changed_ms = max(cart.changed_ms, at_ms)
        return
    elif kind == REMOVE:
        for line in op.lines:
            _remove(cart.lines, line)
    elif kind in MARKS:
        cart.opened_ms = cart.opened_by = None
        cart.needs_add = kind == EMITTED or (kind == CHECKOUT and cart.needs_add)
        return
    elif kind == SET:
        added = _set(cart, op.lines, at_ms)
    elif kind == ORDER:
        cart.lines = {key: line for key, line in cart.lines.items() if line.added_ms > at_ms}
    elif kind == COVER:
        _cover(cart, op)
        return
    cart.changed_ms = max(cart.changed_ms, at_ms)
    cart.mutated_ms = max(cart.mutated_ms, at_ms)
    if kind == ORDER or not cart.lines:
        cart.opened_ms = cart.opened_by = None
        cart.needs_add = cart.needs_add and bool(cart.lines)
    elif cart.opened_ms is None and (added or not cart.needs_add):
        cart.opened_ms, cart.opened_by = at_ms, op.message_id
        cart.needs_add = False


def _add(lines: dict[str, CartLine], line: OpLine, at_ms: int) -> bool:
    quantity, price = line.quantity, line.price_minor
    if quantity <= 0:
        return False
    key = line.product_id if line.variant_id is None else line_key(line.product_id, line.variant_id)
    known = lines.get(key)
    if known is None:
        if len(lines) >= CART_LINES_MAX:
            return False
        lines[key] = CartLine(line.product_id, line.variant_id, quantity, at_ms, price, price)
        return True
    known.quantity += quantity
    known.added_ms = max(known.added_ms, at_ms)
    if price is not None:
        known.price_minor = price
    return True


def _remove(lines: dict[str, CartLine], line: OpLine) -> None:
    key = line_key(line.product_id, line.variant_id)
    known = lines.get(key)
    if known is None:
        return
    known.quantity -= line.quantity
    if known.quantity <= 0:
        del lines[key]


def _set(cart: Cart, lines: list[OpLine], at_ms: int) -> bool:
    """Replace all lines by a snapshot. True if it brought a line or raised a quantity."""
    before = cart.lines
    cart.lines = {}
    for told in lines:
        _add(cart.lines, told, at_ms)
    added = False
    for key, line in cart.lines.items():
        known = before.get(key)
        if known is None:
            added = True
            continue
        if line.quantity > known.quantity:
            added = True
        else:
            line.added_ms = known.added_ms
        line.price_at_add_minor = known.price_at_add_minor
        if line.price_minor is None:
            line.price_minor = known.price_minor
    return added


def _cover(cart: Cart, op: CartOp) -> None:
    """An order that names no cart takes its products out of a cart whose episode was open at its time."""
    bought = {line.product_id for line in op.lines}
    covered = [key for key, line in cart.lines.items() if line.product_id in bought and line.added_ms <= op.at_ms]
    if not covered:
        return
    for key in covered:
        del cart.lines[key]
    cart.opened_ms = cart.opened_by = None
    cart.needs_add = cart.needs_add and bool(cart.lines)
