"""`regulars undelivered`: what relays gave up, and sending it again."""

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from streams.commands.options import REASONS, TEXT, WithSettings, filters, settings_of
from streams.commands.times import TIME, epoch_ms, utc

if TYPE_CHECKING:
    from streams.redis_table import RedisTable
    from streams.relay.again import Meant
    from streams.relay.delivery import Failure

EXIT_LEFT: Final = 1


@click.group("undelivered", short_help="List, or send again, what relays could not deliver.")
def command() -> None:
    """Look at the triggers that relays set aside on relay-failed, and send them again once the receiver is mended."""


_filters = filters(
    click.argument("trigger_ids", type=TEXT, metavar="[TRIGGER_ID]...", nargs=-1),
    click.option("--until", type=TIME, metavar="TIME", help="Only what was given up before this moment (UTC)."),
    click.option("--since", type=TIME, metavar="TIME", help="Only what was given up then or later (UTC)."),
    REASONS,
)


@command.command("list", cls=WithSettings)
@_filters
@click.option("--relay", metavar="NAME", default="", help="Only of this relay.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, metavar="N")
@click.pass_context
def list_command(ctx: click.Context, /, *, relay: str, limit: int, **meant: Any) -> None:
    """List what relays could not deliver and what was not sent again since: when, which relay, trigger, customer, id and why;
    then how many for each reason.
    """
    from streams.relay.aside import read_failures

    found = read_failures(settings_of(ctx), _meant(relay, **meant))
    for failure in found[:limit]:
        click.echo(_line(failure, f"{failure.reason}: {failure.detail}"))
    if len(found) > limit:
        click.echo(f"... and {len(found) - limit:,} more (--limit)")
    click.echo(_counts(Counter(failure.reason for failure in found)) or "nothing is undelivered")


@command.command("redrive", cls=WithSettings)
@click.argument("relay", metavar="RELAY")
@_filters
@click.option("--send", is_flag=True, help="Send it. Without this nothing is sent, and you see what would be.")
@click.pass_context
def redrive(ctx: click.Context, /, *, relay: str, send: bool, **meant: Any) -> int:
    """Send what the relay could not deliver to its endpoint again, as the settings have it now, each once and under its id.

    Not sent is what has expired or was taken back, and what would go to who was erased, wants to be left alone, or allows no
    marketing any more; caps and quiet hours are not asked again. Without --send it only says what would be done. Exit code 1
    if the receiver did not take all.
    """
    from streams.book_files import load_book
    from streams.commands.tables import with_table
    from streams.relay.again import IN_THE_WAY, too_late
    from streams.relay.aside import held_up, read_failures
    from streams.relay.aside import send as send_again
    from streams.relay.run import now_ms, relay_of

    settings = settings_of(ctx)
    relay_of(settings, relay)
    rules = load_book(settings).rules
    found = read_failures(settings, _meant(relay, **meant))

    async def look(table: "RedisTable") -> list[str | None]:
        return await held_up(table, settings, rules, found)

    good: list[Failure] = []
    for failure, reason in zip(found, with_table(settings, look) if found else [], strict=True):
        if failure.trigger_id is None:
            click.echo(_line(failure, "can't be sent: it is no trigger"))
        elif too_late(failure, now_ms()):
            click.echo(_line(failure, "can't be sent: it has expired"))
        elif reason is not None:
            click.echo(_line(failure, f"must not be sent: {IN_THE_WAY[reason]} ({reason})"))
        else:
            good.append(failure)
            if not send:
                click.echo(_line(failure, "would be sent"))
    rest = f"{len(found) - len(good):,} can't or must not be sent"
    if not send:
        click.echo(f"{len(good):,} triggers would be sent (--send sends them); {rest}")
        return 0

    def told(failure: "Failure", again: "Failure | None") -> None:
        click.echo(_line(failure, "delivered" if again is None else f"not delivered: {again.reason}: {again.detail}"))

    outcomes, ended = send_again(settings, relay, good, told) if good else (Counter[str](), "")
    if ended:
        click.echo(f"stopped: {ended}")
    delivered = outcomes["delivered"]
    click.echo(f"{delivered:,} triggers delivered, {len(good) - delivered:,} not; {rest}")
    return 0 if delivered == len(good) else EXIT_LEFT


def _meant(
    relay: str,
    *,
    reasons: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    trigger_ids: tuple[str, ...],
) -> "Meant":
    from streams.relay.again import Meant
    from streams.relay.delivery import FAILED

    for reason in reasons:
        if reason not in FAILED:
            raise click.UsageError(f"there is no reason {reason!r}; there are {', '.join(FAILED)}")
    return Meant(
        relay=relay,
        reasons=frozenset(reasons),
        trigger_ids=frozenset(trigger_ids),
        since_ms=epoch_ms(since),
        until_ms=epoch_ms(until),
    )


def _line(failure: "Failure", said: str) -> str:
    from streams.commands.display import plain
    from streams.relay.again import customer_of

    what = f"{failure.name or '-'}  {customer_of(failure) or '-'}  {failure.trigger_id or '-'}"
    return plain(f"{utc(failure.failed_at_ms)}  {failure.relay}  {what}  {said}")


def _counts(reasons: "Counter[str]") -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
