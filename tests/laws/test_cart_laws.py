"""Laws of carts: within a day every order of arrival gives the same cart, and a plain recount of the events agrees."""

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from profiles import cart_currency, carts, merge_carts
from profiles.order_state import Ledger, OrderEntry, OrderLine
from profiles.profile import Profile, decode_profile
from profiles.state import CARTS_MAX, Cart
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
        message_id = f"{'mz'[number % 2]}{number}"  # by name before and after an order
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


@given(
    cart_stories(), st.sampled_from((0.0, 0.5)), st.integers(0, 24 * 60), st.integers(0, 12), st.sampled_from(PRODUCTS)
)
@example(
    [
        arrival(
            events.ProductAdded,
            START_MS + minute * 60_000,
            f"m{minute}",
            cart_id="c",
            product=Product(product_id=product),
        )
        for minute, product in ((20, "B"), (5, "A"))
    ],
    0.5,
    10,
    2,
    "A",
)
@example([arrival(events.ProductAdded, START_MS, "z", cart_id="c", product=Product(product_id="A"))], 0.0, 0, 1, "A")
def test_an_order_takes_the_same_lines_whenever_it_becomes_known(
    story: list[Arrival], part: float, minute: int, order_after: int, bought: str
) -> None:
    placed_ms = START_MS + minute * 60_000 + round(part * 60_000)
    order = OrderEntry("o1", placed_ms=placed_ms, completed=True, lines=[OrderLine(bought, 1)])

    known_late = play(story, order, order_after)
    known_first = play(story, order, 0)

    lines = {cart_id: cart.lines for cart_id, cart in known_late.carts.items()}
    assert msgspec.to_builtins(lines) == msgspec.to_builtins(
        {key: cart.lines for key, cart in known_first.carts.items()}
    )
    for line in known_late.carts["c"].lines.values():
        assert line.product_id != bought or line.added_ms > placed_ms


Told = tuple[int, str, str, int]
"""Minute, what happened, to which product, and how many of it."""


@st.composite
def lives(draw: st.DrawFn) -> list[Told]:
    """What happened to a cart within a day, beginning with an add, distinct in time."""
    minutes = sorted(draw(st.lists(st.integers(1, 24 * 60 - 1), max_size=12, unique=True)))
    whats = st.sampled_from(
        ("add", "remove", "set", "view", "order", "order of", carts.EMITTED, carts.ENDED, carts.CHECKOUT)
    )
    rest = [(minute, draw(whats), draw(st.sampled_from(PRODUCTS)), draw(st.integers(1, 3))) for minute in minutes]
    return [(0, "add", "A", 2), *rest]


def episode_of(life: list[Told]) -> tuple[dict[str, float], int | None]:
    """What is in a cart in the end, and since which minute its episode is open, reckoned straight from what happened."""
    units: dict[str, float] = {}
    opened: int | None = None
    takes_an_add = False
    for minute, what, product, count in life:
        before = dict(units)
        if what == "add":
            units[product] = units.get(product, 0) + count
        elif what == "set":
            units = {product: count}
        elif what == "remove":
            units[product] = units.get(product, 0) - count
        elif what == "order":
            units = {}
        elif what == "order of":
            units.pop(product, None)
        units = {name: left for name, left in units.items() if left > 0}
        if what in ("add", "set", "remove") and units:
            added = any(left > before.get(name, 0) for name, left in units.items())
            if opened is None and (added or not takes_an_add):
                opened, takes_an_add = minute, False
        elif what in carts.MARKS:
            opened, takes_an_add = None, what == carts.EMITTED or (what == carts.CHECKOUT and takes_an_add)
        elif not units or units != before:
            opened, takes_an_add = None, takes_an_add and bool(units)
    return units, opened


