"""`regulars replay`: a shop's export through the same engine, in memory."""

import click


@click.command("demo")
def command() -> None:
    """x"""
