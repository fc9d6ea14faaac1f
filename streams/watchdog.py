"""Ends a worker that stays stalled, so that whatever runs it starts it again.

Consumers of this kind are known to stop after days with the process alive; a restart is the cure that always worked. A
Kafka or Redis that is down is no stall of ours: a restart would heal nothing, so then the watchdog waits, and the worker has its
whole time again from when they answer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from streams.health import Watch
from streams.setting_sections import Health

_log = logging.getLogger(__name__)

ASK_AFTER_MS: Final = 10_000
"""A partition that makes no progress for so long has Kafka and Redis asked whether they answer: while they do not is no stall."""


class Stalled(Exception):
    """A partition had lag and made no progress for `health.exit_ms`, although Kafka and Redis answered all the time.

    The worker ends itself with this error; whatever supervises it starts it again, and nothing is lost. Operator action:
    if it comes again, read the log lines before it; the message names the partition.
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
    away_ms: int | None = None
    while settings.exit_ms:
        await asyncio.sleep(every_ms / 1000)
        now = now_ms()
        stuck = watch.stuck(now)
        if stuck is None or stuck.stalled_ms < min(ASK_AFTER_MS, settings.exit_ms):
            continue
        if not await servers_answer():
            away_ms = now
            if stuck.stalled_ms >= settings.stall_ms:  # before that it may as well be this process that is busy
                _log.warning(
                    "no progress, but Kafka or Redis does not answer: waiting",
                    extra={"facts": {"stalled_ms": stuck.stalled_ms}, "often": True},
                )
            continue
        stalled_ms = stuck.stalled_ms if away_ms is None else min(stuck.stalled_ms, now - away_ms)
        if stalled_ms >= settings.exit_ms:
            raise Stalled(
                f"partition {stuck.partition} has made no progress for {stalled_ms} ms ({stuck.state}) although Kafka and Redis "
                f"answer"
            )
