"""Live progress on a terminal; now and then a plain line where output goes to a file or a pipe. And tables that lose nothing, and
words of customers that a terminal shows and does not obey.
"""

import os
import re
import time
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text
from typing_extensions import override

PLAIN_EVERY_S = 10.0
LIVE_EVERY_S = 0.1


ENDLESS = 10_000
"""Columns where nobody's terminal is: no line is broken that `grep` is to find."""


_OBEYED: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of what is read."""


def plain(words: str) -> str:
    r"""A text in one line, of which a terminal obeys nothing: what it would is written as in JSON.

    >>> plain("tea\x1b[2J")
    'tea\\u001b[2J'
    """
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", words)


class Words(Console):
    """A console for texts that may be of customers: they are shown as they are, markup and all, in lines that are our own."""

    def __init__(self, **given: Any) -> None:
        super().__init__(highlight=False, **given)

    @override
    def render_str(self, text: str, **given: Any) -> Text:
        """A text of which nothing is obeyed."""
        shown = "\n".join(map(plain, text.split("\n")))
        return super().render_str(shown, **given | {"markup": False, "emoji": False})


def page() -> Console:
    """What results are printed on: as wide as its terminal, or as COLUMNS says; else lines are as long as they are."""
    console = Words()
    return console if console.is_terminal or "COLUMNS" in os.environ else Words(width=ENDLESS)


def listing(*headings: str) -> Table:
    """A plain table. What is too long for its column goes on in the next line: a name that is cut short is no name."""
    table = Table(*headings, box=None, pad_edge=False, header_style="bold", show_header=bool(headings))
    for column in table.columns:
        column.overflow = "fold"
    return table


class Progress:
    """One line that says how far a command is. On standard error, so that standard output holds only results."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._console = Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._shown_at = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status = self._console.status(self._title)
            self._status.start()
        self._shown_at = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def update(self, text: str, *, share: float | None = None, force: bool = False) -> None:
        """Show the text, with a bar if it is known which share is done, unless something was shown a moment ago."""
        now = time.monotonic()
        every = PLAIN_EVERY_S if self._status is None else LIVE_EVERY_S
        if not force and now - self._shown_at < every:
            return
        self._shown_at = now
        line = f"{self._title}: {text}" if text else self._title
        if share is not None:
            line = f"{bar(share)} {line}"
        if self._status is not None:
            self._status.update(line)
        else:
            self._console.print(line, soft_wrap=True)


def bar(share: float, width: int = 24) -> str:
    """How much is done, 0 to 1, as a bar and a percentage.

    >>> bar(0.5, 4)
    '━━╌╌  50 %'
    """
    share = min(max(share, 0.0), 1.0)
    done = int(share * width)
    return f"{'━' * done}{'╌' * (width - done)} {share:>4.0%}".replace("%", " %")
