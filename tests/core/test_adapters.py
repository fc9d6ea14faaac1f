"""What the payloads of tests/golden/adapters do not show: options, odd spellings, forms of delivery, splitting."""

import json
from typing import Any

import msgspec
import pytest

from profiles.book import Book
from profiles.dedupe import already_seen
from profiles.ledger import apply_order
from profiles.order_state import Ledger
from profiles.profile import Profile
from schemas import events as e
from schemas.adapters import ADAPTERS, configured
from schemas.adapters.shopify import envelope
from schemas.decode import Decoder, Problem
from schemas.events import ANONYMOUS, Arrival
from schemas.split import Keyed, split, unfold

NOON_MS = 1_714_564_800_000  # 2024-05-01T12:00:00Z
SENT = {"X-Shopify-Triggered-At": "2024-05-01T12:00:00Z", "X-Shopify-Shop-Domain": "leaf.myshopify.com"}


def all_of(message: Any, record_ms: int = NOON_MS, **options: Any) -> list[Arrival | Problem]:
    return Decoder("EUR", adapters=configured(options)).decode_all(json.dumps(message).encode(), record_ms)


def events(message: Any, **options: Any) -> list[Any]:
    found = all_of(message, **options)
    assert all(isinstance(what, Arrival) for what in found), found
    return [what.event for what in found if isinstance(what, Arrival)]


def one(message: Any, **options: Any) -> Any:
    (event,) = events(message, **options)
    return event


def refused(message: Any, record_ms: int = NOON_MS) -> tuple[str, str]:
    (found,) = all_of(message, record_ms)
    assert isinstance(found, Problem), found
    return found.reason, found.detail


# --- GA4 ----------------------------------------------------------------------------------------------------------


def ga4(name: str, **params: Any) -> dict[str, Any]:
    return {"client_id": "c1", "events": [{"name": name, "params": params}]}


PURCHASE = {"transaction_id": "T1", "value": 119, "tax": 19, "shipping": 5, "currency": "EUR"}


@pytest.mark.parametrize("options,revenue", [
    ({}, 11900),
    ({"value_includes_tax": True}, 10000),
    ({"value_includes_shipping": True}, 11400),
    ({"value_includes_tax": True, "value_includes_shipping": True}, 9500),
])  # fmt: skip
def test_the_goods_are_the_value_without_what_the_shop_puts_into_it(options: dict[str, bool], revenue: int) -> None:
    order = one(ga4("purchase", **PURCHASE), ga4=options)
    refund = one(ga4("refund", **{**PURCHASE, "value": -119}), ga4=options)
    minus = one(ga4("refund", **{**PURCHASE, "value": -119, "tax": -19, "shipping": -5}), ga4=options)
    push = one({"event": "purchase", "client_id": "c1", "ecommerce": PURCHASE}, data_layer=options)

    assert (order.revenue_minor, order.tax_minor, order.shipping_minor) == (revenue, 1900, 500)
    assert refund.amount_minor == minus.amount_minor == revenue
    assert push.revenue_minor == revenue


def test_a_shop_may_send_list_prices_beside_discounts() -> None:
    item = {"item_id": "a", "price": 10, "discount": 2, "quantity": 3}

    by_the_book = one(ga4("purchase", transaction_id="T1", items=[item])).products[0]
    by_hand = one(ga4("purchase", transaction_id="T1", items=[item]), ga4={"price_after_discount": False}).products[0]

    assert (by_the_book.price_minor, by_the_book.discount_minor) == (1200, 600)
    assert (by_hand.price_minor, by_hand.discount_minor) == (1000, 600)


def test_a_discount_of_an_item_that_is_written_with_a_minus_takes_off_too() -> None:
    screws = {"item_id": "screw", "price": 0.0125, "discount": -0.0025, "quantity": 1000}
    tea = {"item_id": "tea", "price": 8, "discount": -2, "quantity": 3}
    lines = one(ga4("purchase", transaction_id="T1", currency="EUR", items=[screws, tea])).products

    assert [(line.list_minor, line.price_minor, line.discount_minor) for line in lines] == [
        (1500, 1, 250), (None, 1000, 600),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["purchase", "refund"])
def test_prices_and_discounts_finer_than_the_currency_are_multiplied_before_they_are_rounded(name: str) -> None:
    screws = {"item_id": "screw", "price": 0.0125, "discount": 0.0025, "quantity": 1000}
    line = one(ga4(name, transaction_id="T1", currency="EUR", items=[screws])).products[0]
    by_hand = one(
        ga4(name, transaction_id="T1", currency="EUR", items=[screws]), ga4={"price_after_discount": False}
    ).products[0]

    assert (line.list_minor, line.discount_minor) == (1500, 250)
    assert (by_hand.list_minor, by_hand.discount_minor) == (1250, 250)


@pytest.mark.parametrize("name", ["ecommerce.order_placed", "ecommerce.order_refunded"])
def test_a_price_of_braze_finer_than_the_currency_is_multiplied_before_it_is_rounded(name: str) -> None:
    screws = {"product_id": "screw", "product_name": "Screw", "variant_id": "s", "price": 0.0125, "quantity": 1000}
    properties = {"order_id": "o1", "currency": "EUR", "products": [screws]}
    event = {"name": name, "external_id": "u1", "time": "2024-05-01T12:00:00Z", "properties": properties}

    assert one(event).products[0].list_minor == 1250


def test_an_order_without_a_currency_is_in_the_shops_and_not_in_dollars() -> None:
    found = Decoder("JPY").decode(json.dumps(ga4("purchase", transaction_id="T1", value=500)).encode(), NOON_MS)

    assert isinstance(found, Arrival)
    assert isinstance(found.event, e.OrderCompleted)
    assert (found.event.revenue_minor, found.event.currency) == (500, None)


def test_where_values_hold_tax_a_refund_that_does_not_name_it_leaves_it_to_its_order() -> None:
    with_tax = {"value_includes_tax": True}
    told, untold = (ga4("refund", transaction_id="T1", value=119, currency="EUR", **tax) for tax in ({"tax": 19}, {}))

    assert (one(told, ga4=with_tax).amount_minor, one(told, ga4=with_tax).amount_with_tax) == (10000, False)
    assert (one(untold, ga4=with_tax).amount_minor, one(untold, ga4=with_tax).amount_with_tax) == (11900, True)
    assert not one(untold).amount_with_tax


