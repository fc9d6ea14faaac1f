"""`regulars report`: what customers are worth, where they come from and stay, and what triggers bring."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.commands.options import OUT_FILE, WithSettings, settings_of

if TYPE_CHECKING:
    from streams.reporting.snapshot import Snapshot
    from streams.settings import Settings

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("report", cls=WithSettings, short_help="Customer value, cohorts, channels, and what triggers bring.")
@click.argument("source", required=False, type=click.Path(path_type=Path), metavar="[DIR]")
@click.option("--page", type=OUT_FILE, metavar="FILE", help="Write a page with plots too (HTML; opens offline).")
@click.option("--json", "json_", type=OUT_FILE, metavar="FILE", help="Write all figures too.")
@click.option(
    "--spend",
    type=_FILE,
    metavar="FILE",
    help="What channels cost, in place of the topic `spend`: its records (.jsonl), or CSV (day, channel, spend).",
)
@click.option(
    "--earlier", type=click.Path(path_type=Path), metavar="FILE", help="Counters of an earlier day, kept with --keep."
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep the counters there, for later.",
)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    source: Path | None,
    page: Path | None,
    json_: Path | None,
    spend: Path | None,
    earlier: Path | None,
    keep: Path | None,
) -> None:
    """Report on a shop from its counters: DIR is what `replay`, `demo` or `simulate` left; without it, the live stores.

    Nothing is read but counters, so it takes seconds however many customers there are, and may run at any time.
    """
    import msgspec
    from msgspec.structs import replace

    from streams.commands.report_tables import print_document
    from streams.page import has_plots
    from streams.reporting.document import report
    from streams.reporting.snapshot import SnapshotError, earlier_of, read_snapshot, write_snapshot
    from streams.reporting.spend import SPEND_FILE, read_spend

    if page is not None and not has_plots():
        raise click.ClickException("a page with plots needs plotly: pip install 'regulars[report]'")
    found = _live(settings_of(ctx)) if source is None else read_snapshot(source)
    if earlier is not None:
        before = read_snapshot(earlier)
        if (before.shop_id, before.currency) != (found.shop_id, found.currency):
            raise SnapshotError(
                f"{earlier} has counters of the shop {before.shop_id!r} in {before.currency}, and this is a report of "
                f"{found.shop_id!r} in {found.currency}: give earlier ones of this shop"
            )
        found = replace(found, earlier=earlier_of(before.counters, before.today))
    if spend is None and source is not None and source.is_dir() and (source / SPEND_FILE).is_file():
        spend = source / SPEND_FILE
    spent: dict[tuple[str, int], int] = {}
    if spend is not None:
        spent = read_spend(spend, found.currency)
    elif source is None:
        spent = _spent(settings_of(ctx))
    document = report(found, spent)
    print_document(document)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        click.echo(f"counters kept in {write_snapshot(found, keep)}")
    if json_ is not None:
        json_.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        click.echo(f"figures written to {json_}")
    if page is not None:
        from streams.reporting.page import write_page

        write_page(document, page)
        click.echo(f"page written to {page}")


def _live(settings: "Settings") -> "Snapshot":
    """The counters of all partitions in Redis."""
    from profiles.insight.tallies import Tally, add
    from streams.book_files import load_book
    from streams.commands.tables import with_table
    from streams.model_source import with_models
    from streams.redis_table import RedisTable
    from streams.reporting.snapshot import snapshot
    from streams.trigger_registry import all_triggers

    book = load_book(settings)

    async def work(table: RedisTable) -> "Snapshot":
        total: Tally = {}
        clock_ms = 0
        for partition in range(settings.kafka.partitions):
            add(total, await table.population(partition))
            meta = await table.meta(partition)
            clock_ms = max(clock_ms, 0 if meta is None else meta.clock_ms)
        return snapshot(await with_models(book, table), all_triggers(), total, clock_ms)

    return with_table(settings, work)


def _spent(settings: "Settings") -> dict[tuple[str, int], int]:
    """What the topic of spend says; records that can't be used are set aside, and told."""
    import asyncio

    from streams.book_files import load_book
    from streams.kafka_admin import AdminError
    from streams.reporting.spend_topic import read_topic, set_aside

    try:
        spent = read_topic(settings, load_book(settings))
    except AdminError as error:
        click.echo(f"what channels cost is not known, the topic of spend can't be read: {error}", err=True)
        return {}
    if spent is None:
        return {}
    if spent.rejected:
        asyncio.run(set_aside(settings, spent.rejected))
        click.echo(
            f"{len(spent.rejected):,} records of spend can't be used and are left out: regulars rejected list --source spend",
            err=True,
        )
    return spent.by_month
