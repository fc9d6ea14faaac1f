"""Google Analytics 4, Measurement Protocol: the JSON body of a request, with one visitor and up to 25 events.

`client_id` (web) or `app_instance_id` (apps) is the anonymous id. User properties become the traits of an Identified event
of their own, before the events. GA4 gives its events no ids: they get ids made of their content and their time, so that a
request sent again is recognised. Send `timestamp_micros`: without it the time of receipt is the event's, and a repeat has
another, unless the delivery has an id. An `event_id` among the parameters, where the shop adds one, is kept.
"""

from typing import Any, Final

from schemas import events as e
from schemas.adapters.adapter import Adapter, ContentIds, Found, Given, each, entries
from schemas.adapters.commerce import campaign_in, numbered
from schemas.adapters.ga4_events import EVENTS, NOTHING, Ga4Options, Hit, read_event, session_key, with_refund_ids
from schemas.scalars import TRAITS_MAX, AdapterError, Fields, consent_state_of, storable

EVENTS_MAX: Final = 500
"""Events in one body. Google takes 25."""


def fits(message: dict[str, Any]) -> bool:
    """Whether this is such a body: a visitor and a list of events."""
    return "events" in message and ("client_id" in message or "app_instance_id" in message)


def read(message: dict[str, Any], given: Given, options: Ga4Options) -> Found:
    """The events of a body."""
    body = Fields(message, "")
    visitor = _visitor(body)
    # All that the events say and that stands beside them in the body: who, where, and under which consent.
    beside = (body.values.get(name) for name in ("user_location", "device", "consent"))
    who = (visitor["user_id"], visitor["anonymous_id"], visitor["channel"], *beside)
    ids = ContentIds()
    found: Found = []
    traits = _traits(body)
    if traits:
        stated_ms = body.instant("timestamp_micros")
        common = visitor | _time(stated_ms, body, given)
        common["message_id"] = ids.of(*who, given.occasion(stated_ms), "user_properties", traits)
        found.append(e.Identified(**common, traits=traits))

    def of_event(fields: Fields) -> list[e.Event]:
        params = fields.own("params")
        key = session_key(visitor["anonymous_id"], params.ident("session_id", "ga_session_id"))
        hit = Hit(params, given.shop_currency, options, key)
        made = read_event(fields.values.get("name"), hit, fields.at("name"))
        if not made:
            return []
        stated_ms = fields.instant("timestamp_micros")
        if stated_ms is None:
            stated_ms = body.instant("timestamp_micros")
        common = visitor | _time(stated_ms, body, given) | _page(params)
        made = with_refund_ids(made, params, ids, common["timestamp_ms"])
        stated = params.ident("event_id")
        message_id = stated or ids.of(*who, given.occasion(stated_ms), fields.values["name"], params.values)
        return [
            kind(**common, **own, message_id=numbered(message_id, number)) for number, (kind, own) in enumerate(made, 1)
        ]

    return found + each(entries(body, "events", EVENTS_MAX), of_event)


def _visitor(body: Fields) -> dict[str, Any]:
    """Who it is and where: the same for all events of a body."""
    app = body.ident("app_instance_id")
    place, device = body.inner("user_location"), body.inner("device")
    return {
        "user_id": body.ident("user_id"),
        "anonymous_id": body.ident("client_id") or app,
        "source": "ga4",
        "channel": "mobile" if app else "browser",
        "country": place.text("country_id"),
        "locale": device.text("language"),
        "consent": _consent(body.own("consent")),
    }


def _consent(stated: Fields) -> tuple[e.ConsentChange, ...]:
    """Google's own purposes (ad_user_data, ad_personalization); none of them is consent to marketing messages."""
    found = []
    for name in ("ad_user_data", "ad_personalization"):
        value = stated.values.get(name)
        if value is not None:
            state = consent_state_of(value)
            if state is None:
                raise AdapterError("wrong_type", f"{stated.at(name)} is no consent state")
            found.append(e.ConsentChange(state=state, purpose=name))
    return tuple(found)


def _traits(body: Fields) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, stated in body.inner("user_properties").values.items():
        value = stated.get("value") if isinstance(stated, dict) else stated
        if len(kept) < TRAITS_MAX and value is not None and storable(name, value):
            kept[name] = value
    return kept


def _time(stated_ms: int | None, body: Fields, given: Given) -> dict[str, int]:
    if stated_ms is not None:
        return {"timestamp_ms": stated_ms}
    if given.record_ms <= 0:
        raise AdapterError("missing_field", f"{body.at('timestamp_micros')} is missing")
    return {"timestamp_ms": given.record_ms}


def _page(params: Fields) -> dict[str, Any]:
    return {"referrer": params.link("page_referrer"), "campaign": campaign_in(params.link("page_location"))}


ADAPTER: Final[Adapter] = Adapter(
    name="ga4",
    title="Google Analytics 4",
    recognised_by="`client_id` or `app_instance_id`, and a list `events`",
    documents=(
        "https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference",
        "https://developers.google.com/analytics/devguides/collection/ga4/reference/events",
        "https://developers.google.com/analytics/devguides/collection/ga4/apply-discount",
    ),
    fits=fits,
    read=read,
    names={
        "user_properties": (e.Identified,),
        **{name: (kind,) for name, (kind, _) in EVENTS.items()},
        **dict.fromkeys(sorted(NOTHING), ()),
    },
    options=Ga4Options(),
)
