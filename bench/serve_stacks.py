"""Which HTTP stack under `regulars serve`? The same handlers under several servers and frameworks, judged by processor time.

    uv run --isolated --with litestar --with starlette --with granian python -m bench.serve_stacks

Each stack serves in a process of its own, with the log and the table in memory, so that what differs is the stack alone. A
second process sends as fast as it is answered over 16 connections: `/v1/batch` with 100 events (38 KB), and reads of one
profile. Printed are calls a second, latencies, and milliseconds of the server's processor time a call, which another program
on the machine disturbs least. Stacks take turns; of the rounds the median is shown.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import msgspec
import psutil
import uvloop
from typing_extensions import override

from profiles.book import Book
from profiles.profile import Profile
from profiles.state import encode
from streams.home import home_partition
from streams.local.process import free_ports, port_taken, wait_until
from streams.memory_table import MemoryTable
from streams.serve.app import App, asgi
from streams.serve.build import build, make_budget
from streams.serve.call import Call
from streams.serve.intake import Row
from streams.serve.memory_event_log import MemoryEventLog
from streams.serve.routes import ROUTES
from streams.settings import build_settings
from streams.table import Commit

STACKS = tuple(
    f"{framework}/{server}" for server in ("uvicorn", "granian") for framework in ("none", "starlette", "litestar")
)
CONNECTIONS = 16
TOKEN = "a-token-of-the-benchmark"
KEY = "wk_benchmark"
PARTITIONS = 8


class Nowhere(MemoryEventLog):
    """Takes rows and keeps none."""

    @override
    async def write(self, rows: Sequence[Row]) -> None:
        """Forget them."""


def make_app() -> App:
    """The app with everything in memory and one customer in the table."""
    settings = build_settings(
        {
            "kafka": {"partitions": PARTITIONS},
            "sources": {"web": {"key": KEY, "kind": "server"}},
            "tokens": {
                "bench": {"sha256": sha256(TOKEN.encode()).hexdigest(), "scopes": ["profiles"], "per_second": 100_000}
            },
        }
    )
    table = MemoryTable()
    profile = Profile("user_id:7", ids={"user_id": ["7"], "email": ["ann@example.org"]})
    profile.traits = {f"trait{number}": (number, "value") for number in range(10)}

    async def fill() -> None:
        partition = home_partition("7", PARTITIONS)
        claim = await table.claim(partition)
        commit = Commit(token=claim.meta.token, expected=claim.meta.commits, profiles={profile.id: encode(profile)})
        await table.commit(partition, commit)

    asyncio.run(fill())
    return build(settings, book=Book(), log=Nowhere(), table=table, budget=make_budget(settings)).app


def starlette_app(app: App) -> Any:
    """The app behind Starlette's routing, requests and responses."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def endpoint(request: Request) -> Response:
        call = Call(request.method, request.url.path, request.url.query, request.headers, request.stream())
        answer = await app.answer(call)
        return Response(answer.body, answer.status, answer.headers, answer.content_type)

    return Starlette(routes=[Route(route.path, endpoint, methods=[route.method]) for route in ROUTES])


def litestar_app(app: App) -> Any:
    """The app behind Litestar's."""
    from litestar import Litestar, Request, Response
    from litestar.handlers import HTTPRouteHandler

    def handler(method: Any, path: str) -> Any:
        async def endpoint(request: Request[Any, Any, Any]) -> Response[bytes]:
            headers = dict(request.headers)
            answer = await app.answer(Call(method, request.url.path, request.url.query, headers, request.stream()))
            return Response(
                answer.body, status_code=answer.status, headers=answer.headers, media_type=answer.content_type
            )

        return HTTPRouteHandler(path, http_method=method, status_code=200)(endpoint)

    return Litestar([handler(route.method, route.path.replace("}", ":str}")) for route in ROUTES], openapi_config=None)


