"""The section of the report on scale."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.figures import Rates, rates, spread
from bench.studies.profile_ltv_section import LAWS
from bench.tables import table

if TYPE_CHECKING:
    from bench.studies.scale import Runs, ScaleData


def section(results: Sequence["ScaleData"]) -> str:
    """The section."""
    return "\n".join(["## Scale\n", *(_runs(data.runs) for data in results)])


def _runs(runs: "dict[str, Runs]") -> str:
    base_name, base = next(iter(runs.items()))
    base_rates = _sound(base)
    rows, wrong = [], []
    for name, of_it in runs.items():
        found = _sound(of_it)
        wrong += [
            f"\n- {name}, round {told.number}: {told.problem.splitlines()[0]}\n"
            for told in of_it.rounds
            if told.problem
        ]
        if not found:
            rows.append([name, f"{of_it.facts.customers:,}", *["–"] * 7])
            continue
        speed = spread([told.per_s for told in found])
        ratio = speed.median / spread([told.per_s for told in base_rates]).median if base_rates else None
        rows.append(
            [
                name,
                f"{of_it.facts.customers:,}",
                f"{of_it.facts.records / of_it.facts.customers:,.1f}",
                speed.show("{:,.0f}".format),
                "–" if ratio is None else f"{ratio:.2f}",
                *(spread(values).show("{:.1f}".format) for values in _cpu(found)),
                spread([told.rss_peak_bytes / 1e6 for told in of_it.rounds if told.problem is None]).show(
                    "{:,.0f} MB".format
                ),
            ]
        )
    scenario = base.variant.scenario
    return (
        f"Regulars on {scenario.events:,} events of the benchmark's stream (half of that where all customers are new), "
        f"{scenario.partitions} partitions, one process unless said otherwise; the same visits and mix in all but the last, so "
        f"fewer customers have longer histories. A hot customer: {LAWS['hot']}. Every result was compared with the reference.\n\n"
        + table(
            [
                *("", "customers seen", "events of each", "events/s", f"to {base_name}"),
                *("CPU s per million: workers", "Redis", "Kafka", "most memory"),
            ],
            rows,
        )
        + "".join(wrong)
    )


def _sound(of_it: "Runs") -> list[Rates]:
    return [rates(told.marks, told.records) for told in of_it.rounds if told.problem is None and len(told.marks) > 1]


def _cpu(found: Sequence[Rates]) -> tuple[list[float], list[float], list[float]]:
    return [told.engine_cpu for told in found], [told.redis_cpu for told in found], [told.kafka_cpu for told in found]
