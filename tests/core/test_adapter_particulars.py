"""Money, identity and consent in what sources send, where they stand in the less usual place or say more than usually."""

import json
from typing import Any

import pytest

from schemas import events as e
from schemas.decode import Decoder
from schemas.events import Arrival
from tests.core.test_adapters import (
    NOON_MS,
    ORDER,
    events,
    ga4,
    money_set,
    net_and_margin,
    one,
    paid_in_francs,
    refused,
    webhook,
)

TEA = {"id": 5, "product_id": 71, "title": "Green tea", "quantity": 2, "price": "500"}


def in_shop_of(currency: str, message: Any) -> Any:
    found = Decoder(currency).decode(json.dumps(message).encode(), NOON_MS)
    assert isinstance(found, Arrival), found
    return found.event


def track(name: str, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": name, "userId": "ada", "messageId": "m", "timestamp": "2024-05-01T12:00:00Z",
            "properties": properties}  # fmt: skip


def refund_of(**fields: Any) -> dict[str, Any]:
    return {"id": 3, "order_id": 1, "created_at": "2024-05-02T12:00:00Z", **fields}


# --- Shopify ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["pending", "authorized", "voided", "expired"])
def test_an_order_that_nobody_paid_does_not_count_where_orders_count_from_their_payment_on(status: str) -> None:
    order = webhook("orders/updated", {**ORDER, "financial_status": status})

    assert events(order, shopify={"completed_on": "paid"}) == []


@pytest.mark.parametrize(
    "topic, body",
    [
        ("carts/update", {"token": "c1"}),
        ("checkouts/create", {"token": "k1", "email": "ada@shop.example"}),
        ("orders/create", {"id": 1}),
        ("fulfillments/create", {"order_id": 1, "status": "success"}),
    ],
)
def test_amounts_are_read_in_the_currency_of_the_message_and_without_one_in_the_shops(
    topic: str, body: dict[str, Any]
) -> None:
    times = dict.fromkeys(("created_at", "updated_at"), "2024-05-01T12:00:00Z")
    silent = webhook(topic, {**body, **times, "line_items": [TEA]})
    in_yen = webhook(topic, {**body, **times, "line_items": [TEA], "currency": "JPY"})

    assert in_shop_of("EUR", in_yen).products[0].price_minor == 500
    assert in_shop_of("JPY", silent).products[0].price_minor == 500
    assert in_shop_of("EUR", silent).products[0].price_minor == 50_000


def test_the_currency_of_a_refund_is_that_of_its_payment_where_nothing_else_names_one() -> None:
    payment = {"kind": "refund", "status": "success", "amount": "500", "currency": "JPY"}
    refund = one(webhook("refunds/create", refund_of(transactions=[payment])))

    assert (refund.amount_minor, refund.currency) == (500, "JPY")


def test_the_currency_of_a_refund_of_shipping_alone_is_that_of_what_the_shipping_cost() -> None:
    """https://shopify.dev/docs/api/admin-rest/latest/resources/refund: refund_shipping_lines have a subtotal_amount_set."""
    postage = {"subtotal_amount_set": {"shop_money": {"amount": "500", "currency_code": "JPY"}}}
    refund = one(webhook("refunds/create", refund_of(refund_shipping_lines=[postage], transactions=[])))

    assert (refund.currency, refund.amount_minor, refund.return_shipping_minor) == ("JPY", 0, 500)


def test_a_line_without_a_product_is_known_by_its_sku_as_it_is_written() -> None:
    (line,) = one(
        webhook("orders/create", {**ORDER, "line_items": [{"id": 9, "sku": "TEA/100?b", "price": "5.00"}]})
    ).products

    assert (line.product_id, line.sku) == ("TEA/100?b", "TEA/100?b")


def test_a_refund_that_names_no_currency_is_in_the_shops() -> None:
    payment = {"kind": "refund", "status": "success", "amount": "500"}

    assert in_shop_of("JPY", webhook("refunds/create", refund_of(transactions=[payment]))).amount_minor == 500


@pytest.mark.parametrize(
    "topic, more, kind",
    [
        ("orders/fulfilled", {}, e.OrderFulfilled),
        ("orders/updated", {"refunds": [refund_of(transactions=[])]}, e.OrderRefunded),
    ],
)
def test_what_becomes_of_an_order_names_all_that_the_order_knew_its_customer_by(
    topic: str, more: dict[str, Any], kind: type[e.Event]
) -> None:
    known = {
        "email": "ada@shop.example", "phone": "+436641234567", "cart_token": "c1",
        "note_attributes": [{"name": "rl_anonymous_id", "value": "r1"}],
    }  # fmt: skip
    found = events(webhook(topic, {**ORDER, **known, **more}), shopify={"anonymous_id_attributes": ["rl_anonymous_id"]})
    (event,) = [one for one in found if isinstance(one, kind)]

    assert (event.user_id, event.email, event.phone, event.anonymous_id, event.cart_token) == (
        *("7", "ada@shop.example", "+436641234567", "r1", "c1"),
    )


def test_money_that_is_under_way_in_two_payments_and_missing_in_one_sum_counts_as_sent() -> None:
    payments = [{"kind": "refund", "status": "pending", "amount": "2.75", "currency": "CHF"}] * 2
    line = {
        "line_item_id": 5, "quantity": 1, "subtotal": "5.00", "total_tax": "0.00", "subtotal_set": money_set("5.00", "5.50"),
    }  # fmt: skip
    missing = {"kind": "refund_discrepancy", "amount": "5.00", "amount_set": money_set("5.00", "5.50")}
    refund = refund_of(transactions=payments, refund_line_items=[line], order_adjustments=[missing])

    assert one(webhook("refunds/create", refund)).amount_minor == 500


def test_money_that_is_under_way_in_two_payments_may_be_missing_in_two_sums_too() -> None:
    payments = [
        {"kind": "refund", "status": "pending", "amount": amount, "currency": "CHF"} for amount in ("2.20", "3.30")
    ]
    line = {
        "line_item_id": 5, "quantity": 1, "subtotal": "5.00", "total_tax": "0.00", "subtotal_set": money_set("5.00", "5.50"),
    }  # fmt: skip
    missing = [
        {"kind": "refund_discrepancy", "amount": amount, "amount_set": money_set(amount, francs)}
        for amount, francs in (("2.00", "2.20"), ("3.00", "3.30"))
    ]
    refund = refund_of(transactions=payments, refund_line_items=[line], order_adjustments=missing)

    assert one(webhook("refunds/create", refund)).amount_minor == 500


@pytest.mark.parametrize("status", ["pending", "success"])
def test_a_tip_that_goes_back_in_another_currency_takes_nothing_off_the_order(status: str) -> None:
    tip = {
        "line_item_id": 6, "quantity": 1, "subtotal": "6.00", "total_tax": "0.00", "subtotal_set": money_set("6.00", "6.60"),
        "line_item": {"id": 6, "title": "Tip", "tip": {"payment_method": "visa"}},
    }  # fmt: skip

    assert net_and_margin(paid_in_francs(status, {"refund_line_items": [tip]})) == (1000, 1600)


def test_shipping_that_is_told_in_both_places_goes_back_once_and_so_does_its_tax() -> None:
    parcel = {"id": 9, "price": "5.95", "tax_lines": [{"price": "0.95"}]}
    set_of_shipping = {"shop_money": {"amount": "5.95", "currency_code": "EUR"}}
    refund = refund_of(
        refund_shipping_lines=[{"shipping_line": parcel, "subtotal_amount_set": set_of_shipping}],
        order_adjustments=[{"kind": "shipping_refund", "amount": "-5.95", "tax_amount": "-0.95"}],
        transactions=[{"kind": "refund", "status": "success", "amount": "5.95", "currency": "EUR"}],
    )
    found = one(webhook("refunds/create", refund), shopify={"taxes_included": True})

    assert (found.amount_minor, found.return_shipping_minor) == (0, 500)


@pytest.mark.parametrize("embedded", [{"line_item": TEA}, {}])
def test_a_refund_says_how_many_of_a_product_came_back(embedded: dict[str, Any]) -> None:
    line = {"line_item_id": 5, "quantity": 3, "subtotal": "15.00", "total_tax": "0.00", **embedded}
    refund = one(webhook("refunds/create", refund_of(refund_line_items=[line], transactions=[])))

    assert [product.quantity for product in refund.products] == [3]


