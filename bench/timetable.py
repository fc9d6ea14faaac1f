"""What a live stream's records were due for, as the harness works it out for itself, and the latencies that follow.

The sender and the timetable take the same loads of the same stream, each in its own process.
"""

from array import array
from collections.abc import Callable, Iterable, MutableSequence
from math import ceil
from typing import Final, NamedTuple

from msgspec import Struct

from bench.generator import Record, Scenario
from bench.schedule import BACKLOG_TICK, LiveStream, Load

_MESSAGE: Final = b'"message_id":"'
_ORDER: Final = b'"order_id":"'
_COMPLETED: Final = b'{"event":"Order Completed"'
_VIEWED: Final = b'{"event":"Product Viewed"'
_ID_DIGITS: Final = 32
WITNESS_EVERY: Final = 200
"""One view in so many, by partition, is looked for in its customer's profile as soon as its offset has been passed."""


class Move(NamedTuple):
    """At `at_s` everything of a partition before `offset` was durable."""

    at_s: float
    partition: int
    offset: int


class Changed(NamedTuple):
    """At `at_s` a customer's state up to event time `event_ms` was to be seen."""

    at_s: float
    customer: str
    event_ms: int


class Told(NamedTuple):
    """At `at_s` an output that names an order was to be seen."""

    at_s: float
    order_id: str


class Witness(NamedTuple):
    """A view that its customer's profile must show: the profile's last event is then at `event_ms` or later."""

    user: str
    event_ms: int


class Stretch(Struct, kw_only=True):
    """One load, record by record. Times are seconds from its beginning; `began_s` is known once it has begun.

    `due` is by partition, from offset `first` on. `customers` holds, for the sampled partitions, each customer's events that
    are no repeats, as (event time, when due). `orders` says when each order was due first.
    """

    load: Load
    first: list[int]
    due: list[MutableSequence[float]]
    orders: dict[str, float] = {}
    customers: dict[str, list[tuple[int, float]]] = {}
    witnesses: dict[tuple[int, int], Witness] = {}
    began_s: float = 0.0

    @property
    def end(self) -> list[int]:
        """The offset after the last record, by partition."""
        return [first + len(due) for first, due in zip(self.first, self.due, strict=True)]

    @property
    def record_batches(self) -> int:
        """How many record batches the sender makes of it."""
        if self.load.per_s is None:
            return len(self.due) * ceil(self.load.count / BACKLOG_TICK)
        return sum(len({int(due_s / self.load.tick_s) for due_s in due}) for due in self.due)

    def of_profiles(self, moves: Iterable[Move], *, settle_s: float) -> list[float]:
        """Milliseconds from when each record was due to when its effects were durable; the first seconds are left out."""
        found: list[float] = []
        reached = list(self.first)
        for at_s, partition, offset in moves:
            due, first = self.due[partition], self.first[partition]
            since_s = at_s - self.began_s
            begin, reached[partition] = reached[partition], max(reached[partition], min(offset, first + len(due)))
            found += [
                (since_s - due_s) * 1_000
                for due_s in due[begin - first : reached[partition] - first]
                if due_s >= settle_s
            ]
        return found

    def of_changes(self, changes: Iterable[Changed], *, settle_s: float) -> list[float]:
        """The same for an engine that shows each customer's newest state and the event time it goes up to."""
        found: list[float] = []
        waiting = {customer: iter(events) for customer, events in self.customers.items()}
        ahead = {customer: next(events, None) for customer, events in waiting.items()}
        for at_s, customer, shown_ms in changes:
            while (event := ahead.get(customer)) is not None and event[0] <= shown_ms:
                if event[1] >= settle_s:
                    found.append((at_s - self.began_s - event[1]) * 1_000)
                ahead[customer] = next(waiting[customer], None)
        return found

    def of_orders(self, told: Iterable[Told], *, settle_s: float) -> list[float]:
        """Milliseconds from when an order was due to the first output that names it."""
        first: dict[str, float] = {}
        for at_s, order_id in told:
            first.setdefault(order_id, at_s)
        return [
            (at_s - self.began_s - due_s) * 1_000
            for order_id, at_s in first.items()
            if (due_s := self.orders.get(order_id)) is not None and due_s >= settle_s
        ]


class Timetable:
    """Takes the loads one after the other. `hear` gets every record, for instance to work out the right result."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        sampled: Iterable[int] = (),
        hear: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self._stream = LiveStream(scenario)
        self._sampled = frozenset(sampled)
        self._hear = hear
        self._seen: set[bytes] = set()
        self._viewed: set[bytes] = set()
        self.sent = [0] * scenario.partitions

    def take(self, load: Load) -> Stretch:
        """The next load."""
        stretch = Stretch(load=load, first=list(self.sent), due=[array("d") for _ in self.sent])
        step_s = 0.0 if load.per_s is None else 1.0 / load.per_s
        views = 0
        for number, record in enumerate(self._stream.take(load)):
            self._hear(record.value)
            due_s = number * step_s
            partition, value = record.partition, record.value
            stretch.due[partition].append(due_s)
            if value.startswith(_COMPLETED):
                stretch.orders.setdefault(_text_after(_ORDER, value), due_s)
            elif value.startswith(_VIEWED) and _is_new(self._viewed, value):
                views += 1  # a repeat would be dropped, and its profile show the time of the first
                if views % WITNESS_EVERY == 0:
                    offset = stretch.first[partition] + len(stretch.due[partition])
                    stretch.witnesses[partition, offset] = Witness(record.user, load.event_ms(number))
            if partition in self._sampled:
                self._note(stretch, record, load.event_ms(number), due_s)
        self.sent = stretch.end
        return stretch

    def _note(self, stretch: Stretch, record: Record, event_ms: int, due_s: float) -> None:
        if _is_new(self._seen, record.value):
            stretch.customers.setdefault(record.user, []).append((event_ms, due_s))


def _is_new(known: set[bytes], value: bytes) -> bool:
    """Whether an event's message id is not among those known; it is from now on."""
    at = value.index(_MESSAGE) + len(_MESSAGE)
    message = value[at : at + _ID_DIGITS]
    if message in known:
        return False
    known.add(message)
    return True


def _text_after(mark: bytes, value: bytes) -> str:
    at = value.index(mark) + len(mark)
    return value[at : value.index(b'"', at)].decode()
