"""What Braze and Customer.io report of messages and subscriptions, by the names of their public documents."""

from typing import Any

import pytest

from schemas import events as e
from schemas.adapters import ADAPTERS
from tests.core.test_adapters import NOON_MS, events, one, refused

# --- Braze's Currents ---------------------------------------------------------------------------------------------


def current(event_type: str, **properties: Any) -> dict[str, Any]:
    """An event as Braze's custom HTTP connector posts it."""
    user = {"user_id": "b1", "external_user_id": "ada", "timezone": "Europe/Berlin"}
    return {"event_type": event_type, "id": "e1", "time": NOON_MS // 1000, "user": user, "properties": properties}


GROUP_CHANGE = "users.behaviors.subscriptiongroup.StateChange"


@pytest.mark.parametrize("told, channel", [("sms", "sms"), ("whats_app", "whatsapp"), ("rcs", "rcs")])
def test_who_answers_stop_to_a_text_message_of_braze_has_ended_her_consent_for_its_channel(
    told: str, channel: str
) -> None:
    """https://www.braze.com/docs/user_guide/data/distribution/braze_currents/event_glossary/message_engagement_events/: these
    channels have subscription groups alone, and an inbound STOP is told as a change of the group's state.
    """
    stop = {"subscription_group_id": "g1", "channel": told, "state_change_source": "Inbound Message"}
    (change,) = one(current(GROUP_CHANGE, subscription_status="Unsubscribed", **stop)).consent

    assert (change.state, change.channel, change.source) == ("REVOKED", channel, "braze")
    assert events(current(GROUP_CHANGE, subscription_status="Subscribed", **stop)) == []
    assert refused(current(GROUP_CHANGE, subscription_status="Perhaps", **stop))[0] == "wrong_type"


def test_a_group_of_mails_is_a_topic_and_leaving_it_is_no_word_on_the_channel() -> None:
    assert events(current(GROUP_CHANGE, subscription_status="Unsubscribed", channel="email")) == []


@pytest.mark.parametrize(
    "event_type, kind, channel",
    [
        ("email.Send", e.MessageSent, "email"),
        ("email.Delivery", e.MessageDelivered, "email"),
        ("email.Open", e.MessageOpened, "email"),
        ("email.Click", e.MessageClicked, "email"),
        ("email.Bounce", e.MessageBounced, "email"),
        ("email.SoftBounce", e.MessageBounced, "email"),
        ("email.MarkAsSpam", e.MessageMarkedAsSpam, "email"),
        ("email.Unsubscribe", e.Unsubscribed, "email"),
        ("email.Abort", e.MessageFailed, "email"),
        ("pushnotification.Send", e.MessageSent, "push"),
        ("pushnotification.Open", e.MessageOpened, "push"),
        ("pushnotification.Bounce", e.MessageBounced, "push"),
        ("pushnotification.Abort", e.MessageFailed, "push"),
        ("sms.Send", e.MessageSent, "sms"),
        ("sms.Delivery", e.MessageDelivered, "sms"),
        ("sms.DeliveryFailure", e.MessageBounced, "sms"),
        ("sms.Rejection", e.MessageBounced, "sms"),
        ("sms.ShortLinkClick", e.MessageClicked, "sms"),
        ("sms.Abort", e.MessageFailed, "sms"),
        ("whatsapp.Send", e.MessageSent, "whatsapp"),
        ("whatsapp.Delivery", e.MessageDelivered, "whatsapp"),
        ("whatsapp.Read", e.MessageOpened, "whatsapp"),
        ("whatsapp.Click", e.MessageClicked, "whatsapp"),
        ("whatsapp.Failure", e.MessageBounced, "whatsapp"),
        ("whatsapp.Abort", e.MessageFailed, "whatsapp"),
        ("pushnotification.IosForeground", None, ""),
        ("sms.CarrierSend", None, ""),
        ("sms.InboundReceive", None, ""),
        ("whatsapp.InboundReceive", None, ""),
        ("contentcard.Impression", None, ""),
        ("inappmessage.Click", None, ""),
        ("newsfeedcard.Impression", None, ""),
        ("webhook.Send", None, ""),
    ],
)
def test_each_event_of_brazes_glossary_is_what_happened_to_the_message_on_its_channel(
    event_type: str, kind: type[e.Event] | None, channel: str
) -> None:
    """The names are those of Braze's glossary of message engagement events."""
    told = events(current(f"users.messages.{event_type}", campaign_id="c1"))

    assert [(type(event), event.message_channel) for event in told] == ([] if kind is None else [(kind, channel)])


@pytest.mark.parametrize(
    "event_type, told",
    [
        ("email.Bounce", "bounce_reason"), ("sms.Rejection", "error"),
        ("whatsapp.Failure", "provider_error_title"), ("email.Abort", "abort_log"),
    ],
)  # fmt: skip
def test_what_braze_says_of_a_message_that_came_to_nothing_is_its_reason(event_type: str, told: str) -> None:
    assert one(current(f"users.messages.{event_type}", **{told: "the words"})).reason == "the words"


@pytest.mark.parametrize(
    "machine, opened",
    [("true", False), (True, False), ("apple", False), ("false", True), (False, True), ("", True), (None, True)],
)
def test_what_a_machine_opens_was_opened_by_nobody(machine: object, opened: bool) -> None:
    """`machine_open` in Braze's glossary: "true" where nobody did anything, as of each mail that Apple's Mail Privacy Protection
    fetches; it may say more than "true" one day.
    """
    told = events(current("users.messages.email.Open", campaign_id="c1", machine_open=machine))

    assert [type(event) for event in told] == ([e.MessageOpened] if opened else [])


def test_that_she_opted_in_counts_for_the_channel_it_was_told_of_and_for_none_where_none_is_named() -> None:
    opted_in = {"subscription_status": "Opted In"}
    state_change = "users.behaviors.subscription.GlobalStateChange"
    (change,) = one(current(state_change, **opted_in, channel="email")).consent

    assert (change.state, change.channel) == ("GRANT", "email")
    assert events(current(state_change, **opted_in)) == []


# --- Customer.io --------------------------------------------------------------------------------------------------


def report(metric: str, object_type: str = "email", /, **data: Any) -> dict[str, Any]:
    """A reporting webhook of Customer.io; `data` in place of what says whom it is about."""
    who = {"customer_id": "ada", "identifiers": {"id": "ada", "email": "ada@shop.example", "cio_id": "cio_1"}}
    return {
        "event_id": "e1", "object_type": object_type, "metric": metric, "timestamp": NOON_MS // 1000,
        "data": data.pop("who", who) | data,
    }  # fmt: skip


@pytest.mark.parametrize("channel", ["email", "push", "sms", "in_app", "whatsapp"])
@pytest.mark.parametrize(
    "metric, kind",
    [
        ("drafted", None),
        ("attempted", None),
        ("sent", e.MessageSent),
        ("delivered", e.MessageDelivered),
        ("opened", e.MessageOpened),
        ("clicked", e.MessageClicked),
        ("converted", None),
        ("bounced", e.MessageBounced),
        ("dropped", e.MessageFailed),
        ("failed", e.MessageFailed),
        ("undeliverable", e.MessageFailed),
        ("spammed", e.MessageMarkedAsSpam),
        ("unsubscribed", e.Unsubscribed),
    ],
)
def test_each_metric_of_customer_io_is_what_happened_to_the_message_on_its_channel(
    metric: str, kind: type[e.Event] | None, channel: str
) -> None:
    """https://docs.customer.io/api/webhooks/: what there is for a message of each `object_type`, by `metric`."""
    told = events(report(metric, channel))

    assert [(type(event), event.message_channel) for event in told] == ([] if kind is None else [(kind, channel)])


@pytest.mark.parametrize("object_type", ["slack", "webhook"])
def test_what_customer_io_sends_to_the_shop_itself_is_none_of_her_messages(object_type: str) -> None:
    assert events(report("sent", object_type)) == []


@pytest.mark.parametrize("metric", ["subscribed", "cio_subscription_preferences_changed"])
def test_that_she_is_subscribed_or_chose_topics_in_customer_io_is_no_word_on_a_channel(metric: str) -> None:
    assert events(report(metric, "customer")) == []


@pytest.mark.parametrize("missing", ["metric", "event_id", "data"])
def test_what_lacks_a_mark_of_customer_ios_reports_is_none_of_them(missing: str) -> None:
    (customerio,) = (adapter for adapter in ADAPTERS if adapter.name == "customerio")
    whole = report("sent")

    assert customerio.fits(whole)
    assert not customerio.fits({name: value for name, value in whole.items() if name != missing})
    assert not customerio.fits(whole | {"collector_tstamp": "2024-05-01 12:00:00"})  # an event of Snowplow


@pytest.mark.parametrize("missing", ["event_type", "user"])
def test_what_lacks_a_mark_of_brazes_currents_is_none_of_them(missing: str) -> None:
    (braze,) = (adapter for adapter in ADAPTERS if adapter.name == "braze")
    whole = current("users.messages.email.Open")

    assert braze.fits(whole)
    assert not braze.fits({name: value for name, value in whole.items() if name != missing})
    assert not braze.fits(whole | {"event_type": "orders.Open"})


def test_a_report_without_a_time_is_refused() -> None:
    assert refused(report("sent") | {"timestamp": None}) == ("missing_field", "timestamp is missing")


@pytest.mark.parametrize("told", ["campaign_id", "broadcast_id", "newsletter_id", "transactional_message_id"])
def test_a_report_names_the_campaign_broadcast_newsletter_or_transactional_message(told: str) -> None:
    assert one(report("sent", **{told: 6})).campaign_id == "6"


@pytest.mark.parametrize("channel, kind", [("email", "email"), ("sms", "phone"), ("whatsapp", "phone"), ("push", None)])
def test_where_a_message_went_says_whose_it_is_only_where_nothing_else_does(channel: str, kind: str | None) -> None:
    """A test goes to an address of the shop's own, in the name of the customer it shows."""
    went_to = {"email": "shop@shop.example", "sms": "+436641234567", "whatsapp": "+436641234567", "push": "token"}
    test = one(report("sent", channel, recipient=went_to[channel]))
    by_mail = one(
        report("sent", channel, recipient=went_to[channel], who={"identifiers": {"email": "ada@shop.example"}})
    )

    by_id = one(report("sent", channel, recipient=went_to[channel], who={"identifiers": {"id": "ada"}}))

    assert (test.user_id, test.email, test.phone) == ("ada", "ada@shop.example", None)
    assert (by_id.user_id, by_id.email, by_id.phone) == ("ada", None, None)
    assert (by_mail.user_id, by_mail.email, by_mail.phone) == (None, "ada@shop.example", None)
    nobody = report("sent", channel, recipient=went_to[channel], who={"identifiers": {"cio_id": "cio_1"}})
    if kind is None:
        assert refused(nobody)[0] == "no_customer"
    else:
        assert getattr(one(nobody), kind) == went_to[channel]


def test_identifiers_count_more_than_the_customer_id_from_before_there_were_any() -> None:
    changed = one(report("sent", who={"customer_id": "old", "identifiers": {"id": "ada"}}))
    before = one(report("sent", who={"customer_id": "old"}))

    assert (changed.user_id, before.user_id) == ("ada", "old")
    assert refused(report("sent", who={"customer_id": "old", "identifiers": "ada"})) == (
        "wrong_type", "data.identifiers is no object",
    )  # fmt: skip
