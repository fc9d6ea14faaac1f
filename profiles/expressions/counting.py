"""How a condition reads what `profiles.windows` keeps: a count, or a question about it, and until when the answer holds.

A question such as "at least 3" is answered by the third newest moment alone, and holds until that one leaves the window.
So a customer with thirty views is looked at again once or twice, not thirty times.
"""

from collections.abc import Callable
from itertools import accumulate
from operator import sub
from typing import Any, Final

from profiles import moments
from profiles.expressions.values import COMPARISONS
from profiles.view import ProfileView
from profiles.windows import COUNT_MAX, ORDERS, ORDERS_MAX, SESSIONS, Counter, Windows

SIGNS: Final = frozenset({"_<_", "_<=_", "_>_", "_>=_", "_==_", "_!=_"})


class Count:
    """How many moments of a counter lie in the span that ends now."""

    __slots__ = ("_bit", "_key", "counter", "span_ms")

    def __init__(self, counter: Counter, span_ms: int) -> None:
        self.counter = counter
        self.span_ms = span_ms
        self._key = counter.key
        self._bit = 0

    @property
    def most(self) -> int:
        """The count stays here, however many there are."""
        return ORDERS_MAX if self.counter.family == ORDERS else COUNT_MAX

    def bind(self, windows: Windows) -> None:
        """Say who keeps what is counted."""
        if self.counter.family == ORDERS:
            self._bit = windows.filter_bit(self.counter)

    def _gaps(self, view: ProfileView) -> list[int]:
        kept = view.profile.windows
        match self.counter.family:
            case "orders":
                if not self._bit:
                    return kept.order_gaps
                placed = zip(accumulate(kept.order_gaps, sub), kept.order_marks, strict=False)
                return moments.shortened([placed_ms for placed_ms, marks in placed if marks & self._bit])
            case "sessions":
                return kept.visit_starts
        return kept.counts.get(self._key, [])

    def read(self, view: ProfileView) -> int:
        """The count; it may be another when the oldest moment leaves."""
        count, oldest_ms = moments.within(self._gaps(view), view.now_ms - self.span_ms)
        if count:
            view.holds_until(oldest_ms + self.span_ms)
        return count

    def at_least(self, view: ProfileView, least: int) -> bool:
        """Whether there are so many."""
        if least <= 0:
            return True
        found_ms = moments.nth_newest(self._gaps(view), least)
        if found_ms is None or found_ms <= view.now_ms - self.span_ms:
            return False
        view.holds_until(found_ms + self.span_ms)
        return True

    def compare(self, view: ProfileView, sign: str, number: int) -> bool:
        """The count against a number, by one of SIGNS."""
        match sign:
            case "_>=_":
                return self.at_least(view, number)
            case "_>_":
                return self.at_least(view, number + 1)
            case "_<_":
                return not self.at_least(view, number)
            case "_<=_":
                return not self.at_least(view, number + 1)
        same = number >= 0 and self.at_least(view, number) and not self.at_least(view, number + 1)
        return same if sign == "_==_" else not same


class Spend:
    """The net value of the orders placed in the span that ends now, in minor units of the shop's currency."""

    __slots__ = ("counter", "most", "span_ms")

    def __init__(self, span_ms: int) -> None:
        self.counter = Counter(ORDERS)
        self.span_ms = span_ms
        self.most: int | None = None

    def bind(self, windows: Windows) -> None:
        """All orders are kept where any are asked for."""

    def _orders(self, view: ProfileView) -> list[tuple[int, int]]:
        """Moment and value of the orders in the span, newest first."""
        kept = view.profile.windows
        count, _ = moments.within(kept.order_gaps, view.now_ms - self.span_ms)
        return list(zip(moments.spelled_out(kept.order_gaps[:count]), kept.order_nets[:count], strict=True))

    def read(self, view: ProfileView) -> int:
        """The sum; it may be another when the oldest order leaves."""
        orders = self._orders(view)
        if orders:
            view.holds_until(orders[-1][0] + self.span_ms)
        return sum(net for _, net in orders)

    def compare(self, view: ProfileView, sign: str, number: int) -> bool:
        """The sum against a number; holds until enough orders have left to turn the answer."""
        orders = self._orders(view)
        total = sum(net for _, net in orders)
        holds = _compared(sign, number)
        answer = holds(total)
        place = len(orders)
        while place:
            leaves_ms = orders[place - 1][0]
            while place and orders[place - 1][0] == leaves_ms:
                place -= 1
                total -= orders[place][1]
            if holds(total) is not answer:
                view.holds_until(leaves_ms + self.span_ms)
                break
        return answer


def _compared(sign: str, number: int) -> Callable[[Any], bool]:
    if sign == "_==_":
        return lambda total: bool(total == number)
    if sign == "_!=_":
        return lambda total: bool(total != number)
    compare = COMPARISONS[sign]
    return lambda total: compare(total, number)


def count_of(name: str, span_ms: int, dimension: str, value: str) -> Count | Spend:
    """What a window function counts. `dimension` and `value` are its filter, or the event's name for `events`."""
    if name == "spend_minor":
        return Spend(span_ms)
    family = {"sessions": SESSIONS, "orders": ORDERS}.get(name, name)
    return Count(Counter(family, dimension, value), span_ms)
