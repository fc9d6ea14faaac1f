"""What aiokafka's clients are to do otherwise in trouble: ask for the same metadata at most once in `EVERY_S`, begin anew at
the addresses of `kafka.bootstrap` where none of the brokers they know answers, and take a connection that is gone for a lost
connection.

They ask again without any pause for as long as a partition has no leader: a topic that was deleted, or one whose brokers are
all gone. That is some hundred requests a second of each client, and no answer comes sooner. Where all brokers have other
addresses than before, they would ask at the old ones for ever. And uvloop refuses to write to a connection that it has closed
by a RuntimeError, in the moment before the client hears that it is closed; the client knows OSError alone, and its tasks, a
worker's reading or a producer's sending among them, would end for good.
"""

import asyncio
import logging
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError

_log = logging.getLogger(__name__)

EVERY_S: Final = 1.0


def steady(client: AIOKafkaClient) -> None:
    """Have a client of aiokafka behave so. To be called before it is started."""
    metadata = _Metadata(client)
    client._metadata_update = metadata.update
    client.cluster.update_metadata = metadata.take
    send = client.send

    async def send_or_lose(*arguments: Any, **options: Any) -> Any:
        try:
            return await send(*arguments, **options)
        except RuntimeError as error:
            raise KafkaConnectionError(str(error)) from error

    client.send = send_or_lose


class _Metadata:
    """Stands before a client's `_metadata_update`, which the client calls one by one, and before what keeps the answers."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._begin_anew, self._ask = client.bootstrap, client._metadata_update
        self._keep = client.cluster.update_metadata
        self._cluster_id: str | None = None
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
            if await self._ask(cluster, topics):
                return True
            await self._begin_anew()
            return bool(await self._ask(cluster, topics))
        except (RuntimeError, KafkaConnectionError):
            return False  # the connection that it was asked over is gone, or nobody listens there either
        finally:
            self._next_s = loop.time() + EVERY_S

    def take(self, metadata: Any) -> None:
        """Keep an answer. One of another cluster is none: its logs have other records under the same offsets."""
        found: str | None = getattr(metadata, "cluster_id", None)
        if found and self._cluster_id and found != self._cluster_id:
            facts = {"facts": {"cluster": self._cluster_id, "found": found}, "often": True}
            _log.error("another Kafka cluster answers at the addresses of this one, and is not used", extra=facts)
            return
        self._cluster_id = found or self._cluster_id
        self._keep(metadata)
