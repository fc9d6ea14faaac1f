"""`regulars offsets`: how far each partition has read, and what to do when the log no longer holds what comes next."""

from typing import TYPE_CHECKING

import click

from streams.commands.options import WithSettings, agree, settings_of

if TYPE_CHECKING:
    from streams.offsets import Standing
    from streams.redis_table import RedisTable
    from streams.settings import Settings


@click.group("offsets", short_help="Show stored offsets, or accept a gap in the log.")
def command() -> None:
    """Show stored offsets, or accept that a part of the log is lost."""


@command.command("show", cls=WithSettings)
@click.option("--all", "everything", is_flag=True, help="Also partitions without records.")
@click.pass_context
def show(ctx: click.Context, *, everything: bool) -> None:
    """Show the next offset to read of every input topic and partition, with what the log holds."""
    from streams.commands.display import listing, page

    table = listing("topic", "p", "next", "log start", "log end", "lag", "")
    for column in table.columns[1:6]:
        column.justify = "right"
    for standing in _standings(settings_of(ctx)):
        if standing.end or standing.stored is not None or everything:
            stored = "-" if standing.stored is None else f"{standing.stored:,}"
            lag = f"{standing.lag:,}"
            table.add_row(
                standing.topic,
                str(standing.partition),
                stored,
                f"{standing.start:,}",
                f"{standing.end:,}",
                lag,
                standing.problem or "",
            )
    page().print(table)


@command.command("accept-gap", cls=WithSettings)
@click.option("--partition", "only", type=click.IntRange(min=0), metavar="P", help="Only this partition.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def accept_gap(ctx: click.Context, *, only: int | None, yes: bool) -> None:
    """Let partitions go on whose next record is no longer in the log: they read on from the nearest that is."""
    from streams.commands.tables import with_table

    settings = settings_of(ctx)
    if only is not None and only >= settings.kafka.partitions:
        raise click.UsageError(f"there are {settings.kafka.partitions} partitions, numbered from 0")
    gaps = [s for s in _standings(settings, readable=True) if s.problem is not None and only in {None, s.partition}]
    if not gaps:
        click.echo("every stored offset lies within its log: there is no gap to accept")
        return
    for gap in gaps:
        click.echo(f"{gap.topic}/{gap.partition}: {gap.problem}; would read on at {gap.nearest:,}")
    if not yes:
        agree("Go on without the missing records?")
    by_partition: dict[int, dict[str, int | None]] = {}
    for gap in gaps:
        by_partition.setdefault(gap.partition, {})[gap.topic] = gap.nearest

    async def work(table: "RedisTable") -> None:
        for partition, offsets in by_partition.items():
            await table.set_offsets(partition, offsets)

    with_table(settings, work)
    click.echo(f"{len(gaps)} gaps accepted in {len(by_partition)} partitions; workers read on within a minute")


def _standings(settings: "Settings", *, readable: bool = False) -> list["Standing"]:
    """Where all partitions stand. With `readable` topics that workers would not read, missing ones or such with another number of
    partitions, raise what workers do: an accepted gap would not let them read on.
    """
    from streams.commands.tables import with_table
    from streams.kafka_admin import admin_client, check_topics
    from streams.offsets import standings, stored_metas

    stored = with_table(settings, lambda table: stored_metas(table, settings.kafka.partitions))
    with admin_client(settings) as client:
        if readable:
            check_topics(client, settings)
        return standings(client, settings, stored)
