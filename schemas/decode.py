"""Bytes of a record into an event, or the reason why not. The one door by which foreign data enters.

`Decoder.decode` never raises, whatever the bytes, and what it lets through can be encoded again, stored and used in a
key. Canonical JSON takes the fast path (one typed decode); Segment's and RudderStack's calls go through their adapter.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas.adapters import ADAPTERS
from schemas.events import ANONYMOUS, ID_TYPES, Aliased, AnyEvent, Arrival, Event, Grouped, Identified, OrderEvent
from schemas.scalars import (
    CONTROL,
    TRAIT_BYTES_MAX,
    TRAITS_MAX,
    AdapterError,
    email_address,
    identifier,
    phone_number,
    storable,
)
from schemas.times import event_time

MAX_BYTES = 1_000_000
MAX_DEPTH = 200
"""Levels of nesting, as many as RudderStack takes. Far below the parser's own limit, which moves with the call stack."""

DETAIL_MAX = 300

_SHORT = 2 * MAX_DEPTH
_CHECKED = frozenset({Identified, Grouped, Aliased})
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_CONTROL_ESCAPE = re.compile(rb"\\(?:u00[01]|u007[fF]|[bfnrt])")
_ID_FIELDS = frozenset({*ID_TYPES, "sku", "channel", "purpose"})


class Problem(Struct, frozen=True):
    """Why a record can't be taken: `reason` is a code of `schemas.reasons.REASONS`, `detail` says where and what."""

    reason: str
    detail: str


class Decoder:
    """Turns the bytes of records into arrivals.

    `shop_currency` is the currency of amounts whose event names none. Values longer than `max_bytes` are refused.
    `default_source` names the sender where the event does not. Raises ValueError for a limit that no event fits in.
    """

    def __init__(self, shop_currency: str, max_bytes: int = MAX_BYTES, default_source: str = "") -> None:
        if max_bytes < _SHORT:
            raise ValueError(f"max_bytes is at least {_SHORT}")
        self._shop_currency = shop_currency
        self._max_bytes = max_bytes
        self._default_source = default_source
        self._canonical: Callable[[bytes], Any] = msgspec.json.Decoder(AnyEvent).decode
        self._any: Callable[[bytes], Any] = msgspec.json.Decoder().decode

    def decode(self, value: bytes | None, record_ms: int) -> Arrival | Problem:
        """The event in `value`, or why there is none. `record_ms` is the record's time, 0 where it has none."""
        if value is None:
            return Problem("tombstone", "the record has no value")
        size = len(value)
        try:
            # Nesting takes two bytes a level, so short values need no look.
            if size > _SHORT and (problem := self._oversized(value, size)) is not None:
                return problem
            try:
                event: Event = self._canonical(value)
            except ValueError as refusal:  # msgspec's errors, and UnicodeDecodeError
                found = self._foreign(value, record_ms, refusal)
                if isinstance(found, Problem):
                    return found
                event = found
            else:
                if b"\\" in value or type(event) in _CHECKED:
                    check(event, value)
            return self.arrive(event, record_ms)
        except AdapterError as error:
            return Problem(error.reason, error.detail[:DETAIL_MAX])
        except Exception as fault:  # noqa: BLE001 -- the record is set aside with the reason; a worker must not die of it
            return Problem("decoder_failed", type(fault).__name__)

    def _oversized(self, value: bytes, size: int) -> Problem | None:
        if size > self._max_bytes:
            return Problem("too_large", f"{size} bytes, {self._max_bytes} are allowed")
        if too_deep(value):
            return Problem("too_deep", f"more than {MAX_DEPTH} levels of nesting")
        return None

    def _foreign(self, value: bytes, record_ms: int, refusal: ValueError) -> Event | Problem:
        try:
            message = self._any(value)
        except ValueError as error:
            return unreadable(value, error)
        if not isinstance(message, dict):
            return Problem("not_object", f"the value is {kind_of(message)}")
        for adapter in ADAPTERS:
            if adapter.fits(message):
                return adapter.adapt(message, value, self._shop_currency, record_ms)
        if "event" not in message:
            return Problem("unknown_shape", "there is neither `event` nor `type`")
        return refused(refusal)

    def arrive(self, event: Event, record_ms: int) -> Arrival | Problem:
        """Whose an event is and when it happened; for who has an event already, made by an adapter."""
        # Written out, not looped over ID_TYPES: attributes read by name cost a tenth, and every event comes through here.
        user_id = event.user_id and identifier(event.user_id)
        email = event.email and email_address(event.email)
        phone = event.phone and phone_number(event.phone)
        loyalty_id = event.loyalty_id and identifier(event.loyalty_id)
        anonymous_id = event.anonymous_id and identifier(event.anonymous_id)
        if user_id:
            customer, home = f"user_id:{user_id}", user_id
        elif email:
            customer, home = f"email:{email}", email
        elif phone:
            customer, home = f"phone:{phone}", phone
        elif loyalty_id:
            customer, home = f"loyalty_id:{loyalty_id}", loyalty_id
        elif anonymous_id:
            customer, home = f"anonymous_id:{anonymous_id}", anonymous_id
        elif isinstance(event, OrderEvent):
            customer, home = ANONYMOUS, event.order_id
        else:
            return Problem("no_customer", "no identifier that identifies anybody")
        if (
            user_id != event.user_id
            or email != event.email
            or phone != event.phone
            or loyalty_id != event.loyalty_id
            or anonymous_id != event.anonymous_id
        ):
            event = replace(
                event, user_id=user_id, email=email, phone=phone, loyalty_id=loyalty_id, anonymous_id=anonymous_id
            )
        if self._default_source and not event.source:
            event = replace(event, source=self._default_source)
        time_ms, received_ms = event_time(
            event.timestamp_ms, event.original_timestamp_ms, event.sent_at_ms, event.received_at_ms, record_ms
        )
        return Arrival(event, time_ms, received_ms, customer, home)


