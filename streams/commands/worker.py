"""`regulars worker`: the Faust worker."""

import click

from streams.commands.options import WithSettings, settings_of


@click.command("worker", cls=WithSettings, short_help="Run a worker: events in, profiles kept, triggers out.")
@click.pass_context
def command(ctx: click.Context) -> int | None:
    """Run a worker: read events from Kafka, keep profiles in Redis, write triggers to Kafka. Ctrl-C stops it."""
    settings = settings_of(ctx)
    from streams.worker import run

    code: int | None = run(settings)
    return code
