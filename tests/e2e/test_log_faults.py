"""Kafka fails, or its logs are not what one would like: brokers die, transactions abort, records are compacted or gone."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from streams.home import home_partition
from streams.local.kafka_server import KafkaServer
from streams.local.redis_server import RedisServer
from tests.conftest import MakeKafka
from tests.e2e.kit import Shop, Worker, check_money_and_carts, check_triggers, money_of, running, triggers_complete
from tests.e2e.scenario import HOUR_MS, Record, Scenario, left_cart

TEA = [{"product_id": "tea", "price_minor": 500}]


def an_order(user: str, order_id: str, at_ms: int) -> Record:
    return Record.of("orders", user, at_ms, "Order Completed", message_id=order_id, order_id=order_id, products=TEA)


@contextlib.contextmanager
def administration(shop: Shop) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=shop.bootstrap)
    try:
        yield admin
    finally:
        admin.close()


@pytest.fixture
def frail_shop(own_kafka: MakeKafka, redis_server: RedisServer, prefix: str, tmp_path: Path) -> Iterator[Any]:
    """A shop on a broker of its own, that may be killed, and that compacts eagerly."""
    config = {"log.cleaner.backoff.ms": "100", "log.initial.task.delay.ms": "0", "log.segment.delete.delay.ms": "100"}
    broker = own_kafka(config=config)
    for shop in running(Shop(prefix, broker.bootstrap, redis_server.url, tmp_path)):
        yield shop, broker


def test_a_broker_that_dies_and_comes_back_costs_nothing_and_compacted_logs_are_read_over_their_holes(
    frail_shop: tuple[Shop, KafkaServer], now_ms: int
) -> None:
    shop, broker = frail_shop
    compact_carts(shop, now_ms)
    scenario = Scenario(seed=21, customers=300, now_ms=now_ms)
    shop.settings["REGULARS_LIMITS_BATCH_RECORDS"] = "10"
    shop.produce(scenario.records)
    worker = shop.start()
    shop.expect(lambda: worker.metric("regulars_commits_total") > 10, "it is at work")
    shop.close_clients()
    broker.kill()
    broker.start()

    shop.wait_caught_up(120)
    shop.expect(lambda: triggers_complete(shop, scenario), "all reminders are out")
    assert worker.running
    check_money_and_carts(shop, scenario)
    check_triggers(shop, scenario)


def test_without_kafka_health_fails_in_time_though_nothing_waits_as_far_as_is_known(
    frail_shop: tuple[Shop, KafkaServer], now_ms: int
) -> None:
    shop, broker = frail_shop
    shop.settings["REGULARS_HEALTH_STALL_MS"] = "2000"
    shop.produce([an_order("ann", "o1", now_ms)])
    worker = shop.start()
    shop.wait_caught_up()

    def status() -> str:
        found: str = json.loads(worker.page("/health") or "{}").get("status", "")
        return found

    shop.expect(lambda: status() == "ok", "a worker that is well")
    shop.close_clients()
    broker.kill()
    shop.expect(lambda: status() == "failing", "/health fails")
    broker.start()
    shop.expect(lambda: status() == "ok", "/health is fine again")


BREAKS = """
import asyncio, os, sys
from streams import cli, kafka_producer, worker

async def break_when_asked(self):
    while not os.path.exists(os.environ["BREAK"]):
        await asyncio.sleep(0.05)
    raise RuntimeError("broken on purpose")

kafka_producer.STOP_PATIENCE_S = worker.LEAVE_PATIENCE_S = worker.STOP_PATIENCE_S = 1.0
worker.Worker._keep_rules = break_when_asked
cli.main()
"""
"""A worker that breaks as soon as a file exists, and has less patience with Kafka."""


def test_a_worker_that_breaks_while_kafka_is_away_ends_and_says_why(
    frail_shop: tuple[Shop, KafkaServer], now_ms: int, tmp_path: Path
) -> None:
    """Faust's thread, asyncio and Python would each wait for the broker, and no supervisor would start it again."""
    shop, broker = frail_shop
    asked = tmp_path / "break"
    shop.program = ("-c", BREAKS)
    worker = shop.start(BREAK=str(asked))
    shop.produce([an_order("ann", "o0", now_ms)])
    shop.wait_caught_up()
    shop.produce([an_order(f"u{number}", f"o{number}", now_ms) for number in range(2_000)])
    shop.close_clients()
    broker.kill()
    shop.expect(lambda: "Unable connect" in worker.log(), "the worker has seen that Kafka is away")
    asked.touch()

    assert worker.process.wait(90) == 70
    assert "unexpected RuntimeError: broken on purpose" in worker.log()


def compact_carts(shop: Shop, now_ms: int) -> None:
    """Have records compacted away behind the first one of a log. What is left has a hole."""
    with administration(shop) as admin:
        eager = {
            "cleanup.policy": "compact",
            "segment.ms": "50",
            "min.cleanable.dirty.ratio": "0.001",
            "min.compaction.lag.ms": "0",
        }
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, shop.topic("carts"), configs=eager)])
        product = {"product_id": "gone", "price_minor": 1}
        removed = [
            Record.of("carts", "holes", now_ms - 7 * HOUR_MS + n, "Product Removed", cart_id="c", product=product)
            for n in range(20)
        ]
        home = home_partition("holes", shop.partitions)
        shop.produce([replace(removed[0], key="one that stays", partition=home)])
        for record in removed:
            shop.produce([record])

        def compacted() -> bool:
            # A new segment begins with a record, so one has to come now and then.
            shop.produce([removed[-1]])
            found = [record.offset for record in shop.records("carts") if record.partition == home]
            return bool(found[0] == 0 and found[-1] + 1 > len(found))

        shop.expect(compacted, "the log has holes")
        plain = {"cleanup.policy": "delete", "segment.ms": "604800000"}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, shop.topic("carts"), configs=plain)])