def test_where_lines_do_not_tell_their_tax_that_of_the_order_is_in_the_prices_and_that_of_shipping_in_shipping() -> (
    None
):
    order = {
        **ORDER, "taxes_included": True, "subtotal_price": "11.90", "total_tax": "2.85", "total_price": "17.85",
        "shipping_lines": [{"price": "5.95", "discounted_price": "5.95", "tax_lines": [{"price": "0.95"}]}],
    }  # fmt: skip
    found = one(webhook("orders/create", order))

    assert (found.revenue_minor, found.shipping_minor, found.tax_minor) == (1000, 500, 285)


@pytest.mark.parametrize("tax_line, listed", [({"rate": 0.19}, 1000), ({}, 1190), ({"rate": -1}, 1190)])
def test_a_line_that_a_discount_made_free_is_listed_without_the_tax_that_is_known_to_be_in_its_price(
    tax_line: dict[str, Any], listed: int
) -> None:
    line = {
        **TEA, "quantity": 1, "price": "11.90", "discount_allocations": [{"amount": "11.90"}],
        "tax_lines": [{"price": "0.00", **tax_line}],
    }  # fmt: skip
    (product,) = one(webhook("orders/create", {**ORDER, "taxes_included": True, "line_items": [line]})).products

    assert (product.list_minor, product.discount_minor) == (listed, listed)


@pytest.mark.parametrize(
    "told, shipping",
    [
        ({"shipping_lines": [{"price": "4.90", "discounted_price": "0.00"}, {"price": "3.00"}]}, 300),
        ({"total_shipping_price_set": {"shop_money": {"amount": "4.90"}}}, 490),
        ({"shipping_lines": [{"price": "3.00"}], "total_shipping_price_set": {"shop_money": {"amount": "4.90"}}}, 300),
        ({}, 0),
    ],
)
def test_shipping_of_an_order_is_what_its_lines_cost_after_discounts_or_else_the_total_of_them(
    told: dict[str, Any], shipping: int
) -> None:
    """https://shopify.dev/docs/api/admin-rest/latest/resources/order: `shipping_lines`, `total_shipping_price_set`."""
    assert one(webhook("orders/create", {**ORDER, **told})).shipping_minor == shipping


def test_without_amounts_an_order_is_what_its_lines_say_and_without_tax_none_is_taken_out_of_the_goods() -> None:
    untold = one(
        webhook("orders/create", {**ORDER, "subtotal_price": None, "taxes_included": True, "total_tax": "1.00"})
    )
    untaxed = one(webhook("orders/create", {**ORDER, "taxes_included": True, "total_tax": None}))

    assert (untold.revenue_minor, untold.tax_minor) == (None, 100)
    assert (untaxed.revenue_minor, untaxed.tax_minor) == (1000, None)


@pytest.mark.parametrize(
    "told, amount",
    [
        ({"order_adjustments": []}, 500),  # paid out 1.00, adjusted nothing: the rest of the line was kept for another
        ({}, 100),
        ({"order_adjustments": [], "transactions": ["failure", "success"]}, 100),
    ],
)
def test_that_a_line_was_exchanged_shows_only_where_all_that_was_adjusted_is_told_and_nothing_failed(
    told: dict[str, Any], amount: int
) -> None:
    statuses = told.get("transactions", ["success"])
    payments = [{"kind": "refund", "status": status, "amount": "1.00", "currency": "EUR"} for status in statuses]
    line = {"line_item_id": 5, "quantity": 1, "subtotal": "5.00", "total_tax": "0.00", "line_item": TEA}
    refund = refund_of(refund_line_items=[line], **told | {"transactions": payments})
    _, by_its_order = events(webhook("orders/updated", {**ORDER, "refunds": [refund]}))

    assert by_its_order.amount_minor == amount
    assert one(webhook("refunds/create", refund)).amount_minor == 100


def test_a_refund_was_made_when_it_was_processed() -> None:
    told = refund_of(transactions=[], processed_at="2024-05-01T12:00:00Z")

    assert one(webhook("refunds/create", told)).timestamp_ms == NOON_MS
    assert one(webhook("refunds/create", told | {"processed_at": None})).timestamp_ms == NOON_MS + 86_400_000


def test_an_order_that_is_told_of_as_cancelled_twice_is_cancelled_once_and_when_it_was() -> None:
    cancelled = {**ORDER, "cancelled_at": "2024-05-02T12:00:00Z", "updated_at": "2024-05-03T12:00:00Z"}
    first, again = (
        events(webhook("orders/updated", cancelled, **{"X-Shopify-Webhook-Id": delivery}))[1]
        for delivery in ("w1", "w2")
    )
    told_itself = one(webhook("orders/cancelled", cancelled))

    assert first.message_id == again.message_id
    assert first.timestamp_ms == told_itself.timestamp_ms == NOON_MS + 86_400_000
    assert (
        one(webhook("orders/cancelled", {**cancelled, "cancelled_at": None})).timestamp_ms == NOON_MS + 2 * 86_400_000
    )


def test_what_went_back_with_a_cancelled_order_is_told_with_it() -> None:
    payment = {"kind": "refund", "status": "success", "amount": "10.00", "currency": "EUR"}
    cancelled = {**ORDER, "cancelled_at": "2024-05-02T12:00:00Z", "refunds": [refund_of(transactions=[payment])]}
    order, refund = events(webhook("orders/cancelled", cancelled))

    assert (type(order), type(refund)) == (e.OrderCancelled, e.OrderRefunded)
    assert (refund.user_id, refund.amount_minor) == ("7", 1000)


@pytest.mark.parametrize("status, amount", [("pending", 500), ("success", 500), ("failure", 0), ("error", 0)])
def test_a_try_to_send_the_money_counts_unless_it_failed(status: str, amount: int) -> None:
    """https://shopify.dev/docs/api/admin-rest/latest/resources/transaction: a `status` is one of these four."""
    payment = {"kind": "refund", "status": status, "amount": "5.00", "currency": "EUR"}

    assert one(webhook("refunds/create", refund_of(transactions=[payment]))).amount_minor == amount


@pytest.mark.parametrize(
    "explained, left",
    [
        ({}, 500),
        ({"refund_line_items": [{"line_item_id": 5, "quantity": 1, "subtotal": "5.00", "line_item": TEA}]}, 0),
        (
            {
                "refund_shipping_lines": [
                    {"subtotal_amount_set": {"shop_money": {"amount": "5.00", "currency_code": "EUR"}}}
                ]
            },
            500,
        ),
    ],
)
def test_money_settles_what_was_taken_off_before_only_where_it_does_not_say_what_it_is_for(
    explained: dict[str, Any], left: int
) -> None:
    taken_off = {"line_item_id": 5, "quantity": 1, "subtotal": "5.00", "line_item": TEA}
    payment = {"kind": "refund", "status": "success", "amount": "5.00", "currency": "EUR"}
    later = {"id": 4, "created_at": "2024-05-02T12:00:05Z", "transactions": [payment], **explained}
    refunds = [refund_of(refund_line_items=[taken_off], transactions=[]), refund_of(**later)]

    assert net_and_margin(webhook("orders/updated", {**ORDER, "refunds": refunds}))[0] == left


def test_what_happened_is_as_old_as_the_message_says_by_the_best_time_it_has() -> None:
    noon, day_before, day_after = "2024-05-01T12:00:00Z", "2024-04-30T12:00:00Z", "2024-05-02T12:00:00Z"
    placed = {**ORDER, "processed_at": noon, "created_at": day_after, "updated_at": day_before}
    unprocessed = {**ORDER, "processed_at": None, "created_at": noon, "updated_at": None}
    cart = {"token": "c1", "updated_at": noon, "created_at": day_before}
    checkout = {"token": "k1", "email": "ada@shop.example", "updated_at": noon, "created_at": day_before}

    assert one(webhook("orders/create", placed)).timestamp_ms == NOON_MS
    assert one(webhook("orders/create", unprocessed)).timestamp_ms == NOON_MS
    assert one(webhook("orders/updated", {**placed, "updated_at": None})).timestamp_ms == NOON_MS
    assert one(webhook("orders/fulfilled", {**placed, "updated_at": None})).timestamp_ms == NOON_MS
    assert one(webhook("carts/update", cart)).timestamp_ms == NOON_MS
    assert one(webhook("checkouts/update", checkout)).timestamp_ms == NOON_MS
    assert (
        one(webhook("checkouts/update", {**checkout, "updated_at": None, "created_at": noon})).timestamp_ms == NOON_MS
    )


@pytest.mark.parametrize("status", ["cancelled", "error", "failure"])
@pytest.mark.parametrize("topic", ["fulfillments/create", "fulfillments/update"])
def test_a_parcel_that_came_to_nothing_neither_left_nor_arrived(topic: str, status: str) -> None:
    parcel = {
        "order_id": 1, "status": status, "shipment_status": "delivered",
        "created_at": "2024-05-01T12:00:00Z", "updated_at": "2024-05-01T12:00:00Z",
    }  # fmt: skip

    assert events(webhook(topic, parcel)) == []


