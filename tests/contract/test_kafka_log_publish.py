"""Publishing to a real broker: in order, where the row says, refusals by row, and the tail read back by record id."""

import asyncio
import contextlib
import gc
import time
import warnings
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.structs import TopicPartition as AioTopicPartition
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from msgspec import structs

from schemas.outputs import Outgoing
from streams import kafka_producer
from streams.kafka_client import steady
from streams.kafka_producer import KafkaPublisher
from streams.local.kafka_server import KafkaServer
from streams.local.process import free_ports
from streams.log import MENDABLE
from streams.settings import Settings
from tests.conftest import MakeKafka
from tests.contract.kafka_kit import make_topics, settings_for, until
from tests.wire import Wire

T = TypeVar("T")


def row(number: int, *, partition: int = 0, size: int = 10, headers: dict[str, str] | None = None) -> Outgoing:
    value = msgspec.Raw(msgspec.json.encode({"n": number, "pad": "x" * size}))
    return Outgoing("triggers", f"id-{number}", f"user_id:{number}", partition, value, headers or {})


def published(settings: Settings, work: Callable[[KafkaPublisher], Awaitable[T]]) -> T:
    async def run() -> T:
        publisher = KafkaPublisher(settings)
        await publisher.start()
        try:
            return await work(publisher)
        finally:
            await publisher.stop()

    return asyncio.run(run())


def read(settings: Settings, partition: int) -> list[tuple[int, str, dict[str, str]]]:
    """What an independent client finds: number, key and headers of every record."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka.bootstrap)
    target = TopicPartition(settings.topic("triggers"), partition)
    consumer.assign([target])
    consumer.seek_to_beginning(target)
    end = consumer.end_offsets([target])[target]
    found = []
    while consumer.position(target) < end:
        for record in consumer.poll(timeout_ms=500).get(target, []):
            number = msgspec.json.decode(record.value)["n"]
            found.append((number, record.key.decode(), {name: value.decode() for name, value in record.headers}))
    consumer.close()
    return found


def test_a_row_for_a_topic_that_is_not_there_is_told_so_and_the_others_arrive(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    settings = structs.replace(settings, kafka=structs.replace(settings.kafka, request_timeout_ms=1000))
    make_topics(kafka_admin, settings)
    lost = Outgoing("unheard-of", "id-7", "user_id:7", 0, msgspec.Raw(b"{}"))

    outcomes = published(settings, lambda publisher: publisher.publish([lost, row(1)]))

    assert outcomes == ["UnknownTopicOrPartitionError", None]
    assert [number for number, _, _ in read(settings, 0)] == [1]


def test_who_waits_for_a_topic_is_not_forgotten_when_another_partition_takes_a_new_producer(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    settings = structs.replace(settings, kafka=structs.replace(settings.kafka, request_timeout_ms=2000))
    make_topics(kafka_admin, settings)
    lost = Outgoing("unheard-of", "id-7", "user_id:7", 0, msgspec.Raw(b"{}"))

    async def work(publisher: KafkaPublisher) -> list[str | None]:
        waits = asyncio.ensure_future(publisher.publish([lost]))
        assert await publisher.publish([row(1, size=kafka_producer.ROW_BYTES_MAX)]) == ["MessageSizeTooLargeError"]
        async with asyncio.timeout(20):
            return await waits

    assert published(settings, work) == ["UnknownTopicOrPartitionError"]


def test_while_a_topic_is_gone_the_broker_is_asked_for_it_a_few_times_only(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    settings = structs.replace(settings, kafka=structs.replace(settings.kafka, request_timeout_ms=2000))
    make_topics(kafka_admin, settings)
    asked = 0
    ask = AIOKafkaClient._metadata_update

    async def counted(*arguments: object) -> object:
        nonlocal asked
        asked += 1
        return await ask(*arguments)

    async def work(publisher: KafkaPublisher) -> list[str | None]:
        nonlocal asked
        # The clients know the topic: one writes to it, one has read it.
        assert await publisher.publish([row(1)]) == [None]
        await publisher.tail("triggers", 0, 0)
        await asyncio.to_thread(kafka_admin.delete_topics, [settings.topic("triggers")])
        asked = 0
        while (outcomes := await publisher.publish([row(2)])) == [None]:
            pass  # the broker has not deleted it yet
        return outcomes

    monkeypatch.setattr(AIOKafkaClient, "_metadata_update", counted)
    outcomes = published(settings, work)

    assert set(outcomes) <= MENDABLE.keys()
    assert asked <= 20, "without a pause it is some hundred times a second"


def test_a_row_for_a_partition_whose_brokers_are_away_may_be_taken_later_and_the_others_arrive(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    settings = structs.replace(settings, kafka=structs.replace(settings.kafka, request_timeout_ms=1000))
    make_topics(kafka_admin, settings)
    leader_of = ClusterMetadata.leader_for_partition

    def none_for_the_second(cluster: ClusterMetadata, partition: AioTopicPartition) -> int | None:
        # What a broker says of a partition of which no replica is there.
        return -1 if partition.partition == 1 else leader_of(cluster, partition)

    monkeypatch.setattr(ClusterMetadata, "leader_for_partition", none_for_the_second)
    found, waits = published(settings, lambda publisher: publisher.publish([row(0), row(1, partition=1)]))

    assert found is None
    assert waits in MENDABLE
    assert [number for number, _, _ in read(settings, 0)] == [0]


def test_a_connection_that_uvloop_has_closed_is_a_lost_connection(
    kafka_server: KafkaServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so by a RuntimeError, which ended a worker as a fault of ours while its broker went down."""

    async def closed(*_: object, **__: object) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    async def run() -> None:
        client = AIOKafkaClient(bootstrap_servers=kafka_server.bootstrap)
        steady(client)
        await client.bootstrap()
        try:
            with monkeypatch.context() as patched:
                patched.setattr("aiokafka.client.create_conn", closed)
                with pytest.raises(KafkaConnectionError, match="the handler is closed"):
                    await client.send(client.get_random_node(), MetadataRequest([]))
                assert not await client.force_metadata_update()
            assert await client.force_metadata_update()
        finally:
            await client.close()

    asyncio.run(run())


