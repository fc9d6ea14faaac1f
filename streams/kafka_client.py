"""What aiokafka's clients are to do otherwise in trouble: ask for the same metadata at most once in `EVERY_S`, and take a
connection that is gone for a lost connection.

They ask again without any pause for as long as a partition has no leader: a topic that was deleted, or one whose brokers are
all gone. That is some hundred requests a second of each client, and no answer comes sooner. And uvloop refuses to write to a
connection that it has closed by a RuntimeError, in the moment before the client hears that it is closed; the client knows
OSError alone, and its tasks, a worker's reading or a producer's sending among them, would end for good.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError

EVERY_S: Final = 1.0


def steady(client: AIOKafkaClient) -> None:
    """Have a client of aiokafka behave so. To be called before it is started."""
    client._metadata_update = _Pace(client._metadata_update).update
    send = client.send

    async def send_or_lose(*arguments: Any, **options: Any) -> Any:
        try:
            return await send(*arguments, **options)
        except RuntimeError as error:
            raise KafkaConnectionError(str(error)) from error

    client.send = send_or_lose


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
        except RuntimeError:
            return False  # the connection that it was asked over is gone
        finally:
            self._next_s = loop.time() + EVERY_S
