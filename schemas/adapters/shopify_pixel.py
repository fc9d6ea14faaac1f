"""Shopify: customer events of a web pixel, forwarded as the pixel gets them.

`clientId` is the anonymous id and `id` the message id. A pixel that subscribes to all events and forwards them may add
`cartToken` and `customer` ({id, email, phone}) of its own `init` data: events of a cart do not say which one it is.

`price` of a line is its price before discounts. A shop whose prices include tax is told by its totals: there the total
price is the subtotal and shipping, although tax is named.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from msgspec import Struct

from schemas import events as e
from schemas.adapters.adapter import Adapter, Found, Given, Options
from schemas.adapters.commerce import (
    absolute,
    bounded,
    campaign_in,
    currency_of,
    numbered,
    required_order_id,
    stated_currency,
    times,
)
from schemas.adapters.shopify_parts import Made, Own, cart_token, plain_id, required_time, variant_title
from schemas.scalars import AdapterError, Fields

_KINDS: Final = frozenset({"standard", "custom", "advanced_standard", "dom", "meta"})


def fits(message: dict[str, Any]) -> bool:
    """Whether this is such an event."""
    kind = message.get("type")
    return (
        "clientId" in message and "name" in message and "data" in message and isinstance(kind, str) and kind in _KINDS
    )


class Seen(Struct, frozen=True):
    """One customer event: its data, the page it happened on, the shop's currency, the cart where the pixel tells it."""

    data: Fields
    page: Fields
    shop_currency: str
    cart: str | None

    @property
    def site(self) -> str | None:
        """Where the shop's pages lie."""
        return self.page.inner("location").link("origin")


def read(message: dict[str, Any], given: Given, _options: Options) -> Found:
    """The canonical events of a customer event."""
    root = Fields(message, "")
    name = root.required_ident("name")
    found = EVENTS.get(name)
    if found is None:
        if name in NOTHING:
            return []
        raise AdapterError("unknown_event", f"name: no event {name[:64]!r} is known")
    page = root.inner("context").inner("document")
    place = page.inner("location")
    seen = Seen(root.own("data"), page, given.shop_currency, cart_token(root, "cartToken"))
    checkout = seen.data.own("checkout")
    common = {
        "timestamp_ms": required_time(root, "timestamp"),
        "source": "shopify_pixel",
        "channel": "browser",
        "locale": root.inner("context").inner("navigator").text("language"),
        "referrer": page.link("referrer"),
        "campaign": campaign_in(place.link("href")),
        "anonymous_id": root.ident("clientId"),
        "cart_token": seen.cart,
        **_customer(root.own("customer"), checkout),
        "consent": _consent(checkout),
    }
    message_id = root.required_ident("id")
    return [
        kind(**(common | own), message_id=numbered(message_id, number))
        for number, (kind, own) in enumerate(found[1](seen), 1)
    ]


def _customer(told: Fields, checkout: Fields) -> Own:
    buyer = checkout.own("order").own("customer")
    return {
        "user_id": plain_id(buyer, "id") or plain_id(told, "id"),
        "email": checkout.ident("email") or told.ident("email"),
        "phone": checkout.ident("phone") or told.ident("phone") or checkout.ident("smsMarketingPhone"),
    }


def _consent(checkout: Fields) -> tuple[e.ConsentChange, ...]:
    """The boxes she ticked. One not ticked says nothing about what she agreed to before."""
    boxes = (("buyerAcceptsEmailMarketing", "email"), ("buyerAcceptsSmsMarketing", "sms"))
    return tuple(
        e.ConsentChange(state="GRANT", channel=channel, source="checkout")
        for name, channel in boxes
        if checkout.flag(name)
    )


# --- parts --------------------------------------------------------------------------------------------------------


def _money(fields: Fields, name: str, currency: str) -> int | None:
    return fields.own(name).amount(currency, "amount")


def _variant(fields: Fields, seen: Seen, currency: str, **more: Any) -> e.Product:
    """A product variant: the product's title is the name, the variant's own title the variant."""
    product = fields.inner("product")
    return e.Product(
        product_id=plain_id(product, "id") or plain_id(fields, "id") or fields.required_ident("sku"),
        variant_id=plain_id(fields, "id"),
        sku=fields.ident("sku"),
        name=product.text("title", "untranslatedTitle"),
        category=product.text("type"),
        brand=product.text("vendor"),
        variant=variant_title(fields, "title", "untranslatedTitle"),
        price_minor=_money(fields, "price", currency),
        url=absolute(product.values.get("url"), seen.site),
        image_url=absolute(fields.inner("image").values.get("src"), seen.site),
        **more,
    )


