"""Is she still a customer, and will she order soon? Probabilities in closed form, below a microsecond for k = 1.

Notation: o is 1 where she may leave after her first order and else 0, k the regularity, R = r + k x. Seen at age T,

    P(alive) = S2 / (S1 + S2),   S1 = a/(b+x-1+o) ((alpha+T)/(alpha+t_x))^R  (0 for x + o = 0),
                                 S2 = sum_{j<k} (R)_j/j! ((T-t_x)/(alpha+T))^j,

which for k = 1 is the formula of Fader, Hardie & Lee (2008, "Computing P(alive) using the BG/NBD model"), for k > 1 that of
Reutterer, Platzer & Schröder (2021). While alive she has not ordered again by T + h with probability
((alpha+T)/(alpha+T+h))^R S2(T+h)/S2(T). She can only leave at an order, so this needs no model of what happens then.
"""

from math import exp, expm1, log, log1p
from typing import Final

from profiles.value.timing import Buyer, Timing

_LOG_ODDS_MAX: Final = 700.0
"""e^700 is about the largest number a float holds. Beyond it P(alive) stays at e^-700: never a silent zero."""


def p_alive(model: Timing, buyer: Buyer) -> float:
    """The probability that she has not left for good, above 0, at most 1.

    >>> bg = Timing(family="bg_nbd", r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> round(p_alive(bg, Buyer(2, 30.43, 38.86)), 6)
    0.726579
    """
    x, t_x, age = buyer.x, buyer.t_x, buyer.age
    chances = x + model.leaves_at_first
    if not chances:
        return 1.0
    power = model.r + model.regularity * x
    log_odds = log(model.a / (model.b + chances - 1.0)) + power * log1p((age - t_x) / (model.alpha + t_x))
    if model.regularity > 1:
        log_odds -= log(silence(model, buyer, 0.0))
    return 1.0 / (1.0 + exp(log_odds)) if log_odds < _LOG_ODDS_MAX else exp(-_LOG_ODDS_MAX)


def p_order_within(model: Timing, buyer: Buyer, weeks: float) -> float:
    """The probability of at least one order in the next `weeks` (>= 0), alive or not being unknown.

    >>> mbg = Timing(r=0.525, alpha=6.183, a=0.891, b=1.614)
    >>> round(p_order_within(mbg, Buyer(2, 30.43, 38.86), 13.0), 6)
    0.333922
    """
    return p_alive(model, buyer) * p_order_within_alive(model, buyer, weeks)


def p_order_within_alive(model: Timing, buyer: Buyer, weeks: float) -> float:
    """The same for a customer who is known to be alive."""
    power = model.r + model.regularity * buyer.x
    log_silence = -power * log1p(weeks / (model.alpha + buyer.age))
    if model.regularity > 1:
        log_silence += log(silence(model, buyer, weeks) / silence(model, buyer, 0.0))
    # The sums of silence can leave a rounding error where `weeks` is tiny; a probability is never below zero.
    return max(0.0, -expm1(log_silence))


def silence(model: Timing, buyer: Buyer, weeks: float) -> float:
    """S2 at age + `weeks`: 1 for k = 1, else the sum over how many hidden ticks may have passed since her newest order."""
    power = model.r + model.regularity * buyer.x
    until = buyer.age + weeks
    share = (until - buyer.t_x) / (model.alpha + until)
    term = total = 1.0
    for j in range(1, model.regularity):
        term *= (power + j - 1.0) / j * share
        total += term
    return total
