"""The log in memory: what Kafka does for the collector, without a server. For tests and for trying things out."""

import asyncio
from collections.abc import Sequence

from streams.serve.event_log import LogAway
from streams.serve.intake import Row


class MemoryEventLog:
    """Keeps the rows in order. `away` makes it refuse; `pause` makes writes wait, as a slow broker does, until `resume`."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.away = False
        self.stopped = False
        self._flowing = asyncio.Event()
        self._flowing.set()

    def pause(self) -> None:
        """Let writes wait from now on."""
        self._flowing.clear()

    def resume(self) -> None:
        """Let them go on."""
        self._flowing.set()

    async def write(self, rows: Sequence[Row]) -> None:
        """Keep the rows. Raises LogAway."""
        if self.away:
            raise LogAway
        await self._flowing.wait()
        self.rows += rows

    async def stop(self) -> None:
        """Take nothing more."""
        await self._flowing.wait()
        self.stopped = True
