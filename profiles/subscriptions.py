"""Products that come to a customer by themselves: of each subscription the newest word holds, in whatever order words arrive.

At most SUBSCRIPTIONS_MAX that go on. When the newest word of each was said is kept beside them, also of those that ended, so that
a late word of its beginning does not bring one back.
"""

from typing import Final

from profiles.profile import Profile
from schemas.events import Arrival, SubscriptionCancelled, SubscriptionEvent

SUBSCRIPTIONS_MAX: Final = 32
WORDS_MAX: Final = 64
_UNKNOWN: Final = -1
"""When the newest word came, of a subscription from before that was kept."""


def apply_subscription_event(profile: Profile, arrival: Arrival) -> None:
    """Take in that a subscription began, went on or ended. Of two words of the same moment the end counts."""
    event, at_ms = arrival.event, arrival.time_ms
    assert isinstance(event, SubscriptionEvent)
    name, active = event.subscription_id, profile.subscriptions
    newest_ms = profile.subscription_words.get(name, _UNKNOWN)
    ends = type(event) is SubscriptionCancelled
    if at_ms < newest_ms or (at_ms == newest_ms and not ends and name not in active):
        return
    if ends:
        active.pop(name, None)
    elif len(active) < SUBSCRIPTIONS_MAX or name in active:
        active[name] = sorted({product.product_id for product in event.products})
    _note(profile, name, at_ms)


def unite(into: Profile, other: Profile, *, again: bool) -> None:
    """Fold another profile's in: of each subscription the newer word, of two equal ones the products of both, or the end."""
    active, theirs_active = into.subscriptions, other.subscriptions
    words = other.subscription_words
    for name in sorted({*theirs_active, *words}):
        ours_ms, theirs_ms = into.subscription_words.get(name, _UNKNOWN), words.get(name, _UNKNOWN)
        ours, theirs = active.get(name), theirs_active.get(name)
        if ours_ms == theirs_ms == _UNKNOWN:
            if again:
                continue  # it may have ended here since
            products = [*(ours or ()), *(theirs or ())]
        elif ours_ms == theirs_ms:
            products = [] if ours is None or theirs is None else [*ours, *theirs]
        else:
            products = (ours if ours_ms > theirs_ms else theirs) or []
        if not products:
            active.pop(name, None)
        elif name in active or len(active) < SUBSCRIPTIONS_MAX:
            active[name] = sorted({*products})
        if theirs_ms > _UNKNOWN:
            _note(into, name, max(ours_ms, theirs_ms))


def _note(profile: Profile, name: str, at_ms: int) -> None:
    """Keep when a word was said; above the bound those of subscriptions that ended go first, the oldest before others."""
    words, active = profile.subscription_words, profile.subscriptions
    words[name] = at_ms
    while len(words) > WORDS_MAX:
        del words[min(words, key=lambda one: (one in active, words[one], one))]
