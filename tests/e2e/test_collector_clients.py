"""Real libraries against the real collector and a real Kafka: what they send arrives complete, once, and with right times."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rudderstack.analytics.client as rudder
import segment.analytics.client as segment

from schemas.times import event_time
from streams.home import home_partition
from streams.local.kafka_server import KafkaServer
from streams.local.process import free_ports
from streams.local.redis_server import RedisServer
from tests.e2e.collector_kit import (
    BACK_KEY,
    TOKEN,
    WEB_KEY,
    Collector,
    chromium,
    events_of,
    run_node,
)
from tests.e2e.kit import Shop, running

(PAGE_PORT,) = free_ports(1)
CLOCK_AHEAD_MS = 5 * 3_600_000


@pytest.fixture(scope="module")
def shop(
    kafka_server: KafkaServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """One installation for all of these: each test has senders and customers of its own."""
    prefix = f"t{uuid.uuid4().hex[:10]}"
    settings = {"REGULARS_SHOP_CURRENCY": "EUR"}
    shop = Shop(prefix, kafka_server.bootstrap, redis_server.url, tmp_path_factory.mktemp("shop"), settings=settings)
    yield from running(shop)


@pytest.fixture(scope="module")
def collector(shop: Shop) -> Iterator[Collector]:
    served = Collector(shop, page_port=PAGE_PORT)
    try:
        served.wait_ready()
        yield served
    finally:
        served.close()


def sent_by(shop: Shop, *ids: str) -> list[dict[str, Any]]:
    """The events of these customers, which must stand where these customers are at home."""
    assert shop.records("rejected") == []
    events = [event for event in events_of(shop) if {event.get("user_id"), event.get("anonymous_id")} & set(ids)]
    for event in events:
        home = event.get("user_id") or event["anonymous_id"]
        assert (event["key"], event["partition"]) == (home, home_partition(home, shop.partitions))
    return events


def time_of(event: dict[str, Any]) -> int:
    """The corrected time of a stored event, as a worker takes it."""
    found = event_time(
        event["timestamp_ms"],
        event.get("original_timestamp_ms"),
        event.get("sent_at_ms"),
        event.get("received_at_ms"),
        event["received_at_ms"],
    )
    return found[0]


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_the_python_libraries(shop: Shop, collector: Collector, gzip: bool) -> None:
    began_ms = int(time.time() * 1000)
    failures: list[Any] = []
    options: dict[str, Any] = {
        "host": collector.url,
        "gzip": gzip,
        "upload_size": 50,
        "upload_interval": 0.1,
        "max_retries": 2,
        "on_error": lambda error, _: failures.append(error),
    }
    first, second = segment.Client(BACK_KEY, **options), rudder.Client(BACK_KEY, **options)
    for name, client in ((f"segment-{gzip}", first), (f"rudder-{gzip}", second)):
        client.identify(f"py-{name}", {"name": "Pia"})
        for number in range(60):
            client.track(f"py-{name}", "Product Viewed", {"product_id": f"p{number}", "price": 9.9, "currency": "EUR"})
        client.track(
            f"py-{name}",
            "Order Completed",
            {"order_id": f"py-o-{name}", "revenue": "19.80", "products": [{"product_id": "p1", "price": 19.8}]},
            timestamp=datetime.now(UTC) - timedelta(hours=2),
        )
    for client in (first, second):
        client.flush()
        client.join()
    ended_ms = int(time.time() * 1000)

    assert failures == []
    users = [f"py-{name}-{gzip}" for name in ("segment", "rudder")]
    events = sent_by(shop, *users)
    assert Counter((event["user_id"], event["event"]) for event in events) == {
        (user, kind): count
        for user in users
        for kind, count in (("Identified", 1), ("Product Viewed", 60), ("Order Completed", 1))
    }
    assert len({event["message_id"] for event in events}) == len(events) == 124
    for event in events:
        late_ms = 7_200_000 if event["event"] == "Order Completed" else 0
        assert began_ms - 50 <= time_of(event) + late_ms <= ended_ms + 50
    assert {event["revenue_minor"] for event in events if event["topic"] == "orders"} == {1980}


def test_the_python_libraries_are_told_at_once_that_a_key_is_wrong(collector: Collector) -> None:
    """One that takes the refusal for a network failure would repeat it for minutes."""
    for kind in (segment.Client, rudder.Client):
        failures: list[Any] = []
        client = kind(
            "sk_nobody_has_it", host=collector.url, on_error=lambda error, _, told=failures: told.append(error)
        )
        client.track("u1", "Product Viewed", {"product_id": "p1"})
        client.flush()
        client.join()

        assert [(failure.status, failure.code) for failure in failures] == [(401, "no_key")]


def test_the_node_libraries(shop: Shop, collector: Collector) -> None:
    began_ms = int(time.time() * 1000)

    run_node("servers.mjs", collector.url, BACK_KEY)

    events = sent_by(shop, "node-segment", "node-rudder")
    expected = {f"node-{name}-{number}" for name in ("segment", "rudder") for number in range(40)}
    expected |= {"node-segment-identify", "node-rudder-identify", "node-segment-order"}
    assert Counter(event["message_id"] for event in events) == dict.fromkeys(expected, 1)
    now_ms = int(time.time() * 1000)
    for event in events:
        early_ms = 60_000 if event["event"] == "Order Completed" else 0
        assert began_ms - 50 <= time_of(event) + early_ms <= now_ms + 50


@pytest.mark.parametrize("library", ["segment", "rudder"])
def test_a_visitor_in_a_real_browser_whose_clock_is_hours_ahead(shop: Shop, collector: Collector, library: str) -> None:
    if not shop.workers:
        shop.start()
    visit = json.loads(
        run_node("browser.mjs", collector.url, WEB_KEY, str(PAGE_PORT), chromium(), library, str(CLOCK_AHEAD_MS))
    )

    assert visit["problems"] == []
    anonymous, user = visit["anonymousId"], f"browser-{library}"
    events = sent_by(shop, anonymous, user)
    assert Counter((event["event"], event.get("user_id")) for event in events) == {
        ("Page Viewed", None): 1,
        ("Product Viewed", None): 1,
        ("Product Added", None): 1,
        ("Identified", user): 1,
        ("Page Viewed", user): 1,
        ("Order Completed", user): 1,
    }
    assert {event["anonymous_id"] for event in events} == {anonymous}
    assert {(event["source"], event["source_kind"]) for event in events} == {("web", "client")}
    for event in events:
        assert event["timestamp_ms"] > visit["endedMs"] + CLOCK_AHEAD_MS - 60_000, "the page's own clock is wrong"
        assert visit["startedMs"] - 200 <= time_of(event) <= visit["endedMs"] + 200
    (identified,) = (event for event in events if event["event"] == "Identified")
    assert identified["traits"]["name"] == "Bea"
    assert "vip" not in identified["traits"], "a page may not say so"
    (order,) = (event for event in events if event["event"] == "Order Completed")
    assert (order["order_id"], order["revenue_minor"], order["products"][0]["quantity"]) == (
        f"browser-order-{library}",
        1980,
        2,
    )

    # What she did is her profile, which HTTP shows.
    def bought() -> bool:
        status, profile = collector.get(f"/v1/profiles/user_id:{user}?fields=orders,ltv", TOKEN)
        return status == 200 and (profile["orders"]["count"], profile["ltv"]["net_minor"]) == (1, 1980)

    # The visitor's profile comes to hers from another partition, perhaps after her order.
    def emptied() -> bool:
        status, cart = collector.get(f"/v1/profiles/anonymous_id:{anonymous}/cart", TOKEN)
        return status == 200 and cart == {"id": f"user_id:{user}", "cart": None}

    shop.expect(bought, "her profile has the order")
    shop.expect(emptied, "the visitor was she, and her order emptied the cart")
    assert all(worker.running for worker in shop.workers)
