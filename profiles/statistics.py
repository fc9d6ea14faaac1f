"""The statistics of the population, by name: what models and reports are made from, kept with every order.

A statistic is a part of the profile and what that part adds to counters: whole numbers, so that any change is exact and can
be taken back, in any order and over any number of partitions. A counter's full name is "<statistic>:<counter>"; all are
committed with the profiles they follow from. A new statistic is a line in STATISTICS, for orders; what follows other events
adds to `Ledger.counted` itself.

A profile's part is a function of the profile as it stands (`counters`), so whoever merges or erases profiles takes `counters`
of what was away and adds `counters` of what is.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from profiles import months, rhythms
from profiles.book import Book
from profiles.insight.tallies import Tally, add
from profiles.ledger import OrderChange
from profiles.profile import Profile
from profiles.state import Ledger
from profiles.value.tallies import tallies, tally_change


class Statistic(NamedTuple):
    """One statistic: what an order changes in its counters (after bringing its part of the profile in line), and all of a
    profile's counters from the profile as it stands.
    """

    name: str
    count_change: Callable[[Profile, OrderChange, Book], Tally]
    counters: Callable[[Profile, Book], Tally]


STATISTICS: Final = (
    Statistic(
        "value",
        lambda profile, change, _: _value_change(profile, change),
        lambda profile, _: tallies(profile.purchases.history),
    ),
    Statistic(
        "cohort",
        months.count_change,
        lambda profile, _: months.counters(profile),
    ),
    Statistic("gaps", rhythms.count_change, rhythms.counters),
)


def tell_order(profile: Profile, change: OrderChange, ledger: Ledger, book: Book) -> None:
    """Let every statistic take in what an order event did; the changes of counters go along with the ledger."""
    if change.entry is change.before:
        return
    counted = ledger.counted
    for name, count_change, _ in STATISTICS:
        for counter, amount in count_change(profile, change, book).items():
            full = f"{name}:{counter}"
            counted[full] = counted.get(full, 0) + amount


def counters(profile: Profile, book: Book) -> Tally:
    """All counters of a profile as it stands, without zeros."""
    total: Tally = {}
    for name, _, whole in STATISTICS:
        add(total, {f"{name}:{counter}": amount for counter, amount in whole(profile, book).items()})
    return total


def part_of(counters: Mapping[str, int], name: str) -> Tally:
    """The counters of one statistic, under their own names.

    >>> part_of({"value:gaps": 5, "cohort:first|9": 1, "orders": 7}, "value")
    {'gaps': 5}
    """
    start = f"{name}:"
    return {counter.removeprefix(start): amount for counter, amount in counters.items() if counter.startswith(start)}


def _value_change(profile: Profile, change: OrderChange) -> Tally:
    before, after = change.purchases_before.history, profile.purchases.history
    return {} if before is after else tally_change(before, after)
