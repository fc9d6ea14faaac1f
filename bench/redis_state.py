"""What lies in a Redis after a run."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from streams.local.redis_server import RedisServer

STEP: Final = 5_000


def key_batches(client: Any, match: str = "*") -> Iterator[list[bytes]]:
    """All keys, some thousands at a time."""
    keys = client.scan_iter(match=match, count=STEP)
    while batch := list(islice(keys, STEP)):
        yield batch


def keys_bytes(server: RedisServer) -> int:
    """MEMORY USAGE of all keys together, their nested values counted whole."""
    return sum(bytes_by_kind(server).values())


def bytes_by_kind(server: RedisServer) -> dict[str, int]:
    """The same by the kind of key: `c` and `l` for Regulars' profiles and ledgers, `due`, `outbox` ...; "" without a hash tag."""
    found: Counter[str] = Counter()
    with server.client(timeout_s=60.0) as client:
        for keys in key_batches(client):
            asked = client.pipeline(transaction=False)
            for key in keys:
                asked.memory_usage(key, samples=0)
            for key, size in zip(keys, asked.execute(), strict=True):
                found[kind_of(key)] += size or 0
    return dict(found)


def kind_of(key: bytes) -> str:
    """What kind of key it is.

    >>> [kind_of(key) for key in (b"regulars:{3}:c:user_id:7", b"regulars:{3}:due", b"regulars:install")]
    ['c', 'due', '']
    """
    _, tag, rest = key.partition(b"}:")
    return rest.partition(b":")[0].decode() if tag else ""
