"""Through an outage of Kafka and through a stop of the collector, real clients lose nothing and double nothing."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rudderstack.analytics.client as rudder
import segment.analytics.client as segment

from streams.local.kafka_server import KafkaServer
from streams.local.redis_server import RedisServer
from tests.e2e.collector_kit import BACK_KEY, Collector, events_of
from tests.e2e.kit import Shop, wait_until
from tests.shell.serve_kit import basic

EVENTS = 60


@pytest.fixture
def own_shop(
    own_kafka: Callable[[], KafkaServer], redis_server: RedisServer, prefix: str, tmp_path: Path
) -> Iterator[tuple[Shop, KafkaServer]]:
    """A shop on a broker of its own, which the test may kill."""
    kafka = own_kafka()
    shop = Shop(prefix, kafka.bootstrap, redis_server.url, tmp_path)
    shop.make_topics()
    try:
        yield shop, kafka
    finally:
        shop.close()


def test_clients_that_send_through_an_outage_of_kafka_lose_nothing_and_double_nothing(
    own_shop: tuple[Shop, KafkaServer],
) -> None:
    shop, kafka = own_shop
    collector = Collector(shop, REGULARS_SERVE_WRITE_TIMEOUT_MS="700")
    failures: list[Any] = []
    options: dict[str, Any] = {
        "host": collector.url,
        "upload_size": 5,
        "upload_interval": 0.05,
        "max_retries": 50,
        "on_error": lambda error, _: failures.append(error),
    }
    try:
        collector.wait_ready()
        clients = [segment.Client(BACK_KEY, **options), rudder.Client(BACK_KEY, **options)]
        for number in range(EVENTS):
            for name, client in zip(("segment", "rudder"), clients, strict=True):
                client.track(
                    f"u{number % 7}",
                    "Product Viewed",
                    {"product_id": f"p{number}"},
                    message_id=f"{name}-{number}",
                )
            if number == EVENTS // 3:
                kafka.kill()
            time.sleep(0.02)
        wait_until("the collector says that Kafka is away", lambda: collector.get("/ready")[0] == 503)
        assert collector.get("/health")[0] == 200
        kafka.start()
        wait_until("the collector is ready again", lambda: collector.get("/ready")[0] == 200)
        for client in clients:
            client.flush()
            client.join()

        assert failures == []
        shop.close_clients()
        expected = {f"{name}-{number}" for name in ("segment", "rudder") for number in range(EVENTS)}
        assert Counter(event["message_id"] for event in events_of(shop)) == dict.fromkeys(expected, 1), collector.log()
        told = [line for line in collector.log().splitlines() if "kafka_event_log" in line]
        assert ["does not take events" in line for line in told[:2]] == [True, False], told
    finally:
        collector.close()


def test_told_to_stop_under_load_it_loses_nothing_that_it_acknowledged(shop: Shop) -> None:
    collector = Collector(shop)
    acknowledged: list[str] = []
    ended = threading.Event()

    def send(sender: int) -> None:
        for number in range(10_000):
            message_id = f"{sender}-{number}"
            body = {"userId": f"u{sender}", "event": "Signed Up", "messageId": message_id}
            request = urllib.request.Request(
                f"{collector.url}/v1/track",
                json.dumps(body).encode(),
                {"Content-Type": "application/json", **basic(BACK_KEY)},
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    assert answer.status == 200
            except (urllib.error.URLError, ConnectionError):
                return
            acknowledged.append(message_id)
            if ended.is_set():
                return

    try:
        collector.wait_ready()
        senders = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
        for sender in senders:
            sender.start()
        wait_until("some events were acknowledged", lambda: len(acknowledged) > 200)
        code = collector.stop()
        ended.set()
        for sender in senders:
            sender.join()
    finally:
        collector.close()

    assert code == 0, collector.log()
    found = Counter(event["message_id"] for event in events_of(shop))
    assert set(acknowledged) <= set(found)
    assert set(found.values()) == {1}
