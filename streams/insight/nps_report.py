"""Net promoter scores and the closed loop, read from the counters."""

from collections.abc import Iterator, Mapping
from math import sqrt
from typing import Final, Literal

from msgspec import Struct

from profiles.insight.cases import CONTACT_DUE_MS, MINUTE_MS
from profiles.insight.distributions import NORMAL
from profiles.insight.log_histogram import bucket, quantile
from profiles.insight.nps import ALL, Kind

ANSWERS_MIN: Final = 30
"""Answers below which no score is shown: its 95 % interval would be wider than 50 points."""


class Nps(Struct, frozen=True):
    """A score with its interval, or the reason why none is shown.

    `response_rate` is None when no survey was sent, or more were answered than sent, so that others must have been sent
    by somebody else. `answers` may be fewer than `answered`: of a customer's relational answers only the last counts.
    """

    promoters: int
    passives: int
    detractors: int
    asked: int
    answered: int
    response_rate: float | None
    score: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    withheld: Literal["few_answers"] | None = None

    @property
    def answers(self) -> int:
        return self.promoters + self.passives + self.detractors


class Loop(Struct, frozen=True):
    """How detractors' cases were kept, of those whose time for contact is over. Shares are None without cases.

    Waits are minutes until contact over all cases, those never contacted being the longest; None where they reach into those.
    `contacted_in_time` is exact to the width of a bucket of waits, 1 % of the limit.
    """

    opened: int
    contacted_in_time: float | None
    contacted: float | None
    resolved: float | None
    expired: float | None
    wait_p50: float | None
    wait_p90: float | None


class OpenCases(Struct, frozen=True):
    """Cases that are neither resolved nor expired: all, those nobody contacted, and of these how many at least are overdue.

    `oldest_day` is the day the oldest was opened, since 1970-01-01; None where none is open.
    """

    open: int
    waiting: int
    overdue: int
    oldest_day: int | None


def nps(promoters: int, passives: int, detractors: int, asked: int = 0, answered: int = 0, alpha: float = 0.05) -> Nps:
    """NPS = 100 (p - d) with variance 100^2 (p + d - (p - d)^2) / n, the variance of a mean of +1, 0 and -1.

    Where all say the same that is nothing, yet others may not: of so many as n answers can miss (Clopper & Pearson 1934) the
    interval allows that they say the contrary.
    """
    n = promoters + passives + detractors
    rate = answered / asked if asked and answered <= asked else None
    if n < ANSWERS_MIN:
        return Nps(promoters, passives, detractors, asked, answered, rate, withheld="few_answers")
    p, d = promoters / n, detractors / n
    error = 100 * sqrt((p + d - (p - d) ** 2) / n)
    score = 100 * (p - d)
    half = NORMAL.inv_cdf(1 - alpha / 2) * error if error else (1 - (alpha / 2) ** (1 / n)) * (100 + abs(score))
    return Nps(
        promoters,
        passives,
        detractors,
        asked,
        answered,
        rate,
        score,
        error,
        max(-100.0, score - half),
        min(100.0, score + half),
    )


def read_nps(counters: Mapping[str, int], kind: Kind, first_day: int, last_day: int, segment: str = ALL) -> Nps:
    """The score of one kind and segment over the surveys sent from the first to the last day, both included."""
    totals = dict.fromkeys(("promoters", "passives", "detractors", "asked", "answered"), 0)
    for name, count in counters.items():
        counted_kind, day, what, counted_segment = name.split(".", 3)
        if counted_kind == kind and counted_segment == segment and first_day <= int(day) <= last_day:
            totals[what] += count
    return nps(**totals)


def read_loop(
    counters: Mapping[str, int],
    first_day: int,
    last_due_day: int,
    contact_due_ms: int = CONTACT_DUE_MS,
    expired_until_day: int | None = None,
) -> Loop:
    """How cases opened on these days were kept. `last_due_day`: the last day whose cases are all due for contact by now.

    Cases opened until `expired_until_day` have expired unless somebody resolved them (None: none has).
    """
    totals: dict[str, int] = {}
    waits: dict[int, int] = {}
    for day, what, place, count in _case_counters(counters):
        if not first_day <= day <= last_due_day:
            continue
        if what == "wait":
            waits[place] = waits.get(place, 0) + count
            continue
        totals[what] = totals.get(what, 0) + count
        if expired_until_day is not None and day <= expired_until_day:
            totals["expired"] = totals.get("expired", 0) + _left_open(what, count)
    opened, limit = totals.get("opened", 0), bucket(contact_due_ms // MINUTE_MS)
    totals["in_time"] = sum(count for place, count in waits.items() if place <= limit)

    def share(what: str) -> float | None:
        return totals.get(what, 0) / opened if opened else None

    return Loop(
        opened,
        share("in_time"),
        share("contacted"),
        share("resolved"),
        share("expired"),
        _wait(waits, opened, 0.5),
        _wait(waits, opened, 0.9),
    )


def read_open(counters: Mapping[str, int], last_due_day: int, expired_until_day: int) -> OpenCases:
    """The cases that are open now; the days are those of `read_loop`."""
    by_day: dict[int, int] = {}
    waiting = overdue = 0
    for day, what, _, count in _case_counters(counters):
        if day <= expired_until_day:
            continue
        if left := _left_open(what, count):
            by_day[day] = by_day.get(day, 0) + left
        if what == "waiting":
            waiting += count
            overdue += count if day <= last_due_day else 0
    return OpenCases(
        sum(by_day.values()), waiting, overdue, min((day for day, count in by_day.items() if count), default=None)
    )


def _case_counters(counters: Mapping[str, int]) -> Iterator[tuple[int, str, int, int]]:
    """Day, what is counted, bucket of minutes (of waits, else 0) and count."""
    for name, count in counters.items():
        day, what, *place = name.split(".")
        yield int(day), what, int(place[0]) if place else 0, count


def _left_open(what: str, count: int) -> int:
    """What a counter adds to the cases that were opened and not resolved."""
    return count if what == "opened" else -count if what == "resolved" else 0


def _wait(waits: Mapping[int, int], opened: int, level: float) -> float | None:
    contacted = sum(waits.values())
    wanted = level * opened
    return quantile(waits, wanted / contacted) if 0 < wanted <= contacted else None
