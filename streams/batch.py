"""One batch: merged records applied to loaded profiles, timers fired in between, and all it changed as one commit.

Synchronous and without I/O. The exactness rule: before each record, every timer of the partition that is due strictly
before the clock (with this record merged) is fired, in the order (due time, profile id). So what comes out does not
depend on where the log was cut into batches, and a batch may stop anywhere.

Profiles know nothing of each other, so the rule is kept one customer at a time: her records and her timers in their
order, each timer under the clock of the record before which it is due, while her profile is at hand in the processor's
cache. What comes out is put into the order of the rule at the end.

When a step needs more than was loaded it has changed nothing: `run` says what to load, and is called again. An exception
of the engine leaves half-changed profiles behind: then nothing of the batch may be kept. Start at `Batch.run`.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping
from operator import attrgetter
from typing import Final, cast

from msgspec.structs import replace

from profiles import population
from profiles.insight.tallies import add
from profiles.links import NOBODY
from profiles.needs import Need as Needed
from profiles.needs import NeedLedger
from profiles.order_state import Ledger
from profiles.privacy import COMMANDS
from profiles.profile import Profile, UnsupportedVersion
from profiles.state import Moment, encode
from profiles.turn import Anonymised
from schemas.events import ANONYMOUS, Arrival
from schemas.moves import Move
from streams.cache import Live
from streams.changes import Changes
from streams.forwards import FORWARDS, HOPS_MAX, origin_of
from streams.home import home_partition
from streams.merge import Foreign
from streams.planned import Group, Planned
from streams.table import INTEGER_MAX
from streams.terms import ANONYMISED, Faulty, Need
from streams.ties import Cluster

RECORDS_MAX: Final = 1000
STUCK_MS: Final = 3_600_000
"""A timer that made the engine fail is looked at again this much later, or when its profile changes."""


class Batch(Planned):
    """What comes of a planned batch.

    After `run`, `at` is the number of records done; it stops early where it would grow too large, or where no further timers
    are known. `cut` says that timers which should have fired by `clock_ms` are left for the next batch; `timers_left` that
    there are any before `clock_ms`, those that the last record brought included: they wait for the next record or for the
    clock to move, as they would have in the middle of a batch.
    """

    # --- running --------------------------------------------------------------------------------------------------

    def run(self, records: int = RECORDS_MAX) -> Need:
        """Apply about so many records and fire the timers of their customers. To be called until `done`, each time after
        loading what the last call asked for.

        Raises Faulty when the engine raises: then nothing of this batch may be kept.
        """
        if self._todo is None:
            self.onwards.settle(self.items, self._others, self._end, self.clock_ms)
            self._others = []
            self._todo = self._arranged()
        need = Need([], [], [])
        held: list[Group | Cluster[Group]] = []
        before = len(self._todo)
        while self._todo and records > 0:
            group = self._todo.pop()
            records -= 1 + len(group.places)
            try:
                if type(group) is Group:
                    self._apply(group)
                else:
                    self._apply_together(cast("Cluster[Group]", group))
            except NeedLedger as more:
                held.append(group)
                if more.order_id is None:
                    need.whole.append(group.customer)
                else:
                    need.entries.append((group.customer, more.order_id))
        self._todo += held
        self.worked += before - len(self._todo)
        self.done = not self._todo
        self.at = self._end if self.done else 0
        return need

    def _arranged(self) -> "list[Group | Cluster[Group]]":
        """What is to be done, last things first: customers who may become one together, all others one by one."""
        tied = self._ties.clusters(lambda customer: self._groups.setdefault(customer, Group(customer)))
        together = {group.customer for cluster in tied for group in cluster.groups}
        todo: list[Group | Cluster[Group]] = [*tied]
        todo += [group for group in self._groups.values() if group.customer not in together]
        todo.reverse()
        return todo

    def _apply(self, group: Group) -> None:
        """One customer's records and timers, from where they were left off."""
        items, clocks, out = self.items, self._clocks, self.outputs.out
        step, wall_ms, customer, places = self.terms.engine.step, self.wall_ms, group.customer, group.places
        repeats, doubts = self.onwards.repeats, self.onwards.doubts
        subject = self.live[customer]
        profile, ledger = subject.profile, subject.ledger
        if group.replans:
            self._replan(group, profile)
        if group.looks:
            self._take_up(group, subject)
        vary = self.goods.vary or self.goods.facts.vary
        goods, facts = self.goods.at(0), self.goods.facts.at(0)
        due_ms = profile.next_due_ms()
        if group.hears is not None:
            due_ms = self._hear(group, subject, due_ms)
        stop = len(places) if not places or places[-1] < self._end else bisect_left(places, self._end)
        if stop:
            self._touched.add(customer)
        for number in range(group.next, stop):
            place = places[number]
            clock_ms = clocks[place]
            if due_ms is not None and due_ms < clock_ms:
                group.next = number
                due_ms = self._fire(group, subject, due_ms, place)
            group.since = place + 1
            if place in repeats:
                continue
            item, before = items[place], len(out)
            try:
                if doubts and place in doubts and not self._is_news(profile, item.what, ledger):  # type: ignore[arg-type] # see `plan`
                    continue
                at = self._moment(clock_ms, place) if vary else Moment(clock_ms, wall_ms, goods, facts)
                step(profile, item.what, at, ledger, out)  # type: ignore[arg-type] # see `plan`
            except Needed:
                group.next = number
                if len(out) != before:  # of segments that turned before the event
                    self.outputs.note((place, 1, 0, ""), item.record.timestamp_ms)
                raise
            except Exception as error:
                raise Faulty(place, customer, error) from error
            if len(out) != before:
                self.outputs.note((place, 1, 0, ""), item.record.timestamp_ms)
                if ledger.forgotten:
                    self._forget(subject, before)
                elif ledger.replaced:
                    self._write_anew(subject)
            due_ms = profile.next_due_ms() if profile.episodes or profile.wakes else profile.compact_ms
        group.next = stop
        if due_ms is not None and due_ms < self.clock_ms:
            due_ms = self._fire(group, subject, due_ms, len(clocks) - 1)
        if due_ms is not None and due_ms < self.clock_ms:
            self.timers_left = True
        if customer in self._touched:
            self._pack(subject)
        elif customer in self.stuck:
            self._due[customer] = self.clock_ms + STUCK_MS
        elif group.indexed and customer not in self._due:
            self._due[customer] = due_ms  # the index had it wrong

    def _replan(self, group: Group, profile: Profile) -> None:
        """Move her timers to when they are due by the rules as they are now; what is past due fires after this."""
        group.replans = False
        try:
            moved = self.terms.engine.replan(profile, self._moment(self._clocks[0], 0))
        except Exception as error:
            raise Faulty(None, profile.id, error) from error
        if moved:
            self._touched.add(profile.id)
            self.replanned += 1

    def _take_up(self, group: Group, subject: Live) -> None:
        """Look at her by segments that are new, as of before this batch."""
        profile, out = subject.profile, self.outputs.out
        before = len(out)
        try:
            taken = self.terms.engine.take_up(profile, self._moment(self._clocks[0], 0), subject.ledger, out)
        except Needed:
            raise
        except Exception as error:
            raise Faulty(None, profile.id, error) from error
        group.looks = False
        if taken:
            self._touched.add(profile.id)
        if len(out) != before:
            self.outputs.note((0, 0, self._clocks[0], profile.id), self._clocks[0])

    # --- customers who may become one ------------------------------------------------------------------------------

    def _apply_together(self, cluster: "Cluster[Group]") -> None:
        """The records and timers of customers who may become one, in their order, from where they were left off."""
        clocks, places = self._clocks, cluster.places
        for group in cluster.groups:
            subject = self.live[group.customer]
            cluster.customer = group.customer
            if group.replans:
                self._replan(group, subject.profile)
            if group.looks:
                self._take_up(group, subject)
            if group.hears is not None:
                self._hear(group, subject, subject.profile.next_due_ms())
        while cluster.next < len(places) and (place := places[cluster.next][0]) < self._end:
            group = places[cluster.next][1]
            if not cluster.begun:
                self._fire_together(cluster, place)
                if place not in self.onwards.repeats:
                    self._step_together(cluster, group, place)
                cluster.begun = True
            while cluster.moves:
                self._move(cluster, cluster.moves[0], place)
                del cluster.moves[0]
            cluster.begun = False
            cluster.next += 1
        self._fire_together(cluster, len(clocks) - 1)
        for group in cluster.groups:
            self._leave_off(group)

    def _fire_together(self, cluster: "Cluster[Group]", place: int) -> None:
        for group in cluster.groups:
            subject = self.live[group.customer]
            cluster.customer = group.customer
            due_ms = subject.profile.next_due_ms()
            if due_ms is not None and due_ms < self._clocks[place]:
                self._fire(group, subject, due_ms, place)

    def _step_together(self, cluster: "Cluster[Group]", group: Group, place: int) -> None:
        """One record: a move for whom it names, an event for whom its identifier belongs to at its time."""
        what = self.items[place].what
        if type(what) is not Arrival:
            self._move(cluster, what, place)  # type: ignore[arg-type] # a group has events and moves
            return
        customer, hops, shared = group.customer, 0, False
        while (live := self.live.get(customer)) is not None and live.profile.redirect:
            if type(what.event) in COMMANDS:
                break  # it is about this identifier, wherever that leads
            holder = self.terms.engine.holder_at(live.profile, what.time_ms)
            if holder == NOBODY:
                return
            if holder is None:
                live.profile.redirect = []  # an old cart token is somebody else's, or nobody's
                break
            customer, hops, shared = holder, hops + 1, shared or len(live.profile.redirect) > 1
        if shared and place in self.onwards.doubts:
            self.onwards.repeated += 1
            return  # it may have gone to another holder the first time
        if live is None or hops > HOPS_MAX:
            self._send_on(place, customer, hops, shared=shared)
            return
        if customer == what.customer:
            arrival = what
        else:
            arrival = replace(what, customer=customer, came_with=what.came_with or what.customer)
        cluster.customer = customer
        before = len(self.outputs.out)
        self._touched.add(customer)
        try:
            if place in self.onwards.doubts and not self._is_news(live.profile, arrival, live.ledger):
                return
            at = self._moment(self._clocks[place], place)
            self.terms.engine.step(live.profile, arrival, at, live.ledger, self.outputs.out)
        except Needed:
            self.outputs.note((place, 1, 0, ""), self.items[place].record.timestamp_ms)
            raise
        except Exception as error:
            raise Faulty(place, customer, error) from error
        self._take_moves(cluster, before, place)
        if live.ledger.forgotten:
            self._forget(live, before)
        elif live.ledger.replaced:
            self._write_anew(live)
        self._groups[customer].since = place + 1

    def _move(self, cluster: "Cluster[Group]", move: Move, place: int) -> None:
        customer = cluster.customer = move.customer
        live, before = self.live[customer], len(self.outputs.out)
        self._touched.add(customer)
        try:
            at = self._moment(self._clocks[place], place)
            left = self.terms.engine.move(live.profile, move, at, live.ledger, self.outputs.out)
        except Needed:
            self.outputs.note((place, 1, 0, ""), self.items[place].record.timestamp_ms)
            raise
        except UnsupportedVersion:  # whose profile a newer release wrote waits for it, like a stored one
            raise
        except Exception as error:
            raise Faulty(place, customer, error) from error
        if left:
            add(self._population, population.forget(live.profile))
            add(self._population, live.ledger.counted)
            if live.size and customer not in self._deleted:
                self._deleted.append(customer)
            live.ledger = Ledger(complete=True)
        self._take_moves(cluster, before, place)
        self._groups[customer].since = place + 1

    def _take_moves(self, cluster: "Cluster[Group]", before: int, place: int) -> None:
        """Moves among these customers are made at once; those for other partitions stay among the outputs."""
        cluster.moves += self.outputs.take_moves(before, cluster.members)
        if len(self.outputs.out) != before:
            self.outputs.note((place, 1, 0, ""), self.items[place].record.timestamp_ms)

    def _is_news(self, profile: Profile, arrival: Arrival, ledger: Ledger) -> bool:
        """Whether a forwarded record that may be a repetition is none."""
        if self.terms.engine.is_news(profile, arrival, ledger):
            return True
        self.onwards.repeated += 1
        return False

    def _send_on(self, place: int, customer: str, hops: int, *, shared: bool) -> None:
        """The event of an identifier that belongs to a customer in another partition."""
        item = self.items[place]
        origin = origin_of(item.record.headers) if item.topic == FORWARDS else None
        home = home_partition(customer.partition(":")[2], self.terms.partitions)
        self.onwards.send(place, item, Foreign(home, customer), origin, hops=hops, redirected=True, shared=shared)

    def _leave_off(self, group: Group) -> None:
        """A customer's part of the batch is done: note what is to be stored of her."""
        customer, subject = group.customer, self.live[group.customer]
        group.next = len(group.places)
        due_ms = subject.profile.next_due_ms()
        if due_ms is not None and due_ms < self.clock_ms and customer not in self.stuck:
            self.timers_left = True
        if customer in self._touched:
            self._pack(subject, counted=True)
        elif customer in self.stuck:
            self._due[customer] = self.clock_ms + STUCK_MS
        elif group.indexed and customer not in self._due:
            self._due[customer] = due_ms

    # --- the rest -------------------------------------------------------------------------------------------------

    def _fire(self, group: Group, subject: Live, due_ms: int, place: int) -> int | None:
        """Fire her timers as far as the clock of `place` allows; gives what is due next.

        Each under the clock of the first place that moves beyond it. Timers that are not known yet may come before: what
        lies beyond the last known one waits for the next batch.
        """
        clocks, customer, profile = self._clocks, subject.profile.id, subject.profile
        if customer in self.stuck:
            return None
        next_ms: int | None = due_ms
        while next_ms is not None and next_ms < clocks[place] and group.since <= place:
            if self._last_known is not None and (next_ms, customer) > self._last_known:
                return next_ms
            at_place = bisect_right(clocks, next_ms, group.since, place)
            fired_ms, clock_ms = next_ms, clocks[at_place]
            self._touched.add(customer)
            try:
                at = self._moment(clock_ms, at_place)
                next_ms = self.terms.engine.fire(profile, at, subject.ledger, self.outputs.out)
            except Needed:
                self.outputs.note((at_place, 0, fired_ms, customer), fired_ms)  # of timers before the one that needs
                raise
            except Exception as error:
                raise Faulty(None, customer, error) from error
            self.fired += 1
            self.outputs.note((at_place, 0, fired_ms, customer), fired_ms)
            if subject.ledger.forgotten:
                self._take_out(subject)
                self.visitors_forgotten += 1
            if next_ms is not None and next_ms < clock_ms:
                raise Faulty(None, customer, RuntimeError("a timer that fired is still due"))
            group.since = at_place
        return next_ms

    def _moment(self, clock_ms: int, place: int) -> Moment:
        """What a step goes by at a place of the batch."""
        return Moment(clock_ms, self.wall_ms, self.goods.at(place), self.goods.facts.at(place))

    def _forget(self, subject: Live, outputs: int) -> None:
        """She was erased, or anonymised: what the table holds of her goes, and so does what was decided about her."""
        profile = subject.profile
        self.outputs.forgotten[profile.id] = outputs
        self._take_out(subject)
        assert profile.privacy is not None
        self._noted |= self._notes.erase(profile.id, profile.privacy)

    def _take_out(self, subject: Live) -> None:
        """What the table holds of her goes, and what she may still do begins on nothing."""
        profile, ledger = subject.profile, subject.ledger
        ledger.forgotten = False
        if subject.size and profile.id not in self._deleted:
            self._deleted.append(profile.id)
        add(self._population, population.forget(profile))
        add(self._population, ledger.counted)
        ledger.counted.clear()
        subject.size, subject.due_ms = 0, None

    def _write_anew(self, subject: Live) -> None:
        """Something was taken out of her profile: what the table holds of her goes, and what is left is written as a whole."""
        subject.ledger.replaced = False
        if subject.size and subject.profile.id not in self._deleted:
            self._deleted.append(subject.profile.id)
        subject.due_ms = None

    def _hear(self, group: Group, subject: Live, due_ms: int | None) -> int | None:
        """Tell a customer of the batch's news, after her timers before it; gives what is due next."""
        assert group.hears is not None
        assert self.goods.news is not None
        news, profile, customer = self.goods.news, subject.profile, group.customer
        if due_ms is not None and due_ms < self._clocks[0]:
            due_ms = self._fire(group, subject, due_ms, 0)
        if customer in self.stuck:
            return due_ms
        number, alerts_before = group.hears
        group.hears = None
        at, before = self._moment(self._clocks[0], 1), len(self.outputs.out)
        self._touched.add(customer)
        try:
            self.terms.engine.hear(profile, news, alerts_before, at, self.outputs.out)
        except Exception as error:
            raise Faulty(None, customer, error) from error
        if len(self.outputs.out) != before:
            self.outputs.note((0, 1, number, customer), news.received_ms)
        group.since = 1
        return profile.next_due_ms()

    def _pack(self, subject: Live, *, counted: bool = False) -> None:
        """Encode what is to be stored of a customer, while all of it is at hand. `counted`: the counters may have changed."""
        profile, ledger = subject.profile, subject.ledger
        if profile.privacy is not None and profile.privacy.erased_ms is not None:
            # An erasure that was taken back since is still to be told from none.
            self._noted |= self._notes.erase(profile.id, profile.privacy)
        if not subject.size and is_gone(profile):
            self.goods.note(profile)
            profile.pack()
            return
        told = ledger.changed or ledger.counted or profile.exposures_opened or not subject.size or counted
        if told and not profile.redirect:
            add(self._population, population.delta(profile))
            if ledger.counted:
                add(self._population, ledger.counted)
                ledger.counted.clear()
        if profile.rewatched:
            self.goods.note(profile)
        stored = profile.pack()
        (self._profiles if subject.size else self._created)[profile.id] = stored
        subject.size = len(stored)
        due_ms = profile.next_due_ms()
        if due_ms != subject.due_ms:
            self._due[profile.id] = subject.due_ms = due_ms
        if ledger.changed:
            for order_id, entry in ledger.pack():
                self._entries[profile.id, order_id] = entry

    # --- what it changed ------------------------------------------------------------------------------------------

    def changes(self, withdrawn: Mapping[str, int] | None = None) -> Changes:
        """Everything as the commit takes it. To be called once, when `done`. `withdrawn` says how many rows of forgotten
        customers were taken out of the outbox.
        """
        changes = Changes()
        self._add_anonymised()
        changes.profiles, changes.created = self._created | self._profiles, len(self._created)
        changes.entries, changes.due = self._entries, self._due
        changes.goods, changes.watchers = self.goods.changed(self.at), self.goods.index()
        changes.names = self.goods.names.changed(self.at)
        changes.facts = self.goods.facts.changed(self.at)
        changes.population = _stored(self._population)
        done = self.items[: self.at]
        changes.offsets = dict(map(attrgetter("topic", "next_offset"), done))
        changes.records = dict(Counter(map(attrgetter("topic"), done)))
        changes.deleted = self._deleted
        self.outputs.add_to(changes, self.rejected, withdrawn or {})
        self.onwards.add_to(changes)
        changes.notes = self.onwards.add_receipts(changes, self._noted, self.clock_ms)
        return changes

    def _add_anonymised(self) -> None:
        """Profiles without an id get one that leads nowhere. They stay in the partition in which they came to be."""
        for output in self.outputs.out:
            if type(output) is Anonymised:
                profile = output.profile
                profile.id = f"{ANONYMISED}{self.terms.new_name()}"
                add(self._population, population.delta(profile))
                self._created[profile.id] = profile.pack()
                for entry in output.entries:
                    self._entries[profile.id, entry.order_id] = encode(entry)


def _stored(counters: dict[str, int]) -> dict[str, int]:
    """Changes of counters as a store takes them: amounts beyond all sense count as the largest it has."""
    numbers = counters.values()
    if max(numbers, default=0) <= INTEGER_MAX and min(numbers, default=0) >= -INTEGER_MAX:
        return dict(counters)
    return {name: max(-INTEGER_MAX, min(INTEGER_MAX, change)) for name, change in counters.items()}


def is_gone(profile: Profile) -> bool:
    """Whether nothing of a profile is to be kept: nothing is known, and what there is to remember lies elsewhere."""
    if not profile.is_blank or profile.seen or profile.has_apart or profile.id == ANONYMOUS:
        return False
    return profile.privacy is None or profile.privacy.erased_ms is not None
