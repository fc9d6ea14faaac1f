"""What Braze's Currents tell of messages, in the form in which its HTTP connector posts them.

    {"event_type": "users.messages.email.Open", "id": ..., "time": ..., "user": {...}, "properties": {...}}

`external_user_id` of the user is the user id, `user_id` Braze's own. Custom events come in this form too; what is in them is
read in `braze`. Braze does not repeat what a message was sent for, so a report names its campaign or Canvas, and no trigger.
"""

from collections.abc import Iterator
from typing import Any, Final

from schemas import events as e
from schemas.scalars import AdapterError, Fields, boolean_of

CUSTOM_EVENT: Final = "users.behaviors.CustomEvent"
STATE_CHANGE: Final = "users.behaviors.subscription.GlobalStateChange"
GROUP_CHANGE: Final = "users.behaviors.subscriptiongroup.StateChange"
_PURCHASE: Final = "users.behaviors.Purchase"
_PREFIX: Final = "users."

REPORTS: Final[dict[str, tuple[type[e.MessageEvent], str]]] = {
    "users.messages.email.Send": (e.MessageSent, "email"),
    "users.messages.email.Delivery": (e.MessageDelivered, "email"),
    "users.messages.email.Open": (e.MessageOpened, "email"),
    "users.messages.email.Click": (e.MessageClicked, "email"),
    "users.messages.email.Bounce": (e.MessageBounced, "email"),
    "users.messages.email.SoftBounce": (e.MessageBounced, "email"),
    "users.messages.email.MarkAsSpam": (e.MessageMarkedAsSpam, "email"),
    "users.messages.email.Unsubscribe": (e.Unsubscribed, "email"),
    "users.messages.email.Abort": (e.MessageFailed, "email"),
    "users.messages.pushnotification.Send": (e.MessageSent, "push"),
    "users.messages.pushnotification.Open": (e.MessageOpened, "push"),
    "users.messages.pushnotification.Bounce": (e.MessageBounced, "push"),
    "users.messages.pushnotification.Abort": (e.MessageFailed, "push"),
    "users.messages.sms.Send": (e.MessageSent, "sms"),
    "users.messages.sms.Delivery": (e.MessageDelivered, "sms"),
    "users.messages.sms.DeliveryFailure": (e.MessageBounced, "sms"),
    "users.messages.sms.Rejection": (e.MessageBounced, "sms"),
    "users.messages.sms.ShortLinkClick": (e.MessageClicked, "sms"),
    "users.messages.sms.Abort": (e.MessageFailed, "sms"),
    "users.messages.whatsapp.Send": (e.MessageSent, "whatsapp"),
    "users.messages.whatsapp.Delivery": (e.MessageDelivered, "whatsapp"),
    "users.messages.whatsapp.Read": (e.MessageOpened, "whatsapp"),
    "users.messages.whatsapp.Click": (e.MessageClicked, "whatsapp"),
    "users.messages.whatsapp.Failure": (e.MessageBounced, "whatsapp"),
    "users.messages.whatsapp.Abort": (e.MessageFailed, "whatsapp"),
}
"""Braze's name, what it becomes, and the message's channel."""

_KINDS_OF_BOUNCES: Final = {"users.messages.email.Bounce": "hard", "users.messages.email.SoftBounce": "soft"}

NOTHING: Final = (
    # what she did in the shop's app, which its tracker tells, and what Braze did with her
    *("users.behaviors.", "users.campaigns.", "users.canvas.", "users_campaigns_", "users_canvas_"),
    # shown inside the shop, or sent to a program
    *("users.messages.contentcard.", "users.messages.inappmessage.", "users.messages.newsfeedcard."),
    "users.messages.webhook.",
    # told by other events, or answers of hers
    *("users.messages.pushnotification.IosForeground", "users.messages.sms.CarrierSend"),
    *("users.messages.sms.InboundReceive", "users.messages.whatsapp.InboundReceive"),
)
"""Beginnings of names that tell a profile nothing."""


def is_current(message: dict[str, Any]) -> bool:
    """Whether this is one event of Currents."""
    name = message.get("event_type")
    return isinstance(name, str) and name.startswith(_PREFIX) and isinstance(message.get("user"), dict)


def who(fields: Fields, properties: Fields) -> dict[str, Any]:
    """Whom an event is about."""
    user = fields.own("user")
    return {
        "user_id": user.ident("external_user_id"),
        "anonymous_id": user.ident("user_id"),
        "email": properties.ident("email_address"),
        "phone": properties.ident("to_phone_number"),
        "timezone": user.text("timezone"),
    }


def told(event_type: str, place: str, properties: Fields) -> Iterator[tuple[type[e.Event], dict[str, Any]]]:
    """What an event of Currents becomes that is no custom event. `place` is where its type stands."""
    found = REPORTS.get(event_type)
    if found is not None:
        kind, channel = found
        if kind is e.MessageOpened and _is_machine(properties):
            return
        own: dict[str, Any] = {
            "campaign_id": properties.ident("campaign_id", "canvas_id"),
            "message_channel": channel,
            "reason": properties.text("bounce_reason", "error", "provider_error_title", "abort_log"),
        }
        if kind is e.MessageBounced:
            own["bounce"] = _KINDS_OF_BOUNCES.get(event_type)
        yield kind, own
    elif event_type == STATE_CHANGE:
        if changes := _state(properties):
            yield e.ConsentChanged, {"consent": changes}
    elif event_type == GROUP_CHANGE:
        if changes := _left(properties):
            yield e.ConsentChanged, {"consent": changes}
    elif event_type == _PURCHASE:
        raise AdapterError("unknown_event", f"{place}: purchases name no order; send ecommerce.order_placed")
    elif not event_type.startswith(NOTHING):
        raise AdapterError("unknown_event", f"{place}: no event {event_type[:64]!r} is known")


def _is_machine(properties: Fields) -> bool:
    """Whether a message was opened without anybody doing it: Apple's Mail fetches each one. What is neither true nor false says
    which machine it was.
    """
    found = properties.find("machine_open")
    return found is not None and boolean_of(found[1]) is not False


def _state(properties: Fields) -> tuple[e.ConsentChange, ...]:
    """Her subscription as it is now. Subscribed is where everybody begins, and is nobody's decision."""
    status = properties.required_ident("subscription_status").lower()
    channel = _channel(properties)
    if status == "unsubscribed":
        return (e.ConsentChange(state="REVOKED", channel=channel or "any", source="braze"),)
    if status == "opted in":
        # To what she said yes has to be told; that she said no may be taken for all.
        return (e.ConsentChange(state="GRANT", channel=channel, source="braze"),) if channel else ()
    if status != "subscribed":
        raise AdapterError("wrong_type", f"{properties.at('subscription_status')} is no subscription state")
    return ()


def _left(properties: Fields) -> tuple[e.ConsentChange, ...]:
    """What a change of a subscription group says. SMS and WhatsApp have no other subscription: who answers STOP leaves a group.
    Groups of e-mail are topics, and to what she agreed by joining one only the shop knows.
    """
    status, channel = properties.required_ident("subscription_status").lower(), _channel(properties)
    if status not in {"subscribed", "unsubscribed"}:
        raise AdapterError("wrong_type", f"{properties.at('subscription_status')} is no state of a subscription group")
    if status == "subscribed" or channel in {"", "email"}:
        return ()
    return (e.ConsentChange(state="REVOKED", channel=channel, source="braze"),)


def _channel(properties: Fields) -> str:
    """Braze's channel by the name it has here, "" where none is named."""
    return (properties.ident("channel") or "").lower().replace("whats_app", "whatsapp")
