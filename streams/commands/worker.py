"""`regulars worker`: the Faust worker."""

import click

from streams.commands.options import check_shadow, settings_of
from streams.commands.service import Service


@click.command("worker", cls=Service, short_help="Run a worker: events in, profiles kept, triggers out.")
@click.option(
    "--shadow",
    metavar="NAME",
    help="Try rules beside the live installation: own group, keys and internal topics; triggers to triggers-shadow only.",
)
@click.option(
    "--stream-time", is_flag=True, help="With --shadow: the clock follows the events alone, to run through the past."
)
@click.pass_context
def command(ctx: click.Context, *, shadow: str | None, stream_time: bool) -> int | None:
    """Run a worker: read events from Kafka, keep profiles in Redis, write triggers to Kafka. Ctrl-C stops it.

    With --shadow NAME nothing of it is seen but what stands on triggers-shadow: give it the rules to try (--files-rules) and,
    beside a live worker on the same machine, a port of its own (--http-port). It begins where the inputs begin.
    """
    if shadow is not None:
        check_shadow(shadow)
    if stream_time and shadow is None:
        raise click.UsageError("--stream-time would send messages of the past: it goes with --shadow NAME only")
    settings = settings_of(ctx)
    if shadow is not None:
        from streams.shadow import shadowed

        settings = shadowed(settings, shadow)
    from streams.worker import run

    code: int | None = run(settings, shadow=shadow is not None, stream_time=stream_time)
    return code
