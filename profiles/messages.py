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
    """Count a receipt of a messaging system."""
    name = _MESSAGE_COUNTS[cast(type[events.MessageSent], type(arrival.event))]
    profile.messages[name] = profile.messages.get(name, 0) + 1


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
