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
from profiles.value.timing import Family, Timing
from streams.fitting.population import population_of
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
    predictions(found.fitted)


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
