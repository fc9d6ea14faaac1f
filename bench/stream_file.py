"""Generated streams and their right results, kept in a cache folder: made once per scenario and version of the code.

A stream file is a row of blocks: 4 bytes of length, then zstd of the MessagePack of a list of records. Beside it lie the
facts of the stream (mix, sizes, records by partition) and the result that `bench.reference` finds for it.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import zstandard
from msgspec import Struct

from bench import generator, job, reference
from bench.generator import Record, Scenario, records
from bench.job import DAY_MS, HOUR_MS, Expected
from bench.reference import Reference

DEFAULT_CACHE: Final = Path(".bench-cache")
BLOCK: Final = 20_000
REPEATED: Final = "repeated"
QUIET_END_MS: Final = 2 * HOUR_MS


class StreamFacts(Struct, kw_only=True):
    """What a stream turned out to be. `mix` is the share of each kind of event, byte-identical repeats apart."""

    records: int
    by_partition: list[int]
    mix: dict[str, float]
    mean_bytes: float
    customers: int
    days: float
    orders: int
    triggers: int


class Stream:
    """One cached stream."""

    def __init__(self, path: Path, scenario: Scenario) -> None:
        self.path, self.scenario = path, scenario
        self.facts = msgspec.json.decode(_facts_path(path).read_bytes(), type=StreamFacts)

    def blocks(self) -> Iterator[list[Record]]:
        """The records in their order, some thousands at a time."""
        decoder = msgspec.msgpack.Decoder(list[Record])
        unpacked = zstandard.ZstdDecompressor()
        with self.path.open("rb") as file:
            while header := file.read(4):
                yield decoder.decode(unpacked.decompress(file.read(int.from_bytes(header, "little"))))

    def expected(self) -> Expected:
        """What every engine should come to."""
        packed = _expected_path(self.path).read_bytes()
        return msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(packed), type=Expected)


def open_stream(scenario: Scenario, cache: Path) -> Stream:
    """The stream of a scenario, made now where the cache does not hold it (about 10 us an event, reference included)."""
    path = cache / f"{scenario.name}-{_code_version()}.records"
    if not _facts_path(path).exists():  # written last
        cache.mkdir(parents=True, exist_ok=True)
        _write(path, scenario)
    return Stream(path, scenario)


def _write(path: Path, scenario: Scenario) -> None:
    truth = Reference()
    packer = zstandard.ZstdCompressor(level=1, write_content_size=True)
    kinds: Counter[str] = Counter()
    by_partition = [0] * scenario.partitions
    size = 0
    recent: set[bytes] = set()
    block: list[Record] = []
    beside = path.with_suffix(f".{os.getpid()}")
    with beside.open("wb") as file:
        for record in records(scenario):
            block.append(record)
            if len(block) == BLOCK:
                recent = _count(block, kinds, recent)
                _write_block(file.write, packer, block)
                block = []
            truth.apply(record.value)
            by_partition[record.partition] += 1
            size += len(record.value)
        _count(block, kinds, recent)
        _write_block(file.write, packer, block)
    expected = truth.finish()
    _check_past(expected.end_ms)
    total = scenario.events
    facts = StreamFacts(
        records=total,
        by_partition=by_partition,
        mix={kind: count / total for kind, count in kinds.most_common()},
        mean_bytes=size / total,
        customers=len(expected.totals),
        days=(expected.end_ms - generator.START_MS) / DAY_MS,
        orders=sum(totals.orders for totals in expected.totals.values()),
        triggers=len(expected.triggers),
    )
    _expected_path(path).write_bytes(packer.compress(msgspec.msgpack.encode(expected)))
    beside.replace(path)
    _facts_path(path).write_bytes(msgspec.json.encode(facts))


def _write_block(write: Callable[[bytes], object], packer: zstandard.ZstdCompressor, block: list[Record]) -> None:
    packed = packer.compress(msgspec.msgpack.encode(block))
    write(len(packed).to_bytes(4, "little") + packed)


def _count(block: list[Record], kinds: Counter[str], recent: set[bytes]) -> set[bytes]:
    """Count the kinds of a block; `recent` are the values of the block before, in which an original may stand."""
    here: set[bytes] = set()
    for record in block:
        value = record.value
        if value in here or value in recent:
            kinds[REPEATED] += 1
        else:
            here.add(value)
            kinds[value[10 : value.index(b'"', 10)].decode()] += 1
    return here


def _check_past(end_ms: int) -> None:
    latest_ms = int(datetime.now(UTC).timestamp() * 1000) - QUIET_END_MS
    if end_ms > latest_ms:
        raise ValueError(
            f"the stream would reach {(end_ms - latest_ms) / DAY_MS:,.1f} days too far: its events lie in the past, "
            "from 2024 on. Take fewer events or more customers."
        )


def _code_version() -> str:
    """Changes whenever the code changes that makes a stream or its result."""
    digest = hashlib.sha256()
    for module in (generator, job, reference):
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()[:8]


def _facts_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _expected_path(path: Path) -> Path:
    return path.with_suffix(".expected")
