"""Shopify's webhooks of customers, their consent, privacy requests and the catalogue, read into canonical events."""

from typing import Any, Final

from schemas import events as e
from schemas.adapters.commerce import absolute
from schemas.adapters.consent_forms import channel_consent
from schemas.adapters.segment_facts import order_ids, units
from schemas.adapters.shopify_parts import (
    Delivery,
    Made,
    Own,
    dated_consent,
    plain_id,
    required_time,
    variant_title,
)
from schemas.scalars import TRAITS_MAX, AdapterError, Fields, storable

_TRAITS: Final = (
    *("first_name", "last_name", "tags", "state", "note", "currency", "verified_email", "tax_exempt", "created_at"),
    *("accepts_marketing", "marketing_opt_in_level", "multipass_identifier"),
)
_NO_MERGE: Final = frozenset({"requested", "in_progress", "failed"})
"""States of a merge in which the two are two."""
_NOT_ON_SALE: Final = frozenset({"archived", "draft"})
"""States of a product in which it is on no channel of the shop."""


# --- customers ----------------------------------------------------------------------------------------------------


def customer(delivery: Delivery) -> Made:
    """A customer's data as they are now."""
    body = delivery.body
    yield (
        e.Identified,
        _person(body)
        | {
            "timestamp_ms": required_time(body, "updated_at", "created_at"),
            "traits": _traits(body),
            "consent": dated_consent(body),
        },
    )


def enabled(delivery: Delivery) -> Made:
    """A customer opened her account. A customer record alone is none: a guest's order makes one too."""
    body = delivery.body
    yield e.SignedUp, _person(body) | {"timestamp_ms": required_time(body, "updated_at", "created_at")}


def merged(delivery: Delivery) -> Made:
    """The shop made two customers one: a decision of its own, as an alias call is."""
    body = delivery.body
    status = body.required_ident("status").lower()
    if status in _NO_MERGE:
        return
    if status != "completed":
        raise AdapterError("wrong_type", f"{body.at('status')} is no state of a merge")
    yield (
        e.Aliased,
        {
            "user_id": _required_id(body, "admin_graphql_api_customer_kept_id"),
            "previous_id": _required_id(body, "admin_graphql_api_customer_deleted_id"),
            "timestamp_ms": delivery.at_ms,
        },
    )


def _required_id(body: Fields, name: str) -> str:
    found = plain_id(body, name)
    if found is None:
        raise AdapterError("missing_field", f"{body.at(name)} is missing")
    return found


def email_consent(delivery: Delivery) -> Made:
    """A decision about e-mail."""
    body = delivery.body
    own = {"user_id": plain_id(body, "customer_id"), "email": body.ident("email_address")}
    yield e.ConsentChanged, own | _decided(delivery, "email_marketing_consent", "email")


def sms_consent(delivery: Delivery) -> Made:
    """A decision about text messages."""
    body = delivery.body
    own = {"user_id": plain_id(body, "id", "customer_id"), "phone": body.ident("phone")}
    yield e.ConsentChanged, own | _decided(delivery, "sms_marketing_consent", "sms")


def _decided(delivery: Delivery, name: str, channel: str) -> Own:
    stated = delivery.body.inner(name)
    if not stated.values:
        raise AdapterError("missing_field", f"{stated.path} is missing")
    at_ms = stated.instant("consent_updated_at")
    return {
        "timestamp_ms": delivery.at_ms if at_ms is None else at_ms,
        "consent": tuple(channel_consent(stated.values, channel, stated.path)),
    }


def _person(body: Fields) -> Own:
    address = body.inner("default_address")
    return {
        "user_id": plain_id(body, "id"),
        "email": body.ident("email"),
        "phone": body.ident("phone"),
        "country": address.text("country_code"),
    }


