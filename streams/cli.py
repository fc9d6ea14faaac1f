"""The command line `regulars`: one module of `streams.commands` for each command, imported when it is used.

What a user can mend is one plain message on standard error and exit code 2. Ctrl-C ends with 130. Anything else is a fault
of ours: it is named in one line (exit code 70), and `regulars --traceback ...` shows all of it.
"""

import io
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

import click
from typing_extensions import override

from streams.commands.errors import EXIT_FAULT, EXIT_USER, told
from streams.leaving import EXIT_INTERRUPTED, INTERRUPTED, end_on_interrupt, leave, raise_on_interrupt

EXIT_PIPE_CLOSED = 141  # 128 + SIGPIPE

COMMANDS: dict[str, str] = {
    "demo": "streams.commands.demo",
    "replay": "streams.commands.replay",
    "simulate": "streams.commands.simulate",
    "report": "streams.commands.report",
    "services": "streams.commands.services",
    "topics": "streams.commands.topics",
    "worker": "streams.commands.worker",
    "serve": "streams.commands.serve",
    "bridge": "streams.commands.bridge",
    "relay": "streams.commands.relay",
    "feed": "streams.commands.feed",
    "tail": "streams.commands.tail",
    "fit": "streams.commands.fit",
    "pairs": "streams.commands.pairs",
    "profile": "streams.commands.profile",
    "explain": "streams.commands.explain",
    "privacy": "streams.commands.privacy",
    "rejected": "streams.commands.rejected",
    "undelivered": "streams.commands.undelivered",
    "audit": "streams.commands.audit",
    "health": "streams.commands.health",
    "doctor": "streams.commands.doctor",
    "offsets": "streams.commands.offsets",
    "rebuild": "streams.commands.rebuild",
    "settings": "streams.commands.settings",
}
"""Command -> module; the module's `command` is the click command. Order is that of the help text."""


class Commands(click.Group):
    """The group of all commands. A module is imported when its command runs or its help line is shown."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = import_module(module).command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--traceback", is_flag=True, help="Show where an unexpected error came from.")
@click.version_option(version("regulars"), message="regulars %(version)s")
def cli(traceback: bool) -> None:
    """Living customer profiles and timely triggers from a shop's events.

    Try `regulars demo` first: it needs no server. Every command has its own --help.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        # A terminal of another encoding than UTF-8 shows what it has no letter for as \u2713; that is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    raise_on_interrupt()
    try:
        code = run(arguments)
    except Exception:  # noqa: BLE001 - asked for by --traceback
        traceback.print_exc()
        code = EXIT_FAULT
    end_on_interrupt()
    leave(code)


def run(arguments: Sequence[str]) -> int:
    """Run the command line; gives the exit code. Ctrl-C is looked for out here: it comes while errors are told, too."""
    try:
        return _run(arguments)
    except (KeyboardInterrupt, click.Abort):
        click.echo(INTERRUPTED, err=True)
        return EXIT_INTERRUPTED


def _run(arguments: Sequence[str]) -> int:
    try:
        outcome = cli.main(list(arguments), prog_name="regulars", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.UsageError as error:
        error.show()
        return EXIT_USER
    except click.Abort:
        raise
    except BrokenPipeError:
        # Whoever read us (head, less) has enough. Python would complain again when it flushes at exit.
        sys.stdout = None
        return EXIT_PIPE_CLOSED
    except SystemExit as leaving:
        # The same, noticed by click or rich, which would have it look like what the command itself says by 1.
        if isinstance(leaving.__context__, BrokenPipeError):
            return EXIT_PIPE_CLOSED
        raise
    except Exception as error:
        if "--traceback" in arguments:
            raise
        message, code = told(error)
        click.echo(f"regulars: {message}", err=True)
        return code
    return outcome if isinstance(outcome, int) else 0
