"""JSON lines: one event a line, plain, gzip (`.gz`) or Zstandard (`.zst`); `-` is standard input.

Nothing is decoded here: a line that is no JSON is set aside later, like any other record, with its reason.
"""

import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final, cast

from typing_extensions import Buffer, override

from streams.sources.errors import SourceError

_MARK: Final = b"\xef\xbb\xbf"
_OTHERS: Final = {
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"\x1f\x8b": "packed by gzip; its name must end in .gz",
    b"\x28\xb5\x2f\xfd": "packed by Zstandard; its name must end in .zst",
    b"PK\x03\x04": "a ZIP archive; unpack it first",
    b"PAR1": "Parquet; its name must end in .parquet",
}
"""What is no text of lines, by how it begins. Of it not a single line would be an event."""
_ONE_LIST: Final = re.compile(rb"\[\s*(\{|$)")

_PACKED_BYTES: Final = 1 << 14
"""So much is unpacked at a time: what packs best comes to some hundred MB then, text to some hundred kB."""

LINE_BYTES_MAX = 16_000_000
"""Longer lines are cut here; that makes them too large for the decoder, which sets them aside. Memory stays bounded."""


def read(path: Path) -> Iterator[bytes]:
    """The lines of a file without line ends; empty ones are skipped. Raises SourceError for an unreadable file, or one of which
    no line can be an event.
    """
    begun = False
    try:
        with _opened(path) as file:
            while line := file.readline(LINE_BYTES_MAX):
                whole = line
                while line and not line.endswith(b"\n"):
                    line = file.readline(LINE_BYTES_MAX)  # the rest of an overlong line, or the end of the file
                if not begun:
                    whole, begun = _begin(whole, path), True
                if text := whole.strip():
                    yield text
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path} is damaged or no gzip file: {error}") from None
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror or error}") from None


def _begin(first: bytes, path: Path) -> bytes:
    """The first line without a byte order mark, which programs on Windows write before it."""
    for beginning, what in _OTHERS.items():
        if first.startswith(beginning):
            raise SourceError(f"{path} holds no lines of JSON: it is {what}")
    first = first.removeprefix(_MARK)
    if _ONE_LIST.match(first.strip()):
        raise SourceError(f"{path} is one list, not a line for each event. Lines of it: jq -c '.[]' FILE > FILE.jsonl")
    if first.strip() == b"{":
        raise SourceError(
            f"{path} has its JSON over several lines, not an event a line. To mend it: jq -c . FILE > FILE.jsonl"
        )
    return first


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with path.open("rb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield io.BufferedReader(cast("io.RawIOBase", unpacked), 1 << 20)
        elif path.suffix == ".zst":
            import zstandard

            try:
                yield io.BufferedReader(_Frames(raw), 1 << 20)
            except zstandard.ZstdError as error:
                raise SourceError(f"{path} is damaged or no Zstandard file: {error}") from None
        else:
            yield cast("BinaryIO", raw)


class _Frames(io.RawIOBase):
    """Zstandard frames, unpacked. Reading raises ZstdError where the file ends within one, which the library's own reader takes
    for the end of all.
    """

    def __init__(self, raw: BinaryIO) -> None:
        import zstandard

        super().__init__()
        self._raw, self._zstandard = raw, zstandard
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._within = False
        self._packed = self._text = b""

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer) -> int:
        while not self._text:
            self._packed = self._packed or self._raw.read(_PACKED_BYTES)
            if not self._packed:
                if self._within:
                    raise self._zstandard.ZstdError("it ends before what was packed does")
                return 0
            self._text = self._frame.decompress(self._packed)
            self._packed, self._within = self._frame.unused_data, not self._frame.eof
            if self._frame.eof:
                self._frame = self._zstandard.ZstdDecompressor().decompressobj()
        view = memoryview(buffer)
        taken = min(len(view), len(self._text))
        view[:taken], self._text = self._text[:taken], self._text[taken:]
        return taken
