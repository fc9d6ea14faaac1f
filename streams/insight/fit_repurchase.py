"""From the counters of all rhythms to the table that predicts the next purchase.

Per key and history bucket the counters say in which bin of u closed intervals ended, and since when and at which pace others
are open. An interval that ended in bin j was exposed to all bins before it and to part of j: hazard = events / exposure
(occurrence/exposure rate, e.g. Andersen, Borgan, Gill & Keiding 1993, ch. VI). Open intervals have exposure and no event;
their weeks become days as of the day of the fit. Then, in this order, thin data lean on thicker ones:

- all keys pooled, after each key's bins are moved to its own typical gap, lean on a log-normal (10 units of exposure);
- a key's own shapes lean on the pooled ones (10 units of exposure per bucket); below OWN_SHAPE_GAPS intervals it uses them;
- a key's typical gap leans on the merchant's `supply_days`, or else on the mean of all keys (30 intervals).
"""

from collections.abc import Mapping
from math import erf, erfc, log, sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from profiles.insight.repurchase import EDGES, Key, RepurchaseModel, Shape
from profiles.insight.rhythm import BIN, BINS, BUCKETS, MEAN_UNIT, RULER, SHRINKAGE, UNIT, WEEK
from profiles.insight.tallies import Tally

OWN_SHAPE_GAPS: Final = 300
"""Closed intervals from which a key has shapes of its own."""
EXPOSURE_WEIGHT: Final = 10.0
LOCATION_WEIGHT: Final = 30.0
GAPS_BEFORE: Final = (0.0, 1.0, 2.0, 3.5, 6.0, 12.0)
"""How many of its own gaps the pace in each history bucket typically rests on."""
TYPICAL_WITHIN: Final = 0.65
TYPICAL_BETWEEN: Final = 0.30
"""Variances of ln gap assumed before anything was learned. A coefficient of variation of 1, as grocery gaps have, is
a variance within customers of ln 2 = 0.69."""
DIGITS: Final = 5

Floats = npt.NDArray[np.float64]

_EDGES: Final[Floats] = np.array(EDGES)
_WIDTHS: Final[Floats] = np.diff(_EDGES)
_RATIO: Final = float(np.exp(BIN / UNIT))
# The mean exposure within the bin in which an interval ends: half of bin 0; in the others ln u is taken as uniform.
_LAST_PART: Final[Floats] = np.append(_EDGES[1] / 2, _EDGES[1:-1] * ((_RATIO - 1) / log(_RATIO) - 1))
_WINDOW_STEPS: Final[Floats] = np.geomspace(0.02, 1.2 * EDGES[-1], 400)


def fit_repurchase(
    counters: Mapping[str, Tally], today: int, supply_days: Mapping[str, float] | None = None
) -> RepurchaseModel:
    """Fit the counters of each key as of the local day `today` (days since 1970), with the merchant's word by key.

    Any key is welcome, one without a single gap too. Raises ValueError for counters that no rhythm can have made.
    """
    names = sorted(counters)
    for name in names:
        _check(name, counters[name])
    word = supply_days or {}
    ends = {name: _ends(counters[name], today) for name in names}
    typical = _moments(_sum(counters), prior=RULER / UNIT, weight=1.0)
    keys = {}
    for name in names:
        prior = log(word[name]) if name in word else typical.location
        keys[name] = _moments(counters[name], prior, LOCATION_WEIGHT, typical)
    events, exposure = np.zeros((BUCKETS, BINS - 1)), np.zeros((BUCKETS, BINS - 1))
    for name in names:
        moved = [
            tuple(_moved(counts, -_offset(keys[name].location, bucket)) for counts in ends[name][bucket])
            for bucket in range(BUCKETS)
        ]
        for bucket, (closed, still_open) in enumerate(moved):
            happened, exposed = _exposed(closed, still_open)
            events[bucket] += happened
            exposure[bucket] += exposed
    pooled = [_hazard(events[b], exposure[b], _log_normal_hazard(b)) for b in range(BUCKETS)]
    return RepurchaseModel(
        pooled=[_shape(summed) for summed in pooled],
        typical=typical,
        keys={name: _with_shapes(keys[name], ends[name], pooled) for name in names},
    )


def _with_shapes(key: Key, ends: list[tuple[Floats, Floats]], pooled: list[Floats]) -> Key:
    if key.gaps < OWN_SHAPE_GAPS:
        return key
    shapes = []
    for bucket, (closed, still_open) in enumerate(ends):
        stretch = np.exp(-_offset(key.location, bucket) * BIN / UNIT)
        prior = np.diff(_read(pooled[bucket], _EDGES * stretch))
        shapes.append(_shape(_hazard(*_exposed(closed, still_open), prior)))
    return Key(key.location, key.within, key.between, key.gaps, shapes)


def _ends(tally: Tally, today: int) -> list[tuple[Floats, Floats]]:
    """Closed and open intervals by the bin in which they ended or stand today, for each history bucket."""
    found = [(np.zeros(BINS), np.zeros(BINS)) for _ in range(BUCKETS)]
    for name, count in sorted(tally.items()):  # so that equal counters give equal sums to the last bit
        kind, parts = name[0], name[1:].split(".")
        if len(parts) == 1:
            continue
        closed, still_open = found[int(parts[0])]
        if kind == "c":
            closed[int(parts[1])] += count
            continue
        pace, start = int(parts[1]) * BIN / UNIT, int(parts[2]) * WEEK
        # Any day of the week may have been the first; an interval that starts today has half a day behind it.
        elapsed = np.maximum(today - start - np.arange(WEEK), 0.5)
        bins = np.searchsorted(_EDGES, elapsed * np.exp(-pace), side="right") - 1
        np.add.at(still_open, bins, count / WEEK)
    return found


