"""A real listener on loopback: what no in-process request can show. Slow and endless heads, garbage, and a clean stop."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable

import pytest

from streams.serve.http_guard import HEAD_BYTES_MAX, PIPELINED_MAX
from streams.serve.server import listen
from streams.settings import build_settings
from tests.shell.serve_kit import BACK_KEY, DOCUMENT, Site, basic, site, viewed

Scenario = Callable[[Site, int, asyncio.Event], Awaitable[None]]


def serving(scenario: Scenario, **serve: int) -> Site:
    """Run a scenario against a listening server: (site, port, the event that stops it)."""
    serve = {"port": 0, "shutdown_ms": 5000, **serve}
    shop = site(serve=serve)
    settings = build_settings({**DOCUMENT, "serve": {"host": "127.0.0.1", **serve}})

    async def run() -> None:
        stop = asyncio.Event()
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        server = asyncio.create_task(listen(settings, shop.served, stop, port.set_result))
        try:
            async with asyncio.timeout(20):
                await scenario(shop, await port, stop)
        finally:
            stop.set()
            await server

    asyncio.run(run())
    return shop


def request(body: bytes = b"", path: str = "/v1/batch", method: str = "POST", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: shop.example", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (basic(BACK_KEY) | headers).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


BATCH = json.dumps({"batch": [viewed()]}).encode()


async def exchange(port: int, sent: bytes) -> bytes:
    """Everything that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    return answer


def test_a_request_over_a_real_connection_is_answered_and_the_connection_kept() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(request(BATCH))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(16) == b'{"success":true}'
        writer.close()

    assert len(serving(scenario).events) == 2


def test_a_head_that_does_not_end_in_time_ends_its_connection() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        assert await exchange(port, b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nX-Slow: ") == b""

    shop = serving(scenario, body_timeout_ms=100)

    assert shop.metric("regulars_http_refused_total", reason="slow_head") == 1


def test_a_silent_connection_is_ended_too() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        assert await exchange(port, b"") == b""

    serving(scenario, body_timeout_ms=100)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(b"GET /health HTTP/1.1\r\n\r\n", id="none"),
        pytest.param(b"GET /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", id="a body that nobody asked for"),
    ],
)
def test_what_begins_no_request_keeps_no_connection_open(first: bytes) -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.write(b"\r\n" if b"chunked" not in first else b"1\r\nx\r\n")
        await reader.read()
        writer.close()

    shop = serving(scenario, body_timeout_ms=100)

    assert shop.metric("regulars_http_refused_total", reason="slow_head") == 1


def test_who_does_not_take_its_answers_is_cut_off() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", port))
            await loop.sock_sendall(client, b"GET /openapi.json HTTP/1.1\r\n\r\n" * PIPELINED_MAX)
            while not shop.metric("regulars_http_refused_total", reason="slow_reader"):  # noqa: ASYNC110 - state in memory
                await asyncio.sleep(0)

    shop = serving(scenario, body_timeout_ms=100)

    assert shop.metric("regulars_http_refused_total", reason="slow_reader") == 1


def test_a_connection_can_not_have_requests_wait_without_end() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        shop.log.pause()
        answer = await exchange(port, request(BATCH) * (2 * PIPELINED_MAX))
        assert answer.startswith(b"HTTP/1.1 400")
        shop.log.resume()

    serving(scenario)


def test_a_few_requests_may_wait_for_the_answers_before_theirs() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        sent = request(BATCH) * (PIPELINED_MAX - 1) + request(BATCH, Connection="close")
        assert (await exchange(port, sent)).count(b"HTTP/1.1 200") == PIPELINED_MAX

    serving(scenario)


CHUNKED = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"


def test_what_comes_after_a_body_says_nothing_of_its_sender() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        key = f"Authorization: {basic(BACK_KEY)['Authorization']}\r\n".encode()
        chunks = b"%x\r\n%b\r\n0\r\n" % (len(BATCH), BATCH)
        answer = await exchange(port, CHUNKED + b"Connection: close\r\n\r\n" + chunks + key + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 401")

    assert serving(scenario).events == []


async def pour(writer: asyncio.StreamWriter, line: bytes) -> None:
    """Write a line again and again, until the connection is cut off. It is long before all is written."""
    sent = 0
    try:
        while sent < 100 * HEAD_BYTES_MAX:
            writer.write(line)
            sent += len(line)
            await writer.drain()
    except ConnectionError:
        pass
    assert sent < 100 * HEAD_BYTES_MAX
    writer.close()


def test_what_comes_after_a_body_is_cut_off_where_it_does_not_end() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(CHUNKED + b"\r\n1\r\n{\r\n0\r\n")
        await pour(writer, b"X-Trailer: " + b"x" * 8000 + b"\r\n")

    shop = serving(scenario)

    assert shop.metric("regulars_http_refused_total", reason="large_head") == 1


def test_a_body_of_many_small_chunks_is_taken() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        body = BATCH + b" " * HEAD_BYTES_MAX
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        key = f"Authorization: {basic(BACK_KEY)['Authorization']}\r\nConnection: close\r\n\r\n".encode()
        assert (await exchange(port, CHUNKED + key + chunks)).startswith(b"HTTP/1.1 200")

    assert len(serving(scenario).events) == 1


def test_a_body_that_drips_is_refused_in_time() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        answer = await exchange(port, request(BATCH)[:-5])
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"slow_body" in answer

    serving(scenario, body_timeout_ms=100)


def test_an_endless_head_is_cut_off() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\n")
        await pour(writer, b"X-Header: " + b"x" * 8000 + b"\r\n")

    shop = serving(scenario)

    assert shop.metric("regulars_http_refused_total", reason="large_head") == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"HELLO\r\n\r\n",
        b"POST /v1/batch HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n",
        b"POST /v1/batch HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["TLS", "a greeting", "a length that is none", "two lengths", "a broken chunk"],
)
def test_what_is_no_http_is_refused_and_harms_nobody_else(garbage: bytes) -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        answer = await exchange(port, garbage)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401"))
        assert answer.count(b"HTTP/1.1") == 1, "nothing after it was taken for a request"
        assert (await exchange(port, request(BATCH, Connection="close"))).startswith(b"HTTP/1.1 200")

    assert len(serving(scenario).events) == 1


def test_garbage_behind_a_pipelined_request_costs_nothing_that_was_acknowledged() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(BATCH))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await reader.readexactly(16)
        writer.write(b"\x00\xff garbage\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()

    assert len(serving(scenario).events) == 1


def test_the_rest_of_a_refused_body_is_not_waited_for() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        answer = await exchange(port, request(BATCH, path="/v1/nothing")[:-3])
        assert answer.startswith(b"HTTP/1.1 404")

    serving(scenario)


def test_told_to_stop_it_answers_what_is_under_way_and_takes_nothing_new() -> None:
    async def scenario(shop: Site, port: int, stop: asyncio.Event) -> None:
        shop.log.pause()
        waiting = asyncio.create_task(exchange(port, request(BATCH)))
        while not shop.served.budget.bytes_held:  # noqa: ASYNC110 - what is waited for is state in memory
            await asyncio.sleep(0)
        stop.set()
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                break  # the listener is closed
            writer.close()
            await asyncio.sleep(0.01)
        assert not waiting.done()
        shop.log.resume()
        answer = await waiting
        assert answer.startswith(b"HTTP/1.1 200")

    assert len(serving(scenario).events) == 1
