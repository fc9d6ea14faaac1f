"""`regulars rebuild`: throw the state away and make it anew from the log."""

from typing import TYPE_CHECKING

import click

from streams.commands.options import WithSettings, agree, settings_of

if TYPE_CHECKING:
    from streams.redis_table import RedisTable


@click.command("rebuild", cls=WithSettings, short_help="Throw the state away and make it anew from the log.")
@click.option(
    "--partition", "only", type=click.IntRange(min=0), multiple=True, metavar="P", help="Only these partitions."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(ctx: click.Context, *, only: tuple[int, ...], yes: bool) -> None:
    """Delete profiles, ledgers and stored offsets, so that workers read the log from its start again.

    Only what the log still holds comes back: orders older than the topics' retention are lost. Triggers decided again
    have the ids they had, so subscribers that remember ids see no repeats. Who was erased stays erased,
    and the figures of the anonymised stay.
    """
    from streams.commands.display import Progress
    from streams.commands.tables import with_table
    from streams.rebuild import rebuild

    settings = settings_of(ctx)
    partitions = list(only) or list(range(settings.kafka.partitions))
    if max(partitions) >= settings.kafka.partitions:
        raise click.UsageError(f"there are {settings.kafka.partitions} partitions, numbered from 0")
    which = f"{len(partitions)} of {settings.kafka.partitions} partitions"
    if not yes:
        agree(f"Delete every profile of {which} in {settings.redis.prefix}?")

    async def work(table: "RedisTable") -> int:
        deleted = 0
        with Progress("rebuild") as display:
            for done, partition in enumerate(partitions):
                display.update(f"{deleted:,} keys of {done} partitions deleted", share=done / len(partitions))
                deleted += await rebuild(table, partition)
        return deleted

    deleted = with_table(settings, work, may_be_missing=True)  # of a Redis that came back empty
    click.echo(f"{deleted:,} keys of {which} deleted; workers read the log from its start now")
