"""Nothing that lies on a topic stops the decoder, and what it lets through is whole."""

import json
from typing import Any

import msgspec
import orjson
import pytest

from schemas.decode import MAX_DEPTH, Decoder, Problem, depth
from schemas.events import (
    ANONYMOUS,
    SHOP,
    Aliased,
    Arrival,
    Identified,
    OrderCompleted,
    OrderUpdated,
    Product,
    ProductViewed,
)
from schemas.reasons import REASONS

AT_MS = 1_714_564_800_000
DECODER = Decoder("EUR")


def canonical(event: str = "Product Viewed", **fields: Any) -> dict[str, Any]:
    own = {"product": {"product_id": "p1"}} if event == "Product Viewed" else {}
    return {"event": event, "message_id": "m1", "timestamp_ms": AT_MS, "user_id": "u1", **own, **fields}


def decode(value: Any) -> Arrival | Problem:
    return DECODER.decode(value if isinstance(value, bytes) else json.dumps(value).encode(), AT_MS + 1000)


def accept(value: Any) -> Arrival:
    found = decode(value)
    assert isinstance(found, Arrival), found
    return found


def refuse(value: Any) -> str:
    found = decode(value)
    assert isinstance(found, Problem), found
    assert found.reason in REASONS
    assert 0 < len(found.detail) <= 300
    return found.reason


def test_a_canonical_event_arrives_as_it_was_sent() -> None:
    assert accept(canonical(received_at_ms=AT_MS + 5)) == Arrival(
        ProductViewed(
            message_id="m1",
            timestamp_ms=AT_MS,
            received_at_ms=AT_MS + 5,
            user_id="u1",
            product=Product(product_id="p1"),
        ),
        time_ms=AT_MS,
        received_ms=AT_MS + 5,
        customer="user_id:u1",
        home="u1",
    )


# --- whose it is --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strongest,customer", [
    (0, "user_id:u"), (1, "email:e@x.org"), (2, "phone:+4930901820"), (3, "loyalty_id:l"), (4, "anonymous_id:a"),
])  # fmt: skip
def test_the_strongest_identifier_says_whose_it_is(strongest: int, customer: str) -> None:
    ids = {
        "user_id": "u",
        "email": "E@x.org",
        "phone": "+49 30 901820",
        "loyalty_id": "l",
        "anonymous_id": "a",
        "cart_token": "t",
    }
    named = canonical() | {"user_id": None} | dict(list(ids.items())[strongest:])

    arrival = accept(named)

    assert (arrival.customer, arrival.home) == (customer, customer.split(":", 1)[1])


def test_an_email_address_is_the_same_however_it_is_typed() -> None:
    event = accept(canonical(user_id=None, email="  Ann.Lee+shop@Example.ORG ")).event

    assert event.email == "ann.lee+shop@example.org"


@pytest.mark.parametrize("nobody", [
    " ", "anonymous", "GUEST", " Guest ", "distinct_id", "id", "email", "undefined", "true", "false", "NaN", "None", "null",
    "nil", "[object Object]", "not_authenticated", "unknown", "N/A", "0", "-", "-1", "00000000-0000-0000-0000-000000000000",
])  # fmt: skip
def test_an_identifier_that_identifies_nobody_counts_as_absent(nobody: str) -> None:
    arrival = accept(canonical(user_id=nobody, anonymous_id="a1"))

    assert (arrival.customer, arrival.event.user_id) == ("anonymous_id:a1", None)
    assert refuse(canonical(user_id=nobody)) == "no_customer"


@pytest.mark.parametrize("somebody", ["10", "guest1", "nullius", "0-1", "true@x.org"])
def test_an_identifier_that_only_looks_like_nobody_counts(somebody: str) -> None:
    assert accept(canonical(user_id=somebody)).customer == f"user_id:{somebody}"


def test_a_phone_number_that_is_none_identifies_nobody_and_does_not_cost_the_event() -> None:
    assert accept(canonical(user_id=None, anonymous_id="a1", phone="1111111111")).event.phone is None
    assert refuse(canonical(user_id=None, phone="1111111111")) == "no_customer"


