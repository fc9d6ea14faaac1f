"""Customers made by the models' own story, from a seed: rates and chances to leave drawn, orders placed one by one.

It shares no code with the models: no likelihood, no closed form, only the two coins of the story. Days are whole, as in a
shop; what was bought after the last day is unknown to the fit and the truth for its predictions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiles.value.timing import Timing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shop:
    """Customers' first days (from 0), and all their orders after the first: whose, and on which day, in order of both."""

    first_day: Ints
    customer: Ints
    day: Ints

    def until(self, today: int) -> tuple[Ints, Ints]:
        """For each customer x and the newest order day (her first day for x = 0), as known on the evening of a day."""
        known = self.day <= today
        x = np.bincount(self.customer[known], minlength=len(self.first_day))
        last = self.first_day.copy()
        np.maximum.at(last, self.customer[known], self.day[known])
        return x, last

    def between(self, after: int, until: int) -> Ints:
        """Orders of each customer on the days after `after` up to `until`."""
        found = (self.day > after) & (self.day <= until)
        return np.bincount(self.customer[found], minlength=len(self.first_day))

    def log_gaps(self, today: int) -> float:
        """The sum of ln(days between purchases) known on a day."""
        known = self.day <= today
        customer, day = self.customer[known], self.day[known]
        before = np.where(np.r_[True, customer[1:] != customer[:-1]], self.first_day[customer], np.r_[0, day[:-1]])
        return float(np.log(day - before).sum())


def simulate(model: Timing, customers: int, join_days: int, last_day: int, seed: int) -> Shop:
    """A shop whose customers order first on a random day of the first `join_days`; all orders up to `last_day`.

    Orders come at any time of day; those of one day are one purchase.
    """
    rng = np.random.default_rng(seed)
    clock = np.sort(rng.uniform(0.0, join_days, customers))
    first = clock.astype(np.int64)
    rate = rng.gamma(model.r, 1.0 / model.alpha, customers)
    leaves = rng.beta(model.a, model.b, customers)
    active = np.arange(customers)
    if model.leaves_at_first:
        active = active[rng.random(customers) >= leaves]
    found_customer, found_day = [], []
    while len(active):
        clock[active] += 7.0 * rng.gamma(model.regularity, 1.0 / rate[active])
        active = active[clock[active] < last_day + 1]
        found_customer.append(active)
        found_day.append(clock[active].astype(np.int64))
        active = active[rng.random(len(active)) >= leaves[active]]
    pairs = np.unique(np.c_[np.concatenate(found_customer), np.concatenate(found_day)], axis=0)
    pairs = pairs[pairs[:, 1] > first[pairs[:, 0]]]
    return Shop(first, pairs[:, 0], pairs[:, 1])


def counters_of(x: Ints, first_day: Ints, last_day: Ints, log_gaps: float = 0.0) -> dict[str, int]:
    """The counters of customers, written here anew. Everybody's orders are worth the same."""
    keys, counts = np.unique(np.c_[x, first_day, last_day], axis=0, return_counts=True)
    counters = {f"buyers|{a}|{b}|{c}": n for (a, b, c), n in zip(keys.tolist(), counts.tolist(), strict=True)}
    counters["value|100500"] = len(x)
    repeats, customers = np.unique(x[x > 0], return_counts=True)
    for a, n in zip(repeats.tolist(), customers.tolist(), strict=True):
        counters[f"spend|{a}|100500"] = counters[f"margin|{a}|100400"] = n
    if log_gaps:
        counters["gaps"] = round(log_gaps * 1_000_000)
    return counters
