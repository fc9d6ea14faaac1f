"""A privacy request as an event for the topic `commands`, and what has become of one: for the command line and for HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, get_args

import msgspec

from profiles.privacy import COMMANDS
from schemas.decode import Problem
from schemas.events import ID_TYPES, CommandEvent, CommandName
from schemas.outputs import Receipt
from streams.home import home_partition
from streams.identifier_forms import PLAIN, IdentifierForms
from streams.notes import REQUEST, case_in
from streams.rows import receipt_of
from streams.table import Table

NAMES: Final = tuple(name for name in get_args(CommandName) if name not in {"split", "erase_shop"})
"""Those about a customer's privacy."""
SOURCE: Final = "privacy"
_KINDS: Final = {name: kind for kind, name in COMMANDS.items()}


class BadIdentifiers(ValueError):
    """What should name a customer does not. The message says which and why. Nothing was sent."""


class Request(NamedTuple):
    """A command, the profile it goes to, its record's key (the home identifier's value) and value."""

    event: CommandEvent
    customer: str
    home: str
    value: bytes


def by_type(identifiers: Sequence[str]) -> dict[str, str]:
    """Texts of the form "type:value" by their type, at most one of each. Raises BadIdentifiers."""
    named: dict[str, str] = {}
    for text in identifiers:
        kind, colon, value = text.partition(":")
        if not colon or kind not in ID_TYPES:
            raise BadIdentifiers(f"{text[:64]!r} is no type:value; types are {', '.join(ID_TYPES)}")
        if kind in named:
            raise BadIdentifiers(f"{kind} is named twice: make a request of its own for each")
        named[kind] = value
    return named


def request(
    name: CommandName,
    named: Mapping[str, str],
    *,
    request_id: str,
    now_ms: int,
    reason: str | None = None,
    forms: IdentifierForms = PLAIN,
) -> Request:
    """The command about the customer whom these identifiers name, by type. Raises BadIdentifiers.

    Identifiers get their normal form, as those of any event do.
    """
    return _request(name, named, {"request_id": request_id, "reason": reason}, now_ms, forms)


def split_request(
    named: Mapping[str, str],
    identifier: Mapping[str, str],
    *,
    request_id: str,
    now_ms: int,
    reason: str | None = None,
    forms: IdentifierForms = PLAIN,
) -> Request:
    """The command to take an identifier out of the profile of the customer whom `named` names. Raises BadIdentifiers."""
    # Any event about it tells its normal form.
    taken = _request("export", identifier, {"request_id": request_id}, now_ms, forms).customer
    says = {"request_id": request_id, "reason": reason, "identifier": taken}
    return _request("split", named, says, now_ms, forms)


def _request(
    name: CommandName, named: Mapping[str, str], says: Mapping[str, str | None], now_ms: int, forms: IdentifierForms
) -> Request:
    document: dict[str, Any] = {
        "event": _KINDS[name].__struct_config__.tag,
        "message_id": says["request_id"],
        "timestamp_ms": now_ms,
        "received_at_ms": now_ms,
        "source": SOURCE,
        "requested_at_ms": now_ms,
        **says,
        **named,
    }
    # Through the door by which every event comes in, so that what is taken here is taken there.
    found = forms.decoder().decode(msgspec.json.encode(document), now_ms)
    if isinstance(found, Problem):
        raise BadIdentifiers(f"these name nobody ({found.reason}: {found.detail})")
    assert isinstance(found.event, CommandEvent)
    return Request(found.event, found.customer, found.home, msgspec.json.encode(found.event))


async def receipt(table: Table, request_id: str, partitions: int, now_ms: int) -> Receipt | None:
    """The receipt of a request as it stands, None before the first home has answered. Raises TableError."""
    stored = await table.note(home_partition(request_id, partitions), REQUEST + request_id)
    return None if stored is None else receipt_of(request_id, case_in(stored), now_ms)
