"""Tests kill a worker at a named point of an event's way: REGULARS_FAULTS="after_send:3" is SIGKILL at the third time.

"after_send:3:freeze" is SIGSTOP: until somebody sends SIGCONT the worker does nothing, and does not know it.
"""

import os
import signal
from collections.abc import Mapping
from typing import cast, get_args

from streams.faults import NO_FAULTS, Faults, Point

VARIABLE = "REGULARS_FAULTS"


class SignalAt:
    """Sends this process a signal when a point is reached for the given time: SIGKILL is a power cut."""

    def __init__(self, point: Point, times: int, number: signal.Signals) -> None:
        self._point, self._left, self._number = point, times, number

    def at(self, point: Point) -> None:
        """Count, and at the end be gone."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), self._number)


def faults_of(environment: Mapping[str, str]) -> Faults:
    """What the environment asks for; nothing, as a rule. Raises ValueError for an unknown point."""
    asked = environment.get(VARIABLE, "")
    if not asked:
        return NO_FAULTS
    point, _, rest = asked.partition(":")
    times, _, what = rest.partition(":")
    if point not in get_args(Point):
        raise ValueError(f"{VARIABLE}: there is no point {point!r}; there are {', '.join(get_args(Point))}")
    if what not in {"", "freeze"}:
        raise ValueError(f"{VARIABLE}: after the number may only stand 'freeze', not {what!r}")
    return SignalAt(cast("Point", point), int(times or 1), signal.SIGSTOP if what else signal.SIGKILL)
