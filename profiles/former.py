"""Devices and cart tokens that led to a customer before. Pure.

A shared tablet goes to whoever logs in next, and of many carts only the newest are remembered among a customer's identifiers.
Their redirects still name her for the time that was hers, so whoever erases her has to be told where they lie.
"""

from collections.abc import Mapping

from profiles.profile import Profile
from profiles.state import FORMER_MAX


def note(profile: Profile, left: Mapping[str, int]) -> None:
    """Remember identifiers that led here, and when they did no more; the oldest are forgotten above the bound."""
    former = profile.former
    for identifier, at_ms in left.items():
        former[identifier] = max(at_ms, former.get(identifier, at_ms))
    while len(former) > FORMER_MAX:
        del former[min(former, key=lambda one: (former[one], one))]
