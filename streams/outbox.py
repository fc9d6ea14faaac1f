"""The outbox of one partition: rows that are committed with the state that caused them, on their way to Kafka.

A row is never lost: it lies in the table until a later commit trims it, and that happens only once it was acknowledged.
On takeover the tail of each output is read back to the mark of the last trim, and rows whose id is found there are taken
for published; anything uncertain is sent again, with the same id.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas.outputs import Outgoing, Rejected
from streams.faults import NO_FAULTS, Faults
from streams.forwards import ELSEWHERE
from streams.log import MENDABLE, NotAllowed, lacking
from streams.rows import decode_row, reject_row, row_of_reject
from streams.stats import NO_STATS, Stats

_log = logging.getLogger(__name__)

ROWS_AT_ONCE: Final = 500
ROWS_MAX: Final = 10_000
"""With more rows waiting the partition takes no new records."""
MARK_EVERY_MS: Final = 1000
"""How often the end of an output is asked for. A mark that lags behind only makes the tail longer."""
TAIL_ATTEMPTS: Final = 5
DAMAGED: Final = "damaged_row"
"""Why a row is set aside that is none; nothing else waits in an outbox for the topic of rejects."""
PAUSE_S: Final = 0.2
PAUSE_MAX_S: Final = 10.0


class Publisher(Protocol):
    """Where rows go. A row for another partition than the caller's own is a forwarded record."""

    async def publish(self, rows: Sequence[Outgoing]) -> list[str | None]:
        """Send rows in order; for each None once it is acknowledged, or why it was refused for good."""

    async def ends(self, topic: str, partition: int) -> int:
        """The end of an output's partition (logical topic name)."""

    async def tail(self, topic: str, partition: int, since: int) -> tuple[set[str], int]:
        """Ids of the records of an output from offset `since` to its present end, and that end."""

    def broker_name(self, topic: str) -> str:
        """What the broker calls a topic (logical name)."""


class _Row(Struct, gc=False):
    row: Outgoing
    caused_ms: int | None
    done: bool = False


