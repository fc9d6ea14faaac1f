"""What the study of capacity shows: costs, and the simulation beside what was measured."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bench.capacity import page
from bench.capacity.check import P50_FACTOR, P99_FACTOR, USE_TOLERANCE, Compared, calibrated, compare
from bench.capacity.coefficients import Cost, Load
from bench.capacity.plan import RATES, Basis, plan_for
from bench.figures import spread
from bench.tables import table

if TYPE_CHECKING:
    from bench.studies.capacity import CapacityData

INTRODUCTION: Final = """\
## Capacity

What a plan needs. The plan itself, and what it takes for granted, is [Capacity](explanation/capacity.md).
"""
PER: Final = ("us an event", "us a record batch", "us a commit")


def live_loads(data: "CapacityData") -> list[Load]:
    """One load for each share of the saturation: the round in the middle by p99."""
    found = []
    for name in dict.fromkeys(load.name for load in data.loads if load.name.endswith("%")):
        rounds = sorted(data.named(name), key=lambda load: load.p99_ms)
        found.append(rounds[len(rounds) // 2])
    return found


def compared(data: "CapacityData") -> list[Compared]:
    """The simulation of each of these loads."""
    return compare(data.coefficients(), live_loads(data), data.scenario.partitions, data.core)


def section(results: Sequence["CapacityData"]) -> str:
    """The section."""
    parts = [INTRODUCTION]
    for data in results:
        parts += [costs(data), check(data)]
        parts += [f"- {problem.splitlines()[0]}\n" for problem in data.problems]
    return "\n".join(parts)


def costs(data: "CapacityData") -> str:
    """The coefficients as a table, with the sentences that go with them."""
    found = data.coefficients()

    def row(name: str, cost: Cost) -> list[str]:
        values = [f"{value_s * 1e6:,.1f}" for value_s in (cost.event_s, cost.record_batch_s, cost.commit_s)]
        return [name, *values, f"{cost.base * 1e3:.0f}"]

    return (
        table(
            ["processor time", *PER, "ms a second, idle"],
            [row("worker", found.worker), row("Redis", found.redis), row("Kafka broker", found.kafka)],
        )
        + f"\nUnder full load a commit has {found.commit_max:,.0f} events. "
        "A trigger, with its timer and decisions, takes "
        f"{found.trigger_s * 1e6:,.0f} us of all three together; there is one for {1 / found.triggers_per_event:,.0f} events. "
        f"Redis is written {found.redis_bytes_per_event:,.0f} bytes an event; an event takes "
        f"{found.log_bytes_per_event:,.0f} bytes in Kafka's log.\n"
    )


def check(data: "CapacityData") -> str:
    """Measured and simulated, side by side."""
    found = compared(data)
    rows = [
        [
            f"{told.measured.offered_per_s:,.0f}" + (" (calibrates)" if told.calibrates else ""),
            _use(data, told.measured.name),
            f"{told.simulated.worker_mean:.2f}",
            f"{told.measured.events / max(1, told.measured.commits):.1f}",
            f"{told.simulated.commit_mean:.1f}",
            f"{told.measured.p50_ms:.0f}",
            f"{told.simulated.p50_ms:.0f}",
            f"{told.measured.p99_ms:.0f}",
            f"{told.simulated.p99_ms:.0f}",
            "yes" if told.use_holds and told.latency_holds else "no",
        ]
        for told in found
    ]
    return (
        "One worker, measured, and the simulation of it. Costs are fitted to processor seconds; of a core the worker gets what "
        f"it got when more came than it could take ({data.core:.2f}); the time of a fetch and that of the way to Kafka are set "
        "so that the lowest load agrees in events a commit and median; everything else is foretold. It holds where the use of "
        f"the worker is within {USE_TOLERANCE:.0%}, the median within a factor of {P50_FACTOR:g}, and p99 within one of "
        f"{P99_FACTOR:g}.\n\n"
        + table(
            [
                *("events/s", "cores of the worker: measured", "simulated", "events a commit: measured", "simulated"),
                *("p50 ms: measured", "simulated", "p99 ms: measured", "simulated", "holds"),
            ],
            rows,
        )
    )


def page_blocks(data: "CapacityData", customer_bytes: float, basis: Basis) -> dict[str, str]:
    """The tables of docs/explanation/capacity.md. `customer_bytes` is what Redis holds for each customer."""
    found, loads, partitions = data.coefficients(), live_loads(data), data.scenario.partitions
    times = calibrated(found, loads, partitions, data.core)
    plans = [plan_for(per_s, found, customer_bytes, basis, times) for per_s in RATES]
    return {
        "costs": costs(data),
        "needs": page.needs(plans),
        "given": page.given(basis, customer_bytes),
        "money": page.money(plans, basis),
        "simulated": page.simulated(plans),
        "check": check(data),
    }


def lines(data: "CapacityData") -> list[str]:
    """For who watches the measurement."""
    return [*costs(data).splitlines(), "", *check(data).splitlines()]


def _use(data: "CapacityData", name: str) -> str:
    return spread([load.cpu_s[0] / load.seconds for load in data.loads if load.name == name]).show("{:.2f}".format)
