"""Customer.io: what its reporting webhooks tell of messages, one event in each.

    {"event_id": ..., "object_type": "email", "metric": "opened", "timestamp": 1714564800, "data": {...}}

`identifiers.id` (before there were identifiers: `customer_id`) is the user id. `object_type` is the channel, or "customer" for
what she decided about all of them. Customer.io repeats nothing of the event that a message was sent for, so a report names its
campaign and no trigger; nor does it say whether a message came back for good.
"""

from typing import Any, Final

from schemas import events as e
from schemas.adapters.adapter import Adapter, Found, Given, Options
from schemas.scalars import AdapterError, Fields

METRICS: Final[dict[str, type[e.MessageEvent]]] = {
    "sent": e.MessageSent,
    "delivered": e.MessageDelivered,
    "opened": e.MessageOpened,
    "clicked": e.MessageClicked,
    "bounced": e.MessageBounced,
    "spammed": e.MessageMarkedAsSpam,
    "unsubscribed": e.Unsubscribed,
    "dropped": e.MessageFailed,
    "failed": e.MessageFailed,
    "undeliverable": e.MessageFailed,
}
"""The metric and what it becomes."""

NOTHING: Final = frozenset(
    {
        *("drafted", "attempted", "converted", "replied"),
        # Subscribed is where everybody begins, and topics are none of the channels.
        *("subscribed", "cio_subscription_preferences_changed"),
    }
)
"""Metrics that tell a profile nothing."""

_CUSTOMER: Final = "customer"
_CHANNELS: Final = {"email": "email", "push": "push", "sms": "sms", "in_app": "in_app", "whatsapp": "whatsapp"}
_TO_OTHERS: Final = frozenset({"slack", "webhook"})
"""What goes to the shop's own people and programs."""


def fits(message: dict[str, Any]) -> bool:
    """Whether this is such a webhook."""
    return (
        "metric" in message
        and "event_id" in message
        and "collector_tstamp" not in message
        and isinstance(message.get("data"), dict)
    )


def read(message: dict[str, Any], _given: Given, _options: Options) -> Found:
    """The event of a webhook."""
    root = Fields(message, "")
    metric, subject = root.required_ident("metric"), root.required_ident("object_type")
    if metric in NOTHING or subject in _TO_OTHERS:
        return []
    kind = METRICS.get(metric)
    if kind is None:
        raise AdapterError("unknown_event", f"metric: no metric {metric[:64]!r} is known")
    channel = "any" if subject == _CUSTOMER and kind is e.Unsubscribed else _CHANNELS.get(subject)
    if channel is None:
        raise AdapterError("unknown_event", f"object_type: no channel {subject[:64]!r} is known")
    at_ms = root.instant("timestamp")
    if at_ms is None:
        raise AdapterError("missing_field", "timestamp is missing")
    data = root.inner("data")
    return [
        kind(
            **_who(data, subject),
            message_id=root.required_ident("event_id"),
            timestamp_ms=at_ms,
            source="customerio",
            campaign_id=data.ident("campaign_id", "broadcast_id", "newsletter_id", "transactional_message_id"),
            message_channel=channel,
            reason=data.text("failure_message", "reason"),
        )
    ]


def _who(data: Fields, subject: str) -> dict[str, Any]:
    """Whom it is about. Where it went to says so only where nothing else does: a test goes elsewhere."""
    stated = data.own("identifiers")
    user_id = stated.ident("id") if stated.values else data.ident("customer_id")
    email = stated.ident("email") or data.ident("email_address")
    recipient = data.ident("recipient") if user_id is None and email is None else None
    return {
        "user_id": user_id,
        "email": recipient if recipient is not None and subject == "email" else email,
        "phone": recipient if subject in {"sms", "whatsapp"} else None,
    }


ADAPTER: Final[Adapter] = Adapter(
    name="customerio",
    title="Customer.io reporting webhooks",
    recognised_by="`event_id`, `metric` and an object `data`",
    documents=(
        "https://docs.customer.io/api/webhooks/",
        "https://docs.customer.io/journeys/webhooks/",
    ),
    fits=fits,
    read=read,
    names={**{metric: (kind,) for metric, kind in METRICS.items()}, **dict.fromkeys(sorted(NOTHING), ())},
)