@pytest.mark.parametrize(
    "told, email",
    [
        ({"email": "a@shop.example", "contact_email": "b@shop.example"}, "a@shop.example"),
        ({"email": "", "contact_email": "b@shop.example"}, "b@shop.example"),
        ({"email": None, "customer": {"id": 7, "email": "c@shop.example"}}, "c@shop.example"),
    ],
)
def test_who_ordered_is_known_by_the_address_of_the_order_and_else_by_her_own(told: dict[str, Any], email: str) -> None:
    assert one(webhook("orders/create", {**ORDER, **told})).email == email


def test_a_cart_says_its_attributes_as_an_object_and_an_order_as_pairs_some_of_which_are_none() -> None:
    cart = {
        "token": "c1",
        "updated_at": "2024-05-01T12:00:00Z",
        "attributes": {"rudderAnonymousId": "r1", "gift": "yes"},
    }
    pairs = [None, "gift", {"value": "x"}, {"name": 7, "value": "y"}, {"name": "rudderAnonymousId", "value": "r1"}]

    assert one(webhook("carts/update", cart)).anonymous_id == "r1"
    assert one(webhook("orders/create", {**ORDER, "note_attributes": pairs})).anonymous_id == "r1"


@pytest.mark.parametrize(
    "named, product_id",
    [
        ({"product_id": 71, "variant_id": 4411, "sku": "TG"}, "71"),
        ({"product_id": None, "variant_id": 4411, "sku": "TG"}, "4411"),
        ({"product_id": None, "variant_id": None, "sku": "TG", "id": 5}, "TG"),
        ({"product_id": None, "id": 5, "key": "k"}, "5"),
        ({"key": "k"}, "k"),
    ],
)
def test_a_line_is_of_its_product_or_else_of_what_it_names_instead(named: dict[str, Any], product_id: str) -> None:
    line = {"title": "Tea", "quantity": 1, "price": "5.00", **named}

    assert one(webhook("orders/create", {**ORDER, "line_items": [line]})).products[0].product_id == product_id


@pytest.mark.parametrize(
    "priced", [{"original_price": "5.00", "price": "4.00"}, {"price": "5.00"}, {"variant_price": "5.00"}]
)
def test_a_line_costs_what_it_did_before_discounts(priced: dict[str, str]) -> None:
    """Lines of carts tell `original_price` beside `price`, lines of checkouts `variant_price`."""
    cart = {"token": "c1", "updated_at": "2024-05-01T12:00:00Z", "line_items": [{"id": 5, "quantity": 2, **priced}]}

    assert one(webhook("carts/update", cart)).products[0].price_minor == 500


def test_a_line_without_a_price_has_no_worth_of_its_own_whatever_holds_tax() -> None:
    for included in (True, False):
        order = {**ORDER, "taxes_included": included, "line_items": [{"id": 5, "quantity": 2}]}
        (line,) = one(webhook("orders/create", order)).products
        assert (line.price_minor, line.list_minor, line.discount_minor) == (None, None, 0)


def test_an_order_goes_to_the_country_of_its_goods_and_else_to_that_of_its_bill() -> None:
    bill, goods = {"billing_address": {"country_code": "AT"}}, {"shipping_address": {"country_code": "DE"}}

    assert one(webhook("orders/create", {**ORDER, **bill, **goods})).country == "DE"
    assert one(webhook("orders/create", {**ORDER, **bill, "shipping_address": None})).country == "AT"


@pytest.mark.parametrize("name", ["price_set", "original_price_set", "discounted_price_set"])
def test_a_cart_is_in_the_currency_of_the_shops_money_in_its_lines(name: str) -> None:
    line = {"id": 5, "quantity": 1, "price": "500", name: {"shop_money": {"amount": "500", "currency_code": "JPY"}}}
    cart = one(webhook("carts/update", {"token": "c1", "updated_at": "2024-05-01T12:00:00Z", "line_items": [line]}))

    assert (cart.currency, cart.products[0].price_minor) == ("JPY", 500)


@pytest.mark.parametrize("told", [{"price": "9e12", "quantity": 1000}, {"price": "1.00", "total_discount": "1e14"}])
def test_amounts_beyond_the_bound_refuse_the_order(told: dict[str, Any]) -> None:
    order = {**ORDER, "line_items": [{**TEA, **told}]}

    assert refused(webhook("orders/create", order))[0] == "number_out_of_range"


def test_a_customer_of_shopify_is_named_by_address_and_number_in_her_data_and_in_what_is_asked_of_them() -> None:
    """https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance: `customer` has id, email and phone."""
    ada = {"id": 7, "email": "ada@shop.example", "phone": "+436641234567"}
    told = [
        webhook("customers/update", {**ada, "updated_at": "2024-05-01T12:00:00Z"}),
        webhook("customers/update", {**ada, "created_at": "2024-05-01T12:00:00Z"}),
        webhook("customers/enable", {**ada, "created_at": "2024-05-01T12:00:00Z"}),
        webhook("customers/redact", {"customer": ada, "orders_to_redact": [1]}),
        webhook("customers/data_request", {"customer": ada, "orders_requested": [1]}),
    ]

    for event in map(one, told):
        assert (event.user_id, event.email, event.phone) == ("7", "ada@shop.example", "+436641234567")
        assert event.timestamp_ms == NOON_MS


def test_a_privacy_request_has_its_own_number_or_else_that_of_its_delivery() -> None:
    numbered, plain = (one(webhook("customers/data_request", {"customer": {"id": 7}, **more})) for more in (
        {"data_request": {"id": 9999}}, {},
    ))  # fmt: skip

    assert (numbered.request_id, plain.request_id) == ("9999", "w1")


def test_a_shop_that_leaves_is_named_by_its_request_or_else_by_its_delivery() -> None:
    nameless = webhook("shop/redact", {"shop_id": 1})
    del nameless["headers"]["X-Shopify-Shop-Domain"]

    assert one(webhook("shop/redact", {"shop_domain": "tea.myshopify.com"})).shop_id == "tea.myshopify.com"
    assert one(webhook("shop/redact", {"shop_id": 1})).shop_id == "leaf.myshopify.com"
    assert refused(nameless) == ("missing_field", "body.shop_domain is missing")


def test_a_change_of_consent_that_says_none_is_refused() -> None:
    assert refused(webhook("customers_email_marketing_consent/update", {"customer_id": 7})) == (
        "missing_field", "body.email_marketing_consent is missing",
    )  # fmt: skip


def test_a_product_without_variants_is_one_and_is_shown_by_its_first_picture_and_page() -> None:
    tea = {"id": 71, "title": "Green tea", "created_at": "2024-05-01T12:00:00Z", "handle": "green-tea",
           "images": [{"src": "https://cdn.example/1.jpg"}, {"src": "https://cdn.example/2.jpg"}]}  # fmt: skip
    shown = one(webhook("products/create", tea))
    unnamed = one(webhook("products/create", {**tea, "handle": None, "images": []}))

    assert (shown.product_id, shown.variant_id, shown.name) == ("71", None, "Green tea")
    assert (shown.image_url, shown.url) == (
        "https://cdn.example/1.jpg",
        "https://leaf.myshopify.com/products/green-tea",
    )
    assert (unnamed.image_url, unnamed.url) == (None, None)


@pytest.mark.parametrize(
    "told, available",
    [
        ({"inventory_management": "shopify", "inventory_policy": "deny"}, 0),
        ({"inventory_management": "shopify", "inventory_policy": "continue"}, 1),
        ({"inventory_management": None, "inventory_policy": "deny"}, 1),
        ({"inventory_policy": "deny"}, 0),
    ],
)
def test_what_shopify_does_not_count_or_sells_on_when_none_are_left_is_not_sold_out(
    told: dict[str, Any], available: int
) -> None:
    """https://shopify.dev/docs/api/admin-rest/latest/resources/product-variant: `inventory_management`, `inventory_policy`."""

    def stock(quantity: int) -> int | None:
        variant = {"id": 4411, "inventory_quantity": quantity, **told}
        body = {"id": 71, "updated_at": "2024-05-01T12:00:00Z", "variants": [variant]}
        found: int | None = one(webhook("products/update", body)).available
        return found

    assert stock(0) == available
    assert stock(7) == 7


