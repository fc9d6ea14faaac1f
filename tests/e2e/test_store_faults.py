"""Redis fails in every way it can: restarted, set back in time, emptied, full, written to by others. Nothing is lost."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.home import home_partition
from streams.local.kafka_server import KafkaServer
from streams.local.redis_server import RedisServer
from tests.conftest import MakeRedis
from tests.e2e.kit import (
    Shop,
    Worker,
    check_money_and_carts,
    check_triggers,
    end_of_stories,
    money_of,
    running,
    triggers_complete,
)
from tests.e2e.scenario import HOUR_MS, Record, Scenario, left_cart, stories


@pytest.fixture
def store(own_redis: MakeRedis) -> RedisServer:
    return own_redis()


@pytest.fixture
def shop(kafka_server: KafkaServer, store: RedisServer, prefix: str, tmp_path: Path) -> Iterator[Shop]:
    """A shop on the session's Kafka and a Redis of its own. /health says soon what is wrong."""
    settings = {"REGULARS_HEALTH_STALL_MS": "1000", "REGULARS_REDIS_TIMEOUT_MS": "1000"}
    yield from running(Shop(prefix, kafka_server.bootstrap, store.url, tmp_path, settings=settings))


def health(worker: Worker) -> dict[str, object]:
    found: dict[str, object] = json.loads(worker.page("/health") or "{}")
    return found


def complains(worker: Worker, of: str) -> bool:
    report = health(worker)
    return report.get("status") == "failing" and of in json.dumps(report)


def test_a_redis_that_is_restarted_in_mid_run_costs_nothing(shop: Shop, store: RedisServer, now_ms: int) -> None:
    parts, scenario = stories(4, customers=75, seed=11, now_ms=now_ms)
    shop.settings["REGULARS_LIMITS_BATCH_RECORDS"] = "10"
    shop.brisk()
    worker = shop.start()
    for end in (store.stop, store.kill):
        commits = worker.metric("regulars_commits_total")
        shop.produce(parts.pop(0))
        shop.expect(lambda least=commits + 5: worker.metric("regulars_commits_total") > least, "it commits")  # type: ignore[misc]
        end()
        # However fast the worker is, there is work while Redis is away.
        shop.produce(parts.pop(0))
        shop.expect(lambda: worker.metric("regulars_stops_total") > 0, "it notices")
        store.start()
    end_of_stories(shop, scenario)

    assert worker.running
    check_money_and_carts(shop, scenario)
    # What the file did not hold yet when Redis was killed is done again.
    check_triggers(shop, scenario, repeats=True)


def test_a_redis_that_goes_back_in_time_under_a_live_worker_is_healed_by_replay(
    shop: Shop, store: RedisServer, now_ms: int, tmp_path: Path
) -> None:
    (first, second, third), whole = stories(3, customers=40, seed=12, now_ms=now_ms)
    shop.brisk()
    shop.produce(first)
    worker = shop.start()
    shop.wait_caught_up()
    store.copy_data(tmp_path / "older")
    shop.produce(second)
    shop.wait_caught_up()
    shop.expect(shop.outbox_empty, "all is published")

    store.stop()
    store.restore_data(tmp_path / "older")
    store.start()
    shop.expect(lambda: worker.metric("regulars_rollbacks_total") >= 1, "the worker notices")
    shop.produce(third)
    end_of_stories(shop, whole)

    assert worker.running
    check_money_and_carts(shop, whole)
    check_triggers(shop, whole, repeats=True)


def test_a_failover_to_a_replica_that_lags_is_waited_out_and_healed_by_replay(
    shop: Shop, store: RedisServer, own_redis: MakeRedis, now_ms: int
) -> None:
    (first, second, third), whole = stories(3, customers=40, seed=15, now_ms=now_ms)
    shop.brisk()
    worker = shop.start()
    replica = own_redis()
    with contextlib.closing(replica.client()) as follows, contextlib.closing(shop.client()) as leads:
        follows.replicaof(store.host, store.port)
        shop.produce(first)
        shop.wait_caught_up()
        shop.expect(lambda: follows.info("replication")["master_link_status"] == "up", "the replica follows")
        shop.expect(lambda: follows.dbsize() == leads.dbsize(), "and has what there is")
        follows.replicaof("NO", "ONE")
        # What the master acknowledges from here on, and what goes out of it, the replica never hears of.
        shop.produce(second)
        shop.wait_caught_up()
        shop.expect(shop.outbox_empty, "all is published")
        commits = worker.metric("regulars_commits_total")

        leads.replicaof(replica.host, replica.port)
        shop.expect(lambda: leads.info("replication")["master_link_status"] == "up", "the replica is the master now")
        shop.produce(third)
        shop.expect(lambda: complains(worker, "this Redis is a replica"), "/health says that it can't write")
        leads.replicaof("NO", "ONE")
    shop.expect(lambda: worker.metric("regulars_rollbacks_total") >= 1, "the worker notices")
    end_of_stories(shop, whole)

    assert worker.metric("regulars_commits_total") > commits
    check_money_and_carts(shop, whole)
    check_triggers(shop, whole, repeats=True)


