"""Tracking calls become records: the right topic, key, partition and time, written before the answer, each message by itself."""

import asyncio
import json
from typing import Any

import pytest

from streams.home import home_partition
from streams.serve.answer import REASONS, Answer
from tests.shell.serve_kit import (
    BACK_KEY,
    NOW_MS,
    PARTITIONS,
    WEB_KEY,
    basic,
    refused,
    site,
    told,
    unread,
    viewed,
)

ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-order",
    "userId": "u2",
    "properties": {"order_id": "o1", "revenue": 20, "products": [{"product_id": "p1", "price": 20}]},
}
ADDED: dict[str, Any] = {
    "type": "track",
    "event": "Product Added",
    "messageId": "m-cart",
    "anonymousId": "device-1",
    "properties": {"product_id": "p1", "cart_id": "c1", "price": 5},
}


def test_each_message_becomes_one_record_on_the_topic_of_its_event_keyed_by_its_home() -> None:
    shop = site()

    answer = shop.post(
        "/v1/batch", {"batch": [viewed(), ADDED, ORDER, {"type": "identify", "userId": "u3", "messageId": "m-id"}]}
    )

    assert (answer.status, told(answer)) == (200, {"success": True})
    assert [(row.topic, row.key, row.partition) for row in shop.log.rows] == [
        ("clickstream", b"u1", home_partition("u1", PARTITIONS)),
        ("carts", b"device-1", home_partition("device-1", PARTITIONS)),
        ("orders", b"u2", home_partition("u2", PARTITIONS)),
        ("identities", b"u3", home_partition("u3", PARTITIONS)),
    ]
    assert [event["message_id"] for event in shop.events] == ["m1", "m-cart", "m-order", "m-id"]
    assert {event["received_at_ms"] for event in shop.events} == {NOW_MS}
    assert {(event["source"], event["source_kind"]) for event in shop.events} == {("back", "server")}


def test_what_mobile_libraries_tell_of_the_app_itself_is_taken_and_neither_written_nor_set_aside() -> None:
    shop = site()
    opened = {"type": "track", "event": "Application Opened", "messageId": "m-open", "anonymousId": "device-1"}

    assert shop.post("/v1/track", opened).status == 200
    assert shop.post("/v1/batch", {"batch": [opened, viewed()]}).status == 200
    assert [event["message_id"] for event in shop.events] == ["m1"]
    assert shop.rejected == []


def test_a_time_that_is_none_is_told_by_the_name_its_sender_gave_it() -> None:
    shop = site()
    shop.post("/v1/batch", {"batch": [viewed() | {"timestamp": "noon"}], "sentAt": "2026-03-01T12:00:00Z"})

    assert [one["detail"].partition(":")[0] for one in shop.rejected] == ["timestamp"]


@pytest.mark.parametrize(
    "path,call,event",
    [
        ("/v1/identify", {"userId": "u1", "traits": {"name": "Ann"}}, "Identified"),
        ("/v1/i", {"userId": "u1", "traits": {"name": "Ann"}}, "Identified"),
        ("/v1/track", {"userId": "u1", "event": "Signed Up"}, "Signed Up"),
        ("/v1/t", {"userId": "u1", "event": "Signed Up"}, "Signed Up"),
        ("/v1/page", {"anonymousId": "a", "name": "Home"}, "Page Viewed"),
        ("/v1/p", {"anonymousId": "a", "name": "Home"}, "Page Viewed"),
        ("/v1/screen", {"anonymousId": "a", "name": "Home"}, "Page Viewed"),
        ("/v1/s", {"anonymousId": "a", "name": "Home"}, "Page Viewed"),
        ("/v1/group", {"userId": "u1", "groupId": "g1"}, "Grouped"),
        ("/v1/g", {"userId": "u1", "groupId": "g1"}, "Grouped"),
        ("/v1/alias", {"userId": "u1", "previousId": "a1"}, "Aliased"),
        ("/v1/a", {"userId": "u1", "previousId": "a1"}, "Aliased"),
    ],
)
def test_every_path_that_libraries_call_takes_its_type_of_call(path: str, call: dict[str, Any], event: str) -> None:
    shop = site()

    assert shop.post(path, call).status == 200
    assert [found["event"] for found in shop.events] == [event]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"])
