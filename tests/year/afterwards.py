"""What should have become of triggers that went out, and what hold-outs compare: from the events, by looking at all of them.

Events are in their order of arrival. Naive on purpose, as `tests.year.reference`.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tests.year.shop import DAY_MS, Event

CARTS: Final = ("cart.abandoned", "checkout.abandoned")
BEFORE_MS: Final = 182 * DAY_MS
AFTER_MS: Final = 90 * DAY_MS

Trigger = dict[str, Any]


class Outcome(NamedTuple):
    """What became of a trigger by an order, and what that order was worth then (minor units)."""

    name: str
    trigger_id: str
    order_id: str
    value: int


class Worth(NamedTuple):
    """Orders that count, their net revenue, and the margin left of it (minor units)."""

    orders: int
    net: int
    margin: int


class Compared(NamedTuple):
    """A customer in a comparison: what she brought in the time before her first trigger of it, and in the time after."""

    before: Worth
    after: Worth


class Shop:
    """All that happened, and all that was sent."""

    def __init__(self, events: list[Event], triggers: list[Trigger]) -> None:
        self.sent: dict[str, list[Trigger]] = defaultdict(list)
        """By customer, the last one first."""
        for trigger in sorted(triggers, key=lambda one: -one["emitted_at_ms"]):
            self.sent[trigger["customer"]["user_id"]].append(trigger)
        self.orders = [event for event in events if event["event"] == "Order Completed"]
        self.told: dict[tuple[str, str], list[Event]] = defaultdict(list)
        """By order and name of event."""
        for event in events:
            if "order_id" in event:
                self.told[event["order_id"], event["event"]].append(event)
        self.cart_of = {
            event["checkout_id"]: event["cart_id"] for event in events if "checkout_id" in event and "cart_id" in event
        }

    def outcomes(self) -> list[Outcome]:
        """The first order that is heard of in its time is a trigger's success; one that was placed before it takes it back."""
        found: list[Outcome] = []
        over: set[str] = set()
        for order in self.orders:
            arrived = _arrived(order)
            if self._cancelled(order["order_id"], arrived):
                continue
            told: set[tuple[str, str]] = set()
            for trigger in self.sent[order["user_id"]]:
                name, trigger_id, sent = trigger["name"], trigger["trigger_id"], trigger["emitted_at_ms"]
                if trigger_id in over or sent >= arrived:
                    continue
                placed = order["timestamp_ms"]
                if placed <= sent:
                    if name in CARTS and placed >= trigger["occurred_at_ms"] and self._ends(order, trigger):
                        over.add(trigger_id)
                        found.append(self._outcome("trigger.cancelled", trigger, order))
                elif placed <= sent + (3 if name in CARTS else 7) * DAY_MS and (
                    name not in CARTS or self._covers(order, trigger)
                ):
                    over.add(trigger_id)
                    if (name, trigger["episode_key"]) not in told:  # of several reminders it is the last one's
                        told.add((name, trigger["episode_key"]))
                        found.append(self._outcome("trigger.converted", trigger, order))
                        if name in CARTS:
                            found.append(self._outcome("cart.recovered", trigger, order))
        return found

    def _outcome(self, name: str, trigger: Trigger, order: Event) -> Outcome:
        value = self._worth(order, heard=_arrived(order)).net
        return Outcome(name, trigger["trigger_id"], order["order_id"], value)

    def _ends(self, order: Event, trigger: Trigger) -> bool:
        return trigger["name"] == "checkout.abandoned" or self._covers(order, trigger)

    def _covers(self, order: Event, trigger: Trigger) -> bool:
        """Whether an order is of the cart a trigger was about: the one it names, or its checkout does; else by its goods."""
        key = trigger["episode_key"]
        cart = order.get("cart_id") or self.cart_of.get(order.get("checkout_id", ""))
        if cart is not None:
            return bool(cart == self.cart_of.get(key, key))
        goods = {item["product_id"] for item in trigger["items"]}
        return any(product["product_id"] in goods for product in order["products"])

    def _cancelled(self, order_id: str, heard: int | None = None, told: int | None = None) -> bool:
        return any(self._of(order_id, "Order Cancelled", heard, told))

    def _of(self, order_id: str, name: str, heard: int | None, told: int | None) -> Iterator[Event]:
        """What is known of an order by what was heard of until then, or what had happened before then."""
        for event in self.told[order_id, name]:
            if (heard is None or _arrived(event) <= heard) and (told is None or event["timestamp_ms"] < told):
                yield event

    def _worth(self, order: Event, heard: int | None = None, told: int | None = None) -> Worth:
        """Orders that count, 0 or 1, their net revenue and what is left of it after costs."""
        if self._cancelled(order["order_id"], heard, told):
            return Worth(0, 0, 0)
        net, costs = _price(order), _cost(order)
        kept = order["products"]
        costs += (
            order.get("shipping_cost_minor", 0) + order.get("payment_fee_minor", 0) - order.get("shipping_minor", 0)
        )
        for refund in self._of(order["order_id"], "Order Refunded", heard, told):
            back: list[Any] = []
            if "amount_minor" in refund:
                net -= refund["amount_minor"]
            elif "products" in refund:
                net -= min(net, _price(refund))
                named = {product["product_id"] for product in refund["products"]}
                back = [product for product in kept if product["product_id"] in named]
            else:
                net, back = 0, kept
            if refund.get("restocked", True):
                costs -= _cost({"products": back})
            costs += refund.get("return_shipping_minor", 0) - refund.get("restocking_fee_minor", 0)
        return Worth(1, net, net - costs)

    def compared(self, decided: list[dict[str, Any]], shares: dict[str, float]) -> dict[str, dict[str, list[Compared]]]:
        """Of each comparison the customers of its arms: each from her first trigger on that was sent or withheld, with what
        she brought before and after, orders by when they were placed.
        """
        since: dict[tuple[str, str], int] = {}
        for one in decided:
            if one["name"] in shares:
                who = one["customer_id"].removeprefix("user_id:")
                since[one["name"], who] = min(one["at_ms"], since.get((one["name"], who), one["at_ms"]))
        found: dict[str, dict[str, list[Compared]]] = {name: {"holdout": [], "treated": []} for name in shares}
        for (name, who), start in since.items():
            digest = hashlib.sha256(f"{name}:{who}".encode()).digest()
            arm = "holdout" if int.from_bytes(digest[:8], "big") / 2**64 < shares[name] else "treated"
            hers = [order for order in self.orders if order["user_id"] == who]
            before = [self._worth(one, told=start) for one in hers if start - BEFORE_MS <= one["timestamp_ms"] < start]
            after = [self._worth(one) for one in hers if start <= one["timestamp_ms"] < start + AFTER_MS]
            found[name][arm].append(Compared(_sum(before), _sum(after)))
        return found


def sums(compared: dict[str, dict[str, list[Compared]]]) -> Counter[str]:
    """What the counters of comparisons hold."""
    found: Counter[str] = Counter()
    for name, arms in compared.items():
        for arm, customers in arms.items():
            for one in customers:
                found[f"{name}|{arm}|customers|n"] += 1
                for measure, x, y in zip(Worth._fields, one.before, one.after, strict=True):
                    for what, amount in (("x", x), ("y", y), ("x2", x * x), ("xy", x * y), ("y2", y * y)):
                        found[f"{name}|{arm}|{measure}|{what}"] += amount
    return found


def _sum(parts: list[Worth]) -> Worth:
    return Worth(*(sum(one[place] for one in parts) for place in range(3)))


def _cost(event: Event) -> int:
    return sum(product.get("cost_minor", 0) * product["quantity"] for product in event["products"])


def _arrived(event: Event) -> int:
    at: int = event["received_at_ms" if "received_at_ms" in event else "timestamp_ms"]
    return at


def _price(event: Event) -> int:
    return sum(product["price_minor"] * product["quantity"] for product in event["products"])
