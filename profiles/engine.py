"""The engine: how one event changes one profile (`step`), and what its timers do (`fire`). Pure and deterministic.

`step` first does what may ask for more of the ledger (orders), then remembers, then tells the triggers concerned, which plan
anew. A `Need` is raised before anything was changed. Every other exception is a fault of a trigger or ours: the caller throws
the touched profiles away, and leaves the trigger out (`without`) or sets the record aside.

`profiles.kinds` and `profiles.handlers` say which event goes where; a new event is a line there, a new trigger none.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast, get_args

from msgspec.structs import replace

from profiles import (
    acquisition,
    activity,
    browsing,
    carts,
    checkouts,
    coupons,
    dedupe,
    deliveries,
    episodes,
    exposures,
    gates,
    identity,
    interests,
    ledger,
    links,
    messages,
    origins,
    privacy,
    sides,
    splitting,
    standing,
    statistics,
    supply,
    visitors,
    voices,
    watches,
)
from profiles.book import Book
from profiles.consent import apply_consent, takes_back
from profiles.content import OrderTold
from profiles.definition import Endless, TriggerDefinition, hears
from profiles.goods import change_of
from profiles.goods_state import Good, GoodChange
from profiles.handlers import HANDLERS, Handler, handlers_of_views, opening, watch_cart
from profiles.holdout import is_measured
from profiles.insight.tallies import Tally, add, difference
from profiles.interests import WEIGHTS
from profiles.kinds import ADDING, CHANNEL_LOST, ORDER_EVENTS, SHOPPING_EVENTS, Role, role_of
from profiles.moving import Moving
from profiles.order_state import Ledger
from profiles.privacy import COMMANDS
from profiles.product_facts import filled, words_of
from profiles.profile import Profile
from profiles.replan import replan
from profiles.rules import Visitors, topics_apart
from profiles.segments import WAKE, Segments
from profiles.stamp import stamp_of
from profiles.state import Cart, Moment, RecentOrder
from profiles.told import Word
from profiles.triggers import BUILT_IN, CART_ABANDONED
from profiles.turn import Output, Turn, counter_of
from profiles.watch import Watch
from schemas import events
from schemas.events import ANONYMOUS, Arrival, Event, Product
from schemas.moves import HOPS_MAX, Move, Return
from schemas.outputs import Trigger, TriggerOutcome

_ADD: Final = WEIGHTS["add"]
FIRED_MAX: Final = 20_000
"""So many timers of a customer fire in one go, one each hour for two years; beyond it a trigger plans what has just fired."""
AT_ONCE_MAX: Final = 1000
"""The same of those that are due in the same millisecond: several times as many as can wait for her."""


class _Way(NamedTuple):
    """What is done with a kind of event: one look-up for each event."""

    role: Role
    handler: Handler | None
    listeners: tuple[TriggerDefinition[Any], ...]
    """The triggers that want to hear of it, in their order."""


class Engine:
    """Applies events and timers to profiles by one book and one set of triggers. Keeps no state of its own; a new book is a
    new engine.
    """

    def __init__(
        self,
        book: Book,
        triggers: Iterable[TriggerDefinition[Any]] = BUILT_IN,
        left_out: frozenset[str] = frozenset(),
    ) -> None:
        """`left_out` are names of triggers that are neither told nor asked anything; what is kept of events is as if they were.

        Raises ValueError for rules with conditions that were not compiled into the book.
        """
        if book.segments is not None:
            book = replace(book, segments=book.segments.in_shop(book))
        self.book = book
        self._all = {trigger.name: trigger for trigger in triggers}
        self.stamp = stamp_of(book, self._all.values())
        told = [trigger for trigger in self._all.values() if trigger.rule(book).enabled and trigger.applies(book)]
        self.topics = topics_apart(book.rules)
        """Where triggers go that are published apart, by their names."""
        self._tier_limits = standing.tier_limits(book)
        self._lists_products = bool(book.catalogue.products)
        self._browsed = any(trigger.remembers_views for trigger in told)
        watched = self._browsed or any(hears(trigger, "on_good") for trigger in told)
        told = [trigger for trigger in told if trigger.name not in left_out]
        self.triggers = {name: trigger for name, trigger in self._all.items() if name not in left_out}
        handlers = HANDLERS | handlers_of_views(browsed=self._browsed, watched=watched)
        self._ways = {kind: _way_of(kind, handlers, told) for kind in get_args(events.AnyEvent)}
        self._on_cart = [trigger for trigger in told if hears(trigger, "on_cart")]
        self._on_standing = [trigger for trigger in told if hears(trigger, "on_standing")]
        self._on_order = [trigger for trigger in told if hears(trigger, "on_order")]
        self._on_consent = [trigger for trigger in told if hears(trigger, "on_consent")]
        self._measured = {
            name: rule
            for name, trigger in self.triggers.items()
            if (rule := trigger.rule(book)).enabled and is_measured(rule, book.rules)
        }
        self._on_good = [trigger for trigger in told if hears(trigger, "on_good")]
        if asleep := [
            name for name, rule in book.rules.triggers.items() if rule.condition and name not in book.conditions
        ]:
            raise ValueError(f"the book lacks the conditions of {asleep}: make it by compile_conditions")
        segments = book.segments if book.segments is not None else Segments()
        self._watch = Watch(segments, [trigger for trigger in told if hears(trigger, "on_segment")])
        self._is_watching = segments.fingerprint != ""
        watch = self._watch if self._is_watching else None
        self._moving = Moving(book, self.triggers, told, watch, self._look)
        self._carts_forget_ms = CART_ABANDONED.rule(book).forget_ms
        self._forget_after_ms = book.rules.visitors.forget_after_ms
        apart = [trigger for trigger in self.triggers.values() if trigger.waits_apart]
        plain = len(apart) == len(self.triggers) and not self._is_watching and not self._forget_after_ms
        self._of_sides = self if plain else Engine(_plain(book), apart)
        """Tells facts to what is kept apart of a profile (`profiles.sides`), and sends nothing."""
        self._of_sides._ways = {
            kind: way._replace(listeners=tuple(one for one in way.listeners if one.waits_apart))
            for kind, way in self._ways.items()
        }
        self._of_sides._browsed = self._browsed

    def without(self, left_out: frozenset[str]) -> "Engine":
        """The same engine, which leaves out the triggers of these names."""
        return Engine(self.book, self._all.values(), left_out)

    def step(self, profile: Profile, arrival: Arrival, at: Moment, orders: Ledger, out: list[Output]) -> None:
        """Apply one event to the profile it belongs to; outputs are appended to `out`.

        Raises NeedLedger or NeedProfile before changing anything when more must be loaded first.
        """
        if at.facts or self._lists_products:
            arrival = filled(arrival, at.facts, self.book.catalogue)
        event, time_ms = arrival.event, arrival.time_ms
        role, handler, listeners = self._ways[type(event)]
        turn = Turn(profile, self.book, at, out, event.message_id, time_ms, arrival.received_ms, event.imported)
        if profile.privacy is not None or role == "command":
            self._guard(turn, arrival, orders)
            return
        # What a shop kept for segments it has given up goes with the next event.
        whereabouts = None
        if (self._is_watching or profile.definitions) and profile.id != ANONYMOUS:
            whereabouts = self._watch.before(turn, orders)
        side = None
        if arrival.came_with or profile.has_sides:
            if arrival.came_with and profile.has_apart and splitting.is_astray(profile, arrival.came_with):
                self._give_back(turn, arrival)
                return
            side = sides.side_of(profile, arrival, turn.now_ms, self.book)
        if role == "order":
            self._order(turn, arrival, orders, side, watching=whereabouts is not None)
        elif not dedupe.already_seen(profile, event.source, event.message_id, time_ms):
            if role == "cart":
                self._cart(turn, arrival, listeners)
            else:
                self._remember(turn, arrival)
                if role == "other":
                    if handler is not None:
                        handler(turn, arrival)
                elif role == "feedback":
                    self._feedback(turn, arrival, orders)
                else:
                    self._checkout(turn, arrival)
                for trigger in listeners:
                    trigger.on_event(turn, arrival)
            if (event.campaign is not None or event.referrer is not None) and profile.has_past:
                add(orders.counted, _named("cohort", acquisition.restate(profile, self.book)))
                origins.follow(profile, orders.counted)
            elif event.country is not None:
                origins.follow_country(profile, event.country, orders.counted)
            if whereabouts is not None:
                self._watch.after(turn, arrival, whereabouts)
        if side is not None and role != "order":
            self._tell_side(side, arrival, at, None)

    def is_news(self, profile: Profile, arrival: Arrival, orders: Ledger) -> bool:
        """Whether an event that may have been applied before is sure not to have been.

        The remembered messages say so as far back as they reach; beyond that the ledger does for orders, and of all else
        nothing is sure. Raises NeedLedger for the order's entry.
        """
        event = arrival.event
        if dedupe.remembers(profile, event.source, event.message_id):
            return False
        if arrival.came_with and profile.is_apart_from(arrival.came_with):
            return False  # it was given back with all that came with this identifier, or will be
        if dedupe.reaches_back_to(profile, arrival.time_ms):
            return True
        return type(event) in ORDER_EVENTS and ledger.is_news(arrival, orders)

    def counters_of(self, output: Trigger | TriggerOutcome) -> list[str]:
        """The population's counters of what went out: messages, not customers, so they stay when a customer is erased."""
        asked = voices.asked(output, self.book)
        return [counter_of(output)] if asked is None else [counter_of(output), asked]

    def change(self, good: Good, arrival: Arrival) -> GoodChange | None:
        """What a catalogue event makes of a product; None where it changes nothing that is kept of it."""
        return change_of(good, arrival, self.book.shop_currency)

    def wakes(self, change: GoodChange) -> bool:
        """Whether those who watch a product want to hear of this change."""
        return any(trigger.wakes(self.book, change) for trigger in self._on_good)

    def words(self, arrival: Arrival) -> Iterator[tuple[str, Word]]:
        """What a catalogue event tells of a product besides price and stock, by the key it is kept under."""
        return words_of(arrival, self.book.shop_currency)

    def hear(self, profile: Profile, change: GoodChange, place: int, at: Moment, out: list[Output]) -> None:
        """Tell a customer who watches a product that it changed; outputs are appended to `out`.

        `at.goods` has the change already. `place` counts the stock alerts of this partition for the product that are
        older than hers. A customer who does not watch it any more, or wants to hear nothing, is left as she is.
        """
        watch = profile.watches.get(change.key)
        if watch is None or profile.suppressed:
            return
        turn = Turn(profile, self.book, at, out, change.message_id, change.time_ms, change.received_ms, change.imported)
        for trigger in self._on_good:
            if trigger.wakes(self.book, change):
                trigger.on_good(turn, change, watch, place)
        for side in profile.kept_sides():
            self._of_sides.hear(side, change, place, at, [])
            sides.tidy(side, self.triggers, self.book, turn.now_ms)
        if self._is_watching:
            self._watch.after_timer(turn, at.clock_ms)

    def fire(
        self, profile: Profile, at: Moment, orders: Ledger, out: list[Output], timers: int = FIRED_MAX
    ) -> int | None:
        """Let every timer of the profile that is due before the clock have its say, earliest first; gives what is due next.
        With fewer `timers` than FIRED_MAX no more than those.

        A visitor who did not come back is forgotten: the profile is blank then, and `orders` say that what is stored has to go.
        Raises NeedLedger(None) before changing anything when old orders are to be compacted, when what comes due may put the
        customer into a hold-out's comparison, or when she may be forgotten. Raises Endless where they never end.
        """
        clock_ms, fired, at_once, last_ms = at.clock_ms, 0, 0, -1
        if self._measured and not orders.complete and self._may_expose(profile, clock_ms):
            orders.all()
        while (due_ms := profile.next_due_ms()) is not None and due_ms < clock_ms:
            fired += 1
            at_once = at_once + 1 if due_ms == last_ms else 0
            last_ms = due_ms
            if fired > timers and timers < FIRED_MAX:
                break
            if fired > FIRED_MAX or at_once > AT_ONCE_MAX:
                raise Endless(_first_of(profile, due_ms))
            if type(due_ms) is not int:
                raise TypeError(f"a timer is {type(due_ms).__name__}, and no int, in milliseconds")
            if profile.compact_ms is not None and profile.compact_ms == due_ms:
                ledger.compact(profile, due_ms, orders, self.book)
                continue
            stop = at if at.wall_ms is not None else Moment(due_ms, goods=at.goods, facts=at.facts)
            turn = Turn(profile, self.book, stop, out, "timer", due_ms, due_ms)
            if (wake := _wake_at(profile, due_ms)) is not None:
                if wake == exposures.WAKE:
                    exposures.count(profile, orders, self.book)
                    continue
                if wake == WAKE:
                    self._watch.wake(turn, orders, due_ms)
                    continue
                if wake == visitors.WAKE:
                    self._look_at_visitor(profile, due_ms, orders)
                    continue
                del profile.wakes[wake]
                name, _, what = wake.partition("|")
                if wake == standing.LOOK:
                    self._look(turn)
                elif (woken := self.triggers.get(name)) is not None:
                    woken.on_wake(turn, what)
                if self._is_watching:
                    self._watch.after_timer(turn, clock_ms)
                continue
            episode = episodes.next_of(profile, self.triggers, turn)
            if at.wall_ms is None and episode.measured_from_ms is not None and episode.measured_from_ms > due_ms:
                # In replay the clock stops at each due time it passes, however far it jumps.
                stop = Moment(episode.measured_from_ms, goods=at.goods, facts=at.facts)
                turn = Turn(profile, self.book, stop, out, "timer", due_ms, due_ms)
            episodes.decide_due(turn, self.triggers, episode)
            if self._is_watching:
                self._watch.after_timer(turn, clock_ms)
        return due_ms

    def _look_at_visitor(self, profile: Profile, due_ms: int, orders: Ledger) -> None:
        """Her timer has come: forget her, look again later, or never more. Raises NeedLedger(None) before changing anything."""
        idle_ms = visitors.idle_ms(profile, self._forget_after_ms)
        if idle_ms is not None and idle_ms > due_ms:
            profile.wakes[visitors.WAKE] = idle_ms
        elif idle_ms is None or orders.all():
            del profile.wakes[visitors.WAKE]
        else:
            statistics.take_back(profile, orders, self.book)
            profile.wipe()
            orders.forget()

    def _may_expose(self, profile: Profile, clock_ms: int) -> bool:
        """Whether something due before the clock, if it is decided to be sent, puts the customer into a new comparison. Who may
        be sent nothing is not asked for her whole ledger.
        """
        rules, measured = self.book.rules, self._measured
        return any(
            episode.wake_ms < clock_ms
            and (rule := measured.get(episode.name)) is not None
            and gates.may_pass(profile, rule, rules, episode.wake_ms)
            and exposures.is_new(profile, rule, episode.name, rules)
            for episode in profile.episodes.values()
        )

    def move(self, profile: Profile, what: Move, at: Moment, orders: Ledger, out: list[Output]) -> bool:
        """Take in what another identifier's home says to this one; gives whether the profile became a redirect.

        Then its orders are to be forgotten. Raises NeedLedger(None) before changing anything. What the population counts of
        the profile goes along with the ledger.
        """
        if isinstance(what, Return):
            self._take_return(profile, what, at, orders, out)
            return False
        before = statistics.counters(profile, self.book)
        left = self._moving.take(profile, what, at, orders, out)
        add(orders.counted, difference({} if left else statistics.counters(profile, self.book), before))
        return left

    def holder_at(self, profile: Profile, at_ms: int) -> str | None:
        """To whom a redirect led at a moment; None where it leads nowhere any more."""
        return links.holder_at(profile, at_ms, self.book.rules.identity)

    def replan(self, profile: Profile, at: Moment) -> bool:
        """The rules have changed: move waiting episodes to when they are due now. Whether any was moved."""
        moved = replan(Turn(profile, self.book, at, [], "rules", at.clock_ms, at.clock_ms), self.triggers)
        return visitors.replan(profile, self._forget_after_ms, at.clock_ms) or moved

    def take_up(self, profile: Profile, at: Moment, orders: Ledger, out: list[Output]) -> bool:
        """The segments may be others than those the profile was last looked at by: find which it is in by them. And visitors
        may not have been forgotten before: plan when to look at her. Whether there was anything to do.

        That it is in one is no news, only that it has left one is. Who wants to be left alone is looked at later. Raises
        NeedLedger(None) before changing anything.
        """
        if profile.id == ANONYMOUS or profile.redirect or privacy.is_closed(profile):
            return False
        taken = not profile.suppressed and self._watch.take_up(
            Turn(profile, self.book, at, out, "rules", at.clock_ms, at.clock_ms), orders
        )
        return visitors.replan(profile, self._forget_after_ms, at.clock_ms) or taken

    # --- privacy --------------------------------------------------------------------------------------------------

    def _guard(self, turn: Turn, arrival: Arrival, orders: Ledger) -> None:
        """A privacy command, or an event of a customer who sent one once."""
        profile = turn.profile
        asked = profile.privacy
        if type(arrival.event) is events.SplitProfile:
            before = statistics.counters(profile, self.book)
            if splitting.obey(turn, arrival, orders, self.triggers):
                if not profile.suppressed:
                    self._moving.look_anew(turn, orders)
                add(orders.counted, difference(statistics.counters(profile, self.book), before))
        elif type(arrival.event) in COMMANDS:
            was_suppressed = profile.suppressed
            if was_suppressed and type(arrival.event) is events.UnsuppressCustomer:
                if profile.orders.first is not None:
                    orders.get(profile.orders.first[1])  # what is planned anew may go by it
                if self._is_watching:
                    self._watch.prepare(turn, orders)
            privacy.obey(turn, arrival, orders, self.triggers)
            if was_suppressed and not profile.suppressed and not profile.is_blank:
                self._moving.look_anew(turn, orders)
        elif arrival.came_with and privacy.is_anothers(profile, arrival.came_with):
            self._give_back(turn, arrival)
        elif asked is not None and not privacy.admits(asked, arrival.time_ms):
            privacy.turn_away(turn, arrival)
            if profile.has_sides and not privacy.is_forgotten(asked, arrival.time_ms):
                side = sides.side_of(profile, arrival, turn.now_ms, self.book)
                if side is not None:
                    apply_consent(side, arrival)
        elif asked is not None:
            resting = self._watch.resting(profile) if asked.in_force and self._is_watching else None
            profile.privacy = None
            try:
                self.step(profile, arrival, turn.at, orders, turn.out)
            finally:
                profile.privacy = asked
                if resting is not None:
                    self._watch.rest(profile, resting)
            if asked.in_force:
                episodes.cancel_all(turn, self.triggers, "suppressed")

    # --- facts by what they came with ------------------------------------------------------------------------------

    def _tell_side(self, side: Profile, arrival: Arrival, at: Moment, change: ledger.OrderChange | None) -> None:
        """Tell an event to the side of a profile that it came with, as if that were alone. `change` is what an order did."""
        if arrival.came_with:
            arrival = replace(arrival, came_with="")
        event, inner = arrival.event, self._of_sides
        turn = Turn(side, inner.book, at, [], event.message_id, arrival.time_ms, arrival.received_ms, event.imported)
        if change is None:
            inner.step(side, arrival, at, Ledger(complete=True), [])
        else:
            if dedupe.already_seen(side, event.source, event.message_id, arrival.time_ms):
                return  # by now `change` may be of what the other side told of the order
            inner._remember(turn, arrival)
            told = inner._note_purchase(turn, arrival, change)
            for trigger in inner._on_order:
                trigger.on_order(turn, told)
        sides.tidy(side, self.triggers, self.book, turn.now_ms)

    def _give_back(self, turn: Turn, arrival: Arrival) -> None:
        """An event was on its way while what it came with was taken out of this profile: it is heard where it belongs."""
        turn.out.append(
            Return(
                identifier=arrival.came_with,
                event=cast(events.AnyEvent, arrival.event),
                received_ms=arrival.received_ms,
                others=arrival.others,
                at_ms=arrival.time_ms,
                cause=turn.cause,
            )
        )

    def _take_return(self, profile: Profile, what: Return, at: Moment, orders: Ledger, out: list[Output]) -> None:
        """An event that another customer gave back is heard as if it had come here first. It may come twice. Where what it came
        with leads to her all the same, it is part of her by another way.
        """
        if profile.redirect:
            holder = self.holder_at(profile, what.at_ms)
            if holder == links.NOBODY:
                return
            if holder is not None:
                came_with = what.came_with or what.identifier
                out.append(replace(what, identifier=holder, came_with=came_with, hops=what.hops + 1))
                return
            profile.redirect = []  # an old cart token is somebody else's, or nobody's
        if what.came_with and privacy.is_anothers(profile, what.came_with):
            if what.hops <= HOPS_MAX:
                out.append(replace(what, identifier=what.came_with, came_with="", hops=what.hops + 1))
                return
            privacy.is_hers(profile, what.came_with)
        home, came_with = profile.id.partition(":")[2], what.came_with
        if came_with and profile.has_apart and splitting.is_astray(profile, came_with):
            came_with = ""  # it leads to her all the same
        arrival = Arrival(what.event, what.at_ms, what.received_ms, profile.id, home, what.others, came_with)
        if self.is_news(profile, arrival, orders):
            self.step(profile, arrival, at, orders, out)

    # --- what every event tells -----------------------------------------------------------------------------------

    def _remember(self, turn: Turn, arrival: Arrival) -> None:
        """That she was here, who she is, what she consents to."""
        profile, event = turn.profile, arrival.event
        kind = type(event)
        if activity.see(profile, arrival) and kind is not events.ProductViewed and profile.has_browsing:
            browsing.went_on(profile, arrival.time_ms)
        may_be_held = profile.episodes and not identity.reachable(profile)
        identity.remember(turn, arrival)
        if may_be_held and identity.reachable(profile):
            episodes.release_held(turn)
        if kind in SHOPPING_EVENTS:
            carts.tidy(profile, arrival.time_ms, self._carts_forget_ms, turn.book.rules.allowed_lateness_ms)
        if profile.activity.session_start_ms == arrival.time_ms:
            self._begin_visit(profile, arrival.time_ms)
        if event.consent or kind in CHANNEL_LOST:
            granted = apply_consent(profile, arrival)
            if granted and (profile.milestones.granted is None or opening(arrival) < profile.milestones.granted):
                profile.milestones.granted = opening(arrival)
            if takes_back(event):
                profile.milestones.left_ms = max(profile.milestones.left_ms or 0, arrival.time_ms)
            if kind in CHANNEL_LOST and (reason := messages.withdrawn_by(event)) is not None:
                episodes.cancel_marketing(turn, self.triggers, reason)
            for trigger in self._on_consent:
                trigger.on_consent(turn, arrival)

    def _begin_visit(self, profile: Profile, at_ms: int) -> None:
        """What nothing can come of any more goes with a new visit.

        No cart that holds something: conditions are asked again by what an event may change, and a look around is not to
        change what is in carts.
        """
        carts.tidy(profile, at_ms, at_ms, self.book.rules.allowed_lateness_ms)
        if profile.has_watches:
            watches.tidy(profile, at_ms)

    # --- orders ---------------------------------------------------------------------------------------------------

    def _order(self, turn: Turn, arrival: Arrival, orders: Ledger, side: Profile | None, *, watching: bool) -> None:
        profile, event = turn.profile, arrival.event
        if type(event) is events.OrderReturned and dedupe.remembers(profile, event.source, event.message_id):
            return  # nothing in the ledger would say that it was told before
        change = ledger.apply_order(profile, arrival, orders, turn.book, turn.at.facts)
        if profile.id == ANONYMOUS:
            return
        if profile.has_sides:
            sides.note_order(profile, arrival, change, orders)
        if side is not None:
            self._tell_side(side, arrival, turn.at, change)
        fresh = not dedupe.already_seen(profile, event.source, event.message_id, arrival.time_ms)
        if fresh:
            self._remember(turn, arrival)
        if profile.has_exposures:
            exposures.note_order(profile, change, turn.book)
        statistics.tell_order(profile, change, orders, turn.book)
        if event.country is not None:
            origins.follow_country(profile, event.country, orders.counted)
        told = self._note_purchase(turn, arrival, change)
        if told.supplies.counted:
            add(orders.counted, told.supplies.counted)
        entry = change.entry
        if profile.purchases is not change.purchases_before and change.entry is not change.before:
            self._look(turn, by_order=True)
        for trigger in self._on_order:
            trigger.on_order(turn, told)
        if told.order is not None and change.is_new and entry.cancelled_ms is None:
            episodes.settle(turn, self.triggers, told.order, entry.contribution)
        if watching:
            self._watch.after_order(turn, arrival, change, fresh=fresh)

    def _note_purchase(self, turn: Turn, arrival: Arrival, change: ledger.OrderChange) -> OrderTold:
        """What an order says beyond money: supplies, parcels, interests, and which carts it ends."""
        profile, event, entry = turn.profile, arrival.event, change.entry
        told = OrderTold(arrival=arrival, change=change, supplies=supply.record_purchases(profile, change, turn.book))
        told.delivery = deliveries.note(profile, arrival, change)
        if entry.placed_ms is not None and not entry.test:
            if change.is_new:
                known = [(line, turn.facts(line.product_id, line.category, line.variant_id)) for line in entry.lines]
                bought = [(line.category or facts.category, facts.brand, facts.occasions) for line, facts in known]
                interests.purchase(profile.interests, bought, entry.placed_ms)
                if self._browsed and profile.has_browsing:
                    browsing.note_found(profile, entry.placed_ms)
            if isinstance(event, events.OrderStateEvent) and entry is not change.before:
                told.order, told.carts = _close_carts(turn, told)
                if arrival.time_ms > max(told.order.at_ms, told.order.told_ms):
                    told.order.told_ms = arrival.time_ms
                if entry.couponed:
                    coupons.note_order(profile, event, entry.placed_ms)
        order = told.order
        if entry.placed_ms is not None and (entry.refunds or not change.is_counted):
            order = order or carts.recent_order(profile, entry.order_id)
            if order is not None:
                told.gone = carts.note_gone(order, entry)
        if order is not None and profile.has_watches:
            watches.note_order(profile)
        return told

    def _look(self, turn: Turn, *, by_order: bool = False) -> None:
        """See where she stands now."""
        change = standing.look(turn, self._tier_limits, by_order=by_order)
        for trigger in self._on_standing:
            trigger.on_standing(turn, change)

    # --- feedback -------------------------------------------------------------------------------------------------

    def _feedback(self, turn: Turn, arrival: Arrival, orders: Ledger) -> None:
        """An answer, a ticket, or a step of a case: what the population counts of them goes along with the ledger."""
        before = voices.counters(turn.profile, self.book)
        HANDLERS[type(arrival.event)](turn, arrival)
        add(orders.counted, difference(voices.counters(turn.profile, self.book), before))
        # An answer and a ticket say how content she is, steps of a case what the shop did about it.
        if type(arrival.event) is not events.CaseUpdated and turn.profile.purchases.history is not None:
            self._look(turn)

    # --- carts ----------------------------------------------------------------------------------------------------

    def _cart(self, turn: Turn, arrival: Arrival, listeners: tuple[TriggerDefinition[Any], ...]) -> None:
        profile, event = turn.profile, arrival.event
        cart = carts.apply_cart_event(profile, arrival, turn.book.rules.allowed_lateness_ms, self._carts_forget_ms)
        if cart is None:
            return
        self._remember(turn, arrival)
        watch_cart(turn, arrival)
        added: Sequence[Product] = ()
        if type(event) in ADDING:
            added = (event.product,)  # type: ignore[attr-defined] # as each of ADDING has
        elif type(event) is events.CartUpdated:
            added = carts.added_by(cart, event, arrival.time_ms)
        for product in added:
            interests.touch(
                profile.interests, _ADD, product.category, product.brand, product.occasions, arrival.time_ms
            )
        if cart.ops and cart.ops[-1].message_id != event.message_id:  # it is heard of late
            self._bring_anew(profile, cart, event.message_id)
        if added and self._browsed and profile.has_browsing:
            browsing.note_found(profile, arrival.time_ms, added=True)
        for trigger in self._on_cart:
            trigger.on_cart(turn, cart)
        for trigger in listeners:
            trigger.on_event(turn, arrival)

    def _bring_anew(self, profile: Profile, cart: Cart, message_id: str) -> None:
        """What snapshots brought into a cart goes by what came before them: an add that is heard of later had brought it."""
        gone, new = carts.brought_anew(cart, message_id)
        for at_ms, key in gone:
            said = cart.described.get(key)
            if said is not None:
                interests.take_back(profile.interests, _ADD, said.category, said.brand, at_ms)
        for at_ms, key in new:
            said = cart.described.get(key)
            if said is not None:
                interests.touch(profile.interests, _ADD, said.category, said.brand, (), at_ms)

    def _checkout(self, turn: Turn, arrival: Arrival) -> None:
        """A step of a checkout. An order that was heard of before may have come out of it: which cart that ended is known now."""
        profile = turn.profile
        checkout = checkouts.apply_checkout_event(profile, arrival)
        for cart in checkouts.name_carts(profile, checkout, turn.book.rules.allowed_lateness_ms):
            for trigger in self._on_cart:
                trigger.on_cart(turn, cart)


