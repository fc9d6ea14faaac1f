"""Privacy requests on a real Kafka and a real Redis: what is left of a customer after she was erased, looked at from outside."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.topics import TOPICS
from streams.packing import dictionary, unpack
from tests.e2e.kit import Shop
from tests.e2e.scenario import MINUTE_MS, Record

HERS = ("user_id:ada", '"ada"', "ada@example.org", "phone-7", "A-1001")


def told(home: str, topic: str, event: str, at_ms: int, **fields: Any) -> Record:
    body = {"event": event, "message_id": f"{home}-{event}-{at_ms}", "timestamp_ms": at_ms, "received_at_ms": at_ms}
    return Record(topic, home, json.dumps({**body, **fields}).encode(), at_ms)


def life(at_ms: int) -> list[Record]:
    """A visit, a letter, a log-in that names both, a cart and an order; and somebody else's order."""
    product = {"product_id": "tea", "price_minor": 1250, "quantity": 2}
    return [
        told("phone-7", "clickstream", "Page Viewed", at_ms, anonymous_id="phone-7"),
        told("ada@example.org", "identities", "Identified", at_ms + 1, email="ada@example.org"),
        told(
            "ada", "identities", "Identified", at_ms + 2, user_id="ada", anonymous_id="phone-7",
            email="ada@example.org", traits={"first_name": "Ada"}, consent=[{"state": "GRANT"}],
        ),
        told("ada", "orders", "Order Completed", at_ms + 3, user_id="ada", order_id="A-1001", products=[product]),
        told("ada", "carts", "Product Added", at_ms + 4, user_id="ada", cart_id="cart-a", product=product),
        told("bea", "orders", "Order Completed", at_ms + 5, user_id="bea", order_id="B-1", products=[product]),
    ]  # fmt: skip


def everything_in_redis(shop: Shop) -> str:
    """Every key of the installation with all it holds, as text where that is compressed. The dictionary for that comes with the
    release and tells of nobody.
    """
    readers: dict[bytes, Callable[[Any, bytes], Any]] = {
        b"string": lambda client, key: unpack(client.get(key)),
        b"hash": lambda client, key: {
            field: unpack(value) for field, value in client.hgetall(key).items() if value != dictionary()
        },
        b"list": lambda client, key: client.lrange(key, 0, -1),
        b"zset": lambda client, key: client.zrange(key, 0, -1, withscores=True),
    }
    with contextlib.closing(shop.client()) as client:
        return repr([(key, readers[client.type(key)](client, key)) for key in client.scan_iter(f"{shop.prefix}:*")])


def live_on_compacted_topics(shop: Shop) -> str:
    """What compaction would leave: the newest record of each key, unless it is a tombstone."""
    newest = {
        (record.topic, record.key): record.value
        for topic in TOPICS
        if topic.compacted
        for record in shop.records(topic.name)
    }
    return repr({place: value for place, value in newest.items() if value is not None})


def is_nowhere(shop: Shop) -> bool:
    found = everything_in_redis(shop) + live_on_compacted_topics(shop)
    return not any(word in found for word in HERS)


def settle(shop: Shop) -> None:
    """Wait until all is done, what partitions wrote to each other included."""

    def quiet() -> bool:
        ends = shop.ends()
        return shop.caught_up() and shop.outbox_empty() and shop.ends() == ends

    shop.expect(quiet, "caught up and nothing on its way")


