"""Who is calling: write keys of sources, tokens of readers, and what each may do.

Keys and tokens are looked up by their SHA-256, so the time a look-up takes tells nothing of how near a guess was.
"""

import base64
import binascii
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from msgspec import Struct

from schemas.events import SourceKind
from streams.serve.answer import Refusal
from streams.serve.body import CLOSE
from streams.setting_serve import Scope, Source, Token

MAX_AGE_S: Final = 7200
"""How long a browser may keep the answer to a preflight; Chromium allows no more."""

_KEY_MAX: Final = 512


class Sender(Struct, frozen=True):
    """A source of events as the collector knows it."""

    name: str
    kind: SourceKind
    origins: tuple[str, ...] = ()

    def allows(self, origin: str) -> bool:
        """Whether a web page of this origin may send as this source."""
        return self.kind == "client" and ("*" in self.origins or origin in self.origins)


class Senders:
    """All sources by their write keys."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._by_key = {
            sha256(source.key.encode()).digest(): Sender(name, source.kind, source.origins)
            for name, source in sources.items()
        }

    def find(self, key: object) -> Sender:
        """The source of a write key. Raises Refusal (`no_key`)."""
        if isinstance(key, str) and 0 < len(key) <= _KEY_MAX:
            found = self._by_key.get(sha256(key.encode("utf-8", "surrogatepass")).digest())
            if found is not None:
                return found
        raise Refusal("no_key", headers=CLOSE)

    def any_allows(self, origin: str) -> bool:
        """Whether some source takes events of this page: all that can be said of a preflight, which carries no key."""
        return any(sender.allows(origin) for sender in self._by_key.values())


def check_origin(sender: Sender, origin: str) -> None:
    """Refuse a page that may not send as this source. Programs send no Origin, so this keeps out pages alone."""
    if origin and not sender.allows(origin):
        raise Refusal("server_key_in_page" if sender.kind == "server" else "origin", headers=CLOSE)


def basic_user(authorization: str) -> str | None:
    """The user name of Basic authentication, None where there is no such header.

    >>> basic_user("Basic d2tfMTIzNDo=")
    'wk_1234'
    """
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")[0]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refusal("no_key", "the Authorization header is not Basic", headers=CLOSE) from None


class Bucket:
    """A token bucket: `per_second` requests a second, up to a second's worth at once."""

    __slots__ = ("_level", "_per_second", "_seen_s")

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._level = float(per_second)
        self._seen_s = 0.0

    def wait_s(self, now_s: float) -> float:
        """Take one; 0 if there was one, else how long until there will be. `now_s` is any clock that does not go back."""
        self._level = min(self._per_second, self._level + max(0.0, now_s - self._seen_s) * self._per_second)
        self._seen_s = now_s
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return (1 - self._level) / self._per_second


class Reader(Struct):
    """A token as the server knows it."""

    name: str
    scopes: frozenset[str]
    bucket: Bucket


class Readers:
    """All tokens by their hashes."""

    def __init__(self, tokens: Mapping[str, Token]) -> None:
        self._by_hash = {
            bytes.fromhex(token.sha256): Reader(name, frozenset(token.scopes), Bucket(token.per_second))
            for name, token in tokens.items()
        }

    def admit(self, authorization: str, scope: Scope, now_s: float) -> Reader:
        """The reader a header names, if it may read this now. Raises Refusal: `no_token`, `scope`, `rate`."""
        scheme, _, value = authorization.strip().partition(" ")
        value = value.strip()
        if scheme.lower() != "bearer" or not 0 < len(value) <= _KEY_MAX:
            raise Refusal("no_token")
        reader = self._by_hash.get(sha256(value.encode("utf-8", "surrogatepass")).digest())
        if reader is None:
            raise Refusal("no_token")
        wait_s = reader.bucket.wait_s(now_s)
        if wait_s > 0:
            raise Refusal("rate", headers={"Retry-After": str(max(1, round(wait_s)))})
        if scope not in reader.scopes:
            raise Refusal("scope", f"it needs the scope {scope!r}")
        return reader
