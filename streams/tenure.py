"""One claim of one partition, from claiming it to giving it up: take, load, step, commit, publish, over and over.

`open` claims the partition, checks the stored offsets against the log, and starts reading where the table says. `run` works
until it is stopped or the claim is of no use any more. Chunks are pushed in with `take` and `reached`; both only note and
return. Whoever claims again makes a new object, so nothing in memory outlives a claim.

Start reading at `turn`: the whole way of a batch is there.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import Final, TypeVar, cast

from msgspec import structs

from profiles.goods_state import Good
from profiles.told import Told
from schemas.decode import Decoder, Problem
from schemas.outputs import Decision, Outgoing
from schemas.topics import CONSUMED
from streams.after_rules import Task
from streams.batch import Batch, is_gone
from streams.cache import Cache
from streams.careful import PROBLEMS, Careful
from streams.changes import Changes
from streams.claimed import Claimed
from streams.clock import Clock
from streams.engine_errors import FaultCount, tell_left_out
from streams.faults import NO_FAULTS, Faults
from streams.forwards import mark_of
from streams.goods import WAKES_MAX, encode_good, split_stored
from streams.inbox import Inbox
from streams.log import Log, LogError, Reach
from streams.lost_state import refuse_forgotten, refuse_others, starting_offsets
from streams.merge import Item, Merge
from streams.notes import Notes
from streams.outbox import Outbox, Publisher, publish_rejects
from streams.partition_limits import DEFAULT_LIMITS, PartitionLimits
from streams.product_facts import with_signs
from streams.product_names import Named
from streams.record import Chunk
from streams.rows import encode_row, row_of_rules
from streams.rules_in_force import RulesInForce
from streams.stats import NO_STATS, BatchStats, Stats
from streams.table import Claim, Commit, Table
from streams.terms import Faulty, Need, Steps, Terms
from streams.turnstile import SLICE_RECORDS, Turnstile
from streams.wake import Wake, decode_wake, encode_wake

V = TypeVar("V")

_log = logging.getLogger(__name__)

NEEDS_MAX: Final = 100_000
FLUSH_S: Final = 5.0
_KIND: Final = attrgetter("state", "reason")


class Tenure:
    """One partition under one claim. `wall_ms` is the wall clock in epoch ms, None for a simulated clock.

    `others_t0_ms` gives the least T0 of all partitions: while more than 1 % of the records come from elsewhere, an order
    may still wait there, and this partition's clock waits with it.
    """

    def __init__(
        self,
        number: int,
        *,
        partitions: int,
        table: Table,
        log: Log,
        publisher: Publisher,
        engine: Steps,
        decoder: Decoder,
        shop_id: str = "shop",
        limits: PartitionLimits = DEFAULT_LIMITS,
        wall_ms: Callable[[], int] | None = None,
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
        others_t0_ms: Callable[[], int] | None = None,
        topics: tuple[str, ...] = CONSUMED,
        turnstile: Turnstile | None = None,
        stats: Stats = NO_STATS,
        faults: Faults = NO_FAULTS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.number = number
        self.worked = 0
        """Customers of the batch at hand who were worked on."""
        self.heard_ms = 0
        """The wall time at which the end of a log was last asked for and told."""
        self._table, self._log, self._publisher = table, log, publisher
        self._limits, self._wall_ms, self._mono_ms, self._others_t0_ms = limits, wall_ms, mono_ms, others_t0_ms
        self._stats, self._faults, self._sleep = stats, faults, sleep
        self._turnstile = turnstile or Turnstile()
        self._terms = Terms(
            engine=engine,
            partition=number,
            partitions=partitions,
            shop_id=shop_id,
            disorder_ms=limits.disorder_ms,
            profiles_max=limits.batch_profiles,
            bytes_max=limits.batch_bytes,
            due_max=limits.due_timers,
        )
        gates = {"on_full": partial(log.pause, number), "on_half": partial(log.resume, number)}
        self.inboxes = {topic: Inbox(topic, bound=limits.inbox_records, **gates) for topic in topics}
        self._merge = Merge(list(self.inboxes.values()), decoder, wall_ms)
        self._cache = Cache(limits.cache_profiles, limits.cache_bytes)
        self.clock = Clock(topics, disorder_ms=limits.disorder_ms, grace_ms=limits.grace_ms)
        self.outbox = self._new_outbox()
        self._items: list[Item] = []
        self._held: Counter[str] = Counter()
        """How many of these are of each topic."""
        self._engine = engine
        self._careful = Careful(engine)
        self._claimed = Claimed(number, table, stats=stats, faults=faults, sleep=sleep)
        self._rules = RulesInForce(number, table)
        self._offsets: dict[str, int] = {}
        self._origins: dict[str, int] = {}
        self._notes = Notes()
        self._goods: dict[str, Good] = {}
        self._names: dict[str, Named] = {}
        self._facts: dict[str, Told] = {}
        self._busy: Wake | None = None
        self._unfinished = False
        self._no_timers_before_ms = 0
        self._asked_to_ms = 0
        self._stored_clock = (0, 0)
        self._idle_since_ms = 0
        self._foreign: deque[tuple[int, int]] = deque(maxlen=64)
        self._faults_seen = FaultCount(number)
        self._wake = asyncio.Event()
        self._dropped = False

    # --- pushed in by delivery: note and return -------------------------------------------------------------------

    def take(self, chunk: Chunk, number: int, position: int) -> None:
        """Keep chunk `number` of its session; the next fetch starts at `position`."""
        self.inboxes[chunk.topic].append(chunk, number, position)
        self._wake.set()

    def reached(self, topic: str, reach: Reach) -> None:
        """How far a topic is, and where its log ended at some wall time."""
        inbox = self.inboxes[topic]
        if reach.session != inbox.session:
            return
        inbox.reached(reach.session, reach.number, reach.position, reach.end)
        self.heard_ms = reach.asked_ms
        self.clock.asked(topic, reach.asked_ms, reach.end)
        self._note_passed(topic)
        if self._merge.blocked:
            self._wake.set()

    def lost(self, topic: str) -> None:
        """The log no longer holds what was to be read next: the claim ends, and the next one names the gap."""
        self.inboxes[topic].gap = True
        self._wake.set()

    def use(self, engine: Steps) -> None:
        """Go by other rules from the next batch on."""
        self._engine = engine
        self._wake.set()

    def stop(self) -> None:
        """Finish the batch at hand, publish it, then return from `run`."""
        self._claimed.stopping = True
        self._wake.set()

    def drop(self) -> None:
        """The partition was revoked: forget what waits in memory, at once. A batch under way may still be committed, but of what
        was forgotten nothing may count as worked on: the next owner's clock would run ahead of it.
        """
        self._dropped = True
        for inbox in self.inboxes.values():
            inbox.drop()
        self._items = []
        self._held.clear()
        self._merge.restart()
        self.stop()

    # --- what others look at --------------------------------------------------------------------------------------

    def lag(self) -> dict[str, int]:
        """Records known to be in the log and not committed, by topic. Trailing markers of transactions are no records.

        A topic that is not open is left out: nobody asks where its log ends.
        """
        return {
            topic: max(0, inbox.end - max(self._offsets.get(topic, 0), inbox.position if self._all_done(topic) else 0))
            for topic, inbox in self.inboxes.items()
            if inbox.session is not None
        }

    @property
    def state(self) -> str:
        """How the claim is doing, in words."""
        return self._claimed.state

    @property
    def commits(self) -> int:
        """How many commits the partition has."""
        return self._claimed.commits

    @property
    def offsets(self) -> dict[str, int]:
        """The next offset of each topic as the table has it."""
        return self._offsets

    def advance_to(self, clock_ms: int) -> None:
        """Move a simulated clock on; timers due before it fire with the next turns."""
        self._asked_to_ms = max(self._asked_to_ms, clock_ms)
        self._wake.set()

    # --- claiming -------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Claim, check and seek. Raises LostState, TableError or LogError; then nothing was read."""
        self._claimed.state = "claiming"
        topic_ids = {topic: found for topic, found in (await self._log.topic_ids()).items() if topic in self.inboxes}
        known = await self._table.meta(self.number)
        if known is None:
            refuse_forgotten(self.number, await self._log.group_offsets(self.number))
        else:
            # Before it is claimed: it may be that of another installation, whose workers are to keep it.
            refuse_others(self.number, known.topic_ids, topic_ids)
        claim = await self._table.claim(self.number)
        self._faults.at("in_claim")
        meta = claim.meta
        self._claimed.begin(meta)
        self._origins, self._offsets = dict(meta.origins), dict(meta.offsets)
        self._rules.begin(meta.rules)
        self._goods, self._names, self._facts = split_stored(await self._table.goods(self.number))
        self._busy = decode_wake(meta.wake) if meta.wake else None
        self.clock.start(meta.clock_ms, meta.t0_ms)
        self._stored_clock = (meta.clock_ms, meta.t0_ms)
        self._notes = Notes(await self._table.notes(self.number))
        self.outbox = self._new_outbox(claim)
        for profile_id in self.outbox.customers:
            if self._notes.is_erased(profile_id):
                self.outbox.withdraw(profile_id)
        await self._seek(claim, topic_ids)
        self._claimed.state = "running"
        self._stats.claimed(self.number)

    async def _seek(self, claim: Claim, topic_ids: dict[str, str]) -> None:
        meta = claim.meta
        marks = {topic: mark_of(topic_id) for topic, topic_id in topic_ids.items()}
        self._terms = structs.replace(self._terms, marks=marks)
        asked_ms = 0 if self._wall_ms is None else self._wall_ms()
        bounds = await self._log.bounds(self.number)
        self.heard_ms = asked_ms
        start = starting_offsets(self.number, self.inboxes, meta, bounds)
        self._faults.at("in_seek")
        sessions = await self._log.open(self.number, start)
        if sessions.keys() != start.keys():
            raise LogError(f"partition {self.number} was given to another worker meanwhile")
        for topic, session in sessions.items():
            self.inboxes[topic].open(session, start[topic], bounds[topic].end)
            self.clock.asked(topic, asked_ms, bounds[topic].end)
        new = {topic: offset for topic, offset in start.items() if topic not in meta.offsets}
        ids = {topic: found for topic, found in topic_ids.items() if topic not in meta.topic_ids}
        rules = self._rules.of_fresh(self._engine.stamp) if claim.fresh else {}
        if new or ids:
            # Where reading began is stored before anything is read: records that then vanish unread are a gap.
            token, commits = self._claimed.held
            await self._send(Commit(token=token, expected=commits, offsets=new, topic_ids=ids, rules=rules))
            self._offsets.update(new)
            self._rules.noted(rules)
        for topic in self.inboxes:
            self._note_passed(topic)

    # --- working --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until stopped. Raises TableError, LogError, EngineErrors; then the claim has to be made anew."""
        publishing = asyncio.create_task(self.outbox.run(), name=f"outbox-{self.number}")
        publishing.add_done_callback(lambda _: self._wake.set())
        try:
            while not self._claimed.stopping:
                self._wake.clear()
                worked = await self.turn()
                if publishing.done():
                    publishing.result()
                if worked:
                    await asyncio.sleep(0)
                else:
                    await self._idle()
            await self._finish(publishing)
        finally:
            publishing.cancel()
            for inbox in self.inboxes.values():
                inbox.drop()
            self._claimed.state = "stopped"
            await asyncio.gather(publishing, return_exceptions=True)
            await self.outbox.settle(FLUSH_S)

    async def turn(self) -> bool:
        """One batch; gives whether there was anything to do."""
        if any(inbox.gap for inbox in self.inboxes.values()):
            raise LogError(f"partition {self.number}: the log skipped records on their way here")
        await self._follow_rules()
        if self.outbox.full:
            # Not only records bring rows: so do timers, of which a million may be due, and whatever is looked at anew.
            return await self._commit_idle()
        began = time.perf_counter()
        items = self._items
        if len(items) < self._limits.batch_records:
            async with self._turnstile:
                taken = self._merge.take(self._limits.batch_records - len(items))
            if taken:
                items += taken
                self._held.update(map(attrgetter("topic"), taken))
                self._faults.at("after_fetch")
                self._faults.at("after_decode")
        clock_ms = self._base_ms()
        task = await self._rules.after.next()
        if self._busy is not None:
            # Records wait until all have heard of the last change: what they then find does not depend on who was first.
            items = []
        elif not items and not self._unfinished and clock_ms <= self.clock.now_ms and task is None:
            return await self._commit_idle() or self._rules.after.pending
        take_s = time.perf_counter() - began
        withdrawn: dict[str, int] = {}
        try:
            batch, changes, load_s, work_s = await self._done(items, clock_ms, task, self._terms, withdrawn)
        except (Faulty, *PROBLEMS):
            # Something was raised, or can't be stored: once more, without the triggers that are to blame.
            terms = structs.replace(self._terms, engine=cast("Steps", self._careful))
            batch, changes, load_s, work_s = await self._done(items, clock_ms, task, terms, withdrawn)
        if changes is None:
            self.clock.advance(batch.clock_ms)
            self._keep(batch)
            self._unfinished = False
            return await self._commit_idle() or self._rules.after.pending
        self._faults.at("after_compute")
        if batch.rejected:
            await publish_rejects(self._publisher, batch.rejected)
        began = time.perf_counter()
        rules = self._rules.at_the_end_of(task, self._terms.engine.stamp)
        if "segments" in rules:
            changes.add(row_of_rules(self._rules.ready(mark=self._claimed.mark, at_ms=self._now_ms())))
        await self._commit(batch, changes, rules)
        commit_s = time.perf_counter() - began
        self._settle(batch, changes)
        for shop, request in batch.onwards.leaving:
            _log.error(
                "shop %s is to be erased (request %s): stop all that runs of it, then `regulars privacy erase-shop`",
                shop,
                request,
                extra={"facts": {"partition": self.number}},
            )
        self._rules.noted(rules)
        if task is not None:
            self._rules.after.done(task)
            # Some timers may be due by now, which the index is to be asked for.
            self._unfinished = self._unfinished or bool(batch.replanned) or task.part != "timers"
        self._tell(batch, changes, (take_s, load_s, work_s, commit_s))
        return True

    async def _follow_rules(self) -> None:
        """Where the rules are others than those the partition was worked on by: from here on they are these. The change is
        announced in the same commit that notes it, and then all timers are planned anew, a few with each batch.
        """
        stamp, before = self._engine.stamp, self._terms.engine.stamp
        if self._terms.engine is not self._engine:
            self._terms = structs.replace(self._terms, engine=self._engine)
            self._careful = Careful(self._engine)
        notes = self._rules.new_notes(stamp)
        if notes:
            change = self._rules.change(stamp, mark=self._claimed.mark, at_ms=self._now_ms())
            rows: list[tuple[Outgoing, int | None]] = [] if change is None else [(row_of_rules(change), None)]
            token, commits = self._claimed.held
            texts = [encode_row(row) for row, _ in rows]
            await self._send(Commit(token=token, expected=commits, rules=notes, outbox=texts))
            self.outbox.add(rows)
        self._rules.follow(stamp, before, notes)

    def _now_ms(self) -> int:
        """The wall clock, or the simulated one."""
        return self.clock.now_ms if self._wall_ms is None else self._wall_ms()

    async def _done(
        self, items: list[Item], clock_ms: int, task: Task | None, terms: Terms, withdrawn: dict[str, int]
    ) -> tuple[Batch, Changes | None, float, float]:
        """As `_worked`, with what it changed; None where nothing happened. `withdrawn` notes how many rows of forgotten customers
        were taken out of the outbox, which happens once.
        """
        batch, load_s, work_s = await self._worked(items, clock_ms, task, terms)
        if not items and not batch.fired and not batch.cut and task is None and self._busy is None:
            return batch, None, load_s, work_s
        for profile_id in batch.outputs.forgotten:
            withdrawn[profile_id] = withdrawn.get(profile_id, 0) + self.outbox.withdraw(profile_id)
        return batch, batch.changes(withdrawn), load_s, work_s

    async def _worked(
        self, items: list[Item], clock_ms: int, task: Task | None, terms: Terms
    ) -> tuple[Batch, float, float]:
        """A batch that ran to its end, with the seconds of loading and of work. Records on which even the careful engine fails
        are set aside, timers left alone, and the batch begins again on profiles as they were. Raises Faulty for any other engine.
        """
        stuck: set[str] = set()
        load_s = work_s = 0.0
        while True:
            wall_ms = None if self._wall_ms is None else self._wall_ms()
            self._careful.failures.clear()
            batch = Batch(
                terms,
                items,
                clock_ms=clock_ms,
                wall_ms=wall_ms,
                origins=self._origins,
                stuck=frozenset(stuck),
                notes=self._notes,
                replans=() if task is None or task.part != "timers" else task.profile_ids,
                looks=() if task is None or task.part == "timers" else task.profile_ids,
                goods=self._goods,
                names=self._names,
                facts=self._facts,
                wake=self._busy,
            )
            began = time.perf_counter()
            try:
                await self._prepare(batch)
                load_s += time.perf_counter() - began
                work_s += await self._run(batch)
            except Faulty as fault:
                if terms is self._terms:
                    raise
                item = None if fault.place is None else items[fault.place]
                self._faults_seen.note(fault, item, self._mono_ms())
                if item is None:
                    stuck.add(fault.profile_id)
                else:
                    item.what = Problem("engine_error", fault.what)
            else:
                return batch, load_s, work_s

    async def _run(self, batch: Batch) -> float:
        """Run a batch to its end, slice by slice; gives the seconds of work."""
        work_s, needs = 0.0, 0
        while not batch.done:
            async with self._turnstile:
                began = time.perf_counter()
                need = batch.run(SLICE_RECORDS)
                work_s += time.perf_counter() - began
            self.worked = batch.worked
            if need:
                needs += 1
                if needs > NEEDS_MAX:
                    raise LogError(f"partition {self.number}: a step never has enough")
                await self._load(batch, need)
        return work_s

    async def _prepare(self, batch: Batch) -> None:
        """Load what the records touch, and the timers that may come due, in one round trip; then the timers' profiles."""
        need = batch.plan(self._cache)
        ask_timers = batch.clock_ms > self._no_timers_before_ms or self._unfinished
        news = batch.goods.news is not None
        if need or ask_timers or news:
            loaded = await self._table.load(
                self.number,
                need.profiles,
                need.entries,
                due_before_ms=batch.clock_ms if ask_timers else None,
                due_limit=self._limits.due_timers,
                watchers_of=batch.goods.asks,
                watchers_limit=WAKES_MAX + 1 if news else 0,
                held=self._claimed.held,
            )
            batch.add(loaded)
            all_known = len(loaded.due) < self._limits.due_timers
            more = batch.start_timers(loaded.due, all_known=all_known, cache=self._cache)
            if news:
                called = batch.start_news(loaded.watchers, loaded.due, self._cache)
                more = Need(list(dict.fromkeys(more.profiles + called.profiles)))
            if more:
                await self._load(batch, more)
        while more := batch.tie(self._cache):
            await self._load(batch, more)

    async def _load(self, batch: Batch, need: Need) -> None:
        held = self._claimed.held
        batch.add(await self._table.load(self.number, need.profiles, need.entries, whole=need.whole, held=held))

    def _base_ms(self) -> int:
        """Where the clock stands without any record: the last clock, what the wall allows, what it was moved to."""
        clock_ms = max(self.clock.now_ms, self._asked_to_ms)
        if self._wall_ms is not None:
            others_ms = None
            if self._others_t0_ms is not None and self._many_from_elsewhere():
                others_ms = self._others_t0_ms()
            clock_ms = max(clock_ms, self.clock.wall_reach_ms(others_ms))
        return clock_ms

    # --- committing -----------------------------------------------------------------------------------------------

    async def _commit(self, batch: Batch, changes: Changes, rules: dict[str, str]) -> None:
        trim, tails = self.outbox.trim()
        clock_ms = batch.clock_ms
        commit = Commit(
            token=self._claimed.token,
            expected=self._claimed.commits,
            profiles=changes.profiles,
            known=len(changes.profiles) - changes.created,
            entries=changes.entries,
            deleted=changes.deleted,
            due=changes.due,
            outbox=changes.outbox,
            trim=trim,
            offsets=changes.offsets,
            clock_ms=max(0, clock_ms),
            t0_ms=self.clock.t0_ms,
            tails=tails,
            origins=batch.onwards.origins,
            rules=rules,
            population=changes.population,
            notes=changes.notes,
            goods={
                key: None if known is None else encode_good(known)
                for key, known in (
                    *changes.goods.items(),
                    *changes.names.items(),
                    *with_signs(changes.facts).items(),
                )
            },
            watchers=changes.watchers,
            queue=batch.goods.queue,
            unqueue=batch.goods.unqueue,
            wake=None if batch.goods.wake == self._busy else encode_wake(batch.goods.wake),
        )
        await self._send(commit)
        self.outbox.trimmed(trim, tails)

    async def _commit_idle(self) -> bool:
        """With nothing to work on, or no room for what comes of it: trim what was published, and now and then note how far clock
        and topics are.
        """
        now_ms = self._mono_ms()
        trim, tails = self.outbox.trim()
        offsets = {
            topic: inbox.position
            for topic, inbox in self.inboxes.items()
            if inbox.session is not None and inbox.position > self._offsets.get(topic, 0) and self._all_done(topic)
        }
        clock = (self.clock.now_ms, self.clock.t0_ms)
        overdue = now_ms - self._idle_since_ms >= self._limits.idle_commit_ms
        if not (tails or trim or (overdue and (offsets or clock != self._stored_clock))):
            return False
        self._idle_since_ms = now_ms
        commit = Commit(
            token=self._claimed.token,
            expected=self._claimed.commits,
            trim=trim,
            tails=tails,
            offsets=offsets,
            clock_ms=max(0, clock[0]),
            t0_ms=clock[1],
        )
        await self._send(commit)
        self.outbox.trimmed(trim, tails)
        self._stored_clock = clock
        self._note_stored(offsets)
        return False

    async def _send(self, commit: Commit) -> None:
        await self._claimed.send(commit)
        self.worked = 0

    def _settle(self, batch: Batch, changes: Changes) -> None:
        """The commit is in: keep what it says."""
        self._keep(batch)
        self.clock.advance(batch.clock_ms)
        self._stored_clock = (self.clock.now_ms, self.clock.t0_ms)
        self._idle_since_ms = self._mono_ms()
        self._unfinished = batch.cut
        if batch.timers_left:
            # Also where the clock stood still: a late record, or a change that was told late, brought a timer behind it.
            self._no_timers_before_ms = 0
        elif batch.at == len(batch.items):
            self._no_timers_before_ms = batch.clock_ms
        self._origins.update(batch.onwards.origins)
        self._notes.keep(changes.notes)
        self._busy = batch.goods.wake
        _follow(self._goods, changes.goods)
        _follow(self._names, changes.names)
        _follow(self._facts, changes.facts)
        self.outbox.add(changes.rows)
        self._foreign.append((batch.at, batch.onwards.sent + len(batch.onwards.origins)))
        del self._items[: batch.at]
        self._held.subtract(changes.records)
        self._note_stored(changes.offsets)

    def _keep(self, batch: Batch) -> None:
        for subject in batch.live.values():
            if subject.profile.id in batch.passing:
                continue
            if subject.size or not is_gone(subject.profile):
                self._cache.keep(subject)

    def _note_stored(self, offsets: dict[str, int]) -> None:
        self._offsets.update(offsets)
        for topic in offsets:
            self._note_passed(topic)
        if offsets:
            self._faults.at("before_kafka_commit")
            self._log.stored(self.number, offsets)
            self._faults.at("after_kafka_commit")

    def _note_passed(self, topic: str) -> None:
        """All before this offset was worked on. Markers at the end count too, once nothing of the topic is left."""
        if self._dropped:
            return
        offset = self._offsets.get(topic, 0)
        if self._all_done(topic):
            offset = max(offset, self.inboxes[topic].position)
        self.clock.passed(topic, offset)

    def _all_done(self, topic: str) -> bool:
        return self._merge.nothing_left(topic) and self._held[topic] <= 0

    async def _finish(self, publishing: asyncio.Task[None]) -> None:
        """Stopping: publish what is committed and trim it, if that does not take long. Else the next owner does it."""
        self.outbox.finish()
        await asyncio.wait([publishing], timeout=FLUSH_S)
        if not publishing.done():
            _log.info("rows of the outbox are left to the next owner", extra={"facts": {"partition": self.number}})
            return
        publishing.result()
        await self._commit_idle()

    # --- the rest -------------------------------------------------------------------------------------------------

    async def _idle(self) -> None:
        try:
            async with asyncio.timeout(self._limits.idle_ms / 1000):
                await self._wake.wait()
        except TimeoutError:
            return

    def _many_from_elsewhere(self) -> bool:
        records = sum(count for count, _ in self._foreign)
        return 100 * sum(foreign for _, foreign in self._foreign) > records

    def _new_outbox(self, claim: Claim | None = None) -> Outbox:
        return Outbox(
            self.number,
            self._publisher,
            claim.outbox if claim is not None else (),
            claim.meta.tails if claim is not None else {},
            mono_ms=self._mono_ms,
            wall_ms=self._wall_ms,
            stats=self._stats,
            faults=self._faults,
            sleep=self._sleep,
        )

    def _tell(self, batch: Batch, changes: Changes, seconds: tuple[float, float, float, float]) -> None:
        failures = self._careful.failures.values()
        tell_left_out(self.number, failures)
        failed = Counter[str]()
        for one in failures:
            failed[one.trigger] += one.times
        self._stats.batch(
            BatchStats(
                partition=self.number,
                records=changes.records,
                rejected=dict(Counter(one.reason for one in batch.rejected)),
                triggers=changes.triggers,
                failed=dict(failed),
                decisions=dict(Counter(map(_KIND, [one for one in batch.outputs.out if type(one) is Decision]))),
                forwarded=batch.onwards.sent,
                repeated_forwards=batch.onwards.repeated,
                timers_fired=batch.fired,
                visitors_forgotten=batch.visitors_forgotten,
                cache_hits=batch.hits,
                cache_misses=batch.misses,
                cached=len(self._cache),
                profiles_written=len(changes.profiles),
                profiles_created=changes.created,
                take_s=seconds[0],
                load_s=seconds[1],
                work_s=seconds[2],
                commit_s=seconds[3],
                clock_ms=batch.clock_ms,
                t0_ms=self.clock.t0_ms,
            )
        )


def _follow(known: dict[str, V], changes: Mapping[str, V | None]) -> None:
    """Bring a table in memory to where the commit left the stored one."""
    for key, value in changes.items():
        if value is None:
            known.pop(key, None)
        else:
            known[key] = value
