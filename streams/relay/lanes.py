"""Lanes: many records under way at once, those of one customer one after the other, and what may be committed meanwhile.

Each key has a lane of its own while there is something in it: a record that is tried again for an hour holds up what is of its
own key and nothing else. An offset is done when it and all before it on its partition are: that is what may be committed, so a
relay that is killed delivers some records twice and loses none.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

R = TypeVar("R")

BEHIND_MAX: Final = 10_000
"""Records taken in and not yet to be committed: at most so many are delivered again after a kill while one of them is held up."""


class Lanes(Generic[R]):
    """Works on records of partitions `place` (any hashable), `at_most` of them taken in at a time; `work` must not raise but to
    end it all. To take one in never waits: whoever does so asks for `room` first.
    """

    def __init__(self, work: Callable[[R], Awaitable[None]], at_most: int) -> None:
        self._work, self._at_most = work, at_most
        self._lanes: dict[bytes, deque[tuple[Hashable, int, R]]] = {}
        self._held = 0
        self._under_way: dict[Hashable, deque[int]] = {}
        self._finished: dict[Hashable, set[int]] = {}
        self._next: dict[Hashable, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done with the error once a lane has ended by one."""

    async def stop(self) -> None:
        """End at once; what was under way is not done."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.failed.done() and not self.failed.cancelled():
            self.failed.exception()

    @property
    def room(self) -> int:
        """How many more records may be taken in."""
        behind = sum(len(offsets) for offsets in self._under_way.values())
        return min(self._at_most - self._held, BEHIND_MAX - behind)

    def put(self, place: Hashable, offset: int, key: bytes, record: R) -> None:
        """Take a record in. Records of a place come in the order of their offsets."""
        self._under_way.setdefault(place, deque()).append(offset)
        self._next.setdefault(place, offset)
        self._held += 1
        lane = self._lanes.get(key)
        if lane is not None:
            lane.append((place, offset, record))
            return
        lane = self._lanes[key] = deque([(place, offset, record)])
        task = asyncio.create_task(self._lane(key, lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def done(self) -> dict[Hashable, int]:
        """The next offset of each place: everything before it is done."""
        return dict(self._next)

    async def moved(self, patience_s: float) -> None:
        """Wait until something is done or has failed, or for so long."""
        self._moved.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._moved.wait(), patience_s)

    async def idle(self) -> None:
        """Wait until everything that was taken in is done."""
        while self._held:
            await self.moved(1.0)

    async def _lane(self, key: bytes, lane: deque[tuple[Hashable, int, R]]) -> None:
        while lane:
            place, offset, record = lane[0]
            try:
                await self._work(record)
            except Exception as error:  # noqa: BLE001 - told to whoever runs the lanes
                if not self.failed.done():
                    self.failed.set_exception(error)
                self._moved.set()
                return
            lane.popleft()
            self._held -= 1
            self._finish(place, offset)
            self._moved.set()
        del self._lanes[key]

    def _finish(self, place: Hashable, offset: int) -> None:
        finished, under_way = self._finished.setdefault(place, set()), self._under_way[place]
        finished.add(offset)
        while under_way and under_way[0] in finished:
            first = under_way.popleft()
            finished.remove(first)
            self._next[place] = first + 1
