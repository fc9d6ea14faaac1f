"""A shop's own topic on a real broker, other partitions than ours, keyed by something else and spread by CRC-32: its events
reach their customers once each, through a bridge that is killed on the way.
"""

import json
import zlib
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from tests.e2e.kit import Shop, money_of
from tests.e2e.test_privacy import settle

CUSTOMERS, EACH, PARTITIONS = 20, 10, 3


def order(number: int, customer: int, at_ms: int) -> dict[str, Any]:
    return {
        "type": "track", "event": "Order Completed", "userId": f"user-{customer}", "messageId": f"m-{customer}-{number}",
        "timestamp": at_ms, "properties": {"order_id": f"o-{customer}-{number}", "revenue": "12.50", "currency": "USD"},
    }  # fmt: skip


@pytest.fixture
def their_topic(shop: Shop) -> str:
    name = f"{shop.prefix}-their-events"
    admin = KafkaAdminClient(bootstrap_servers=shop.bootstrap)
    try:
        admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1}})
    finally:
        admin.close()
    shop.settings |= {"REGULARS_RAW_WEB_TOPIC": name, "REGULARS_RAW_WEB_FORMAT": "segment"}
    return name


def write(shop: Shop, topic: str, bodies: list[bytes]) -> None:
    """As librdkafka would: by CRC-32 of a key that is nobody's home."""
    producer = KafkaProducer(bootstrap_servers=shop.bootstrap, acks="all")
    for number, body in enumerate(bodies):
        key = f"session-{number}".encode()
        producer.send(topic, body, key=key, partition=zlib.crc32(key) % PARTITIONS)
    producer.flush()
    producer.close()


def test_a_topic_in_a_trackers_own_form_reaches_profiles_once_through_a_killed_bridge(
    shop: Shop, their_topic: str, now_ms: int
) -> None:
    bodies = [
        json.dumps(order(number, customer, now_ms - 60_000 + number)).encode()
        for number in range(EACH)
        for customer in range(CUSTOMERS)
    ]
    half = len(bodies) // 2
    shop.start()
    settle(shop)
    write(shop, their_topic, [b"{broken", *bodies[:half]])
    first = shop.start(command="bridge")
    shop.expect(lambda: len(shop.records("orders")) > 0, "the bridge writes")
    first.kill()
    write(shop, their_topic, bodies[half:])
    second = shop.start(command="bridge")
    shop.expect(lambda: len({r.value for r in shop.records("orders")}) == len(bodies), "all is on the input topic")
    settle(shop)

    assert {name: money_of(profile)[0::4] for name, profile in shop.profiles().items()} == {
        f"user_id:user-{customer}": (EACH, EACH * 1250) for customer in range(CUSTOMERS)
    }
    assert {(value["reason"], value["topic"]) for _, value in shop.read("rejected")} == {("not_json", their_topic)}
    assert {record.key.decode().partition("-")[0] for record in shop.records("orders")} == {"user"}
    assert sum(worker.metric("regulars_forwarded_total") for worker in shop.workers[:1]) == 0
    assert second.stop() == 0


def test_a_bridge_that_was_away_for_longer_than_their_topic_keeps_records_says_what_is_gone(
    shop: Shop, their_topic: str, now_ms: int
) -> None:
    write(shop, their_topic, [json.dumps(order(0, customer, now_ms)).encode() for customer in range(12)])
    bridge = shop.start(command="bridge")
    shop.expect(lambda: len(shop.records("orders")) == 12, "it reads")
    assert bridge.stop() == 0
    write(shop, their_topic, [json.dumps(order(1, customer, now_ms)).encode() for customer in range(7)])
    admin = KafkaAdminClient(bootstrap_servers=shop.bootstrap)
    admin.delete_records(
        {TopicPartition(their_topic, partition): -1 for partition in range(PARTITIONS)}
    )  # all there are
    admin.close()
    write(shop, their_topic, [json.dumps(order(2, 0, now_ms)).encode()])

    bridge = shop.start(command="bridge")
    shop.expect(lambda: len(shop.records("orders")) == 13, "it reads on")
    told = [line.rpartition("records=")[2] for line in bridge.log().splitlines() if "gone" in line]
    assert sum(map(int, told)) == 7
