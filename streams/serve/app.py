"""From a request to an answer, whatever server brought it: the route, CORS, refusals as problem documents, figures.

`App.answer` is the whole of it and needs no server, so that is where the tests come in. `asgi` makes it an ASGI application.
"""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from streams.logs import place_of
from streams.metrics import Metrics
from streams.serve.answer import REASONS, Answer, Refusal, problem_answer
from streams.serve.call import Call
from streams.serve.keys import MAX_AGE_S, Senders
from streams.serve.routes import Found, Router

_log = logging.getLogger(__name__)

Handler = Callable[[Call], Awaitable[Answer]]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_REQUESTED_MAX: Final = 512
_EXPOSED: Final = "Retry-After, ETag"


class App:
    """Answers requests. `handlers` are by the operation of their route.

    `profile_origins` are the web pages that may read profiles; pages that send events are the senders' matter.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        senders: Senders,
        profile_origins: tuple[str, ...],
        metrics: Metrics,
        router: Router | None = None,
    ) -> None:
        self._handlers = handlers
        self._senders = senders
        self._profile_origins = profile_origins
        self._metrics = metrics
        # To Prometheus a counter that appears with its first event has not risen.
        for reason in REASONS:
            metrics.count("regulars_http_refused_total", 0, reason=reason)
        self._router = router or Router()
        self.stopping = False

    async def answer(self, call: Call) -> Answer:
        """The answer to a request; never raises."""
        began = time.perf_counter()
        found = self._router.find(call.method, call.path)
        operation = found.route.operation if found is not None and found.route is not None else "none"
        try:
            answer = await self._handle(call, found)
        except Refusal as refusal:
            answer = problem_answer(refusal)
        except Exception as fault:  # noqa: BLE001 -- one request must not end the process; it is told and logged
            _log.error("a request failed: %s at %s", type(fault).__name__, place_of(fault))
            answer = problem_answer(Refusal("fault"))
        if answer.reason:
            self._metrics.count("regulars_http_refused_total", reason=answer.reason)
        self._metrics.count("regulars_http_requests_total", operation=operation, status=str(answer.status))
        self._metrics.observe("regulars_http_seconds", time.perf_counter() - began, operation=operation)
        return self._with_cors(call, answer, found)

    async def _handle(self, call: Call, found: Found | None) -> Answer:
        if found is None:
            raise Refusal("not_found")
        if call.method == "OPTIONS":
            return self._preflight(call, found)
        route = found.route
        if route is None:
            raise Refusal("method", headers={"Allow": ", ".join((*found.methods, "OPTIONS"))})
        if self.stopping and not route.operation.startswith("status."):
            raise Refusal("stopping", headers={"Retry-After": "1", "Connection": "close"})
        return await self._handlers[route.operation](
            Call(call.method, call.path, call.query, call.headers, call.body, found.parts) if found.parts else call
        )

    def _preflight(self, call: Call, found: Found) -> Answer:
        """What a browser asks before it sends. It names no key, so a page is let through that some source allows."""
        methods = ", ".join((*found.methods, "OPTIONS"))
        origin = call.header("origin")
        if not origin or not call.header("access-control-request-method"):
            return Answer(204, headers={"Allow": methods})
        if not self._allowed(origin, found):
            raise Refusal("origin")
        wanted = call.header("access-control-request-headers")[:_REQUESTED_MAX]
        return Answer(
            204,
            headers={
                "Access-Control-Allow-Methods": methods,
                "Access-Control-Allow-Headers": wanted if wanted.isascii() and wanted.isprintable() else "",
                "Access-Control-Max-Age": str(MAX_AGE_S),
            },
        )

    def _allowed(self, origin: str, found: Found | None) -> bool:
        if found is not None and "GET" in found.methods:
            return origin in self._profile_origins or "*" in self._profile_origins
        return self._senders.any_allows(origin)

    def _with_cors(self, call: Call, answer: Answer, found: Found | None) -> Answer:
        """Let a page of an allowed origin see the answer, refusals too: its library must see a Retry-After."""
        origin = call.header("origin")
        if not origin:
            return answer
        headers = answer.headers | {"Vary": "Origin"}
        if self._allowed(origin, found):
            headers |= {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED}
        return Answer(answer.status, answer.body, answer.content_type, headers, answer.reason)


def asgi(app: App) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """The app as an ASGI application (HTTP only)."""

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"ASGI {scope['type']} is not served here")
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key = name.decode("latin-1")
            headers[key] = f"{headers[key]}, {value.decode('latin-1')}" if key in headers else value.decode("latin-1")
        path = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        body = _Body(receive)
        answer = await app.answer(Call(scope["method"], path, query, headers, body.chunks()))
        lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        if not body.whole and scope["method"] not in {"GET", "HEAD"} and "Connection" not in answer.headers:
            # Nobody reads the rest of it, and it may never end.
            lines.append((b"connection", b"close"))
        if answer.status not in {204, 304}:
            lines += [
                (b"content-type", answer.content_type.encode("latin-1")),
                (b"content-length", str(len(answer.body)).encode()),
            ]
        await send({"type": "http.response.start", "status": answer.status, "headers": lines})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    return serve


class _Body:
    """The body of one request. `whole` says that it was read to its end."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.whole = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """The parts as they come. Raises Refusal (`cut_off`) when the client hangs up."""
        while not self.whole:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Refusal("cut_off")
            self.whole = not message.get("more_body", False)
            if chunk := message.get("body", b""):
                yield chunk
