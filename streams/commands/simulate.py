"""`regulars simulate`: a made-up shop whose customers answer to messages, and the truth beside what the report finds."""

from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from streams.commands.options import Plain

if TYPE_CHECKING:
    from streams.embedded import Pace
    from streams.sources import Line

EVENTS_FILE = "events.jsonl"
DAYS_MAX = 3_650
CUSTOMER_DAYS_MAX = 20_000_000
"""Customers times days: 1.6 million events, a quarter of an hour and 4 GB of memory."""
NOTE = (
    "Everything here is made up. Its use: what messages bring is known, so that the report can be held against it.\n"
    "Replenishment reminders bring nothing in this shop, though many are followed by an order."
)


@click.command("simulate", cls=Plain, short_help="A made-up shop where it is known what each trigger brings.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("out"), show_default=True, metavar="DIR"
)
@click.option("--customers", type=click.IntRange(min=1), default=4_000, show_default=True)
@click.option("--days", type=click.IntRange(1, DAYS_MAX), default=455, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
def command(*, out: Path, customers: int, days: int, seed: int) -> None:
    """Play a shop day by day through the embedded engine: what is sent is answered, what is withheld is not.

    DIR then holds population.json and spend.jsonl (records of the topic `spend`) for `regulars report DIR`, truth.json: what each
    hold-out's triggers really brought per customer, and events.jsonl: all that customers did, for `regulars feed` or `fit`.
    """
    if customers * days > CUSTOMER_DAYS_MAX:
        raise click.UsageError(
            f"{customers:,} customers over {days:,} days are too many, since all is kept in memory: "
            f"so many days allow for {CUSTOMER_DAYS_MAX // days:,} customers"
        )
    import time

    import msgspec
    from rich.console import Console

    from streams.commands.display import Progress
    from streams.commands.report_tables import print_truths
    from streams.commands.run_report import day
    from streams.insight.trigger_effects import effects
    from streams.reporting.snapshot import write_snapshot
    from streams.reporting.spend import SPEND_FILE
    from streams.simulation.run import simulate, simulated_book
    from streams.simulation.world import World

    book = simulated_book()
    began = time.monotonic()
    with Progress("simulating") as display:
        display.update("customers", force=True)

        def progress(pace: "Pace") -> None:
            per_s = pace.events / max(time.monotonic() - began, 1e-9)
            text = f"{pace.events:,} events  {per_s:,.0f}/s  {day(pace.clock_ms)}  {pace.triggers:,} triggers"
            display.update(text, share=(pace.clock_ms - START_MS) / (days * DAY_MS))

        from profiles.rules import DAY_MS
        from streams.simulation.world import START_MS

        world = World(seed, customers, days)
        out.mkdir(parents=True, exist_ok=True)
        with (out / EVENTS_FILE).open("wb") as events:
            outcome = simulate(world, book, on_line=lambda line: _write(events, line), progress=progress)
    write_snapshot(outcome.snapshot, out)
    (out / "truth.json").write_bytes(msgspec.json.format(msgspec.json.encode(outcome.truths), indent=2) + b"\n")
    (out / SPEND_FILE).write_bytes(b"".join(msgspec.json.encode(spend) + b"\n" for spend in world.spend()))
    print_truths(
        effects(outcome.snapshot.counters, outcome.snapshot.plans),
        outcome.truths,
        book.shop_currency,
        Console(highlight=False),
    )
    click.echo(
        f"files: {out}/  population.json  {SPEND_FILE}  truth.json  {EVENTS_FILE}; now: regulars report {out}\n{NOTE}"
    )


def _write(events: IO[bytes], line: "Line") -> None:
    assert line.value is not None, "what customers do has a value"
    events.write(line.value + b"\n")
