"""What another identifier's home says to a profile, and what follows: triggers look again at what came, and at who she is now.

`profiles.links` and `profiles.splitting` say what becomes of the two profiles; here what waits is planned anew on the one
there is now, and what one had ordered is held against what the other one was sent.
"""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from msgspec.structs import replace

from profiles import episodes, identity, ledger, links, privacy, sides, splitting
from profiles.book import Book
from profiles.content import OrderTold
from profiles.definition import TriggerDefinition, hears
from profiles.ids import renamed
from profiles.order_state import Ledger, OrderEntry, decode_entry
from profiles.profile import Profile
from profiles.replan import replan
from profiles.state import Delivery, Episode, Moment
from profiles.supply import SupplyChange
from profiles.triggers import CHECKOUT_ABANDONED
from profiles.turn import Output, Turn
from profiles.watch import Watch
from schemas import events
from schemas.events import Arrival
from schemas.moves import HOPS_MAX, Absorb, Link, LinkRefused, Move, Restore, Return, Statement


def cause_of(what: Move) -> str:
    """The cause of what a move brings about: its message and the type of the identifier it is about, as "m1/anonymous_id". The
    message itself may have brought about the same before, by another decision. An event that is given back is its own cause.
    """
    if isinstance(what, Return):
        return what.cause
    return f"{what.cause}/{links.kind_of(what.absorbed if isinstance(what, Absorb) else what.identifier)}"


class _InBoth(NamedTuple):
    """An order that two profiles both told of, as either knew it before they became one."""

    ours: OrderEntry
    theirs: OrderEntry
    parcel: Delivery | None
    """Of ours."""