def test_records_of_an_aborted_transaction_count_nothing_and_its_marks_hold_up_nothing(shop: Shop) -> None:
    at_ms = int(time.time() * 1000) - HOUR_MS + 8_000
    users = [f"t{n}" for n in range(12)]
    worker = shop.start()
    producer = KafkaProducer(bootstrap_servers=shop.bootstrap, transactional_id=f"{shop.prefix}-shop")
    try:
        producer.init_transactions()
        for user in users:
            shop.produce(left_cart(user, at_ms))
        for turn, commit in enumerate((True, False, True, False)):
            producer.begin_transaction()
            for user in users:
                told = an_order(user, f"{user}-{turn}", at_ms - HOUR_MS)
                partition = home_partition(user, shop.partitions)
                # The cart it names is another one, so that this one's reminder stays due.
                value = json.dumps({**json.loads(told.value or b""), "cart_id": "elsewhere"}).encode()
                producer.send(shop.topic("orders"), key=user.encode(), value=value, partition=partition)
            producer.flush()
            (producer.commit_transaction if commit else producer.abort_transaction)()
    finally:
        producer.close()

    # The logs end with marks that are no records; they count as read, and reminders come by the wall clock alone.
    shop.wait_caught_up()
    shop.expect(lambda: len(shop.read("triggers")) == len(users), "the reminders are out")
    shop.expect(lambda: worker.metric("regulars_lag_events") == 0, "there is no lag")
    assert {user: money_of(shop.profiles()[f"user_id:{user}"])[:2] for user in users} == dict.fromkeys(users, (2, 1000))


def test_a_log_that_lost_what_was_not_read_is_refused_until_somebody_decides(shop: Shop, now_ms: int) -> None:
    """Retention first, then a topic that was made anew; accepted the first time, rebuilt the second time."""
    shop.settings["REGULARS_HEALTH_STALL_MS"] = "1000"
    user = "ann"
    home = home_partition(user, shop.partitions)
    shop.produce([an_order(user, f"o{n}", now_ms - HOUR_MS) for n in range(10)])
    worker = shop.start()
    shop.wait_caught_up()
    assert worker.stop() == 0
    shop.produce([an_order(user, f"o{n}", now_ms - HOUR_MS) for n in range(10, 20)])
    orders = TopicPartition(shop.topic("orders"), home)
    with administration(shop) as admin:
        admin.delete_records({orders: 15})

    worker = shop.start()
    assert "orders: records 10 to 14 are gone from the log unread" in refusal(shop, worker, home)
    assert shop.stored_offsets()["orders", home] == 10

    assert "5 records are gone from the log" in shop.command("offsets", "accept-gap", "--yes")
    shop.wait_caught_up()
    assert money_of(shop.profiles()[f"user_id:{user}"])[:2] == (15, 7500)

    assert worker.stop() == 0
    with administration(shop) as admin:
        remake(admin, shop)
    # As many records as were read before: by offsets alone it would look like the same log.
    shop.produce([an_order(user, f"new{n}", now_ms - HOUR_MS) for n in range(30)])
    worker = shop.start()
    assert "orders is another topic than the one read before" in refusal(shop, worker, home)

    assert "another topic" in shop.command("offsets", "accept-gap", "--yes")
    shop.wait_caught_up()
    assert money_of(shop.profiles()[f"user_id:{user}"])[:2] == (45, 22_500)

    assert "deleted" in shop.command("rebuild", "--yes")
    shop.expect(lambda: money_of(shop.profiles().get(f"user_id:{user}", {}))[:2] == (30, 15_000), "it is made anew")


def remake(admin: KafkaAdminClient, shop: Shop) -> None:
    """Delete the topic of orders and make it again."""
    name = shop.topic("orders")
    admin.delete_topics([name])
    shop.expect(lambda: name not in admin.list_topics(), "the topic is gone")
    admin.create_topics({name: {"num_partitions": shop.partitions, "replication_factor": 1}})


def refusal(shop: Shop, worker: Worker, partition: int) -> str:
    """What /health says of a partition that is refused: it fails, and says what to do."""
    said = ""

    def refused() -> bool:
        nonlocal said
        report = json.loads(worker.page("/health") or "{}")
        states = [one["state"] for one in report.get("partitions", ()) if one["partition"] == partition]
        said = states[0] if states else ""
        return bool(report.get("status") == "failing" and said.endswith(advice(partition)))

    shop.expect(refused, f"partition {partition} is refused with what to do")
    return said


def advice(partition: int) -> str:
    return (
        "Run `regulars offsets accept-gap` to go on without what is missing, or `regulars rebuild --partition "
        f"{partition}` to make the state anew from the log"
    )
