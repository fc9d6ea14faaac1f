"""Many latencies in little room: counts in buckets one percent apart, from which quantiles are read to one percent."""

from collections import Counter
from collections.abc import Iterable
from math import ceil, floor, log
from typing import Final

from msgspec import Struct

LEAST_MS: Final = 0.01
GROWTH: Final = 1.01
_LOG_GROWTH: Final = log(GROWTH)


class Latencies(Struct, kw_only=True):
    """`counts[k]` latencies lie between LEAST_MS x GROWTH^(first + k) and GROWTH times that. Smaller ones are in bucket 0."""

    first: int = 0
    counts: list[int] = []

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.counts)

    def quantile_ms(self, q: float) -> float:
        """The latency that a share `q` of all does not exceed: the upper bound of its bucket. Raises ValueError for none.

        >>> gathered([1.0, 2.0, 3.0, 400.0]).quantile_ms(0.75)
        3.0...
        """
        wanted = ceil(q * self.count)
        for bucket, count in enumerate(self.counts, self.first):
            wanted -= count
            if count and wanted <= 0:
                return LEAST_MS * GROWTH ** (bucket + 1)
        raise ValueError("there are no latencies")


def gathered(latencies_ms: Iterable[float]) -> Latencies:
    """Latencies in milliseconds as counts."""
    found = Counter(floor(log(max(ms, LEAST_MS) / LEAST_MS) / _LOG_GROWTH) for ms in latencies_ms)
    if not found:
        return Latencies()
    first, last = min(found), max(found)
    return Latencies(first=first, counts=[found[bucket] for bucket in range(first, last + 1)])


def show_ms(ms: float) -> str:
    """A latency with two or three figures, in ms or s.

    >>> [show_ms(ms) for ms in (0.456, 7.89, 43.2, 1234.0, 15_678.0)]
    ['0.46 ms', '7.9 ms', '43 ms', '1.2 s', '15.7 s']
    """
    if ms >= 1_000:
        return f"{ms / 1_000:.1f} s"
    return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms" if ms >= 1 else f"{ms:.2f} ms"
