"""The inbox of one topic of one partition: chunks that were delivered and not yet merged, and how far the topic is.

Delivery appends and never waits. A fetch session begins with each seek: chunks of another session are refused, what lies
below the expected offset is cut off, and a hole (transaction markers, compaction) is accepted. Chunks of a session are
numbered from 1; one that got lost on the way shows as a gap in the numbers.
"""

from collections import deque
from collections.abc import Callable

from streams.record import Chunk, Record

RECORDS_MAX = 8000
EARLY_MAX = 64
"""Chunks that may arrive before the number of their session is known here."""


def _nothing(topic: str) -> None:
    """Nobody wants to know."""


class Inbox:
    """Chunks of one topic partition, oldest first.

    `position` is the offset the next fetch starts at once everything up to chunk `number` was delivered; `end` is the
    newest known end of the log. While `position` is below `end`, there is something to wait for. `on_full` is called when
    `bound` records wait here, `on_half` when at most half of it are left. `gap` says that a chunk got lost: the topic has
    to be opened anew.
    """

    __slots__ = (
        "_bound",
        "_chunks",
        "_early",
        "_full",
        "_on_full",
        "_on_half",
        "end",
        "expected",
        "gap",
        "number",
        "position",
        "refused",
        "session",
        "topic",
        "waiting",
    )

    def __init__(
        self,
        topic: str,
        *,
        bound: int = RECORDS_MAX,
        on_full: Callable[[str], None] = _nothing,
        on_half: Callable[[str], None] = _nothing,
    ) -> None:
        self.topic = topic
        self.session: int | None = None
        self.expected = self.position = self.end = 0
        self.number = self.waiting = self.refused = 0
        self.gap = False
        self._chunks: deque[list[Record]] = deque()
        self._early: list[tuple[Chunk, int, int]] = []
        self._bound, self._on_full, self._on_half = bound, on_full, on_half
        self._full = False

    def open(self, session: int, offset: int, end: int) -> None:
        """Begin a fetch session at an offset of a log that ends at `end`; chunks of it that came early are taken in."""
        early = self._early
        self.drop()
        self.session, self.expected, self.position, self.end = session, offset, offset, max(offset, end)
        for chunk, number, position in early:
            if chunk.session == session:
                self.append(chunk, number, position)

    def drop(self) -> None:
        """Forget everything and be ready for another session."""
        self.session = None
        self.number = self.waiting = 0
        self.gap = self._full = False
        self._chunks.clear()
        self._early = []

    def append(self, chunk: Chunk, number: int, position: int) -> bool:
        """Take a chunk of its session's number; gives whether the inbox is full now."""
        if self.session is None:
            # Delivery is quicker than the answer that names the session.
            if len(self._early) < EARLY_MAX:
                self._early.append((chunk, number, position))
            return False
        if chunk.session != self.session:
            self.refused += 1
            return self._full
        if number != self.number + 1:
            self.gap = True
            return self._full
        self.number = number
        records = chunk.records
        if records and records[0].offset < self.expected:
            records = [record for record in records if record.offset >= self.expected]
        if records:
            self._chunks.append(records)
            self.waiting += len(records)
            self.expected = records[-1].offset + 1
        self.position = max(self.position, position, self.expected)
        self.end = max(self.end, self.position)
        if self.waiting >= self._bound and not self._full:
            self._full = True
            self._on_full(self.topic)
        return self._full

    def reached(self, session: int, number: int, position: int, end: int) -> None:
        """How far the topic is; `position` counts only if all chunks up to `number` have arrived here."""
        if session != self.session:
            return
        self.end = max(self.end, end)
        if number == self.number:
            self.position = max(self.position, position)

    def pop(self) -> list[Record] | None:
        """The oldest chunk, None if there is none."""
        if not self._chunks:
            return None
        records = self._chunks.popleft()
        self.waiting -= len(records)
        if self._full and self.waiting <= self._bound // 2:
            self._full = False
            self._on_half(self.topic)
        return records

    @property
    def empty(self) -> bool:
        """Whether nothing waits here."""
        return not self._chunks

    @property
    def behind(self) -> bool:
        """Whether records are known to exist that have not been delivered yet."""
        return self.position < self.end
