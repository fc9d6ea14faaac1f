"""`regulars serve` from start to end: check the ground, connect, listen, and leave without losing what was acknowledged."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn
from typing_extensions import override

from streams.book_files import load_adapters, load_book
from streams.event_loop import new_event_loop
from streams.logs import configure_logs
from streams.protection import key_mark
from streams.redis_table import RedisTable
from streams.serve.app import asgi
from streams.serve.build import Served, build, make_budget
from streams.serve.http_guard import guarded
from streams.serve.kafka_event_log import KafkaEventLog
from streams.settings import Settings
from streams.startup import read_topic_ids
from streams.table import Unavailable
from streams.trigger_registry import all_triggers

_log = logging.getLogger(__name__)

EXIT_OK: Final = 0
CONNECTIONS_MAX: Final = 10_000
"""Open connections; further ones are answered with 503 at once. An idle one costs a few KB and a file descriptor."""
BACKLOG: Final = 2048
KEEP_ALIVE_S: Final = 75
"""Longer than proxies keep an idle connection (60 s): else one may send on a connection that was just closed here."""


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit code. Raises what the checks at the start raise."""
    configure_logs(settings.log)
    # What is no HTTP is counted (regulars_http_refused_total), not logged: anybody can send a line of it.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    async with contextlib.AsyncExitStack() as stack:
        book = await asyncio.to_thread(load_book, settings)
        table = RedisTable(settings.redis.url, prefix=settings.redis.prefix, timeout_s=settings.redis.timeout_ms / 1000)
        stack.push_async_callback(table.close)
        await _check_ground(settings, table)
        budget = make_budget(settings)
        log = KafkaEventLog(settings, budget)
        await log.start()
        # After the listener is closed and the last request answered: what is in flight is flushed.
        stack.push_async_callback(log.stop)
        served = build(
            settings,
            book=book,
            adapters=load_adapters(settings),
            triggers=all_triggers(),
            log=log,
            table=table,
            budget=budget,
        )
        # What exists now stays: no collection needs to look at it again while requests wait.
        gc.collect()
        gc.freeze()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        # Models are for reading profiles; without tokens nobody may.
        watching = asyncio.create_task(served.models.keep()) if settings.tokens else None
        try:
            await listen(settings, served, stop)
        finally:
            if watching is not None:
                watching.cancel()
    _log.info("stopped")
    return EXIT_OK


async def _check_ground(settings: Settings, table: RedisTable) -> None:
    """Kafka must be there with every topic. Redis need not: without it profiles are not shown, and events are taken.

    Raises AdminError (Kafka away, topics missing or with another partition count) and WrongInstall (profiles would be
    looked for in the wrong partitions).
    """
    await asyncio.to_thread(read_topic_ids, settings)
    if settings.tokens:
        try:
            await table.ensure_install(settings.kafka.partitions, key_mark(settings))
        except Unavailable as error:
            _log.warning("profiles can't be read now: %s", error)


async def listen(
    settings: Settings, served: Served, stop: asyncio.Event, told: Callable[[int], None] = lambda _: None
) -> None:
    """Take requests until `stop` is set; then no new ones, and return when those under way are answered.

    `told` is called with the port, which matters where any free one was asked for. Raises OSError where it is taken.
    """
    serve = settings.serve
    listener = socket.create_server((serve.host, serve.port), backlog=BACKLOG)
    config = uvicorn.Config(
        asgi(served.app),
        http=guarded(served.metrics, serve.body_timeout_ms),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(serve.shutdown_ms / 1000)),
    )
    server = _Server(config)

    port = listener.getsockname()[1]
    _log.info("listening", extra={"facts": {"host": serve.host, "port": port}})
    told(port)

    async def end() -> None:
        await stop.wait()
        _log.info("stopping")
        served.stopping()
        server.should_exit = True

    ending = asyncio.create_task(end())
    try:
        await server.serve(sockets=[listener])
    finally:
        ending.cancel()


class _Server(uvicorn.Server):
    """uvicorn's server, whose signals are ours: more than it has to end."""

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
