"""One worker is cut off from Kafka, or from Redis, and from nothing else: no connection ends, and nothing comes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.local.kafka_server import KafkaServer
from streams.local.process import free_ports
from streams.local.redis_server import RedisServer
from tests.e2e.kit import Shop, Worker, check_money_and_carts, check_triggers, end_of_stories, running
from tests.e2e.scenario import stories
from tests.e2e.test_owners import stopped
from tests.wire import Wire


@pytest.fixture
def kafka_by_wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KafkaServer, Wire]]:
    """A broker with a second address, at which it is reached over a wire."""
    port, far, controller = free_ports(3)
    with Wire(far) as wire:
        config = {
            "listeners": f"PLAINTEXT://127.0.0.1:{port},FAR://127.0.0.1:{far},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},FAR://127.0.0.1:{wire.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }
        broker = KafkaServer(tmp_path_factory.mktemp("kafka"), port=port, controller_port=controller, config=config)
        broker.start()
        try:
            yield broker, wire
        finally:
            broker.kill()


def states(worker: Worker) -> list[str]:
    """What /health says of each partition that the worker believes to hold."""
    return [one["state"] for one in json.loads(worker.page("/health") or "{}").get("partitions", ())]


def shared(one: Worker, other: Worker, shop: Shop) -> bool:
    return one.metric("regulars_partitions") == other.metric("regulars_partitions") == shop.partitions / 2


@pytest.mark.usefixtures("own_kafka")  # by it the test is known to need a Kafka
def test_who_is_cut_off_from_kafka_is_replaced_refused_and_taken_back(
    kafka_by_wire: tuple[KafkaServer, Wire], redis_server: RedisServer, prefix: str, tmp_path: Path, now_ms: int
) -> None:
    broker, wire = kafka_by_wire
    with contextmanager(running)(Shop(prefix, broker.bootstrap, redis_server.url, tmp_path)) as shop:
        (first, second), whole = stories(2, 100, seed=31, now_ms=now_ms)
        shop.brisk()
        shop.settings["REGULARS_LIMITS_BATCH_RECORDS"] = "20"
        other = shop.start()
        # Frozen for a while, so that it is surely in the middle of its work when another one owns what it works on; with
        # records in its hands, for claims make commits too, and there are as many as the group was shared out.
        cut_off = shop.start(REGULARS_KAFKA_BOOTSTRAP=f"127.0.0.1:{wire.port}", REGULARS_FAULTS="after_decode:5:freeze")
        shop.expect(lambda: shared(cut_off, other, shop), "both have their share")
        shop.produce(first)
        shop.expect(lambda: stopped(cut_off), "it has records in its hands")
        wire.cut()
        shop.expect(lambda: other.metric("regulars_partitions") == shop.partitions, "the other has all")
        shop.wait_caught_up()

        cut_off.thaw()
        shop.expect(lambda: cut_off.metric("regulars_fenced_total") > 0, "the commit is refused")
        shop.expect(lambda: any(state.startswith("fenced: ") for state in states(cut_off)), "/health says so")
        assert other.metric("regulars_fenced_total") == 0

        wire.mend()
        shop.expect(lambda: shared(cut_off, other, shop), "it is a worker like any other again")
        shop.produce(second)
        end_of_stories(shop, whole)
        check_money_and_carts(shop, whole)
        # What it was sending when the wire was cut may arrive beside what its successor sent.
        check_triggers(shop, whole, repeats=True)


def test_who_is_cut_off_from_redis_waits_while_others_work_and_hands_over_when_it_is_stopped(
    kafka_server: KafkaServer, redis_server: RedisServer, prefix: str, tmp_path: Path, now_ms: int
) -> None:
    settings = {"REGULARS_LIMITS_BATCH_RECORDS": "10", "REGULARS_REDIS_TIMEOUT_MS": "1000"}
    whole_shop = Shop(prefix, kafka_server.bootstrap, redis_server.url, tmp_path, settings=settings)
    with Wire(redis_server.port) as wire, contextmanager(running)(whole_shop) as shop:
        (first, second, third), whole = stories(3, 100, seed=32, now_ms=now_ms)
        shop.brisk()
        cut_off = shop.start(REGULARS_REDIS_URL=f"redis://127.0.0.1:{wire.port}/0")
        other = shop.start()
        shop.expect(lambda: shared(cut_off, other, shop), "both have their share")
        shop.produce(first)
        shop.expect(lambda: cut_off.metric("regulars_commits_total") > 10, "it works")
        for stories_told, mend in ((second, True), (third, False)):
            wire.cut()
            shop.produce(stories_told)
            shop.expect(lambda: cut_off.metric("regulars_partitions") == 0, "it stands")
            assert all(state.startswith(("unavailable: ", "claiming")) for state in states(cut_off))
            assert other.metric("regulars_partitions") == shop.partitions / 2
            assert not shop.caught_up()
            if mend:
                wire.mend()
                shop.wait_caught_up()

        assert cut_off.stop() == 0
        end_of_stories(shop, whole)
        check_money_and_carts(shop, whole)
        check_triggers(shop, whole)
