"""Looking at an engine while it works, from threads of the harness: what is durable, and what others can read."""

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Final, Self

from kafka import KafkaConsumer, TopicPartition
from typing_extensions import override

from bench.timetable import Changed, Move, Told, Witness
from profiles.profile import decode_profile
from streams.local.redis_server import RedisServer
from streams.packing import unpack

LOOK_EVERY_S: Final = 0.002
START_PATIENCE_S: Final = 30.0
FETCH_WAIT_MS: Final = 20
SWITCH_S: Final = 0.0005
"""Threads of the harness get their turn this soon; with Python's own 5 ms they would see things that much later."""
_ORDER: Final = b'"order_id":"'


class Watch(ABC):
    """A thread that looks until it is left. An error in it comes out there.

    `seen` and `unseen` count witnesses, where it asks some.
    """

    def __init__(self) -> None:
        self.seen = self.unseen = 0
        sys.setswitchinterval(SWITCH_S)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stopped, self._ready = threading.Event(), threading.Event()
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(START_PATIENCE_S):
            raise TimeoutError(f"{type(self).__name__} did not get to look")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._look()
        except Exception as error:  # noqa: BLE001 - it is raised where the thread is waited for
            self._error = error
            self._ready.set()

    @abstractmethod
    def _look(self) -> None:
        """Set `_ready` once nothing can be missed any more, then look until `_stopped`."""


class OffsetWatch(Watch):
    """Every move of the offsets that a Regulars installation holds in Redis; `moves` begins with how they stand at the start.

    `witnesses`: where an offset (partition, offset) has just been passed, the profile must show that event.
    """

    def __init__(
        self,
        redis: RedisServer,
        partitions: int,
        *,
        topic: str = "clickstream",
        prefix: str = "regulars",
        every_s: float = LOOK_EVERY_S,
        witnesses: dict[tuple[int, int], Witness] | None = None,
    ) -> None:
        super().__init__()
        self.moves: list[Move] = []
        self._redis, self._partitions, self._every_s = redis, partitions, every_s
        self._prefix, self._field = prefix, f"offset:{topic}"
        self._witnesses = {} if witnesses is None else witnesses

    @override
    def _look(self) -> None:
        with self._redis.client() as client:
            connection = client.connection_pool.get_connection()
            keys = [f"{self._prefix}:{{{number}}}:meta" for number in range(self._partitions)]
            asked = connection.pack_commands([("HGET", key, self._field) for key in keys])
            stands = [-1] * self._partitions
            while not self._stopped.is_set():
                connection.send_packed_command(asked)
                answers = [connection.read_response() for _ in keys]
                at_s = time.monotonic()
                for partition, answer in enumerate(answers):
                    offset = int(answer or 0)
                    if offset != stands[partition]:
                        before, stands[partition] = stands[partition], offset
                        self.moves.append(Move(at_s, partition, offset))
                        if self._witnesses:
                            self._question(client, partition, before, offset)
                self._ready.set()
                self._stopped.wait(self._every_s)
            client.connection_pool.release(connection)

    def _question(self, client: Any, partition: int, before: int, offset: int) -> None:
        """Look into the profile of one witness among the records that were just passed."""
        for passed in range(max(before, 0) + 1, offset + 1):
            witness = self._witnesses.get((partition, passed))
            if witness is not None:
                stored = client.get(f"{self._prefix}:{{{partition}}}:c:user_id:{witness.user}")
                shown = (
                    stored is not None and (decode_profile(unpack(stored)).activity.last_ms or 0) >= witness.event_ms
                )
                self.seen, self.unseen = self.seen + shown, self.unseen + (not shown)
                return


Reader = Callable[[float, Any], Any]
"""What a record that was seen at a moment is turned into, None for nothing."""


class RecordWatch(Watch):
    """Every record that comes to some topics from now on and is committed, as `read` turns it into something, in `found`."""

    def __init__(self, bootstrap: str, places: Iterable[tuple[str, int]], read: Reader) -> None:
        super().__init__()
        self.found: list[Any] = []
        self._bootstrap, self._read = bootstrap, read
        self._places = [TopicPartition(topic, partition) for topic, partition in places]

    @override
    def _look(self) -> None:
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_poll_records=2_000,
        )
        try:
            consumer.assign(self._places)
            consumer.seek_to_end(*self._places)
            for place in self._places:
                consumer.position(place)
            self._ready.set()
            while not self._stopped.is_set():
                for records in consumer.poll(timeout_ms=FETCH_WAIT_MS).values():
                    at_s = time.monotonic()
                    for record in records:
                        found = self._read(at_s, record)
                        if found is not None:
                            self.found.append(found)
        finally:
            consumer.close()


def as_change(at_s: float, record: Any) -> Changed | None:
    """A record of a changelog whose key is the customer and whose time is that of the newest event in it."""
    return None if record.key is None else Changed(at_s, record.key.decode(), record.timestamp)


def as_order_output(at_s: float, record: Any) -> Told | None:
    """An output that names an order in JSON; others are none."""
    value: bytes = record.value
    at = value.find(_ORDER)
    if at < 0:
        return None
    at += len(_ORDER)
    return Told(at_s, value[at : value.index(b'"', at)].decode())
