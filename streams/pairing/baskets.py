"""Orders as baskets: each counts once, as its newest version says, and not at all once it was cancelled.

Every basket's receipt is kept with the order's id, so that a changed or cancelled order is taken out exactly. Of more than
ORDERS_MAX the oldest are forgotten: such an order stays counted, and if it comes again it counts again.
"""

from typing import Final

from msgspec import Struct

from profiles.insight.pairs import PairCounter, Receipt
from schemas.events import Event, OrderCancelled, OrderStateEvent

ORDERS_MAX: Final = 300_000
DAY_MS: Final = 86_400_000


class Counted(Struct, array_like=True, gc=False):
    """An order as it is counted: the version (time, message id) that said so, and its receipt; None where it counts nothing."""

    version: tuple[int, str]
    cancelled: bool
    receipt: Receipt | None


class Baskets:
    """The counts, and what each order adds to them."""

    def __init__(self, counter: PairCounter | None = None, orders: dict[str, Counted] | None = None) -> None:
        self.counter = PairCounter() if counter is None else counter
        self.orders = {} if orders is None else orders

    def take(self, event: Event, at_ms: int) -> None:
        """Let an event count; only those of orders do. `at_ms` is its event time (epoch ms)."""
        if not isinstance(event, OrderStateEvent):
            return
        known = self.orders.get(event.order_id)
        version = (at_ms if event.updated_at_ms is None else event.updated_at_ms, event.message_id)
        cancelled = isinstance(event, OrderCancelled) or event.test or (known is not None and known.cancelled)
        newer = known is None or version > known.version
        if known is not None and known.cancelled:
            return
        if cancelled:
            if known is not None and known.receipt is not None:
                self.counter.remove(known.receipt)
            self._keep(event.order_id, Counted(version, True, None))
            return
        items = {product.product_id for product in event.products}
        if not newer or not items:
            return
        if known is not None and known.receipt is not None:
            if set(known.receipt.items) == items:
                return
            self.counter.remove(known.receipt)
        self._keep(event.order_id, Counted(version, False, self.counter.add(items, at_ms // DAY_MS)))

    def _keep(self, order_id: str, counted: Counted) -> None:
        self.orders[order_id] = counted
        if len(self.orders) > ORDERS_MAX:
            del self.orders[next(iter(self.orders))]
