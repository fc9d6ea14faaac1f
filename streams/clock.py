"""The clock of a partition: how far time has come, as far as its logs and the wall can tell. It never goes back.

clock = max(merge time - disorder, T0 - grace, last clock). Merge time is the newest event time merged so far. T0 is the
latest wall time at which the ends of the logs were asked for and have since been passed, the least of all topics: so a
loaded partition's clock moves with its events, a silent one follows the wall, and after an outage no timer overtakes an
order that is still in the queue.
"""

from collections import deque
from collections.abc import Iterable

ASKED_MAX = 256


class Clock:
    """`disorder_ms` is how far the clock stays behind the merge, `grace_ms` how far behind the wall."""

    def __init__(self, topics: Iterable[str], *, disorder_ms: int, grace_ms: int) -> None:
        self.disorder_ms, self.grace_ms = disorder_ms, grace_ms
        self.now_ms = 0
        self.t0_ms = 0
        self._asked: dict[str, deque[tuple[int, int]]] = {topic: deque() for topic in topics}
        self._t0: dict[str, int] = dict.fromkeys(self._asked, 0)

    def start(self, clock_ms: int, t0_ms: int) -> None:
        """Go on where the last owner stood."""
        self.now_ms, self.t0_ms = clock_ms, t0_ms

    def asked(self, topic: str, wall_ms: int, end: int) -> None:
        """The end of a topic's log was asked for at this wall time, and was `end`."""
        asked = self._asked[topic]
        if asked and asked[-1][1] >= end:
            # The later question has the same answer: once that end is passed, both are answered.
            asked[-1] = (max(wall_ms, asked[-1][0]), asked[-1][1])
            return
        asked.append((wall_ms, end))
        if len(asked) > ASKED_MAX:
            # Forgetting a question in the middle only makes T0 come later.
            del asked[ASKED_MAX // 2]

    def passed(self, topic: str, offset: int) -> None:
        """Everything of a topic before `offset` has been worked on."""
        asked = self._asked[topic]
        while asked and asked[0][1] <= offset:
            self._t0[topic] = max(self._t0[topic], asked.popleft()[0])
        least = min(self._t0.values())
        self.t0_ms = max(self.t0_ms, least)

    def wall_reach_ms(self, others_t0_ms: int | None = None) -> int:
        """What the clock may show without any event: T0 - grace. `others_t0_ms` holds it back where it is lower."""
        t0_ms = self.t0_ms if others_t0_ms is None else min(self.t0_ms, others_t0_ms)
        return t0_ms - self.grace_ms

    def advance(self, clock_ms: int) -> None:
        """Move on; an earlier time changes nothing."""
        self.now_ms = max(self.now_ms, clock_ms)
