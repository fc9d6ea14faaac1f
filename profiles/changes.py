"""Which fields of the public profile document an event can change: so that only what reads one of them is looked at again.

Fields go by their first word ("orders", "carts"). The table is a promise about the engine, and a law holds it to it; what it
says too much costs a look, what it said too little would leave a segment behind.
"""

from typing import Final, get_args

from schemas import events
from schemas.events import AnyEvent, Event
from schemas.profile_document import ProfileDocument

Changed = frozenset[str]

EVERYTHING: Final[Changed] = frozenset(ProfileDocument.__struct_fields__)
"""All fields."""
TIMERS: Final[Changed] = frozenset({"triggers", "predicted"})
"""What timers change."""
TOLD: Final[Changed] = frozenset({"triggers"})
"""What a change of a segment changes once it was told."""
ZONE: Final[Changed] = frozenset({"replenishment"})
"""What goes by her time zone: an event that moves her to another one changes it besides."""
MOVES: Final[Changed] = frozenset({"ids", "merging"})
"""What an answer to a claim of an identifier changes where it brings nothing."""

_ALWAYS: Final[Changed] = frozenset(
    {"first_seen_ms", "last_seen_ms", "sessions", "ids", "merging", "acquisition", "triggers", "predicted"}
)
_ALSO: Final[tuple[tuple[type[Event], frozenset[str]], ...]] = (
    (events.Identified, frozenset({"traits"}) | ZONE),  # a trait may be her zone
    (events.ProductViewed, frozenset({"interests"})),
    (events.ListEvent, frozenset({"interests"})),
    (events.WishlistEvent, frozenset({"interests", "wishlist"})),
    (events.CouponEvent, frozenset({"coupons"})),
    (events.WishlistProductAddedToCart, frozenset({"carts", "recommended"})),
    (events.CartProductEvent, frozenset({"carts", "recommended", "interests"})),
    (events.CartProductsEvent, frozenset({"carts", "recommended"})),
    (events.CartUpdated, frozenset({"interests"})),
    (events.CheckoutEvent, frozenset({"carts", "recommended"})),
    (events.OrderEvent, frozenset({"orders", "ltv", "carts", "recommended", "interests", "replenishment", "coupons"})),
    (events.SubscriptionEvent, frozenset({"replenishment"})),
    (events.NpsSubmitted, frozenset({"feedback"})),
    (events.CaseUpdated, frozenset({"feedback"})),
    (events.ProductReviewed, frozenset({"feedback"})),
    (events.TicketEvent, frozenset({"feedback"})),
    (events.MessageEvent, frozenset({"messages"})),
    (events.Unsubscribed, frozenset({"consent"})),
    (events.MessageMarkedAsSpam, frozenset({"consent"})),
)

CHANGED_BY: Final[dict[type[Event], Changed]] = {
    kind: _ALWAYS.union(*(fields for family, fields in _ALSO if issubclass(kind, family)))
    for kind in get_args(AnyEvent)
}
_CHANGED_WITH_CONSENT: Final[dict[type[Event], Changed]] = {
    kind: fields | {"consent"} for kind, fields in CHANGED_BY.items()
}


def changed_by(event: Event) -> Changed:
    """The fields an event can change; any event may carry a consent decision, and one that tells another time zone or country
    than was known (see `profiles.watch`) changes ZONE besides.
    """
    return (_CHANGED_WITH_CONSENT if event.consent else CHANGED_BY)[type(event)]
