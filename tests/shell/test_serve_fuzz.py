"""Whatever bytes come in, there is an answer of the contract, the log gets only records it can use, and nothing is left held."""

import asyncio
import gzip
import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decode import Decoder
from schemas.events import AnyEvent, Arrival
from schemas.reasons import REASONS
from schemas.topics import CONSUMED
from streams.home import home_partition
from streams.serve.answer import REASONS as REFUSALS
from tests.shell.serve_kit import BACK_KEY, NOW_MS, PARTITIONS, WEB_KEY, Site, basic, site, viewed

STATUSES = {200, 204, 304, *(reason.status for reason in REFUSALS.values())} - {500}
_event = msgspec.json.Decoder(AnyEvent).decode

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["u1", "2026-03-01T00:00:00Z", "guest", "\u0000", "-1", "9.90", "EUR"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "type",
    "event",
    "userId",
    "anonymousId",
    "messageId",
    "timestamp",
    "originalTimestamp",
    "sentAt",
    "receivedAt",
)
NAMES = (
    "track",
    "identify",
    "alias",
    "group",
    "page",
    "Product Viewed",
    "Order Completed",
    "Product Added",
    "Order Refunded",
)
messages = st.dictionaries(
    st.sampled_from((*FIELDS, "properties", "traits", "context", "integrations", "previousId", "groupId")),
    st.sampled_from(NAMES)
    | values
    | st.dictionaries(
        st.sampled_from(
            ("order_id", "product_id", "products", "price", "currency", "email", "consent", "quantity", "page")
        ),
        values
        | st.lists(st.dictionaries(st.sampled_from(("product_id", "price", "cost")), values, max_size=3), max_size=3),
        max_size=5,
    ),
    max_size=8,
)
bodies = (
    st.binary(max_size=300)
    | messages.map(lambda message: json.dumps(message).encode())
    | st.lists(messages | values, max_size=4).map(lambda batch: json.dumps({"batch": batch}).encode())
    | st.dictionaries(
        st.sampled_from(("batch", "context", "sentAt", "writeKey", "integrations")), values, max_size=4
    ).map(lambda body: json.dumps(body).encode())
)
header_values = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30)


def check(shop: Site) -> None:
    """Everything written can be used: events by a worker as they are, refusals by a person."""
    for row in shop.log.rows:
        assert 0 <= row.partition < PARTITIONS
        if row.topic == "rejected":
            assert json.loads(row.value)["reason"] in set(REASONS) - {"decoder_failed"}
            continue
        assert row.topic in CONSUMED
        arrival = Decoder("EUR").decode(row.value, NOW_MS)
        assert isinstance(arrival, Arrival), arrival
        assert row.key == arrival.home.encode()
        assert row.partition == home_partition(arrival.home, PARTITIONS)
        assert _event(row.value).received_at_ms == NOW_MS
    assert shop.served.budget.bytes_held == 0


@settings(max_examples=150, deadline=None)
@given(
    body=bodies,
    path=st.sampled_from(["/v1/track", "/v1/identify", "/v1/alias", "/v1/batch", "/v1/b"]),
    key=st.sampled_from([WEB_KEY, BACK_KEY]),
    zipped=st.booleans(),
)
def test_any_body_gets_an_answer_of_the_contract(body: bytes, path: str, key: str, zipped: bool) -> None:
    shop = site()
    headers = basic(key) | ({"Content-Encoding": "gzip"} if zipped else {})

    answer = asyncio.run(shop.call("POST", path, gzip.compress(body) if zipped else body, headers))

    assert answer.status in {200, 400, 413}
    if answer.status != 200:
        assert shop.log.rows == []
    check(shop)


@settings(max_examples=100, deadline=None)
@given(
    batch=st.lists(messages | values, min_size=1, max_size=4),
    at=st.integers(0, 4),
    key=st.sampled_from([WEB_KEY, BACK_KEY]),
)
def test_a_good_message_comes_through_whatever_lies_around_it(batch: list[Any], at: int, key: str) -> None:
    shop = site()
    body = {"batch": [*batch[:at], viewed(77), *batch[at:]]}

    assert shop.post("/v1/batch", body, key=key).status == 200
    assert [event["message_id"] for event in shop.events].count("m77") == 1
    assert len(shop.log.rows) == len(batch) + 1
    check(shop)


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH", "TRACE"]),
    path=st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40).map(lambda tail: "/" + tail)
    | st.sampled_from(
        [
            "/v1/profiles/user_id:1",
            "/v1/privacy/erase",
            "/v1/privacy/requests/%00%ff",
            "/v1/profiles/%00:%ff/next",
            "/v1/webhooks/partner",
            "/v1/webhooks/shopify/myshop",
            "/beacon/v1/batch",
            "/v1/track",
            "/openapi.json",
        ]
    ),
    query=st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40),
    headers=st.dictionaries(
        st.sampled_from(
            [
                *("authorization", "content-type", "content-encoding", "content-length", "origin", "if-none-match"),
                *("access-control-request-method", "access-control-request-headers", "webhook-id", "webhook-timestamp"),
                *("webhook-signature", "x-shopify-hmac-sha256", "x-shopify-webhook-id"),
            ]
        ),
        header_values,
        max_size=6,
    ),
    body=st.binary(max_size=60),
)
def test_any_request_gets_an_answer_of_the_contract(
    method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    shop = site()

    answer = asyncio.run(shop.call(method, f"{path}?{query}" if query else path, body, headers))

    assert answer.status in STATUSES
    assert all(value.isprintable() for value in answer.headers.values()), "no header can be split"
    check(shop)
