"""When customers came, by which channel, and what they bought in each month since: one customer's part in the tables.

A customer's cohort is the month of her first order that counts, her channel the one of that order. When the first order
moves (an earlier one arrives late, or it is cancelled), all her counters move with it: the part is a pure function of the
state, and the change a difference. Months are year * 12 + month - 1, days are days since 1970, both in the shop's zone;
amounts are minor units of the shop's currency.
"""

from typing import Final

from msgspec import Struct

from profiles.insight.tallies import Tally, add

HORIZONS: Final = (30, 60, 90, 180, 365)
"""Days within which a second order counts as a repurchase."""
MONTHS_MAX: Final = 180
"""Months kept for one customer: fifteen years. Beyond, the oldest go; her cohort stays."""


class Month(Struct, array_like=True, gc=False):
    """Purchases of a customer placed in one month; net revenue and margin of these and of her other orders that count."""

    orders: int = 0
    net: int = 0
    margin: int = 0


class Past(Struct, omit_defaults=True, gc=False):
    """A customer's months with orders, and the first two days on which she ordered."""

    months: dict[int, Month] = {}
    first_day: int | None = None
    first_month: int | None = None
    second_day: int | None = None
    channel: str = ""


def count_order(past: Past, month: int, orders: int, net: int, margin: int) -> None:
    """Add what changed by an order to the month it was placed in; a month with nothing left is dropped.

    A new order is (1, net, margin), a refund (0, -amount, -what it costs), a cancellation (-1, -net, -margin).
    """
    entry = past.months.get(month)
    if entry is None:
        entry = past.months[month] = Month()
    entry.orders += orders
    entry.net += net
    entry.margin += margin
    if entry.orders == entry.net == entry.margin == 0:
        del past.months[month]
    elif len(past.months) > MONTHS_MAX:
        del past.months[min(past.months)]


def contribution(past: Past) -> Tally:
    """The customer's counters; none before her first order. No channel counts as the channel "unknown". What was moved before the
    month of that order (a sample that was sent) is in this month.

    Their names: size|channel|cohort; active, orders, net and margin|channel|cohort|months since; first|day and
    again<horizon>|day. Raises ValueError when a month lies before that of the first order: then one of the two was not kept.
    """
    if past.first_day is None or past.first_month is None:
        return {}
    where = f"{past.channel or 'unknown'}|{past.first_month}"
    tally: Tally = {f"size|{where}": 1, f"first|{past.first_day}": 1}
    for month in past.months:
        add(tally, month_contribution(past, month))
    if past.second_day is not None:
        for days in HORIZONS:
            if past.second_day - past.first_day <= days:
                tally[f"again{days}|{past.first_day}"] = 1
    return tally


def month_contribution(past: Past, month: int) -> Tally:
    """The part of `contribution` that one month makes."""
    entry = past.months.get(month)
    if entry is None or past.first_month is None:
        return {}
    age = month - past.first_month
    if age < 0 and entry.orders:
        raise ValueError(f"month {month} lies before the month of the first order, {past.first_month}")
    where = f"{past.channel or 'unknown'}|{past.first_month}|{max(0, age)}"
    tally: Tally = {f"active|{where}": 1} if entry.orders > 0 else {}
    if entry.orders:
        tally[f"orders|{where}"] = entry.orders
    if entry.net:
        tally[f"net|{where}"] = entry.net
    if entry.margin:
        tally[f"margin|{where}"] = entry.margin
    return tally