def test_every_path_of_a_batch_takes_one(path: str) -> None:
    shop = site()

    assert shop.post(path, {"batch": [viewed()]}).status == 200
    assert len(shop.events) == 1


def test_a_merge_call_says_whom_its_identifiers_belong_to() -> None:
    shop = site()
    names = [{"type": "email", "value": "a@x.org"}, {"type": "user_id", "value": "u1"}]

    assert shop.post("/v1/merge", {"mergeProperties": names}).status == 200
    assert [(found["event"], found["user_id"], found["email"]) for found in shop.events] == [
        ("Identified", "u1", "a@x.org")
    ]


# --- who is calling -----------------------------------------------------------------------------------------------


def test_the_key_may_stand_in_the_header_in_the_body_or_in_a_beacons_query() -> None:
    shop = site()

    in_body = shop.ask("POST", "/v1/track", viewed(1, writeKey=BACK_KEY))
    in_batch = shop.ask("POST", "/v1/batch", {"batch": [viewed(2)], "writeKey": BACK_KEY})
    in_query = shop.ask("POST", f"/beacon/v1/batch?writeKey={BACK_KEY}", {"batch": [viewed(3)]})
    in_header = shop.post("/v1/track", viewed(4))

    assert [answer.status for answer in (in_body, in_batch, in_query, in_header)] == [200] * 4
    assert [event["message_id"] for event in shop.events] == ["m1", "m2", "m3", "m4"]


@pytest.mark.parametrize("key", ["", "wk_nobody_has_it", "wk_web_1234567", "x" * 10_000, "é"])
def test_a_key_that_is_nobodys_is_refused_and_nothing_is_written(key: str) -> None:
    shop = site()

    answer = shop.ask("POST", "/v1/track", viewed(writeKey=key))

    assert refused(answer) == (401, "no_key")
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert shop.log.rows == []


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "Bearer x", "Basic OnBhc3M="])
def test_a_malformed_authorization_is_refused(header: str) -> None:
    assert refused(site().ask("POST", "/v1/track", viewed(), {"Authorization": header})) == (401, "no_key")


def test_a_strangers_body_is_not_even_read() -> None:
    shop = site()

    async def ask() -> Answer:
        return await shop.call("POST", "/v1/batch", unread(), basic("wk_nobody_has_it"))

    assert refused(asyncio.run(ask())) == (401, "no_key")


# --- what a batch says for all its messages -------------------------------------------------------------------------


def test_what_the_batch_says_is_merged_into_each_message_whose_own_word_wins() -> None:
    shop = site()
    shared = {"locale": "de-DE", "timezone": "Europe/Berlin"}

    shop.post(
        "/v1/batch",
        {"context": shared, "batch": [viewed(1), viewed(2, context={"locale": "fr-FR"}), viewed(3, context="broken")]},
    )

    assert [(event["locale"], event["timezone"]) for event in shop.events] == [
        ("de-DE", "Europe/Berlin"),
        ("fr-FR", "Europe/Berlin"),
        ("de-DE", "Europe/Berlin"),
    ]


def test_a_clients_wrong_clock_is_taken_out_by_when_it_says_it_sent_the_batch() -> None:
    shop = site()
    three_days_ahead: dict[str, Any] = {"timestamp": "2026-03-05T00:00:00.000Z"}

    shop.post("/v1/batch", {"sentAt": "2026-03-05T00:00:10.000Z", "batch": [viewed(1, **three_days_ahead)]})
    shop.post("/v1/track", viewed(2, sentAt="2026-03-05T00:00:10.000Z", **three_days_ahead))

    times = [(event["original_timestamp_ms"], event["sent_at_ms"], event["received_at_ms"]) for event in shop.events]
    assert [received - (sent - original) for original, sent, received in times] == [NOW_MS - 10_000] * 2


