"""Ledgers of two profiles become one: entries of the same order are joined by the rules that fold events into an entry.

Every part of an entry is the newest, the earliest or the union of what was told, so two entries join without their events:
what either side took from the newest version is still the newest of both. Totals follow by the contributions that change.
"""

from operator import itemgetter

from msgspec.structs import replace

from profiles import ledger, months, order_stats
from profiles.book import Book
from profiles.contribution import contribute
from profiles.ledger import Version
from profiles.order_state import Ledger, OrderEntry, OrderMoney, Refund
from profiles.profile import Profile
from profiles.state import RECENT_ORDERS_MAX


def unite(into: Profile, into_ledger: Ledger, entries: list[OrderEntry], book: Book) -> None:
    """Put the entries of another ledger into this one. All of `into_ledger` must be loaded where there are entries."""
    for theirs in entries:
        ours = into_ledger.get(theirs.order_id)
        if ours is None:
            ledger.exchange(into, None, theirs.contribution)
            into_ledger.put(theirs)
            continue
        joined = join(ours, theirs, book)
        if joined == ours:
            continue
        ledger.exchange(into, ours.contribution, joined.contribution)
        into_ledger.put(joined)
    if entries:
        keys = sorted(key for entry in into_ledger.all() if (key := ledger.place(entry)) is not None)
        into.orders.first = keys[0] if keys else None
        kept = keys[-RECENT_ORDERS_MAX:]
        # A list that already says enough stays as it is, so that a merge which brings nothing new changes nothing.
        if order_stats.newest(into.orders) != kept[-order_stats.RECENT_EXACT :]:
            into.orders.recent = kept
        all_of_hers = into_ledger.all()
        into.purchases = ledger.fold_purchases(all_of_hers, book)
        besides = [found for entry in all_of_hers if (found := ledger.beside(entry, book)) is not None]
        months.fold(into, ledger.pieces(all_of_hers, book), besides)


def join(ours: OrderEntry, theirs: OrderEntry, book: Book) -> OrderEntry:
    """One entry of all that was told about an order on either side. Changes neither; `ours` where nothing is new."""
    completed = [entry.placed_ms for entry in (ours, theirs) if entry.completed and entry.placed_ms is not None]
    placed = completed or [entry.placed_ms for entry in (ours, theirs) if entry.placed_ms is not None]
    described = _described(ours, theirs)
    joined = OrderEntry(
        order_id=ours.order_id,
        placed_ms=min(placed, default=None),
        completed=ours.completed or theirs.completed,
        lines=described.lines,
        lines_version=described.lines_version,
        refunds=_refunds(ours, theirs),
        cancelled_ms=_earliest(ours.cancelled_ms, theirs.cancelled_ms),
        test=ours.test or theirs.test,
        couponed=ours.couponed or theirs.couponed,
        gift_cards=sorted({*ours.gift_cards, *theirs.gift_cards}),
        fulfilled_ms=_earliest(ours.fulfilled_ms, theirs.fulfilled_ms),
        delivered_ms=_earliest(ours.delivered_ms, theirs.delivered_ms),
        compact=described.compact,
    )
    named = max(ours, theirs, key=lambda entry: entry.cart_version or _NEVER)
    joined.cart_id, joined.checkout_id, joined.cart_version = named.cart_id, named.checkout_id, named.cart_version
    _join_money(joined, ours, theirs)
    joined.came_with = ours.came_with if ours.came_with == theirs.came_with else ""
    joined.contribution = ours.contribution
    if joined != ours:
        joined.contribution = contribute(joined, described, book)
    return joined


def _described(ours: OrderEntry, theirs: OrderEntry) -> OrderEntry:
    """The side that has the newest lines; of two with the same lines the one that has not lost them."""
    return max(
        (ours, theirs),
        key=lambda entry: (entry.lines_version is not None, entry.lines_version or (), not entry.compact),
    )


def _earliest(one: int | None, two: int | None) -> int | None:
    return min((ms for ms in (one, two) if ms is not None), default=None)


def _refunds(ours: OrderEntry, theirs: OrderEntry) -> dict[str, Refund]:
    """The refunds of both; of one known to both the newer version, and of the same version the one that names products."""
    refunds = dict(ours.refunds)
    for refund_id, refund in theirs.refunds.items():
        known = refunds.get(refund_id)
        if known is None or _refund_rank(refund_id, refund) > _refund_rank(refund_id, known):
            refunds[refund_id] = refund
    return dict(sorted(refunds.items(), key=itemgetter(0)))


def _refund_rank(refund_id: str, refund: Refund) -> tuple[int, str, bool]:
    return (refund.at_ms, refund.message_id or refund_id, bool(refund.units))


# --- money, each part with the version that stated it ---------------------------------------------------------------


def _join_money(joined: OrderEntry, ours: OrderEntry, theirs: OrderEntry) -> None:
    main = max(ours, theirs, key=lambda entry: entry.money_version or _NEVER)
    currency = max(ours, theirs, key=_currency_version)
    shipping = max(ours, theirs, key=_shipping_version)
    fee = max(ours, theirs, key=_fee_version)

    joined.money_version = main.money_version
    told = ledger.newest_alone(ours.alone, theirs.alone)
    joined.alone = {name: part for name, part in told.items() if part[1] > (main.money_version or _NEVER)}
    joined.currency = currency.currency
    shipping_cost = shipping.money.shipping_cost if shipping.money is not None else None
    payment_fee = fee.money.payment_fee if fee.money is not None else None
    stated = main.money if main.money_version is not None and main.money is not None else OrderMoney()
    if joined.money_version is not None or shipping_cost is not None or payment_fee is not None:
        joined.money = replace(stated, shipping_cost=shipping_cost, payment_fee=payment_fee)

    standing = joined.money_version or joined.lines_version
    joined.currency_version = _unless(_currency_version(currency), standing)
    joined.shipping_cost_version = _unless(_shipping_version(shipping), standing)
    joined.payment_fee_version = _unless(_fee_version(fee), standing)
    told_by = (("payment_fee", fee), ("shipping_cost", shipping))
    joined.bare_costs = [name for name, entry in told_by if name in entry.bare_costs]


_NEVER: Version = (-(1 << 53), 0, "")
"""Before all others: what came in under a public key has the time of its receipt below zero."""


def _unless(version: Version, standing: Version | None) -> Version | None:
    """A version as an entry keeps it: None where there is none, or where it is the one that is understood."""
    return None if version in (_NEVER, standing) else version


def _main_version(entry: OrderEntry) -> Version:
    return entry.money_version or entry.lines_version or _NEVER


def _currency_version(entry: OrderEntry) -> Version:
    return _NEVER if entry.currency is None else entry.currency_version or _main_version(entry)


def _shipping_version(entry: OrderEntry) -> Version:
    if entry.money is None or entry.money.shipping_cost is None:
        return _NEVER
    return entry.shipping_cost_version or _main_version(entry)


def _fee_version(entry: OrderEntry) -> Version:
    if entry.money is None or entry.money.payment_fee is None:
        return _NEVER
    return entry.payment_fee_version or _main_version(entry)
