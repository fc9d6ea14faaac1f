"""Files of events of any supported kind, one after the other."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from streams.sources import jsonl, parquet


def read(paths: Iterable[Path]) -> Iterator[bytes]:
    """The events of all files as bytes, in the order given: what stands in a later file arrived later."""
    for path in paths:
        yield from parquet.read(path) if path.suffix in {".parquet", ".pq"} else jsonl.read(path)