BACK: dict[str, Any] = {
    "transaction_id": "T1",
    "value": 30,
    "currency": "EUR",
    "items": [{"item_id": "tea", "quantity": 1}],
}


@pytest.mark.parametrize(
    "also, left",
    [
        ({}, 7000),
        ({"session_id": 7, "engagement_time_msec": 12}, 7000),  # from another page
        ({"value": 20}, 5000),
        ({"items": [{"item_id": "pot", "quantity": 1}]}, 4000),
        ({"event_id": "r2"}, 4000),  # the shop says itself which refund it is
    ],
)
def test_a_refund_that_is_sent_again_on_its_day_is_the_same_one_unless_it_says_something_else(
    also: dict[str, Any], left: int
) -> None:
    purchase = ga4("purchase", transaction_id="T1", value=100, currency="EUR")
    pushed = {"client_id": "c1", "timestamp": NOON_MS}
    first = ga4("refund", **BACK) | {"timestamp_micros": (NOON_MS - 1000) * 1000}

    assert net_and_margin(purchase, first, ga4("refund", **{**BACK, **also}))[0] == left

    first, again = (
        {**pushed, "event": "refund", "ecommerce": BACK},
        {"0": "event", "1": "refund", "2": {**BACK, **also}},
    )

    assert net_and_margin(purchase, first, {**pushed, **again})[0] == left


def test_the_same_sum_of_an_order_may_go_back_on_another_day_or_twice_in_one_body() -> None:
    purchase, back = ga4("purchase", transaction_id="T1", value=100, currency="EUR"), ga4("refund", **BACK)
    next_day = {**back, "timestamp_micros": (NOON_MS + 86_400_000) * 1000}

    assert net_and_margin(purchase, back, next_day)[0] == 4000

    twice = {**back, "events": back["events"] * 2}

    assert net_and_margin(purchase, twice, twice)[0] == 4000


def test_without_any_time_the_time_of_receipt_counts_and_without_that_the_event_is_refused() -> None:
    assert one(ga4("login")).timestamp_ms == NOON_MS
    assert refused(ga4("login"), 0) == ("missing_field", "timestamp_micros is missing")


def test_consent_that_can_not_be_read_refuses_the_whole_body() -> None:
    assert refused({**ga4("login"), "consent": {"ad_user_data": "perhaps"}})[0] == "wrong_type"


def test_sales_of_app_stores_are_refused_by_name_since_nobody_knows_what_they_are_worth() -> None:
    assert refused(ga4("in_app_purchase", value=5)) == (
        "unknown_event", "events[0].name: no event 'in_app_purchase' is known",
    )  # fmt: skip


@pytest.mark.parametrize("body", [
    {"client_id": "c1", "events": []}, {"0": "config", "1": "G-1"}, {"0": "js", "1": {}},
    {"0": "consent", "1": "default", "2": {"ad_storage": "denied"}}, {"event": "gtm.js", "gtm.start": 1714564800000},
])  # fmt: skip
def test_what_is_no_event_is_none(body: dict[str, Any]) -> None:
    assert all_of(body) == []


# --- Snowplow -----------------------------------------------------------------------------------------------------


def test_revenue_is_the_whole_unless_the_shop_says_it_is_the_goods() -> None:
    entities = "contexts_com_snowplowanalytics_snowplow_ecommerce_"
    message = {
        "event_id": "e", "collector_tstamp": "2024-05-01T12:00:00Z", "user_id": "u1", "event_name": "snowplow_ecommerce_action",
        "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1": {"type": "transaction"},
        entities + "transaction_1": [{"transaction_id": "T1", "revenue": 230, "tax": 20, "shipping": 10, "currency": "USD"}],
    }  # fmt: skip
    goods_alone = {"revenue_includes_tax": False, "revenue_includes_shipping": False}

    assert one(message).revenue_minor == 20000
    assert one(message, snowplow=goods_alone).revenue_minor == 23000


def test_what_snowplow_says_went_back_holds_its_tax_unless_the_shop_says_it_is_the_goods() -> None:
    entities = "contexts_com_snowplowanalytics_snowplow_ecommerce_"
    message = {
        "event_id": "e", "collector_tstamp": "2024-05-01T12:00:00Z", "user_id": "u1", "event_name": "snowplow_ecommerce_action",
        "unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1": {"type": "refund"},
        entities + "refund_1": [{"transaction_id": "T1", "refund_amount": 119, "currency": "USD"}],
    }  # fmt: skip

    assert (one(message).amount_minor, one(message).amount_with_tax) == (11900, True)
    assert not one(message, snowplow={"refund_includes_tax": False}).amount_with_tax


def test_an_action_of_another_vendor_is_refused_by_name() -> None:
    message = {"event_id": "e", "collector_tstamp": "2024-05-01T12:00:00Z", "event_name": "teapot", "user_id": "u1"}

    assert refused(message) == ("unknown_event", "event_name: no event 'teapot' is known")


# --- Shopify ------------------------------------------------------------------------------------------------------


