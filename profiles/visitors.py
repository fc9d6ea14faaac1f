"""Visitors who never came back: who may be forgotten, and when to look at her again.

A visitor is a profile that is known by a device or a cart alone. She has a timer (WAKE) from her first event on, planned once
and not with each event: when it comes, she is forgotten if nothing of hers happened for as long as `[visitors] forget_after`
says; if something did, it moves on to where that would be true.

Forgotten is only who is known by nothing else and left nothing that counts: no order, no word about consent or privacy, no
feedback, no place in a comparison, and no part in a merge: a redirect that leads to her would lead to nobody, and an erasure
could not find it any more. What may be there is listed here (MAY_HAVE), so a part that is new keeps its owner.
"""

from typing import Final

from msgspec import Raw

from profiles.parts import NOTHING, is_nothing
from profiles.profile import Profile
from profiles.state import encode
from profiles.turn import Turn
from schemas.events import Arrival

WAKE: Final = "visitor|forget"
"""The timer, among `Profile.wakes`."""
NAMELESS: Final = frozenset({"anonymous_id", "cart_token"})
"""Types of identifiers that name nobody."""
MAY_HAVE: Final = frozenset(
    {
        "_traits",
        "_milestones",
        "_interests",
        "_carts",
        "_left_carts",
        "_checkouts",
        "_decisions",
        "_watches",
        "_browsing",
        "_wishes",
        "_coupons",
        "_windows",
        "_memberships",
    }
)
"""Parts that go with a visitor: what she looked at and was after, and what was decided without anybody hearing of it."""
_KEEP: Final = tuple(name for name in Profile.__struct_fields__ if name[0] == "_" and name not in MAY_HAVE)


def begin(turn: Turn, arrival: Arrival) -> None:
    """Her first event: plan when to look whether she came back."""
    after_ms = turn.book.rules.visitors.forget_after_ms
    # Who is known by anything else from the first event on is no mere visitor, and most are.
    if after_ms and not arrival.others and turn.profile.id.partition(":")[0] in NAMELESS:
        turn.profile.wakes[WAKE] = turn.time_ms + after_ms


def is_one(profile: Profile) -> bool:
    """Whether a profile, as far as it can tell without its ledger, is of a visitor who may be forgotten once she is idle."""
    kind, _, value = profile.id.partition(":")
    if kind not in NAMELESS or profile.ids != {kind: [value]} or profile.push or profile.compact_ms is not None:
        return False
    if profile.privacy is not None or profile.redirect or profile.merging or profile.activity.last_ms is None:
        return False
    return profile.milestones.signed_up is None and all(_is_empty(profile, name) for name in _KEEP)


def idle_ms(profile: Profile, after_ms: int) -> int | None:
    """The moment at which a visitor is to be forgotten, if nothing more happens; None where she is none, or `after_ms` is 0.

    An armed trigger ends first: it is looked at again right after it. Timers that only look at something keep nobody.
    """
    if not after_ms or not is_one(profile):
        return None
    last_ms = profile.activity.last_ms
    assert last_ms is not None
    idle = last_ms + after_ms
    for episode in profile.episodes.values():
        idle = max(idle, episode.wake_ms + 1)
    return idle


def replan(profile: Profile, after_ms: int, clock_ms: int) -> bool:
    """The rules have changed, or are the first that forget visitors: plan when to look at her. Whether that changed anything.

    One who is to be forgotten already is so at once. A timer that comes too early stays, since it moves on by itself.
    """
    known_ms, idle = profile.wakes.get(WAKE), idle_ms(profile, after_ms)
    if idle is None:
        profile.wakes.pop(WAKE, None)
        return known_ms is not None
    if known_ms is not None and known_ms <= max(idle, clock_ms):
        return False
    profile.wakes[WAKE] = max(idle, clock_ms)
    return True


def _is_empty(profile: Profile, name: str) -> bool:
    part = getattr(profile, name)
    # What was opened says the same as it will once it is stored.
    return part is NOTHING if type(part) is Raw else is_nothing(encode(part))
