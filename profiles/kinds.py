"""Kinds of events, by how the engine goes about them."""

from typing import Final, Literal

from profiles import checkouts
from profiles.privacy import COMMANDS
from schemas import events
from schemas.events import Event

Role = Literal["command", "order", "cart", "checkout", "feedback", "other"]

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
CATALOGUE_EVENTS: Final[frozenset[type[Event]]] = frozenset(
    {
        events.ProductUpdated,
        events.ProductPriceChanged,
        events.ProductStockChanged,
        events.ProductBackInStock,
    }
)
"""They are about products, not about a customer: told by `change`, and to those who watch the product by `hear`."""
FEEDBACK_EVENTS: Final[frozenset[type[Event]]] = frozenset(
    {events.NpsSubmitted, events.CaseUpdated, events.TicketOpened, events.TicketUpdated, events.TicketResolved}
)
ADDING: Final[frozenset[type[Event]]] = frozenset({events.ProductAdded, events.WishlistProductAddedToCart})
SHOPPING_EVENTS: Final[frozenset[type[Event]]] = CART_EVENTS | ORDER_EVENTS
CHANNEL_LOST: Final[frozenset[type[Event]]] = frozenset(
    {events.Unsubscribed, events.MessageMarkedAsSpam, events.MessageBounced}
)


def role_of(kind: type[Event]) -> Role:
    """How the engine goes about an event of this kind."""
    if kind in COMMANDS:
        return "command"
    if kind in ORDER_EVENTS:
        return "order"
    if kind in CART_EVENTS:
        return "cart"
    if kind in checkouts.EVENTS:
        return "checkout"
    return "feedback" if kind in FEEDBACK_EVENTS else "other"
