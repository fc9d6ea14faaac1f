"""What should have been offered with an order or with what was looked at: asked of all that is known, again at each moment.

Naive on purpose: everything is looked up in the list of what happened so far, and no code of the engine is used. What goes
together was learned from others, or is told by the catalogue.
"""

import heapq
from typing import Final, NamedTuple

from typing_extensions import override

from tests.year import looking
from tests.year.shop import DAY_MS, Event

MONTH_MS: Final = 30 * DAY_MS
GOES_WITH: Final = {
    "p0": {"p5": 0.4, "p9": 0.3, "p2": 0.2},
    "p1": {"p0": 0.5},
    "p3": {"p7": 0.6, "p8": 0.1},
    "p4": {"p9": 0.25, "p1": 0.2, "p5": 0.15, "p6": 0.1},
    "p6": {"p1": 0.3, "p11": 0.3},
    "p9": {"p5": 0.2},
    "p10": {"p4": 0.7},
}
"""How strongly products go with another one, as learned."""
COMPLEMENTS: Final = {"p2": ["p3", "p10"], "p6": ["p2"], "p11": ["p0"]}
LEARNED: Final = (("p0", "p1", "p2"), ("p3", "p7"), ("p10", "p4", "p5", "p8"))
OWN: Final = {"night": ["p1", "p6"], "day": ["p6", "p9", "p11"], "all": ["p3", "p7", "p9"]}
BUNDLES: Final = OWN | {" + ".join(one): [*one] for one in LEARNED if not set(one) < set(OWN["all"])}
PRIORITY: Final = {"cross.sell": 600, "bundle.suggest": 610}


class Outcome(NamedTuple):
    """What became of what was due: `about` is the order or the bundle; `reason` is None where `items` were offered."""

    customer: str
    name: str
    about: str
    at: int
    reason: str | None
    items: tuple[str, ...]


class Shop(looking.Shop):
    """The stocks that the catalogue told of so far, and all customers."""

    offered: list[Outcome]

    def outcomes_of_offers(self, until: int) -> list[Outcome]:
        """Everything that came due by `until`."""
        self.offered = []
        for event in self.events:
            self.fire(event["timestamp_ms"])
            if "available" in event:
                self.stocks[event["product_id"]] = event["available"]
            elif "user_id" in event:
                name = event["user_id"]
                self.lives.setdefault(name, Life(self, name)).happened(event)
        self.fire(until + 1)
        return self.offered


class Life(looking.Life):
    """One customer."""

    shop: Shop

    @override
    def happened(self, event: Event) -> None:
        at, name = event["timestamp_ms"], event["event"]
        self.past.append(event)
        match name:
            case "Order Completed":
                self.expect("cross.sell", event["order_id"], at + 7 * DAY_MS)
            case "Order Delivered" if self.may_offer(event["order_id"], at):
                self.expect("cross.sell", event["order_id"], at + 3 * DAY_MS)
            case "Order Cancelled" | "Order Refunded":
                self.forget("cross.sell", event["order_id"])
            case "Unsubscribed":
                self.waiting.clear()
            case "Product Viewed":
                self.begin({event["product"]["product_id"]}, at)
            case "Product Added" | "Product Removed":
                self.begin(set(self.carts(at).get(event["cart_id"], ())), at)

    def may_offer(self, order_id: str, now: int) -> bool:
        """Its time has not come yet, and no money went back: also where an unsubscribe ended it before the parcel came."""
        told = [event for event in self.past if event.get("order_id") == order_id]
        undone = any(event["event"] in ("Order Cancelled", "Order Refunded") for event in told)
        return not undone and now < told[0]["timestamp_ms"] + 7 * DAY_MS

    def begin(self, products: set[str], at: int) -> None:
        """Each bundle of these products of which she lacks the rest."""
        for name, members in BUNDLES.items():
            if products.intersection(members) and ("bundle.suggest", name) not in self.waiting and self.lacks(name, at):
                self.expect("bundle.suggest", name, at + DAY_MS)

    def expect(self, name: str, about: str, due: int) -> None:
        self.waiting[name, about] = due
        heapq.heappush(self.shop.queue, looking.Due(due, PRIORITY[name], self.name, name, about))

    def has(self, now: int) -> set[str]:
        """Bought within a month, and not given back since, or in a cart."""
        bought = {one for order in self.of("Order Completed", since=now - MONTH_MS) for one in self.kept(order)}
        return bought.union(*self.carts(now).values())

    def lacks(self, bundle: str, now: int) -> list[str]:
        """Of a bundle that she has begun: one of it is in a cart, or two were viewed within a month."""
        members = BUNDLES[bundle]
        views = self.of("Product Viewed", since=now - MONTH_MS)
        viewed = {event["product"]["product_id"] for event in views}.intersection(members)
        begun = len(viewed) >= 2 or any(self.in_cart(one, now) for one in members)
        return [one for one in members if one not in self.has(now)] if begun else []

    def goes_with(self, order_id: str, now: int) -> list[str]:
        """Best first: the learned by the sum of how strongly they go with each product, then the complements."""
        (order,) = [event for event in self.of("Order Completed") if event["order_id"] == order_id]
        bought = [*dict.fromkeys(one["product_id"] for one in order["products"])]
        score = {other: 0.0 for one in bought for other in GOES_WITH.get(one, ())}
        for one in bought:
            for other, strength in GOES_WITH.get(one, {}).items():
                score[other] += strength
        found = sorted(score, key=lambda other: (-score[other], other))
        found += [other for one in bought for other in COMPLEMENTS.get(one, ())]
        return [one for one in dict.fromkeys(found) if one not in self.has(now) and one not in bought]

    @override
    def decide(self, name: str, about: str, now: int) -> None:
        del self.waiting[name, about]
        found = self.goes_with(about, now) if name == "cross.sell" else self.lacks(about, now)
        items = [one for one in found if self.shop.stocks.get(one, 1) > 0]
        if not found or (name == "cross.sell" and not items):
            return
        reason = None if items else "out_of_stock"
        if name == "bundle.suggest" and any(one == about and now - at < MONTH_MS for at, _, one, _ in self.sent):
            reason = "cooldown"
        if not self.agreed():
            reason = "no_consent"
        shown = tuple(items[:3] if name == "cross.sell" else items) if reason is None else ()
        self.shop.offered.append(Outcome(self.name, name, about, now, reason, shown))
        if reason is None:
            self.sent.append((now, name, about, 0))
