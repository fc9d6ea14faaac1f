"""`regulars rejected`: what was set aside and why, and sending it again once the reason is gone."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from streams.commands.options import REASONS, WithSettings, filters, settings_of
from streams.commands.times import TIME, epoch_ms, utc

if TYPE_CHECKING:
    from streams.rejected import Aside, Filter
    from streams.settings import Settings
    from streams.sources import Line


@click.group("rejected", short_help="List, show or send again what was set aside.")
def command() -> None:
    """Look at records that were set aside, and send them again after an adapter, a plan or a schema was mended."""


_filters = filters(
    click.option("--until", type=TIME, metavar="TIME", help="Only records before this moment (UTC)."),
    click.option("--since", type=TIME, metavar="TIME", help="Only records of this moment or later (UTC)."),
    click.option("--source", metavar="NAME", default="", help="Only of this topic, or of http/<source>."),
    REASONS,
)


@command.command("list", cls=WithSettings)
@_filters
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, metavar="N")
@click.pass_context
def list_command(ctx: click.Context, /, *, limit: int, **meant: Any) -> None:
    """List what was set aside: place, time, where it came from, reason and detail; then how many of each reason."""
    from streams.commands.display import plain

    counts: dict[str, int] = {}
    for number, aside in enumerate(_meant(settings_of(ctx), _filter(**meant)), 1):
        rejected = aside.rejected
        counts[rejected.reason] = counts.get(rejected.reason, 0) + 1
        if number <= limit:
            where = f"{aside.place:<8} {utc(rejected.timestamp_ms)}  {rejected.topic:<14}"
            click.echo(plain(f"{where} {rejected.reason}: {rejected.detail}"))
    shown = sum(counts.values())
    if shown > limit:
        click.echo(f"... and {shown - limit:,} more (--limit)")
    click.echo(", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items())) or "nothing was set aside")


@command.command("show", cls=WithSettings)
@click.argument("place", metavar="PARTITION/OFFSET")
@click.pass_context
def show(ctx: click.Context, *, place: str) -> None:
    """Show one record that was set aside, with its original, as JSON. PLACE as `list` prints it."""
    import msgspec

    from streams.commands.display import plain
    from streams.rejected import Filter

    for aside in _meant(settings_of(ctx), Filter(places=frozenset({place}))):
        for line in msgspec.json.format(msgspec.json.encode(aside.rejected)).decode().split("\n"):
            click.echo(plain(line))
        return
    raise click.ClickException(f"nothing stands at {place!r} on the topic rejected; see `regulars rejected list`")


@command.command("redrive", cls=WithSettings)
@_filters
@click.argument("places", metavar="[PARTITION/OFFSET]...", nargs=-1)
@click.option("--send", is_flag=True, help="Send it. Without this nothing is sent, and you see what would be.")
@click.pass_context
def redrive(ctx: click.Context, /, *, places: tuple[str, ...], send: bool, **meant: Any) -> None:
    """Decode what was set aside once more, as of today, and send what is good now to the topic it came by.

    Message ids and times stay what they were, so nothing that had passed counts twice. Without --send it only says what
    would be done.
    """
    from streams.commands.display import plain
    from streams.redrive import Redrive

    settings = settings_of(ctx)
    look = Redrive(settings).look
    lines: list[Line] = []
    good = still = hopeless = 0
    for aside in _meant(settings, _filter(places=places, **meant)):
        outcome = look(aside.rejected)
        for line in outcome.lines:
            click.echo(plain(f"{aside.place:<8} to {line.topic}: {_told(line.value)}"))
        for problem in outcome.still:
            click.echo(plain(f"{aside.place:<8} still {problem.reason}: {problem.detail}"))
        if outcome.hopeless:
            click.echo(f"{aside.place:<8} can't be sent: {outcome.hopeless}")
        lines += outcome.lines
        good += bool(outcome.lines)
        still += bool(outcome.still)
        hopeless += bool(outcome.hopeless)
    if send and lines:
        from streams.feed import feed

        feed(lines, settings)
    did = "sent" if send else "would be sent (--send sends them)"
    click.echo(
        f"{len(lines):,} events of {good:,} records {did}; {still:,} records are still refused, {hopeless:,} can't be sent"
    )


def _filter(
    *,
    reasons: tuple[str, ...],
    source: str,
    since: datetime | None,
    until: datetime | None,
    places: tuple[str, ...] = (),
) -> "Filter":
    from schemas.reasons import REASONS
    from streams.rejected import Filter

    for reason in reasons:
        if reason not in REASONS:
            raise click.UsageError(f"there is no reason {reason!r}; there are {', '.join(REASONS)}")
    return Filter(
        reasons=frozenset(reasons),
        source=source,
        since_ms=epoch_ms(since),
        until_ms=epoch_ms(until),
        places=frozenset(places),
    )


def _meant(settings: "Settings", wanted: "Filter") -> "Iterator[Aside]":
    from streams.rejected import read_rejected

    return (aside for aside in read_rejected(settings) if wanted.takes(aside))


def _told(value: bytes) -> str:
    """An event in a few words."""
    import msgspec

    event = msgspec.json.decode(value)
    return f"{event['event']} {event['message_id']}"
