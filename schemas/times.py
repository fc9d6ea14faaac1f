"""Time: instants as senders write them, turned into UTC epoch milliseconds, and the event time made of several of them.

Nothing here knows the present; whether an instant is in the future is judged against when the event was received.
"""

import re
from datetime import UTC, datetime, timedelta

INSTANT_MAX_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""

FUTURE_TOLERANCE_MS = 5 * 60_000
"""How far a sender's clock may run ahead before its word is not taken: beyond it, event time is the time of receipt."""

# Numbers are told apart by their size. Each span is years wide on both sides of anything a shop could mean, and the
# spans do not touch the same number: seconds reach the year 5138, milliseconds begin in March 1973.
SECONDS = range(10**8, 10**11)
MILLISECONDS = range(10**11, 10**14)
MICROSECONDS = range(10**14, 10**17)

CLOCK_SET_MS = 631_152_000_000
"""1990-01-01T00:00:00Z. No web shop is older: a device's clock that shows less was not set yet."""
AS_SECONDS = range(CLOCK_SET_MS // 1000, 4_102_444_800)
"""Moments of early 1970 which, read as seconds, lie between 1990 and 2100."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LEAP_SECOND = re.compile(r"(:\d\d):60(?=$|[.,Zz+-])")
_TEXT_MAX = 64


class InstantError(ValueError):
    """What was given is no instant: not ISO-8601, or a number no unit makes plausible.

    The record that holds it is set aside with this text. Its sender has to be corrected.
    """


def parse_iso(text: str) -> int:
    """An ISO-8601 date, or date and time, in epoch milliseconds. Without an offset it is UTC; a date alone is its midnight.

    Digits beyond milliseconds are cut off. A leap second (":60") is the first instant of the next minute. Raises
    InstantError for other text and for instants before 1970 or after the year 9999.

    >>> parse_iso("2024-05-01T10:00:00.123456789Z"), parse_iso("2024-05-01T12:00:00.1+02:00"), parse_iso("2024-05-01")
    (1714557600123, 1714557600100, 1714521600000)
    """
    text = text.strip()
    if len(text) > _TEXT_MAX:
        raise InstantError("an instant is written with more than 64 characters")
    leap_ms = 0
    if ":60" in text and (found := _LEAP_SECOND.search(text)) is not None:
        text = f"{text[: found.start()]}{found[1]}:59{text[found.end() :]}"
        leap_ms = 1000
    if text.endswith("z"):  # RFC 3339 allows it
        text = f"{text[:-1]}Z"
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        at_ms = (moment - _EPOCH) // _MILLISECOND + leap_ms
    except (ValueError, OverflowError):
        raise InstantError("an instant is not ISO-8601, as 2024-05-01T12:00:00Z is") from None
    return _in_bounds(at_ms)


def parse_epoch(number: int | float) -> int:  # noqa: PYI041 -- compiled, `float` alone would turn whole numbers into floats
    """Epoch seconds, milliseconds or microseconds, told apart by their size, in epoch milliseconds.

    Seconds from 1973-03-03 on (10^8 to 10^11), milliseconds (10^11 to 10^14), microseconds (10^14 to 10^17). Raises
    InstantError for any other number.

    >>> parse_epoch(1714557600), parse_epoch(1714557600123), parse_epoch(1714557600123456), parse_epoch(1714557600.5)
    (1714557600000, 1714557600123, 1714557600123, 1714557600500)
    """
    if isinstance(number, bool) or number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 -- NaN
        raise InstantError("an instant is not a finite number")
    whole = int(number)
    if whole in SECONDS:
        return round(number * 1000)
    if whole in MILLISECONDS:
        return whole
    if whole in MICROSECONDS:
        return _in_bounds(whole // 1000)
    raise InstantError("an instant is no plausible number of seconds, milliseconds or microseconds since 1970")


def _in_bounds(at_ms: int) -> int:
    if not 0 <= at_ms <= INSTANT_MAX_MS:
        raise InstantError("an instant is before 1970 or after the year 9999")
    return at_ms


def event_time(
    timestamp_ms: int, original_ms: int | None, sent_ms: int | None, received_ms: int | None, record_ms: int
) -> tuple[int, int]:
    """Event time and time of receipt, epoch milliseconds.

    Where the client said when it made the event (`original_ms`) and when it sent it (`sent_ms`), and a server when it got
    it (`received_ms`), the client's clock is taken out: received - (sent - original). Otherwise it is `timestamp_ms`. A clock
    that was set in between (original before CLOCK_SET_MS, sent after) can't be taken out, and the receipt is all that is known.
    What lies more than FUTURE_TOLERANCE_MS after the receipt becomes the receipt. Without `received_ms` the record's own
    time is the receipt, and without that (`record_ms` 0 or less) the event time itself. A receipt that claims to be more
    than FUTURE_TOLERANCE_MS after the record's own time becomes that time.

    >>> event_time(0, 1_000_000, 1_060_000, 5_000_000, 0)
    (4940000, 5000000)
    >>> event_time(9_000_000, None, None, None, 5_000_000), event_time(9_000_000, None, None, None, 0)
    ((5000000, 5000000), (9000000, 9000000))
    >>> event_time(9_000_000, None, None, 9_000_000, 5_000_000)
    (5000000, 5000000)
    >>> event_time(0, 60_000, 1_714_564_800_000, 1_714_564_801_000, 0)
    (1714564801000, 1714564801000)
    """
    claimed_receipt = received_ms is not None
    if received_ms is None:
        received_ms = record_ms if 0 < record_ms <= INSTANT_MAX_MS else timestamp_ms
    elif 0 < record_ms < received_ms - FUTURE_TOLERANCE_MS:
        # No server received an event after it was produced; believed, it would push a partition's clock into the future.
        received_ms = record_ms
    if claimed_receipt and original_ms is not None and sent_ms is not None:
        timestamp_ms = received_ms - sent_ms + original_ms
        if timestamp_ms < CLOCK_SET_MS:
            timestamp_ms = received_ms if original_ms < CLOCK_SET_MS <= sent_ms else max(timestamp_ms, 0)
        elif timestamp_ms > INSTANT_MAX_MS:
            timestamp_ms = INSTANT_MAX_MS
    if timestamp_ms > received_ms + FUTURE_TOLERANCE_MS:
        timestamp_ms = received_ms
    return timestamp_ms, received_ms
