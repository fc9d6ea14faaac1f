"""What a customer is interested in: decayed scores of categories, brands and occasion tags.

score(t) = sum of w_i * 2^-((t - t_i) / h) with h = 14 days and the weights below. Forward decay (Cormode, Shkapenyuk,
Srivastava & Xu, "Forward decay", ICDE 2009): each weight is added grown from a landmark L on, w_i * 2^((t_i - L) / h),
and a reader takes all growth out again, 2^((L - t) / h). So an event costs one power, and one addition for each name.

Grown weights are kept as whole numbers of 1/UNITS, each rounded once when it is added. Sums of integers do not depend on
their order, so events may come in any order. The landmark moves in steps of STEP_MS, which shrinks all numbers by a power
of two; only scores below 1/UNITS feel the rounding of that.

Category paths ("garden/tools") are names like any other and kept whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import exp2
from typing import Final

from profiles.rates import DAY_MS
from profiles.state import INTERESTS_MAX, Interests

HALF_LIFE_MS: Final = 14 * DAY_MS
STEP_MS: Final = 16 * HALF_LIFE_MS
"""Landmarks are multiples of this, 224 days. Within a step weights grow to 2^16 times themselves."""
UNITS: Final = 10_000
"""A score of 1 at the landmark is this many. The smallest weight, 0.5, is thus exact to one in 5,000."""
WEIGHTS: Final = {"list": 0.5, "view": 1.0, "search": 1.0, "wishlist": 3.0, "add": 4.0, "purchase": 5.0}
"""Weight of what was done."""


def touch(
    interests: Interests, weight: float, category: str | None, brand: str | None, occasions: Iterable[str], at_ms: int
) -> None:
    """Note that something of this category, brand and occasion was viewed, bought ... (`weight`: see WEIGHTS)."""
    units = grown(interests, weight, at_ms)
    # Written out three times: every view comes by here.
    if category is not None:
        scores = interests.categories
        scores[category] = scores.get(category, 0) + units
        if len(scores) > INTERESTS_MAX:
            _keep_strongest(scores)
    if brand is not None:
        scores = interests.brands
        scores[brand] = scores.get(brand, 0) + units
        if len(scores) > INTERESTS_MAX:
            _keep_strongest(scores)
    for occasion in occasions:
        scores = interests.occasions
        scores[occasion] = scores.get(occasion, 0) + units
        if len(scores) > INTERESTS_MAX:
            _keep_strongest(scores)


def take_back(interests: Interests, weight: float, category: str | None, brand: str | None, at_ms: int) -> None:
    """Undo a `touch` of that moment, as is known now."""
    units = grown(interests, weight, at_ms)
    for scores, name in ((interests.categories, category), (interests.brands, brand)):
        if name in scores:
            scores[name] -= units
            if scores[name] <= 0:
                del scores[name]


def purchase(interests: Interests, bought: Sequence[tuple[str | None, str | None, Iterable[str]]], at_ms: int) -> None:
    """Note an order: (category, brand, occasions) of each line. The bounds are met once, after all of them."""
    units = grown(interests, WEIGHTS["purchase"], at_ms)
    categories, brands, by_occasion = interests.categories, interests.brands, interests.occasions
    for category, brand, occasions in bought:
        if category is not None:
            categories[category] = categories.get(category, 0) + units
        if brand is not None:
            brands[brand] = brands.get(brand, 0) + units
        for occasion in occasions:
            by_occasion[occasion] = by_occasion.get(occasion, 0) + units
    for scores in (categories, brands, by_occasion):
        if len(scores) > INTERESTS_MAX:
            _keep_strongest(scores)
    _note_bought(interests, {category: at_ms for category, _, _ in bought if category is not None})


def grown(interests: Interests, weight: float, at_ms: int) -> int:
    """A weight grown from the landmark to its moment, in units; the landmark moves on first where that is a step beyond."""
    beyond_ms = at_ms - interests.landmark_ms
    if beyond_ms >= STEP_MS:
        move_landmark(interests, at_ms // STEP_MS * STEP_MS)
        beyond_ms = at_ms - interests.landmark_ms
    return int(weight * UNITS * exp2(beyond_ms / HALF_LIFE_MS) + 0.5)


def read(units: int, landmark_ms: int, now_ms: int) -> float:
    """The score at a moment, which is not before the newest event.

    >>> read(4 * 80_000, 0, 31 * DAY_MS) < 8.0 == read(4 * 80_000, 0, 28 * DAY_MS)
    True
    """
    return units / UNITS * exp2((landmark_ms - now_ms) / HALF_LIFE_MS)


def move_landmark(interests: Interests, landmark_ms: int) -> None:
    """Move the landmark on to a later multiple of STEP_MS."""
    bits = (landmark_ms - interests.landmark_ms) // HALF_LIFE_MS
    for scores in (interests.categories, interests.brands, interests.occasions):
        for name, units in scores.items():
            scores[name] = units >> bits
    interests.landmark_ms = landmark_ms


def unite(into: Interests, other: Interests) -> None:
    """Add all scores of another profile; the same as if its events had come to this one. Changes `other` too."""
    newer_ms = max(into.landmark_ms, other.landmark_ms)
    move_landmark(into, newer_ms)
    move_landmark(other, newer_ms)
    for ours, theirs in (
        (into.categories, other.categories),
        (into.brands, other.brands),
        (into.occasions, other.occasions),
    ):
        for name, units in theirs.items():
            ours[name] = ours.get(name, 0) + units
        if len(ours) > INTERESTS_MAX:
            _keep_strongest(ours)
    _note_bought(into, other.bought)
    for name, at_ms in other.strong.items():
        into.strong[name] = min(at_ms, into.strong.get(name, at_ms))


def _note_bought(interests: Interests, bought: Mapping[str, int]) -> None:
    """When something of each category was bought; above INTERESTS_MAX those bought longest ago are forgotten."""
    dates = interests.bought
    for category, at_ms in bought.items():
        if dates.get(category, -1) < at_ms:
            dates[category] = at_ms
    if len(dates) > INTERESTS_MAX:
        for _, oldest in sorted(zip(dates.values(), dates, strict=True))[:-INTERESTS_MAX]:
            del dates[oldest]


def _keep_strongest(scores: dict[str, int]) -> None:
    """Take out the lowest scores until the bound is met; of equal ones the first by text."""
    if len(scores) == INTERESTS_MAX + 1:
        del scores[min(zip(scores.values(), scores, strict=True))[1]]
        return
    for _, name in sorted(zip(scores.values(), scores, strict=True))[:-INTERESTS_MAX]:
        del scores[name]
