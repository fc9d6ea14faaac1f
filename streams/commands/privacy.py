"""`regulars privacy`: suppress, unsuppress, erase, export or anonymise a customer, and see what has become of it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.commands.options import WithSettings, settings_of
from streams.commands.requests import Asked, as_json_option, asks, carry_out, present_receipt, show

if TYPE_CHECKING:
    from schemas.events import CommandName

HELP: "dict[CommandName, str]" = {
    "suppress": "Collect nothing more about a customer and send nothing; what is known stays.",
    "unsuppress": "Take a suppression, or an erasure, back: what happens from now on is taken in again.",
    "erase": "Erase everything that is known of a customer, and take in nothing more.",
    "export": "Hand out everything that is known of a customer.",
    "anonymise": "Erase who a customer is; the shop's figures stay.",
}


@click.group("privacy", short_help="Suppress, erase, export or anonymise a customer.")
def command() -> None:
    """Answer a customer's privacy request. Workers carry it out; the receipt says what was done, store by store."""


def _define(name: "CommandName") -> None:
    @command.command(name, cls=WithSettings, help=f"{HELP[name]} Name all identifiers you know, one of each type.")
    @click.argument("identifiers", metavar="TYPE:VALUE...", nargs=-1, required=True)
    @asks
    def run(ctx: click.Context, *, identifiers: tuple[str, ...], asked: Asked, out: Path | None = None) -> None:
        from streams.privacy_request import by_type, request

        settings = settings_of(ctx)
        asked = asked._replace(wait=asked.wait or out is not None)
        found = carry_out(
            settings,
            asked,
            lambda request_id, reason, now_ms, forms: request(
                name, by_type(identifiers), request_id=request_id, now_ms=now_ms, reason=reason, forms=forms
            ),
        )
        if found is None:
            return
        if out is not None:
            from streams.privacy_export import collect

            out.write_bytes(collect(settings, asked.request_id, found.counts.get("parts", 0), asked.timeout_s))
        show(found, as_json=asked.as_json)

    if name == "export":
        click.option(
            "--out",
            type=click.Path(path_type=Path, dir_okay=False, writable=True),
            metavar="FILE",
            help="Wait, and write what is known as one JSON document.",
        )(run)


@command.command("receipt", cls=WithSettings)
@click.argument("request_id", metavar="REQUEST_ID")
@as_json_option
@click.pass_context
def receipt_command(ctx: click.Context, *, request_id: str, as_json: bool) -> None:
    """Show what has become of a request. Exit code 1 while some home has not answered, and where it was refused."""
    found = present_receipt(settings_of(ctx), request_id)
    if found is None:
        raise click.ClickException(f"no home has answered to {request_id!r} yet, or it is long forgotten")
    show(found, as_json=as_json)
    if not found.final:
        ctx.exit(1)


for _name in HELP:
    _define(_name)
