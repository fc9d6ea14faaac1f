"""The log-likelihood of ordering and leaving over a whole population, with its gradient, from grouped counts.

The formulas are those of `profiles.value.timing`'s models (with o = 1 where she may leave after the first order, R = r + k x):

    ln L = (k-1) sum ln gaps - x ln (k-1)! + ln B(a,b+x+o)/B(a,b) + ln G(R)/G(r) + r ln alpha - R ln(alpha+T) + ln(S1 + S2).

They fall apart: gamma and beta functions depend on x alone, logarithms of alpha + T and alpha + t_x on a number of days, and
only ln(S1 + S2) on whole keys. So each evaluation works out a few hundred values of the first two kinds and looks them up.
"""

from dataclasses import dataclass
from math import lgamma, log
from typing import Final

import numpy as np
from scipy.special import betaln, gammaln, psi

from profiles.value.timing import DAYS_PER_WEEK, Family, Timing
from streams.fitting.population import Buyers, Floats, Ints

PARAMETERS: Final = ("r", "alpha", "a", "b")
"""The order in which parameters stand in arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class TimingCounts:
    """Buyers on a day by x, recency and age, grouped for fast evaluation. Build with `timing_counts`."""

    customers: int
    orders: int
    log_gaps_weeks: float
    different_x: Ints
    count_of_x: Floats
    count_of_age: Floats
    orders_of_age: Floats
    place: Ints
    recency_days: Ints
    age_days: Ints
    count: Floats


def timing_counts(population: Buyers, today: int) -> TimingCounts:
    """The counts as seen on a day. Purchases after that day make the customer as old as they are."""
    age_days = np.maximum(today, population.last_day) - population.first_day
    different_x, place = np.unique(population.x, return_inverse=True)
    count = population.count.astype(np.float64)
    orders = int((population.x * population.count).sum())
    days = int(age_days.max(initial=0)) + 1
    return TimingCounts(
        customers=population.buyers,
        orders=orders,
        log_gaps_weeks=population.log_gaps - orders * log(DAYS_PER_WEEK),
        different_x=different_x,
        count_of_x=_by(place, count, len(different_x)),
        count_of_age=_by(age_days, count, days),
        orders_of_age=_by(age_days, count * population.x, days),
        place=place,
        recency_days=population.last_day - population.first_day,
        age_days=age_days,
        count=count,
    )


class TimingLikelihood:
    """ln L of one model family and regularity over counts, as a function of (r, alpha, a, b)."""

    def __init__(self, counts: TimingCounts, family: Family, regularity: int) -> None:
        self.counts = counts
        self.family: Family = family
        self.k = regularity
        leaves = 1 if family == "mbg_nbd" else 0
        self._chances = counts.different_x + leaves
        # Without a chance to leave so far there is no S1: its logarithm is minus infinity.
        self._no_chance = np.where(self._chances > 0, 0.0, -np.inf)
        self._kx = (regularity * counts.different_x).astype(np.float64)[counts.place]
        self._silent_weeks = (counts.age_days - counts.recency_days) / DAYS_PER_WEEK
        self._weeks = np.arange(len(counts.count_of_age)) / DAYS_PER_WEEK
        self._constant = (regularity - 1) * counts.log_gaps_weeks - counts.orders * lgamma(regularity)

    def value(self, timing: Timing) -> float:
        """The log-likelihood at the parameters of a model, whose family and regularity are taken to be these."""
        return self.at(np.array([timing.r, timing.alpha, timing.a, timing.b]))[0]

    def at(self, parameters: Floats) -> tuple[float, Floats]:
        """The log-likelihood and its gradient at (r, alpha, a, b)."""
        r, alpha, a, b = (float(parameter) for parameter in parameters)
        counts, k, place, age = self.counts, self.k, self.counts.place, self.counts.age_days
        power = r + k * counts.different_x
        stay = b + self._chances
        left = b + np.maximum(self._chances, 1) - 1.0
        since = alpha + self._weeks
        log_since, inverse = np.log(since), 1.0 / since
        powers_of_age = r * counts.count_of_age + k * counts.orders_of_age

        # What depends on x alone, and on a number of days alone.
        value = self._constant + counts.customers * (r * log(alpha) - lgamma(r) - float(betaln(a, b)))
        value += _dot(counts.count_of_x, gammaln(power) + betaln(a, stay))
        value -= _dot(powers_of_age, log_since)
        psi_both = psi(a + stay)
        gradient = np.array(
            [
                counts.customers * (log(alpha) - psi(r))
                + _dot(counts.count_of_x, psi(power))
                - _dot(counts.count_of_age, log_since),
                counts.customers * r / alpha - _dot(powers_of_age, inverse),
                counts.customers * (psi(a + b) - psi(a)) + _dot(counts.count_of_x, psi(a) - psi_both),
                counts.customers * (psi(a + b) - psi(b)) + _dot(counts.count_of_x, psi(stay) - psi_both),
            ]
        )

        # What depends on whole keys: ln(S1 + S2), and `gone` = S1 / (S1 + S2) = 1 - P(alive).
        powers = self._kx + r
        growth = log_since[age] - log_since[counts.recency_days]
        odds = (self._no_chance + log(a) - np.log(left))[place] + powers * growth
        if k > 1:
            log_silence, by_power, by_alpha = self._silence(powers, self._silent_weeks * inverse[age])
            odds -= log_silence
            value += _dot(counts.count, log_silence)
        # One exponential gives both ln(1 + e^odds) and its derivative, without overflow on either side.
        small = np.exp(-np.abs(odds))
        value += _dot(counts.count, np.maximum(odds, 0.0) + np.log1p(small))
        gone = counts.count * np.where(odds > 0.0, 1.0, small) / (1.0 + small)
        moved = gone * powers
        gradient[0] += _dot(gone, growth)
        gradient[1] += _dot(moved, inverse[age] - inverse[counts.recency_days])
        gradient[2] += gone.sum() / a
        gradient[3] -= _dot(_by(place, gone, len(left)), 1.0 / left)
        if k > 1:
            kept = counts.count - gone
            gradient[0] += _dot(kept, by_power)
            gradient[1] -= _dot(kept, by_alpha * inverse[age])
        return value, gradient

    def _silence(self, powers: Floats, share: Floats) -> tuple[Floats, Floats, Floats]:
        """The logarithm of S2 = sum_{j<k} (R)_j/j! share^j, its derivative by R, and -(alpha+T) times that by alpha."""
        term, total = np.ones_like(share), np.ones_like(share)
        reciprocals, by_power, by_alpha = np.zeros_like(share), np.zeros_like(share), np.zeros_like(share)
        for j in range(1, self.k):
            term = term * (powers + (j - 1)) * share / j
            reciprocals = reciprocals + 1.0 / (powers + (j - 1))
            total += term
            by_power += term * reciprocals
            by_alpha += j * term
        return np.log(total), by_power / total, by_alpha / total


def _by(place: Ints, weights: Floats, size: int) -> Floats:
    """Sums of weights by place."""
    # numpy's annotation takes the sums for whole numbers.
    return np.bincount(place, weights, size).astype(np.float64)


def _dot(left: Floats, right: Floats) -> float:
    """The sum of products, by numpy's pairwise summation: unlike BLAS it gives the same bits however many threads there are.

    It also starts none, which on a busy machine takes longer than the sum.
    """
    return float((left * right).sum())
