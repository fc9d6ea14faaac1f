"""Google Analytics 4: names and parameters of events, read into the fields of canonical events.

`EVENTS` is the table: name, canonical type, and the function that reads its parameters. An event of several items (add to
cart) becomes one canonical event for each. Items carry the price after discount and the discount of one unit; a canonical
product carries the list price and the discount of the whole line, so the list price is their sum.

Google's documents leave tax and shipping out of `value`; many shops put them in: see `Ga4Options`.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas import events as e
from schemas.adapters.adapter import ContentIds, Options
from schemas.adapters.commerce import (
    bounded,
    fine_worth,
    is_gift_card,
    required_order_id,
    stated_currency,
    times,
    unsigned,
    without,
)
from schemas.scalars import ID_MAX, AdapterError, Fields

_DAY_MS: Final = 86_400_000


class Ga4Options(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a shop fills in GA4's amounts. The defaults are what Google's documents ask for.

    `value_includes_tax` and `value_includes_shipping` say that `value` of purchase and refund holds them; they are then
    taken out. `price_after_discount` false says that `price` of an item is its list price, in spite of a `discount`.
    """

    value_includes_tax: bool = False
    value_includes_shipping: bool = False
    price_after_discount: bool = True


class Hit(Struct, frozen=True):
    """One GA4 event: its parameters, the currency where it names none, and GA4's key of the session, where it is known."""

    params: Fields
    shop_currency: str
    options: Ga4Options
    session: str | None = None


def session_key(client: str | None, session: str | None) -> str | None:
    """GA4's key of a visit: a session's number is good for one client alone. None where it is not known or too long for an id."""
    key = f"{client}.{session}" if client and session else ""
    return key if 0 < len(key) <= ID_MAX else None


Own = dict[str, Any]
Read = Callable[[Hit], Iterator[Own]]
"""Gives, for each canonical event that the GA4 event becomes, the fields that its type adds to every event's."""
Made = list[tuple[type[e.Event], Own]]
"""The canonical events that a GA4 event becomes: their types, and these fields."""


# --- items --------------------------------------------------------------------------------------------------------


def item(fields: Fields, currency: str, options: Ga4Options) -> e.Product:
    """An item as a product; GA4 asks for an id or a name, and where there is no id the name has to be it."""
    quantity = fields.quantity("quantity")
    price = fields.amount(currency, "price")
    discount = abs(fields.amount(currency, "discount") or 0)  # some write what was taken off with a minus
    if price is not None and options.price_after_discount:
        price = bounded(price + discount, fields.at("price"))
    return e.Product(
        product_id=fields.required_ident("item_id", "id", "item_name"),
        name=fields.text("item_name", "name"),
        category=_category(fields),
        brand=fields.text("item_brand", "brand"),
        variant=fields.text("item_variant", "variant"),
        price_minor=price,
        quantity=quantity,
        discount_minor=times(discount, quantity, fields.at("discount")),
        coupon=fields.text("coupon"),
        position=fields.small("index", "position"),
        gift_card=is_gift_card(fields),
    )


def order_item(fields: Fields, currency: str, options: Ga4Options) -> e.Product:
    """An item of an order. Where a unit's price or discount is finer than the currency the line has its worth as a whole."""
    line = item(fields, currency, options)
    worth = fine_worth(fields, "price", line.quantity, currency)
    discount = fine_worth(fields, "discount", line.quantity, currency)
    if worth is None and discount is None:
        return line
    discount = line.discount_minor if discount is None else abs(discount)
    if worth is None and (price := fields.amount(currency, "price")) is not None:
        worth = times(price, line.quantity, fields.at("price"))
    if worth is not None and options.price_after_discount:
        worth = bounded(worth + discount, fields.at("price"))
    return replace(line, list_minor=worth, discount_minor=discount)


def _category(fields: Fields) -> str | None:
    levels = [fields.text("item_category" if level == 1 else f"item_category{level}") for level in range(1, 6)]
    return "/".join(level for level in levels if level)[:1024] or fields.text("category")


def _items(
    hit: Hit, read: Callable[[Fields, str, Ga4Options], e.Product] = item
) -> tuple[tuple[e.Product, ...], str | None]:
    listed = list(hit.params.objects("items"))
    stated = stated_currency(hit.params, listed)
    return tuple(read(fields, stated or hit.shop_currency, hit.options) for fields in listed), stated


