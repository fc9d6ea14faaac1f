"""Where the characters of a text stand in the TOML file it was read from, so that an error can point at them.

The standard library's reader gives values and forgets their places. `places_of` walks through a document that this reader
has accepted, so it needs to know no more of TOML than where keys and texts begin and end.
"""

import re
from collections.abc import Callable
from typing import Final

Path = tuple[str, ...]

_BLANK: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_VALUE: Final = re.compile(r"[^,\]}#\n]*")
_CODE_DIGITS: Final = {"u": 4, "U": 8}
_FOLDED: Final = re.compile(r"[ \t]*\n[ \t\n]*")


def places_of(document: str, path: Path) -> list[int] | None:
    """For each character of the text at a path its place in the document, and the place behind it; None if it isn't there.

    >>> places_of('when = "a > 1"', ("when",))
    [8, 9, 10, 11, 12, 13]
    """
    return _Walk(document, path).run()


class _Walk:
    def __init__(self, document: str, path: Path) -> None:
        self._text = document
        self._wanted = path
        self._at = 0
        self._found: list[int] | None = None

    def run(self) -> list[int] | None:
        table: Path = ()
        while self._found is None:
            self._pass(_BLANK)
            if self._at >= len(self._text):
                break
            if self._text[self._at] == "[":
                brackets = 2 if self._text.startswith("[[", self._at) else 1
                self._at += brackets
                table = self._keys()
                self._at += brackets
            else:
                self._pair(table)
        return self._found

    def _pass(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return match[0]

    def _pair(self, table: Path) -> None:
        keys = self._keys()
        self._at += 1  # the sign =
        self._pass(_SPACE)
        self._value((*table, *keys))

    def _keys(self) -> Path:
        keys: list[str] = []
        while True:
            self._pass(_SPACE)
            if self._text[self._at] in "\"'":
                places = self._string()
                keys.append(self._decoded(places))
            else:
                keys.append(self._pass(_BARE_KEY))
            self._pass(_SPACE)
            if self._text[self._at] != ".":
                return tuple(keys)
            self._at += 1

    def _decoded(self, places: list[int]) -> str:
        return "".join(self._text[place] for place in places[:-1])  # keys with escapes are none of ours

    def _value(self, path: Path) -> None:
        sign = self._text[self._at]
        if sign in "\"'":
            places = self._string()
            if path == self._wanted:
                self._found = places
        elif sign == "{":
            self._inside("}", lambda _: self._pair(path))
        elif sign == "[":
            self._inside("]", lambda count: self._value((*path, str(count))))
        else:
            self._pass(_PLAIN_VALUE)

    def _inside(self, end: str, read: Callable[[int], None]) -> None:
        self._at += 1
        count = 0
        while True:
            self._pass(_BLANK)
            if self._text[self._at] == end:
                break
            read(count)
            count += 1
            self._pass(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
        self._at += 1

    def _string(self) -> list[int]:
        """The places of a string's characters and of its end; the walk goes on behind its closing quotation mark."""
        sign = self._text[self._at]
        long = self._text.startswith(3 * sign, self._at)
        closing = 3 * sign if long else sign
        self._at += len(closing)
        if long and self._text.startswith("\n", self._at):
            self._at += 1
        places: list[int] = []
        while not self._text.startswith(closing, self._at):
            if sign == '"' and self._text[self._at] == "\\":
                self._escape(places)
            else:
                places.append(self._at)
                self._at += 1
        # One or two quotation marks may stand right before the closing three.
        while long and self._text.startswith(sign, self._at + len(closing)):
            places.append(self._at)
            self._at += 1
        places.append(self._at)
        self._at += len(closing)
        return places

    def _escape(self, places: list[int]) -> None:
        start = self._at
        self._at += 1
        folded = _FOLDED.match(self._text, self._at)
        if folded is not None:  # a line that goes on in the next one
            self._at = folded.end()
            return
        self._at += 1 + _CODE_DIGITS.get(self._text[self._at], 0)
        places.append(start)
