"""The made-up events around the real orders: marked, repeatable, in order, and never touching an order."""

from collections import Counter, defaultdict
from itertools import islice
from typing import Any

import msgspec
import numpy as np
import pytest

from schemas.events import AnyEvent, CartViewed, CheckoutStarted, Event, Identified, OrderCompleted, ProductAdded
from schemas.routing import topic_of
from streams.sources import Line, completejourney, synthetic
from streams.sources.completejourney import Journey

ORDERS = 12_000
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def journey() -> Journey:
    """The first weeks of the year."""
    whole = completejourney.load()
    lines = int(whole.starts[ORDERS])
    return Journey(
        starts=whole.starts[: ORDERS + 1],
        basket_id=whole.basket_id[:ORDERS],
        household_id=whole.household_id[:ORDERS],
        store_id=whole.store_id[:ORDERS],
        time_ms=whole.time_ms[:ORDERS],
        product_id=whole.product_id[:lines],
        quantity=whole.quantity[:lines],
        list_minor=whole.list_minor[:lines],
        discount_minor=whole.discount_minor[:lines],
    )


@pytest.fixture(scope="module")
def lines(journey: Journey) -> list[Line]:
    return list(synthetic.around(journey, seed=1))


@pytest.fixture(scope="module")
def events(lines: list[Line]) -> list[Event]:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AnyEvent)
    return [decoder.decode(line.value) for line in lines]


def test_the_orders_pass_through_unchanged(journey: Journey, lines: list[Line]) -> None:
    real = [line for line in lines if line.topic == "orders"]

    assert list(completejourney.orders(journey)) == real


def test_everything_made_up_says_so(events: list[Event]) -> None:
    for event in events:
        if not isinstance(event, OrderCompleted):
            assert event.source == "synthetic"
            assert event.message_id.startswith("synthetic-")
    assert {"completejourney"} == {event.source for event in events if isinstance(event, OrderCompleted)}


def test_events_come_in_time_order_on_the_topic_and_key_of_their_kind(lines: list[Line], events: list[Event]) -> None:
    times = [line.time_ms for line in lines]
    assert sorted(times) == times
    for line, event in zip(lines, events, strict=True):
        assert (event.timestamp_ms, topic_of(event), event.user_id) == (line.time_ms, line.topic, line.key)
    assert len({event.message_id for event in events}) == len(events)


def test_a_seed_gives_the_same_stream_again_and_another_one_another(journey: Journey, lines: list[Line]) -> None:
    assert lines[:2000] == list(islice(synthetic.around(journey, seed=1), 2000))
    assert lines[:2000] != list(islice(synthetic.around(journey, seed=2), 2000))


def test_what_is_made_up_for_an_order_does_not_depend_on_the_orders_of_others(
    journey: Journey, lines: list[Line]
) -> None:
    chosen = np.flatnonzero(journey.household_id % 7 == 3)
    spans = [(int(journey.starts[i]), int(journey.starts[i + 1])) for i in chosen]
    keep = np.concatenate([np.arange(a, b) for a, b in spans])
    some = Journey(
        starts=np.concatenate([[0], np.cumsum([b - a for a, b in spans])]),
        basket_id=journey.basket_id[chosen],
        household_id=journey.household_id[chosen],
        store_id=journey.store_id[chosen],
        time_ms=journey.time_ms[chosen],
        product_id=journey.product_id[keep],
        quantity=journey.quantity[keep],
        list_minor=journey.list_minor[keep],
        discount_minor=journey.discount_minor[keep],
    )
    mine = {str(household) for household in journey.household_id[chosen].tolist()}

    def visits(stream: list[Line]) -> set[bytes]:
        # Which products are popular depends on the shop as a whole; visits before an order and consent do not.
        return {
            line.value for line in stream if line.key in mine and (b"-visit" in line.value or b"identify" in line.value)
        }

    assert visits(list(synthetic.around(some, seed=1))) == visits(lines)


def test_four_of_five_households_agree_to_marketing_before_anything_else_is_seen_of_them(events: list[Event]) -> None:
    first: dict[str, Event] = {}
    for event in events:
        assert event.user_id is not None
        first.setdefault(event.user_id, event)
    identified = [event for event in events if isinstance(event, Identified)]

    assert pytest.approx(len(identified) / len(first), abs=0.03) == 0.80
    assert all(first[event.user_id or ""] is event for event in identified)
    assert {("GRANT", "email", "marketing")} == {(c.state, c.channel, c.purpose) for e in identified for c in e.consent}


def test_some_carts_are_bought_one_to_three_days_later_and_some_never(events: list[Event]) -> None:
    bought: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for event in events:
        if isinstance(event, OrderCompleted):
            bought[event.user_id or ""] += [(event.timestamp_ms, product.product_id) for product in event.products]
    kinds: Counter[str] = Counter()
    for event in events:
        if isinstance(event, ProductAdded):
            kind = event.message_id.split("-")[2]
            kinds[kind] += 1
            later = [
                at - event.timestamp_ms
                for at, product in bought[event.user_id or ""]
                if product == event.product.product_id
            ]
            if kind == "never":
                assert not later
            elif kind == "early":
                assert any(0 < wait <= 3 * DAY_MS for wait in later)
            else:
                assert any(0 < wait <= 26 * 60_000 for wait in later)

    assert kinds["visit"] > kinds["never"] > 100
    assert kinds["early"] > 100


def test_a_visit_ends_with_its_order_and_carries_one_cart(events: list[Event]) -> None:
    carts: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if isinstance(event, ProductAdded):
            carts[event.cart_id or ""].add(event.product.product_id)
        elif isinstance(event, CartViewed | CheckoutStarted):
            assert carts[event.cart_id or ""] == {product.product_id for product in event.products}
