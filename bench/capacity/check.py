"""Holds the simulation against a worker that was measured: the same costs, the same rates, one worker, one shard."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from bench.capacity.arrivals import arrivals
from bench.capacity.coefficients import Coefficients, Load
from bench.capacity.simulation import Model, Outcome, simulate

USE_TOLERANCE: Final = 0.25
"""The simulated use of the worker may be this share off the measured one."""
LATENCY_FACTOR: Final = 2.0
"""A simulated latency may be so many times the measured one, or that part of it."""
SIMULATED_S: Final = 10.0
SETTLE_S: Final = 1.0
FETCH_MAX_S: Final = 0.1
HALVINGS: Final = 10


class Compared(Struct, kw_only=True):
    """One load, measured and simulated. The lowest one calibrates the time of a fetch, so its median agrees by making."""

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
        pairs = ((self.simulated.p50_ms, self.measured.p50_ms), (self.simulated.p99_ms, self.measured.p99_ms))
        return all(measured / LATENCY_FACTOR <= simulated <= measured * LATENCY_FACTOR for simulated, measured in pairs)


def one_worker(coefficients: Coefficients, partitions: int, core: float, fetch_s: float) -> Model:
    """The measured installation."""
    return Model(
        partitions=partitions,
        workers=1,
        shards=1,
        worker=coefficients.worker,
        redis=coefficients.redis,
        commit_max=max(1, round(coefficients.commit_max)),
        fetch_s=fetch_s,
        core=core,
    )


def fetch_s(coefficients: Coefficients, loads: Sequence[Load], partitions: int, core: float) -> float:
    """The time of a fetch with which the simulated median of the lowest load is the measured one; found by halving."""
    lowest = _lowest(loads)
    least, most = 0.0, FETCH_MAX_S
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        found = _simulated(one_worker(coefficients, partitions, core, middle), lowest.offered_per_s)
        if found.p50_ms < lowest.p50_ms:
            least = middle
        else:
            most = middle
    return (least + most) / 2


def compare(coefficients: Coefficients, loads: Sequence[Load], partitions: int, core: float) -> list[Compared]:
    """Every load that was measured at a constant rate; `core` is what the worker used when more came than it could take."""
    model = one_worker(coefficients, partitions, core, fetch_s(coefficients, loads, partitions, core))
    lowest = _lowest(loads)
    return [
        Compared(measured=load, simulated=_simulated(model, load.offered_per_s), calibrates=load is lowest)
        for load in loads
    ]


def _lowest(loads: Sequence[Load]) -> Load:
    return min(loads, key=lambda load: load.offered_per_s)


def _simulated(model: Model, per_s: float) -> Outcome:
    evenly = [1.0 / model.partitions] * model.partitions
    coming = arrivals(per_s, evenly, seconds=SIMULATED_S, seed=1)
    return simulate(model, coming, until_s=SIMULATED_S, settle_s=SETTLE_S)
