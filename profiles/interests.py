"""What a customer is interested in: decayed scores of categories, brands and occasion tags.

score(t) = sum of w_i * 2^-((t - t_i) / h) with h = 14 days and the weights below. A score is stored as its value at the
newest time it has seen (forward decay: Cormode, Shkapenyuk, Srivastava & Xu 2009, with a landmark that moves along), and an
event before that time adds its own decayed weight to the value. So events may come in any order, up to the rounding of
floating-point sums.

Category paths ("garden/tools") are names like any other and kept whole.
"""

from collections.abc import Iterable
from math import exp2, inf, log2
from typing import Final

from profiles.rates import DAY_MS
from profiles.state import INTERESTS_MAX, Interests, Score

HALF_LIFE_MS: Final = 14 * DAY_MS
WEIGHTS: Final = {"list": 0.5, "view": 1.0, "search": 1.0, "wishlist": 3.0, "add": 4.0, "purchase": 5.0}
"""Weight of what was done; the kinds that `touch` knows."""


def touch(
    interests: Interests, kind: str, category: str | None, brand: str | None, occasions: Iterable[str], at_ms: int
) -> None:
    """Note that something of this category, brand and occasion was viewed, bought ... (a key of WEIGHTS)."""
    weight = WEIGHTS[kind]
    if category is not None:
        add(interests.categories, category, weight, at_ms)
    if brand is not None:
        add(interests.brands, brand, weight, at_ms)
    for occasion in occasions:
        add(interests.occasions, occasion, weight, at_ms)


def purchase(interests: Interests, bought: Iterable[tuple[str | None, str | None, Iterable[str]]], at_ms: int) -> None:
    """Note an order: (category, brand, occasions) of each line. The bounds are met once, after all of them."""
    weight = WEIGHTS["purchase"]
    for category, brand, occasions in bought:
        if category is not None:
            _add(interests.categories, category, weight, at_ms, HALF_LIFE_MS)
        if brand is not None:
            _add(interests.brands, brand, weight, at_ms, HALF_LIFE_MS)
        for occasion in occasions:
            _add(interests.occasions, occasion, weight, at_ms, HALF_LIFE_MS)
    for scores in (interests.categories, interests.brands, interests.occasions):
        if len(scores) > INTERESTS_MAX:
            _keep_strongest(scores, HALF_LIFE_MS)


def read(score: Score, now_ms: int, half_life_ms: int = HALF_LIFE_MS) -> float:
    """The score at a moment; before its newest event it is what it was then.

    >>> read(Score(8.0, 0), 28 * DAY_MS)
    2.0
    """
    age_ms = now_ms - score.at_ms
    return score.value if age_ms <= 0 else score.value * exp2(-age_ms / half_life_ms)


def add(scores: dict[str, Score], name: str, weight: float, at_ms: int, half_life_ms: int = HALF_LIFE_MS) -> None:
    """Add a weight at a moment to one score. Above INTERESTS_MAX names the one with the lowest decayed score goes."""
    _add(scores, name, weight, at_ms, half_life_ms)
    if len(scores) > INTERESTS_MAX:
        del scores[_weakest(scores, half_life_ms)]


def _add(scores: dict[str, Score], name: str, weight: float, at_ms: int, half_life_ms: int) -> None:
    score = scores.get(name)
    if score is None:
        scores[name] = Score(weight, at_ms)
        return
    age_ms = at_ms - score.at_ms
    if age_ms >= 0:
        score.value = score.value * exp2(-age_ms / half_life_ms) + weight
        score.at_ms = at_ms
    else:
        score.value += weight * exp2(age_ms / half_life_ms)


def unite(into: Interests, other: Interests) -> None:
    """Add all scores of another profile; the same as if its events had come to this one."""
    for ours, theirs in (
        (into.categories, other.categories),
        (into.brands, other.brands),
        (into.occasions, other.occasions),
    ):
        for name, score in theirs.items():
            add(ours, name, score.value, score.at_ms)


def _keep_strongest(scores: dict[str, Score], half_life_ms: int) -> None:
    """Take out the lowest decayed scores until the bound is met; of equal ones the first by text."""
    ranked = sorted(scores, key=lambda name: (log2(scores[name].value) + scores[name].at_ms / half_life_ms, name))
    for name in ranked[: len(scores) - INTERESTS_MAX]:
        del scores[name]


def _weakest(scores: dict[str, Score], half_life_ms: int) -> str:
    """The name with the lowest decayed score, of equal ones the first by text.

    log2(value) + time / half-life orders scores as their values at any one moment would, without underflow for old ones.
    """
    weakest, lowest = "", inf
    for name, score in scores.items():
        rank = log2(score.value) + score.at_ms / half_life_ms
        if rank < lowest or (rank == lowest and name < weakest):
            weakest, lowest = name, rank
    return weakest