def webhook(topic: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    return {"headers": {"X-Shopify-Topic": topic, "X-Shopify-Webhook-Id": "w1", **SENT, **headers}, "body": body}


ORDER: dict[str, Any] = {
    "id": 1, "currency": "EUR", "subtotal_price": "10.00", "total_price": "10.00", "user_id": 99, "financial_status": "pending",
    "created_at": "2024-05-01T12:00:00Z", "updated_at": "2024-05-01T12:00:00Z", "customer": {"id": 7},
    "line_items": [{"id": 5, "product_id": 71, "variant_id": 4411, "title": "Green tea", "variant_title": "100 g",
                    "vendor": "Leaf", "quantity": 2, "price": "5.00"}],
}  # fmt: skip


def test_a_line_keeps_its_variant_and_each_title_has_its_place() -> None:
    line = one(webhook("orders/create", ORDER)).products[0]

    assert (line.product_id, line.variant_id, line.name, line.variant, line.brand) == (
        "71", "4411", "Green tea", "100 g", "Leaf",
    )  # fmt: skip


@pytest.mark.parametrize("told", [{"total_discount": "1.00"}, {"total_discount": "1.00", "discount_allocations": []}])
def test_a_discount_that_no_list_divides_is_the_lines_in_all(told: dict[str, Any]) -> None:
    line = {**ORDER["line_items"][0], **told}

    assert one(webhook("orders/create", {**ORDER, "line_items": [line]})).products[0].discount_minor == 100


def test_staff_at_the_till_are_no_customers() -> None:
    found = all_of(webhook("orders/create", {**ORDER, "customer": None}))

    assert isinstance(found[0], Arrival)
    assert (found[0].customer, found[0].event.user_id) == (ANONYMOUS, None)


def test_a_global_id_is_the_plain_one_whatever_stands_around_it() -> None:
    customer = {"id": "gid://shopify/Customer/7?shop=leaf"}

    assert one(webhook("orders/create", {**ORDER, "customer": customer})).user_id == "7"


def test_a_dated_decision_counts_more_than_the_box_that_was_ticked() -> None:
    customer = {
        "id": 7,
        "email_marketing_consent": {"state": "unsubscribed", "consent_updated_at": "2024-05-01T12:00:00Z"},
    }
    order = one(webhook("orders/create", {**ORDER, "buyer_accepts_marketing": True, "customer": customer}))

    assert [(change.state, change.channel) for change in order.consent] == [("REVOKED", "email")]


@pytest.mark.parametrize("status, left", [("success", [e.OrderFulfilled]), ("cancelled", [])])
def test_a_parcel_that_was_called_back_did_not_leave(status: str, left: list[type[e.Event]]) -> None:
    parcel = {"id": 9, "order_id": 1, "status": status, "created_at": "2024-05-01T12:00:00Z", "line_items": []}

    assert [type(found) for found in events(webhook("fulfillments/create", parcel))] == left


def test_the_tax_of_something_else_is_not_in_the_goods() -> None:
    line = {**ORDER["line_items"][0], "tax_lines": [{"price": "1.60"}]}
    order = {**ORDER, "taxes_included": True, "total_tax": "2.40", "line_items": [line]}  # 0.80 of them of a tip

    assert one(webhook("orders/create", order)).revenue_minor == 840


def test_nobody_is_made_up_for_a_cart_without_a_customer() -> None:
    cart = webhook("carts/update", {"token": "t1", "updated_at": "2024-05-01T12:00:00Z", "line_items": []})

    first, second = (all_of(cart)[0] for _ in range(2))

    assert isinstance(first, Arrival)
    assert first == second
    assert (first.customer, first.event.anonymous_id) == ("cart_token:t1", None)
    assert (
        refused(webhook("carts/update", {"updated_at": "2024-05-01T12:00:00Z", "line_items": []}))[0] == "missing_field"
    )


def test_the_attribute_with_the_trackers_id_is_a_setting() -> None:
    attributes = [{"name": "visitor", "value": "v1"}, {"name": "rudderAnonymousId", "value": "r1"}]
    cart = webhook("carts/update", {"token": "t1", "updated_at": "2024-05-01T12:00:00Z", "note_attributes": attributes})

    assert one(cart).anonymous_id == "r1"
    assert one(cart, shopify={"anonymous_id_attributes": ["visitor"]}).anonymous_id == "v1"
    assert one(cart, shopify={"anonymous_id_attributes": []}).anonymous_id is None


def test_a_shop_may_count_orders_from_their_payment_on() -> None:
    paid = {**ORDER, "financial_status": "paid"}
    late = {"shopify": {"completed_on": "paid"}}

    assert isinstance(one(webhook("orders/create", ORDER)), e.OrderCompleted)
    assert isinstance(one(webhook("orders/paid", paid)), e.OrderUpdated)
    assert events(webhook("orders/create", ORDER), **late) == []
    assert events(webhook("orders/updated", ORDER), **late) == []
    assert isinstance(one(webhook("orders/paid", paid), **late), e.OrderCompleted)
    assert isinstance(one(webhook("orders/updated", paid), **late), e.OrderUpdated)


@pytest.mark.parametrize("told", [("-5.95", "-0.95"), ("-5.00", "-0.95")])
def test_shipping_given_back_is_neither_goods_nor_tax_however_shopify_tells_its_tax(told: tuple[str, str]) -> None:
    refund = {
        "id": 3, "order_id": 1, "created_at": "2024-05-01T12:00:00Z",
        "refund_line_items": [{"line_item_id": 5, "quantity": 1, "subtotal": "107.10", "total_tax": "17.10"}],
        "order_adjustments": [{"kind": "shipping_refund", "amount": told[0], "tax_amount": told[1]}],
        "transactions": [{"kind": "refund", "status": "success", "amount": "113.05", "currency": "EUR"}],
    }  # fmt: skip
    found = one(webhook("refunds/create", refund), shopify={"taxes_included": True})

    assert (found.amount_minor, found.return_shipping_minor) == (9000, 500)


def test_a_shop_whose_prices_include_tax_refunds_without_it() -> None:
    refund = {
        "id": 3, "order_id": 1, "created_at": "2024-05-01T12:00:00Z", "transactions": [],
        "refund_line_items": [{"line_item_id": 5, "quantity": 1, "subtotal": "11.90", "total_tax": "1.90"}],
    }  # fmt: skip
    paid = {**refund, "transactions": [{"kind": "refund", "status": "success", "amount": "11.90", "currency": "EUR"}]}

    assert one(webhook("refunds/create", refund)).amount_minor == 1190
    assert one(webhook("refunds/create", refund), shopify={"taxes_included": True}).amount_minor == 1000
    # Where money moved, what moved less its tax is the same in both kinds of shop.
    assert one(webhook("refunds/create", paid)).amount_minor == 1000


def test_a_refund_of_nothing_is_not_a_refund_of_everything() -> None:
    refund = {"id": 3, "order_id": 1, "created_at": "2024-05-01T12:00:00Z", "transactions": [], "refund_line_items": []}

    assert one(webhook("refunds/create", refund)).amount_minor == 0


def test_shipping_that_cost_nothing_but_its_tax_may_go_back() -> None:
    free = {"price": "0.00", "tax_lines": [{"price": "0.95"}]}
    back = {"subtotal_amount_set": {"shop_money": {"amount": "0.00", "currency_code": "EUR"}}, "shipping_line": free}
    payment = {"kind": "refund", "status": "success", "amount": "5.95", "currency": "EUR"}
    refund = {
        "id": 3, "order_id": 1, "created_at": "2024-05-02T12:00:00Z", "transactions": [payment], "refund_shipping_lines": [back],
    }  # fmt: skip

    assert one(webhook("refunds/create", refund)).amount_minor == 595


def test_duties_and_fees_that_went_back_are_no_goods() -> None:
    def of_shop(amount: str) -> dict[str, Any]:
        return {"shop_money": {"amount": amount, "currency_code": "EUR"}}

    refund = {
        "id": 3, "order_id": 1, "created_at": "2024-05-01T12:00:00Z",
        "transactions": [{"kind": "refund", "status": "success", "amount": "132.50", "currency": "EUR"}],
        "refund_line_items": [{"line_item_id": 5, "quantity": 1, "subtotal": "100.00", "total_tax": "19.00"}],
        "total_duties_set": of_shop("12.00"), "total_additional_fees_set": of_shop("1.50"),
    }  # fmt: skip

    assert one(webhook("refunds/create", refund)).amount_minor == 10000


def test_a_sum_of_the_merchants_own_choice_is_refunded_as_it_is() -> None:
    refund = {
        "id": 3, "order_id": 1, "created_at": "2024-05-01T12:00:00Z",
        "transactions": [{"kind": "refund", "status": "success", "amount": "1.00", "currency": "EUR"}],
        "refund_line_items": [{"line_item_id": 5, "quantity": 1, "subtotal": "100.00", "total_tax": "19.00"}],
    }  # fmt: skip

    assert one(webhook("refunds/create", refund)).amount_minor == 100


def test_an_order_is_cancelled_whichever_webhook_says_so_and_once() -> None:
    cancelled = {
        **ORDER,
        "updated_at": "2024-05-02T12:00:00Z",
        "cancelled_at": "2024-05-02T12:00:00Z",
        "cancel_reason": "customer",
    }
    later = {**cancelled, "updated_at": "2024-05-03T12:00:00Z"}
    updated, again = events(webhook("orders/updated", cancelled)), events(webhook("orders/updated", later))

    assert [type(event) for event in updated] == [e.OrderUpdated, e.OrderCancelled]
    assert (updated[1].timestamp_ms, updated[1].reason) == (NOON_MS + 86_400_000, "customer")
    assert updated[1].message_id == again[1].message_id
    assert net_and_margin(webhook("orders/create", ORDER), webhook("orders/updated", cancelled)) == (0, 0)
    assert [type(event) for event in events(webhook("orders/cancelled", cancelled))] == [e.OrderCancelled]
    assert len(events(webhook("orders/updated", {**cancelled, "id": "1" * 256}))[1].message_id) <= 256


@pytest.mark.parametrize("mark", [{"tip_payment_gateway": None}, {"tip": {"payment_method": "visa"}}])
def test_a_tip_is_no_product_and_no_part_of_what_the_goods_were_listed_at(mark: dict[str, Any]) -> None:
    tip = {"id": 6, "title": "Tip", "quantity": 1, "price": "2.00", **mark}
    tipped = {**ORDER, "total_price": "12.00", "line_items": [*ORDER["line_items"], tip]}
    order = one(webhook("orders/create", tipped))

    assert [line.product_id for line in order.products] == ["71"]
    assert (order.revenue_minor, order.total_minor) == (1000, 1200)


def test_shipping_that_a_discount_made_free_is_not_charged_and_hides_no_tax_in_the_prices() -> None:
    checkout = {
        "token": "k1", "currencyCode": "EUR", "order": {"id": "1"}, "shippingLine": {"price": {"amount": 4.9}},
        "subtotalPrice": {"amount": 119}, "totalTax": {"amount": 19}, "totalPrice": {"amount": 119},
        "delivery": {"selectedDeliveryOptions": [{"cost": {"amount": 4.9}, "costAfterDiscounts": {"amount": 0.0}}]},
    }  # fmt: skip
    order = one(
        {
            "id": "e1",
            "clientId": "c1",
            "type": "standard",
            "name": "checkout_completed",
            "timestamp": "2024-05-01T12:00:00Z",
            "data": {"checkout": checkout},
        }
    )

    assert (order.revenue_minor, order.shipping_minor) == (10000, 0)


def refunded(*statuses: str) -> dict[str, Any]:
    """The order after half of it and its shipping went back, in as many tries as there are statuses."""
    tries = [
        {"id": number, "kind": "refund", "status": status, "amount": "8.00", "currency": "EUR"}
        for number, status in enumerate(statuses)
    ]
    refund = {
        "id": 3, "order_id": 1, "created_at": "2024-05-02T12:00:00Z", "transactions": tries,
        "order_adjustments": [{"kind": "shipping_refund", "amount": "-3.00", "tax_amount": "0.00"}],
    }  # fmt: skip
    shipping = {"price": "3.00", "discounted_price": "3.00"}
    return webhook("orders/updated", {**ORDER, "shipping_lines": [shipping], "refunds": [refund]})


def test_a_refund_that_fails_after_all_is_none_until_it_is_tried_again_in_whatever_order_that_is_heard_of() -> None:
    told = [refunded(*tries) for tries in (["pending"], ["failure"], ["failure", "pending"], ["failure", "success"])]

    assert [net_and_margin(*told[: heard + 1]) for heard in range(4)] == [
        (500, 500),
        (1000, 1300),
        (500, 500),
        (500, 500),
    ]
    assert net_and_margin(told[1], told[0]) == (1000, 1300)
    assert net_and_margin(told[3], told[2], told[1], told[0]) == (500, 500)


def test_a_refund_in_another_currency_that_failed_is_none() -> None:
    failed = {"kind": "refund", "status": "failure", "amount": "8.00", "currency": "CHF"}
    lines = [
        {"line_item_id": 5, "quantity": 1, "subtotal": "5.00", "subtotal_set": {"shop_money": {"currency_code": "EUR"}}}
    ]
    refund = {"id": 3, "order_id": 1, "created_at": "2024-05-01T12:00:00Z", "transactions": [failed]}

    assert one(webhook("refunds/create", refund)).amount_minor == 0
    assert one(webhook("refunds/create", {**refund, "refund_line_items": lines})).amount_minor == 0


def money_set(shop: str, presentment: str) -> dict[str, Any]:
    return {
        "shop_money": {"amount": shop, "currency_code": "EUR"},
        "presentment_money": {"amount": presentment, "currency_code": "CHF"},
    }


def paid_in_francs(status: str, refund: dict[str, Any]) -> dict[str, Any]:
    """The order after a refund to a customer who pays in francs. What is under way is short of what was to go back."""
    payment = {"kind": "refund", "status": status, "amount": "6.60", "currency": "CHF"}
    short = {"kind": "refund_discrepancy", "amount": "6.00", "amount_set": money_set("6.00", "6.60")}
    made_up = {"kind": "refund_discrepancy", "amount": "-6.00", "amount_set": money_set("-6.00", "-6.60")}
    adjustments = [*refund.get("order_adjustments", []), short, *([] if status == "pending" else [made_up])]
    common = {"id": 3, "order_id": 1, "created_at": "2024-05-02T12:00:00Z", "transactions": [payment]}
    shipping = {"price": "6.00", "discounted_price": "6.00"}
    return webhook(
        "orders/updated",
        {**ORDER, "shipping_lines": [shipping], "refunds": [common | refund | {"order_adjustments": adjustments}]},
    )


LINE = {
    "line_item_id": 5,
    "quantity": 1,
    "subtotal": "5.00",
    "total_tax": "1.00",
    "subtotal_set": money_set("5.00", "5.50"),
}
ADJUSTED = {"amount": "-6.00", "amount_set": money_set("-6.00", "-6.60")}


@pytest.mark.parametrize(
    "refund, left",
    [
        ({"refund_line_items": [LINE]}, (500, 1100)),
        ({"order_adjustments": [{"kind": "shipping_refund", **ADJUSTED}]}, (1000, 1000)),
        ({"refund_shipping_lines": [{"subtotal_amount_set": money_set("6.00", "6.60")}]}, (1000, 1000)),
        ({"order_adjustments": [{"kind": "refund_discrepancy", **ADJUSTED}]}, (400, 1000)),
    ],
)
def test_a_refund_to_who_pays_in_another_currency_counts_in_the_shops_from_the_day_it_is_under_way(
    refund: dict[str, Any], left: tuple[int, int]
) -> None:
    assert net_and_margin(paid_in_francs("pending", refund)) == left
    assert net_and_margin(paid_in_francs("success", refund)) == left
    assert net_and_margin(paid_in_francs("pending", refund), paid_in_francs("success", refund)) == left


def test_half_of_a_line_that_is_under_way_in_another_currency_is_half_of_it() -> None:
    half = {"kind": "refund_discrepancy", "amount": "2.50", "amount_set": money_set("2.50", "2.75")}
    payment = {"kind": "refund", "status": "pending", "amount": "2.75", "currency": "CHF"}
    refund = {
        "id": 3, "order_id": 1, "created_at": "2024-05-02T12:00:00Z", "transactions": [payment],
        "refund_line_items": [{**LINE, "total_tax": "0.00"}], "order_adjustments": [half, half],
    }  # fmt: skip

    assert one(webhook("refunds/create", refund)).amount_minor == 250


def net_and_margin(*messages: Any) -> tuple[int, int]:
    """What the customer of these messages is worth after them."""
    profile, ledger = Profile("user_id:7"), Ledger(complete=True)
    for message in messages:
        for found in all_of(message):
            assert isinstance(found, Arrival)
            if not already_seen(profile, found.event.source, found.event.message_id, found.time_ms):
                apply_order(profile, found, ledger, Book(shop_currency="EUR"))
    return profile.ltv.net, profile.ltv.margin


def test_what_arrived_in_another_currency_counts_though_the_adjustments_still_miss_all_of_it() -> None:
    refund = {"refund_line_items": [LINE]}
    told = paid_in_francs("success", refund)
    told["body"]["refunds"][0]["order_adjustments"].pop()

    assert net_and_margin(told) == (500, 1100)


def test_a_refund_that_is_paid_in_two_currencies_counts_by_its_lines() -> None:
    told = paid_in_francs("success", {"refund_line_items": [LINE]})
    refund = told["body"]["refunds"][0]
    refund["transactions"].append({"kind": "refund", "status": "success", "amount": "3.00", "currency": "EUR"})

    assert net_and_margin(told) == (500, 1100)


def shop_money(amount: str) -> dict[str, Any]:
    return {"shop_money": {"amount": amount, "currency_code": "EUR"}}


@pytest.mark.parametrize(
    "included, goods, tax_of_goods, shipping, refunded",
    [(False, "10.00", "1.90", "5.00", "5.00"), (True, "11.90", "1.90", "5.95", "5.95"), (True, "11.90", "1.90", "5.95", "5.00")],
)  # fmt: skip
@pytest.mark.parametrize("embedded", [True, False])
def test_the_tax_on_shipping_that_goes_back_is_that_of_its_shipping_line(
    included: bool, goods: str, tax_of_goods: str, shipping: str, refunded: str, embedded: bool
) -> None:
    parcel = {"id": 9, "price": shipping, "discounted_price": shipping, "tax_lines": [{"price": "0.95", "rate": 0.19}]}
    tea = {**ORDER["line_items"][0], "tax_lines": [{"price": "1.90", "rate": 0.19}]}
    order = {
        **ORDER, "taxes_included": included, "subtotal_price": goods, "total_tax": "2.85", "total_price": "17.85",
        "shipping_lines": [parcel], "line_items": [tea],
    }  # fmt: skip
    back = {
        "shipping_line_id": 9,
        "shipping_line": parcel if embedded else {},
        "subtotal_amount_set": shop_money(refunded),
    }
    line = {"line_item_id": 5, "quantity": 2, "subtotal": goods, "total_tax": tax_of_goods, "line_item": tea}
    refund = {
        "id": 3, "order_id": 1, "created_at": "2024-05-02T12:00:00Z", "refund_line_items": [line],
        "refund_shipping_lines": [back], "order_adjustments": [],
        "transactions": [{"kind": "refund", "status": "success", "amount": "17.85", "currency": "EUR"}],
    }  # fmt: skip
    payment = {"kind": "refund", "status": "success", "amount": "5.95", "currency": "EUR"}
    alone = {**refund, "refund_line_items": [], "transactions": [payment]}

    assert net_and_margin(webhook("orders/create", order)) == (1000, 1500)
    assert net_and_margin(webhook("orders/updated", {**order, "refunds": [refund]})) == (0, 0)
    assert net_and_margin(webhook("orders/updated", {**order, "refunds": [alone]})) == (1000, 1000)


def test_a_tip_that_is_given_back_was_no_sale() -> None:
    tip = {"id": 9, "title": "Tip", "quantity": 1, "price": "2.00", "tip_payment_gateway": "shopify_payments"}
    order = {**ORDER, "total_price": "12.00", "line_items": [*ORDER["line_items"], tip]}
    line = {"line_item_id": 9, "quantity": 1, "subtotal": "2.00", "total_tax": "0.00", "line_item": tip}
    refund = {
        "id": 3, "order_id": 1, "created_at": "2024-05-02T12:00:00Z", "refund_line_items": [line],
        "transactions": [{"kind": "refund", "status": "success", "amount": "2.00", "currency": "EUR"}],
    }  # fmt: skip

    assert net_and_margin(webhook("orders/updated", {**order, "refunds": [refund]})) == (1000, 1000)


@pytest.mark.parametrize(
    "adjustments, net",
    [([], 900), ([{"kind": "refund_discrepancy", "amount": "4.76", "tax_amount": "0.00"}], 1376)],
)
def test_a_line_that_is_exchanged_for_a_cheaper_one_goes_back_whole_though_the_difference_alone_is_paid_out(
    adjustments: list[dict[str, str]], net: int
) -> None:
    tea = ORDER["line_items"][0]
    other = {"id": 6, "product_id": 72, "title": "Jam", "quantity": 1, "price": "4.00"}
    line = {"line_item_id": 5, "quantity": 1, "subtotal": "5.00", "total_tax": "0.95", "line_item": tea}
    refund = {
        "id": 3, "order_id": 1, "created_at": "2024-05-02T12:00:00Z", "refund_line_items": [line],
        "transactions": [{"kind": "refund", "status": "success", "amount": "1.19", "currency": "EUR"}],
        "order_adjustments": adjustments,
    }  # fmt: skip
    order = {
        **ORDER,
        "subtotal_price": "14.00",
        "total_price": "16.66",
        "line_items": [tea, other],
        "refunds": [refund],
    }

    assert net_and_margin(webhook("orders/updated", order))[0] == net


@pytest.mark.parametrize("paid, left", [("5.95", 500), ("7.95", 300), ("3.00", 500)])
def test_money_for_a_line_that_was_taken_off_before_is_no_second_refund(paid: str, left: int) -> None:
    line = {
        "line_item_id": 5,
        "quantity": 1,
        "subtotal": "5.00",
        "total_tax": "0.95",
        "line_item": ORDER["line_items"][0],
    }
    payment = {"kind": "refund", "status": "success", "amount": paid, "currency": "EUR"}
    edit = {
        "id": 3,
        "order_id": 1,
        "created_at": "2024-05-02T12:00:00Z",
        "refund_line_items": [line],
        "transactions": [],
    }
    money = {**edit, "id": 4, "created_at": "2024-05-02T12:00:05Z", "refund_line_items": [], "transactions": [payment]}
    edited = webhook("orders/updated", {**ORDER, "refunds": [edit]})
    settled = webhook("orders/updated", {**ORDER, "refunds": [edit, money]})

    assert net_and_margin(edited)[0] == 500
    assert net_and_margin(edited, settled)[0] == left
    half = {**payment, "amount": "2.95"}
    rest = {**money, "id": 5, "transactions": [{**payment, "amount": "3.00"}]}
    in_two = webhook("orders/updated", {**ORDER, "refunds": [edit, {**money, "transactions": [half]}, rest]})
    assert net_and_margin(edited, in_two)[0] == 500
    francs = {**payment, "amount": "6.50", "currency": "CHF"}
    abroad = webhook("orders/updated", {**ORDER, "refunds": [edit, {**money, "transactions": [francs]}]})
    assert [found.amount_minor for found in events(abroad) if isinstance(found, e.OrderRefunded)] == [500, 0]
    # Goodwill has an adjustment of its own.
    goodwill = {
        **money,
        "order_adjustments": [{"kind": "refund_discrepancy", "amount": f"-{paid}", "tax_amount": "0.00"}],
    }
    given = webhook("orders/updated", {**ORDER, "refunds": [edit, goodwill]})
    assert net_and_margin(given)[0] == 500 - round(float(paid) * 100)


def test_gift_cards_of_shopify_are_no_sale_and_give_back_none() -> None:
    card = {"id": 6, "product_id": 72, "title": "Gift card", "quantity": 1, "price": "50.00", "gift_card": True}
    lines = [{**line, "gift_card": False} for line in ORDER["line_items"]]
    order = {**ORDER, "subtotal_price": "60.00", "total_price": "60.00", "line_items": [*lines, card]}
    back = {"line_item_id": 6, "quantity": 1, "subtotal": "50.00", "total_tax": "0.00", "line_item": card}
    paid = {"kind": "refund", "status": "success", "amount": "50.00", "currency": "EUR"}
    refund = {
        "id": 3, "order_id": 1, "created_at": "2024-05-02T12:00:00Z", "refund_line_items": [back], "transactions": [paid],
    }  # fmt: skip

    assert net_and_margin(webhook("orders/create", order)) == (1000, 1000)
    assert net_and_margin(webhook("orders/updated", {**order, "refunds": [refund]})) == (1000, 1000)


@pytest.mark.parametrize(
    "message",
    [
        ga4("purchase", transaction_id="T1", items=[{"item_id": "card", "price": 50, "gift_card": "true"}]),
        {
            "type": "track", "event": "Order Completed", "messageId": "m1", "userId": "7", "timestamp": "2024-05-01T12:00:00Z",
            "properties": {"order_id": "T1", "products": [{"product_id": "card", "price": 50, "gift_card": True}]},
        },
    ],
)  # fmt: skip
def test_other_sources_name_gift_cards_by_a_field_of_the_product(message: dict[str, Any]) -> None:
    assert one(message).products[0].gift_card


def test_a_checkout_and_its_order_name_the_same_checkout_and_cart() -> None:
    named = {"token": "chk", "cart_token": "crt?key=1", "line_items": [], "created_at": "2024-05-01T12:00:00Z"}

    checkout = one(webhook("checkouts/create", {**named, "email": "a@x.org"}))
    order = one(webhook("orders/create", {**ORDER, "token": "another", "checkout_token": "chk", "cart_token": "crt"}))

    assert (checkout.checkout_id, checkout.cart_id, checkout.cart_token) == ("chk", "crt", "crt")
    assert (order.checkout_id, order.cart_id, order.cart_token) == ("chk", "crt", "crt")


@pytest.mark.parametrize("headers,message_id", [
    ({}, "w1"),
    ({"X-Shopify-Event-Id": "ev"}, "ev/orders/create/"),
    ({"x-shopify-event-id": "ev"}, "ev/orders/create/"),
    ({"X-Shopify-Webhook-Id": ""}, "content:"),
    ({"X-Shopify-Event-Id": "e" * 250}, "content:"),
])  # fmt: skip
def test_the_best_id_there_is_is_the_message_id(headers: dict[str, str], message_id: str) -> None:
    assert one(webhook("orders/create", ORDER, **headers)).message_id.startswith(message_id)


def test_an_envelope_keeps_the_body_as_it_is_and_of_the_headers_what_is_of_use() -> None:
    body = b'{"id": 1,  "total_price": "1.10"}'

    record = envelope({"X-Shopify-Topic": "orders/create", "Authorization": "secret", "X-SHOPIFY-EVENT-ID": "ev"}, body)

    assert body in record
    assert json.loads(record)["headers"] == {"x-shopify-topic": "orders/create", "x-shopify-event-id": "ev"}


def test_a_session_whose_key_is_too_long_for_an_id_stands_for_no_checkout() -> None:
    params = {"session_id": "s" * 200}
    body = {"client_id": "c" * 200, "events": [{"name": "begin_checkout", "params": params}]}
    push = {"event": "begin_checkout", "client_id": "c" * 200, "ecommerce": params}

    assert [one(message).checkout_id for message in (body, push)] == [None, None]


# --- GTM data layer -----------------------------------------------------------------------------------------------


def test_a_null_in_a_push_leaves_what_stands_beside_it() -> None:
    ecommerce = {"transaction_id": "T1", "value": 5, "currency": None, "coupon": ""}
    order = one({"event": "purchase", "client_id": "c1", "currency": "USD", "coupon": "TEA", "ecommerce": ecommerce})

    assert (order.currency, order.revenue_minor, order.coupon) == ("USD", 500, "TEA")


@pytest.mark.parametrize("wrong", [[{"items": []}], "{}", 7, True])
def test_parameters_that_are_no_object_are_refused_and_not_taken_for_none(wrong: Any) -> None:
    assert refused({"client_id": "c1", "events": [{"name": "begin_checkout", "params": wrong}]}) == (
        "wrong_type",
        "events[0].params is no object",
    )
    assert refused({"event": "begin_checkout", "client_id": "c1", "ecommerce": wrong}) == (
        "wrong_type",
        "ecommerce is no object",
    )
    assert refused({"0": "event", "1": "begin_checkout", "2": wrong, "client_id": "c1"}) == (
        "wrong_type",
        "2 is no object",
    )


def test_a_purpose_of_which_nothing_is_said_refuses_no_order_and_no_banner() -> None:
    banner = one(
        {"0": "consent", "1": "update", "2": {"ad_storage": None, "ad_user_data": "denied"}, "client_id": "c1"}
    )
    context = {"consent": {"categoryPreferences": {"Advertising": None, "Functional": True}}}
    order = one(
        {
            "type": "track",
            "event": "Order Completed",
            "userId": "u1",
            "messageId": "m",
            "context": context,
            "properties": {"order_id": "o1", "revenue": 5},
        }
    )

    assert [(change.purpose, change.state) for change in banner.consent] == [("ad_user_data", "DENY")]
    assert [(change.purpose, change.state) for change in order.consent] == [("functional", "GRANT")]


# --- Braze --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state,expected", [
    ("opted_in", "GRANT"), ("unsubscribed", "REVOKED"), ("subscribed", None), (None, None),
])  # fmt: skip
def test_where_everybody_begins_is_nobodys_decision(state: str | None, expected: str | None) -> None:
    consent = one({"attributes": [{"external_id": "u1", "email_subscribe": state}]}).consent

    assert [change.state for change in consent] == ([expected] if expected else [])


