"""Braze: the e-commerce recommended events (`ecommerce.*`), as its users/track body, one by one, or as Currents exports them.

`external_id` (Currents: `external_user_id`) is the user id. Braze's own id of a profile, or an alias, stands for a visitor
whom the shop does not know. Currents gives each event an `id`; the REST form has none, and gets one made of its content.
What Currents tell of messages is read in `braze_currents`.

Amounts: `total_value` holds tax and shipping where these are named, `subtotal_value` is after discounts without both, and a
product's `price` is its list price. An update of the cart is a snapshot unless `action` says add or remove.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from schemas import events as e
from schemas.adapters import braze_currents as currents
from schemas.adapters.adapter import Adapter, ContentIds, Found, Given, Options, each, entries
from schemas.adapters.commerce import (
    fine_worth,
    listed_products,
    numbered,
    required_order_id,
    stated_currency,
    unsigned,
    without,
)
from schemas.scalars import TRAITS_MAX, AdapterError, Fields, storable

EVENTS_MAX: Final = 500
"""Events in one body. Braze takes 75."""
_OTHERS: Final = frozenset({"event", "type", "client_id", "app_instance_id"})
"""Fields of canonical events, and of other sources that send lists of events."""
_PREFIX: Final = "ecommerce."
# What a profile keeps in fields of its own, and what tells Braze how to write.
_NOT_TRAITS: Final = frozenset(
    {
        *(
            "external_id",
            "braze_id",
            "user_alias",
            "email",
            "phone",
            "email_subscribe",
            "push_subscribe",
            "push_tokens",
            "subscription_groups",
        ),
        *("_update_existing_only", "_merge_objects", "push_token_import", "app_id", "time"),
    }
)
_CHANGES: Final = {"inc": int | float, "add": list, "remove": list, "$add": list, "$remove": list, "$update": list}
"""What Braze may be told to do with an attribute, {word: its object}. What the attribute then is, only Braze knows."""


def fits(message: dict[str, Any]) -> bool:
    """Whether this is such an event, or a body of users/track."""
    if "events" in message or "attributes" in message or "purchases" in message:
        return _OTHERS.isdisjoint(message)
    name = message.get("name")
    return (isinstance(name, str) and name.startswith(_PREFIX)) or currents.is_current(message)


def read(message: dict[str, Any], given: Given, _options: Options) -> Found:
    """The event, or those of a body: first what it says about users, then what they did."""
    root, ids = Fields(message, ""), ContentIds()
    if "name" in message or "event_type" in message:
        return list(_event(root, ids, given))
    found: Found = []
    if "attributes" in message:
        found += each(entries(root, "attributes", EVENTS_MAX), lambda fields: _attributes(fields, ids, given))
    if "events" in message:
        found += each(entries(root, "events", EVENTS_MAX), lambda fields: _event(fields, ids, given))
    if "purchases" in message:
        found += each(entries(root, "purchases", EVENTS_MAX), _purchase)
    return found


# --- envelopes ----------------------------------------------------------------------------------------------------


def _event(fields: Fields, ids: ContentIds, given: Given) -> Iterator[e.Event]:
    """An event of users/track or of Currents' files; or, with an `event_type`, as Currents post it."""
    if "event_type" not in fields.values:
        made, common = _named(fields, given), _common(fields, given)
    else:
        event_type, properties = fields.required_ident("event_type"), fields.own("properties")
        if event_type == currents.CUSTOM_EVENT:
            made = _named(properties, given, "custom_properties")
        else:
            made = currents.told(event_type, fields.at("event_type"), properties)
        common = _common(fields, given) | currents.who(fields, properties)
    message_id = fields.ident("id") or ids.of(given.occasion(fields.instant("time")), fields.values)
    for number, (kind, own) in enumerate(made, 1):
        yield kind(**(common | own), message_id=numbered(message_id, number))


def _named(
    fields: Fields, given: Given, properties: str = "properties"
) -> Iterator[tuple[type[e.Event], dict[str, Any]]]:
    """What the event of this name becomes, by the properties in the field of that name."""
    name = fields.values.get("name")
    if not isinstance(name, str) or not name:
        raise AdapterError("missing_field", f"{fields.at('name')} is missing")
    read_own = EVENTS.get(name)
    if read_own is None:
        raise AdapterError("unknown_event", f"{fields.at('name')}: no event {name[:64]!r} is known")
    return read_own[1](_properties(fields, properties), given.shop_currency)


def _properties(fields: Fields, place: str) -> Fields:
    """The properties: an object, or in files of Currents an object written as text."""
    stated = fields.values.get(place)
    if not isinstance(stated, str):
        return fields.inner(place)
    try:
        read_again = msgspec.json.decode(stated)
    except (ValueError, RecursionError):
        read_again = None
    if not isinstance(read_again, dict):
        raise AdapterError("wrong_type", f"{fields.at(place)} is text that is no JSON object")
    return Fields(read_again, fields.at(place))


