"""Laws of goods: a change of price or stock reaches each customer who watches the product once, and comes to the same however
the log was cut, in whatever order it came, and whoever died on the way.
"""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streams.goods
from profiles.book import Book
from profiles.engine import Engine
from profiles.goods import change_of, key_of
from profiles.goods_state import UNKNOWN, Good
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.rules import Caps, QuietHours, Rules
from profiles.state import WATCHES_MAX, Moment
from profiles.triggers import BackInStockRule, LowStockRule, PriceDroppedRule
from profiles.watches import bought_since
from schemas import events
from schemas.events import SHOP, Arrival, CatalogueEvent, Event, Product
from streams.partition_limits import PartitionLimits
from tests.laws.histories import MINUTE_MS, START_MS
from tests.laws.owners import DEATHS, LIMITS, assert_the_same, played
from tests.shell.world import World

DAY_MIN = 24 * 60
BOOK = Book(
    rules=Rules.of(
        PriceDroppedRule(cooldown_ms=0),
        LowStockRule(cooldown_ms=0, pieces=3),
        BackInStockRule(told_per_piece=1),
        soft_opt_in=True,
        caps=Caps(max_in_24h=1000, max_in_7d=1000, max_in_day=1000),
        quiet_hours=QuietHours(enabled=False),
    )
)
"""A shop that tells whatever it may: each piece to one customer at a time."""
FACTS: dict[str, st.SearchStrategy[Any]] = {
    "variant_id": st.sampled_from(("red", "blue")),
    "category": st.sampled_from(("tea", "tea/green")),
    "cost_minor": st.sampled_from((0, 300, 400)),
    "supply_days": st.sampled_from((0.5, 1.0, 2.0)),
    "group": st.just("teas"),
    "complementary": st.sampled_from((("C",), ("D", "C"))),
    "substitutes": st.just(("B",)),
    "contents": st.sampled_from((("brewing",), ("storing", "brewing"))),
    "occasions": st.just(("gift",)),
}
"""What a Product Updated may say besides price and stock."""
USERS = ("ada", "bob", "cid", "dee", "eve")
UNTIL_MS = START_MS + 30 * DAY_MIN * MINUTE_MS


@st.composite
def customer_event(draw: st.DrawFn, minute: int, message_id: str) -> Event:
    kind: Any = draw(
        st.sampled_from(
            (
                events.ProductViewed,
                events.ProductAddedToWishlist,
                events.ProductRemovedFromWishlist,
                events.StockAlertSubscribed,
                events.StockAlertSubscribed,
                events.ProductAdded,
                events.OrderCompleted,
                events.OrderCancelled,
            )
        )
    )
    user = draw(st.sampled_from(USERS))
    product = Product(product_id=draw(st.sampled_from("AB")), price_minor=draw(st.sampled_from((None, 800, 1000))))
    fields: dict[str, Any] = {"user_id": user, "message_id": message_id, "timestamp_ms": START_MS + minute * MINUTE_MS}
    if kind in (events.OrderCompleted, events.OrderCancelled):
        order: Event = kind(order_id=f"{user}-{draw(st.integers(1, 2))}", products=(product,), **fields)
        return order
    made: Event = kind(product=product, **fields)
    return made


@st.composite
def catalogue_event(draw: st.DrawFn, minute: int, message_id: str) -> CatalogueEvent:
    fields: dict[str, Any] = {
        "message_id": message_id,
        "timestamp_ms": START_MS + minute * MINUTE_MS,
        "product_id": draw(st.sampled_from("AB")),
    }
    kind: Any = draw(st.sampled_from((events.ProductPriceChanged, events.ProductStockChanged, events.ProductUpdated)))
    if kind is not events.ProductStockChanged:
        fields["price_minor"] = draw(st.sampled_from((500, 700, 900, 1000)))
    if kind is not events.ProductPriceChanged:
        fields["available"] = draw(st.sampled_from((0, 1, 2, 3, 10)))
    if kind is events.ProductUpdated:
        fields |= draw(st.fixed_dictionaries({}, optional=FACTS))
    made: CatalogueEvent = kind(**fields)
    return made


@st.composite
def logs(draw: st.DrawFn, *, max_events: int = 25) -> list[Event]:
    """Events of customers and of the catalogue in the order of their arrival, some late by up to an hour and a half."""
    found: list[Event] = []
    for number in range(draw(st.integers(1, max_events))):
        minute = draw(st.integers(0, 600))
        what = customer_event if draw(st.booleans()) else catalogue_event
        found.append(draw(what(minute, f"m{number}")))
    late = {event.message_id: draw(st.integers(0, 90)) * MINUTE_MS for event in found}
    return sorted(found, key=lambda event: event.timestamp_ms + late[event.message_id])


