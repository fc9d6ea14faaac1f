"""Snowplow: enriched events as JSON, with the e-commerce action and its entities.

Two forms are read: the flat one that the analytics SDKs make (`contexts_com_snowplowanalytics_..._product_1`: a list of
objects; `unstruct_event_..._1`: an object), and the nested one of self-describing JSON ({schema: "iglu:...", data}) under
`contexts`, `derived_contexts` and `unstruct_event`. What the action means is read in `snowplow_actions`.

`event_id` is the message id. `domain_userid` (web), or the user id of the session entity (apps), is the anonymous id.
"""

import re
from typing import Any, Final

from schemas import events as e
from schemas.adapters.adapter import Adapter, Found, Given
from schemas.adapters.commerce import numbered
from schemas.adapters.snowplow_actions import ACTIONS, Action, SnowplowOptions, read_action, site_search
from schemas.scalars import AdapterError, Fields, identifier

_ACTION: Final = "com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action"
_ECOMMERCE: Final = "com.snowplowanalytics.snowplow.ecommerce/"
_SESSION: Final = "com.snowplowanalytics.snowplow/client_session"
_SITE_SEARCH: Final = "com.snowplowanalytics.snowplow/site_search"
_SCREENS: Final = ("com.snowplowanalytics.mobile/screen_view", "com.snowplowanalytics.snowplow/screen_view")
"""Views of screens; the trackers of servers have a schema of their own."""
_FLAT: Final = re.compile(r"(?:contexts|unstruct_event)_(?P<schema>[a-z0-9_]+?)_\d+(?:_\d+_\d+)?", re.ASCII)
_IGLU: Final = re.compile(r"iglu:(?P<schema>[^/]+/[^/]+)/jsonschema/\d+-\d+-\d+", re.ASCII)
_CHANNELS: Final = {"web": "browser", "mob": "mobile", "srv": "server"}
_NOTHING: Final = frozenset(
    {
        *("page_ping", "link_click", "button_click", "submit_form", "change_form", "focus_form", "web_vitals"),
        *("application_install", "application_foreground", "application_background", "application_error"),
        *("screen_end", "scroll_changed", "list_item_view"),
        *("create_element", "expose_element", "obscure_element", "destroy_element"),
        *("cmp_visible", "consent_preferences"),
    }
)
"""Events of Snowplow's own that tell a profile nothing: what a cookie banner was told is no leave to write."""


def fits(message: dict[str, Any]) -> bool:
    """Whether this is an enriched event: it has Snowplow's id and the time of its collector."""
    return "event_id" in message and "collector_tstamp" in message


def read(message: dict[str, Any], given: Given, options: SnowplowOptions) -> Found:
    """The canonical events of an enriched event."""
    root = Fields(message, "")
    entities = _entities(root)
    made = _made(root, entities, given, options)
    if not made:
        return []
    common = _common(root, entities)
    message_id = root.required_ident("event_id")
    return [
        kind(**(common | own), message_id=numbered(message_id, number)) for number, (kind, own) in enumerate(made, 1)
    ]


def _made(
    root: Fields, entities: dict[str, list[Fields]], given: Given, options: SnowplowOptions
) -> list[tuple[type[e.Event], dict[str, Any]]]:
    action = _unstruct(root, _ACTION)
    if action is not None:
        ecommerce = {name.removeprefix(_ECOMMERCE): found for name, found in entities.items()}
        stated = Action(action, ecommerce, given.shop_currency, options, root.ident("domain_sessionid"))
        return read_action(stated)
    search = _unstruct(root, _SITE_SEARCH)
    if search is not None:
        return [(e.ProductsSearched, site_search(search))]
    name = root.text("event_name", "event") or ""
    if name in {"page_view", "screen_view"}:
        title = _screen_name(root) if name == "screen_view" else None
        return [(e.PageViewed, {"name": title or root.text("page_title"), "url": root.link("page_url")})]
    if name in _NOTHING:
        return []
    raise AdapterError("unknown_event", f"event_name: no event {name[:64]!r} is known")


def _screen_name(root: Fields) -> str | None:
    """The name of a screen, which the event itself says, and not the page."""
    views = (_unstruct(root, schema) for schema in _SCREENS)
    return next((view.text("name") for view in views if view is not None), None)


# --- self-describing JSON -----------------------------------------------------------------------------------------


def _unstruct(root: Fields, schema: str) -> Fields | None:
    """The event of this schema (vendor/name), in whichever form; None where the event is another one."""
    for name, value in root.values.items():
        if name.startswith("unstruct_event_") and _of_flat_name(name) == schema and isinstance(value, dict):
            return Fields(value, name)
    # The event itself lies in an envelope that is self-describing too.
    outer = root.own("unstruct_event")
    for described in (outer.inner("data"), outer):
        if _schema(described) == schema:
            return described.inner("data")
    return None


