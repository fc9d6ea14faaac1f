"""Parcels: which orders are on their way or have arrived, and what of them the customer kept.

A delivery follows from its order's ledger entry, and from returns, which are no matter of money and stand here alone.
Orders that nothing was sent of yet have none, so most order events pay nothing for it.
"""

from typing import Final

from profiles.book import Book
from profiles.ledger import OrderChange
from profiles.order_state import Ledger, OrderEntry
from profiles.profile import Profile
from profiles.state import Delivered, Delivery
from schemas.events import Arrival, OrderReturned

DELIVERIES_MAX: Final = 16
LINES_MAX: Final = 50


def note(profile: Profile, arrival: Arrival, change: OrderChange) -> Delivery | None:
    """Bring the delivery of an order up to date. The delivery where that changed anything of it, else None."""
    entry, event = change.entry, arrival.event
    if entry.fulfilled_ms is None and entry.delivered_ms is None and not isinstance(event, OrderReturned):
        return None
    old = profile.deliveries.get(entry.order_id, Delivery())
    new = _of(entry, old)
    if isinstance(event, OrderReturned):
        new.returned = sorted({*old.returned, *(product.product_id for product in event.products)})
        new.all_returned = old.all_returned or not event.products
    if new == old:
        return None
    _keep(profile, entry.order_id, new)
    return new


def unite(into: Profile, into_ledger: Ledger, other: Profile, entries: list[OrderEntry]) -> None:
    """Take over another profile's deliveries; all that orders tell is read anew from the united ledger."""
    for order_id, theirs in other.deliveries.items():
        ours = into.deliveries.get(order_id, theirs)
        united = Delivery(
            lines=ours.lines or theirs.lines,
            returned=sorted({*ours.returned, *theirs.returned}),
            all_returned=ours.all_returned or theirs.all_returned,
            asked=sorted({*ours.asked, *theirs.asked}),
        )
        into.deliveries[order_id] = united
    for order_id in {*other.deliveries, *(entry.order_id for entry in entries)}:
        entry = into_ledger.get(order_id)
        old = into.deliveries.get(order_id)
        if entry is not None and (old is not None or entry.fulfilled_ms is not None or entry.delivered_ms is not None):
            into.deliveries[order_id] = _of(entry, old or Delivery())
    while len(into.deliveries) > DELIVERIES_MAX:
        _drop_oldest(into)


def arrived_ms(delivery: Delivery, profile: Profile, book: Book) -> int | None:
    """When the parcel arrived: as was told, or as long after it was sent as parcels travel. None before either is known."""
    if delivery.delivered_ms is not None:
        return delivery.delivered_ms
    if delivery.fulfilled_ms is None:
        return None
    rule = book.rules.delivery
    country = None if profile.country is None else profile.country[1].strip().upper()
    abroad = bool(rule.home_countries) and country is not None and country not in rule.home_countries
    return delivery.fulfilled_ms + (rule.transit_abroad_ms if abroad else rule.transit_ms)


def order_arrived_ms(order_id: str, profile: Profile, book: Book) -> int | None:
    """When the parcel of an order arrived; None also where none of it is remembered."""
    delivery = profile.deliveries.get(order_id)
    return None if delivery is None else arrived_ms(delivery, profile, book)


def kept(delivery: Delivery) -> list[Delivered]:
    """The lines she has: neither given back, nor of an order that is no more."""
    if delivery.gone or delivery.all_returned:
        return []
    return [line for line in delivery.lines if line.product_id not in delivery.returned]


def _of(entry: OrderEntry, old: Delivery) -> Delivery:
    """A delivery as its order's entry has it now. Of an entry that has lost its lines they stay as they were.

    Until something was sent, only what came back is known: what the order says then depends on when one looks.
    """
    if entry.fulfilled_ms is None and entry.delivered_ms is None:
        return Delivery(returned=old.returned, all_returned=old.all_returned, asked=old.asked)
    named = {product_id for refund in entry.refunds.values() for product_id in refund.units}
    lines = old.lines
    if not entry.compact:
        by_product = {line.product_id: line for line in reversed(entry.lines) if line.product_id not in named}
        lines = [
            Delivered(product_id, line.variant_id, line.category, None if line.told is None else line.told.supply_days)
            for product_id, line in list(reversed(by_product.items()))[:LINES_MAX]
        ]
    return Delivery(
        _since_ms(entry),
        entry.fulfilled_ms,
        entry.delivered_ms,
        lines,
        _is_gone(entry),
        old.returned,
        old.all_returned,
        old.asked,
    )


def _since_ms(entry: OrderEntry) -> int:
    """The first moment known of a parcel that was sent."""
    return min(ms for ms in (entry.fulfilled_ms, entry.delivered_ms) if ms is not None)


def _is_gone(entry: OrderEntry) -> bool:
    """Whether nothing is left of the order: cancelled, a test, or all of it refunded."""
    contribution = entry.contribution
    if contribution is None or not contribution.counted:
        return True
    if not entry.refunds:
        return False
    amounts = contribution.amounts
    return (
        any(refund.amount is None and not refund.units for refund in entry.refunds.values())
        or amounts.refund >= amounts.gross - amounts.discount
    )


def _keep(profile: Profile, order_id: str, delivery: Delivery) -> None:
    profile.deliveries[order_id] = delivery
    if len(profile.deliveries) > DELIVERIES_MAX:
        _drop_oldest(profile)


def _drop_oldest(profile: Profile) -> None:
    kept_now = profile.deliveries
    del kept_now[min(kept_now, key=lambda order_id: (kept_now[order_id].since_ms, order_id))]
