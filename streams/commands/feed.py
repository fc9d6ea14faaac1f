"""`regulars feed`: publish events to Kafka."""

from collections.abc import Iterator
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

from streams.commands.options import WithSettings, settings_of

if TYPE_CHECKING:
    from streams.feed import Fed, Noted
    from streams.settings import Settings
    from streams.sources import Line

JOURNEY = "completejourney"


class Rate(click.FloatRange):
    """A number within bounds, which nan and infinity are not."""

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value!r} is no number of events a second", param, ctx)
        return number


@click.command("feed", cls=WithSettings, short_help="Publish events to Kafka.")
@click.argument("source", metavar=f"FILE|{JOURNEY}")
@click.option("--rate", type=Rate(min=0.001), metavar="N", help="At most N events a second.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N events.")
@click.option("--shift-to-now", is_flag=True, help="Move all times so that the last event happens now.")
@click.option("--orders-only", is_flag=True, help=f"With {JOURNEY}: the real orders without the synthetic sessions.")
@click.option("--topic", metavar="NAME", help="Publish everything to this input topic, whatever its kind.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    source: str,
    rate: float | None,
    limit: int | None,
    shift_to_now: bool,
    orders_only: bool,
    topic: str | None,
) -> None:
    """Publish a file's events, or a year of a real grocer, to Kafka.

    FILE is JSON lines (.gz and .zst too; - is standard input) or Parquet: canonical events, or what a tracker or shop system
    sends; a line that holds several events becomes one record for each. Each event goes to the topic of its kind. Events
    older than a day that do not say when they were received count as an import, which fires no trigger;
    --shift-to-now makes them recent. With --topic spend, FILE has records of what channels cost.
    """
    import time

    from schemas.topics import CONSUMED
    from streams.book_files import make_decoder
    from streams.commands.display import Progress
    from streams.feed import SPEND, Noted, feed, shifted

    settings = settings_of(ctx)
    if topic is not None and topic not in {*CONSUMED, SPEND}:
        raise click.UsageError(f"no input topic {topic!r}; there are {', '.join((*CONSUMED, SPEND))}")
    if topic == SPEND and (shift_to_now or source == JOURNEY):
        raise click.UsageError("what channels cost comes from a FILE, and belongs to its days: without --shift-to-now")
    noted = Noted()
    lines = _spend(source, limit) if topic == SPEND else _lines(source, settings, limit, noted, orders_only=orders_only)
    if shift_to_now:
        if source == "-":
            raise click.UsageError("--shift-to-now reads the source twice, which standard input does not allow")
        with Progress("looking for the last event's time") as display:
            display.update("", force=True)
            last_ms = _last_ms(source, settings, limit, orders_only=orders_only)
        by_ms = int(time.time() * 1000) - last_ms
        lines = shifted(lines, by_ms, make_decoder(settings))
    began = time.monotonic()
    with Progress(f"feeding {source} to {settings.kafka.bootstrap}") as display:

        def progress(fed: "Fed") -> None:
            per_s = fed.events / max(time.monotonic() - began, 1e-9)
            display.update(f"{fed.events:,} events  {per_s:,.0f}/s")

        fed = feed(lines, settings, rate=rate, topic=topic, progress=progress)
    by_topic = ", ".join(f"{name} {count:,}" for name, count in sorted(fed.by_topic.items()))
    per_s = fed.events / max(time.monotonic() - began, 1e-9)
    click.echo(f"{fed.events:,} events published ({by_topic or 'none'}), {per_s:,.0f}/s")
    if fed.not_understood:
        whom = "no spend we can read; a report" if topic == SPEND else "no event we know; the worker"
        click.echo(f"{fed.not_understood:,} lines are {whom} will set them aside: regulars rejected list", err=True)
    for reason, count in sorted(noted.refused.items()):
        click.echo(f"  {reason} {count:,}, the first: {noted.first[reason]}", err=True)
    if noted.timeless:
        click.echo(f"{noted.timeless:,} events say no time: they count as of now", err=True)


def _lines(
    source: str, settings: "Settings", limit: int | None, noted: "Noted | None" = None, *, orders_only: bool
) -> Iterator["Line"]:
    if source == JOURNEY:
        from streams.sources import completejourney, synthetic

        journey = completejourney.load()
        found = completejourney.orders(journey) if orders_only else synthetic.around(journey)
    else:
        import time

        from streams.book_files import make_decoder
        from streams.feed import as_lines
        from streams.sources import files

        found = as_lines(files.read([Path(source)]), make_decoder(settings), noted, now_ms=time.time_ns() // 1_000_000)
    return islice(found, limit)


def _spend(source: str, limit: int | None) -> Iterator["Line"]:
    from streams.feed import as_spend
    from streams.sources import files

    return islice(as_spend(files.read([Path(source)])), limit)


def _last_ms(source: str, settings: "Settings", limit: int | None, *, orders_only: bool) -> int:
    if source == JOURNEY and limit is None:
        from streams.sources import completejourney

        return int(completejourney.load().time_ms[-1])
    return max((line.time_ms for line in _lines(source, settings, limit, orders_only=orders_only)), default=0)
