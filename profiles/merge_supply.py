"""What was bought of replenishable products, of two profiles: the purchases of both, each order once."""

from profiles.book import Book
from profiles.ledger import OrderChange
from profiles.order_state import Ledger, OrderEntry
from profiles.profile import Profile
from profiles.state import SUPPLY_PRODUCTS_MAX, SUPPLY_PURCHASES_MAX, Supply
from profiles.supply import record_purchases
from profiles.value.purchases import NONE
from schemas.events import OrderUpdated


def unite(into: Profile, into_ledger: Ledger, other: Profile, entries: list[OrderEntry], book: Book) -> None:
    """Unite the supplies. Purchases of every order that came are counted anew from its entry in the united ledger.

    So an order that one side knew with its refund and the other without is what its united entry says. Orders that have
    lost their lines can't be counted anew and stay as the supplies had them.
    """
    came = {entry.order_id for entry in entries}
    for key, theirs in other.supply.items():
        came.update(purchase.order_id for purchase in theirs.purchases)
        ours = into.supply.get(key)
        into.supply[key] = theirs if ours is None else _united(key, ours, theirs)
    while len(into.supply) > SUPPLY_PRODUCTS_MAX:
        oldest = min(into.supply.items(), key=lambda item: (item[1].purchases[-1].at_ms, item[0]))[0]
        del into.supply[oldest]
    for order_id in sorted(came):
        entry = into_ledger.get(order_id)
        if entry is not None:
            # Any "before" will do: it only says that the order may be among the purchases already.
            record_purchases(into, OrderChange(entry, OrderEntry(order_id), OrderUpdated, None, None, NONE), book)


def _united(key: str, ours: Supply, theirs: Supply) -> Supply:
    by_order = {purchase.order_id: purchase for purchase in (*theirs.purchases, *ours.purchases)}
    purchases = sorted(by_order.values(), key=lambda purchase: (purchase.at_ms, purchase.order_id))
    newest = purchases[-1]
    side = ours if ours.purchases[-1].order_id == newest.order_id else theirs
    reminded = max((ours.reminded, theirs.reminded), key=lambda order_id: (order_id == newest.order_id, order_id or ""))
    kept = purchases[-SUPPLY_PURCHASES_MAX:]
    return Supply(newest.product_id or key, side.category, kept, reminded, side.told)
