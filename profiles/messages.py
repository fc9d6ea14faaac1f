"""What messaging systems report of their messages: counts by kind, and when the newest of each kind was."""

from typing import Final

from profiles.profile import Profile
from schemas import events
from schemas.events import Arrival, Event

LAST: Final = "last_"
"""Names that begin so are moments, all others are counts."""
COUNTS: Final[dict[type[Event], str]] = {
    events.MessageSent: "sent",
    events.MessageFailed: "failed",
    events.MessageDelivered: "delivered",
    events.MessageOpened: "opened",
    events.MessageClicked: "clicked",
    events.MessageBounced: "bounced",
    events.MessageMarkedAsSpam: "marked_as_spam",
    events.Unsubscribed: "unsubscribed",
}


def note_message(profile: Profile, arrival: Arrival) -> None:
    """Count a receipt of a messaging system; one that could not be sent counts towards no cap."""
    event = arrival.event
    assert isinstance(event, events.MessageEvent)
    name = COUNTS[type(event)]
    _note(profile.messages, name, arrival.time_ms)
    if is_hard_bounce(event):
        _note(profile.messages, "hard_bounced", arrival.time_ms)
    if event.trigger_id is not None and name in ("sent", "failed"):
        _note_receipt(profile, event.trigger_id, arrival.time_ms, failed=name == "failed")


def _note_receipt(profile: Profile, trigger_id: str, at_ms: int, *, failed: bool) -> None:
    """Whether an emission reached its messaging system: the newest word holds, of two at one moment that it was sent."""
    for sent in profile.emitted:
        if sent.trigger_id == trigger_id and (at_ms, not failed) > (sent.receipt_ms, not sent.failed):
            sent.receipt_ms, sent.failed = at_ms, failed


def is_hard_bounce(event: Event) -> bool:
    """Whether a message came back for good."""
    return isinstance(event, events.MessageBounced) and event.bounce == "hard"


def withdrawn_by(event: Event) -> str | None:
    """Why an event ends all marketing that is planned, by its reason code; None where it does not."""
    if isinstance(event, events.Unsubscribed | events.MessageMarkedAsSpam):
        return "unsubscribed"
    return "bounced" if is_hard_bounce(event) else None


def withdrawn_ms(profile: Profile) -> int:
    """When an event last ended all marketing that was planned; 0 where none ever did."""
    said = profile.messages
    return max(said.get(f"{LAST}{name}_ms", 0) for name in ("unsubscribed", "marked_as_spam", "hard_bounced"))


def unite_moments(into: Profile, other: Profile) -> None:
    """The later of the newest moments of two profiles."""
    for name, at_ms in other.messages.items():
        if name.startswith(LAST):
            into.messages[name] = max(into.messages.get(name, 0), at_ms)


def _note(kept: dict[str, int], name: str, at_ms: int) -> None:
    kept[name] = kept.get(name, 0) + 1
    newest = f"{LAST}{name}_ms"
    kept[newest] = max(kept.get(newest, 0), at_ms)
