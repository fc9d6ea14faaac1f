"""Does a customer buy other things than she used to? Categories of late against those of the time before.

Each category has two decayed counts of purchases, with half-lives of 60 and 360 days, kept by forward decay (Cormode,
Shkapenyuk, Srivastava & Xu 2009): the weight of a purchase grows with its time, so nothing is ever decayed and the order of
events leaves no trace. The fast count is "of late"; the slow one less the fast one weighs what lies some months back and
nothing that is new: "before". From both follow

- how far they are apart: the Kullback-Leibler divergence, in nats, of the late shares from those before, half a purchase
  of each category added to what was before, so that a first purchase is no infinity;
- whether that may be chance: the likelihood-ratio statistic of two samples, about chi-squared with (categories - 1) degrees
  of freedom if nothing changed, with effective numbers of purchases (sum w)^2 / sum w^2 (Kish 1965).

In simulations, a shopper of every third day whose tastes change by half is noticed after three weeks, a weekly one with
three categories an order after a month; one who buys a single category every other week never is: that is too little to go by.
"""

from math import exp2, log
from typing import Final

from msgspec import Struct

from profiles.insight.change.shift import Shift
from profiles.insight.distributions import chi_squared_quantile

FAST_DAYS: Final = 60.0
SLOW_DAYS: Final = 360.0
CATEGORIES_MAX: Final = 16
PURCHASES_MIN: Final = 5.0
"""Effective number of purchases, late as well as before, below which nothing is said."""
ROUNDING: Final = 1e-6
FALSE_ALARM: Final = 0.005
DIVERGENCE_MIN: Final = 0.2
"""In nats: a change that is certain but small is no news."""


class Shares(Struct, array_like=True, omit_defaults=True, gc=False):
    """Weights by category [fast, slow], sums of their squares [fast, slow, fast x slow], and the days they count from and to.

    Weights are those of `since_day`; as of a later day they are divided by 2^(days / half-life).
    """

    since_day: int | None = None
    last_day: int = 0
    weights: dict[str, tuple[float, float]] = {}
    squares: tuple[float, float, float] = (0.0, 0.0, 0.0)


def observe(state: Shares, day: int, categories: frozenset[str]) -> Shift | None:
    """Take in an order's categories (each once). After an alarm the past starts with what is bought of late.

    Of more than CATEGORIES_MAX those with the lowest slow weights go.
    """
    if state.since_day is None:
        state.since_day = state.last_day = day
    state.last_day = max(state.last_day, day)
    fast, slow = exp2((day - state.since_day) / FAST_DAYS), exp2((day - state.since_day) / SLOW_DAYS)
    for category in sorted(categories):
        before = state.weights.get(category, (0.0, 0.0))
        state.weights[category] = (before[0] + fast, before[1] + slow)
        squares = state.squares
        state.squares = (squares[0] + fast * fast, squares[1] + slow * slow, squares[2] + fast * slow)
    if len(state.weights) > CATEGORIES_MAX:
        for _, name in sorted([(slow, name) for name, (_, slow) in state.weights.items()])[:-CATEGORIES_MAX]:
            del state.weights[name]
    shift = _judge(state, state.since_day)
    if shift is not None:
        _start_anew(state, state.since_day)
    return shift


def divergence(late: dict[str, float], before: dict[str, float]) -> float:
    """Kullback-Leibler divergence in nats of one set of weights from another; both are made shares.

    >>> round(divergence({"tea": 3, "jam": 1}, {"tea": 1, "jam": 1}), 4)
    0.1308
    """
    return _divergence([*late.values()], [before[name] for name in late])


def samples(state: Shares, since_day: int) -> tuple[dict[str, float], dict[str, float]]:
    """Late and before, as effective numbers of purchases by category."""
    late, before = _samples(state, since_day)
    return dict(zip(state.weights, late, strict=True)), dict(zip(state.weights, before, strict=True))


# Asked with every order: by lists, in the order of `Shares.weights`, since names are wanted after an alarm only.


def _divergence(late: list[float], before: list[float]) -> float:
    late_total, before_total = sum(late), sum(before)
    return sum(
        [
            weight / late_total * log(weight / late_total / (other / before_total))
            for weight, other in zip(late, before, strict=True)
            if weight > 0
        ]
    )


def _samples(state: Shares, since_day: int) -> tuple[list[float], list[float]]:
    days = state.last_day - since_day
    fast, slow = exp2(-days / FAST_DAYS), exp2(-days / SLOW_DAYS)
    weights = state.weights.values()
    late = [weight * fast for weight, _ in weights]
    before = [max(0.0, weight * slow - new) for (_, weight), new in zip(weights, late, strict=True)]
    late_squares = state.squares[0] * fast * fast
    before_squares = state.squares[1] * slow * slow + late_squares - 2 * state.squares[2] * fast * slow
    return _effective(late, late_squares), _effective(before, before_squares)


def _effective(weights: list[float], squares: float) -> list[float]:
    total = sum(weights)
    # Rounding leaves a trace of "before" where there is none yet.
    factor = total / squares if squares > 1e-9 and total > 1e-9 else 0.0
    return [weight * factor for weight in weights]


def _judge(state: Shares, since_day: int) -> Shift | None:
    if len(state.weights) < 2:
        return None
    # Most have bought too little of late. Whatever day weights are of cancels out here, but for rounding.
    weight = sum([fast for fast, _ in state.weights.values()])
    if weight * weight < (PURCHASES_MIN - ROUNDING) * state.squares[0]:
        return None
    late, before = _samples(state, since_day)
    late_total, before_total = sum(late), sum(before)
    if min(late_total, before_total) < PURCHASES_MIN:
        return None
    distance = _divergence(late, [weight + 0.5 for weight in before])
    if distance < DIVERGENCE_MIN:
        return None
    both = [new + old for new, old in zip(late, before, strict=True)]
    statistic = 2 * (late_total * _divergence(late, both) + before_total * _divergence(before, both))
    if statistic <= chi_squared_quantile(1 - FALSE_ALARM, len(late) - 1):
        return None
    shares = {
        name: (new / late_total, old / before_total)
        for name, new, old in sorted(zip(state.weights, late, before, strict=True))
    }
    most = max(shares, key=lambda name: abs(shares[name][0] - shares[name][1]))
    after, earlier = shares[most]
    return Shift(
        measure="categories",
        direction="up" if after > earlier else "down",
        before=round(earlier, 3),
        after=round(after, 3),
        observations=round(late_total),
        path=(round(distance, 3),),
        detail=most,
    )


def _start_anew(state: Shares, since_day: int) -> None:
    """Forget all but the late weights, and make the slow ones equal to them: nothing is "before" until time has passed."""
    days = state.last_day - since_day
    fast, slow = exp2(days / FAST_DAYS), exp2(days / SLOW_DAYS)
    factor = slow / fast
    state.weights = {name: (weight, weight * factor) for name, (weight, _) in state.weights.items()}
    squares = state.squares[0]
    state.squares = (squares, squares * factor * factor, squares * factor)
