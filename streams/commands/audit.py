"""`regulars audit`: every profile's totals against its ledger folded anew."""

from typing import TYPE_CHECKING

import click

from streams.commands.options import WithSettings, settings_of

if TYPE_CHECKING:
    from streams.audit import Difference
    from streams.redis_table import RedisTable

EXIT_DIFFERENCES = 1


@click.command("audit", cls=WithSettings, short_help="Fold every ledger anew and name profiles that disagree.")
@click.option("--partition", type=click.IntRange(min=0), metavar="P", help="Only this partition.")
@click.pass_context
def command(ctx: click.Context, *, partition: int | None) -> int:
    """Fold every ledger in Redis anew and name each profile whose totals disagree. Exit code 1 if one does."""
    from streams.audit import audit
    from streams.commands.display import Progress
    from streams.commands.tables import with_table

    settings = settings_of(ctx)
    if partition is not None and partition >= settings.kafka.partitions:
        raise click.UsageError(f"there are {settings.kafka.partitions} partitions, numbered from 0")
    partitions = range(settings.kafka.partitions) if partition is None else [partition]

    async def work(table: "RedisTable") -> tuple[int, list["Difference"]]:
        looked, differing = 0, []
        with Progress("auditing") as display:
            for p in partitions:
                async for difference in audit(table, p):
                    looked += 1
                    if difference is not None:
                        differing.append(difference)
                    display.update(f"partition {p}, {looked:,} profiles, {len(differing):,} disagree")
        return looked, differing

    looked, differing = with_table(settings, work)
    for difference in differing:
        for finding in difference.findings:
            click.echo(f"{difference.profile_id} (partition {difference.partition}): {finding}")
    click.echo(f"{looked:,} profiles, {len(differing):,} disagree with their ledger")
    return EXIT_DIFFERENCES if differing else 0