def check(event: Event, value: bytes) -> None:
    """What the types of a canonical event can't say: no control characters in ids, bounded traits. Raises AdapterError."""
    if b"\\" in value and _CONTROL_ESCAPE.search(value) is not None:
        _refuse_control_characters(msgspec.to_builtins(event), "$")
    kind = type(event)
    if kind is Identified or kind is Grouped:
        assert isinstance(event, Identified | Grouped)
        if len(event.traits) > TRAITS_MAX:
            raise AdapterError("out_of_bounds", f"$.traits has more than {TRAITS_MAX} keys")
        for name, trait in event.traits.items():
            if not storable(name, trait):
                raise AdapterError(
                    "out_of_bounds", f"$.traits: a value is too long or too deep (at most {TRAIT_BYTES_MAX} bytes)"
                )
    elif kind is Aliased:
        assert isinstance(event, Aliased)
        if identifier(event.previous_id) is None:
            raise AdapterError("missing_field", "$.previous_id identifies nobody")


def _refuse_control_characters(value: object, path: str) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, str):
                if (name in _ID_FIELDS or name.endswith("_id")) and CONTROL.search(item) is not None:
                    raise AdapterError("bad_id", f"{path}.{name} holds control characters")
            elif name != "traits":
                _refuse_control_characters(item, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _refuse_control_characters(item, f"{path}[{number}]")


def depth(value: bytes) -> int:
    """The deepest nesting of JSON text, found without parsing it.

    >>> depth(b'{"a": ["]]]", {"b": []}]}')
    4
    """
    deepest = level = 0
    for bracket in _STRINGS.sub(b"", value).translate(None, _NOT_BRACKETS):
        if bracket in b"[{":
            level += 1
            deepest = max(deepest, level)
        else:
            level -= 1
    return deepest


def too_deep(value: bytes) -> bool:
    """Whether JSON text is nested more than MAX_DEPTH levels deep; text with fewer brackets costs no closer look."""
    return value.count(b"{") + value.count(b"[") > MAX_DEPTH and depth(value) > MAX_DEPTH


def unreadable(value: bytes, error: ValueError) -> Problem:
    """The reason for bytes that no JSON reader takes."""
    if not value.strip():
        return Problem("empty", "the value is empty")
    if value.startswith(b"\xef\xbb\xbf"):
        return Problem("not_json", "the value begins with a byte order mark")
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return Problem("not_utf8", f"byte {wrong.start} is not UTF-8")
    text = str(error)
    if "out of range" in text:
        return Problem("number_out_of_range", text[:DETAIL_MAX])
    return Problem("not_json", text[:DETAIL_MAX])


def refused(error: ValueError) -> Problem:
    """The reason for a canonical event that its type does not admit, from the words of the typed decoder."""
    text = str(error)[:DETAIL_MAX]
    if isinstance(error, UnicodeDecodeError):
        return Problem("not_utf8", "a text is not UTF-8")
    if "missing required field" in text:
        return Problem("missing_field", text)
    if text.startswith("Invalid value") and text.endswith("`$.event`"):
        return Problem("unknown_event", text)
    if "out of range" in text:
        return Problem("number_out_of_range", text)
    if ", got `" in text or text.startswith(("Expected `str` - at `$.event`", "Invalid ")):
        return Problem("wrong_type", text)
    return Problem("out_of_bounds", text)


def kind_of(value: object) -> str:
    """What JSON value this is, in words."""
    kinds = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")
