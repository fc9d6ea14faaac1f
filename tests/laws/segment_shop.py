"""A customer whose segments are kept up by the real engine while a history is played."""

from typing import ClassVar

from msgspec.structs import replace
from typing_extensions import override

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.engine import Engine
from profiles.expressions.errors import Failed
from profiles.expressions.scope import Scope
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.rules import TriggerRule
from profiles.segments import WAKE, SegmentChange, Segments
from profiles.state import Moment
from profiles.turn import Turn
from profiles.view import ProfileView
from schemas.events import Arrival


class ListenerRule(TriggerRule, frozen=True, kw_only=True):
    """It has none of its own."""

    trigger: ClassVar[str] = "listener"


class Listener(TriggerDefinition[ListenerRule]):
    """A trigger that only writes down what it hears."""

    name = "listener"
    rule_type = ListenerRule

    def __init__(self) -> None:
        self.told: list[SegmentChange] = []

    @override
    def on_segment(self, turn: Turn, change: SegmentChange) -> None:
        assert turn.time_ms == change.at_ms
        self.told.append(change)


class SegmentShop:
    """One profile under a simulated clock, and all segment changes there were."""

    def __init__(self, segments: Segments, book: Book) -> None:
        self.profile, self.orders = Profile("user_id:ada"), Ledger(complete=True)
        self.now_ms = 0
        self.wakes = 0
        self._listener = Listener()
        self.by_rules(segments, book)

    def by_rules(self, segments: Segments, book: Book) -> None:
        """Go on by these definitions."""
        self.engine = Engine(replace(book, segments=segments), [self._listener])
        self.book = self.engine.book
        assert self.book.segments is not None
        self.segments = self.book.segments

    @property
    def told(self) -> list[SegmentChange]:
        return self._listener.told

    def wait(self, until_ms: int) -> None:
        """Let time pass: the profile is looked at whenever it wants to be."""
        while (wake_ms := self.profile.wakes.get(WAKE)) is not None and wake_ms <= until_ms:
            assert wake_ms >= self.now_ms
            self.now_ms = wake_ms
            self.wakes += 1
            self.engine.fire(self.profile, Moment(wake_ms + 1), self.orders, [])
            assert self.profile.wakes.get(WAKE, until_ms + 1) > wake_ms
        self.now_ms = max(self.now_ms, until_ms)

    def apply(self, arrival: Arrival) -> None:
        """An event; its time may lie ahead of all timers that are due before it."""
        clock_ms, self.now_ms = self.now_ms, max(self.now_ms, arrival.time_ms)
        self.engine.step(self.profile, arrival, Moment(clock_ms), self.orders, [])

    def look_anew(self, at_ms: int) -> None:
        """Look at the profile at an instant although nothing has happened."""
        self.profile.wakes[WAKE] = at_ms
        self.wait(at_ms)

    def inside(self) -> set[str]:
        return set(self.profile.memberships.inside_ms)

    def by_hand(self, at_ms: int) -> set[str]:
        """The segments whose condition holds at an instant, asked anew."""
        found = set()
        for segment in self.segments.segments:
            try:
                if segment.when.met(Scope(ProfileView(self.profile, self.book, at_ms))):
                    found.add(segment.key)
            except Failed:
                pass
        return found
