"""SYNTHETIC sessions, carts and consent around a real shop's orders, so that a shop without clicks can be shown whole.

Nothing here is data: every event carries source "synthetic" and a message id that begins with it. The orders pass
through unchanged. What is made up for an order depends on the seed, the household and the basket alone, never on
what was made up before. The shares below are chosen for a lively demo, not measured anywhere.

- 80 % of households agree to marketing when they are first seen.
- Some orders are preceded by a visit: views, products of that basket put into a cart, the cart looked at, a checkout.
- Some carts hold products of a later basket, one to three days early: abandoned, reminded, then bought.
- Some carts hold products this household never buys in the whole year: abandoned for good, some of them in the
  checkout.
- Some visits are only views.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from random import Random
from typing import Any, Final

import msgspec

from schemas.events import (
    CartViewed,
    CheckoutStarted,
    ConsentChange,
    Event,
    Identified,
    Product,
    ProductAdded,
    ProductViewed,
)
from schemas.routing import topic_of
from streams.sources import Line
from streams.sources.completejourney import CURRENCY, TIMEZONE, Basket, Journey, baskets, facts_of, load, order

SOURCE: Final = "synthetic"
CONSENTING: Final = 0.80
VISIT_BEFORE_ORDER: Final = 0.05
CHECKOUT_IN_VISIT: Final = 0.70
CART_VIEW_IN_VISIT: Final = 0.60
BOUGHT_LATER: Final = 0.03
NEVER_BOUGHT: Final = 0.03
CHECKOUT_LEFT: Final = 0.25
ONLY_VIEWS: Final = 0.04

_SECOND_MS: Final = 1_000
_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
_REACH_MS: Final = 3 * _DAY_MS  # nothing made up for an order lies further from it than this
_FIRST_SIGHT_MS: Final = 30 * _MINUTE_MS  # before the first order, and before the visit that may precede it
_VISIT_MINUTES: Final = (8, 25)
_LATER_DAYS: Final = (1.0, 2.9)  # a cart counts as recovered up to three days after its reminder
_VISIT_PRODUCTS_MAX: Final = 3
_POPULAR: Final = 3_000
_TRIES: Final = 8
_PRODUCT_BITS: Final = 25  # product ids of the data are below 2^25
_MIX: Final = 0x9E3779B97F4A7C15
_WORD: Final = (1 << 64) - 1


def around(journey: Journey, seed: int = 1) -> Iterator[Line]:
    """The orders with made-up events around them, in time order. Holds three days of the stream, not more."""
    generator = _Generator(journey, seed)
    waiting: list[tuple[int, int, Line]] = []  # the number keeps equal times in the order they were made
    number = 0
    encode = msgspec.json.Encoder().encode
    for basket in baskets(journey):
        key = str(basket.household_id)
        for event in (*generator.events(basket), order(basket)):
            number += 1
            line = Line(event.timestamp_ms, topic_of(event), key, encode(event))
            heappush(waiting, (event.timestamp_ms, number, line))
        while waiting and waiting[0][0] <= basket.time_ms - _REACH_MS:
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]


def year(seed: int = 1) -> Iterator[Line]:
    """The whole year of The Complete Journey with made-up events around it. Raises SourceError without the package."""
    return around(load(), seed)


class _Generator:
    """Makes up the events around one basket at a time."""

    def __init__(self, journey: Journey, seed: int) -> None:
        import numpy as np

        self._seed = seed
        self._random = Random()
        self._first_order_ms: dict[int, int] = {}
        self._end_ms = int(journey.time_ms[-1])
        lines_of = np.diff(journey.starts)
        # One number for each household and product it ever buys: 11 MB, and a look-up without a table of sets.
        pairs = (np.repeat(journey.household_id, lines_of) << _PRODUCT_BITS) | journey.product_id
        self._bought = np.sort(pairs)
        self._popular = _popular_products(journey)

    def events(self, basket: Basket) -> Iterator[Event]:
        """What is made up for one basket, in no order."""
        household, at_ms = basket.household_id, basket.time_ms
        draw = self._random
        first_ms = self._first_order_ms.get(household)
        if first_ms is None:
            first_ms = self._first_order_ms[household] = at_ms
            draw.seed(_mixed(self._seed, household))
            if draw.random() < CONSENTING:
                yield _identified(household, at_ms - _FIRST_SIGHT_MS)
        draw.seed(_mixed(self._seed, household, basket.basket_id))
        visit, extra, place = draw.random(), draw.random(), draw.random()
        name = f"{SOURCE}-{basket.basket_id}"
        before = visit < VISIT_BEFORE_ORDER
        mine = _buyable(basket) if before or extra < BOUGHT_LATER else []
        if before and mine:
            minutes = _between(draw, *_VISIT_MINUTES)
            yield from self._visit(f"{name}-visit", household, at_ms - round(minutes * _MINUTE_MS), at_ms, mine)
        if extra < BOUGHT_LATER:
            days_before = _LATER_DAYS[0] + place * (_LATER_DAYS[1] - _LATER_DAYS[0])
            start_ms = at_ms - round(days_before * _DAY_MS)
            if start_ms > first_ms and mine:
                yield from self._left_cart(f"{name}-early", household, start_ms, self._pick(mine))
        elif extra < BOUGHT_LATER + NEVER_BOUGHT:
            start_ms = at_ms + round((0.1 + 2.7 * place) * _DAY_MS)
            strange = [product for _ in range(2) if (product := self._never_bought(household)) is not None]
            if start_ms < self._end_ms and strange:
                yield from self._left_cart(f"{name}-never", household, start_ms, strange, CHECKOUT_LEFT)
        elif extra < BOUGHT_LATER + NEVER_BOUGHT + ONLY_VIEWS:
            start_ms = at_ms + round((0.1 + 2.7 * place) * _DAY_MS)
            if start_ms < self._end_ms:
                shown = [self._popular[int(draw.random() * len(self._popular))] for _ in range(3)]
                yield from self._views(f"{name}-browse", household, start_ms, shown)

    def _visit(
        self, name: str, household: int, start_ms: int, order_ms: int, products: list[Product]
    ) -> Iterator[Event]:
        """A visit that ends in the order: its steps are spread over the time there is."""
        draw = self._random
        chosen = self._pick(products)
        viewed_cart = draw.random() < CART_VIEW_IN_VISIT
        checked_out = draw.random() < CHECKOUT_IN_VISIT
        step_ms = (order_ms - start_ms) // (2 * len(chosen) + 3)
        now_ms = start_ms
        for number, product in enumerate(chosen):
            yield ProductViewed(**_head(f"{name}-view-{number}", household, now_ms), product=product)
            now_ms += step_ms
            yield ProductAdded(**_head(f"{name}-add-{number}", household, now_ms), product=product, cart_id=name)
            now_ms += step_ms
        if viewed_cart:
            yield CartViewed(**_head(f"{name}-cart", household, now_ms), cart_id=name, products=tuple(chosen))
        if checked_out:
            yield _checkout(name, household, now_ms + step_ms, chosen)

    def _left_cart(
        self, name: str, household: int, start_ms: int, products: list[Product], checkouts: float = 0.0
    ) -> Iterator[Event]:
        """A visit that ends with a cart left behind, with the share `checkouts` only in the checkout."""
        now_ms = start_ms
        for number, product in enumerate(products):
            yield ProductViewed(**_head(f"{name}-view-{number}", household, now_ms), product=product)
            now_ms += round(_between(self._random, 20, 90)) * _SECOND_MS
            yield ProductAdded(**_head(f"{name}-add-{number}", household, now_ms), product=product, cart_id=name)
            now_ms += round(_between(self._random, 20, 90)) * _SECOND_MS
        if self._random.random() < checkouts:
            yield _checkout(name, household, now_ms, products)

    def _views(self, name: str, household: int, start_ms: int, products: list[Product]) -> Iterator[Event]:
        now_ms = start_ms
        for number, product in enumerate(products):
            yield ProductViewed(**_head(f"{name}-view-{number}", household, now_ms), product=product)
            now_ms += round(_between(self._random, 20, 120)) * _SECOND_MS

    def _pick(self, products: list[Product]) -> list[Product]:
        """One to three different products, in the order of the basket."""
        wanted = 1 + int(self._random.random() * _VISIT_PRODUCTS_MAX)
        places = {int(self._random.random() * len(products)) for _ in range(wanted)}
        return [products[place] for place in sorted(places)]

    def _never_bought(self, household: int) -> Product | None:
        """A popular product this household never buys, before or after; None in the rare case that tries run out."""
        bought = self._bought
        for _ in range(_TRIES):
            product = self._popular[int(self._random.random() * len(self._popular))]
            pair = (household << _PRODUCT_BITS) | int(product.product_id)
            place = int(bought.searchsorted(pair))
            if place == len(bought) or int(bought[place]) != pair:
                return product
        return None


def _mixed(*parts: int) -> int:
    """64 bits that depend on every bit of every part (Fibonacci hashing with a fold between)."""
    mixed = 0
    for part in parts:
        mixed = ((mixed ^ part) * _MIX) & _WORD
        mixed ^= mixed >> 29
    return mixed


def _between(draw: Random, low: float, high: float) -> float:
    return low + draw.random() * (high - low)


def _head(message_id: str, household: int, at_ms: int) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "timestamp_ms": at_ms,
        "user_id": str(household),
        "source": SOURCE,
        "channel": "browser",
    }


def _checkout(name: str, household: int, at_ms: int, products: list[Product]) -> CheckoutStarted:
    return CheckoutStarted(
        **_head(f"{name}-checkout", household, at_ms),
        checkout_id=f"{name}-checkout",
        cart_id=name,
        products=tuple(products),
        currency=CURRENCY,
    )


def _identified(household: int, at_ms: int) -> Identified:
    return Identified(
        message_id=f"{SOURCE}-identify-{household}",
        timestamp_ms=at_ms,
        user_id=str(household),
        source=SOURCE,
        timezone=TIMEZONE,
        consent=(ConsentChange(state="GRANT", channel="email", source=SOURCE),),
    )


def _product(product_id: int, price_minor: int) -> Product:
    name, category, brand, _ = facts_of(product_id)
    return Product(product_id=str(product_id), name=name, category=category, brand=brand, price_minor=price_minor)


def _buyable(basket: Basket) -> list[Product]:
    """The basket's lines that a visitor could have put into a cart: known products with a price, no petrol."""
    found = []
    for product_id, quantity, list_minor in zip(basket.product_ids, basket.quantities, basket.list_minor, strict=True):
        if quantity > 0 and list_minor > 0:
            facts = facts_of(product_id)
            if facts.category is not None and not facts.is_fuel:
                found.append(_product(product_id, list_minor // quantity))
    return found


def _popular_products(journey: Journey) -> list[Product]:
    """The products on most baskets, with their mean list price."""
    import numpy as np

    sold, place = np.unique(journey.product_id, return_inverse=True)
    lines = np.bincount(place)
    units = np.bincount(place, weights=journey.quantity)
    worth = np.bincount(place, weights=journey.list_minor)
    found: list[Product] = []
    for index in np.argsort(-lines, kind="stable").tolist():
        facts = facts_of(int(sold[index]))
        if facts.category is not None and not facts.is_fuel and units[index] > 0 and worth[index] >= units[index]:
            found.append(_product(int(sold[index]), round(float(worth[index]) / float(units[index]))))
            if len(found) == _POPULAR:
                break
    return found
