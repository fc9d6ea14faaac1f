"""One document of the parts of an export, read from the topic `exports`."""

import time
from typing import Any

import msgspec
from msgspec import Struct

from schemas.outputs import Export
from streams.looking_on import looker_on, places_of
from streams.settings import Settings
from streams.sources.errors import SourceError

_read = msgspec.json.Decoder(Export).decode


class Known(Struct, kw_only=True):
    """What one home knows of the customer."""

    id: str
    document: dict[str, Any] | None = None
    profile: dict[str, Any] | None = None
    orders: list[dict[str, Any]] = []


def together(request_id: str, parts: list[Export]) -> bytes:
    """The parts of one export as one JSON document; a part that was published twice counts once."""
    known: dict[str, Known] = {}
    for part in sorted({(part.customer_id, part.part): part for part in parts}.values(), key=_place):
        home = known.setdefault(part.customer_id, Known(id=part.customer_id))
        if part.part == 0:
            home.document, home.profile = part.document, part.profile
        home.orders += part.orders
    return msgspec.json.format(msgspec.json.encode({"request_id": request_id, "customers": list(known.values())}))


def collect(settings: Settings, request_id: str, count: int, timeout_s: int) -> bytes:
    """Read `count` parts and put them together. Raises SourceError where they are not there in time."""
    every = places_of(settings, ["exports"])
    with looker_on(settings) as consumer:
        consumer.assign(every)
        consumer.seek_to_beginning(*every)
        parts: dict[tuple[str, int], Export] = {}
        until_s = time.monotonic() + timeout_s
        while len(parts) < count:
            if time.monotonic() >= until_s:
                raise SourceError(
                    f"{len(parts)} of {count} parts were on the topic {every[0].topic} after {timeout_s} s"
                )
            for records in consumer.poll(timeout_ms=500).values():
                for record in records:
                    if record.key == request_id.encode():
                        part = _read(record.value)
                        parts[_place(part)] = part
    return together(request_id, list(parts.values()))


def _place(part: Export) -> tuple[str, int]:
    return part.customer_id, part.part
