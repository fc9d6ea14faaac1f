"""Contact data in protected form: what stands in the place of an e-mail address or phone number, and how events get it.

Where an installation protects contact data, `protect` is the one place at which it turns into two texts. The **token**, a keyed
hash, is the identifier from there on: in keys, profiles, redirects, moves and outputs. The **sealed text**, the address
encrypted, travels beside it and lies in one part of the profile; who may see it opens it (`streams.protection`). Both are
functions of the address and the keys, so that the same events give the same state. The keys are not known here.

Some shops name their customers by addresses: a user id, a loyalty id, a device or a cart may be one. What looks like one is
protected likewise, under any of these types as the same token, for an alias call does not say which of them it names.
"""

import re
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar

from msgspec.structs import replace

from schemas.events import ID_TYPES, Aliased, CommandEvent, Event, Identified, SplitProfile
from schemas.phones import phone_number
from schemas.scalars import email_address, identifier

E = TypeVar("E", bound=Event)

KEYED_MARK: Final = "k1."
SEALED_MARK: Final = "s1."

_TOKEN: Final = re.compile(r"k1\.[0-9a-f]{32}")
_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+|[^\s@]+%40[^\s@]+\.[^\s@]+")
_IN_TEXT: Final = re.compile(r"[^\s@=&?/#:]+(?:@|%40)[^\s@=&?/#:]+\.[^\s@=&?/#:]+", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\s*(?:tel:)?([+(0][\d\s()./-]{6,30})", re.IGNORECASE)
_TEXTS: Final = ("url", "referrer", "query")
"""Fields in which an address may stand among other words."""
_IDS: Final = tuple(kind for kind in ID_TYPES if kind not in {"email", "phone"})
_CONTACT_TRAITS: Final = frozenset(
    {"email", "phone", "mobile", "telephone", "emailaddress", "phonenumber", "mobilephone"}
)
_SEPARATORS: Final = str.maketrans("", "", " _-.")


class Protector(Protocol):
    """Makes the protected forms. With `all_ids` every identifier is protected, whatever it looks like."""

    all_ids: bool

    def token(self, kind: str, value: str) -> str:
        """The token of a value in its normal form: always the same one, which tells nothing to whoever lacks the key. `kind` is
        "email", "phone", or "id" for all others.
        """

    def seal(self, value: str) -> str:
        """The value as a sealed text: always the same one for the same key."""


def is_token(value: str) -> bool:
    """Whether a value is a token already, as in what Regulars itself sends from home to home.

    >>> is_token("k1.00112233445566778899aabbccddeeff"), is_token("ann@example.org")
    (True, False)
    """
    return _TOKEN.fullmatch(value) is not None


def tells_address(value: str, region: str = "") -> bool:
    """Whether a text holds an e-mail address, or is a phone number as people type it: of any country, or with its leading zero of
    this one. A number without either could as well be any other one.

    >>> tells_address("crm:ann@example.org"), tells_address("+41 44 668 18 00"), tells_address("044 668 18 00", "CH")
    (True, True, True)
    >>> tells_address("2375"), tells_address("41446681800"), tells_address("0000-17"), tells_address("ann@home")
    (False, False, False, False)
    """
    if ("@" in value or "%40" in value) and _ADDRESS.search(value) is not None:
        return True
    found = _NUMBER.fullmatch(value)
    return found is not None and phone_number(found[1], region) is not None


def stored_form(kind: str, value: str, region: str, protector: Protector | None, *, fold_emails: bool = False) -> str:
    """The form in which an installation keeps an identifier; a value that identifies nobody stays as it is, and finds nobody."""
    if is_token(value):
        return value
    if kind in {"email", "phone"}:
        normal = email_address(value, fold=fold_emails) if kind == "email" else phone_number(value, region)
        return value if normal is None else normal if protector is None else protector.token(kind, normal)
    if protector is not None and _is_hidden(value, region, protector):
        return protector.token("id", value.strip())
    return value


def protect(
    event: E,
    email: str | None,
    phone: str | None,
    protector: Protector,
    region: str = "",
    *,
    fold_emails: bool = False,
) -> E:
    """The event with tokens for these normal forms of its e-mail address and phone number and for its other identifiers that are
    addresses (national phone numbers are those of `region`), the sealed texts beside them, and without traits that tell the
    same. Further ids (of orders, carts, messages) that hold an e-mail address, or one of these, become tokens; out of texts they
    are cut.

    Values that are tokens already stay, with what is sealed beside them.
    """
    changed: dict[str, Any] = {}
    addresses = []
    for kind, value in (("email", email), ("phone", phone)):
        given = getattr(event, kind)
        if given is not None and is_token(given):
            continue
        changed[kind] = protector.token(kind, value) if value else None
        changed[f"sealed_{kind}"] = protector.seal(value) if value else None
        if value:
            addresses.append(given.strip())
    sealed = {}
    for kind in _IDS:
        given = getattr(event, kind)
        if given is not None and not is_token(given) and _is_hidden(given, region, protector):
            changed[kind] = protector.token("id", given.strip())
            sealed[kind] = protector.seal(given.strip())
            if tells_address(given, region):
                addresses.append(given.strip())
    if sealed:
        changed["sealed_ids"] = sealed | (event.sealed_ids or {})
    for name in _other_ids(type(event)):
        given = getattr(event, name)
        if given is None:
            continue
        if any(address in given for address in addresses) or ("@" in given and _ADDRESS.search(given) is not None):
            changed[name] = protector.token("id", given)
    for name in _texts(type(event)):
        given = getattr(event, name)
        if given is not None and ("@" in given or "%40" in given):
            changed[name] = _IN_TEXT.sub("", given)
    if isinstance(event, CommandEvent) and any(_ADDRESS.search(order_id) for order_id in event.order_ids):
        changed["order_ids"] = tuple(
            protector.token("id", order_id) if _ADDRESS.search(order_id) else order_id for order_id in event.order_ids
        )
    if isinstance(event, Aliased) and _is_hidden(event.previous_id, region, protector):
        changed["previous_id"] = protector.token("id", event.previous_id.strip())
    elif isinstance(event, SplitProfile):
        kind, _, value = event.identifier.partition(":")
        changed["identifier"] = f"{kind}:{stored_form(kind, value, region, protector, fold_emails=fold_emails)}"
    elif isinstance(event, Identified) and event.traits:
        changed["traits"] = _without_contacts(event.traits, region)
    return replace(event, **changed) if changed else event


def _is_hidden(value: str, region: str, protector: Protector) -> bool:
    """Whether an identifier that is no e-mail address or phone number by its type is protected. What looks sealed is: it
    would be opened where she is shown.
    """
    if not protector.all_ids:
        return value.lstrip().startswith(SEALED_MARK) or tells_address(value, region)
    return not is_token(value) and identifier(value) is not None


@lru_cache
def _other_ids(kind: type[Event]) -> tuple[str, ...]:
    apart = {*_IDS, "request_id", "previous_id"}
    return tuple(name for name in kind.__struct_fields__ if name.endswith("_id") and name not in apart)


@lru_cache
def _texts(kind: type[Event]) -> tuple[str, ...]:
    return tuple(name for name in _TEXTS if name in kind.__struct_fields__)


def distrust(event: E, *, ids: bool) -> E:
    """The event without tokens of addresses and sealed texts. Only Regulars makes them; a sender who has some found them.

    With `ids` also without tokens of other identifiers, which a server may know her by: they stand in triggers.
    """
    kinds = ID_TYPES if ids else ("email", "phone")
    known = {kind: None for kind in kinds if (value := getattr(event, kind)) is not None and is_token(value)}
    if not known and event.sealed_email is None and event.sealed_phone is None and event.sealed_ids is None:
        return event
    return replace(event, **known, sealed_email=None, sealed_phone=None, sealed_ids=None)


def _without_contacts(value: Any, region: str) -> Any:
    """A trait's value without what is named or written as an address in it, however deep."""
    if isinstance(value, dict):
        return {
            name: _without_contacts(inner, region)
            for name, inner in value.items()
            if name.lower().translate(_SEPARATORS) not in _CONTACT_TRAITS
            and not (isinstance(inner, str) and tells_address(inner, region))
        }
    if isinstance(value, list):
        return [
            _without_contacts(inner, region)
            for inner in value
            if not (isinstance(inner, str) and tells_address(inner, region))
        ]
    return value
