"""What a batch is made of: its records, the customers whose they are, and what has to be loaded before it runs.

`plan` says what the records touch, `start_timers` and `start_news` what timers and a change of a product add to it, `tie` who may
become one; `add` takes in what was loaded. See streams.batch for what is done with it.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import DecodeError

from profiles.goods_state import Good
from profiles.kinds import CATALOGUE_EVENTS, ORDER_EVENTS
from profiles.order_state import Ledger
from profiles.profile import Profile, decode_profile
from profiles.told import Told
from schemas.decode import Problem
from schemas.events import ANONYMOUS, SHOP, Arrival, CatalogueEvent, EraseShop, SplitProfile
from schemas.moves import MOVES, Move
from schemas.outputs import Rejected
from streams.cache import Cache, Live
from streams.changes import Outputs
from streams.forwards import ELSEWHERE, FANOUT, FORWARDS, about_product
from streams.goods import BatchGoods
from streams.home import home_partition
from streams.merge import Foreign, Item
from streams.notes import Changed, Notes
from streams.onwards import EVERYWHERE, Onwards
from streams.product_facts import BatchFacts
from streams.product_names import BatchNames, Named
from streams.table import Loaded, Refused
from streams.terms import Faulty, Need, Terms
from streams.ties import Cluster, Ties
from streams.wake import Wake

UNUSUAL: Final = CATALOGUE_EVENTS | {SplitProfile, EraseShop}
"""Events that no profile takes in, or two do."""
LOOKED_AT: Final = UNUSUAL | ORDER_EVENTS
"""Events that something has to be found out for before the batch runs."""


class Group:
    """One customer's part in the batch: the places of her records, how many are done, and where her timers may fire."""

    __slots__ = ("customer", "hears", "indexed", "looks", "next", "others", "places", "replans", "since")

    def __init__(self, customer: str) -> None:
        self.customer = customer
        self.places: list[int] = []
        self.others: tuple[tuple[str, str], ...] = ()
        """Further identifiers of the last event, which were asked about."""
        self.next = 0
        self.since = 0
        """A timer fires at this place of the batch or later: one that a record brings waits for the next record."""
        self.indexed = False
        """Whether the table's index has a timer of hers before the clock."""
        self.replans = False
        """Whether the rules have changed since her timers were planned."""
        self.looks = False
        """Whether her segments may be others than those she was last looked at by."""
        self.hears: tuple[int, int] | None = None
        """Where she is told of the batch's news: her number among those told, and the stock alerts before hers."""


class _Plan:
    """What planning has found so far: the customers' events, what is to be loaded, and the bytes there is room for."""

    __slots__ = ("customers", "entries", "missing", "moved", "room", "splits")

    def __init__(self, room: int) -> None:
        self.room = room
        self.customers: list[Arrival] = []
        self.entries: dict[tuple[str, str], None] = {}
        self.missing: dict[str, None] = {}
        self.splits: list[str] = []
        self.moved = False
        """Whether there was a move: what it brings may be watched, so the catalogue waits for it."""


