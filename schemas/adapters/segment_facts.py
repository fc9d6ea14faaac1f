"""Properties of track calls that are no shopping: facts of the catalogue, tickets of the shop's service, privacy requests.

Our own additions to Segment's specification, which has none of them. Readers have the form of `segment_tracks.Read`.
"""

from typing import Any, Final

from schemas.adapters.commerce import currency_of
from schemas.scalars import ID_MAX, TEXT_MAX, AdapterError, Fields, number_of, text_of

TAGS_MAX: Final = 16
RELATED_MAX: Final = 64


# --- parts --------------------------------------------------------------------------------------------------------


def tags(fields: Fields, name: str) -> tuple[str, ...]:
    """Words, as a list or separated by commas: the first TAGS_MAX, each once."""
    return _texts(fields.values.get(name), TEXT_MAX)[:TAGS_MAX]


def related(fields: Fields, name: str) -> tuple[str, ...]:
    """Ids of other products, as a list or separated by commas: the first RELATED_MAX, each once."""
    return tuple(found for found in _texts(fields.values.get(name), ID_MAX + 1) if len(found) <= ID_MAX)[:RELATED_MAX]


def _texts(value: object, limit: int) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return ()
    named = (text.strip()[:limit] for item in value if (text := text_of(item)) is not None)
    return tuple(dict.fromkeys(filter(None, named)))


def units(fields: Fields, *names: str) -> int | None:
    """A number of units, below zero where more was sold than there is. Raises AdapterError for what is no whole number."""
    found = fields.find(*names)
    if found is None:
        return None
    number = number_of(found[1])
    if number is None:
        raise AdapterError("wrong_type", f"{fields.at(found[0])} is no number")
    if not isinstance(number, int) or abs(number) >= 2**31:
        raise AdapterError("out_of_bounds", f"{fields.at(found[0])} is no whole number of units")
    return number


def _days(fields: Fields, name: str) -> float | None:
    found = fields.find(name)
    if found is None:
        return None
    number = number_of(found[1])
    if number is None:
        raise AdapterError("wrong_type", f"{fields.at(name)} is no number")
    if not 0 < number <= 3650:
        raise AdapterError("out_of_bounds", f"{fields.at(name)} is not above 0 and at most 3650")
    return float(number)


# --- the catalogue ------------------------------------------------------------------------------------------------


def _named(properties: Fields) -> dict[str, Any]:
    found = {
        "product_id": properties.ident("product_id", "productId", "id"),
        "variant_id": properties.ident("variant_id", "variantId"),
        "sku": properties.ident("sku"),
        "inventory_item_id": properties.ident("inventory_item_id"),
    }
    if not any(found.values()):
        raise AdapterError("missing_field", f"{properties.at('product_id')} is missing")
    return found


def product_facts(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """Facts of a product."""
    stated = currency_of(properties)
    currency = stated or shop_currency
    return _named(properties) | {
        "name": properties.text("name", "title"),
        "category": properties.text("category"),
        "brand": properties.text("brand", "vendor"),
        "variant": properties.text("variant"),
        "url": properties.link("url"),
        "image_url": properties.link("image_url", "imageUrl"),
        "price_minor": properties.amount(currency, "price"),
        "cost_minor": properties.amount(currency, "cost"),
        "currency": stated,
        "available": units(properties, *_STOCK),
        "supply_days": _days(properties, "supply_days"),
        "group": properties.text("group"),
        "complementary": related(properties, "complementary"),
        "substitutes": related(properties, "substitutes"),
        "contents": tags(properties, "contents"),
        "occasions": tags(properties, "occasions"),
    }


_STOCK: Final = ("available", "inventory_quantity", "stock")


def price(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A product's new list price."""
    stated = currency_of(properties)
    now = properties.amount(stated or shop_currency, "price", "new_price")
    if now is None:
        raise AdapterError("missing_field", f"{properties.at('price')} is missing")
    before = properties.amount(stated or shop_currency, "previous_price", "old_price")
    return _named(properties) | {"price_minor": now, "previous_price_minor": before, "currency": stated}


def stock(properties: Fields, _currency: str) -> dict[str, Any]:
    """A product's new stock."""
    available = units(properties, *_STOCK)
    if available is None:
        raise AdapterError("missing_field", f"{properties.at('available')} is missing")
    return _named(properties) | {
        "available": available,
        "previous_available": units(properties, "previous_available"),
        "location_id": properties.ident("location_id"),
    }


def back_in_stock(properties: Fields, _currency: str) -> dict[str, Any]:
    """A product that can be bought again."""
    return _named(properties) | {
        "available": units(properties, *_STOCK),
        "location_id": properties.ident("location_id"),
    }


# --- service ------------------------------------------------------------------------------------------------------


def ticket(properties: Fields, _currency: str) -> dict[str, Any]:
    """A ticket. What she wrote is nobody's business here."""
    return {
        "ticket_id": properties.required_ident("ticket_id", "ticketId", "id"),
        "topic": properties.text("topic", "category"),
        "order_id": properties.ident("order_id", "orderId"),
        "product_id": properties.ident("product_id", "productId"),
        "ticket_channel": properties.text("ticket_channel", "channel"),
    }


def case(properties: Fields, _currency: str) -> dict[str, Any]:
    """A step in the handling of a low score."""
    state = (properties.text("state", "status") or "").strip().lower()
    if state not in CASE_STATES:
        where = properties.at("state")
        raise AdapterError("wrong_type", f"{where} is none of {', '.join(CASE_STATES)}")
    return {
        "case_id": properties.required_ident("case_id", "caseId", "id"),
        "state": state,
        "owner": properties.text("owner", "assignee"),
    }


CASE_STATES: Final = ("assigned", "contacted", "resolved", "verified")


def resolved_ticket(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A closed ticket."""
    content = number_of(properties.values.get("satisfaction", properties.values.get("rating")))
    kept = None if content is None or abs(content) > 1e6 else float(content)
    return ticket(properties, shop_currency) | {"satisfaction": kept}


# --- privacy ------------------------------------------------------------------------------------------------------


def command(properties: Fields, _currency: str) -> dict[str, Any]:
    """A privacy request about the customer whom the call names."""
    return _request(properties) | {
        "order_ids": order_ids(properties, "order_ids"),
        "reason": properties.text("reason"),
    }


def split(properties: Fields, currency: str) -> dict[str, Any]:
    """A request to take an identifier out of the profile of the customer whom the call names."""
    return command(properties, currency) | {"identifier": properties.required_ident("identifier")}


def erase_shop(properties: Fields, _currency: str) -> dict[str, Any]:
    """A request to forget the whole shop."""
    return _request(properties) | {"shop_id": properties.required_ident("shop_id", "shop_domain")}


def _request(properties: Fields) -> dict[str, Any]:
    return {
        "request_id": properties.required_ident("request_id", "requestId"),
        "requested_at_ms": properties.instant("requested_at", "requestedAt", "requested_at_ms"),
    }


def order_ids(fields: Fields, name: str) -> tuple[str, ...]:
    """The ids of a request's orders, all of them or a refusal: an order left out would be one not erased."""
    value = fields.values.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > 500:
        raise AdapterError("out_of_bounds", f"{fields.at(name)} is no list of at most 500 ids")
    stated = Fields({str(number): item for number, item in enumerate(value)}, fields.at(name))
    return tuple(stated.required_ident(number) for number in stated.values)
