"""A seeded stream of shop events: visits of many customers, interleaved, as canonical JSON in event-time order.

A visit is a run of events 20 to 60 seconds apart, geometric with mean VISIT_EVENTS. Customers come back VISIT_EVERY_MS apart
on average (Poisson), so N events of C customers span about N / C / 6 x 5 days; under a Zipf law (s = 1) the hot ones come
far more often. In a `hot` stream customer 0 makes half of the events of her partition; in a `cold` one every event is the only
one of a new customer. Within a visit one looks around in few categories, puts things into the cart, takes some out, buys or
leaves. A quarter of the orders is refunded in part 1 to 48 hours later. One message in a hundred comes again 2 to 30 seconds
later, byte for byte the same, as after a tracker's retry; it then stands behind younger events.

The same scenario gives the same bytes, and a shorter one is a prefix of a longer one. Only `random.Random.random` and
`getrandbits` are used, whose sequences Python keeps from release to release.

Carts: a `fresh` stream starts a new cart when the last one was left alone for CART_LEFT_MS, so nothing happens to a cart
after its trigger was due. In a `kept` stream customers come back to a cart days later; what they do to it keeps away from
the due time by some minutes, since engines may see the clock that much later.
"""

from bisect import bisect
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import accumulate
from math import log
from random import Random
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from bench.job import CART_DELAY_MS, DAY_MS, HOUR_MS
from streams.home import home_partition

START_MS: Final = 1_704_067_200_000
"""2024-01-01T00:00:00Z. Fixed, so that a stream is the same whenever it is made; its end lies in the past."""
VISIT_EVENTS: Final = 6
VISIT_EVERY_MS: Final = 5 * DAY_MS
GAP_LEAST_MS, GAP_MOST_MS = 20_000, 60_000
CART_LEFT_MS: Final = 25 * 60_000
CART_GIVEN_UP_MS: Final = 20 * DAY_MS
DUE_CLEARANCE_MS: Final = 5 * 60_000
CATEGORIES: Final = 32
"""As many as the job keeps of one customer: which of two that are nearly equal is dropped would be a matter of rounding."""
PRODUCTS: Final = 4_800
CART_LINES_MAX: Final = 12

# Chances of one event of a visit; together with the rest of the rules they give the mix that `python -m bench stream` prints.
ADD: Final = 0.102
ORDER_OF_CART: Final = 0.235
REMOVE_OF_CART: Final = 0.115
REFUND_OF_ORDER: Final = 0.26
REPEAT: Final = 0.01
DISCOUNT: Final = 0.3

Draw = Literal["uniform", "zipf", "hot", "cold"]


class Scenario(Struct, frozen=True, kw_only=True):
    """One stream, by what it is made of. `events` counts records, repeats and refunds included."""

    events: int
    customers: int
    draw: Draw = "uniform"
    event_bytes: Literal[320, 1000] = 320
    carts: Literal["fresh", "kept"] = "fresh"
    partitions: int = 8
    seed: int = 1

    @property
    def name(self) -> str:
        """A name that tells it from all others; part of file and topic names."""
        kept = "-kept" if self.carts == "kept" else ""
        seed = f"-s{self.seed}" if self.seed != 1 else ""
        return f"{self.draw}-{self.customers}-{self.event_bytes}b{kept}-p{self.partitions}{seed}-{self.events}"


class Record(NamedTuple):
    """One record of the topic. Its key is the user id."""

    partition: int
    user: str
    value: bytes


class _Visitor:
    """What the shop knows of a customer while it makes her events."""

    __slots__ = ("cart", "carts", "changed_ms", "context", "number", "partition", "user")

    def __init__(self, number: int, partitions: int, context: str) -> None:
        self.number = number
        self.user = f"user-{number}"
        self.partition = home_partition(self.user, partitions)
        self.context = context
        self.cart: dict[int, int] = {}
        self.carts = 0
        self.changed_ms = 0


def records(scenario: Scenario) -> Iterator[Record]:
    """The stream."""
    return iter(_Shop(scenario))


