"""`regulars privacy`: suppress, unsuppress, erase, export or anonymise a customer, and see what has become of it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.commands.options import WithSettings, settings_of

if TYPE_CHECKING:
    from schemas.events import CommandName
    from schemas.outputs import Receipt
    from streams.privacy_request import Request
    from streams.settings import Settings

HELP: "dict[CommandName, str]" = {
    "suppress": "Collect nothing more about a customer and send nothing; what is known stays.",
    "unsuppress": "Take a suppression, or an erasure, back: what happens from now on is taken in again.",
    "erase": "Erase everything that is known of a customer, and take in nothing more.",
    "export": "Hand out everything that is known of a customer.",
    "anonymise": "Erase who a customer is; the shop's figures stay.",
}
POLL_S = 0.5


@click.group("privacy", short_help="Suppress, erase, export or anonymise a customer.")
def command() -> None:
    """Answer a customer's privacy request. Workers carry it out; the receipt says what was done, store by store."""


def _define(name: "CommandName") -> None:
    @command.command(name, cls=WithSettings, help=f"{HELP[name]} Name all identifiers you know, one of each type.")
    @click.argument("identifiers", metavar="TYPE:VALUE...", nargs=-1, required=True)
    @click.option("--request-id", metavar="ID", help="The number you know the request by; one is made without it.")
    @click.option("--reason", metavar="TEXT", help="Why; it stands in the record of the command.")
    @click.option("--wait", is_flag=True, help="Wait for the final receipt, and show it.")
    @click.option("--timeout", type=click.IntRange(min=1), default=60, show_default=True, metavar="S")
    @click.option("--json", "as_json", is_flag=True, help="The receipt as JSON.")
    @click.pass_context
    def run(
        ctx: click.Context,
        *,
        identifiers: tuple[str, ...],
        request_id: str | None,
        reason: str | None,
        wait: bool,
        timeout: int,
        as_json: bool,
        out: Path | None = None,
    ) -> None:
        import secrets
        import time

        from streams.identifier_forms import identifier_forms
        from streams.privacy_request import BadIdentifiers, by_type, request

        settings = settings_of(ctx)
        request_id = request_id or secrets.token_hex(16)
        try:
            made = request(
                name,
                by_type(identifiers),
                request_id=request_id,
                now_ms=time.time_ns() // 1_000_000,
                reason=reason,
                forms=identifier_forms(settings),
            )
        except BadIdentifiers as error:
            raise click.UsageError(str(error)) from None
        send(settings, made)
        if not wait and out is None:
            click.echo(request_id)
            click.echo(f"it is on its way; what became of it: regulars privacy receipt {request_id}", err=True)
            return
        found = await_receipt(settings, request_id, timeout)
        if out is not None:
            from streams.privacy_export import collect

            out.write_bytes(collect(settings, request_id, found.counts.get("parts", 0), timeout))
        show(found, as_json=as_json)

    if name == "export":
        click.option(
            "--out",
            type=click.Path(path_type=Path, dir_okay=False, writable=True),
            metavar="FILE",
            help="Wait, and write what is known as one JSON document.",
        )(run)


@command.command("receipt", cls=WithSettings)
@click.argument("request_id", metavar="REQUEST_ID")
@click.option("--json", "as_json", is_flag=True, help="The receipt as JSON.")
@click.pass_context
def receipt_command(ctx: click.Context, *, request_id: str, as_json: bool) -> None:
    """Show what has become of a request. Exit code 1 while some home of the customer has not answered."""
    found = _receipt(settings_of(ctx), request_id)
    if found is None:
        raise click.ClickException(f"no home has answered to {request_id!r} yet, or it is long forgotten")
    show(found, as_json=as_json)
    if not found.final:
        ctx.exit(1)


def send(settings: "Settings", made: "Request") -> None:
    """Put a command into the log."""
    from streams.feed import feed
    from streams.sources import Line

    feed([Line(made.event.timestamp_ms, "commands", made.home, made.value)], settings)


def _receipt(settings: "Settings", request_id: str) -> "Receipt | None":
    import time

    from streams.commands.tables import with_table
    from streams.privacy_request import receipt

    now_ms = time.time_ns() // 1_000_000
    return with_table(settings, lambda table: receipt(table, request_id, settings.kafka.partitions, now_ms))


def await_receipt(settings: "Settings", request_id: str, timeout_s: int) -> "Receipt":
    """The final receipt. Raises ClickException where there is none in time."""
    import time

    until_s = time.monotonic() + timeout_s
    while True:
        found = _receipt(settings, request_id)
        if found is not None and found.final:
            return found
        if time.monotonic() >= until_s:
            state = "no home has answered" if found is None else f"{found.waiting} homes have not answered"
            raise click.ClickException(
                f"after {timeout_s} s {state}. Is a worker running? The request stays: "
                f"regulars privacy receipt {request_id}"
            )
        time.sleep(POLL_S)


def show(receipt: "Receipt", *, as_json: bool) -> None:
    """Print a receipt."""
    import msgspec

    if as_json:
        click.echo(msgspec.json.encode(receipt))
        return
    for line in readable(receipt):
        click.echo(line)


def readable(receipt: "Receipt") -> list[str]:
    """A receipt for people."""
    from profiles.splitting import REFUSALS

    state = "final" if receipt.final else f"{receipt.waiting} homes have not answered"
    lines = [f"{receipt.command} {receipt.request_id}: {state}; {receipt.homes} homes"]
    lines += [f"  {store.replace('_', ' '):<22}{count:>8,}" for store, count in receipt.counts.items()]
    if receipt.refused is not None:
        lines.append(f"  refused ({receipt.refused}): {REFUSALS.get(receipt.refused, receipt.refused)}")
    if receipt.command in {"erase", "anonymise"}:
        lines.append("  Her events are still in these topics, for at most so many days:")
        by_days: dict[int, list[str]] = {}
        for topic, kept_ms in receipt.kept_ms.items():
            by_days.setdefault(kept_ms // 86_400_000, []).append(topic)
        lines += [f"  {days:>4}  {', '.join(topics)}" for days, topics in sorted(by_days.items())]
    return lines


for _name in HELP:
    _define(_name)
