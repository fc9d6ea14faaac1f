"""Catalogue events that name only a variant, an SKU or an inventory item: looked up where the name lives, or set aside."""

from typing import Any

import pytest

from profiles.engine import Engine
from profiles.goods_state import Good
from schemas import events
from schemas.events import Event, Product
from streams import product_names
from streams.goods import split_stored
from streams.home import home_partition
from streams.product_names import Named
from tests.shell.world import EAGER, MINUTE_MS, START_MS, World, run

PARTITIONS = 3
RED = {"product_id": "tent", "variant_id": "tent-red"}


def told(minute: float, message_id: str = "u", **names: Any) -> Event:
    at_ms = START_MS + round(minute * MINUTE_MS)
    return events.ProductUpdated(message_id=message_id, timestamp_ms=at_ms, **names)


def stock(minute: float, available: int = 5, message_id: str = "s", **names: Any) -> Event:
    at_ms = START_MS + round(minute * MINUTE_MS)
    return events.ProductStockChanged(message_id=message_id, timestamp_ms=at_ms, available=available, **names)


def viewed(user: str, minute: float, variant_id: str = "tent-red") -> Event:
    return events.ProductViewed(
        message_id=f"v-{user}",
        timestamp_ms=START_MS + round(minute * MINUTE_MS),
        user_id=user,
        product=Product(product_id="tent", variant_id=variant_id),
    )


def held(made: World, partition: int = 0) -> tuple[dict[str, Good], dict[str, Named]]:
    """The goods and the names that a partition holds."""
    stored = split_stored(made.table.snapshot().partitions[partition].goods)
    return stored.goods, stored.names


def known_stock(made: World, partition: int = 0, key: str = "tent/tent-red") -> int | None:
    """What a partition holds of the stock of a product."""
    return held(made, partition)[0][key].stock


@pytest.mark.parametrize("name", [{"variant_id": "tent-red"}, {"sku": "T-R"}, {"inventory_item_id": "808"}])
def test_what_is_told_of_a_name_is_told_of_its_product(name: dict[str, Any]) -> None:
    made = World(engine=Engine(EAGER))
    made.send(viewed("ada", 0), told(1, **(RED | name)), stock(2, **name))
    run(made.all_done())

    assert known_stock(made) == 5
    assert made.values("rejected") == []


@pytest.mark.parametrize("name", [{"variant_id": "tent-red"}, {"sku": "T-R"}, {"inventory_item_id": "808"}])
def test_in_every_partition_wherever_the_event_comes_in(name: dict[str, Any]) -> None:
    made = World(partitions=PARTITIONS, engine=Engine(EAGER))
    users = {home_partition(user, PARTITIONS): user for user in ("ada", "bob", "cyd", "dan", "eve", "fay")}
    assert set(users) == {0, 1, 2}
    (value,) = name.values()
    away = (home_partition(value, PARTITIONS) + 1) % PARTITIONS

    async def scenario() -> None:
        tenures = [made.tenure(number) for number in range(PARTITIONS)]
        for tenure in tenures:
            await tenure.open()
        for number, user in users.items():
            made.send(viewed(user, 0), partition=number)
        made.send(told(1, **(RED | name)), partition=away)
        for event in (None, stock(2, **name)):
            if event is not None:
                made.send(event, partition=away)
            for _ in range(3):
                for tenure in tenures:
                    await made.work(tenure)

    run(scenario())

    assert [known_stock(made, number) for number in range(PARTITIONS)] == [5, 5, 5]
    kept = [held(made, number)[1] for number in range(PARTITIONS)]
    assert sum(len(names) for names in kept) == (1 if name == {"variant_id": "tent-red"} else 2), "each name once"


def test_a_name_that_nobody_told_of_is_set_aside_with_the_reason() -> None:
    made = World(engine=Engine(EAGER))
    made.send(viewed("ada", 0), stock(1, sku="T-R"), told(2, **RED, sku="T-R"), stock(3, 7, "s2", sku="T-R"))
    run(made.all_done())
    (rejected,) = made.values("rejected")

    assert rejected["reason"] == "unknown_product"
    assert "'T-R'" in rejected["detail"]
    assert known_stock(made) == 7


def test_names_are_known_after_a_restart() -> None:
    made = World(engine=Engine(EAGER))
    made.send(viewed("ada", 0), told(1, **RED, sku="T-R"))
    run(made.all_done())
    made.send(stock(2, sku="T-R"))
    run(made.all_done())

    assert known_stock(made) == 5


def test_the_newest_word_about_a_name_holds_whatever_came_first() -> None:
    made = World(engine=Engine(EAGER))
    made.send(
        viewed("ada", 0),
        told(5, "new", **RED, sku="T-R"),
        told(4, "old", product_id="tent", variant_id="tent-blue", sku="T-R"),
        stock(6, sku="T-R"),
    )
    run(made.all_done())

    assert known_stock(made) == 5


def test_it_counts_for_what_comes_after_it_and_not_before_in_one_batch_and_in_many() -> None:
    story = [
        viewed("ada", 0),
        viewed("bob", 0.5, "tent-blue"),
        told(1, "red", **RED, sku="T-R"),
        stock(2, 1, "s1", sku="T-R"),
        told(3, "blue", product_id="tent", variant_id="tent-blue", sku="T-R"),
        stock(4, 2, "s2", sku="T-R"),
    ]

    def goods_after(pieces: list[list[Event]]) -> dict[str, int | None]:
        made = World(engine=Engine(EAGER))
        for piece in pieces:
            made.send(*piece)
            run(made.all_done())
        return {key: known_stock(made, key=key) for key in ("tent/tent-red", "tent/tent-blue")}

    assert (
        goods_after([story]) == goods_after([[event] for event in story]) == {"tent/tent-red": 1, "tent/tent-blue": 2}
    )


def test_above_the_bound_those_told_longest_ago_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_names, "NAMES_MAX", 3)
    monkeypatch.setattr(product_names, "GIVE_WAY", 1)
    made = World(engine=Engine(EAGER))
    for number in range(5):
        made.send(told(number, f"u{number}", product_id=f"p{number}", sku=f"sku{number}"))
        run(made.all_done())
    _, names = held(made)

    assert sorted(named.product_id for named in names.values()) == ["p2", "p3", "p4"]