def tell(profile: Profile, told: Told) -> None:
    minute, what, product, count = told
    at_ms, message_id = START_MS + minute * 60_000, f"m{minute}"
    item = Product(product_id=product, quantity=count)
    kinds: dict[str, type[Event]] = {
        "add": events.ProductAdded,
        "remove": events.ProductRemoved,
        "view": events.CartViewed,
    }
    if what in ("order", "order of"):
        order = OrderEntry(message_id, placed_ms=at_ms, completed=True, lines=[OrderLine(product, 1)])
        carts.apply_order(profile, order, "c" if what == "order" else None, DAY_MS)
    elif what == carts.CHECKOUT:
        carts.hand_over(profile, "c", at_ms, message_id, DAY_MS)
    elif what in carts.MARKS:
        carts.mark(profile.carts["c"], what, at_ms, message_id, DAY_MS)
    else:
        fields = {"products": (item,)} if what == "set" else {} if what == "view" else {"product": item}
        event = arrival(kinds.get(what, events.CartUpdated), at_ms, message_id, cart_id="c", **fields)
        carts.apply_cart_event(profile, event, DAY_MS, 30 * DAY_MS)


@given(lives(), st.randoms(use_true_random=False))
@example(
    [(0, "add", "A", 2), (1, carts.EMITTED, "A", 1), (2, carts.CHECKOUT, "A", 1), (3, "remove", "A", 1)], Random(0)
)
def test_an_episode_is_open_since_the_change_that_opened_it_in_every_order_of_arrival(
    life: list[Told], random: Any
) -> None:
    profile = Profile("user_id:ada")
    for told in (life[0], *random.sample(life[1:], len(life) - 1)):
        tell(profile, told)
    cart = profile.carts["c"]

    units, opened = episode_of(life)
    assert {key: line.quantity for key, line in cart.lines.items()} == units
    assert cart.opened_ms == (None if opened is None else START_MS + opened * 60_000)


@pytest.mark.parametrize("named", ["c", None])
def test_an_order_that_becomes_known_days_later_takes_only_what_was_in_the_cart_by_then(named: str | None) -> None:
    profile = Profile("user_id:ada")
    for day, product in ((0, "A"), (3, "B"), (5, "C"), (7, "B"), (1, "C")):
        tell(profile, (day * 24 * 60, "add", product, 1))
    lines = [OrderLine(product, 1) for product in PRODUCTS]
    order = OrderEntry("o1", placed_ms=START_MS + 2 * DAY_MS, completed=True, lines=lines)
    carts.apply_order(profile, order, named, DAY_MS)

    assert list(profile.carts["c"].lines) == ["B", "C"]


def test_a_snapshot_of_the_cart_keeps_the_price_at_which_a_product_was_put_in() -> None:
    profile = Profile("user_id:ada")
    for minute, price in enumerate((500, 450)):
        item = Product(product_id="A", price_minor=price)
        event = arrival(events.CartUpdated, START_MS + minute * 60_000, f"m{minute}", cart_id="c", products=(item,))
        carts.apply_cart_event(profile, event, DAY_MS, 30 * DAY_MS)
    line = profile.carts["c"].lines["A"]

    assert (line.price_minor, line.price_at_add_minor) == (450, 500)


def test_of_too_many_carts_the_one_that_is_told_of_stays_though_it_is_the_oldest() -> None:
    profile = Profile("user_id:ada")
    for number in range(CARTS_MAX + 1):
        at_ms = START_MS - number * 60_000
        event = arrival(events.ProductAdded, at_ms, f"m{number}", cart_id=f"c{number}", product=Product(product_id="A"))
        cart = carts.apply_cart_event(profile, event, DAY_MS, 30 * DAY_MS)

        assert cart is profile.carts[f"c{number}"]
    assert len(profile.carts) == CARTS_MAX


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


KINDS: tuple[type[Event], ...] = (
    events.ProductAdded,
    events.ProductAdded,
    events.ProductRemoved,
    events.CartUpdated,
)


