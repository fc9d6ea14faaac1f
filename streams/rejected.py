"""The topic `rejected` read by people: what was set aside, the newest copy of each, filtered."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from schemas.outputs import Rejected
from streams.looking_on import looker_on, places_of, read_to
from streams.settings import Settings

_read = msgspec.json.Decoder(Rejected).decode


class Aside(Struct, frozen=True, kw_only=True):
    """One reject and where it stands on its topic."""

    partition: int
    offset: int
    record_id: str
    rejected: Rejected

    @property
    def place(self) -> str:
        """Its place as people write it: "3/17"."""
        return f"{self.partition}/{self.offset}"


class Filter(Struct, frozen=True, kw_only=True):
    """Which rejects are meant; what is empty does not matter. `source` is a topic, or "http/" and a source's name.

    `since_ms` and `until_ms` are of the record's own time, the first included, the second not.
    """

    reasons: frozenset[str] = frozenset()
    source: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    places: frozenset[str] = frozenset()

    def takes(self, aside: Aside) -> bool:
        """Whether this one is meant."""
        rejected = aside.rejected
        at_ms = rejected.timestamp_ms or 0
        return (
            (not self.reasons or rejected.reason in self.reasons)
            and (not self.source or rejected.topic == self.source)
            and (self.since_ms is None or at_ms >= self.since_ms)
            and (self.until_ms is None or at_ms < self.until_ms)
            and (not self.places or aside.place in self.places)
        )


def read_rejected(settings: Settings) -> Iterator[Aside]:
    """Everything on the topic now, partition by partition, the oldest first; one that was published twice comes once.

    Raises AdminError where the topic is missing, or without a broker, also when it goes away in the middle.
    """
    places = places_of(settings, ["rejected"])
    seen: set[str] = set()
    with looker_on(settings) as consumer:
        for place in places:
            consumer.assign([place])
            consumer.seek_to_beginning(place)
            end = consumer.end_offsets([place])[place]
            for found in read_to(consumer, {place: end}):
                for record in found.get(place, ()):
                    aside = _aside(place.partition, record)
                    if aside is not None and record.offset < end and aside.record_id not in seen:
                        seen.add(aside.record_id)
                        yield aside


def _aside(partition: int, record: Any) -> Aside | None:
    """A record of the topic; None for what is no reject (another program's, or a tombstone)."""
    headers = {name: value for name, value in record.headers if value is not None}
    record_id = headers.get("record-id", f"{partition}/{record.offset}".encode()).decode("utf-8", "replace")
    try:
        rejected = _read(record.value)
    except (ValueError, RecursionError, TypeError):
        return None
    return Aside(partition=partition, offset=record.offset, record_id=record_id, rejected=rejected)
