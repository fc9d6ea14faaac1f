"""The section of the report on latency."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bench.engines import ENGINES
from bench.figures import spread
from bench.latencies import Latencies, show_ms
from bench.tables import table

if TYPE_CHECKING:
    from bench.studies.latency import LatencyData

QUANTILES: Final = (0.5, 0.99, 0.999)

INTRODUCTION: Final = """\
## Latency under live load

Events come at a constant rate, whether the engine keeps up or not, and latencies count from the moment an event was due: what
waits while an engine stands still is counted, too. The loads are shares of what the same engine did just before, in the same
run, when more was offered than it could take; each begins caught up.

- *event to profile*: Regulars: the profile in Redis shows it (profile and offset are written by one script, so the offset is
  watched, every two milliseconds, and profiles are read to see that they do). Kafka Streams: the changelog record of the
  customer's state is there for a consumer that reads committed records.
- *order to record*: an order leads to a record at once. Regulars: it settles the reminder of its cart (`trigger.cancelled` or
  `trigger.converted`); for that a reminder goes out after every change of a cart, which costs it more than in the job above.
  Kafka Streams: its job answers every order. Seen by a consumer that reads committed records.
- Kafka Streams commits every 100 ms, the default with exactly-once; Regulars commits when a batch is done.
- Sender, broker, Redis, engine and watchers share one machine. Median of the rounds, least and most in brackets.
"""


def section(results: Sequence["LatencyData"]) -> str:
    """The section."""
    return INTRODUCTION + "\n".join(_case(data) for data in results)


def _case(data: "LatencyData") -> str:
    lengths = data.lengths
    text = (
        f"\n{data.scenario.customers:,} customers, {data.scenario.partitions} partitions, one process each; every load lasts "
        f"{lengths.level_s:g} s, of which the first {lengths.settle_s:g} s do not count; {_rounds(data)}.\n\n"
    )
    rows = []
    for name in dict.fromkeys(told.engine for told in data.rounds):
        rounds = [told for told in data.rounds if told.engine == name and told.problem is None]
        saturation = [told.saturation_per_s for told in rounds]
        for number, share in enumerate(level.share for level in (rounds[0].levels if rounds else ())):
            levels = [told.levels[number] for told in rounds]
            rows.append(
                [
                    f"{ENGINES[name].title}, {share:.0%} of {spread(saturation).show('{:,.0f}'.format)}",
                    *quantiles([level.profiles for level in levels]),
                    *quantiles([level.outputs for level in levels]),
                    *(_cores([level.cpu[place] for level in levels]) for place in (0, 2, 1)),
                    spread([level.behind_s for level in levels]).show("{:.1f} s".format),
                ]
            )
    head = ["load, events/s", "event to profile: p50", "p99", "p99.9", "order to record: p50", "p99", "p99.9"]
    text += table([*head, "cores: engine", "Redis", "Kafka", "behind at the end"], rows)
    witnesses = sum(level.witnesses for told in data.rounds for level in told.levels)
    blind = sum(level.blind for told in data.rounds for level in told.levels)
    text += (
        f"\nOf {witnesses:,} profiles read in Redis when the offset had just passed an event of theirs, "
        f"{blind:,} did not show it.\n"
    )
    for name in dict.fromkeys(told.engine for told in data.rounds):
        levels = [level for told in data.rounds if told.engine == name for level in told.levels]
        answered, orders = sum(level.outputs.count for level in levels), sum(level.orders for level in levels)
        text += f"{ENGINES[name].title}: {answered:,} of {orders:,} orders led to a record.\n"
    wrong = [told for told in data.rounds if told.problem is not None]
    for told in wrong:
        text += f"\n{ENGINES[told.engine].title}, round {told.number}: {(told.problem or '').splitlines()[0]}\n"
    if not wrong:
        text += "\nAfter each run every customer's totals and interests were right.\n"
    return text


def _rounds(data: "LatencyData") -> str:
    count = max(told.number for told in data.rounds)
    return "one round" if count == 1 else f"{count} rounds, engines in turn"


def quantiles(found: Sequence[Latencies]) -> list[str]:
    """The median, p99 and p99.9 of some rounds, by median and spread; dashes where nothing was seen."""
    some = [latencies for latencies in found if latencies.count]
    if not some:
        return ["–"] * len(QUANTILES)
    return [spread([latencies.quantile_ms(q) for latencies in some]).show(show_ms) for q in QUANTILES]


def _cores(values: Sequence[float]) -> str:
    return spread(values).show("{:.2f}".format)
