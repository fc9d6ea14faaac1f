"""Runs one partition whenever Kafka says it is ours. What happens between two rebalances is the partition's own matter."""

import asyncio
import logging
from collections.abc import Callable

from streams.partition import Partition

_log = logging.getLogger(__name__)


class Keeper:
    """One partition number. Each time it is held, `make` gives a new partition, which is run until it is taken away.

    The old one ends first, so a worker never has two claims of its own on one partition.
    """

    def __init__(self, number: int, make: Callable[[int], Partition]) -> None:
        self.number = number
        self.partition: Partition | None = None
        self._make = make
        self._held = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """Whether Kafka says that the partition is ours."""
        return self._held.is_set()

    def hold(self) -> None:
        """Kafka gave it to this worker."""
        self._held.set()
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name=f"partition-{self.number}")

    def release(self) -> None:
        """Kafka took it, or hands all partitions out anew: forget what waits in memory, at once."""
        self._held.clear()
        if self.partition is not None:
            self.partition.drop()

    def stop(self) -> None:
        """The worker ends: finish the batch at hand and publish it."""
        self._closing = True
        self._held.clear()
        if self.partition is not None:
            self.partition.stop()

    async def idle(self) -> None:
        """Wait until nothing of this partition runs here, after `release`."""
        await self._idle.wait()

    async def ended(self, patience_s: float) -> None:
        """Wait for the end after `stop`; beyond `patience_s` it is cut off: uncommitted work is read again."""
        if self._task is None:
            return
        if self.partition is None:
            self._task.cancel()
        _, late = await asyncio.wait([self._task], timeout=patience_s)
        if late:
            _log.warning("a partition did not end in time", extra={"facts": {"partition": self.number}})
            self._task.cancel()
            await asyncio.wait(late)

    async def _keep(self) -> None:
        while not self._closing:
            await self._held.wait()
            self._idle.clear()
            self.partition = self._make(self.number)
            try:
                await self.partition.run()
            finally:
                self.partition = None
                self._idle.set()
