"""How often a customer buys one category or product, and what that adds to what the population knows of it.

A rhythm is the local days of her newest purchases. From it follow, by integers only,

- her own pace: the logarithms of her last gaps (at most HISTORY), shrunk to a fixed ruler of 30 days,
  m = (3 ln 30 + sum ln gap) / (3 + n). The ruler is the same for every key and never changes, so counters of last year and
  of today can be added; what a key's typical gap really is, the fit reads off the counters;
- each closed interval as one count: history bucket (how many gaps came before it) and bin of u = gap / e^m;
- the open interval since the last purchase as one count of history bucket, pace and week of its start. It is no event yet,
  but it says that nothing was bought for so long; how long is known when the model is fitted. Without open intervals, those
  who stopped buying are forgotten and every probability comes out too high;
- sums of logarithms, for the log-normal model (one-way analysis of variance: between and within customers).

All of it is a pure function of the days, so a cancelled order or a merged customer is a difference of two tallies.
Logarithms are whole numbers of 1/1024; bins of u are 144/1024 wide (15 %), from 0.05 to 12, which is 40 with the first one.
"""

from bisect import bisect_right
from itertools import pairwise
from math import log
from typing import Final

from msgspec import Struct

from profiles.insight.tallies import Tally, difference

PURCHASES_MAX: Final = 49
"""Newest purchases kept. When full, the first HISTORY gaps serve as history only, for what came before them is unknown."""
HISTORY: Final = 12
"""Gaps that make a customer's own pace: the newest ones, so that a pace may change."""
SHRINKAGE: Final = 3
"""How many gaps the ruler weighs: a first-time buyer is at the ruler, a regular one near her own pace."""
RULER_DAYS: Final = 30
UNIT: Final = 1024
"""Logarithms are whole numbers of 1/UNIT."""
BIN: Final = 144
"""Width of a bin of ln u."""
FIRST_EDGE: Final = -3068
"""ln 0.05: below it lies bin 0."""
BINS: Final = 41
"""Bin 0 is u < 0.05, bin 40 is u >= 12.04; the edge between bins i and i + 1 is exp((FIRST_EDGE + i BIN) / UNIT)."""
BUCKETS: Final = 6
"""Histories of 0, 1, 2, 3-4, 5-7 and 8 or more gaps."""
GAP_MAX_DAYS: Final = 3650
WEEK: Final = 7
MEAN_UNIT: Final = 16
"""Means of logarithms are kept in 1/16 of their unit, squares over counts in whole units: both rounded down."""

_BUCKET_STARTS: Final = (1, 2, 3, 5, 8)
_LOG: Final = [0, *(round(UNIT * log(days)) for days in range(1, GAP_MAX_DAYS + 1))]
RULER: Final = _LOG[RULER_DAYS]


class Rhythm(Struct, array_like=True, omit_defaults=True, gc=False):
    """Local days (since 1970) of the newest purchases, ascending, two on one day twice; with units where they matter.

    `units` is empty while every purchase is of one unit, else as long as `days`.
    """

    days: list[int] = []
    units: list[float] = []


class Pace(Struct, frozen=True, gc=False):
    """What a customer's own past says about her next gap. `logs` is the sum of the last `gaps` logarithms, in 1/UNIT.

    `bucket` is that of all her gaps known. `stretch` is what the units bought last add to the logarithm.
    """

    gaps: int
    logs: int
    bucket: int
    stretch: int = 0


def record(rhythm: Rhythm, day: int, units: float = 1.0) -> bool:
    """Note a purchase; False when it is older than all of a full rhythm, which then stays as it is.

    Raises ValueError when `units` is not above zero: what was sent back is taken out, not entered.
    """
    if not units > 0:
        raise ValueError(f"a purchase has units above zero, not {units}; take out what was sent back with `withdraw`")
    place = bisect_right(rhythm.days, day)
    if len(rhythm.days) >= PURCHASES_MAX and place == 0:
        return False
    beside = rhythm.units or [1.0] * len(rhythm.days)
    # Of purchases on one day the smaller comes first, so that the order of arrival leaves no trace.
    while place and rhythm.days[place - 1] == day and beside[place - 1] > units:
        place -= 1
    rhythm.days.insert(place, day)
    beside.insert(place, units)
    if len(rhythm.days) > PURCHASES_MAX:
        del rhythm.days[0], beside[0]
    rhythm.units = _unless_all_one(beside)
    return True


