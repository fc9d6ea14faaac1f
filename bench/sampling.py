"""CPU seconds and memory of processes, children included."""

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import psutil

from bench.figures import Mark

CHILDREN_EVERY_S: Final = 1.0


class Tree:
    """Some processes and their descendants. CPU of a child that has ended is kept as last seen."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]
        self._processes = list(self._roots)
        self._cpu: dict[int, float] = {}
        self._children_at = 0.0
        self.rss_peak_bytes = 0

    def cpu_s(self) -> float:
        """User and system seconds so far."""
        self._find_children()
        for process in self._processes:
            with suppress(psutil.Error):
                times = process.cpu_times()
                self._cpu[process.pid] = times.user + times.system
        return sum(self._cpu.values())

    def look_at_memory(self) -> None:
        """Keep the largest resident size seen, all processes together."""
        total = 0
        for process in self._processes:
            with suppress(psutil.Error):
                total += process.memory_info().rss
        self.rss_peak_bytes = max(self.rss_peak_bytes, total)

    def _find_children(self) -> None:
        now = time.monotonic()
        if now - self._children_at < CHILDREN_EVERY_S:
            return
        self._children_at = now
        found = list(self._roots)
        for root in self._roots:
            with suppress(psutil.Error):
                found += root.children(recursive=True)
        self._processes = found


class Meter:
    """CPU of an engine, the broker and Redis, and the engine's memory, from now on."""

    def __init__(self, engine: Iterable[int], kafka: int, redis: int | None) -> None:
        self.engine = Tree(engine)
        self._kafka, self._redis = Tree([kafka]), Tree([redis] if redis else [])
        self._began_s = time.monotonic()

    def mark(self, done: int) -> Mark:
        """How things stand when `done` records are durable."""
        at_s = time.monotonic() - self._began_s
        return Mark(at_s, done, self.engine.cpu_s(), self._kafka.cpu_s(), self._redis.cpu_s())
