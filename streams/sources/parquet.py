"""Parquet files: one event a row.

Either one column (`value`, `payload`, `event_json` or `body`) holds each event's JSON, as a dumped Kafka topic does, or
the columns are the event's fields. Then a dot in a column name nests ("properties.order_id"), nested columns nest too,
empty cells are left out, and time stamps without a zone are UTC.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec

from streams.sources.errors import SourceError

JSON_COLUMNS = ("value", "payload", "event_json", "body")
_ROWS_AT_ONCE = 4096


def read(path: Path) -> Iterator[bytes]:
    """Each row as an event's JSON bytes. Raises SourceError when pyarrow is missing or the file is not Parquet."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise SourceError(
            f"Reading {path} needs pyarrow, which is not installed here.\n  Install it: pip install 'regulars[parquet]'"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            column = next((name for name in JSON_COLUMNS if name in names), None)
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=None if column is None else [column]):
                if column is None:
                    yield from (_event(row) for row in batch.to_pylist())
                else:
                    yield from (_bytes(cell) for cell in batch.column(0).to_pylist() if cell is not None)
    except pa.ArrowInvalid as error:
        raise SourceError(f"{path} is damaged or no Parquet file: {str(error).splitlines()[0]}") from None
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror or error}") from None


def _bytes(cell: Any) -> bytes:
    if isinstance(cell, bytes):
        return cell
    return cell.encode() if isinstance(cell, str) else msgspec.json.encode(_plain(cell))


def _event(row: dict[str, Any]) -> bytes:
    event: dict[str, Any] = {}
    for name, cell in row.items():
        value = _plain(cell)
        if value is None:
            continue
        *parents, last = name.split(".")
        place = event
        for parent in parents:
            inner = place.setdefault(parent, {})
            if not isinstance(inner, dict):
                break  # a column "a" holds a plain value beside a column "a.b": the plain one stays
            place = inner
        else:
            place[last] = value
    return msgspec.json.encode(event)


def _plain(cell: Any) -> Any:
    """The cell as JSON has it; None for what is empty."""
    match cell:
        case None:
            return None
        case float():
            return cell if isfinite(cell) else None
        case datetime():
            return (cell if cell.tzinfo else cell.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
        case date():
            return cell.isoformat()
        case Decimal():
            return str(cell)  # amounts as strings keep their cents; the adapter reads them exactly
        case dict():
            return {key: value for key, item in cell.items() if (value := _plain(item)) is not None}
        case list() | tuple():
            return [value for item in cell if (value := _plain(item)) is not None]
        case _:
            return cell