@pytest.mark.parametrize(
    "status, available", [("archived", 0), ("draft", 0), ("active", 7), ("unlisted", 7), (None, 7)]
)
def test_of_a_product_that_shopify_shows_to_nobody_none_can_be_had(status: str | None, available: int) -> None:
    """https://shopify.dev/docs/api/admin-graphql/latest/enums/ProductStatus: an archived one and a draft are on no channel."""
    variant = {"id": 4411, "inventory_quantity": 7}
    body = {"id": 71, "updated_at": "2024-05-01T12:00:00Z", "status": status, "variants": [variant]}

    assert one(webhook("products/update", body)).available == available


MERGE: dict[str, Any] = {
    "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/8",
    "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/7",
    "admin_graphql_api_job_id": None,
    "status": "completed",
    "errors": [],
}
"""As in https://shopify.dev/docs/api/webhooks/latest, `customers/merge`."""


def test_two_customers_whom_the_shop_made_one_in_shopify_are_one() -> None:
    assert one(webhook("customers/merge", MERGE)) == e.Aliased(
        message_id="w1", timestamp_ms=NOON_MS, source="shopify", user_id="8", previous_id="7"
    )


@pytest.mark.parametrize("status", ["requested", "in_progress", "failed", "FAILED"])
def test_until_then_and_where_it_fails_they_are_two(status: str) -> None:
    assert events(webhook("customers/merge", {**MERGE, "status": status})) == []


@pytest.mark.parametrize(
    "name", ["admin_graphql_api_customer_kept_id", "admin_graphql_api_customer_deleted_id", "status"]
)
def test_a_merge_that_does_not_say_whose_or_how_far_it_is_is_refused(name: str) -> None:
    assert refused(webhook("customers/merge", {**MERGE, name: None})) == ("missing_field", f"body.{name} is missing")
    assert refused(webhook("customers/merge", {**MERGE, "status": "perhaps"})) == (
        "wrong_type",
        "body.status is no state of a merge",
    )


def test_that_a_product_was_deleted_says_nothing_of_its_variants() -> None:
    assert events(webhook("products/delete", {"id": 71})) == []


@pytest.mark.parametrize("topic", ["customers/update", "products/update"])
def test_what_shopify_says_of_a_state_it_says_with_its_time(topic: str) -> None:
    """It may be sent again much later: when it was sent is not since when it is so."""
    assert refused(webhook(topic, {"id": 71})) == ("missing_field", "body.updated_at is missing")
    assert one(webhook(topic, {"id": 71, "created_at": "2024-05-01T12:00:00Z"})).timestamp_ms == NOON_MS


def test_the_page_of_a_product_is_known_where_the_shop_is() -> None:
    tea = {"id": 71, "handle": "green-tea", "updated_at": "2024-05-01T12:00:00Z"}
    shop = {"X-Shopify-Shop-Domain": "tea.myshopify.com"}

    assert one(webhook("products/update", tea, **shop)).url == "https://tea.myshopify.com/products/green-tea"
    assert one(webhook("products/update", tea | {"handle": None}, **shop)).url is None
    nowhere = webhook("products/update", tea)
    nowhere["headers"].pop("X-Shopify-Shop-Domain", None)
    assert one(nowhere).url is None


def test_of_a_customer_of_shopify_the_plain_facts_are_kept_and_what_is_empty_is_not() -> None:
    """https://shopify.dev/docs/api/webhooks: the example of customers/create, with a time, and with an address of its kind."""
    bob = {
        "id": 706405506930370084, "email": "bob@biller.com", "accepts_marketing": True, "created_at": None,
        "updated_at": "2024-05-01T12:00:00Z", "first_name": "Bob", "last_name": "Biller", "orders_count": 0,
        "state": "disabled", "total_spent": "0.00", "last_order_id": None, "note": "This customer loves ice cream",
        "verified_email": True, "multipass_identifier": None, "tax_exempt": False, "tags": "", "last_order_name": None,
        "currency": "USD", "phone": None, "addresses": [], "marketing_opt_in_level": None,
    }  # fmt: skip
    kept = {
        "first_name": "Bob", "last_name": "Biller", "state": "disabled", "note": "This customer loves ice cream",
        "currency": "USD", "verified_email": True, "tax_exempt": False, "accepts_marketing": True,
    }  # fmt: skip
    address = {
        "city": "Ottawa",
        "province_code": "ON",
        "country_code": "CA",
        "zip": "K2P0V6",
        "address1": "150 Elgin St.",
    }

    assert one(webhook("customers/create", bob)).traits == kept
    assert one(webhook("customers/create", bob | {"note": "x" * 100_000})).traits == {
        name: value for name, value in kept.items() if name != "note"
    }
    del address["address1"]
    lives = one(webhook("customers/create", bob | {"default_address": address | {"address1": "150 Elgin St."}}))
    assert (lives.traits, lives.country) == (kept | {"address": address}, "CA")


@pytest.mark.parametrize(
    "status, arrived", [("delivered", 1), ("picked_up", 1), ("carrier_picked_up", 0), ("ready_for_pickup", 0)]
)
def test_a_parcel_that_its_customer_picked_up_arrived_and_one_that_the_carrier_did_not(
    status: str, arrived: int
) -> None:
    """https://shopify.dev/docs/api/admin-graphql/latest/enums/FulfillmentEventStatus."""
    noon = "2024-05-01T12:00:00Z"
    told = webhook("fulfillment_events/create", {"order_id": 1, "status": status, "happened_at": noon})
    parcel = webhook(
        "fulfillments/update", {"order_id": 1, "status": "success", "shipment_status": status, "updated_at": noon}
    )

    for message in (told, parcel):
        assert [type(found) for found in events(message)] == [e.OrderDelivered] * arrived


# --- Snowplow, GA4 and Braze ------------------------------------------------------------------------------------------------


SNOWPLOW_TEA = {"id": "tea", "price": 5, "quantity": 2, "currency": "EUR"}


def action(kind: str, of: dict[str, Any] | None = None, **entities: list[dict[str, Any]]) -> dict[str, Any]:
    """An action of Snowplow's e-commerce with its entities."""
    vendor = "com_snowplowanalytics_snowplow_ecommerce_"
    return {
        "event_id": "e", "collector_tstamp": "2024-05-01T12:00:00Z", "user_id": "u1", "event_name": "snowplow_ecommerce_action",
        f"unstruct_event_{vendor}snowplow_ecommerce_action_1": {"type": kind, **(of or {})},
        **{f"contexts_{vendor}{name}_1": listed for name, listed in entities.items()},
    }  # fmt: skip


@pytest.mark.parametrize("revenue, goods", [({"revenue": 10}, 1000), ({}, None)])
def test_an_order_of_snowplow_that_names_neither_tax_nor_shipping_holds_none_and_without_revenue_its_lines_count(
    revenue: dict[str, Any], goods: int | None
) -> None:
    paid = {"transaction_id": "T1", "currency": "EUR", **revenue}
    order = one(action("transaction", transaction=[paid], product=[SNOWPLOW_TEA]))

    assert (order.revenue_minor, order.tax_minor, order.shipping_minor) == (goods, None, None)
    assert [(line.price_minor, line.quantity) for line in order.products] == [(500, 2)]


@pytest.mark.parametrize("written", [1, -1])
def test_a_discount_of_snowplow_that_is_written_with_a_minus_takes_off_too(written: int) -> None:
    paid = {"transaction_id": "T1", "currency": "EUR", "discount_amount": written}
    order = action("transaction", transaction=[paid], product=[SNOWPLOW_TEA])

    assert one(order).discount_minor == 100
    assert net_and_margin(order)[0] == 900


@pytest.mark.parametrize("amount", [119, -119])
def test_what_snowplow_says_went_back_went_back_also_where_it_is_written_with_a_minus(amount: int) -> None:
    refund = one(action("refund", refund=[{"transaction_id": "T1", "currency": "EUR", "refund_amount": amount}]))

    assert (refund.amount_minor, refund.amount_with_tax) == (11900, True)


@pytest.mark.parametrize("kind", ["product_view", "list_click", "add_to_cart", "remove_from_cart"])
def test_what_is_done_with_products_names_each_or_is_refused(kind: str) -> None:
    assert [event.product.product_id for event in events(action(kind, product=[SNOWPLOW_TEA] * 2))] == ["tea", "tea"]
    assert refused(action(kind)) == ("missing_field", "there is no product entity")


@pytest.mark.parametrize("kind", ["promo_view", "promo_click"])
def test_a_promotion_of_snowplow_is_told_by_its_entity(kind: str) -> None:
    banner = {"id": "p1", "name": "Tea time", "creative_id": "red", "slot": "top"}
    found = one(action(kind, promotion=[banner]))

    assert (found.promotion_id, found.name, found.creative, found.position) == ("p1", "Tea time", "red", "top")
    assert refused(action(kind)) == ("missing_field", "there is no promotion entity")


