"""The job's rules for the peers in Python: one customer is a dict that any JSON or MessagePack writer can store.

Engines bring state, timers and output. Orders lie beside the customer, one by one, so that an event stays cheap.
"""

from collections.abc import Callable
from typing import Any, Final

DAY_MS: Final = 86_400_000
HALF_LIFE_MS: Final = 14 * DAY_MS
CART_DELAY_MS: Final = 30 * 60_000
CART_KEPT_MS: Final = 30 * DAY_MS
CATEGORIES_MAX: Final = 32
SEEN_MAX: Final = 128
CARTS_MAX: Final = 16

Customer = dict[str, Any]
Order = dict[str, Any]
Send = Callable[[dict[str, Any]], object]

TOTALS_ASKED: Final = "Totals Asked"
WITH_ORDER: Final = frozenset({"Order Completed", "Order Refunded"})


def new_customer() -> Customer:
    """A customer nothing is known of. `timer_ms` is for engines that set timers: 0 for none."""
    return {
        "orders": 0,
        "gross": 0,
        "discount": 0,
        "refund": 0,
        "seen": {},
        "scores": {},
        "carts": {},
        "timer_ms": 0,
    }


def new_order() -> Order:
    """An order nothing is known of but, perhaps, its refunds."""
    return {"placed": False, "lines": [], "discount": 0, "refunds": {}}


def apply(customer: Customer, event: dict[str, Any], order: Order | None, send: Send) -> bool:
    """Apply one event; `order` is the ledger's entry for those in WITH_ORDER. False for a repeat: nothing has changed."""
    now_ms = event["timestamp_ms"]
    if _already_seen(customer["seen"], event["message_id"], now_ms):
        return False
    send_due(customer, event["user_id"], now_ms, send)
    kind = event["event"]
    if kind == "Product Viewed":
        _interest(customer, (event["product"],), 1.0, now_ms)
    elif kind == "Product Added":
        _interest(customer, (event["product"],), 4.0, now_ms)
        _change_cart(customer, event, added=True)
    elif kind == "Product Removed":
        _change_cart(customer, event, added=False)
    elif kind == "Order Completed":
        assert order is not None
        if not order["placed"]:
            _interest(customer, event["products"], 5.0, now_ms)
        before = _contribution(order)
        order["placed"] = True
        order["lines"] = [
            (line["product_id"], line.get("category"), line["price_minor"], line.get("quantity", 1))
            for line in event["products"]
        ]
        order["discount"] = event.get("discount_minor", 0)
        _settle(customer, before, order)
        customer["carts"].pop(event.get("cart_id"), None)
    elif kind == "Order Refunded":
        assert order is not None
        before = _contribution(order)
        order["refunds"][event["refund_id"]] = event["amount_minor"]
        _settle(customer, before, order)
    return True


def send_due(customer: Customer, user_id: str, before_ms: int, send: Send) -> None:
    """Send the triggers that were due strictly before a moment."""
    for cart_id, cart in customer["carts"].items():
        if cart["armed"] and cart["changed_ms"] + CART_DELAY_MS < before_ms:
            cart["armed"], cart["sent"] = False, True
            lines = cart["lines"].items()
            send(
                {
                    "customer": user_id,
                    "cart_id": cart_id,
                    "due_ms": cart["changed_ms"] + CART_DELAY_MS,
                    "value_minor": sum(quantity * price for _, (quantity, price) in lines),
                    "items": [
                        {"product_id": product, "quantity": quantity, "price_minor": price}
                        for product, (quantity, price) in lines
                    ],
                }
            )


def next_due_ms(customer: Customer) -> int:
    """The earliest moment at which a trigger is due, 0 for none."""
    return min((cart["changed_ms"] + CART_DELAY_MS for cart in customer["carts"].values() if cart["armed"]), default=0)


def totals(customer: Customer, user_id: str, at_ms: int) -> dict[str, Any]:
    """The customer's totals, her interests as of a moment."""
    return {
        "customer": user_id,
        "orders": customer["orders"],
        "gross_minor": customer["gross"],
        "discount_minor": customer["discount"],
        "refund_minor": customer["refund"],
        "net_minor": customer["gross"] - customer["discount"] - customer["refund"],
        "interests": {name: _decayed(score, at_ms) for name, score in customer["scores"].items()},
    }


def _already_seen(seen: dict[str, int], message_id: str, now_ms: int) -> bool:
    if message_id in seen:
        return True
    horizon_ms = now_ms - DAY_MS
    while seen:
        oldest = next(iter(seen))
        if seen[oldest] >= horizon_ms and len(seen) < SEEN_MAX:
            break
        del seen[oldest]
    seen[message_id] = now_ms
    return False


def _decayed(score: list[Any], now_ms: int) -> float:
    return float(score[0] * 0.5 ** ((now_ms - score[1]) / HALF_LIFE_MS))


def _interest(customer: Customer, products: Any, weight: float, now_ms: int) -> None:
    scores = customer["scores"]
    for product in products:
        score = scores.get(product["category"])
        scores[product["category"]] = [weight if score is None else _decayed(score, now_ms) + weight, now_ms]
    while len(scores) > CATEGORIES_MAX:
        del scores[min(scores, key=lambda name: (_decayed(scores[name], now_ms), name))]


def _contribution(order: Order) -> tuple[int, int, int, int]:
    if not order["placed"]:
        return 0, 0, 0, 0
    gross = sum(price * quantity for _, _, price, quantity in order["lines"])
    return 1, gross, order["discount"], sum(order["refunds"].values())


def _settle(customer: Customer, before: tuple[int, int, int, int], order: Order) -> None:
    after = _contribution(order)
    for place, name in enumerate(("orders", "gross", "discount", "refund")):
        customer[name] += after[place] - before[place]


def _change_cart(customer: Customer, event: dict[str, Any], *, added: bool) -> None:
    carts, now_ms, product = customer["carts"], event["timestamp_ms"], event["product"]
    cart_id = event["cart_id"]
    cart = carts.get(cart_id)
    if cart is None:
        for old in [old for old, other in carts.items() if other["changed_ms"] < now_ms - CART_KEPT_MS]:
            del carts[old]
        while len(carts) >= CARTS_MAX:
            del carts[next(iter(carts))]
        cart = carts[cart_id] = {"changed_ms": 0, "armed": False, "sent": False, "lines": {}}
    quantity, price = cart["lines"].get(product["product_id"], (0, 0))
    quantity += product.get("quantity", 1) if added else -product.get("quantity", 1)
    if quantity > 0:
        cart["lines"][product["product_id"]] = (quantity, product["price_minor"] if added else price)
    else:
        cart["lines"].pop(product["product_id"], None)
    cart["changed_ms"] = now_ms
    if not cart["lines"]:
        del carts[cart_id]
    elif added or not cart["sent"]:
        cart["armed"], cart["sent"] = True, False
