"""Some years of a shop's buyers: orders and what becomes of them, refused payments, coupons, answers, tickets, goodbyes.

Everything is drawn from one seed. No two events of a customer share a millisecond.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

from tests.year.shop import COUNTRIES, DAY_MS, HOUR_MS, MINUTE_MS, ZONES, Event

START_MS: Final = 1_709_164_800_000  # 2024-02-29T00:00Z
YEARS: Final = 3
PRICES: Final = {"p1": 900, "p2": 1900, "p3": 4900, "p4": 9900, "p5": 15000}
COSTS: Final = {"p1": 300, "p2": 1500, "p3": 2500, "p4": 9000, "p5": 5000}
CONTENTS: Final = {"p2": ("care",), "p3": ("care", "recipe"), "p4": ("setup",)}


def years(seed: int, customers: int) -> list[Event]:
    """All events in the order in which they happened."""
    events = [event for number in range(customers) for event in Buyer(seed, number).live()]
    events.sort(key=lambda event: (event["timestamp_ms"], event["message_id"]))
    return events


def lines(events: list[Event]) -> Iterator[str]:
    """The events as JSON lines; one in fifty comes twice."""
    for number, event in enumerate(events):
        line = json.dumps(event)
        yield line
        if number % 50 == 7:
            yield line


class Buyer:
    """One customer and what she does."""

    def __init__(self, seed: int, number: int) -> None:
        self._random = Random(f"buyers/{seed}/{number}")
        self._name = f"u{number}"
        self._events: list[Event] = []
        self._taken: set[int] = set()
        self._end_ms = START_MS + YEARS * 365 * DAY_MS
        self._count = 0

    def live(self) -> list[Event]:
        random = self._random
        joined_ms = START_MS + int(random.random() * 200 * DAY_MS)
        if random.random() < 0.1:
            joined_ms = START_MS + int(random.random() * 8 * HOUR_MS)
        self._join(joined_ms)
        pace = random.choice((10, 25, 45, 80, 150)) * DAY_MS
        at_ms = joined_ms + int(random.expovariate(1) * HOUR_MS)
        buys_until = at_ms + int(random.choice((0.1, 0.3, 0.6, 1, 1)) * YEARS * 365 * DAY_MS)
        while at_ms < min(self._end_ms, buys_until):
            self._buy(at_ms)
            at_ms += int(random.expovariate(1) * pace) + MINUTE_MS
        for _ in range(random.choice((0, 0, 1, 2, 5, 9))):
            self._answer(joined_ms + int(random.random() * YEARS * 365 * DAY_MS))
        for _ in range(random.choice((0, 0, 1, 3))):
            self._coupon(joined_ms + int(random.random() * YEARS * 365 * DAY_MS))
        for _ in range(random.choice((0, 0, 1, 2, 5))):
            self._leave(joined_ms + int(random.random() * 900 * DAY_MS))
        for _ in range(random.choice((0, 0, 10))):
            self._tell("Page Viewed", joined_ms + int(random.random() * 1000 * DAY_MS), channel="browser")
        return [event for event in self._events if event["timestamp_ms"] < self._end_ms]

    def _tell(self, name: str, at_ms: int, **fields: Any) -> int:
        while at_ms in self._taken:
            at_ms += 1
        self._taken.add(at_ms)
        told = {
            "event": name,
            "message_id": f"{self._name}-{len(self._events)}",
            "timestamp_ms": at_ms,
            "user_id": self._name,
        }
        self._events.append(told | fields)
        return at_ms

    def _join(self, at_ms: int) -> None:
        random = self._random
        traits: dict[str, Any] = {"email": f"{self._name}@example.org"}
        zone = random.choice(ZONES)
        told: dict[str, Any] = {}
        if zone is not None:
            traits["timezone"] = zone
            told["country"] = COUNTRIES[zone]
        self._tell("Identified", at_ms, traits=traits, channel="server", **told)
        if random.random() < 0.9:
            self._consent(at_ms + 1000, "GRANT")

    def _consent(self, at_ms: int, state: str) -> None:
        self._tell("Consent Changed", at_ms, consent=[{"state": state, "channel": "email"}])

    def _leave(self, at_ms: int) -> None:
        random = self._random
        name = random.choice(("Unsubscribed", "Message Marked as Spam", "Message Bounced"))
        told = {"bounce": random.choice(("hard", "hard", "soft"))} if name == "Message Bounced" else {}
        self._tell(name, at_ms, message_channel="email", **told)
        if random.random() < 0.3:
            self._tell("Unsubscribed", at_ms + int(random.random() * 50 * DAY_MS), message_channel="email")
        if random.random() < 0.6:
            self._consent(at_ms + int(random.random() * 60 * DAY_MS), "GRANT")

    def _coupon(self, at_ms: int) -> None:
        random = self._random
        self._count += 1
        coupon = f"{self._name}-c{self._count}"
        expires = at_ms + int(random.choice((1, 2.9, 3.1, 10, 30, 30)) * DAY_MS)
        at_ms = self._tell("Coupon Issued", at_ms, coupon_id=coupon, expires_ms=expires)
        some_ms = at_ms + int(random.random() * (expires - at_ms))
        draw = random.random()
        if draw < 0.2:
            self._tell("Coupon Used", some_ms, coupon_id=coupon, order_id=f"{self._name}-o1")
        elif draw < 0.4:
            applied_ms = self._tell("Coupon Applied", some_ms, coupon_id=coupon, cart_id=f"{coupon}-cart")
            if random.random() < 0.5:
                self._tell(
                    "Coupon Removed",
                    applied_ms + int(random.random() * DAY_MS),
                    coupon_id=coupon,
                    cart_id=f"{coupon}-cart",
                )
        elif draw < 0.5:
            longer = expires + int(random.choice((-2, 5, 20)) * DAY_MS)
            self._tell("Coupon Issued", some_ms, coupon_id=coupon, expires_ms=longer)
        elif draw < 0.6:
            self._order(some_ms, coupon=coupon)

    def _answer(self, at_ms: int) -> None:
        random = self._random
        draw = random.random()
        if draw < 0.5:
            score = random.choice((0, 3, 6, 7, 8, 9, 9, 10, 10, 10))
            at_ms = self._tell("NPS Submitted", at_ms, score=score)
            case = self._events[-1]["message_id"]
            if score <= 6 and random.random() < 0.6:
                solved_ms = at_ms + int(random.uniform(0.5, 40) * DAY_MS)
                self._tell("Case Updated", solved_ms, case_id=case, state="resolved")
            if random.random() < 0.1:
                self._tell(
                    "NPS Submitted", at_ms + int(random.random() * 3 * MINUTE_MS) + 1, score=random.choice((2, 7, 9))
                )
        elif draw < 0.8:
            rating = random.choice((1, 2, 3, 4, 5, 5, 5))
            self._tell("Product Reviewed", at_ms, product_id=random.choice(list(PRICES)), rating=rating)
        else:
            self._count += 1
            ticket = f"{self._name}-t{self._count}"
            self._tell("Ticket Opened", at_ms, ticket_id=ticket)
            if random.random() < 0.7:
                self._tell("Ticket Resolved", at_ms + int(random.uniform(0.1, 20) * DAY_MS), ticket_id=ticket)

    def _buy(self, at_ms: int) -> None:
        random = self._random
        if random.random() < 0.15:
            self._count += 1
            checkout = f"{self._name}-k{self._count}"
            at_ms = self._tell("Payment Failed", at_ms, checkout_id=checkout)
            if random.random() < 0.4:
                at_ms = self._tell("Payment Failed", at_ms + int(random.random() * HOUR_MS), checkout_id=checkout)
            draw = random.random()
            if draw < 0.4:
                return
            at_ms += int(random.expovariate(1 / (40 * MINUTE_MS))) + 1
            if draw < 0.8:
                self._order(at_ms, checkout_id=checkout)
                return
        told = {"coupon": "SPRING"} if random.random() < 0.3 else {}
        self._order(at_ms, **told)

    def _lines(self) -> list[dict[str, Any]]:
        random = self._random
        chosen = random.sample(sorted(PRICES), k=random.choice((1, 1, 2, 3)))
        return [_product(product, random.choice((1, 1, 2))) for product in chosen]

    def _order(self, at_ms: int, **fields: Any) -> None:
        random = self._random
        self._count += 1
        order = f"{self._name}-o{self._count}"
        products = self._lines()
        if random.random() < 0.2:
            fields["discount_minor"] = 200
        at_ms = self._tell("Order Completed", at_ms, order_id=order, products=products, **fields)
        if random.random() < 0.06:
            changed_ms = at_ms + int(random.random() * DAY_MS)
            products = self._lines()
            at_ms = self._tell("Order Updated", changed_ms, order_id=order, products=products, **fields)
        draw = random.random()
        if draw < 0.16:
            cancelled_ms = at_ms + int(random.random() * random.choice((0.5, 2, 30)) * DAY_MS)
            self._tell("Order Cancelled", cancelled_ms, order_id=order)
            if cancelled_ms < at_ms + DAY_MS:
                return
        elif draw < 0.4:
            self._refund(at_ms + int(random.uniform(0.1, 30) * DAY_MS), order, products)
        self._parcel(at_ms, order, products)

    def _refund(self, at_ms: int, order: str, products: list[dict[str, Any]]) -> None:
        """Money for some of the products, one after the other, a little for the trouble, or all of it."""
        random = self._random
        told: dict[str, Any] = {"order_id": order, "refund_id": f"{order}-r"}
        draw = random.random()
        if draw < 0.5:
            first, *others = random.sample(products, k=random.randint(1, len(products)))
            told["products"] = [first | {"quantity": 1}]
            for number, one in enumerate(others):
                back = {"refund_id": f"{order}-r{number}", "products": [one | {"quantity": 1}]}
                self._tell("Order Refunded", at_ms + int(random.random() * 10 * DAY_MS), **told | back)
        elif draw < 0.7:
            told["amount_minor"] = 400
        self._tell("Order Refunded", at_ms, **told)

    def _parcel(self, at_ms: int, order: str, products: list[dict[str, Any]]) -> None:
        random = self._random
        draw = random.random()
        arrived_ms = at_ms + int(random.uniform(2, 6) * DAY_MS)
        if draw < 0.45:
            sent_ms = self._tell("Order Fulfilled", at_ms + int(random.uniform(0.1, 1.5) * DAY_MS), order_id=order)
            arrived_ms = sent_ms + int(random.uniform(1, random.choice((6, 6, 6, 30))) * DAY_MS)
        if 0.1 <= draw < 0.92:
            arrived_ms = self._tell("Order Delivered", arrived_ms, order_id=order)
        if random.random() < 0.15:
            back = {"products": [random.choice(products) | {"quantity": 1}]} if random.random() < 0.7 else {}
            self._tell("Order Returned", arrived_ms + int(random.uniform(0.1, 20) * DAY_MS), order_id=order, **back)


def _product(product: str, quantity: int) -> dict[str, Any]:
    return {
        "product_id": product,
        "price_minor": PRICES[product],
        "cost_minor": COSTS[product],
        "quantity": quantity,
    }
