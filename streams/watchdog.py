"""Ends a worker that stays stalled, so that whatever runs it starts it again.

Consumers of this kind are known to stop after days with the process alive; a restart is the cure that always worked. A
Kafka or Redis that is down is no stall of ours: a restart would heal nothing, so then the watchdog waits.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from streams.health import Watch
from streams.setting_sections import Health

_log = logging.getLogger(__name__)


class Stalled(Exception):
    """The worker had lag and made no progress for `health.exit_ms`, although Kafka and Redis answer.

    The worker ends itself with this error; whatever supervises it starts it again, and nothing is lost. Operator action:
    if it comes again, read the log lines before it; they name the partition.
    """


async def watch_over(
    watch: Watch,
    settings: Health,
    *,
    now_ms: Callable[[], int],
    servers_answer: Callable[[], Awaitable[bool]],
    every_ms: int = 5000,
) -> None:
    """Look every `every_ms`; raises Stalled. With `health.exit_ms` 0 it never does."""
    while True:
        await asyncio.sleep(every_ms / 1000)
        stalled_ms = watch.stalled_ms(now_ms())
        if not settings.exit_ms or stalled_ms < settings.exit_ms:
            continue
        if await servers_answer():
            raise Stalled(f"no progress for {stalled_ms} ms although Kafka and Redis answer")
        _log.warning(
            "stalled, but Kafka or Redis does not answer: waiting", extra={"facts": {"stalled_ms": stalled_ms}}
        )
