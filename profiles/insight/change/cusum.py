"""Has a customer's rhythm changed? A two-sided cumulative sum of standard scores, and the timer of silence.

z = (ln gap - m) / deviation, with m and deviation from what was known before the gap (`repurchase.log_gap`). Then
S+ = max(0, S+ + z - k), S- = max(0, S- - z - k), alarm above h, and both start anew (Page 1954; Montgomery, Introduction to
Statistical Quality Control, section 9.1). With k = 1/2 and h = 5 a steady customer gives a false alarm once in 465 orders,
a shift of one standard deviation is noticed after 10.4 on average; with h = 4 these are 168 and 8.4.

A sum only moves when she buys. That she no longer buys is told by a timer: a silence that only `share` of her gaps outlast.
"""

from math import exp, log
from typing import Final

from msgspec import Struct

from profiles.insight.change.shift import PATH_MAX, Shift
from profiles.insight.distributions import NORMAL

ALLOWANCE: Final = 0.5
"""k: half the shift one wants to find, in standard deviations."""
LIMIT: Final = 5.0
"""h."""
SILENCE_SHARE: Final = 0.05


class Cusum(Struct, array_like=True, omit_defaults=True, gc=False):
    """Both sums, for how many observations each has been above zero, and the newest scores."""

    above: float = 0.0
    below: float = 0.0
    above_run: int = 0
    below_run: int = 0
    path: list[float] = []


def standard_score(log_days: float, mean: float, deviation: float) -> float:
    """How unusual a gap is: the distance of its logarithm from the expected one, in standard deviations."""
    return (log_days - mean) / deviation


def observe(state: Cusum, score: float, allowance: float = ALLOWANCE, limit: float = LIMIT) -> float | None:
    """Take in one standard score. On an alarm, the estimated shift in standard deviations (+ longer gaps), else None.

    The estimate is k + S / N with N the length of the run (Montgomery, equation 9.5). `state.path` then still holds the
    evidence; the next observation starts a new one.
    """
    if state.above == 0 and state.below == 0:
        state.path = []
    state.path = [*state.path, round(score, 3)][-PATH_MAX:]
    state.above = max(0.0, state.above + score - allowance)
    state.below = max(0.0, state.below - score - allowance)
    state.above_run = state.above_run + 1 if state.above > 0 else 0
    state.below_run = state.below_run + 1 if state.below > 0 else 0
    shift = None
    if state.above > limit:
        shift = allowance + state.above / state.above_run
    elif state.below > limit:
        shift = -allowance - state.below / state.below_run
    if shift is not None:
        state.above = state.below = 0.0
        state.above_run = state.below_run = 0
    return shift


def observe_gap(state: Cusum, log_days: float, mean: float, deviation: float) -> Shift | None:
    """Take in one gap between orders; an alarm tells the usual gap before and the one now seen, in days."""
    runs = (state.above_run, state.below_run)
    shift = observe(state, standard_score(log_days, mean, deviation))
    if shift is None:
        return None
    return Shift(
        measure="interval",
        direction="up" if shift > 0 else "down",
        before=round(exp(mean), 1),
        after=round(exp(mean + shift * deviation), 1),
        observations=runs[0 if shift > 0 else 1] + 1,
        path=tuple(state.path),
    )


def silence_days(mean: float, deviation: float, share: float = SILENCE_SHARE) -> float:
    """Days without an order that only `share` of this customer's gaps outlast: exp(m + deviation * Phi^-1(1 - share)).

    >>> round(silence_days(3.0, 0.5), 1)
    45.7
    """
    return exp(mean + deviation * NORMAL.inv_cdf(1 - share))


def silence(mean: float, deviation: float, elapsed_days: float) -> Shift:
    """The evidence when the timer of silence has run out: the usual gap, the silence so far, and its standard score."""
    score = standard_score(log(elapsed_days), mean, deviation)
    return Shift("silence", "up", round(exp(mean), 1), round(elapsed_days, 1), 1, (round(score, 3),))
