"""The customers of the simulated shop: what each does of her own accord, and how she answers to a message.

All is drawn from the seed, customer by customer, so a customer does the same whatever is sent to others. A customer comes
by a channel, orders as a renewal process (own pace, log-normal gaps around it) until she leaves, which after each order
happens with her own probability (beta over customers); some orders are refunded or cancelled; some visits end in a cart
left behind, which some come back for anyway.

An answer to a message is an order more, with the probability `uplift` of its trigger, and changes nothing else she does.
So what a trigger brings is known exactly: it is the sum of these orders. Surveys are answered with a score (`voices`).
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from hashlib import sha256
from math import exp
from random import Random
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from profiles.rules import DAY_MS, HOUR_MS, MINUTE_MS
from schemas.events import (
    Campaign,
    CheckoutStarted,
    ConsentChange,
    Event,
    Identified,
    OrderCancelled,
    OrderCompleted,
    OrderFulfilled,
    OrderRefunded,
    PageViewed,
    Product,
    ProductAdded,
    ProductViewed,
    SignedUp,
)
from schemas.routing import topic_of
from schemas.spend import ChannelSpend
from streams.simulation.catalogue import BUNDLES, CHANNELS, CURRENCY, GOODS, IDLE_CHANNEL, TIMEZONE, TOGETHER, Goods
from streams.simulation.voices import Message, reply
from streams.sources import Line

SOURCE: Final = "simulated"
START_MS: Final = 1_735_689_600_000
"""2025-01-01 00:00 UTC, the first day of the shop."""
ARRIVING_SHARE: Final = 0.9
"""New customers come during this share of the days, evenly."""
UPLIFT: Final = {"cart.abandoned": 0.35, "checkout.abandoned": 0.25, "welcome": 0.3, "replenishment.due": 0.0}
"""The probability that a message is answered by an order that would not have been; replenishment reminders bring nothing."""

CONSENTING: Final = 0.9
CART_EVERY_DAYS: Final = 25.0
RETURNING: Final = 0.2
IN_CHECKOUT: Final = 0.3
REFUNDED: Final = 0.06
CANCELLED: Final = 0.015
SHIPPING_COST_MINOR: Final = 390
PAYMENT_RATE: Final = 0.02

_PACE_DAYS: Final = 38.0
_PACE_SPREAD: Final = 0.55
_GAP_SPREAD: Final = 0.38
_LEAVE: Final = (0.9, 3.6)
"""Parameters of the beta distribution of the probability to leave after an order."""
_BY_CATEGORY: Final[dict[str, list[Goods]]] = {}
for _goods in GOODS:
    _BY_CATEGORY.setdefault(_goods.category, []).append(_goods)
_BY_ID: Final = {goods.product_id: goods for goods in GOODS}
_REFILLS: Final = tuple(goods for goods in GOODS if goods.supply_days)


class Extra(Struct, frozen=True, kw_only=True):
    """An order that a message brought: whose, when, by which trigger, and what it was worth."""

    customer: str
    trigger: str
    placed_ms: int
    net_minor: int
    margin_minor: int


class Customer:
    """One customer, drawn from the seed and her number."""

    def __init__(self, seed: int, number: int, days: int) -> None:
        draw = self.draw = Random(f"{seed}:{number}")
        self.id = f"c{number}"
        self.first_ms = START_MS + round(draw.random() * ARRIVING_SHARE * days * DAY_MS)
        self.channel = draw.choices(CHANNELS, [channel.share for channel in CHANNELS])[0]
        self.consents = draw.random() < CONSENTING
        self.pace_days = _PACE_DAYS / self.channel.frequency * exp(draw.gauss(0, _PACE_SPREAD))
        self.leave = draw.betavariate(*_LEAVE)
        self.value = self.channel.value * exp(draw.gauss(0, 0.35))
        self.refill = draw.choice(_REFILLS)
        self.favourites = draw.sample(sorted(_BY_CATEGORY), 3)
        # Who is content stays: the score follows the probability to leave.
        self.content = 9.2 - 6.0 * self.leave

    def basket(self, draw: Random) -> list[Product]:
        """What she takes: mostly what she runs out of, and something of the categories she likes."""
        chosen: dict[str, int] = {}
        if draw.random() < 0.75:
            chosen[self.refill.product_id] = 1
        for _ in range(1 + min(5, int(draw.expovariate(1 / (1.1 * self.value))))):
            goods = draw.choice(_BY_CATEGORY[draw.choice(self.favourites)])
            chosen[goods.product_id] = chosen.get(goods.product_id, 0) + 1
        for product_id in tuple(chosen):
            partner = BUNDLES.get(product_id)
            if partner is not None and draw.random() < TOGETHER:
                chosen.setdefault(partner, 1)
        return [_BY_ID[product_id].line(quantity) for product_id, quantity in chosen.items()]


class World:
    """A shop of so many customers over so many days. `lines_of` gives what happens on a day by itself."""

    def __init__(self, seed: int, customers: int, days: int, uplift: Mapping[str, float] = UPLIFT) -> None:
        self.seed, self.days, self.uplift = seed, days, uplift
        self.end_ms = START_MS + days * DAY_MS
        self.extras: list[Extra] = []
        self._customers = [Customer(seed, number, days) for number in range(1, customers + 1)]
        self._by_id = {customer.id: customer for customer in self._customers}
        self._days: list[list[Line]] = [[] for _ in range(days)]
        for customer in self._customers:
            self._live(customer)

    def lines_of(self, day: int) -> list[Line]:
        """The events of a day in their order; what was answered until now is among them."""
        return sorted(self._days[day], key=lambda line: line.time_ms)

    def answer(self, message: Message, now_day: int) -> None:
        """A message was sent: perhaps she orders because of it, or says what she thinks, after the day that is just over."""
        draw = Random(f"{self.seed}:{message.trigger_id}")
        customer = self._by_id.get(message.customer_id)
        if customer is None:
            return
        tomorrow_ms = START_MS + (now_day + 1) * DAY_MS
        for event in reply(message, customer.content, draw, _head("", customer.id, 0)):
            self._add(replace(event, timestamp_ms=max(tomorrow_ms, event.timestamp_ms)))
        if draw.random() >= self.uplift.get(message.name, 0.0):
            return
        placed_ms = max(message.emitted_ms, tomorrow_ms) + round((0.2 + 30 * draw.random()) * HOUR_MS)
        lines = [_BY_ID[product_id].line() for product_id in message.products if product_id in _BY_ID]
        lines = lines or customer.basket(draw)
        order_id = f"{SOURCE}-{sha256(message.trigger_id.encode()).hexdigest()[:16]}"
        order = _order(order_id, customer.id, placed_ms, lines)
        if not self._add(order):
            return
        net = sum(line.quantity * (line.price_minor or 0) for line in lines)
        cost = sum(line.quantity * (line.cost_minor or 0) for line in lines)
        self.extras.append(
            Extra(
                customer=customer.id,
                trigger=message.name,
                placed_ms=placed_ms,
                net_minor=round(net),
                margin_minor=round(net - cost) - SHIPPING_COST_MINOR - (order.payment_fee_minor or 0),
            )
        )

    def spend(self) -> list[ChannelSpend]:
        """What each channel cost by day, as the shop's books would send it to the topic `spend`."""
        by_day: dict[tuple[str, str], int] = {}
        for customer in self._customers:
            if customer.channel.cost_minor:
                place = (_day(customer.first_ms), _label(customer.channel.name, customer.channel.medium))
                by_day[place] = by_day.get(place, 0) + customer.channel.cost_minor
        name, medium, cents = IDLE_CHANNEL
        for number in range(self.days):
            by_day[_day(START_MS + number * DAY_MS), _label(name, medium)] = cents
        return [
            ChannelSpend(day=date.fromisoformat(day), channel=channel, amount_minor=amount, currency=CURRENCY)
            for (day, channel), amount in sorted(by_day.items())
        ]

    # --- one customer's life ----------------------------------------------------------------------------------------

    def _add(self, event: Event) -> bool:
        """Put an event on its day; False when it lies beyond the end."""
        day = (event.timestamp_ms - START_MS) // DAY_MS
        if not 0 <= day < self.days:
            return False
        line = Line(event.timestamp_ms, topic_of(event), event.user_id or "", _encode(event))
        self._days[day].append(line)
        return True

    def _live(self, customer: Customer) -> None:
        draw, at_ms = customer.draw, customer.first_ms
        self._arrive(customer, at_ms)
        at_ms += round((5 + 40 * draw.random()) * MINUTE_MS)
        number = 0
        while at_ms < self.end_ms:
            number += 1
            self._buy(customer, f"{customer.id}-{number}", at_ms)
            if draw.random() < customer.leave:
                break
            at_ms += round(customer.pace_days * exp(draw.gauss(0, _GAP_SPREAD)) * DAY_MS)
        left_ms = min(at_ms, self.end_ms)
        at_ms, number = customer.first_ms + DAY_MS, 0
        while (at_ms := at_ms + round(draw.expovariate(1 / CART_EVERY_DAYS) * DAY_MS)) < left_ms:
            number += 1
            self._leave_cart(customer, f"{customer.id}-cart-{number}", at_ms)

    def _arrive(self, customer: Customer, at_ms: int) -> None:
        channel = customer.channel
        self._add(
            PageViewed(
                **_head(f"{customer.id}-visit", customer.id, at_ms),
                url="https://shop.example/",
                campaign=Campaign(source=channel.name, medium=channel.medium) if channel.medium else None,
            )
        )
        consent = (ConsentChange(state="GRANT", channel="email", source=SOURCE),) if customer.consents else ()
        self._add(SignedUp(**_head(f"{customer.id}-signup", customer.id, at_ms + MINUTE_MS)))
        self._add(
            Identified(
                **_head(f"{customer.id}-identify", customer.id, at_ms + MINUTE_MS), timezone=TIMEZONE, consent=consent
            )
        )

    def _buy(self, customer: Customer, order_id: str, at_ms: int) -> None:
        draw, lines = customer.draw, customer.basket(customer.draw)
        for place, line in enumerate(lines[:2]):
            self._add(
                ProductViewed(
                    **_head(f"{order_id}-view-{place}", customer.id, at_ms - (place + 2) * MINUTE_MS), product=line
                )
            )
        self._add(_order(order_id, customer.id, at_ms, lines))
        fate = draw.random()
        if fate < REFUNDED:
            back = draw.choice(lines)
            at = at_ms + round((3 + 15 * draw.random()) * DAY_MS)
            self._add(
                OrderRefunded(**_head(f"{order_id}-refund", customer.id, at), order_id=order_id, products=(back,))
            )
        elif fate < REFUNDED + CANCELLED:
            at = at_ms + round(20 * draw.random() * HOUR_MS)
            self._add(OrderCancelled(**_head(f"{order_id}-cancel", customer.id, at), order_id=order_id))
        if not REFUNDED <= fate < REFUNDED + CANCELLED:
            at = at_ms + round((22 + 20 * draw.random()) * HOUR_MS)
            self._add(OrderFulfilled(**_head(f"{order_id}-parcel", customer.id, at), order_id=order_id))

    def _leave_cart(self, customer: Customer, cart_id: str, at_ms: int) -> None:
        draw, lines = customer.draw, customer.basket(customer.draw)[:3]
        for place, line in enumerate(lines):
            head = _head(f"{cart_id}-add-{place}", customer.id, at_ms + place * MINUTE_MS)
            self._add(ProductAdded(**head, product=line, cart_id=cart_id))
        if draw.random() < IN_CHECKOUT:
            self._add(
                CheckoutStarted(
                    **_head(f"{cart_id}-checkout", customer.id, at_ms + 5 * MINUTE_MS),
                    checkout_id=f"{cart_id}-checkout",
                    cart_id=cart_id,
                    products=tuple(lines),
                    currency=CURRENCY,
                )
            )
        if draw.random() < RETURNING:
            self._add(_order(f"{cart_id}-order", customer.id, at_ms + round((4 + 60 * draw.random()) * HOUR_MS), lines))


_encode: Final = msgspec.json.Encoder().encode


def _order(order_id: str, customer_id: str, at_ms: int, lines: list[Product]) -> OrderCompleted:
    value = sum(line.quantity * (line.price_minor or 0) for line in lines)
    return OrderCompleted(
        **_head(order_id, customer_id, at_ms),
        order_id=order_id,
        products=tuple(lines),
        currency=CURRENCY,
        shipping_cost_minor=SHIPPING_COST_MINOR,
        payment_fee_minor=round(value * PAYMENT_RATE),
    )


def _head(message_id: str, customer_id: str, at_ms: int) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "timestamp_ms": at_ms,
        "user_id": customer_id,
        "source": SOURCE,
        "channel": "browser",
    }


def _label(name: str, medium: str) -> str:
    return f"{name} / {medium}" if medium else name


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d")