@pytest.mark.parametrize("number, taken", [(500, True), (501, False)])
def test_a_list_of_snowplow_has_five_hundred_products_at_most(number: int, taken: bool) -> None:
    listed = action("list_view", product=[{"id": f"p{one}", "price": 1, "currency": "EUR"} for one in range(number)])

    if taken:
        assert len(one(listed).products) == number
    else:
        assert refused(listed)[0] == "out_of_bounds"


def test_products_of_snowplow_in_two_versions_of_their_schema_are_five_hundred_at_most_too() -> None:
    listed = action("list_view", product=[{"id": f"p{one}"} for one in range(300)])
    entities = "contexts_com_snowplowanalytics_snowplow_ecommerce_product_"
    more = {f"{entities}2": [{"id": f"q{one}"} for one in range(201)]}

    assert refused(listed | more) == ("out_of_bounds", "product: more than 500 entities")


def test_an_action_of_snowplow_that_is_none_of_its_own_is_refused_by_its_name() -> None:
    place = "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1"

    assert refused(action("wish")) == ("unknown_event", f"{place}.type: no action 'wish' is known")


def test_what_a_pipeline_of_snowplow_writes_besides_is_passed_by() -> None:
    tea = {"id": "tea", "price": 5, "currency": "EUR"}
    besides = {
        "contexts": None, "contexts_": 7, "contexts_acme_loyalty": [{"tier": "gold"}], "contexts_com_acme_shop_1": ["?"],
        "unstruct_event_": {}, "unstruct_event_acme": {"type": "refund"}, "etl_tags": "",
    }  # fmt: skip

    assert one(action("product_view", product=[tea]) | besides) == one(action("product_view", product=[tea]))
    assert refused({**SNOWPLOW, **besides}) == ("unknown_event", "event_name: no event '' is known")


@pytest.mark.parametrize("terms", [None, [], "tea", [None, ""]])
def test_a_search_of_snowplow_has_terms(terms: Any) -> None:
    """https://github.com/snowplow/iglu-central: site_search, whose terms are a list of one or more."""
    place = "unstruct_event_com_snowplowanalytics_snowplow_site_search_1"
    searched = {**SNOWPLOW, "event_name": "site_search", place: {"terms": terms, "totalResults": 3}}

    assert refused(searched) == ("missing_field", f"{place}.terms is missing")
    searched[place] = {"terms": ["green", "tea"], "totalResults": 3}
    assert (one(searched).query, one(searched).results) == ("green tea", 3)


def test_a_payment_that_failed_says_why_and_what_was_to_be_bought() -> None:
    paid = {"transaction_id": "T1", "revenue": 10, "currency": "EUR", "payment_method": "card"}
    error = {"error_code": "E01", "error_shortcode": "declined"}
    failed = one(action("trns_error", transaction=[paid], transaction_error=[error], product=[SNOWPLOW_TEA]))

    assert (failed.order_id, failed.value_minor, failed.reason) == ("T1", 1000, "declined")
    assert [line.product_id for line in failed.products] == ["tea"]


def test_products_of_snowplow_without_a_currency_are_in_the_shops_and_may_have_a_list_price_alone() -> None:
    silent = {"id": "tea", "price": 500, "quantity": 2}
    added = in_shop_of("JPY", action("add_to_cart", product=[silent]))
    listed = one(action("add_to_cart", product=[{"id": "tea", "list_price": 6, "currency": "EUR"}])).product

    assert (added.product.price_minor, added.currency) == (500, None)
    assert (listed.price_minor, listed.discount_minor) == (600, 0)


def test_a_screen_is_a_page_and_a_campaign_has_all_its_words() -> None:
    words = {"source": "news", "medium": "mail", "campaign": "spring", "term": "tea", "content": "top"}
    seen = one({
        "event_id": "e", "collector_tstamp": "2024-05-01T12:00:00Z", "user_id": "u1", "event_name": "screen_view",
        **{f"mkt_{name}": word for name, word in words.items()},
    })  # fmt: skip

    assert isinstance(seen, e.PageViewed)
    assert seen.campaign == e.Campaign(source="news", medium="mail", name="spring", term="tea", content="top")
    assert seen.channel == ""


SNOWPLOW: dict[str, Any] = {"event_id": "e", "collector_tstamp": "2024-05-01T12:00:00Z", "user_id": "u1"}


@pytest.mark.parametrize("vendor", ["mobile", "snowplow"])
def test_a_screen_of_snowplow_has_the_name_that_its_event_says(vendor: str) -> None:
    """https://docs.snowplow.io/docs/events/ootb-data/page-and-screen-view-events/: "Screen 2" is the name in its example."""
    said = {"name": "Screen 2", "type": "feed", "previousName": "Screen 1", "transitionType": "push"}
    described = {"schema": f"iglu:com.snowplowanalytics.{vendor}/screen_view/jsonschema/1-0-0", "data": said}
    envelope = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
    message = {**SNOWPLOW, "event_name": "screen_view", "page_title": "Shop"}

    assert one(message | {f"unstruct_event_com_snowplowanalytics_{vendor}_screen_view_1": said}).name == "Screen 2"
    assert one(message | {"unstruct_event": {"schema": envelope, "data": described}}).name == "Screen 2"
    assert one(message).name == "Shop"


@pytest.mark.parametrize(
    "name", ["application_install", "application_foreground", "application_background", "screen_end", "scroll_changed",
             "list_item_view", "web_vitals", "button_click", "link_click", "submit_form", "change_form", "focus_form",
             "page_ping", "application_error", "create_element", "expose_element", "obscure_element", "destroy_element",
             "cmp_visible", "consent_preferences"],
)  # fmt: skip
def test_what_trackers_of_snowplow_tell_by_themselves_is_known_and_nothing_for_a_profile(name: str) -> None:
    """https://docs.snowplow.io/docs/events/ootb-data/: apps, engagement, links, forms, buttons, errors, performance, elements of
    pages, cookie banners.
    """
    assert events({**SNOWPLOW, "event_name": name}) == []


@pytest.mark.parametrize("sessions", [[], None, [{}], [{"userId": "d1"}, {"userId": "d2"}]])
def test_the_device_of_an_app_is_that_of_its_session_where_there_is_one(sessions: list[dict[str, str]] | None) -> None:
    seen = one({
        "event_id": "e", "collector_tstamp": "2024-05-01T12:00:00Z", "user_id": "u1", "event_name": "screen_view",
        "contexts_com_snowplowanalytics_snowplow_client_session_1": sessions,
    })  # fmt: skip

    assert seen.anonymous_id == ("d1" if sessions and sessions[0] else None)


def test_an_event_of_snowplow_without_any_time_is_refused() -> None:
    assert refused({"event_id": "e", "collector_tstamp": None, "user_id": "u1", "event_name": "page_view"}) == (
        "missing_field", "derived_tstamp is missing",
    )  # fmt: skip


def test_a_refund_of_snowplow_without_an_amount_is_of_its_products() -> None:
    refund = one(action("refund", refund=[{"transaction_id": "T1", "currency": "EUR"}], product=[SNOWPLOW_TEA]))

    assert (refund.amount_minor, refund.amount_with_tax) == (None, False)
    assert [(line.product_id, line.quantity) for line in refund.products] == [("tea", 2)]


def test_a_step_of_the_checkout_of_snowplow_says_what_is_bought_and_a_box_that_was_not_ticked_nothing() -> None:
    ticked, not_ticked = (
        one(action("checkout_step", checkout_step=[{"step": 2, "marketing_opt_in": box}], product=[SNOWPLOW_TEA]))
        for box in (True, False)
    )

    assert [line.product_id for line in ticked.products] == ["tea"]
    assert ([change.state for change in ticked.consent], not_ticked.consent) == (["GRANT"], ())


@pytest.mark.parametrize("listed, price, discount", [(6, 600, 200), (5, 500, 0), (4, 500, 0), (None, 500, 0)])
def test_what_costs_more_than_its_list_price_of_snowplow_has_no_discount_and_none_below_zero(
    listed: int | None, price: int, discount: int
) -> None:
    tea = {**SNOWPLOW_TEA, "list_price": listed}
    product = one(action("add_to_cart", product=[tea])).product

    assert (product.price_minor, product.discount_minor) == (price, discount)


@pytest.mark.parametrize(
    "item, listed, discount",
    [
        ({"price": 8, "discount": 0.0025}, 800_250, 250),
        ({"price": 0.0125}, 1250, 0),
        ({"price": 0.0125, "discount": 1}, 101_250, 100_000),
        ({"discount": 0.0025}, None, 250),
    ],
)
def test_of_price_and_discount_either_may_be_finer_than_the_currency_and_either_may_be_missing(
    item: dict[str, Any], listed: int | None, discount: int
) -> None:
    purchase = ga4("purchase", transaction_id="T1", currency="EUR", items=[{"item_id": "a", "quantity": 1000, **item}])
    line = one(purchase).products[0]

    assert (line.list_minor, line.discount_minor) == (listed, discount)


