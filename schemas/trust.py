"""What the key of a sender allows it to say: a client key is public (it stands in a web page), a server key is a secret.

`restrict` holds one event against the rules for client keys. The table SERVER_ONLY and the function below are all there
is; docs/explanation/trust-model.md says the same in words, with the reasons.
"""

import unicodedata
from typing import Any, Final, get_args

from msgspec.structs import replace

from schemas import events as e
from schemas.scalars import AdapterError

SERVER_ONLY: Final[frozenset[type[e.Event]]] = frozenset(
    {
        # It joins two people for good.
        e.Aliased,
        # What the shop's back office knows. A page reports that an order was placed and nothing after it.
        e.OrderUpdated,
        e.OrderCancelled,
        e.OrderRefunded,
        e.OrderReturned,
        e.OrderFulfilled,
        e.OrderDelivered,
        e.SubscriptionRenewed,
        e.CouponIssued,
        e.CouponUsed,
        # What messaging systems report. An unsubscribe page of the shop sends Consent Changed.
        e.MessageSent,
        e.MessageFailed,
        e.MessageDelivered,
        e.MessageOpened,
        e.MessageClicked,
        e.MessageBounced,
        e.MessageMarkedAsSpam,
        e.Unsubscribed,
        # What a help desk reports, and those who call back.
        e.CaseUpdated,
        e.TicketOpened,
        e.TicketUpdated,
        e.TicketResolved,
        # Prices and stock, and what is done to customers on request: of any kind there will ever be.
        *(kind for kind in get_args(e.AnyEvent) if issubclass(kind, e.ShopEvent | e.CommandEvent)),
    }
)
"""Events that a client key may not send."""

PROTECTED_TRAITS: Final = (
    *("balance", "created_at", "credit", "customer_group", "discount", "employee", "is_employee", "lifetime_value"),
    *("loyalty_points", "loyalty_tier", "ltv", "price_list", "role", "segment", "segments", "tags", "tier", "vip"),
)
"""Traits that a client key may not set unless the settings say otherwise: they give rights, money or a segment."""


def plain_trait(name: str) -> str:
    """A trait's name without what people vary in it (case, signs between, forms of a letter), so that a spelling is no way around
    the list.

    >>> plain_trait("createdAt") == plain_trait("Created_at") == plain_trait("created at")
    True
    """
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name))).casefold()


def protected_names(names: tuple[str, ...]) -> frozenset[str]:
    """The list of protected traits in the form `restrict` compares."""
    return frozenset(plain_trait(name) for name in names)


def restrict(event: e.Event, protected: frozenset[str]) -> tuple[e.Event, int]:
    """What is left of an event from a client key, and how many things were taken out of it.

    Protected traits, costs and the mark of an import are taken out; the rest is as valid without them. Raises
    AdapterError (`not_allowed`) for an event that only a server key may send.
    """
    kind = type(event)
    if kind in SERVER_ONLY:
        raise AdapterError("not_allowed", f"{event.__struct_config__.tag} needs a server key")
    changes: dict[str, Any] = {}
    taken = 0
    if event.imported:
        # An import arms no trigger and calls a customer known: one who may say so could silence the shop.
        changes["imported"] = False
        taken += 1
    if isinstance(event, e.Identified | e.Grouped):
        kept = {name: value for name, value in event.traits.items() if plain_trait(name) not in protected}
        if len(kept) < len(event.traits):
            changes["traits"] = kept
            taken += len(event.traits) - len(kept)
    elif isinstance(event, e.OrderStateEvent):
        if event.test:
            # A test counts for nothing, for good: it would cancel an order that a server told of.
            raise AdapterError("not_allowed", "an order that is a test needs a server key")
        costs = [name for name in ("shipping_cost_minor", "payment_fee_minor") if getattr(event, name) is not None]
        changes |= dict.fromkeys(costs)
        taken += len(costs)
        priced = sum(product.cost_minor is not None for product in event.products)
        if priced:
            changes["products"] = tuple(replace(product, cost_minor=None) for product in event.products)
            taken += priced
    return (replace(event, **changes), taken) if changes else (event, 0)
