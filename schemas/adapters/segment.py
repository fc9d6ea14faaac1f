"""Segment's and RudderStack's calls: identify, track, page, screen, group and alias.

What every call carries (ids, times, context) is read here, the properties of track calls in `segment_tracks`, consent in
`consent_forms`. A call that can't become an event is refused with the reason and the path of the field; none is dropped.

Our own additions, for senders that have them: `imported` (in the message, `context` or `properties`) marks history that
must not arm anything by its own date; `properties.email`, `phone` and `loyalty_id` identify where no trait does.
"""

from hashlib import blake2b
from typing import Any, Final

from msgspec import Struct

from schemas import events as e
from schemas.adapters.consent_forms import consents
from schemas.adapters.segment_tracks import TRACKS, plain_name
from schemas.scalars import TRAITS_MAX, AdapterError, Fields, identifier, storable

CALLS: Final = ("track", "identify", "page", "screen", "group", "alias")

_CHANNELS: Final = {"web": "browser", "client": "browser", "app": "mobile", "sources": "server"}

# Identifiers and consent have fields of their own; kept among the traits they would outlive an erasure or a revocation.
_NOT_TRAITS: Final = frozenset({"email", "phone", "consent", "email_marketing_consent", "sms_marketing_consent"})


def fits(message: dict[str, Any]) -> bool:
    """Whether this is such a call: it has a `type`, or is a track call that lost it."""
    if message.get("type") in CALLS:
        return True
    return "timestamp_ms" not in message and ("type" in message or ("event" in message and "properties" in message))


def content_id(original: bytes) -> str:
    """A message id for a message without one: the same bytes always give the same id, so a repeat stays a repeat.

    >>> content_id(b"{}")
    'content:2afb9b83f9314e5d029766197f539792'
    """
    return "content:" + blake2b(original, digest_size=16).hexdigest()


class _Call(Struct):
    """The parts of a call."""

    message: Fields
    context: Fields
    properties: Fields
    traits: tuple[Fields, ...]


def adapt(message: dict[str, Any], original: bytes, shop_currency: str, record_ms: int) -> e.Event:
    """The canonical event of a call. Raises AdapterError.

    `original` are the message's bytes, `shop_currency` is the currency of amounts that name none, `record_ms` stands for
    the time where the call names none.
    """
    root = Fields(message, "")
    context = root.inner("context")
    # Traits of the call itself come before those the library remembered.
    call = _Call(root, context, root.inner("properties"), (root.inner("traits"), context.inner("traits")))
    kind = message.get("type", "track")
    if not isinstance(kind, str):
        raise AdapterError("unknown_event", "type is no text")
    if kind == "track":
        return _track(call, original, shop_currency, record_ms)
    if kind == "identify":
        # RudderStack's browser library puts the traits of an identify call into the context alone.
        traits = _traits(*call.traits)
        return e.Identified(**_common(call, original, record_ms), traits=traits, push_token=_push_token(call))
    if kind in {"page", "screen"}:
        name = root.text("name") or call.properties.text("name", "title")
        url = call.properties.link("url") or context.inner("page").link("url")
        return e.PageViewed(**_common(call, original, record_ms), name=name, url=url)
    if kind == "group":
        group_id = root.required_ident("groupId")
        # The traits of a group call are the company's: neither her e-mail nor her consent.
        own = _Call(root, context, call.properties, (context.inner("traits"),))
        return e.Grouped(**_common(own, original, record_ms), group_id=group_id, traits=_traits(root.inner("traits")))
    if kind == "alias":
        previous = root.required_ident("previousId")
        if identifier(previous) is None:
            raise AdapterError("missing_field", "previousId identifies nobody")
        return e.Aliased(**_common(call, original, record_ms), previous_id=previous)
    raise AdapterError("unknown_event", f"no call of type {kind[:64]!r} is known")


