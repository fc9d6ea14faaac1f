"""One batch: merged records applied to loaded profiles, timers fired in between, and all it changed as one commit.

Synchronous and without I/O. The exactness rule: before each record, every timer of the partition that is due strictly
before the clock (with this record merged) is fired, in the order (due time, profile id). So what comes out does not
depend on where the log was cut into batches, and a batch may stop anywhere: between two timers too.

When a step needs more than was loaded it has changed nothing: `run` says what to load, and is called again. An exception
of the engine leaves half-changed profiles behind: then nothing of the batch may be kept. Start at `Batch.run`.
"""

from collections import Counter
from heapq import heapify, heappop, heappush
from operator import itemgetter
from typing import Final, Protocol

from msgspec import Struct

from profiles import population
from profiles.engine import ORDER_EVENTS, UNHANDLED
from profiles.state import Ledger, Moment, NeedLedger, NeedProfile, Profile, decode_entry, decode_profile, encode
from profiles.turn import Output
from schemas.decode import Problem
from schemas.events import ANONYMOUS, Arrival
from schemas.outputs import Decision, Outgoing, Rejected, Trigger
from streams.cache import Cache, Live
from streams.forwards import FORWARDS, HOPS_MAX, Origin, origin_of, row_of_forward
from streams.home import home_partition
from streams.merge import Foreign, Item
from streams.record import Record
from streams.rows import ROW_BYTES_MAX, encode_row, reject, reject_row, row_of
from streams.table import Loaded

RECORDS_MAX: Final = 1000
PROFILES_MAX: Final = 1000
BYTES_MAX: Final = 4 * 1024 * 1024
DUE_MAX: Final = 1000
"""Timers asked for at once. When there are more, the batch ends where the known ones end."""
STUCK_MS: Final = 3_600_000
"""A timer that made the engine fail is looked at again this much later, or when its profile changes."""


class Steps(Protocol):
    """The engine: `profiles.engine.Engine`."""

    def step(self, profile: Profile, arrival: Arrival, at: Moment, orders: Ledger, out: list[Output]) -> None: ...

    def fire(self, profile: Profile, at: Moment, orders: Ledger, out: list[Output]) -> None: ...


class Need(Struct, frozen=True):
    """What to load before going on: profiles, single ledger entries (profile id, order id), whole ledgers."""

    profiles: list[str] = []
    entries: list[tuple[str, str]] = []
    whole: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.profiles or self.entries or self.whole)


class Faulty(Exception):
    """The engine raised. `place` is the record's place in the batch, None when a timer of `profile_id` was fired.

    The batch is thrown away and runs again with the record set aside, or the timer left alone.
    """

    def __init__(self, place: int | None, profile_id: str, error: Exception) -> None:
        super().__init__(f"{type(error).__name__} in {'a timer' if place is None else 'an event'}")
        self.place, self.profile_id, self.error = place, profile_id, error


class Terms(Struct, frozen=True, kw_only=True):
    """What all batches of a partition have in common. Bounds are of one batch."""

    engine: Steps
    partition: int
    partitions: int
    shop_id: str
    disorder_ms: int
    profiles_max: int = PROFILES_MAX
    bytes_max: int = BYTES_MAX
    due_max: int = DUE_MAX


