"""Holds the simulation against a worker that was measured: the same costs, the same rates, one worker, one shard."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from bench.capacity.arrivals import arrivals
from bench.capacity.coefficients import Coefficients, Load
from bench.capacity.simulation import Model, Outcome, Times, simulate
from bench.schedule import TICK_S

USE_TOLERANCE: Final = 0.25
"""The simulated use of the worker may be this share off the measured one."""
P50_FACTOR: Final = 2.0
P99_FACTOR: Final = 3.0
"""A simulated latency may be so many times the measured one, or that part of it. The p99 of a machine has in it, too, what the
model has not: processes that wait for each other's core.
"""
SIMULATED_S: Final = 10.0
SETTLE_S: Final = 1.0
FETCH_MAX_S: Final = 0.1
HALVINGS: Final = 10


class Compared(Struct, kw_only=True):
    """One load, measured and simulated. The lowest one calibrates the times of the model, so its median agrees by making."""

    measured: Load
    simulated: Outcome
    calibrates: bool

    @property
    def use_holds(self) -> bool:
        """Whether the use of the worker agrees."""
        measured = self.measured.worker_use
        return abs(self.simulated.worker_mean - measured) <= USE_TOLERANCE * measured

    @property
    def latency_holds(self) -> bool:
        """Whether median and p99 agree."""
        return _within(self.simulated.p50_ms, self.measured.p50_ms, P50_FACTOR) and _within(
            self.simulated.p99_ms, self.measured.p99_ms, P99_FACTOR
        )


def _within(simulated: float, measured: float, factor: float) -> bool:
    return measured / factor <= simulated <= measured * factor


def one_worker(coefficients: Coefficients, partitions: int, core: float, times: Times) -> Model:
    """The measured installation."""
    return Model(
        partitions=partitions,
        workers=1,
        shards=1,
        worker=coefficients.worker,
        redis=coefficients.redis,
        commit_max=max(1, round(coefficients.commit_max)),
        times=times,
        core=core,
    )


def calibrated(coefficients: Coefficients, loads: Sequence[Load], partitions: int, core: float) -> Times:
    """The times with which the lowest load comes out as measured: that of a fetch by events a commit (found by halving; longer
    fetches make larger commits), that of the way to Kafka by the median.
    """
    lowest = _lowest(loads)
    least, most = 0.0, FETCH_MAX_S
    for _ in range(HALVINGS):
        times = Times(fetch_s=(least + most) / 2)
        found = _simulated(one_worker(coefficients, partitions, core, times), lowest.offered_per_s)
        if found.commit_mean < lowest.events / lowest.commits:
            least = times.fetch_s
        else:
            most = times.fetch_s
    return Times(fetch_s=times.fetch_s, way_s=max(0.0, (lowest.p50_ms - found.p50_ms) / 1_000))


def compare(coefficients: Coefficients, loads: Sequence[Load], partitions: int, core: float) -> list[Compared]:
    """Every load that was measured at a constant rate; `core` is what the worker used when more came than it could take."""
    model = one_worker(coefficients, partitions, core, calibrated(coefficients, loads, partitions, core))
    lowest = _lowest(loads)
    return [
        Compared(measured=load, simulated=_simulated(model, load.offered_per_s), calibrates=load is lowest)
        for load in loads
    ]


def _lowest(loads: Sequence[Load]) -> Load:
    return min(loads, key=lambda load: load.offered_per_s)


def _simulated(model: Model, per_s: float) -> Outcome:
    evenly = [1.0 / model.partitions] * model.partitions
    coming = arrivals(per_s, evenly, seconds=SIMULATED_S, seed=1, tick_s=TICK_S)
    return simulate(model, coming, until_s=SIMULATED_S, settle_s=SETTLE_S)
