"""Triggers on a real broker reach a real HTTP receiver through its outages and the relay's own death, in order and signed."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from typing_extensions import override

from streams.serve.signatures import check_standard, standard_secret
from tests.e2e.kit import Shop, Worker
from tests.e2e.scenario import Record

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CUSTOMERS = 20
EACH = 15


class Receiver:
    """Notes what it takes; is out of order while `broken`, and does not want what is named "unwanted" until it `wants_all`."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.broken = self.wants_all = False
        self.turned_away = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                check_standard(headers, body, (standard_secret(SECRET),), time.time())
                record = json.loads(body)
                status = 204
                if receiver.broken:
                    status = 503
                    receiver.turned_away += 1
                elif record["name"] == "unwanted" and not receiver.wants_all:
                    status = 422
                else:
                    receiver.taken.append(record)
                self.send_response(status)
                self.end_headers()

            @override
            def log_message(self, *_: object) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def order(self) -> dict[str, list[int]]:
        """The numbers in the order in which each customer's came for the first time."""
        found: dict[str, list[int]] = defaultdict(list)
        for record in self.taken:
            if record["number"] not in found[record["customer"]["id"]]:
                found[record["customer"]["id"]].append(record["number"])
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def publish(
    shop: Shop, producer: Any, customer: int, number: int, name: str = "welcome", partition: int | None = None
) -> Any:
    """Gives the future of where it lies."""
    record = {
        "trigger_id": f"{name}-{customer}-{number}",
        "name": name,
        "number": number,
        "customer": {"id": f"user_id:c{customer}", "user_id": f"c{customer}"},
        "expires_at_ms": int(time.time() * 1000) + 3_600_000,
    }
    key, value = f"user_id:c{customer}".encode(), json.dumps(record).encode()
    return producer.send(shop.topic("triggers"), key=key, value=value, partition=partition)


def first_relay(shop: Shop, receiver: Receiver) -> Worker:
    """Start a relay that nobody has run before, and wait until it knows where it begins."""
    shop.settings |= {
        "REGULARS_RELAYS_CRM_URL": receiver.url,
        "REGULARS_RELAYS_CRM_SECRET": SECRET,
        "REGULARS_RELAYS_CRM_ALLOW_PRIVATE": "true",
    }
    relay = shop.start("crm", command="relay")
    shop.expect(lambda: "begins with what comes now" in relay.log(), "it knows where it begins")
    return relay


def test_everything_arrives_in_order_through_an_outage_of_the_receiver_and_a_kill(
    shop: Shop, receiver: Receiver
) -> None:
    producer = KafkaProducer(bootstrap_servers=shop.bootstrap, acks="all")
    relay = first_relay(shop, receiver)

    for number in range(EACH):
        for customer in range(CUSTOMERS):
            publish(shop, producer, customer, number)
        if number == 5:
            producer.flush()
            shop.expect(lambda: len(receiver.taken) >= CUSTOMERS, "some arrive")
            receiver.broken = True
        if number == 10:
            producer.flush()
            shop.expect(lambda: receiver.turned_away > 5, "it is tried again")
            relay.kill()
            receiver.broken = False
            shop.start("crm", command="relay")
    publish(shop, producer, 0, 0, "unwanted")
    producer.flush()

    everything = {f"user_id:c{customer}": list(range(EACH)) for customer in range(CUSTOMERS)}
    shop.expect(lambda: {name: sorted(got) for name, got in receiver.order().items()} == everything, "all have arrived")
    assert receiver.order() == everything, "each customer's in order"
    shop.expect(lambda: len(shop.records("relay-failed")) == 1, "what is not wanted is set aside")
    (failure,) = [value for _, value in shop.read("relay-failed")]
    assert (failure["reason"], failure["relay"], failure["original"]["name"]) == ("refused", "crm", "unwanted")
    (told,) = [value for _, value in shop.read("messages")]
    assert (told["event"], told["trigger_id"], told["user_id"]) == ("Message Failed", "unwanted-0-0", "c0")
    producer.close()