def _entities(root: Fields) -> dict[str, list[Fields]]:
    """The entities by schema (vendor/name), in whichever form; only those that are read here."""
    found: dict[str, list[Fields]] = {}
    for name in root.values:
        if name.startswith("contexts_"):
            schema = _of_flat_name(name)
            if schema in _KNOWN:
                found.setdefault(schema, []).extend(root.objects(name))
    for place in ("contexts", "derived_contexts"):
        for entity in root.own(place).objects("data"):
            schema = _schema(entity)
            if schema in _KNOWN:
                found.setdefault(schema, []).append(entity.inner("data"))
    return found


def _of_flat_name(name: str) -> str:
    """The schema that the name of a flat field stands for, "" for one that is not read here."""
    found = _FLAT.fullmatch(name)
    return "" if found is None else _BY_FLAT_NAME.get(found["schema"], "")


def _schema(fields: Fields) -> str:
    stated = fields.values.get("schema")
    found = _IGLU.fullmatch(stated) if isinstance(stated, str) else None
    return "" if found is None else found["schema"]


_KNOWN: Final = frozenset(
    {
        *(_ECOMMERCE + name for name in ("product", "cart", "transaction", "refund", "checkout_step", "promotion")),
        *(_ECOMMERCE + "user", _ECOMMERCE + "transaction_error", _SESSION, _ACTION, _SITE_SEARCH, *_SCREENS),
    }
)
_BY_FLAT_NAME: Final = {schema.replace(".", "_").replace("/", "_"): schema for schema in _KNOWN}


# --- what every event carries -------------------------------------------------------------------------------------


def _common(root: Fields, entities: dict[str, list[Fields]]) -> dict[str, Any]:
    collector_ms = root.instant("collector_tstamp")
    at_ms = root.instant("true_tstamp", "derived_tstamp")
    if at_ms is None:
        at_ms = collector_ms
    if at_ms is None:
        raise AdapterError("missing_field", "derived_tstamp is missing")
    times: dict[str, int | None] = {"timestamp_ms": at_ms, "received_at_ms": collector_ms}
    if root.find("true_tstamp") is None:
        # A true time is the shop's own word and needs no correction; the others are corrected by the same formula.
        times["original_timestamp_ms"] = root.instant("dvce_created_tstamp")
        times["sent_at_ms"] = root.instant("dvce_sent_tstamp")
    user = _user(entities)
    session = next(iter(entities.get(_SESSION, ())), Fields({}, ""))
    named = {name: root.text(f"mkt_{name}") for name in ("source", "medium", "term", "content")}
    named["name"] = root.text("mkt_campaign")
    return times | {
        "user_id": _somebody(root.ident("user_id")) or user["user_id"],
        "email": user["email"],
        "anonymous_id": root.ident("domain_userid") or session.ident("userId"),
        "source": "snowplow",
        "channel": _CHANNELS.get(root.text("platform") or "", ""),
        "timezone": root.text("os_timezone"),
        "locale": root.text("br_lang"),
        "country": root.text("geo_country"),
        "campaign": e.Campaign(**named) if any(named.values()) else None,
        "referrer": root.link("page_referrer"),
    }


def _user(entities: dict[str, list[Fields]]) -> dict[str, str | None]:
    """The shop's user by the user entity. A guest has an e-mail, and an id that is good for one visit only."""
    for user in entities.get(_ECOMMERCE + "user", []):
        return {"user_id": None if user.flag("is_guest") else user.ident("id"), "email": user.ident("email")}
    return {"user_id": None, "email": None}


def _somebody(value: str | None) -> str | None:
    return None if value is None else identifier(value)


ADAPTER: Final[Adapter] = Adapter(
    name="snowplow",
    title="Snowplow",
    recognised_by="`event_id` and `collector_tstamp`",
    documents=(
        "https://docs.snowplow.io/docs/events/ootb-data/ecommerce-events/",
        "https://docs.snowplow.io/docs/fundamentals/canonical-event/",
        "https://github.com/snowplow/iglu-central/tree/master/schemas/com.snowplowanalytics.snowplow.ecommerce",
    ),
    fits=fits,
    read=read,
    names={
        **{name: kinds for name, (kinds, _) in ACTIONS.items()},
        "page_view": (e.PageViewed,),
        "screen_view": (e.PageViewed,),
        "site_search": (e.ProductsSearched,),
        **dict.fromkeys(sorted(_NOTHING), ()),
    },
    options=SnowplowOptions(),
)