def test_a_redis_that_lost_only_what_timers_did_sends_the_same_reminders_again(
    shop: Shop, store: RedisServer, tmp_path: Path
) -> None:
    worker = shop.start()
    shop.expect(lambda: worker.metric("regulars_partitions") == shop.partitions, "it holds all partitions")
    # Reminders that come due some seconds after everything was read: they move no input offset.
    soon_ms = int(time.time() * 1000) - HOUR_MS + 15_000
    users = [f"late{n}" for n in range(20)]
    shop.produce([record for user in users for record in left_cart(user, soon_ms)])
    shop.wait_caught_up()
    store.copy_data(tmp_path / "older")

    assert shop.read("triggers") == []

    shop.expect(lambda: len(shop.read("triggers")) == len(users) and shop.outbox_empty(), "the reminders are out")
    before = {value["episode_key"]: value["trigger_id"] for _, value in shop.read("triggers")}
    offsets = shop.stored_offsets()
    store.stop()
    store.restore_data(tmp_path / "older")
    store.start()
    shop.expect(lambda: worker.metric("regulars_rollbacks_total") >= 1, "the worker notices")
    shop.expect(lambda: len(emitted(shop)) == len(users) and shop.outbox_empty(), "they are remembered again")

    assert {value["episode_key"]: value["trigger_id"] for _, value in shop.read("triggers")} == before
    assert {value["trigger_id"] for _, value in shop.read("triggers")} == set(before.values())
    assert shop.stored_offsets() == offsets


def emitted(shop: Shop) -> set[str]:
    """Customers whose stored profile says that a reminder went out."""
    return {profile_id for profile_id, profile in shop.profiles().items() if '"emitted' in json.dumps(profile)}


def test_a_redis_that_was_emptied_is_refused_with_what_to_do_and_can_be_rebuilt(
    shop: Shop, store: RedisServer, now_ms: int
) -> None:
    scenario = Scenario(seed=13, customers=40, now_ms=now_ms)
    shop.produce(scenario.records)
    worker = shop.start()
    shop.wait_caught_up()
    shop.expect(lambda: triggers_complete(shop, scenario), "all reminders are out")
    shop.expect(lambda: all(shop.group_offsets().values()), "the group's offsets are committed")
    with contextlib.closing(shop.client()) as client:
        client.flushall()

    # Each partition is found out when it is next worked on, by itself.
    orders = [f"`regulars rebuild --partition {partition}`" for partition in range(shop.partitions)]
    shop.expect(lambda: all(complains(worker, order) for order in orders), "/health says what to do for each partition")
    shop.expect(lambda: all(order in worker.log() for order in orders), "and so does the log")

    log = worker.log()
    assert "the state is lost" in log
    assert "read before" in log
    assert shop.profiles() == {}
    assert worker.running

    assert "deleted" in shop.command("rebuild", "--yes")
    shop.wait_caught_up()
    shop.expect(shop.outbox_empty, "all is published")
    check_money_and_carts(shop, scenario)
    check_triggers(shop, scenario, repeats=True)


def test_a_redis_without_memory_stops_the_work_until_there_is_some(shop: Shop, store: RedisServer, now_ms: int) -> None:
    scenario = Scenario(seed=14, customers=300, now_ms=now_ms)
    shop.settings["REGULARS_LIMITS_BATCH_RECORDS"] = "20"
    shop.produce(scenario.records)
    with contextlib.closing(shop.client()) as client:
        client.config_set("maxmemory", client.info("memory")["used_memory"] + 400_000)
        worker = shop.start()
        shop.expect(lambda: complains(worker, "memory"), "/health says that Redis is full")

        assert not shop.caught_up()
        assert worker.running

        client.config_set("maxmemory", 0)
    shop.wait_caught_up()
    shop.expect(lambda: triggers_complete(shop, scenario), "all reminders are out")
    shop.expect(lambda: health(worker)["status"] == "ok", "/health is fine again")

    check_money_and_carts(shop, scenario)
    check_triggers(shop, scenario)


def test_a_key_that_somebody_else_wrote_stops_its_partition_alone_until_it_is_gone(shop: Shop) -> None:
    users = [f"w{n}" for n in range(40)]
    at_ms = int(time.time() * 1000) - HOUR_MS
    victim = "w7"
    home = home_partition(victim, shop.partitions)
    key = f"{shop.prefix}:{{{home}}}:l:user_id:{victim}"
    order = [{"product_id": "tea", "price_minor": 500}]
    records = [
        Record.of("orders", user, at_ms, "Order Completed", order_id=f"{user}-o", products=order) for user in users
    ]
    with contextlib.closing(shop.client()) as client:
        client.rpush(key, "not", "a", "ledger")
        shop.produce(records)
        worker = shop.start()
        shop.expect(lambda: complains(worker, key), "/health names the key")

        stored = shop.stored_offsets()
        assert {user for user in users if home_partition(user, shop.partitions) != home} == {
            profile_id.removeprefix("user_id:") for profile_id in shop.profiles()
        }
        assert stored["orders", home] == 0
        assert client.lrange(key, 0, -1) == [b"not", b"a", b"ledger"]
        assert worker.running

        client.delete(key)
    shop.wait_caught_up()
    assert {money_of(profile)[:2] for profile in shop.profiles().values()} == {(1, 500)}
    assert len(shop.profiles()) == len(users)
