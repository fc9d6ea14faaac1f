"""`regulars replay`: a shop's export through the same engine, in memory; and rules tried on it, against others."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.commands.options import WithSettings, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.backtest.document import Run
    from streams.embedded import Pace
    from streams.settings import Settings
    from streams.sources import Line

_FILE = click.Path(path_type=Path, dir_okay=False)
_YEARS_AHEAD_MAX = 100
"""So far into the future the clock may be moved: birthdays come round in each of the years, and calendars end."""


@click.command("replay", cls=WithSettings, short_help="Run a shop's export through the same engine, in memory.")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR", help="For results."
)
@click.option("--rules", type=_FILE, metavar="FILE", help="Rules (TOML); default: the reference rules.")
@click.option(
    "--against", type=_FILE, metavar="FILE", help="Other rules (TOML) to set them against; their results: DIR/against."
)
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
    against: Path | None,
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

    DIR then holds profiles.jsonl, triggers.jsonl, decisions.jsonl, identities.jsonl, rejected.jsonl, summary.json,
    population.json (for `regulars report DIR`), and what the rules come to: backtest.json and backtest.html. With --against the
    same events run under the other rules too, and both are compared.
    """
    import time

    from streams.backtest.document import backtest
    from streams.backtest.page import write_page
    from streams.book_files import load_book
    from streams.commands.backtest_report import print_backtest
    from streams.commands.run_report import print_report

    if against is not None and any(str(path) == "-" for path in files):
        raise click.UsageError("standard input can be read once, and --against reads the events twice: give a file")
    until_ms = _instant_ms(until) if until is not None else None
    given = {"files__catalogue": catalogue, "files__models": models, "files__rates": rates}

    def settings_under(rules: Path | None) -> "Settings":
        documents = {name: str(path) for name, path in (given | {"files__rules": rules}).items() if path is not None}
        return settings_of(ctx, **documents)

    def under(rules: Path | None, folder: Path, title: str) -> "Run":
        settings = settings_under(rules)
        began = time.monotonic()
        run = _run(title, files, settings, folder, sort=sort, until_ms=until_ms)
        print_report(run.summary, run.tally, settings.shop.currency, time.monotonic() - began, folder)
        return run

    if against is not None:
        load_book(settings_under(against))  # what is wrong in it is told before a year is played under the first ones
    run = under(rules, out, "replaying")
    other = None
    if against is not None:
        click.echo()
        other = under(against, out / "against", f"under {against.name}")
    document = backtest(run, other)
    write_page(document, out)
    click.echo()
    print_backtest(document, out)


def _run(
    title: str, files: tuple[Path, ...], settings: "Settings", folder: Path, *, sort: bool, until_ms: int | None
) -> "Run":
    import time
    from zoneinfo import ZoneInfo

    from streams.backtest.course import Course
    from streams.backtest.document import Run
    from streams.book_files import load_book, make_decoder
    from streams.commands.display import Progress
    from streams.commands.run_report import day
    from streams.commands.times import latest_ms
    from streams.replay import file_lines, replay
    from streams.results import Results
    from streams.trigger_registry import all_triggers, service_triggers

    book = load_book(settings)
    began = time.monotonic()
    decoder = make_decoder(settings, max(latest_ms(), until_ms or 0))
    course = Course(zone=ZoneInfo(settings.shop.timezone))
    with Progress(title) as display, Results(folder) as results:
        passing = _Passing(files)
        lines = passing.of(file_lines(files, decoder, sort=sort))

        def progress(pace: "Pace") -> None:
            per_s = pace.events / max(time.monotonic() - began, 1e-9)
            text = f"{pace.events:,} events  {per_s:,.0f}/s  {day(pace.clock_ms)}  {pace.triggers:,} triggers"
            display.update(text, share=passing.share())

        summary = replay(
            lines, book, settings, results, until_ms=until_ms, decoder=decoder, progress=progress, watch=course.take
        )
    if until_ms is not None and until_ms < passing.last_ms:
        told = f"--until {day(until_ms)} lies before the last event ({day(passing.last_ms)}) and changes nothing"
        click.echo(f"{told}: it moves the clock on, and cuts no events off", err=True)
    service = service_triggers(book, all_triggers())
    return Run(book.rules.version, settings.shop.currency, service, summary, results.tally, course)


class _Passing:
    """Lines as they go by: how far in the files they are, and the latest time of any."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        plain = all(path.is_file() and path.suffix not in {".gz", ".zst", ".parquet", ".pq"} for path in files)
        self._total = sum(path.stat().st_size for path in files) if plain else 0
        self._gone = 0
        self.last_ms = 0

    def of(self, lines: "Iterable[Line]") -> "Iterator[Line]":
        """The lines."""
        for line in lines:
            self._gone += len(line.value or b"") + 1
            self.last_ms = max(self.last_ms, line.time_ms)
            yield line

    def share(self) -> float | None:
        """Which share of the files' bytes has gone by; None where that can't be said (packed files, a pipe)."""
        return self._gone / self._total if self._total else None


def _instant_ms(text: str) -> int:
    from datetime import UTC, datetime, timedelta

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--until {text!r} is no time such as 2026-03-31 or 2026-03-31T12:00:00Z") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at > datetime.now(UTC) + timedelta(days=366 * _YEARS_AHEAD_MAX):
        raise click.UsageError(
            f"--until {text!r} is more than {_YEARS_AHEAD_MAX} years from now: is the year mistyped?"
        )
    return int(at.timestamp() * 1000)
