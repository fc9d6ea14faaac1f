"""What a Shopify web pixel forwards, by the public reference of its standard events.

https://shopify.dev/docs/api/web-pixels-api/standard-events: amounts are {amount, currencyCode}; most of what is about a line
may be null.
"""

import json
from typing import Any

import pytest

from schemas import events as e
from tests.core.test_adapter_particulars import in_shop_of
from tests.core.test_adapters import NOON_MS, events, one, refused, webhook


def euros(amount: float | None) -> dict[str, Any]:
    return {"amount": amount, "currencyCode": "EUR"}


def pixel(name: str, /, *, beside: dict[str, Any] | None = None, **data: Any) -> dict[str, Any]:
    """An event of the web pixel; `beside` what the shop's pixel adds of its own."""
    return {
        "id": "e1", "clientId": "c1", "type": "standard", "name": name, "timestamp": "2024-05-01T12:00:00Z", "data": data,
        **(beside or {}),
    }  # fmt: skip


def pixel_checkout(name: str = "checkout_started", **checkout: Any) -> dict[str, Any]:
    """An event of the web pixel about a checkout."""
    return pixel(name, checkout={"token": "k1", "currencyCode": "EUR", "order": {"id": "1"}, **checkout})


def test_a_line_of_the_pixel_that_is_no_product_of_the_catalogue_is_its_own_and_costs_the_shop_no_order() -> None:
    """https://shopify.dev/docs/api/web-pixels-api/standard-events/checkout_completed: a line's `variant` may be null."""
    line = {"id": "gid://shopify/CheckoutLineItem/9", "title": "Engraving", "quantity": 1, "variant": None}
    order = one(
        pixel_checkout("checkout_completed", subtotalPrice={"amount": 10}, totalPrice={"amount": 10}, lineItems=[line])
    )

    assert order.revenue_minor == 1000
    assert [(product.product_id, product.variant_id, product.name) for product in order.products] == [
        ("9", None, "Engraving")
    ]


def test_the_box_for_text_messages_and_the_number_given_there_count_like_those_for_mails() -> None:
    """https://shopify.dev/docs/api/webhooks: `buyer_accepts_sms_marketing` and `sms_marketing_phone` of checkouts/create."""
    checkout = {
        "token": "k1", "created_at": "2024-05-01T12:00:00Z", "buyer_accepts_marketing": True,
        "buyer_accepts_sms_marketing": True, "sms_marketing_phone": "+436641234567",
    }  # fmt: skip
    told = one(webhook("checkouts/create", checkout))
    seen = one(pixel_checkout(buyerAcceptsSmsMarketing=True, smsMarketingPhone="+436641234567"))

    assert [(change.channel, change.state, change.at_ms) for change in told.consent] == [
        ("email", "GRANT", NOON_MS), ("sms", "GRANT", NOON_MS),
    ]  # fmt: skip
    assert [(change.channel, change.state) for change in seen.consent] == [("sms", "GRANT")]
    assert told.phone == seen.phone == "+436641234567"
    assert one(webhook("checkouts/create", checkout | {"phone": "+436640000000"})).phone == "+436640000000"
    assert one(webhook("checkouts/create", checkout | {"buyer_accepts_sms_marketing": False})).consent[1:] == ()


TEA: dict[str, Any] = {
    "id": "4411", "title": "100 g", "sku": "TG-100", "price": euros(5),
    "product": {"id": "71", "title": "Green tea", "untranslatedTitle": "Grüner Tee", "vendor": "Leaf", "type": "Tea"},
}  # fmt: skip


def line_of(**fields: Any) -> Any:
    """The line of an order of two teas at five euros."""
    line = {"id": "9", "quantity": 2, "variant": TEA, **fields}
    (product,) = one(pixel_checkout("checkout_completed", lineItems=[line])).products
    return product


def allocated(*amounts: float | None) -> list[dict[str, Any]]:
    return [{"amount": euros(amount)} for amount in amounts]


