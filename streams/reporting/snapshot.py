"""What a report is made from: the counters of all partitions at a moment, and what the shop's rules say about them.

One JSON file (`population.json`), written by runs in memory and by `regulars report --keep` from the live stores. An `earlier`
one of the same shop lets a report hold what was foretold then against what came since.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.feedback_rules import FeedbackOverdueRule
from profiles.holdout_plans import Plan, measured_triggers, plans
from profiles.insight.cases import CONTACT_DUE_MS
from profiles.insight.pair_table import Recommendations
from profiles.rules import OpenFeedback

FILE: Final = "population.json"
VERSION: Final = 1
KEPT_OF_EARLIER: Final = (
    "value:buyers|",
    "value:gaps",
    "value:spend|",
    "value:margin|",
    "value:spread|",
    "value:value|",
)
"""Counters of an earlier moment that a report compares: those that a value model is fitted from."""
EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


class SnapshotError(ValueError):
    """A file of counters can't be used. The message names the file and what to do; nothing was reported.

    Operator action: make the file anew with this release.
    """


class Earlier(Struct, frozen=True, kw_only=True):
    """Counters as of the end of an earlier day."""

    today: int
    counters: dict[str, int]


class Snapshot(Struct, frozen=True, kw_only=True):
    """The counters of a shop at `now_ms`. `today` is that day on the shop's calendar, since 1970-01-01.

    `plans` are the hold-outs of its rules, `measured` the triggers that somebody is held out of. A low score is to be answered
    within `contact_due_ms`, and its case expires after `case_expires_ms`.
    """

    v: int = VERSION
    shop_id: str
    currency: str
    timezone: str
    now_ms: int
    today: int
    counters: dict[str, int]
    plans: tuple[Plan, ...] = ()
    measured: dict[str, str] = {}
    earlier: Earlier | None = None
    together: Recommendations | None = None
    contact_due_ms: int = CONTACT_DUE_MS
    case_expires_ms: int = OpenFeedback().expires_ms


def snapshot(
    book: Book,
    triggers: Iterable[TriggerDefinition[Any]],
    counters: Mapping[str, int],
    now_ms: int,
    earlier: Earlier | None = None,
) -> Snapshot:
    """The counters of a shop as of now (epoch ms UTC)."""
    triggers = list(triggers)
    return Snapshot(
        shop_id=book.shop_id,
        currency=book.shop_currency,
        timezone=book.shop_timezone,
        now_ms=now_ms,
        today=book.shop_day(now_ms),
        counters=dict(sorted(counters.items())),
        plans=tuple(plans(book, triggers)),
        measured=measured_triggers(book, triggers),
        earlier=earlier,
        together=book.models.together,
        contact_due_ms=book.rule(FeedbackOverdueRule).contact_due_ms,
        case_expires_ms=book.rules.open_feedback.expires_ms,
    )


def earlier_of(counters: Mapping[str, int], today: int) -> Earlier:
    """What is kept of counters to be compared with later."""
    kept = {name: count for name, count in counters.items() if name.startswith(KEPT_OF_EARLIER)}
    return Earlier(today=today, counters=dict(sorted(kept.items())))


def month_name(month: int) -> str:
    """A month as people write it.

    >>> month_name(2026 * 12 + 2)
    '2026-03'
    """
    return f"{month // 12}-{month % 12 + 1:02d}"


def day_name(day: int) -> str:
    """A day since 1970-01-01 as people write it."""
    return date.fromordinal(day + EPOCH_ORDINAL).isoformat()


def write_snapshot(found: Snapshot, folder: Path) -> Path:
    """Write the file; gives where."""
    path = folder / FILE
    path.write_bytes(msgspec.json.encode(found) + b"\n")
    return path


def read_snapshot(path: Path) -> Snapshot:
    """The snapshot in a file, or in a folder's. Raises SnapshotError."""
    if path.is_dir():
        path = path / FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SnapshotError(
            f"{path} can't be read ({error.strerror}); `regulars replay ... --out DIR` writes one, and without a folder "
            "the report is made from the live stores"
        ) from None
    try:
        found = msgspec.json.decode(data, type=Snapshot)
    except msgspec.DecodeError as error:
        raise SnapshotError(f"{path} holds no counters of a shop ({error}); make it anew with this release") from None
    if found.v > VERSION:
        raise SnapshotError(f"{path} has version {found.v}, this release reads up to {VERSION}: update it")
    return found


class EarlierKeeper:
    """Counters of some weeks before the end of a run, when nobody knows yet where the end is.

    `see` is told of the clock now and then, and keeps counters every EVERY_DAYS; `before` gives the newest that are at least
    HELD_OUT_DAYS old at the end, None where the run was too short. `day_of` gives the shop's day of an instant.
    """

    EVERY_DAYS: Final = 14
    HELD_OUT_DAYS: Final = 60

    def __init__(self, day_of: Callable[[int], int]) -> None:
        self._day_of = day_of
        self._kept: list[Earlier] = []

    def see(self, clock_ms: int, counters: Callable[[], Mapping[str, int]]) -> None:
        """Take the counters as of this clock where it is time for it."""
        today = self._day_of(clock_ms)
        if self._kept and today < self._kept[-1].today + self.EVERY_DAYS:
            return
        self._kept.append(earlier_of(counters(), today))
        # One that is old enough already is enough: later ones only make it older.
        while len(self._kept) > 1 and self._kept[1].today <= today - self.HELD_OUT_DAYS:
            del self._kept[0]

    def before(self, today: int) -> Earlier | None:
        """The counters to compare those of `today` with."""
        old = [earlier for earlier in self._kept if earlier.today <= today - self.HELD_OUT_DAYS]
        return old[-1] if old and old[-1].counters else None
