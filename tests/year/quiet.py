"""Some years of customers who order for a while, fall silent, perhaps come back, and complain now and then.

Everything is drawn from one seed.
"""

from typing import Final

from tests.year.shop import DAY_MS, HOUR_MS, START_MS, Event
from tests.year.talker import Talker, as_heard

YEARS: Final = 3
END_MS: Final = START_MS + YEARS * 365 * DAY_MS + HOUR_MS


def years(seed: int, customers: int) -> list[Event]:
    """All events in their order of arrival."""
    return as_heard(Customer(seed, number).live() for number in range(customers))


class Customer(Talker):
    """One customer, and when she buys."""

    def __init__(self, seed: int, number: int) -> None:
        super().__init__("quiet", seed, number)
        self._orders = 0

    def live(self) -> list[Event]:
        random = self._random
        self._tell("Identified", START_MS, traits={"email": f"{self._name}@example.org"})
        at_ms = START_MS
        for state in random.choice(((), ("GRANT",), ("GRANT",), ("GRANT",), ("GRANT", "REVOKED", "GRANT"))):
            self._tell("Consent Changed", at_ms, consent=[{"state": state, "channel": "email"}])
            at_ms += int(random.uniform(100, 500) * DAY_MS)
        at_ms = START_MS + int(random.uniform(1, 200) * DAY_MS)
        while at_ms < END_MS:
            pace = random.choice((2, 5, 10, 25))
            for _ in range(random.choice((1, 2, 4, 8, 20))):
                self._order(at_ms)
                at_ms += int(random.expovariate(1 / pace) * DAY_MS) + HOUR_MS
            at_ms += int(random.choice((30, 90, 90, 300, 600)) * random.random() * DAY_MS)
        for _ in range(random.choice((0, 3, 8))):
            self._complain(START_MS + int(random.uniform(50, YEARS * 365) * DAY_MS))
        return self._heard_before(END_MS)

    def _order(self, at_ms: int) -> None:
        random = self._random
        self._orders += 1
        order = f"{self._name}-o{self._orders}"
        price = 0 if random.random() < 0.05 else 2000
        late_ms = int(random.random() * 20 * HOUR_MS) if random.random() < 0.08 else 0
        products = [{"product_id": "tea", "quantity": 1, "price_minor": price}]
        at_ms = self._tell("Order Completed", at_ms, late_ms, order_id=order, products=products)
        draw = random.random()
        if draw < 0.08:
            days = random.choice((0.5, 10, 100))
            self._tell("Order Cancelled", at_ms + late_ms + int(random.random() * days * DAY_MS) + 1, order_id=order)
        elif draw < 0.15:
            self._tell("Order Refunded", at_ms + late_ms + int(random.random() * 20 * DAY_MS) + 1, order_id=order)

    def _complain(self, at_ms: int) -> None:
        random = self._random
        if random.random() < 0.5:
            at_ms = self._tell("NPS Submitted", at_ms, score=random.choice((1, 4, 6, 8, 10)))
            if random.random() < 0.7:
                told = {"case_id": self._events[-1]["message_id"], "state": "resolved"}
                self._tell("Case Updated", at_ms + int(random.random() * 20 * DAY_MS), **told)
            return
        ticket = f"{self._name}-t{len(self._events)}"
        at_ms = self._tell("Ticket Opened", at_ms, ticket_id=ticket)
        for name in random.choice(
            ((), ("Ticket Resolved",), ("Ticket Updated",), ("Ticket Updated", "Ticket Resolved"))
        ):
            at_ms = self._tell(name, at_ms + int(random.random() * 25 * DAY_MS), ticket_id=ticket)
