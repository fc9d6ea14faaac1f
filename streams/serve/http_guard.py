"""uvicorn's HTTP protocol with bounds on what comes around a request's body.

As it is, uvicorn waits for ever for the end of a request's head, and takes a head of any size. Here a head must be complete in
time and within HEAD_BYTES_MAX, and what is no HTTP at all is counted. It also takes what may come after a body of chunks
(trailers) for headers, without an end, and waits for ever once anything came behind a request that is answered. Here trailers
are passed over within the same bound, and whatever comes is to become a head in time. A client that takes nothing of its
answers for that long is cut off. Bodies are bounded where they are read (streams.serve.body).
"""

import asyncio
from typing import Any, ClassVar, Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streams.metrics import Metrics

HEAD_BYTES_MAX: Final = 64 * 1024
"""Request line and headers, and as much again after the body. Cookies of a shop's domain come along with each beacon, so not
less.
"""

PIPELINED_MAX: Final = 64
"""Requests that wait for the answers to those before them. uvicorn reads on after each answer, and keeps 3 KB for each."""


class Pipelined(Exception):
    """Too many requests wait: the parser reads no more of them."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `guarded` makes the class for a server."""

    head_timeout_s: ClassVar[float]
    metrics: ClassVar[Metrics]
    _timer: asyncio.TimerHandle | None = None
    _unsent_timer: asyncio.TimerHandle | None = None
    _beside_bytes = 0
    """What came since the last byte of a body or of a complete head, but for the piece that it came in."""
    _in_head = True

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself
        super().connection_made(transport)
        self._arm()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        if self._unsent_timer is not None:
            self._unsent_timer.cancel()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        self._beside_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._beside_bytes > HEAD_BYTES_MAX:
            self._end("large_head")
        elif self._timer is None and self.cycle.response_complete:
            self._arm()  # nothing is under way, and uvicorn has just put its own timer out

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._arm()

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        self._in_head, self._beside_bytes = False, 0
        self._disarm()
        super().on_headers_complete()
        if len(self.pipeline) > PIPELINED_MAX:
            raise Pipelined

    @override
    def on_body(self, body: bytes) -> None:
        self._beside_bytes = 0
        super().on_body(body)

    @override
    def send_400_response(self, msg: str) -> None:
        self.metrics.count("regulars_http_refused_total", reason="not_http")
        super().send_400_response(msg)
        self._watch_unsent()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_unsent()

    @override
    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_unsent()

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_unsent()

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unsent_timer is not None and not self.transport.is_closing():
            self._unsent_timer.cancel()
            self._unsent_timer = None

    def _watch_unsent(self) -> None:
        """End the connection if what is written is not taken in time: a closing one would wait for that for ever."""
        if self._unsent_timer is None:
            self._unsent_timer = self.loop.call_later(self.head_timeout_s, self._end, "slow_reader")

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_timeout_s, self._end, "slow_head")

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, reason: str) -> None:
        self._disarm()
        self.metrics.count("regulars_http_refused_total", reason=reason)
        self.transport.abort()


def guarded(metrics: Metrics, head_timeout_ms: int) -> type[GuardedProtocol]:
    """The protocol class of one server."""
    members: dict[str, Any] = {"metrics": metrics, "head_timeout_s": head_timeout_ms / 1000}
    return type("Guarded", (GuardedProtocol,), members)
