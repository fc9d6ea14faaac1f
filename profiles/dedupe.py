"""Which messages a customer's profile has had already: 64-bit hashes of source and message id, in two generations.

A generation is one text of 11 characters (base 64) for each hash, because that is a third of the cost of a list of
numbers to search, to write and to read, and half its size. The newer one takes the place of the older after a day or when
it is full; so a message is remembered for a day at least, unless more than GENERATION_MAX newer ones came, and never more
than 2 x GENERATION_MAX are. What a forgotten repeat could do is bounded elsewhere: orders, refunds and cart operations are
known by ids of their own.

A wrong "seen" needs two equal hashes (or one that lies across two others): with 128 kept, once in 10^16 messages.
"""

from binascii import b2a_base64
from typing import Final

from xxhash import xxh3_64_digest

from profiles.profile import Profile
from profiles.rates import DAY_MS
from profiles.state import SEEN_MAX

GENERATION_MAX: Final = SEEN_MAX // 2
KEEP_MS: Final = DAY_MS
_SIZE: Final = 11
_FULL: Final = GENERATION_MAX * _SIZE


def already_seen(profile: Profile, source: str, message_id: str, time_ms: int) -> bool:
    """Whether this source sent this message id before; remembers it. `time_ms` is the event's time and moves the days on."""
    # As `_mark`, written out: every event comes by here.
    try:
        text = f"{source}\n{message_id}".encode()
    except UnicodeEncodeError:
        mark = _mark(source, message_id)
    else:
        mark = b2a_base64(xxh3_64_digest(text))[:_SIZE].decode()
    seen = profile.seen
    if not seen:
        profile.seen, profile.seen_since_ms = [mark], time_ms
        return False
    newer = seen[0]
    if mark in newer or (len(seen) > 1 and mark in seen[1]):
        return True
    if len(newer) >= _FULL or time_ms - profile.seen_since_ms >= KEEP_MS:
        profile.seen, profile.seen_since_ms = [mark, newer], time_ms
    else:
        seen[0] = newer + mark
    return False


def remembers(profile: Profile, source: str, message_id: str) -> bool:
    """Whether this source is known to have sent this message id before; changes nothing."""
    mark = _mark(source, message_id)
    return any(mark in generation for generation in profile.seen)


def reaches_back_to(profile: Profile, time_ms: int) -> bool:
    """Whether a message of this time that is not remembered never came: as long as nothing was forgotten, and then for what
    is not older than the newer generation.
    """
    return remembered(profile) >= profile.activity.events or time_ms >= profile.seen_since_ms


def remembered(profile: Profile) -> int:
    """How many messages the profile remembers, at most SEEN_MAX."""
    return sum(len(generation) for generation in profile.seen) // _SIZE


def may_have_had(profile: Profile, other: Profile) -> bool:
    """Whether what another profile was told may have been told to this one before; not where none of it is remembered, and the
    newest of it would be.
    """
    newest_ms = other.activity.last_ms
    if newest_ms is None or not reaches_back_to(profile, newest_ms):
        return True
    marks = (mark for generation in other.seen for mark in _marks(generation))
    return any(mark in generation for mark in marks for generation in profile.seen)


def unite(into: Profile, other: Profile) -> None:
    """Remember also what `other` has had: all of it where there is room, else the newer half of both first."""
    marks = [list(_marks(generation)) for generation in into.seen]
    theirs = [list(_marks(generation)) for generation in other.seen]
    every = dict.fromkeys(mark for part in (*marks[:1], *theirs[:1], *marks[1:], *theirs[1:]) for mark in part)
    kept = list(every)[:SEEN_MAX]
    if kept:
        parts = [kept[:GENERATION_MAX], kept[GENERATION_MAX:]]
        into.seen = ["".join(part) for part in parts if part]
        into.seen_since_ms = max(into.seen_since_ms, other.seen_since_ms)


def _mark(source: str, message_id: str) -> str:
    try:
        text = f"{source}\n{message_id}".encode()
    except UnicodeEncodeError:  # half a surrogate pair, which some JSON readers let through
        text = f"{source}\n{message_id}".encode("utf-8", "surrogatepass")
    return b2a_base64(xxh3_64_digest(text))[:_SIZE].decode()


def _marks(generation: str) -> list[str]:
    return [generation[start : start + _SIZE] for start in range(0, len(generation), _SIZE)]
