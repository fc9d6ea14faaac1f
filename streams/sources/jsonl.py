"""JSON lines: one event a line, plain, gzip (`.gz`) or Zstandard (`.zst`); `-` is standard input.

Nothing is decoded here: a line that is no JSON is set aside later, like any other record, with its reason.
"""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from streams.sources.errors import SourceError

LINE_BYTES_MAX = 16_000_000
"""Longer lines are cut here; that makes them too large for the decoder, which sets them aside. Memory stays bounded."""


def read(path: Path) -> Iterator[bytes]:
    """The lines of a file without line ends; empty ones are skipped. Raises SourceError for an unreadable file."""
    try:
        with _opened(path) as file:
            while line := file.readline(LINE_BYTES_MAX):
                whole = line
                while line and not line.endswith(b"\n"):
                    line = file.readline(LINE_BYTES_MAX)  # the rest of an overlong line, or the end of the file
                if text := whole.strip():
                    yield text
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path} is damaged or no gzip file: {error}") from None
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror or error}") from None


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
                with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as unpacked:
                    yield io.BufferedReader(cast("io.RawIOBase", unpacked), 1 << 20)
            except zstandard.ZstdError as error:
                raise SourceError(f"{path} is damaged or no Zstandard file: {error}") from None
        else:
            yield cast("BinaryIO", raw)
