"""Who should be in which segment, and since when: each condition is asked again at every instant that could change it.

Naive on purpose: everything is looked up in the list of what happened so far, and no code of the engine is used.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from tests.year import looking
from tests.year.shop import DAY_MS, HOUR_MS, MINUTE_MS, Event

VISIT_MS: Final = 30 * MINUTE_MS
COALESCED_MS: Final = 5000
SPANS_MS: Final = (30 * MINUTE_MS, 2 * HOUR_MS, *(days * DAY_MS for days in (1, 2, 5, 7, 10, 20, 30)))
"""All spans of the conditions below, and after how long a cart is dropped."""


class Change(NamedTuple):
    """A customer entered or left a segment."""

    customer: str
    segment: str
    entered: bool
    at: int


class Life(looking.Life):
    """One customer, as conditions see her at `now`."""

    now = 0

    def count(self, name: str, span_ms: int, **fields: str) -> int:
        """Events of a name in the span until now; `fields` of their product."""
        found = self.of(name, since=self.now - span_ms + 1)
        return sum(fields.items() <= event.get("product", {}).items() for event in found)

    def visits(self, span_ms: int) -> int:
        seen = [event["timestamp_ms"] for event in self.past if "anonymous_id" in event]
        begun = [at for before, at in itertools.pairwise([0, *seen]) if at - before >= VISIT_MS]
        return sum(at > self.now - span_ms for at in begun)

    def standing(self, span_ms: int = looking.NEVER) -> list[tuple[int, int, set[str]]]:
        """(placed at, net value, categories that are left) of each order of the span that was not cancelled."""
        cancelled = {event["order_id"] for event in self.of("Order Cancelled")}
        return [
            self._left(order)
            for order in self.of("Order Completed", since=self.now - span_ms + 1)
            if order["order_id"] not in cancelled
        ]

    def _left(self, order: Event) -> tuple[int, int, set[str]]:
        lines = [*order["products"]]
        net = sum(line["price_minor"] for line in lines)
        for refund in self.of("Order Refunded"):
            if refund["order_id"] == order["order_id"]:
                back = refund.get("products", [] if "amount_minor" in refund else lines)
                net -= refund.get("amount_minor", sum(line["price_minor"] for line in back))
                for line in [*back]:
                    lines.remove(line)
        return order["timestamp_ms"], net, {line["category"] for line in lines}

    def full_carts(self) -> list[tuple[int, int]]:
        """(value, last change) of each cart that holds something."""
        return [
            (
                sum(len(prices) * prices[-1] for prices in lines.values()),
                max(event["timestamp_ms"] for event in self.past if event.get("cart_id") == cart),
            )
            for cart, lines in self.carts(self.now).items()
            if lines
        ]

    def wishes(self) -> int:
        last = {one["product"]["product_id"]: one["event"] for one in self.of(*WISHES)}
        return sum(word == WISHES[0] for word in last.values())


WISHES: Final = ("Product Added to Wishlist", "Product Removed from Wishlist")

SEGMENTS: Final[dict[str, tuple[str, Callable[[Life], bool]]]] = {
    "looks": ('views("30m") >= 3', lambda she: she.count("Product Viewed", 30 * MINUTE_MS) >= 3),
    "looks_only": (
        'views("7d", category("c1")) >= 2 && orders("7d", category("c1")) == 0',
        lambda she: (
            she.count("Product Viewed", 7 * DAY_MS, category="c1") >= 2
            and not any("c1" in left for _, _, left in she.standing(7 * DAY_MS))
        ),
    ),
    "buys": ('orders("30d") >= 2', lambda she: len(she.standing(30 * DAY_MS)) >= 2),
    "spends": ('spend_minor("30d") > 5000', lambda she: sum(net for _, net, _ in she.standing(30 * DAY_MS)) > 5000),
    "worth": (
        "profile.ltv.net_minor > 10000 && profile.orders.count >= 2",
        lambda she: sum(net for _, net, _ in she.standing()) > 10_000 and len(she.standing()) >= 2,
    ),
    "lapses": (
        'profile.orders.last_ms < ago("20d")',
        lambda she: max((at for at, _, _ in she.standing()), default=she.now) < she.now - 20 * DAY_MS,
    ),
    "visits": (
        'sessions("1d") >= 2 || sessions("20d") == 0',
        lambda she: she.visits(DAY_MS) >= 2 or she.visits(20 * DAY_MS) == 0,
    ),
    "searches": ('searches("2d") >= 3', lambda she: she.count("Products Searched", 2 * DAY_MS) >= 3),
    "adds": ('adds("1d", product("p3")) >= 1', lambda she: she.count("Product Added", DAY_MS, product_id="p3") >= 1),
    "refunded": (
        'events("10d", "Order Refunded") >= 1 && views("2h") == 0',
        lambda she: she.count("Order Refunded", 10 * DAY_MS) >= 1 and she.count("Product Viewed", 2 * HOUR_MS) == 0,
    ),
    "full_cart": (
        "profile.carts.exists(c, c.value_minor > 4000)",
        lambda she: any(value > 4000 for value, _ in she.full_carts()),
    ),
    "old_cart": (
        'profile.carts.exists(c, c.updated_ms < ago("2d"))',
        lambda she: any(at < she.now - 2 * DAY_MS for _, at in she.full_carts()),
    ),
    "no_cart": ("size(profile.carts) == 0", lambda she: not she.full_carts()),
    "wishes": ("size(profile.wishlist) >= 3", lambda she: she.wishes() >= 3),
    "willing": ('profile.consent["email.marketing"] == "GRANT"', lambda she: she.agreed()),
    "away": (
        'profile.last_seen_ms < ago("5d")',
        lambda she: she.past[-1]["timestamp_ms"] < she.now - 5 * DAY_MS,
    ),
}


def changes(events: list[Event], until: int) -> Iterable[Change]:
    """Everything that changed by `until`."""
    lives: dict[str, list[Event]] = {}
    for event in events:
        if "user_id" in event:
            lives.setdefault(event["user_id"], []).append(event)
    for name, past in lives.items():
        yield from _changes_of(name, past, until)


def _changes_of(name: str, events: list[Event], until: int) -> Iterable[Change]:
    she, still = Life(looking.Shop([], 0), name), [*events]
    moments = {event["timestamp_ms"] for event in events}
    moments |= {at + span + more for at in moments for span in SPANS_MS for more in (0, 1)}
    inside, last = dict.fromkeys(SEGMENTS, False), dict.fromkeys(SEGMENTS, -looking.NEVER)
    for at in sorted(moments | {at + COALESCED_MS for at in moments}):
        if at > until:
            return
        she.now = at
        while still and still[0]["timestamp_ms"] <= at:
            she.past.append(still.pop(0))
        for segment, (_, holds) in SEGMENTS.items():
            if holds(she) is not inside[segment] and at - last[segment] >= COALESCED_MS:
                inside[segment], last[segment] = not inside[segment], at
                yield Change(name, segment, inside[segment], at)
