"""Bytes of a record into an event, or the reason why not. The one door by which foreign data enters.

`Decoder.decode` never raises, whatever the bytes, and what it lets through can be encoded again, stored and used in a
key. Canonical JSON takes the fast path (one typed decode); what trackers and shop systems send goes through its adapter.
"""

import re
from collections.abc import Callable
from typing import Any, get_args

import msgspec
from msgspec.structs import replace

from schemas.adapters import ADAPTERS
from schemas.adapters.adapter import Adapter, Given
from schemas.events import (
    ANONYMOUS,
    ID_TYPES,
    SHOP,
    Aliased,
    AnyEvent,
    Arrival,
    ConsentChanged,
    Event,
    Grouped,
    Identified,
    OrderEvent,
    OrderStateEvent,
    ShopEvent,
    SignedUp,
)
from schemas.phones import phone_number
from schemas.protected import Protector, protect
from schemas.reasons import DETAIL_MAX, Problem
from schemas.scalars import (
    BLOCKED,
    CONTROL,
    TRAIT_BYTES_MAX,
    TRAITS_MAX,
    AdapterError,
    email_address,
    identifier,
    storable,
)
from schemas.times import AS_SECONDS, CLOCK_SET_MS, FUTURE_TOLERANCE_MS, INSTANT_MAX_MS, event_time

MAX_BYTES = 1_000_000
MAX_DEPTH = 200
"""Levels of nesting, as many as RudderStack takes. Far below the parser's own limit, which moves with the call stack."""

NAMES_MAX = 100_000
"""Identifiers remembered at once: as many customers as are about, some 15 MB."""
NOT_ONE = frozenset({"several_events", "no_event"})
"""Reasons for a record that is understood and does not hold exactly one event: `decode_all` gives what is in it."""

__all__ = ("MAX_BYTES", "MAX_DEPTH", "NOT_ONE", "Decoder", "Problem")

_SHORT = 2 * MAX_DEPTH
# As numbers: asked for bytes, `in` first tries them as a number and makes an exception of it, each time.
_BACKSLASH = ord("\\")
_AT_SIGN = ord("@")
_ORDERS = frozenset(kind for kind in get_args(AnyEvent) if issubclass(kind, OrderEvent))
# What a script leaves where an id is missing, as it is spelt by programs: all such orders would be one. Asked for each order,
# so by one question rather than by `identifier`.
_NO_ORDERS = frozenset({" ", "0", "NaN", *BLOCKED, *map(str.upper, BLOCKED), *map(str.capitalize, BLOCKED)})
# Events that never take the fast path: traits may tell an address too, and decisions on consent may be dated ahead.
_SLOW = frozenset({Identified, Aliased, SignedUp, ConsentChanged})
_CHECKED = frozenset({Grouped, *_SLOW, *_ORDERS, *(k for k in get_args(AnyEvent) if issubclass(k, ShopEvent))})
_WITH_CURRENCY = frozenset(kind for kind in get_args(AnyEvent) if "currency" in kind.__struct_fields__)
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_CONTROL_ESCAPE = re.compile(rb"\\(?:u00[01]|u007[fF]|[bfnrt])")
Others = tuple[tuple[str, str], ...]
_ID_FIELDS = frozenset({*ID_TYPES, "sku", "channel", "purpose"})


