"""Where customers stand, and the money they brought: days since the last order against days with orders, each in fifths of
all customers.
"""

from bisect import bisect_left
from typing import Final

from msgspec import Struct

from profiles.statistics import part_of
from profiles.value.tallies import read_buyer
from streams.reporting.missing import Missing
from streams.reporting.snapshot import Snapshot
from streams.reporting.worth import NO_ORDERS, weighted_quantiles

FIFTHS: Final = (0.2, 0.4, 0.6, 0.8)


class Grid(Struct, frozen=True, tag=True):
    """Customers by class of recency (rows, the most recent first) and of frequency (columns, the fewest orders first).

    Labels are ranges of days and of order days: orders of one day count once, as in the models. Equal values stay in one class,
    so there may be fewer than five. `net` is the net revenue (minor units) that the customers of a cell have brought in all
    their time.
    """

    recency: list[str]
    frequency: list[str]
    customers: list[list[int]]
    net: list[list[int]]


def grid(found: Snapshot) -> Grid | Missing:
    """The grid as of today."""
    joint: dict[tuple[int, int], int] = {}
    money: dict[tuple[int, int], int] = {}
    for name, count in part_of(found.counters, "value").items():
        kind, _, key = name.partition("|")
        if kind == "buyers" and count > 0:
            x, _, last, _ = read_buyer(key)
            place = (max(0, found.today - last), x + 1)
            joint[place] = joint.get(place, 0) + count
        elif kind == "net":
            x, last = (int(part) for part in key.split("|"))
            place = (max(0, found.today - last), x + 1)
            money[place] = money.get(place, 0) + count
    if not joint:
        return NO_ORDERS
    cuts, labels = [], []
    for side, unit in ((0, "days"), (1, "order days")):
        ranked: dict[float, int] = {}
        for place, count in joint.items():
            ranked[place[side]] = ranked.get(place[side], 0) + count
        values = sorted(ranked.items())
        # Equal cuts are one; the largest value is no cut, since nothing lies above it.
        bounds = sorted({int(cut) for cut in weighted_quantiles(values, FIFTHS)} - {int(values[-1][0])})
        cuts.append(bounds)
        labels.append(_ranges(bounds, int(values[0][0]), int(values[-1][0]), unit))

    def cells(amounts: dict[tuple[int, int], int]) -> list[list[int]]:
        rows = [[0] * len(labels[1]) for _ in labels[0]]
        for (days, orders), amount in amounts.items():
            rows[bisect_left(cuts[0], days)][bisect_left(cuts[1], orders)] += amount
        return rows

    return Grid(labels[0], labels[1], cells(joint), cells(money))


def _ranges(cuts: list[int], least: int, most: int, unit: str) -> list[str]:
    """The classes in words.

    >>> _ranges([1, 3], 1, 9, "order days")
    ['1 order day', '2-3 order days', '4-9 order days']
    """
    starts, ends = [least, *(cut + 1 for cut in cuts)], [*cuts, most]
    return [
        f"{low} {unit.removesuffix('s') if low == 1 else unit}" if low == high else f"{low}-{high} {unit}"
        for low, high in zip(starts, ends, strict=True)
    ]
