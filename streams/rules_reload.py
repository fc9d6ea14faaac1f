"""The rules file under a running worker: looked at again and again, read when it has changed, taken only if it is good.

A bad file changes nothing: the old rules stay, and what is wrong stands in the metrics and in /health with file and line until
the file is mended. A file is read once it has been the same for two looks, so one that is just being written is left alone.
Only rules, costs, conditions and segments are read anew; catalogue and rates are read at start.
"""

import logging
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from profiles.book import Book
from profiles.rules import topics_apart
from streams.book_files import BookError, check_applies, read_rules_file
from streams.metrics import Metrics

_log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
_MAKE: Final = "make them (regulars topics create) and start the workers again"

_Seen = tuple[int, int, int] | None
"""Time of change, size and inode of the file; None where it is not there."""


class RulesFile:
    """The file of the rules and the book it makes. `refused` is what is wrong with the file as it is now, if anything."""

    def __init__(self, path: Path, book: Book, metrics: Metrics) -> None:
        self.book = book
        self.refused: BookError | None = None
        self._path, self._metrics = path, metrics
        self._topics = set(topics_apart(book.rules).values())
        self._read = self._before = self._look()

    def changed(self, *, at_once: bool = False) -> bool:
        """Whether the file is another one than that last read, and the same as a look before (`at_once`: without that)."""
        now = self._look()
        settled, self._before = at_once or now == self._before, now
        return settled and now != self._read

    def read(self) -> Book | None:
        """The book with the rules of the file, None where they are refused. May take a moment; changes nothing here."""
        self._read = self._look()
        try:
            read = read_rules_file(self._path)
        except BookError as error:
            self._refuse(error)
            return None
        if new := set(topics_apart(read.rules).values()) - self._topics:
            names = ", ".join(sorted(new))
            self._refuse(
                BookError(f"rules file {self._path}: nobody looked for the topics {names} at the start: {_MAKE}")
            )
            return None
        book = replace(
            self.book, rules=read.rules, costs=read.costs, conditions=read.conditions, segments=read.segments
        )
        try:
            check_applies(book, str(self._path))
        except BookError as error:
            self._refuse(error)
            return None
        self._metrics.count("regulars_rules_read_total", result="taken")
        self._show_refused(None)
        self.refused = None
        self.book = book
        return self.book

    def _refuse(self, error: BookError) -> None:
        self._metrics.count("regulars_rules_read_total", result="refused")
        self._show_refused(error)
        self.refused = error
        facts = {"version": self.book.rules.version}
        _log.error(
            "the rules file was changed and can't be used, the old rules stay: %s", error, extra={"facts": facts}
        )

    def _show_refused(self, error: BookError | None) -> None:
        for found, there in ((self.refused, 0), (error, 1)):
            if found is not None:
                line = "" if found.line is None else str(found.line)
                self._metrics.show("regulars_rules_refused", there, file=str(self._path), line=line)

    def _look(self) -> _Seen:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino)
