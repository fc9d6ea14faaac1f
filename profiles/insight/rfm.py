"""Recency, frequency and monetary value as scores from 1 to 5, by cuts read from the population's counters.

Each customer is in three histograms: whole days of the last order (plain days, since recency moves with today), number of
orders and net value (buckets of `profiles.insight.log_histogram`). All three are counters that a changed order or an erased
customer leaves again.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from profiles.insight.log_histogram import bucket, quantiles
from profiles.insight.tallies import Tally

FIFTHS: Final = (0.2, 0.4, 0.6, 0.8)


class Cuts(Struct, frozen=True, gc=False):
    """Limits between the five scores, ascending. `recency_days` counts from `today` back to the day of the last order."""

    today: int
    recency_days: tuple[float, ...]
    frequency: tuple[float, ...]
    monetary_minor: tuple[float, ...]


class Scores(Struct, frozen=True, gc=False):
    """1 (lowest) to 5 (best): bought most recently, most often, for most."""

    recency: int
    frequency: int
    monetary: int


def contribution(last_order_day: int | None, orders: int, net_minor: int) -> Tally:
    """A customer's part in the three histograms; empty for one without an order. Days are days since 1970.

    >>> contribution(20_000, 3, 150)
    {'last.20000': 1, 'orders.3': 1, 'net.150': 1}
    """
    if last_order_day is None or orders <= 0:
        return {}
    return {f"last.{last_order_day}": 1, f"orders.{bucket(orders)}": 1, f"net.{bucket(net_minor)}": 1}


def read_cuts(counters: Mapping[str, int], today: int) -> Cuts | None:
    """The 20, 40, 60 and 80 % cuts of a population on the day `today`. None without customers who ordered."""
    parts: dict[str, dict[int, int]] = {"last": {}, "orders": {}, "net": {}}
    for name, count in counters.items():
        part, _, number = name.partition(".")
        if part in parts:
            parts[part][int(number)] = count
    if not parts["last"]:
        return None
    return Cuts(
        today,
        tuple(_day_quantiles(parts["last"], today)),
        tuple(quantiles(parts["orders"], FIFTHS)),
        tuple(quantiles(parts["net"], FIFTHS)),
    )


def scores(cuts: Cuts, last_order_day: int, orders: int, net_minor: int) -> Scores:
    """Where a customer stands among the population of the cuts. A value equal to a cut belongs below it.

    >>> cuts = Cuts(100, (2.0, 4.0, 10.0, 26.0), (16.0, 32.0, 55.0, 95.0), (1e4, 2e4, 3e4, 4e4))
    >>> scores(cuts, 99, 32, 50_000)
    Scores(recency=5, frequency=2, monetary=5)
    """
    days = max(0, cuts.today - last_order_day)
    return Scores(
        5 - bisect_left(cuts.recency_days, days),
        1 + bisect_left(cuts.frequency, orders),
        1 + bisect_left(cuts.monetary_minor, net_minor),
    )


def _day_quantiles(by_day: Mapping[int, int], today: int) -> list[float]:
    ranked = sorted((max(0, today - day), count) for day, count in by_day.items())
    total, below, cuts = sum(by_day.values()), 0, []
    wanted = list(FIFTHS)
    for days, count in ranked:
        below += count
        while wanted and below >= wanted[0] * total - 1e-9:
            cuts.append(float(days))
            del wanted[0]
    return cuts
