"""What was foretold of replenishment, and what came: of windows that are over, how many held the next purchase.

By tenths of the probability that was foretold with each purchase (`profiles.hindsight`): where it is honest, of those given 40 %
four in ten came in their window. Only weeks all of whose windows are over count, else purchases that came would be held
against fewer that stayed away. Shares have Wilson's interval (Wilson 1927, JASA 22:209), which holds for few as well.
"""

from math import sqrt
from typing import Final

from msgspec import Struct

from profiles.hindsight import WEEK, WORD
from profiles.insight.distributions import NORMAL
from profiles.statistics import part_of
from streams.reporting.missing import Missing
from streams.reporting.snapshot import Snapshot

NOTHING_FORETOLD: Final = Missing(
    "nothing_foretold",
    "no purchase was ever foretold: give products `supply_days` in the catalogue, or let `regulars fit` learn when customers "
    "buy again",
)
NO_WINDOW_OVER: Final = Missing(
    "no_window_over", "the windows that were foretold are not over yet; come back in some weeks"
)
DAYS: Final = 365
"""Days up to today in which the windows ended."""


class Tenth(Struct, frozen=True):
    """Purchases whose next one was foretold with a probability in one tenth; `low` and `high` bound it, None for forecasts
    that named none (the catalogue's word). Shares are of all `purchases`: `hit` in the window, between `hit_low` and `hit_high`
    (95 %), `early` before it; what is left came later, or not at all so far.
    """

    low: float | None
    high: float | None
    purchases: int
    foretold: float | None
    hit: float
    hit_low: float
    hit_high: float
    early: float


class Replenished(Struct, frozen=True, tag=True):
    """All tenths, the least sure first, the catalogue's word last. `error` is the mean distance between what was foretold and
    what came, over tenths by their purchases (expected calibration error); None without a foretold probability.
    """

    days: int
    purchases: int
    tenths: list[Tenth]
    error: float | None


def replenished(found: Snapshot) -> Replenished | Missing:
    """The section as of today."""
    counters = part_of(found.counters, "foretold")
    if not counters:
        return NOTHING_FORETOLD
    first, last = (found.today - DAYS) // WEEK + 1, (found.today - WEEK) // WEEK
    sums: dict[str, dict[str, int]] = {}
    for name, count in counters.items():
        what, kind, week = name.split("|")
        if first <= int(week) <= last:
            part = sums.setdefault(kind, {})
            part[what] = part.get(what, 0) + count
    rows = [(kind, row) for kind, part in sorted(sums.items()) if (row := _tenth(kind, part)) is not None]
    if not rows:
        return NO_WINDOW_OVER
    tenths = [row for _, row in rows]
    sure = [(row.purchases, row.foretold, row.hit) for row in tenths if row.foretold is not None]
    return Replenished(
        DAYS,
        sum(row.purchases for row in tenths),
        tenths,
        sum(n * abs(foretold - hit) for n, foretold, hit in sure) / sum(n for n, *_ in sure) if sure else None,
    )


def _tenth(kind: str, part: dict[str, int]) -> Tenth | None:
    purchases = sum(part.get(what, 0) for what in ("early", "hit", "late", "open"))
    if purchases <= 0:
        return None
    hits = part.get("hit", 0)
    low, high = wilson(hits, purchases)
    plain = kind == WORD
    return Tenth(
        low=None if plain else int(kind) / 10,
        high=None if plain else (int(kind) + 1) / 10,
        purchases=purchases,
        foretold=None if plain else part.get("sure", 0) / purchases / 100,
        hit=hits / purchases,
        hit_low=low,
        hit_high=high,
        early=part.get("early", 0) / purchases,
    )


def wilson(hits: int, of: int, alpha: float = 0.05) -> tuple[float, float]:
    """Wilson's score interval of a share. Bounds: 0 <= hits <= of, of > 0.

    The example is that of Newcombe (1998, Statistics in Medicine 17:857, table I).

    >>> [round(bound, 4) for bound in wilson(81, 263)]
    [0.2553, 0.3662]
    """
    z = NORMAL.inv_cdf(1 - alpha / 2)
    share, square = hits / of, z * z / of
    middle, half = share + square / 2, z * sqrt(share * (1 - share) / of + square / of / 4)
    return (max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square)))