def _one(fields: Fields, seen: Seen, quantity: float = 1) -> Own:
    stated = currency_of(fields.inner("price"))
    return {"product": _variant(fields, seen, stated or seen.shop_currency, quantity=quantity), "currency": stated}


def _lines(lines: list[Fields], seen: Seen) -> tuple[tuple[e.Product, ...], str | None]:
    variants = [fields.inner("merchandise") for fields in lines]
    stated = stated_currency(Fields({}, ""), [fields.inner("price") for fields in variants])
    currency = stated or seen.shop_currency
    made = zip(lines, variants, strict=True)
    products = (_variant(variant, seen, currency, quantity=fields.quantity("quantity")) for fields, variant in made)
    return tuple(products), stated


def _line_item(fields: Fields, seen: Seen, currency: str, tax_share: tuple[int, int] | None) -> e.Product:
    """A line of a checkout. `tax_share` (tax, what it is in) takes tax out of the line's worth. One that is no product of the
    catalogue has no variant: it is its own, as in an order's webhook.
    """
    variant, quantity = fields.own("variant"), fields.quantity("quantity")
    if not variant.values:
        own = {name: fields.values.get(name) for name in ("id", "title")}
        variant = Fields({"product": own}, variant.path)
    price = _money(variant, "price", currency)
    listed = None if price is None else times(price, quantity, fields.at("variant.price"))
    final = _money(fields, "finalLinePrice", currency)
    allocated = sum(_money(one, "amount", currency) or 0 for one in fields.objects("discountAllocations"))
    discount = allocated if allocated or listed is None or final is None else listed - final
    net: int | None = None
    if listed is not None and tax_share is not None:
        tax, whole = tax_share
        net = bounded(listed - round(Fraction(listed * tax, whole)), fields.at("variant.price"))
        discount -= round(Fraction(discount * tax, whole))
    return _variant(
        variant,
        seen,
        currency,
        quantity=quantity,
        list_minor=net,
        discount_minor=bounded(discount, fields.at("discountAllocations")),
    )


# --- readers ------------------------------------------------------------------------------------------------------


def _page(seen: Seen) -> Made:
    yield e.PageViewed, {"name": seen.page.text("title"), "url": seen.page.inner("location").link("href")}


def _product(seen: Seen) -> Made:
    yield e.ProductViewed, _one(seen.data.inner("productVariant"), seen)


def _collection(seen: Seen) -> Made:
    collection = seen.data.own("collection")
    listed = list(collection.objects("productVariants"))
    stated = stated_currency(Fields({}, ""), [fields.inner("price") for fields in listed])
    yield (
        e.ProductListViewed,
        {
            "list_id": plain_id(collection, "id"),
            "category": collection.text("title"),
            "products": tuple(_variant(fields, seen, stated or seen.shop_currency) for fields in listed),
        },
    )


def _search(seen: Seen) -> Made:
    found = seen.data.inner("searchResult")
    query = found.text("query")
    if query is None:
        raise AdapterError("missing_field", f"{found.at('query')} is missing")
    yield e.ProductsSearched, {"query": query}


def _cart(seen: Seen) -> Made:
    cart = seen.data.own("cart")
    token = cart_token(cart, "id") or seen.cart
    products, stated = _lines(list(cart.objects("lines")), seen)
    yield e.CartViewed, {"cart_id": token, "cart_token": token, "products": products, "currency": stated}


def _cart_line(kind: type[e.Event]) -> Callable[[Seen], Made]:
    def read_line(seen: Seen) -> Made:
        fields = seen.data.inner("cartLine")
        own = _one(fields.inner("merchandise"), seen, fields.quantity("quantity"))
        yield kind, own | {"cart_id": seen.cart}

    return read_line


def _amounts(seen: Seen) -> tuple[Own, tuple[int, int] | None]:
    """A checkout's amounts, and, where prices include tax, the tax on goods with what it is in."""
    checkout = seen.data.inner("checkout")
    stated = currency_of(checkout)
    currency = stated or seen.shop_currency
    shipping = _shipping(checkout, currency)
    subtotal, tax = _money(checkout, "subtotalPrice", currency), _money(checkout, "totalTax", currency)
    paid = _money(checkout, "totalPrice", currency)
    amounts = {"currency": stated, "goods": subtotal, "paid": paid, "shipping": shipping, "tax": tax}
    if not tax or not subtotal or not paid or paid != subtotal + (shipping or 0):
        return amounts, None
    # One rate for goods and shipping: the pixel does not tell them apart, the order's webhook does.
    of_goods = round(Fraction(tax * subtotal, paid))
    net_shipping = None if shipping is None else shipping - (tax - of_goods)
    return amounts | {"goods": subtotal - of_goods, "shipping": net_shipping}, (of_goods, subtotal)