def test_a_word_for_consent_that_nobody_knows_is_refused() -> None:
    assert refused({"attributes": [{"external_id": "u1", "email_subscribe": "yes"}]})[0] == "wrong_type"


def test_properties_that_are_broken_text_are_refused() -> None:
    message = {"external_id": "u1", "name": "ecommerce.order_placed", "time": 1714564800, "properties": "{broken"}

    assert refused(message) == ("wrong_type", "properties is text that is no JSON object")


def test_an_update_of_a_cart_that_is_neither_of_three_things_is_refused() -> None:
    properties = {"cart_id": "c", "action": "shuffle", "products": [{"product_id": "p"}]}

    assert refused(
        {"external_id": "u1", "name": "ecommerce.cart_updated", "time": 1714564800, "properties": properties}
    )[0] == ("wrong_type")


@pytest.mark.parametrize("products", [{}, {"products": None}])
@pytest.mark.parametrize("action", ["replace", "add", "remove"])
def test_an_update_of_a_cart_that_does_not_say_what_is_in_it_does_not_empty_it(action: str, products: Any) -> None:
    def updated(**more: Any) -> dict[str, Any]:
        properties = {"cart_id": "c", "action": action, **more}
        return {"external_id": "u1", "name": "ecommerce.cart_updated", "time": 1714564800, "properties": properties}

    assert refused(updated(**products)) == ("missing_field", "properties.products is missing")
    assert [type(found) for found in events(updated(products=[]))] == ([e.CartUpdated] if action == "replace" else [])


