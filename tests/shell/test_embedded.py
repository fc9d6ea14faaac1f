"""The whole thing in one process: the same loop, a simulated clock, memory bounded by customers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import msgspec
import pytest

from profiles.engine import Engine
from schemas.decode import Decoder
from schemas.events import Event, OrderCompleted, Product
from schemas.outputs import Outgoing
from streams.embedded import Embedded, Pace
from tests.shell.world import EAGER, MINUTE_MS, START_MS, World, added, ordered, run

HOUR_MS = 60 * MINUTE_MS


class Run:
    def __init__(self, batch_records: int = 1000) -> None:
        self.rows: list[Outgoing] = []
        self.embedded = Embedded(Engine(EAGER), Decoder("USD"), on_row=self.rows.append, batch_records=batch_records)

    def feed(self, *events: Event) -> None:
        self.embedded.feed((msgspec.json.encode(event), 0) for event in events)

    def ids(self, topic: str) -> list[str]:
        return [row.record_id for row in self.rows if row.topic == topic]

    def customers(self) -> list[str]:
        return [row.key for row in self.rows if row.topic == "triggers"]


Start = Callable[..., Run]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start runs that are closed when the test is over."""
    with ExitStack() as stack:

        def started(batch_records: int = 1000) -> Run:
            made = Run(batch_records)
            stack.enter_context(made.embedded)
            return made

        yield started


def test_at_the_end_the_clock_stands_a_minute_before_the_last_event_and_timers_wait(start: Start) -> None:
    subject = start()
    subject.feed(added("ada", 0, "m1"), added("bob", 30, "m2"), added("cid", 62, "m3"))

    assert subject.embedded.pace.clock_ms == START_MS + 61 * MINUTE_MS
    assert subject.customers() == ["user_id:ada"]
    assert [waiting.profile_id for waiting in subject.embedded.waiting()][:2] == ["user_id:bob", "user_id:cid"]


def test_moving_the_clock_on_fires_what_is_due_at_that_very_moment(start: Start) -> None:
    subject = start()
    subject.feed(added("ada", 0, "m1"), added("bob", 1, "m2"))
    subject.embedded.advance_to(START_MS + 60 * MINUTE_MS - 1)
    before = subject.customers()
    subject.embedded.advance_to(START_MS + 60 * MINUTE_MS)

    assert (before, subject.customers()) == ([], ["user_id:ada"])


def test_events_are_taken_in_their_order_of_arrival(start: Start) -> None:
    """An order that arrives before the cart it buys, and an event from the past: none of them is put in another place."""
    subject, world = start(), World()
    events = [
        ordered("ada", 10, "o1", cart_id="ada-c1"),
        added("ada", 5, "m1"),
        added("bob", 100, "m2"),
        added("bob", 7, "m3"),
    ]
    subject.feed(*events)
    for event in events:
        world.log.append("clickstream", msgspec.json.encode(event))
    run(world.all_done())

    assert subject.ids("decisions") == [record_id for _, record_id in world.outputs("decisions")]
    assert {profile.id: profile for profile in subject.embedded.profiles()} == {
        name: world.profile(name) for name in ("user_id:ada", "user_id:bob")
    }


def test_batches_of_any_size_give_the_same(start: Start) -> None:
    events = [added(f"u{n % 7}", n * 9, f"m{n}") for n in range(60)] + [ordered("u1", 560, "o1")]
    runs = []
    for size in (1, 7, 1000):
        subject = start(batch_records=size)
        subject.feed(*events)
        subject.embedded.advance_to(START_MS + 100 * HOUR_MS)
        runs.append((list(subject.embedded.profiles()), [row.record_id for row in subject.rows]))

    assert runs[0] == runs[1] == runs[2]


def test_it_reads_no_further_ahead_than_one_batch() -> None:
    taken = 0

    def endless() -> Iterator[tuple[bytes, int]]:
        nonlocal taken
        while True:
            taken += 1
            yield msgspec.json.encode(added("ada", taken, f"m{taken}")), 0

    class Enough(Exception):
        pass

    def look(pace: Pace) -> None:
        assert taken == pace.events
        if pace.events >= 500:
            raise Enough

    with Embedded(Engine(EAGER), Decoder("USD"), on_row=lambda _: None, batch_records=100) as subject, suppress(Enough):
        subject.feed(endless(), look)

    assert taken == 500


def test_an_order_of_absurd_worth_stops_nobody(start: Start) -> None:
    subject = start()
    absurd = (Product(product_id="tea", price_minor=10**15, quantity=10**9),) * 500
    told: dict[str, Any] = {"timestamp_ms": START_MS, "user_id": "eve", "products": absurd}
    orders = [OrderCompleted(message_id=f"m{number}", order_id=f"o{number}", **told) for number in range(3)]
    subject.feed(*orders, added("ada", 0, "m4"), added("ada", 70, "m5"))

    assert "user_id:ada" in subject.customers()
    assert subject.embedded.population()["gross"] == 2**53 - 1
    (eve,) = (profile for profile in subject.embedded.profiles() if profile.id == "user_id:eve")
    assert eve.ltv.gross == 3 * 500 * 10**15


def test_what_cannot_be_read_is_handed_out_with_its_place_and_reason(start: Start) -> None:
    subject = start()
    subject.embedded.feed([(b"{", 5), (msgspec.json.encode(added("ada", 0, "m1")), 0), (None, 7)])
    rejects = [msgspec.json.decode(bytes(row.value)) for row in subject.rows if row.topic == "rejected"]

    assert [(one["offset"], one["reason"], one["timestamp_ms"]) for one in rejects] == [
        (0, "not_json", 5), (2, "tombstone", 7),
    ]  # fmt: skip
    assert subject.embedded.pace[:2] == (3, 2)


def test_ledgers_and_counters_can_be_looked_at(start: Start) -> None:
    subject = start()
    subject.feed(ordered("ada", 0, "o1"), ordered("ada", 1, "o2"), ordered("bob", 2, "o3"))

    assert sorted(subject.embedded.ledger("user_id:ada")) == ["o1", "o2"]
    assert subject.embedded.population()["net"] == 3000
    assert [profile.id for profile in subject.embedded.profiles()] == ["user_id:ada", "user_id:bob"]
    assert subject.embedded.pace.profiles == 2


def test_feeding_in_two_parts_is_feeding_the_whole(start: Start) -> None:
    events = [added("ada", n * 40, f"m{n}") for n in range(20)]
    whole, parts = start(), start()
    whole.feed(*events)
    parts.feed(*events[:11])
    parts.feed(*events[11:])

    assert [row.record_id for row in whole.rows] == [row.record_id for row in parts.rows]
    assert list(whole.embedded.profiles()) == list(parts.embedded.profiles())
