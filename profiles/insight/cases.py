"""The closed loop: a detractor's case from opening to verified, and what it adds to the counters of how well it is kept.

Every case counts on the local day it was opened, so that a report can leave out days whose cases are not due yet. How long
the customer waited for contact is kept in buckets of minutes 1 % wide (`profiles.insight.log_histogram`).
"""

from typing import Final, Literal

from msgspec import Struct

from profiles.insight.log_histogram import bucket
from profiles.insight.tallies import Tally

CONTACT_DUE_MS: Final = 24 * 3_600_000
"""Within which a detractor is to be contacted, unless the rules say otherwise."""
MINUTE_MS: Final = 60_000

State = Literal["opened", "assigned", "contacted", "resolved", "verified", "expired"]
STATES: Final[tuple[State, ...]] = ("opened", "assigned", "contacted", "resolved", "verified", "expired")


class Case(Struct, omit_defaults=True, gc=False):
    """One case and when it reached each state (epoch ms; None: not yet). `opened_day` is the local day since 1970."""

    opened_day: int
    opened_ms: int
    assigned_ms: int | None = None
    contacted_ms: int | None = None
    resolved_ms: int | None = None
    verified_ms: int | None = None
    expired_ms: int | None = None

    @property
    def state(self) -> State:
        """The furthest state reached."""
        for state in ("expired", "verified", "resolved", "contacted", "assigned"):
            if getattr(self, f"{state}_ms") is not None:
                return state
        return "opened"

    @property
    def is_open(self) -> bool:
        """Whether promotions and review requests are to be held back."""
        return self.state in {"opened", "assigned", "contacted"}


def contribution(case: Case) -> Tally:
    """The counters of one case: <day>.opened, .contacted, .resolved, .waiting, and .wait.<bucket of minutes>.

    `waiting` is a case that nobody contacted or closed. Whether a contact was in time and a case expired follows from these and
    the rules of whoever reads them, so rules may change without a counter being wrong.

    >>> contribution(Case(20_000, 0, contacted_ms=90 * MINUTE_MS))
    {'20000.opened': 1, '20000.contacted': 1, '20000.wait.90': 1}
    """
    day = case.opened_day
    tally = {f"{day}.opened": 1}
    if case.contacted_ms is not None:
        wait_ms = max(0, case.contacted_ms - case.opened_ms)
        tally[f"{day}.contacted"] = 1
        tally[f"{day}.wait.{bucket(wait_ms // MINUTE_MS)}"] = 1
    if case.resolved_ms is not None or case.verified_ms is not None:
        tally[f"{day}.resolved"] = 1
    elif case.contacted_ms is None:
        tally[f"{day}.waiting"] = 1
    return tally