def test_a_national_phone_number_is_one_of_the_shops_country() -> None:
    swiss = Decoder("CHF", phone_region="CH")
    value = json.dumps(canonical(user_id=None, phone="044 668 18 00")).encode()

    arrival = swiss.decode(value, AT_MS)

    assert isinstance(arrival, Arrival)
    assert (arrival.customer, arrival.home) == ("phone:+41446681800", "+41446681800")
    assert refuse(canonical(user_id=None, phone="044 668 18 00")) == "no_customer"


def test_an_order_that_names_nobody_is_anonymous_and_lives_by_its_order_id() -> None:
    arrival = accept(canonical("Order Completed", user_id="guest", order_id="o7"))

    assert (arrival.customer, arrival.home) == (ANONYMOUS, "o7")


def test_an_order_that_names_only_its_cart_belongs_to_that_cart() -> None:
    arrival = accept(canonical("Order Completed", user_id=None, order_id="o7", cart_token=" t1 "))

    assert (arrival.customer, arrival.home, arrival.event.cart_token) == ("cart_token:t1", "t1", "t1")
    assert accept(canonical(cart_token="null")).event.cart_token is None


@pytest.mark.parametrize("named,home", [
    ({"product_id": "p", "variant_id": "v"}, "p"), ({"variant_id": "v", "sku": "s"}, "v"), ({"sku": "s"}, "s"),
    ({"inventory_item_id": "i"}, "i"),
])  # fmt: skip
def test_an_event_of_the_catalogue_is_the_shops_and_lives_by_its_product(named: dict[str, str], home: str) -> None:
    arrival = accept(canonical("Product Stock Changed", user_id=None, available=-2, **named))

    assert (arrival.customer, arrival.home) == (SHOP, home)


def test_an_event_of_the_shop_names_a_product_and_no_customer() -> None:
    assert refuse(canonical("Product Price Changed", user_id=None, price_minor=5)) == "missing_field"
    assert refuse(canonical("Product Price Changed", product_id="p", price_minor=5)) == "bad_id"
    assert (
        refuse(canonical("Erase Shop", shop_id="x.example", request_id="r", cart_token="t", user_id=None)) == "bad_id"
    )
    assert accept(canonical("Erase Shop", shop_id="x.example", request_id="r", user_id=None)).home == "r"


def test_a_privacy_command_is_the_customers() -> None:
    arrival = accept(
        canonical("Erase Customer", user_id=None, email="Ada@x.org", phone="+49 30 901820", request_id="r1")
    )

    assert (arrival.customer, arrival.event.phone) == ("email:ada@x.org", "+4930901820")


def test_a_record_is_one_event_and_says_where_it_belongs_when_it_is_not() -> None:
    batch = [
        {"type": "page", "userId": "u", "messageId": f"m{n}", "timestamp": "2024-05-01T12:00:00Z"} for n in range(2)
    ]

    found = decode({"batch": batch})

    assert isinstance(found, Problem)
    assert found.reason == "several_events"
    assert "2 events" in found.detail
    assert "regulars feed" in REASONS[found.reason].remedy
    assert refuse({"batch": []}) == "no_event"
    assert accept({"batch": batch[:1]}).event.message_id == "m0"


def test_all_events_of_a_record_are_given_on_demand_the_bad_ones_with_their_reasons() -> None:
    call = {"type": "page", "userId": "u", "timestamp": "2024-05-01T12:00:00Z"}
    batch = [{**call, "messageId": "m1"}, {**call, "type": "shout"}, 5, {**call, "messageId": "m2", "userId": "guest"}]

    found = DECODER.decode_all(json.dumps({"batch": batch}).encode(), 0)

    assert [what.reason if isinstance(what, Problem) else what.event.message_id for what in found] == [
        "m1", "unknown_event", "missing_field", "no_customer",
    ]  # fmt: skip
    assert DECODER.decode_all(json.dumps({"batch": []}).encode(), 0) == []
    assert DECODER.decode_all(MESSAGE, AT_MS) == [DECODER.decode(MESSAGE, AT_MS)]
    assert DECODER.decode_all(b"no", 0) == [DECODER.decode(b"no", 0)]
    assert DECODER.decode_all(None, 0) == [DECODER.decode(None, 0)]


