"""What an adapter is: how to tell that a message comes from its source, and how to make canonical events of it.

One message may hold any number of events (a batch, a body of the Measurement Protocol) or none that is of use here (a
scroll). An adapter never raises: what can't be taken is a `Problem` in the place of its event, so that one bad event
does not cost the others.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any, TypeVar

from msgspec import Struct

from schemas.events import Event
from schemas.reasons import DETAIL_MAX, Problem
from schemas.scalars import AdapterError, Fields

T = TypeVar("T")
Found = list[Event | Problem]
"""The events of a message in its own order, each with a reason in its place where it can't be taken."""


class Given(Struct, frozen=True, kw_only=True):
    """What an adapter is told besides the message itself.

    `original` are the message's bytes; `shop_currency` is the currency of amounts that name none; `record_ms` (epoch ms, 0
    where unknown) stands for the time where the message names none. `phone_region` is the country whose national phone numbers
    are understood, "" for none. `delivery_id` is the sender's name of this delivery, the same each time it is tried again; ""
    where it has none.
    """

    original: bytes
    shop_currency: str
    record_ms: int
    phone_region: str = ""
    delivery_id: str = ""

    def occasion(self, stated_ms: int | None) -> int | str:
        """What tells a message from the same words at another time: its own time, else the delivery, else when it was received.

        Ids are made of it and not of the time of receipt, which is another one each time a delivery is tried again.
        """
        return stated_ms if stated_ms is not None else self.delivery_id or self.record_ms


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a source, each with the default that its vendor's documents call for. This one has none."""


class Adapter(Struct, frozen=True, kw_only=True):
    """A source of events.

    `fits` may be true of no other source's messages. `read` makes the events and may raise AdapterError for the message as
    a whole. `names` are the source's own names of events, each with the canonical types it becomes; none where there is
    nothing in it for a profile. `documents` are the public pages it was written after.
    """

    name: str
    title: str
    recognised_by: str
    documents: tuple[str, ...]
    fits: Callable[[dict[str, Any]], bool]
    read: Callable[[dict[str, Any], Given, Any], Found]
    names: Mapping[str, tuple[type[Event], ...]]
    options: Options = Options()

    def adapt(self, message: dict[str, Any], given: Given) -> Found:
        """The events of a message: a JSON object as a strict parser gives it, without lone surrogates or NaN."""
        try:
            return self.read(message, given, self.options)
        except AdapterError as error:
            return [problem(error)]


def problem(error: AdapterError) -> Problem:
    """A refusal as a value."""
    return Problem(error.reason, error.detail[:DETAIL_MAX])


def each(parts: Iterable[T], read: Callable[[T], Iterable[Event]]) -> Found:
    """What `read` makes of each part, or why that part can't be taken."""
    found: Found = []
    for part in parts:
        try:
            found += list(read(part))
        except AdapterError as error:
            found.append(problem(error))
    return found


def entries(fields: Fields, name: str, limit: int) -> list[Fields]:
    """The objects of a list of messages, at most `limit` of them. Raises AdapterError for anything else."""
    value = fields.values.get(name)
    if not isinstance(value, list):
        raise AdapterError("wrong_type", f"{fields.at(name)} is no list")
    if len(value) > limit:
        raise AdapterError("out_of_bounds", f"{fields.at(name)} has more than {limit} entries")
    return [Fields(item if isinstance(item, dict) else {}, f"{fields.at(name)}[{n}]") for n, item in enumerate(value)]


def content_id(content: bytes) -> str:
    """A message id for a message without one: the same bytes always give the same id, so a repeat stays a repeat.

    >>> content_id(b"{}")
    'content:2afb9b83f9314e5d029766197f539792'
    """
    return "content:" + blake2b(content, digest_size=16).hexdigest()


class ContentIds:
    """Message ids for the events of one message that have none of their own.

    An id is a digest of what the event says, and when and about whom, written with its names in order; so it does not
    depend on which other events travel in the same body. Equal events of one body are counted, and get different ids.
    """

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()

    def of(self, *content: Any) -> str:
        """The id of an event with this content (any JSON)."""
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        self._seen[text] += 1
        number = self._seen[text]
        return content_id(text if number == 1 else text + b"#%d" % number)