def _way_of(
    kind: type[Event], handlers: Mapping[type[Event], Handler], triggers: Iterable[TriggerDefinition[Any]]
) -> _Way:
    return _Way(role_of(kind), handlers.get(kind), tuple(trigger for trigger in triggers if kind in trigger.listens))


def _plain(book: Book) -> Book:
    """The book without segments, and without anybody to forget."""
    return replace(book, segments=None, rules=replace(book.rules, visitors=Visitors(forget_after_ms=0)))


def _named(statistic: str, change: Tally) -> Tally:
    """Counters under their full names."""
    return {f"{statistic}:{name}": amount for name, amount in change.items()}


def _wake_at(profile: Profile, due_ms: int) -> str | None:
    """The timer of a trigger's own that is due at this moment, of several the first by its name; None without one."""
    found: str | None = None
    for what, at_ms in profile.wakes.items():
        if at_ms == due_ms and (found is None or what < found):
            found = what
    return found


def _first_of(profile: Profile, due_ms: int) -> str:
    """The name of a trigger one of whose timers is due at this moment."""
    wake = _wake_at(profile, due_ms)
    if wake is not None:
        return wake.partition("|")[0]
    return min((episode.name for episode in profile.episodes.values() if episode.wake_ms == due_ms), default="")


def _close_carts(turn: Turn, told: OrderTold) -> tuple[RecentOrder, list[Cart]]:
    """An order takes what it bought out of the carts and ends checkouts."""
    profile, entry = turn.profile, told.change.entry
    checkout = checkouts.of_order(profile, entry.checkout_id, entry.order_id)
    cart_id = entry.cart_id or (checkout.cart_id if checkout is not None else None)
    touched = carts.apply_order(profile, entry, cart_id, turn.book.rules.allowed_lateness_ms)
    order = carts.recent_order(profile, entry.order_id)
    if order is None:
        assert entry.placed_ms is not None
        products = sorted({line.product_id for line in entry.lines})
        order = RecentOrder(entry.placed_ms, entry.order_id, cart_id, entry.checkout_id, products)
    checkouts.end_by_order(profile, order)
    return order, touched
