"""What Braze's REST API and its files are given: users/track and the recommended e-commerce events, by their public documents.

https://www.braze.com/docs/api/endpoints/user_data/post_user_track/ and
https://www.braze.com/docs/user_guide/data/activation/events/recommended_events/
"""

import json
from typing import Any

import pytest

from schemas import events as e
from schemas.decode import Decoder, Problem
from schemas.events import Arrival
from tests.core.test_adapter_particulars import in_shop_of
from tests.core.test_adapters import NOON_MS, all_of, events, net_and_margin, one, refused

TEA: dict[str, Any] = {"product_id": "tea", "product_name": "Green tea", "variant_id": "100", "price": 5, "quantity": 2}


def told(name: str, /, *, who: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    """An event of users/track."""
    return {
        "name": f"ecommerce.{name}", "time": "2024-05-01T12:00:00Z", **(who or {"external_id": "ada"}),
        "properties": {"currency": "EUR", "source": "https://shop.example", **properties},
    }  # fmt: skip


def attributes(**fields: Any) -> dict[str, Any]:
    return {"attributes": [{"external_id": "ada", "time": "2024-05-01T12:00:00Z", **fields}]}


def test_an_event_that_is_sent_again_is_the_same_one_and_one_of_another_time_is_not() -> None:
    viewed = told("product_viewed", **TEA)

    for message in (viewed, attributes(plan="gold")):
        first, again = (
            Decoder("EUR").decode_all(json.dumps(message).encode(), at_ms) for at_ms in (NOON_MS, NOON_MS + 1)
        )
        assert [found.event for found in arrived(first)] == [found.event for found in arrived(again)]
    assert one(viewed).message_id != one(viewed | {"time": "2024-05-01T12:00:01Z"}).message_id


def arrived(found: list[Arrival | Problem]) -> list[Arrival]:
    assert all(isinstance(what, Arrival) for what in found), found
    return [what for what in found if isinstance(what, Arrival)]


@pytest.mark.parametrize("action, kind", [("add", e.ProductAdded), ("remove", e.ProductRemoved)])
def test_each_product_that_went_into_a_cart_or_out_of_it_is_an_event_of_its_own(
    action: str, kind: type[e.Event]
) -> None:
    found = events(told("cart_updated", cart_id="c1", action=action, products=[TEA, TEA]))

    assert [type(event) for event in found] == [kind, kind]
    assert len({event.message_id for event in found}) == 2


@pytest.mark.parametrize("name", [None, "", 7])
def test_an_event_without_a_name_is_refused(name: object) -> None:
    assert refused({"events": [told("product_viewed") | {"name": name}]}) == (
        "missing_field", "events[0].name is missing",
    )  # fmt: skip


def test_what_says_no_time_is_of_its_record_and_without_that_refused() -> None:
    untimed = {"attributes": [{"external_id": "ada", "plan": "gold"}]}
    (found,) = arrived(all_of(untimed, 1))

    assert found.event.timestamp_ms == 1
    assert refused(untimed, 0) == ("missing_field", "attributes[0].time is missing")


def test_what_is_taken_back_or_only_to_be_changed_is_no_trait_and_neither_is_how_to_write() -> None:
    changes = {
        "visits": {"inc": 1},
        "tags": {"add": ["tea"]},
        "colour": None,
        "prefs": {},
        "push_tokens": [{"token": "x"}],
        "subscription_groups": [{"subscription_group_id": "g1", "subscription_state": "subscribed"}],
    }

    assert one(attributes(plan="gold", email_subscribe="", **changes)).traits == {"plan": "gold", "prefs": {}}


@pytest.mark.parametrize("stated, states", [
    ("opted_in", ["GRANT"]), ("unsubscribed", ["REVOKED"]), ("subscribed", []), ("", []), (None, []),
])  # fmt: skip
def test_only_what_she_decided_is_a_decision(stated: str | None, states: list[str]) -> None:
    assert [change.state for change in one(attributes(email_subscribe=stated)).consent] == states


@pytest.mark.parametrize("place", ["events", "attributes", "purchases"])
def test_a_body_of_something_else_than_a_list_or_of_too_much_is_refused_and_each_thing_in_it_by_its_place(
    place: str,
) -> None:
    assert refused({place: {}}) == ("wrong_type", f"{place} is no list")
    assert refused({place: [{}] * 501}) == ("out_of_bounds", f"{place} has more than 500 entries")
    assert len(all_of({place: [7] * 500})) == 500


def test_purchases_name_no_order_and_are_refused_where_they_stand() -> None:
    assert refused({"purchases": [{"product_id": "tea", "price": 5}]}) == (
        "unknown_event", "purchases[0]: purchases name no order; send ecommerce.order_placed",
    )  # fmt: skip


@pytest.mark.parametrize(
    "who, user_id, anonymous_id",
    [
        ({"external_id": "ada", "braze_id": "b1"}, "ada", "b1"),
        ({"external_user_id": "ada", "user_id": "b1"}, "ada", "b1"),  # as files of Currents name them
        ({"user_alias": {"alias_name": "x1", "alias_label": "visitor"}}, None, "visitor:x1"),
        ({"email": "ada@shop.example", "user_alias": {"alias_name": "x1"}}, None, None),
        ({"email": "ada@shop.example", "user_alias": {"alias_label": "visitor"}}, None, None),
    ],
)
def test_a_user_is_named_by_the_shops_id_and_by_brazes_or_an_alias_of_hers(
    who: dict[str, Any], user_id: str | None, anonymous_id: str | None
) -> None:
    found = one(told("product_viewed", who=who, **TEA))

    assert (found.user_id, found.anonymous_id) == (user_id, anonymous_id)


def test_a_product_has_its_own_stock_number_and_what_its_metadata_say() -> None:
    more: dict[str, Any] = {"metadata": {"sku": "other", "category": "Tea", "brand": "Leaf"}}
    named = one(told("product_viewed", **TEA, sku="TG-100", **more)).product
    unnamed = one(told("product_viewed", **TEA, **more)).product

    assert (named.sku, named.category, named.brand) == ("TG-100", "Tea", "Leaf")
    assert unnamed.sku == "other"


def test_a_price_is_in_the_currency_of_the_event_and_without_one_in_the_shops() -> None:
    yen, silent = (told("product_viewed", **TEA | {"price": 500}) for _ in range(2))
    yen["properties"]["currency"], silent["properties"]["currency"] = "JPY", None

    assert (one(yen).product.price_minor, one(yen).currency) == (500, "JPY")
    assert (one(silent).product.price_minor, one(silent).currency) == (50000, None)
    assert in_shop_of("JPY", silent).product.price_minor == 500


@pytest.mark.parametrize("place", ["itself", "metadata"])
def test_a_checkout_can_be_gone_back_to(place: str) -> None:
    link: dict[str, Any] = {"checkout_url": "https://shop.example/k1"}
    more = link if place == "itself" else {"metadata": link}

    assert one(told("checkout_started", checkout_id="k1", products=[TEA], **more)).url == "https://shop.example/k1"


@pytest.mark.parametrize("written", [10, -10, "-10.00"])
def test_discounts_that_are_written_with_a_minus_take_off_too(written: object) -> None:
    order = told(
        "order_placed", order_id="o1", total_discounts=written, products=[{**TEA, "price": 100, "quantity": 1}]
    )

    assert one(order).discount_minor == 1000
    assert net_and_margin(order)[0] == 9000


@pytest.mark.parametrize(
    "amounts, goods",
    [
        ({"subtotal_value": 50, "total_value": 60, "tax": 7, "shipping": 3}, 5000),
        ({"subtotal_value": -50, "total_value": -60}, 5000),
        ({"total_value": -60, "tax": -7, "shipping": -3}, 5000),
        ({"total_value": 60, "tax": 7, "shipping": 3}, 5000),
        ({}, None),
    ],
)
def test_of_a_refund_the_goods_are_its_subtotal_or_its_total_without_tax_and_shipping(
    amounts: dict[str, Any], goods: int | None
) -> None:
    assert one(told("order_refunded", order_id="o1", products=[], **amounts)).amount_minor == goods