STAN_AND_FRIENDS: dict[str, Any] = {
    "item_id": "SKU_12345", "item_name": "Stan and Friends Tee", "affiliation": "Google Merchandise Store",
    "coupon": "SUMMER_FUN", "discount": 2.22, "index": 1, "item_brand": "Google", "item_category": "Apparel",
    "item_category2": "Adult", "item_category3": "Shirts", "item_category4": "Crew", "item_category5": "Short sleeve",
    "item_list_id": "related_products", "item_list_name": "Related Products", "item_variant": "green",
    "location_id": "ChIJIQBpAG2ahYAR_6128GcTUEo", "price": 10.01, "google_business_vertical": "retail", "quantity": 3,
}  # fmt: skip
"""https://developers.google.com/analytics/devguides/collection/ga4/reference/events: an item of its examples."""


def test_a_body_of_ga4_has_five_hundred_events_at_most() -> None:
    """Google takes 25: https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference."""
    login = {"name": "login", "params": {}}

    assert len(events({**ga4("login"), "events": [login] * 500})) == 500
    assert refused({**ga4("login"), "events": [login] * 501})[0] == "out_of_bounds"


def test_an_item_of_googles_examples_is_a_product() -> None:
    (added,) = events(ga4("add_to_cart", currency="USD", value=30.03, items=[STAN_AND_FRIENDS]))

    assert added.product == e.Product(
        product_id="SKU_12345", name="Stan and Friends Tee", category="Apparel/Adult/Shirts/Crew/Short sleeve",
        brand="Google", variant="green", price_minor=1223, quantity=3, discount_minor=666, coupon="SUMMER_FUN", position=1,
    )  # fmt: skip
    assert added.currency == "USD"


def test_the_worth_of_a_checkout_of_ga4_that_names_no_currency_is_in_the_shops() -> None:
    silent = ga4("begin_checkout", value=3003, items=[{"item_id": "a"}])

    assert in_shop_of("JPY", silent).value_minor == 3003
    assert in_shop_of("EUR", silent).value_minor == 300_300


def test_a_list_of_ga4_is_known_by_its_id_or_else_its_name_wherever_they_stand() -> None:
    def listed(**params: Any) -> Any:
        return one(ga4("view_item_list", **params)).list_id

    assert listed(item_list_id="related_products", items=[{"item_id": "a"}]) == "related_products"
    assert listed(item_list_name="Related products", items=[{"item_id": "a"}]) == "Related products"
    assert listed(items=[STAN_AND_FRIENDS]) == "related_products"


def test_a_promotion_of_ga4_is_the_events_or_else_those_of_its_items_and_may_have_a_name_alone() -> None:
    """The same page: view_promotion; an id or a name is required."""
    summer = {"promotion_name": "Summer Sale", "creative_name": "Summer Banner", "creative_slot": "featured_app_1"}
    sold = {**STAN_AND_FRIENDS, "promotion_id": "P_12345"}

    (seen,) = events(ga4("view_promotion", **summer, items=[sold]))
    assert (seen.promotion_id, seen.name, seen.creative, seen.position) == (
        None, "Summer Sale", "Summer Banner", "featured_app_1",
    )  # fmt: skip
    found = events(ga4("view_promotion", items=[sold, STAN_AND_FRIENDS, {**STAN_AND_FRIENDS, **summer}, sold]))
    assert [(one.promotion_id, one.name) for one in found] == [("P_12345", None), (None, "Summer Sale")]
    assert refused(ga4("view_promotion", items=[STAN_AND_FRIENDS])) == (
        "missing_field", "events[0].params.promotion_id is missing",
    )  # fmt: skip


@pytest.mark.parametrize("params, client, key", [
    ({"session_id": 1655}, "c1", "c1.1655"), ({"ga_session_id": "1655"}, "c1", "c1.1655"), ({}, "c1", None),
    ({"ga_session_id": 1, "session_id": 1655}, "c1", "c1.1655"),
    ({"session_id": 1655}, None, None), ({"session_id": "1655"}, "c" * 252, None),
    ({"session_id": "1655"}, "c" * 251, f"{'c' * 251}.1655"),
])  # fmt: skip
def test_a_checkout_of_ga4_is_that_of_the_clients_session(
    params: dict[str, Any], client: str | None, key: str | None
) -> None:
    message = {**ga4("begin_checkout", items=[], **params), "client_id": client, "user_id": "u1"}

    assert one(message).checkout_id == key


@pytest.mark.parametrize("name", [
    *("session_start", "first_visit", "first_open", "user_engagement", "scroll", "click", "file_download", "form_start"),
    *("form_submit", "video_start", "video_progress", "video_complete", "app_update", "os_update", "app_clear_data"),
    *("app_exception", "app_remove", "error", "select_content", "generate_lead", "qualify_lead", "disqualify_lead"),
    *("working_lead", "close_convert_lead", "close_unconvert_lead", "join_group", "level_start", "level_up", "level_end"),
    *("post_score", "tutorial_begin", "tutorial_complete", "unlock_achievement", "earn_virtual_currency"),
    *("spend_virtual_currency", "exception", "timing_complete", "campaign_details", "firebase_campaign", "gtm.js"),
])  # fmt: skip
def test_what_google_collects_by_itself_or_recommends_to_others_is_known_and_nothing_for_a_profile(name: str) -> None:
    """https://support.google.com/analytics/answer/9234069 and 9267735."""
    assert events(ga4(name)) == []


@pytest.mark.parametrize("name", [None, "", 7, ["purchase"]])
def test_an_event_of_ga4_has_a_name(name: Any) -> None:
    assert refused(ga4(name)) == ("missing_field", "events[0].name is missing")


def test_a_refund_of_ga4_without_a_value_holds_no_tax_of_its_own() -> None:
    back = ga4("refund", transaction_id="T1", items=[{"item_id": "a"}])
    refund = one(back, ga4={"value_includes_tax": True})

    assert (refund.amount_minor, refund.amount_with_tax) == (None, False)


@pytest.mark.parametrize("content_type, shared", [("product", True), ("item", True), ("image", False), (None, False)])
def test_what_is_shared_in_ga4_is_a_product_where_it_says_so(content_type: str | None, shared: bool) -> None:
    found = events(ga4("share", content_type=content_type, item_id="tea", method="mail"))

    assert [(event.product.product_id, event.share_via) for event in found] == ([("tea", "mail")] if shared else [])


def test_user_properties_are_traits_whose_values_are_known_and_short_the_first_sixty_four() -> None:
    """https://developers.google.com/analytics/devguides/collection/protocol/ga4/user-properties: each has a `value`."""
    odd = {"plan": {"value": "gold"}, "tier": 3, "none": {"value": None}, "long": {"value": "x" * 2000}}
    many = {f"t{number}": {"value": number} for number in range(100)}

    assert events(ga4("login") | {"user_properties": odd})[0].traits == {"plan": "gold", "tier": 3}
    assert list(events(ga4("login") | {"user_properties": many})[0].traits) == [f"t{number}" for number in range(64)]


@pytest.mark.parametrize(
    "beside",
    [
        {"consent": {"ad_user_data": "DENIED"}},
        {"device": {"language": "de"}},
        {"user_location": {"country_id": "DE"}},
        {"user_id": "ada"},
    ],
)
def test_an_event_of_ga4_that_says_more_beside_it_is_another_one(beside: dict[str, Any]) -> None:
    timed = ga4("login") | {"timestamp_micros": NOON_MS * 1000}

    assert one(timed).message_id == one(timed).message_id != one(timed | beside).message_id


def test_parameters_of_ga4_that_php_writes_as_an_empty_list_are_none_and_other_lists_are_refused() -> None:
    assert isinstance(one({"client_id": "c1", "events": [{"name": "login", "params": []}]}), e.Identified)
    assert refused({"client_id": "c1", "events": [{"name": "login", "params": [1]}]}) == (
        "wrong_type", "events[0].params is no object",
    )  # fmt: skip


