"""The year of `lookers`, with what becomes of orders: parcels arrive, money goes back for one product, for a part or for all."""

from typing import Any

from typing_extensions import override

from tests.year.lookers import Shop
from tests.year.shop import DAY_MS


class Parcels(Shop):
    """The year of the whole shop."""

    @override
    def _order(self, at_ms: int, products: list[str], cart: str | None) -> int:
        random, before = self._random, len(self.events)
        at_ms = super()._order(at_ms, products, cart)
        order = self.events[before]
        told: dict[str, Any] = {"order_id": order["order_id"]}
        draw = random.random()
        if draw < 0.3:
            what: dict[str, Any] = random.choice(({}, {"amount_minor": 300}, {"products": order["products"][:1]}))
            self._do("Order Refunded", at_ms + int(random.random() * 10 * DAY_MS), refund_id="r", **told, **what)
        if random.random() < 0.5:
            self._do("Order Delivered", at_ms + int(random.uniform(0.5, 9) * DAY_MS), **told)
        return at_ms
