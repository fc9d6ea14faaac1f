"""The counts of a whole shop, as arrays: what `profiles.value.tallies` keeps for each partition, added up.

Counters of several partitions are merged by plain addition, before or after they are read. Rows stand in an order of their own,
so that equal counters give equal sums to the last bit, and so the same model, wherever they were read from.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from profiles.value.buckets import amount_of, largest_of
from profiles.value.history import LOG_UNIT

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class CountsError(ValueError):
    """A counter can't be: below zero, its name is none of ours, or the kinds disagree about how many customers there are.

    The fit is refused and the last model stays. Compare profiles with their counters by `regulars audit`, which names the
    partition to rebuild.
    """


@dataclass(frozen=True, slots=True, eq=False)
class Buyers:
    """Buyers by (x, first day, last day), each row with its count.

    `log_gaps` is the sum of ln(days between purchases); 0 for a part of the shop, since it is only counted for the whole. No
    parameter depends on it.
    """

    x: Ints
    first_day: Ints
    last_day: Ints
    count: Ints
    log_gaps: float

    @property
    def buyers(self) -> int:
        """Customers with a purchase."""
        return int(self.count.sum())

    @property
    def repeat_buyers(self) -> int:
        """Customers with two or more."""
        return int(self.count[self.x > 0].sum())


@dataclass(frozen=True, slots=True, eq=False)
class Population(Buyers):
    """All buyers, and what their orders after the first are worth, each row with its count.

    Of `spend` and `margin`, the amounts are means per purchase after the first, for customers who have one; `spread` are sums
    of squared deviations of margins; `value` is the largest total net of a bucket. `apart` are the buyers once more, by their
    origins as well. `*origin_of_row` is the place of each row's origin (`profiles.value.origin`) in `origins`, for rows of the
    same kind.
    """

    spend_x: Ints
    spend: Floats
    spend_count: Ints
    spend_origin_of_row: Ints
    margin_x: Ints
    margin: Floats
    margin_count: Ints
    margin_origin_of_row: Ints
    spread: Floats
    spread_count: Ints
    spread_origin_of_row: Ints
    value: Floats
    value_count: Ints
    origins: tuple[str, ...]
    origin_of_row: Ints
    apart: Buyers


_KEYS: Final = {"buyers": 3, "spend": 2, "margin": 2, "spread": 1, "value": 1}
"""Kinds of counters, and how many whole numbers follow in the name."""
_OF_ORIGIN: Final = ("buyers", "spend", "margin", "spread")
"""Kinds after whose whole numbers the origin may follow."""
_ORIGIN_PARTS: Final = 2
_OF_REPORTS: Final = "net|"
"""The kind that no model is fitted from."""


def added(partitions: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The counters of all partitions together, without zeros.

    >>> added([{"value|7": 2, "gaps": 5}, {"value|7": -2, "gaps": 1}])
    {'gaps': 6}
    """
    total: dict[str, int] = {}
    for counters in partitions:
        for name, amount in counters.items():
            total[name] = total.get(name, 0) + amount
    return {name: amount for name, amount in total.items() if amount}


