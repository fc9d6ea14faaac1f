"""`regulars replay`: a shop's export through the same engine, in memory."""

import click


@click.command("replay")
def command() -> None:
    """x"""
