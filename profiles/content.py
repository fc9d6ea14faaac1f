"""What an emitted trigger carries beyond its envelope."""

from typing import Any

from msgspec import Struct

from profiles.ledger import OrderChange
from profiles.state import Cart, Delivery, RecentOrder
from profiles.supply import SupplyChange
from schemas.events import Arrival
from schemas.outputs import CouponShown, Item


class Content(Struct, kw_only=True):
    """Amounts are minor units of `currency` (None: the shop's). `rule` says in words why it is sent."""

    items: tuple[Item, ...] = ()
    value_minor: int | None = None
    currency: str | None = None
    recovery_url: str | None = None
    details: dict[str, Any] = {}
    cart_id: str | None = None
    checkout_id: str | None = None
    coupon: CouponShown | None = None
    rule: str = ""


class OrderTold(Struct, kw_only=True):
    """An order event as triggers hear of it: what it changed in the ledger and in supplies, the order for carts and
    conversions (None where it is not placed, or a test), those of its products of which she is known since to have kept none, the
    carts it took something out of, and its delivery (None where that is as it was).

    Where two profiles become one that both told of an order, it is told of once more, as an Order Updated without content:
    then there is neither an order for carts and conversions nor anything of supplies.
    """

    arrival: Arrival
    change: OrderChange
    supplies: SupplyChange
    order: RecentOrder | None = None
    gone: list[str] = []
    carts: list[Cart] = []
    delivery: Delivery | None = None
