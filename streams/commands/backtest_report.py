"""A back-test on a terminal: triggers week by week, what was kept back, contact pressure, and where two rule sets part."""

from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import click
from rich import box
from rich.console import Console
from rich.table import Table

from streams.backtest.difference import KINDS, sentence
from streams.backtest.document import BacktestDocument, RunFigures, called
from streams.backtest.page import HTML, JSON, band_names, failures, followed, reasons, share, span
from streams.commands.display import Words
from streams.page import has_plots

_BARS: Final = "▁▂▃▄▅▆▇█"
_WEEKS_SHOWN: Final = 27
_PLAIN_WIDTH: Final = 130


def print_backtest(document: BacktestDocument, folder: Path) -> None:
    """Print the document; `folder` is where its files lie."""
    console = Words(soft_wrap=True)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    console.print(_triggers(document))
    _kept_back(console, document.run)
    for line in failures(document.run):
        console.print(line)
    _pressure(console, document)
    if document.difference is not None:
        _difference(console, document)
    files = f"{JSON}  {HTML}" if has_plots() else f"{JSON} (for a page with plots: pip install 'regulars[report]')"
    click.echo(f"\nfiles: {folder}/  {files}")


def spark(counts: tuple[int, ...]) -> str:
    """Counts as a row of bars, nothing as a space; more than 27 are added up in groups.

    >>> spark((0, 1, 4, 8))
    ' ▁▄█'
    """
    group = -(-len(counts) // _WEEKS_SHOWN) or 1
    grouped = [sum(counts[at : at + group]) for at in range(0, len(counts), group)]
    most = max(grouped, default=0)
    return "".join(_BARS[-(-count * len(_BARS) // most) - 1] if count else " " for count in grouped)


def _triggers(document: BacktestDocument) -> Table:
    run, against = document.run, document.against
    others = {one.name: one.sent for one in against.triggers} if against is not None else {}
    title = f"Triggers, {span(run.weeks)}" if run.weeks else "Triggers"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    table.add_column("trigger", no_wrap=True)
    table.add_column("sent", justify="right", no_wrap=True)
    if against is not None:
        table.add_column("others", justify="right", no_wrap=True)
    table.add_column("orders after", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("kept back", justify="right", no_wrap=True)
    table.add_column("by week", no_wrap=True, style="cyan")
    for one in run.triggers:
        row = [
            one.name,
            f"{one.sent:,}",
            followed(one),
            share(one),
            f"{sum(one.kept_back.values()):,}",
            spark(one.weeks),
        ]
        if against is not None:
            row.insert(2, f"{others.get(one.name, 0):,}")
        table.add_row(*row)
    return table


def _kept_back(console: Console, run: RunFigures) -> None:
    kept = reasons(run)
    console.print("due and not sent" if kept else "due and not sent: nothing")
    for words, counts in kept:
        console.print(f"  {sum(counts.values()):>7,}  {words}")


def _pressure(console: Console, document: BacktestDocument) -> None:
    runs = [document.run] if document.against is None else [document.run, document.against]
    for called_so, run in zip(called(document), runs, strict=False):
        pressure, of = run.pressure, f" under {called_so!r}" if len(runs) > 1 else ""
        console.print(
            f"contact pressure{of}: {pressure.mean:.2f} messages per customer (of {pressure.customers:,}), median "
            f"{pressure.median}, nine of ten at most {pressure.p90}, 99 of 100 at most {pressure.p99}, the most {pressure.most}"
        )
        for name, bands in (("in all", pressure.bands), ("in her busiest 7 days", pressure.busiest_bands)):
            counts = zip(band_names(), bands.values(), strict=True)
            told = ", ".join(f"{band}: {count:,}" for band, count in counts if count) or "none"
            console.print(f"  {'customers by messages ' + name:<43}  {told}")


def _difference(console: Console, document: BacktestDocument) -> None:
    found, zone = document.difference, ZoneInfo(document.timezone)
    assert found is not None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="\nAgainst the other rules", title_justify="left")
    table.add_column("trigger", no_wrap=True)
    for name in ("the same", *KINDS.values()):
        table.add_column(name, justify="right")
    for one in found.triggers:
        table.add_row(one.name, f"{one.same:,}", *(f"{getattr(one, kind):,}" for kind in KINDS))
    console.print(table)
    console.print(f"customers who get something else, or at another time: {found.customers:,}")
    if any(one.examples for one in found.triggers):
        others = called(document)[1]
        console.print(f"For example, under the others ({others}) -> under these, times of {zone.key}:")
    for one in found.triggers:
        for kind, told in KINDS.items():
            lines = [sentence(example, one.name, zone) for example in one.examples if example.kind == kind]
            if lines:
                console.print(f"  {one.name}, {told}")
            for line in lines:
                console.print(f"    {line}")
