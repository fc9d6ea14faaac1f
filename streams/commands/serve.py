"""`regulars serve`: events in over HTTP, profiles out."""

import click

from streams.commands.options import settings_of
from streams.commands.service import Service


@click.command("serve", cls=Service, short_help="Serve HTTP: trackers and webhooks in, profiles out.")
@click.pass_context
def command(ctx: click.Context) -> int | None:
    """Serve HTTP: take events of Segment's and RudderStack's libraries and of webhooks, and show profiles.

    Who may send and read stands in the settings ([sources.<name>], [webhooks.<name>], [tokens.<name>]). Ctrl-C stops it.
    """
    settings = settings_of(ctx)
    if not (settings.sources or settings.webhooks or settings.tokens):
        raise click.ClickException(
            "nobody may call: the settings name no source, no webhook and no token.\n"
            '  For a first try: REGULARS_SOURCES_WEB_KEY=wk_something_long REGULARS_SOURCES_WEB_KIND="client" regulars serve'
        )
    from streams.serve.server import run

    return run(settings)
