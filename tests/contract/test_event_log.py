"""The collector's log: the one in memory and the one on Kafka keep the same contract; then what only a real broker can do."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from streams.local.kafka_server import KafkaServer
from streams.serve.answer import Refusal
from streams.serve.budget import Budget
from streams.serve.event_log import EventLog, LogAway
from streams.serve.intake import Row
from streams.serve.kafka_event_log import KafkaEventLog
from streams.serve.memory_event_log import MemoryEventLog
from streams.settings import Settings
from tests.contract.kafka_kit import make_topics, settings_for


def row(number: int, *, topic: str = "carts", partition: int = 0, size: int = 10) -> Row:
    value = b'{"n":%d,"pad":"%b"}' % (number, b"x" * size)
    return Row(topic, partition, b"u%d" % number, value, f"web\nu{number}\nProduct Added\nm{number}", (("h", b"1"),))


def read(settings: Settings, topic: str, partition: int) -> list[tuple[bytes, bytes]]:
    """Key and value of every record, as an independent client finds them."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka.bootstrap)
    target = TopicPartition(settings.topic(topic), partition)
    consumer.assign([target])
    consumer.seek_to_beginning(target)
    end = consumer.end_offsets([target])[target]
    found: list[tuple[bytes, bytes]] = []
    while consumer.position(target) < end:
        found += [(record.key, record.value) for record in consumer.poll(timeout_ms=500).get(target, [])]
    consumer.close()
    return found


@contextlib.asynccontextmanager
async def on_kafka(settings: Settings, budget: Budget | None = None) -> AsyncIterator[KafkaEventLog]:
    log = KafkaEventLog(settings, budget or Budget(bytes_max=10_000_000, records_max=10_000))
    await log.start()
    try:
        yield log
    finally:
        await log.stop()


# --- the contract -------------------------------------------------------------------------------------------------

ROWS = [row(1), row(2, topic="orders"), row(3, partition=1), row(4), row(5, topic="rejected")]
PLACES = [("carts", 0), ("carts", 1), ("orders", 0), ("rejected", 0)]


async def written(log: EventLog) -> None:
    await log.write(ROWS[:3])
    await log.write(ROWS[3:])
    await log.write([])
    assert not log.away


def expected(topic: str, partition: int) -> list[tuple[bytes, bytes]]:
    return [(each.key, each.value) for each in ROWS if (each.topic, each.partition) == (topic, partition)]


def test_the_log_in_memory_has_what_was_written_in_its_order() -> None:
    log = MemoryEventLog()

    asyncio.run(written(log))

    for topic, partition in PLACES:
        found = [(each.key, each.value) for each in log.rows if (each.topic, each.partition) == (topic, partition)]
        assert found == expected(topic, partition)


def test_kafka_has_what_was_written_in_its_order(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)
    budget = Budget(bytes_max=10_000_000, records_max=10_000)

    async def work() -> None:
        async with on_kafka(settings, budget) as log:
            await written(log)
            assert (budget.bytes_held, budget.records_held) == (0, 0)

    asyncio.run(work())

    for topic, partition in PLACES:
        assert read(settings, topic, partition) == expected(topic, partition)


# --- a real broker ------------------------------------------------------------------------------------------------


def test_what_does_not_fit_the_budget_is_refused_and_none_of_it_written(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)
    budget = Budget(bytes_max=10_000_000, records_max=3)

    async def work() -> None:
        async with on_kafka(settings, budget) as log:
            with pytest.raises(Refusal):
                await log.write([row(n) for n in range(4)])
            await log.write([row(n) for n in range(3)])

    asyncio.run(work())

    assert [key for key, _ in read(settings, "carts", 0)] == [b"u0", b"u1", b"u2"]
    assert (budget.bytes_held, budget.records_held) == (0, 0)


async def until_back(log: KafkaEventLog) -> None:
    deadline = time.monotonic() + 40
    while log.away:
        assert time.monotonic() < deadline, "Kafka did not come back"
        await asyncio.sleep(0.02)