@pytest.mark.parametrize(
    "message, place",
    [
        (ga4("login") | {"consent": "granted"}, "consent"),
        ({"client_id": "c1", "0": "consent", "1": "update", "2": "granted"}, "2"),
        (webhook("orders/create", {**ORDER, "customer": "7"}), "body.customer"),
        (
            {"detail": {"metadata": {"X-Shopify-Topic": "orders/create"}, "payload": json.dumps(ORDER)}},
            "detail.payload",
        ),
        ({**action("transaction"), "contexts": "[]"}, "contexts"),
        ({"event_id": "e", "collector_tstamp": "2024-05-01T12:00:00Z", "unstruct_event": "{}"}, "unstruct_event"),
    ],
)
def test_what_names_who_or_what_or_under_which_consent_is_refused_where_it_is_no_object(
    message: dict[str, Any], place: str
) -> None:
    assert refused(message) == ("wrong_type", f"{place} is no object")


def test_an_event_of_ga4_says_language_and_country() -> None:
    body = ga4("login") | {"device": {"language": "de"}, "user_location": {"country_id": "AT"}}

    assert (one(body).locale, one(body).country) == ("de", "AT")


def test_a_screen_of_an_app_is_a_page() -> None:
    assert one(ga4("screen_view", firebase_screen="Home")).name == "Home"


@pytest.mark.parametrize("name", ["add_to_cart", "purchase"])
def test_a_list_price_beyond_the_bound_of_amounts_refuses_the_event(name: str) -> None:
    item = {"item_id": "a", "price": 9 * 10**12, "discount": 9 * 10**12, "quantity": 1}

    assert refused(ga4(name, transaction_id="T1", currency="EUR", items=[item]))[0] == "number_out_of_range"


@pytest.mark.parametrize("name", ["search", "view_search_results"])
def test_a_search_of_ga4_is_what_was_searched_for_and_nothing_without_it(name: str) -> None:
    assert one(ga4(name, search_term="green tea")).query == "green tea"
    assert refused(ga4(name))[0] == "missing_field"


@pytest.mark.parametrize("name", ["add_to_cart", "purchase", "refund"])
def test_items_of_ga4_are_in_the_currency_of_their_event_and_without_one_in_the_shops(name: str) -> None:
    params = {"transaction_id": "T1", "value": 1000, "items": [{"item_id": "a", "price": 500, "quantity": 2}]}

    def amounts(event: Any) -> list[int]:
        item = event.product if isinstance(event, e.ProductAdded) else event.products[0]
        whole = {"revenue_minor": 1000, "amount_minor": 1000}
        return [item.price_minor, *(getattr(event, field) for field in whole if hasattr(event, field))]

    silent, in_yen = ga4(name, **params), ga4(name, **params, currency="JPY")
    assert set(amounts(in_shop_of("JPY", silent))) <= {500, 1000}
    assert set(amounts(in_shop_of("EUR", in_yen))) <= {500, 1000}
    assert set(amounts(in_shop_of("EUR", silent))) <= {50_000, 100_000}


def test_a_trait_of_braze_is_what_an_attribute_is_and_neither_who_it_is_of_nor_what_is_to_be_done_with_it() -> None:
    """https://www.braze.com/docs/api/objects_filters/user_attributes_object/ and its pages on custom attributes."""
    facts = {
        "string_attribute": "fruit",
        "boolean_attribute_1": True,
        "integer_attribute": 25,
        "array_attribute": ["banana"],
    }
    others = {
        "external_id": "user1", "braze_id": "b1", "user_alias": {"alias_name": "x", "alias_label": "visitor"},
        "phone": "+12025550123", "email": "ada@shop.example", "email_subscribe": "subscribed", "push_tokens": [],
        "push_subscribe": "subscribed",
        "subscription_groups": [], "_update_existing_only": False, "_merge_objects": True, "push_token_import": False,
        "app_id": "your-app-id", "time": "2024-05-01T12:00:00Z",
    }  # fmt: skip
    changes = {
        "visits": {"inc": 1}, "height": {"inc": 1.5}, "colours": {"add": ["red"]}, "sizes": {"remove": ["XL"]},
        "cats": {"$add": [{"id": 4}]}, "dogs": {"$update": [{"$identifier_key": "id", "$new_object": {}}]},
        "pets": {"$remove": [{"$identifier_key": "id", "$identifier_value": 4}]}, "novel": "x" * 100_000,
    }  # fmt: skip

    assert one({"attributes": [facts | others | changes]}).traits == facts


def test_attributes_of_braze_name_their_customer_by_address_and_phone_and_say_who_told_of_her_consent() -> None:
    who = {"external_id": "u1", "braze_id": "b1", "email": "ada@shop.example", "phone": "+436641234567"}
    told = {"email_subscribe": "opted_in", "push_subscribe": "unsubscribed"}
    found = one({"attributes": [{**who, **told, "time": "2024-05-01T12:00:00Z"}]})

    assert (found.user_id, found.anonymous_id, found.email, found.phone) == tuple(who.values())
    assert [(change.channel, change.state, change.source) for change in found.consent] == [
        ("email", "GRANT", "braze"), ("push", "REVOKED", "braze"),
    ]  # fmt: skip


def test_whom_braze_knows_by_an_id_of_the_shop_and_one_of_its_own_is_known_by_both_as_its_documents_call_them() -> None:
    """`external_id` and `braze_id` are users/track's, `external_user_id` and `user_id` are those of Currents' files."""
    who = {"external_id": "u1", "external_user_id": "u2", "braze_id": "b1", "user_id": "b2"}
    found = one({"attributes": [{**who, "time": "2024-05-01T12:00:00Z"}]})
    exported = {name: who[name] for name in ("external_user_id", "user_id")}
    viewed = {"product_id": "tea", "product_name": "Tea", "variant_id": "1", "price": 5, "currency": "EUR"}
    read = one({"name": "ecommerce.product_viewed", "time": 1_714_564_800, "properties": viewed, **exported})

    assert (found.user_id, found.anonymous_id) == ("u1", "b1")
    assert (read.user_id, read.anonymous_id) == ("u2", "b2")


def test_attributes_of_braze_say_where_a_customer_lives_and_what_she_speaks() -> None:
    """https://www.braze.com/docs/api/objects_filters/user_attributes_object/#braze-user-profile-fields."""
    told = {"time_zone": "America/New_York", "country": "US", "language": "en", "home_city": "Albany"}
    found = one({"attributes": [{"external_id": "u1", **told, "time": "2024-05-01T12:00:00Z"}]})

    assert (found.timezone, found.country, found.locale, found.traits) == ("America/New_York", "US", "en", told)


def test_a_zone_that_braze_alone_knows_by_its_name_does_not_take_the_place_of_what_her_device_said() -> None:
    """Its documents give "Eastern Time (US & Canada)" beside names of the IANA database."""
    told = {"external_id": "u1", "time_zone": "Eastern Time (US & Canada)", "time": "2024-05-01T12:00:00Z"}
    found = one({"attributes": [told]})

    assert (found.timezone, found.traits) == (None, {"time_zone": "Eastern Time (US & Canada)"})


# --- Segment ------------------------------------------------------------------------------------------------------


def test_an_order_of_segment_says_its_cart_its_time_and_what_it_cost_the_shop() -> None:
    order = one(
        track(
            "Order Completed",
            order_id="o1",
            currency="EUR",
            revenue=10,
            cart_id="c1",
            updated_at_ms=NOON_MS + 1,
            shipping_cost=4.9,
            payment_fee=0.35,
            products=[{"product_id": "tea", "price": 10, "cost": 4}],
        )
    )

    assert (order.cart_id, order.updated_at_ms) == ("c1", NOON_MS + 1)
    assert (order.shipping_cost_minor, order.payment_fee_minor, order.products[0].cost_minor) == (490, 35, 400)


def test_a_refund_of_segment_says_which_it_is_what_came_back_to_the_shelf_and_what_was_kept() -> None:
    told = {"refund_id": "r1", "refund_amount": 5, "return_shipping": 3, "restocking_fee": 1.5, "note": "too sweet"}
    refund, kept = (
        one(track("Order Refunded", order_id="o1", currency="EUR", **told, **more))
        for more in ({}, {"restocked": False})
    )

    assert (refund.refund_id, refund.amount_minor, refund.reason) == ("r1", 500, "too sweet")
    assert (refund.return_shipping_minor, refund.restocking_fee_minor) == (300, 150)
    assert (refund.restocked, kept.restocked) == (True, False)


@pytest.mark.parametrize("money, revenue, total", [
    ({"total": 10, "shipping": 2, "tax": 2}, 1000, None),  # whichever of the two is named, and both alike
    ({"total": 10, "value": 14, "shipping": 4}, 1000, None),
    ({"value": 14, "shipping": 4}, None, 1400),
    ({"revenue": 10, "discount": 2, "total": 8}, 800, 800),
])  # fmt: skip
def test_what_a_total_of_segment_holds_is_told_by_the_lines_and_a_revenue_by_the_discount(
    money: dict[str, Any], revenue: int | None, total: int | None
) -> None:
    tea = {"product_id": "tea", "price": 10}
    order = one(track("Order Completed", order_id="o1", currency="EUR", products=[tea], **money))

    assert (order.revenue_minor, order.total_minor) == (revenue, total)


