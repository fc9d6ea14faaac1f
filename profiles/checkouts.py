"""Checkouts: what each event of one tells, which cart it took over, and what ends it.

A checkout is known by its checkout id, or by the order id that stands in its place; where an event has neither, the customer
has one at a time: once that is over, the next Checkout Started begins another.
"""

from typing import Final, NamedTuple

from profiles import cart_currency, carts
from profiles.profile import Profile
from profiles.state import CART_LINES_MAX, CHECKOUTS_MAX, Cart, CartLine, Checkout, Description, RecentOrder
from schemas import events
from schemas.events import Arrival, CheckoutEvent, CheckoutStarted, Event

EVENTS: Final[frozenset[type[Event]]] = frozenset(
    {events.CheckoutStarted, events.CheckoutStepViewed, events.CheckoutStepCompleted, events.PaymentInfoEntered}
)
TRIGGER: Final = "checkout.abandoned"
REPLACED: Final = "replaced"
"""Stands in `Checkout.done` where a newer one of the customer took its place; an order's id where that ended it."""


def id_of(profile: Profile, event: CheckoutEvent) -> str:
    """The checkout an event is about. Of one that began under an order id later steps may name a checkout id instead."""
    checkout_id = event.checkout_id
    if checkout_id is None or checkout_id in profile.checkouts:
        return checkout_id or event.order_id or nameless(profile.id)
    for checkout in profile.checkouts.values():
        if checkout.also == checkout_id or (checkout.order_id == event.order_id and event.order_id is not None):
            return checkout.checkout_id
    if type(event) is not CheckoutStarted and (begun := _under_order_id(profile, event.timestamp_ms)) is not None:
        return begun.checkout_id
    return checkout_id


def of_order(profile: Profile, checkout_id: str | None, order_id: str) -> Checkout | None:
    """The checkout that an order came out of, None where it is not known."""
    if not profile.has_checkouts:
        return None
    known = profile.checkouts
    if checkout_id is not None:
        if checkout_id in known:
            return known[checkout_id]
        for checkout in known.values():
            if checkout.also == checkout_id:
                return checkout
    return known.get(order_id)


def nameless(customer: str) -> str:
    """How the checkout of a customer is known whose events name none."""
    return f"{customer}|checkout"


def of_event(profile: Profile, event: CheckoutEvent) -> Checkout:
    """The checkout an event is about, after it was applied."""
    return profile.checkouts[id_of(profile, event)]


def apply_checkout_event(profile: Profile, arrival: Arrival) -> Checkout:
    """Take in a step of a checkout; gives that. A new one (Checkout Started) replaces those begun before it."""
    event, at_ms = arrival.event, arrival.time_ms
    assert isinstance(event, CheckoutEvent)
    checkout_id = id_of(profile, event)
    checkout = profile.checkouts.get(checkout_id)
    if checkout is not None and checkout_id == nameless(profile.id):
        if _is_of_the_one_before(profile, checkout, at_ms):
            return checkout
        if type(event) is CheckoutStarted and at_ms > checkout.moved_ms and _is_over(profile, checkout):
            del profile.checkouts[checkout_id]
            checkout = None
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
    if event.checkout_id is not None and event.checkout_id != checkout_id:
        checkout.also = event.checkout_id
    checkout.order_id = event.order_id or checkout.order_id
    tells_value = event.value_minor is not None and at_ms >= checkout.value_ms
    tells_lines = bool(event.products) and at_ms >= told_ms(checkout)
    if event.currency is not None and event.currency != checkout.currency:
        if checkout.currency is None:
            checkout.currency = event.currency
        elif tells_value or tells_lines:  # whatever it does not tell anew was in the other one
            checkout.currency, checkout.value_minor = event.currency, None
            checkout.lines = cart_currency.unpriced(checkout.lines)
    if tells_value:
        checkout.value_minor, checkout.value_ms = event.value_minor, at_ms
    checkout.url = event.url or checkout.url
    if tells_lines:
        products = event.products[:CART_LINES_MAX]
        checkout.lines = [carts.line_of(product, at_ms) for product in products]
        checkout.described = {}
        for product in products:
            carts.describe(checkout.described, product, at_ms)
    if type(event) is CheckoutStarted:
        checkout.announced = True
    settle(profile)
    return checkout


def told_ms(checkout: Checkout) -> int:
    """When events of the checkout last said what is in it; 0 where none did."""
    return checkout.lines[0].added_ms if checkout.lines else 0