def test_when_a_message_was_sent_again_the_batchs_time_counts_and_not_the_first_try() -> None:
    shop = site()

    shop.post(
        "/v1/batch",
        {
            "sentAt": "2026-03-02T00:00:00.000Z",
            "batch": [viewed(timestamp="2026-03-01T23:00:00.000Z", sentAt="2026-03-01T23:00:01.000Z")],
        },
    )

    assert shop.events[0]["sent_at_ms"] == NOW_MS


def test_without_a_time_of_its_own_a_message_happened_when_it_was_received() -> None:
    shop = site()

    shop.post("/v1/track", viewed())

    assert shop.events[0]["timestamp_ms"] == NOW_MS


def test_what_the_collector_knows_is_not_the_messages_to_say() -> None:
    shop = site()
    claim: dict[str, Any] = {
        "source": "back",
        "source_kind": "server",
        "receivedAt": "2020-01-01T00:00:00Z",
        "received_at_ms": 1,
    }

    shop.post("/v1/track", viewed(**claim), key=WEB_KEY)

    (event,) = shop.events
    assert (event["source"], event["source_kind"], event["received_at_ms"]) == ("web", "client", NOW_MS)


# --- message ids --------------------------------------------------------------------------------------------------


def test_a_repeat_has_the_same_message_id_whether_the_sender_gave_one_or_not() -> None:
    shop = site()
    without_id = viewed(timestamp="2026-03-01T23:59:00.000Z")
    del without_id["messageId"]

    for _ in range(2):
        shop.post("/v1/batch", {"batch": [viewed(), without_id]})
        shop.now_ms += 5000

    first, second, third, fourth = (event["message_id"] for event in shop.events)
    assert (first, second) == (third, fourth)
    assert second.startswith("content:")


def test_two_messages_with_neither_id_nor_time_are_two_events() -> None:
    shop = site()
    bare = viewed()
    del bare["messageId"]

    shop.post("/v1/batch", {"batch": [bare, bare]})
    shop.now_ms += 1
    shop.post("/v1/batch", {"batch": [bare, bare]})

    assert len({event["message_id"] for event in shop.events}) == 4


# --- problems of single messages ------------------------------------------------------------------------------------

BAD: list[tuple[Any, str]] = [
    (None, "not_object"),
    (["identify", None], "not_object"),
    ("identify", "not_object"),
    ({"type": "identify"}, "no_customer"),
    ({"type": "identify", "userId": None, "traits": None}, "no_customer"),
    ({"type": "fly", "userId": "u1"}, "unknown_event"),
    ({"userId": "u1"}, "unknown_shape"),
    ({"type": "track", "userId": "u1"}, "missing_field"),
    ({"type": "track", "userId": "u1", "event": "Product Viewed", "properties": {"product_id": ["x"]}}, "wrong_type"),
    ({"type": "track", "userId": "u" * 30_000, "event": "Signed Up"}, "out_of_bounds"),
    ({"type": "track", "userId": "u1", "event": "Signed Up", "timestamp": "yesterday"}, "wrong_type"),
    ({"type": "track", "userId": "u1", "event": "Signed Up", "context": {"x": "y" * 33_000}}, "too_large"),
    ({"type": "track", "userId": "u1", "event": "Signed Up", "x": json.loads("[" * 250 + "]" * 250)}, "too_deep"),
]


@pytest.mark.parametrize("message,reason", BAD)
def test_a_bad_message_is_set_aside_with_its_reason_and_spoils_no_other(message: Any, reason: str) -> None:
    shop = site()

    answer = shop.post("/v1/batch", {"batch": [viewed(1), message, viewed(2)]})

    assert answer.status == 200
    assert [event["message_id"] for event in shop.events] == ["m1", "m2"]
    (rejected,) = shop.rejected
    assert (rejected["reason"], rejected["topic"], rejected["timestamp_ms"]) == (reason, "http/back", NOW_MS)
    kept = json.loads(rejected["original"])
    # One without an id and a time has its id by its place in the batch, which is lost.
    made = {"messageId": kept["messageId"]} if isinstance(message, dict) and "messageId" in kept else None
    assert kept == (message | made if made else message)
    assert shop.metric("regulars_collect_rejected_total", source="back", reason=reason) == 1
    assert shop.metric("regulars_collected_total", source="back", topic="clickstream") == 2


