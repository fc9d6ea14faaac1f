"""Tests kill a worker at a named point of an event's way: REGULARS_FAULTS="after_send:3" is SIGKILL at the third time."""

import os
import signal
from collections.abc import Mapping
from typing import cast, get_args

from streams.faults import NO_FAULTS, Faults, Point

VARIABLE = "REGULARS_FAULTS"


class KillAt:
    """Ends this process, as a power cut would, when a point is reached for the given time."""

    def __init__(self, point: Point, times: int) -> None:
        self._point, self._left = point, times

    def at(self, point: Point) -> None:
        """Count, and at the end be gone."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def faults_of(environment: Mapping[str, str]) -> Faults:
    """What the environment asks for; nothing, as a rule. Raises ValueError for an unknown point."""
    asked = environment.get(VARIABLE, "")
    if not asked:
        return NO_FAULTS
    point, _, times = asked.partition(":")
    if point not in get_args(Point):
        raise ValueError(f"{VARIABLE}: there is no point {point!r}; there are {', '.join(get_args(Point))}")
    return KillAt(cast("Point", point), int(times or 1))
