"""When a customer's visits began, for counting them over a time: points of activity joined into sessions, in any order.

Two points less than 30 minutes apart belong to one session. Sessions are kept as start (a list of `profiles.moments`) and
length; a point that comes late joins what it touches, and joins two sessions into one where it closes the pause between
them, so the same points give the same sessions in every order.
"""

from typing import Final

from profiles.activity import SESSION_PAUSE_MS
from profiles.moments import shortened, spelled_out

Session = tuple[int, int]
"""First and last point."""

_KEPT_LONGER_MS: Final = SESSION_PAUSE_MS
"""A session that ended before the span still matters while a point inside the span could belong to it."""


def add(starts: list[int], lengths: list[int], at_ms: int, span_ms: int, most: int) -> bool:
    """Note a point of activity. Whether a session began, or began earlier than was known."""
    if starts:
        start_ms, end_ms = starts[0], starts[0] + lengths[0]
        if start_ms <= at_ms < end_ms + SESSION_PAUSE_MS:  # the usual case: the session goes on
            if at_ms > end_ms:
                lengths[0] = at_ms - start_ms
            return False
    before = list(starts)
    _keep(starts, lengths, [*_sessions(starts, lengths), (at_ms, at_ms)], span_ms, most)
    return starts != before


def unite(starts: list[int], lengths: list[int], other: tuple[list[int], list[int]], span_ms: int, most: int) -> None:
    """Join the sessions of another profile of the same customer into these."""
    _keep(starts, lengths, [*_sessions(starts, lengths), *_sessions(*other)], span_ms, most)


def _sessions(starts: list[int], lengths: list[int]) -> list[Session]:
    return [(start, start + length) for start, length in zip(spelled_out(starts), lengths, strict=True)]


def _keep(starts: list[int], lengths: list[int], sessions: list[Session], span_ms: int, most: int) -> None:
    joined: list[Session] = []
    for start_ms, end_ms in sorted(sessions):
        if joined and start_ms < joined[-1][1] + SESSION_PAUSE_MS:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_ms))
        else:
            joined.append((start_ms, end_ms))
    horizon_ms = joined[-1][0] - span_ms - _KEPT_LONGER_MS
    kept = [session for session in reversed(joined) if session[1] > horizon_ms][:most]
    starts[:] = shortened([start for start, _ in kept])
    lengths[:] = [end - start for start, end in kept]