def population_of(counters: Mapping[str, int]) -> Population:
    """Counters as arrays. Names without a bar that are not `gaps` belong to others and are passed over.

    Raises CountsError for a count below zero and for a name that can't be read.
    """
    keys: dict[str, list[str]] = {kind: [] for kind in _KEYS}
    counts: dict[str, list[int]] = {kind: [] for kind in _KEYS}
    log_gaps = 0
    for name, count in counters.items():
        if name.startswith(_OF_REPORTS):
            continue
        kind, bar, key = name.partition("|")
        if not bar:
            log_gaps += count if name == "gaps" else 0
            continue
        if kind not in keys:
            raise CountsError(f"counter {name!r} is of no kind this program knows ({', '.join(_KEYS)})")
        if count < 0:
            raise CountsError(f"counter {name!r} is {count}, below zero")
        if count:
            keys[kind].append(key)
            counts[kind].append(count)
    places: dict[str, int] = {}
    origin_of_row: dict[str, Ints] = {}
    for kind in _OF_ORIGIN:
        keys[kind], origin_of_row[kind] = _without_origins(kind, keys[kind], places)
    origins = sorted(places)
    ranks = np.argsort([places[origin] for origin in origins]) if origins else np.empty(0, np.int64)
    rows: dict[str, Ints] = {}
    customers: dict[str, Ints] = {}
    for kind, names in keys.items():
        numbers, of_row = _numbers(kind, names), origin_of_row.get(kind)
        columns = numbers.T[::-1]
        if of_row is not None:
            of_row = ranks[of_row]
            columns = np.vstack((of_row, columns))
        order = np.lexsort(columns)
        rows[kind], customers[kind] = numbers[order], np.array(counts[kind], np.int64)[order]
        if of_row is not None:
            origin_of_row[kind] = of_row[order]
    x, first_day, last_day = rows["buyers"].T
    apart = Buyers(x, first_day, last_day, customers["buyers"], 0.0)
    # Of one origin no two rows are alike.
    together = apart if len(places) < 2 else grouped(apart)
    return Population(
        x=together.x,
        first_day=together.first_day,
        last_day=together.last_day,
        count=together.count,
        log_gaps=log_gaps / LOG_UNIT,
        spend_x=rows["spend"][:, 0],
        spend=_amounts(rows["spend"][:, 1]),
        spend_count=customers["spend"],
        spend_origin_of_row=origin_of_row["spend"],
        margin_x=rows["margin"][:, 0],
        margin=_amounts(rows["margin"][:, 1]),
        margin_count=customers["margin"],
        margin_origin_of_row=origin_of_row["margin"],
        spread=_amounts(rows["spread"][:, 0]),
        spread_count=customers["spread"],
        spread_origin_of_row=origin_of_row["spread"],
        value=_amounts(rows["value"][:, 0], largest_of),
        value_count=customers["value"],
        origins=tuple(origins),
        origin_of_row=origin_of_row["buyers"],
        apart=apart,
    )


def grouped(rows: Buyers) -> Buyers:
    """The same buyers, rows that are alike made one."""
    if not len(rows.x):
        return rows
    order = np.lexsort((rows.last_day, rows.first_day, rows.x))
    x, first_day, last_day = rows.x[order], rows.first_day[order], rows.last_day[order]
    new = np.r_[True, (np.diff(x) != 0) | (np.diff(first_day) != 0) | (np.diff(last_day) != 0)]
    count = np.add.reduceat(rows.count[order], np.flatnonzero(new))
    return Buyers(x[new], first_day[new], last_day[new], count, rows.log_gaps)


def _without_origins(kind: str, names: list[str], places: dict[str, int]) -> tuple[list[str], Ints]:
    """The keys of a kind without origins, and the place of each key's origin; new origins get the next places."""
    width, bare, of_row = _KEYS[kind], [], []
    if sum(name.count("|") for name in names) == (width - 1) * len(names):
        place = places.setdefault("", len(places)) if names else 0
        return names, np.full(len(names), place, np.int64)
    for name in names:
        parts = name.split("|", width)
        origin = parts.pop() if len(parts) > width else ""
        if origin and len(origin.split("|")) != _ORIGIN_PARTS:
            raise CountsError(f"a counter of kind {kind!r} ends in {origin!r}, which is no channel and country")
        bare.append("|".join(parts))
        of_row.append(places.setdefault(origin, len(places)))
    return bare, np.array(of_row, np.int64)


def _numbers(kind: str, names: list[str]) -> Ints:
    """The whole numbers in the keys of one kind, a row each."""
    width = _KEYS[kind]
    if not names:
        return np.empty((0, width), np.int64)
    try:
        numbers = np.array("|".join(names).split("|"), dtype=np.int64)
    except ValueError:
        numbers = np.empty(0, np.int64)
    if numbers.size != width * len(names):
        bad = next((name for name in names if not _readable(name, width)), names[0])
        raise CountsError(f"counter '{kind}|{bad}' is not followed by {width} whole numbers")
    return numbers.reshape(-1, width)


def _readable(name: str, width: int) -> bool:
    parts = name.split("|")
    return len(parts) == width and all(part.removeprefix("-").isdecimal() for part in parts)


def _amounts(buckets: Ints, of: Callable[[int], float] = amount_of) -> Floats:
    """The middle of each bucket, or what else stands for it. There are few different ones, so each is worked out once."""
    different, places = np.unique(buckets, return_inverse=True)
    return np.array([of(int(bucket)) for bucket in different], np.float64)[places]
