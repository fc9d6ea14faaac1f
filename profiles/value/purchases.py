"""The purchase days of one customer, kept so that nearly every change of an order costs the same, however many there are.

Kept are the `history` that the models want, and the newest days one by one. A change on a day that is among them, with its
neighbour before it, is worked out from these; only what reaches further back (a cancelled order of long ago of somebody with
many) asks for all orders. Both ways agree to the bit, since every field is a whole number.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from profiles.value.history import History, history_of, log_gap

DAYS_KEPT: Final = 8
"""The newest purchase days kept one by one: most customers never have more."""

Day = tuple[int, int, int, int]
"""A purchase day (since 1970-01-01): its number, orders, net and margin in minor units."""
Piece = tuple[int, int, int]
"""One purchase: its day, net and margin."""


class Purchases(Struct, frozen=True, omit_defaults=True, gc=False):
    """All purchases of a customer: their history, the second purchase day, and the newest days, oldest first.

    While there are no more days than DAYS_KEPT, `recent` holds all of them. After removals it may hold fewer than it could.
    """

    history: History | None = None
    second_day: int | None = None
    recent: tuple[Day, ...] = ()


NONE: Final = Purchases()


def fold(pieces: Iterable[Piece]) -> Purchases:
    """The purchases, from all of them in any order.

    >>> fold([(107, 3000, 900), (100, 5000, 2000), (107, 1000, 100)]).recent
    ((100, 1, 5000, 2000), (107, 2, 4000, 1000))
    """
    days: dict[int, Day] = {}
    for day, net, margin in pieces:
        days[day] = _plus(days.get(day, (day, 0, 0, 0)), 1, net, margin)
    return _of(sorted(days.values()))


def moved(
    past: Purchases, old: Piece | None, new: Piece | None, load_others: Callable[[], Iterable[Piece]]
) -> Purchases:
    """The purchases after one changed from `old` (None: it was none) to `new` (None: it is none any more).

    Changes nothing. Asks for all the other ones only where the kept days don't say enough; what that raises passes through.
    """
    if old == new:
        return past
    after: Purchases | None = past
    if old is not None and new is not None and old[0] == new[0]:
        after = _with(past, old[0], 0, new[1] - old[1], new[2] - old[2])
    else:
        if old is not None:
            after = _with(past, old[0], -1, -old[1], -old[2])
        if new is not None and after is not None:
            after = _with(after, new[0], 1, new[1], new[2])
    if after is not None:
        return after
    return fold([*load_others(), *(() if new is None else (new,))])


def _with(past: Purchases, day: int, orders: int, net: int, margin: int) -> Purchases | None:
    """The purchases with a change to one day; None where the kept days can't tell."""
    history, recent = past.history, past.recent
    place = bisect_left(recent, (day,))
    there = place < len(recent) and recent[place][0] == day
    before = recent[place] if there else (day, 0, 0, 0)
    after = _plus(before, orders, net, margin)
    if not there and orders <= 0:
        return None
    kept = [*recent[:place], *((after,) if after[1] > 0 else ()), *recent[place + there :]]
    complete = history is None or len(recent) == history.x + 1
    if complete and (place <= 1 or history is None):
        return _of(kept)
    assert history is not None
    stays = there and after[1] > 0
    if not complete and place == 0 and not stays:
        return None
    squares = (after[3] * after[3] if after[1] > 0 else 0) - (before[3] * before[3] if there else 0)
    x, log_gaps = history.x, history.log_gaps
    if not stays:
        earlier, later = recent[place - 1][0], recent[place + there][0] if place + there < len(recent) else None
        gaps = log_gap(earlier, day)
        if later is not None:
            gaps += log_gap(day, later) - log_gap(earlier, later)
        sign = -1 if there else 1
        x, log_gaps = x + sign, log_gaps + sign * gaps
    return Purchases(
        replace(
            history,
            x=x,
            last_day=kept[-1][0],
            net_minor=history.net_minor + net,
            margin_minor=history.margin_minor + margin,
            last_margin_minor=kept[-1][3],
            margin_squares=history.margin_squares + squares,
            log_gaps=log_gaps,
        ),
        past.second_day,
        tuple(kept[-DAYS_KEPT:]),
    )


def _of(days: list[Day]) -> Purchases:
    """The purchases from all days, ascending."""
    if not days:
        return NONE
    history = history_of((day, net, margin) for day, _, net, margin in days)
    return Purchases(history, days[1][0] if len(days) > 1 else None, tuple(days[-DAYS_KEPT:]))


def _plus(day: Day, orders: int, net: int, margin: int) -> Day:
    return (day[0], day[1] + orders, day[2] + net, day[3] + margin)