def test_brokers_that_all_moved_are_found_at_the_bootstrap_address_and_another_cluster_there_is_not_taken_for_them(
    own_kafka: MakeKafka, kafka_server: KafkaServer, prefix: str
) -> None:
    """What a client knows of the brokers is where they were; names that lead elsewhere now are asked only at its start."""
    kafka, other = own_kafka(), kafka_server
    with Wire(kafka.port) as wire:
        settings = settings_for(f"127.0.0.1:{wire.port}", prefix, request_timeout_ms=6000)
        for server in (kafka, other):
            with contextlib.closing(KafkaAdminClient(bootstrap_servers=server.bootstrap)) as admin:
                make_topics(admin, settings)

        async def work(publisher: KafkaPublisher) -> list[str | None]:
            await publisher.publish([row(1)])
            await publisher.tail("triggers", 0, 0)
            kafka.stop()
            wire.lead_to(other.port)
            publishing = asyncio.ensure_future(publisher.publish([row(2)]))
            await until(lambda: wire.connections > 4, "the address was asked again")
            kafka.port = free_ports(1)[0]
            await asyncio.to_thread(kafka.start)
            wire.lead_to(kafka.port)
            outcomes = await publishing
            assert await publisher.ends("triggers", 0) == 2
            return outcomes

        assert published(settings, work) == [None]
        assert [number for number, _, _ in read(settings, 0)] == [1, 2]
    assert read(settings_for(other.bootstrap, prefix), 0) == []


def test_a_producer_whose_sending_has_ended_is_replaced(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)

    async def work(publisher: KafkaPublisher) -> list[str | None]:
        await publisher.publish([row(0)])
        assert publisher._producer is not None
        sending = publisher._producer._sender.sender_task
        sending.cancel()
        await asyncio.wait([sending])
        async with asyncio.timeout(20):
            return await publisher.publish([row(1)])

    assert published(settings, work) == [None]
    assert [number for number, _, _ in read(settings, 0)] == [0, 1]


def test_rows_arrive_in_order_in_the_partition_they_name_with_key_and_headers(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)
    rows = [
        row(n, partition=n % 2, headers={"ce-id": f"id-{n}", "ce-type": "t"} if n == 4 else None) for n in range(400)
    ]

    outcomes = published(settings, lambda publisher: publisher.publish(rows))

    assert outcomes == [None] * 400
    assert [number for number, _, _ in read(settings, 0)] == list(range(0, 400, 2))
    assert [number for number, _, _ in read(settings, 1)] == list(range(1, 400, 2))
    assert read(settings, 0)[1:3] == [
        (2, "user_id:2", {"record-id": "id-2"}),
        (4, "user_id:4", {"ce-id": "id-4", "ce-type": "t"}),
    ]


def test_a_row_that_the_broker_refuses_is_named_and_the_others_arrive_in_order(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix, compression="none")
    make_topics(kafka_admin, settings, max_message_bytes="20000")

    async def work(publisher: KafkaPublisher) -> list[str | None]:
        first = await publisher.publish([row(0), row(1, size=30_000), row(2), row(3, size=2_000_000), row(4)])
        return first + await publisher.publish([row(5), row(6)])

    outcomes = published(settings, work)

    assert [outcome is None for outcome in outcomes] == [True, False, True, False, True, True, True]
    assert outcomes[1] == outcomes[3] == "MessageSizeTooLargeError"
    assert [number for number, _, _ in read(settings, 0)] == [0, 2, 4, 5, 6]


