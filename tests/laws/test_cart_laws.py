"""Laws of carts: within a day every order of arrival gives the same cart, and a plain recount of the events agrees."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from profiles import carts
from profiles.order_state import OrderEntry, OrderLine
from profiles.profile import Profile, decode_profile
from schemas import events
from schemas.events import Arrival, Event, Product

DAY_MS = 86_400_000
START_MS = 1_772_409_600_000
PRODUCTS = ("A", "B", "C")


def arrival(kind: type[Event], at_ms: int, message_id: str, **fields: Any) -> Arrival:
    event = kind(message_id=message_id, timestamp_ms=at_ms, user_id="ada", **fields)
    return Arrival(event, at_ms, at_ms, "user_id:ada", "ada")


@st.composite
def cart_stories(draw: st.DrawFn) -> list[Arrival]:
    """Up to 12 events of one cart within a day, distinct in time."""
    minutes = draw(st.lists(st.integers(0, 24 * 60 - 1), min_size=1, max_size=12, unique=True))
    story = []
    for number, minute in enumerate(minutes):
        at_ms = START_MS + minute * 60_000
        what = draw(st.sampled_from(("add", "remove", "set", "view")))
        item = Product(product_id=draw(st.sampled_from(PRODUCTS)), quantity=draw(st.integers(1, 3)), price_minor=100)
        message_id = f"m{number}"
        if what == "add":
            story.append(arrival(events.ProductAdded, at_ms, message_id, cart_id="c", product=item))
        elif what == "remove":
            story.append(arrival(events.ProductRemoved, at_ms, message_id, cart_id="c", product=item))
        elif what == "set":
            story.append(arrival(events.CartUpdated, at_ms, message_id, cart_id="c", products=(item,)))
        else:
            story.append(arrival(events.CartViewed, at_ms, message_id, cart_id="c"))
    return story


def recount(story: list[Arrival]) -> dict[str, float]:
    """Units by product, counted straight from the events in time order."""
    units: dict[str, float] = {}
    for told in sorted(story, key=lambda one: one.time_ms):
        event = told.event
        if isinstance(event, events.CartUpdated):
            units = {item.product_id: item.quantity for item in event.products}
        elif isinstance(event, events.ProductAdded):
            units[event.product.product_id] = units.get(event.product.product_id, 0) + event.product.quantity
        elif isinstance(event, events.ProductRemoved):
            left = units.get(event.product.product_id, 0) - event.product.quantity
            units.pop(event.product.product_id, None)
            if left > 0:
                units[event.product.product_id] = left
    return units


def play(story: list[Arrival], order: OrderEntry | None = None, order_after: int = 0) -> Profile:
    profile = Profile("user_id:ada")
    for position, told in enumerate(story):
        if order is not None and position == order_after:
            carts.apply_order(profile, order, None, DAY_MS)
        carts.apply_cart_event(profile, told, DAY_MS, 30 * DAY_MS)
    if order is not None and order_after >= len(story):
        carts.apply_order(profile, order, None, DAY_MS)
    return profile


@given(cart_stories(), st.randoms(use_true_random=False))
def test_every_order_of_arrival_gives_the_same_cart(story: list[Arrival], random: Any) -> None:
    shuffled = story + story[: len(story) // 2]
    random.shuffle(shuffled)

    in_order = play(sorted(story, key=lambda told: told.time_ms))
    as_it_came = play(shuffled)

    assert msgspec.to_builtins(in_order.carts) == msgspec.to_builtins(as_it_came.carts)


@given(cart_stories())
def test_the_cart_equals_a_plain_recount(story: list[Arrival]) -> None:
    profile = play(story)

    assert recount(story) == {key: line.quantity for key, line in profile.carts["c"].lines.items()}


@given(cart_stories(), st.integers(0, 24 * 60), st.integers(0, 12), st.sampled_from(PRODUCTS))
def test_an_order_takes_the_same_lines_whenever_it_becomes_known(
    story: list[Arrival], minute: int, order_after: int, bought: str
) -> None:
    placed_ms = START_MS + minute * 60_000 + 30_000
    order = OrderEntry("o1", placed_ms=placed_ms, completed=True, lines=[OrderLine(bought, 1)])

    known_late = play(story, order, order_after)
    known_first = play(story, order, 0)

    lines = {cart_id: cart.lines for cart_id, cart in known_late.carts.items()}
    assert msgspec.to_builtins(lines) == msgspec.to_builtins(
        {key: cart.lines for key, cart in known_first.carts.items()}
    )
    for line in known_late.carts["c"].lines.values():
        assert line.product_id != bought or line.added_ms > placed_ms


@given(cart_stories())
def test_operations_older_than_a_day_leave_the_cart_as_it_is(story: list[Arrival]) -> None:
    profile = play(story)
    before = {key: line.quantity for key, line in profile.carts["c"].lines.items()}

    late = arrival(events.CartViewed, START_MS + 3 * DAY_MS, "much-later", cart_id="c")
    carts.apply_cart_event(profile, late, DAY_MS, 30 * DAY_MS)

    assert {key: line.quantity for key, line in profile.carts["c"].lines.items()} == before
    assert [op.message_id for op in profile.carts["c"].ops] == ["much-later"]


@given(cart_stories())
def test_a_cart_survives_its_bytes(story: list[Arrival]) -> None:
    profile = play(story)

    stored = profile.pack()

    assert decode_profile(stored).pack() == stored
    assert decode_profile(stored).carts == profile.carts
