"""`regulars demo`: a year of a real grocer through the whole engine, without any server."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.commands.options import Plain

if TYPE_CHECKING:
    from streams.embedded import Pace

NOTE = (
    "Real: every order, from The Complete Journey (84.51 degrees / dunnhumby), 2,469 households of one grocer in 2017.\n"
    "Synthetic, made by a seeded generator and marked so: visits, carts, checkouts, and the consent of four of five\n"
    "households. Figures about orders and money are real; how many triggers fire follows from both."
)


@click.command("demo", cls=Plain, short_help="A year of a real grocer through the engine; no server needed.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("out"), show_default=True, metavar="DIR"
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the synthetic visits and carts.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N events.")
def command(*, out: Path, seed: int, limit: int | None) -> None:
    """Run a real grocer's year of orders, with synthetic visits and carts around them, through the embedded engine.

    The same engine, partition loop and commits as a live worker, on a log and a table in memory.
    """
    import time
    from functools import partial
    from itertools import islice

    from streams.book_files import load_book
    from streams.commands.display import Progress
    from streams.commands.run_report import day, print_report
    from streams.replay import demo_settings, replay
    from streams.results import Results
    from streams.sources import synthetic
    from streams.sources.ahead import ahead

    settings = demo_settings()
    began = time.monotonic()
    with Progress("demo") as display, Results(out) as results:
        display.update("reading The Complete Journey", force=True)

        def progress(pace: "Pace") -> None:
            per_s = pace.events / max(time.monotonic() - began, 1e-9)
            display.update(
                f"{day(pace.clock_ms)}  {pace.events:,} events  {per_s:,.0f}/s  "
                f"{pace.profiles:,} customers  {pace.triggers:,} triggers"
            )

        lines = islice(ahead(partial(synthetic.year, seed)), limit)
        summary = replay(lines, load_book(settings), settings, results, progress=progress)
    print_report(summary, results.tally, settings.shop.currency, time.monotonic() - began, out)
    click.echo()
    click.echo(NOTE)
