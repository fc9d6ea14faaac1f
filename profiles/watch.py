"""Segments in the engine: what is counted and looked at around each event and timer, and who is told of what changed.

An event is looked at in its own time: before it is applied, each change that lies between the clock and it is found at the
very millisecond at which it happens; after it, what it may have changed is looked at. Both do nothing in a shop without
conditions over a time and without segments.
"""

from collections.abc import Sequence
from typing import Any, Final

from profiles.changes import MOVES, TIMERS, TOLD, ZONE, Changed, changed_by
from profiles.definition import TriggerDefinition
from profiles.ledger import OrderChange
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.segments import WAKE, SegmentChange, Segments
from profiles.turn import Turn
from profiles.view import ProfileView
from profiles.windows import NOTHING
from schemas.events import Arrival

TIMER: Final = "timer"
"""The cause of what happens with no event."""


Whereabouts = tuple[str | None, str | None]
"""A customer's time zone and country, as events told them."""
Resting = tuple[str, dict[str, int], dict[str, int]]
"""The definitions a customer was last looked at by, the segments she is in and those she left a moment ago."""


class Watch:
    """Keeps up the segments of whichever profile a turn is about, and tells these triggers. Has no state of its own."""

    __slots__ = ("_looks_again", "_segments", "_told")

    def __init__(self, segments: Segments, told: Sequence[TriggerDefinition[Any]]) -> None:
        self._segments, self._told = segments, told
        self._looks_again = segments.read(TOLD)

    def before(self, turn: Turn, orders: Ledger) -> Whereabouts:
        """Before an event changes anything: bring the profile up to its time. Gives where she is known to be.

        Raises NeedLedger(None), before changing anything, where new definitions take the whole ledger.
        """
        profile, segments = turn.profile, self._segments
        if segments.stale(profile):
            segments.prepare(profile, orders, turn.book)
            self._take_up(turn, _now_ms(turn))
        if WAKE in profile.wakes:
            now_ms = _now_ms(turn)
            while (wake_ms := profile.wakes.get(WAKE)) is not None and wake_ms < now_ms:
                self._look(turn, NOTHING, wake_ms, TIMER)
        return _whereabouts(profile)

    def after(self, turn: Turn, arrival: Arrival, before: Whereabouts) -> None:
        """After an event that is no repeat and no order. `before` is where she was known to be."""
        changed, noted = changed_by(arrival.event), self._segments.windows.note(turn.profile, arrival, turn.book)
        if before != _whereabouts(turn.profile):
            changed |= ZONE
        # Most events move no count; the sets of the table know their hash, a union does not.
        self._look(turn, changed | noted if noted else changed, _now_ms(turn), turn.cause)

    def after_order(self, turn: Turn, arrival: Arrival, change: OrderChange, *, fresh: bool) -> None:
        """After an order event; it may be a repeat (not `fresh`), which can still bring what was not known of the order."""
        windows, profile = self._segments.windows, turn.profile
        changed = changed_by(arrival.event) | windows.exchange(profile, change.before, change.entry, turn.book)
        if fresh:
            changed |= windows.note(profile, arrival, turn.book)
        self._look(turn, changed, _now_ms(turn), turn.cause)

    def after_merge(self, turn: Turn, orders: Ledger) -> None:
        """After another profile became part of this one, or was taken out of it. Where what is counted takes orders that are not
        loaded, its next event asks for them.
        """
        segments, profile = self._segments, turn.profile
        if not segments.to_take_up(profile) and (orders.complete or not segments.windows.needs_ledger(profile)):
            segments.prepare(profile, orders, turn.book)
            self._look(turn, NOTHING, _now_ms(turn), turn.cause)

    def resting(self, profile: Profile) -> Resting:
        """Where a customer stands who wants to be left alone, before what had happened earlier is taken in: see `rest`."""
        memberships = profile.memberships
        return profile.definitions, dict(memberships.inside_ms), dict(memberships.left_ms)

    def rest(self, profile: Profile, before: Resting) -> None:
        """She is in no other segments than before, whatever was counted: what has changed shows when she may be told of."""
        memberships = profile.memberships
        profile.definitions, memberships.inside_ms, memberships.left_ms = before
        memberships.held = []

    def prepare(self, turn: Turn, orders: Ledger) -> None:
        """Before she is looked at `again`. Raises NeedLedger(None) before changing anything, where it takes the whole ledger."""
        self._segments.prepare(turn.profile, orders, turn.book)

    def after_answer(self, turn: Turn) -> None:
        """After a claim of an identifier was answered and nothing came of it. What is stale its next event looks at."""
        if not self._segments.stale(turn.profile):
            self._look(turn, MOVES, _now_ms(turn), turn.cause)

    def again(self, turn: Turn, orders: Ledger) -> None:
        """After what may have changed anything of her: all segments are looked at, and what shows is news, but for what new
        definitions bring.
        """
        segments, profile = self._segments, turn.profile
        if not segments.to_take_up(profile):
            segments.mark(profile)
            self.after_merge(turn, orders)
        elif orders.complete or not segments.windows.needs_ledger(profile):
            segments.prepare(profile, orders, turn.book)
            self._take_up(turn, _now_ms(turn))

    def wake(self, turn: Turn, orders: Ledger, due_ms: int) -> None:
        """The timer of the segments has come. Raises NeedLedger(None) before changing anything."""
        self._segments.prepare(turn.profile, orders, turn.book)
        if not self._take_up(turn, due_ms):
            self._look(turn, NOTHING, due_ms, TIMER)

    def take_up(self, turn: Turn, orders: Ledger) -> bool:
        """Where definitions are new, bring the profile to them; gives whether they were. Raises NeedLedger(None) before
        changing anything.
        """
        if not self._segments.to_take_up(turn.profile):
            return False
        self._segments.prepare(turn.profile, orders, turn.book)
        return self._take_up(turn, _now_ms(turn))

    def after_timer(self, turn: Turn, clock_ms: int) -> None:
        """After a trigger's timer, under a clock: what was decided shows in the profile, and a segment may ask for it."""
        if self._segments.stale(turn.profile):
            return  # what new definitions count may take the whole ledger: the next event or the job asks for it
        now_ms = max(min(turn.now_ms, clock_ms), turn.profile.activity.last_ms or 0)
        self._look(turn, TIMERS, now_ms, TIMER)

    def _take_up(self, turn: Turn, at_ms: int) -> bool:
        if not self._segments.to_take_up(turn.profile):
            return False
        self._tell(turn, self._segments.take_up(ProfileView(turn.profile, turn.book, at_ms)), at_ms, TIMER)
        return True

    def _look(self, turn: Turn, changed: Changed, at_ms: int, cause: str) -> None:
        view = ProfileView(turn.profile, turn.book, at_ms)
        changes = self._segments.after(view, changed).changes
        if changes and self._told:
            self._tell(turn, changes, at_ms, cause)

    def _tell(self, turn: Turn, changes: Sequence[SegmentChange], at_ms: int, cause: str) -> None:
        for change in changes:
            # A change is news of its own moment, however late the event was that brought it.
            told = Turn(turn.profile, turn.book, turn.at, turn.out, cause, at_ms, at_ms)
            for trigger in self._told:
                trigger.on_segment(told, change)
        if changes and self._looks_again:
            # What was planned or ended by that stands among her triggers. It comes to an end: none changes twice at once.
            self._look(turn, TOLD, at_ms, cause)


def _now_ms(turn: Turn) -> int:
    """The event's time; the newest event's or the clock where those are later, since looks never go back."""
    return max(turn.time_ms, turn.at.clock_ms, turn.profile.activity.last_ms or 0)


def _whereabouts(profile: Profile) -> Whereabouts:
    return (profile.timezone[1] if profile.timezone else None, profile.country[1] if profile.country else None)
