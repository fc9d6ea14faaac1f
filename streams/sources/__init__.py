"""Where events come from when they do not come from Kafka: files, a real grocer's year, a seeded generator.

Each source is an iterator of `Line`: an event's JSON bytes in the order in which it arrives.
"""

from typing import NamedTuple


class Line(NamedTuple):
    """One event as it lies in a file or comes out of a generator.

    `time_ms` is its own timestamp (epoch ms, UTC). `topic` is the input topic it belongs on, `key` the value of its
    home identifier.
    """

    time_ms: int
    topic: str
    key: str
    value: bytes