class Planned:
    """Records in merge order, and the profiles they touch, before anything is done with them.

    `notes` say who was erased, and of privacy requests under way; without any they are empty.

    `clock_ms` is the clock at its beginning: the last one, or what the wall allows; from `plan` on it is where the clock
    stands at the end. `wall_ms` is None in replay. `origins` are the highest offsets taken from each foreign source. Timers
    of the profiles in `stuck` are left alone, those in `replans` are planned anew by the rules. What comes of it all begins
    empty here; streams.batch adds to it.
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
        notes: Notes | None = None,
        replans: Sequence[str] = (),
        looks: Sequence[str] = (),
        goods: dict[str, Good] | None = None,
        names: Mapping[str, Named] | None = None,
        facts: dict[str, Told] | None = None,
        wake: Wake | None = None,
    ) -> None:
        self.terms, self.items, self.wall_ms, self.stuck = terms, items, wall_ms, stuck
        self.replans, self.looks = replans, looks
        self.passing: set[str] = set()
        """Profiles that were loaded for a look at their segments alone: they push nobody out of memory."""
        self.at = 0
        self.worked = 0
        """Customers (who may become one: together) who were worked on."""
        self.cut = self.done = False
        self.clock_ms = clock_ms
        self.live: dict[str, Live] = {}
        self.rejected: list[Rejected] = []
        self.fired = self.replanned = self.hits = self.misses = 0
        self.visitors_forgotten = 0
        self.timers_left = False
        self._notes = Notes() if notes is None else notes
        self.outputs = Outputs(terms)
        self.onwards = Onwards(terms, origins, self._notes, self.rejected)
        self._noted: Changed = {}
        self._deleted: list[str] = []
        known = BatchNames({} if names is None else names, terms.partition, terms.partitions)
        told = BatchFacts(terms.engine, {} if facts is None else facts)
        self.goods = BatchGoods(terms.engine, {} if goods is None else goods, known, told, wake, terms.partitions)
        self._end = len(items)
        self._clocks: list[int] = []
        self._groups: dict[str, Group] = {}
        self._others: list[int] = []
        self._ties = Ties(terms.partition, terms.partitions)
        self._todo: list[Group | Cluster[Group]] | None = None
        self._touched: set[str] = set()
        self._profiles: dict[str, bytes] = {}
        self._entries: dict[tuple[str, str], bytes] = {}
        self._due: dict[str, int | None] = {}
        self._population: dict[str, int] = {}
        self._created: dict[str, bytes] = {}
        self._last_known: tuple[int, str] | None = None

    def plan(self, cache: Cache) -> Need:
        """Take the profiles concerned out of the cache, mark foreign records, and say what is to be loaded.

        The batch ends before the record whose profile would be one too many, and after the one that fills it. Raises Faulty
        as `run` does.
        """
        live, groups, clocks, clock_ms = self.live, self._groups, self._clocks, self.clock_ms
        disorder_ms, ties = self.terms.disorder_ms, self._ties
        plan = _Plan(self.terms.bytes_max)
        customers, missing = plan.customers, plan.missing
        for place, item in enumerate(self.items):
            what: Any = item.what  # an arrival, where there is a group
            reached_ms = item.merge_ms - disorder_ms
            if reached_ms > clock_ms:
                clock_ms = reached_ms
            group = groups.get(what.customer) if type(what) is Arrival else None
            # By far the most records are another event of somebody who is here already; all others are looked at.
            if group is None or type(what.event) in LOOKED_AT or item.topic in ELSEWHERE:
                group = self._look_at(place, item, plan, cache)
                if self._end == place:
                    break
                what = item.what
            if group is not None:
                if what.others is not group.others:
                    group.others = what.others
                    if what.others:
                        ties.ask(what.customer, what.others)
                group.places.append(place)
                customers.append(what)
            clocks.append(clock_ms)
            plan.room -= len(item.record.value or b"")
            if plan.room <= 0:
                self._end = place + 1
                break
        if not self.items:
            clocks.append(clock_ms)  # the wall moved the clock
        self.clock_ms = clocks[-1]
        for customer in plan.splits:
            if customer in groups:
                ties.tie(customer)
        for customer in (*self.replans, *self.looks):
            if customer not in groups:
                groups[customer] = Group(customer)
                if customer in cache:
                    live[customer] = cache.take(customer)
                else:
                    missing[customer] = None
                    self.passing.add(customer)
        for customer in self.replans:
            groups[customer].replans = customer not in self.stuck
            self.passing.discard(customer)
        for customer in self.looks:
            groups[customer].looks = customer not in self.stuck
        self.hits, self.misses = len(live), len(missing)
        return Need(list(missing), list(plan.entries))

    def _look_at(self, place: int, item: Item, plan: _Plan, cache: Cache) -> Group | None:
        """The customer in whose turn a record is worked on; None for one that is about none, or lives elsewhere.

        Where the batch has to end before it, it does so from here on.
        """
        what, groups = item.what, self._groups
        if type(what) is Arrival and type(what.event) in UNUSUAL:
            if type(what.event) is SplitProfile:
                plan.splits.append(what.customer)
            elif type(what.event) is EraseShop:
                self._is_foreign(place, what, cache)
                self._others.append(place)
                return None
            else:
                if item.topic != FANOUT:
                    what = item.what = self._placed(place, what)
                if type(what) is Arrival:
                    if plan.moved or not self._take_good(place, what, plan):
                        self._end = place
                    return None
        if item.topic == MOVES and isinstance(what, Move):
            group = groups.get(what.customer) or self._take_in(place, what.customer, plan, cache)
            if group is not None:
                group.places.append(place)
                self._ties.tie(what.customer)
                plan.moved = True
            return None
        group = groups.get(what.customer) if type(what) is Arrival else None
        if (
            type(what) is not Arrival
            or ((group is None or what.customer == ANONYMOUS) and self._is_foreign(place, what, cache))
            or what.customer == SHOP
        ):
            self._others.append(place)
            return None
        if group is None and (group := self._take_in(place, what.customer, plan, cache)) is None:
            return None
        if type(what.event) in ORDER_EVENTS:
            order_id: str = what.event.order_id  # type: ignore[attr-defined] # each of ORDER_EVENTS has one
            known = self.live.get(what.customer)
            if known is None or order_id not in known.ledger:
                plan.entries[what.customer, order_id] = None
        if item.topic == FORWARDS:
            self._others.append(place)
        return group

    def _take_good(self, place: int, arrival: Arrival, plan: _Plan) -> bool:
        """Take in a catalogue event; false where the batch has to end before it. Triggers are asked whom it concerns."""
        try:
            return self.goods.take(place, arrival, plan.customers)
        except Exception as error:
            raise Faulty(place, SHOP, error) from error

    def _take_in(self, place: int, customer: str, plan: _Plan, cache: Cache) -> Group | None:
        """Begin a customer's part, her profile out of the cache if it is there. Where she is one too many the batch ends."""
        if len(self._groups) >= self.terms.profiles_max:
            self._end = place
            return None
        group = self._groups[customer] = Group(customer)
        if customer in cache:
            subject = self.live[customer] = cache.take(customer)
            plan.room -= subject.size
            if subject.profile.redirect:
                self._ties.tie(customer)
        else:
            plan.missing[customer] = None
        return group

    def _placed(self, place: int, arrival: Arrival) -> Arrival | Problem | Foreign:
        """An event about the shop where it is to be taken in: here, or wherever it goes; with its product looked up."""
        event, partitions = arrival.event, self.terms.partitions
        assert isinstance(event, CatalogueEvent)
        named = None
        if event.product_id is None:
            home = home_partition(arrival.home, partitions)
            if home != self.terms.partition:
                return Foreign(home, arrival.home)
            named = self.goods.names.find(place, event)
            if named is None:
                return Problem("unknown_product", f"no event told which product {arrival.home!r} is, by product_id")
            arrival = about_product(arrival, named.product_id, named.variant_id)
        if partitions == 1:
            return arrival
        if named is None:
            return Foreign(EVERYWHERE, arrival.home)
        return Foreign(EVERYWHERE, arrival.home, named.product_id, named.variant_id)

    def _is_foreign(self, place: int, arrival: Arrival, cache: Cache) -> bool:
        """Whether the record belongs to another partition. A profile that is in memory is at home here: only new faces are
        asked where they live. Orders that name nobody live where their order id says, so they are never grouped.
        """
        if self.terms.partitions == 1 or (arrival.customer in cache and arrival.customer != ANONYMOUS):
            return False
        home = home_partition(arrival.home, self.terms.partitions)
        if home == self.terms.partition:
            return False
        self.items[place].what = Foreign(home, arrival.customer)
        return True

    def start_timers(self, due: list[tuple[str, int]], *, all_known: bool, cache: Cache) -> Need:
        """The timers before `clock_ms` as the index has them, and whether these are all; gives what is to be loaded."""
        missing = []
        for profile_id, _ in due:
            if profile_id not in self.live:
                found = cache.get(profile_id)
                if found is None:
                    missing.append(profile_id)
                else:
                    self.live[profile_id] = cache.take(profile_id)
            if profile_id not in self._groups:
                self._groups[profile_id] = Group(profile_id)
            self._groups[profile_id].indexed = True
        if not all_known:
            self._last_known = max((due_ms, profile_id) for profile_id, due_ms in due)
            place = bisect_right(self._clocks, self._last_known[0])
            if place < len(self._clocks):
                # The clock goes as far as this record moves it; the record itself has to wait for the other timers.
                self._stop_at(place)
                self.cut = self.timers_left = True
        return Need(missing)

    def tie(self, cache: Cache) -> Need:
        """Find the customers who may become one in this batch; gives what is to be loaded before that is known.

        To be called until it needs nothing more. Their records are then applied together, in their order.
        """
        while True:
            wanted = self._ties.settle(self._known_profile, self._whats)
            cached = [profile_id for profile_id in wanted if profile_id in cache]
            for profile_id in cached:
                self.live[profile_id] = cache.take(profile_id)
            if not cached:
                return Need(wanted)

    def _known_profile(self, profile_id: str) -> Profile | None:
        subject = self.live.get(profile_id)
        return None if subject is None else subject.profile

    def _whats(self, profile_id: str) -> list[Arrival | Move]:
        """Events and moves of this batch that were addressed to a profile."""
        group = self._groups.get(profile_id)
        return [] if group is None else [self.items[place].what for place in group.places]  # type: ignore[misc] # see `plan`

    def start_news(self, watchers: list[tuple[str, int]], due: list[tuple[str, int]], cache: Cache) -> Need:
        """Call those who hear of the batch's news; gives what is to be loaded. `due` are the timers as the index has them.

        Timers due before a change come before it, in a batch of their own where there are any: they may close stock alerts.
        """
        goods = self.goods
        if goods.asks is None:
            first = self.cut
        else:
            first = self._end == 0 or any(due_ms < self._clocks[0] for _, due_ms in due)
            if first:
                self._stop_at(0)
                self.cut = self.timers_left = True
        if first:
            goods.put_off()
            return Need()
        missing = []
        for number, (profile_id, place) in enumerate(goods.call(watchers).items()):
            group = self._groups.get(profile_id)
            if group is None:
                group = self._groups[profile_id] = Group(profile_id)
            group.hears = (number, place)
            if profile_id not in self.live:
                if cache.get(profile_id) is None:
                    missing.append(profile_id)
                else:
                    self.live[profile_id] = cache.take(profile_id)
        if goods.ends_batch and self.items:
            self._end = 1
            del self._clocks[1:]
            self.clock_ms = self._clocks[0]
        return Need(missing)

    def _stop_at(self, place: int) -> None:
        """End before this place, with the clock it moves to."""
        self._end = min(self._end, place)
        del self._clocks[place + 1 :]
        self.clock_ms = self._clocks[-1]

    def add(self, loaded: Loaded) -> None:
        """Take in what was read from the table. Raises UnsupportedVersion, Refused for a profile that is damaged,
        msgspec.DecodeError for such an entry of a ledger.
        """
        live = self.live
        for profile_id, stored in loaded.profiles.items():
            if stored is None:
                # Nobody's orders are never held whole: they may be millions.
                profile = Profile(profile_id, privacy=self._notes.privacy_of(profile_id))
                ledger = Ledger(complete=profile_id != ANONYMOUS)
                live[profile_id] = Live(profile, ledger, None, 0)
            else:
                try:
                    profile = decode_profile(stored)
                except DecodeError as error:
                    raise Refused.of_profile(profile_id, self.terms.partition, error) from error
                if profile.redirect:
                    self._ties.tie(profile_id)
                live[profile_id] = Live(profile, Ledger(), profile.next_due_ms(), len(stored))
        for (profile_id, order_id), stored in loaded.entries.items():
            live[profile_id].ledger.load(order_id, stored)
        for profile_id, whole in loaded.whole.items():
            ledger = live[profile_id].ledger
            for order_id, stored in whole.items():
                ledger.load(order_id, stored)
            ledger.complete = True
