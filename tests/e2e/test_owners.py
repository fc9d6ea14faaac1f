"""Who owns a partition: frozen owners, workers that come and go. A zombie is refused, and nothing is applied twice."""

import json

import psutil
import pytest
from kafka import KafkaConsumer

from tests.e2e.kit import Shop, Worker, check_money_and_carts, check_triggers, end_of_stories, wait_until
from tests.e2e.scenario import Record, stories


def stopped(worker: Worker) -> bool:
    return psutil.Process(worker.process.pid).status() == psutil.STATUS_STOPPED


def test_a_frozen_owner_that_wakes_up_is_refused_and_changes_nothing(shop: Shop, now_ms: int) -> None:
    (first, second), whole = stories(2, 100, seed=5, now_ms=now_ms)
    shop.brisk()
    shop.settings["REGULARS_LIMITS_BATCH_RECORDS"] = "20"
    shop.produce(first)
    # It stands still with a commit in its hands, whose place another worker's commits take.
    frozen = shop.start(REGULARS_FAULTS="before_send:9:freeze")
    shop.expect(lambda: stopped(frozen), "the owner is frozen")

    shop.start()
    shop.wait_caught_up()
    before = shop.profiles()
    frozen.thaw()
    shop.expect(lambda: frozen.metric("regulars_fenced_total") > 0, "the commit of the frozen owner is refused")

    money = {profile_id: (one.get("ltv"), one.get("orders")) for profile_id, one in before.items()}
    assert money == {profile_id: (one.get("ltv"), one.get("orders")) for profile_id, one in shop.profiles().items()}

    shop.expect(
        lambda: frozen.metric("regulars_partitions") == shop.partitions / 2, "it is a worker like any other again"
    )
    shop.produce(second)
    end_of_stories(shop, whole)
    check_money_and_carts(shop, whole)
    check_triggers(shop, whole, repeats=True)


def test_a_group_that_another_program_reads_as_is_named_and_joined_once_that_has_left(shop: Shop, now_ms: int) -> None:
    shop.produce([Record.of("orders", "ann", now_ms, "Order Completed", order_id="o1", products=[])])
    other = KafkaConsumer(shop.topic("triggers"), bootstrap_servers=shop.bootstrap, group_id=shop.prefix)
    try:
        wait_until("the other program is a member", lambda: other.poll(500) == {} and bool(other.assignment()))
        worker = shop.start()
        why = f"another program reads as the consumer group {shop.prefix}, so it takes no worker in"

        def told() -> bool:
            other.poll(100)
            return why in worker.log()

        shop.expect(told, "the worker says why it does nothing")
        assert worker.running
        assert json.loads(worker.page("/health") or "{}")["status"] == "starting"
    finally:
        other.close()

    shop.wait_caught_up()
    assert json.loads(worker.page("/health") or "{}")["status"] == "ok"


def storm(shop: Shop, now_ms: int, rounds: int, customers: int) -> None:
    """Workers are added, stopped and killed while events stream in."""
    parts, whole = stories(rounds, customers, seed=6, now_ms=now_ms)
    shop.brisk()
    shop.settings["REGULARS_LIMITS_BATCH_RECORDS"] = "50"
    shop.start()
    for number, records in enumerate(parts):
        shop.produce(records)
        living = [worker for worker in shop.workers if worker.running]
        if number % 2 == 0 and len(living) < 3:
            newest = shop.start()
            shop.expect(lambda newest=newest: newest.metric("regulars_partitions") > 0, "it has a share")  # type: ignore[misc]
        elif number % 4 == 1:
            living[0].kill()
        else:
            assert living[0].stop() == 0
    if not any(worker.running for worker in shop.workers):
        shop.start()
    end_of_stories(shop, whole, 120)

    check_money_and_carts(shop, whole)
    check_triggers(shop, whole)


def test_workers_that_come_and_go_under_load_lose_and_double_nothing(shop: Shop, now_ms: int) -> None:
    storm(shop, now_ms, rounds=6, customers=150)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_long_storm_of_workers_loses_and_doubles_nothing(shop: Shop, now_ms: int) -> None:
    storm(shop, now_ms, rounds=60, customers=200)
