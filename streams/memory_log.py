"""The log in memory: what Kafka does for a worker, without a server. For the demo, replay and tests.

`MemoryLog` holds records and hands them to attached partitions as chunks; who calls `deliver` decides the interleaving.
`MemoryPublisher` writes outputs into the same log, so forwarded records come back as input. Tests can delete records,
swallow acknowledgements, take ownership away and change the id of a topic.
"""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

from msgspec import Struct

from schemas.outputs import Outgoing
from schemas.topics import CONSUMED, TOPICS
from streams.log import Bounds, LogError, Reach
from streams.record import Chunk, Record

Headers = tuple[tuple[str, bytes], ...]


class Taker(Protocol):
    """Who gets chunks: `streams.partition.Partition` or `streams.tenure.Tenure`."""

    def take(self, chunk: Chunk, number: int, position: int) -> None: ...

    def reached(self, topic: str, reach: Reach) -> None: ...


class _Shelf(Struct):
    """The records of one partition of one topic; `start` is the offset of the first."""

    records: list[Record] = []
    start: int = 0

    @property
    def end(self) -> int:
        return self.start + len(self.records)


class _Session(Struct):
    number: int
    position: int
    chunks: int = 0
    paused: bool = False


class MemoryLog:
    """Topics in this process's memory, each with the same number of partitions."""

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = partitions
        self._shelves = {(topic.name, p): _Shelf() for topic in TOPICS for p in range(partitions)}
        self._sessions: dict[tuple[str, int], _Session] = {}
        self._numbers = count(1)
        self._takers: dict[int, Taker] = {}
        self._group: dict[tuple[str, int], int] = {}
        self._ids = {topic.name: f"memory/{topic.name}" for topic in TOPICS}
        self.owned: Callable[[int], bool] = lambda _: True
        self.down = False

    # --- records --------------------------------------------------------------------------------------------------

    def append(
        self,
        topic: str,
        value: bytes | None,
        *,
        partition: int = 0,
        key: bytes | None = None,
        timestamp_ms: int = 0,
        headers: Headers = (),
    ) -> int:
        """Add a record; its offset."""
        shelf = self._shelves[topic, partition]
        offset = shelf.end
        shelf.records.append(Record(offset, timestamp_ms, key, value, headers))
        return offset

    def records(self, topic: str, partition: int = 0) -> list[Record]:
        """All records of a topic's partition that are still held."""
        return list(self._shelves[topic, partition].records)

    def forget_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete what lies before an offset, as retention does."""
        shelf = self._shelves[topic, partition]
        del shelf.records[: max(0, offset - shelf.start)]
        shelf.start = max(shelf.start, offset)

    def make_anew(self, topic: str) -> None:
        """Delete a topic and make it again: another id, no records, offsets from 0."""
        self._ids[topic] += "+"
        for partition in range(self.partitions):
            self._shelves[topic, partition] = _Shelf()

    # --- delivery -------------------------------------------------------------------------------------------------

    def attach(self, partition: int, taker: Taker) -> None:
        """Chunks of this partition go to `taker` from now on."""
        self._takers[partition] = taker

    def deliver(self, partition: int, *, topics: Sequence[str] = CONSUMED, chunk: int = 500, asked_ms: int = 0) -> bool:
        """Hand on the next chunk of each open topic that is not paused, then tell how far it is; whether there was any."""
        taker, moved = self._takers[partition], False
        for topic in topics:
            session = self._sessions.get((topic, partition))
            if session is None:
                continue
            shelf = self._shelves[topic, partition]
            at = session.position - shelf.start
            records = shelf.records[at : at + chunk] if not session.paused and at >= 0 else []
            if records:
                moved = True
                session.chunks += 1
                session.position = records[-1].offset + 1
                taker.take(Chunk(topic, partition, session.number, records), session.chunks, session.position)
            if asked_ms:
                reach = Reach(session.number, session.chunks, session.position, shelf.end, asked_ms)
                taker.reached(topic, reach)
        return moved

    # --- streams.log.Log ------------------------------------------------------------------------------------------

    async def topic_ids(self) -> dict[str, str]:
        """Ids that change when a topic is made anew."""
        self._answer()
        return {topic: self._ids[topic] for topic in CONSUMED}

    async def bounds(self, partition: int) -> dict[str, Bounds]:
        """Where each input topic begins and ends."""
        self._answer()
        found = {topic: self._shelves[topic, partition] for topic in CONSUMED}
        return {topic: Bounds(shelf.start, shelf.end) for topic, shelf in found.items()}

    async def group_offsets(self, partition: int) -> dict[str, int | None]:
        """What was told by `stored`."""
        self._answer()
        return {topic: self._group.get((topic, partition)) for topic in CONSUMED}

    async def open(self, partition: int, offsets: dict[str, int]) -> dict[str, int]:
        """Begin a session for each topic."""
        self._answer()
        for topic, offset in offsets.items():
            self._sessions[topic, partition] = _Session(next(self._numbers), offset)
        return {topic: self._sessions[topic, partition].number for topic in offsets}

    async def close(self, partition: int) -> None:
        """End the sessions."""
        self._answer()
        for topic in CONSUMED:
            self._sessions.pop((topic, partition), None)

    async def prove_ownership(self, partition: int, offsets: dict[str, int]) -> bool:
        """Whether `owned` says so."""
        self._answer()
        return self.owned(partition)

    def stored(self, partition: int, offsets: dict[str, int]) -> None:
        """Remember it as the group's offsets."""
        self._group.update({(topic, partition): offset for topic, offset in offsets.items()})

    def pause(self, partition: int, topic: str) -> None:
        """Deliver no more of it."""
        if (session := self._sessions.get((topic, partition))) is not None:
            session.paused = True

    def resume(self, partition: int, topic: str) -> None:
        """Deliver it again."""
        if (session := self._sessions.get((topic, partition))) is not None:
            session.paused = False

    def _answer(self) -> None:
        if self.down:
            raise LogError("the log is down, as the test asked for")