def _attributes(fields: Fields, ids: ContentIds, given: Given) -> Iterator[e.Event]:
    """What is known of a user."""
    zone = fields.text("time_zone", "timezone")
    common = _common(fields, given) | {
        # Braze also takes names as "Eastern Time (US & Canada)". These are no zone's, and what her device said holds.
        "timezone": zone if zone is not None and " " not in zone else None,
        "locale": fields.text("language"),
        "country": fields.text("country"),
    }
    kept = {
        name: value
        for name, value in fields.values.items()
        if name not in _NOT_TRAITS and value is not None and not _is_change(value) and storable(name, value)
    }
    traits = dict(list(kept.items())[:TRAITS_MAX])
    message_id = ids.of(given.occasion(fields.instant("time")), fields.values)
    yield e.Identified(**common, traits=traits, consent=_consent(fields), message_id=message_id)


def _is_change(value: object) -> bool:
    """Whether a value is not the attribute's own, but what is to be done with it."""
    if not isinstance(value, dict) or not value:
        return False
    return all(word in _CHANGES and isinstance(what, _CHANGES[word]) for word, what in value.items())


def _consent(fields: Fields) -> tuple[e.ConsentChange, ...]:
    """What Braze's subscription states say: `subscribed` is where everybody begins, and is nobody's decision."""
    found = []
    for name, channel in (("email_subscribe", "email"), ("push_subscribe", "push")):
        stated = fields.values.get(name)
        if stated == "opted_in":
            found.append(e.ConsentChange(state="GRANT", channel=channel, source="braze"))
        elif stated == "unsubscribed":
            found.append(e.ConsentChange(state="REVOKED", channel=channel, source="braze"))
        elif stated not in (None, "", "subscribed"):
            raise AdapterError("wrong_type", f"{fields.at(name)} is no subscription state")
    return tuple(found)


def _purchase(fields: Fields) -> Iterator[e.Event]:
    raise AdapterError("unknown_event", f"{fields.path}: purchases name no order; send ecommerce.order_placed")


def _common(fields: Fields, given: Given) -> dict[str, Any]:
    at_ms = fields.instant("time")
    if at_ms is None:
        if given.record_ms <= 0:
            raise AdapterError("missing_field", f"{fields.at('time')} is missing")
        at_ms = given.record_ms
    return {
        "timestamp_ms": at_ms,
        # `user_id` of Currents is Braze's own id of the profile.
        "user_id": fields.ident("external_id", "external_user_id"),
        "email": fields.ident("email"),
        "phone": fields.ident("phone"),
        "anonymous_id": fields.ident("braze_id", "user_id") or _alias(fields.inner("user_alias")),
        "source": "braze",
        "timezone": fields.text("timezone"),
    }


def _alias(stated: Fields) -> str | None:
    label, name = stated.ident("alias_label"), stated.ident("alias_name")
    return Fields({"alias": f"{label}:{name}"}, stated.path).ident("alias") if label and name else None


# --- properties ---------------------------------------------------------------------------------------------------

Made = Iterator[tuple[type[e.Event], dict[str, Any]]]
Read = Callable[[Fields, str], Made]


def _product(fields: Fields, currency: str) -> e.Product:
    more = fields.inner("metadata")
    return e.Product(
        product_id=fields.required_ident("product_id"),
        variant_id=fields.ident("variant_id"),
        sku=fields.ident("sku") or more.ident("sku"),
        name=fields.text("product_name"),
        category=more.text("category"),
        brand=more.text("brand"),
        price_minor=fields.amount(currency, "price"),
        quantity=fields.quantity("quantity"),
        url=fields.link("product_url"),
        image_url=fields.link("image_url"),
    )


def _line(fields: Fields, currency: str) -> e.Product:
    """A line of an order. Where a unit's price is finer than the currency the line has its worth as a whole."""
    line = _product(fields, currency)
    return replace(line, list_minor=fine_worth(fields, "price", line.quantity, currency))


def _viewed(properties: Fields, shop_currency: str) -> Made:
    stated = stated_currency(properties, ())
    yield e.ProductViewed, {"product": _product(properties, stated or shop_currency), "currency": stated}


def _cart(properties: Fields, shop_currency: str) -> Made:
    products, stated, _ = listed_products(properties, shop_currency, _product)
    if properties.find("products") is None:
        # Taken for an empty list it would empty the cart.
        raise AdapterError("missing_field", f"{properties.at('products')} is missing")
    cart_id = properties.required_ident("cart_id")
    action = properties.text("action") or "replace"
    if action == "replace":
        yield e.CartUpdated, {"cart_id": cart_id, "products": products, "currency": stated}
        return
    kind = {"add": e.ProductAdded, "remove": e.ProductRemoved}.get(action)
    if kind is None:
        raise AdapterError("wrong_type", f"{properties.at('action')} is none of add, remove, replace")
    for product in products:
        yield kind, {"cart_id": cart_id, "product": product, "currency": stated}