def test_a_line_whose_price_is_not_told_counts_as_what_it_came_to() -> None:
    screws = {"product_id": "screw", "quantity": 1000, "list_total": 12.4}
    order = one(track("Order Completed", order_id="o1", currency="EUR", total=12.4, tax=2, products=[screws]))

    assert (order.revenue_minor, order.total_minor) == (1240, None)


def test_a_total_beside_a_subtotal_is_the_whole_order_though_it_is_what_the_lines_come_to() -> None:
    tea = {"product_id": "tea", "price": 10}
    order = one(track("Order Completed", order_id="o1", currency="EUR", subtotal=8, tax=2, total=10, products=[tea]))

    assert (order.subtotal_minor, order.total_minor, order.revenue_minor) == (800, 1000, None)


@pytest.mark.parametrize(
    "theirs, ours, value",
    [
        ("orderId", "order_id", "o2"),
        ("checkoutId", "checkout_id", "k1"),
        ("updatedAt", "updated_at_ms", NOON_MS),
        ("updated_at_ms", "updated_at_ms", NOON_MS),
        ("total_discounts", "discount_minor", 700),
        ("value", "total_minor", 700),
        ("is_test", "test", True),
    ],
)
def test_an_order_of_segment_may_be_spelt_as_its_sender_spells(theirs: str, ours: str, value: Any) -> None:
    told = 7 if ours in {"discount_minor", "total_minor"} else value
    order_id = {} if theirs == "orderId" else {"order_id": "o1"}

    assert getattr(one(track("Order Completed", currency="EUR", **order_id, **{theirs: told})), ours) == value


@pytest.mark.parametrize("theirs", ["reason", "cancel_reason"])
def test_why_an_order_of_segment_was_cancelled_is_kept(theirs: str) -> None:
    assert one(track("Order Cancelled", order_id="o1", **{theirs: "too late"})).reason == "too late"


def test_a_refund_of_segment_may_be_spelt_as_its_sender_spells() -> None:
    refund = one(track("Order Refunded", orderId="o1", refundId="r1", amount=5, restock="false", currency="EUR"))

    assert (refund.order_id, refund.refund_id, refund.amount_minor, refund.restocked) == ("o1", "r1", 500, False)


@pytest.mark.parametrize(
    "named, product_id, variant_id",
    [
        ({"product_id": "tea", "sku": "s", "variant_id": "v"}, "tea", "v"),
        ({"productId": "tea", "sku": "s", "variantId": "v"}, "tea", "v"),
        ({"sku": "s", "id": "i"}, "i", None),
        ({"sku": "s", "variant_id": "v"}, "s", "v"),
        ({"id": "i", "variant_id": "v"}, "i", "v"),
        ({"variant_id": "v"}, "v", "v"),
    ],
)
def test_a_product_of_segment_is_named_by_the_best_id_it_has(
    named: dict[str, str], product_id: str, variant_id: str | None
) -> None:
    (line,) = one(track("Order Completed", order_id="o1", products=[named])).products

    assert (line.product_id, line.variant_id) == (product_id, variant_id)


@pytest.mark.parametrize(
    "line",
    [
        {"product_id": "ham", "price": 20, "quantity": 0.5},  # weighed: what it came to is rounded who knows how
        {"product_id": "ham", "quantity": 1},
    ],
)
def test_a_lone_total_beside_lines_that_nobody_can_add_up_is_the_whole_of_the_order(line: dict[str, Any]) -> None:
    order = one(track("Order Completed", order_id="o1", currency="EUR", total=10, tax=2, products=[line]))

    assert (order.total_minor, order.revenue_minor) == (1000, None)


def test_what_a_line_came_to_counts_where_it_is_told_and_a_lone_total_just_like_it_is_the_goods() -> None:
    line = {"product_id": "screw", "price": 0.0125, "quantity": 1000, "list_total": 12.4}
    goods, whole = (
        one(track("Order Completed", order_id="o1", currency="EUR", total=total, tax=2, products=[line]))
        for total in (12.4, 12.5)
    )

    assert goods.products[0].list_minor == 1240
    assert (goods.revenue_minor, goods.total_minor) == (1240, None)
    assert (whole.revenue_minor, whole.total_minor) == (None, 1250)


def test_what_so_many_units_come_to_is_refused_beyond_the_bound_of_amounts() -> None:
    item = {"item_id": "a", "price": 1, "discount": 10**10, "quantity": 10**6}

    assert refused(ga4("purchase", transaction_id="T1", currency="EUR", items=[item]))[0] == "number_out_of_range"


def test_each_event_of_a_message_with_an_id_as_long_as_it_may_be_has_its_own() -> None:
    items = [{"item_id": "a"}, {"item_id": "b"}]
    first, second = events(ga4("add_to_cart", event_id="e" * 256, items=items))

    assert first.message_id == "e" * 256
    assert second.message_id != first.message_id
    assert len(second.message_id) <= 256


def test_all_that_a_link_says_of_its_campaign_is_kept() -> None:
    words = {"source": "news", "medium": "mail", "campaign": "spring", "term": "tea", "content": "top"}
    link = "https://shop.example/?" + "&".join(f"utm_{name}={word}" for name, word in words.items())

    assert one(ga4("page_view", page_location=link)).campaign == e.Campaign(
        source="news", medium="mail", name="spring", term="tea", content="top"
    )


# --- consent in calls and traits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", ["marketing", "transactional", "analytics", "profiling", "personalization"])
def test_a_decision_on_a_purpose_is_of_that_purpose_and_all_channels(purpose: str) -> None:
    call = {"type": "identify", "userId": "ada", "messageId": "m", "timestamp": "2024-05-01T12:00:00Z"}
    (change,) = one({**call, "traits": {"consent": {purpose: "denied"}}}).consent

    assert (change.channel, change.purpose, change.state) == ("any", purpose, "DENY")


def test_a_call_about_consent_may_name_the_state_alone() -> None:
    (change,) = one(track("Consent Changed", status="unsubscribed")).consent

    assert (change.channel, change.purpose, change.state) == ("any", "marketing", "REVOKED")


@pytest.mark.parametrize("at", ["at", "at_ms", "consent_updated_at", "updated_at", "timestamp"])
@pytest.mark.parametrize("until", ["expires", "expires_at", "expires_ms"])
def test_a_decision_is_as_old_as_it_says_and_ends_when_it_says(at: str, until: str) -> None:
    call = {"type": "identify", "userId": "ada", "messageId": "m", "timestamp": "2024-05-01T12:00:00Z"}
    decision = {"status": "granted", at: NOON_MS - 5, until: NOON_MS + 5}
    (change,) = one({**call, "traits": {"consent": {"email": decision}}}).consent

    assert (change.channel, change.at_ms, change.expires_ms) == ("email", NOON_MS - 5, NOON_MS + 5)


def test_of_several_words_for_the_same_in_a_decision_the_first_by_its_specification_counts() -> None:
    call = {"type": "identify", "userId": "ada", "messageId": "m", "timestamp": "2024-05-01T12:00:00Z"}
    ages = ("at", "at_ms", "consent_updated_at", "updated_at", "timestamp")
    ends = ("expires", "expires_at", "expires_ms")
    decision: dict[str, Any] = {"status": "denied", "state": "granted", "message_channel": "email", "channel": "sms"}
    decision |= {name: NOON_MS - number for number, name in enumerate(ages)}
    decision |= {name: NOON_MS + number for number, name in enumerate(ends)}

    for age, end in zip(ages, (*ends, "none", "none"), strict=True):
        (change,) = one({**call, "traits": {"consent": [decision]}}).consent
        assert (change.state, change.channel) == ("GRANT", "sms")
        assert (change.at_ms, change.expires_ms) == (decision.pop(age), decision.pop(end, None))


def test_a_decision_that_names_no_channel_is_of_all_and_one_that_names_no_purpose_is_of_marketing() -> None:
    call = {"type": "identify", "userId": "ada", "messageId": "m", "timestamp": "2024-05-01T12:00:00Z"}
    stated = {".transactional": "denied", "email.": "denied", "*": "denied"}
    found = one({**call, "traits": {"consent": stated}}).consent

    assert [(change.channel, change.purpose) for change in found] == [
        ("any", "transactional"), ("email", "marketing"), ("any", "marketing"),
    ]  # fmt: skip
