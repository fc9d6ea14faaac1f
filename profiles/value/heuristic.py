"""Rules of thumb for shops whose history is too thin for a model: named `heuristic` wherever their figures appear.

- Her interval: the geometric mean of the days between her purchases, shrunk to the shop's with the weight of two purchases,
  exp((2 ln m0 + sum ln gaps) / (2 + x)).
- Band: silent for less than 1.5 of her intervals is low risk, less than 3 is medium, more is high.
- Next order: one interval after the newest, or today where that has passed; none in the high band.
- Expected orders: horizon over interval, halved for every interval by which she is late; for a one-time buyer times the share
  of buyers who came back, (came back + 1) / (buyers + 2) by Laplace's rule of succession.

As a ranking such rules are weak (silence over own interval finds lapsed customers little better than chance in some shops),
they have no probabilities and no intervals, and they give way to the model as soon as there is one.
"""

from math import ceil, exp, exp2, log
from typing import Final

from profiles.value.absent import Absent
from profiles.value.churn import Band
from profiles.value.history import History, mean_log_gap
from profiles.value.model import Heuristic

SHRINKAGE: Final = 2.0
LOW_INTERVALS: Final = 1.5
HIGH_INTERVALS: Final = 3.0


def interval_days(rules: Heuristic, history: History) -> float:
    """Her days from one purchase to the next."""
    own = mean_log_gap(history) or 0.0
    return exp((SHRINKAGE * log(rules.interval_days) + history.x * own) / (SHRINKAGE + history.x))


def thumb_band(rules: Heuristic, history: History, today: int) -> Band:
    """The churn band by how many of her intervals she has been silent."""
    silent = _silent(rules, history, today)
    return "low" if silent < LOW_INTERVALS else "medium" if silent < HIGH_INTERVALS else "high"


def thumb_band_worsens_day(rules: Heuristic, history: History, today: int) -> int | Absent:
    """The day on which she passes into a worse band if no order comes."""
    band = thumb_band(rules, history, today)
    if band == "high":
        return Absent.NEVER
    intervals = LOW_INTERVALS if band == "low" else HIGH_INTERVALS
    # The first whole day on which the band is the worse one.
    return history.last_day + ceil(intervals * interval_days(rules, history))


def thumb_next_order_day(rules: Heuristic, history: History, today: int) -> int | Absent:
    """The day of her next order by her own rhythm."""
    if thumb_band(rules, history, today) == "high":
        return Absent.PROBABLY_GONE
    return max(today, history.last_day + round(interval_days(rules, history)))


def thumb_orders(rules: Heuristic, history: History, today: int, days: int) -> float:
    """Expected orders in the next `days`."""
    late = max(0.0, _silent(rules, history, today) - 1.0)
    back = rules.repeat_share if history.x == 0 else 1.0
    return back * days / interval_days(rules, history) * exp2(-min(late, 60.0))


def thumb_mean(shop_mean: float | None, history: History, repeat_sum: int) -> float | Absent:
    """Her mean value (or margin) of an order after the first, shrunk to the shop's like the interval."""
    if shop_mean is None:
        return Absent.FEW_BUYERS
    return (SHRINKAGE * shop_mean + repeat_sum) / (SHRINKAGE + history.x)


def _silent(rules: Heuristic, history: History, today: int) -> float:
    return max(0, today - history.last_day) / interval_days(rules, history)
