"""The generated stream at a constant rate, as it would come live: which record is due when, and stamped with that time.

Open loop: when a record is due follows from its number and the rate alone, never from how the engine fares. Latencies are
counted from there, so an engine that stands still for a second is charged with all that came meanwhile, and not only with the
one record that a sender would have been waiting on (coordinated omission).
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from bench.generator import Record, Scenario, records
from bench.job import DAY_MS

TICK_S: Final = 0.005
"""What is due within a tick goes out together at its end, one record batch for each partition."""
BACKLOG_TICK: Final = 1_000
"""Records that go out together where there is no rate."""
HISTORY_MS: Final = 30 * DAY_MS
"""Over so long the events are spread that give customers a past. Live events come to them far more often than to real ones, so
there should be many customers: what is remembered of each for a day would grow beyond anything real.
"""
ENDLESS: Final = 1 << 40
READY_MS: Final = 0.015
"""About what it takes, for each record, to get a load ready. Event times are that much later than the order to get ready."""
_STAMP: Final = b'"timestamp_ms":'
_DIGITS: Final = 13


class Load(Struct, frozen=True, kw_only=True):
    """The next `count` records of a stream. Record k carries the event time `first_ms` + k x `step_ms`.

    With a rate it is due k / `per_s` seconds after the beginning; without one all are sent as fast as it goes.
    """

    count: int
    first_ms: int
    step_ms: float
    per_s: float | None = None
    tick_s: float = TICK_S

    def event_ms(self, number: int) -> int:
        """The event time of a record."""
        return self.first_ms + int(number * self.step_ms)


def live_load(per_s: float, seconds: float, now_ms: int, *, tick_s: float = TICK_S) -> Load:
    """So many events a second for so long, in event time as in real time, beginning as soon as they can be ready."""
    count = round(per_s * seconds)
    first_ms = now_ms + round(count * READY_MS)
    return Load(count=count, first_ms=first_ms, step_ms=1_000 / per_s, per_s=per_s, tick_s=tick_s)


def backlog(count: int, span_ms: int, now_ms: int) -> Load:
    """Events of the time before now, all there at once."""
    return Load(count=count, first_ms=now_ms - span_ms, step_ms=span_ms / count)


class LiveStream:
    """A scenario's stream without end, taken load by load. Who takes the same loads gets the same bytes."""

    def __init__(self, scenario: Scenario) -> None:
        self._records = records(replace(scenario, events=ENDLESS))

    def take(self, load: Load) -> Iterator[Record]:
        """The records of the next load; to be used up before the next one is taken."""
        for number, (partition, user, value) in enumerate(islice(self._records, load.count)):
            yield Record(partition, user, stamped(value, load.event_ms(number)))


def stamped(value: bytes, at_ms: int) -> bytes:
    """An event of the generator with another time, at which it is also received.

    >>> stamped(b'{"message_id":"m","timestamp_ms":1704067200000,"received_at_ms":1704067200040,"user_id":"u"}', 1790000000000)
    b'{"message_id":"m","timestamp_ms":1790000000000,"received_at_ms":1790000000000,"user_id":"u"}'
    """
    at = value.index(_STAMP) + len(_STAMP)
    end = value.index(b",", at + _DIGITS + 1)
    return b'%b%d,"received_at_ms":%d%b' % (value[:at], at_ms, at_ms, value[end:])
