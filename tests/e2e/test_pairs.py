"""What is bought together, counted from a real topic of orders: exact counts and lift, and nothing twice however often it runs.

The figures are worked out by hand. A pair counts from the twenty-first basket of its products on (counts of products are
complete), and tea is always bought with a cup here, so the order in which partitions are read changes nothing.
"""

import json
from pathlib import Path
from typing import Any

from tests.e2e.kit import Shop
from tests.e2e.scenario import MINUTE_MS, Record


def order(number: int, at_ms: int, *products: str, event: str = "Order Completed") -> Record:
    customer = f"u{number % 17}"
    body = {
        "event": event, "message_id": f"{event}{number}", "timestamp_ms": at_ms, "received_at_ms": at_ms,
        "user_id": customer, "order_id": f"o{number}", "currency": "USD",
        "products": [{"product_id": name, "price_minor": 100, "quantity": 1} for name in products],
    }  # fmt: skip
    return Record("orders", customer, json.dumps(body).encode(), at_ms)


def with_tea(numbers: range, at_ms: int) -> list[Record]:
    return [order(number, at_ms, "tea", "cup") for number in numbers]


def partner(shop: Shop, product: str) -> dict[str, Any]:
    """The strongest partner of a product in the newest document of the topic, which is the one Redis has."""
    _, document = shop.read("models")[-1]
    with shop.client() as client:
        assert json.loads(client.get(f"{shop.prefix}:models")) == document
    return dict(zip(("item", "baskets", "lift", "confidence"), document["together"][product][0], strict=False))


def test_pairs_of_a_real_topic_are_exact_and_a_run_goes_on_where_the_last_one_stood(
    shop: Shop, now_ms: int, tmp_path: Path
) -> None:
    state, at_ms = tmp_path / "pairs.state", now_ms - 60 * MINUTE_MS

    def run() -> str:
        return shop.command("pairs", "--state", str(state))

    singles = [order(number, at_ms, f"thing{number % 70}") for number in range(100, 240)]
    shop.produce([*with_tea(range(60), at_ms), *singles, Record("orders", "u1", b"{no JSON", at_ms)])

    told = run()
    assert "200 baskets, 1 pairs kept" in told
    assert "cup + tea: 40 baskets, 2.2 times chance" in told  # 40 x 200 / (60 x 60)
    # 40 of the 60 baskets with tea
    assert partner(shop, "tea") == {"item": "cup", "baskets": 40, "lift": 2.222, "confidence": 0.6667}

    assert run() == told  # nothing came since, nothing is counted twice

    before = state.read_bytes()
    more = with_tea(range(300, 330), at_ms + MINUTE_MS)
    cancelled = [order(number, at_ms + 2 * MINUTE_MS, event="Order Cancelled") for number in range(300, 310)]
    # The first ones come again too, as they do from a producer that was not sure.
    shop.produce([*more, *with_tea(range(60), at_ms), *cancelled])
    told = run()
    assert "220 baskets, 1 pairs kept" in told
    assert "cup + tea: 60 baskets, 2.1 times chance" in told  # 60 x 220 / (80 x 80)

    # A run that was killed before it wrote its file leaves the one before it: the next does the same again.
    state.write_bytes(before)
    assert run() == told
    assert partner(shop, "cup") == {"item": "tea", "baskets": 60, "lift": 2.062, "confidence": 0.75}
