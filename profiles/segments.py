"""Segments: named conditions over a customer, kept up as she changes and as time goes by.

`[segments.big_spenders]` in the rules gives a segment its condition. Which segments she is in, and since when, lies in her
profile. After an event only those are looked at that read something it can have changed; what changes with time alone
(a window that an order leaves, a date that is passed, an interest that fades) is looked at in the very millisecond it turns,
by the profile's timer WAKE. Entering and leaving are facts (`SegmentChange`) that become triggers.

A change so soon after the last one of the same segment (COALESCE_MS) waits that long and is dropped if it is taken back in
the meantime. A condition that can't be evaluated counts as not met, and is counted in `failures`.

Where definitions are new, what a customer is in by them is noted and not news (`take_up`): only that she has left a segment
that is still there is told. From there on what changes is.

What the caller owes: instants that never go back for one profile and are not before its newest event; `prepare` before an
event changes anything; `after` once, when all of its changes are made.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from profiles.book import Book
from profiles.changes import Changed
from profiles.expressions.errors import ExpressionError
from profiles.expressions.failures import Failures
from profiles.expressions.scope import Scope
from profiles.expressions.source import NO_SOURCE, Source, compile_at
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.state import Memberships
from profiles.view import ProfileView
from profiles.windows import Windows, fingerprint

if TYPE_CHECKING:
    from profiles.expressions.expression import Expression

SEGMENTS_MAX: Final = 200
COALESCE_MS: Final = 5000
UNITED: Final = "united"
"""Stands in the place of the definitions of a profile all of whose segments are to be looked at: it was united with another one,
or was left alone for a time.
"""
WAKE: Final = "segments"
"""The timer among `Profile.wakes` at which one of her segments may change by itself."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEYS: Final = ("when", "version", "description")
_KINDS_OF_CHANGE_MAX: Final = 4096
"""Different sets of changed fields remembered with the segments they concern."""


class Segment(Struct, frozen=True, kw_only=True):
    """A segment as the rules define it. `version` is the shop's own number and travels with every change."""

    key: str
    version: int
    description: str
    when: "Expression"


class SegmentChange(Struct, frozen=True, kw_only=True):
    """A customer entered or left a segment at `at_ms`. `since_ms`: since when she is, or was, in it."""

    segment: str
    version: int
    entered: bool
    at_ms: int
    since_ms: int


class Changes(Struct, frozen=True, gc=False):
    """What became of the segments, in the order they are defined, and when the profile wants to be looked at next."""

    changes: tuple[SegmentChange, ...]
    next_wake_ms: int | None


