"""Parcels follow from the ledger and from returns, in whatever order the events come."""

from itertools import permutations
from typing import Any

import msgspec
import pytest

from profiles import deliveries
from profiles.book import Book
from profiles.engine import Engine
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.rules import DeliveryRules, Rules
from profiles.state import Delivery, Moment
from schemas import events
from schemas.events import Arrival, Event, Product

DAY_MS = 86_400_000
BOOK = Book(rules=Rules(delivery=DeliveryRules(home_countries=("DE",))))


def told(kind: type[Event], day: int, message_id: str, **fields: Any) -> Arrival:
    event = kind(message_id=message_id, timestamp_ms=day * DAY_MS, user_id="ada", **{"order_id": "o1", **fields})
    return Arrival(event, day * DAY_MS, day * DAY_MS, "user_id:ada", "ada")


def after(*story: Arrival) -> Profile:
    profile, ledger, engine = Profile("user_id:ada"), Ledger(complete=True), Engine(BOOK, ())
    for arrival in story:
        engine.step(profile, arrival, Moment(0), ledger, [])
    return profile


def item(product_id: str, **fields: Any) -> Product:
    return Product(product_id=product_id, price_minor=1000, **fields)


ORDER = told(events.OrderCompleted, 1, "m1", products=(item("A"), item("B", category="tea"), item("A")))
STORY = (
    ORDER,
    told(events.OrderFulfilled, 2, "m2"),
    told(events.OrderDelivered, 4, "m3"),
    told(events.OrderRefunded, 5, "m4", refund_id="r", products=(item("A"),)),
    told(events.OrderReturned, 6, "m5", products=(item("B"),)),
)


@pytest.mark.parametrize("order", list(permutations(range(5))))
def test_a_delivery_is_the_same_in_whatever_order_its_events_come(order: tuple[int, ...]) -> None:
    found = after(*(STORY[place] for place in order)).deliveries

    assert msgspec.to_builtins(found) == {
        "o1": {
            "since_ms": 2 * DAY_MS,
            "fulfilled_ms": 2 * DAY_MS,
            "delivered_ms": 4 * DAY_MS,
            "lines": [["B", None, "tea", None]],
            "returned": ["B"],
        }
    }


def test_an_order_of_which_nothing_was_sent_costs_nothing() -> None:
    profile = after(ORDER, told(events.OrderUpdated, 2, "m2", products=(item("C"),)))

    assert b"deliveries" not in profile.pack()


def test_the_earliest_word_of_an_arrival_counts() -> None:
    story = ORDER, told(events.OrderDelivered, 4, "m2"), told(events.OrderDelivered, 3, "m3")

    assert after(*story).deliveries["o1"].delivered_ms == 3 * DAY_MS


@pytest.mark.parametrize("country, days", [(None, 7), ("DE", 7), ("de", 7), ("AT", 14)])
def test_without_word_of_the_arrival_a_parcel_takes_as_long_as_the_rules_say(country: str | None, days: int) -> None:
    profile = after(told(events.OrderCompleted, 1, "m1", products=(item("A"),), country=country), STORY[1])

    assert deliveries.arrived_ms(profile.deliveries["o1"], profile, BOOK) == (2 + days) * DAY_MS
    assert deliveries.arrived_ms(Delivery(returned=["A"]), profile, BOOK) is None


def test_of_many_parcels_the_newest_are_kept() -> None:
    story = []
    for number in range(deliveries.DELIVERIES_MAX + 4):
        story.append(told(events.OrderCompleted, number, f"c{number}", order_id=f"o{number:02}", products=(item("A"),)))
        story.append(told(events.OrderDelivered, number + 1, f"d{number}", order_id=f"o{number:02}"))
    found = after(*reversed(story)).deliveries

    assert sorted(found) == [f"o{number:02}" for number in range(4, 20)]
