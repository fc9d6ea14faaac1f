"""Lanes: many records under way at once, those of one customer one after the other, and what may be committed meanwhile.

A record goes into the lane of its key. An offset is done when it and all before it on its partition are: that is what may be
committed, so a relay that is killed delivers some records twice and loses none.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from xxhash import xxh3_64_intdigest

R = TypeVar("R")


class Lanes(Generic[R]):
    """Works on records of partitions `place` (any hashable) in `lanes` lanes; `work` must not raise but to end it all."""

    def __init__(self, work: Callable[[R], Awaitable[None]], lanes: int) -> None:
        self._work = work
        self._queues: list[asyncio.Queue[tuple[Hashable, int, R]]] = [asyncio.Queue(2) for _ in range(lanes)]
        self._under_way: dict[Hashable, deque[int]] = {}
        self._finished: dict[Hashable, set[int]] = {}
        self._next: dict[Hashable, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done with the error once a lane has ended by one."""

    def start(self) -> None:
        """Begin to work."""
        self._tasks = [asyncio.create_task(self._lane(queue)) for queue in self._queues]

    async def stop(self) -> None:
        """End at once; what was under way is not done."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.failed.done() and not self.failed.cancelled():
            self.failed.exception()

    async def put(self, place: Hashable, offset: int, key: bytes, record: R) -> None:
        """Take a record in; waits while its lane is full. Records of a place come in the order of their offsets."""
        self._under_way.setdefault(place, deque()).append(offset)
        self._next.setdefault(place, offset)
        await self._queues[xxh3_64_intdigest(key) % len(self._queues)].put((place, offset, record))

    def done(self) -> dict[Hashable, int]:
        """The next offset of each place: everything before it is done."""
        return dict(self._next)

    async def idle(self) -> None:
        """Wait until everything that was taken in is done."""
        for queue in self._queues:
            await queue.join()

    async def _lane(self, queue: "asyncio.Queue[tuple[Hashable, int, R]]") -> None:
        while True:
            place, offset, record = await queue.get()
            try:
                await self._work(record)
            except Exception as error:  # noqa: BLE001 - told to whoever runs the lanes
                if not self.failed.done():
                    self.failed.set_exception(error)
                return
            self._finish(place, offset)
            queue.task_done()

    def _finish(self, place: Hashable, offset: int) -> None:
        finished, under_way = self._finished.setdefault(place, set()), self._under_way[place]
        finished.add(offset)
        while under_way and under_way[0] in finished:
            first = under_way.popleft()
            finished.remove(first)
            self._next[place] = first + 1
