"""A customer whose segments are kept up while a history is played: the calls that an engine makes, and nothing else."""

from profiles.book import Book
from profiles.changes import Changed, changed_by
from profiles.engine import ORDER_EVENTS, Engine
from profiles.expressions.errors import Failed
from profiles.expressions.scope import Scope
from profiles.profile import Profile
from profiles.segments import SegmentChange, Segments
from profiles.state import Ledger, Moment
from profiles.view import ProfileView
from schemas.events import Arrival, OrderEvent


class SegmentShop:
    """One profile under a simulated clock, and all segment changes there were."""

    def __init__(self, segments: Segments, book: Book) -> None:
        self.segments, self.book, self.engine = segments, book, Engine(book)
        self.profile, self.orders = Profile("user_id:ada"), Ledger(complete=True)
        self.now_ms = 0
        self.told: list[SegmentChange] = []
        self.wakes = 0

    def look(self, changed: Changed, at_ms: int) -> None:
        view = ProfileView(self.profile, self.book, at_ms)
        found = self.segments.after(view, changed)
        self.told += found.changes
        assert found.next_wake_ms == self.profile.wake_ms

    def wait(self, until_ms: int) -> None:
        """Let time pass: the profile is looked at whenever it wants to be."""
        while (wake_ms := self.profile.wake_ms) is not None and wake_ms <= until_ms:
            assert wake_ms >= self.now_ms
            self.now_ms = wake_ms
            self.wakes += 1
            self.told += self.segments.catch_up(self.profile, self.book, wake_ms)
            assert self.profile.wake_ms is None or self.profile.wake_ms > wake_ms
        self.now_ms = max(self.now_ms, until_ms)

    def apply(self, arrival: Arrival) -> None:
        """An event that is no repeat."""
        event = arrival.event
        self.now_ms = max(self.now_ms, arrival.time_ms)
        self.segments.prepare(self.profile, self.orders, self.book)
        before = self.orders.get(event.order_id) if isinstance(event, OrderEvent) else None
        self.engine.step(self.profile, arrival, Moment(arrival.time_ms), self.orders, [])
        windows = self.segments.windows
        changed = changed_by(event) | windows.note(self.profile, arrival, self.book)
        if type(event) in ORDER_EVENTS:
            assert isinstance(event, OrderEvent)
            after = self.orders.get(event.order_id)
            changed |= windows.exchange(self.profile, before, after, self.book)
        self.look(changed, self.now_ms)

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
