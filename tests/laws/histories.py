"""Random histories of one customer, of every kind of event the engine acts on. Shared by the laws."""

from typing import Any

from hypothesis import strategies as st

from schemas import events
from schemas.decode import others_of
from schemas.events import Arrival, ConsentChange, ConsentState, Event, Product

START_MS = 1_772_409_600_000
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
PRODUCTS = ("A", "B", "C")
CARTS = ("c1", "c2", None)
ORDERS = ("o1", "o2", "o3")
SURVEYS = ("s1", "s2", "s3")


def arrival(kind: type[Event], minute: int, message_id: str, *, received: int | None = None, **fields: Any) -> Arrival:
    """An event of user ada at a minute of the history."""
    at_ms = START_MS + minute * MINUTE_MS
    event = kind(message_id=message_id, timestamp_ms=at_ms, user_id="ada", **fields)
    received_ms = START_MS + (minute if received is None else received) * MINUTE_MS
    return Arrival(event, at_ms, received_ms, "user_id:ada", "ada", others_of(event, "user_id:ada"))


@st.composite
def products(draw: st.DrawFn) -> Product:
    return Product(
        product_id=draw(st.sampled_from(PRODUCTS)),
        price_minor=draw(st.integers(0, 5000)),
        quantity=draw(st.integers(0, 3)),
        category=draw(st.sampled_from((None, "tea", "tea/green"))),
        brand=draw(st.sampled_from((None, "acme"))),
    )


@st.composite
def one_event(draw: st.DrawFn, minute: int, message_id: str, kinds: tuple[type[Event], ...] = ()) -> Arrival:
    """One event of these kinds, or of any, at this minute."""
    kind = draw(st.sampled_from(kinds or KINDS))
    fields: dict[str, Any] = {}
    if issubclass(kind, events.WishlistEvent | events.CartProductEvent):
        fields["product"] = draw(products())
        if "cart_id" in kind.__struct_fields__:
            fields["cart_id"] = draw(st.sampled_from(CARTS))
    elif issubclass(kind, events.ProductEvent):
        fields["product"] = draw(products())
    elif issubclass(kind, events.CartProductsEvent):
        fields["cart_id"] = draw(st.sampled_from(CARTS))
        fields["products"] = tuple(draw(st.lists(products(), max_size=3)))
    elif issubclass(kind, events.CheckoutEvent):
        fields["checkout_id"] = draw(st.sampled_from(("k1", "k2", None)))
        fields["cart_id"] = draw(st.sampled_from(CARTS))
    elif issubclass(kind, events.OrderStateEvent):
        fields["order_id"] = draw(st.sampled_from(ORDERS))
        fields["products"] = tuple(draw(st.lists(products(), max_size=3)))
        fields["cart_id"] = draw(st.sampled_from(CARTS))
        fields["revenue_minor"] = draw(st.none() | st.integers(-100, 20_000))
        fields["discount_minor"] = draw(st.none() | st.integers(0, 500))
        fields["shipping_minor"] = draw(st.none() | st.integers(0, 500))
        fields["currency"] = draw(st.sampled_from((None, "USD", "EUR")))
    elif kind is events.OrderRefunded:
        fields["order_id"] = draw(st.sampled_from(ORDERS))
        fields["refund_id"] = draw(st.sampled_from(("r1", "r2", None)))
        fields["amount_minor"] = draw(st.none() | st.integers(0, 3000))
    elif issubclass(kind, events.OrderEvent):
        fields["order_id"] = draw(st.sampled_from(ORDERS))
        if kind is events.OrderReturned:
            fields["products"] = tuple(draw(st.lists(products(), max_size=2)))
    elif kind is events.NpsSubmitted:
        fields["score"] = draw(st.integers(0, 10))
        fields["survey_id"] = draw(st.sampled_from(SURVEYS))
    elif kind is events.CaseUpdated:
        fields["case_id"] = draw(st.sampled_from(SURVEYS))
        fields["state"] = draw(st.sampled_from(("assigned", "contacted", "resolved", "verified")))
        fields["owner"] = draw(st.sampled_from((None, "bob", "eve")))
    elif kind is events.ProductReviewed:
        fields["product_id"] = draw(st.sampled_from(PRODUCTS))
        fields["review_id"] = draw(st.sampled_from(("v1", "v2", None)))
        fields["rating"] = draw(st.sampled_from((None, 1.0, 5.0)))
    elif issubclass(kind, events.TicketEvent):
        fields["ticket_id"] = draw(st.sampled_from(("t1", "t2")))
        fields["topic"] = draw(st.sampled_from((None, "delivery", "damage")))
    elif kind is events.MessageBounced:
        fields["bounce"] = draw(st.sampled_from((None, "soft", "hard")))
    elif kind is events.Identified:
        fields["email"] = draw(st.sampled_from((None, "ada@example.org")))
        fields["traits"] = {"tier": draw(st.sampled_from(("gold", "silver")))}
    elif kind is events.ConsentChanged:
        state: ConsentState = draw(st.sampled_from(("GRANT", "DENY", "REVOKED")))
        channel = draw(st.sampled_from(("email", "any")))
        ends_ms = draw(st.none() | st.integers(0, 70).map(lambda hours: START_MS + hours * 3_600_000))
        fields["consent"] = (ConsentChange(state=state, channel=channel, expires_ms=ends_ms),)
    elif kind is events.ProductsSearched:
        fields["query"] = draw(st.sampled_from(("tea", "green tea")))
        fields["results"] = draw(st.sampled_from((None, 0, 7)))
    elif issubclass(kind, events.CouponEvent):
        fields["coupon_id"] = draw(st.sampled_from(("x1", "x2")))
        if kind is events.CouponIssued:
            fields["expires_ms"] = draw(st.none() | st.integers(0, 30).map(lambda days: START_MS + days * DAY_MS))
    if kind is events.OrderCompleted:
        fields["source_kind"] = draw(st.sampled_from((None, None, "client")))
    if issubclass(kind, IN_THE_SHOP):
        fields["channel"] = draw(st.sampled_from(("browser", "server")))
    return arrival(kind, minute, message_id, **fields)