class Segments:
    """All segments of a shop, compiled. The same for every profile, and changed only by new rules."""

    __slots__ = (
        "_by_key",
        "_by_read",
        "_others",
        "_rules_of",
        "_timed",
        "_touched",
        "failures",
        "fingerprint",
        "of_rules",
        "segments",
        "windows",
    )

    def __init__(
        self,
        segments: Iterable[Segment] = (),
        others: Iterable["Expression"] = (),
        failures: Failures | None = None,
        rules_of: Mapping[str, str] = {},
        shop: Book | None = None,
    ) -> None:
        """`others` are the conditions of triggers: what they count over a time is kept together with ours. `rules_of` are the
        rules by which fields of the document are worked out, as text by the field's first word: a segment that reads one is
        another once they change. `shop` is the book they are of: see `in_shop`.
        """
        self.segments = tuple(segments)
        self._others, self._rules_of = tuple(others), rules_of
        expressions = (*(segment.when for segment in self.segments), *self._others)
        self.windows = Windows(
            ((count.counter, count.span_ms) for expression in expressions for count in expression.counts),
            None if shop is None else shop.catalogue,
        )
        for expression in expressions:
            expression.bind(self.windows)
        self.failures = failures if failures is not None else Failures()
        self._by_read: dict[str, set[str]] = {}
        for segment in self.segments:
            for read in segment.when.reads:
                self._by_read.setdefault(read.partition(".")[0], set()).add(segment.key)
            for count in segment.when.counts:
                self._by_read.setdefault(count.counter.moved_by, set()).add(segment.key)
        defined = [(segment.key, segment.version, segment.when.text) for segment in self.segments]
        by_rules = [said for read, said in sorted(rules_of.items()) if read in self._by_read]
        self.of_rules = (
            fingerprint(repr((defined, self.windows.fingerprint, *by_rules)))
            if defined or self.windows.fingerprint
            else ""
        )
        """Changes with any definition, and with rules that give one another meaning; "" where there is none."""
        by_shop = [self.windows.kinds] if self.windows.kinds else []
        if shop is not None:
            by_shop += [said(shop) for read, said in _OF_SHOP.items() if read in self._by_read]
        self.fingerprint = fingerprint(repr((self.of_rules, *by_shop))) if by_shop else self.of_rules
        """Changes with these, and with all else of the shop that gives one another meaning; "" where there is none."""
        self._by_key = {segment.key: segment for segment in self.segments}
        self._timed = frozenset(segment.key for segment in self.segments if segment.when.timed)
        self._touched: dict[Changed, tuple[Segment, ...]] = {}

    @staticmethod
    def compile(
        document: Mapping[str, Any],
        source: Source = NO_SOURCE,
        others: Iterable["Expression"] = (),
        failures: Failures | None = None,
        rules_of: Mapping[str, str] = {},
    ) -> "Segments":
        """The segments of a rules document (its table `segments`). Raises ExpressionError with the place of what is wrong."""
        tables = document.get("segments", {})
        if not isinstance(tables, Mapping):
            raise ExpressionError("segments: expected tables such as [segments.big_spenders]", "segments")
        if len(tables) > SEGMENTS_MAX:
            raise ExpressionError(f"segments: {len(tables)} are defined, at most {SEGMENTS_MAX} can be", "segments")
        return Segments([_segment(key, table, source) for key, table in tables.items()], others, failures, rules_of)

    def in_shop(self, shop: Book) -> "Segments":
        """The same segments in a shop: with another time zone or catalogue file, or once repurchase was learned, those that go by
        it are others.
        """
        return Segments(self.segments, self._others, self.failures, self._rules_of, shop)

    def stale(self, profile: Profile) -> bool:
        """Whether the profile was last looked at by other definitions. It is looked at anew with its next event, or by a job
        that calls `prepare` and `take_up`.
        """
        return profile.definitions != self.fingerprint

    def to_take_up(self, profile: Profile) -> bool:
        """Whether its definitions are new to a profile that was there before them. One that was united with another has only
        to be looked at again, and what shows then is news.
        """
        return profile.definitions not in (self.fingerprint, UNITED) and profile.activity.last_ms is not None

    def mark(self, profile: Profile) -> None:
        """Have all segments looked at when the profile is next; what shows then is news."""
        if self.fingerprint:
            profile.definitions = UNITED

    def take_up(self, view: ProfileView) -> tuple[SegmentChange, ...]:
        """Look at all segments by new definitions, and keep the outcome in the profile; gives those she has left by them.
        To be called after `prepare`.
        """
        return tuple(change for change in self._anew(view).changes if not change.entered)

    def prepare(self, profile: Profile, ledger: Ledger, book: Book) -> None:
        """To be called before an event changes anything. Where definitions are new, gathers from the ledger what they count.

        Raises NeedLedger(None), before changing anything, where that takes the whole ledger.
        """
        if profile.definitions == self.fingerprint:
            return
        if self.windows.needs_ledger(profile):
            entries = ledger.all() if profile.orders.count else []
            self.windows.rebuild(profile, entries, book)
        self.windows.tidy(profile)

    def after(self, view: ProfileView, changed: Changed) -> Changes:
        """Look again at what may have changed, and keep the outcome in the profile.

        `changed` are fields of the document and counters (see `profiles.changes` and `Windows.note`); the view's instant is
        when it happened.
        """
        profile = view.profile
        if profile.definitions != self.fingerprint:
            return self._anew(view)
        touched = self._touched.get(changed)
        if touched is None:
            touched = self._index(changed)
        wake_ms = profile.wakes.get(WAKE)
        if wake_ms is not None and view.now_ms >= wake_ms:
            again = self._timed.union(profile.memberships.held)
            touched = self._in_order(again.union(segment.key for segment in touched))
            wake_ms = None
        elif not touched:
            return Changes((), wake_ms)
        return self._look(view, touched, wake_ms)

    def read(self, changed: Changed) -> bool:
        """Whether any segment reads one of these fields."""
        return not changed.isdisjoint(self._by_read)

    def named(self, key: str) -> Segment | None:
        """A segment by its name, None if there is none."""
        return self._by_key.get(key)

    def unite(self, into: Profile, orders: Ledger, other: Profile, book: Book, *, was_there: bool) -> None:
        """Add what another profile of the same customer counted, where the orders of both are in one ledger already. `was_there`:
        anything was known of her before.

        Which segments she is in now shows when she is looked at next: all of them then are.
        """
        if self.fingerprint:
            self.windows.unite(into, other)
            if orders.complete and not self.windows.needs_ledger(into):
                self.windows.rebuild(into, orders.all(), book)
            if not was_there or not self.to_take_up(into):
                self.mark(into)

    def _anew(self, view: ProfileView) -> Changes:
        profile = view.profile
        profile.definitions = self.fingerprint
        memberships = profile.memberships
        for kept in (memberships.inside_ms, memberships.left_ms):
            for key in [key for key in kept if key not in self._by_key]:
                del kept[key]
        memberships.held = []
        return self._look(view, self.segments, None)

    def _look(self, view: ProfileView, touched: tuple[Segment, ...], wake_ms: int | None) -> Changes:
        memberships = view.profile.memberships
        view.holds_until_ms = wake_ms
        _forget(memberships, view.now_ms)
        changes = []
        for segment in touched:
            met = self.failures.ask(f"segments.{segment.key}", segment.when, Scope(view))
            change = _settle(memberships, segment, view, met=met)
            if change is not None:
                changes.append(change)
        if view.holds_until_ms is not None:
            view.profile.wakes[WAKE] = view.holds_until_ms
        else:
            view.profile.wakes.pop(WAKE, None)
        return Changes(tuple(changes), view.holds_until_ms)

    def _index(self, changed: Changed) -> tuple[Segment, ...]:
        if len(self._touched) >= _KINDS_OF_CHANGE_MAX:
            self._touched.clear()
        keys = frozenset().union(*(self._by_read.get(name, ()) for name in changed))
        touched = self._touched[changed] = self._in_order(keys)
        return touched

    def _in_order(self, keys: Iterable[str]) -> tuple[Segment, ...]:
        wanted = frozenset(keys)
        return tuple(segment for segment in self.segments if segment.key in wanted)


