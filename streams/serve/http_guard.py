"""uvicorn's HTTP protocol with bounds on what comes before a request's body.

As it is, uvicorn waits for ever for the end of a request's head, and takes a head of any size. Here a head must be complete in
time and within HEAD_BYTES_MAX, and what is no HTTP at all is counted. Bodies are bounded where they are read
(streams.serve.body).
"""

import asyncio
from typing import Any, ClassVar, Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streams.metrics import Metrics

HEAD_BYTES_MAX: Final = 64 * 1024
"""Request line and headers. Cookies of a shop's domain come along with each beacon, so not less."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `guarded` makes the class for a server."""

    head_timeout_s: ClassVar[float]
    metrics: ClassVar[Metrics]
    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself
        super().connection_made(transport)
        self._arm()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._end("large_head")

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._arm()

    @override
    def on_headers_complete(self) -> None:
        self._in_head = False
        self._disarm()
        super().on_headers_complete()

    @override
    def send_400_response(self, msg: str) -> None:
        self.metrics.count("regulars_http_refused_total", reason="not_http")
        super().send_400_response(msg)

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_timeout_s, self._end, "slow_head")

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, reason: str) -> None:
        self._disarm()
        if not self.transport.is_closing():
            self.metrics.count("regulars_http_refused_total", reason=reason)
            self.transport.close()


def guarded(metrics: Metrics, head_timeout_ms: int) -> type[GuardedProtocol]:
    """The protocol class of one server."""
    members: dict[str, Any] = {"metrics": metrics, "head_timeout_s": head_timeout_ms / 1000}
    return type("Guarded", (GuardedProtocol,), members)
