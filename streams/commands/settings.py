"""`regulars settings`: what can be set, and what is set."""

from typing import TYPE_CHECKING, Any

import click

from streams.commands.options import WithSettings, settings_of

if TYPE_CHECKING:
    from streams.setting import Setting


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

    def add(setting: "Setting", path: str, value: Any) -> None:
        differs = value != setting.default
        if differs or not changed:
            text = Text(setting.shown(value), style="bold" if differs else "")
            table.add_row(path, text, setting.unit, setting.meaning)

    for setting in SETTINGS:
        section, name = setting.path.split(".", 1)
        add(setting, setting.path, getattr(getattr(settings, section), name))
    for setting in ENTRY_SETTINGS:
        section, _, field = setting.path.split(".")
        for name, entry in getattr(settings, section).items():
            add(setting, f"{section}.{name}.{field}", getattr(entry, field))
    page().print(table)
