"""Comparisons with what changes by itself as time goes on: the answer now, and the very instant at which it turns.

Three things move: the clock (`now_ms`, `ago("30d")`), a fading interest score, and the falling number of orders per year.
Each comparison tells the view until when its answer holds, so a segment that nothing happens to is looked at again exactly
then and not before.
"""

from math import ceil, floor, isfinite
from typing import Final

from msgspec import Struct

from profiles.document import FREQUENCY_AFTER_MS
from profiles.expressions.combinators import Run
from profiles.expressions.errors import Failed
from profiles.expressions.scope import Scope
from profiles.expressions.syntax import Node
from profiles.expressions.values import COMPARISONS, null_or_kind
from profiles.scores import FOREVER_MS, SMALLEST_SCORE, Scores, first_without
from profiles.view import OrdersView


class Clock(Struct, frozen=True):
    """Now, shifted by an offset: it rises."""

    offset_ms: int


class Fading(Struct, frozen=True):
    """An interest score by name: it falls, and goes when it rounds to zero."""

    scores: Node
    name: Node


class Pace(Struct, frozen=True):
    """`orders.per_year`: it falls, and is null before there is enough history."""


class Names(Struct, frozen=True):
    """Which interests there are: one goes when its score rounds to zero."""


class Moment(Struct, frozen=True):
    """`now` as a timestamp, for the calendar: nothing tells when that turns."""


Moving = Clock | Fading | Pace | Names | Moment

_AFTER_IT: Final = frozenset({"_>_", "_<=_"})
"""They turn right after the instant at which both sides are equal, the others at it."""
_RISING_TRUE: Final = frozenset({"_>_", "_>=_"})


def clock_comparison(sign: str, offset_ms: int, other: Run) -> Run:
    """`now + offset SIGN other` for an instant `other` that does not move."""
    after_it, true_after = sign in _AFTER_IT, sign in _RISING_TRUE

    def compare(scope: Scope) -> bool:
        equal_ms = _number(sign, other(scope)) - offset_ms
        edge_ms = floor(equal_ms) + 1 if after_it else ceil(equal_ms)
        passed = scope.now_ms >= edge_ms
        if not passed and edge_ms <= FOREVER_MS:
            scope.profile.holds_until(edge_ms)
        return passed is true_after

    return compare


def fading_comparison(sign: str, scores: Run, name: Run, other: Run) -> Run:
    """`score SIGN other` for a number `other` that does not move."""
    holds = COMPARISONS[sign]

    def compare(scope: Scope) -> bool:
        found: Scores = scores(scope)
        key = name(scope)
        score = found.get(key) if isinstance(key, str) else None
        if score is None:
            raise Failed("a key that is not there")
        number = _number(sign, other(scope))
        answer = bool(holds(score, number))
        turns_at = _edge(sign, number) if score > number else SMALLEST_SCORE

        def same(at_ms: int) -> bool:
            later = found.at(key, at_ms)
            return later > 0 and bool(holds(later, number)) is answer

        view = scope.profile
        view.holds_until(first_without(same, view.now_ms, found.falls_to_ms(key, turns_at)))
        return answer

    return compare


def _number(sign: str, value: object) -> float:
    """A finite number, which is all that a number that moves can meet."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise Failed(f"`{sign.strip('_')}` on a number and {null_or_kind(value)}")
    return value


def _edge(sign: str, number: float) -> float:
    """Where a falling score turns the answer: half a step below the lowest shown score on its far side."""
    steps = number / (2 * SMALLEST_SCORE)
    lowest = floor(steps) + 1 if sign in _AFTER_IT else ceil(steps)
    return max((lowest - 0.5) * 2 * SMALLEST_SCORE, SMALLEST_SCORE)


def pace_comparison(sign: str, orders: Run, other: Run) -> Run:
    """`orders.per_year SIGN other` for a number `other` that does not move."""
    holds = COMPARISONS[sign]

    def compare(scope: Scope) -> bool:
        found: OrdersView = orders(scope)
        number, now_ms = _number(sign, other(scope)), scope.now_ms
        pace = found.per_year_at(now_ms)
        if pace is None:
            if found.count > 1 and found.first_ms is not None:
                scope.profile.holds_until(found.first_ms + FREQUENCY_AFTER_MS)
            raise Failed("profile.orders.per_year is null")
        answer = bool(holds(pace, number))

        def same(at_ms: int) -> bool:
            later = found.per_year_at(at_ms)
            return later is not None and bool(holds(later, number)) is answer

        if pace >= number:  # it falls: only what is above can turn
            scope.profile.holds_until(first_without(same, now_ms, found.falls_to_ms(number)))
        return answer

    return compare