class Outbox:
    """Rows in the order in which they were committed. `tails` are the marks as the table has them.

    `rows` are those found at the claim. `mono_ms` is any clock that never goes back, `wall_ms` None in replay.
    """

    def __init__(
        self,
        partition: int,
        publisher: Publisher,
        rows: Iterable[bytes] = (),
        tails: dict[str, int] | None = None,
        *,
        mono_ms: Callable[[], int],
        wall_ms: Callable[[], int] | None = None,
        stats: Stats = NO_STATS,
        faults: Faults = NO_FAULTS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._partition, self._publisher = partition, publisher
        self._mono_ms, self._wall_ms = mono_ms, wall_ms
        self._stats, self._faults, self._sleep = stats, faults, sleep
        # Those that are not known to be published, and how many before them only wait to be trimmed.
        self._rows: deque[_Row] = deque(_Row(_decoded(stored, partition), None) for stored in rows)
        self._sent = 0
        self._marks: dict[str, int] = dict(tails or {})
        self._moved: dict[str, int] = {}
        self._unmarked: set[str] = set()
        self._marked_ms = 0
        self._unsure = bool(self._rows)
        self._sending: asyncio.Future[list[str | None]] | None = None
        self._held_back = ""
        self._finishing = False
        self.wake = asyncio.Event()

    def __len__(self) -> int:
        return self._sent + len(self._rows)

    @property
    def waiting(self) -> int:
        """Rows not known to be published."""
        return len(self._rows)

    @property
    def full(self) -> bool:
        """Whether publishing lags so far behind that nothing should be added."""
        return self.waiting >= ROWS_MAX

    def add(self, rows: Iterable[tuple[Outgoing, int | None]]) -> None:
        """Take rows that were committed, with the time of their cause where it is to be measured."""
        self._rows.extend(_Row(row, caused_ms) for row, caused_ms in rows)
        if self.waiting:
            self.wake.set()

    def trim(self) -> tuple[int, dict[str, int]]:
        """What the next commit may trim, and the marks that moved."""
        return self._sent, dict(self._moved)

    def trimmed(self, count: int, tails: dict[str, int]) -> None:
        """The commit with this trim is in."""
        self._sent -= count
        self._marks.update(tails)
        self._moved = {topic: end for topic, end in self._moved.items() if tails.get(topic) != end}

    @property
    def customers(self) -> set[str]:
        """The keys of rows that wait: customers, for what is about one."""
        return {one.row.key for one in self._rows if not one.done and one.row.topic not in ELSEWHERE}

    def withdraw(self, customer_id: str) -> int:
        """Let what waits and is about this customer never be published; gives how many rows. One that is just being sent may
        arrive all the same; what is forwarded is dropped where it arrives.
        """
        count = 0
        for one in self._rows:
            if one.row.key == customer_id and not one.done and one.row.topic not in ELSEWHERE:
                one.done = True
                count += 1
        self._count_sent()
        return count

    def finish(self) -> None:
        """Let `run` return once nothing waits any more."""
        self._finishing = True
        self.wake.set()

    async def run(self) -> None:
        """Publish whatever comes, until told to finish. Troubles of the broker are waited out."""
        pause_s = PAUSE_S
        while True:
            self.wake.clear()
            try:
                if await self.publish():
                    pause_s = PAUSE_S
                    continue
                if self._finishing:
                    return
            except NotAllowed:  # told when it began
                await self._sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_MAX_S)
                continue
            except Exception as error:  # noqa: BLE001 - a client's error of any kind: the rows are there, so try again
                facts = {"facts": {"partition": self._partition}, "often": True}
                _log.warning("rows were not published, they are sent again: %s", error, extra=facts)
                await self._sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_MAX_S)
                continue
            await self.wake.wait()

    async def publish(self) -> bool:
        """Publish some of what waits; gives whether there was anything. Raises NotAllowed where some of it has to wait on."""
        if self._unsure:
            await self._find_published()
            self._unsure = False
        rows = [one for one in islice(self._rows, ROWS_AT_ONCE) if not one.done]
        if not rows:
            self._count_sent()
            self._hold_back("")
            return self.waiting > 0
        began_ms = self._mono_ms()
        self._faults.at("before_produce")
        # Until the answer is here, any of them may have arrived or not.
        self._unsure = True
        self._sending = asyncio.ensure_future(self._publisher.publish([one.row for one in rows]))
        await asyncio.sleep(0)
        self._faults.at("after_produce")
        # Who waits here may be cancelled. The rows may not: they are on their way, see `settle`.
        try:
            outcomes = await asyncio.shield(self._sending)
        except Exception:
            # The failure remembers this frame: the circle would keep all rows in memory (streams.worker).
            self._sending = None
            raise
        self._unsure = False
        self._faults.at("after_ack")
        done: list[_Row] = []
        refused: list[tuple[_Row, str]] = []
        for one, why in zip(rows, outcomes, strict=True):
            if why is not None:
                refused.append((one, why))
                continue
            one.done = True
            done.append(one)
            if one.row.partition == self._partition and one.row.topic not in ELSEWHERE:
                self._unmarked.add(one.row.topic)
        self._count_sent()
        if damaged := sum(one.row.topic == "rejected" for one in done):
            self._stats.refused(self._partition, DAMAGED, damaged)
        now_ms = 0 if self._wall_ms is None else self._wall_ms()
        waited_ms = [max(0, now_ms - one.caused_ms) for one in done if one.caused_ms is not None and now_ms]
        self._stats.published(self._partition, len(done), waited_ms, (self._mono_ms() - began_ms) / 1000)
        # One of a customer who is erased meanwhile is not wanted any more.
        if wanted := [(one, why) for one, why in refused if not one.done]:
            await self._refuse(wanted)
        self._hold_back("")
        await self._mark()
        return True

    async def settle(self, seconds: float) -> None:
        """Wait for rows that are on their way, at most so long: only then does the tail of an output tell all."""
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=seconds)

    async def flush(self) -> None:
        """Publish all that waits; raises what the publisher raises."""
        while await self.publish():
            pass

    def _count_sent(self) -> None:
        while self._rows and self._rows[0].done:
            self._rows.popleft()
            self._sent += 1

    async def _mark(self) -> None:
        """Note where outputs end. All rows given to the publisher were acknowledged, and nobody else sends rows of ours:
        so whatever is published from now on lies at or beyond these ends.
        """
        if self._mono_ms() - self._marked_ms < MARK_EVERY_MS:
            return
        self._marked_ms = self._mono_ms()
        for topic in sorted(self._unmarked):
            try:
                end = await self._publisher.ends(topic, self._partition)
            except Exception as error:  # noqa: BLE001 - an older mark is as good, only slower on takeover
                _log.info("the end of an output is not known: %s", error)
                return
            if end != self._marks.get(topic):  # a lower one is that of a topic made anew
                self._moved[topic] = end
            self._unmarked.discard(topic)

    async def _find_published(self) -> None:
        """After a takeover or a lost answer: take for published what is found in the tails of the outputs.

        Records for other partitions are sent again: these drop what they have had, and a move may come twice.
        """
        waiting = [one for one in self._rows if not one.done and one.row.topic not in ELSEWHERE]
        for topic in sorted({one.row.topic for one in waiting}):
            since = self._moved.get(topic, self._marks.get(topic, 0))
            ids = await self._tail(topic, since)
            for one in waiting:
                if one.row.topic == topic and one.row.record_id in ids:
                    one.done = True
        self._count_sent()

    async def _tail(self, topic: str, since: int) -> set[str]:
        pause_s = PAUSE_S
        for _ in range(TAIL_ATTEMPTS):
            try:
                ids, end = await self._publisher.tail(topic, self._partition, since)
                if end < since:  # the mark is of another topic of this name, or another cluster
                    ids, _ = await self._publisher.tail(topic, self._partition, 0)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be taken for published
                _log.warning("the tail of %s was not read: %s", topic, error)
                await self._sleep(pause_s)
                pause_s *= 2
            else:
                return ids
        return set()

    async def _refuse(self, refused: list[tuple[_Row, str]]) -> None:
        """Set aside what is refused for good. Raises NotAllowed where something waits for a right: then no mark may be noted
        either, since what was published behind it is not trimmed, and the next owner would not find it beyond the mark.
        """
        for_good = [(one, why) for one, why in refused if why not in MENDABLE]
        try:
            await self._set_aside(for_good)
            if wanted := lacking((self._publisher.broker_name(one.row.topic), why) for one, why in refused):
                raise NotAllowed(wanted)
        except NotAllowed as error:
            self._hold_back(str(error))
            raise

    async def _set_aside(self, refused: list[tuple[_Row, str]]) -> None:
        for one, why in refused:
            _log.error(
                "the broker refuses a row for good: %s",
                why,
                extra={"facts": {"topic": one.row.topic, "id": one.row.record_id}},
            )
        await publish_rejects(self._publisher, [reject_row(one.row, "refused_by_broker", why) for one, why in refused])
        for one, _ in refused:
            one.done = True
        self._count_sent()
        if refused:
            self._stats.refused(self._partition, "refused_by_broker", len(refused))

    def _hold_back(self, why: str) -> None:
        """Tell, once, that rows wait for a right, and "" that they no longer do."""
        if why == self._held_back:
            return
        facts = {"facts": {"partition": self._partition}}
        if why:
            _log.error("what is to be published waits: %s", why, extra=facts)
        else:
            _log.info("what waited to be published goes out", extra=facts)
        self._held_back = why
        self._stats.held_back(self._partition, why)


