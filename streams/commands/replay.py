"""`regulars replay`: a shop's export through the same engine, in memory."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.commands.options import WithSettings, settings_of

if TYPE_CHECKING:
    from streams.embedded import Pace

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("replay", cls=WithSettings, short_help="Run a shop's export through the same engine, in memory.")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR", help="For results."
)
@click.option("--rules", type=_FILE, metavar="FILE", help="Rules (TOML); default: the reference rules.")
@click.option("--catalogue", type=_FILE, metavar="FILE", help="Product facts (CSV, JSON lines): cost, supply_days ...")
@click.option("--models", type=_FILE, metavar="FILE", help="Models that `regulars fit --out` wrote, for predictions.")
@click.option("--rates", type=_FILE, metavar="FILE", help="Exchange rates (CSV, JSON lines): currency, date, rate.")
@click.option("--sort", is_flag=True, help="Order all events by time first (reads them into memory).")
@click.option(
    "--until", metavar="TIME", help="Move the clock on to this time at the end, such as 2026-03-31 or an ISO stamp."
)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    files: tuple[Path, ...],
    out: Path,
    rules: Path | None,
    catalogue: Path | None,
    models: Path | None,
    rates: Path | None,
    sort: bool,
    until: str | None,
) -> None:
    """Run events from files through the same engine as a live worker, and write what comes of it to DIR.

    FILE is JSON lines (.gz and .zst too; - is standard input) or Parquet: canonical events, or what a tracker or shop system
    sends (Segment, GA4, Shopify ...). A line's order is its arrival order, and what stands in a later FILE arrived later.
    An event that does not say when it was received was received when it happened. Triggers still waiting at the end stay
    waiting, unless --until moves the clock on.

    DIR then holds profiles.jsonl, triggers.jsonl, decisions.jsonl, rejected.jsonl and summary.json.
    """
    import time

    from streams.book_files import load_adapters, load_book
    from streams.commands.display import Progress
    from streams.commands.run_report import day, print_report
    from streams.replay import file_lines, replay
    from streams.results import Results

    until_ms = _instant_ms(until) if until else None
    documents = {
        f"files__{name}": str(path)
        for name, path in (
            ("rules", rules),
            ("catalogue", catalogue),
            ("models", models),
            ("rates", rates),
        )
        if path is not None
    }
    settings = settings_of(ctx, **documents)
    book = load_book(settings)
    began = time.monotonic()
    with Progress("replaying") as display, Results(out) as results:

        def progress(pace: "Pace") -> None:
            per_s = pace.events / max(time.monotonic() - began, 1e-9)
            display.update(f"{pace.events:,} events  {per_s:,.0f}/s  {day(pace.clock_ms)}  {pace.triggers:,} triggers")

        lines = file_lines(files, settings.shop.currency, sort=sort, adapters=load_adapters(settings))
        summary = replay(lines, book, settings, results, until_ms=until_ms, progress=progress)
    print_report(summary, results.tally, settings.shop.currency, time.monotonic() - began, out)


def _instant_ms(text: str) -> int:
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--until {text!r} is no time such as 2026-03-31 or 2026-03-31T12:00:00Z") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
