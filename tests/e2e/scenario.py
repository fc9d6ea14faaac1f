"""A small shop's afternoon as Kafka records, and by plain arithmetic what must come of it.

Nothing here knows the engine: the expected money, carts and triggers follow from how the story was written. Events carry
times of a few hours ago, so that every reminder is due by the time a worker has caught up, and none has expired.
"""

import json
import random
from dataclasses import dataclass, field

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@dataclass
class Expected:
    """What must hold for one customer at the end. Money in cents."""

    orders: int = 0
    gross: int = 0
    discount: int = 0
    refund: int = 0
    cancelled: int = 0
    abandoned: set[str] = field(default_factory=set)
    """Carts that must be reminded of, exactly once."""
    bought_late: set[str] = field(default_factory=set)
    """Those of them that were bought after the hour: the reminder is converted, or taken back, exactly once."""
    in_cart: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def net(self) -> int:
        return self.gross - self.discount - self.refund


@dataclass
class Record:
    """One record to produce: logical topic, key, JSON value, and its event time (production order)."""

    topic: str
    key: str
    value: bytes
    at_ms: int


class Scenario:
    """`customers` customers with carts and orders; the same seed gives the same records and the same expectations."""

    def __init__(self, seed: int, customers: int, now_ms: int, *, prefix: str = "") -> None:
        self._random = random.Random(seed)
        self._numbers = 0
        self.start_ms = now_ms - 6 * HOUR_MS
        self.records: list[Record] = []
        self.expected: dict[str, Expected] = {}
        for number in range(customers):
            self._customer(f"{prefix}u{number}")
        self.records.sort(key=lambda record: record.at_ms)

    def _customer(self, user: str) -> None:
        expected = self.expected[user] = Expected()
        begin_ms = self.start_ms + self._random.randrange(60) * MINUTE_MS
        self._tell(
            "identities", user, begin_ms, "Identified", imported=True, consent=[{"state": "GRANT", "channel": "email"}]
        )
        for _ in range(self._random.randrange(4)):
            at_ms = begin_ms + self._random.randrange(1, 30) * MINUTE_MS
            self._tell(
                "clickstream", user, at_ms, "Product Viewed", product=self._product("A"), anonymous_id=f"a-{user}"
            )
        self._cart(user, expected, begin_ms + 30 * MINUTE_MS)
        for number in range(self._random.randrange(3)):
            self._order(user, expected, f"{user}-x{number}", begin_ms + self._random.randrange(40, 300) * MINUTE_MS)

    def _cart(self, user: str, expected: Expected, at_ms: int) -> None:
        cart = f"{user}-c"
        price = self._random.randrange(100, 9000)
        what = {"product_id": f"{user}-p", "price_minor": price, "quantity": 2}
        added = self._tell("carts", user, at_ms, "Product Added", cart_id=cart, product=what)
        if self._random.random() < 0.3:
            self.records.append(added)
        fate = self._random.choice(("abandoned", "bought in time", "bought late", "emptied"))
        if fate == "emptied":
            self._tell("carts", user, at_ms + 5 * MINUTE_MS, "Product Removed", cart_id=cart, product=what)
            return
        if fate != "abandoned":
            placed_ms = at_ms + (20 if fate == "bought in time" else 150) * MINUTE_MS
            line = {**what, "list_minor": 2 * price}
            self._tell(
                "orders", user, placed_ms, "Order Completed", order_id=f"{user}-o", cart_id=cart, products=[line]
            )
            expected.orders += 1
            expected.gross += 2 * price
        else:
            expected.in_cart[cart] = {f"{user}-p": 2}
        if fate != "bought in time":
            expected.abandoned.add(cart)
        if fate == "bought late":
            expected.bought_late.add(cart)

    def _order(self, user: str, expected: Expected, order_id: str, at_ms: int) -> None:
        price, discount = self._random.randrange(500, 20_000), self._random.randrange(0, 400)
        products = [{"product_id": "Z", "price_minor": price}]
        told = self._tell(
            "orders",
            user,
            at_ms,
            "Order Completed",
            order_id=order_id,
            cart_id="elsewhere",
            products=products,
            discount_minor=discount,
        )
        if self._random.random() < 0.2:
            self.records.append(told)
        fate = self._random.choice(("kept", "kept", "refunded", "cancelled"))
        if fate == "cancelled":
            self._tell("orders", user, at_ms + MINUTE_MS, "Order Cancelled", order_id=order_id)
            expected.cancelled += 1
            return
        expected.orders += 1
        expected.gross += price
        expected.discount += discount
        if fate == "refunded":
            amount = self._random.randrange(1, 400)
            refund = self._tell(
                "orders",
                user,
                at_ms - MINUTE_MS,
                "Order Refunded",
                order_id=order_id,
                refund_id=f"{order_id}-r",
                amount_minor=amount,
            )
            self.records.append(refund)
            expected.refund += amount

    def _product(self, product_id: str) -> dict[str, object]:
        return {"product_id": product_id, "price_minor": 1000, "category": "tea"}

    def _tell(self, topic: str, user: str, at_ms: int, name: str, **fields: object) -> Record:
        self._numbers += 1
        event = {
            "event": name,
            "message_id": f"{user}-m{self._numbers}",
            "timestamp_ms": at_ms,
            "received_at_ms": at_ms,
            "user_id": user,
            **fields,
        }
        record = Record(topic, user, json.dumps(event).encode(), at_ms)
        self.records.append(record)
        return record
