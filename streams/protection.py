"""The keys of an installation that protects contact data: tokens, sealed texts, and what opens them again.

A token is HMAC-SHA-256 (RFC 2104) of "<type>:<value>", cut to 128 bits: two addresses with one token are not to be expected
below 10^19 of them. A sealed text is AES-SIV (RFC 5297): it needs no nonce, so the same address gives the same text, and
a replay gives the same state. It shows how long the address is, and that two texts are equal, which the token shows as well.
"""

import base64
import binascii
import hashlib
import hmac
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from schemas.events import ID_TYPES
from schemas.outputs import Outgoing
from schemas.protected import KEYED_MARK, SEALED_MARK
from streams.forwards import ELSEWHERE
from streams.outbox import Publisher
from streams.settings import Settings, SettingsError

KEY_BYTES: Final = 32
OPENING_KEYS_MAX: Final = 16
REMEMBERED_MAX: Final = 32_768
"""Addresses whose protected forms are remembered, some 15 MB; both cost 16 us to make anew."""

_PURPOSE: Final = [b"regulars/contact"]
_NAMES: Final = {*ID_TYPES, "anonymous_ids"}
_HOLDERS: Final = {"contacts", "customer", "ids"}
"""Where sealed texts stand: in a stored profile, a trigger, a profile document."""
_AROUND: Final = {"document", "profile", "trigger"}
"""What these may lie in: an export, the answer to "what next?"."""


class KeyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in a key file (TOML): base64 texts of 32 random bytes each.

    `identifiers` makes the tokens, and can't be changed on a running installation. The first of `contacts` seals; all open.
    """

    identifiers: str
    contacts: list[str]


class Protection:
    """Makes the protected forms and opens them. `contacts` are keys of 64 bytes, the first one seals. With `all_ids` every
    identifier gets them, else those that look like addresses.

    Raises ImportError where the library for it is not installed.
    """

    def __init__(self, identifiers: bytes, contacts: Sequence[bytes], *, all_ids: bool = False) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        self.all_ids = all_ids
        self._identifiers = identifiers
        self._ciphers = [AESSIV(key) for key in contacts]
        self.token = lru_cache(REMEMBERED_MAX)(self._token)
        self.seal = lru_cache(REMEMBERED_MAX)(self._seal)

    @property
    def mark(self) -> str:
        """What an installation keeps to know its tokens by: the key, of which it tells nothing, and which ids are some."""
        return self._digest("~installation, all ids" if self.all_ids else "~installation")[:16]

    def _token(self, kind: str, value: str) -> str:
        return KEYED_MARK + self._digest(f"{kind}:{value}")[:32]

    def _seal(self, value: str) -> str:
        sealed = self._ciphers[0].encrypt(value.encode("utf-8", "surrogatepass"), _PURPOSE)
        return SEALED_MARK + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open_all(self, document: bytes, *, leave_out: bool = False) -> bytes:
        """A JSON object with the sealed texts among the customer's identifiers opened. One that no key opens stays, or with
        `leave_out` becomes null.

        What else looks like one is somebody's own words: who found a sealed text must not have it opened by saying it.
        """
        if b'"s1.' not in document:
            return document
        return msgspec.json.encode(self._clear(msgspec.json.decode(document), leave_out=leave_out))

    def _clear(self, fields: dict[str, Any], *, leave_out: bool) -> dict[str, Any]:
        def clear(value: Any) -> Any:
            if isinstance(value, list):
                return [clear(one) for one in value]
            if not isinstance(value, str) or not value.startswith(SEALED_MARK):
                return value
            opened = self.open(value)
            return value if opened is None and not leave_out else opened

        shown = dict(fields)
        for name, inner in fields.items():
            if isinstance(inner, dict) and name in _AROUND:
                shown[name] = self._clear(inner, leave_out=leave_out)
            elif isinstance(inner, dict) and name in _HOLDERS:
                shown[name] = {of: clear(it) if of.partition(":")[0] in _NAMES else it for of, it in inner.items()}
        return shown

    def open(self, sealed: str) -> str | None:
        """The clear text of a sealed one, None where none of the keys opens it."""
        from cryptography.exceptions import InvalidTag

        text = sealed.removeprefix(SEALED_MARK).encode()
        try:
            data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
        except binascii.Error:
            return None
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(data, _PURPOSE).decode("utf-8", "surrogatepass")
            except InvalidTag:
                continue
        return None

    def _digest(self, text: str) -> str:
        return hmac.new(self._identifiers, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


class OpeningPublisher:
    """Hands rows on with the contact details of triggers and exports in clear text: in the table they wait sealed.

    What no key opens any more is left out.
    """

    def __init__(self, publisher: Publisher, protection: Protection) -> None:
        self._publisher, self._protection = publisher, protection

    async def publish(self, rows: Sequence[Outgoing]) -> list[str | None]:
        """As the publisher it hands on to."""
        return await self._publisher.publish([self._open(row) for row in rows])

    async def ends(self, topic: str, partition: int) -> int:
        """As the publisher it hands on to."""
        return await self._publisher.ends(topic, partition)

    async def tail(self, topic: str, partition: int, since: int) -> tuple[set[str], int]:
        """As the publisher it hands on to."""
        return await self._publisher.tail(topic, partition, since)

    def broker_name(self, topic: str) -> str:
        """As the publisher it hands on to."""
        return self._publisher.broker_name(topic)

    def _open(self, row: Outgoing) -> Outgoing:
        if row.topic in ELSEWHERE:
            return row
        opened = self._protection.open_all(bytes(row.value), leave_out=True)
        return msgspec.structs.replace(row, value=msgspec.Raw(opened))


def load_protection(settings: Settings) -> Protection | None:
    """The protection of an installation, None where it has none. Raises SettingsError."""
    if not settings.protection.key_file:
        return None
    path = Path(settings.protection.key_file)
    try:
        keys = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), KeyFile)
    except OSError as error:
        raise SettingsError(f"protection.key_file {path} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError):
        # What the parser says may quote a key.
        raise SettingsError(f"protection.key_file {path} is no TOML with `identifiers` and `contacts`") from None
    if not 1 <= len(keys.contacts) <= OPENING_KEYS_MAX:
        raise SettingsError(f"protection.key_file {path}: `contacts` lists 1 to {OPENING_KEYS_MAX} keys")
    texts = [keys.identifiers, *keys.contacts]
    if len(set(texts)) < len(texts):
        raise SettingsError(f"protection.key_file {path}: two keys are the same")
    identifiers, *contacts = (_key(text, path) for text in texts)
    try:
        ciphers = [_cipher_key(key) for key in contacts]
        return Protection(identifiers, ciphers, all_ids=settings.protection.ids == "all")
    except ImportError:
        raise SettingsError(
            "protection.key_file needs the library cryptography: pip install 'regulars[protection]'"
        ) from None


def key_mark(settings: Settings) -> str:
    """The mark of an installation's key of identifiers, "" where it has none. Raises SettingsError."""
    protection = load_protection(settings)
    return "" if protection is None else protection.mark


def _key(text: str, path: Path) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(f"protection.key_file {path}: a key is base64 of {KEY_BYTES} random bytes")
    return key


def _cipher_key(key: bytes) -> bytes:
    """The two AES keys of 256 bits that AES-SIV wants, from one of a file (SHA-512 of random bytes is as good as random)."""
    return hashlib.sha512(b"regulars/aes-siv" + key).digest()
