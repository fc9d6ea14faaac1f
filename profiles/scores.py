"""Interest scores as conditions read them: now, at another instant, and when one of them will have fallen or gone.

How scores fade is in `profiles.interests`; what is shown of them (four decimals, highest first) in `profiles.document`.
"""

from collections.abc import Callable, Iterator, Mapping
from math import log2
from typing import Final

from typing_extensions import override

from profiles import interests
from profiles.document import scores_shown

FOREVER_MS: Final = 253_402_300_799_999
"""The end of the year 9999: what holds until then holds for ever."""
SMALLEST_SCORE: Final = 0.00005
"""Scores are shown to four decimals; one that rounds to zero is not there any more."""


class Scores(Mapping[str, float]):
    """Faded scores by name, highest first, as of an instant that is not before the newest event.

    Whoever looks which names there are is told through `holds_until` when the first of them goes.
    """

    __slots__ = ("_holds_until", "_landmark_ms", "_now_ms", "_units")

    def __init__(
        self, units: dict[str, int], landmark_ms: int, now_ms: int, holds_until: Callable[[int | None], None]
    ) -> None:
        self._units = units
        self._landmark_ms = landmark_ms
        self._now_ms = now_ms
        self._holds_until = holds_until

    def at(self, name: str, at_ms: int) -> float:
        """The score of a name at an instant, if nothing happens until then; 0.0 where it is not there."""
        return round(interests.read(self._units.get(name, 0), self._landmark_ms, at_ms), 4)

    def falls_to_ms(self, name: str, score: float) -> int:
        """About when a score will have fallen to `score` (above zero); exact but for the rounding of both."""
        grown = self._units.get(name, 0) / interests.UNITS
        return self._landmark_ms + int(interests.HALF_LIFE_MS * log2(grown / score)) if grown > 0 else self._now_ms

    def gone_ms(self, name: str) -> int | None:
        """The first instant at which a score that is there now is not there any more."""
        return first_without(
            lambda at_ms: self.at(name, at_ms) > 0, self._now_ms, self.falls_to_ms(name, SMALLEST_SCORE)
        )

    @override
    def __getitem__(self, name: str) -> float:
        score = self.at(name, self._now_ms)
        if score <= 0:
            raise KeyError(name)
        return score

    @override
    def __contains__(self, name: object) -> bool:
        there = isinstance(name, str) and self.at(name, self._now_ms) > 0
        if there:
            assert isinstance(name, str)
            self._holds_until(self.gone_ms(name))
        return there

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._shown())

    @override
    def __len__(self) -> int:
        return len(self._shown())

    def _shown(self) -> dict[str, float]:
        shown = scores_shown(self._units, self._landmark_ms, self._now_ms)
        if shown:
            # All fade at one pace, so the lowest goes first.
            self._holds_until(self.gone_ms(min(shown, key=lambda name: self._units[name])))
        return shown


def first_without(holds: Callable[[int], bool], now_ms: int, about_ms: int) -> int | None:
    """The first instant after `now_ms` at which `holds(instant)` is false, given that it holds now and ends once, or never.

    `about_ms` is where that is expected: the search starts there and goes outward, then halves. None beyond FOREVER_MS.
    """
    step = 1
    low, high = now_ms, max(about_ms, now_ms + 1)
    while holds(high):
        if high > FOREVER_MS:
            return None
        low, high, step = high, high + step, 2 * step
    step = 1
    while high - step > low and not holds(high - step):
        high, step = high - step, 2 * step
    low = max(low, high - step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high
