"""What an answer means, and when to try again. Pure.

Any 2xx is a delivery. 410 says that the endpoint is gone for good. 400, 413 and 422 say that this very record is not wanted:
it is set aside at once. Everything else, a wrong key and a missing path included, may be mended on the other side and is tried
again, at first after a second, then twice as long each time up to five minutes, with up to a tenth more by a hash of the id.
"""

from typing import Final, Literal

from xxhash import xxh3_64_intdigest

FIRST_S: Final = 1.0
LONGEST_S: Final = 300.0

Meaning = Literal["delivered", "gone", "refused", "again"]


def meaning(status: int) -> Meaning:
    """What an HTTP status means for a record.

    >>> meaning(202), meaning(410), meaning(422), meaning(401), meaning(302)
    ('delivered', 'gone', 'refused', 'again', 'again')
    """
    if 200 <= status < 300:
        return "delivered"
    if status == 410:
        return "gone"
    return "refused" if status in {400, 413, 422} else "again"


def pause_s(tries: int, identity: str, retry_after: str | None = None) -> float:
    """How long to wait after so many tries (1 is the first). A Retry-After in seconds counts where it is longer, up to an hour.

    >>> 1.0 <= pause_s(1, "t") <= 1.1, 256.0 <= pause_s(9, "t") <= 281.6, pause_s(3, "t", "120")
    (True, True, 120.0)
    """
    spread = 1 + xxh3_64_intdigest(f"{identity}/{tries}".encode()) % 1000 / 10_000
    own: float = min(FIRST_S * 2.0 ** (tries - 1), LONGEST_S) * spread
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return max(own, min(float(retry_after[:6]), 3600.0))
    return own