def _shipping(checkout: Fields, currency: str) -> int | None:
    """What she pays for shipping. The line of it is without its discounts, which older events do not tell."""
    chosen = checkout.own("delivery").objects("selectedDeliveryOptions")
    paid = [_money(one, "costAfterDiscounts", currency) for one in chosen]
    told = [amount for amount in paid if amount is not None]
    if paid and len(told) == len(paid):
        return bounded(sum(told), checkout.at("delivery"))
    return _money(checkout.own("shippingLine"), "price", currency)


def _checkout(kind: type[e.Event]) -> Callable[[Seen], Made]:
    def read_step(seen: Seen) -> Made:
        checkout = seen.data.inner("checkout")
        amounts, _ = _amounts(seen)
        currency = amounts["currency"] or seen.shop_currency
        yield (
            kind,
            {
                "checkout_id": checkout.required_ident("token"),
                "cart_id": seen.cart,
                "products": tuple(_line_item(one, seen, currency, None) for one in checkout.objects("lineItems")),
                "value_minor": amounts["paid"],
                "currency": amounts["currency"],
            },
        )

    return read_step


def _order(seen: Seen) -> Made:
    checkout = seen.data.inner("checkout")
    amounts, share = _amounts(seen)
    currency = amounts["currency"] or seen.shop_currency
    order_id = plain_id(checkout.inner("order"), "id")
    yield (
        e.OrderCompleted,
        {
            "order_id": required_order_id(Fields({"id": order_id}, checkout.at("order")), "id"),
            "checkout_id": checkout.ident("token"),
            "cart_id": seen.cart,
            "currency": amounts["currency"],
            "revenue_minor": amounts["goods"],
            "total_minor": amounts["paid"],
            "shipping_minor": amounts["shipping"],
            "tax_minor": amounts["tax"],
            "coupon": _code(checkout),
            "products": tuple(_line_item(one, seen, currency, share) for one in checkout.objects("lineItems")),
        },
    )


def _code(checkout: Fields) -> str | None:
    codes = (one for one in checkout.objects("discountApplications") if one.text("type") == "DISCOUNT_CODE")
    return next((code for one in codes if (code := one.text("title"))), None)


def _alert(seen: Seen) -> Made:
    """A message the checkout shows; of interest is the one about a payment that failed."""
    alert = seen.data.own("alert")
    if alert.text("type") == "PAYMENT_ERROR":
        yield e.PaymentFailed, {"cart_id": seen.cart, "reason": alert.text("message")}


EVENTS: Final[dict[str, tuple[tuple[type[e.Event], ...], Callable[[Seen], Made]]]] = {
    "page_viewed": ((e.PageViewed,), _page),
    "product_viewed": ((e.ProductViewed,), _product),
    "collection_viewed": ((e.ProductListViewed,), _collection),
    "search_submitted": ((e.ProductsSearched,), _search),
    "cart_viewed": ((e.CartViewed,), _cart),
    "product_added_to_cart": ((e.ProductAdded,), _cart_line(e.ProductAdded)),
    "product_removed_from_cart": ((e.ProductRemoved,), _cart_line(e.ProductRemoved)),
    "checkout_started": ((e.CheckoutStarted,), _checkout(e.CheckoutStarted)),
    "checkout_contact_info_submitted": ((e.CheckoutStepCompleted,), _checkout(e.CheckoutStepCompleted)),
    "checkout_address_info_submitted": ((e.CheckoutStepCompleted,), _checkout(e.CheckoutStepCompleted)),
    "checkout_shipping_info_submitted": ((e.CheckoutStepCompleted,), _checkout(e.CheckoutStepCompleted)),
    "payment_info_submitted": ((e.PaymentInfoEntered,), _checkout(e.PaymentInfoEntered)),
    "checkout_completed": ((e.OrderCompleted,), _order),
    "alert_displayed": ((e.PaymentFailed,), _alert),
}
"""Shopify's name, what it may become, and the function that reads the data."""

NOTHING: Final = frozenset(
    {"ui_extension_errored", "clicked", "form_submitted", "input_blurred", "input_changed", "input_focused"}
)
"""Names that tell a profile nothing."""

ADAPTER: Final[Adapter] = Adapter(
    name="shopify_pixel",
    title="Shopify web pixel",
    recognised_by="`clientId`, `name`, `data`, and a `type` such as `standard`",
    documents=(
        "https://shopify.dev/docs/api/web-pixels-api/standard-events",
        "https://shopify.dev/docs/apps/build/marketing-analytics/pixels",
    ),
    fits=fits,
    read=read,
    names={**{name: kinds for name, (kinds, _) in EVENTS.items()}, **dict.fromkeys(sorted(NOTHING), ())},
)