def test_what_was_set_aside_is_sent_again_by_hand_once_and_to_who_agrees_still(
    shop: Shop, receiver: Receiver, now_ms: int
) -> None:
    producer = KafkaProducer(bootstrap_servers=shop.bootstrap, acks="all")
    first_relay(shop, receiver)
    for customer, state in ((0, "GRANT"), (1, "REVOKED")):
        said = {"channel": "email", "purpose": "marketing", "state": state}
        decided = Record.of("consents", f"c{customer}", now_ms, "Consent Changed", consent=[said])
        shop.produce([decided])
        publish(shop, producer, customer, 7, "unwanted")
    producer.flush()
    shop.start()
    shop.expect(lambda: len(shop.records("relay-failed")) == 2, "both are set aside")
    shop.expect(lambda: len(shop.records("messages")) == 2, "and the worker is told")
    shop.close_clients()  # one that knows some topics and not others gives the ends of those alone
    shop.wait_caught_up()

    assert "refused 2" in shop.command("undelivered", "list", "--relay", "crm")
    dry = shop.command("undelivered", "redrive", "crm")
    assert "unwanted  user_id:c0  unwanted-0-7  would be sent" in dry
    assert "(no_consent)" in dry
    assert "1 triggers would be sent (--send sends them); 1 can't or must not be sent" in dry
    assert "HTTP 422" in shop.command("undelivered", "redrive", "crm", "--send", code=1)

    receiver.wants_all = True
    again = shop.command("undelivered", "redrive", "crm", "unwanted-0-7", "unwanted-1-7", "--send")
    assert "1 triggers delivered, 0 not; 1 can't or must not be sent" in again
    assert receiver.order() == {"user_id:c0": [7]}
    assert "0 triggers delivered, 0 not; 1 can't" in shop.command("undelivered", "redrive", "crm", "--send")
    assert "refused 1" in shop.command("undelivered", "list", "--since", "2026-01-01")
    shop.wait_caught_up()
    told = {name: count for name, count in shop.profiles()["user_id:c0"]["messages"].items() if "last" not in name}
    assert told == {"failed": 1, "sent": 1}
    producer.close()


def test_another_relay_joins_while_the_receiver_is_away_and_all_is_delivered_once_it_is_back(
    shop: Shop, receiver: Receiver
) -> None:
    """More triggers wait than may be under way, so the first relay has stopped to read when its partitions change hands."""
    producer = KafkaProducer(bootstrap_servers=shop.bootstrap, acks="all")
    shop.settings["REGULARS_RELAYS_CRM_AT_ONCE"] = "2"
    first_relay(shop, receiver)
    receiver.broken = True
    for customer in range(200):
        publish(shop, producer, customer, 0)
    producer.flush()
    shop.expect(lambda: receiver.turned_away > 4, "it is tried again")

    second = shop.start("crm", command="relay")
    shop.expect(lambda: "delivering" in second.log() and receiver.turned_away > 20, "both go on trying")
    receiver.broken = False

    shop.expect(lambda: len(receiver.order()) == 200, "all have arrived")
    producer.close()


def test_a_relay_that_was_away_for_longer_than_triggers_are_kept_delivers_what_is_left_and_says_what_is_gone(
    shop: Shop, receiver: Receiver
) -> None:
    producer = KafkaProducer(bootstrap_servers=shop.bootstrap, acks="all")
    relay = first_relay(shop, receiver)
    publish(shop, producer, 0, 0).get(30)
    shop.expect(lambda: receiver.order() == {"user_id:c0": [0]}, "one is delivered")
    assert relay.stop() == 0
    places = [publish(shop, producer, 0, number).get(30) for number in range(1, 6)]
    admin = KafkaAdminClient(bootstrap_servers=shop.bootstrap)
    admin.delete_records({TopicPartition(places[3].topic, places[3].partition): places[3].offset})
    admin.close()
    relay = shop.start("crm", command="relay")

    shop.expect(lambda: receiver.order() == {"user_id:c0": [0, 4, 5]}, "what is left is delivered")
    (told,) = (line for line in relay.log().splitlines() if "gone" in line)
    assert f"records={places[3].offset - places[0].offset}" in told
    producer.close()


LOOKS_OFTEN = """
import functools
from streams import cli
from streams.relay import run

run.AIOKafkaConsumer = functools.partial(run.AIOKafkaConsumer, metadata_max_age_ms=500)
cli.main()
"""
"""A relay that asks every half second, and not every five minutes, which partitions there are."""


@pytest.mark.parametrize("runs", [True, False], ids=["while it runs", "while it is stopped"])
def test_what_was_written_to_added_partitions_before_a_relay_heard_of_them_is_delivered(
    shop: Shop, receiver: Receiver, *, runs: bool
) -> None:
    producer = KafkaProducer(bootstrap_servers=shop.bootstrap, acks="all")
    shop.program = ("-c", LOOKS_OFTEN)
    relay = first_relay(shop, receiver)
    relay.freeze() if runs else relay.stop()
    admin = KafkaAdminClient(bootstrap_servers=shop.bootstrap)
    admin.create_partitions({shop.topic("triggers"): shop.partitions + 2})
    admin.close()
    for partition in range(shop.partitions + 2):
        publish(shop, producer, partition, 0, partition=partition).get(30)
    if runs:
        relay.thaw()
    else:
        shop.start("crm", command="relay")
        shop.start("crm", command="relay")

    shop.expect(lambda: len(receiver.order()) == shop.partitions + 2, "all have arrived")
    producer.close()
