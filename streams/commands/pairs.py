"""`regulars pairs`: count what is bought together, and hand it to whoever recommends."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.commands.options import OUT_FILE, WithSettings, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from profiles.models import Models
    from streams.pairing.baskets import Baskets
    from streams.pairing.state import PairState
    from streams.settings import Settings

_FILE = click.Path(path_type=Path, dir_okay=False)
SAVE_EVERY = 200_000
"""Orders between two saves: a run that ends in between counts so many again at most."""


@click.command("pairs", cls=WithSettings, short_help="Count what is bought together, for recommendations.")
@click.argument("files", nargs=-1, type=_FILE, metavar="[FILE...]")
@click.option(
    "--state", type=OUT_FILE, metavar="FILE", help="Counts and positions in the topics; made where there is none."
)
@click.option("--out", type=OUT_FILE, metavar="FILE", help="Write the document of models here too.")
@click.option("--top", type=click.IntRange(min=0), default=15, show_default=True, help="Pairs to show.")
@click.pass_context
def command(ctx: click.Context, *, files: tuple[Path, ...], state: Path | None, out: Path | None, top: int) -> None:
    """Count pairs of products over the orders that came since the last run, and publish what goes together.

    Reads the topic `orders` from where --state stands to its end as of now; run it on a schedule. Counts are exact, cancelled
    orders are taken out again, and memory is bounded. The document goes where `regulars fit` puts its models.

    With FILE (events as for `regulars replay`) the orders in these are counted, and the document goes to --out only.
    """
    from streams.pairing.baskets import Baskets
    from streams.pairing.learn import strongest
    from streams.pairing.state import load, save

    if files and out is None:
        raise click.UsageError("with FILE, give --out FILE for the document")
    if not files and state is None:
        raise click.UsageError("give --state FILE: it keeps the counts, and where to go on next time")
    settings = settings_of(ctx)
    if files:
        baskets = Baskets()
        _count_files(files, settings, baskets)
        models = _learned(None, baskets)
    else:
        assert state is not None
        counted = load(state, f"{settings.kafka.bootstrap} {settings.topic('orders')}")
        _count_topic(settings, counted, lambda: save(counted, state))
        save(counted, state)
        baskets = counted.baskets
        models = _published(settings, baskets)
    click.echo(f"{baskets.counter.baskets:,} baskets, {len(baskets.counter):,} pairs kept")
    for pair in strongest(models.together or {}, top):
        click.echo(f"  {pair.a} + {pair.b}: {pair.count:,} baskets, {pair.lift:.1f} times chance")
    if not models.together:
        click.echo("nothing goes together yet: a pair needs 20 baskets, and more than chance would make", err=True)
    if out is not None:
        from profiles.models import encode_models

        out.write_bytes(encode_models(models) + b"\n")
        click.echo(f"written to {out}")


def _learned(before: "Models | None", baskets: "Baskets") -> "Models":
    from profiles.models import Models
    from streams.pairing.learn import with_pairs

    return with_pairs(before or Models(), baskets.counter)


def _count_files(files: tuple[Path, ...], settings: "Settings", baskets: "Baskets") -> None:
    from schemas.reasons import Problem
    from schemas.split import unfold
    from streams.book_files import make_decoder
    from streams.commands.display import Progress
    from streams.commands.run_report import unusable
    from streams.commands.times import latest_ms
    from streams.sources import files as sources

    decoder = make_decoder(settings, latest_ms())
    rejected = 0
    with Progress("counting") as display:
        for number, value in enumerate(sources.read(files), 1):
            for found, _ in unfold(value, decoder):
                if isinstance(found, Problem):
                    rejected += 1
                else:
                    baskets.take(found.event, found.time_ms)
            if number % 10_000 == 0:
                display.update(f"{number:,} events, {baskets.counter.baskets:,} baskets")
    if rejected:
        click.echo(unusable(rejected), err=True)


def _count_topic(settings: "Settings", state: "PairState", save: "Callable[[], None]") -> None:
    """Everything from the state's positions to the ends as they are now."""
    from schemas.reasons import Problem
    from streams.book_files import make_decoder
    from streams.commands.display import Progress
    from streams.looking_on import looker_on, places_of, read_to
    from streams.sources.errors import SourceError

    decoder = make_decoder(settings)
    every = places_of(settings, ["orders"])
    with looker_on(settings) as consumer:
        consumer.assign(every)
        begins, ends = consumer.beginning_offsets(every), consumer.end_offsets(every)
        for place in every:
            wanted = state.offsets.get(f"{place.topic}:{place.partition}", 0)
            if wanted > ends[place]:
                raise SourceError(
                    f"{place.topic} [{place.partition}] ends at {ends[place]}, and {wanted} was counted already: it was made "
                    "anew. Delete the file of --state to count all orders anew."
                )
            consumer.seek(place, max(wanted, begins[place]))
        taken = 0
        with Progress("counting") as display:
            for batches in read_to(consumer, ends):
                for place, records in batches.items():
                    for record in records:
                        arrival = decoder.decode(record.value, record.timestamp) if record.value is not None else None
                        if arrival is not None and not isinstance(arrival, Problem):
                            state.baskets.take(arrival.event, arrival.time_ms)
                    state.offsets[f"{place.topic}:{place.partition}"] = consumer.position(place)
                    taken += len(records)
                if taken >= SAVE_EVERY:
                    save()
                    taken = 0
                display.update(f"{state.baskets.counter.baskets:,} baskets, {len(state.baskets.counter):,} pairs")


def _published(settings: "Settings", baskets: "Baskets") -> "Models":
    from profiles.models import decode_models, encode_models
    from streams.commands.tables import with_table
    from streams.fitting.publish import publish
    from streams.redis_table import RedisTable

    async def work(table: RedisTable) -> "Models":
        stored = await table.models()
        models = _learned(None if stored is None else decode_models(stored), baskets)
        document = encode_models(models)
        await publish(settings, models.id, document)
        await table.put_models(document)
        return models

    return with_table(settings, work, may_be_missing=True)  # orders may be counted before the first worker
