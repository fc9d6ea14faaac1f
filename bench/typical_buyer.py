"""Customers who are all alike in size: three orders of two lines, ten categories looked at, four visits over a quarter.

For what a customer takes in Redis: the generated stream of the other benchmarks has customers of all sizes, most of them small.
"""

from collections.abc import Iterator
from random import Random
from typing import Final

from bench.generator import START_MS, Record
from bench.job import DAY_MS
from streams.home import home_partition

ORDERS: Final = 3
CATEGORIES: Final = 10
VISITS: Final = 4
VISIT_EVERY_MS: Final = 30 * DAY_MS
VIEWS_OF_VISIT: Final = 3
GAP_MS: Final = 40_000
BRANDS: Final = 60
SHELF: Final = 48
"""Categories of the shop, of which each customer looks at CATEGORIES."""


def events_of(count: int) -> int:
    """Events of so many customers."""
    return count * (VISITS * VIEWS_OF_VISIT + ORDERS * 3)


def buyers(count: int, partitions: int, *, seed: int = 1) -> Iterator[Record]:
    """Their events in the order of time: all first visits, then all second ones, and so on."""
    rng = Random(seed)
    firsts = [int(rng.random() * SHELF) for _ in range(count)]
    for visit in range(VISITS):
        for number, first in enumerate(firsts):
            user = f"user-{number}"
            partition = home_partition(user, partitions)
            at_ms = START_MS + visit * VISIT_EVERY_MS + number * 50
            for text in _visit(rng, user, visit, first):
                head = (
                    f'"message_id":"{rng.getrandbits(128):032x}","timestamp_ms":{at_ms},"received_at_ms":{at_ms + 40},'
                    f'"user_id":"{user}","channel":"browser",'
                )
                yield Record(partition, user, text.replace("HEAD", head, 1).encode())
                at_ms += GAP_MS


def _visit(rng: Random, user: str, visit: int, first: int) -> Iterator[str]:
    """The events of one visit, the common part of each still to be put in place of HEAD."""
    # Three views each of four visits reach ten categories, the last two are seen again.
    products = [_product(rng, (first + (visit * VIEWS_OF_VISIT + view) % CATEGORIES) % SHELF) for view in range(3)]
    for product in products:
        yield f'{{"event":"Product Viewed",HEAD"product":{product}}}'
    if visit < ORDERS:
        cart = f'"cart_id":"cart-{user}-{visit}","currency":"USD"'
        for product in products[:2]:
            yield f'{{"event":"Product Added",HEAD{cart},"product":{product}}}'
        lines = ",".join(products[:2])
        yield f'{{"event":"Order Completed",HEAD"order_id":"order-{user}-{visit}",{cart},"products":[{lines}]}}'


def _product(rng: Random, category: int) -> str:
    number = category + SHELF * int(rng.random() * 100)
    return (
        f'{{"product_id":"p{number}","name":"garden chair","category":"department {category % 8}/aisle {category // 8}",'
        f'"brand":"brand {number % BRANDS}","price_minor":{199 + number % 150 * 100},"quantity":1}}'
    )