def test_the_default_source_stands_where_the_event_names_none() -> None:
    decoder = Decoder("EUR", default_source="web")

    def source(**fields: Any) -> str:
        found = decoder.decode(json.dumps(canonical(**fields)).encode(), 0)
        assert isinstance(found, Arrival)
        return found.event.source

    assert (source(), source(source="till")) == ("web", "till")


# --- poison -------------------------------------------------------------------------------------------------------

MESSAGE = json.dumps(canonical()).encode()


def with_raw(field: bytes, event: str = "Product Viewed", **fields: Any) -> bytes:
    """A valid event with a further field, given as raw JSON text; of two equal names the later one counts."""
    return json.dumps(canonical(event, **fields)).encode()[:-1] + b"," + field + b"}"


@pytest.mark.parametrize(
    "value,reason",
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"not json", "not_json"),
        (MESSAGE[:-1], "not_json"),
        (MESSAGE + b"x", "not_json"),
        (b"\xef\xbb\xbf" + MESSAGE, "not_json"),
        (MESSAGE.decode().encode("utf-16-le"), "not_json"),
        (MESSAGE.decode().encode("utf-16"), "not_utf8"),
        (with_raw(b'"user_id":"\xff"'), "not_utf8"),
        (with_raw(b'"user_id":"\xed\xa0\x80"'), "not_utf8"),
        (with_raw(b'"user_id":"\\ud800"'), "not_json"),
        (with_raw(b'"user_id":"\\udc00\\ud800"'), "not_json"),
        (with_raw(b'"user_id":"a\x00b"'), "not_json"),
        (with_raw(b'"rest":NaN'), "not_json"),
        (with_raw(b'"rest":-Infinity'), "not_json"),
        (with_raw(b'"rest":01'), "not_json"),
        (b"[]", "not_object"),
        (b"[" + MESSAGE + b"]", "not_object"),
        (b"1", "not_object"),
        (b"-0.0", "not_object"),
        (b"null", "not_object"),
        (b"true", "not_object"),
        (b'"text"', "not_object"),
        (b"{}", "unknown_shape"),
        (b'{"order":1}', "unknown_shape"),
        (json.dumps(canonical("Teapot Boiled")).encode(), "unknown_event"),
        (with_raw(b'"event":5'), "wrong_type"),
        (with_raw(b'"event":null'), "wrong_type"),
        (b'{"event":"Product Viewed"}', "missing_field"),
        (json.dumps(canonical() | {"product": {}}).encode(), "missing_field"),
        (with_raw(b'"timestamp_ms":"2024-05-01"'), "wrong_type"),
        (with_raw(b'"timestamp_ms":1.5'), "wrong_type"),
        (with_raw(b'"timestamp_ms":-1'), "out_of_bounds"),
        (with_raw(b'"timestamp_ms":18446744073709551616'), "out_of_bounds"),
        (with_raw(b'"timestamp_ms":1714564800000000'), "out_of_bounds"),
        (with_raw(b'"timestamp_ms":1714564800'), "number_out_of_range"),
        (with_raw(b'"timestamp_ms":1714564800,"received_at_ms":1714564800000'), "number_out_of_range"),
        (with_raw(b'"timestamp_ms":1e400'), "number_out_of_range"),
        (with_raw(b'"product":{"product_id":"p","quantity":1e400}'), "number_out_of_range"),
        (with_raw(b'"product":{"product_id":"p","quantity":-1}'), "out_of_bounds"),
        (with_raw(b'"product":{"product_id":"p","price_minor":10000000000000000}'), "out_of_bounds"),
        (with_raw(b'"product":{"product_id":"p","position":18446744073709551616}'), "out_of_bounds"),
        (with_raw(b'"product":[]'), "wrong_type"),
        (with_raw(b'"user_id":5'), "wrong_type"),
        (with_raw(b'"user_id":""'), "out_of_bounds"),
        (with_raw(b'"user_id":"' + b"x" * 257 + b'"'), "out_of_bounds"),
        (with_raw(b'"user_id":"' + b"x" * 900_000 + b'"'), "out_of_bounds"),
        (with_raw(b'"user_id":"a\\u0000b"'), "bad_id"),
        (with_raw(b'"user_id":"a\\nb"'), "bad_id"),
        (with_raw(b'"product":{"product_id":"p\\u001f"}'), "bad_id"),
        (with_raw(b'"currency":"eur"'), "out_of_bounds"),
        (with_raw(b'"consent":[{"state":"MAYBE"}]'), "wrong_type"),
        (with_raw(b'"traits":{"a":18446744073709551616}', "Identified"), "out_of_bounds"),
        (with_raw(b'"traits":{"a":' + b"9" * 400 + b"}", "Identified"), "out_of_bounds"),
        (with_raw(b'"traits":{"a":' + b"9" * 5000 + b"}", "Identified"), "number_out_of_range"),
        (with_raw(b'"traits":{"a":1e400}', "Identified"), "number_out_of_range"),
        (with_raw(b'"traits":{"a":' + b"[" * 9 + b"]" * 9 + b"}", "Identified"), "out_of_bounds"),
        (with_raw(b'"traits":{"a":"' + b"x" * 1025 + b'"}', "Identified"), "out_of_bounds"),
        (json.dumps(canonical("Identified", traits={str(n): n for n in range(65)})).encode(), "out_of_bounds"),
        (json.dumps(canonical("Order Completed", order_id="o", products=[{"product_id": "p"}] * 501)).encode(),
         "out_of_bounds"),
        (json.dumps(canonical("Aliased", previous_id="null")).encode(), "missing_field"),
        (json.dumps(canonical("Order Completed", order_id="None")).encode(), "missing_field"),
        (json.dumps(canonical("Order Refunded", order_id=" ")).encode(), "missing_field"),
        (json.dumps(canonical("Order Fulfilled", order_id="0")).encode(), "missing_field"),
        (b'"' + b"x" * 10_000_000 + b'"', "too_large"),
        (b"[" * 500_000, "too_deep"),
        (with_raw(b'"rest":' + b"[" * 1024 + b"]" * 1024), "too_deep"),
        (with_raw(b'"rest":' + b'{"a":' * 2000 + b"1" + b"}" * 2000), "too_deep"),
        (b'"' + b"\\" * 900_000, "not_json"),
        (b'"' * 999_999, "not_json"),
    ],
    ids=lambda value: repr(value[-40:]) if isinstance(value, bytes) else value,
)  # fmt: skip
def test_poison_is_refused_with_its_reason(value: bytes, reason: str) -> None:
    assert refuse(value) == reason


