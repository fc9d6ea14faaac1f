"""Instants as commands print them, and the present as they know it."""

import time
from datetime import UTC, datetime
from typing import Final

import click

from schemas.times import FUTURE_TOLERANCE_MS

TIME: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
"""An instant as it is given to an option, in UTC."""


def epoch_ms(moment: datetime | None) -> int | None:
    """What was given as TIME in epoch ms."""
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp() * 1000)


def latest_ms() -> int:
    """The latest moment (epoch ms) at which anything in a file can have happened: the present, and by how much clocks differ."""
    return time.time_ns() // 1_000_000 + FUTURE_TOLERANCE_MS


def utc(at_ms: int | None) -> str:
    """An instant in UTC, and saying so; what lies outside of all calendars (a sender that stamps in microseconds) as it came.

    >>> utc(1_772_409_600_123), utc(None), utc(1_772_409_600_123_456)
    ('2026-03-02 00:00:00 UTC', '-----------------------', '1772409600123456 ms    ')
    """
    if at_ms is None:
        return "-" * 23
    try:
        return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms".ljust(23)
