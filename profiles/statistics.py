"""The statistics of the population, by name: what models and reports are made from, kept with every order.

A statistic is a part of the profile and what that part adds to counters: whole numbers, so that any change is exact and can
be taken back, in any order and over any number of partitions. A counter's full name is "<statistic>:<counter>"; all are
committed with the profiles they follow from. A new statistic is a line in STATISTICS; one that follows other events than
orders names no `count_change` and adds to `Ledger.counted` where these are told.

A profile's part is a function of the profile as it stands (`counters`), so whoever merges or erases profiles takes `counters`
of what was away and adds `counters` of what is.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from profiles import hindsight, months, rhythms, voices
from profiles.book import Book
from profiles.insight.tallies import Tally, add, merged
from profiles.ledger import OrderChange
from profiles.order_state import Ledger
from profiles.origins import origin_of
from profiles.profile import Profile
from profiles.value.tallies import tallies, tally_change


class Statistic(NamedTuple):
    """One statistic.

    `count_change` brings its part of the profile in line with an order's change and adds what that changes to the counters,
    under full names; None where orders change nothing. `counters` are all counters of a profile, from the profile as it stands.
    """

    name: str
    count_change: Callable[[Profile, OrderChange, Book, Tally], None] | None
    counters: Callable[[Profile, Book], Tally]


def _value_change(profile: Profile, change: OrderChange, _: Book, counted: Tally) -> None:
    before, after = change.purchases_before.history, profile.purchases.history
    was, now = profile.origin, origin_of(profile)
    if before is not after or was != now:
        profile.origin = now
        for name, amount in tally_change(before, after, was, now).items():
            full = f"value:{name}"
            counted[full] = counted.get(full, 0) + amount


def _value_counters(profile: Profile, _: Book) -> Tally:
    return {f"value:{name}": amount for name, amount in tallies(profile.purchases.history, profile.origin).items()}


STATISTICS: Final = (
    # The channel of a customer is settled with her cohort, and the value models count her by it.
    Statistic("cohort", months.count_change, months.counters),
    Statistic("value", _value_change, _value_counters),
    Statistic("gaps", rhythms.count_change, rhythms.counters),
    Statistic("foretold", None, hindsight.counters),
    Statistic("nps", None, voices.nps_counters),
    Statistic("cases", None, voices.case_counters),
)
LEFT: Final = "nobody"
"""Counters of customers who were anonymised stay, and no profile holds them any more: so they are once more under this name."""
_OF_ORDERS: Final = tuple(statistic.count_change for statistic in STATISTICS if statistic.count_change is not None)


def tell_order(profile: Profile, change: OrderChange, ledger: Ledger, book: Book) -> None:
    """Let every statistic take in what an order event did; the changes of counters go along with the ledger."""
    if change.entry is not change.before:
        for count_change in _OF_ORDERS:
            count_change(profile, change, book, ledger.counted)


def counters(profile: Profile, book: Book) -> Tally:
    """All counters of a profile as it stands, without zeros."""
    return merged(statistic.counters(profile, book) for statistic in STATISTICS)


def take_back(profile: Profile, ledger: Ledger, book: Book) -> None:
    """Take a profile that is about to go out of all counters; the change goes along with the ledger."""
    add(ledger.counted, {counter: -amount for counter, amount in counters(profile, book).items()})


def left_behind(profile: Profile, book: Book) -> Tally:
    """What the population goes on counting of a customer who is anonymised: "nobody:<counter>"."""
    return {f"{LEFT}:{name}": amount for name, amount in counters(profile, book).items()}


def part_of(counters: Mapping[str, int], name: str) -> Tally:
    """The counters of one statistic, under their own names.

    >>> part_of({"value:gaps": 5, "cohort:first|9": 1, "orders": 7}, "value")
    {'gaps': 5}
    """
    start = f"{name}:"
    return {counter.removeprefix(start): amount for counter, amount in counters.items() if counter.startswith(start)}
