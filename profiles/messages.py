"""What came back from customers and from messaging systems: survey answers, reviews, receipts. Kept as small counts."""

from typing import cast

from profiles.profile import Profile
from schemas import events
from schemas.events import Arrival

_MESSAGE_COUNTS = {
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
    name = _MESSAGE_COUNTS[cast(type[events.MessageSent], type(event))]
    profile.messages[name] = profile.messages.get(name, 0) + 1
    if event.trigger_id is not None and name in ("sent", "failed"):
        _note_receipt(profile, event.trigger_id, arrival.time_ms, failed=name == "failed")


def _note_receipt(profile: Profile, trigger_id: str, at_ms: int, *, failed: bool) -> None:
    """Whether an emission reached its messaging system: the newest word holds, of two at one moment that it was sent."""
    for sent in profile.emitted:
        if sent.trigger_id == trigger_id and (at_ms, not failed) > (sent.receipt_ms, not sent.failed):
            sent.receipt_ms, sent.failed = at_ms, failed


def note_feedback(profile: Profile, arrival: Arrival) -> None:
    """Keep the newest survey score and its time, and count reviews with the sum of their ratings."""
    event, feedback = arrival.event, profile.feedback
    if isinstance(event, events.NpsSubmitted):
        if arrival.time_ms >= feedback.get("nps_at_ms", 0):
            feedback["nps_score"] = event.score
            feedback["nps_at_ms"] = arrival.time_ms
    elif isinstance(event, events.ProductReviewed):
        feedback["reviews"] = feedback.get("reviews", 0) + 1
        if event.rating is not None:
            feedback["ratings"] = feedback.get("ratings", 0) + 1
            feedback["rating_sum"] = feedback.get("rating_sum", 0.0) + event.rating
