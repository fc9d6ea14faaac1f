"""The engine: how one event changes one profile (`step`), and what its timers do (`fire`). Pure and deterministic.

`step` first does what may ask for more of the ledger (orders), then remembers, then lets the triggers concerned plan anew.
A `Need` is raised before anything was changed. Every other exception is a fault of ours: the caller throws the touched
profiles away and sets the record aside.

The tables at the end say which event goes where; a new event or trigger is a line there.
"""

from collections.abc import Callable
from typing import Final, TypeVar, cast

from profiles import activity, carts, dedupe, episodes, identity, interests, ledger, messages, supply
from profiles.book import Book
from profiles.consent import apply_consent
from profiles.interests import WEIGHTS
from profiles.profile import Profile
from profiles.state import Ledger, Moment, OrderEntry, RecentOrder
from profiles.triggers import BY_NAME, CART_ABANDONED, CHECKOUT_ABANDONED, REPLENISHMENT_DUE, WELCOME
from profiles.turn import Output, Turn
from schemas import events
from schemas.events import ANONYMOUS, Arrival, Event

Handler = Callable[[Turn, Arrival], None]
E = TypeVar("E", bound=Event)


class Engine:
    """Applies events and timers to profiles by one book. Keeps no state of its own; a new book is a new engine."""

    __slots__ = ("book",)

    def __init__(self, book: Book) -> None:
        self.book = book

    def step(self, profile: Profile, arrival: Arrival, at: Moment, orders: Ledger, out: list[Output]) -> None:
        """Apply one event to the profile it belongs to; outputs are appended to `out`.

        Raises NeedLedger or NeedProfile before changing anything when more must be loaded first.
        """
        event, time_ms = arrival.event, arrival.time_ms
        kind = type(event)
        turn = Turn(profile, self.book, at, out, event.message_id, time_ms, arrival.received_ms, event.imported)
        if kind in ORDER_EVENTS:
            _order(turn, arrival, orders)
        elif not dedupe.already_seen(profile, event.source, event.message_id, time_ms):
            if kind not in CART_EVENTS:
                _remember(turn, arrival)
            handler = HANDLERS.get(kind)
            if handler is not None:
                handler(turn, arrival)

    def fire(self, profile: Profile, at: Moment, orders: Ledger, out: list[Output]) -> None:
        """Let every timer of the profile that is due before the clock have its say, earliest first.

        Raises NeedLedger(None) before changing anything when old orders are to be compacted.
        """
        clock_ms = at.clock_ms
        while (due_ms := profile.next_due_ms()) is not None and due_ms < clock_ms:
            if profile.compact_ms is not None and profile.compact_ms == due_ms:
                ledger.compact(profile, due_ms, orders)
                continue
            episode = min(profile.episodes.values(), key=lambda waiting: (waiting.wake_ms, waiting.name, waiting.key))
            # In replay the clock stops at each due time it passes, however far it jumps.
            stop = at if at.wall_ms is not None else Moment(max(due_ms, episode.measured_from_ms or 0))
            turn = Turn(profile, self.book, stop, out, "timer", due_ms, due_ms)
            episodes.decide_due(turn, BY_NAME[episode.name], episode)


def _remember(turn: Turn, arrival: Arrival) -> None:
    """What every event tells: that she was here, who she is, what she consents to."""
    profile, event = turn.profile, arrival.event
    kind = type(event)
    activity.see(profile, arrival)
    if not profile.episodes or identity.reachable(profile):
        identity.remember(profile, arrival)
    else:
        identity.remember(profile, arrival)
        if identity.reachable(profile):
            episodes.release_held(turn)
    if kind in SHOPPING_EVENTS:
        rules = turn.book.rules
        carts.tidy(profile, arrival.time_ms, rules.cart_abandoned.forget_ms, rules.allowed_lateness_ms)
    if event.consent or kind in CONSENT_WITHDRAWN:
        granted = apply_consent(profile, arrival)
        if granted and (profile.milestones.granted is None or opening(arrival) < profile.milestones.granted):
            profile.milestones.granted = opening(arrival)
        if granted:
            WELCOME.replan(turn)


