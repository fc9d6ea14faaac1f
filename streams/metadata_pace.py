"""How often a client of Kafka asks for the same metadata: at most once in `EVERY_S`.

aiokafka's producers and consumers ask again without any pause for as long as a partition has no leader: a topic that was
deleted, or one whose brokers are all gone. That is some hundred requests a second of each client, and no answer comes sooner.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka.client import AIOKafkaClient

EVERY_S: Final = 1.0


def spare(client: AIOKafkaClient) -> None:
    """Have a client of aiokafka pause between two equal questions. Whatever it has not asked lately it asks at once."""
    client._metadata_update = _Pace(client._metadata_update).update


class _Pace:
    """Stands before a client's `_metadata_update`, which the client calls one by one."""

    def __init__(self, ask: Callable[..., Awaitable[bool]]) -> None:
        self._ask = ask
        self._topics: frozenset[str] | None = None
        self._next_s = 0.0

    async def update(self, cluster: Any, topics: set[str] | None) -> bool:
        """Ask for the metadata of `topics`; whether there was an answer."""
        loop = asyncio.get_running_loop()
        wanted = frozenset(topics or ())  # a copy: the client adds to the set that it hands over
        if wanted == self._topics:
            await asyncio.sleep(self._next_s - loop.time())
        self._topics = wanted
        try:
            return await self._ask(cluster, topics)
        finally:
            self._next_s = loop.time() + EVERY_S
