"""A year of a shop: customers who sign up, look around, fill carts, buy, run out, send back, complain, review, unsubscribe.

Everything is drawn from one seed. No two events of a customer share a millisecond, carts are never refilled once they are
empty, and orders name the cart they came from or buy what was in no cart: the story is rich, but a query can tell it.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
YEAR_MS: Final = 365 * DAY_MS
START_MS: Final = 1_767_225_600_000  # 2026-01-01T00:00Z
COUNTRIES: Final = {"Europe/Berlin": "DE", "America/New_York": "US", "Asia/Kolkata": "IN", "Australia/Sydney": "AU"}
ZONES: Final = (*COUNTRIES, None)
HOME: Final = "DE"
"""Where parcels arrive sooner. Customers of whom no zone is known live at home too, as far as the shop knows."""
SHOP_ZONE: Final = "Europe/London"
BROWSED: Final = tuple(f"b{number}" for number in range(30))
"""Products that are looked at, put into carts and bought from them."""
SUPPLIES: Final = {"coffee": 21, "shampoo": 45, "dogfood": 30}
"""Products that are bought at the till and run out after so many days; they are in no cart."""
EXTRA: Final = "mug"
"""Bought along with a supply now and then; in no cart either."""

Event = dict[str, Any]


def year(seed: int, customers: int, start_ms: int = START_MS) -> list[Event]:
    """All events of the year in the order in which they happened, which is the order of arrival."""
    events = [event for number in range(customers) for event in Customer(seed, number, start_ms).live()]
    events.sort(key=lambda event: (event["timestamp_ms"], event["message_id"]))
    return events


def lines(events: list[Event]) -> Iterator[str]:
    """The events as JSON lines; one in a hundred comes twice, as senders do after a lost answer."""
    for number, event in enumerate(events):
        line = json.dumps(event)
        yield line
        if number % 100 == 7:
            yield line


class Customer:
    """One customer and her habits."""

    def __init__(self, seed: int, number: int, start_ms: int) -> None:
        self._random = Random(f"{seed}/{number}")
        self._name = f"u{number}"
        self._start_ms = start_ms
        self._events: list[Event] = []
        self._taken: set[int] = set()
        self._carts = 0
        self._orders = 0

    def live(self) -> list[Event]:
        """Her whole year."""
        random = self._random
        joined_ms = self._start_ms + int(random.random() * 0.6 * YEAR_MS)
        self._join(joined_ms)
        visits_a_day = random.choice((0.01, 0.03, 0.06, 0.12))
        at_ms = joined_ms + int(random.expovariate(1) * HOUR_MS)
        while at_ms < self._end_ms:
            self._visit(at_ms)
            at_ms += int(random.expovariate(visits_a_day) * DAY_MS) + HOUR_MS
        for product, unit_days in SUPPLIES.items():
            if random.random() < 0.25:
                self._stock_up(product, unit_days, joined_ms)
        if random.random() < 0.12:
            gone_ms = joined_ms + int(random.random() * 200 * DAY_MS)
            self._tell("Unsubscribed", gone_ms, message_channel="email")
            if random.random() < 0.3:
                self._consent(gone_ms + int(random.random() * 60 * DAY_MS), "GRANT")
        if random.random() < 0.4:
            self._answer(joined_ms + int(random.random() * 200 * DAY_MS))
        return [event for event in self._events if event["timestamp_ms"] < self._end_ms]

    @property
    def _end_ms(self) -> int:
        return self._start_ms + YEAR_MS

    def _tell(self, name: str, at_ms: int, **fields: Any) -> int:
        """An event at about this time; the very time is given back."""
        while at_ms in self._taken:
            at_ms += 1
        self._taken.add(at_ms)
        number = len(self._events)
        told = {"event": name, "message_id": f"{self._name}-{number}", "timestamp_ms": at_ms, "user_id": self._name}
        self._events.append(told | fields)
        return at_ms

    # --- joining ---

    def _join(self, at_ms: int) -> None:
        random = self._random
        traits: dict[str, Any] = {"email": f"{self._name}@example.org"}
        zone = random.choice(ZONES)
        told: dict[str, Any] = {}
        if zone is not None:
            traits["timezone"] = zone
            told["country"] = COUNTRIES[zone]
        if random.random() < 0.5:
            traits["birthday"] = f"{random.randint(1950, 2004)}-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}"
        if random.random() < 0.05:
            traits["tags"] = ["employee"]
        if random.random() < 0.1:  # bought at the till long before she gave her address
            self._order(at_ms - 3 * DAY_MS, ("till",))
        self._tell("Identified", at_ms, traits=traits, channel="server", **told)
        draw = random.random()
        if draw < 0.6:
            self._consent(at_ms + 1000, "GRANT")
        elif draw < 0.75:
            self._tell("Signed Up", at_ms + 2000)
            if random.random() < 0.7:
                self._consent(at_ms + random.choice((60_000, HOUR_MS, 3 * DAY_MS)), "GRANT")
        elif draw < 0.85:
            self._consent(at_ms + 1000, "DENY")

    def _consent(self, at_ms: int, state: str) -> None:
        self._tell("Consent Changed", at_ms, consent=[{"state": state, "channel": "email"}])

    # --- visits ---

    def _visit(self, at_ms: int) -> None:
        """She looks around, sometimes at one product only; perhaps she comes back for more within an hour or two."""
        random = self._random
        seen = random.choices(BROWSED, k=random.choice((1, 1, 1, 2, 3, 4, 5, 6)))
        for product in seen:
            at_ms += int(random.expovariate(1 / 90_000)) + 2000
            at_ms = self._browse("Product Viewed", at_ms, product=_product(product))
        if random.random() < 0.3:
            at_ms = self._browse("Page Viewed", at_ms + int(random.expovariate(1 / 40_000)) + 1000)
        if random.random() < 0.08:
            self._tell("Unsubscribed", at_ms + int(random.random() * 50 * MINUTE_MS), message_channel="email")
            self._consent(at_ms + int(random.random() * 20 * DAY_MS) + HOUR_MS, "GRANT")
        if random.random() < 0.15:
            at_ms += int(random.uniform(20, 100) * MINUTE_MS)
            again = random.choice((*seen, *random.choices(BROWSED, k=2)))
            at_ms = self._browse("Product Viewed", at_ms, product=_product(again))
            seen.append(again)
        if random.random() < 0.4:
            self._trip(at_ms, sorted(set(seen)))

    def _browse(self, name: str, at_ms: int, **fields: Any) -> int:
        return self._tell(name, at_ms, channel="browser", anonymous_id=f"device-{self._name}", **fields)

    def _trip(self, at_ms: int, wanted: list[str]) -> None:
        """A cart is filled, perhaps thinned out, looked at, checked out, bought, forgotten, taken up again."""
        random = self._random
        self._carts += 1
        cart = f"{self._name}-cart{self._carts}"
        held: list[str] = []
        for product in wanted[: random.randint(1, 4)]:
            at_ms = self._change(at_ms, "Product Added", cart, product)
            held.append(product)
        if random.random() < 0.2:
            at_ms = self._change(at_ms, "Product Removed", cart, held.pop())
        if random.random() < 0.15:  # all of it is put back
            for product in held:
                at_ms = self._change(at_ms, "Product Removed", cart, product)
            return
        if not held:
            return
        if random.random() < 0.3:
            at_ms = self._browse("Cart Viewed", at_ms + int(random.random() * 2 * HOUR_MS), cart_id=cart)
        if random.random() < 0.25:  # back the next days for one more
            at_ms += int(random.choice((0.5, 5, 20, 40)) * HOUR_MS)
            more = [product for product in BROWSED if product not in wanted]
            at_ms = self._change(at_ms, "Product Added", cart, random.choice(more))
        checkout = None
        if random.random() < 0.5:
            checkout = f"{cart}-checkout"
            at_ms += int(random.expovariate(1 / (10 * MINUTE_MS)))
            told = {"cart_id": cart, "checkout_id": checkout, "products": [_product(product) for product in held]}
            at_ms = self._browse("Checkout Started", at_ms, **told)
            if random.random() < 0.4:
                at_ms += int(random.random() * 80 * MINUTE_MS)
                at_ms = self._browse("Checkout Step Completed", at_ms, cart_id=cart, checkout_id=checkout, step=2)
        draw = random.random()
        if draw < 0.35:
            bought_ms = at_ms + int(random.expovariate(1 / (15 * MINUTE_MS)))
        elif draw < 0.55:
            bought_ms = at_ms + int(random.random() * 60 * HOUR_MS)
        else:
            return
        order = {"cart_id": cart} if checkout is None else {"cart_id": cart, "checkout_id": checkout}
        self._order(bought_ms, tuple(held), **order)

    def _change(self, at_ms: int, name: str, cart: str, product: str) -> int:
        at_ms += int(self._random.expovariate(1 / (4 * MINUTE_MS))) + 1000
        return self._browse(name, at_ms, cart_id=cart, product=_product(product))

    # --- orders and what follows ---

    def _order(self, at_ms: int, products: tuple[str, ...], **fields: Any) -> None:
        """An order, and what becomes of it."""
        random = self._random
        self._orders += 1
        order = f"{self._name}-o{self._orders}"
        at_ms = self._tell("Order Completed", at_ms, order_id=order, products=[*map(_product, products)], **fields)
        draw = random.random()
        if draw < 0.12:
            cancelled_ms = at_ms + int(random.random() * random.choice((1, 1, 15)) * DAY_MS)
            self._tell("Order Cancelled", cancelled_ms, order_id=order)
            if cancelled_ms < at_ms + DAY_MS:
                return
        elif draw < 0.35:
            self._refund(at_ms + int(random.uniform(1, 30) * DAY_MS), order, products)
        if "till" not in products:
            self._parcel(at_ms, order, products)

    def _refund(self, at_ms: int, order: str, products: tuple[str, ...]) -> None:
        """Money for one of the products, for all that is left, or a little for the trouble."""
        random = self._random
        told: dict[str, Any] = {"order_id": order, "refund_id": f"{order}-r"}
        draw = random.random()
        if draw < 0.6:
            told["products"] = [_product(random.choice(products))]
        elif draw < 0.8:
            told["amount_minor"] = _PRICE_MINOR // 3
        self._tell("Order Refunded", at_ms, **told)

    def _parcel(self, at_ms: int, order: str, products: tuple[str, ...]) -> None:
        """It is sent and arrives, of some only one of the two is told; some goods come back, some are reviewed."""
        random = self._random
        draw = random.random()
        arrived_ms = at_ms + int(random.uniform(2, 6) * DAY_MS)
        if draw < 0.45:
            sent_ms = self._tell("Order Fulfilled", at_ms + int(random.uniform(0.1, 1.5) * DAY_MS), order_id=order)
            arrived_ms = sent_ms + int(random.uniform(1, random.choice((6, 6, 6, 30))) * DAY_MS)
        if 0.1 <= draw < 0.92:
            arrived_ms = self._tell("Order Delivered", arrived_ms, order_id=order)
        if random.random() < 0.15:
            back = {"products": [_product(random.choice(products))]} if random.random() < 0.7 else {}
            self._tell("Order Returned", arrived_ms + int(random.uniform(0.5, 20) * DAY_MS), order_id=order, **back)
        if random.random() < 0.15:
            ticket, asked_ms = f"{order}-t", arrived_ms + int(random.uniform(-1, 14) * DAY_MS)
            asked_ms = self._tell("Ticket Opened", asked_ms, ticket_id=ticket)
            if random.random() < 0.7:
                self._tell("Ticket Resolved", asked_ms + int(random.uniform(0.1, 12) * DAY_MS), ticket_id=ticket)
        if random.random() < 0.2:
            self._tell(
                "Product Reviewed",
                arrived_ms + int(random.uniform(1, 20) * DAY_MS),
                product_id=random.choice(products),
                rating=random.randint(1, 5),
            )

    def _answer(self, at_ms: int) -> None:
        """She tells how likely she is to recommend the shop; of those who are not, the shop takes care of most."""
        random = self._random
        case = f"{self._name}-{len(self._events)}"
        score = random.randint(0, 10)
        at_ms = self._tell("NPS Submitted", at_ms, score=score)
        if score <= 6 and random.random() < 0.7:
            solved_ms = at_ms + int(random.uniform(0.5, 40) * DAY_MS)
            self._tell("Case Updated", solved_ms, case_id=case, state="resolved")

    def _stock_up(self, product: str, unit_days: int, joined_ms: int) -> None:
        """She buys it again and again, roughly at her own pace, until she loses interest."""
        random = self._random
        pace = unit_days * random.uniform(0.7, 1.5)
        at_ms = joined_ms + int(random.random() * 40 * DAY_MS)
        for _ in range(random.randint(1, 9)):
            self._order(at_ms, (product, EXTRA) if random.random() < 0.2 else (product,))
            at_ms += int(pace * random.choice((0.5, 0.9, 1.0, 1.1, 1.6, 4.0)) * DAY_MS)


_PRICE_MINOR: Final = 1000


def _product(product_id: str) -> dict[str, Any]:
    return {"product_id": product_id, "price_minor": _PRICE_MINOR, "quantity": 1}
