"""What lies in a Redis after a run."""

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
    total = 0
    with server.client(timeout_s=60.0) as client:
        for keys in key_batches(client):
            asked = client.pipeline(transaction=False)
            for key in keys:
                asked.memory_usage(key, samples=0)
            total += sum(size or 0 for size in asked.execute())
    return total