def withdraw(rhythm: Rhythm, day: int, units: float = 1.0) -> bool:
    """Take a purchase out (cancelled, or all of it sent back); False when it is not there, forgotten for instance."""
    for place in range(bisect_right(rhythm.days, day) - 1, -1, -1):
        if rhythm.days[place] != day:
            break
        if (rhythm.units[place] if rhythm.units else 1.0) == units:
            del rhythm.days[place]
            del rhythm.units[place : place + 1]
            rhythm.units = _unless_all_one(rhythm.units)
            return True
    return False


def unite(into: Rhythm, other: Rhythm) -> None:
    """Add the purchases of the same customer's other profile; of more than PURCHASES_MAX the newest stay."""
    for place, day in enumerate(other.days):
        record(into, day, other.units[place] if other.units else 1.0)


def until(rhythm: Rhythm, day: int) -> Rhythm:
    """The rhythm without the purchases after a day."""
    end = bisect_right(rhythm.days, day)
    return rhythm if end == len(rhythm.days) else Rhythm(rhythm.days[:end], rhythm.units[:end])


def pace(rhythm: Rhythm, exponent: float = 0.0) -> Pace:
    """The customer's own pace as of her last purchase. `exponent`: a gap grows with units bought to this power."""
    days, stretches = _occasions(rhythm, exponent)
    logs = _gap_logs(days, stretches)
    own = logs[-HISTORY:]
    return Pace(len(own), sum(own), bucket_of(len(logs)), stretches[-1] if stretches else 0)


def gap_log(days: int, stretch: int = 0) -> int:
    """The logarithm of a gap in 1/UNIT, with the part that more units explain taken off. Gaps above ten years are ten years.

    >>> gap_log(30) == RULER, gap_log(1), gap_log(10**9) == gap_log(GAP_MAX_DAYS)
    (True, 0, True)
    """
    return _LOG[min(days, GAP_MAX_DAYS)] - stretch


def bucket_of(gaps: int) -> int:
    """The history bucket of a number of gaps.

    >>> [bucket_of(n) for n in (0, 1, 2, 3, 4, 5, 7, 8, 40)]
    [0, 1, 2, 3, 3, 4, 4, 5, 5]
    """
    return bisect_right(_BUCKET_STARTS, gaps)


def contribution(rhythm: Rhythm, exponent: float = 0.0) -> Tally:
    """What this customer adds to the counters of one key; nothing without a purchase.

    Their names: c<bucket>.<bin> closed intervals; o<bucket>.<pace>.<week> open ones, pace in BIN of ln days; and over
    customers with a gap: customers, gaps, gaps2 (sum of squared counts), logs, logs2 (sums over gaps), means (of logs, in
    1/MEAN_UNIT), between (sum of squared sums over counts).
    """
    days, stretches = _occasions(rhythm, exponent)
    if not days:
        return {}
    tally: Tally = {}
    logs = _gap_logs(days, stretches)
    start = HISTORY if len(rhythm.days) >= PURCHASES_MAX else 0
    own = sum(logs[:start])
    for place in range(start, len(logs)):
        name = _closed(logs[place], own, place)
        tally[name] = tally.get(name, 0) + 1
        own += logs[place]
        if place >= HISTORY:
            own -= logs[place - HISTORY]
    tally[_open(logs, stretches[-1], days[-1])] = 1
    if logs:
        total = sum(logs)
        for name, value in _moments(len(logs), total, sum([value * value for value in logs])).items():
            if value:
                tally[name] = value
    return tally