def test_what_braze_is_told_to_do_with_an_attribute_is_not_its_value() -> None:
    attributes = {
        "external_id": "u1", "points": {"inc": 5}, "likes": {"add": ["tea"]}, "hates": {"remove": ["milk"]},
        "pets": {"$update": [{"$identifier_key": "id", "$identifier_value": 1, "$new_object": {}}]}, "pots": {"$add": [2]},
        "_merge_objects": True, "push_token_import": False, "size": {"add": "one"}, "kept": {"inc": 1, "of": 2}, "none": {},
    }  # fmt: skip

    assert one({"attributes": [attributes]}).traits == {"size": {"add": "one"}, "kept": {"inc": 1, "of": 2}, "none": {}}


@pytest.mark.parametrize("value, amount", [(24, 0), (20, 2000)])
def test_tax_and_shipping_that_are_more_than_what_went_back_are_the_orders(value: int, amount: int) -> None:
    included = {"value_includes_tax": True, "value_includes_shipping": True}
    braze = {"order_id": "o1", "total_value": value, "tax": 19, "shipping": 5}

    assert one(ga4("refund", **{**PURCHASE, "value": value}), ga4=included).amount_minor == amount
    assert one({"name": "ecommerce.order_refunded", "external_id": "u1", "properties": braze}).amount_minor == amount


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("of_extras", [1, -1])
def test_a_refund_of_braze_holds_tax_and_shipping_whichever_of_them_is_written_with_a_minus(
    sign: int, of_extras: int
) -> None:
    properties = {"order_id": "o1", "total_value": 64.5 * sign, "tax": 9.5 * of_extras, "shipping": 5 * of_extras}

    assert one({"name": "ecommerce.order_refunded", "external_id": "u1", "properties": properties}).amount_minor == 5000


