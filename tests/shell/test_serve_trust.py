"""What a client key can and can't do, over HTTP; and which web pages may call at all (CORS)."""

from typing import Any

import pytest

from tests.shell.serve_kit import BACK_KEY, PAGE, WEB_KEY, refused, site, viewed

IDENTIFY = {
    "type": "identify",
    "messageId": "m1",
    "userId": "u1",
    "traits": {"name": "Ann", "vip": True, "loyaltyTier": "gold"},
}


def test_a_client_key_may_identify_a_user_and_is_marked_as_a_client() -> None:
    shop = site()

    shop.post("/v1/identify", IDENTIFY, key=WEB_KEY)

    (event,) = shop.events
    assert (event["user_id"], event["source_kind"]) == ("u1", "client")


def test_protected_traits_are_taken_out_of_what_a_client_key_says_and_counted() -> None:
    shop = site()

    shop.post("/v1/identify", IDENTIFY, key=WEB_KEY)
    shop.post("/v1/identify", IDENTIFY, key=BACK_KEY)

    assert [event["traits"] for event in shop.events] == [
        {"name": "Ann"},
        {"name": "Ann", "vip": True, "loyaltyTier": "gold"},
    ]
    assert shop.metric("regulars_collect_stripped_total", source="web") == 2
    assert shop.metric("regulars_collect_stripped_total", source="back") == 0


@pytest.mark.parametrize("name", ["V/IP", "v\u200bip", "\uff56\uff49\uff50", " VIP:"])
def test_no_spelling_of_a_protected_trait_is_a_way_around(name: str) -> None:
    shop = site()

    shop.post("/v1/identify", {"userId": "u1", "traits": {name: True, "name": "Ann"}}, key=WEB_KEY)

    assert [event["traits"] for event in shop.events] == [{"name": "Ann"}]


def test_which_traits_are_protected_is_a_setting() -> None:
    shop = site(serve={"protected_traits": ["Name"]})

    shop.post("/v1/identify", IDENTIFY, key=WEB_KEY)

    assert shop.events[0]["traits"] == {"vip": True, "loyaltyTier": "gold"}


@pytest.mark.parametrize(
    "message",
    [
        {"type": "alias", "userId": "u1", "previousId": "u2"},
        {"type": "track", "event": "Order Refunded", "userId": "u1", "properties": {"order_id": "o1"}},
        {"type": "track", "event": "Order Cancelled", "userId": "u1", "properties": {"order_id": "o1"}},
        {"type": "track", "event": "Order Updated", "userId": "u1", "properties": {"order_id": "o1"}},
        {"type": "track", "event": "Unsubscribed", "userId": "u1"},
    ],
)
def test_what_only_a_server_may_say_is_set_aside_under_a_client_key(message: dict[str, Any]) -> None:
    shop = site()

    assert shop.post("/v1/batch", {"batch": [message]}, key=WEB_KEY).status == 200
    assert [found["reason"] for found in shop.rejected] == ["not_allowed"]
    assert shop.events == []

    assert shop.post("/v1/batch", {"batch": [message]}, key=BACK_KEY).status == 200
    assert len(shop.events) == 1


def test_a_client_key_may_report_an_order_but_not_its_costs_nor_call_it_an_import() -> None:
    shop = site()
    order = {
        "type": "track",
        "event": "Order Completed",
        "userId": "u1",
        "imported": True,
        "properties": {
            "order_id": "o1",
            "revenue": 20,
            "payment_fee": 1,
            "products": [{"product_id": "p1", "price": 20, "cost": 1}, {"product_id": "p2", "price": 1}],
        },
    }

    shop.post("/v1/track", order, key=WEB_KEY)
    shop.post("/v1/track", order, key=BACK_KEY)

    client, server = shop.events
    assert (client["revenue_minor"], client.get("imported"), client.get("payment_fee_minor")) == (2000, None, None)
    assert [product.get("cost_minor") for product in client["products"]] == [None, None]
    assert (server["imported"], server["payment_fee_minor"], server["products"][0]["cost_minor"]) == (True, 100, 100)


