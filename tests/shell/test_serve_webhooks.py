"""Webhooks in: signatures over raw bytes, two secrets while they are exchanged, repeats known by their delivery id."""

import base64
import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.adapters.shopify import envelope
from schemas.decode import Decoder
from schemas.events import Arrival
from streams.serve.answer import Answer, Refusal
from streams.serve.signatures import check_shopify, check_standard, standard_secret
from tests.shell.serve_kit import NOW_MS, SHOPIFY_SECRETS, STANDARD_SECRET, Site, refused, site, viewed

NOW_S = NOW_MS // 1000
GOLDEN = Path(__file__).parents[1] / "golden/adapters"

# --- published vectors ----------------------------------------------------------------------------------------------

STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
"""The reference vector of Standard Webhooks, as its libraries test it."""


def test_the_reference_vector_of_standard_webhooks_fits() -> None:
    keys = (standard_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),)

    assert check_standard(STANDARD, b'{"test": 2432232314}', keys, 1614265330) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_a_published_vector_of_shopifys_signature_fits() -> None:
    """From the documentation of SQLPage's hmac function, which shows it for Shopify."""
    headers = {"x-shopify-hmac-sha256": "QNyObTlKbMx2qDlPF/ZOZcBqg5OgPg+2oky3zldc0Gw=", "x-shopify-webhook-id": "d1"}
    body = b'{"id":1234567890,"email":"customer@example.com","total_price":"123.45"}'

    assert check_shopify(headers, body, (b"test-webhook-secret",)) == "d1"
    with pytest.raises(Refusal):
        check_shopify(headers, body + b" ", (b"test-webhook-secret",))


# --- Standard Webhooks ----------------------------------------------------------------------------------------------


