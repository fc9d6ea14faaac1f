"""What would become of a record that was set aside if it came in today: the records to send, or why there are none.

An original is decoded again with today's adapters and plan. What comes of it is sent in canonical form with the message ids
and times it had the first time, so that whatever had passed before is recognised and counts once. Pure: reading and sending
are the callers'.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas.events import Arrival
from schemas.outputs import Rejected
from schemas.reasons import Problem
from schemas.routing import topic_of
from schemas.topics import BOOKS, TOPICS
from streams.book_files import make_decoder
from streams.bridge import Reader, readers
from streams.identifier_forms import identifier_forms
from streams.rows import NO_OFFSET, original_bytes
from streams.serve.envelope import WHOLE_ADDS, Message
from streams.serve.intake import REJECTED, Intake
from streams.serve.keys import Sender
from streams.settings import Settings
from streams.sources import Line
from streams.tracking_plan import load_plan

HTTP: Final = "http/"
_INPUTS: Final = frozenset(topic.name for topic in TOPICS if topic.role == "input")


class Outcome(Struct, frozen=True, kw_only=True):
    """What a redrive makes of one record: lines to send (topic, key, value), what stays set aside, or why it can't be sent."""

    lines: tuple[Line, ...] = ()
    still: tuple[Problem, ...] = ()
    hopeless: str = ""


class Redrive:
    """Looks at rejects with the eyes of an installation as it is set up now. Raises BookError, PlanError."""

    def __init__(self, settings: Settings) -> None:
        plan = load_plan(settings.files.tracking_plan)
        self._decoder = make_decoder(settings)
        self._raw: Mapping[str, Reader] = readers(settings) if settings.raw else {}
        self._senders: Mapping[str, Sender] = {
            name: Sender(name, source.kind, source.origins) for name, source in settings.sources.items()
        }
        self._intake = Intake(
            shop_currency=settings.shop.currency,
            partitions=settings.kafka.partitions,
            event_bytes=settings.serve.event_bytes + WHOLE_ADDS,
            protected_traits=settings.serve.protected_traits,
            plan=None if plan is None else plan.check,
            forms=identifier_forms(settings),
        )

    def look(self, rejected: Rejected) -> Outcome:
        """What would become of it."""
        original = original_bytes(rejected)
        if original is None:
            return Outcome(hopeless="the record had no value")
        if rejected.truncated_bytes:
            return Outcome(hopeless=f"{rejected.truncated_bytes} bytes of the original are missing")
        if rejected.topic in BOOKS:
            return Outcome(
                hopeless=f"it is no event: each report reads the topic {rejected.topic} anew, with the rates of that day; "
                f"if the record itself is wrong, correct it there"
            )
        if rejected.topic.startswith(HTTP):
            return self._call(rejected, original)
        if rejected.offset == NO_OFFSET:
            return Outcome(hopeless="it is no event: Regulars wrote it itself and could not publish it")
        return self._record(rejected, original)

    def _record(self, rejected: Rejected, original: bytes) -> Outcome:
        """A record of a topic."""
        raw = self._raw.get(rejected.topic)
        # Under the source it had: what of a message had passed is known by source and id.
        decoder = self._decoder if raw is None else raw.decoder
        found = decoder.decode_all_planned(original, rejected.timestamp_ms or 0)
        lines = tuple(_line(one, rejected.topic) for one in found if isinstance(one, Arrival))
        still = tuple(one for one in found if isinstance(one, Problem))
        return Outcome(lines=lines, still=still) if found else Outcome(hopeless="nothing in it is of use to a profile")

    def _call(self, rejected: Rejected, original: bytes) -> Outcome:
        """A message that came to the collector: the same rules hold for its source as then."""
        name = rejected.topic.removeprefix(HTTP)
        sender = self._senders.get(name)
        if sender is None:
            return Outcome(
                hopeless=f"{name!r} is no source of the settings; a webhook's headers are not kept: let its sender repeat it"
            )
        taken = self._intake.take_messages([_message(original)], sender, rejected.timestamp_ms or 0)
        lines = tuple(
            Line(rejected.timestamp_ms or 0, row.topic, row.key.decode(), row.value)
            for row in taken.rows
            if row.topic != REJECTED
        )
        problems = (msgspec.json.decode(row.value, type=Rejected) for row in taken.rows if row.topic == REJECTED)
        return Outcome(lines=lines, still=tuple(Problem(one.reason, one.detail) for one in problems))


def _line(arrival: Arrival, topic: str) -> Line:
    """The event as a record. It was received when it first came: without that word, late would look like just now."""
    event = replace(arrival.event, received_at_ms=arrival.received_ms)
    back = topic if topic in _INPUTS else topic_of(event)
    return Line(event.timestamp_ms, back, arrival.home, msgspec.json.encode(event))


def _message(original: bytes) -> Message:
    try:
        fields = msgspec.json.decode(original)
    except (ValueError, RecursionError):
        fields = None
    return Message(fields if isinstance(fields, dict) else None, original)