def test_a_client_key_can_not_take_an_order_out_of_the_figures_by_calling_it_a_test() -> None:
    shop = site()
    order = {
        "type": "track",
        "event": "Order Completed",
        "userId": "u1",
        "properties": {"order_id": "o1", "test": True},
    }

    shop.post("/v1/track", order, key=WEB_KEY)
    assert (shop.events, [found["reason"] for found in shop.rejected]) == ([], ["not_allowed"])

    shop.post("/v1/track", order, key=BACK_KEY)
    assert [event["test"] for event in shop.events] == [True]


def test_two_sources_never_share_message_ids() -> None:
    shop = site()

    shop.post("/v1/track", viewed(), key=WEB_KEY)
    shop.post("/v1/track", viewed(), key=BACK_KEY)

    assert [(event["source"], event["message_id"]) for event in shop.events] == [("web", "m1"), ("back", "m1")]


# --- web pages ------------------------------------------------------------------------------------------------------


def test_an_allowed_page_may_send_and_see_the_answer() -> None:
    answer = site().post("/v1/t", viewed(), key=WEB_KEY, Origin=PAGE)

    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Vary"] == "Origin"


def test_another_page_may_not() -> None:
    shop = site()

    answer = shop.post("/v1/t", viewed(), key=WEB_KEY, Origin="https://evil.example")

    assert refused(answer) == (403, "origin")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert shop.log.rows == []


@pytest.mark.parametrize("origin", [PAGE + ".evil.example", PAGE.upper(), "http://shop.example", "null", PAGE + ":444"])
def test_an_origin_is_compared_whole(origin: str) -> None:
    assert refused(site().post("/v1/t", viewed(), key=WEB_KEY, Origin=origin)) == (403, "origin")


def test_a_server_key_in_a_page_is_refused_since_it_is_public_now() -> None:
    shop = site()

    in_header = shop.post("/v1/t", viewed(), key=BACK_KEY, Origin=PAGE)
    in_body = shop.ask("POST", "/v1/t", viewed(writeKey=BACK_KEY), {"Origin": PAGE})

    assert refused(in_header) == refused(in_body) == (403, "server_key_in_page")
    assert shop.log.rows == []


def test_a_source_may_allow_every_page() -> None:
    shop = site(sources={"open": {"key": "wk_open_12345678", "kind": "client", "origins": ["*"]}})

    answer = shop.post("/v1/t", viewed(), key="wk_open_12345678", Origin="https://anywhere.example")

    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "https://anywhere.example")


PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,anonymousid",
}


def test_a_preflight_of_an_allowed_page_is_answered_with_what_it_asked_for() -> None:
    answer = site().ask("OPTIONS", "/v1/batch", headers=PREFLIGHT)

    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization,content-type,anonymousid"


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/profiles/user_id:1", "/metrics"])
def test_a_preflight_of_another_page_is_refused(path: str) -> None:
    answer = site().ask("OPTIONS", path, headers=PREFLIGHT | {"Origin": "https://evil.example"})

    assert refused(answer) == (403, "origin")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_profiles_are_closed_to_every_page_unless_the_settings_open_them() -> None:
    path, asked = "/v1/profiles/user_id:1", PREFLIGHT | {"Access-Control-Request-Method": "GET"}

    assert site().ask("OPTIONS", path, headers=asked).status == 403
    assert site(serve={"profile_origins": [PAGE]}).ask("OPTIONS", path, headers=asked).status == 204


def test_a_refusal_can_be_read_by_the_page_it_is_for() -> None:
    shop = site()
    shop.log.away = True

    answer = shop.post("/v1/t", viewed(), key=WEB_KEY, Origin=PAGE)

    assert refused(answer) == (503, "kafka_away")
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
