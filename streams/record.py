"""A record as it came from a log, and where it stands. What the inbox takes and the partition loop works on."""

from msgspec import Struct


class Record(Struct, gc=False):
    """One record, never changed: position, broker timestamp (epoch ms), key, value and headers as bytes."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Chunk(Struct, gc=False):
    """The records one fetch brought for one partition of one topic (logical name), in offset order.

    `session` numbers the fetch session: each seek or assignment opens a new one, chunks of an older one are refused.
    """

    topic: str
    partition: int
    session: int
    records: list[Record]
