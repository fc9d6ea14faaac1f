"""Messages into records for the log: adapted, held against the trust model, stamped, routed; or set aside with the reason.

Pure: the time of receipt is an argument. Nothing about a single message ever becomes an HTTP status: what can't be used goes to
the topic `rejected` with its reason and original, as it does in a worker.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from xxhash import xxh3_128_hexdigest

from schemas.adapters import segment
from schemas.adapters.adapter import Given, content_id
from schemas.decode import Decoder, kind_of, too_deep
from schemas.events import Arrival, Event
from schemas.protected import distrust
from schemas.reasons import DETAIL_MAX, Problem
from schemas.routing import topic_of
from schemas.scalars import AdapterError
from schemas.trust import protected_names, restrict
from streams.home import home_partition
from streams.identifier_forms import PLAIN, IdentifierForms
from streams.record import Record
from streams.rows import NO_OFFSET, reject
from streams.serve.envelope import Message
from streams.serve.keys import Sender

REJECTED: Final = "rejected"

_encode = msgspec.json.Encoder().encode
_decode_any = msgspec.json.Decoder().decode


Plan = Callable[[Event], Problem | None]
"""Why an event is not what the shop wants, None where it is."""


class Row(NamedTuple):
    """One record to write: logical topic, partition, key and value; and what tells a repeat of it."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    identity: str
    headers: tuple[tuple[str, bytes], ...] = ()


class Taken(Struct):
    """What a request's messages became: rows, and their numbers by topic and by reason.

    `stripped` counts what a client key was not allowed to say.
    """

    rows: list[Row] = []
    accepted: dict[str, int] = {}
    rejected: dict[str, int] = {}
    stripped: int = 0


class Intake:
    """Makes records of messages for one installation.

    `shop_currency` is that of amounts which name none, identifiers are written in the installation's `forms`; larger
    messages than `event_bytes` are set aside, and what breaks the shop's `plan`.
    """

    def __init__(
        self,
        *,
        shop_currency: str,
        partitions: int,
        event_bytes: int,
        protected_traits: tuple[str, ...],
        plan: Plan | None = None,
        forms: IdentifierForms = PLAIN,
    ) -> None:
        self._currency = shop_currency
        self._phone_region = forms.phone_region
        self._partitions = partitions
        self._event_bytes = event_bytes
        self._protected = protected_names(protected_traits)
        self._plan = plan
        self._decoder = Decoder(
            shop_currency,
            max(event_bytes, 1024),
            phone_region=forms.phone_region,
            protector=forms.protector,
            fold_emails=forms.fold_emails,
        )

    def take_messages(self, messages: Sequence[Message], sender: Sender, received_ms: int) -> Taken:
        """The records of tracking calls, in their order."""
        taken = Taken()
        for place, message in enumerate(messages):
            event = self._event(message, place, received_ms)
            problem = None if event is None else self._add(taken, event, sender, received_ms)
            if problem is not None:
                # What is too large stays as it came: what a batch says of all would be kept with each of its messages.
                large = problem.reason == "too_large"
                kept = message.original if large else message.whole(_made_id(message, place, received_ms))
                taken.rows.append(self._reject(problem, kept, sender, received_ms))
        return taken

    def take_events(
        self, events: Iterable[Event | Problem], original: bytes, sender: Sender, received_ms: int
    ) -> Taken:
        """The records of what a webhook's adapter made of one body.

        What can't be taken is set aside with the whole body, so once for each reason: many events of a kind that is not known
        would else be many times the body.
        """
        taken = Taken()
        firsts: dict[str, Problem] = {}
        for event in events:
            problem = self._add(taken, event, sender, received_ms)
            if problem is not None:
                firsts.setdefault(problem.reason, problem)
        for reason, first in firsts.items():
            count = taken.rejected[reason]
            detail = first.detail if count == 1 else f"{first.detail} (the first of {count})"
            taken.rows.append(self._reject(Problem(reason, detail), original, sender, received_ms))
        return taken

    def _add(self, taken: Taken, event: Event | Problem, sender: Sender, received_ms: int) -> Problem | None:
        """Take an event in; or count that it can't be, and say why."""
        found = event if isinstance(event, Problem) else self._arrival(taken, event, sender, received_ms)
        if isinstance(found, Problem):
            taken.rejected[found.reason] = taken.rejected.get(found.reason, 0) + 1
            return found
        topic = topic_of(found.event)
        taken.rows.append(self._row(topic, found))
        taken.accepted[topic] = taken.accepted.get(topic, 0) + 1
        return None

    def _event(self, message: Message, place: int, received_ms: int) -> Event | Problem | None:
        # What a batch says of all its messages counts for each: it is written with each.
        size = len(message.original) + message.shared_bytes
        if size > self._event_bytes:
            return Problem("too_large", f"{size} bytes, {self._event_bytes} are allowed")
        fields = message.fields
        if fields is None:
            return _unreadable(message.original)
        if (problem := too_deep(message.original)) is not None:
            return problem
        try:
            if not segment.fits(fields):
                return Problem("unknown_shape", "there is neither `type` nor `event` with `properties`")
            _state_times(fields, received_ms)
            original = message.original
            if fields["timestamp"] == received_ms and not _has_id(fields):
                original = _at_its_place(message, place, received_ms)
            given = Given(
                original=original,
                shop_currency=self._currency,
                record_ms=received_ms,
                phone_region=self._phone_region,
            )
            return segment.adapt(fields, given)
        except AdapterError as error:
            return Problem(error.reason, error.detail[:DETAIL_MAX])
        except Exception as fault:  # noqa: BLE001 -- the message is set aside with the reason; its batch must not die of it
            return Problem("decoder_failed", type(fault).__name__)

    def _arrival(self, taken: Taken, event: Event, sender: Sender, received_ms: int) -> Arrival | Problem:
        try:
            if sender.kind == "client":
                event, stripped = restrict(event, self._protected)
                taken.stripped += stripped
        except AdapterError as error:
            return Problem(error.reason, error.detail[:DETAIL_MAX])
        # Said by the collector, whatever the message claimed.
        event = replace(event, source=sender.name, source_kind=sender.kind, received_at_ms=received_ms)
        event = distrust(event, ids=sender.kind == "client")
        found = self._decoder.arrive(event, received_ms)
        if self._plan is None or isinstance(found, Problem):
            return found
        return self._plan(found.event) or found

    def _row(self, topic: str, arrival: Arrival) -> Row:
        event, home = arrival.event, arrival.home
        identity = f"{event.source}\n{home}\n{event.__struct_config__.tag}\n{event.message_id}"
        return Row(topic, home_partition(home, self._partitions), home.encode(), _encode(event), identity)

    def _reject(self, problem: Problem, original: bytes, sender: Sender, received_ms: int) -> Row:
        """What is published of a message that is set aside; the same bytes at the same time have the same record id."""
        digest = xxh3_128_hexdigest(original)
        topic, partition = f"http/{sender.name}", home_partition(digest, self._partitions)
        rejected = reject(
            Record(NO_OFFSET, received_ms, None, original), topic, partition, problem.reason, problem.detail
        )
        record_id = f"{topic}/{received_ms}/{digest}"
        return Row(REJECTED, partition, b"", _encode(rejected), record_id, (("record-id", record_id.encode()),))


