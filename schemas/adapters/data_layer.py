"""Google Tag Manager's data layer: `{event, ecommerce: {...}}` pushes and gtag() calls, forwarded one by one.

A push does not say who the visitor is, nor when it was made: whoever forwards it adds `client_id` (of the _ga cookie),
`user_id` where it is known, and `timestamp_micros` (or `timestamp`). The parameters are GA4's. gtag() calls are its
arguments, as JSON writes them: {"0": "event", "1": "purchase", "2": {...}}.

Ids are made as for the Measurement Protocol; an `event_id` that the shop adds is kept.
"""

from typing import Any, Final

from schemas import events as e
from schemas.adapters.adapter import Adapter, ContentIds, Found, Given
from schemas.adapters.commerce import campaign_in, numbered
from schemas.adapters.ga4_events import EVENTS, NOTHING, Ga4Options, Hit, read_event, session_key, with_refund_ids
from schemas.scalars import AdapterError, Fields, consent_state_of

_COMMANDS: Final = frozenset({"event", "consent", "config", "js", "set", "get"})
_OTHERS: Final = frozenset({"timestamp_ms", "type", "properties", "collector_tstamp"})
"""Fields of canonical events, Segment's calls and Snowplow's events, which name their event `event` too."""
_CONSENTS: Final = ("ad_storage", "ad_user_data", "ad_personalization", "analytics_storage")


def fits(message: dict[str, Any]) -> bool:
    """Whether this is such a push or call."""
    command, name = message.get("0"), message.get("event")
    if isinstance(command, str) and command in _COMMANDS:
        return True
    if not isinstance(name, str):
        return "ecommerce" in message and _clears(message)
    if not _OTHERS.isdisjoint(message):
        return False
    return isinstance(message.get("ecommerce"), dict) or name in EVENTS or name in NOTHING or name.startswith("gtm.")


def _clears(message: dict[str, Any]) -> bool:
    """Whether a push only clears what the one before left in the data layer, as Google asks for before each event."""
    return message.get("ecommerce", "") is None and "event" not in message and _OTHERS.isdisjoint(message)


def read(message: dict[str, Any], given: Given, options: Ga4Options) -> Found:
    """The events of a push or a call."""
    root = Fields(message, "")
    if _clears(message):
        return []
    if not isinstance(message.get("0"), str):
        # What is common to several pushes stands beside `ecommerce`, what the event says in it.
        said = {
            name: value for name, value in root.own("ecommerce").values.items() if value is not None and value != ""
        }
        params = Fields({**message, **said}, "ecommerce") if isinstance(message.get("ecommerce"), dict) else root
        return _events(message.get("event"), "event", params, root, given, options)
    if message["0"] == "event":
        return _events(message.get("1"), "1", root.own("2"), root, given, options)
    if message["0"] == "consent" and message.get("1") == "update":
        return _consent(root, given)
    return []


def _events(name: object, place: str, params: Fields, root: Fields, given: Given, options: Ga4Options) -> Found:
    key = session_key(_client(root), params.ident("session_id", "ga_session_id"))
    made = read_event(name, Hit(params, given.shop_currency, options, key), place)
    if not made:
        return []
    common = _common(root, params, given) | {
        "referrer": params.link("page_referrer"),
        "campaign": campaign_in(params.link("page_location")),
    }
    made = with_refund_ids(made, params, ContentIds(), common["timestamp_ms"])
    message_id = params.ident("event_id") or _content(root, given)
    return [
        kind(**common, **own, message_id=numbered(message_id, number)) for number, (kind, own) in enumerate(made, 1)
    ]


def _consent(root: Fields, given: Given) -> Found:
    """What a consent banner tells Google: decisions for Google's purposes, none of them for marketing messages."""
    stated, changes = root.own("2"), []
    for name in _CONSENTS:
        if stated.values.get(name) is not None:
            state = consent_state_of(stated.values[name])
            if state is None:
                raise AdapterError("wrong_type", f"{stated.at(name)} is no consent state")
            changes.append(e.ConsentChange(state=state, purpose=name))
    if not changes:
        return []
    common = _common(root, stated, given)
    message_id = root.ident("event_id") or _content(root, given)
    return [e.ConsentChanged(**common, consent=tuple(changes), message_id=message_id)]


def _client(root: Fields) -> str | None:
    return root.ident("client_id", "clientId")


def _content(root: Fields, given: Given) -> str:
    return ContentIds().of(given.occasion(_stated_ms(root)), root.values)


def _stated_ms(root: Fields) -> int | None:
    return root.instant("timestamp_micros", "timestamp")


def _common(root: Fields, params: Fields, given: Given) -> dict[str, Any]:
    at_ms = _stated_ms(root)
    if at_ms is None:
        if given.record_ms <= 0:
            raise AdapterError("missing_field", "timestamp_micros is missing")
        at_ms = given.record_ms
    return {
        "timestamp_ms": at_ms,
        "user_id": root.ident("user_id", "userId") or params.ident("user_id"),
        "anonymous_id": _client(root),
        "source": "data_layer",
        "channel": "browser",
    }


ADAPTER: Final[Adapter] = Adapter(
    name="data_layer",
    title="GTM data layer, gtag",
    recognised_by='`event` with an object `ecommerce`, or with a name of GA4; `"0"` is "event" or "consent"',
    documents=(
        "https://developers.google.com/analytics/devguides/collection/ga4/ecommerce",
        "https://developers.google.com/tag-platform/tag-manager/datalayer",
    ),
    fits=fits,
    read=read,
    names={
        **{name: (kind,) for name, (kind, _) in EVENTS.items()},
        "consent update": (e.ConsentChanged,),
        "gtm.*": (),
    },
    options=Ga4Options(),
)
