"""`regulars audit`: every profile's totals against its ledger folded anew, and the population's counters against profiles."""

from typing import TYPE_CHECKING, Final

import click

from streams.commands.options import WithSettings, settings_of

if TYPE_CHECKING:
    from streams.audit import CounterDifference, Difference
    from streams.redis_table import RedisTable

EXIT_DIFFERENCES: Final = 1
COUNTERS_SHOWN: Final = 50


@click.command(
    "audit", cls=WithSettings, short_help="Fold every ledger anew; name profiles and counters that disagree."
)
@click.option("--partition", type=click.IntRange(min=0), metavar="P", help="Only this partition.")
@click.pass_context
def command(ctx: click.Context, *, partition: int | None) -> int:
    """Fold every ledger in Redis anew and name each profile whose totals disagree; then add up what all profiles hold and name
    each counter of the population that is not that sum. Exit code 1 if one disagrees. Identifiers that lead to a profile, and
    what is left of who was erased, are looked at and are no profiles.
    """
    from streams.audit import audit, audit_population
    from streams.book_files import load_book
    from streams.commands.display import Progress
    from streams.commands.tables import with_table

    settings = settings_of(ctx)
    if partition is not None and partition >= settings.kafka.partitions:
        raise click.UsageError(f"there are {settings.kafka.partitions} partitions, numbered from 0")
    partitions = range(settings.kafka.partitions) if partition is None else [partition]

    book = load_book(settings)

    async def work(table: "RedisTable") -> tuple[int, list["Difference"], list["CounterDifference"]]:
        looked, differing, off = 0, [], []
        with Progress("auditing") as display:
            for p in partitions:
                async for difference in audit(table, p):
                    looked += 1
                    if difference is not None:
                        differing.append(difference)
                    display.update(f"partition {p}, {looked:,} profiles, {len(differing):,} disagree")
                display.update(f"partition {p}, adding up its counters")
                off += await audit_population(table, p, book)
        return looked, differing, off

    looked, differing, off = with_table(settings, work)
    for difference in differing:
        for finding in difference.findings:
            click.echo(f"{difference.profile_id} (partition {difference.partition}): {finding}")
    for one in off[:COUNTERS_SHOWN]:
        click.echo(
            f"partition {one.partition}, counter {one.counter}: stored {one.stored:,}, profiles hold {one.summed:,}"
        )
    if len(off) > COUNTERS_SHOWN:
        click.echo(f"... and {len(off) - COUNTERS_SHOWN:,} more counters")
    click.echo(
        f"{looked:,} profiles, {len(differing):,} disagree with their ledger; {len(off):,} counters disagree with the profiles"
    )
    return EXIT_DIFFERENCES if differing or off else 0