def test_a_tombstone_is_refused() -> None:
    found = DECODER.decode(None, AT_MS)

    assert isinstance(found, Problem)
    assert found.reason == "tombstone"


@pytest.mark.parametrize("raw,expected", [
    (b'"user_id":"second"', "second"),
    (b'"user_id":"\xd7\xa9\xe2\x80\xae\xcc\x81"', "ש\u202e\u0301"),
    (b'"user_id":"\\ud83d\\ude00"', "😀"),
    (b'"user_id":"\\/a\\"b\\\\"', '/a"b\\'),
    (b'"rest":1e400,"user_id":"u2"', "u2"),
    (b'"rest":18446744073709551616,"user_id":"u3"', "u3"),
], ids=["duplicate key", "bidi and combining", "surrogate pair", "escapes", "1e400 unread", "2^64 unread"])  # fmt: skip
def test_what_is_odd_but_whole_is_taken(raw: bytes, expected: str) -> None:
    arrival = accept(with_raw(raw))

    assert arrival.home == expected
    assert orjson.loads(orjson.dumps(msgspec.to_builtins(arrival.event)))["user_id"] == expected


def test_an_event_at_the_allowed_depth_is_taken_and_one_deeper_is_not() -> None:
    def nested(levels: int) -> bytes:  # the event itself is one level
        return with_raw(b'"rest":' + b"[" * (levels - 1) + b"]" * (levels - 1))

    assert isinstance(decode(nested(MAX_DEPTH)), Arrival)
    assert refuse(nested(MAX_DEPTH + 1)) == "too_deep"


