"""Instants as commands print them."""

from datetime import UTC, datetime


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