def _track(call: _Call, original: bytes, shop_currency: str, record_ms: int) -> e.Event:
    name = call.message.values.get("event")
    if name is None or name == "":
        raise AdapterError("missing_field", "event is missing")
    if not isinstance(name, str):
        raise AdapterError("wrong_type", "event is no text")
    found = TRACKS.get(plain_name(name[:256]))
    if found is None:
        raise AdapterError("unknown_event", f"no event {name[:64]!r} is known")
    kind, read = found
    own = read(call.properties, shop_currency)
    common = _common(call, original, record_ms, stated=call.properties if kind in _STATES_CONSENT else None)
    if kind is e.ConsentChanged and not common["consent"]:
        raise AdapterError("missing_field", "properties.consent is missing")
    return kind(**common, **own)


_STATES_CONSENT: Final = (e.ConsentChanged, e.SignedUp)


def _common(call: _Call, original: bytes, record_ms: int, stated: Fields | None = None) -> dict[str, Any]:
    """What every event carries."""
    message, context = call.message, call.context
    times = {
        "original_timestamp_ms": message.instant("originalTimestamp"),
        "sent_at_ms": message.instant("sentAt"),
        "received_at_ms": message.instant("receivedAt"),
    }
    at_ms = message.instant("timestamp")
    if at_ms is None:
        at_ms = next((value for value in times.values() if value is not None), record_ms)
    if at_ms <= 0 and "timestamp" not in message.values:
        raise AdapterError("missing_field", "timestamp is missing")
    holders = (*call.traits, call.properties)
    return {
        "message_id": message.ident("messageId") or content_id(original),
        "timestamp_ms": at_ms,
        **times,
        "user_id": message.ident("userId"),
        "email": _first(holders, "email"),
        "phone": _first(holders, "phone"),
        "loyalty_id": _first(holders, "loyalty_id", "loyaltyId"),
        "anonymous_id": message.ident("anonymousId"),
        "source": message.text("source") or "",
        "channel": _channel(message, context),
        "timezone": context.text("timezone") or _described(call.traits, "timezone"),
        "locale": context.text("locale") or _described(call.traits, "locale"),
        "country": _country(call),
        "campaign": _campaign(context.inner("campaign")),
        "referrer": context.inner("page").link("referrer") or context.inner("referrer").link("url"),
        "consent": consents(stated, call.traits, context),
        "imported": any(fields.flag("imported") for fields in (message, context, call.properties)),
    }


def _first(holders: tuple[Fields, ...], *names: str) -> str | None:
    for fields in holders:
        found = fields.ident(*names)
        if found is not None:
            return found
    return None


def _described(holders: tuple[Fields, ...], *names: str) -> str | None:
    for fields in holders:
        found = fields.text(*names)
        if found is not None:
            return found
    return None


def _channel(message: Fields, context: Fields) -> str:
    named = (message.text("channel") or context.text("channel") or "").strip().lower()
    return _CHANNELS.get(named, named)


def _country(call: _Call) -> str | None:
    addresses = tuple(fields.inner("address") for fields in call.traits if "address" in fields.values)
    return _described(addresses, "country") or call.context.inner("location").text("country")


def _campaign(fields: Fields) -> e.Campaign | None:
    if not fields.values:
        return None
    found = {name: fields.text(name) for name in ("source", "medium", "name", "term", "content")}
    return e.Campaign(**found) if any(found.values()) else None


def _push_token(call: _Call) -> str | None:
    token = call.context.inner("device").values.get("token")
    # Tokens of some push services are longer than any id; that there is one is what counts.
    return token[:256] if isinstance(token, str) and token.strip() else None


def _traits(*holders: Fields) -> dict[str, Any]:
    """The traits worth keeping: the first TRAITS_MAX, without values too long, too deep or null. Earlier holders win."""
    kept: dict[str, Any] = {}
    for fields in holders:
        for name, value in fields.values.items():
            if (
                len(kept) < TRAITS_MAX
                and name not in kept
                and name not in _NOT_TRAITS
                and value is not None
                and storable(name, value)
            ):
                kept[name] = value
    return kept
