"""`regulars relay`: triggers to an HTTP endpoint."""

import click

from streams.commands.options import settings_of
from streams.commands.service import Service


@click.command("relay", cls=Service, short_help="Deliver triggers to an HTTP endpoint or a messaging system.")
@click.argument("name", metavar="NAME")
@click.pass_context
def command(ctx: click.Context, *, name: str) -> int | None:
    """Deliver triggers to the endpoint that the settings name [relays.NAME]. Ctrl-C stops it.

    Each is tried until it is taken; one customer's triggers come in order. What can't be delivered is set aside on the topic
    relay-failed, with the reason. It ends with exit code 4 when the receiver is gone for good.
    """
    settings = settings_of(ctx)
    from streams.relay.run import run

    code: int | None = run(settings, name)
    return code
