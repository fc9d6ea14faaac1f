"""A seeded stream of shop events for benchmarks: views, carts and orders of many customers, as canonical JSON.

Nine events in twelve are product views, two change a cart, one is an order; about 320 bytes each. Customers are drawn
uniformly or by a Zipf law (s = 1). Event times run one second apart, ending at `now_ms`.
"""

import random
from collections.abc import Iterator
from itertools import accumulate
from typing import Literal

import msgspec

Draw = Literal["uniform", "zipf"]
PRODUCTS = 500

_encode = msgspec.json.encode


def shop_events(
    events: int, customers: int, *, now_ms: int, draw: Draw = "uniform", seed: int = 1
) -> Iterator[tuple[str, str, bytes]]:
    """(topic, customer, JSON) of each event, in time order. The same arguments give the same events."""
    rng = random.Random(seed)
    names = [f"user-{number}" for number in range(customers)]
    weights = list(accumulate(1 / (rank + 1) for rank in range(customers))) if draw == "zipf" else None
    start_ms = now_ms - events * 1000
    for first in range(0, events, 4096):
        size = min(4096, events - first)
        chosen = rng.choices(names, cum_weights=weights, k=size) if weights else rng.choices(names, k=size)
        for number, user in enumerate(chosen, first):
            yield _event(rng, number, user, start_ms + number * 1000)


def _event(rng: random.Random, number: int, user: str, at_ms: int) -> tuple[str, str, bytes]:
    product = rng.randrange(PRODUCTS)
    what: dict[str, object] = {
        "product_id": f"p{product}",
        "name": "A fine product",
        "category": f"department {product % 20}/aisle",
        "brand": f"brand {product % 30}",
        "price_minor": 500 + product,
        "quantity": 1,
    }
    event: dict[str, object] = {
        "event": "Product Viewed",
        "message_id": f"message-{number:012d}",
        "timestamp_ms": at_ms,
        "received_at_ms": at_ms + 40,
        "user_id": user,
        "anonymous_id": f"device-{user}",
        "channel": "browser",
        "currency": "USD",
    }
    kind = number % 12
    if kind < 9:
        return "clickstream", user, _encode(event | {"product": what})
    cart_id = f"cart-{user}"
    if kind < 11:
        return "carts", user, _encode(event | {"event": "Product Added", "cart_id": cart_id, "product": what})
    order = {"event": "Order Completed", "order_id": f"order-{number}", "cart_id": cart_id, "products": [what]}
    return "orders", user, _encode(event | order)