def test_brackets_in_text_are_no_depth() -> None:
    assert accept(with_raw(b'"referrer":"' + b"[{" * 500 + b'\\""')).customer == "user_id:u1"
    assert depth(b'{"[": [["]"]]}') == 3


def test_a_wide_order_is_not_taken_for_a_deep_one() -> None:
    event = accept(canonical("Order Completed", order_id="o", products=[{"product_id": "p"}] * 500)).event

    assert isinstance(event, OrderCompleted)
    assert len(event.products) == 500


def test_the_size_limit_is_a_setting() -> None:
    small = Decoder("EUR", max_bytes=500)
    large = json.dumps(canonical(referrer="x" * 600)).encode()

    found = small.decode(large, 0)

    assert isinstance(found, Problem)
    assert found.reason == "too_large"
    assert isinstance(small.decode(MESSAGE, 0), Arrival)
    with pytest.raises(ValueError, match="max_bytes"):
        Decoder("EUR", max_bytes=10)


def test_a_detail_names_the_field() -> None:
    found = decode(with_raw(b'"product":{"product_id":"p","price_minor":"5"}'))

    assert isinstance(found, Problem)
    assert "$.product.price_minor" in found.detail


def test_seconds_in_the_place_of_milliseconds_are_told_as_that() -> None:
    found = decode(canonical(timestamp_ms=AT_MS // 1000))

    assert found == Problem(
        "number_out_of_range", "event time 1714564800 is in seconds, and not in milliseconds since 1970"
    )


def test_a_clock_that_was_not_set_is_corrected_by_when_it_sent_the_event() -> None:
    arrival = accept(
        canonical(timestamp_ms=60_000, original_timestamp_ms=60_000, sent_at_ms=90_000, received_at_ms=AT_MS)
    )

    assert arrival.time_ms == AT_MS - 30_000


def test_a_consent_that_would_be_given_in_the_future_was_given_with_its_event() -> None:
    def decided(at_ms: int, decoder: Decoder = DECODER, record_ms: int = AT_MS + 1000, **fields: Any) -> int | None:
        sent = canonical("Consent Changed", consent=[{"state": "DENY", "at_ms": 5}, {"state": "GRANT", "at_ms": at_ms}])
        found = decoder.decode(json.dumps(sent | fields).encode(), record_ms)
        assert isinstance(found, Arrival)
        assert found.event.consent[0].at_ms == 5
        return found.event.consent[1].at_ms

    year_ms = 365 * 86_400_000

    assert decided(AT_MS + 60_000) == AT_MS + 60_000
    assert decided(AT_MS + year_ms) is None
    assert decided(AT_MS + year_ms, received_at_ms=AT_MS) is None
    # In a history that does not say when it was received nothing is later than the present.
    past = Decoder("EUR", latest_ms=AT_MS + year_ms)
    assert decided(AT_MS + year_ms, past, 0) == AT_MS + year_ms
    assert decided(AT_MS + 2 * year_ms, past, 0) is None


def test_a_version_of_an_order_from_the_future_is_of_the_time_of_its_event() -> None:
    def updated(at_ms: int) -> int | None:
        event = accept(canonical("Order Updated", order_id="o1", updated_at_ms=at_ms)).event
        assert isinstance(event, OrderUpdated)
        return event.updated_at_ms

    assert (updated(AT_MS + 60_000), updated(253_370_764_800_000)) == (AT_MS + 60_000, None)


def test_traits_within_the_bounds_are_kept() -> None:
    traits = {"tags": ["a", {"b": None}], "score": 1.5, "big": 2**63 - 1}
    event = accept(canonical("Identified", traits=traits)).event

    assert isinstance(event, Identified)
    assert event.traits == traits


def test_an_alias_names_who_she_was_before() -> None:
    event = accept(canonical("Aliased", previous_id="a9")).event

    assert isinstance(event, Aliased)
    assert event.previous_id == "a9"


def test_every_reason_the_decoder_gives_is_explained() -> None:
    assert all(reason.happened and reason.remedy for reason in REASONS.values())
