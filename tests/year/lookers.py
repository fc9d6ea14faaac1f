"""A year of customers who look, wish, search and wait, and of a catalogue whose prices and stocks move under them.

Everything is drawn from one seed; no two events of the shop share a millisecond.
"""

from random import Random
from typing import Any, Final

from tests.year.shop import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Event

PRODUCTS: Final = tuple(f"p{number}" for number in range(12))
QUERIES: Final = ("sofa", "lamp", "rug", "chair")


def category(product: str) -> str:
    """Four categories of three products."""
    return f"c{int(product[1:]) % 4}"


class Shop:
    """The year of the whole shop."""

    def __init__(self, seed: int, customers: int, days: int) -> None:
        self._random = Random(seed)
        self._end_ms = START_MS + days * DAY_MS
        self._taken: set[int] = set()
        self._number = 0
        self.events: list[Event] = []
        self._prices: dict[str, list[tuple[int, int]]] = {}
        for product in PRODUCTS:
            self._move(product)
        self._who = "keeper"
        for number, product in enumerate(PRODUCTS):  # the shop's catalogue knows what somebody watches
            self._browse("Product Viewed", START_MS - HOUR_MS + number, product)
        for number in range(customers):
            self._live(f"u{number}")
        self.events = [event for event in self.events if event["timestamp_ms"] < self._end_ms]
        self.events.sort(key=lambda event: event["timestamp_ms"])

    def _tell(self, name: str, at_ms: int, **fields: Any) -> int:
        while at_ms in self._taken:
            at_ms += 1
        self._taken.add(at_ms)
        self._number += 1
        event = {"event": name, "message_id": f"m{self._number}", "timestamp_ms": at_ms, **fields}
        self.events.append(event)
        return at_ms

    # --- the catalogue ---

    def _move(self, product: str) -> None:
        random = self._random
        price, stock, at_ms = random.randint(500, 3000), random.randint(0, 40), START_MS + random.randint(0, 10**6)
        self._prices[product] = []
        while at_ms < self._end_ms:
            if random.random() < 0.5:
                price = max(100, int(price * random.choice((0.6, 0.85, 0.91, 0.97, 1.05, 1.2, 1.5))))
                if price > 4000:
                    price = 1500
                at_ms = self._tell("Product Price Changed", at_ms, product_id=product, price_minor=price)
                self._prices[product].append((at_ms, price))
            else:
                stock = random.choice((0, 0, 1, 2, 3, 5, 6, 9, 20, stock))
                at_ms = self._tell("Product Stock Changed", at_ms, product_id=product, available=stock)
            at_ms += (
                int(random.expovariate(1 / random.choice((2 * MINUTE_MS, 10 * HOUR_MS, 3 * DAY_MS, 6 * DAY_MS)))) + 1000
            )

    def _product(self, product: str, at_ms: int) -> dict[str, Any]:
        told = {"product_id": product, "category": category(product), "quantity": 1}
        prices = [price for since, price in self._prices[product] if since < at_ms]
        return told | {"price_minor": prices[-1] if prices else 1000}

    # --- customers ---

    def _live(self, name: str) -> None:
        random = self._random
        at_ms = START_MS + DAY_MS + int(random.random() * 30 * DAY_MS)
        self._who = name
        self._carts, self._orders = 0, 0
        consent = [{"state": "GRANT" if random.random() < 0.9 else "DENY", "channel": "email"}]
        self._tell("Identified", at_ms, user_id=name, traits={"email": f"{name}@example.org"}, consent=consent)
        every = random.choice((2, 5, 10, 25, 60))
        while at_ms < self._end_ms:
            at_ms += int(random.expovariate(1 / every) * DAY_MS) + HOUR_MS
            at_ms = self._visit(at_ms)

    def _do(self, name: str, at_ms: int, **fields: Any) -> int:
        return self._tell(name, at_ms, user_id=self._who, **fields)

    def _browse(self, name: str, at_ms: int, product: str, **fields: Any) -> int:
        told = {"channel": "browser", "anonymous_id": f"d-{self._who}"}
        return self._do(name, at_ms, product=self._product(product, at_ms), **told, **fields)

    def _visit(self, at_ms: int) -> int:
        random = self._random
        liked = random.sample(PRODUCTS, 3)
        cart = f"{self._who}-{self._carts}"
        held: list[str] = []
        for _ in range(random.choice((1, 2, 3, 5, 8))):
            at_ms += int(random.expovariate(1 / (4 * MINUTE_MS))) + 500
            if random.random() < 0.2:
                at_ms = self._do("Page Viewed", at_ms, channel="browser", anonymous_id=f"d-{self._who}")
                at_ms += int(random.random() * 40 * MINUTE_MS)
            product = random.choice(liked)
            draw = random.random()
            if draw < 0.40:
                at_ms = self._browse("Product Viewed", at_ms, product)
            elif draw < 0.60:
                told: dict[str, Any] = {"channel": "browser", "anonymous_id": f"d-{self._who}"}
                if random.random() < 0.4:
                    told["results"] = random.choice((0, 4))
                at_ms = self._do("Products Searched", at_ms, query=random.choice(QUERIES), **told)
            elif draw < 0.72:
                at_ms = self._browse("Product Added to Wishlist", at_ms, product)
            elif draw < 0.76:
                at_ms = self._browse("Product Removed from Wishlist", at_ms, product)
            elif draw < 0.82:
                at_ms = self._browse("Stock Alert Subscribed", at_ms, product)
            elif draw < 0.94:
                at_ms = self._browse("Product Added", at_ms, product, cart_id=cart)
                held.append(product)
            elif held:
                at_ms = self._browse("Product Removed", at_ms, held.pop(), cart_id=cart)
        if random.random() < 0.3:
            self._carts += 1
            wanted = held or [random.choice(liked)]
            at_ms = self._order(at_ms + random.choice((1, 20, 300)) * MINUTE_MS, wanted, cart if held else None)
        if random.random() < 0.05:
            at_ms = self._do("Unsubscribed", at_ms + HOUR_MS, message_channel="email")
            if random.random() < 0.8:
                later = at_ms + int(random.random() * 5 * DAY_MS)
                self._do("Consent Changed", later, consent=[{"state": "GRANT", "channel": "email"}])
        return at_ms

    def _order(self, at_ms: int, products: list[str], cart: str | None) -> int:
        random = self._random
        self._orders += 1
        order = f"{self._who}-o{self._orders}"
        named = {} if cart is None else {"cart_id": cart}
        at_ms = self._do(
            "Order Completed", at_ms, order_id=order, products=[self._product(one, at_ms) for one in products], **named
        )
        draw = random.random()
        if draw < 0.15:
            self._do("Order Cancelled", at_ms + int(random.random() * 4 * DAY_MS), order_id=order)
        return at_ms
