"""What customers say: net promoter scores with their intervals, open cases, and how well the loop is closed.

Relational answers (the last of each customer) and transactional ones (each) are never mixed, and a score under 30 answers is
not shown (`streams.insight.nps_report`). A window is of days on which surveys were sent, up to today: so a customer's last
relational answer is also her last in the window. Days are the shop's; a case counts as overdue, or as expired, once its whole
day does.
"""

from typing import Final

from msgspec import Struct

from profiles.insight.nps import Kind
from profiles.insight.tallies import merged
from profiles.rates import DAY_MS
from profiles.statistics import part_of
from streams.insight.nps_report import Loop, Nps, OpenCases, read_loop, read_nps, read_open
from streams.reporting.missing import Missing
from streams.reporting.snapshot import Snapshot

NO_ANSWERS: Final = Missing(
    "no_answers", "nobody has answered a survey yet; send `NPS Submitted` events, and the trigger nps.survey asks"
)
KINDS: Final[tuple[Kind, ...]] = ("relational", "transactional")
WINDOWS: Final = (90, 365)
"""Days up to today whose surveys are looked at together."""
LOOP_DAYS: Final = 90
"""Days up to the last one that is due, whose cases the loop is judged by."""


class Score(Struct, frozen=True):
    """The score of one kind over the surveys sent within so many days."""

    kind: Kind
    days: int
    nps: Nps


class FeedbackFigures(Struct, frozen=True, tag=True):
    """Scores by kind and window, those without an answer left out; cases that are open; and how cases were kept."""

    scores: list[Score]
    open: OpenCases
    loop: Loop


def feedback(found: Snapshot) -> FeedbackFigures | Missing:
    """The section as of today."""
    answers, cases = part_of(found.counters, "nps"), part_of(found.counters, "cases")
    if not answers and not cases:
        return NO_ANSWERS
    counters = merged((answers, part_of(found.counters, "asked")))
    scores = [
        Score(kind, days, nps)
        for kind in KINDS
        for days in WINDOWS
        if (nps := read_nps(counters, kind, found.today - days + 1, found.today)).answers
    ]
    last_due_day = _whole_days_before(found.today, found.contact_due_ms)
    expired_until_day = _whole_days_before(found.today, found.case_expires_ms)
    return FeedbackFigures(
        scores,
        read_open(cases, last_due_day, expired_until_day),
        read_loop(cases, last_due_day - LOOP_DAYS + 1, last_due_day, found.contact_due_ms, expired_until_day),
    )


def _whole_days_before(today: int, span_ms: int) -> int:
    """The last day of which every moment is so long ago, wherever in today we are.

    >>> _whole_days_before(100, DAY_MS), _whole_days_before(100, DAY_MS + 1)
    (98, 97)
    """
    return today - 1 - -(-span_ms // DAY_MS)
