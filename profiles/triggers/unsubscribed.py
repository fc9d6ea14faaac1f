"""unsubscribe.feedback: she does not want to hear from the shop any more, or can't: ask why, or mend the address.

That marketing which waited is dropped, and consent is taken back, happens whether or not this trigger is on.
"""

from typing import Final

from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import plan, waiting
from profiles.feedback_rules import UnsubscribeFeedbackRule
from profiles.messages import is_hard_bounce
from profiles.state import Emitted, Episode
from profiles.turn import Turn
from schemas.events import Arrival, MessageBounced, MessageEvent, MessageMarkedAsSpam, Unsubscribed


class UnsubscribeFeedback(TriggerDefinition[UnsubscribeFeedbackRule]):
    """The trigger, at once. One for each channel."""

    name = "unsubscribe.feedback"
    rule_type = UnsubscribeFeedbackRule
    listens = frozenset({Unsubscribed, MessageMarkedAsSpam, MessageBounced})

    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        event, at_ms = arrival.event, arrival.time_ms
        assert isinstance(event, MessageEvent)
        if isinstance(event, MessageBounced) and not is_hard_bounce(event):
            return
        key = f"{turn.profile.id}|{event.message_channel}"
        known = waiting(turn.profile, self, key)
        if known is not None and (known.opened_ms, known.anchor) <= (at_ms, event.message_id):
            return
        what = {Unsubscribed: "unsubscribed", MessageMarkedAsSpam: "spam"}.get(type(event), "bounced")
        told = {
            "what": what,
            "channel": event.message_channel,
            "reason": event.reason,
            "of_trigger_id": event.trigger_id,
            "campaign_id": event.campaign_id,
        }
        data = {name: value for name, value in told.items() if value is not None}
        plan(turn, self, key, event.message_id, at_ms, at_ms, data=data)

    def cools(self, episode: Episode, sent: Emitted) -> bool:
        return sent.key == episode.key

    def content(self, turn: Turn, episode: Episode) -> Content:
        return Content(details=episode.data, rule="the customer is lost to a channel")


UNSUBSCRIBE_FEEDBACK: Final = UnsubscribeFeedback()