class Batch:
    """Records in merge order, the profiles they touch, and what comes of them.

    `clock_ms` is the clock at its beginning: the last one, or what the wall allows. `wall_ms` is None in replay. `origins`
    are the highest offsets taken from each foreign source. Timers of the profiles in `stuck` are left alone. After `run`,
    `at` is the number of records done; it stops early where it has grown enough, or knows of no further timers. `cut` says
    that timers that should have fired by `clock_ms` are left for the next batch.
    """

    def __init__(
        self,
        terms: Terms,
        items: list[Item],
        *,
        clock_ms: int,
        wall_ms: int | None,
        origins: dict[str, int],
        stuck: frozenset[str] = frozenset(),
    ) -> None:
        self.terms, self.items, self.wall_ms, self.stuck = terms, items, wall_ms, stuck
        self.at = 0
        self.cut = False
        self.clock_ms = clock_ms
        self.live: dict[str, Live] = {}
        self.rejected: list[Rejected] = []
        self.origins: dict[str, int] = {}
        self.fired = self.forwarded = self.repeated = self.hits = self.misses = 0
        self._known_origins = origins
        self._end = len(items)
        self._out: list[Output] = []
        self._caused_ms: list[int] = []
        self._forwards: list[Outgoing] = []
        self._touched: dict[str, Live] = {}
        self._outdated: dict[str, int | None] = {}
        self._size = 0
        self._heap: list[tuple[int, str]] = []
        self._last_known: tuple[int, str] | None = None
        self._horizon_ms = clock_ms

    # --- loading --------------------------------------------------------------------------------------------------

    def plan(self, cache: Cache) -> Need:
        """Take the profiles concerned out of the cache, mark foreign records, and say what is to be loaded.

        The batch ends before the record whose profile would be one too many.
        """
        terms, items, live = self.terms, self.items, self.live
        several, profiles_max = terms.partitions > 1, terms.profiles_max
        entries: dict[tuple[str, str], None] = {}
        missing: dict[str, None] = {}
        for place, item in enumerate(items):
            what = item[3]
            if type(what) is not Arrival:
                continue
            if type(what.event) in UNHANDLED:
                name = what.event.__struct_config__.tag
                items[place] = item._replace(what=Problem("not_handled", f"{name} has no effect in this version"))
                continue
            customer = what.customer
            found = live.get(customer)
            if found is None and customer not in missing:
                # A profile that is in memory is at home here: only new faces are asked where they live.
                found = cache.get(customer)
                if found is None and several and customer != ANONYMOUS and self._send_home(place, item, what):
                    continue
                if len(live) + len(missing) >= profiles_max:
                    self._end = place
                    break
                if found is None:
                    missing[customer] = None
                else:
                    live[customer] = cache.take(customer)
            # Orders that name nobody live where their order id says.
            if several and customer == ANONYMOUS and self._send_home(place, item, what):
                continue
            if type(what.event) in ORDER_EVENTS:
                order_id: str = what.event.order_id  # type: ignore[attr-defined] # each of ORDER_EVENTS has one
                if found is None or not (found.ledger.complete or order_id in found.ledger.entries):
                    entries[customer, order_id] = None
        self.hits, self.misses = len(live), len(missing)
        newest_ms = max(map(itemgetter(0), items[: self._end]), default=0)
        self._horizon_ms = max(self.clock_ms, newest_ms - terms.disorder_ms)
        return Need(list(missing), list(entries))

    def _send_home(self, place: int, item: Item, arrival: Arrival) -> bool:
        home = home_partition(arrival.home, self.terms.partitions)
        if home == self.terms.partition:
            return False
        self.items[place] = item._replace(what=Foreign(home, arrival.customer))
        return True

    @property
    def horizon_ms(self) -> int:
        """Where the clock will stand after the last record, known after `plan`. Timers before it may fire."""
        return self._horizon_ms

    def start_timers(self, due: list[tuple[str, int]], *, all_known: bool, cache: Cache) -> Need:
        """The timers before `horizon_ms`, and whether these are all; gives what is to be loaded for them."""
        self._heap = [(due_ms, profile_id) for profile_id, due_ms in due]
        heapify(self._heap)
        self._last_known = None if all_known else max(self._heap)
        missing = []
        for profile_id, _ in due:
            if profile_id not in self.live:
                found = cache.get(profile_id)
                if found is None:
                    missing.append(profile_id)
                else:
                    self.live[profile_id] = cache.take(profile_id)
        return Need(missing)

    def add(self, loaded: Loaded) -> None:
        """Take in what was read from the table. Raises UnsupportedVersion, msgspec.DecodeError for damage."""
        live = self.live
        for profile_id, stored in loaded.profiles.items():
            if stored is None:
                # Nobody's orders are never held whole: they may be millions.
                live[profile_id] = Live(Profile(profile_id), Ledger(complete=profile_id != ANONYMOUS), None, 0)
            else:
                profile = decode_profile(stored)
                live[profile_id] = Live(profile, Ledger(), profile.next_due_ms(), len(stored))
        for (profile_id, order_id), stored in loaded.entries.items():
            entries = live[profile_id].ledger.entries
            if order_id not in entries:
                entries[order_id] = None if stored is None else decode_entry(stored)
        for profile_id, whole in loaded.whole.items():
            ledger = live[profile_id].ledger
            for order_id, stored in whole.items():
                if ledger.entries.get(order_id) is None:
                    ledger.entries[order_id] = decode_entry(stored)
            ledger.complete = True

    # --- running --------------------------------------------------------------------------------------------------

    def run(self) -> Need | None:
        """Apply the records. None when done or full; else what to load before calling it again.

        Raises Faulty when the engine raises: then nothing of this batch may be kept.
        """
        terms, items, live, touched, heap = self.terms, self.items, self.live, self._touched, self._heap
        step, out, wall_ms = terms.engine.step, self._out, self.wall_ms
        disorder_ms, bytes_max, profiles_max = terms.disorder_ms, terms.bytes_max, terms.profiles_max
        clock_ms, horizon_ms, size, outputs = self.clock_ms, self._horizon_ms, self._size, len(out)
        moment = Moment(clock_ms, wall_ms)
        if not items:
            # No record: the wall moved the clock.
            need = self._fire(moment)
            self.cut = need is None and self.timers_left
            return need
        for place in range(self.at, self._end):
            merge_ms, topic, _, what, record = items[place]
            if merge_ms - disorder_ms > clock_ms:
                self.clock_ms = clock_ms = merge_ms - disorder_ms
                moment = Moment(clock_ms, wall_ms)
            if (heap and heap[0][0] < clock_ms) or self._last_known is not None:
                self._size = size
                need = self._fire(moment)
                if need is not None or self.timers_left:
                    self.cut = need is None
                    return need
                size, outputs = self._size, len(out)
            if size >= bytes_max:
                return None
            origin = origin_of(record.headers) if topic == FORWARDS else None
            if origin is not None and self._is_repeated(origin):
                self.repeated += 1
                origin = None
            elif type(what) is Arrival:
                customer = what.customer
                subject = live[customer]
                if customer not in touched:
                    if len(touched) >= profiles_max:
                        return None
                    touched[customer] = subject
                    size += subject.size
                try:
                    step(subject.profile, what, moment, subject.ledger, out)
                except NeedLedger as need_ledger:
                    self._size = size
                    return _ledger_need(customer, need_ledger)
                except NeedProfile as need_profile:
                    self._size = size
                    return Need([need_profile.profile_id])
                except Exception as error:
                    raise Faulty(place, customer, error) from error
                if (value := record[3]) is not None:
                    size += len(value)
                profile = subject.profile
                if profile.episodes or profile.compact_ms is not None:
                    due_ms = profile.next_due_ms()
                    if due_ms is not None and due_ms < horizon_ms:
                        heappush(heap, (due_ms, customer))
                if len(out) != outputs:
                    self._caused_ms += [record.timestamp_ms] * (len(out) - outputs)
                    outputs = len(out)
            elif type(what) is Foreign:
                size += self._forward(topic, record, what, origin)
            else:
                assert isinstance(what, Problem)
                self.rejected.append(reject(record, topic, terms.partition, what.reason, what.detail))
            if origin is not None:
                self.origins[origin.source] = origin.offset
            self.at = place + 1
        self._size = size
        return None

    @property
    def timers_left(self) -> bool:
        """Whether there are timers before the clock, or may be in the table. The last record may have brought some: they wait
        for the next record or for the clock to move, as they would have in the middle of a batch.
        """
        if self._heap and self._heap[0][0] < self.clock_ms:
            return True
        return self._last_known is not None and self._last_known[0] < self.clock_ms

    def _fire(self, moment: Moment) -> Need | None:
        """Fire timers before the clock, as many as are known and fit in."""
        heap, clock_ms, terms, touched = self._heap, moment.clock_ms, self.terms, self._touched
        while heap and heap[0][0] < clock_ms:
            if self._last_known is not None and heap[0] > self._last_known:
                return None
            due_ms, profile_id = timer = heappop(heap)
            subject = self.live[profile_id]
            next_ms = subject.profile.next_due_ms()
            if profile_id in self.stuck:
                self._outdated[profile_id] = clock_ms + STUCK_MS
                continue
            if next_ms != due_ms:
                # Either it was moved in this batch and waits at its new place, or the index had it wrong.
                if profile_id not in touched and profile_id not in self._outdated:
                    self._outdated[profile_id] = next_ms
                    if next_ms is not None and next_ms < self._horizon_ms:
                        heappush(heap, (next_ms, profile_id))
                continue
            if profile_id not in touched:
                if len(touched) >= terms.profiles_max or self._size >= terms.bytes_max:
                    heappush(heap, timer)
                    return None
                touched[profile_id] = subject
                self._size += subject.size
            try:
                terms.engine.fire(subject.profile, moment, subject.ledger, self._out)
            except NeedLedger as need:
                heappush(heap, timer)
                return _ledger_need(profile_id, need)
            except NeedProfile as need_profile:
                heappush(heap, timer)
                return Need([need_profile.profile_id])
            except Exception as error:
                raise Faulty(None, profile_id, error) from error
            self.fired += 1
            self._caused_ms += [due_ms] * (len(self._out) - len(self._caused_ms))
            next_ms = subject.profile.next_due_ms()
            if next_ms is not None and next_ms < self._horizon_ms:
                if next_ms < clock_ms:
                    raise Faulty(None, profile_id, RuntimeError("a timer that fired is still due"))
                heappush(heap, (next_ms, profile_id))
        return None

    def _is_repeated(self, origin: Origin) -> bool:
        known = self.origins.get(origin.source)
        if known is None:
            known = self._known_origins.get(origin.source, -1)
        return origin.offset <= known

    def _forward(self, topic: str, record: Record, foreign: Foreign, origin: Origin | None) -> int:
        hops = 1 if origin is None else origin.hops + 1
        partition = self.terms.partition
        if hops > HOPS_MAX:
            detail = f"sent on {HOPS_MAX} times and still not at home"
            self.rejected.append(reject(record, topic, partition, "too_many_hops", detail))
            return 0
        row = row_of_forward(topic, partition, record, customer=foreign.customer, home=foreign.home, hops=hops)
        self._forwards.append(row)
        self.forwarded += 1
        return len(record.value or b"")

    # --- what it changed ------------------------------------------------------------------------------------------

    def changes(self) -> "Changes":
        """Everything as the commit takes it; each profile is encoded once. To be called once, when `run` is done."""
        changes = Changes()
        changes.due.update(self._outdated)
        sums = changes.population
        for profile_id, subject in self._touched.items():
            profile, ledger = subject.profile, subject.ledger
            for name, amount in population.delta(profile).items():
                sums[name] = sums.get(name, 0) + amount
            stored = encode(profile)
            changes.profiles[profile_id] = stored
            changes.created += not subject.size
            subject.size = len(stored)
            due_ms = profile.next_due_ms()
            if due_ms != subject.due_ms:
                changes.due[profile_id] = subject.due_ms = due_ms
            if ledger.changed:
                for order_id in ledger.changed:
                    changes.entries[profile_id, order_id] = encode(ledger.entries[order_id])
                ledger.changed.clear()
        changes.population = {name: amount for name, amount in sums.items() if amount}
        done = self.items[: self.at]
        changes.offsets = dict(map(itemgetter(1, 2), done))
        changes.records = dict(Counter(map(itemgetter(1), done)))
        self._add_rows(changes)
        return changes

    def _add_rows(self, changes: "Changes") -> None:
        partition, shop_id = self.terms.partition, self.terms.shop_id
        for output, caused_ms in zip(self._out, self._caused_ms, strict=True):
            row = row_of(output, partition, shop_id)
            stored = encode_row(row)
            if len(stored) > ROW_BYTES_MAX:
                detail = f"{len(stored)} bytes, {ROW_BYTES_MAX} are allowed"
                self.rejected.append(reject_row(row, "output_too_large", detail))
                continue
            changes.rows.append((row, caused_ms if type(output) is Trigger else None))
            changes.outbox.append(stored)
            if type(output) is not Decision:
                changes.triggers[output.name] = changes.triggers.get(output.name, 0) + 1
        for row in self._forwards:
            changes.rows.append((row, None))
            changes.outbox.append(encode_row(row))


class Changes:
    """What a batch changed, in bytes; its rows for publishing, with the time of the cause for triggers."""

    __slots__ = (
        "created",
        "due",
        "entries",
        "offsets",
        "outbox",
        "population",
        "profiles",
        "records",
        "rows",
        "triggers",
    )

    def __init__(self) -> None:
        self.created = 0
        self.profiles: dict[str, bytes] = {}
        self.entries: dict[tuple[str, str], bytes] = {}
        self.due: dict[str, int | None] = {}
        self.population: dict[str, int] = {}
        self.offsets: dict[str, int] = {}
        self.records: dict[str, int] = {}
        self.outbox: list[bytes] = []
        self.rows: list[tuple[Outgoing, int | None]] = []
        self.triggers: dict[str, int] = {}


def _ledger_need(profile_id: str, need: NeedLedger) -> Need:
    if need.order_id is None:
        return Need(whole=[profile_id])
    return Need(entries=[(profile_id, need.order_id)])
