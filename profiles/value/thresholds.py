"""When something will be so if she stays silent: times for timers, so that nobody has to look at every profile every day.

All take a buyer as she is, answer with an age (weeks since her first order, comparable with `Buyer.age`) that does not depend
on `Buyer.age` itself, and assume that no further order comes. P(alive) falls with every silent week; P(order within h) does
too for k = 1, while for k > 1 it first rises (an order becomes due) and then falls: asked for is the last time it passes.
"""

from math import exp, expm1, log, log1p
from typing import Final

from profiles.value.absent import Absent
from profiles.value.alive import p_alive, p_order_within, p_order_within_alive, silence
from profiles.value.special import root
from profiles.value.timing import Buyer, Timing

FAR_WEEKS: Final = 104.0
_LOG_MAX: Final = 700.0
_TOLERANCE: Final = 1e-7
"""Relative: of alpha + age."""
_GRID_STEPS_MAX: Final = 80


def alive_falls_below(model: Timing, buyer: Buyer, share: float) -> float | Absent:
    """The age at which P(alive) falls under `share` (between 0 and 1).

    Closed for k = 1: (alpha+t_x) ((1/share - 1)(b+x-1+o)/a)^(1/(r+x)) - alpha; for k > 1 the root of a falling function.
    NEVER for a customer who can't leave before her next order, ALREADY where it is so right after her newest order, TOO_FAR
    where the age is no float.

    >>> bg = Timing(family="bg_nbd", r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> round(alive_falls_below(bg, Buyer(2, 30.43, 38.86), 0.5), 6)
    62.491254
    """
    chances = buyer.x + model.leaves_at_first
    if not chances:
        return Absent.NEVER
    start = model.alpha + buyer.t_x
    power = model.r + model.regularity * buyer.x
    odds = log1p(-share) - log(share) + log((model.b + chances - 1.0) / model.a)
    if odds <= 0.0:
        return Absent.ALREADY
    if model.regularity == 1:
        growth = odds / power
        return start * exp(growth) - model.alpha if growth < _LOG_MAX else Absent.TOO_FAR
    # S2 lies between 1 and what it is after endless silence.
    end = (odds + log(silence(model, Buyer(buyer.x, buyer.t_x, 1e300), 0.0))) / power
    if end >= _LOG_MAX:
        return Absent.TOO_FAR

    def gone(growth: float) -> float:
        return share - p_alive(model, _at(buyer, start * exp(growth) - model.alpha))

    return start * exp(root(gone, 0.0, end, _TOLERANCE)) - model.alpha


def order_within_falls_below(model: Timing, buyer: Buyer, weeks: float, share: float) -> float | Absent:
    """The age at which P(at least one order in the next `weeks`) falls under `share` and stays there.

    ALREADY where that is so right after her newest order, TOO_FAR where the age is no float.

    For k > 1 the passage is looked for on a grid, each step 1.4 times nearer to her newest order than the last.
    """
    start = model.alpha + buyer.t_x
    # Ticks come at most at the rate that R + k - 1 of them by now would suggest, and every order takes one at least.
    ticks = model.r + model.regularity * buyer.x + model.regularity - 1.0
    log_silent = log1p(-share) / ticks
    end = log(weeks / start) + log_silent - log(-expm1(log_silent))
    if end >= _LOG_MAX:
        return Absent.TOO_FAR

    def unlikely(growth: float) -> float:
        return share - p_order_within(model, _at(buyer, start * exp(growth) - model.alpha), weeks)

    if end <= 0.0:
        return Absent.ALREADY
    low = 0.0
    if model.regularity > 1:
        high = end
        for _ in range(_GRID_STEPS_MAX):
            low = high / 1.4
            if unlikely(low) < 0.0:
                break
            high = low
        else:
            return Absent.ALREADY
        end = high
    elif unlikely(0.0) >= 0.0:
        return Absent.ALREADY
    return start * exp(root(unlikely, low, end, _TOLERANCE)) - model.alpha


def next_order_median(model: Timing, buyer: Buyer) -> float | Absent:
    """Weeks from now until her next order, in the middle: if she is alive, it comes sooner or later with equal chance.

    For k = 1 it is (alpha+T) (2^(1/(r+x)) - 1): the time to the next order is Pareto, so its mean can be infinite and its
    median is the figure that means something. It grows while she is silent. PROBABLY_GONE where P(alive) is below one half,
    TOO_FAR beyond FAR_WEEKS.
    """
    if p_alive(model, buyer) < 0.5:
        return Absent.PROBABLY_GONE
    if p_order_within_alive(model, buyer, FAR_WEEKS) < 0.5:
        return Absent.TOO_FAR
    if model.regularity == 1:
        return (model.alpha + buyer.age) * expm1(log(2.0) / (model.r + buyer.x))
    return root(lambda weeks: p_order_within_alive(model, buyer, weeks) - 0.5, 0.0, FAR_WEEKS, 1e-7)


def _at(buyer: Buyer, age: float) -> Buyer:
    """The same buyer, still silent at an age; rounding must not take her back before her newest order."""
    return Buyer(buyer.x, buyer.t_x, max(age, buyer.t_x))
