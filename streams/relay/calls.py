"""What is posted for a trigger: the record as it is, signed after Standard Webhooks, or an event of a messaging system's API.

Pure functions. Each format is one function and one line in `FORMATS`.
"""

import base64
import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from schemas.money import exponent
from schemas.protected import is_token
from streams.rows import rfc3339
from streams.serve.signatures import standard_secret
from streams.setting_relay import Relay

JSON: Final = "application/json"
KLAVIYO_REVISION: Final = "2026-07-15"
"""Klaviyo has each revision of its API for two years. To a retired one it answers 410, or as if another had been meant."""


class Call(NamedTuple):
    """One HTTP POST."""

    headers: Mapping[str, str]
    body: bytes


class Letter(NamedTuple):
    """A record on its way: its bytes as they stand in the log, what they say, and the present in epoch seconds."""

    value: bytes
    record: dict[str, Any]
    now_s: int


class NobodyNamed(ValueError):
    """The messaging system can't be told whom a trigger is for: the customer has no identifier that it knows."""


def call_of(relay: Relay, value: bytes, now_s: int) -> Call:
    """The call that delivers a record of an output topic. `now_s` is the present in epoch seconds, which is signed.

    Raises NobodyNamed; ValueError for a secret that is none.
    """
    return FORMATS[relay.format](relay, Letter(value, msgspec.json.decode(value), now_s))


def _standard(relay: Relay, letter: Letter) -> Call:
    """The record itself under the three headers of Standard Webhooks; the id is the trigger's, so repeats are recognised."""
    message_id = str(letter.record["trigger_id"])
    signed = b"%s.%d.%s" % (message_id.encode(), letter.now_s, letter.value)
    signatures = [
        "v1," + base64.b64encode(hmac.digest(standard_secret(secret), signed, sha256)).decode()
        for secret in (relay.secret, relay.secret_before)
        if secret
    ]
    return Call(
        {
            "content-type": JSON,
            "webhook-id": message_id,
            "webhook-timestamp": str(letter.now_s),
            "webhook-signature": " ".join(signatures),
        },
        letter.value,
    )


def _braze(relay: Relay, letter: Letter) -> Call:
    """A custom event of `/users/track` (Braze: Event Object)."""
    record = letter.record
    customer = _customer(record)
    if user_id := customer.get("user_id"):
        who: dict[str, Any] = {"external_id": user_id}
    elif email := customer.get("email"):
        who = {"email": email}
    elif phone := customer.get("phone"):
        who = {"phone": phone}
    else:
        raise NobodyNamed("Braze knows users by external id, e-mail and phone; this trigger has none of them")
    event = who | {
        "name": record["name"],
        "time": rfc3339(record["emitted_at_ms"]),
        "properties": _properties(record),
    }
    return _json({"authorization": f"Bearer {relay.secret}"}, {"events": [event]})


def _klaviyo(relay: Relay, letter: Letter) -> Call:
    """An event of the Events API (Klaviyo: Create Event). Klaviyo drops repeats by `unique_id`."""
    record = letter.record
    customer = _customer(record)
    names = {"user_id": "external_id", "email": "email", "phone": "phone_number"}
    who = {theirs: customer[ours] for ours, theirs in names.items() if customer.get(ours)}
    if not who:
        raise NobodyNamed("Klaviyo knows profiles by external id, e-mail and phone; this trigger has none of them")
    attributes: dict[str, Any] = {
        "unique_id": record["trigger_id"],
        "time": rfc3339(record["emitted_at_ms"]),
        "properties": _properties(record),
        "metric": {"data": {"type": "metric", "attributes": {"name": record["name"]}}},
        "profile": {"data": {"type": "profile", "attributes": who}},
    }
    if (amount := _amount(record)) is not None:
        attributes |= {"value": amount, "value_currency": record["currency"]}
    headers = {"authorization": f"Klaviyo-API-Key {relay.secret}", "revision": KLAVIYO_REVISION}
    return _json(headers, {"data": {"type": "event", "attributes": attributes}}, "application/vnd.api+json")


def _customerio(relay: Relay, letter: Letter) -> Call:
    """An event of a person (Customer.io: Track API v2, `/api/v2/entity`)."""
    record = letter.record
    customer = _customer(record)
    if user_id := customer.get("user_id"):
        who = {"id": user_id}
    elif email := customer.get("email"):
        who = {"email": email}
    else:
        raise NobodyNamed("Customer.io knows people by id and e-mail; this trigger has neither")
    body = {
        "type": "person",
        "action": "event",
        "identifiers": who,
        "name": record["name"],
        "timestamp": record["emitted_at_ms"] // 1000,
        "attributes": _properties(record),
    }
    basic = base64.b64encode(f"{relay.user}:{relay.secret}".encode()).decode()
    return _json({"authorization": f"Basic {basic}"}, body)


FORMATS: Final[dict[str, Callable[[Relay, Letter], Call]]] = {
    "standard": _standard,
    "braze": _braze,
    "klaviyo": _klaviyo,
    "customerio": _customerio,
}
"""What can be posted, by the name in the settings."""


def _customer(record: dict[str, Any]) -> dict[str, Any]:
    """Whom it is for; what became of a trigger names the customer by id alone, which may be the token of an address."""
    told = record.get("customer")
    if isinstance(told, dict):
        return told
    kind, _, value = str(record.get("customer_id", "")).partition(":")
    return {} if kind in {"email", "phone"} and is_token(value) else {kind: value}


def _properties(record: dict[str, Any]) -> dict[str, Any]:
    """What a template can use, flat but for the items; amounts as numbers of whole units, as these systems expect them."""
    shown = {
        name: record[name]
        for name in (
            "trigger_id",
            "of_trigger_id",
            "of_name",
            "occurrence",
            "episode_key",
            "recovery_url",
            "currency",
            "coupon",
            "reason",
            "order_id",
        )
        if record.get(name) is not None
    }
    if (amount := _amount(record)) is not None:
        shown["value"] = amount
    currency = record.get("currency")
    items = []
    for item in record.get("items", ()):
        kept = {name: told for name, told in item.items() if not name.endswith("_minor")}
        for name in ("price_minor", "price_at_add_minor"):
            if item.get(name) is not None and currency:
                kept[name.removesuffix("_minor")] = _whole(item[name], currency)
        items.append(kept)
    if items:
        shown["items"] = items
    return shown | {"details": record["details"]} if record.get("details") else shown


def _amount(record: dict[str, Any]) -> float | None:
    minor, currency = record.get("value_minor"), record.get("currency")
    return None if minor is None or not currency else _whole(minor, currency)


def _whole(minor: int, currency: str) -> float:
    return float(minor / 10 ** exponent(currency))


def _json(headers: dict[str, str], body: dict[str, Any], content_type: str = JSON) -> Call:
    return Call({"content-type": content_type, "accept": content_type} | headers, msgspec.json.encode(body))
