"""Segments through the partition loop: what comes out depends neither on where batches are cut nor on what is in memory."""

import msgspec
from msgspec.structs import replace

from profiles.conditions import compile_conditions
from profiles.engine import Engine
from schemas.decode import Decoder
from schemas.events import Event, PageViewed, Product, ProductViewed, SuppressCustomer, UnsuppressCustomer
from schemas.outputs import Outgoing
from streams.embedded import Embedded
from tests.shell.world import EAGER, MINUTE_MS, START_MS, added, ordered

HOUR_MS = 60 * MINUTE_MS
CONDITIONS, SEGMENTS = compile_conditions(
    EAGER.rules,
    {
        "looking": {"when": 'views("30m") >= 2'},
        "spending": {"when": 'spend_minor("2h") >= 2000'},
        "lapsing": {"when": 'profile.orders.last_ms < ago("3h")'},
        "carts": {"when": "profile.carts.exists(c, c.value_minor >= 1000)"},
        "reminded": {"when": 'profile.triggers.exists(t, t.name == "cart.abandoned" && t.state == "emitted")'},
    },
)
BOOK = replace(EAGER, conditions=CONDITIONS, segments=SEGMENTS)


def viewed(user: str, minute: float, message_id: str) -> Event:
    return ProductViewed(
        message_id=message_id,
        timestamp_ms=START_MS + int(minute * MINUTE_MS),
        user_id=user,
        product=Product(product_id="tea"),
    )


def looked(user: str, minute: float, message_id: str) -> Event:
    return PageViewed(message_id=message_id, timestamp_ms=START_MS + int(minute * MINUTE_MS), user_id=user)


def played(
    events: list[Event], *, batch_records: int = 1000, cache_profiles: int = 1000
) -> tuple[list[bytes], list[str]]:
    rows: list[Outgoing] = []
    with Embedded(
        Engine(BOOK), Decoder("USD"), on_row=rows.append, batch_records=batch_records, cache_profiles=cache_profiles
    ) as subject:
        subject.feed((msgspec.json.encode(event), 0) for event in events)
        subject.advance_to(START_MS + 100 * HOUR_MS)
        return [profile.pack() for profile in subject.profiles()], [row.record_id for row in rows]


def test_batches_of_any_size_and_profiles_out_of_memory_give_the_same() -> None:
    events = [
        event
        for n in range(60)
        for event in (
            viewed(f"u{n % 3}", n * 7, f"v{n}"),
            added(f"u{n % 2}", n * 7 + 0.3, f"a{n}"),
            ordered(f"u{n % 5}", n * 7 + 0.5, f"o{n}"),
            # Half a minute after a window of half an hour has ended, while the clock is still before it.
            looked(f"u{n % 3}", n * 7 + 30.5, f"p{n}"),
        )
    ]
    events.sort(key=lambda event: event.timestamp_ms)
    whole = played(events)

    assert played(events, batch_records=1) == whole
    assert played(events, batch_records=7, cache_profiles=1) == whole


def test_a_window_ends_between_two_events_at_its_millisecond_although_the_clock_stays_a_minute_behind() -> None:
    rows: list[Outgoing] = []
    with Embedded(Engine(BOOK), Decoder("USD"), on_row=rows.append) as subject:
        for event in (
            viewed("ada", 0, "v1"),
            viewed("ada", 10, "v2"),
            looked("ada", 30.5, "p1"),
            looked("ada", 60, "p2"),
        ):
            subject.feed([(msgspec.json.encode(event), 0)])
    told = [msgspec.json.decode(bytes(row.value)) for row in rows if row.topic == "triggers"]

    assert [(one["name"], one["due_at_ms"] - START_MS) for one in told] == [
        ("segment.entered", 10 * MINUTE_MS),
        ("segment.exited", 30 * MINUTE_MS),
    ]


def test_of_whom_nothing_is_known_but_what_she_asked_for_is_in_no_segment() -> None:
    conditions, segments = compile_conditions(EAGER.rules, {"new": {"when": 'orders("9d") == 0'}})
    engine = Engine(replace(EAGER, conditions=conditions, segments=segments))
    with Embedded(engine, Decoder("USD"), on_row=lambda row: None) as subject:
        for minute, kind in enumerate((SuppressCustomer, UnsuppressCustomer) * 2):
            at_ms = START_MS + minute * MINUTE_MS
            told = kind(message_id=f"m{minute}", timestamp_ms=at_ms, user_id="ada", request_id=f"r{minute}")
            subject.feed([(msgspec.json.encode(told), 0)])
        (ada,) = subject.profiles()

    assert ada.memberships.inside_ms == {}
    assert ada.is_blank


def test_events_of_nobody_belong_to_no_segment() -> None:
    event = ordered("", 0, "o1")
    profiles, ids = played([msgspec.structs.replace(event, user_id=None)])

    assert len(profiles) == 1
    assert b"memberships" not in profiles[0]
    assert ids == []
