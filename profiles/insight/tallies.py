"""Counters by name, as changes: what every statistic of the population is made of.

A customer's part in a statistic is a tally that is a pure function of her state. A change of state changes the population
by `difference(new, old)`; an erased customer is taken out by `difference({}, old)`; partitions are put together by
`merged`. All values are integers, so these sums are exact, in any order, on any machine. A counter at zero is not there.
"""

from collections.abc import Iterable, Mapping

Tally = dict[str, int]


def add(into: Tally, change: Mapping[str, int]) -> None:
    """Add a change to counters; those that come to zero are dropped.

    >>> counters = {"orders": 2}
    >>> add(counters, {"orders": -2, "buyers": 1})
    >>> counters
    {'buyers': 1}
    """
    for name, value in change.items():
        total = into.get(name, 0) + value
        if total:
            into[name] = total
        else:
            into.pop(name, None)


def difference(new: Mapping[str, int], old: Mapping[str, int]) -> Tally:
    """The change that leads from `old` to `new`."""
    if not old:
        return {name: value for name, value in new.items() if value}
    change: Tally = {}
    for name, value in new.items():
        moved = value - old.get(name, 0)
        if moved:
            change[name] = moved
    for name, value in old.items():
        if value and name not in new:
            change[name] = -value
    return change


def merged(tallies: Iterable[Mapping[str, int]]) -> Tally:
    """The sum of several tallies."""
    total: Tally = {}
    for tally in tallies:
        add(total, tally)
    return total