KINDS: tuple[type[Event], ...] = (
    events.ProductAdded,
    events.ProductAdded,
    events.ProductRemoved,
    events.CartUpdated,
    events.CartViewed,
    events.CheckoutStarted,
    events.CheckoutStepCompleted,
    events.OrderCompleted,
    events.OrderCompleted,
    events.OrderUpdated,
    events.OrderCancelled,
    events.OrderRefunded,
    events.Identified,
    events.ConsentChanged,
    events.ProductViewed,
    events.ProductViewed,
    events.ProductClicked,
    events.ProductAddedToWishlist,
    events.ProductRemovedFromWishlist,
    events.WishlistProductAddedToCart,
    events.ProductsSearched,
    events.PageViewed,
    events.SignedUp,
    events.Unsubscribed,
    events.OrderFulfilled,
    events.OrderDelivered,
    events.OrderReturned,
    events.NpsSubmitted,
    events.CaseUpdated,
    events.ProductReviewed,
    events.TicketOpened,
    events.TicketUpdated,
    events.TicketResolved,
    events.MessageOpened,
    events.MessageBounced,
    events.CouponIssued,
    events.CouponApplied,
    events.CouponRemoved,
    events.CouponUsed,
    events.PaymentFailed,
)
IN_THE_SHOP = (events.PageViewed, events.ProductEvent, events.ProductsSearched)
"""What customers do in a browser or an app, so that it may be part of a visit."""


@st.composite
def histories(draw: st.DrawFn, *, span_minutes: int = 1000, max_events: int = 14) -> list[Arrival]:
    """Up to `max_events` events, distinct in time, in time order."""
    minutes = sorted(draw(st.lists(st.integers(0, span_minutes), min_size=1, max_size=max_events, unique=True)))
    return [draw(one_event(minute, f"m{number}")) for number, minute in enumerate(minutes)]
