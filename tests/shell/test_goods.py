"""Catalogue events in a partition: to every partition, to those who watch the product, in bounded steps, for nothing else."""

from typing import Any

import pytest
from typing_extensions import override

from profiles.engine import Engine
from profiles.goods_state import GoodChange
from profiles.profile import Profile
from profiles.state import Moment
from profiles.turn import Output
from schemas import events
from schemas.events import Event, Product
from streams import goods
from streams.goods import WAKES_MAX
from streams.home import home_partition
from streams.memory_table import MemoryTable
from streams.table import Loaded
from tests.shell.world import EAGER, MINUTE_MS, START_MS, World, run


class Hearing(Engine):
    """The real engine, and who was told of what."""

    def __init__(self) -> None:
        super().__init__(EAGER)
        self.heard: list[tuple[str, str, int]] = []

    @override
    def hear(self, profile: Profile, change: GoodChange, place: int, at: Moment, out: list[Output]) -> None:
        super().hear(profile, change, place, at, out)
        self.heard.append((profile.id, change.message_id, place))


class CountingTable(MemoryTable):
    """The table in memory, and what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.watchers_asked: list[str | None] = []
        self.profiles_asked = 0

    @override
    async def load(self, partition: int, profiles: list[str], *args: Any, **options: Any) -> Loaded:
        self.profiles_asked += len(profiles)
        if options.get("watchers_limit"):
            self.watchers_asked.append(options["watchers_of"])
        return await super().load(partition, profiles, *args, **options)


def awaits(user: str, minute: float, product_id: str = "tent") -> Event:
    return events.StockAlertSubscribed(
        message_id=f"a-{user}",
        timestamp_ms=START_MS + round(minute * MINUTE_MS),
        user_id=user,
        product=Product(product_id=product_id),
    )


def viewed(user: str, minute: float, price_minor: int = 1000, product_id: str = "tent") -> Event:
    return events.ProductViewed(
        message_id=f"v-{user}-{minute}",
        timestamp_ms=START_MS + round(minute * MINUTE_MS),
        user_id=user,
        product=Product(product_id=product_id, price_minor=price_minor),
    )


def stock(minute: float, available: int, product_id: str = "tent", message_id: str = "s") -> Event:
    return events.ProductStockChanged(
        message_id=message_id,
        timestamp_ms=START_MS + round(minute * MINUTE_MS),
        product_id=product_id,
        available=available,
    )


def price(minute: float, price_minor: int, product_id: str = "tent") -> Event:
    return events.ProductPriceChanged(
        message_id=f"p-{product_id}-{minute}",
        timestamp_ms=START_MS + round(minute * MINUTE_MS),
        product_id=product_id,
        price_minor=price_minor,
    )


def test_a_catalogue_event_reaches_the_watchers_of_every_partition() -> None:
    engine = Hearing()
    made = World(partitions=3, engine=engine)
    users = [f"u{number}" for number in range(12)]
    assert {home_partition(user, 3) for user in users} == {0, 1, 2}
    made.send(stock(10, 5), partition=1)

    async def scenario() -> None:
        tenures = [made.tenure(number) for number in range(3)]
        for tenure in tenures:
            await tenure.open()
        for user in users:
            made.send(awaits(user, 0), partition=0)
        for _ in range(3):
            for tenure in tenures:
                await made.work(tenure)

    run(scenario())

    assert [len(made.log.records("fanout", number)) for number in range(3)] == [1, 1, 1]
    assert sorted((who, what) for who, what, _ in engine.heard) == [(f"user_id:{user}", "s") for user in sorted(users)]


def test_a_copy_that_comes_twice_is_told_once() -> None:
    engine = Hearing()
    made = World(engine=engine)
    made.send(awaits("ada", 0), stock(10, 5), stock(10, 5))
    run(made.all_done())

    assert [(who, what) for who, what, _ in engine.heard] == [("user_id:ada", "s")]


def test_a_product_that_nobody_watches_costs_no_look_into_the_table_and_is_not_kept() -> None:
    table = CountingTable()
    made = World(table=table, engine=Hearing())
    made.send(viewed("ada", 0), *(stock(1 + number, 5, f"other-{number}", f"s{number}") for number in range(50)))
    run(made.all_done())

    assert (table.profiles_asked, table.watchers_asked) == (1, [])
    assert list(table.snapshot().partitions[0].goods) == ["tent"]


def test_a_change_that_no_trigger_asks_for_is_kept_and_wakes_nobody() -> None:
    table = CountingTable()
    made = World(table=table, engine=Hearing())
    made.send(viewed("ada", 0), price(1, 1000), price(2, 1200))
    run(made.all_done())

    assert table.watchers_asked == ["tent"]  # the first price after a view may be a drop, a rise is none
    assert table.snapshot().partitions[0].goods["tent"].startswith(b"[1200,")


@pytest.mark.parametrize("watchers", [WAKES_MAX, WAKES_MAX + 1, 2 * WAKES_MAX + 50])
def test_no_commit_wakes_more_than_two_hundred_and_each_hears_once_the_oldest_alert_first(watchers: int) -> None:
    engine = Hearing()
    made = World(engine=engine)
    made.send(*(awaits(f"u{number:03}", number / 1000) for number in range(watchers)), stock(10, 5))
    run(made.all_done())
    written = [batch.profiles_written for batch in made.told.batches]

    assert engine.heard == [(f"user_id:u{number:03}", "s", number) for number in range(watchers)]
    assert sum(written) == 2 * watchers
    assert max(written[1:]) <= WAKES_MAX


def ordered(user: str, minute: float, product_id: str = "tent") -> Event:
    return events.OrderCompleted(
        message_id=f"o-{user}",
        timestamp_ms=START_MS + round(minute * MINUTE_MS),
        user_id=user,
        order_id=f"o-{user}",
        products=(Product(product_id=product_id),),
    )


def cancelled(user: str, minute: float) -> Event:
    return events.OrderCancelled(
        message_id=f"c-{user}",
        timestamp_ms=START_MS + round(minute * MINUTE_MS),
        user_id=user,
        order_id=f"o-{user}",
    )


def test_who_bought_it_meanwhile_takes_no_place_among_those_who_wait_unless_the_order_was_cancelled() -> None:
    engine = Hearing()
    made = World(engine=engine)
    made.send(
        *(awaits(user, number) for number, user in enumerate(("ada", "bob", "cid", "dan"))),
        ordered("ada", 5),
        ordered("bob", 5, product_id="lamp"),
        ordered("cid", 5),
        cancelled("cid", 6),
        stock(10, 5),
    )
    run(made.all_done())

    assert [(who, place) for who, _, place in engine.heard] == [
        ("user_id:bob", 0),
        ("user_id:cid", 1),
        ("user_id:dan", 2),
        ("user_id:ada", 0),
    ]


def test_records_wait_until_all_have_heard() -> None:
    engine = Hearing()
    made = World(engine=engine)
    many = WAKES_MAX + 10
    last = f"u{many - 1:03}"
    made.send(
        *(awaits(f"u{number:03}", number / 1000) for number in range(many)),
        events.OrderCompleted(
            message_id="o",
            timestamp_ms=START_MS + 11 * MINUTE_MS,
            user_id=last,
            order_id="o",
            products=(Product(product_id="tent"),),
        ),
    )
    made.send(stock(10, 500))
    run(made.all_done())
    armed = [one for one in made.values("decisions") if one["customer_id"] == f"user_id:{last}"]

    assert len(engine.heard) == many
    assert armed[0]["state"] == "armed"


def test_what_is_due_at_once_by_news_that_came_late_is_decided_by_these_news() -> None:
    made = World(engine=Engine(EAGER))
    made.send(awaits("ada", 0))
    tenure = run(made.all_done())
    made.send(viewed("bob", 60, product_id="lamp"))
    run(made.work(tenure))
    made.send(stock(10, 5))
    run(made.work(tenure))
    made.send(viewed("bob", 61, product_id="lamp"))
    run(made.work(tenure))
    hers = [one for one in made.values("decisions") if one["customer_id"] == "user_id:ada"]

    assert [(one["name"], one["state"]) for one in hers] == [("back.in.stock", "armed"), ("back.in.stock", "emitted")]


def test_a_product_whose_watchers_are_gone_is_forgotten_with_the_next_change() -> None:
    made = World(engine=Hearing())
    # Seventeen products: the tent gives way to newer ones.
    made.send(viewed("ada", 0), *(viewed("ada", 1 + n, product_id=f"p{n}") for n in range(16)), price(60, 900))
    run(made.all_done())
    part = made.table.snapshot().partitions[0]

    assert "tent" not in part.watchers
    assert "tent" not in part.goods
    assert len(part.goods) == 16


def test_above_the_bound_goods_of_which_nothing_was_told_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goods, "GOODS_MAX", 3)
    monkeypatch.setattr(goods, "GIVE_WAY", 1)
    made = World(engine=Hearing())
    made.send(
        viewed("ada", 0, product_id="a"),
        price(1, 500, "a"),
        *(viewed("ada", 2 + n, product_id=f"p{n}") for n in range(3)),
    )
    tenure = run(made.all_done())
    made.send(viewed("ada", 10, product_id="new"))
    run(made.work(tenure))

    kept = made.table.snapshot().partitions[0].goods
    assert len(kept) <= 3
    assert "a" in kept
