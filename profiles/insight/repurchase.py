"""When a customer will buy it again: predictions in a few microseconds from a table that was fitted elsewhere.

Time since the last purchase is measured against the customer's own pace, u = elapsed / e^m. How the chance of buying moves
with u was counted over all customers of the same history bucket (a hazard by bins of u, see `profiles.insight.rhythm` for
the counters and `streams.insight.fit_repurchase` for the fit). With H the summed hazard,

    P(buys in (t, t + h] | has not by t) = 1 - exp(-(H((t + h) / e^m) - H(t / e^m))),

which makes no assumption about the shape: grocery gaps are neither exponential nor a fixed period. The best window of
+-w days has its centre where the most probability lies within it, and that probability is how sure one may be.

A key with enough intervals of its own has shapes of its own; all others use the shapes pooled over all keys, stretched to
the key's typical gap: what was learned, drawn to what the merchant says (`supply_days`) while little is. Substitutes are
one key. Days are local days since 1970; durations are days.
"""

from bisect import bisect_right
from math import exp, inf, log
from typing import Final

from msgspec import Struct

from profiles.insight.rhythm import BIN, BINS, FIRST_EDGE, RULER, SHRINKAGE, UNIT, Pace

STOPPED: Final = 0.05
"""Whoever's chance of coming back later than today sank below this has stopped buying."""

EDGES: Final = (0.0, *(exp((FIRST_EDGE + BIN * place) / UNIT) for place in range(BINS - 1)))
"""Lower edges of the bins of u."""


class Shape(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """Of one history bucket: the summed hazard at each of EDGES, and the best windows' centres in u.

    `starts[i]` is where, in u, the best window of +-w with w / e^m = EDGES[i + 1] begins: kept rather than its centre, since
    a good window begins where the hazard rises, whatever its width. Beyond the last edge the hazard goes on as in the last bin.
    """

    hazard: list[float]
    starts: list[float]


class Key(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What was learned of one category or product.

    `location` is the mean of ln gap (days) over customers, `within` and `between` the variances within and between them.
    `gaps` is the number of intervals behind it. `shapes` by history bucket, where the key has its own.
    """

    location: float
    within: float
    between: float
    gaps: int = 0
    shapes: list[Shape] | None = None


class RepurchaseModel(Struct, frozen=True, forbid_unknown_fields=True):
    """The fitted table: shapes pooled over all keys, one `typical` key for those never seen, and the keys."""

    pooled: list[Shape]
    typical: Key
    keys: dict[str, Key]


class Outlook(Struct, frozen=True, gc=False):
    """Of the next purchase, in days after the last one. `window` is the centre of the best +-`half_width` days, a whole day.

    `confidence` is the probability of buying within the window, as seen from the last purchase. `median` is the day by
    which half will have bought; None when less than half ever will. After `stopped` days without a purchase the customer
    counts as having stopped.
    """

    window: int
    half_width: int
    confidence: float
    median: float | None
    stopped: float


class Clock:
    """One customer's time for one key: turns days since the last purchase into probabilities."""

    __slots__ = ("_shape", "scale_days")

    def __init__(self, shape: Shape, scale_days: float) -> None:
        self._shape = shape
        self.scale_days = scale_days

    def probability(self, elapsed: float, horizon: float) -> float:
        """P(buys within the next `horizon` days | has not in the `elapsed` days since the last purchase)."""
        return 1.0 - exp(self._hazard(elapsed) - self._hazard(elapsed + horizon))

    def survival(self, elapsed: float) -> float:
        """P(has not bought within `elapsed` days of the last purchase)."""
        return exp(-self._hazard(elapsed))

    def day_at(self, survival: float) -> float:
        """The days after the last purchase at which the survival has sunk to this (0 to 1); infinite if it never does.

        >>> Clock(Shape([edge for edge in EDGES], []), 10.0).day_at(exp(-2))
        20.0
        """
        hazard, wanted = self._shape.hazard, -log(survival)
        place = min(bisect_right(hazard, wanted) - 1, BINS - 2)
        slope = (hazard[place + 1] - hazard[place]) / (EDGES[place + 1] - EDGES[place])
        if slope <= 0:
            return inf
        return round((EDGES[place] + (wanted - hazard[place]) / slope) * self.scale_days, 9)

    def outlook(self, half_width: int) -> Outlook:
        """The best window of +-`half_width` days, and when half will have bought. The window never begins before day 0."""
        place = round((log(half_width / self.scale_days) * UNIT - FIRST_EDGE) / BIN)
        starts = self._shape.starts
        # A whole day: people buy on days, and a window around half a day would hold one day less.
        centre = half_width + round(starts[min(max(place, 0), len(starts) - 1)] * self.scale_days)
        median, stopped = self.day_at(0.5), self.day_at(STOPPED)
        return Outlook(
            window=centre,
            half_width=half_width,
            confidence=self.survival(centre - half_width) - self.survival(centre + half_width),
            median=median if median < inf else None,
            stopped=stopped,
        )

    def _hazard(self, elapsed: float) -> float:
        u = elapsed / self.scale_days
        if u <= 0:
            return 0.0
        hazard = self._shape.hazard
        place = min(bisect_right(EDGES, u) - 1, BINS - 2)
        slope = (hazard[place + 1] - hazard[place]) / (EDGES[place + 1] - EDGES[place])
        return hazard[place] + slope * (u - EDGES[place])


def clock_of(model: RepurchaseModel, key: str, pace: Pace, supply_days: float | None = None) -> Clock:
    """The clock of a customer with this pace. `supply_days` places a key that the model does not know.

    >>> flat = Shape([edge for edge in EDGES], [1.0] * 40)
    >>> model = RepurchaseModel([flat] * 6, Key(log(30), 0.6, 0.3), {})
    >>> clock_of(model, "tea", Pace(gaps=0, logs=0, bucket=0), supply_days=14).scale_days
    14.0
    """
    known = model.keys.get(key)
    if known is not None and known.shapes is not None:
        location, shapes = RULER / UNIT, known.shapes
    else:
        shapes, location = model.pooled, _location(model, known, supply_days)
    centre = (SHRINKAGE * location + pace.logs / UNIT) / (SHRINKAGE + pace.gaps)
    return Clock(shapes[pace.bucket], round(exp(centre + pace.stretch / UNIT), 9))


def log_gap(model: RepurchaseModel, key: str, pace: Pace, supply_days: float | None = None) -> tuple[float, float]:
    """Mean and standard deviation of the logarithm of the customer's next gap (days), by the log-normal model.

    Own gaps and the key's customers, each weighed by its variance: m = (mu/tau2 + sum/s2) / (1/tau2 + n/s2), variance
    1/(1/tau2 + n/s2) + s2 (the posterior predictive of a normal mean with known variances). For change detection, where a
    single standard score is wanted; the probabilities above rest on fewer assumptions.
    """
    learned = model.keys.get(key)
    location, known = _location(model, learned, supply_days), learned or model.typical
    precision = 1.0 / known.between + pace.gaps / known.within
    mean = (location / known.between + pace.logs / UNIT / known.within) / precision
    return mean + pace.stretch / UNIT, (1.0 / precision + known.within) ** 0.5


def _location(model: RepurchaseModel, known: Key | None, supply_days: float | None) -> float:
    """The typical ln gap: what was learned of the key, else the merchant's word, else that of all keys."""
    if known is not None:
        return known.location
    return model.typical.location if supply_days is None else log(supply_days)