class Decoder:
    """Turns the bytes of records into arrivals.

    `shop_currency` is the currency of amounts whose event names none. Values longer than `max_bytes` are refused.
    `default_source` names the sender where the event does not. `adapters` are the foreign forms that are taken, asked in
    their order. `phone_region` is the country whose national phone numbers are understood, "" for none; with `fold_emails` two
    spellings of one mailbox are one address. With a `protector`, e-mail addresses, phone numbers and ids that are such leave
    here in their protected form. `plan` says why an event is not what the shop wants, None where it is; only
    `decode_planned` asks it. `latest_ms` is the present where past events are read: none can have happened after it, and one
    that says so would move a clock which knows no other time. Raises ValueError for a limit that no event fits in.
    """

    def __init__(
        self,
        shop_currency: str,
        max_bytes: int = MAX_BYTES,
        default_source: str = "",
        adapters: tuple[Adapter, ...] = ADAPTERS,
        plan: Callable[[Event], Problem | None] | None = None,
        phone_region: str = "",
        protector: Protector | None = None,
        fold_emails: bool = False,
        latest_ms: int = INSTANT_MAX_MS,
    ) -> None:
        if max_bytes < _SHORT:
            raise ValueError(f"max_bytes is at least {_SHORT}")
        self._shop_currency = shop_currency
        self._max_bytes = max_bytes
        self._default_source = default_source
        # Identifiers met lately that are in their normal form already, with the profile id each stands for.
        self._users: dict[str, str] = {}
        self._visitors: dict[str | None, str] = {}
        self._devices: dict[str | None, Others] = {None: ()}
        self._currencies: set[str | None] = {None}
        self._adapters = adapters
        self._phone_region = phone_region
        self._fold_emails = fold_emails
        self._latest_ms = latest_ms
        self._protector = protector
        # Most shops have none of these, and pay one question for all.
        self._has_limits = protector is not None or bool(default_source) or latest_ms < INSTANT_MAX_MS
        self.plan = plan
        self._canonical: Callable[[bytes], Any] = msgspec.json.Decoder(AnyEvent).decode
        self._any: Callable[[bytes], Any] = msgspec.json.Decoder().decode

    @property
    def protects(self) -> bool:
        """Whether contact data leaves here in its protected form alone."""
        return self._protector is not None

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
                if type(found) in _SLOW:
                    return self.arrive(found, record_ms)
                event = found
            else:
                kind = type(event)
                if kind in _CHECKED or _BACKSLASH in value:
                    if kind not in _ORDERS or _BACKSLASH in value:
                        check(event, value)
                    if kind in _ORDERS and event.order_id in _NO_ORDERS:  # type: ignore[attr-defined]
                        raise AdapterError("missing_field", "$.order_id is the id of no order")
                    if kind in _SLOW:
                        return self.arrive(event, record_ms)
                if kind in _WITH_CURRENCY and event.currency not in self._currencies:  # type: ignore[attr-defined]
                    self._currencies.add(currency(event.currency))  # type: ignore[attr-defined]
            user_id, anonymous_id = event.user_id, event.anonymous_id
            others: Others | None = ()
            if user_id is not None:
                customer, home = self._users.get(user_id), user_id
                others = self._devices.get(anonymous_id)
                if others is None:
                    customer = None
            else:
                customer, home = self._visitors.get(anonymous_id), anonymous_id or ""
            time_ms, received_ms = event.timestamp_ms, event.received_at_ms
            if (
                customer is None
                or event.email is not None
                or event.phone is not None
                or event.loyalty_id is not None
                or event.cart_token is not None
                or received_ms is None
                or event.sent_at_ms is not None
                or time_ms > received_ms + FUTURE_TOLERANCE_MS
                or time_ms < CLOCK_SET_MS
                or 0 < record_ms < received_ms - FUTURE_TOLERANCE_MS
                or (self._has_limits and self._is_limited(value, time_ms))
            ):
                return self.arrive(event, record_ms)
            return Arrival(event, time_ms, received_ms, customer, home, others)  # type: ignore[arg-type] # a customer has it
        except AdapterError as error:
            return Problem(error.reason, error.detail[:DETAIL_MAX])
        except Exception as fault:  # noqa: BLE001 -- the record is set aside with the reason; a worker must not die of it
            return Problem("decoder_failed", type(fault).__name__)

    def _is_limited(self, value: bytes, time_ms: int) -> bool:
        """Whether something this shop asks of its events keeps one from the fast path."""
        if time_ms > self._latest_ms or self._default_source:
            return True
        # An address may stand in any id; a backslash may hide it.
        return self._protector is not None and (_AT_SIGN in value or _BACKSLASH in value)

    def decode_planned(self, value: bytes | None, record_ms: int) -> Arrival | Problem:
        """As `decode`, and held against the plan: for a shop that has one, so that all others pay nothing for it."""
        found = self.decode(value, record_ms)
        if self.plan is None or isinstance(found, Problem):
            return found
        return self.plan(found.event) or found

    def decode_all(self, value: bytes | None, record_ms: int) -> list[Arrival | Problem]:
        """As `decode`, for a value that may hold any number of events: each of them, or why it can't be taken."""
        found = self.decode(value, record_ms)
        if isinstance(found, Arrival) or found.reason not in NOT_ONE or value is None:
            return [found]
        message = self._any(value)
        events = next(
            self._adapt(adapter, message, value, record_ms) for adapter in self._adapters if adapter.fits(message)
        )
        return [event if isinstance(event, Problem) else self.arrive(event, record_ms) for event in events]

    def decode_all_planned(self, value: bytes | None, record_ms: int) -> list[Arrival | Problem]:
        """As `decode_all`, each event held against the plan, where there is one."""
        return [
            found if isinstance(found, Problem) or self.plan is None else self.plan(found.event) or found
            for found in self.decode_all(value, record_ms)
        ]

    def _oversized(self, value: bytes, size: int) -> Problem | None:
        if size > self._max_bytes:
            return Problem("too_large", f"{size} bytes, {self._max_bytes} are allowed")
        return too_deep(value)

    def _foreign(self, value: bytes, record_ms: int, refusal: ValueError) -> Event | Problem:
        try:
            message = self._any(value)
        except ValueError as error:
            return unreadable(value, error)
        if not isinstance(message, dict):
            return Problem("not_object", f"the value is {kind_of(message)}")
        for adapter in self._adapters:
            if adapter.fits(message):
                found = self._adapt(adapter, message, value, record_ms)
                return found[0] if len(found) == 1 else not_one(found, adapter.title)
        if "event" not in message:
            return Problem("unknown_shape", "there is neither `event` nor the marks of a known source")
        return refused(refusal)

    def _adapt(self, adapter: Adapter, message: dict[str, Any], value: bytes, record_ms: int) -> list[Event | Problem]:
        given = Given(
            original=value,
            shop_currency=self._shop_currency,
            record_ms=record_ms,
            phone_region=self._phone_region,
        )
        return adapter.adapt(message, given)

    def arrive(self, event: Event, record_ms: int) -> Arrival | Problem:
        """Normal forms, customer and times of an event: `decode` does this itself for the usual one, and who makes events by an
        adapter of its own calls it.
        """
        email = event.email and email_address(event.email, fold=self._fold_emails)
        phone = event.phone and phone_number(event.phone, self._phone_region)
        if self._protector is not None:
            event = protect(event, email, phone, self._protector, self._phone_region, fold_emails=self._fold_emails)
            email, phone = event.email, event.phone
        user_id = event.user_id and identifier(event.user_id)
        loyalty_id = event.loyalty_id and identifier(event.loyalty_id)
        anonymous_id = event.anonymous_id and identifier(event.anonymous_id)
        cart_token = event.cart_token and identifier(event.cart_token)
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
        elif cart_token:
            customer, home = f"cart_token:{cart_token}", cart_token
        elif isinstance(event, OrderEvent):
            customer, home = ANONYMOUS, event.order_id
        elif isinstance(event, ShopEvent):
            if event.subject is None:
                return Problem("missing_field", "$.product_id is missing, and so is all else that names the product")
            customer, home = SHOP, event.subject
        else:
            return Problem("no_customer", "no identifier that identifies anybody")
        self._note_usual(event, user_id, anonymous_id)
        if (
            user_id != event.user_id
            or email != event.email
            or phone != event.phone
            or loyalty_id != event.loyalty_id
            or anonymous_id != event.anonymous_id
            or cart_token != event.cart_token
        ):
            event = replace(
                event,
                user_id=user_id,
                email=email,
                phone=phone,
                loyalty_id=loyalty_id,
                anonymous_id=anonymous_id,
                cart_token=cart_token,
            )
        if self._default_source and not event.source:
            event = replace(event, source=self._default_source)
        time_ms, received_ms = event_time(
            event.timestamp_ms, event.original_timestamp_ms, event.sent_at_ms, event.received_at_ms, record_ms
        )
        if time_ms in AS_SECONDS:
            return Problem(
                "number_out_of_range", f"event time {time_ms} is in seconds, and not in milliseconds since 1970"
            )
        if time_ms > self._latest_ms:
            return Problem("number_out_of_range", f"event time {time_ms} lies in the future (after {self._latest_ms})")
        known = event.received_at_ms is not None or record_ms > 0
        event = dated(event, (received_ms if known else self._latest_ms) + FUTURE_TOLERANCE_MS)
        return Arrival(event, time_ms, received_ms, customer, home, others_of(event, customer))

    def _note_usual(self, event: Event, user_id: str | None, anonymous_id: str | None) -> None:
        """Remember identifiers that were in their normal form, for the next events of this customer."""
        if len(self._users) >= NAMES_MAX or len(self._visitors) >= NAMES_MAX:
            self._users.clear()
            self._visitors.clear()
            self._devices = {None: ()}
        if user_id and user_id == event.user_id:
            self._users[user_id] = f"user_id:{user_id}"
        if anonymous_id and anonymous_id == event.anonymous_id:
            self._visitors[anonymous_id] = f"anonymous_id:{anonymous_id}"
            self._devices[anonymous_id] = (("anonymous_id", anonymous_id),)


