"""One engine under live load: its topics and processes, the sender, and how far all is. What a study does with it is its own.

A study that starts workers itself (to kill them) leaves `start` alone and uses `processes`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Final, Self

from msgspec import Struct

from bench.engines.engine import Engine, new_ground
from bench.figures import Mark
from bench.generator import Scenario
from bench.job import Expected
from bench.outcome import totals_differ
from bench.processes import EngineStopped, Processes
from bench.reference import Reference
from bench.schedule import Load, live_load
from bench.sender import Sent, sending
from bench.servers import Servers
from bench.timetable import Stretch, Timetable

LOOK_EVERY_S: Final = 0.1
STANDSTILL_S: Final = 120.0
FAR: Final = 1 << 60
BEYOND: Final = 1.25
"""Saturation is sought with this many times what the engine has shown so far, until it can't keep up."""
ATTEMPTS: Final = 4
KEPT_UP_S: Final = 0.5
"""An engine that is less than this far behind at the end of a load has kept up."""


class Saturated(Struct, kw_only=True):
    """The time in which an engine had more than enough to do. `counted` is what a counter of the caller's showed at each mark."""

    marks: list[Mark]
    counted: list[int]
    record_batches_per_event: float

    @property
    def per_s(self) -> float:
        """Events a second."""
        return speed(self.marks)


def speed(marks: Sequence[Mark]) -> float:
    """Events a second from the first mark to the last. Raises EngineStopped for fewer than two."""
    if len(marks) < 2:
        raise EngineStopped("it committed too seldom to tell its speed: take more events")
    return (marks[-1].done - marks[0].done) / (marks[-1].at_s - marks[0].at_s)


def now_ms() -> int:
    """The wall clock, by which events of a live load are stamped."""
    return time.time_ns() // 1_000_000


class LiveRun:
    """Entered, everything but the engine runs. `sampled` partitions are noted customer by customer in the timetable."""

    def __init__(
        self,
        engine: Engine,
        servers: Servers,
        scenario: Scenario,
        *,
        sampled: tuple[int, ...] = (),
        checked: bool = True,
        threads: int = 1,
    ) -> None:
        self.engine, self.servers = engine, servers
        self._scenario, self._threads = scenario, threads
        self._truth = Reference() if checked else None
        hear = self._truth.apply if self._truth is not None else lambda _: None
        self.timetable = Timetable(scenario, sampled=sampled, hear=hear)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        stack, engine, servers = self._stack, self.engine, self.servers
        ends = [FAR] * self._scenario.partitions
        self.ground = stack.enter_context(new_ground(engine, servers, ends, name="live", threads=self._threads))
        self.progress = stack.enter_context(closing(engine.progress(self.ground)))
        self.sender = stack.enter_context(
            sending(self._scenario, servers.kafka.bootstrap, self.ground.topic("clickstream"))
        )
        self.processes = stack.enter_context(Processes(engine.environment(self.ground), self.ground.log))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start the engine."""
        for command in self.engine.commands(self.ground):
            self.processes.start(command)

    @property
    def sent(self) -> int:
        """Records that were sent, or are being sent."""
        return sum(self.timetable.sent)

    @property
    def done(self) -> int:
        """Records whose effects are durable."""
        return self.progress.done()

    def send(self, load: Load) -> Sent:
        """Send a load and wait until it is sent."""
        self.begin(load)
        return self.sender.ended()

    def begin(self, load: Load) -> Stretch:
        """Begin to send a load; gives its records, with the moment at which the first is due."""
        stretch = self.prepare(load)
        stretch.began_s = self.sender.begin()
        return stretch

    def prepare(self, load: Load) -> Stretch:
        """Get a load ready; gives its records. They are sent when the sender is told to begin."""
        self.sender.prepare(load)
        return self.timetable.take(load)

    def marks(self, until: int) -> Iterator[Mark]:
        """A mark whenever durable progress has moved, until so many records are done. Raises EngineStopped."""
        meter = self.ground.meter(self.processes.pids)
        done = -1
        moved_s = time.monotonic()
        while done < until:
            self.processes.check(f"at {done:,} records")
            last, done = done, self.done
            if done > last:
                moved_s = time.monotonic()
                yield meter.mark(done)
            elif time.monotonic() - moved_s > STANDSTILL_S:
                raise EngineStopped(f"it stood still for {STANDSTILL_S:g} s at {done:,} of {until:,} records")
            if done < until:
                time.sleep(LOOK_EVERY_S)

    def catch_up(self) -> list[Mark]:
        """Wait until all that was sent is durable."""
        return list(self.marks(self.sent))

    def saturation(self, shown_per_s: float, seconds: float, counter: Callable[[], int] = lambda: 0) -> Saturated:
        """What the engine does while more than that is offered to it at a constant rate, everything else as in any live load.

        Begins with more than it has shown, and offers more until it can't keep up. Raises EngineStopped where it commits too
        seldom to tell.
        """
        offered_per_s = shown_per_s * BEYOND
        for _ in range(ATTEMPTS):
            stretch = self.begin(live_load(offered_per_s, seconds, now_ms()))
            since_s, due_s = time.monotonic(), stretch.began_s + seconds
            seen = [(mark, counter()) for mark in self.marks(self.sent) if since_s + mark.at_s <= due_s]
            behind_s = time.monotonic() - due_s
            self.sender.ended()
            # By then it works on what waits, and not on what it has kept up with.
            seen = seen[len(seen) // 3 :]
            found = Saturated(
                marks=[mark for mark, _ in seen],
                counted=[count for _, count in seen],
                record_batches_per_event=stretch.record_batches / stretch.load.count,
            )
            if behind_s > KEPT_UP_S:
                break
            offered_per_s *= 1.5
        return found

    def problem(self) -> str | None:
        """What is wrong with the customers' totals and interests, None where all is right. Triggers are not looked at."""
        assert self._truth is not None, "a run that is not checked has no right result to compare with"
        expected: Expected = self._truth.finish()
        return totals_differ(expected.totals, self.engine.totals(self.ground, expected))
