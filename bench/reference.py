"""The job done the plain way: every message id remembered for ever, every total added up from the ledger at the end.

This is the yardstick for all engines, Regulars included, so it shares no code with any of them and is written to be read.
The rules are those of `bench.job`.
"""

import json
from collections.abc import Iterable
from typing import Any

from bench.job import (
    CART_DELAY_MS,
    CATEGORIES_MAX,
    HALF_LIFE_MS,
    HOUR_MS,
    WEIGHT_ADD,
    WEIGHT_PURCHASE,
    WEIGHT_VIEW,
    CartTrigger,
    Expected,
    Totals,
)

Customer = dict[str, Any]


class Reference:
    """All customers, as dicts in dicts."""

    def __init__(self) -> None:
        self.customers: dict[str, Customer] = {}
        self.triggers: list[CartTrigger] = []
        self.end_ms = 0

    def apply(self, record: bytes) -> None:
        """Take in one event."""
        event = json.loads(record)
        user, now_ms = event["user_id"], event["timestamp_ms"]
        customer = self.customers.get(user)
        if customer is None:
            customer = self.customers[user] = {"seen": set(), "orders": {}, "scores": {}, "carts": {}}
        if event["message_id"] in customer["seen"]:
            return
        customer["seen"].add(event["message_id"])
        self.end_ms = max(self.end_ms, now_ms)
        self._send_due(user, customer, now_ms)
        match event["event"]:
            case "Product Viewed":
                _interest(customer, [event["product"]], WEIGHT_VIEW, now_ms)
            case "Product Added":
                _interest(customer, [event["product"]], WEIGHT_ADD, now_ms)
                _change_cart(customer, event)
            case "Product Removed":
                _change_cart(customer, event)
            case "Order Completed":
                order = customer["orders"].setdefault(event["order_id"], {"refunds": {}})
                if "lines" not in order:
                    _interest(customer, event["products"], WEIGHT_PURCHASE, now_ms)
                order["lines"] = event["products"]
                order["discount"] = event.get("discount_minor", 0)
                customer["carts"].pop(event["cart_id"], None)
            case "Order Refunded":
                order = customer["orders"].setdefault(event["order_id"], {"refunds": {}})
                order["refunds"][event["refund_id"]] = event["amount_minor"]

    def finish(self) -> Expected:
        """The result, with everything sent that was due at least an hour before the last event."""
        until_ms = self.end_ms - HOUR_MS
        for user, customer in self.customers.items():
            self._send_due(user, customer, until_ms + 1)
        return Expected(
            totals={user: _totals(customer, self.end_ms) for user, customer in self.customers.items()},
            triggers=sorted(trigger for trigger in self.triggers if trigger.due_ms <= until_ms),
            until_ms=until_ms,
            end_ms=self.end_ms,
        )

    def _send_due(self, user: str, customer: Customer, before_ms: int) -> None:
        for cart_id, cart in customer["carts"].items():
            due_ms = cart["changed_ms"] + CART_DELAY_MS
            if cart["armed"] and due_ms < before_ms:
                value = sum(line["price"] * line["quantity"] for line in cart["lines"].values())
                self.triggers.append(CartTrigger(user, cart_id, due_ms, value))
                cart["armed"], cart["sent"] = False, True


def expected_result(records: Iterable[bytes]) -> Expected:
    """The right result of these events, in their order in each customer's partition."""
    reference = Reference()
    for record in records:
        reference.apply(record)
    return reference.finish()


def decayed(value: float, age_ms: int) -> float:
    """A score after some time.

    >>> decayed(8.0, 2 * HALF_LIFE_MS)
    2.0
    """
    return float(value * 0.5 ** (age_ms / HALF_LIFE_MS))


def _interest(customer: Customer, products: list[dict[str, Any]], weight: float, now_ms: int) -> None:
    scores: dict[str, tuple[float, int]] = customer["scores"]
    for product in products:
        value, at_ms = scores.get(product["category"], (0.0, now_ms))
        scores[product["category"]] = (decayed(value, now_ms - at_ms) + weight, now_ms)
    if len(scores) > CATEGORIES_MAX:
        ranked = sorted(scores, key=lambda name: (decayed(scores[name][0], now_ms - scores[name][1]), name))
        customer["scores"] = {name: scores[name] for name in ranked[-CATEGORIES_MAX:]}


def _change_cart(customer: Customer, event: dict[str, Any]) -> None:
    product = event["product"]
    added = event["event"] == "Product Added"
    fresh = {"lines": {}, "armed": False, "sent": False, "changed_ms": 0}
    cart = customer["carts"].setdefault(event["cart_id"], fresh)
    line = cart["lines"].setdefault(product["product_id"], {"quantity": 0, "price": 0})
    if added:
        line["price"] = product["price_minor"]
    line["quantity"] += product["quantity"] if added else -product["quantity"]
    if line["quantity"] <= 0:
        del cart["lines"][product["product_id"]]
    cart["changed_ms"] = event["timestamp_ms"]
    if not cart["lines"]:
        del customer["carts"][event["cart_id"]]
    elif added or not cart["sent"]:
        cart["armed"], cart["sent"] = True, False


def _totals(customer: Customer, at_ms: int) -> Totals:
    placed = [order for order in customer["orders"].values() if "lines" in order]
    gross = sum(line["price_minor"] * line["quantity"] for order in placed for line in order["lines"])
    discount = sum(order["discount"] for order in placed)
    refund = sum(sum(order["refunds"].values()) for order in placed)
    return Totals(
        orders=len(placed),
        gross_minor=gross,
        discount_minor=discount,
        refund_minor=refund,
        net_minor=gross - discount - refund,
        interests={name: decayed(value, at_ms - then_ms) for name, (value, then_ms) in customer["scores"].items()},
    )