def opening(arrival: Arrival) -> tuple[int, str]:
    """An event as the opening of an episode: its time and its message id."""
    return (arrival.time_ms, arrival.event.message_id)


# --- orders -------------------------------------------------------------------------------------------------------


def _order(turn: Turn, arrival: Arrival, orders: Ledger) -> None:
    profile, event = turn.profile, arrival.event
    change = ledger.apply_order(profile, arrival, orders, turn.book)
    if profile.id == ANONYMOUS:
        return
    if not dedupe.already_seen(profile, event.source, event.message_id, arrival.time_ms):
        _remember(turn, arrival)
    supplies = supply.record_purchases(profile, change, turn.book)
    entry = change.entry
    if entry.placed_ms is not None and not entry.test:
        if change.is_new:
            lookup = turn.book.catalogue.lookup
            known = [(line.category, lookup(line.product_id, line.category)) for line in entry.lines]
            bought = [(category or facts.category, facts.brand, facts.occasions) for category, facts in known]
            interests.purchase(profile.interests, bought, entry.placed_ms)
        if isinstance(event, events.OrderStateEvent) and change.entry is not change.before:
            _close_carts(turn, entry, is_new=change.is_new)
    REPLENISHMENT_DUE.replan(turn, supplies)


def _close_carts(turn: Turn, entry: OrderEntry, *, is_new: bool) -> None:
    """An order takes what it bought out of the carts, ends checkouts, and settles what was emitted about them."""
    profile = turn.profile
    checkout = profile.checkouts.get(entry.checkout_id or entry.order_id)
    cart_id = entry.cart_id or (checkout.cart_id if checkout is not None else None)
    lateness_ms = turn.book.rules.allowed_lateness_ms
    touched = carts.apply_order(profile, entry, cart_id, lateness_ms)
    order = next((order for order in profile.recent_orders if order.order_id == entry.order_id), None)
    if order is None:
        assert entry.placed_ms is not None
        products = sorted({line.product_id for line in entry.lines})
        order = RecentOrder(entry.placed_ms, entry.order_id, cart_id, entry.checkout_id, products)
    CHECKOUT_ABANDONED.ordered(turn, order)
    if turn.book.rules.cart_abandoned.any_order:
        touched = [
            cart
            for cart in carts.all_carts(profile).values()
            if cart.opened_ms is not None and order.at_ms >= cart.opened_ms
        ]
        for cart in touched:
            carts.mark(cart, carts.ENDED, order.at_ms, f"any:{order.order_id}", lateness_ms)
    for cart in touched:
        CART_ABANDONED.replan(turn, cart, "ordered")
    if is_new and entry.cancelled_ms is None:
        episodes.settle(turn, BY_NAME, order)


# --- carts and checkouts ------------------------------------------------------------------------------------------


def _cart(turn: Turn, arrival: Arrival) -> None:
    profile, event = turn.profile, arrival.event
    cart = carts.apply_cart_event(profile, arrival, turn.book.rules.allowed_lateness_ms)
    if cart is None:
        return
    _remember(turn, arrival)
    if type(event) in ADDING:
        product = event.product  # type: ignore[attr-defined] # as each of ADDING has
        interests.touch(
            profile.interests, WEIGHTS["add"], product.category, product.brand, product.occasions, arrival.time_ms
        )
    CHECKOUT_ABANDONED.cart_changed(turn, cart)
    CART_ABANDONED.replan(turn, cart, "changed")


def _checkout(turn: Turn, arrival: Arrival) -> None:
    CHECKOUT_ABANDONED.apply(turn, arrival)


# --- the rest -----------------------------------------------------------------------------------------------------


def _product_interest(weight: float) -> Handler:
    def touch(turn: Turn, arrival: Arrival) -> None:
        product = arrival.event.product  # type: ignore[attr-defined] # only of events about a product
        interests.touch(
            turn.profile.interests, weight, product.category, product.brand, product.occasions, arrival.time_ms
        )

    return touch


