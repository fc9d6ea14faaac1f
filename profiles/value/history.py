"""What must be remembered of a customer's orders for the value models: a dozen numbers, however many orders there are.

An order here is a purchase day: all orders of one customer on one day of the shop's time zone together, as in the papers the
models come from (two baskets on one afternoon are one decision to buy). Days are numbered from 1970-01-01. Cancelled, test and
zero-value orders are no purchases; a refund lowers the day it belongs to.

`history_of` folds all days. How it is kept up to date order by order is the matter of `profiles.value.purchases`: every field is
exact, so both ways agree to the bit.
"""

from collections.abc import Iterable
from itertools import pairwise
from math import log
from typing import Final

from msgspec import Struct

from profiles.value.timing import DAYS_PER_WEEK, Buyer

LOG_UNIT: Final = 1_000_000
"""Logarithms of gaps are kept as whole millionths, so that sums over customers can be taken apart again exactly."""


class History(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A customer's purchases. `x` is the number of purchase days after the first.

    `net_minor` and `margin_minor` are totals of all days in the shop's currency, `first_*` and `last_*` those of the first and
    the newest one. `margin_squares` is the sum of the squared margins of the days after the first. `log_gaps` is the sum of
    ln(days from one purchase to the next), in millionths.
    """

    x: int = 0
    first_day: int
    last_day: int
    net_minor: int = 0
    first_net_minor: int = 0
    margin_minor: int = 0
    first_margin_minor: int = 0
    last_margin_minor: int = 0
    margin_squares: int = 0
    log_gaps: int = 0

    def buyer(self, today: int) -> Buyer:
        """How the timing model sees her on a day. A day before her newest purchase counts as the day of that purchase."""
        return Buyer(
            self.x,
            (self.last_day - self.first_day) / DAYS_PER_WEEK,
            (max(today, self.last_day) - self.first_day) / DAYS_PER_WEEK,
        )

    @property
    def repeat_net_minor(self) -> int:
        """Net value of the purchases after the first."""
        return self.net_minor - self.first_net_minor

    @property
    def repeat_margin_minor(self) -> int:
        """Margin of the purchases after the first."""
        return self.margin_minor - self.first_margin_minor


def history_of(days: Iterable[tuple[int, int, int]]) -> History | None:
    """The history behind (day, net, margin) of each purchase day, in any order, each day once; None for no purchase."""
    ordered = sorted(days)
    if not ordered:
        return None
    first_day, first_net, first_margin = ordered[0]
    return History(
        x=len(ordered) - 1,
        first_day=first_day,
        last_day=ordered[-1][0],
        net_minor=sum(net for _, net, _ in ordered),
        first_net_minor=first_net,
        margin_minor=sum(margin for _, _, margin in ordered),
        first_margin_minor=first_margin,
        last_margin_minor=ordered[-1][2],
        margin_squares=sum(margin * margin for _, _, margin in ordered[1:]),
        log_gaps=sum(log_gap(before, day) for (before, _, _), (day, _, _) in pairwise(ordered)),
    )


def mean_log_gap(history: History) -> float | None:
    """The mean of ln(days between purchases); None for fewer than two purchase days."""
    return history.log_gaps / LOG_UNIT / history.x if history.x else None


def log_gap(before: int, day: int) -> int:
    """ln(days between two purchases), in millionths."""
    return round(log(day - before) * LOG_UNIT)
