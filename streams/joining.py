"""Joining a consumer group without being deaf meanwhile, since a client waits until the group has handed out its partitions, and
reading without a silent step over what the broker has deleted.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord
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
            _tell_of_gap(tp, kept_from[tp] - offset)
    return committed


class Passed:
    """Notices what the broker deleted before a running consumer had read it: the client then goes on with the oldest record
    there is, without a word.
    """

    def __init__(self) -> None:
        self._next: dict[TopicPartition, int] = {}

    async def note(
        self, consumer: AIOKafkaConsumer, fetched: Mapping[TopicPartition, Sequence[ConsumerRecord]]
    ) -> None:
        """Take note of what was read; records gone before it are an error in the log. Raises KafkaError.

        Most offsets that are left out are those of markers and of aborted transactions, so the broker is asked.
        """
        ours = consumer.assignment()
        before = {tp: offset for tp, offset in self._next.items() if tp in ours}
        self._next = before | {tp: records[-1].offset + 1 for tp, records in fetched.items()}
        left_out = [tp for tp, records in fetched.items() if records[0].offset > before.get(tp, records[0].offset)]
        for tp, kept_from in (await consumer.beginning_offsets(left_out)).items() if left_out else ():
            gone = min(kept_from, fetched[tp][0].offset) - before[tp]
            if gone > 0:
                _tell_of_gap(tp, gone)


def _tell_of_gap(tp: TopicPartition, records: int) -> None:
    facts = {"topic": tp.topic, "partition": tp.partition, "records": records}
    _log.error("records are gone from the topic that nobody here had read", extra={"facts": facts})