def record_and_count(rhythm: Rhythm, day: int, units: float = 1.0, exponent: float = 0.0) -> Tally:
    """Note a purchase as `record` does; the change to the counters, the same as by `difference` of two contributions.

    The usual case, a purchase later than all before, costs a few microseconds: it closes one interval and opens another.
    The first one, and one more on the last day, cost next to nothing.
    """
    known = len(rhythm.days)
    if not known and units == 1.0:
        rhythm.days.append(day)
        return {_open([], 0, day): 1}
    if not known or rhythm.units or units != 1.0 or day < rhythm.days[-1] or known + 1 >= PURCHASES_MAX:
        before = contribution(rhythm, exponent)
        record(rhythm, day, units)
        return difference(contribution(rhythm, exponent), before)
    if day == rhythm.days[-1]:
        rhythm.days.append(day)  # Twice on one day is one occasion.
        return {}
    days = list(dict.fromkeys(rhythm.days))
    logs = [_LOG[min(end - begin, GAP_MAX_DAYS)] for begin, end in pairwise(days)]
    count, total = len(logs), sum(logs)
    gap = _LOG[min(day - days[-1], GAP_MAX_DAYS)]
    change = _moments_change(count, total, gap)
    change[_closed(gap, sum(logs[-HISTORY:]), count)] = 1
    closing = _open(logs, 0, days[-1])
    logs.append(gap)
    opening = _open(logs, 0, day)
    if opening != closing:
        change[closing], change[opening] = -1, 1
    rhythm.days.append(day)
    return change


def _closed(value: int, own_logs: int, gaps_before: int) -> str:
    """The counter of a closed interval: its history bucket, and the bin of u. Fractions are multiplied out, not rounded."""
    weight = SHRINKAGE + min(gaps_before, HISTORY)
    above = value * weight - (SHRINKAGE * RULER + own_logs) - FIRST_EDGE * weight
    place = min(1 + above // (BIN * weight), BINS - 1) if above >= 0 else 0
    return f"c{bucket_of(gaps_before)}.{place}"


def _open(logs: list[int], stretch: int, last_day: int) -> str:
    """The counter of the open interval: its history bucket, its pace to the nearest BIN, and the week of its start."""
    weight = SHRINKAGE + min(len(logs), HISTORY)
    centre = SHRINKAGE * RULER + sum(logs[-HISTORY:]) + stretch * weight
    pace_bin = (2 * centre + BIN * weight) // (2 * BIN * weight)
    return f"o{bucket_of(len(logs))}.{pace_bin}.{last_day // WEEK}"


def _moments(count: int, total: int, squares: int) -> Tally:
    if not count:
        return {}
    return {
        "customers": 1,
        "gaps": count,
        "gaps2": count * count,
        "logs": total,
        "logs2": squares,
        "means": total * MEAN_UNIT // count,
        "between": total * total // count,
    }


def _moments_change(count: int, total: int, gap: int) -> Tally:
    """What one more gap after `count` of that total changes in the moments."""
    more, sum_ = count + 1, total + gap
    change = {"gaps": 1, "gaps2": count + more, "logs": gap, "logs2": gap * gap}
    if count:
        change["means"] = sum_ * MEAN_UNIT // more - total * MEAN_UNIT // count
        change["between"] = sum_ * sum_ // more - total * total // count
    else:
        change["customers"], change["means"], change["between"] = 1, sum_ * MEAN_UNIT, sum_ * sum_
    for name in ("logs", "logs2", "means", "between"):
        if not change[name]:
            del change[name]
    return change


def _unless_all_one(units: list[float]) -> list[float]:
    return [] if units.count(1.0) == len(units) else units


def _occasions(rhythm: Rhythm, exponent: float) -> tuple[list[int], list[int]]:
    """The distinct days, and what the units bought on each stretch the gap after it by, as logarithm."""
    if not exponent or not rhythm.units:
        days = list(dict.fromkeys(rhythm.days))
        return days, [0] * len(days)
    units: dict[int, float] = {}
    for day, count in zip(rhythm.days, rhythm.units, strict=True):
        units[day] = units.get(day, 0.0) + count
    return list(units), [round(UNIT * exponent * log(count)) for count in units.values()]


def _gap_logs(days: list[int], stretches: list[int]) -> list[int]:
    return [gap_log(end - begin, stretch) for (begin, end), stretch in zip(pairwise(days), stretches, strict=False)]