class MemoryPublisher:
    """Writes rows into a `MemoryLog`. `refuses` says why a row can't be taken, `lose_acks` calls are done and then fail."""

    def __init__(self, log: MemoryLog, *, now_ms: Callable[[], int] = lambda: 0) -> None:
        self._log, self._now_ms = log, now_ms
        self.refuses: Callable[[Outgoing], str | None] = lambda _: None
        self.lose_acks = 0
        self.fail = 0

    async def publish(self, rows: Sequence[Outgoing]) -> list[str | None]:
        """Append the rows that are not refused."""
        if self.fail:
            self.fail -= 1
            raise LogError("the broker is away, as the test asked for")
        outcomes: list[str | None] = []
        for row in rows:
            refusal = self.refuses(row)
            outcomes.append(refusal)
            if refusal is None:
                headers = [(name, text.encode()) for name, text in row.headers.items()]
                headers.append(("record-id", row.record_id.encode()))
                self._log.append(
                    row.topic,
                    bytes(row.value),
                    partition=row.partition,
                    key=row.key.encode(),
                    timestamp_ms=self._now_ms(),
                    headers=tuple(headers),
                )
        if self.lose_acks:
            self.lose_acks -= 1
            raise LogError("the acknowledgement got lost, as the test asked for")
        return outcomes

    async def ends(self, topic: str, partition: int) -> int:
        """The end of an output."""
        records = self._log.records(topic, partition)
        return records[-1].offset + 1 if records else 0

    async def tail(self, topic: str, partition: int, since: int) -> tuple[set[str], int]:
        """Ids of the records from an offset on."""
        records = [record for record in self._log.records(topic, partition) if record.offset >= since]
        ids = {dict(record.headers)["record-id"].decode() for record in records}
        return ids, await self.ends(topic, partition)

    def broker_name(self, topic: str) -> str:
        """The name itself: there is no prefix here."""
        return topic
