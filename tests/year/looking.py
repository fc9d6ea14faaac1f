"""What should have been sent to who looks, wishes, searches and waits: asked of all that is known, again at each moment.

Naive on purpose: everything is looked up in the list of what happened so far, and no code of the engine is used.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from tests.year.shop import DAY_MS, HOUR_MS, MINUTE_MS, Event

PRIORITY: Final = {
    "back.in.stock": 220,
    "price.dropped": 240,
    "wishlist.reminder": 450,
    "search.abandoned": 460,
    "low.stock": 830,
    "category.interest": 900,
    "gift.threshold": 910,
}
COOLDOWN: Final = {
    "price.dropped": 7 * DAY_MS,
    "low.stock": 7 * DAY_MS,
    "wishlist.reminder": 14 * DAY_MS,
    "search.abandoned": 14 * DAY_MS,
    "category.interest": 30 * DAY_MS,
    "gift.threshold": 30 * DAY_MS,
}
COOLS_APART: Final = ("price.dropped", "low.stock", "gift.threshold", "category.interest")
ABOUT_GOODS: Final = ("back.in.stock", "price.dropped", "low.stock", "wishlist.reminder")
NEVER: Final = 1 << 60
VISIT_MS: Final = 30 * MINUTE_MS
FEW: Final = 5
WEIGHTS: Final = {"Product Viewed": 1, "Product Added to Wishlist": 3, "Product Added": 4}


class Outcome(NamedTuple):
    """What became of what was due: `about` is the product, query, category or cart; `reason` is None where it was sent."""

    customer: str
    name: str
    about: str
    at: int
    reason: str | None


class Due(NamedTuple):
    """When something is to be decided; of the same moment by priority."""

    at: int
    priority: int
    customer: str
    name: str
    about: str


class Shop:
    """What the catalogue told so far, and all customers. A cart of `threshold` minor units brings a gift."""

    def __init__(self, events: list[Event], threshold: int) -> None:
        self.events, self.threshold = events, threshold
        self.prices: dict[str, int] = {}
        self.stocks: dict[str, int] = {}
        self.lives: dict[str, Life] = {}
        self.queue: list[Due] = []
        self.told: list[Outcome] = []

    def outcomes(self, until: int) -> list[Outcome]:
        """Everything that came due by `until`."""
        for event in self.events:
            self.fire(event["timestamp_ms"])
            if "user_id" in event:
                life = self.lives.setdefault(event["user_id"], Life(self, event["user_id"]))
                life.happened(event)
            else:
                self.moved(event)
        self.fire(until + 1)
        return self.told

    def fire(self, before: int) -> None:
        while self.queue and self.queue[0].at < before:
            due = heapq.heappop(self.queue)
            life = self.lives[due.customer]
            if life.waiting.get((due.name, due.about)) == due.at:
                life.decide(due.name, due.about, due.at)

    def moved(self, event: Event) -> None:
        """The catalogue tells a price or a stock: who has an eye on the product is told of a fall, or that it is there again."""
        at, product, lives = event["timestamp_ms"], event["product_id"], self.lives.values()
        if event["event"] == "Product Price Changed":
            before = self.prices.get(product, NEVER)
            self.prices[product] = event["price_minor"]
            for life in lives if event["price_minor"] < before else ():
                if life.cheaper(product, at):
                    life.wait("price.dropped", product, at + 5 * MINUTE_MS)
            return
        stock, now = self.stocks.get(product), event["available"]
        self.stocks[product] = now
        for life in lives if stock is not None and stock > FEW >= now > 0 else ():
            if life.wants(product, at):
                life.wait("low.stock", product, at)
        for life in lives if not stock and now > 0 else ():
            if life.alert(product, at):
                life.wait("back.in.stock", product, at)


class Life:
    """One customer."""

    def __init__(self, shop: Shop, name: str) -> None:
        self.shop, self.name = shop, name
        self.past: list[Event] = []
        self.waiting: dict[tuple[str, str], int] = {}
        """(name, about) -> when it is due."""
        self.sent: list[tuple[int, str, str, int]] = []
        """(at, name, about, price of that product then)."""
        self.interests: dict[str, int] = {}
        """Category -> the day on which the interest began."""
        self.ended: dict[str, dict[str, int]] = {}
        """Order -> the products whose wishes it ended -> when they would have been reminded of."""

    # --- what happened ---

    def of(self, *names: str, product: str | None = None, since: int = 0) -> Iterable[Event]:
        for event in self.past:
            if event["event"] in names and event["timestamp_ms"] >= since and (product is None or _has(event, product)):
                yield event

    def last(self, *names: str, product: str) -> int:
        return max((event["timestamp_ms"] for event in self.of(*names, product=product)), default=-1)

    def kept(self, order: Event) -> list[str]:
        """The products that she has of an order, as is known by now: none of one that was cancelled or paid back."""
        products = [one["product_id"] for one in order["products"]]
        for event in self.of("Order Cancelled", "Order Refunded"):
            if event["order_id"] == order["order_id"] and "amount_minor" not in event:
                back = [one["product_id"] for one in _products(event)] or [*products]
                for one in (one for one in back if one in products):  # of what was cancelled there is nothing left
                    products.remove(one)
        return products

    def orders(self, product: str) -> list[int]:
        orders = self.of("Order Completed", product=product)
        return [order["timestamp_ms"] for order in orders if product in self.kept(order)]

    def touched(self, product: str) -> int:
        return self.last(*TOUCHES, product=product)

    def bought(self, product: str, since: int) -> bool:
        return any(at > since for at in self.orders(product))

    def wished(self, product: str) -> bool:
        """Put on the wishlist, and neither taken off nor bought since."""
        last = {name: self.last(f"Product {name} Wishlist", product=product) for name in ("Added to", "Removed from")}
        return last["Added to"] > max(last["Removed from"], *self.orders(product), -1)

    def carts(self, now: int) -> dict[str, dict[str, list[int]]]:
        """By cart and product the price of each piece when it was put in. A cart is dropped after a month without change."""
        held: dict[str, dict[str, list[int]]] = defaultdict(dict)
        changed: dict[str, int] = {}
        for event in self.of("Product Added", "Product Removed", "Order Completed"):
            cart = event.get("cart_id")
            if cart is None:  # what she bought otherwise leaves her carts
                for one in _products(event):
                    for lines in held.values():
                        lines.pop(one["product_id"], None)
                continue
            if event["timestamp_ms"] - changed.get(cart, 0) > 30 * DAY_MS:  # it was dropped meanwhile
                held[cart].clear()
            changed[cart] = event["timestamp_ms"]
            if event["event"] == "Order Completed":
                held[cart].clear()
                continue
            one = event["product"]
            pieces = held[cart].setdefault(one["product_id"], [])
            if event["event"] == "Product Added":
                pieces.append(one["price_minor"])
            elif pieces:
                pieces.pop(0)
            if not pieces:
                del held[cart][one["product_id"]]
        return {cart: lines for cart, lines in held.items() if now - changed.get(cart, 0) <= 30 * DAY_MS}

    def in_cart(self, product: str, now: int) -> bool:
        return any(product in lines for lines in self.carts(now).values())

    def watches(self, product: str, now: int) -> bool:
        """Touched, and not let go since."""
        touched = self.touched(product)
        return touched > 0 and not self.bought(product, touched) and not self.let_go(product, touched, now)

    def let_go(self, product: str, touched: int, now: int) -> bool:
        """A visit began a month after she last touched it or was told its price, a quarter after a wish or an alert of hers.
        What lies in a cart stays.
        """
        told = max((at for at, _ in self.prices_told(product)), default=0)
        held_ms = (90 if self.wished(product) or self.alert(product, now) else 30) * DAY_MS
        visits = [event["timestamp_ms"] for event in self.past if "anonymous_id" in event]
        begun = [at for before, at in itertools.pairwise([0, *visits]) if at - before >= VISIT_MS]
        return any(at > max(touched + held_ms, told + 30 * DAY_MS) and not self.in_cart(product, at) for at in begun)

    def prices_told(self, product: str) -> list[tuple[int, int]]:
        return [(at, price) for at, name, about, price in self.sent if (name, about) == ("price.dropped", product)]

    # --- what it means ---

    def cheaper(self, product: str, now: int) -> bool:
        if not self.watches(product, now):
            return False
        since = now - 30 * DAY_MS
        seen = [event["product"]["price_minor"] for event in self.of(*SIGHTS, product=product, since=since)]
        seen += [price for at, price in self.prices_told(product) if at >= since]
        return bool(seen) and self.touched(product) >= since and self.shop.prices[product] <= 0.9 * min(seen)

    def wants(self, product: str, now: int) -> bool:
        if not self.watches(product, now):
            return False
        since = max([now - 7 * DAY_MS, *self.orders(product)])
        wished = self.wished(product) and self.touched(product) >= now - 90 * DAY_MS
        views = list(self.of("Product Viewed", product=product, since=since))
        return self.in_cart(product, now) or wished or len(views) >= 2

    def alert(self, product: str, now: int) -> bool:
        """She asked to be told in the last 90 days, and was not told nor bought it since."""
        asked = self.last("Stock Alert Subscribed", product=product)
        told = [at for at, name, about, _ in self.sent if (name, about) == ("back.in.stock", product) and at >= asked]
        return asked >= now - 90 * DAY_MS and not told and not self.bought(product, asked)

    def score(self, of: str, now: int) -> float:
        total = 0.0
        for event in self.of("Order Completed", *WEIGHTS):
            faded = 2.0 ** ((event["timestamp_ms"] - now) / (14 * DAY_MS))
            total += faded * WEIGHTS.get(event["event"], 5) * sum(one["category"] == of for one in _products(event))
        return total

    # --- arming ---

    def happened(self, event: Event) -> None:
        at, name = event["timestamp_ms"], event["event"]
        scores = {one: self.score(one, at) for one in CATEGORIES}
        self.past.append(event)
        ids = [one["product_id"] for one in _products(event)]
        match name:
            case "Product Added to Wishlist":
                self.wait("wishlist.reminder", ids[0], at + 3 * DAY_MS)
            case "Product Removed from Wishlist":
                self.forget("wishlist.reminder", ids[0])
                for ended in self.ended.values():
                    ended.pop(ids[0], None)
            case "Products Searched":
                if event.get("results") == 0 or self.searched_in_vain() >= 2:
                    self.forget("search.abandoned", event["query"])  # counted from the last search for the same
                    self.wait("search.abandoned", event["query"], at + 2 * HOUR_MS)
            case "Unsubscribed":
                self.waiting.clear()
            case "Order Completed":
                waited = {one: self.waiting.get(("wishlist.reminder", one)) for one in ids}
                self.ended[event["order_id"]] = {one: due for one, due in waited.items() if due is not None}
                for product, trigger in itertools.product(ids, ABOUT_GOODS):
                    self.forget(trigger, product)
                for one in _products(event):  # what is bought of may have faded before, but begins by looks alone
                    self.fade(scores, one["category"])
            case "Order Cancelled":
                for product, due in self.ended[event["order_id"]].items():
                    self.wish_again(product, due, at)
        if name in FINDS:
            for trigger, about in [*self.waiting]:
                if trigger == "search.abandoned":
                    self.forget(trigger, about)
        if name in ("Product Added", "Product Removed"):
            self.fill(event["cart_id"], at)
        if name in WEIGHTS:
            self.weigh(at, scores, event["product"]["category"])

    def wish_again(self, product: str, due: int, now: int) -> None:
        """An order that ended a reminder is undone: unless another one ended it too, or she was reminded, or it is a day late."""
        told = any((name, about) == ("wishlist.reminder", product) and at >= due for at, name, about, _ in self.sent)
        if not told and not any(at >= due - 3 * DAY_MS for at in self.orders(product)) and due >= now - DAY_MS:
            self.wait("wishlist.reminder", product, max(due, now))

    def fill(self, cart: str, at: int) -> None:
        """A cart is worth 80 % of what brings a gift, but not all of it; she is told once a month for a cart."""
        held = self.carts(at).get(cart, {})
        value = sum(len(prices) * prices[-1] for prices in held.values())
        month = at - 30 * DAY_MS
        told = any((name, about) == ("gift.threshold", cart) and then > month for then, name, about, _ in self.sent)
        if not told and 0.8 * self.shop.threshold <= value < self.shop.threshold:
            self.wait("gift.threshold", cart, at)

    def weigh(self, at: int, before: dict[str, float], touched: str) -> None:
        """An interest begins, or had ended, as something of its category is looked at. It begins once a day at most."""
        if self.interests.get(touched) == at // DAY_MS:
            return
        now = {one: self.score(one, at) for one in CATEGORIES}
        self.fade(before, touched)
        if touched not in self.interests and now[touched] >= max(5, 0.4 * sum(now.values()), *now.values()):
            self.interests[touched] = at // DAY_MS
            self.wait("category.interest", touched, at)

    def fade(self, before: dict[str, float], touched: str) -> None:
        if before[touched] < 0.7 * max(5, 0.4 * sum(before.values())):
            self.interests.pop(touched, None)

    def searched_in_vain(self) -> int:
        """Searches of this visit since she last found something."""
        searches, last = 0, 0
        for event in self.past:
            if "anonymous_id" in event:
                at, name = event["timestamp_ms"], event["event"]
                found = name in FINDS or at - last >= VISIT_MS
                searches, last = (0 if found else searches) + (name == "Products Searched"), at
        return searches

    def wait(self, name: str, about: str, due: int) -> None:
        if (name, about) not in self.waiting:
            self.waiting[name, about] = due
            heapq.heappush(self.shop.queue, Due(due, PRIORITY[name], self.name, name, about))

    def forget(self, name: str, about: str) -> None:
        self.waiting.pop((name, about), None)

    # --- deciding ---

    def decide(self, name: str, about: str, now: int) -> None:
        del self.waiting[name, about]
        if self.groundless(name, about, now):
            return
        reason = self.gate(name, about, now)
        self.shop.told.append(Outcome(self.name, name, about, now, reason))
        if reason is None:
            self.sent.append((now, name, about, self.shop.prices.get(about, 0)))

    def groundless(self, name: str, about: str, now: int) -> bool:
        """The price is back, there is plenty again, or she bought something of the category this week."""
        match name:
            case "price.dropped":
                return not self.cheaper(about, now)
            case "low.stock":
                return self.shop.stocks[about] > FEW
            case "category.interest":
                orders = self.of("Order Completed", since=now - 7 * DAY_MS + 1)
                return any(one["category"] == about for event in orders for one in _products(event))
        return False

    def gate(self, name: str, about: str, now: int) -> str | None:
        if not self.agreed():
            return "no_consent"
        if name == "search.abandoned" and (
            any(key[0] == "wishlist.reminder" for key in self.waiting)
            or any(one == "wishlist.reminder" and now - at < 2 * DAY_MS for at, one, _, _ in self.sent)
        ):
            return "superseded"
        same = [at for at, one, of, _ in self.sent if one == name and (name not in COOLS_APART or of == about)]
        if any(now - at < COOLDOWN.get(name, 0) for at in same):
            return "cooldown"
        return "out_of_stock" if name in ABOUT_GOODS and self.shop.stocks.get(about, 1) <= 0 else None

    def agreed(self) -> bool:
        words = [
            event.get("consent", "revoked")
            for event in self.past
            if event["event"] == "Unsubscribed" or "consent" in event
        ]
        return bool(words) and words[-1] != "revoked" and words[-1][0]["state"] == "GRANT"


SIGHTS: Final = ("Product Viewed", "Product Added", "Product Added to Wishlist")
TOUCHES: Final = (*SIGHTS, "Stock Alert Subscribed", "Product Removed from Wishlist")
FINDS: Final = ("Product Viewed", "Product Added", "Order Completed")
CATEGORIES: Final = ("c0", "c1", "c2", "c3")


def _products(event: Event) -> list[dict[str, Any]]:
    return event["products"] if "products" in event else [event["product"]] if "product" in event else []


def _has(event: Event, product: str) -> bool:
    return any(one["product_id"] == product for one in _products(event))
