"""Segment's and RudderStack's calls: identify, track, page, screen, group, alias and merge, alone or in a batch.

What every call carries (ids, times, context) is read here, the properties of track calls in `segment_tracks`, consent in
`consent_forms`. A call that can't become an event is refused with the reason and the path of the field; none is dropped but
what mobile libraries tell by themselves.

Our own additions, for senders that have them: `imported` (in the message, `context` or `properties`) marks history that
must not arm anything by its own date; `properties.email`, `phone` and `loyalty_id` identify where no trait does, and so
does `cart_token` (in `properties` or `context`) where nothing else does.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from msgspec import Struct

from schemas import events as e
from schemas.adapters.adapter import Adapter, ContentIds, Found, Given, Options, content_id, each, entries
from schemas.adapters.consent_forms import consents
from schemas.adapters.segment_tracks import ALIASES, NOTHING, TRACKS, plain_name
from schemas.phones import phone_number
from schemas.scalars import TRAITS_MAX, AdapterError, Fields, email_address, identifier, storable

MakeId = Callable[[], str]

CALLS: Final = ("track", "identify", "page", "screen", "group", "alias", "merge")
BATCH_MAX: Final = 2500
"""Calls in one batch, as many as Segment takes."""

_BECOMES: Final[dict[str, tuple[type[e.Event], ...]]] = {
    "identify": (e.Identified,),
    "page": (e.PageViewed,),
    "screen": (e.PageViewed,),
    "group": (e.Grouped,),
    "alias": (e.Aliased,),
    "merge": (e.Identified,),
}

_NOTHING: Final = frozenset(map(plain_name, NOTHING))

_CHANNELS: Final = {"web": "browser", "client": "browser", "app": "mobile", "sources": "server"}

# Identifiers and consent have fields of their own; kept among the traits they would outlive an erasure or a revocation.
_NOT_TRAITS: Final = frozenset({"email", "phone", "consent", "email_marketing_consent", "sms_marketing_consent"})


def fits(message: dict[str, Any]) -> bool:
    """Whether this is such a call, or a batch: it has a `type`, or is a track call that lost it."""
    if message.get("type") in CALLS:
        return True
    if "timestamp_ms" in message:
        return False
    return (
        "type" in message or ("event" in message and "properties" in message) or isinstance(message.get("batch"), list)
    )


def read(message: dict[str, Any], given: Given, _options: Options) -> Found:
    """The event of a call, or those of a batch."""
    if "batch" not in message or "type" in message:
        event = adapt(message, given)
        return [] if event is None else [event]
    ids = ContentIds()
    return each(
        _calls(Fields(message, "")), lambda call: filter(None, [_event(call, lambda: ids.of(_content(call)), given)])
    )


def adapt(message: dict[str, Any], given: Given) -> e.Event | None:
    """The canonical event of one call, None where nothing in it is of use; see `Given` for what it is told besides. Raises
    AdapterError.
    """
    return _event(Fields(message, ""), lambda: content_id(given.original), given)


def _calls(batch: Fields) -> list[Fields]:
    """The calls of a batch, each with what the batch says for all of them where it does not say it itself."""
    shared: dict[str, Any] = {name: batch.values[name] for name in ("sentAt", "receivedAt") if name in batch.values}
    context = batch.inner("context").values
    calls = entries(batch, "batch", BATCH_MAX)
    for call in calls:
        own = call.values.get("context")
        call.values = {**shared, **call.values}
        if context:
            call.values["context"] = {**context, **own} if isinstance(own, dict) else context
    return calls


def _content(call: Fields) -> dict[str, Any]:
    """What a call of a batch says, whenever the batch was sent."""
    return {name: value for name, value in call.values.items() if name not in {"sentAt", "receivedAt"}}


class _Call(Struct):
    """The parts of a call."""

    message: Fields
    context: Fields
    properties: Fields
    traits: tuple[Fields, ...]


def _event(root: Fields, make_id: MakeId, given: Given) -> e.Event | None:
    """As `adapt`; `make_id` makes the id of a call that has none."""
    context = root.inner("context")
    # Traits of the call itself come before those the library remembered.
    call = _Call(root, context, root.inner("properties"), (root.inner("traits"), context.inner("traits")))
    kind = root.values.get("type", "track")
    if not isinstance(kind, str):
        raise AdapterError("unknown_event", "type is no text")
    record_ms = given.record_ms
    if kind == "track":
        return _track(call, make_id, given)
    if kind == "identify":
        # RudderStack's browser library puts the traits of an identify call into the context alone.
        traits = _traits(*call.traits)
        return e.Identified(**_common(call, make_id, record_ms), traits=traits, push_token=_push_token(call))
    if kind in {"page", "screen"}:
        name = root.text("name") or call.properties.text("name", "title")
        url = call.properties.link("url") or context.inner("page").link("url")
        common = _common(call, make_id, record_ms)
        common["referrer"] = common["referrer"] or call.properties.link("referrer")
        return e.PageViewed(**common, name=name, url=url)
    if kind == "group":
        group_id = root.required_ident("groupId")
        # The traits of a group call are the company's: neither her e-mail nor her consent.
        own = _Call(root, context, call.properties, (context.inner("traits"),))
        return e.Grouped(**_common(own, make_id, record_ms), group_id=group_id, traits=_traits(root.inner("traits")))
    if kind == "alias":
        previous = root.required_ident("previousId")
        if identifier(previous) is None:
            raise AdapterError("missing_field", "previousId identifies nobody")
        return e.Aliased(**_common(call, make_id, record_ms), previous_id=previous)
    if kind == "merge":
        common = _common(call, make_id, record_ms)
        return e.Identified(**(common | _merged(root, common, given.phone_region)))
    raise AdapterError("unknown_event", f"no call of type {kind[:64]!r} is known")


def _track(call: _Call, make_id: MakeId, given: Given) -> e.Event | None:
    name = call.message.values.get("event")
    if name is None or name == "":
        raise AdapterError("missing_field", f"{call.message.at('event')} is missing")
    if not isinstance(name, str):
        raise AdapterError("wrong_type", f"{call.message.at('event')} is no text")
    plain = plain_name(name[:256])
    found = TRACKS.get(plain)
    if found is None:
        if plain in _NOTHING:
            return None
        raise AdapterError("unknown_event", f"no event {name[:64]!r} is known")
    kind, reader = found
    own = reader(call.properties, given.shop_currency)
    stated = call.properties if kind is e.ConsentChanged else None
    if kind is e.SignedUp:  # its `state` may be where she lives
        stated = Fields({"consent": call.properties.values.get("consent")}, call.properties.path)
    common = _common(call, make_id, given.record_ms, stated=stated)
    if kind is e.ConsentChanged and not common["consent"]:
        raise AdapterError("missing_field", f"{call.properties.at('consent')} is missing")
    if issubclass(kind, e.ShopEvent):
        # The libraries insist on a user id or an anonymous id; here it is that of a server.
        common |= dict.fromkeys(e.ID_TYPES)
    return kind(**common, **own)


_MERGEABLE: Final = {
    "user_id": "user_id", "userId": "user_id", "email": "email", "phone": "phone", "mobile": "phone",
    "loyalty_id": "loyalty_id", "anonymous_id": "anonymous_id", "anonymousId": "anonymous_id",
}  # fmt: skip


def _merged(root: Fields, known: dict[str, Any], phone_region: str) -> dict[str, str]:
    """The identifiers that RudderStack's merge call says are one customer's. One event can name one of each type."""
    normal_forms: dict[str, Callable[[str], str | None]] = {
        "email": email_address,
        "phone": partial(phone_number, region=phone_region),
    }
    found: dict[str, str] = {}
    for stated in root.objects("mergeProperties"):
        kind = _MERGEABLE.get(stated.required_ident("type"))
        if kind is None:
            raise AdapterError("wrong_type", f"{stated.at('type')} is no type of identifier that is known")
        value = stated.required_ident("value")
        normal = normal_forms.get(kind, identifier)
        other = found.get(kind, known[kind])
        if other is not None and normal(other) != normal(value):
            raise AdapterError(
                "out_of_bounds", f"{stated.at('value')} is a second {kind}; a merge can name one of each"
            )
        found[kind] = value
    if not found:
        raise AdapterError("missing_field", f"{root.at('mergeProperties')} is missing")
    return found


def _common(call: _Call, make_id: MakeId, record_ms: int, stated: Fields | None = None) -> dict[str, Any]:
    """What every event carries."""
    message, context = call.message, call.context
    at_ms = message.instant("timestamp")
    times = {
        "original_timestamp_ms": message.instant("originalTimestamp"),
        "sent_at_ms": message.instant("sentAt"),
        "received_at_ms": message.instant("receivedAt"),
    }
    if at_ms is None:
        at_ms = next((value for value in times.values() if value is not None), record_ms)
    if at_ms <= 0 and message.find("timestamp") is None:
        raise AdapterError("missing_field", f"{message.at('timestamp')} is missing")
    holders = (*call.traits, call.properties)
    if "externalIds" in context.values:
        holders = (*holders, _external_ids(context))
    cart = call.properties if "cart_token" in call.properties.values else context
    return {
        "message_id": message.ident("messageId") or make_id(),
        "timestamp_ms": at_ms,
        **times,
        "user_id": message.ident("userId"),
        "email": _first(holders, "email"),
        "phone": _first(holders, "phone"),
        "loyalty_id": _first(holders, "loyalty_id", "loyaltyId"),
        "anonymous_id": message.ident("anonymousId"),
        "cart_token": cart.ident("cart_token"),
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


def _external_ids(context: Fields) -> Fields:
    """`context.externalIds` as one more object to look for identifiers in: {type: id}, of plain ids of users only."""
    stated = context.values["externalIds"]
    found = {
        item["type"]: item.get("id")
        for item in (stated if isinstance(stated, list) else ())
        if isinstance(item, dict)
        and isinstance(item.get("type"), str)
        and item.get("collection", "users") == "users"
        and item.get("encoding", "none") == "none"
    }
    return Fields(found, context.at("externalIds"))


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


ADAPTER: Final[Adapter] = Adapter(
    name="segment",
    title="Segment, RudderStack",
    recognised_by="`type` is one of " + ", ".join(f"`{call}`" for call in CALLS) + "; or a list `batch` of such calls",
    documents=(
        "https://segment.com/docs/connections/spec/ecommerce/v2/",
        "https://segment.com/docs/connections/spec/common/",
        "https://www.rudderstack.com/docs/event-spec/ecommerce-events-spec/",
    ),
    fits=fits,
    read=read,
    names={
        **_BECOMES,
        **{str(kind.__struct_config__.tag): (kind,) for kind, _ in dict.fromkeys(TRACKS.values())},
        **{name: (kind,) for name, (kind, _) in ALIASES.items()},
        **dict.fromkeys(NOTHING, ()),
    },
)