def _checkout(properties: Fields, shop_currency: str) -> Made:
    products, stated, currency = listed_products(properties, shop_currency, _product)
    yield (
        e.CheckoutStarted,
        {
            "checkout_id": properties.required_ident("checkout_id"),
            "cart_id": properties.ident("cart_id"),
            "products": products,
            "value_minor": properties.amount(currency, "total_value"),
            "currency": stated,
            "url": properties.link("checkout_url") or properties.inner("metadata").link("checkout_url"),
        },
    )


def _order(properties: Fields, shop_currency: str) -> dict[str, Any]:
    products, stated, currency = listed_products(properties, shop_currency, _line)
    return {
        "order_id": required_order_id(properties, "order_id"),
        "cart_id": properties.ident("cart_id"),
        "currency": stated,
        "subtotal_minor": properties.amount(currency, "subtotal_value"),
        "total_minor": properties.amount(currency, "total_value"),
        "shipping_minor": properties.amount(currency, "shipping"),
        "tax_minor": properties.amount(currency, "tax"),
        "discount_minor": unsigned(properties.amount(currency, "total_discounts")),
        "coupon": next((code for one in properties.objects("discounts") if (code := one.text("code"))), None),
        "products": products,
    }


def _placed(properties: Fields, shop_currency: str) -> Made:
    yield e.OrderCompleted, _order(properties, shop_currency)


def _cancelled(properties: Fields, shop_currency: str) -> Made:
    yield e.OrderCancelled, _order(properties, shop_currency) | {"reason": properties.text("cancel_reason")}


def _refunded(properties: Fields, shop_currency: str) -> Made:
    """A refund: the goods' share of it is what is refunded of the order's worth. Some write what went back with a minus. Tax and
    shipping that are more than the total are the order's, and not in it.
    """
    products, stated, currency = listed_products(properties, shop_currency, _line)
    amount = properties.amount(currency, "subtotal_value")
    if amount is None and (amount := properties.amount(currency, "total_value")) is not None:
        extras = sum(abs(properties.amount(currency, name) or 0) for name in ("tax", "shipping"))
        amount = without(amount, extras)
    yield (
        e.OrderRefunded,
        {
            "order_id": required_order_id(properties, "order_id"),
            "currency": stated,
            "amount_minor": unsigned(amount),
            "products": products,
            "reason": properties.inner("metadata").text("order_note"),
        },
    )


EVENTS: Final[dict[str, tuple[tuple[type[e.Event], ...], Read]]] = {
    "ecommerce.product_viewed": ((e.ProductViewed,), _viewed),
    "ecommerce.cart_updated": ((e.CartUpdated, e.ProductAdded, e.ProductRemoved), _cart),
    "ecommerce.checkout_started": ((e.CheckoutStarted,), _checkout),
    "ecommerce.order_placed": ((e.OrderCompleted,), _placed),
    "ecommerce.order_refunded": ((e.OrderRefunded,), _refunded),
    "ecommerce.order_cancelled": ((e.OrderCancelled,), _cancelled),
}
"""Braze's name, what it may become, and the function that reads the properties."""

ADAPTER: Final[Adapter] = Adapter(
    name="braze",
    title="Braze",
    recognised_by="`name` begins with `ecommerce.`; or `event_type` with `users.`, and an object `user`; or a list `events`, "
    "`attributes` or `purchases`",
    documents=(
        "https://www.braze.com/docs/user_guide/data/activation/events/recommended_events/",
        "https://www.braze.com/docs/api/endpoints/user_data/post_user_track/",
        "https://www.braze.com/docs/user_guide/data/distribution/braze_currents/event_glossary/customer_behavior_events/",
        "https://www.braze.com/docs/user_guide/data/distribution/braze_currents/event_glossary/message_engagement_events/",
        "https://www.braze.com/docs/user_guide/data/distribution/braze_currents/setting_up_currents/custom_http_connector/",
    ),
    fits=fits,
    read=read,
    names={
        **{name: kinds for name, (kinds, _) in EVENTS.items()},
        "attributes": (e.Identified,),
        **{name: (kind,) for name, (kind, _) in currents.REPORTS.items()},
        currents.STATE_CHANGE: (e.ConsentChanged,),
        currents.GROUP_CHANGE: (e.ConsentChanged,),
        **{name if name[-1] not in "._" else f"{name}*": () for name in currents.NOTHING},
    },
)
