"""Some years of customers whose habits change: how often they order, for how much, what, and how much of it they send back.

Everything is drawn from one seed.
"""

from typing import Any, Final

from tests.year.shop import DAY_MS, HOUR_MS, START_MS, Event
from tests.year.talker import Talker, as_heard

YEARS: Final = 3
CATEGORIES: Final = ("tea", "coffee", "jam", "bread", "wine")


def years(seed: int, customers: int) -> list[Event]:
    """All events in their order of arrival."""
    return as_heard(Customer(seed, number).live() for number in range(customers))


class Customer(Talker):
    """One customer and her habits, each of which changes now and then."""

    def __init__(self, seed: int, number: int) -> None:
        super().__init__("habits", seed, number)
        self._orders = 0

    def live(self) -> list[Event]:
        random = self._random
        consents = random.choice(((), ("GRANT",), ("GRANT",), ("GRANT",), ("GRANT",), ("GRANT", "REVOKED", "GRANT")))
        self._tell("Identified", START_MS, traits={"email": f"{self._name}@example.org"})
        at_ms = START_MS
        for state in consents:
            self._tell("Consent Changed", at_ms, consent=[{"state": state, "channel": "email"}])
            at_ms += int(random.uniform(100, 500) * DAY_MS)
        pace, even = random.choice((4.0, 8.0, 15.0, 30.0)), random.choice((0.05, 0.2, 0.5))
        worth, wide = random.choice((1500.0, 4000.0)), random.choice((0.05, 0.3))
        liked, back = self._tastes(), random.choice((0.02, 0.1))
        at_ms = START_MS + int(random.uniform(1, 60) * DAY_MS)
        end_ms = START_MS + YEARS * 365 * DAY_MS
        while at_ms < end_ms:
            if random.random() < 0.03:
                pace = min(60, max(3, pace * random.choice((0.4, 0.6, 1.7, 2.5))))
            if random.random() < 0.03:
                worth = min(20_000, max(500, worth * random.choice((0.4, 0.6, 1.6, 2.5))))
            if random.random() < 0.03:
                liked = self._tastes()
            if random.random() < 0.03:
                back = random.choice((0.02, 0.1, 0.5))
            self._order(at_ms, worth * random.lognormvariate(0, wide), liked, back)
            at_ms += int(pace * random.lognormvariate(0, even) * DAY_MS) + 2 * HOUR_MS
        return self._heard_before(end_ms)

    def _tastes(self) -> dict[str, float]:
        random = self._random
        return {one: 0.1 + random.random() ** 3 for one in random.sample(CATEGORIES, random.choice((3, 4, 5)))}

    def _order(self, at_ms: int, worth: float, liked: dict[str, float], back: float) -> None:
        random = self._random
        self._orders += 1
        order = f"{self._name}-o{self._orders}"
        wanted = random.choices(list(liked), list(liked.values()), k=random.choice((1, 2, 3)))
        products: list[dict[str, Any]] = [
            {
                "product_id": f"p-{category}",
                "category": category,
                "quantity": random.choice((1, 1, 2)),
                "price_minor": max(1, int(worth / len(wanted))),
            }
            for category in dict.fromkeys(wanted)
        ]
        late_ms = int(random.random() * 20 * HOUR_MS) if random.random() < 0.08 else 0
        at_ms = self._tell("Order Completed", at_ms, late_ms, order_id=order, products=products)
        since_ms = at_ms + late_ms + int(random.random() * 20 * DAY_MS) + 1
        kept = [one | {"quantity": sum(random.random() >= back for _ in range(one["quantity"]))} for one in products]
        gone = [
            one | {"quantity": one["quantity"] - left["quantity"]} for one, left in zip(products, kept, strict=True)
        ]
        gone = [one for one in gone if one["quantity"]]
        for number, one in enumerate(gone):
            self._tell("Order Refunded", since_ms, order_id=order, refund_id=f"{order}-{number}", products=[one])
        draw = random.random()
        if draw < 0.02:
            self._tell("Order Refunded", since_ms, order_id=order, refund_id=f"{order}-all")
        elif draw < 0.06:
            self._tell("Order Refunded", since_ms, order_id=order, refund_id=f"{order}-some", amount_minor=100)
        if random.random() < (0.3 if gone else 0.04):
            self._tell("Order Cancelled", since_ms + int(random.uniform(-1, 5) * DAY_MS), order_id=order)
