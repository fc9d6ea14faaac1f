"""Failures of the engine: a few are set aside and told, many stop the partition before a bad release drains the topics."""

import logging
from collections import deque
from types import TracebackType
from typing import Final

from streams.terms import Faulty

_log = logging.getLogger(__name__)

ERRORS_MAX: Final = 100
WINDOW_MS: Final = 60_000


class EngineErrors(Exception):
    """The engine failed on more records within a minute than single odd events explain: it is a fault of a release, or of a
    trigger that a package brings along, which the message then names.

    The partition pauses, nothing is lost; the records set aside so far are on the rejected topic. Operator action: go back
    to the last release (of the package), or install a repaired one; then have the rejected records sent again.
    """


def _without_words(error: Exception) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """An exception as logs show it: what and where, without its words, which may be of the customer ("KeyError: 'a@x.org'")."""
    kind = type(error)
    silent: type[Exception] = type(kind.__name__, (Exception,), {"__module__": kind.__module__})
    return silent, silent(), error.__traceback__


class FaultCount:
    """Counts what the engine failed on in one partition."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._at_ms: deque[int] = deque(maxlen=ERRORS_MAX)

    def note(self, fault: Faulty, now_ms: int) -> None:
        """Log one failure. Raises EngineErrors when it is one of ERRORS_MAX within WINDOW_MS."""
        _log.error(
            "%s; %s",
            fault,
            "the record is set aside" if fault.place is not None else "its timers are left alone for an hour",
            exc_info=_without_words(fault.error),
            extra={"facts": {"partition": self._partition, "profile": fault.profile_id}},
        )
        self._at_ms.append(now_ms)
        if len(self._at_ms) == ERRORS_MAX and now_ms - self._at_ms[0] < WINDOW_MS:
            raise EngineErrors(
                f"partition {self._partition}: the engine failed {ERRORS_MAX} times within a minute, last with "
                f"{fault.what}. The partition pauses; install a release that is not at fault"
            )
