"""Lists of moments, newest first, small as text: the newest as it is, each other one as the time before the one ahead of it.

`[1767225600000, 1200, 33000]` are three moments, the second 1.2 s before the first, the third 33 s before that. In JSON a
click is some 6 characters instead of 14.

A list keeps a span before its newest moment and at most so many. Which ones those are depends on the set of all moments
alone, so moments may come in any order; and two lists of one customer join to what one list would have kept.
"""

from bisect import insort
from collections.abc import Iterable
from itertools import accumulate, pairwise
from operator import neg, sub


def spelled_out(gaps: list[int]) -> list[int]:
    """The moments as they are, newest first.

    >>> spelled_out([1_000, 10, 5])
    [1000, 990, 985]
    """
    return list(accumulate(gaps, sub))


def shortened(moments: list[int]) -> list[int]:
    """The list that stands for moments which are ordered newest first."""
    return [*moments[:1], *(later - earlier for later, earlier in pairwise(moments))]


def add(gaps: list[int], at_ms: int, span_ms: int, most: int) -> bool:
    """Put a moment in its place. False if it is older than what is kept."""
    if not gaps:
        gaps.append(at_ms)
        return True
    newest_ms = gaps[0]
    if at_ms >= newest_ms:
        gaps[0] = at_ms - newest_ms
        gaps.insert(0, at_ms)
        _trim(gaps, span_ms, most)
        return True
    if at_ms <= newest_ms - span_ms:
        return False
    moments = spelled_out(gaps)
    insort(moments, at_ms, key=neg)
    if moments[-1] == at_ms and len(moments) > most:
        return False
    gaps[:] = shortened(moments)
    _trim(gaps, span_ms, most)
    return True


def united(one: list[int], other: list[int], span_ms: int, most: int) -> list[int]:
    """The list of all moments of both."""
    gaps = shortened(sorted((*spelled_out(one), *spelled_out(other)), reverse=True))
    _trim(gaps, span_ms, most)
    return gaps


def within(gaps: Iterable[int], after_ms: int) -> tuple[int, int]:
    """How many moments lie after one, and the oldest of them (0 where there is none)."""
    count, oldest_ms = 0, 0
    for moment in accumulate(gaps, sub):
        if moment <= after_ms:
            break
        count, oldest_ms = count + 1, moment
    return count, oldest_ms


def nth_newest(gaps: list[int], place: int) -> int | None:
    """The moment at a place, the newest being 1; None where there are fewer.

    >>> nth_newest([1_000, 10, 5], 3)
    985
    """
    if place > len(gaps):
        return None
    return 2 * gaps[0] - sum(gaps[:place])


def _trim(gaps: list[int], span_ms: int, most: int) -> None:
    if len(gaps) > most:
        del gaps[most:]
    # The oldest is the newest less all times between them.
    beyond_ms = gaps[0] - span_ms if gaps else 0
    oldest_ms = 2 * gaps[0] - sum(gaps) if gaps else 0
    while gaps and oldest_ms <= beyond_ms:
        oldest_ms += gaps.pop()
