"""Customer value models: one million made-up customers fitted from their counts, and what a prediction costs.

    python -m bench.value_models [--customers N]

Needs no server. The likelihood that was maximised is compared with the sum over all customers, one by one.
"""

import argparse
import statistics
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import get_args

import numpy as np
from scipy.special import betaln, gammaln

from profiles.value.alive import p_alive
from profiles.value.forecast import forecast
from profiles.value.history import history_of
from profiles.value.model import TimingFit, ValueModel, named
from profiles.value.orders import expected_orders
from profiles.value.pulse import pulse
from profiles.value.tallies import tally_change
from profiles.value.timing import Family, Timing
from streams.fitting.population import population_of
from streams.fitting.segments import segmented
from streams.fitting.timing import fit_timing
from tests.models.simulator import Floats, counters_of, simulate

TODAY = 364
ROUNDS = 3
FIT_SECONDS_MAX = 1.0
DIFFERENCE_MAX = 1e-6


@dataclass
class Measured:
    """Seconds from counters to parameters, median of the rounds, and how far ln L is from the sum over customers."""

    family: str
    counters: int
    seconds: float
    cpu_seconds: float
    difference: float
    fitted: Timing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    customers = parser.parse_args().customers
    for family in get_args(Family):
        found = fit(family, customers)
        print(
            f"{found.family}: {customers:,} customers, {found.counters:,} counters -> parameters in {found.seconds:.2f} s"
            f" ({found.cpu_seconds:.2f} CPU s); ln L differs from the sum over customers by {found.difference:.1e}"
        )
        assert found.difference <= DIFFERENCE_MAX, "the grouped likelihood is not that of the customers"
        if customers == 1_000_000 and found.cpu_seconds > FIT_SECONDS_MAX:
            print(f"  above the budget of {FIT_SECONDS_MAX} s")
    parts_of_the_shop(customers)
    predictions(found.fitted)
    counting()


def fit(family: Family, customers: int) -> Measured:
    """Customers from a seed, their counters, the fit; checked against the likelihood of one customer after the other."""
    shop = simulate(Timing(family=family, r=0.6, alpha=4.5, a=0.8, b=2.4), customers, 365, TODAY, seed=1)
    x, last = shop.until(TODAY)
    counters = counters_of(x, shop.first_day, last)
    walls, cpus = [], []
    for _ in range(ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        fitted = fit_timing(population_of(counters), TODAY, family)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    each = one_by_one(
        fitted.parameters, x.astype(np.float64), (last - shop.first_day) / 7, (TODAY - shop.first_day) / 7
    )
    difference = abs(fitted.log_likelihood / each - 1.0)
    return Measured(
        family, len(counters), statistics.median(walls), statistics.median(cpus), difference, fitted.parameters
    )


def one_by_one(model: Timing, x: Floats, t_x: Floats, age: Floats) -> float:
    """The log-likelihood as the papers write it, every customer for herself."""
    chances = x + model.leaves_at_first
    gone = np.full_like(x, -np.inf)
    may = chances > 0
    gone[may] = np.log(model.a / (model.b + chances[may] - 1)) - (model.r + x[may]) * np.log(model.alpha + t_x[may])
    orders = gammaln(model.r + x) - gammaln(model.r) + model.r * np.log(model.alpha)
    stays = betaln(model.a, model.b + chances) - betaln(model.a, model.b)
    return float((orders + stays + np.logaddexp(-(model.r + x) * np.log(model.alpha + age), gone)).sum())


def parts_of_the_shop(customers: int) -> None:
    """The same customers from a dozen channels and four countries that order alike: what taking the shop apart costs."""
    shop = simulate(Timing(r=0.6, alpha=4.5, a=0.8, b=2.4), customers, 365, TODAY, seed=1)
    x, last = shop.until(TODAY)
    rng = np.random.default_rng(2)
    channel = rng.choice(12, customers, p=np.array([2.0**-n for n in range(12)]) / (2 - 2.0**-11))
    country = rng.choice(4, customers, p=(0.85, 0.1, 0.04, 0.01))
    keys, counts = np.unique(np.c_[x, shop.first_day, last, channel, country], axis=0, return_counts=True)
    counters = {
        f"buyers|{a}|{b}|{c}|{'' if d == 0 else f'channel {d}'}|C{e}": n
        for (a, b, c, d, e), n in zip(keys.tolist(), counts.tolist(), strict=True)
    }
    start = time.process_time()
    population = population_of(counters)
    read = time.process_time()
    pooled = fit_timing(population, TODAY)
    fitted = time.process_time()
    found = segmented(population, pooled, TODAY)
    apart = time.process_time()
    plain = len(np.unique(keys[:, :3], axis=0))
    print(
        f"by origin: {len(counters):,} counters, {plain:,} without; reading {read - start:.2f}, the shop {fitted - read:.2f}, "
        f"12 channels and 4 countries {apart - fitted:.2f} CPU s; told apart by {found.apart.by}"
    )


def counting() -> None:
    """Microseconds for the counters of one more order, best of five, without and with an origin."""
    before = history_of((day, 3_000, 900) for day in (100, 200, 300))
    after = history_of((day, 3_000, 900) for day in (100, 200, 300, 350))
    origins = {"no origin": "", "origin": "google / cpc|DE"}
    costs = {
        name: min(timeit.repeat(partial(tally_change, before, after, origin, origin), number=2_000, repeat=5)) / 2e-3
        for name, origin in origins.items()
    }
    print("counters of an order: " + ", ".join(f"{cost:.2f} us with {name}" for name, cost in costs.items()))


def predictions(parameters: Timing) -> None:
    """Microseconds of each kind of prediction for three customers, best of five."""
    fit_of_parameters = TimingFit(
        parameters=parameters, customers=1, log_likelihood=0.0, standard_errors={}, as_of_day=TODAY
    )
    model = named(
        ValueModel(currency="EUR", first_day=0, as_of_day=TODAY, buyers=1, repeat_buyers=1, timing=fit_of_parameters)
    )
    stories = {"new": [364], "once, long ago": [90], "fortnightly": list(range(100, 364, 14))}
    print(f"{'microseconds':16}{'P(alive)':>10}{'E[orders]':>11}{'pulse':>8}{'forecast':>10}")
    for name, days in stories.items():
        history = history_of((day, 3_000, 900) for day in days)
        assert history is not None
        buyer = history.buyer(TODAY)
        row: list[Callable[[], object]] = [
            partial(p_alive, parameters, buyer),
            partial(expected_orders, parameters, buyer, 13.0),
            partial(pulse, model, history, TODAY),
            partial(forecast, model, history, TODAY),
        ]
        alive, orders, beat, whole = (min(timeit.repeat(call, number=200, repeat=5)) / 200 * 1e6 for call in row)
        print(f"{name:16}{alive:>10.2f}{orders:>11.1f}{beat:>8.1f}{whole:>10.0f}")


if __name__ == "__main__":
    main()