def _exposed(closed: Floats, still_open: Floats) -> tuple[Floats, Floats]:
    """Events and exposure by bin, without the last bin: of what lies beyond, only that it came that far."""
    ended = closed + still_open
    came_further = np.cumsum(ended[::-1])[::-1][1:]
    return closed[:-1], came_further * _WIDTHS + ended[:-1] * _LAST_PART


def _hazard(events: Floats, exposure: Floats, prior: Floats) -> Floats:
    """The summed hazard at each edge. `prior` is the hazard expected within each bin."""
    rate = (events + EXPOSURE_WEIGHT * prior) / (exposure + EXPOSURE_WEIGHT * _WIDTHS)
    return np.append(0.0, np.cumsum(rate * _WIDTHS))


def _read(summed: Floats, u: Floats) -> Floats:
    """The summed hazard at u; beyond the last edge it goes on as in the last bin."""
    slope = (summed[-1] - summed[-2]) / _WIDTHS[-1]
    beyond = np.maximum(u - _EDGES[-1], 0.0) * slope
    return np.asarray(np.interp(u, _EDGES, summed) + beyond, dtype=np.float64)


def _offset(location: float, bucket: int) -> float:
    """By how many bins a key's own typical gap moves the pace of this bucket away from the ruler's."""
    return (location * UNIT - RULER) * SHRINKAGE / (SHRINKAGE + GAPS_BEFORE[bucket]) / BIN


def _moved(counts: Floats, bins: float) -> Floats:
    """Counts moved along ln u by a number of bins, shared between the two bins they fall between."""
    target = np.arange(BINS) + bins
    below = np.floor(target).astype(int)
    share = target - below
    out = np.zeros(BINS)
    np.add.at(out, np.clip(below, 0, BINS - 1), counts * (1 - share))
    np.add.at(out, np.clip(below + 1, 0, BINS - 1), counts * share)
    return out


def _log_normal_hazard(bucket: int) -> Floats:
    """What a log-normal gap around the pace would have within each bin: the start of everything."""
    spread = sqrt(TYPICAL_WITHIN + TYPICAL_BETWEEN / (1 + GAPS_BEFORE[bucket] * TYPICAL_BETWEEN / TYPICAL_WITHIN))
    summed = [0.0]
    for edge in EDGES[1:]:
        z = log(edge) / spread / sqrt(2)
        summed.append(-log(0.5 * erfc(z)) if z > 0 else -log(1 - 0.5 * (1 + erf(z))))
    return np.diff(np.array(summed))


def _shape(summed: Floats) -> Shape:
    return Shape([_short(value) for value in summed], [_short(_best_start(summed, edge)) for edge in _EDGES[1:]])


def _best_start(summed: Floats, half_width: float) -> float:
    """Where the window of twice half_width that holds the most probability begins; of equal ones the earliest."""
    width = 2 * half_width
    # The mass changes its direction only where an end of the window passes an edge, or between: hence the steps.
    starts = np.unique(np.maximum(np.concatenate([_EDGES, _EDGES - width, _WINDOW_STEPS]), 0.0))
    mass = np.exp(-_read(summed, starts)) - np.exp(-_read(summed, starts + width))
    return float(starts[np.argmax(np.round(mass, 9))])


def _moments(tally: Tally, prior: float, weight: float, typical: Key | None = None) -> Key:
    """Mean and variances of ln gap by one-way analysis of variance, leaning on what is typical while data are thin.

    Estimators of the random-effects model with unequal group sizes: Searle, Casella & McCulloch, Variance Components
    (1992), section 3.6. The location is the mean of the customers' means: a new customer is drawn from customers.
    """
    customers, gaps = tally.get("customers", 0), tally.get("gaps", 0)
    within, between = (typical.within, typical.between) if typical else (TYPICAL_WITHIN, TYPICAL_BETWEEN)
    means = tally.get("means", 0) / MEAN_UNIT / UNIT
    location = (means + weight * prior) / (customers + weight)
    if customers > 1 and gaps > customers:
        total, groups = tally.get("logs", 0) / UNIT, tally.get("between", 0) / UNIT**2
        inside = (tally.get("logs2", 0) / UNIT**2 - groups) / (gaps - customers)
        size = (gaps - tally.get("gaps2", 0) / gaps) / (customers - 1)
        across = max(0.0, ((groups - total * total / gaps) / (customers - 1) - inside) / size)
        within = (within * weight + inside * (gaps - customers)) / (weight + gaps - customers)
        between = max(0.01, (between * weight + across * (customers - 1)) / (weight + customers - 1))
    return Key(_short(location), _short(within), _short(between), gaps)


def _check(key: str, tally: Tally) -> None:
    for name, count in tally.items():
        if count < 0 and "." in name:
            raise ValueError(f"{key}: counter {name} stands at {count}: more was taken back than was added")
    customers, gaps = tally.get("customers", 0), tally.get("gaps", 0)
    if customers < 0 or gaps < customers:
        raise ValueError(f"{key}: {gaps} gaps of {customers} customers: more was taken back than was added")


def _sum(counters: Mapping[str, Tally]) -> Tally:
    """The moments of all keys together. Customers of several keys count in each: variances are those within keys' mix."""
    total: Tally = {}
    for tally in counters.values():
        for name, value in tally.items():
            if "." not in name:
                total[name] = total.get(name, 0) + value
    return total


def _short(value: Any) -> float:
    return float(f"{value:.{DIGITS}g}")