def _list_interest(turn: Turn, arrival: Arrival) -> None:
    event = cast(events.ListEvent, arrival.event)
    interests.touch(turn.profile.interests, WEIGHTS["list"], event.category, None, (), arrival.time_ms)


def _signed_up(turn: Turn, arrival: Arrival) -> None:
    past = turn.profile.milestones
    if past.signed_up is None or opening(arrival) < past.signed_up:
        past.signed_up = opening(arrival)
    WELCOME.replan(turn)


def _subscribed(turn: Turn, arrival: Arrival) -> None:
    event = cast(events.SubscriptionEvent, arrival.event)
    subscriptions = turn.profile.subscriptions
    if type(event) is events.SubscriptionCancelled:
        subscriptions.pop(event.subscription_id, None)
    elif len(subscriptions) < SUBSCRIPTIONS_MAX or event.subscription_id in subscriptions:
        subscriptions[event.subscription_id] = sorted({product.product_id for product in event.products})


def _feedback(turn: Turn, arrival: Arrival) -> None:
    messages.note_feedback(turn.profile, arrival)


def _message(turn: Turn, arrival: Arrival) -> None:
    messages.note_message(turn.profile, arrival)


SUBSCRIPTIONS_MAX: Final = 32

ORDER_EVENTS: Final[frozenset[type[Event]]] = frozenset(
    {
        events.OrderCompleted,
        events.OrderUpdated,
        events.OrderCancelled,
        events.OrderRefunded,
        events.OrderReturned,
        events.OrderFulfilled,
        events.OrderDelivered,
    }
)
CART_EVENTS: Final[frozenset[type[Event]]] = frozenset(
    {
        events.ProductAdded,
        events.ProductRemoved,
        events.WishlistProductAddedToCart,
        events.CartViewed,
        events.CartUpdated,
    }
)
UNHANDLED: Final[frozenset[type[Event]]] = frozenset(
    {
        events.ProductUpdated,
        events.ProductPriceChanged,
        events.ProductStockChanged,
        events.ProductBackInStock,
        events.SuppressCustomer,
        events.UnsuppressCustomer,
        events.EraseCustomer,
        events.ExportCustomer,
        events.AnonymiseCustomer,
        events.EraseShop,
    }
)
"""Known on the wire, and nothing is done with them yet. They are set aside before they come here: a privacy request that
is swallowed in silence would be worse than one refused."""
ADDING: Final[frozenset[type[Event]]] = frozenset({events.ProductAdded, events.WishlistProductAddedToCart})
SHOPPING_EVENTS: Final[frozenset[type[Event]]] = CART_EVENTS | ORDER_EVENTS
CONSENT_WITHDRAWN: Final[frozenset[type[Event]]] = frozenset({events.Unsubscribed, events.MessageMarkedAsSpam})
HANDLERS: Final[dict[type[Event], Handler]] = {
    **dict.fromkeys(CART_EVENTS, _cart),
    events.SignedUp: _signed_up,
    events.ProductViewed: _product_interest(WEIGHTS["view"]),
    events.ProductAddedToWishlist: _product_interest(WEIGHTS["wishlist"]),
    events.ProductListViewed: _list_interest,
    events.CheckoutStarted: _checkout,
    events.CheckoutStepViewed: _checkout,
    events.CheckoutStepCompleted: _checkout,
    events.PaymentInfoEntered: _checkout,
    events.SubscriptionStarted: _subscribed,
    events.SubscriptionRenewed: _subscribed,
    events.SubscriptionCancelled: _subscribed,
    events.NpsSubmitted: _feedback,
    events.ProductReviewed: _feedback,
    events.MessageSent: _message,
    events.MessageFailed: _message,
    events.MessageDelivered: _message,
    events.MessageOpened: _message,
    events.MessageClicked: _message,
    events.MessageBounced: _message,
    events.MessageMarkedAsSpam: _message,
    events.Unsubscribed: _message,
}
