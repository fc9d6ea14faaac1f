"""Contact data in protected form: what stands in the place of an e-mail address or phone number, and how events get it.

Where an installation protects contact data, `protect` is the one place at which it turns into two texts. The **token**, a keyed
hash, is the identifier from there on: in keys, profiles, redirects, moves and outputs. The **sealed text**, the address
encrypted, travels beside it and lies in one part of the profile; who may see it opens it (`streams.protection`). Both are
functions of the address and the keys, so that the same events give the same state. The keys are not known here.
"""

import re
from typing import Any, Final, Protocol, TypeVar

from msgspec.structs import replace

from schemas.events import Event, Identified

E = TypeVar("E", bound=Event)

KEYED_MARK: Final = "k1."
SEALED_MARK: Final = "s1."

_TOKEN: Final = re.compile(r"k1\.[0-9a-f]{32}")
_ADDRESS: Final = re.compile(r"\s*(?:mailto:)?[^\s@]+@[^\s@]+\.[^\s@]+\s*", re.IGNORECASE)
_CONTACT_TRAITS: Final = frozenset(
    {"email", "phone", "mobile", "telephone", "emailaddress", "phonenumber", "mobilephone"}
)
_SEPARATORS: Final = str.maketrans("", "", " _-.")


class Protector(Protocol):
    """Makes the protected forms; `kind` is "email" or "phone", `value` in its normal form."""

    def token(self, kind: str, value: str) -> str:
        """The token of a value: always the same one, which tells nothing to whoever lacks the key."""

    def seal(self, value: str) -> str:
        """The value as a sealed text: always the same one for the same key."""


def is_token(value: str) -> bool:
    """Whether a value is a token already, as in what Regulars itself sends from home to home.

    >>> is_token("k1.00112233445566778899aabbccddeeff"), is_token("ann@example.org")
    (True, False)
    """
    return _TOKEN.fullmatch(value) is not None


def protect(event: E, email: str | None, phone: str | None, protector: Protector) -> E:
    """The event with tokens for these normal forms of its e-mail address and phone number, the sealed texts beside them, and
    without traits that tell the same.

    Values that are tokens already stay, with what is sealed beside them.
    """
    changed: dict[str, Any] = {}
    for kind, value in (("email", email), ("phone", phone)):
        given = getattr(event, kind)
        if given is not None and is_token(given):
            continue
        changed[kind] = protector.token(kind, value) if value else None
        changed[f"sealed_{kind}"] = protector.seal(value) if value else None
    if isinstance(event, Identified) and event.traits:
        changed["traits"] = _without_contacts(event.traits, phone)
    return replace(event, **changed) if changed else event


def distrust(event: E) -> E:
    """The event without tokens and sealed texts. Only Regulars makes them; a sender who has some found them somewhere."""
    email = None if event.email is None or is_token(event.email) else event.email
    phone = None if event.phone is None or is_token(event.phone) else event.phone
    return replace(event, email=email, phone=phone, sealed_email=None, sealed_phone=None)


def _without_contacts(value: Any, phone: str | None) -> Any:
    """A trait's value without what is named or written as an address in it, however deep."""
    if isinstance(value, dict):
        return {
            name: _without_contacts(inner, phone)
            for name, inner in value.items()
            if name.lower().translate(_SEPARATORS) not in _CONTACT_TRAITS and not _tells(inner, phone)
        }
    if isinstance(value, list):
        return [_without_contacts(inner, phone) for inner in value if not _tells(inner, phone)]
    return value


def _tells(value: Any, phone: str | None) -> bool:
    return isinstance(value, str) and (_ADDRESS.fullmatch(value) is not None or value.strip() == phone)
