"""The table in memory: what `RedisTable` does, without a server. For replay, the demo and tests.

Nothing is written anywhere; everything is gone with the process. Tests can go back in time (`snapshot`, `restore`) and
lose calls and replies (`fail_next`), so a fake that behaves too well hides nothing. Start reading at `commit`.
"""

import secrets
from collections.abc import Collection, Mapping
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Literal

import msgspec
from msgspec import Struct

from streams.table import (
    INTEGER_MAX,
    NO_COUNTERS,
    Claim,
    Commit,
    Held,
    Loaded,
    Meta,
    Refused,
    TableError,
    Unavailable,
    Waiting,
    WrongInstall,
    broken_number,
    check_held,
)

Call = Literal["claim", "load", "commit"]
When = Literal["before", "after"]


class _Partition(Struct, kw_only=True):
    """Everything of one partition. `last` is the mark of the last commit.

    `heap` holds (due_ms, id) with outdated pairs left in; `due` has the truth.
    """

    meta: Meta | None = None
    last: int = 0
    profiles: dict[str, bytes] = {}
    ledgers: dict[str, dict[str, bytes]] = {}
    due: dict[str, int] = {}
    heap: list[tuple[int, str]] = []
    outbox: list[bytes] = []
    population: dict[str, int] = {}
    notes: dict[str, bytes] = {}
    goods: dict[str, bytes] = {}
    watchers: dict[str, dict[str, int]] = {}
    queue: list[tuple[str, int]] = []

    def copy(self) -> "_Partition":
        """An independent copy. Bytes are shared: nobody can change them."""
        return _Partition(
            meta=_copy_meta(self.meta),
            last=self.last,
            profiles=dict(self.profiles),
            ledgers={profile_id: dict(entries) for profile_id, entries in self.ledgers.items()},
            due=dict(self.due),
            heap=list(self.heap),
            outbox=list(self.outbox),
            population=dict(self.population),
            notes=dict(self.notes),
            goods=dict(self.goods),
            watchers={key: dict(scores) for key, scores in self.watchers.items()},
            queue=list(self.queue),
        )

    def watching(self, key: str) -> list[tuple[str, int]]:
        """Who watches a product, in the order of their scores, of equal ones by their ids' bytes."""
        scores = self.watchers.get(key, {})
        return sorted(scores.items(), key=lambda pair: (pair[1], pair[0].encode("utf-8", "surrogatepass")))

    def earliest(self, before_ms: int, limit: int) -> list[tuple[str, int]]:
        """At most `limit` timers strictly before a moment, in the order (due_ms, id)."""
        found: list[tuple[int, str]] = []
        heap = self.heap
        while heap and heap[0][0] < before_ms and len(found) < limit:
            pair = heappop(heap)
            # A timer moved away and back leaves its pair twice; equal pairs come out one after the other.
            if self.due.get(pair[1]) == pair[0] and (not found or found[-1] != pair):
                found.append(pair)
        for pair in found:
            heappush(heap, pair)
        return [(profile_id, due_ms) for due_ms, profile_id in found]

    def set_due(self, profile_id: str, due_ms: int | None) -> None:
        if due_ms is None:
            self.due.pop(profile_id, None)
        elif self.due.get(profile_id) != due_ms:
            self.due[profile_id] = due_ms
            heappush(self.heap, (due_ms, profile_id))
            # Rebuilt when outdated pairs outnumber the others, so the heap stays within a factor of the timers.
            if len(self.heap) > 2 * len(self.due) + 64:
                self.heap = [(due, name) for name, due in self.due.items()]
                heapify(self.heap)


class Snapshot(Struct, frozen=True):
    """A moment of a table, to go back to."""

    partitions: dict[int, _Partition]