# --- readers ------------------------------------------------------------------------------------------------------


def nothing_of_its_own(_hit: Hit) -> Iterator[Own]:
    """An event whose name says it all."""
    yield {}


def page(hit: Hit) -> Iterator[Own]:
    """A page or a screen of an app."""
    params = hit.params
    yield {"name": params.text("page_title", "screen_name", "firebase_screen"), "url": params.link("page_location")}


def search(hit: Hit) -> Iterator[Own]:
    """A search."""
    query = hit.params.text("search_term")
    if query is None:
        raise AdapterError("missing_field", f"{hit.params.at('search_term')} is missing")
    yield {"query": query}


def item_list(hit: Hit) -> Iterator[Own]:
    """A list of products. Its name says where it stood ("related products"), which is no category."""
    products, _ = _items(hit)
    holders = (hit.params, *hit.params.objects("items"))
    ids = (fields.ident("item_list_id", "item_list_name") for fields in holders)
    yield {"list_id": next(filter(None, ids), None), "products": products}


def each_item(hit: Hit) -> Iterator[Own]:
    """What was done with one or more products, each by itself."""
    products, stated = _items(hit)
    if not products:
        raise AdapterError("missing_field", f"{hit.params.at('items')} is missing")
    for product in products:
        yield {"product": product, "currency": stated}


def promotion(hit: Hit) -> Iterator[Own]:
    """A promotion; where the event names none, those that its items name."""
    holders = [hit.params] if hit.params.find("promotion_id", "promotion_name") else list(hit.params.objects("items"))
    found = [
        {
            "promotion_id": fields.ident("promotion_id"),
            "name": fields.text("promotion_name"),
            "creative": fields.text("creative_name"),
            "position": fields.text("creative_slot"),
        }
        for fields in holders
        if fields.find("promotion_id", "promotion_name") is not None
    ]
    if not found:
        raise AdapterError("missing_field", f"{hit.params.at('promotion_id')} is missing")
    yield from (own for number, own in enumerate(found) if own not in found[:number])


def cart(hit: Hit) -> Iterator[Own]:
    """A whole cart. GA4 has no ids of carts: the customer has one."""
    products, stated = _items(hit)
    yield {"products": products, "currency": stated}


def checkout(hit: Hit) -> Iterator[Own]:
    """A step of a checkout. GA4 has no ids of checkouts; the session's stands for it, where it is known."""
    products, stated = _items(hit)
    yield {
        "checkout_id": hit.session,
        "products": products,
        "value_minor": hit.params.amount(stated or hit.shop_currency, "value"),
        "currency": stated,
    }


def purchase(hit: Hit) -> Iterator[Own]:
    """An order."""
    products, stated = _items(hit, order_item)
    currency, params = stated or hit.shop_currency, hit.params
    yield {
        "order_id": required_order_id(params, "transaction_id"),
        "checkout_id": hit.session,
        "currency": stated,
        "affiliation": params.text("affiliation"),
        "revenue_minor": _goods(hit, currency),
        "shipping_minor": params.amount(currency, "shipping"),
        "tax_minor": params.amount(currency, "tax"),
        "coupon": params.text("coupon"),
        "products": products,
    }


def refund(hit: Hit) -> Iterator[Own]:
    """A refund. Without a value its items count, and without items it is of the whole order. Some send a value below zero.

    Where the shop's values hold tax and this one does not say how much, the order does. Its id: see `with_refund_ids`.
    """
    products, stated = _items(hit, order_item)
    amount = _goods(hit, stated or hit.shop_currency)
    untold = hit.options.value_includes_tax and hit.params.find("tax") is None
    yield {
        "order_id": required_order_id(hit.params, "transaction_id"),
        "currency": stated,
        "amount_minor": unsigned(amount),
        "amount_with_tax": amount is not None and untold,
        "products": products,
    }


def _goods(hit: Hit, currency: str) -> int | None:
    """What the goods were worth: `value` without what the shop says is in it. Of a refund, what is more than its value is the
    order's, and not in it.
    """
    value = hit.params.amount(currency, "value")
    if value is None:
        return None
    included = (("tax", hit.options.value_includes_tax), ("shipping", hit.options.value_includes_shipping))
    extras = sum(abs(hit.params.amount(currency, name) or 0) for name, is_in in included if is_in)
    return without(value, extras)


