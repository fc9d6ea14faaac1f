"""The closing report of a run in memory, as a table on a terminal and as plain lines elsewhere."""

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table

from schemas.reasons import REASONS
from streams.commands.display import Words
from streams.commands.profile_table import money
from streams.report import Summary, Tally, without_rate

FILES = (
    "profiles.jsonl",
    "triggers.jsonl",
    "decisions.jsonl",
    "identities.jsonl",
    "rejected.jsonl",
    "summary.json",
    "population.json",
)
"""What a run in memory leaves; of a replay there is a back-test besides."""


def day(at_ms: int) -> str:
    """The UTC date of an instant."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d")


def unusable(count: int) -> str:
    """What to say of a command that reads files and keeps no record of what it could not use."""
    return f"{count:,} events could not be used, and count for nothing: `regulars replay FILE --out DIR` says why"


def _told(reason: str) -> str:
    """Why something was set aside, with the code under which the reference has the remedy."""
    known = REASONS.get(reason)
    return reason if known is None else f"{known.happened.rstrip('.')} ({reason})"


def print_report(summary: Summary, tally: Tally, currency: str, seconds: float, folder: Path) -> None:
    """Print what a run amounts to and where its files lie."""
    bought = summary.orders_per_customer
    rows = [
        ("customers", f"{summary.customers:,}"),
        ("orders", f"{summary.orders:,}"),
        ("gross", money(summary.gross_minor, currency)),
        ("discounts", money(summary.discount_minor, currency)),
        ("refunds", money(summary.refund_minor, currency)),
        ("net", money(summary.net_minor, currency)),
        ("average order value", money(summary.aov_minor, currency)),
        ("purchase frequency", f"{bought:,.1f} orders per buyer" if bought else "-"),
        ("repurchase rate", f"{summary.repurchase_rate:.1%}" if bought else "-"),
        ("", ""),
        *((name, f"{count:,}") for name, count in summary.triggers.items()),
        ("decisions", ", ".join(f"{state} {count:,}" for state, count in sorted(tally.decisions.items())) or "none"),
        ("", ""),
        (
            "events",
            f"{summary.events:,} in {seconds:.1f} s, {summary.events_per_s:,.0f}/s; {summary.rejected:,} rejected",
        ),
        *(("rejected", f"{count:,}: {_told(reason)}") for reason, count in tally.reasons.most_common()),
        ("files", f"{folder}/  {'  '.join(FILES)}"),
    ]
    for said in without_rate(summary.unconverted_orders, summary.unconverted_refunds, currency):
        click.echo(said, err=True)
    console = Words(soft_wrap=True)
    if not console.is_terminal:
        for name, value in rows:
            click.echo(f"{name:<22} {value}".rstrip())
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
