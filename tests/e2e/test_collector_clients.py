"""Real libraries against the real collector and a real Kafka: what they send arrives complete, once, and with right times."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rudderstack.analytics.client as rudder
import segment.analytics.client as segment

from schemas.times import event_time
from streams.home import home_partition
from streams.local.process import free_ports
from tests.e2e.collector_kit import (
    BACK_KEY,
    TOKEN,
    WEB_KEY,
    Collector,
    chromium,
    events_of,
    run_node,
)
from tests.e2e.kit import Shop

(PAGE_PORT,) = free_ports(1)
CLOCK_AHEAD_MS = 5 * 3_600_000


@pytest.fixture
def collector(shop: Shop) -> Iterator[Collector]:
    served = Collector(shop, page_port=PAGE_PORT)
    try:
        served.wait_ready()
        yield served
    finally:
        served.close()


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


def check_places(shop: Shop, events: list[dict[str, Any]]) -> None:
    for event in events:
        home = event.get("user_id") or event["anonymous_id"]
        assert (event["key"], event["partition"]) == (home, home_partition(home, shop.partitions))


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
    for name, client in (("segment", first), ("rudder", second)):
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
    assert shop.records("rejected") == []
    events = events_of(shop)
    check_places(shop, events)
    assert Counter((event["user_id"], event["event"]) for event in events) == {
        (f"py-{name}", kind): count
        for name in ("segment", "rudder")
        for kind, count in (("Identified", 1), ("Product Viewed", 60), ("Order Completed", 1))
    }
    assert len({event["message_id"] for event in events}) == len(events) == 124
    for event in events:
        late_ms = 7_200_000 if event["event"] == "Order Completed" else 0
        assert began_ms - 50 <= time_of(event) + late_ms <= ended_ms + 50
    assert {event["revenue_minor"] for event in events if event["topic"] == "orders"} == {1980}


def test_the_node_libraries(shop: Shop, collector: Collector) -> None:
    began_ms = int(time.time() * 1000)

    run_node("servers.mjs", collector.url, BACK_KEY)

    assert shop.records("rejected") == []
    events = events_of(shop)
    check_places(shop, events)
    expected = {f"node-{name}-{number}" for name in ("segment", "rudder") for number in range(40)}
    expected |= {"node-segment-identify", "node-rudder-identify", "node-segment-order"}
    assert Counter(event["message_id"] for event in events) == dict.fromkeys(expected, 1)
    now_ms = int(time.time() * 1000)
    for event in events:
        early_ms = 60_000 if event["event"] == "Order Completed" else 0
        assert began_ms - 50 <= time_of(event) + early_ms <= now_ms + 50


@pytest.mark.parametrize("library", ["segment", "rudder"])
def test_a_visitor_in_a_real_browser_whose_clock_is_hours_ahead(shop: Shop, collector: Collector, library: str) -> None:
    shop.settings["REGULARS_SHOP_CURRENCY"] = "EUR"
    worker = shop.start()
    visit = json.loads(
        run_node("browser.mjs", collector.url, WEB_KEY, str(PAGE_PORT), chromium(), library, str(CLOCK_AHEAD_MS))
    )

    assert visit["problems"] == []
    assert shop.records("rejected") == []
    events = events_of(shop)
    check_places(shop, events)
    anonymous, user = visit["anonymousId"], f"browser-{library}"
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

    shop.expect(bought, "her profile has the order")
    status, cart = collector.get(f"/v1/profiles/anonymous_id:{anonymous}/cart", TOKEN)
    assert (status, cart["cart"]["cart_id"]) == (200, f"cart-{library}")
    assert worker.running
