"""Ids that come out the same whenever the same decision is taken again: UUIDs of version 5 (RFC 9562) over its parts."""

from functools import lru_cache
from hashlib import sha1
from uuid import UUID

from xxhash import xxh3_128_hexdigest

NAMESPACE = UUID("6c1f4a7e-7f3a-5c55-9d5b-2f6f0f6f5d0a")
"""The namespace of all ids of Regulars."""

_NAMESPACE_HASHED = sha1(NAMESPACE.bytes, usedforsecurity=False)
"""To go on from: looking the algorithm up and starting it takes longer than the few bytes that follow."""
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def uuid5(text: str) -> str:
    """The same text as `str(uuid.uuid5(NAMESPACE, text))`, three times as fast.

    >>> from uuid import uuid5 as standard
    >>> uuid5("shop|cart.abandoned|1|c1|m1") == str(standard(NAMESPACE, "shop|cart.abandoned|1|c1|m1"))
    True
    """
    hashed = _NAMESPACE_HASHED.copy()
    hashed.update(text.encode("utf-8"))
    digest = hashed.hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANTS[digest[16]]}{digest[17:20]}-{digest[20:32]}"


def decision_id(text: str) -> str:
    """32 hexadecimal digits that stand for a decision (XXH3, 128 bits): made for each change in the life of a trigger."""
    return xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass"))


def renamed(episode_key: str, before: str, now: str) -> str:
    """An episode's key where the customer it names is known under another id now; any other key as it is.

    >>> renamed("anonymous_id:a|b|weekend", "anonymous_id:a|b", "user_id:7"), renamed("c1", "anonymous_id:a", "user_id:7")
    ('user_id:7|weekend', 'c1')
    """
    if episode_key == before or episode_key.startswith(f"{before}|"):
        return now + episode_key[len(before) :]
    return episode_key


@lru_cache(maxsize=4096)
def trigger_id(shop_id: str, name: str, version: int, episode_key: str, anchor: str, occurrence: int = 1) -> str:
    """The id of a trigger: what it is about (episode key), what opened it (anchor), and which reminder it is.

    The first occurrence carries no number, reminders 2 and 3 do. The last ones are remembered, since an episode's id is
    asked for at each of its changes.
    """
    text = f"{shop_id}|{name}|{version}|{episode_key}|{anchor}"
    return uuid5(text if occurrence == 1 else f"{text}|{occurrence}")
