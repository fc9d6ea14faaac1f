"""Chunked delivery against a real broker: complete, in order, by session; committed records only; no silent reset."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.protocol.fetch import FetchRequest
from faust.types import TP
from kafka import KafkaAdminClient
from typing_extensions import override

from streams.local.kafka_server import KafkaServer
from streams.settings import Settings
from tests.contract.kafka_kit import Catcher, delivery, make_topics, settings_for, until


async def produce(settings: Settings, topic: str, partition: int, values: range) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap) as producer:
        for number in values:
            await producer.send(settings.topic(topic), value=str(number).encode(), partition=partition)


def everything(settings: Settings, partitions: int = 2) -> dict[TP, int]:
    return {TP(topic, p): 0 for topic in settings.consumed() for p in range(partitions)}


def test_every_record_arrives_once_and_in_order_however_it_was_cut(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix, chunk_records=7)
    make_topics(kafka_admin, settings)
    catcher = Catcher()

    async def run() -> None:
        await produce(settings, "orders", 0, range(500))
        await produce(settings, "orders", 1, range(100))
        async with delivery(settings, catcher) as consumer:
            await consumer.open(everything(settings))
            await until(lambda: len(catcher.offsets("orders", 0)) >= 500, "the records of orders 0")
            await until(lambda: len(catcher.offsets("orders", 1)) >= 100, "the records of orders 1")

    asyncio.run(run())

    assert [record.value for record in catcher.records("orders", 0)] == [str(n).encode() for n in range(500)]
    assert catcher.offsets("orders", 1) == list(range(100))
    assert max(len(taken.chunk.records) for taken in catcher.taken) <= 7
    numbers = [taken.number for taken in catcher.taken if (taken.chunk.topic, taken.chunk.partition) == ("orders", 0)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_nothing_comes_from_a_partition_before_it_is_opened(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)
    catcher = Catcher()

    async def run() -> None:
        await produce(settings, "orders", 0, range(10))
        await produce(settings, "orders", 1, range(10))
        async with delivery(settings, catcher) as consumer:
            await consumer.open({TP(settings.topic("orders"), 1): 4})
            await until(lambda: len(catcher.offsets("orders", 1)) >= 6, "the records of the open partition")

    asyncio.run(run())

    assert catcher.offsets("orders", 0) == []
    assert catcher.offsets("orders", 1) == [4, 5, 6, 7, 8, 9]


def test_opening_again_further_back_reads_again_under_a_new_session(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix, chunk_records=10)
    make_topics(kafka_admin, settings)
    catcher = Catcher()
    orders = TP(settings.topic("orders"), 0)

    async def run() -> tuple[int, int]:
        await produce(settings, "orders", 0, range(200))
        async with delivery(settings, catcher) as consumer:
            first = (await consumer.open({orders: 0}))[orders]
            await until(lambda: len(catcher.offsets("orders", 0)) >= 50, "some records")
            second = (await consumer.open({orders: 20}))[orders]
            await until(lambda: len(catcher.offsets("orders", 0, second)) >= 180, "all from 20 on")
        return first, second

    first, second = asyncio.run(run())

    assert second > first
    assert catcher.offsets("orders", 0, second) == list(range(20, 200))
    before = catcher.offsets("orders", 0, first)
    assert before == list(range(len(before)))


def test_a_paused_partition_stops_alone_and_goes_on_at_once(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix, chunk_records=10)
    make_topics(kafka_admin, settings)
    catcher = Catcher()
    slow = TP(settings.topic("orders"), 0)
    waits: list[float] = []

    async def run() -> None:
        async with delivery(settings, catcher) as consumer:
            await consumer.open(everything(settings))
            consumer.pause(slow)
            await produce(settings, "orders", 0, range(100))
            await produce(settings, "orders", 1, range(100))
            await until(lambda: len(catcher.offsets("orders", 1)) >= 100, "the other partition")
            # A fetch that was under way when it was paused may still bring a chunk; nothing after that.
            held = len(catcher.offsets("orders", 0))
            await produce(settings, "orders", 1, range(100))
            await until(lambda: len(catcher.offsets("orders", 1)) >= 200, "the other partition again")
            assert len(catcher.offsets("orders", 0)) == held <= 10
            began = time.monotonic()
            consumer.unpause(slow)
            await until(lambda: len(catcher.offsets("orders", 0)) > held, "the first chunk after the pause")
            waits.append(time.monotonic() - began)
            await until(lambda: len(catcher.offsets("orders", 0)) >= 100, "the rest")

    asyncio.run(run())

    assert catcher.offsets("orders", 0) == list(range(100))
    assert waits[0] < 0.9, "the consumer's own wait of a second was sat out"


def test_aborted_transactions_are_not_read_and_their_markers_are_passed(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)
    catcher = Catcher()
    orders = TP(settings.topic("orders"), 0)

    async def run() -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=settings.kafka.bootstrap, transactional_id=f"{prefix}-tx"
        ) as producer:
            for value, keep in ((b"good", True), (b"bad", False), (b"better", True), (b"worse", False)):
                await producer.begin_transaction()
                await producer.send_and_wait(orders.topic, value=value, partition=0)
                await (producer.commit_transaction() if keep else producer.abort_transaction())
            async with delivery(settings, catcher) as consumer:
                await consumer.open({orders: 0})
                reach = (await consumer.standings(0))[orders]
                assert reach.end == 8
                deadline = time.monotonic() + 20
                while reach.position < reach.end:
                    assert time.monotonic() < deadline, reach
                    reach = (await consumer.standings(0))[orders]
                # An open transaction holds the end back, whatever the high watermark says.
                await producer.begin_transaction()
                await producer.send_and_wait(orders.topic, value=b"open", partition=0)
                assert (await consumer.standings(0))[orders].end == 8
                await producer.abort_transaction()

    asyncio.run(run())

    assert [record.value for record in catcher.records("orders", 0)] == [b"good", b"better"]
    assert catcher.taken[-1].position <= 8


def test_an_offset_that_the_log_does_not_have_is_reported_not_reset(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)
    catcher = Catcher()
    orders, carts = TP(settings.topic("orders"), 0), TP(settings.topic("carts"), 0)

    async def run() -> None:
        await produce(settings, "orders", 0, range(10))
        await produce(settings, "carts", 0, range(10))
        async with delivery(settings, catcher) as consumer:
            assert await consumer.bounds([orders]) == {orders: (0, 10)}
            await consumer.open({orders: 500, carts: 0})
            await until(lambda: catcher.losses, "the report of the lost offset")
            await until(lambda: len(catcher.offsets("carts", 0)) >= 10, "the healthy partition")

    asyncio.run(run())

    assert catcher.losses == [(orders, 500)]
    assert catcher.offsets("orders", 0) == []


def test_kafka_is_told_what_the_table_holds_and_nothing_else(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)
    catcher = Catcher()
    orders = TP(settings.topic("orders"), 0)
    told: list[int | None] = []

    async def run() -> None:
        await produce(settings, "orders", 0, range(50))
        async with delivery(settings, catcher) as consumer:
            assert await consumer.committed([orders]) == {orders: None}
            await consumer.open({orders: 0})
            await until(lambda: len(catcher.offsets("orders", 0)) >= 50, "the records")
            consumer.stored[orders] = 30
            deadline = time.monotonic() + 20
            while (found := (await consumer.committed([orders]))[orders]) != 30:
                assert time.monotonic() < deadline, found
                told.append(found)

    asyncio.run(run())

    assert set(told) <= {None, 0}


def test_a_member_of_the_group_can_prove_it_and_one_that_was_replaced_cannot(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)
    catcher = Catcher()
    orders = TP(settings.topic("orders"), 0)

    async def run() -> tuple[bool, bool]:
        async with delivery(settings, catcher) as consumer:
            before = await consumer.prove_membership({orders: 0})
            coordinator = consumer._thread._ensure_consumer()._coordinator
            coordinator.generation -= 1
            after = await consumer.prove_membership({orders: 0})
            coordinator.generation += 1
            return before, after

    assert asyncio.run(run()) == (True, False)


class Belated(Catcher):
    """Opens partitions while the group hands them out anew, as a claim does that began before."""

    open: Callable[[], Awaitable[dict[TP, int]]]
    opened: dict[TP, int] | None = None

    @override
    async def settled(self) -> None:
        if self.opened is None:
            self.opened = await self.open()


def test_what_is_opened_while_partitions_are_handed_out_anew_is_not_open_and_the_worker_reads_on(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    """With a session from before, the client's error that Kafka has no offset for them would end the worker."""
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)
    catcher = Belated()

    async def run() -> None:
        async with delivery(settings, catcher) as consumer:
            catcher.open = lambda: consumer.open(everything(settings))
            coordinator = consumer._thread._ensure_consumer()._coordinator
            consumer._thread.thread_loop.call_soon_threadsafe(coordinator.request_rejoin)
            await until(lambda: catcher.opened is not None and catcher.tps, "partitions that were handed out anew")
            await consumer.open({TP(settings.topic("orders"), 0): 0})
            await produce(settings, "orders", 0, range(3))
            await until(lambda: len(catcher.offsets("orders", 0)) >= 3, "the records")

    asyncio.run(run())

    assert catcher.opened == {}


def test_an_idle_worker_names_its_partitions_once_and_hears_of_news_all_the_same(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)
    catcher = Catcher()
    named: list[int] = []
    build = FetchRequest.build

    def counted(request: FetchRequest, struct_class: Any) -> Any:
        named.append(sum(len(partitions) for _, partitions in request.topics))
        return build(request, struct_class)

    monkeypatch.setattr(FetchRequest, "build", counted)

    async def run() -> None:
        async with delivery(settings, catcher) as consumer:
            await consumer.open(everything(settings))
            await until(lambda: len(named) >= 8, "eight fetches")
            await produce(settings, "orders", 1, range(3))
            await until(lambda: catcher.offsets("orders", 1) == [0, 1, 2], "the records")

    asyncio.run(run())

    partitions = len(everything(settings))
    assert sum(named[:8]) <= 2 * partitions  # they may be opened between two fetches
    assert named[4:8] == [0] * 4