def serve(stack: str, port: int) -> None:
    """Serve until killed."""
    framework, server = stack.split("/")
    make: dict[str, Callable[[App], Any]] = {"none": asgi, "starlette": starlette_app, "litestar": litestar_app}
    application = make[framework](make_app())
    if server == "uvicorn":
        import uvicorn

        uvicorn.run(application, host="127.0.0.1", port=port, log_level="error", access_log=False, lifespan="off")
        return
    from granian.constants import Interfaces
    from granian.server.embed import Server

    async def run() -> None:
        await Server(
            application, address="127.0.0.1", port=port, interface=Interfaces.ASGINL, log_enabled=False
        ).serve()

    uvloop.run(run())


# --- load ---------------------------------------------------------------------------------------------------------


def batch_request() -> bytes:
    """POST /v1/batch with 100 events."""
    events = [
        {
            "type": "track",
            "messageId": f"m{number}",
            "userId": f"u{number % 50}",
            "timestamp": "2026-11-27T01:59:59.000Z",
            "event": "Product Viewed" if number % 3 else "Order Completed",
            "properties": {
                "order_id": f"o{number}",
                "product_id": f"p{number}",
                "name": "A fine product of a good brand",
                "currency": "EUR",
                "products": [{"product_id": "p1", "price": "3.10", "quantity": 2}],
            },
            "context": {"page": {"url": "https://shop.example/p", "referrer": "https://search.example"}},
        }
        for number in range(100)
    ]
    body = msgspec.json.encode({"batch": events, "sentAt": "2026-11-27T02:00:00.000Z", "writeKey": KEY})
    head = (
        f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def read_request() -> bytes:
    """GET of one profile."""
    return f"GET /v1/profiles/user_id:7 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    """One request and its whole answer, which must be 200."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)


async def load(port: int, request: bytes, calls: int) -> list[float]:
    """Latencies in ms of `calls` requests over CONNECTIONS connections."""
    latencies: list[float] = []
    left = iter(range(calls))

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            began = time.perf_counter()
            await exchange(reader, writer, request)
            latencies.append((time.perf_counter() - began) * 1000)
        writer.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return latencies


def measure(stack: str, request: bytes, calls: int) -> dict[str, float]:
    """Serve, warm up, send `calls` requests; the figures."""
    (port,) = free_ports(1)
    server = subprocess.Popen([sys.executable, "-m", "bench.serve_stacks", "--serve", stack, "--port", str(port)])
    try:
        wait_until(lambda: port_taken(port), timeout_s=20, what=stack)
        uvloop.run(load(port, read_request(), 200))
        process = psutil.Process(server.pid)
        before, began = sum(process.cpu_times()[:2]), time.perf_counter()
        latencies = uvloop.run(load(port, request, calls))
        took_s, cpu_s = time.perf_counter() - began, sum(process.cpu_times()[:2]) - before
    finally:
        server.kill()
        server.wait()
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "calls/s": len(latencies) / took_s,
        "p50 ms": cuts[49],
        "p99 ms": cuts[98],
        "CPU ms a call": cpu_s / len(latencies) * 1000,
    }


def main() -> None:
    """Run all stacks in turns and print the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", choices=STACKS)
    parser.add_argument("--port", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reads", type=int, default=8000)
    parser.add_argument("--batches", type=int, default=600)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.port)
        return
    for what, request, calls in (
        ("GET /v1/profiles", read_request(), options.reads),
        ("POST /v1/batch, 100 events", batch_request(), options.batches),
    ):
        found: dict[str, list[dict[str, float]]] = {stack: [] for stack in STACKS}
        for _ in range(options.rounds):
            for stack in STACKS:
                found[stack].append(measure(stack, request, calls))
        print(what)
        for stack, rounds in found.items():
            middle = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
            print(f"  {stack:18}", "  ".join(f"{name} {value:8.3f}" for name, value in middle.items()), flush=True)


if __name__ == "__main__":
    main()
