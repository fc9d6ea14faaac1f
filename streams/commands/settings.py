"""`regulars settings`: what can be set, and what is set."""

import click

from streams.commands.options import WithSettings, settings_of


@click.group("settings")
def command() -> None:
    """Show the settings and where each can be given."""


@command.command("show", cls=WithSettings)
@click.option("--changed", is_flag=True, help="Only those that differ from their default.")
@click.pass_context
def show(ctx: click.Context, *, changed: bool) -> None:
    """Show every setting with its value; secrets are masked."""
    from rich.text import Text

    from streams.commands.display import listing, page
    from streams.settings import ENTRY_SETTINGS, SETTINGS

    settings = settings_of(ctx)
    table = listing("setting", "value", "unit", "meaning")
    for setting in SETTINGS:
        section, name = setting.path.split(".", 1)
        value = getattr(getattr(settings, section), name)
        differs = value != setting.default
        if differs or not changed:
            text = Text(setting.shown(value), style="bold" if differs else "")
            table.add_row(setting.path, text, setting.unit, setting.meaning)
    for setting in ENTRY_SETTINGS:
        section, _, field = setting.path.split(".")
        for name, entry in getattr(settings, section).items():
            text = Text(setting.shown(getattr(entry, field)), style="bold")
            table.add_row(f"{section}.{name}.{field}", text, setting.unit, setting.meaning)
    page().print(table)
