"""Commands that run until they are stopped, and write a log. What ends them is a line of it where programs read it."""

import logging
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import click
from typing_extensions import override

from streams.commands.options import WithSettings, given_file, given_flags


class Service(WithSettings):
    """A command whose errors, those of its start too, are JSON lines where `log.format` is json, and text elsewhere."""

    @override
    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with _logged(self.name, {} if parent is None else parent.meta):
            return super().make_context(info_name, args, parent, **extra)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        with _logged(self.name, ctx.meta):
            return super().invoke(ctx)


@contextmanager
def _logged(name: str | None, meta: Mapping[str, Any]) -> Iterator[None]:
    try:
        yield
    except (click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise
    except Exception as error:
        if _format(meta) != "json":
            raise
        from streams.commands.errors import EXIT_FAULT, told
        from streams.logs import configure_logs
        from streams.setting_sections import Log

        configure_logs(Log(format="json"))
        message, code = told(error)
        logging.getLogger(name).exception("%s", message, exc_info=error if code == EXIT_FAULT else None)
        raise click.exceptions.Exit(code) from None


def _format(meta: Mapping[str, Any]) -> Any:
    """`log.format` as it is given, whatever else is wrong with the settings."""
    told = given_flags(meta).get("log.format") or os.environ.get("REGULARS_LOG_FORMAT")
    file = given_file(meta)
    if told is None and file is not None:
        with suppress(OSError, ValueError, LookupError, TypeError):
            return tomllib.loads(file.read_text(encoding="utf-8-sig"))["log"]["format"]
    return told
