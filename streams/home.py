"""Where a customer is at home: Kafka's default partitioner, murmur2 of the identifier's UTF-8 bytes.

A tracker that keys its records by the raw identifier and uses a Java or Python client is thereby home already; one on
librdkafka hashes with CRC-32 unless told otherwise, and its records are forwarded.
"""

from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The unsigned 32-bit hash of Kafka's Java client (org.apache.kafka.common.utils.Utils.murmur2).

    >>> murmur2(b"21") - (1 << 32)
    -973932308
    """
    length = len(data)
    h = _SEED ^ length
    full = length & ~3
    for start in range(0, full, 4):
        k = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    rest = data[full:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=1 << 18)
def home_partition(home: str, partitions: int) -> int:
    """The home partition of an identifier's value (or an anonymous order's id) among `partitions`."""
    return (murmur2(home.encode("utf-8")) & 0x7FFFFFFF) % partitions