def others_of(event: Event, customer: str) -> Others:
    """The identifiers of an event besides the one that is the customer's profile id, from strong to weak.

    >>> from schemas.events import PageViewed
    >>> others_of(PageViewed(message_id="m", timestamp_ms=0, user_id="7", anonymous_id="a"), "user_id:7")
    (('anonymous_id', 'a'),)
    """
    found = [
        (kind, value)
        for kind in ID_TYPES
        if (value := getattr(event, kind)) is not None and f"{kind}:{value}" != customer
    ]
    if isinstance(event, Aliased):
        found.append(("alias", event.previous_id.strip()))
    return tuple(found)


def dated(event: Event, latest_ms: int) -> Event:
    """The event without what it dates later than this: a decision on consent, a version of an order. They have its own time then;
    believed, nothing that comes could take their place.
    """
    if event.consent and any((one.at_ms or 0) > latest_ms for one in event.consent):
        told = (replace(one, at_ms=None) if (one.at_ms or 0) > latest_ms else one for one in event.consent)
        event = replace(event, consent=tuple(told))
    if isinstance(event, OrderStateEvent) and (event.updated_at_ms or 0) > latest_ms:
        event = replace(event, updated_at_ms=None)
    return event


def currency(code: str) -> str:
    """A currency code. Raises AdapterError unless it is three capital letters."""
    if not (code.isascii() and code.isalpha() and code.isupper()):
        raise AdapterError("out_of_bounds", "$.currency is not three capital letters")
    return code


def check(event: Event, value: bytes) -> None:
    """What the types of a canonical event can't say: no control characters in ids, bounded traits. Raises AdapterError."""
    if _BACKSLASH in value and _CONTROL_ESCAPE.search(value) is not None:
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
    elif isinstance(event, ShopEvent) and any(getattr(event, name) is not None for name in ID_TYPES):
        raise AdapterError("bad_id", "$: an event about the shop names no customer")


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


def too_deep(value: bytes) -> Problem | None:
    """The reason for JSON text that is nested more than MAX_DEPTH levels deep; text with fewer brackets costs no closer look."""
    if value.count(b"{") + value.count(b"[") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        return Problem("too_deep", f"more than {MAX_DEPTH} levels of nesting")
    return None


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


def not_one(found: list[Event | Problem], title: str) -> Problem:
    """The reason for a record of a known source that does not hold exactly one event."""
    if not found:
        return Problem("no_event", f"{title}: nothing in it is of use to a profile")
    faults = [what.detail for what in found if isinstance(what, Problem)]
    also = f"; of these {len(faults)} can't be taken, the first: {faults[0]}" if faults else ""
    return Problem("several_events", f"{title}: {len(found)} events in one record{also}"[:DETAIL_MAX])


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
