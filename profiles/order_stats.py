"""First order, newest orders and how many: the times of a customer's counted orders, kept without the whole ledger.

`recent` holds the newest orders without a gap, at most RECENT_ORDERS_MAX. An order that is cancelled or moved leaves it;
what lay before the kept ones is then not fetched at once, since RECENT_EXACT are enough for every reader: the last
min(count, RECENT_EXACT) of `recent` are always the newest orders. Only when that, or the first order, can't be told is the
whole ledger asked for. Equal times are ordered by order id.
"""

from collections.abc import Callable
from typing import Final

from profiles.rates import scaled
from profiles.state import RECENT_ORDERS_MAX, OrderStats

RECENT_EXACT: Final = 8
"""So many of the newest orders are always known; readers use no more, so that they do not depend on arrival order."""

Key = tuple[int, str]
"""An order's place in time: when it was placed, and its id."""


def newest(stats: OrderStats) -> list[Key]:
    """The newest min(count, RECENT_EXACT) orders, oldest first."""
    return stats.recent[-RECENT_EXACT:]


def average_minor(net_minor: int, orders: int) -> int | None:
    """What an order brought on average, in minor units of the shop's currency, half to even: net over the orders whose amounts
    are in it (`OrderStats.in_amounts`). None without any.
    """
    return scaled(net_minor, 1, orders) if orders else None


def moved(
    stats: OrderStats, old: Key | None, new: Key | None, load_all: Callable[[], list[Key]]
) -> tuple[Key | None, list[Key]]:
    """`first` and `recent` after an order left `old` (None: it was not counted) and took its place at `new`.

    Changes nothing. Calls `load_all` for the places of all orders but this one only when they can't be told otherwise, and
    what that raises passes through. `recent` may be the list that went in, when it stays as it is.
    """
    first, recent, count = stats.first, stats.recent, stats.count
    if old == new:
        return first, recent
    if old is not None:
        hidden = count - len(recent)
        count -= 1
        if old in recent:
            recent = [key for key in recent if key != old]
        else:
            hidden -= 1
        if first == old:
            first = recent[0] if recent and not hidden else None
        unknown_first = first is None and hidden > 0
        # A first order that is known and the only hidden one completes the list.
        if hidden == 1 and first is not None and len(recent) < RECENT_ORDERS_MAX:
            recent, hidden = [first, *recent], 0
        kept = len(recent)
        if new is not None and recent and new > recent[0]:
            kept += 1
        if unknown_first or (hidden > 0 and kept < RECENT_EXACT):
            return _derived(load_all(), new)
    if new is not None:
        hidden = count - len(recent)
        if first is None or new < first:
            first = new
        if hidden == 0 or new > recent[0]:
            recent = _with(recent, new)
    return first, recent


def _derived(others: list[Key], new: Key | None) -> tuple[Key | None, list[Key]]:
    if new is not None:
        others = [*others, new]
    others.sort()
    return (others[0] if others else None), others[-RECENT_ORDERS_MAX:]


def _with(recent: list[Key], new: Key) -> list[Key]:
    kept = [*recent, new]
    if recent and new < recent[-1]:
        kept.sort()
    if len(kept) > RECENT_ORDERS_MAX:
        del kept[0]
    return kept