class MemoryTable:
    """A table in this process's memory. One event loop uses it; no call ever waits."""

    def __init__(self) -> None:
        self._partitions: dict[int, _Partition] = {}
        self._failures: dict[tuple[Call, When], list[TableError]] = {}
        self._installed: tuple[int, str] | None = None
        self._models: bytes | None = None
        # Commits whose outcome their caller does not know, with their marks, as RedisTable keeps them.
        self._open: dict[int, tuple[Commit, int]] = {}
        self._marks = count(1)

    # --- For tests -------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The table as it stands now."""
        return Snapshot({number: part.copy() for number, part in self._partitions.items()})

    def restore(self, snapshot: Snapshot, *, partition: int | None = None) -> None:
        """Go back to a snapshot, whole or one partition alone, as a restored or failed-over Redis does."""
        if partition is None:
            self._partitions = {number: part.copy() for number, part in snapshot.partitions.items()}
        elif partition in snapshot.partitions:
            self._partitions[partition] = snapshot.partitions[partition].copy()
        else:
            self._partitions.pop(partition, None)

    def fail_next(self, call: Call, when: When, *, error: TableError | None = None, times: int = 1) -> None:
        """Let the next `times` calls fail: "before" nothing was done yet, "after" it was done and the reply got lost.

        The caller sees `error`, Unavailable unless told otherwise, and in both cases can't know which it was.
        """
        lost = (
            error if error is not None else Unavailable(f"{call} failed {when} it was applied, as the test asked for")
        )
        self._failures.setdefault((call, when), []).extend([lost] * times)

    def _maybe_fail(self, call: Call, when: When) -> None:
        waiting = self._failures.get((call, when))
        if waiting:
            raise waiting.pop(0)

    # --- The contract ----------------------------------------------------------------------------------------------

    async def ensure_install(self, partitions: int, key_mark: str = "") -> None:
        """Note partitions and key, or raise WrongInstall when others were noted before."""
        if self._installed is None:
            self._installed = (partitions, key_mark)
        if self._installed[0] != partitions:
            raise WrongInstall.of_partitions(self._installed[0], partitions)
        if self._installed[1] != key_mark:
            raise WrongInstall.of_keys()

    async def claim(self, partition: int) -> Claim:
        """Take ownership with a fresh random token and epoch + 1."""
        self._maybe_fail("claim", "before")
        part = self._part(partition)
        fresh = part.meta is None
        meta = self._seize(part)
        self._maybe_fail("claim", "after")
        self._open.pop(partition, None)
        return Claim(meta=meta, outbox=list(part.outbox), fresh=fresh)

    async def load(
        self,
        partition: int,
        profiles: list[str],
        entries: list[tuple[str, str]],
        *,
        whole: list[str] | None = None,
        due_before_ms: int | None = None,
        due_limit: int = 1000,
        watchers_of: str | None = None,
        watchers_limit: int = 0,
        held: Held | None = None,
    ) -> Loaded:
        """Read what is asked for."""
        self._maybe_fail("load", "before")
        part = self._part(partition)
        if held is not None:
            check_held(partition, part.meta, held)
        nothing: dict[str, bytes] = {}
        return Loaded(
            profiles={profile_id: part.profiles.get(profile_id) for profile_id in profiles},
            entries={
                (profile_id, order_id): part.ledgers.get(profile_id, nothing).get(order_id)
                for profile_id, order_id in entries
            },
            whole={profile_id: dict(part.ledgers.get(profile_id, nothing)) for profile_id in whole or ()},
            due=part.earliest(due_before_ms, due_limit) if due_before_ms is not None else [],
            watchers=(part.queue if watchers_of is None else part.watching(watchers_of))[:watchers_limit],
        )

    async def waiting(self, partition: int, cursor: str, count: int) -> Waiting:
        """Profiles with timers, page by page, by id."""
        self._maybe_fail("load", "before")
        after = sorted(profile_id for profile_id in self._part(partition).due if profile_id > cursor)
        return Waiting(after[:count], after[count - 1] if len(after) > count else "")

    async def everybody(self, partition: int, cursor: str, count: int) -> Waiting:
        """Profiles page by page, by id."""
        self._maybe_fail("load", "before")
        after = sorted(profile_id for profile_id in self._part(partition).profiles if profile_id > cursor)
        return Waiting(after[:count], after[count - 1] if len(after) > count else "")

    async def commit(self, partition: int, commit: Commit) -> None:
        """Apply a commit whole or not at all, exactly once however often the call is repeated."""
        pending = self._open.get(partition)
        mark = pending[1] if pending is not None and pending[0] == commit else next(self._marks)
        self._open[partition] = (commit, mark)
        self._maybe_fail("commit", "before")
        try:
            self._decide(partition, commit, mark)
        except TableError:
            self._open.pop(partition, None)
            raise
        self._maybe_fail("commit", "after")
        self._open.pop(partition, None)

    async def meta(self, partition: int) -> Meta | None:
        """The partition's meta as it stands."""
        return _copy_meta(self._part(partition).meta)

    async def set_offsets(self, partition: int, offsets: dict[str, int | None]) -> None:
        """Move or (None) forget stored offsets; whoever holds the partition loses it."""
        part = self._part(partition)
        self._seize(part)
        assert part.meta is not None
        for topic, offset in offsets.items():
            part.meta.topic_ids.pop(topic, None)
            if offset is None:
                part.meta.offsets.pop(topic, None)
            else:
                part.meta.offsets[topic] = offset

    async def wipe(
        self, partition: int, *, spared: Collection[str] = (), population: Mapping[str, int] = NO_COUNTERS
    ) -> int:
        """Delete everything except what is spared, the notes and the fence (token, epoch, commits, outbox_base)."""
        part = self._part(partition)
        fence = self._seize(part)
        kinds = (part.due, part.outbox, part.population, part.goods, part.queue, *part.watchers.values())
        profiles = {name: stored for name, stored in part.profiles.items() if name in spared}
        ledgers = {name: stored for name, stored in part.ledgers.items() if name in spared}
        stay = len(profiles) + len(ledgers)
        deleted = len(part.profiles) + len(part.ledgers) - stay + sum(1 for kind in kinds if kind)
        self._partitions[partition] = _Partition(
            meta=Meta(
                token=fence.token,
                epoch=fence.epoch,
                commits=fence.commits,
                outbox_base=fence.outbox_base + len(part.outbox),
            ),
            profiles=profiles,
            ledgers=ledgers,
            population=dict(population),
            notes=part.notes,
        )
        return deleted

    async def models(self) -> bytes | None:
        """The document of models that is in use."""
        return self._models

    async def put_models(self, document: bytes) -> None:
        """Put another document of models in its place."""
        self._models = document

    async def population(self, partition: int) -> dict[str, int]:
        """The partition's population counters that are not 0."""
        return dict(self._part(partition).population)

    async def notes(self, partition: int) -> dict[str, bytes]:
        """All notes of the partition."""
        return dict(self._part(partition).notes)

    async def note(self, partition: int, name: str) -> bytes | None:
        """One of them."""
        return self._part(partition).notes.get(name)

    async def goods(self, partition: int, keys: list[str] | None = None) -> dict[str, bytes]:
        """What is kept of the products that are watched in the partition: of these, or of all."""
        goods = self._part(partition).goods
        return {key: goods[key] for key in (goods if keys is None else keys) if key in goods}

    async def profile(self, partition: int, profile_id: str) -> bytes | None:
        """One stored profile."""
        return self._part(partition).profiles.get(profile_id)

    async def ledger(self, partition: int, profile_id: str) -> dict[str, bytes]:
        """All stored ledger entries of one profile."""
        return dict(self._part(partition).ledgers.get(profile_id, {}))

    async def profile_ids(self, partition: int) -> list[str]:
        """Ids of all profiles of the partition."""
        return list(self._part(partition).profiles)

    async def close(self) -> None:
        """Nothing to let go of."""

    # --- Inside ----------------------------------------------------------------------------------------------------

    def _part(self, partition: int) -> _Partition:
        return self._partitions.setdefault(partition, _Partition())

    def _seize(self, part: _Partition) -> Meta:
        """Put a token nobody else has; gives a copy of the meta."""
        meta = part.meta
        if meta is None:
            meta = part.meta = Meta(token="", epoch=0, commits=0)
        meta.token = secrets.token_hex(16)
        meta.epoch += 1
        copy = _copy_meta(meta)
        assert copy is not None
        return copy

    def _decide(self, partition: int, commit: Commit, mark: int) -> None:
        part = self._part(partition)
        meta = part.meta
        again = meta is not None and meta.commits == commit.expected + 1 and part.last == mark
        meta = check_held(partition, meta, Held(commit.token, commit.expected + again))
        if again:
            return  # An earlier call of this very commit was applied and only its reply got lost.
        self._check(part, commit)
        self._apply(part, meta, commit)
        part.last = mark

    def _check(self, part: _Partition, commit: Commit) -> None:
        problem = broken_number(commit)
        if problem:
            raise Refused(problem)
        if commit.unqueue and commit.queue is None and commit.unqueue > len(part.queue):
            raise Refused(f"the queue has {len(part.queue)} watchers, {commit.unqueue} can't be taken off")
        if commit.trim > len(part.outbox):
            raise Refused(f"the outbox has {len(part.outbox)} rows, {commit.trim} can't be trimmed")

    def _apply(self, part: _Partition, meta: Meta, commit: Commit) -> None:
        for profile_id in commit.deleted:
            part.profiles.pop(profile_id, None)
            part.ledgers.pop(profile_id, None)
            part.set_due(profile_id, None)
        part.profiles.update(commit.profiles)
        for (profile_id, order_id), entry in commit.entries.items():
            part.ledgers.setdefault(profile_id, {})[order_id] = entry
        for profile_id, due_ms in commit.due.items():
            part.set_due(profile_id, due_ms)
        del part.outbox[: commit.trim]
        part.outbox.extend(commit.outbox)
        for name, change in commit.population.items():
            total = max(-INTEGER_MAX, min(INTEGER_MAX, part.population.get(name, 0) + change))
            if total:
                part.population[name] = total
            else:
                part.population.pop(name, None)
        for name, value in commit.notes.items():
            if value is None:
                part.notes.pop(name, None)
            else:
                part.notes[name] = value
        self._apply_goods(part, meta, commit)
        meta.offsets.update(commit.offsets)
        meta.tails.update(commit.tails)
        meta.origins.update(commit.origins)
        meta.topic_ids.update(commit.topic_ids)
        meta.rules.update(commit.rules)
        meta.clock_ms = max(meta.clock_ms, commit.clock_ms)
        meta.t0_ms = max(meta.t0_ms, commit.t0_ms)
        meta.outbox_base += commit.trim
        meta.commits = commit.expected + 1

    def _apply_goods(self, part: _Partition, meta: Meta, commit: Commit) -> None:
        if commit.queue is not None:
            key, start = commit.queue
            part.queue = part.watching(key)[start:]
        del part.queue[: commit.unqueue]
        for key, good in commit.goods.items():
            if good is None:
                part.goods.pop(key, None)
            else:
                part.goods[key] = good
        for (key, profile_id), score in commit.watchers.items():
            scores = part.watchers.setdefault(key, {})
            if score is None:
                scores.pop(profile_id, None)
            else:
                scores[profile_id] = score
            if not scores:
                del part.watchers[key]
        if commit.wake is not None:
            meta.wake = commit.wake


def _copy_meta(meta: Meta | None) -> Meta | None:
    if meta is None:
        return None
    return msgspec.structs.replace(
        meta,
        offsets=dict(meta.offsets),
        tails=dict(meta.tails),
        origins=dict(meta.origins),
        topic_ids=dict(meta.topic_ids),
        rules=dict(meta.rules),
    )
