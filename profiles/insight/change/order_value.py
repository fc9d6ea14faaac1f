"""Does a customer spend more or less on an order than she used to? A moving average against her own past.

Logarithms of order values are made standard scores against mean and deviation of all her earlier orders, by Student's t, so
that even after eight orders the scores of a steady customer are standard normal (self-starting charts: Hawkins 1987, The
Statistician 36:299). Their exponentially weighted average z = weight x + (1 - weight) z alarms outside
+-L sqrt(weight / (2 - weight)) (Roberts 1959; Montgomery, Introduction to Statistical Quality Control, section 9.2). With
weight 0.2 and L = 2.962 a steady customer gives a false alarm once in 500 orders, and against a known mean a shift of one
deviation is noticed after 10.5; with few orders before it, later, since the past then says little.
"""

from math import exp, log, sqrt
from typing import Final

from msgspec import Struct

from profiles.insight.change.shift import PATH_MAX, Shift
from profiles.insight.distributions import normal_score_of_t

WEIGHT: Final = 0.2
WIDTH: Final = 2.962
LIMIT: Final = WIDTH * sqrt(WEIGHT / (2 - WEIGHT))
ORDERS_MIN: Final = 8
"""Orders before the first one that is judged."""


class OrderValues(Struct, array_like=True, omit_defaults=True, gc=False):
    """Count, mean and sum of squared deviations of ln value (Welford 1962), the moving average and how many it holds.

    `path` holds the newest standard scores, `values` the amounts they were of.
    """

    orders: int = 0
    mean: float = 0.0
    squares: float = 0.0
    average: float = 0.0
    judged: int = 0
    path: list[float] = []
    values: list[int] = []


def observe(state: OrderValues, value_minor: int) -> Shift | None:
    """Take in an order's value; orders at or below zero say nothing. After an alarm her past starts anew."""
    if value_minor <= 0:
        return None
    value = log(value_minor)
    shift = _judge(state, value, value_minor) if state.orders >= ORDERS_MIN and state.squares > 0 else None
    if shift is not None:
        state.orders, state.mean, state.squares = 0, 0.0, 0.0
        state.average, state.judged, state.path, state.values = 0.0, 0, [], []
    state.orders += 1
    step = value - state.mean
    state.mean += step / state.orders
    state.squares += step * (value - state.mean)
    return shift


def moved(average: float, score: float) -> float:
    """The moving average after one more standard score; beyond +-LIMIT it is an alarm."""
    return average + WEIGHT * (score - average)


def _judge(state: OrderValues, value: float, value_minor: int) -> Shift | None:
    deviation = sqrt(state.squares / (state.orders - 1))
    score = normal_score_of_t((value - state.mean) / (deviation * sqrt(1 + 1 / state.orders)), state.orders - 1)
    state.judged += 1
    state.average = moved(state.average, score)
    state.path = [*state.path, round(score, 3)][-PATH_MAX:]
    state.values = [*state.values, value_minor][-PATH_MAX:]
    if abs(state.average) <= LIMIT:
        return None
    return Shift(
        measure="order_value",
        direction="up" if state.average > 0 else "down",
        before=round(exp(state.mean)),
        after=_latest(state),
        observations=state.judged,
        path=tuple(state.path),
    )


def _latest(state: OrderValues) -> int:
    """The geometric mean of the newest orders without a break on the side of the alarm."""
    latest = []
    for score, value in zip(reversed(state.path), reversed(state.values), strict=True):
        if (score > 0) != (state.average > 0):
            break
        latest.append(log(value))
    # Never empty: an average only passes its limit by a score on that side.
    return round(exp(sum(latest) / len(latest)))
