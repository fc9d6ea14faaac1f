"""Reading foreign JSON leniently: numbers written as strings, ids written as numbers, fields left out or null.

`Fields` is one JSON object and the path that leads to it; each method reads one field under the first of its names that
holds something. What matters (ids, money, quantities, times) is read or refused with `AdapterError`; what only describes
(names, categories, links) is read or left out, since a shop's money must not be lost over a strange brand name.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from schemas.events import ConsentState
from schemas.money import AmountError, to_minor
from schemas.times import InstantError, parse_epoch, parse_iso

ID_MAX: Final = 256
TEXT_MAX: Final = 1024
URL_MAX: Final = 2048
QUANTITY_MAX: Final = 10**9
PRODUCTS_MAX: Final = 500
"""Products in one event. A larger cart or order is refused: cut off, it would be wrong money."""
TRAITS_MAX: Final = 64
TRAIT_BYTES_MAX: Final = 1024
TRAIT_DEPTH_MAX: Final = 8

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""Characters that no identifier holds; they end keys and lines in other people's tools."""

_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?", re.ASCII)

BLOCKED: Final = frozenset(
    {
        *(
            "",
            "-1",
            "anonymous",
            "distinctid",
            "distinct_id",
            "email",
            "false",
            "guest",
            "id",
            "n/a",
            "nan",
            "nil",
            "none",
        ),
        *("not_authenticated", "null", "[object object]", "true", "undefined", "unknown"),
    }
)
"""Values of identifiers that never identify anyone, in lower case. Besides these: anything made of zeros and dashes."""


class AdapterError(Exception):
    """A foreign event can't become a canonical one.

    `reason` is a code of `schemas.reasons`, `detail` names the field by its path. The record is set aside with both.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def identifier(value: str) -> str | None:
    """An identifier without spaces around it, or None where its value identifies nobody.

    >>> identifier(" u1 "), identifier("Guest"), identifier("00000000-0000-0000-0000-000000000000"), identifier("-1")
    ('u1', None, None, None)
    """
    value = value.strip()
    if not value.strip("0-") or value.lower() in BLOCKED:
        return None
    return value


def email_address(value: str, *, fold: bool = False) -> str | None:
    """An e-mail address in its normal form (no spaces around it, lower case), or None where it identifies nobody.

    With `fold` what a provider of mail ignores is left out: what stands behind a plus, and the dots of Google's addresses. At
    other domains both may belong to somebody else, and stay.

    >>> email_address(" Ann.Lee+Shop@Example.COM ")
    'ann.lee+shop@example.com'
    >>> [email_address(text, fold=True) for text in ("Ann.Lee+shop@Googlemail.com", "a.b+c@outlook.com", "a.b+c@x.example")]
    ['annlee@gmail.com', 'a.b@outlook.com', 'a.b+c@x.example']
    """
    value = identifier(value) or ""
    lowered = _folded(value.lower()) if fold else value.lower()
    # Some capitals are two letters when lowered; a value that outgrows the bound by that is nobody's address.
    return lowered if lowered and len(lowered) <= ID_MAX else None


_IGNORE_PLUS: Final = frozenset(
    {
        *("gmail.com", "outlook.com", "hotmail.com", "live.com", "icloud.com", "me.com", "mac.com"),
        *("fastmail.com", "proton.me", "protonmail.com", "pm.me"),
    }
)
"""Providers who deliver what is sent to name+anything to name, by their own help pages."""


def _folded(address: str) -> str:
    name, at, domain = address.rpartition("@")
    domain = "gmail.com" if domain == "googlemail.com" else domain
    if domain not in _IGNORE_PLUS:
        return address
    kept = name.partition("+")[0]
    if domain == "gmail.com":
        kept = kept.replace(".", "")
    return f"{kept}{at}{domain}" if kept else address


def text_of(value: object) -> str | None:
    """A scalar as text, None for everything else. Whole floats lose their point: ids travel as numbers in some systems.

    >>> text_of("a"), text_of(12), text_of(12.0), text_of(True), text_of(["a"])
    ('a', '12', '12', None, None)
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return None