def world(log: list[Event], **options: Any) -> World:
    made = World(engine=Engine(BOOK), **options)
    made.send(*log)
    return made


@pytest.fixture(autouse=True)
def _two_wakes_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams.goods, "WAKES_MAX", 2)
    monkeypatch.setattr("streams.tenure.WAKES_MAX", 2)


@given(log=logs(), limits=LIMITS, chunk=st.integers(1, 9))
@settings(max_examples=80, deadline=None)
def test_cutting_the_log_anywhere_gives_the_same_goods_and_the_same_triggers(
    log: list[Event], limits: PartitionLimits, chunk: int
) -> None:
    whole = played(world(log), UNTIL_MS)
    cut = played(world(log, limits=limits), UNTIL_MS, chunk=chunk)

    assert_the_same(whole, cut)
    assert whole.values("decisions") == cut.values("decisions")


@given(
    log=logs(),
    limits=LIMITS,
    deaths=DEATHS,
)
@settings(max_examples=60, deadline=None)
def test_an_owner_may_die_anywhere_and_every_change_reaches_every_watcher_once(
    log: list[Event], limits: PartitionLimits, deaths: list[tuple[Any, int]]
) -> None:
    whole = played(world(log), UNTIL_MS)
    outlived = played(world(log, limits=limits), UNTIL_MS, deaths=deaths)

    assert_the_same(whole, outlived)


@given(log=logs())
@settings(max_examples=40, deadline=None)
def test_the_index_holds_exactly_what_the_profiles_watch(log: list[Event]) -> None:
    made = played(world(log), UNTIL_MS)
    part = made.table.snapshot().partitions[0]
    expected: dict[str, dict[str, int]] = {}
    for profile_id in part.profiles:
        profile = made.profile(profile_id)
        assert profile is not None
        for key, watch in profile.watches.items():
            since_ms = None if watch.alert is None or not watch.waits else watch.alert[0]
            if since_ms is None or bought_since(profile, watch.product_id, since_ms):
                since_ms = streams.goods.PLAIN
            expected.setdefault(key, {})[profile_id] = since_ms

    assert expected == part.watchers
    assert not part.queue


@given(
    told=st.lists(st.integers(0, 600), min_size=1, max_size=8, unique=True).flatmap(
        lambda minutes: st.tuples(*(catalogue_event(minute, f"m{minute}") for minute in minutes))
    ),
    data=st.data(),
)
def test_a_good_comes_out_the_same_in_any_order_and_however_often_it_is_told(
    told: tuple[CatalogueEvent, ...], data: st.DataObject
) -> None:
    def fold(story: list[CatalogueEvent]) -> dict[str, Good]:
        goods: dict[str, Good] = {}
        for event in story:
            arrival = Arrival(event, event.timestamp_ms, event.timestamp_ms, SHOP, event.product_id or "")
            change = change_of(goods.get(key_of(event), UNKNOWN), arrival, "USD")
            if change is not None:
                goods[change.key] = change.after
        return goods

    def known(goods: dict[str, Good]) -> dict[str, Any]:
        return {key: (good.price_minor, good.price_ms, good.stock, good.stock_ms) for key, good in goods.items()}

    shuffled = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(told), max_size=3))]))

    assert known(fold(list(told))) == known(fold(shuffled))


@given(data=st.data())
@settings(max_examples=60)
def test_what_she_watches_comes_out_the_same_in_any_order_and_is_bounded(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 40))
    story = [data.draw(customer_event(minute, f"m{minute}")) for minute in range(count)]
    story = [
        msgspec.structs.replace(event, product=Product(product_id=f"p{data.draw(st.integers(0, 25))}", price_minor=900))
        if hasattr(event, "product")
        else event
        for event in story
    ]

    def fold(told: list[Event]) -> bytes:
        profile, engine = Profile("user_id:ada"), Engine(BOOK, ())
        for event in told:
            arrival = Arrival(event, event.timestamp_ms, event.timestamp_ms, profile.id, "ada")
            engine.step(profile, arrival, Moment(START_MS - 1), Ledger(complete=True), [])
        assert len(profile.watches) <= WATCHES_MAX
        return msgspec.json.encode(dict(sorted(profile.watches.items())))

    assert fold(story) == fold(data.draw(st.permutations(story))) or len({*_products(story)}) > WATCHES_MAX


def _products(story: list[Event]) -> list[str]:
    return [event.product.product_id for event in story if isinstance(event, events.ProductEvent)]