def share(hit: Hit) -> Iterator[Own]:
    """A product that was shared; what else can be shared (an image) is no product."""
    if hit.params.text("content_type") in {"product", "item"}:
        product = e.Product(product_id=hit.params.required_ident("item_id"))
        yield {"product": product, "share_via": hit.params.text("method")}


def with_refund_ids(made: Made, params: Fields, ids: ContentIds, at_ms: int) -> Made:
    """What an event becomes, refunds with their id, which GA4 has none of: what the event says and its UTC day, unless it
    has an id of the shop's own.

    A refund that is sent again, by a page that is loaded twice or a job that begins anew, has another time but hardly another
    day. Who gives back the same of an order twice on one day says so in one body, or by an `event_id`.
    """
    if params.ident("event_id") is not None:
        return made
    return [
        (kind, own | {"refund_id": ids.of("refund", at_ms // _DAY_MS, msgspec.to_builtins(own))})
        if kind is e.OrderRefunded
        else (kind, own)
        for kind, own in made
    ]


# --- names --------------------------------------------------------------------------------------------------------

EVENTS: Final[dict[str, tuple[type[e.Event], Read]]] = {
    "page_view": (e.PageViewed, page),
    "screen_view": (e.PageViewed, page),
    "search": (e.ProductsSearched, search),
    "view_search_results": (e.ProductsSearched, search),
    "view_item_list": (e.ProductListViewed, item_list),
    "select_item": (e.ProductClicked, each_item),
    "view_item": (e.ProductViewed, each_item),
    "view_promotion": (e.PromotionViewed, promotion),
    "select_promotion": (e.PromotionClicked, promotion),
    "add_to_wishlist": (e.ProductAddedToWishlist, each_item),
    "share": (e.ProductShared, share),
    "add_to_cart": (e.ProductAdded, each_item),
    "remove_from_cart": (e.ProductRemoved, each_item),
    "view_cart": (e.CartViewed, cart),
    "begin_checkout": (e.CheckoutStarted, checkout),
    "add_shipping_info": (e.CheckoutStepCompleted, checkout),
    "add_payment_info": (e.PaymentInfoEntered, checkout),
    "purchase": (e.OrderCompleted, purchase),
    "refund": (e.OrderRefunded, refund),
    "login": (e.Identified, nothing_of_its_own),
    "sign_up": (e.SignedUp, nothing_of_its_own),
}
"""GA4's name, the canonical type, and the function that reads the parameters."""

NOTHING: Final = frozenset(
    {
        # collected by themselves
        *("session_start", "first_visit", "first_open", "user_engagement", "scroll", "click", "file_download"),
        *("form_start", "form_submit", "video_start", "video_progress", "video_complete", "app_update", "os_update"),
        *(
            "app_clear_data",
            "app_exception",
            "app_remove",
            "error",
            "exception",
            "campaign_details",
            "firebase_campaign",
        ),
        # recommended, and none of a shop's business
        *("select_content", "generate_lead", "join_group", "level_start", "level_up", "level_end", "post_score"),
        *(
            "tutorial_begin",
            "tutorial_complete",
            "unlock_achievement",
            "earn_virtual_currency",
            "spend_virtual_currency",
        ),
        *("timing_complete", "qualify_lead", "disqualify_lead", "working_lead", "close_convert_lead"),
        "close_unconvert_lead",
    }
)
"""Names that tell a profile nothing. Sales of app stores (`in_app_purchase`) are not among them: they are money, and are
refused by name until somebody says what they mean."""


def read_event(name: object, hit: Hit, place: str) -> Made:
    """The canonical types and own fields that a GA4 event becomes. Raises AdapterError; `place` is where its name stands."""
    if not isinstance(name, str) or not name:
        raise AdapterError("missing_field", f"{place} is missing")
    found = EVENTS.get(name)
    if found is not None:
        kind, read = found
        return [(kind, own) for own in read(hit)]
    if name in NOTHING or name.startswith("gtm."):
        return []
    raise AdapterError("unknown_event", f"{place}: no event {name[:64]!r} is known")