def test_the_tail_names_what_was_published_since_a_mark(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)

    async def work(publisher: KafkaPublisher) -> tuple[set[str], set[str], int, int, int]:
        await publisher.publish([row(n) for n in range(5)])
        mark = await publisher.ends("triggers", 0)
        await publisher.publish([row(5), row(6, headers={"ce-id": "id-6"})])
        since, end = await publisher.tail("triggers", 0, mark)
        all_ids, _ = await publisher.tail("triggers", 0, 0)
        _, empty_end = await publisher.tail("triggers", 1, 0)
        return since, all_ids, mark, end, empty_end

    since, all_ids, mark, end, empty_end = published(settings, work)

    assert since == {"id-5", "id-6"}
    assert all_ids == {f"id-{n}" for n in range(7)}
    assert (mark, end, empty_end) == (5, 7, 0)


def test_a_tail_that_was_read_holds_up_no_other_question(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    """The reader went on asking for more of it, on the connection of all others: a tail took a second then, and an end half of
    one, for each output of each partition, so that after a takeover triggers were a minute late for as long as the worker lived.
    """
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)

    async def work(publisher: KafkaPublisher) -> tuple[int, float]:
        await publisher.publish([row(n, partition=n % 2) for n in range(20)])
        await publisher.tail("triggers", 0, 0)
        began_s = time.monotonic()
        found = 0
        for number in range(10):
            ids, _ = await publisher.tail("triggers", number % 2, 0)
            found += len(ids)
            await publisher.ends("triggers", number % 2)
        return found, time.monotonic() - began_s

    found, seconds = published(settings, work)

    assert found == 100
    assert seconds < 5


def test_the_tail_passes_markers_and_does_not_count_what_was_aborted(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)

    async def work(publisher: KafkaPublisher) -> tuple[set[str], int]:
        async with AIOKafkaProducer(
            bootstrap_servers=settings.kafka.bootstrap, transactional_id=f"{prefix}-tx"
        ) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(
                settings.topic("triggers"), value=b"{}", partition=0, headers=[("record-id", b"aborted")]
            )
            await producer.abort_transaction()
        return await publisher.tail("triggers", 0, 0)

    assert published(settings, work) == (set(), 2)


def test_a_broker_that_is_away_for_a_while_delays_rows_and_doubles_none(
    own_kafka: Callable[[], KafkaServer], prefix: str
) -> None:
    server = own_kafka()
    settings = settings_for(server.bootstrap, prefix)
    admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
    make_topics(admin, settings)
    admin.close()

    async def work(publisher: KafkaPublisher) -> list[str | None]:
        first = await publisher.publish([row(n) for n in range(10)])
        await asyncio.to_thread(server.kill)
        waiting = asyncio.create_task(publisher.publish([row(n) for n in range(10, 20)]))
        await asyncio.to_thread(server.start)
        return first + await waiting

    outcomes = published(settings, work)

    assert outcomes == [None] * 20
    assert [number for number, _, _ in read(settings, 0)] == list(range(20))


def test_a_publisher_is_stopped_also_while_the_broker_is_away_with_rows_under_way(
    own_kafka: Callable[[], KafkaServer], prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stops a worker after its Kafka (`make services-stop`) would wait for ever."""
    monkeypatch.setattr(kafka_producer, "STOP_PATIENCE_S", 1.0)
    server = own_kafka()
    settings = settings_for(server.bootstrap, prefix)
    admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
    make_topics(admin, settings)
    admin.close()

    async def work(publisher: KafkaPublisher) -> bool:
        await publisher.publish([row(0)])
        await asyncio.to_thread(server.kill)
        waiting = asyncio.create_task(publisher.publish([row(1)]))
        done, _ = await asyncio.wait([waiting], timeout=1.0)
        waiting.cancel()
        return bool(done)

    began_s = time.monotonic()
    assert published(settings, work) is False
    assert time.monotonic() - began_s < 60


def test_where_no_broker_answers_nothing_is_left_that_complains_of_it_later(prefix: str) -> None:
    """`regulars fit` ended with a client's lament about itself below the one sentence that helps."""
    settings = settings_for(f"127.0.0.1:{free_ports(1)[0]}", prefix)
    complaints: list[str] = []

    async def start() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told["message"]))
        with pytest.raises(KafkaConnectionError):
            await KafkaPublisher(settings).start()
        gc.collect()

    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        asyncio.run(start())

    assert complaints == []