def _has_id(fields: dict[str, Any]) -> bool:
    stated = fields.get("messageId")
    return stated is not None and (not isinstance(stated, str) or stated.strip() != "")


def _at_its_place(message: Message, place: int, received_ms: int) -> bytes:
    """What its id is made of where a message has neither an id nor a time: the same words said twice are two events."""
    return b"%d/%d/%b" % (received_ms, place, message.original)


def _made_id(message: Message, place: int, received_ms: int) -> str:
    """The id made for a message here, where the bytes that are kept of it would give another one if sent again; else "".
    Under another id a client's repeat of the call would be a second event.
    """
    fields = message.fields
    if fields is None or _has_id(fields):
        return ""
    stated = [fields.get(name) for name in ("timestamp", "originalTimestamp")]
    timed = any(value not in (None, "", received_ms) for value in stated)
    if not message.said and (timed or place == 0):
        return ""
    return content_id(message.original if timed else _at_its_place(message, place, received_ms))


def _state_times(fields: dict[str, Any], received_ms: int) -> None:
    """Segment's rule: the `timestamp` of a client is its own clock's, and is corrected by when it says it sent the message."""
    if fields.get("timestamp") in (None, ""):
        fields["timestamp"] = fields.get("originalTimestamp") or received_ms
    elif fields.get("originalTimestamp") in (None, "") and fields.get("sentAt") not in (None, ""):
        fields["originalTimestamp"] = fields["timestamp"]


def _unreadable(original: bytes) -> Problem:
    """Why a message could not be read."""
    if (problem := too_deep(original)) is not None:
        return problem
    try:
        value = _decode_any(original)
    except RecursionError:
        return Problem("too_deep", "it is nested too deeply")
    except ValueError as error:
        reason = "not_utf8" if isinstance(error, UnicodeDecodeError) else "not_json"
        return Problem(reason, str(error)[:DETAIL_MAX])
    return Problem("not_object", f"the message is {kind_of(value)}")
