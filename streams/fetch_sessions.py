"""Incremental fetch sessions (KIP-227) for aiokafka, which names every partition in every fetch and gets each of them back.

A worker reads some hundred partitions, and asks for those that have nothing new many times a second: most of what its
client's thread and the broker did was to write and read their names. In a session the broker remembers them; a fetch names
only what changed, an answer only what has news. The state machine is kafka-python's `FetchSessionHandler`.

A broker answers as soon as one record is there. So that each is not fetched by itself, a fetch that brought some is followed
by a short rest; what comes after a quiet time is here at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition
from kafka.consumer.fetcher import FetchRequestData, FetchSessionHandler
from typing_extensions import override

_SESSIONS_SINCE = 7
"""The first version of fetch requests that know sessions (Kafka 1.1)."""


class FetchSessions:
    """Stands before a client's `send`: turns each fetch into what has changed since the one before, for each broker.

    aiokafka has one fetch under way for each broker, and reads of an answer only the partitions it lists. After an answer
    with records the next fetch to that broker, which aiokafka makes once they were taken, waits `linger_ms` for company.
    """

    def __init__(self, send: Callable[..., Awaitable[Any]], *, linger_ms: int) -> None:
        self._send = send
        self._linger_s = linger_ms / 1000
        self._brought: set[int] = set()
        self._handlers: dict[int, FetchSessionHandler] = {}

    async def send(self, node_id: int, request: Any, **options: Any) -> Any:
        """Send a request, and give its answer.

        A broker that no longer has the session (it restarted, or gave its place to others) is asked once more, in full.
        Raises KafkaError as the client does, and where the broker refuses the whole fetch.
        """
        if not isinstance(request, FetchRequest):
            return await self._send(node_id, request, **options)
        handler = self._handlers.setdefault(node_id, FetchSessionHandler(node_id))
        wanted = {
            TopicPartition(topic, partition[0]): partition
            for topic, partitions in request.topics
            for partition in partitions
        }
        if node_id in self._brought:
            self._brought.discard(node_id)
            await asyncio.sleep(self._linger_s)
        for _ in range(2):
            incremental = _IncrementalFetch(request, handler.build_next(dict(wanted)))
            try:
                answer = await self._send(node_id, incremental, **options)
            except BaseException as error:  # a cancelled fetch too may have reached the broker
                handler.handle_error(error)
                raise
            if answer.API_VERSION < _SESSIONS_SINCE or handler.handle_response(_Answer.of(answer)):
                if any(partition[-1] for _, partitions in answer.topics for partition in partitions):
                    self._brought.add(node_id)
                return answer
        error_type: type[KafkaError] = for_code(answer.error_code)
        raise error_type(f"broker {node_id} refuses a fetch of {len(wanted)} partitions in full")


class _IncrementalFetch(FetchRequest):  # type: ignore[misc]  # aiokafka comes without types
    """A fetch that names what the session does not know yet, and what it is to forget."""

    def __init__(self, whole: FetchRequest, data: FetchRequestData) -> None:
        super().__init__(
            whole._max_wait_ms,
            whole._min_bytes,
            whole._max_bytes,
            whole._isolation_level,
            [(topic.topic, topic.partitions) for topic in data.to_send],
            whole._rack_id,
        )
        self._data = data

    @override
    def build(self, request_struct_class: Any) -> Any:
        struct = super().build(request_struct_class)
        if request_struct_class.API_VERSION >= _SESSIONS_SINCE:
            struct.session_id = self._data.id
            struct.session_epoch = self._data.epoch
            struct.forgotten_topics_data = [(topic.topic, topic.partitions) for topic in self._data.to_forget]
        return struct


class _Answer(NamedTuple):
    """An answer of aiokafka in kafka-python's words."""

    error_code: int
    session_id: int
    responses: list["_Topic"]

    @classmethod
    def of(cls, answer: Any) -> "_Answer":
        topics = [
            _Topic(name, [_Partition(partition[0]) for partition in partitions]) for name, partitions in answer.topics
        ]
        return cls(answer.error_code, answer.session_id, topics)


class _Topic(NamedTuple):
    topic: str
    partitions: list["_Partition"]


class _Partition(NamedTuple):
    partition_index: int