@pytest.mark.parametrize(
    "told, discount",
    [
        ({}, 0),
        ({"finalLinePrice": euros(9)}, 100),  # a discount of the line itself
        ({"finalLinePrice": euros(9), "discountAllocations": []}, 100),
        ({"finalLinePrice": euros(9), "discountAllocations": allocated(1, 0.5)}, 150),  # and its share of the order's
        ({"finalLinePrice": euros(10), "discountAllocations": allocated(None, 0.5)}, 50),
        ({"finalLinePrice": None}, 0),
    ],
)
def test_the_discount_of_a_line_is_what_was_allocated_to_it_or_else_what_its_final_price_is_less(
    told: dict[str, Any], discount: int
) -> None:
    line = line_of(**told)

    assert (line.price_minor, line.quantity, line.discount_minor) == (500, 2, discount)


def test_a_line_without_a_price_has_neither_worth_nor_discount() -> None:
    line = line_of(variant={**TEA, "price": None}, finalLinePrice=euros(9))

    assert (line.price_minor, line.list_minor, line.discount_minor) == (None, None, 0)


def test_where_prices_include_tax_lines_are_listed_and_discounted_without_it() -> None:
    line = {"id": "9", "quantity": 2, "variant": {**TEA, "price": euros(119)}, "discountAllocations": allocated(119)}
    unpriced = {"id": "8", "quantity": 1, "variant": {**TEA, "price": None}}
    money = {"subtotalPrice": euros(119), "totalTax": euros(19), "totalPrice": euros(119)}
    order = one(pixel_checkout("checkout_completed", **money, lineItems=[line, unpriced]))

    assert (order.revenue_minor, order.tax_minor, order.total_minor, order.shipping_minor) == (10000, 1900, 11900, None)
    assert [(product.list_minor, product.discount_minor) for product in order.products] == [(20000, 10000), (None, 0)]


@pytest.mark.parametrize("missing", ["subtotalPrice", "totalTax", "totalPrice"])
def test_amounts_that_are_not_told_tell_nothing_of_tax_in_prices(missing: str) -> None:
    money = {"subtotalPrice": euros(119), "totalTax": euros(19), "totalPrice": euros(119)}
    order = one(pixel_checkout("checkout_completed", **money | {missing: None}))

    assert order.revenue_minor == (None if missing == "subtotalPrice" else 11900)


def test_shipping_is_what_all_deliveries_cost_after_discounts_or_else_the_shipping_line() -> None:
    told = [{"costAfterDiscounts": euros(4.9)}, {"costAfterDiscounts": euros(3)}]
    line = {"shippingLine": {"price": euros(6)}}

    def shipping(options: list[dict[str, Any]]) -> Any:
        checkout = {"delivery": {"selectedDeliveryOptions": options}, **line}
        return one(pixel_checkout("checkout_completed", **checkout)).shipping_minor

    assert (shipping(told), shipping([*told, {}]), shipping([])) == (790, 600, 600)


@pytest.mark.parametrize("shop, named, price", [("EUR", "JPY", 500), ("EUR", None, 50000), ("JPY", None, 500)])
def test_prices_are_in_the_currency_they_name_and_else_in_the_shops(shop: str, named: str | None, price: int) -> None:
    tea = {**TEA, "price": {"amount": 500, "currencyCode": named}}
    line = {"merchandise": tea, "quantity": 1}
    checkout = {
        "token": "k1",
        "currencyCode": named,
        "order": {"id": "1"},
        "lineItems": [{"variant": tea, "quantity": 1}],
    }
    told = [
        pixel("product_viewed", productVariant=tea),
        pixel("product_added_to_cart", cartLine=line),
        pixel("cart_viewed", cart={"id": "t1", "lines": [line]}),
        pixel("collection_viewed", collection={"id": "7", "productVariants": [tea]}),
        pixel("checkout_started", checkout=checkout),
        pixel("checkout_completed", checkout=checkout),
    ]

    for event in (in_shop_of(shop, message) for message in told):
        products = [event.product] if isinstance(event, e.ProductViewed | e.ProductAdded) else event.products
        assert [product.price_minor for product in products] == [price], event
        assert getattr(event, "currency", named) == named


