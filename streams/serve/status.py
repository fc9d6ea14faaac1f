"""The pages about the process itself: /health, /ready, /metrics and the OpenAPI document."""

from functools import cache
from typing import Literal

import msgspec
from msgspec import Struct

from streams.metrics import Metrics
from streams.pages import METRICS_TYPE
from streams.serve.answer import Answer, json_answer
from streams.serve.budget import Budget
from streams.serve.call import Call
from streams.serve.event_log import EventLog
from streams.serve.openapi import document


class Health(Struct, frozen=True):
    """What /health and /ready answer. `reason` is empty where all is well."""

    status: Literal["ok", "away", "stopping"]
    reason: str = ""


class Status:
    """Answers for the process. `stopping` is set when it is told to end."""

    def __init__(self, *, log: EventLog, budget: Budget, metrics: Metrics) -> None:
        self._log = log
        self._budget = budget
        self._metrics = metrics
        self.stopping = False

    async def health(self, _: Call) -> Answer:
        """GET /health: this process runs its loop. A restart would heal nothing else."""
        return json_answer(Health("stopping" if self.stopping else "ok"))

    async def ready(self, _: Call) -> Answer:
        """GET /ready: send it requests. 503 while Kafka takes nothing, and while it stops."""
        told = self._ready()
        return json_answer(told, status=200 if told.status == "ok" else 503)

    async def metrics(self, _: Call) -> Answer:
        """GET /metrics."""
        self._metrics.show("regulars_http_inflight_bytes", self._budget.bytes_held)
        self._metrics.show("regulars_http_ready", self._ready().status == "ok")
        return Answer(200, self._metrics.page(), METRICS_TYPE)

    def _ready(self) -> Health:
        if self.stopping:
            return Health("stopping", "it was told to end")
        if self._log.away:
            return Health("away", "Kafka does not take events")
        return Health("ok")

    async def openapi(self, _: Call) -> Answer:
        """GET /openapi.json."""
        return Answer(200, _document())


@cache
def _document() -> bytes:
    return msgspec.json.encode(document())