def _traits(body: Fields) -> dict[str, Any]:
    """The plain facts. How many orders there were and what they came to is counted here better."""
    address = body.inner("default_address")
    stated = {name: body.values.get(name) for name in _TRAITS}
    place = {name: value for name in ("city", "province_code", "country_code", "zip") if (value := address.text(name))}
    if place:
        stated["address"] = place
    kept = {name: value for name, value in stated.items() if value not in (None, "") and storable(name, value)}
    return dict(list(kept.items())[:TRAITS_MAX])


# --- privacy ------------------------------------------------------------------------------------------------------


def data_request(delivery: Delivery) -> Made:
    """A customer wants to know what is known of her."""
    body = delivery.body
    number = body.inner("data_request").ident("id") or delivery.request_id
    yield (
        e.ExportCustomer,
        _subject(delivery) | {"request_id": number, "order_ids": order_ids(body, "orders_requested")},
    )


def redact(delivery: Delivery) -> Made:
    """A customer is to be forgotten."""
    own = {"request_id": delivery.request_id, "order_ids": order_ids(delivery.body, "orders_to_redact")}
    yield e.EraseCustomer, _subject(delivery) | own


def redact_shop(delivery: Delivery) -> Made:
    """The shop has left Shopify."""
    shop = delivery.body.ident("shop_domain") or delivery.shop_domain
    if shop is None:
        raise AdapterError("missing_field", f"{delivery.body.at('shop_domain')} is missing")
    yield (
        e.EraseShop,
        {
            "request_id": delivery.request_id,
            "shop_id": shop,
            "timestamp_ms": delivery.at_ms,
            "requested_at_ms": delivery.at_ms,
        },
    )


def _subject(delivery: Delivery) -> Own:
    person = delivery.body.inner("customer")
    return {
        "user_id": plain_id(person, "id"),
        "email": person.ident("email"),
        "phone": person.ident("phone"),
        "timestamp_ms": delivery.at_ms,
        "requested_at_ms": delivery.at_ms,
    }


# --- the catalogue ------------------------------------------------------------------------------------------------


def product(delivery: Delivery) -> Made:
    """A product as it is now: one event for each of its variants, since price and stock are the variant's."""
    body = delivery.body
    site = f"https://{delivery.shop_domain}" if delivery.shop_domain else None
    handle = body.text("handle")
    images = [*body.objects("image"), *body.objects("images")]
    on_sale = (body.text("status") or "").lower() not in _NOT_ON_SALE
    facts = {
        "timestamp_ms": required_time(body, "updated_at", "created_at"),
        "product_id": plain_id(body, "id"),
        "name": body.text("title"),
        "brand": body.text("vendor"),
        "category": body.text("product_type"),
        "url": absolute(f"/products/{handle}", site) if handle and site else None,
        "image_url": absolute(images[0].values.get("src"), site) if images else None,
    }
    variants = list(body.objects("variants"))
    if not variants:
        yield e.ProductUpdated, facts
    for fields in variants:
        yield (
            e.ProductUpdated,
            facts
            | {
                "variant_id": plain_id(fields, "id"),
                "sku": fields.ident("sku"),
                "inventory_item_id": plain_id(fields, "inventory_item_id"),
                "variant": variant_title(fields, "title"),
                "price_minor": fields.amount(delivery.shop_currency, "price"),
                "available": _available(fields) if on_sale else 0,
            },
        )


def _available(fields: Fields) -> int | None:
    """How many of a variant can be bought: at least one where Shopify does not count them, or sells on when none are left."""
    counted = units(fields, "inventory_quantity")
    if counted is None:
        return None
    unlimited = (
        fields.values.get("inventory_management", "shopify") is None or fields.text("inventory_policy") == "continue"
    )
    return max(1, counted) if unlimited else counted


def inventory_level(delivery: Delivery) -> Made:
    """The stock of an item at one place; an item whose stock is not counted has none."""
    body = delivery.body
    available = units(body, "available")
    if available is None:
        return
    yield (
        e.ProductStockChanged,
        {
            "timestamp_ms": required_time(body, "updated_at"),
            "inventory_item_id": body.required_ident("inventory_item_id"),
            "location_id": body.ident("location_id"),
            "available": available,
        },
    )
