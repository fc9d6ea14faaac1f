"""Records that a broker deleted before a running consumer had read them: it is said how many."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from kafka import KafkaAdminClient
from kafka import TopicPartition as Partition

from streams.joining import Passed
from streams.local.kafka_server import KafkaServer


async def read_around(bootstrap: str, tp: TopicPartition, delete: Callable[[], object] | None) -> list[int]:
    """Read one of five records, have some deleted, and read what comes next, beyond an aborted transaction too."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=tp.topic) as producer:
        async with producer.transaction():
            for _ in range(5):
                await producer.send(tp.topic, b"{}", partition=tp.partition)
        await producer.begin_transaction()
        await producer.send_and_wait(tp.topic, b"{}", partition=tp.partition)
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send(tp.topic, b"{}", partition=tp.partition)
    reader = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    reader.assign([tp])
    passed = Passed()
    seen: list[int] = []
    async with reader:
        while not seen or seen[-1] < 8:
            found = await reader.getmany(timeout_ms=1000, max_records=1)
            await passed.note(reader, found)
            seen += [one.offset for records in found.values() for one in records]
            if seen == [0] and delete is not None:
                await asyncio.to_thread(delete)
                reader.seek(tp, 1)  # drops what it had fetched ahead
    return seen


@pytest.mark.parametrize("deleted, seen, told", [(False, [0, 1, 2, 3, 4, 8], []), (True, [0, 3, 4, 8], [2])])
def test_a_reader_tells_of_records_that_were_deleted_before_it_came_to_them(
    kafka_server: KafkaServer,
    kafka_admin: KafkaAdminClient,
    prefix: str,
    caplog: pytest.LogCaptureFixture,
    *,
    deleted: bool,
    seen: list[int],
    told: list[int],
) -> None:
    kafka_admin.create_topics({prefix: {"num_partitions": 1, "replication_factor": 1}})
    delete = partial(kafka_admin.delete_records, {Partition(prefix, 0): 3}) if deleted else None
    with caplog.at_level(logging.ERROR, logger="streams.joining"):
        offsets = asyncio.run(read_around(kafka_server.bootstrap, TopicPartition(prefix, 0), delete))

    assert offsets == seen
    assert [record.facts["records"] for record in caplog.records if record.name == "streams.joining"] == told  # type: ignore[attr-defined]
