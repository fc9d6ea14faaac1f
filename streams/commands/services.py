"""`regulars services`: a local Kafka and Redis without Docker."""

import click


@click.command(
    "services", add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Start, stop or look at a local Kafka and Redis (no Docker)."""
    from streams.local.services import main

    # The same words as `python -m streams.local.services`, which must work before this package is installed.
    return main(arguments or ["--help"])
