"""What stays of an anonymised customer: what she bought for, on which day, and nothing that says who she was.

Orders keep their money and lose their ids, their lines, their message ids and the time of day, since each of these can be
looked up in another system of the shop. The totals are the same as before, and still the fold of the ledger.
"""

from typing import Final

from msgspec.structs import replace

from profiles.book import Book
from profiles.contribution import settled_refunds, stated_money
from profiles.order_state import OrderEntry, Refund
from profiles.profile import Profile
from profiles.rates import DAY_MS
from profiles.turn import Anonymised

_DIGITS: Final = 6


def successor(profile: Profile, entries: list[OrderEntry], book: Book) -> Anonymised:
    """A profile without an id, and its ledger: the figures of this one. Changes nothing of the profile or the entries."""
    in_order = sorted(entries, key=lambda entry: (entry.placed_ms or 0, entry.order_id))
    # Numbered in their order, so that what was sorted by (time, id) stays sorted when times become days.
    names = {entry.order_id: f"{number:0{_DIGITS}}" for number, entry in enumerate(in_order)}
    stats = profile.orders
    kept = Profile("")
    kept.orders = replace(
        stats,
        first=None if stats.first is None else (_day(stats.first[0]), names[stats.first[1]]),
        recent=[(_day(at_ms), names[order_id]) for at_ms, order_id in stats.recent],
    )
    kept.ltv = replace(profile.ltv)
    kept.by_currency = {currency: replace(totals) for currency, totals in profile.by_currency.items()}
    return Anonymised(kept, [_plain(entry, names[entry.order_id], book) for entry in in_order])


def _plain(entry: OrderEntry, name: str, book: Book) -> OrderEntry:
    """The entry with its money and days alone."""
    return OrderEntry(
        name,
        placed_ms=None if entry.placed_ms is None else _day(entry.placed_ms),
        completed=entry.completed,
        currency=entry.currency,
        money=stated_money(entry) if entry.alone else entry.money,
        refunds={
            str(number): Refund(
                _day(refund.at_ms),
                amount=refund.amount,
                currency=refund.currency,
                return_shipping=refund.return_shipping,
                restocking_fee=refund.restocking_fee,
                priced=refund.priced,
                with_tax=refund.with_tax,
            )
            for number, refund in enumerate(settled_refunds(entry, book).values())
        },
        cancelled_ms=None if entry.cancelled_ms is None else _day(entry.cancelled_ms),
        test=entry.test,
        contribution=entry.contribution,
        compact=True,
    )


def _day(at_ms: int) -> int:
    """The beginning of the UTC day of a moment."""
    return at_ms - at_ms % DAY_MS
