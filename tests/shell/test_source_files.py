"""Reading a shop's export: JSON lines in every packing, Parquet in both forms, and plain words for what can't be read."""

import gzip
import io
import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from streams.sources import files, jsonl
from streams.sources.errors import SourceError

LINES = [b'{"event":"Page Viewed","n":1}', b'{"event":"Page Viewed","n":2}', b"not json"]
TEXT = b"\n".join(LINES) + b"\n"


def _plain(path: Path) -> None:
    path.write_bytes(TEXT)


def _gzip(path: Path) -> None:
    # Two members one after the other, as `cat a.gz b.gz` makes them.
    path.write_bytes(gzip.compress(TEXT[:40]) + gzip.compress(TEXT[40:]))


def _zstd(path: Path) -> None:
    packer = zstandard.ZstdCompressor()
    path.write_bytes(packer.compress(TEXT[:40]) + packer.compress(TEXT[40:]))


@pytest.mark.parametrize("name, write", [("a.jsonl", _plain), ("a.jsonl.gz", _gzip), ("a.jsonl.zst", _zstd)])
def test_lines_come_out_as_they_lie_in_the_file(tmp_path: Path, name: str, write: Any) -> None:
    write(tmp_path / name)

    assert list(files.read([tmp_path / name])) == LINES


def test_line_ends_of_any_system_and_empty_lines_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":1}\r\n\r\n  \n{"a":2}')

    assert list(files.read([path])) == [b'{"a":1}', b'{"a":2}']


def test_a_byte_order_mark_before_the_first_line_is_none_of_its(tmp_path: Path) -> None:
    """Programs on Windows write it. The first event of each such file was set aside."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT)

    assert list(files.read([path])) == LINES


def test_an_odd_first_line_is_set_aside_later_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"[1, 2]\n{no json\n" + TEXT)

    assert list(files.read([path])) == [b"[1, 2]", b"{no json", *LINES]


def test_a_later_file_arrived_later(tmp_path: Path) -> None:
    first, second = tmp_path / "b.jsonl", tmp_path / "a.jsonl"
    first.write_bytes(b"1\n")
    second.write_bytes(b"2\n")

    assert list(files.read([first, second])) == [b"1", b"2"]


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT)))

    assert list(files.read([Path("-")])) == LINES


def test_an_endless_line_is_cut_and_the_next_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "LINE_BYTES_MAX", 100)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * 1_050 + b"\n" + LINES[0] + b"\n")

    assert list(files.read([path])) == [b"x" * 100, LINES[0]]


def test_parquet_with_one_column_of_json(tmp_path: Path) -> None:
    for kind in (pa.string(), pa.binary()):
        values = [line.decode() if kind == pa.string() else line for line in LINES]
        table = pa.table({"offset": [0, 1, 2, 3], "value": pa.array([*values, None], kind)})
        parquet.write_table(table, tmp_path / "a.parquet")

        assert list(files.read([tmp_path / "a.parquet"])) == LINES


def test_parquet_with_a_column_for_each_field(tmp_path: Path) -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 250_000)  # noqa: DTZ001 - a column without a zone is what is tested
    table = pa.table(
        {
            "event": ["Order Completed", "Page Viewed"],
            "userId": ["7", None],
            "timestamp": pa.array([at, at], pa.timestamp("us")),
            "sentAt": pa.array([at.replace(tzinfo=UTC), None], pa.timestamp("us", tz="Europe/Berlin")),
            "properties.order_id": ["o1", None],
            "properties.revenue": [Decimal("12.30"), None],
            "properties.products": [[{"product_id": "p", "price": 1.5, "sku": None}], None],
            "properties.tax": [float("nan"), 0.0],
            "birthday": [date(1990, 2, 28), None],
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")

    order, page = (json.loads(value) for value in files.read([tmp_path / "a.parquet"]))

    assert order == {
        "event": "Order Completed",
        "userId": "7",
        "timestamp": "2026-03-01T12:00:00.250000+00:00",
        "sentAt": "2026-03-01T12:00:00.250000+00:00",
        "properties": {"order_id": "o1", "revenue": "12.30", "products": [{"product_id": "p", "price": 1.5}]},
        "birthday": "1990-02-28",
    }
    assert page == {"event": "Page Viewed", "timestamp": "2026-03-01T12:00:00.250000+00:00", "properties": {"tax": 0.0}}


@pytest.mark.parametrize(
    "name, content, told",
    [
        ("missing.jsonl", None, "can't be read"),
        ("a.jsonl.gz", b"no gzip", "damaged or no gzip"),
        ("a.jsonl.gz", gzip.compress(TEXT, mtime=0)[:-9], "damaged or no gzip"),
        ("a.jsonl.zst", b"no zstd", "damaged or no Zstandard"),
        ("a.jsonl.zst", zstandard.compress(TEXT)[:-1], "damaged or no Zstandard file: it ends before"),
        (
            "a.jsonl.zst",
            zstandard.compress(TEXT) + zstandard.compress(TEXT)[:5],
            "damaged or no Zstandard file: it ends before",
        ),
        ("a.parquet", b"no parquet", "damaged or no Parquet"),
        ("a.jsonl", TEXT.decode().encode("utf-16"), "UTF-16 text; save it as UTF-8"),
        ("a.jsonl", gzip.compress(TEXT, mtime=0), r"packed by gzip; its name must end in \.gz"),
        ("a.jsonl", zstandard.ZstdCompressor().compress(TEXT), r"its name must end in \.zst"),
        ("a.json", b'[{"event":"Page Viewed"},{"event":"Page Viewed"}]', r"is one list.*jq -c '\.\[\]'"),
        ("a.json", b'[\n  {"event":"Page Viewed"}\n]\n', r"is one list.*jq -c '\.\[\]'"),
        ("a.json", b'{\n  "event":"Page Viewed"\n}\n', r"over several lines.*jq -c \."),
    ],
)
def test_what_cannot_be_read_is_told_plainly(tmp_path: Path, name: str, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(SourceError, match=told):
        list(files.read([tmp_path / name]))