class _Shop:
    """The simulation: a heap of what happens next, and the moment of the next visit."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.rng = Random(scenario.seed)
        self.random = self.rng.random
        self.large = scenario.event_bytes == 1000
        self.products = _products(self.large)
        self.prices = _prices()
        self.visitors: dict[int, _Visitor] = {}
        self.orders = self.newcomers = 0
        customers = scenario.customers
        # The share of visits with which one customer makes half of what comes to her partition.
        self.hot = 1 / (scenario.partitions + 1) if scenario.draw == "hot" else 0.0
        self.weights = list(accumulate(1 / rank for rank in range(1, customers + 1))) if scenario.draw == "zipf" else []

    def __iter__(self) -> Iterator[Record]:
        random, visit_mean_ms = self.random, VISIT_EVERY_MS / self.scenario.customers
        # (time, number, visitor, category of the visit, record to send again or a refund's order and amount)
        heap: list[tuple[int, int, _Visitor, int, Record | tuple[str, int] | None]] = []
        number = 0
        visit_ms = START_MS + 0.0
        for _ in range(self.scenario.events):
            if heap and heap[0][0] <= visit_ms:
                at_ms, _, visitor, category, what = heappop(heap)
            else:
                at_ms, visitor, category, what = int(visit_ms), self._visitor(), int(random() * CATEGORIES), None
                visit_ms -= log(1.0 - random()) * visit_mean_ms
            if isinstance(what, Record):
                yield what
                continue
            number += 1
            if what is None:
                record, refund = self._visit_event(visitor, at_ms, category)
                if refund is not None:
                    later_ms = at_ms + HOUR_MS + int(random() * 47 * HOUR_MS)
                    heappush(heap, (later_ms, number, visitor, category, refund))
                    number += 1
                if random() * VISIT_EVENTS >= 1.0 and self.scenario.draw != "cold":
                    gap_ms = GAP_LEAST_MS + int(random() * (GAP_MOST_MS - GAP_LEAST_MS + 1))
                    heappush(heap, (at_ms + gap_ms, number, visitor, category, None))
                    number += 1
            else:
                record = self._refund(visitor, at_ms, what)
            if random() < REPEAT:
                heappush(heap, (at_ms + 2_000 + int(random() * 28_000), number, visitor, category, record))
            yield record

    def _visitor(self) -> _Visitor:
        number = bisect(self.weights, self.random() * self.weights[-1]) if self.weights else 0
        if self.scenario.draw == "cold":
            self.newcomers += 1
            return self._newcomer(self.newcomers)
        if not self.weights and not (self.hot and self.random() < self.hot):
            number = int(self.random() * self.scenario.customers)
        visitor = self.visitors.get(number)
        if visitor is None:
            visitor = self.visitors[number] = self._newcomer(number)
        return visitor

    def _newcomer(self, number: int) -> _Visitor:
        context = _CONTEXTS[number % len(_CONTEXTS)] if self.large else '"channel":"browser"'
        return _Visitor(number, self.scenario.partitions, context)

    def _visit_event(self, visitor: _Visitor, at_ms: int, category: int) -> tuple[Record, tuple[str, int] | None]:
        """One event of a visit, and the order and amount of the refund it will lead to, if any."""
        random, idle_ms = self.random, at_ms - visitor.changed_ms
        left_ms = CART_LEFT_MS if self.scenario.carts == "fresh" else CART_GIVEN_UP_MS
        if visitor.cart and idle_ms >= left_ms:
            visitor.cart = {}
        cart = visitor.cart
        chance = random()
        near_due = bool(cart) and abs(idle_ms - CART_DELAY_MS) < DUE_CLEARANCE_MS
        if random() >= 0.8:
            category = int(random() * CATEGORIES)
        product = category + CATEGORIES * int(random() * (PRODUCTS // CATEGORIES))
        if near_due or chance >= ADD + (ORDER_OF_CART + REMOVE_OF_CART if cart else 0.0):
            return self._product_event("Product Viewed", visitor, at_ms, product, 1, ""), None
        if chance < ADD:
            if len(cart) >= CART_LINES_MAX and product not in cart:
                return self._product_event("Product Viewed", visitor, at_ms, product, 1, ""), None
            if not cart:
                visitor.carts += 1
            quantity = 1 if random() < 0.8 else 2 + int(random() * 2)
            cart[product] = cart.get(product, 0) + quantity
            visitor.changed_ms = at_ms
            return self._product_event("Product Added", visitor, at_ms, product, quantity, self._cart(visitor)), None
        if chance < ADD + REMOVE_OF_CART:
            product = list(cart)[int(random() * len(cart))]
            quantity = 1 + int(random() * cart[product])
            name = self._cart(visitor)
            cart[product] -= quantity
            if not cart[product]:
                del cart[product]
            visitor.changed_ms = at_ms
            return self._product_event("Product Removed", visitor, at_ms, product, quantity, name), None
        return self._order(visitor, at_ms)

    def _cart(self, visitor: _Visitor) -> str:
        return f'"cart_id":"cart-{visitor.number}-{visitor.carts}",'

    def _product_event(
        self, kind: str, visitor: _Visitor, at_ms: int, product: int, quantity: int, cart: str
    ) -> Record:
        start, end = self.products[product]
        referrer = _referrer(product, visitor.number) if self.large else ""
        money = '"currency":"USD",' if self.large or cart else ""
        text = f'{{"event":"{kind}",{self._envelope(visitor, at_ms)}{referrer}{cart}{money}"product":{start}{quantity}{end}}}'
        return Record(visitor.partition, visitor.user, text.encode())

    def _order(self, visitor: _Visitor, at_ms: int) -> tuple[Record, tuple[str, int] | None]:
        random, cart = self.random, visitor.cart
        self.orders += 1
        order_id = f"order-{visitor.number}-{self.orders}"
        gross = sum(self.prices[product] * quantity for product, quantity in cart.items())
        discount = gross * (5 + int(random() * 11)) // 100 if random() < DISCOUNT else 0
        lines = ",".join(
            f"{self.products[product][0]}{quantity}{self.products[product][1]}" for product, quantity in cart.items()
        )
        taken_off = f'"discount_minor":{discount},' if discount else ""
        text = (
            f'{{"event":"Order Completed",{self._envelope(visitor, at_ms)}"order_id":"{order_id}",{self._cart(visitor)}'
            f'{taken_off}"currency":"USD","products":[{lines}]}}'
        )
        refund = None
        if random() < REFUND_OF_ORDER:
            product = list(cart)[int(random() * len(cart))]
            refund = (order_id, min(self.prices[product], gross - discount))
        visitor.cart = {}
        visitor.changed_ms = at_ms
        return Record(visitor.partition, visitor.user, text.encode()), refund

    def _refund(self, visitor: _Visitor, at_ms: int, what: tuple[str, int]) -> Record:
        order_id, amount = what
        text = (
            f'{{"event":"Order Refunded",{self._envelope(visitor, at_ms)}"order_id":"{order_id}",'
            f'"refund_id":"refund-{order_id}","amount_minor":{amount},"currency":"USD","reason":"returned by the customer"}}'
        )
        return Record(visitor.partition, visitor.user, text.encode())

    def _envelope(self, visitor: _Visitor, at_ms: int) -> str:
        return (
            f'"message_id":"{self.rng.getrandbits(128):032x}","timestamp_ms":{at_ms},"received_at_ms":{at_ms + 40},'
            f'"user_id":"{visitor.user}",{visitor.context},'
        )


# --- what the shop sells, and where customers come from -----------------------------------------------------------

_ADJECTIVES = ("plain", "folding", "waterproof", "small", "organic", "classic", "light", "heavy-duty")
_NOUNS = ("garden chair", "coffee mug", "rain jacket", "desk lamp", "water bottle", "running shoe", "bread knife")
_COLOURS = ("black", "navy blue", "olive", "white", "terracotta")
_DEPARTMENTS = ("garden", "kitchen", "clothing", "lighting", "sports", "office", "grocery", "toys")
_AISLES = ("new arrivals", "tools", "accessories", "basics", "sale", "seasonal")


def _prices() -> list[int]:
    """The price of each product in cents: 1.99 to 199.99, most of them low."""
    rng = Random("prices")
    return [199 + int(rng.random() ** 3 * 198) * 100 for _ in range(PRODUCTS)]


def _products(large: bool) -> list[tuple[str, str]]:
    """The JSON of each product before and after its quantity."""
    found = []
    for number, price in enumerate(_prices()):
        category = number % CATEGORIES
        noun = _NOUNS[number % 7]
        name = f"{_ADJECTIVES[number % 8]} {noun}, {_COLOURS[number % 5]}" if large else noun
        slug = f"{_DEPARTMENTS[category % 8]}/{name.replace(', ', '-').replace(' ', '-')}"
        extra = (
            f',"sku":"SKU-{number:05d}-{number % 9}","variant":"{_COLOURS[number % 5]}, size {38 + number % 9}",'
            f'"url":"https://shop.example.com/{slug}-{number}.html?list=category","position":{number % 24},'
            f'"image_url":"https://images.shop.example.com/products/{number:05d}/large/{slug}-front.webp"'
            if large
            else ""
        )
        start = (
            f'{{"product_id":"p{number}","name":"{name}","category":"{_DEPARTMENTS[category % 8]}/'
            f'{_AISLES[category // 8]}","brand":"brand {number % 60}","price_minor":{price},"quantity":'
        )
        found.append((start, f"{extra}}}"))
    return found


_CONTEXTS = tuple(
    f'"source":"web-tracker","channel":"browser","locale":"{locale}","country":"{country}","timezone":"{zone}",'
    f'"campaign":{{"source":"{source}","medium":"{medium}","name":"{name}","term":"{term}","content":"{content}"}}'
    for (locale, country, zone) in (
        ("en-US", "US", "America/New_York"),
        ("en-US", "US", "America/Los_Angeles"),
        ("en-GB", "GB", "Europe/London"),
        ("de-DE", "DE", "Europe/Berlin"),
    )
    for (source, medium, name, term, content) in (
        ("newsletter", "email", "spring-cleaning-week-14", "returning customers", "header image, variant b"),
        ("google", "cpc", "brand-and-category-search", "garden chairs outdoor", "responsive ad 4711"),
        ("partner-blog", "referral", "ten-things-for-your-kitchen", "kitchen", "link in paragraph three"),
    )
)


def _referrer(product: int, number: int) -> str:
    """Where the page was reached from."""
    return (
        f'"referrer":"https://shop.example.com/{_DEPARTMENTS[product % 8]}/{_AISLES[product % 6].replace(" ", "-")}'
        f"?page={product % 7 + 1}&sort=popularity&view=grid&in_stock=1&price_to=199&from=category-banner"
        f'&session={number * 2_654_435_761 % 2**32:08x}",'
    )