@st.composite
def priced_stories(draw: st.DrawFn) -> list[Arrival]:
    """Up to 8 events of one cart within a day, distinct in time, each with a price and the currency it is in."""
    minutes = draw(st.lists(st.integers(0, 24 * 60 - 1), min_size=1, max_size=8, unique=True))
    story = []
    for number, minute in enumerate(minutes):
        item = Product(
            product_id=draw(st.sampled_from(PRODUCTS)),
            quantity=draw(st.integers(1, 2)),
            price_minor=draw(st.sampled_from((None, 100, 30))),
        )
        kind: Any = draw(st.sampled_from(KINDS))
        what = {"products": (item,)} if kind is events.CartUpdated else {"product": item}
        currency = draw(st.sampled_from(("USD", "EUR")))
        at_ms = START_MS + minute * 60_000
        story.append(arrival(kind, at_ms, f"m{number}", cart_id="c", currency=currency, **what))
    return story


def priced(story: list[Arrival]) -> tuple[int, str | None]:
    """What is in the cart in the currency of what was priced and added last, counted straight from the events in time order."""
    lines: dict[str, tuple[float, int, int | None, str | None]] = {}  # units, when added, price, currency
    for told in sorted(story, key=lambda one: one.time_ms):
        event: Any = told.event
        item = event.products[0] if isinstance(event, events.CartUpdated) else event.product
        units, added_ms, price, currency = lines.get(item.product_id, (0, told.time_ms, None, None))
        if not isinstance(event, events.ProductRemoved) and item.price_minor is not None:
            price, currency = item.price_minor, event.currency
        if isinstance(event, events.ProductRemoved):
            lines[item.product_id] = (units - item.quantity, added_ms, price, currency)
        elif isinstance(event, events.ProductAdded):
            lines[item.product_id] = (units + item.quantity, told.time_ms, price, currency)
        else:
            added_ms = told.time_ms if item.quantity > units else added_ms
            lines = {item.product_id: (item.quantity, added_ms, price, currency)}
        lines = {key: line for key, line in lines.items() if line[0] > 0}
    known = {key: line for key, line in lines.items() if line[2] is not None}
    if not known:
        return 0, None
    wanted = known[max(known, key=lambda key: (known[key][1], key))][3]
    return sum(int(units) * (price or 0) for units, _, price, currency in known.values() if currency == wanted), wanted


def shown(cart: Cart) -> tuple[int, str | None]:
    """What is shown of a cart's worth; no currency where nothing has a price."""
    lines, currency = cart_currency.shown(cart)
    return carts.value_minor(lines), currency if any(line.price_minor is not None for line in lines) else None


@given(priced_stories(), st.randoms(use_true_random=False), st.booleans())
def test_what_a_cart_is_worth_is_in_one_currency_whatever_came_first(
    story: list[Arrival], random: Any, in_halves: bool
) -> None:
    shuffled = story + story[: len(story) // 2]
    random.shuffle(shuffled)
    profile = play(shuffled)
    if in_halves:
        profile = decode_profile(profile.pack())
    cart = profile.carts["c"]

    assert shown(cart) == priced(story)

    carts.fold_into_base(cart, START_MS + 2 * DAY_MS)

    assert shown(cart) == priced(story)
    assert cart.priced_in is None or not cart.priced_in.ops


@given(priced_stories(), priced_stories(), st.booleans())
def test_carts_that_become_one_are_worth_what_one_cart_would_have_been(
    ours: list[Arrival], told: list[Arrival], turned: bool
) -> None:
    theirs = [
        replace(one, event=replace(one.event, message_id=f"n{number}"), time_ms=one.time_ms + 1)
        for number, one in enumerate(told)
    ]
    into, other = (play(theirs), play(ours)) if turned else (play(ours), play(theirs))
    merge_carts.unite(into, other, Ledger(complete=True), DAY_MS, again=False)

    assert shown(into.carts["c"]) == priced(ours + theirs)