def test_an_id_of_a_megabyte_is_set_aside_cut_off_and_harms_nobody() -> None:
    shop = site(serve={"batch_bytes": 4_096_000})

    assert shop.post("/v1/batch", {"batch": [viewed(1), viewed(2, userId="u" * 1_000_000)]}).status == 200
    assert [event["message_id"] for event in shop.events] == ["m1"]
    (rejected,) = shop.rejected
    assert rejected["reason"] == "too_large"
    assert len(rejected["original"]) + rejected["truncated_bytes"] > 1_000_000
    assert len(shop.log.rows[1].value) < 300_000


@pytest.mark.parametrize("poison", [b'"\\ud83d"', b"NaN", b'"\xff"'], ids=["half an emoji", "NaN", "not UTF-8"])
def test_a_message_that_is_no_proper_json_costs_only_itself(poison: bytes) -> None:
    shop = site()
    good = json.dumps(viewed()).encode()
    body = b'{"batch":[%b,{"type":"track","userId":"u1","event":"Signed Up","x":%b}],"writeKey":"%b"}'

    answer = shop.ask("POST", "/v1/batch", body % (good, poison, BACK_KEY.encode()))

    assert answer.status == 200
    assert [event["message_id"] for event in shop.events] == ["m1"]
    assert [found["reason"] for found in shop.rejected] in (["not_json"], ["not_utf8"])


@pytest.mark.parametrize("poison", [b'"\\ud83d"', b"NaN", b'"\xff"'], ids=["half an emoji", "NaN", "not UTF-8"])
def test_a_write_key_is_not_kept_with_a_message_that_can_not_be_read(poison: bytes) -> None:
    shop = site()
    body = b'{"batch":[{"writeKey" : "%b","userId":"u1","x":%b}],"writeKey":"%b"}'

    shop.ask("POST", "/v1/batch", body % (BACK_KEY.encode(), poison, BACK_KEY.encode()))

    assert len(shop.rejected) == 1
    assert BACK_KEY not in json.dumps(shop.rejected)


@pytest.mark.parametrize("own", [{}, {"writeKey": BACK_KEY}])
def test_half_a_character_in_what_a_batch_says_of_all_costs_no_message(own: dict[str, Any]) -> None:
    shop = site()
    body = b'{"context": {"locale": "de", "page": {"referrer": "tea \\ud83d"}}, "batch": [%s]}'

    assert shop.ask("POST", "/v1/batch", body % json.dumps(viewed(**own)).encode(), basic(BACK_KEY)).status == 200

    (event,) = shop.events
    assert (event["locale"], event["referrer"]) == ("de", "tea \ufffd")
    assert shop.rejected == []


def test_a_query_of_any_number_of_parameters_is_no_fault_of_ours() -> None:
    shop = site()
    many = "&".join(f"utm_{number}=x" for number in range(100))

    assert refused(shop.ask("POST", f"/beacon/v1/batch?{many}&writeKey={WEB_KEY}", {"batch": [viewed()]})) == (
        400,
        "wrong_shape",
    )
    assert refused(shop.get(f"/v1/profiles/user_id:1?{many}")) == (400, "wrong_shape")


def test_a_write_key_in_the_body_is_not_kept_with_what_is_set_aside() -> None:
    shop = site()

    shop.ask("POST", "/v1/track", {"userId": "u1", "writeKey": BACK_KEY})
    shop.ask("POST", "/v1/batch", {"batch": [{"userId": "u1", "writeKey": BACK_KEY}], "writeKey": BACK_KEY})

    assert len(shop.rejected) == 2
    assert BACK_KEY not in json.dumps(shop.rejected)


