"""Law: which triggers there are, what they say and when they were sent depends neither on the number of partitions nor on whether
a worker or a replay went over the events.

Ada and Bob come on devices, by address and with their ids, so that homes in several partitions become one. Workers get each
event once all before it are done with, moves between homes included, as it is where events are further apart than partitions.
What is told of a product by turns (low stock) is told in turns of each partition, and is no part of this.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.engine import Engine
from schemas.decode import Decoder
from schemas.events import ConsentChange, ConsentChanged, Event
from schemas.routing import topic_of
from streams.embedded import Embedded
from streams.partition_limits import PartitionLimits
from streams.tenure import Tenure
from tests.laws.histories import DAY_MS, START_MS, one_event
from tests.laws.test_identity_laws import DEVICES, USERS, home_of, settle
from tests.shell.world import EAGER, World, run

CATALOGUE: Final = build_catalogue(
    [
        {"product_id": "A", "supply_days": "10", "bundles": "weekend", "complementary": "C"},
        {"product_id": "B", "supply_days": "20", "bundles": "weekend"},
        {"product_id": "C", "supply_days": "3", "complementary": "A", "contents": "brew"},
    ]
)
BOOKS: Final = st.sampled_from((replace(EAGER, catalogue=CATALOGUE), Book(catalogue=CATALOGUE)))
UNTIL_MS: Final = START_MS + 60 * DAY_MS
TOLD: Final = ("triggers", "triggers-shadow", "trigger-cancelled", "trigger-converted", "cart-recovered")
HERS: Final = ("cart_id", "order_id", "checkout_id", "coupon_id", "ticket_id", "survey_id", "case_id")


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """What two customers did in up to three weeks, under whatever name, in the order in which it happened."""
    agreed = (ConsentChange(state="GRANT", channel="email"),)
    found: list[Event] = [
        ConsentChanged(message_id=f"c-{user}", timestamp_ms=START_MS - DAY_MS, user_id=user, consent=agreed)
        for user in USERS
    ]
    span = draw(st.sampled_from((600, 3 * 24 * 60, 20 * 24 * 60)))
    minutes = sorted(draw(st.lists(st.integers(0, span), min_size=1, max_size=14, unique=True)))
    for number, minute in enumerate(minutes):
        event, user = draw(one_event(minute, f"m{number}")).event, draw(st.sampled_from(USERS))
        device, address = draw(st.sampled_from(DEVICES[user])), f"{user}@example.org"
        fields: dict[str, Any] = {"user_id": None, "email": None} | draw(
            st.sampled_from(
                (
                    {"user_id": user},
                    {"anonymous_id": device},
                    {"email": address},
                    {"user_id": user, "anonymous_id": device},
                    {"user_id": user, "email": address},
                )
            )
        )
        fields |= {name: f"{user}-{getattr(event, name)}" for name in HERS if getattr(event, name, None)}
        found.append(replace(event, **fields))
    return found


def worked(log: Sequence[Event], book: Book, partitions: int) -> list[str]:
    """What workers of so many partitions make of it."""
    world = World(partitions=partitions, engine=Engine(book), limits=PartitionLimits(cache_profiles=3))

    async def live() -> None:
        tenures: list[Tenure] = [world.tenure(number) for number in range(partitions)]
        for tenure in tenures:
            await tenure.open()
        for event in log:
            world.log.append(topic_of(event), msgspec.json.encode(event), partition=home_of(event, partitions))
            await settle(world, tenures)
        for tenure in tenures:
            tenure.advance_to(UNTIL_MS + 1)
        await settle(world, tenures)

    run(live())
    return sorted(
        f"{topic} {(record.value or b'').decode()}"
        for topic in TOLD
        for number in range(partitions)
        for record in world.log.records(topic, number)
    )


def replayed(log: Sequence[Event], book: Book) -> list[str]:
    """What a replay makes of it."""
    found: list[str] = []
    decoder = Decoder("USD")
    with Embedded(
        Engine(book), decoder, on_row=lambda row: found.append(f"{row.topic} {bytes(row.value).decode()}")
    ) as embedded:
        embedded.feed((msgspec.json.encode(event), 0) for event in log)
        embedded.advance_to(UNTIL_MS)
    return sorted(row for row in found if row.partition(" ")[0] in TOLD)


@given(log=logs(), book=BOOKS, partitions=st.sampled_from((2, 3, 8)))
@settings(max_examples=40, deadline=None)
def test_the_number_of_partitions_changes_no_trigger(log: list[Event], book: Book, partitions: int) -> None:
    assert worked(log, book, partitions) == worked(log, book, 1)


@given(log=logs(), book=BOOKS)
@settings(max_examples=60, deadline=None)
def test_a_replay_tells_the_triggers_that_a_worker_tells(log: list[Event], book: Book) -> None:
    assert replayed(log, book) == worked(log, book, 1)