def signed(
    body: bytes, *, at_s: int = NOW_S, secret: str = STANDARD_SECRET, message_id: str = "msg_1"
) -> dict[str, str]:
    digest = hmac.digest(standard_secret(secret), f"{message_id}.{at_s}.".encode() + body, sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def deliver(shop: Site, message: Any, path: str = "/v1/webhooks/partner", **changes: str) -> Answer:
    body = json.dumps(message).encode()
    return shop.ask(
        "POST", path, body, signed(body) | {name.replace("_", "-"): value for name, value in changes.items()}
    )


def test_a_signed_call_becomes_an_event_of_its_source_under_the_deliverys_id() -> None:
    shop = site()
    call = viewed()
    del call["messageId"]

    assert deliver(shop, call).status == 200
    assert deliver(shop, {"batch": [call, call]}).status == 200

    assert [(event["source"], event["source_kind"], event["message_id"]) for event in shop.events] == [
        ("partner", "server", "msg_1:0"),
        ("partner", "server", "msg_1:0"),
        ("partner", "server", "msg_1:1"),
    ]


@pytest.mark.parametrize(
    "source, message",
    [
        (
            "ga4",
            {"client_id": "c1", "user_properties": {"tier": {"value": "gold"}}, "events": [{"name": "login"}] * 2},
        ),
        ("data_layer", {"client_id": "c1", "event": "add_to_cart", "ecommerce": {"items": [{"item_id": "tea"}]}}),
        ("data_layer", {"client_id": "c1", "0": "consent", "1": "update", "2": {"ad_storage": "denied"}}),
        ("braze", {"attributes": [{"external_id": "ada", "tier": "gold"}]}),
    ],
)
def test_a_delivery_that_is_tried_again_later_is_the_same_though_it_says_no_time(
    source: str, message: dict[str, Any]
) -> None:
    shop = site(webhooks={source: {"scheme": "standard", "secrets": [STANDARD_SECRET], "format": source}})
    body, path = json.dumps(message).encode(), f"/v1/webhooks/{source}"

    for minute, delivery in ((0, "msg_1"), (4, "msg_1"), (4, "msg_2")):
        shop.now_ms = NOW_MS + minute * 60_000
        assert shop.ask("POST", path, body, signed(body, at_s=shop.now_ms // 1000, message_id=delivery)).status == 200

    ids = [event["message_id"] for event in shop.events]
    once = len(ids) // 3
    first, again, another = ids[:once], ids[once : 2 * once], ids[2 * once :]
    assert once == len(set(first)) > 0
    assert first == again
    assert not set(first) & set(another)


def test_several_signatures_may_stand_in_the_header_and_one_that_fits_is_enough() -> None:
    shop = site()
    body = json.dumps(viewed()).encode()
    right = signed(body)["webhook-signature"]

    assert deliver(shop, viewed(), webhook_signature=f"v1,AAAA v1a,xxxx {right}").status == 200
    assert refused(deliver(shop, viewed(), webhook_signature="v1,AAAA v2,BBBB")) == (401, "bad_signature")


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook_signature": ""},
        {"webhook_signature": "v1"},
        {"webhook_signature": "v1,not base64"},
        {"webhook_id": "msg_2"},
        {"webhook_id": ""},
        {"webhook_id": "x" * 201},
        {"webhook_id": "mésg"},
        {"webhook_timestamp": str(NOW_S + 1)},
        {"webhook_timestamp": ""},
        {"webhook_timestamp": "soon"},
        {"webhook_timestamp": "9" * 400},
        {"webhook_timestamp": "-1"},
    ],
)
def test_a_call_that_was_not_signed_like_this_is_refused(changes: dict[str, str]) -> None:
    shop = site()

    assert refused(deliver(shop, viewed(), **changes)) == (401, "bad_signature")
    assert shop.log.rows == []


@pytest.mark.parametrize(
    "skew_s,taken", [(0, True), (300, True), (-300, True), (301, False), (-301, False), (-86_400, False)]
)
def test_a_stale_call_is_refused_though_its_signature_fits(skew_s: int, taken: bool) -> None:
    shop = site()
    body = json.dumps(viewed()).encode()

    answer = shop.ask("POST", "/v1/webhooks/partner", body, signed(body, at_s=NOW_S + skew_s))

    assert answer.status == 200 if taken else refused(answer) == (401, "stale")


def test_a_changed_byte_of_the_body_breaks_the_signature() -> None:
    shop = site()
    body = json.dumps(viewed()).encode()

    answer = shop.ask("POST", "/v1/webhooks/partner", body.replace(b"m1", b"m2"), signed(body))

    assert refused(answer) == (401, "bad_signature")


# --- messaging systems ----------------------------------------------------------------------------------------------

CIO_SECRETS = ("the-new-signing-key", "the-old-signing-key")
MESSAGING: dict[str, Any] = {
    "customerio": {"scheme": "customerio", "secrets": list(CIO_SECRETS)},
    "braze": {"scheme": "bearer", "secrets": ["0p3n5354m3=="], "format": "braze"},
    "crm": {"scheme": "bearer", "secrets": ["0p3n5354m3=="]},
}


def of_customerio(body: bytes, secret: str = CIO_SECRETS[0], at_s: int = NOW_S, prefix: str = "") -> dict[str, str]:
    digest = hmac.digest(secret.encode(), b"v0:%d:%s" % (at_s, body), sha256)
    return {"X-CIO-Timestamp": str(at_s), "X-CIO-Signature": f"{prefix}{digest.hex()}"}


def test_what_customer_io_tells_of_its_messages_is_known_of_the_customer() -> None:
    shop = site(webhooks=MESSAGING)
    body = (GOLDEN / "customerio/mail_marked_as_spam.json").read_bytes()

    assert shop.ask("POST", "/v1/webhooks/customerio", body, of_customerio(body)).status == 200
    assert (
        shop.ask("POST", "/v1/webhooks/customerio", body, of_customerio(body, CIO_SECRETS[1], prefix="v0=")).status
        == 200
    )

    assert [(event["event"], event["source"], event["user_id"]) for event in shop.events] == [
        ("Message Marked as Spam", "customerio", "ada")
    ] * 2
    assert len({event["message_id"] for event in shop.events}) == 1


def test_what_customer_io_did_not_sign_is_refused() -> None:
    shop = site(webhooks=MESSAGING)
    body, path = b'{"event_id":"1"}', "/v1/webhooks/customerio"
    good, week = of_customerio(body), 7 * 86_400

    assert refused(shop.ask("POST", path, body + b" ", good)) == (401, "bad_signature")
    assert refused(shop.ask("POST", path, body, of_customerio(body, "another key"))) == (401, "bad_signature")
    for damage in ({"X-CIO-Timestamp": str(NOW_S - 1)}, {"X-CIO-Timestamp": "soon"}, {"X-CIO-Signature": "mé"}):
        assert refused(shop.ask("POST", path, body, good | damage)) == (401, "bad_signature")
    assert refused(shop.ask("POST", path, body)) == (401, "bad_signature")
    # It tries for a week, under the time of its first try for all that is known.
    assert shop.ask("POST", path, body, of_customerio(body, at_s=NOW_S - week)).status == 200
    assert refused(shop.ask("POST", path, body, of_customerio(body, at_s=NOW_S - 2 * week))) == (401, "stale")


def test_currents_are_taken_with_their_token_and_an_empty_call_asks_whether_it_is_good() -> None:
    shop = site(webhooks=MESSAGING)
    body = (GOLDEN / "braze/messages_told_by_currents.json").read_bytes()
    good = {"Authorization": "Bearer 0p3n5354m3=="}

    bodies: list[Any] = [body, b"", {"events": []}]
    assert [shop.ask("POST", "/v1/webhooks/braze", told, good).status for told in bodies] == [200, 200, 200]
    headers: dict[str, str]
    for headers in ({}, {"Authorization": "Bearer 0p3n5354m3="}, {"Authorization": "Basic 0p3n5354m3=="}):
        assert refused(shop.ask("POST", "/v1/webhooks/braze", b"", headers)) == (401, "bad_signature")

    assert len(shop.events) == 9
    assert shop.rejected == []
    assert {event["source"] for event in shop.events} == {"braze"}


def test_a_call_with_a_token_and_without_an_id_is_the_same_when_it_comes_again() -> None:
    shop = site(webhooks=MESSAGING)
    for user in ("ada", "ada", "bob"):
        call = {"type": "track", "event": "Message Opened", "userId": user}
        assert shop.ask("POST", "/v1/webhooks/crm", call, {"Authorization": "Bearer 0p3n5354m3=="}).status == 200

    first, again, another = (event["message_id"] for event in shop.events)
    assert first == again != another


# --- Shopify --------------------------------------------------------------------------------------------------------


def of_shopify(body: bytes, secret: str = SHOPIFY_SECRETS[0], delivery: str = "delivery-1") -> dict[str, str]:
    return {
        "X-Shopify-Hmac-SHA256": base64.b64encode(hmac.digest(secret.encode(), body, sha256)).decode(),
        "X-Shopify-Webhook-Id": delivery,
        "X-Shopify-Topic": "orders/create",
        "X-Shopify-Shop-Domain": "myshop.myshopify.com",
    }


def golden(source: str, name: str) -> tuple[str, bytes]:
    """Topic and body of a webhook of tests/golden/adapters."""
    recorded = json.loads((GOLDEN / source / f"{name}.json").read_bytes())
    headers = {name.lower(): value for name, value in recorded["headers"].items()}
    return headers["x-shopify-topic"], json.dumps(recorded["body"]).encode()


def test_an_order_of_shopify_becomes_the_events_that_the_same_order_on_a_topic_becomes() -> None:
    shop = site()
    topic, body = golden("shopify", "order_with_tax_on_top")

    assert refused(shop.ask("POST", "/v1/webhooks/shopify/myshop", body, of_shopify(body, "wrong"))) == (
        401,
        "bad_signature",
    )
    headers = {**of_shopify(body), "X-Shopify-Topic": topic}
    assert shop.ask("POST", "/v1/webhooks/shopify/myshop", body, headers).status == 200
    (order,) = [event for event in shop.events if event["event"] == "Order Completed"]
    assert (order["source"], order["source_kind"]) == ("myshop", "server")
    # The same as from a topic, but for who brought it and when.
    (arrival,) = Decoder("EUR").decode_all(envelope(headers, body), NOW_MS)
    assert isinstance(arrival, Arrival)
    expected = msgspec.structs.replace(
        arrival.event, source="myshop", source_kind="server", received_at_ms=NOW_MS, message_id=order["message_id"]
    )
    assert msgspec.json.decode(msgspec.json.encode(expected)) == order


def test_a_body_of_another_sender_is_set_aside_with_the_reason() -> None:
    shop = site()

    assert deliver(shop, {"what": "is this"}, path="/v1/webhooks/currents").status == 200
    assert [row["reason"] for row in shop.rejected] == ["unknown_shape"]
    assert "Braze" in shop.rejected[0]["detail"]


def test_while_a_secret_is_exchanged_both_are_good_and_afterwards_only_the_new_one() -> None:
    body = json.dumps(viewed()).encode()
    both = site(webhooks={"old_till": {"scheme": "shopify", "secrets": list(SHOPIFY_SECRETS), "format": "segment"}})
    one = site()
    path = "/v1/webhooks/shopify/old_till"

    assert [both.ask("POST", path, body, of_shopify(body, secret)).status for secret in SHOPIFY_SECRETS] == [200, 200]
    assert [one.ask("POST", path, body, of_shopify(body, secret)).status for secret in SHOPIFY_SECRETS] == [200, 401]


def test_repeats_of_a_delivery_carry_the_same_message_ids() -> None:
    shop = site()
    call = viewed()
    del call["messageId"]
    body = json.dumps(call).encode()

    for delivery in ("delivery-1", "delivery-1", "delivery-2"):
        shop.ask("POST", "/v1/webhooks/shopify/old_till", body, of_shopify(body, delivery=delivery))
        shop.now_ms += 3_600_000

    assert [event["message_id"] for event in shop.events] == ["delivery-1:0", "delivery-1:0", "delivery-2:0"]


@pytest.mark.parametrize("headers", [{}, {"X-Shopify-Hmac-SHA256": "AAAA"}, {"X-Shopify-Hmac-SHA256": "é"}])
def test_an_unsigned_delivery_is_refused(headers: dict[str, str]) -> None:
    assert refused(site().ask("POST", "/v1/webhooks/shopify/old_till", b"{}", headers)) == (401, "bad_signature")


def test_a_delivery_without_an_id_is_refused_since_its_repeats_could_not_be_told() -> None:
    body = json.dumps(viewed()).encode()
    headers = of_shopify(body)
    del headers["X-Shopify-Webhook-Id"]

    assert refused(site().ask("POST", "/v1/webhooks/shopify/old_till", body, headers)) == (400, "wrong_shape")


@pytest.mark.parametrize(
    "path", ["/v1/webhooks/nobody", "/v1/webhooks/old_till", "/v1/webhooks/shopify/partner", "/v1/webhooks/web"]
)
def test_a_name_that_is_no_webhook_of_this_scheme_is_not_found(path: str) -> None:
    assert refused(site().ask("POST", path, b"{}")) == (404, "not_found")


def test_a_signed_body_that_is_no_event_is_set_aside_and_answered_well_so_that_it_is_not_repeated() -> None:
    shop = site()

    assert deliver(shop, {"hello": "world"}).status == 200
    assert [(found["reason"], found["topic"]) for found in shop.rejected] == [("unknown_shape", "http/partner")]


def test_a_body_of_many_events_that_nobody_knows_is_set_aside_once_for_each_reason_and_the_good_ones_are_taken() -> (
    None
):
    shop = site()
    common = {
        "external_id": "u1",
        "time": "2026-03-01T12:00:00Z",
        "properties": {"product_id": "p1", "filler": "x" * 500},
    }
    unknown = [{"name": f"custom_{number}", **common} for number in range(300)]
    body = {"events": [*unknown, {"name": "ecommerce.product_viewed", **common}, {"name": "", **common}]}

    assert deliver(shop, body, "/v1/webhooks/currents").status == 200

    assert [event["event"] for event in shop.events] == ["Product Viewed"]
    assert [found["reason"] for found in shop.rejected] == ["unknown_event", "missing_field"]
    assert shop.rejected[0]["detail"] == "events[0].name: no event 'custom_0' is known (the first of 300)"
    assert shop.metric("regulars_collect_rejected_total", source="currents", reason="unknown_event") == 300


def test_a_signed_body_that_is_nested_too_deeply_is_set_aside_as_that() -> None:
    shop = site()

    assert deliver(shop, {"name": "ecommerce.product_viewed", "x": deep(300)}, "/v1/webhooks/currents").status == 200
    assert [found["reason"] for found in shop.rejected] == ["too_deep"]


def deep(levels: int) -> Any:
    made: Any = []
    for _ in range(levels):
        made = [made]
    return made


def test_a_signed_body_that_is_no_json_is_refused() -> None:
    shop = site()

    assert refused(shop.ask("POST", "/v1/webhooks/partner", b"{", signed(b"{"))) == (400, "not_json")