def test_what_customerio_says_of_a_customer_is_of_all_channels_only_where_she_unsubscribed() -> None:
    said = {"event_id": "e1", "object_type": "customer", "timestamp": 1714564800, "data": {"customer_id": "u1"}}

    assert one({**said, "metric": "unsubscribed"}).message_channel == "any"
    assert refused({**said, "metric": "bounced"})[0] == "unknown_event"


def test_a_user_id_of_snowplow_that_names_nobody_leaves_it_to_the_user_entity() -> None:
    message = {
        "event_id": "e1", "collector_tstamp": "2024-05-01T12:00:00Z", "event_name": "page_view", "user_id": "undefined",
        "contexts_com_snowplowanalytics_snowplow_ecommerce_user_1": [{"id": "ada"}],
    }  # fmt: skip

    assert one(message).user_id == "ada"


# --- splitting ----------------------------------------------------------------------------------------------------

BODY = {**ga4("login"), "timestamp_micros": NOON_MS * 1000, "user_id": "u1"}
BODY["events"] = [
    *BODY["events"],
    {"name": "scroll"},
    {"name": "teapot"},
    {"name": "purchase", "params": {"transaction_id": "T1", "value": 5}},
]


def test_a_webhook_needs_no_header_of_its_sending_where_its_body_says_when() -> None:
    """Where a webhook is read from a file nothing else knows a time; every one without that header was refused."""
    cart = {"token": "c1", "updated_at": "2024-05-01T12:00:00Z", "line_items": []}
    request = {"shop_id": 1, "customer": {"id": 7}, "data_request": {"id": 9}}
    decoder = Decoder("EUR")

    taken, refused = (
        decoder.decode(json.dumps({"headers": {"X-Shopify-Topic": topic}, "body": body}).encode(), 0)
        for topic, body in (("carts/update", cart), ("customers/data_request", request))
    )

    assert isinstance(taken, Arrival)
    assert taken.event.timestamp_ms == 1_714_564_800_000
    assert isinstance(refused, Problem)
    assert refused.reason == "missing_field"
    assert "X-Shopify-Triggered-At is missing among the headers, and the body says no time" in refused.detail