async def until_written(log: KafkaEventLog, rows: list[Row]) -> None:
    """Write as a client does that repeats what was refused."""
    async with asyncio.timeout(40):
        while True:
            with contextlib.suppress(LogAway):
                return await log.write(rows)
            await asyncio.sleep(0.05)


Part = Callable[[KafkaEventLog], Awaitable[None]]


def through_an_outage(server: KafkaServer, prefix: str, during: Part, after: Part) -> tuple[Settings, Budget]:
    """Write one row, kill the broker, do something, start it, do something."""
    settings = settings_for(server.bootstrap, prefix)
    settings = settings.__class__(
        kafka=settings.kafka, redis=settings.redis, serve=settings.serve.__class__(write_timeout_ms=500)
    )
    admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
    make_topics(admin, settings)
    admin.close()
    budget = Budget(bytes_max=10_000_000, records_max=10_000)

    async def work() -> None:
        async with on_kafka(settings, budget) as log:
            await until_written(log, [row(0), row(100, partition=1)])
            await asyncio.to_thread(server.kill)
            await during(log)
            await asyncio.to_thread(server.start)
            await after(log)

    asyncio.run(work())
    return settings, budget


def test_through_an_outage_rows_are_refused_in_time_and_their_repeats_neither_lost_nor_doubled(
    own_kafka: Callable[[], KafkaServer], prefix: str
) -> None:
    first, second = [row(1), row(2, partition=1)], [row(3)]

    async def during(log: KafkaEventLog) -> None:
        began = time.monotonic()
        with pytest.raises(LogAway):
            await log.write(first)
        assert time.monotonic() - began < 5
        assert log.away
        began = time.monotonic()
        with pytest.raises(LogAway):
            await log.write(second)
        assert time.monotonic() - began < 0.2, "while Kafka is away nothing waits"

    async def after(log: KafkaEventLog) -> None:
        # The client repeats while the first try is still open: it waits for that one.
        await until_written(log, first)
        await until_back(log)
        await log.write([*first, *second])

    settings, budget = through_an_outage(own_kafka(), prefix, during, after)

    assert [key for key, _ in read(settings, "carts", 0)] == [b"u0", b"u1", b"u3"]
    assert [key for key, _ in read(settings, "carts", 1)] == [b"u100", b"u2"]
    assert (budget.bytes_held, budget.records_held) == (0, 0)


def test_rows_of_a_caller_that_hung_up_are_known_when_they_come_again(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)

    async def work() -> None:
        async with on_kafka(settings) as log:
            task = asyncio.create_task(log.write([row(1)]))
            while not log._budget.records_held:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await log.write([row(1), row(2)])
            assert not log.away

    asyncio.run(work())

    assert [key for key, _ in read(settings, "carts", 0)] == [b"u1", b"u2"]


def test_after_a_refusal_of_the_broker_a_new_producer_goes_on(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix, compression="none")
    make_topics(kafka_admin, settings, max_message_bytes="20000")

    async def work() -> None:
        async with on_kafka(settings) as log:
            await log.write([row(1)])
            with pytest.raises(LogAway):
                await log.write([row(2, size=30_000)])
            await until_back(log)
            await log.write([row(3)])

    asyncio.run(work())

    assert [key for key, _ in read(settings, "carts", 0)] == [b"u1", b"u3"]


def test_stopping_waits_for_what_is_in_flight(
    kafka_server: KafkaServer, kafka_admin: KafkaAdminClient, prefix: str
) -> None:
    settings = settings_for(kafka_server.bootstrap, prefix)
    make_topics(kafka_admin, settings)

    async def work() -> None:
        async with on_kafka(settings) as log:
            writing = asyncio.create_task(log.write([row(n) for n in range(500)]))
            await asyncio.sleep(0)
        await writing

    asyncio.run(work())

    assert len(read(settings, "carts", 0)) == 500