def test_an_erased_customer_is_nowhere_and_stays_away(shop: Shop, now_ms: int) -> None:
    shop.produce(life(now_ms - 180 * MINUTE_MS))
    shop.start()
    settle(shop)
    assert not is_nowhere(shop)

    receipt = json.loads(shop.command("privacy", "erase", "user_id:ada", "--request-id", "r1", "--wait", "--json"))

    assert (receipt["final"], receipt["homes"], receipt["counts"]["orders"]) == (True, 3, 1)
    assert (receipt["counts"]["profiles"], receipt["counts"]["redirects"]) == (1, 2)
    shop.expect(lambda: is_nowhere(shop), "nothing of her is left")
    assert set(shop.profiles()) == {"user_id:bea"}
    assert [value["final"] for _, value in shop.read("receipts")][-1] is True
    assert not any(word in repr(shop.read("receipts")) for word in HERS)

    shop.produce(life(now_ms))
    settle(shop)
    assert set(shop.profiles()) == {"user_id:bea"}
    assert shop.profiles()["user_id:bea"]["orders"]["count"] == 1
    shop.expect(lambda: is_nowhere(shop), "nothing of her has come back")


def test_a_worker_killed_while_it_erases_leaves_nothing_behind(shop: Shop, now_ms: int) -> None:
    shop.produce(life(now_ms - 180 * MINUTE_MS))
    first = shop.start()
    settle(shop)
    first.stop()
    shop.command("privacy", "erase", "user_id:ada", "email:ada@example.org", "--request-id", "r1")
    for step in ("after_send:2", "after_ack:1", "after_reply:2"):
        doomed = shop.start(REGULARS_FAULTS=step)
        shop.expect(lambda doomed=doomed: not doomed.running, f"the worker died {step}")  # type: ignore[misc]
    shop.start()
    settle(shop)

    shop.expect(lambda: is_nowhere(shop), "nothing of her is left")
    assert "final" in shop.command("privacy", "receipt", "r1")


def test_a_suppressed_customer_is_sent_nothing_and_an_export_tells_all(shop: Shop, now_ms: int, tmp_path: Path) -> None:
    product = {"product_id": "tea", "price_minor": 1250, "quantity": 2}
    shop.start()
    shop.produce(life(now_ms - 10 * MINUTE_MS))
    settle(shop)
    shop.command("privacy", "suppress", "user_id:ada", "--request-id", "r1", "--wait")
    late = told(
        "ada", "orders", "Order Completed", now_ms + MINUTE_MS, user_id="ada", order_id="A-2", products=[product]
    )
    shop.produce([late])
    settle(shop)
    out = tmp_path / "ada.json"
    told_by = shop.command("privacy", "export", "user_id:ada", "--request-id", "r2", "--out", str(out))

    homes = {home["id"]: home for home in json.loads(out.read_bytes())["customers"]}
    assert set(homes) == {"user_id:ada"}
    assert [order["order_id"] for order in homes["user_id:ada"]["orders"]] == ["A-1001"]
    assert homes["user_id:ada"]["document"]["traits"] == {"first_name": "Ada"}
    assert "export r2: final" in told_by
    ended = [(value["name"], value["reason"]) for _, value in shop.read("decisions") if value["state"] == "cancelled"]
    assert ("cart.abandoned", "suppressed") in ended
    assert {reason for _, reason in ended} == {"suppressed"}


def test_a_shop_that_leaves_is_told_how_and_then_gone(shop: Shop, now_ms: int) -> None:
    left = {
        "headers": {"X-Shopify-Topic": "shop/redact", "X-Shopify-Webhook-Id": "w-9"},
        "body": {"shop_domain": "tea.example"},
    }
    shop.produce([*life(now_ms - 180 * MINUTE_MS), Record("commands", "any key", json.dumps(left).encode(), now_ms)])
    worker = shop.start()
    settle(shop)

    ((_, receipt),) = shop.read("receipts")
    assert (receipt["command"], receipt["final"], receipt["refused"]) == ("erase_shop", True, "by_hand")
    assert "regulars privacy erase-shop" in shop.command("privacy", "receipt", receipt["request_id"], code=1)
    shop.command("privacy", "erase-shop", "--yes", code=2)
    assert set(shop.profiles()) == {"user_id:ada", "user_id:bea"}
    worker.stop()

    gone = json.loads(shop.command("privacy", "erase-shop", "--yes"))
    assert everything_in_redis(shop) == "[]"
    assert {shop.topic(topic.name) for topic in TOPICS} == set(gone["topics"])
