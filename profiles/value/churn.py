"""Churn bands: the risk that no order comes within the horizon, in three bands that do not flutter.

risk = 1 - P(at least one order within the horizon). Not 1 - P(alive): that is 0 for every one-time buyer under BG/NBD and ranks
regulars badly under any model of the family.

The edges are 33 and 66 %. A band is left only when the risk is beyond its edge by MARGIN, so a customer whose risk moves
around an edge stays where she was, and a trigger on the band does not fire again and again.
"""

from typing import Final, Literal

from profiles.value.absent import Absent
from profiles.value.alive import p_order_within
from profiles.value.thresholds import order_within_falls_below
from profiles.value.timing import Buyer, Timing

Band = Literal["low", "medium", "high"]

BANDS: Final[tuple[Band, ...]] = ("low", "medium", "high")
EDGES: Final = (0.33, 0.66)
MARGIN: Final = 0.05
SURE: Final = 1.0 - 1e-9
"""No probability asked for is higher: a risk of less than nothing can't be waited for."""


def churn_band(risk: float, previous: Band | None = None) -> Band:
    """The band of a risk between 0 and 1, for a customer who was in `previous` before.

    >>> churn_band(0.34), churn_band(0.34, "low"), churn_band(0.37, "low"), churn_band(0.34, "high")
    ('medium', 'low', 'low', 'medium')
    """
    place = sum(risk >= edge for edge in EDGES)
    if previous is None:
        return BANDS[place]
    before = BANDS.index(previous)
    while place > before and risk < EDGES[place - 1] + MARGIN:
        place -= 1
    while place < before and risk > EDGES[place] - MARGIN:
        place += 1
    return BANDS[place]


def band_holds(model: Timing, buyer: Buyer, band: Band, horizon_weeks: float, concern: float = 0.0) -> bool:
    """Whether a customer of this band, silent until the buyer's age, would still be in it, or in a better one."""
    place = BANDS.index(band)
    return place == len(EDGES) or p_order_within(model, buyer, horizon_weeks) >= _share(place, concern)


def band_worsens_at(
    model: Timing, buyer: Buyer, band: Band, horizon_weeks: float, concern: float = 0.0
) -> float | Absent:
    """The age (weeks since her first order) at which she passes into a worse band if no order comes; a timer for it.

    NEVER in the highest band. ALREADY where she would have been in a worse one right after her newest order. `concern` is what
    is added to the risk for other reasons.
    """
    place = BANDS.index(band)
    if place == len(EDGES):
        return Absent.NEVER
    return order_within_falls_below(model, buyer, horizon_weeks, _share(place, concern))


def _share(place: int, concern: float) -> float:
    """The probability of an order at which a customer passes from this band into a worse one."""
    return min(1.0 - EDGES[place] - MARGIN + concern, SURE)