def test_a_message_is_split_into_records_of_their_topics() -> None:
    login, teapot, order = split(json.dumps(BODY).encode(), Decoder("EUR"), 0)

    assert isinstance(login, Keyed)
    assert (login.topic, login.key) == ("identities", "u1")
    assert isinstance(teapot, Problem)
    assert isinstance(order, Keyed)
    assert (order.topic, order.key) == ("orders", "u1")
    assert msgspec.json.decode(order.value)["order_id"] == "T1"


def test_a_line_unfolds_into_its_events_and_itself_where_some_can_not_be_taken() -> None:
    decoder = Decoder("EUR")
    line, good = json.dumps(BODY).encode(), json.dumps({**BODY, "events": BODY["events"][:2]}).encode()

    found = list(unfold(line, decoder))

    *events, (problem, whole) = found
    assert [type(one.event) for one, _ in events if isinstance(one, Arrival)] == [e.Identified, e.OrderCompleted]
    assert (isinstance(problem, Problem) and problem.reason, whole) == ("unknown_event", line)
    # One event: the line stays what it was.
    assert [value for _, value in unfold(good, decoder)] == [good]
    assert list(unfold(json.dumps({**BODY, "events": []}).encode(), decoder)) == []
    ((problem, whole),) = unfold(b"no json", decoder)
    assert (isinstance(problem, Problem) and problem.reason, whole) == ("not_json", b"no json")


def test_a_record_of_several_events_says_how_many_and_what_is_wrong_with_them() -> None:
    found = Decoder("EUR").decode(json.dumps(BODY).encode(), 0)

    assert found == Problem(
        "several_events",
        "Google Analytics 4: 3 events in one record; of these 1 can't be taken, the first: events[2].name: no event 'teapot' "
        "is known",
    )


def test_every_source_says_where_its_documents_are_and_how_it_is_recognised() -> None:
    for adapter in ADAPTERS:
        assert adapter.documents
        assert all(link.startswith("https://") for link in adapter.documents)
        assert adapter.recognised_by
        assert adapter.title
    assert len({adapter.name for adapter in ADAPTERS}) == len(ADAPTERS)
