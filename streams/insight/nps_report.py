"""Net promoter scores and the closed loop, read from the counters."""

from collections.abc import Mapping
from math import sqrt
from typing import Final, Literal

from msgspec import Struct

from profiles.insight.distributions import NORMAL
from profiles.insight.log_histogram import quantile
from profiles.insight.nps import ALL, Kind

ANSWERS_MIN: Final = 30
"""Answers below which no score is shown: its 95 % interval would be wider than 50 points."""


class Nps(Struct, frozen=True):
    """A score with its interval, or the reason why none is shown. `response_rate` is None when no survey was sent.

    `answers` may be fewer than `answered`: of a customer's relational answers only the last counts in the score.
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
    """

    opened: int
    contacted_in_time: float | None
    contacted: float | None
    resolved: float | None
    expired: float | None
    wait_p50: float | None
    wait_p90: float | None


def nps(promoters: int, passives: int, detractors: int, asked: int = 0, answered: int = 0, alpha: float = 0.05) -> Nps:
    """NPS = 100 (p - d) with variance 100^2 (p + d - (p - d)^2) / n, the variance of a mean of +1, 0 and -1."""
    n = promoters + passives + detractors
    rate = answered / asked if asked else None
    if n < ANSWERS_MIN:
        return Nps(promoters, passives, detractors, asked, answered, rate, withheld="few_answers")
    p, d = promoters / n, detractors / n
    error = 100 * sqrt((p + d - (p - d) ** 2) / n)
    half = NORMAL.inv_cdf(1 - alpha / 2) * error
    score = 100 * (p - d)
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


def read_loop(counters: Mapping[str, int], first_day: int, last_due_day: int) -> Loop:
    """How cases opened on these days were kept. `last_due_day`: the last day whose cases are all due for contact by now."""
    totals: dict[str, int] = {}
    waits: dict[int, int] = {}
    for name, count in counters.items():
        day, what, *place = name.split(".")
        if first_day <= int(day) <= last_due_day:
            if what == "wait":
                waits[int(place[0])] = waits.get(int(place[0]), 0) + count
            else:
                totals[what] = totals.get(what, 0) + count
    opened = totals.get("opened", 0)

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


def _wait(waits: Mapping[int, int], opened: int, level: float) -> float | None:
    contacted = sum(waits.values())
    wanted = level * opened
    return quantile(waits, wanted / contacted) if 0 < wanted <= contacted else None
