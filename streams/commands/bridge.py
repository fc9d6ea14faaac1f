"""`regulars bridge`: topics of the shop's own into the input topics."""

import click

from streams.commands.options import settings_of
from streams.commands.service import Service


@click.command("bridge", cls=Service, short_help="Read topics that trackers write in their own form.")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Read the topics that the settings name [raw.NAME], and write each event to its home on the input topics. Ctrl-C stops it.

    It begins with what the topics hold. Several may run at once: they share the partitions.
    """
    settings = settings_of(ctx)
    from streams.bridge import run

    run(settings)