@pytest.mark.parametrize(
    "variant, product_id, variant_id, name",
    [
        (TEA, "71", "4411", "Green tea"),
        ({**TEA, "product": {"untranslatedTitle": "Grüner Tee"}}, "4411", "4411", "Grüner Tee"),
        ({**TEA, "product": None, "id": None}, "TG-100", None, None),
    ],
)
def test_a_variant_is_named_by_its_product_or_by_what_else_there_is(
    variant: dict[str, Any], product_id: str, variant_id: str | None, name: str | None
) -> None:
    found = one(pixel("product_viewed", productVariant=variant)).product

    assert (found.product_id, found.variant_id, found.name, found.variant) == (product_id, variant_id, name, "100 g")


def test_a_variant_without_any_name_is_refused() -> None:
    nameless = {"price": euros(5), "title": "100 g"}

    assert refused(pixel("product_viewed", productVariant=nameless)) == (
        "missing_field", "data.productVariant.sku is missing",
    )  # fmt: skip


def test_the_customer_is_the_orders_and_else_the_one_that_the_shops_pixel_adds() -> None:
    known = {"customer": {"id": "gid://shopify/Customer/7", "email": "ada@shop.example", "phone": "+436641234567"}}
    page = one(pixel("page_viewed", beside=known))
    buyer = {"order": {"id": "1", "customer": {"id": "8"}}, "email": "bea@shop.example", "phone": "+436640000000"}
    order = one(pixel_checkout("checkout_completed", **buyer) | known)

    assert (page.user_id, page.email, page.phone) == ("7", "ada@shop.example", "+436641234567")
    assert (order.user_id, order.email, order.phone) == ("8", "bea@shop.example", "+436640000000")


def test_a_cart_is_the_one_that_is_seen_and_else_the_one_that_the_shops_pixel_names() -> None:
    named = {"cartToken": "t2?key=x"}
    seen, told = (one(pixel("cart_viewed", beside=named, cart=cart)) for cart in ({"id": "gid://shopify/Cart/t1"}, {}))

    assert (seen.cart_id, told.cart_id) == ("t1", "t2")


@pytest.mark.parametrize(
    "name, checkout",
    [
        ("data", None),
        ("checkout", None),
        ("checkout.totalPrice", {"totalPrice": 10.0}),
        ("checkout.subtotalPrice", {"subtotalPrice": "10.00"}),
        ("checkout.totalTax", {"totalTax": [1]}),
        ("checkout.shippingLine", {"shippingLine": 4.9}),
        ("checkout.delivery", {"delivery": "standard"}),
        ("checkout.order.customer", {"order": {"id": "1", "customer": "7"}}),
        ("checkout.lineItems[0].variant", {"lineItems": [{"id": "9", "quantity": 1, "variant": 4411}]}),
    ],
)
def test_what_an_event_is_about_is_refused_where_it_is_no_object_and_not_taken_for_nothing(
    name: str, checkout: dict[str, Any] | None
) -> None:
    event = pixel_checkout("checkout_completed", **(checkout or {}))
    if name == "data":
        event["data"] = json.dumps(event["data"])
    elif name == "checkout":
        event["data"]["checkout"] = json.dumps(event["data"]["checkout"])
    place = name if name == "data" else f"data.{name}"

    assert refused(event) == ("wrong_type", f"{place} is no object")


@pytest.mark.parametrize("data", [{"cart": "t1"}, {"collection": "7"}, {"alert": "PAYMENT_ERROR"}])
def test_a_cart_a_list_or_an_alert_that_is_no_object_is_refused(data: dict[str, Any]) -> None:
    names = {"cart": "cart_viewed", "collection": "collection_viewed", "alert": "alert_displayed"}
    ((what, _),) = data.items()

    assert refused(pixel(names[what], **data)) == ("wrong_type", f"data.{what} is no object")


def test_an_empty_list_is_an_empty_object_as_php_writes_it() -> None:
    order = one(pixel_checkout("checkout_completed", shippingLine=[], delivery=[]) | {"customer": []})

    assert (order.order_id, order.shipping_minor, order.user_id) == ("1", None, None)


def test_a_search_for_nothing_is_refused_and_so_is_an_event_that_nobody_knows() -> None:
    assert refused(pixel("search_submitted", searchResult={"query": ""}))[0] == "missing_field"
    assert refused(pixel("teapot"))[:1] == ("unknown_event",)
    assert events(pixel("clicked", element={})) == []
