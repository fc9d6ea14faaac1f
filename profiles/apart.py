"""Who was taken out of whose profile, as marks that name nobody. Pure.

Both homes of a split remember that the two are not one customer. An erasure of one of them must leave no trace of her id with
the other, so what is remembered is a salted hash: BLAKE2b of the id, 64 bits, keyed with a salt that comes of the request and
stands beside it. Asked whether an id is among them, every mark is tried; there are few, and most profiles have none.
"""

from collections.abc import Mapping
from hashlib import blake2b

from profiles.state import APART_MAX


def since(marks: Mapping[str, int], identifier: str) -> int | None:
    """Since when an id is apart, epoch ms; None where it is not."""
    return max((at_ms for mark, at_ms in marks.items() if _is_of(mark, identifier)), default=None)


def note(marks: dict[str, int], identifier: str, at_ms: int, request_id: str) -> None:
    """Remember that an id is apart since a request; the oldest are forgotten above the bound."""
    before = since(marks, identifier)
    forget(marks, identifier)
    salt = blake2b(request_id.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    marks[_mark(salt, identifier)] = at_ms if before is None else max(at_ms, before)
    trim(marks)


def forget(marks: dict[str, int], identifier: str) -> None:
    """The id is no longer apart."""
    for mark in [mark for mark in marks if _is_of(mark, identifier)]:
        del marks[mark]


def unite(marks: dict[str, int], others: Mapping[str, int], own: str) -> None:
    """Take over those of another profile, but for its mark of the profile they go to."""
    for mark, at_ms in others.items():
        if not _is_of(mark, own):
            marks[mark] = max(at_ms, marks.get(mark, at_ms))
    trim(marks)


def trim(marks: dict[str, int]) -> None:
    """Forget the oldest above the bound."""
    while len(marks) > APART_MAX:
        del marks[min(marks, key=lambda one: (marks[one], one))]


def _mark(salt: str, identifier: str) -> str:
    text = identifier.encode("utf-8", "surrogatepass")
    return f"{salt}.{blake2b(text, digest_size=8, key=bytes.fromhex(salt)).hexdigest()}"


def _is_of(mark: str, identifier: str) -> bool:
    return _mark(mark.partition(".")[0], identifier) == mark
