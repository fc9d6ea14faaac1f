"""A wire to a server that can be cut the way networks are cut: nothing arrives, and nobody is told."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self

from tests.contract.table_kit import Proxy


class Wire:
    """A proxy in front of a port of this host, with a loop and a thread of its own, for tests that have no loop."""

    def __init__(self, target: int) -> None:
        self._proxy = Proxy(target)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._proxy.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._proxy.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def port(self) -> int:
        return self._proxy.port

    @property
    def connections(self) -> int:
        """How many were opened."""
        return self._proxy.connections

    def lead_to(self, target: int) -> None:
        """New connections go to another port."""
        self._proxy.target = target

    def cut(self) -> None:
        """From now on no byte passes; connections stay open, and new ones come about."""
        self._run(self._proxy.become("cut"))

    def mend(self) -> None:
        """All passes again, what was sent meanwhile first, as it does over TCP."""
        self._run(self._proxy.become("fine"))

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)