_OF_SHOP: Final[dict[str, Callable[[Book], str]]] = {
    # Releases before had no word for a grant that has ended: whoever was looked at by them is looked at anew, and woken then.
    "consent": lambda _: "ends",
    "predicted": lambda shop: shop.shop_timezone,
    # By later models who has supplies is looked at with each day of the shop; before the first ones nobody waits for that.
    "replenishment": lambda shop: (
        f"{shop.shop_timezone} {shop.catalogue.supplies} {'' if shop.models.repurchase is None else 'learned'}"
    ),
}
"""What fields of the public document are worked out by besides rules, by the field's first word."""


def _settle(memberships: Memberships, segment: Segment, view: ProfileView, *, met: bool) -> SegmentChange | None:
    """Enter or leave a segment, or hold the change back where the last one is too near."""
    key, now_ms = segment.key, view.now_ms
    inside, left = memberships.inside_ms, memberships.left_ms
    if memberships.held and key in memberships.held:
        memberships.held.remove(key)
    since_ms = inside.get(key)
    if met is (since_ms is not None):
        return None
    last_ms = left.get(key) if since_ms is None else since_ms
    if last_ms is not None and now_ms < last_ms + COALESCE_MS:
        memberships.held.append(key)
        view.holds_until(last_ms + COALESCE_MS)
        return None
    if since_ms is None:
        inside[key] = since_ms = now_ms
        left.pop(key, None)
    else:
        del inside[key]
        left[key] = now_ms
    return SegmentChange(segment=key, version=segment.version, entered=met, at_ms=now_ms, since_ms=since_ms)


def _forget(memberships: Memberships, now_ms: int) -> None:
    """What was left longer ago than a change waits for is of no use any more."""
    left = memberships.left_ms
    if left:
        for key in [key for key, left_ms in left.items() if now_ms >= left_ms + COALESCE_MS]:
            del left[key]


def _segment(key: str, table: Any, source: Source) -> Segment:
    from profiles.expressions.messages import near  # as in compile_at: only who defines segments needs the library

    where = f"segments.{key}"
    if _NAME.fullmatch(key) is None:
        raise ExpressionError(f"{where}: a segment's name has small letters, digits and _, at most 64", where)
    if not isinstance(table, Mapping):
        raise ExpressionError(f"{where}: expected a table [{where}] with a condition `when`", where)
    for name in table:
        if name not in _KEYS:
            raise ExpressionError(f"{where}.{name}: unknown key; {near(name, _KEYS)}", f"{where}.{name}")
    if "when" not in table:
        raise ExpressionError(f"{where}: the condition `when` is missing", where)
    version, description = table.get("version", 1), table.get("description", "")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ExpressionError(
            f"{where}.version: expected a whole number from 1 on, got {version!r}", f"{where}.version"
        )
    if not isinstance(description, str):
        raise ExpressionError(f"{where}.description: expected a text, got {description!r}", f"{where}.description")
    when = compile_at(table["when"], ("segments", key, "when"), source, exact=True)
    return Segment(key=key, version=version, description=description, when=when)