def _decoded(stored: bytes, partition: int) -> Outgoing:
    try:
        return decode_row(stored)
    except msgspec.DecodeError:
        # Written by hand or by another release: it must not hold up the rows behind it.
        _log.exception("a row of the outbox can't be read and is set aside", extra={"facts": {"partition": partition}})
        value = msgspec.json.encode(stored.decode("utf-8", "replace"))
        row = Outgoing("outbox", "damaged", "", partition, msgspec.Raw(value))
        return row_of_reject(reject_row(row, DAMAGED, "a row of the outbox is no row"))


async def publish_rejects(publisher: Publisher, rejected: Sequence[Rejected]) -> None:
    """Publish rejects and wait until they are acknowledged: after the commit nobody would read their originals again.

    One that the broker refuses for good goes out without its original. Raises NotAllowed where the right to write them lacks.
    """
    if not rejected:
        return
    rows = [row_of_reject(one) for one in rejected]
    outcomes = await publisher.publish(rows)
    refused = [(row.topic, why) for row, why in zip(rows, outcomes, strict=True) if why is not None]
    if wanted := lacking((publisher.broker_name(topic), why) for topic, why in refused):
        raise NotAllowed(wanted)
    for reject, row, why in zip(rejected, rows, outcomes, strict=True):
        if why is not None:
            bare = replace(reject, key=None, original=None, original_base64=None)
            (again,) = await publisher.publish([row_of_reject(bare)])
            _log.error(
                "a reject was published without its original (%s, then %s)",
                why,
                again or "taken",
                extra={"facts": {"record": row.record_id}},
            )
