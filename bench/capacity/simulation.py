"""A small discrete simulation: events come to partitions, workers fetch them, form batches of what waits, and shards commit.

As in the worker (streams.delivery, streams.turnstile, streams.tenure):

- The partitions of a worker take turns, one slice of a batch in each round of the event loop. A partition takes all that waits
  when its turn comes, up to a bound, and has one batch at a time; while Redis works on it, other partitions compute.
- One fetch at a time brings what has come for all partitions of a worker, so much of each at most. It takes a while; then each
  round hands the chunk of one partition to its inbox; only when all are handed over does the next fetch begin.
- A shard works on one commit after the other.

Not in the model: that workers, Redis and brokers on one machine stand in each other's way, but for the share of a core that a
worker gets.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from bench.capacity.arrivals import Arrival
from bench.capacity.coefficients import Cost
from streams.turnstile import SLICE_RECORDS

LEAST_SPEED: Final = 0.05
CHUNK_MAX: Final = 1_000
"""As the setting kafka.chunk_records by default."""

_Group = tuple[float, int]
"""When events came, and how many: one record batch."""


class Times(Struct, frozen=True, kw_only=True):
    """What takes time and no processor: a fetch, and the way from the sender until the event lies in Kafka."""

    fetch_s: float = 0.0
    way_s: float = 0.0


class Model(Struct, frozen=True, kw_only=True):
    """What is simulated. Partition p belongs to worker p mod workers and to shard p mod shards. An arrival is a record batch.

    `core` is the share of a core that a worker gets when it wants all of it.
    """

    partitions: int
    workers: int
    shards: int
    worker: Cost
    redis: Cost
    commit_max: int
    times: Times = Times()
    core: float = 1.0
    slice_records: int = SLICE_RECORDS
    chunk_max: int = CHUNK_MAX


class Outcome(Struct, kw_only=True):
    """What came of it. Utilisations are those of the busiest worker and shard, and the mean; latencies are milliseconds.

    `unfinished` events were still waiting at the end.
    """

    worker_most: float
    worker_mean: float
    shard_most: float
    shard_mean: float
    commit_mean: float
    mean_ms: float
    p50_ms: float
    p99_ms: float
    unfinished: int


class _Batch(Struct):
    """Some events of one partition, by when they came; `left` are still to be computed."""

    partition: int
    groups: list[_Group]
    events: int
    left: int


class _Shard(Struct):
    speed: float
    queue: deque[_Batch]
    busy: bool = False
    busy_s: float = 0.0


class _Worker(Struct):
    """`log` is what has come and was not fetched, `fetched` what is on its way to the inboxes, both by partition."""

    speed: float
    queue: deque[_Batch | int]
    log: dict[int, deque[_Group]]
    fetched: dict[int, deque[_Group]]
    busy: bool = False
    busy_s: float = 0.0
    fetching: bool = False


class _Event(NamedTuple):
    """A fetch, a slice or a commit ends."""

    at_s: float
    order: int
    what: Literal["fetch", "slice", "commit"]
    number: int
    batch: _Batch | None


def simulate(model: Model, coming: Iterable[Arrival], *, until_s: float, settle_s: float = 0.0) -> Outcome:
    """Run until a moment. Events that came before `settle_s` are worked on, but their latencies do not count."""
    return _Run(model, iter(coming), settle_s).until(until_s)


class _Run:
    def __init__(self, model: Model, coming: Iterator[Arrival], settle_s: float) -> None:
        self.model, self.coming, self.settle_s = model, coming, settle_s
        # What a station spends on being there at all is not there for work.
        speed = max(LEAST_SPEED, model.core - model.worker.base)
        self.workers = [_Worker(speed, deque(), {}, {}) for _ in range(model.workers)]
        for partition in range(model.partitions):
            self.workers[partition % model.workers].log[partition] = deque()
        self.shards = [_Shard(max(LEAST_SPEED, 1.0 - model.redis.base), deque()) for _ in range(model.shards)]
        self.inboxes: list[deque[_Group]] = [deque() for _ in range(model.partitions)]
        self.has_batch = [False] * model.partitions
        self.events: list[_Event] = []
        self.latencies: list[_Group] = []
        self.order = self.commits = self.committed = 0

    def until(self, until_s: float) -> Outcome:
        arrival = next(self.coming, None)
        while True:
            event = self.events[0] if self.events else None
            if arrival is not None and (event is None or arrival.at_s <= event.at_s):
                if arrival.at_s > until_s:
                    break
                number = arrival.partition % self.model.workers
                self.workers[number].log[arrival.partition].append((arrival.at_s, arrival.events))
                self._fetch(arrival.at_s, number)
                arrival = next(self.coming, None)
            elif event is not None and event.at_s <= until_s:
                heappop(self.events)
                self._happens(event)
            else:
                break
        return self._outcome(until_s)

    def _happens(self, event: _Event) -> None:
        now_s, number, batch = event.at_s, event.number, event.batch
        if event.what == "fetch":
            worker = self.workers[number]
            worker.fetching = False
            worker.fetched = {
                partition: _first(log, self.model.chunk_max) for partition, log in worker.log.items() if log
            }
            if not worker.busy:
                self._hand_over(now_s, number)
            return
        assert batch is not None
        if event.what == "slice":
            self._slice_ends(now_s, number, batch)
        else:
            self._commit_ends(now_s, number, batch)

    # --- delivery -------------------------------------------------------------------------------------------------

    def _fetch(self, now_s: float, number: int) -> None:
        """Ask for what has come, unless that is being done."""
        worker = self.workers[number]
        if not worker.fetching and not worker.fetched:
            worker.fetching = True
            self._later(now_s + self.model.times.fetch_s, "fetch", number, None)

    def _hand_over(self, now_s: float, number: int) -> None:
        """One round: one chunk, and then one slice."""
        worker = self.workers[number]
        if worker.fetched:
            partition = next(iter(worker.fetched))
            self.inboxes[partition] += worker.fetched.pop(partition)
            if not self.has_batch[partition]:
                self.has_batch[partition] = True
                worker.queue.append(partition)
            if not worker.fetched and any(worker.log.values()):
                self._fetch(now_s, number)
        self._compute(now_s, number)

    # --- computing ------------------------------------------------------------------------------------------------

    def _compute(self, now_s: float, number: int) -> None:
        """Let a worker begin the next slice that waits."""
        worker = self.workers[number]
        if worker.busy or not worker.queue:
            return
        waiting = worker.queue.popleft()
        batch = self._taken(waiting) if isinstance(waiting, int) else waiting
        count = min(batch.left, self.model.slice_records)
        cost = self.model.worker
        cost_s = cost.event_s * count
        if batch.left == batch.events:
            cost_s += cost.commit_s + cost.record_batch_s * len(batch.groups)
        batch.left -= count
        worker.busy = True
        worker.busy_s += cost_s
        self._later(now_s + cost_s / worker.speed, "slice", number, batch)

    def _taken(self, partition: int) -> _Batch:
        """All that waits in a partition, up to the bound."""
        groups = list(_first(self.inboxes[partition], self.model.commit_max))
        events = sum(count for _, count in groups)
        self.commits, self.committed = self.commits + 1, self.committed + events
        return _Batch(partition, groups, events, events)

    def _slice_ends(self, now_s: float, number: int, batch: _Batch) -> None:
        worker = self.workers[number]
        worker.busy = False
        if batch.left:
            worker.queue.append(batch)
        else:
            shard = batch.partition % self.model.shards
            self.shards[shard].queue.append(batch)
            self._commit(now_s, shard)
        self._hand_over(now_s, number)

    # --- committing -----------------------------------------------------------------------------------------------

    def _commit(self, now_s: float, number: int) -> None:
        """Let a shard begin the next commit that waits."""
        shard = self.shards[number]
        if shard.busy or not shard.queue:
            return
        batch = shard.queue.popleft()
        cost = self.model.redis
        cost_s = cost.commit_s + cost.record_batch_s * len(batch.groups) + cost.event_s * batch.events
        shard.busy = True
        shard.busy_s += cost_s
        self._later(now_s + cost_s / shard.speed, "commit", number, batch)

    def _commit_ends(self, now_s: float, number: int, batch: _Batch) -> None:
        self.shards[number].busy = False
        self.latencies += [(now_s - came_s, count) for came_s, count in batch.groups if came_s >= self.settle_s]
        partition = batch.partition
        if self.inboxes[partition]:
            self.workers[partition % self.model.workers].queue.append(partition)
            self._compute(now_s, partition % self.model.workers)
        else:
            self.has_batch[partition] = False
        self._commit(now_s, number)

    # --- the rest -------------------------------------------------------------------------------------------------

    def _later(self, at_s: float, what: Literal["fetch", "slice", "commit"], number: int, batch: _Batch | None) -> None:
        self.order += 1
        heappush(self.events, _Event(at_s, self.order, what, number, batch))

    def _outcome(self, until_s: float) -> Outcome:
        model, latencies = self.model, sorted(self.latencies)
        total = sum(count for _, count in latencies)
        mean_s = sum(latency_s * count for latency_s, count in latencies) / max(1, total)
        worker_use = [worker.busy_s / until_s + model.worker.base for worker in self.workers]
        shard_use = [shard.busy_s / until_s + model.redis.base for shard in self.shards]
        waiting = [*self.inboxes, *(log for worker in self.workers for log in worker.log.values())]
        return Outcome(
            worker_most=max(worker_use),
            worker_mean=sum(worker_use) / len(worker_use),
            shard_most=max(shard_use),
            shard_mean=sum(shard_use) / len(shard_use),
            commit_mean=self.committed / max(1, self.commits),
            mean_ms=(mean_s + model.times.way_s) * 1_000,
            p50_ms=(_quantile(latencies, 0.5 * total) + model.times.way_s) * 1_000,
            p99_ms=(_quantile(latencies, 0.99 * total) + model.times.way_s) * 1_000,
            unfinished=sum(count for groups in waiting for _, count in groups),
        )


def _first(groups: deque[_Group], most: int) -> deque[_Group]:
    """Take the oldest groups, at most so many events; the last one may be cut in two."""
    found: deque[_Group] = deque()
    room = most
    while groups and room:
        came_s, count = groups.popleft()
        if count > room:
            groups.appendleft((came_s, count - room))
            count = room
        found.append((came_s, count))
        room -= count
    return found


def _quantile(latencies: list[_Group], wanted: float) -> float:
    """The latency that so many events do not exceed; `latencies` are sorted."""
    seen = 0
    for latency_s, count in latencies:
        seen += count
        if seen >= wanted:
            return latency_s
    return 0.0
