"""Spans of time as people write them: "30min", "7d"."""

import re
from typing import Final

_UNITS: Final = {"ms": 1, "s": 1000, "min": 60_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SPAN: Final = re.compile(r"^\s*(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|min|m|h|d)\s*$")


def span_ms(text: str) -> int | None:
    """Milliseconds of a span; None for what is none, or none above zero.

    >>> span_ms("30m"), span_ms("1.5 h"), span_ms("90 days")
    (1800000, 5400000, None)
    """
    match = _SPAN.match(text)
    if match is None:
        return None
    return round(float(match[1]) * _UNITS[match[2]]) or None