def number_of(value: object) -> int | float | None:
    """A number, or the number a text holds (a whole one as int); None for everything else.

    >>> number_of("2"), number_of(" 2.50 "), number_of(3.0), number_of("1e3"), number_of("two"), number_of(True)
    (2, 2.5, 3, 1000, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text) is None:
            return None
        value = float(text) if any(mark in text for mark in ".eE") else int(text)
    if isinstance(value, float):
        if value != value or abs(value) == float("inf"):  # noqa: PLR0124 -- NaN
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value if isinstance(value, int) else None


def boolean_of(value: object) -> bool | None:
    """True and false, as JSON, 0 and 1, or the usual words; None for everything else.

    >>> boolean_of("TRUE"), boolean_of(0), boolean_of("no"), boolean_of("maybe")
    (True, False, False, None)
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _BOOLEANS.get(value.strip().lower())
    return bool(value) if isinstance(value, int) and value in (0, 1) else None


_BOOLEANS: Final = {
    "true": True,
    "1": True,
    "yes": True,
    "y": True,
    "false": False,
    "0": False,
    "no": False,
    "n": False,
}

_CONSENT_WORDS: Final[dict[str, ConsentState]] = {
    "grant": "GRANT",
    "granted": "GRANT",
    "true": "GRANT",
    "yes": "GRANT",
    "1": "GRANT",
    "subscribed": "GRANT",
    "opt_in": "GRANT",
    "opted_in": "GRANT",
    "deny": "DENY",
    "denied": "DENY",
    "false": "DENY",
    "no": "DENY",
    "0": "DENY",
    "not_subscribed": "DENY",
    "pending": "DENY",
    "invalid": "DENY",
    "revoked": "REVOKED",
    "revoke": "REVOKED",
    "withdrawn": "REVOKED",
    "unsubscribed": "REVOKED",
    "opt_out": "REVOKED",
    "opted_out": "REVOKED",
    "redacted": "REVOKED",
}


def consent_state_of(value: object) -> ConsentState | None:
    """The consent state a boolean or a word stands for; None where it is none.

    "pending" (asked, not yet confirmed) is no consent, so it reads as DENY.

    >>> consent_state_of(True), consent_state_of("UNSUBSCRIBED"), consent_state_of("opt-in"), consent_state_of(7)
    ('GRANT', 'REVOKED', 'GRANT', None)
    """
    if isinstance(value, bool):
        return "GRANT" if value else "DENY"
    return (
        _CONSENT_WORDS.get(value.strip().lower().replace("-", "_").replace(" ", "_"))
        if isinstance(value, str)
        else None
    )


def storable(name: str, trait: object) -> bool:
    """Whether a trait may be kept: a short name, at most TRAIT_BYTES_MAX of JSON, not deep, numbers within 64 bits."""
    return (
        len(name) <= TRAIT_BYTES_MAX // 4
        and _shallow(trait, TRAIT_DEPTH_MAX)
        and len(msgspec.json.encode(trait)) <= TRAIT_BYTES_MAX
    )


