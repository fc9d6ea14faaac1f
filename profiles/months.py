"""A customer's orders by month: her part in the tables of cohorts, brought up to date with each order.

Months and days are those of the shop's calendar. Only purchases are counted (not cancelled, no test, above zero), as in the
models of customer value. What other orders moved is in the sums: a replacement that was free to her was not to the shop, and what
a customer has brought is what her lifetime value says. The counters and their names are those of `profiles.insight.cohorts`.
"""

from datetime import date
from functools import lru_cache
from typing import Final

from profiles import acquisition
from profiles.book import Book
from profiles.insight.cohorts import MONTHS_MAX, Past, contribution, count_order, month_contribution
from profiles.insight.tallies import Tally, difference, merged
from profiles.ledger import OrderChange, beside
from profiles.profile import Profile
from profiles.value.purchases import Piece

_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


def count_change(profile: Profile, change: OrderChange, book: Book, counted: Tally) -> None:
    """Bring the months in line with an order's change, and add what that changes in the counters, "cohort:<counter>".

    When the first order moves, the channel that won the customer is asked for anew.
    """
    old, new = change.piece_before, change.piece
    past, purchases = profile.past, profile.purchases
    channel = acquisition.channel_of(profile, book) or ""
    was = old if old is not None else beside(change.before, book)
    now = new if new is not None else beside(change.entry, book)
    if was == now and (old is None) == (new is None) and channel == past.channel:
        return
    history = purchases.history
    first_day = None if history is None else history.first_day
    # Usually one month changes, and only what is counted of it is worked out anew.
    moved = (first_day, purchases.second_day, channel) != (past.first_day, past.second_day, past.channel)
    whole = moved or len(past.months) >= MONTHS_MAX
    months = sorted({month_of(piece[0]) for piece in (was, now) if piece is not None})
    before = contribution(past) if whole else _of(past, months)
    for piece, orders, sign in ((was, old, -1), (now, new, 1)):
        if piece is not None:
            count_order(past, month_of(piece[0]), 0 if orders is None else sign, sign * piece[1], sign * piece[2])
    past.first_day, past.second_day, past.channel = first_day, purchases.second_day, channel
    past.first_month = None if first_day is None else month_of(first_day)
    after = contribution(past) if whole else _of(past, months)
    for name, amount in difference(after, before).items():
        full = f"cohort:{name}"
        counted[full] = counted.get(full, 0) + amount


def counters(profile: Profile, _: Book) -> Tally:
    """The customer's part in the counters of cohorts, from the profile as it stands."""
    return {f"cohort:{name}": amount for name, amount in contribution(profile.past).items()}


def fold(profile: Profile, pieces: list[Piece], besides: list[Piece]) -> None:
    """Make the months anew from all purchases, and what was moved beside them. The channel stays."""
    past, history = profile.past, profile.purchases.history
    made = Past(channel=past.channel, second_day=profile.purchases.second_day)
    if history is not None:
        made.first_day, made.first_month = history.first_day, month_of(history.first_day)
    for day, net, margin in pieces:
        count_order(made, month_of(day), 1, net, margin)
    for day, net, margin in besides:
        count_order(made, month_of(day), 0, net, margin)
    made.months = dict(sorted(made.months.items()))
    profile.past = made


@lru_cache(maxsize=1 << 14)
def month_of(day: int) -> int:
    """The month of a day, as year * 12 + month - 1.

    >>> month_of(20_514) == 2026 * 12 + 2
    True
    """
    on = date.fromordinal(day + _EPOCH_ORDINAL)
    return on.year * 12 + on.month - 1


def _of(past: Past, months: list[int]) -> Tally:
    if len(months) == 1:
        return month_contribution(past, months[0])
    return merged(month_contribution(past, month) for month in months)
