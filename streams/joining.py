"""Joining a consumer group without being deaf meanwhile: until a group has handed out its partitions a client waits for it."""

import asyncio

from aiokafka import AIOKafkaConsumer


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
