"""Random histories of one customer, made from the event types themselves: a new kind of event or field needs no line here.

Needs Hypothesis (the extra `testing`).
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final, get_args

from hypothesis import strategies as st
from msgspec.structs import replace

from profiles.definition import TriggerDefinition
from schemas import events
from schemas.events import AnyEvent, Arrival, ConsentChange, Event, Product

START_MS: Final = 1_772_409_600_000
"""2026-03-02 00:00 UTC, a Monday."""
MINUTE_MS: Final = 60_000
DAY_MIN: Final = 24 * 60
SPANS_MIN: Final = (120, 3 * DAY_MIN, 60 * DAY_MIN)
"""Histories lie within one of these: an evening, some days, a season."""

_NEVER: Final = (events.ShopEvent, events.CommandEvent, events.Aliased, events.Grouped)
EVERY_KIND: Final = tuple(kind for kind in get_args(AnyEvent) if not issubclass(kind, _NEVER))
"""Every kind of event that is about what a customer does or says."""
CART_KINDS: Final = (events.ProductAdded, events.ProductRemoved, events.CartUpdated)
ORDER_KINDS: Final = (events.OrderCompleted, events.OrderCompleted, events.OrderRefunded, events.OrderDelivered)
FEEDBACK_KINDS: Final = (events.NpsSubmitted, events.TicketOpened, events.TicketResolved)
GOOD_KINDS: Final = (
    events.ProductPriceChanged,
    events.ProductStockChanged,
    events.ProductBackInStock,
    events.StockAlertSubscribed,
    events.ProductAddedToWishlist,
)
"""What the shop tells of price and stock, and what makes a customer watch a product besides her views."""
_NEW_EACH_TIME: Final = (
    "message_id",
    "order_id",
    "checkout_id",
    "coupon_id",
    "subscription_id",
    "ticket_id",
    "case_id",
)
_ALWAYS: Final = (events.Identified, events.PageViewed, events.ProductViewed, events.ConsentChanged)

_PRODUCTS: Final = st.builds(
    Product,
    product_id=st.sampled_from(("A", "B")),
    price_minor=st.integers(1, 5000),
    quantity=st.integers(1, 3),
    category=st.sampled_from((None, "tea", "coffee")),
)
_MOMENTS: Final = st.integers(30 * DAY_MIN, 90 * DAY_MIN).map(lambda minute: START_MS + minute * MINUTE_MS)
_DATES: Final = st.dates().map(lambda day: f"{day.year:04d}-{day.month:02d}-{day.day:02d}")
_FIELDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "product": _PRODUCTS,
    "products": st.lists(_PRODUCTS, min_size=1, max_size=3).map(tuple),
    "product_id": st.sampled_from(("A", "B")),
    "order_id": st.sampled_from(("o1", "o2")),
    "cart_id": st.sampled_from(("c1", "c2", None)),
    "checkout_id": st.sampled_from(("k1", "k2")),
    "coupon_id": st.sampled_from(("x1", "x2")),
    "subscription_id": st.sampled_from(("s1", "s2")),
    "ticket_id": st.sampled_from(("t1", "t2")),
    "state": st.sampled_from(("assigned", "contacted", "resolved", "verified")),
    "case_id": st.sampled_from(("case1", "case2")),
    "query": st.sampled_from(("tea", "green tea")),
    "results": st.sampled_from((None, 0, 0, 9)),
    "amount_minor": st.none() | st.integers(0, 3000),
    "price_minor": st.integers(1, 5000),
    "available": st.integers(0, 9),
    "expires_ms": st.none() | _MOMENTS,
    "score": st.integers(0, 10),
    "rating": st.none() | st.integers(1, 5),
    "channel": st.sampled_from(("browser", "")),
    "traits": st.fixed_dictionaries({}, optional={"birthday": _DATES}),
}
_CONSENT: Final = st.builds(
    ConsentChange,
    state=st.sampled_from(("GRANT", "GRANT", "DENY", "REVOKED")),
    channel=st.sampled_from(("email", "any")),
)


def kinds_for(trigger: TriggerDefinition[Any]) -> tuple[type[Event], ...]:
    """The kinds of events a trigger hears of, and some that may come in between."""
    kinds: list[type[Event]] = sorted(trigger.listens, key=lambda kind: kind.__name__)
    hears = type(trigger)
    if hears.on_cart is not TriggerDefinition.on_cart:
        kinds += CART_KINDS
    if hears.on_order is not TriggerDefinition.on_order:
        kinds += ORDER_KINDS
    if hears.on_standing is not TriggerDefinition.on_standing:
        kinds += (*ORDER_KINDS, *FEEDBACK_KINDS)
    if hears.on_good is not TriggerDefinition.on_good:
        kinds += GOOD_KINDS
    if hears.on_segment is not TriggerDefinition.on_segment:
        kinds += (*ORDER_KINDS, *EVERY_KIND)  # what segments ask for is the rules' matter
    return (*kinds, *_ALWAYS)


@st.composite
def one_event(draw: st.DrawFn, kinds: Collection[type[Event]], minute: int, message_id: str) -> Arrival:
    """An event of one of these kinds at a minute of the history."""
    kind = draw(st.sampled_from(tuple(kinds)))
    fields = {name: draw(_FIELDS[name]) for name in kind.__struct_fields__ if name in _FIELDS}
    if kind is events.ConsentChanged:
        fields["consent"] = (draw(_CONSENT),)
    at_ms = START_MS + minute * MINUTE_MS
    if issubclass(kind, events.ShopEvent):
        told = kind(message_id=message_id, timestamp_ms=at_ms, **fields)
        return Arrival(told, at_ms, at_ms, events.SHOP, told.subject or "")
    event = kind(message_id=message_id, timestamp_ms=at_ms, user_id="ada", **fields)
    return Arrival(event, at_ms, at_ms, "user_id:ada", "ada")


def again_and_again(story: Iterable[Arrival], times: int) -> Iterator[Arrival]:
    """A history so many times, one after the other: the same things happen anew, with new messages, orders, tickets and coupons.

    Goods and carts stay the same ones.
    """
    told = list(story)
    span_ms = told[-1].time_ms - told[0].time_ms + MINUTE_MS
    for number in range(times):
        for one in told:
            at_ms = one.time_ms + number * span_ms
            fields: dict[str, Any] = {"timestamp_ms": at_ms}
            for name in _NEW_EACH_TIME:
                if (value := getattr(one.event, name, None)) is not None:
                    fields[name] = f"{value}-{number}"
            yield replace(one, event=replace(one.event, **fields), time_ms=at_ms, received_ms=at_ms)


@st.composite
def histories(draw: st.DrawFn, kinds: Collection[type[Event]] = EVERY_KIND, max_events: int = 12) -> list[Arrival]:
    """Up to `max_events` events of these kinds, each at a minute of its own, in the order of time."""
    span = draw(st.sampled_from(SPANS_MIN))
    minutes = sorted(draw(st.lists(st.integers(0, span), min_size=1, max_size=max_events, unique=True)))
    return [draw(one_event(kinds, minute, f"m{number}")) for number, minute in enumerate(minutes)]