class Moving:
    """Takes in moves by one book and one set of triggers. `told` are those that hear of anything, `watch` the segments (None
    where the shop has none), and `look` says anew where a customer stands.
    """

    def __init__(
        self,
        book: Book,
        triggers: episodes.Triggers,
        told: Collection[TriggerDefinition[Any]],
        watch: Watch | None,
        look: Callable[[Turn], None],
    ) -> None:
        self._book, self._triggers, self._watch, self._look = book, triggers, watch, look
        self._on_cart = [trigger for trigger in told if hears(trigger, "on_cart")]
        self._on_order = [trigger for trigger in told if hears(trigger, "on_order")]
        self._on_united = [trigger for trigger in told if hears(trigger, "on_united")]
        self._on_parted = [trigger for trigger in told if hears(trigger, "on_parted")]

    def take(self, profile: Profile, what: Statement, at: Moment, orders: Ledger, out: list[Output]) -> bool:
        """Take in a move, and let the triggers know; gives whether the profile became a redirect.

        Raises NeedLedger(None) before changing anything.
        """
        declines = (
            isinstance(what, Absorb)
            and not what.returned
            and what.hops <= HOPS_MAX
            and any(privacy.is_anothers(profile, one) for one in (what.absorbed, *what.via))
        )
        if privacy.is_closed(profile) and not declines:
            turn = Turn(profile, self._book, at, out, cause_of(what), what.at_ms, what.at_ms)
            privacy.refuse_move(turn, what)
            if isinstance(what, Restore) and what.closing:
                splitting.answer(turn, what.cause)
            return False
        if isinstance(what, Link):
            return links.take_link(profile, orders, what, out)
        turn = Turn(profile, self._book, at, out, cause_of(what), what.at_ms, what.at_ms)
        if isinstance(what, Restore):
            given = splitting.take_restore(turn, orders, what)
            if given is None:
                self._after_answer(turn)
            else:
                self._look_again(turn, given, parted=True)
                if not profile.suppressed:
                    self._plan_again(turn, given)
                    self.look_anew(turn, orders)
            return False
        onwards = links.passed_on(profile, what, self._book.rules.identity)
        if onwards is not None:
            if onwards.customer != links.NOBODY:
                out.append(onwards)
            return False
        if isinstance(what, LinkRefused):
            links.refuse(turn, what)
            self._after_answer(turn)
        elif declines:
            splitting.decline(turn, what)
        else:
            own = None
            in_both: list[_InBoth] = []
            waited = dict(profile.episodes)
            if what.closing and bytes(what.profile) != b"null" and what.absorbed not in profile.absorbed:
                own, in_both = (_ordered(profile), _sent(profile)), _in_both(profile, orders, what)
            brought = links.take_absorb(turn, orders, what)
            if brought is not None:
                for side in profile.kept_sides():
                    sides.tidy(side, self._triggers, self._book, turn.now_ms)
                self._go_on(turn, waited, brought)
                self._join(turn, waited, brought)
                self._look_again(turn, brought)
                if what.closing:
                    if own is not None:
                        self._settle(turn, orders, own, (_ordered(brought), _sent(brought)))
                        self._tell_united(turn, orders, brought, in_both)
                        for trigger in self._on_united:
                            trigger.on_united(turn, brought)
                    if what.entries or brought.orders.count or brought.has_feedback:
                        self._look(turn)
                    if self._watch is not None and not profile.suppressed:
                        self._watch.after_merge(turn, orders)
                if profile.suppressed:
                    episodes.cancel_all(turn, self._triggers, "suppressed")
            else:
                self._after_answer(turn)
        return False

    def _after_answer(self, turn: Turn) -> None:
        """A claim of an identifier was answered, and nothing came of it."""
        if self._watch is not None and not turn.profile.suppressed:
            self._watch.after_answer(turn)

    def _go_on(self, turn: Turn, waited: dict[str, Episode], brought: Profile) -> None:
        """What waited about her under another name, and what both waited for, goes on under one id. What the two together have
        no place for ends.
        """
        for place, theirs in brought.episodes.items():
            if (trigger := self._triggers.get(theirs.name)) is not None:
                before = [replace(theirs, key=renamed(theirs.key, turn.profile.id, brought.id))]
                if (ours := waited.get(place)) is not None:
                    before.append(ours)
                episodes.go_on(turn, trigger, turn.profile.episodes.get(place), before)
        for place, ours in waited.items():
            trigger = self._triggers.get(ours.name)
            if trigger is not None and place not in turn.profile.episodes and place not in brought.episodes:
                episodes.go_on(turn, trigger, None, [ours])

    def _join(self, turn: Turn, waited: dict[str, Episode], brought: Profile) -> None:
        """Triggers hear of what both waited for."""
        for place, ours in waited.items():
            theirs, episode = brought.episodes.get(place), turn.profile.episodes.get(place)
            trigger = self._triggers.get(ours.name)
            if theirs is not None and episode is not None and trigger is not None:
                trigger.on_joined(turn, episode, theirs if episode is ours else ours)

    def _look_again(self, turn: Turn, brought: Profile, *, parted: bool = False) -> None:
        """What waits is planned anew on the united profile: for carts, orders, coupons and answers that came, and for what waited
        for a login. `parted`: it comes back, with what waits for it.
        """
        profile = turn.profile
        if identity.reachable(profile):
            episodes.release_held(turn)
        # A checkout is about a cart that may be known here alone.
        begun = brought.checkouts.values() if brought.has_checkouts else ()
        taken_over = [checkout.cart_id for checkout in begun if checkout.cart_id is not None]
        for cart_id in dict.fromkeys((*brought.carts, *taken_over)):
            cart = profile.carts.get(cart_id)
            if cart is None:
                continue
            lately = turn.now_ms - cart.changed_ms <= turn.book.rules.allowed_lateness_ms
            for trigger in self._on_cart:
                if parted and trigger.waits_apart:
                    continue
                # A cart of days ago may be what a checkout that has just begun is about.
                if lately or trigger is CHECKOUT_ABANDONED:
                    trigger.on_cart(turn, cart)
        told = brought.has_supply or brought.has_coupons or brought.has_feedback or brought.has_checkouts
        if (profile.episodes or profile.wakes) and (told or brought.orders.count):
            replan(turn, self._triggers)

    def _plan_again(self, turn: Turn, given: Profile) -> None:
        """What had waited about orders that are hers again goes on."""
        for episode in given.episodes.values():
            trigger = self._triggers.get(episode.name)
            if trigger is not None:
                episodes.plan_as(turn, trigger, episode)

    def look_anew(self, turn: Turn, orders: Ledger) -> None:
        """What she waits for and where she stands, by what is hers after a split; or by what is known now that she may be written
        to again: her suppression had ended all she waited for, and nobody looked at her since.
        """
        turn.orders = orders
        if turn.profile.episodes or turn.profile.wakes:
            replan(turn, self._triggers)
        for trigger in self._on_parted:
            trigger.on_parted(turn)
        self._look(turn)
        if self._watch is not None:
            self._watch.again(turn, orders)

    def _settle(
        self, turn: Turn, orders: Ledger, ours: tuple[set[str], set[str]], theirs: tuple[set[str], set[str]]
    ) -> None:
        """Hold what each of two profiles that became one had ordered against what was sent to the other."""
        for order in turn.profile.recent_orders if turn.profile.has_recent_orders else ():
            entry = orders.known(order.order_id)
            if entry is None or entry.cancelled_ms is not None:
                continue
            for (ordered, _), (_, sent) in ((ours, theirs), (theirs, ours)):
                if sent and order.order_id in ordered:
                    episodes.settle(turn, self._triggers, order, entry.contribution, sent)

    def _tell_united(self, turn: Turn, orders: Ledger, brought: Profile, in_both: list[_InBoth]) -> None:
        """Of an order that both told of, one may have known the placing, and the other the parcel or a refund: triggers hear of
        it as if what the other one knew had come now. What either had planned or asked about it counts.
        """
        profile = turn.profile
        for ours, theirs, parcel in in_both:
            order_id, before, known = ours.order_id, ours, parcel
            entry = orders.get(order_id)
            if entry is None or entry.placed_ms is None or (entry is ours and theirs.placed_ms is None):
                continue
            if ours.placed_ms is None or entry is ours:
                before, known = theirs, brought.deliveries.get(order_id)
            now = profile.deliveries.get(order_id)
            event = events.OrderUpdated(message_id=turn.cause, timestamp_ms=turn.time_ms, order_id=order_id)
            arrival = Arrival(event, turn.time_ms, turn.received_ms, profile.id, profile.id.partition(":")[2])
            told = OrderTold(
                arrival=arrival,
                change=ledger.OrderChange(entry, before, type(event), None, None, profile.purchases),
                supplies=SupplyChange({}),
                delivery=None if now == known else now,
            )
            for trigger in self._on_order:
                trigger.on_order(turn, told)


def _ordered(profile: Profile) -> set[str]:
    """The orders it remembers, by their ids."""
    return {order.order_id for order in profile.recent_orders} if profile.has_recent_orders else set()


def _in_both(profile: Profile, orders: Ledger, absorb: Absorb) -> list[_InBoth]:
    """The orders that are in the ledger of both. Raises NeedLedger(None) where not all of this profile's are loaded."""
    if not absorb.entries:
        return []
    ours = {entry.order_id: entry for entry in orders.all()}
    theirs = [decode_entry(bytes(entry)) for entry in absorb.entries] if ours else []
    return [
        _InBoth(ours[entry.order_id], entry, profile.deliveries.get(entry.order_id))
        for entry in theirs
        if entry.order_id in ours
    ]


def _sent(profile: Profile) -> set[str]:
    """What was sent lately, by its trigger ids."""
    return {sent.trigger_id for sent in profile.emitted} if profile.has_emitted else set()