# --- requests that can't be read at all -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path,body,expected",
    [
        ("/v1/track", b"", (400, "not_json")),
        ("/v1/track", b"{", (400, "not_json")),
        ("/v1/track", b"\xff\xfe", (400, "not_json")),
        ("/v1/track", b"\xef\xbb\xbf{}", (400, "not_json")),
        ("/v1/track", b"[]", (400, "wrong_shape")),
        ("/v1/track", b"null", (400, "wrong_shape")),
        ("/v1/batch", b"{}", (400, "wrong_shape")),
        ("/v1/batch", b"[]", (400, "wrong_shape")),
        ("/v1/batch", b'{"batch":null}', (400, "wrong_shape")),
        ("/v1/batch", b'{"batch":{}}', (400, "wrong_shape")),
        ("/v1/batch", b'{"batch":[]}', (400, "empty_batch")),
        ("/v1/batch", b'{"batch":[' + b"1," * 2500 + b"1]}", (413, "too_many")),
        ("/v1/batch", b"[" * 100_000, (400, "wrong_shape")),
        ("/v1/batch", b'{"a":' * 50_000, (400, "not_json")),
        ("/v1/track", b'{"a":' * 5_000, (400, "not_json")),
    ],
)
def test_an_unreadable_request_is_refused_as_a_whole(path: str, body: bytes, expected: tuple[int, str]) -> None:
    shop = site()

    answer = shop.post(path, body)

    assert refused(answer) == expected
    assert shop.log.rows == []
    assert shop.metric("regulars_http_refused_total", reason=expected[1]) == 1


@pytest.mark.parametrize(
    "method,path,status",
    [("GET", "/v1/track", 405), ("POST", "/v1/nothing", 404), ("PUT", "/health", 405), ("POST", "/", 404)],
)
def test_wrong_paths_and_methods_are_told_apart(method: str, path: str, status: int) -> None:
    answer = site().ask(method, path)

    assert answer.status == status
    assert ("Allow" in answer.headers) == (status == 405)


# --- the log ------------------------------------------------------------------------------------------------------


def test_the_answer_comes_after_the_log_has_the_records() -> None:
    shop = site()

    async def scenario() -> tuple[bool, int, int]:
        shop.log.pause()
        waiting = asyncio.ensure_future(shop.call("POST", "/v1/track", json.dumps(viewed()).encode(), basic(BACK_KEY)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        early = waiting.done()
        shop.log.resume()
        return early, (await waiting).status, len(shop.log.rows)

    assert asyncio.run(scenario()) == (False, 200, 1)


def test_without_kafka_clients_are_told_to_come_back_and_ready_says_no() -> None:
    shop = site()
    shop.log.away = True

    answer = shop.post("/v1/batch", {"batch": [viewed()]})

    assert refused(answer) == (503, "kafka_away")
    assert int(answer.headers["Retry-After"]) > 0
    assert shop.ask("GET", "/ready").status == 503
    assert b"regulars_http_ready 0.0" in shop.ask("GET", "/metrics").body
    assert shop.ask("GET", "/health").status == 200
    assert shop.metric("regulars_collected_total", source="back", topic="clickstream") == 0

    shop.log.away = False

    assert shop.post("/v1/batch", {"batch": [viewed()]}).status == 200
    assert shop.ask("GET", "/ready").status == 200
    assert b"regulars_http_ready 1.0" in shop.ask("GET", "/metrics").body


def test_refusals_are_counted_from_0_by_every_reason() -> None:
    page = site().ask("GET", "/metrics").body

    for reason in REASONS:
        assert f'regulars_http_refused_total{{reason="{reason}"}} 0.0'.encode() in page


def test_a_process_that_stops_takes_nothing_more_and_says_so() -> None:
    shop = site()
    shop.served.stopping()

    assert refused(shop.post("/v1/track", viewed())) == (503, "stopping")
    assert shop.ask("GET", "/ready").status == 503
    assert shop.ask("GET", "/metrics").status == 200
