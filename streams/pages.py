"""Pages of a process's own: /metrics (Prometheus text), a worker's /health (JSON, 503 when it is not well), and whether the
process runs at all: a worker's /live, the others' /health.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from streams.health import Report
from streams.metrics import Metrics
from streams.setting_sections import Http

METRICS_TYPE = "text/plain; version=0.0.4"
_SHUTDOWN_S = 1.0
_RUNS = b'{"status":"ok"}'


class Pages:
    """A small HTTP server in the worker's event loop. `port` is the one it listens on, also where 0 was asked for."""

    def __init__(self, settings: Http, *, report: Callable[[], Report], metrics: Metrics) -> None:
        self._settings = settings
        self._report = report
        self._metrics = metrics
        self._runner: web.AppRunner | None = None
        self.port = settings.port

    async def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/live", _runs)
        app.router.add_get("/metrics", self._metrics_page)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._settings.host, self._settings.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        report = self._report()
        body = msgspec.json.format(msgspec.json.encode(report), indent=1)
        return web.Response(body=body, status=report.http_status, content_type="application/json")

    async def _metrics_page(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.page(), headers={"Content-Type": METRICS_TYPE})


@asynccontextmanager
async def metrics_page(settings: Http, page: Callable[[], bytes]) -> AsyncIterator[None]:
    """Serve what `page` gives at /metrics, and at /health that the process runs, for as long as the context lasts; port 0: no
    page. Raises OSError where the port is taken.
    """
    if not settings.port:
        yield
        return

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=page(), headers={"Content-Type": METRICS_TYPE})

    app = web.Application()
    app.router.add_get("/health", _runs)
    app.router.add_get("/metrics", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, settings.host, settings.port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def _runs(_: web.Request) -> web.Response:
    return web.Response(body=_RUNS, content_type="application/json")
