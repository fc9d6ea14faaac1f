"""Failures of the engine: a few are set aside and told, many stop the partition before a bad release drains the topics."""

import logging
from collections import deque
from collections.abc import Iterable
from typing import Final

from streams.careful import Failure
from streams.logs import place_of, shown_id
from streams.merge import Item
from streams.terms import Faulty

_log = logging.getLogger(__name__)

ERRORS_MAX: Final = 100
WINDOW_MS: Final = 60_000


class EngineErrors(Exception):
    """The engine failed on more records within a minute than single odd events explain, and no trigger is to blame: it is a
    fault of a release.

    The partition pauses, nothing is lost; the records set aside so far are on the rejected topic. Operator action: go back
    to the last release, or install a repaired one; then have the rejected records sent again.
    """


def tell_left_out(partition: int, failures: Iterable[Failure]) -> None:
    """Log which triggers failed in a batch, on what and where."""
    for one in failures:
        facts = {"partition": partition, "times": one.times, "profile": shown_id(one.profile_id)}
        line = "%s, by %s; %s is left out of it; at %s"
        _log.error(line, one.said, one.by, one.trigger, one.place, extra={"facts": facts, "often": True})


class FaultCount:
    """Counts what the engine failed on in one partition."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._at_ms: deque[int] = deque(maxlen=ERRORS_MAX)

    def note(self, fault: Faulty, item: Item | None, now_ms: int) -> None:
        """Log one failure, on this record or with None on a timer. Raises EngineErrors when it is one of ERRORS_MAX within
        WINDOW_MS.
        """
        facts: dict[str, object] = {"partition": self._partition}
        if item is None:
            facts["profile"] = shown_id(fault.profile_id)
        else:
            facts |= {"topic": item.topic, "offset": item.record.offset}
        done = "its timers are left alone for an hour" if item is None else "the record is set aside"
        _log.error("%s; %s; at %s", fault, done, place_of(fault.error), extra={"facts": facts})
        self._at_ms.append(now_ms)
        if len(self._at_ms) == ERRORS_MAX and now_ms - self._at_ms[0] < WINDOW_MS:
            raise EngineErrors(
                f"partition {self._partition}: the engine failed {ERRORS_MAX} times within a minute, last with "
                f"{fault.what}. The partition pauses; install a release that is not at fault"
            )