def name_carts(profile: Profile, checkout: Checkout, lateness_ms: int) -> list[Cart]:
    """Orders that were heard of before it was known that they came out of this checkout's cart empty that one, and take nothing
    out of the others any more; gives the carts that may have changed.
    """
    touched: list[Cart] = []
    for order in profile.recent_orders if profile.has_recent_orders and checkout.cart_id is not None else ():
        if order.cart_id is None and of_order(profile, order.checkout_id, order.order_id) is checkout:
            order.cart_id = checkout.cart_id
            touched = carts.hold_anew(profile, order, lateness_ms)
    return touched


class Basket(NamedTuple):
    """What would be bought, how it was described, what it is worth in that currency (None: not known), and where to go on."""

    lines: list[CartLine]
    described: dict[str, Description]
    value_minor: int
    currency: str | None
    url: str | None


def basket(profile: Profile, checkout: Checkout) -> Basket:
    """What is in a checkout now: what its events told, with what happened to its cart since; without their word, its cart."""
    lines, described, value_minor = checkout.lines, checkout.described, checkout.value_minor
    currency, url = checkout.currency, checkout.url
    cart = carts.find(profile, checkout.cart_id) if checkout.cart_id is not None else None
    if cart is not None:
        described, url = cart.described | described, url or cart.url
        if cart.mutated_ms > max(checkout.value_ms, checkout.started_ms):
            value_minor = None
        lines = carts.lines_since(cart, lines, told_ms(checkout)) if lines else list(cart.lines.values())
        if cart.priced_in is not None or (None not in (currency, cart.currency) and currency != cart.currency):
            stated_in = currency if value_minor is not None else None
            lines, currency = cart_currency.in_one(lines, _currencies(checkout, cart), stated_in)
        currency = currency or cart.currency
    return Basket(lines, described, carts.value_minor(lines) if value_minor is None else value_minor, currency, url)


def _currencies(checkout: Checkout, cart: Cart) -> cart_currency.Named:
    """In which currency the prices in a checkout were told: by its events, or by those of its cart since."""
    since_ms = told_ms(checkout)
    if not checkout.lines or cart.base_mutated_ms > since_ms:
        return cart_currency.of_lines(cart)
    told = {carts.line_key(line.product_id, line.variant_id) for line in checkout.lines}
    named: cart_currency.Named = dict.fromkeys(told, checkout.currency or cart.currency)
    return cart_currency.after(cart, named, (op for op in cart.ops if op.at_ms > since_ms))


def settle(profile: Profile) -> None:
    """End the checkouts that a remembered order or a newer checkout has ended, whichever of them we heard of first."""
    for order in profile.recent_orders if profile.has_recent_orders else ():
        end_by_order(profile, order)
    known = profile.checkouts.values()
    newest = max(((one.started_ms, one.started_by) for one in known if one.announced), default=(0, ""))
    for checkout in known:
        if checkout.done is None and (checkout.started_ms, checkout.started_by) < newest:
            checkout.done = REPLACED


def end_by_order(profile: Profile, order: RecentOrder) -> None:
    """An order ends the checkout it names, and every other one begun before it, unless an earlier one did."""
    if not profile.has_checkouts:
        return
    for checkout in profile.checkouts.values():
        if checkout.checkout_id != order.checkout_id and checkout.started_ms > order.at_ms:
            continue
        if checkout.done is None or any(
            later.order_id == checkout.done and (later.at_ms, later.order_id) > (order.at_ms, order.order_id)
            for later in profile.recent_orders
        ):
            checkout.done = order.order_id


def _is_over(profile: Profile, checkout: Checkout) -> bool:
    """Whether nothing more comes of a checkout: it was ended, or all its reminders went out."""
    return checkout.done is not None or (
        checkout.reminded and f"{TRIGGER}|{checkout.checkout_id}" not in profile.episodes
    )


def _is_of_the_one_before(profile: Profile, checkout: Checkout, at_ms: int) -> bool:
    """Whether a late event that names no checkout is of one that an order ended before this one began."""
    return at_ms < checkout.started_ms and any(
        at_ms <= order.at_ms < checkout.started_ms for order in profile.recent_orders
    )


def _under_order_id(profile: Profile, at_ms: int) -> Checkout | None:
    """The checkout of the last day that is under way and known by its order id alone."""
    found = [
        one
        for one in profile.checkouts.values()
        if one.done is None
        and one.also is None
        and one.checkout_id == one.order_id
        and one.started_ms <= at_ms <= one.moved_ms + carts.DAY_MS
    ]
    return max(found, key=lambda one: (one.started_ms, one.started_by), default=None)


def _make_room(profile: Profile) -> None:
    if len(profile.checkouts) >= CHECKOUTS_MAX:
        oldest = min(profile.checkouts.values(), key=lambda checkout: (checkout.moved_ms, checkout.checkout_id))
        del profile.checkouts[oldest.checkout_id]
