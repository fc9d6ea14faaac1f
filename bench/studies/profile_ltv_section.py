"""The section of the report on profile-ltv: a table for each case, engines compared with Regulars in the same rounds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bench.engines import ENGINES
from bench.engines.run import Round
from bench.figures import Rates, rates, spread
from bench.results import Result
from bench.tables import table

if TYPE_CHECKING:
    from bench.studies.profile_ltv import ProfileLtvData

OURS: Final = "regulars"
LAWS: Final = {
    "uniform": "uniform",
    "zipf": "Zipf (s = 1)",
    "hot": "one makes half of her partition's events, the others uniform",
    "cold": "each event a new one's",
}

INTRODUCTION: Final = """\
## The same job on several engines

One topic of shop events in; for each customer de-duplication, an order ledger with lifetime value, decayed interests, carts at
item level and a reminder half an hour after a cart was left; durable state; the reminders out. Each engine runs in one process
with one thread or task slot, with fresh state, on events that all lie in Kafka before. **Its result is compared with a plain
reference before its speed counts**: totals and interests of every customer, every reminder.

- events/s: between durable commits, from the first one seen to the last (start-up left out); *second half*: the warm half.
- CPU seconds per million events over the same stretch, engine, Redis and Kafka broker apart. Kafka's hold the harness's
  questions after progress, the same for all.
- Median of the rounds, least and most in brackets. **Bold** is what is better than Regulars in the same table.
- *commits every*: how much work is redone after a crash at worst, and how old what others see is.
"""


def section(results: Sequence[tuple[Result, "ProfileLtvData"]]) -> str:
    """The section."""
    parts = [INTRODUCTION]
    for result, data in results:
        parts.append(_case(result, data))
    parts.append(_versions([data for _, data in results]))
    return "\n".join(parts)


def _case(result: Result, data: "ProfileLtvData") -> str:
    scenario, facts = data.scenario, data.facts
    law = LAWS[scenario.draw]
    mix = ", ".join(f"{share:.1%} {kind}" for kind, share in facts.mix.items())
    threads = "" if data.threads == 1 else f", {data.threads} threads (Python: processes) each"
    text = (
        f"### {result.case}\n\n"
        f"{facts.records:,} events of {facts.customers:,} customers ({law} out of {scenario.customers:,}) over "
        f"{facts.days:,.0f} days, {facts.mean_bytes:,.0f} bytes on average, {scenario.partitions} partitions{threads}. "
        f"Mix: {mix}. {facts.orders:,} orders, {facts.triggers:,} reminders.\n"
    )
    names = [name for name in ENGINES if any(told.engine == name for told in data.rounds)]
    sound = {name: _sound(data.rounds, name) for name in names}
    ours = sound.get(OURS, [])
    rows = [_row(name, sound[name], ours, data) for name in names]
    text += "\n" + table(
        [
            *("engine", "events/s", "second half", "CPU s per million: engine", "Redis", "Kafka", "all"),
            *("most memory", "state", "commits every"),
        ],
        rows,
    )
    return text + _problems(data.rounds)


def _sound(rounds: Sequence[Round], name: str) -> list[tuple[Round, Rates]]:
    return [(told, rates(told.marks, told.records)) for told in rounds if told.engine == name and told.problem is None]


def _row(
    name: str, found: list[tuple[Round, Rates]], ours: list[tuple[Round, Rates]], data: "ProfileLtvData"
) -> list[str]:
    engine = ENGINES[name]
    title = f"{engine.title} ({engine.guarantee})"
    if engine.runs_prefix and data.prefix_events < data.facts.records:
        title += f", first {data.prefix_events:,} events"
    if not found:
        return [title, "no right result", *["–"] * 8]

    def column(values: list[float], own: list[float], form: str, *, more_is_better: bool = False) -> str:
        if not values:
            return "–"
        told = spread(values)
        shown = told.show(form.format)
        if name == OURS or not own:
            return shown
        better = told.median > spread(own).median if more_is_better else told.median < spread(own).median
        return f"**{shown}**" if better else shown

    def cpu(told: Rates) -> float:
        return told.engine_cpu + told.redis_cpu + told.kafka_cpu

    def state(told: Round) -> float:
        return sum(told.state_bytes.values()) / 1e6

    return [
        title,
        column([told.per_s for _, told in found], [told.per_s for _, told in ours], "{:,.0f}", more_is_better=True),
        column(
            [told.second_half_per_s for _, told in found if told.second_half_per_s is not None],
            [told.second_half_per_s for _, told in ours if told.second_half_per_s is not None],
            "{:,.0f}",
            more_is_better=True,
        ),
        column([told.engine_cpu for _, told in found], [told.engine_cpu for _, told in ours], "{:.1f}"),
        column([told.redis_cpu for _, told in found], [], "{:.1f}"),
        column([told.kafka_cpu for _, told in found], [], "{:.1f}"),
        column([cpu(told) for _, told in found], [cpu(told) for _, told in ours], "{:.1f}"),
        column([told.rss_peak_bytes / 1e6 for told, _ in found], [], "{:,.0f} MB"),
        column([state(told) for told, _ in found], [], "{:,.0f} MB") + f" ({engine.durable_state})",
        column([_commit_every_s(told) for told, _ in found], [], "{:.1f} s"),
    ]


def _commit_every_s(told: Round) -> float:
    """Mean time from one durable commit to the next, as far as asking ten times a second tells them apart."""
    return (told.marks[-1].at_s - told.marks[0].at_s) / max(1, told.moves - 1)


def _problems(rounds: Sequence[Round]) -> str:
    wrong = [told for told in rounds if told.problem is not None]
    if not wrong:
        return "\nEvery round gave the right result.\n"
    lines = [
        f"- {ENGINES[told.engine].title}, round {told.number}: {(told.problem or '').splitlines()[0]}" for told in wrong
    ]
    return "\nRounds without a right result, which count as no speed:\n\n" + "\n".join(lines) + "\n"


def _versions(all_data: Sequence["ProfileLtvData"]) -> str:
    told: dict[str, dict[str, str]] = {}
    for data in all_data:
        told |= data.versions
    rows = [
        [ENGINES[name].title, ", ".join(f"{part} {version}" for part, version in told[name].items())]
        for name in ENGINES
        if name in told
    ]
    return "### Versions\n\n" + table(["engine", "what it runs on"], rows, figures=False)
