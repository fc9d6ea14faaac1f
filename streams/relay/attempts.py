"""What an answer means, and when to try again. Pure.

Any 2xx is a delivery, unless its body says that the event was left out. 410 says that the endpoint is gone for good. 400, 413
and 422 say that this very record is not wanted: it is set aside at once, and so is one that was left out. Everything else, a
wrong key and a missing path included, may be mended on the other side and is tried again, at first after a second, then twice
as long each time up to five minutes, with up to a tenth more by a hash of the id.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, Literal

import msgspec
from xxhash import xxh3_64_intdigest

FIRST_S: Final = 1.0
LONGEST_S: Final = 300.0
RETRY_AFTER_MAX_S: Final = 3600

Meaning = Literal["delivered", "gone", "refused", "again"]


def meaning(status: int, body: bytes = b"") -> Meaning:
    """What an HTTP status means for a record, and the body, where there is reason to read it.

    >>> meaning(202), meaning(410), meaning(422), meaning(401), meaning(302)
    ('delivered', 'gone', 'refused', 'again', 'again')
    """
    if 200 <= status < 300:
        return "delivered" if left_out(body) is None else "refused"
    if status == 410:
        return "gone"
    return "refused" if status in {400, 413, 422} else "again"


def left_out(body: bytes) -> str | None:
    """Why Braze left the event out of a call that it took: it answers 201 then, with `errors` (Braze: API errors and responses,
    non-fatal errors). None where it did not, or the body is none of Braze's.

    >>> left_out(b'{"message":"success","errors":["no such time"]}'), left_out(b'{"message":"success"}')
    ('no such time', None)
    """
    if not body:
        return None  # nobody had reason to read it
    try:
        said = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None
    errors = said.get("errors") if isinstance(said, dict) and not said.get("events_processed") else None
    return ", ".join(map(str, errors))[:1024] if isinstance(errors, list) and errors else None


def pause_s(tries: int, identity: str, retry_after: str | None = None, now_s: float = 0.0) -> float:
    """How long to wait after so many tries (1 is the first). A Retry-After, in seconds or as a date, counts where it is longer,
    up to an hour. `now_s` is the present in epoch seconds.

    >>> 1.0 <= pause_s(1, "t") <= 1.1, 256.0 <= pause_s(9, "t") <= 281.6, pause_s(3, "t", "120")
    (True, True, 120.0)
    >>> pause_s(3, "t", "Mon, 02 Mar 2026 00:02:00 GMT", 1_772_409_600)
    120.0
    """
    spread = 1 + xxh3_64_intdigest(f"{identity}/{tries}".encode()) % 1000 / 10_000
    doubled = min(tries - 1, 32)  # a week has thousands of tries, and floats end at the thousandth doubling
    own: float = min(FIRST_S * 2.0**doubled, LONGEST_S) * spread
    return own if retry_after is None else max(own, min(_asked_s(retry_after, now_s), RETRY_AFTER_MAX_S))


def _asked_s(retry_after: str, now_s: float) -> float:
    """Both forms of RFC 9110, 10.2.3; 0 for what is neither."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:6])
    try:
        return parsedate_to_datetime(retry_after).replace(tzinfo=UTC).timestamp() - now_s
    except (ValueError, OverflowError):
        return 0.0
