"""What the tests of the tables share: async tests without a plug-in, and a proxy that spoils connections."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Literal, Self

from streams.memory_table import MemoryTable
from streams.redis_table import RedisTable

Mood = Literal["fine", "slow", "hold replies", "cut replies", "swallow requests", "cut"]


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test in a loop of its own, and close the tables among its fixtures."""

    @wraps(test)
    def run(**fixtures: Any) -> None:
        async def scenario() -> None:
            try:
                async with asyncio.timeout(120):
                    await test(**fixtures)
            finally:
                for value in fixtures.values():
                    if isinstance(value, MemoryTable | RedisTable):
                        await value.close()

        asyncio.run(scenario())

    return run


class Proxy:
    """A TCP proxy in front of a server, in the loop of the test. `mood` rules the bytes from now on.

    - hold replies: requests go through, replies wait until the mood is fine again
    - cut replies: the first few bytes of a reply go through, then the connection is reset
    - swallow requests: nothing reaches the server until the mood is fine again, then all of it does
    - cut: both of these
    - slow: replies come one byte at a time
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Condition()
        self._pumps: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.mood: Mood = "fine"
        self.cut_after_bytes = 3

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def become(self, mood: Mood) -> None:
        self.mood = mood
        async with self._changed:
            self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.append(far_writer)
        for pump in (self._requests(reader, far_writer), self._replies(far_reader, writer)):
            task = asyncio.create_task(pump)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._wait_while("swallow requests", "cut")
                writer.write(data)
                await writer.drain()
        # What was sent before the client hung up still arrives, as it does through a real network.
        await self._end(writer)

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._wait_while("hold replies", "cut")
                if self.mood == "cut replies":
                    writer.write(data[: self.cut_after_bytes])
                    await writer.drain()
                    writer.transport.abort()
                    return
                if self.mood == "slow":
                    for byte in data:
                        writer.write(bytes([byte]))
                        await writer.drain()
                        await asyncio.sleep(0)
                    continue
                writer.write(data)
                await writer.drain()
        await self._end(writer)

    async def _wait_while(self, *moods: Mood) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.mood not in moods)

    @staticmethod
    async def _end(writer: asyncio.StreamWriter) -> None:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
