"""A small shop's afternoon as Kafka records, and by plain arithmetic what must come of it.

Nothing here knows the engine: the expected money, carts and triggers follow from how the story was written.

A `Scenario` has times of a few hours ago, so that every reminder is due by the time a worker has caught up, and none has
expired. It is for logs that are complete when the first worker starts: a worker that was there before would have a clock
far past it. For stories told to workers that run there is `stories`, see there.
"""

import json
import random
from dataclasses import dataclass, field, replace

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
    """One record to produce: logical topic, key, value, its event time (production order), and where it goes if not home."""

    topic: str
    key: str | None
    value: bytes | None
    at_ms: int
    partition: int | None = None

    @classmethod
    def of(cls, topic: str, user: str, at_ms: int, name: str, **fields: object) -> "Record":
        """One event of a customer, received when it happened."""
        event = {
            "event": name,
            "message_id": f"{user}-{name}-{at_ms}",
            "timestamp_ms": at_ms,
            "received_at_ms": at_ms,
            "user_id": user,
            **fields,
        }
        return cls(topic, user, json.dumps(event).encode(), at_ms)


def left_cart(user: str, at_ms: int) -> list[Record]:
    """A customer who may be written to puts something into a cart `user`-c and leaves it there."""
    consent = [{"state": "GRANT", "channel": "email"}]
    product = {"product_id": "tea", "price_minor": 1250, "quantity": 2}
    return [
        Record.of("identities", user, at_ms - MINUTE_MS, "Identified", imported=True, consent=consent),
        Record.of("carts", user, at_ms, "Product Added", cart_id=f"{user}-c", product=product),
    ]


RULES = """
[quiet_hours]
enabled = false

[caps]
max_in_24h = 1000
max_in_7d = 1000
max_in_day = 1000
"""
"""Nothing waits for the morning, whatever the time is when the tests run, or for tomorrow."""

BRISK_RULES = f"""{RULES}
[cart_abandoned]
delay = "1min"
"""
BRISK_SETTINGS = {"REGULARS_CLOCK_GRACE_MS": "3600000", "REGULARS_CLOCK_DISORDER_MS": "420000"}
"""For `stories`: an idle partition's clock stays an hour behind, and any partition's seven minutes behind its events."""


def stories(parts: int, customers: int, seed: int, now_ms: int) -> "tuple[list[list[Record]], Scenario]":
    """Stories of different customers, each to be told at another moment, and what all of them together must come to.

    To be told to workers that run, with BRISK_SETTINGS and BRISK_RULES: a minute is a second here, so each story is over in
    six, and the clock is at no time past a story that is still to be told, in whatever order its topics are read. So what
    comes of it is exact. An order that is late by minutes is no late one then: its cart is never reminded of.
    `last_words` make the clock pass it all.
    """
    begin_ms = now_ms - 55 * MINUTE_MS
    step_ms = 36 * MINUTE_MS // max(1, parts - 1)
    told = [
        Scenario(seed + part, customers, now_ms, prefix=f"s{part}-", start_ms=begin_ms + part * step_ms, minute_ms=1000)
        for part in range(parts)
    ]
    whole = Scenario(seed, 0, now_ms)
    for part in told:
        whole.expected |= part.expected
    for expected in whole.expected.values():
        expected.abandoned -= expected.bought_late
        expected.bought_late.clear()
    return [part.records for part in told], whole


def last_words(partitions: int, at_ms: int) -> list[Record]:
    """A click for every partition."""
    product = {"product_id": "clock", "price_minor": 1}
    return [
        replace(Record.of("clickstream", f"last{p}-{at_ms}", at_ms, "Product Viewed", product=product), partition=p)
        for p in range(partitions)
    ]


class Scenario:
    """`customers` customers with carts and orders; the same seed gives the same records and the same expectations."""

    def __init__(
        self,
        seed: int,
        customers: int,
        now_ms: int,
        *,
        prefix: str = "",
        start_ms: int | None = None,
        minute_ms: int = MINUTE_MS,
    ) -> None:
        self._random = random.Random(seed)
        self._numbers = 0
        self._minute_ms = minute_ms
        self.start_ms = now_ms - 6 * HOUR_MS if start_ms is None else start_ms
        self.records: list[Record] = []
        self.expected: dict[str, Expected] = {}
        for number in range(customers):
            self._customer(f"{prefix}u{number}")
        self.records.sort(key=lambda record: record.at_ms)

    def _customer(self, user: str) -> None:
        expected = self.expected[user] = Expected()
        begin_ms = self.start_ms + self._random.randrange(60) * self._minute_ms
        self._tell(
            "identities", user, begin_ms, "Identified", imported=True, consent=[{"state": "GRANT", "channel": "email"}]
        )
        for _ in range(self._random.randrange(4)):
            at_ms = begin_ms + self._random.randrange(1, 30) * self._minute_ms
            self._tell(
                "clickstream", user, at_ms, "Product Viewed", product=self._product("A"), anonymous_id=f"a-{user}"
            )
        self._cart(user, expected, begin_ms + 30 * self._minute_ms)
        for number in range(self._random.randrange(3)):
            self._order(
                user, expected, f"{user}-x{number}", begin_ms + self._random.randrange(40, 300) * self._minute_ms
            )

    def _cart(self, user: str, expected: Expected, at_ms: int) -> None:
        cart = f"{user}-c"
        price = self._random.randrange(100, 9000)
        what = {"product_id": f"{user}-p", "price_minor": price, "quantity": 2}
        added = self._tell("carts", user, at_ms, "Product Added", cart_id=cart, product=what)
        if self._random.random() < 0.3:
            self.records.append(added)
        fate = self._random.choice(("abandoned", "bought in time", "bought late", "emptied"))
        if fate == "emptied":
            self._tell("carts", user, at_ms + 5 * self._minute_ms, "Product Removed", cart_id=cart, product=what)
            return
        if fate != "abandoned":
            placed_ms = at_ms + (20 if fate == "bought in time" else 150) * self._minute_ms
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
            self._tell("orders", user, at_ms + self._minute_ms, "Order Cancelled", order_id=order_id)
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
                at_ms - self._minute_ms,
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
        record = Record.of(topic, user, at_ms, name, **{"message_id": f"{user}-m{self._numbers}", **fields})
        self.records.append(record)
        return record
