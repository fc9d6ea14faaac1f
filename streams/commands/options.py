"""What commands have in common: where the settings come from.

A command of class `WithSettings` takes `--settings FILE` and every setting as a flag of its own (`--kafka-bootstrap ...`).
`settings_of(context)` then reads file, environment and flags; the later wins.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from typing_extensions import override

if TYPE_CHECKING:
    from streams.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

_FLAGS = "regulars.flags"
_FILE = "regulars.file"


class Text(click.ParamType):
    """A text that names something. What a terminal sends in another encoding than UTF-8 names nothing."""

    name = "text"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{text.encode('utf-8', 'surrogateescape')!r} is not UTF-8", param, ctx)
        return text


TEXT = Text()


class OutFile(click.Path):
    """A file that is written when all is done. That it can't be is said before the work, not after it."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False, writable=True)

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path: Any = super().convert(value, param, ctx)
        if not path.parent.is_dir():
            self.fail(f"there is no folder {str(path.parent)!r}", param, ctx)
        if not path.exists() and not os.access(path.parent, os.W_OK):
            self.fail(f"nothing may be written to the folder {str(path.parent)!r}", param, ctx)
        return path


OUT_FILE = OutFile()


class Plain(click.Command):
    """A command that passes over nothing that was given empty: mostly it is a variable of the shell that has no value."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        for option in self.get_params(ctx):
            value = given.get(option.name or "")
            if not getattr(option, "hidden", False) and "" in (value if isinstance(value, list | tuple) else (value,)):
                raise click.BadParameter("it is empty", ctx, option)
        return super().parse_args(ctx, args)


class WithSettings(Plain):
    """A command that reads the settings. Their flags are made only when such a command runs, not for the overview."""

    _extra: list[click.Parameter] | None = None

    @override
    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if self._extra is None:
            self._extra = [_file_option(), *_setting_options()]
        return [*super().get_params(ctx), *self._extra]

    @override
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.indentation():
            formatter.write_paragraph()
            formatter.write_text(
                "Every setting can be given as a flag (--kafka-bootstrap HOST:PORT), as a variable "
                "(REGULARS_KAFKA_BOOTSTRAP) or in the settings file; `regulars settings show` lists them."
            )


def settings_of(ctx: click.Context, **flags: Any) -> "Settings":
    """The settings of this run. `flags` ({"section__name": value}) are preset below what the user gave."""
    from streams.settings import load_settings

    given = {name.replace("__", ".", 1): value for name, value in flags.items()} | given_flags(ctx.meta)
    return load_settings(given_file(ctx.meta), os.environ, given)


def given_flags(meta: Mapping[str, Any]) -> dict[str, str]:
    """The settings given as flags, by path."""
    flags: dict[str, str] = meta.get(_FLAGS, {})
    return flags


def given_file(meta: Mapping[str, Any]) -> Path | None:
    """The settings file, if one was given."""
    file: Path | None = meta.get(_FILE)
    return file


def check_shadow(name: str) -> str:
    """The name of a shadow run, as it is; a usage error where it can't be one."""
    import re

    from streams.shadow import NAME

    if not re.fullmatch(NAME, name):
        raise click.UsageError("--shadow NAME stands in names of topics: at most 40 of a-z, 0-9 and -")
    return name


def agree(question: str) -> None:
    """Ask before something that can't be undone; end the command with exit code 1 and a word where the answer is no."""
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort as leaving:
        if isinstance(leaving.__context__, EOFError):
            raise click.UsageError("nobody answers here, and nothing was changed: give --yes to agree") from None
        raise
    if not agreed:
        click.echo("nothing was changed", err=True)
        click.get_current_context().exit(1)


def _file_option() -> click.Option:
    def keep(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
        ctx.meta[_FILE] = value

    return click.Option(
        ["--settings"],
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="REGULARS_CONFIG",
        metavar="FILE",
        help="Settings file (TOML). Variable: REGULARS_CONFIG.",
        expose_value=False,
        callback=keep,
    )


def _setting_options() -> list[click.Parameter]:
    from streams.settings import SETTINGS

    def keep(path: str) -> Any:
        def callback(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
            if value is not None:
                ctx.meta.setdefault(_FLAGS, {})[path] = value

        return callback

    return [
        click.Option([setting.flag], hidden=True, expose_value=False, callback=keep(setting.path), metavar="VALUE")
        for setting in SETTINGS
    ]


REASONS: Final = click.option(
    "--reason", "reasons", multiple=True, metavar="CODE", help="Only with this reason; may be repeated."
)


def filters(*options: Callable[[F], F]) -> Callable[[F], F]:
    """The options by which several commands choose what they are about; the last one given stands first in the help."""

    def put(run: F) -> F:
        for option in options:
            run = option(run)
        return run

    return put
