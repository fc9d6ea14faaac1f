"""Joining a consumer group without being deaf meanwhile, since a client waits until the group has handed out its partitions, and
without a silent step over what the broker has deleted.
"""

import asyncio
import logging

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

_log = logging.getLogger(__name__)


async def joined(consumer: AIOKafkaConsumer, stop: asyncio.Event) -> bool:
    """Start a consumer; gives whether it has joined its group, False where `stop` was set before it had. Raises what the start
    raises. Whoever made the consumer stops it, whatever came of this: else it complains of that when the program ends.
    """
    starting, stopping = asyncio.ensure_future(consumer.start()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return False
        starting.result()
        return True
    finally:
        for task in (starting, stopping):
            task.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)


async def committed_offsets(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int | None]:
    """Where the group goes on in each partition that is the consumer's, None where it has never been.

    Records that lay there and are kept no longer are an error in the log. Raises KafkaError, IllegalStateError among them
    where the partitions are taken away meanwhile.
    """
    ours = consumer.assignment()
    kept_from = await consumer.beginning_offsets(ours)
    committed = {tp: await consumer.committed(tp) for tp in ours}
    for tp, offset in committed.items():
        if offset is not None and offset < kept_from[tp]:
            facts = {"topic": tp.topic, "partition": tp.partition, "records": kept_from[tp] - offset}
            _log.error("records are gone from the topic that nobody here had read", extra={"facts": facts})
    return committed
