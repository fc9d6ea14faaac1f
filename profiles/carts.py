"""Carts at item level: each cart is the fold of its operations in event-time order.

Adds, removals, snapshots, views, checkouts and orders are operations. An operation that comes late is put in its place and
the fold is done again, so that every order of arrival within a day gives the same cart. Operations older than a day are
folded into the cart's base. What a trigger did (`EMITTED`, `ENDED`) stands among the operations too: after an emission
only an item added opens a new episode, after any other end any change does.

Start at `apply_cart_event` and `apply_order`; `fold` is the heart.
"""

from typing import Final

import msgspec

from profiles.state import (
    CART_LINES_MAX,
    CART_OPS_MAX,
    CARTS_MAX,
    Cart,
    CartLine,
    CartOp,
    OrderEntry,
    Profile,
    RecentOrder,
)
from schemas.events import (
    Arrival,
    CartProductEvent,
    CartProductsEvent,
    CartUpdated,
    Event,
    Product,
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

MARKS: Final = frozenset((ENDED, EMITTED, CHECKOUT))

DEFAULT_CART: Final = "~cart"
"""The cart of a sender that names none."""

DAY_MS: Final = 86_400_000
RECENT_ORDERS_KEPT_MS: Final = 30 * DAY_MS
RECENT_ORDERS_MAX: Final = 16

_copy = msgspec.structs.replace


def line_key(product_id: str, variant_id: str | None) -> str:
    """The key of a cart line: a product, or one variant of it."""
    return product_id if variant_id is None else f"{product_id}/{variant_id}"


def line_of(product: Product, at_ms: int) -> CartLine:
    """A cart line as an event describes it."""
    return CartLine(
        product_id=product.product_id,
        quantity=float(product.quantity),  # an int would come back from storage as a float
        added_ms=at_ms,
        price_minor=product.price_minor,
        price_at_add_minor=product.price_minor,
        variant_id=product.variant_id,
        sku=product.sku,
        name=product.name,
        category=product.category,
        brand=product.brand,
        url=product.url,
        image_url=product.image_url,
    )


def value_minor(cart: Cart) -> int:
    """What the cart is worth at the prices last seen, minor units of its currency; half-even for parts of units."""
    return sum(round(line.price_minor * line.quantity) for line in cart.lines.values() if line.price_minor is not None)


def apply_cart_event(profile: Profile, arrival: Arrival, lateness_ms: int) -> Cart | None:
    """Apply a cart event. The cart it changed, or None where the very event was applied before."""
    event = arrival.event
    kind, lines, cart_id = _operation(event, arrival.time_ms)
    cart = profile.carts.get(cart_id)
    if cart is None:
        cart = _new_cart(profile, cart_id, arrival.time_ms, lateness_ms)
    op = CartOp(arrival.time_ms, event.message_id, kind, lines)
    if not _insert(cart, op, lateness_ms):
        return None
    currency = getattr(event, "currency", None)
    if currency is not None:
        cart.currency = currency
    url = getattr(event, "url", None)
    if url is not None:
        cart.url = url
    return cart


def _operation(event: Event, at_ms: int) -> tuple[str, list[CartLine], str]:
    if isinstance(event, CartProductEvent | WishlistProductAddedToCart):
        kind = REMOVE if type(event) is ProductRemoved else ADD
        return kind, [line_of(event.product, at_ms)], event.cart_id or DEFAULT_CART
    assert isinstance(event, CartProductsEvent)
    if type(event) is CartUpdated:
        return (
            SET,
            [line_of(product, at_ms) for product in event.products[:CART_LINES_MAX]],
            event.cart_id or DEFAULT_CART,
        )
    return VIEW, [], event.cart_id or DEFAULT_CART


def mark(cart: Cart, kind: str, at_ms: int, mark_id: str, lateness_ms: int) -> None:
    """Put a trigger's end or emission, or a checkout, among the cart's operations."""
    _insert(cart, CartOp(at_ms, mark_id, kind), lateness_ms)


def hand_over(profile: Profile, cart_id: str, at_ms: int, message_id: str, lateness_ms: int) -> Cart:
    """A checkout takes a cart over; the cart need not be known yet."""
    cart = profile.carts.get(cart_id) or _new_cart(profile, cart_id, at_ms, lateness_ms)
    _insert(cart, CartOp(at_ms, message_id, CHECKOUT), lateness_ms)
    return cart


def newest_cart(profile: Profile) -> Cart | None:
    """The customer's non-empty cart that changed last."""
    full = [cart for cart in profile.carts.values() if cart.lines]
    return max(full, key=lambda cart: (cart.mutated_ms, cart.cart_id), default=None)


# --- orders -------------------------------------------------------------------------------------------------------


def apply_order(profile: Profile, entry: OrderEntry, cart_id: str | None, lateness_ms: int) -> list[Cart]:
    """Let a placed order empty the cart it names, or, naming none, take its products out of every cart open at its time.

    Works from the order's ledger entry, so a later version of the order takes the place of what an earlier one did.
    `cart_id` is the cart it names, itself or through its checkout. Gives the carts it touched.
    """
    assert entry.placed_ms is not None
    products = sorted({line.product_id for line in entry.lines})
    known = next((order for order in profile.recent_orders if order.order_id == entry.order_id), None)
    if known is not None:
        profile.recent_orders.remove(known)
    order = RecentOrder(entry.placed_ms, entry.order_id, cart_id, entry.checkout_id, products)
    remember_order(profile, order)
    if order == known:
        return []
    touched = []
    for cart in profile.carts.values():
        op = order_op(order, cart.cart_id)
        if known is not None:
            cart.ops = [other for other in cart.ops if other.message_id != order_mark(order)]
        if op is not None or known is not None:
            if op is not None:
                _insert(cart, op, lateness_ms)
            if known is not None:
                fold(cart)
            touched.append(cart)
    return touched


def order_mark(order: RecentOrder) -> str:
    """The message id under which an order stands among a cart's operations."""
    return f"order:{order.order_id}"


def order_op(order: RecentOrder, cart_id: str) -> CartOp | None:
    """What an order does to a cart: empty the one it names, or cover lines where it names none; None for any other."""
    if order.cart_id is not None:
        return CartOp(order.at_ms, order_mark(order), ORDER) if order.cart_id == cart_id else None
    if not order.product_ids:
        return None
    lines = [CartLine(product_id, 0.0, order.at_ms) for product_id in order.product_ids]
    return CartOp(order.at_ms, order_mark(order), COVER, lines)


def remember_order(profile: Profile, order: RecentOrder) -> None:
    """Keep a placed order of the last 30 days for carts and conversions still to come; at most RECENT_ORDERS_MAX."""
    orders = profile.recent_orders
    orders.append(order)
    orders.sort(key=lambda other: (other.at_ms, other.order_id))
    horizon = orders[-1].at_ms - RECENT_ORDERS_KEPT_MS
    if orders[0].at_ms < horizon or len(orders) > RECENT_ORDERS_MAX:
        profile.recent_orders = [other for other in orders if other.at_ms >= horizon][-RECENT_ORDERS_MAX:]


# --- the fold -----------------------------------------------------------------------------------------------------


def _new_cart(profile: Profile, cart_id: str, at_ms: int, lateness_ms: int) -> Cart:
    cart = Cart(cart_id)
    profile.carts[cart_id] = cart
    for order in profile.recent_orders:
        if order.at_ms >= at_ms - lateness_ms:
            op = order_op(order, cart_id)
            if op is not None:
                cart.ops.append(op)
    if cart.ops:
        fold(cart)
    if len(profile.carts) > CARTS_MAX:
        oldest = min(profile.carts.values(), key=lambda other: (other is cart, other.changed_ms, other.cart_id))
        del profile.carts[oldest.cart_id]
    return cart


def tidy(profile: Profile, now_ms: int, forget_ms: int, lateness_ms: int) -> None:
    """Keep carts small: operations that can't be overtaken any more go into the base, and a cart is dropped once it is
    empty for that long, or once its last change is longer ago than `forget_ms`.
    """
    settled_ms = now_ms - 2 * lateness_ms
    gone = []
    for cart in profile.carts.values():
        changed_ms = max(cart.mutated_ms, cart.changed_ms)
        if changed_ms < now_ms - forget_ms or (changed_ms < settled_ms and not cart.lines):
            gone.append(cart.cart_id)
        elif cart.ops and cart.ops[0].at_ms < settled_ms:
            fold_into_base(cart, settled_ms)
    for cart_id in gone:
        del profile.carts[cart_id]


def _insert(cart: Cart, op: CartOp, lateness_ms: int) -> bool:
    """Put an operation in its place and bring the cart up to date. False if it is there already."""
    ops = cart.ops
    last = ops[-1] if ops else None
    if last is None or (op.at_ms, op.message_id) > (last.at_ms, last.message_id):
        if any(other.message_id == op.message_id for other in ops):
            return False
        ops.append(op)
        _apply(cart, op)
        if op.at_ms - ops[0].at_ms > lateness_ms or len(ops) > CART_OPS_MAX:
            fold_into_base(cart, op.at_ms - lateness_ms)
        return True
    if any(other.message_id == op.message_id for other in ops):
        return False
    ops.append(op)
    ops.sort(key=lambda other: (other.at_ms, other.message_id))
    fold(cart)
    if len(ops) > CART_OPS_MAX:
        fold_into_base(cart, ops[-1].at_ms - lateness_ms)
    return True


def fold(cart: Cart) -> None:
    """Work the cart out anew from its base and its operations."""
    cart.lines = {key: _copy(line) for key, line in cart.base_lines.items()}
    cart.opened_ms, cart.opened_by = cart.base_opened_ms, cart.base_opened_by
    cart.needs_add = cart.base_needs_add
    cart.changed_ms = cart.mutated_ms = cart.base_ms
    for op in cart.ops:
        _apply(cart, op)


def fold_into_base(cart: Cart, horizon_ms: int) -> None:
    """Move operations older than the horizon (or over the bound) into the base; the cart itself stays as it is."""
    ops = cart.ops
    count = sum(op.at_ms < horizon_ms for op in ops)
    if len(ops) - count > CART_OPS_MAX:
        count = (
            len(ops) - CART_OPS_MAX // 2
        )  # half of them at a time, or a busy cart would be folded anew for each event
    cart.ops = ops[:count]
    fold(cart)
    cart.base_lines, cart.base_opened_ms, cart.base_opened_by = cart.lines, cart.opened_ms, cart.opened_by
    cart.base_needs_add = cart.needs_add
    cart.base_ms = cart.changed_ms
    cart.ops = ops[count:]
    fold(cart)


def _apply(cart: Cart, op: CartOp) -> None:
    kind, at_ms = op.kind, op.at_ms
    if kind == VIEW:
        cart.changed_ms = max(cart.changed_ms, at_ms)
        return
    if kind in MARKS:
        cart.opened_ms = cart.opened_by = None
        cart.needs_add = kind == EMITTED or (kind == CHECKOUT and cart.needs_add)
        return
    added = False
    if kind == ADD:
        for line in op.lines:
            added |= _add(cart, line, at_ms)
    elif kind == REMOVE:
        for line in op.lines:
            _remove(cart, line)
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


def _add(cart: Cart, line: CartLine, at_ms: int) -> bool:
    if line.quantity <= 0:
        return False
    key = line_key(line.product_id, line.variant_id)
    known = cart.lines.get(key)
    if known is None:
        if len(cart.lines) >= CART_LINES_MAX:
            return False
        cart.lines[key] = _copy(line)
        return True
    known.quantity += line.quantity
    known.added_ms = max(known.added_ms, at_ms)
    _take_facts(known, line)
    return True


def _remove(cart: Cart, line: CartLine) -> None:
    key = line_key(line.product_id, line.variant_id)
    known = cart.lines.get(key)
    if known is None:
        return
    known.quantity -= line.quantity
    if known.quantity <= 0:
        del cart.lines[key]


def _set(cart: Cart, lines: list[CartLine], at_ms: int) -> bool:
    """Replace all lines by a snapshot. True if it brought a line or raised a quantity."""
    before = cart.lines
    cart.lines = {}
    added = False
    for line in lines:
        if line.quantity <= 0:
            continue
        key = line_key(line.product_id, line.variant_id)
        twin = cart.lines.get(key)
        if twin is not None:
            twin.quantity += line.quantity
            continue
        cart.lines[key] = _copy(line)
    for key, line in cart.lines.items():
        known = before.get(key)
        if known is None or line.quantity > known.quantity:
            added = True
            line.added_ms = at_ms
        else:
            line.added_ms = known.added_ms
        if known is not None:
            line.price_at_add_minor = known.price_at_add_minor
            quantity, added_ms = line.quantity, line.added_ms
            _take_facts(known, line)
            cart.lines[key] = known
            known.quantity, known.added_ms = quantity, added_ms
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


def _take_facts(known: CartLine, line: CartLine) -> None:
    """The newest price and description of a product; what the newer event leaves out stays."""
    known.price_minor = line.price_minor if line.price_minor is not None else known.price_minor
    known.sku = line.sku or known.sku
    known.name = line.name or known.name
    known.category = line.category or known.category
    known.brand = line.brand or known.brand
    known.url = line.url or known.url
    known.image_url = line.image_url or known.image_url