def _shallow(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(_shallow(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_shallow(item, levels - 1) for item in value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


class Fields:
    """One JSON object of a foreign event, and the path to it.

    Empty text and null count as left out. Methods that refuse raise AdapterError with the path of the field.
    """

    __slots__ = ("path", "values")

    def __init__(self, values: dict[str, Any], path: str) -> None:
        self.values = values
        self.path = path

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def find(self, *names: str) -> tuple[str, Any] | None:
        """The first of these fields that holds something, with its name."""
        values = self.values
        for name in names:
            value = values.get(name)
            if value is not None and value != "":
                return name, value
        return None

    def inner(self, name: str) -> "Fields":
        """An object inside this one; empty where there is none."""
        value = self.values.get(name)
        return Fields(value if isinstance(value, dict) else {}, f"{self.path}.{name}" if self.path else name)

    def own(self, name: str) -> "Fields":
        """As `inner`, but what is there and no object is refused: it holds what the event is about. An empty list is an empty
        object, as PHP writes it.
        """
        found = self.find(name)
        if found is not None and found[1] != [] and not isinstance(found[1], dict):
            raise AdapterError("wrong_type", f"{self.at(name)} is no object")
        return self.inner(name)

    # --- what only describes: read or left out ---

    def text(self, *names: str, limit: int = TEXT_MAX) -> str | None:
        """Text, cut at `limit` characters."""
        values = self.values
        for name in names:
            value = values.get(name)
            if value is not None and (text := value if type(value) is str else text_of(value)):
                return text[:limit]
        return None

    def link(self, *names: str) -> str | None:
        """A URL; one beyond URL_MAX is left out, since a cut one leads nowhere."""
        for name in names:
            value = self.values.get(name)
            if isinstance(value, str) and 0 < len(value) <= URL_MAX:
                return value
        return None

    def small(self, *names: str) -> int | None:
        """A whole number (a position, a step, a count) within 2^31 of zero."""
        for name in names:
            number = number_of(self.values.get(name))
            if isinstance(number, int) and abs(number) < 2**31:
                return number
        return None

    # --- what matters: read or refused ---

    def ident(self, *names: str) -> str | None:
        """An identifier, trimmed: text or a number, 1 to ID_MAX characters without control characters."""
        values = self.values
        for name in names:
            value = values.get(name)
            if value is None:
                continue
            text = value if type(value) is str else text_of(value)
            if text is None:
                raise AdapterError("wrong_type", f"{self.at(name)} is no text and no number")
            text = text.strip()
            if not text:
                continue
            if len(text) > ID_MAX:
                raise AdapterError("out_of_bounds", f"{self.at(name)} has more than {ID_MAX} characters")
            if not text.isprintable() and CONTROL.search(text) is not None:
                raise AdapterError("bad_id", f"{self.at(name)} holds control characters")
            return text
        return None

    def required_ident(self, *names: str) -> str:
        """As `ident`, but it must be there."""
        found = self.ident(*names)
        if found is None:
            raise AdapterError("missing_field", f"{self.at(names[0])} is missing")
        return found

    def amount(self, currency: str, *names: str) -> int | None:
        """An amount in minor units of `currency`."""
        found = self.find(*names)
        if found is None:
            return None
        name, value = found
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise AdapterError("wrong_type", f"{self.at(name)} is no amount")
        if isinstance(value, str) and not value.strip():
            return None
        try:
            return to_minor(value, currency)
        except AmountError as error:
            numeric = not isinstance(value, str) or number_of(value) is not None
            reason = "number_out_of_range" if numeric else "wrong_type"
            raise AdapterError(reason, f"{self.at(name)}: {error}") from None

    def quantity(self, *names: str) -> int | float:
        """Units, 0 to QUANTITY_MAX; 1 where nothing is said."""
        found = self.find(*names)
        if found is None:
            return 1
        name, value = found
        number = number_of(value)
        if number is None:
            raise AdapterError("wrong_type", f"{self.at(name)} is no number")
        if not 0 <= number <= QUANTITY_MAX:
            raise AdapterError("out_of_bounds", f"{self.at(name)} is not between 0 and {QUANTITY_MAX}")
        return number

    def instant(self, *names: str) -> int | None:
        """An instant in epoch ms: ISO-8601 text, or a number (also as text) of seconds, milliseconds or microseconds."""
        found = self.find(*names)
        if found is None:
            return None
        name, value = found
        try:
            if isinstance(value, str):
                # Eight digits are a date (20240501), not seconds of the year 1970.
                number = number_of(value) if len(value) > 8 else None
                return parse_iso(value) if number is None else parse_epoch(number)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise AdapterError("wrong_type", f"{self.at(name)} is no instant")
            return parse_epoch(value)
        except InstantError as error:
            reason = "wrong_type" if isinstance(value, str) else "number_out_of_range"
            raise AdapterError(reason, f"{self.at(name)}: {error}") from None

    def flag(self, *names: str) -> bool | None:
        """True or false."""
        found = self.find(*names)
        if found is None:
            return None
        answer = boolean_of(found[1])
        if answer is None:
            raise AdapterError("wrong_type", f"{self.at(found[0])} is neither true nor false")
        return answer

    def objects(self, *names: str) -> Iterator["Fields"]:
        """The objects of a list, each with its own path. A single object counts as a list of one."""
        found = self.find(*names)
        if found is None:
            return
        name, value = found
        items = [value] if isinstance(value, dict) else value
        if not isinstance(items, list):
            raise AdapterError("wrong_type", f"{self.at(name)} is no list")
        if len(items) > PRODUCTS_MAX:
            raise AdapterError("out_of_bounds", f"{self.at(name)} has more than {PRODUCTS_MAX} entries")
        for number, item in enumerate(items):
            if not isinstance(item, dict):
                raise AdapterError("wrong_type", f"{self.at(name)}[{number}] is no object")
            yield Fields(item, f"{self.at(name)}[{number}]")
