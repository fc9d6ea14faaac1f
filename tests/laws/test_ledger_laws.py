"""Money does not depend on how its events travel: order, repeats and cuts change nothing, and a second way agrees.

`Oracle` works the definitions out from the whole set of events at once, in exact fractions, sharing no code with the ledger.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from profiles import order_stats
from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.costs import build_costs
from profiles.ledger import apply_order, compact, is_news
from profiles.needs import NeedLedger
from profiles.order_state import Ledger, OrderEntry, Totals, decode_entry
from profiles.profile import Profile, decode_profile
from profiles.rates import build_rates
from profiles.state import RECENT_ORDERS_MAX, encode
from schemas import events
from schemas.events import Arrival, OrderEvent, Product

DAY_MS = 86_400_000
START_MS = 1_772_409_600_000  # 2026-03-02 00:00 UTC
DIGITS = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3, "GBP": 2}
RATES = [
    {"currency": "USD", "date": "2026-01-01", "rate": "0.9123"},
    {"currency": "USD", "date": "2026-03-03", "rate": "0.8765"},
    {"currency": "JPY", "date": "2026-03-02", "rate": "0.00615"},
    {"currency": "KWD", "date": "2026-01-01", "rate": "2.9871"},
]
CATALOGUE = [
    {"product_id": "p0", "category": "tea", "cost": "3.35"},
    {"product_id": "p1", "category": "tea/green"},
]
COSTS = {
    "shipping_cost_minor": 455,
    "payment_rate": "0.0145",
    "payment_fixed_minor": 25,
    "cost_rate": "0.4",
    "cost_rates": {"tea": "0.333"},
}
BOOKS = {
    "plain": Book(shop_currency="EUR"),
    "full": Book(
        shop_currency="EUR",
        costs=build_costs(COSTS),
        rates=build_rates(RATES, "EUR", lambda currency: DIGITS[currency]),
        catalogue=build_catalogue(CATALOGUE),
    ),
}

# No deadline of its own: the suite has one, and machines differ.
few = settings(max_examples=100, deadline=None)


def some_product(random: Random) -> Product:
    return Product(
        product_id=random.choice(("p0", "p1", "p2")),
        quantity=random.choice((1, 2, 3, 0, 0.35, 1.5)),
        price_minor=random.choice((None, random.randint(0, 3000))),
        list_minor=random.choice((None, None, random.randint(0, 9000))),
        discount_minor=random.randint(0, 300),
        cost_minor=random.choice((None, random.randint(0, 900))),
        category=random.choice((None, "tea/green/sencha", "lamps")),
        gift_card=random.random() < 0.15,
    )


def some_order_event(random: Random, number: int) -> Arrival:
    """One event of one of three orders, on one of five days."""
    kind = random.choice(KINDS)
    at_ms = START_MS + random.randint(-5, 5) * DAY_MS // 2
    fields: dict[str, Any] = {
        "order_id": random.choice(("o1", "o2", "o3")),
        "currency": random.choice((None, None, "EUR", "USD", "JPY", "KWD", "GBP")),
    }
    if kind is events.OrderRefunded:
        fields |= {
            "refund_id": random.choice((None, "r1", "r2")),
            "amount_minor": random.choice((None, random.randint(-200, 20_000))),
            "amount_with_tax": random.random() < 0.3,
            "products": tuple(some_product(random) for _ in range(random.randint(0, 2))),
            "restocked": random.random() < 0.5,
            "return_shipping_minor": random.choice((0, 0, 395)),
            "restocking_fee_minor": random.choice((0, 0, 250)),
        }
    elif issubclass(kind, events.OrderStateEvent):
        if random.random() < 0.5:
            names = random.choice((HEADLINE, HEADLINE, BESIDE))
            fields |= {name: random.choice((None, random.randint(-200, 20_000))) for name in names}
        fields |= {name: random.choice((None, None, random.randint(0, 900))) for name in SHOP_COSTS}
        fields["products"] = tuple(some_product(random) for _ in range(random.randint(0, 3)))
        fields["updated_at_ms"] = random.choice((None, START_MS + random.randint(0, 4) * DAY_MS))
        fields["test"] = random.random() < 0.05
        fields["cart_id"] = random.choice((None, None, "c1", "c2"))
        fields["checkout_id"] = random.choice((None, None, "k1"))
        if kind is events.OrderCompleted and random.random() < 0.3:
            fields["source_kind"] = "client"
    event = kind(message_id=f"m{number}", timestamp_ms=at_ms, user_id="ada", **fields)
    return Arrival(event, at_ms, at_ms + random.randint(0, 2), "user_id:ada", "ada")


KINDS: tuple[type[OrderEvent], ...] = (
    events.OrderCompleted,
    events.OrderCompleted,
    events.OrderCompleted,
    events.OrderUpdated,
    events.OrderUpdated,
    events.OrderUpdated,
    events.OrderRefunded,
    events.OrderRefunded,
    events.OrderRefunded,
    events.OrderCancelled,
    events.OrderFulfilled,
    events.OrderDelivered,
    events.OrderReturned,
)
SHOP_COSTS = ("shipping_cost_minor", "payment_fee_minor")
HEADLINE = ("revenue_minor", "subtotal_minor", "total_minor", "shipping_minor", "tax_minor", "discount_minor")


WORTH = ("revenue_minor", "subtotal_minor", "total_minor")
BESIDE = ("shipping_minor", "tax_minor", "discount_minor")


@st.composite
def order_histories(draw: st.DrawFn) -> list[Arrival]:
    """Events drawn by seed: a tenth of the time of drawing every field, and a failure still shrinks to few events."""
    seeds = draw(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=12))
    return [some_order_event(Random(seed), number) for number, seed in enumerate(seeds)]


@st.composite
def two_travels(draw: st.DrawFn) -> tuple[list[Arrival], list[Arrival]]:
    """A history, and the same with repeats and in another order."""
    history = draw(order_histories())
    repeats = draw(st.lists(st.sampled_from(history), max_size=5))
    return history, draw(st.permutations([*history, *repeats]))


def play(history: Iterable[Arrival], book: Book, profile: Profile | None = None) -> tuple[Profile, Ledger]:
    profile, ledger = profile or Profile("user_id:ada"), Ledger(complete=True)
    for arrival in history:
        apply_order(profile, arrival, ledger, book)
    return profile, ledger


def picture(profile: Profile, ledger: Ledger) -> dict[str, Any]:
    """All that must not depend on the way here."""
    stats = profile.orders
    counts = (
        stats.count,
        stats.valued,
        stats.refunded,
        stats.cancelled,
        stats.unconverted,
        stats.gift_cards,
        stats.unconverted_refunds,
        stats.first,
    )
    return {
        "entries": {entry.order_id: encode(entry) for entry in ledger.all()},
        "ltv": profile.ltv,
        "by_currency": profile.by_currency,
        "counts": counts,
        "newest": order_stats.newest(stats),
    }


# --- the second way -----------------------------------------------------------------------------------------------


def rank(arrival: Arrival, event: events.OrderStateEvent) -> tuple[bool, int, int, str]:
    """The higher, the more its word counts: a server's before a stranger's, its last one, and a stranger's first."""
    if event.source_kind == "client":
        return False, -arrival.received_ms, -arrival.time_ms, event.message_id
    said_ms = arrival.time_ms if event.updated_at_ms is None else event.updated_at_ms
    return True, said_ms, arrival.received_ms, event.message_id


class Oracle:
    """Totals and counts of one customer from all order events at once."""

    def __init__(self, history: list[Arrival], book_name: str) -> None:
        self.full = book_name == "full"
        self.ltv = Totals()
        self.by_currency: dict[str, Totals] = {}
        self.count = self.valued = self.refunded = self.cancelled = self.unconverted = self.gift_cards = 0
        self.unconverted_refunds = 0
        self.times: list[tuple[int, str]] = []
        for order_id in sorted({a.event.order_id for a in history if isinstance(a.event, OrderEvent)}):
            self._order(
                order_id, [a for a in history if isinstance(a.event, OrderEvent) and a.event.order_id == order_id]
            )
        self.times.sort()

    def _order(self, order_id: str, arrivals: list[Arrival]) -> None:
        states = [(a, a.event) for a in arrivals if isinstance(a.event, events.OrderStateEvent)]
        completed = [a.time_ms for a, e in states if isinstance(e, events.OrderCompleted)]
        updated = [a.time_ms for a, e in states if isinstance(e, events.OrderUpdated)]
        if any(e.test for _, e in states) or not (completed or updated):
            return
        if any(isinstance(e, events.OrderCancelled) for _, e in states):
            self.cancelled += 1
            return
        placed_ms = min(completed or updated)
        states.sort(key=lambda state: rank(*state))
        ordered = [e for _, e in states]

        def last(name: str) -> Any:
            return next((getattr(e, name) for e in reversed(ordered) if getattr(e, name) not in (None, ())), None)

        lines: tuple[Product, ...] = last("products") or ()
        stated = next((e for e in reversed(ordered) if _worth(e)), None)
        money = {name: getattr(stated, name) if stated else None for name in HEADLINE}
        currency = last("currency") or "EUR"
        rate = self._rate(currency, placed_ms)
        # What is newer than the newest word on the currency was read in euro, and has two decimals.
        named = max((place for place, e in enumerate(ordered) if e.currency is not None), default=len(ordered))
        if stated is not None and ordered.index(stated) > named:
            money = {name: None if m is None else _in_digits(m, currency) for name, m in money.items()}
        stated_at = -1 if stated is None else ordered.index(stated)
        for name in BESIDE:
            told = [(place, getattr(e, name)) for place, e in enumerate(ordered) if getattr(e, name) is not None]
            place, amount = told[-1] if told else (-1, 0)
            if place <= stated_at:
                continue
            amount = _in_digits(amount, currency) if place > named else amount
            if (known := money[name]) is not None:
                moving = ("total_minor",) if name != "discount_minor" else WORTH
                change = known - amount if name == "discount_minor" else amount - known
                money |= {m: None if money[m] is None else (money[m] or 0) + change for m in moving}
            money[name] = amount
        lines_at = max((place for place, e in enumerate(ordered) if e.products), default=-1)
        if lines_at > named and DIGITS[currency] != 2:
            lines = tuple(
                replace(
                    p,
                    list_minor=None if (v := _value(p)) is None else _in_digits(v, currency),
                    discount_minor=_in_digits(p.discount_minor, currency),
                )
                for p in lines
            )

        # Gift cards: what was paid for each, and the order without them.
        cards = {p.product_id for e in ordered for p in e.products if p.gift_card}
        sold: dict[str, tuple[int, Fraction]] = {}
        for p in lines:
            paid_for, quantity = sold.get(p.product_id, (0, Fraction(0)))
            paid_for += max(0, (_value(p) or 0) - p.discount_minor)
            sold[p.product_id] = (paid_for, quantity + _exact(p.quantity))
        every_line, lines = lines, tuple(p for p in lines if p.product_id not in cards)
        of_cards = sum(paid_for for product_id, (paid_for, _) in sold.items() if product_id in cards)
        worth = next((money[name] for name in WORTH if money[name] is not None), None)
        if worth is not None and money["revenue_minor"] is None and money["subtotal_minor"] is None:
            worth -= (money["shipping_minor"] or 0) + (money["tax_minor"] or 0)
        if cards and every_line:
            if not lines:
                of_cards = max(of_cards, worth or 0)
                money["discount_minor"] = None
            elif money["discount_minor"] is not None:
                off_cards = sum(p.discount_minor for p in every_line if p.product_id in cards)
                money["discount_minor"] -= min(off_cards, max(0, money["discount_minor"]))
            off = sum(p.discount_minor for p in lines) if money["discount_minor"] is None else money["discount_minor"]
            if lines and worth is not None and worth == sum(_value(p) or 0 for p in lines) - off:
                of_cards = 0

        values = [_value(p) for p in lines]
        known = [value for value in values if value is not None]
        discount = (
            money["discount_minor"] if money["discount_minor"] is not None else sum(p.discount_minor for p in lines)
        )
        if worth is not None:
            goods = worth if worth <= 0 else max(0, worth - of_cards)
        else:
            goods = sum(known) - discount if known else 0
        gross = sum(known) if lines and len(known) == len(values) and sum(known) >= goods else goods + max(0, discount)

        # Refunds: the newest version of each.
        newest: dict[str, tuple[int, str, events.OrderRefunded]] = {}
        for a in arrivals:
            if isinstance(a.event, events.OrderRefunded):
                version = (a.time_ms, a.event.message_id, a.event)
                refund_id = a.event.refund_id or a.event.message_id
                if refund_id not in newest or version[:2] > newest[refund_id][:2]:
                    newest[refund_id] = version
        refunds = [event for _, _, event in newest.values()]

        # What was paid in all, and of what went back in all the parts for goods, for shipping and beyond.
        all_paid = goods + of_cards + (money["shipping_minor"] or 0) + (money["tax_minor"] or 0)
        all_paid = all_paid if money["total_minor"] is None else max(all_paid, money["total_minor"])
        fixed, taxed, of_products, rest, fees, everything_back = 0, 0, 0, False, 0, False
        wholes, given, fees_unknown, cannot = 0, False, False, 0
        units_back: dict[str, Fraction] = {}
        for r in refunds:
            cards_back = [p for p in r.products if p.product_id in cards] if every_line else []
            off = 0 if r.currency not in (None, currency) else _paid_for(cards_back, sold)
            all_back, rest_of = r.products, tuple(p for p in r.products if p not in cards_back)
            fee = self._converted(r.restocking_fee_minor - r.return_shipping_minor, r.currency, currency, placed_ms)
            fees, fees_unknown = fees + (fee or 0), fees_unknown or fee is None
            amount = 0 if cards_back and not rest_of else r.amount_minor
            given = given or amount is None or _less(amount, off, all_paid) != 0
            asked = amount if amount is not None else _prices(all_back)
            is_foreign = asked is not None and self._converted(1, r.currency, currency, placed_ms) is None
            if is_foreign and _less(asked or 0, off, all_paid):
                worth = _share(rest_of, lines, goods)
                of_products, cannot = of_products + (worth or 0), cannot + (worth is None)
            elif amount is not None:
                amount = _less(amount, off, all_paid)
                amount = self._converted(amount, r.currency, currency, placed_ms)
                assert amount is not None
                fixed, taxed = (fixed, taxed + amount) if r.amount_with_tax else (fixed + amount, taxed)
                wholes += not r.amount_with_tax and amount == all_paid
            elif asked is not None:
                amount = self._converted(_less(asked, off, all_paid), r.currency, currency, placed_ms)
                assert amount is not None
                of_products += amount
            else:
                worth = _share(rest_of, lines, goods)
                rest = rest or worth is None
                of_products += worth or 0
                everything_back = everything_back or (not all_back and r.restocked)
            if r.restocked:
                for p in rest_of:
                    units_back[p.product_id] = units_back.get(p.product_id, Fraction(0)) + _exact(p.quantity)
        if 0 < goods < all_paid:
            wholes = 1 if fixed == all_paid and not taxed else wholes
            fixed, taxed = fixed - wholes * all_paid, taxed + wholes * all_paid
        shipping_back = 0
        if goods == 0 and of_cards:
            fixed, taxed = min(fixed + taxed, max(0, fixed + taxed - all_paid)), 0
        if taxed > 0 and goods > 0:
            charged = max(0, money["shipping_minor"] or 0)
            without_shipping = max(goods, all_paid - charged - of_cards)
            shipping_back = min(charged, max(0, taxed - without_shipping))
            fixed += min(goods, round(Fraction(taxed * goods, without_shipping)))
            fixed += max(0, taxed - max(goods, all_paid))
        else:
            fixed += taxed
        refund = max(goods, fixed) if rest else max(fixed, min(goods, fixed + of_products))
        net = goods - refund

        # Cost of goods.
        line_costs, guessed_gross, blind = [], 0, not lines
        for p, value in zip(lines, values, strict=True):
            if p.cost_minor is not None:
                cost = round(p.cost_minor * _exact(p.quantity))
                line_costs.append(_in_digits(cost, currency) if lines_at > named else cost)
            elif self.full and p.product_id == "p0" and rate is not None:
                # The catalogue's cost is in EUR; rounded for the line, then brought into the order's currency.
                line_costs.append(round(Fraction(round(335 * _exact(p.quantity))) / rate))
            else:
                # What an event says of the category goes before the catalogue.
                category = p.category or {"p0": "tea", "p1": "tea/green"}.get(p.product_id) if self.full else None
                share = Fraction("0.333") if category and category.startswith("tea") else Fraction("0.4")
                line_costs.append(round((value or 0) * share) if self.full else 0)
                guessed_gross += value or 0
                blind = blind or value is None
        cost = sum(line_costs) if lines else (round(gross * Fraction("0.4")) if self.full else 0)
        back = sum(line_costs) if everything_back else 0
        if not everything_back:
            for product_id, units in units_back.items():
                mine = [
                    (c, _exact(p.quantity))
                    for p, c in zip(lines, line_costs, strict=True)
                    if p.product_id == product_id
                ]
                quantity = sum((q for _, q in mine), Fraction(0))
                if quantity:
                    back += round(sum(c for c, _ in mine) * min(units, quantity) / quantity)

        # Shipping and payment.
        charged = money["shipping_minor"] or 0
        shipping_cost, fee = (self._cost(ordered, name, currency) for name in SHOP_COSTS)
        unknown = False
        if shipping_cost is None:
            unknown = not self.full or rate is None
            shipping_cost = 0 if unknown or rate is None else round(Fraction(455) / rate)
        if fee is None:
            paid = (
                money["total_minor"]
                if money["total_minor"] is not None
                else goods + of_cards + charged + (money["tax_minor"] or 0)
            )
            if not self.full or rate is None:
                unknown, fee = True, 0
            else:
                fee = round(paid * Fraction("0.0145")) + round(Fraction(25) / rate) if paid > 0 else 0
        margin = net - cost + back + charged - shipping_cost - fee + fees - shipping_back
        guess = gross if unknown or fees_unknown or blind else max(0, min(gross, guessed_gross))

        self.count += 1
        self.valued += goods > 0
        self.refunded += given
        self.unconverted_refunds += cannot
        self.times.append((placed_ms, order_id))
        _add(self.by_currency.setdefault(currency, Totals()), gross, gross - goods, refund, net, margin, guess)
        if self.by_currency[currency] == Totals():
            del self.by_currency[currency]
        if rate is None:
            self.unconverted += 1
            return
        self.gift_cards += bool(cards and every_line and not lines)
        g, d, r_, m, e = (round(x * rate) for x in (gross, gross - goods, refund, margin, guess))
        r_ = r_ if net else g - d  # nothing is left, and nothing shall be
        _add(self.ltv, g, d, r_, g - d - r_, m, e)

    def _cost(self, ordered: list[events.OrderStateEvent], name: str, currency: str) -> int | None:
        """What the newest event that names a cost says; one that names no currency was read in euro."""
        told = [event for event in ordered if getattr(event, name) is not None]
        if not told:
            return None
        amount: int = getattr(told[-1], name)
        return _in_digits(amount, currency) if told[-1].currency is None else amount

    def _rate(self, currency: str, at_ms: int) -> Fraction | None:
        """Minor units of EUR for a minor unit."""
        if currency == "EUR":
            return Fraction(1)
        if not self.full:
            return None
        day = datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
        valid = [row for row in RATES if row["currency"] == currency and row["date"] <= day]
        if not valid:
            return None
        return Fraction(valid[-1]["rate"]) * Fraction(10) ** (2 - DIGITS[currency])

    def _converted(self, amount: int, stated: str | None, currency: str, at_ms: int) -> int | None:
        """A refund's amount in the order's currency; None where a rate is missing. One that names none is in the order's."""
        if stated is None:
            return _in_digits(amount, currency)
        theirs, ours = self._rate(stated or currency, at_ms), self._rate(currency, at_ms)
        if not amount or stated == currency:
            return amount
        if theirs is None or ours is None:
            return None
        return round(amount * theirs / ours)


def _prices(back: tuple[Product, ...]) -> int | None:
    """What products that went back were told to cost; None where some were told without."""
    values = [_value(p) for p in back]
    if not values or None in values:
        return None
    return sum(max(abs(v or 0) - abs(p.discount_minor), 0) for v, p in zip(values, back, strict=True))


def _paid_for(back: list[Product], sold: dict[str, tuple[int, Fraction]]) -> int:
    """What these products were paid for in their order."""
    units: dict[str, Fraction] = {}
    for p in back:
        units[p.product_id] = units.get(p.product_id, Fraction(0)) + _exact(p.quantity)
    paid = 0
    for product_id, count in units.items():
        paid_for, quantity = sold.get(product_id, (0, Fraction(0)))
        paid += round(paid_for * count / quantity) if quantity else 0
    return paid


def _less(amount: int, off: int, all_paid: int) -> int:
    """A refund without what of it was for gift cards; all that was paid stays what it is."""
    return amount if amount == all_paid else min(amount, max(0, amount - off))


def _worth(event: events.OrderStateEvent) -> bool:
    """Whether an event says what its order is worth: shipping, tax and discount do so with products only."""
    names = HEADLINE if event.products else WORTH
    return any(getattr(event, name) is not None for name in names)


def _in_digits(amount: int, currency: str) -> int:
    """An amount of two decimals with those of a currency."""
    return round(Fraction(amount) * Fraction(10) ** (DIGITS[currency] - 2))


def _exact(quantity: float) -> Fraction:
    return Fraction(str(quantity))


def _value(product: Product) -> int | None:
    if product.list_minor is not None:
        return product.list_minor
    return None if product.price_minor is None else round(product.price_minor * _exact(product.quantity))


def _share(back: tuple[Product, ...], lines: tuple[Product, ...], goods: int) -> int | None:
    """What products without prices are worth of an order's goods value; None where its lines can't tell."""
    if not back or any(_value(p) is None for p in lines):
        return None
    paid = [max(0, (_value(p) or 0) - p.discount_minor) for p in lines]
    total = sum(paid)
    if total <= 0:
        return None
    share = 0
    units: dict[str, Fraction] = {}
    for p in back:
        units[p.product_id] = units.get(p.product_id, Fraction(0)) + _exact(p.quantity)
    for product_id, count in units.items():
        mine = [(v, _exact(p.quantity)) for p, v in zip(lines, paid, strict=True) if p.product_id == product_id]
        quantity = sum((q for _, q in mine), Fraction(0))
        if not quantity:
            return None
        share += round(sum(v for v, _ in mine) * count / quantity)
    return round(Fraction(goods * share, total))


def _add(totals: Totals, gross: int, discount: int, refund: int, net: int, margin: int, estimated: int) -> None:
    totals.gross += gross
    totals.discount += discount
    totals.refund += refund
    totals.net += net
    totals.margin += margin
    totals.estimated_gross += estimated


# --- the laws -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("book_name", BOOKS)
@few
@given(travels=two_travels())
def test_repeats_and_any_order_of_arrival_give_the_same_ledger_and_money(
    book_name: str, travels: tuple[list[Arrival], list[Arrival]]
) -> None:
    history, other = travels

    assert picture(*play(history, BOOKS[book_name])) == picture(*play(other, BOOKS[book_name]))


@pytest.mark.parametrize("book_name", BOOKS)
@few
@given(history=order_histories())
def test_a_second_way_of_reckoning_agrees_to_the_minor_unit(book_name: str, history: list[Arrival]) -> None:
    profile, _ = play(history, BOOKS[book_name])
    oracle = Oracle(history, book_name)
    stats = profile.orders

    assert oracle.ltv == profile.ltv
    assert oracle.by_currency == profile.by_currency
    assert (oracle.count, oracle.valued, oracle.refunded) == (stats.count, stats.valued, stats.refunded)
    assert (oracle.cancelled, oracle.unconverted) == (stats.cancelled, stats.unconverted)
    assert (oracle.gift_cards, oracle.unconverted_refunds) == (stats.gift_cards, stats.unconverted_refunds)
    assert oracle.times == stats.recent
    assert (oracle.times[0] if oracle.times else None) == stats.first


@few
@given(history=order_histories())
def test_totals_are_the_sum_of_all_contributions_at_all_times(history: list[Arrival]) -> None:
    profile, ledger = Profile("user_id:ada"), Ledger(complete=True)
    for arrival in history:
        apply_order(profile, arrival, ledger, BOOKS["full"])

        ltv, by_currency = Totals(), dict[str, Totals]()
        for entry in ledger.all():
            added = entry.contribution
            if added is None:
                continue
            for totals, part in ((ltv, added.shop), (by_currency.setdefault(added.currency, Totals()), added.amounts)):
                _add(totals, part.gross, part.discount, part.refund, part.net, part.margin, part.estimated_gross)
        assert ltv == profile.ltv
        assert {name: totals for name, totals in by_currency.items() if totals != Totals()} == profile.by_currency
        for totals in (profile.ltv, *profile.by_currency.values()):
            assert totals.net == totals.gross - totals.discount - totals.refund
            assert totals.discount >= 0


@few
@given(history=order_histories())
def test_going_through_storage_after_every_event_changes_nothing(history: list[Arrival]) -> None:
    profile, entries = Profile("user_id:ada"), dict[str, bytes]()
    for arrival in history:
        profile = decode_profile(profile.pack())
        ledger = Ledger({name: decode_entry(stored) for name, stored in entries.items()}, complete=True)
        apply_order(profile, arrival, ledger, BOOKS["full"])
        for name in ledger.changed:
            entry = ledger.get(name)
            assert entry is not None
            entries[name] = encode(entry)
            assert encode(decode_entry(entries[name])) == entries[name]
    straight, straight_ledger = play(history, BOOKS["full"])

    assert straight.pack() == profile.pack()
    assert {entry.order_id: encode(entry) for entry in straight_ledger.all()} == entries


@few
@given(history=order_histories())
def test_an_entry_that_is_not_loaded_is_asked_for_before_anything_changes(history: list[Arrival]) -> None:
    profile, stored = Profile("user_id:ada"), Ledger(complete=True)
    for arrival in history:
        before = profile.pack()
        event = arrival.event
        assert isinstance(event, OrderEvent)

        with pytest.raises(NeedLedger) as need:
            apply_order(profile, arrival, Ledger(), BOOKS["full"])

        assert need.value.order_id == event.order_id
        assert profile.pack() == before
        apply_order(profile, arrival, stored, BOOKS["full"])


@st.composite
def long_histories(draw: st.DrawFn) -> list[Arrival]:
    """Up to 40 orders placed, moved earlier and cancelled, so that more exist than the profile keeps."""
    random = Random(draw(st.integers(0, 2**32 - 1)))
    history = []
    for number in range(draw(st.integers(1, 120))):
        order = random.randint(0, 39)
        kind = random.choice((events.OrderCompleted,) * 5 + (events.OrderCancelled,))
        at_ms = START_MS + random.randint(0, 50) * DAY_MS
        event = kind(message_id=f"m{number}", timestamp_ms=at_ms, order_id=f"o{order}", revenue_minor=100)
        history.append(Arrival(event, at_ms, at_ms, "user_id:ada", "ada"))
    return history


@few
@given(history=long_histories())
def test_first_and_newest_orders_are_right_and_other_orders_are_asked_for_without_side_effects(
    history: list[Arrival],
) -> None:
    profile, entries = Profile("user_id:ada"), dict[str, OrderEntry]()
    for arrival in history:
        event = arrival.event
        assert isinstance(event, OrderEvent)
        ledger = Ledger({event.order_id: entries.get(event.order_id)})
        before = profile.pack()
        try:
            apply_order(profile, arrival, ledger, BOOKS["plain"])
        except NeedLedger as need:
            # For all, or for the one that is the first where another no longer is.
            asked_for, left = need.order_id, (profile.pack(), ledger.changed)
            assert asked_for is None or asked_for in entries
            assert left == (before, set())
            ledger = Ledger(dict(entries), complete=True)
            apply_order(profile, arrival, ledger, BOOKS["plain"])
        for name in ledger.changed:
            entry = ledger.get(name)
            assert entry is not None
            entries[name] = entry

        places = sorted(
            (entry.placed_ms, entry.order_id)
            for entry in entries.values()
            if entry.placed_ms is not None and entry.cancelled_ms is None
        )
        stats = profile.orders
        assert len(places) == stats.count
        assert (places[0] if places else None) == stats.first
        assert places[len(places) - len(stats.recent) :] == stats.recent
        assert min(len(places), order_stats.RECENT_EXACT) <= len(stats.recent) <= RECENT_ORDERS_MAX


@few
@given(history=order_histories())
def test_what_was_told_is_no_news_and_what_changes_an_entry_is(history: list[Arrival]) -> None:
    profile, ledger = Profile("user_id:ada"), Ledger(complete=True)
    for arrival in history:
        assert isinstance(arrival.event, OrderEvent)
        before, news = ledger.get(arrival.event.order_id), is_news(arrival, ledger)
        apply_order(profile, arrival, ledger, BOOKS["full"])

        assert (ledger.get(arrival.event.order_id) is not before) == news
    assert not any(is_news(arrival, ledger) for arrival in history)
    compact(profile, START_MS + 500 * DAY_MS, ledger, BOOKS["full"])

    assert not any(is_news(arrival, ledger) for arrival in history)


@few
@given(history=order_histories())
def test_compaction_leaves_all_money_as_it_is(history: list[Arrival]) -> None:
    profile, ledger = play(history, BOOKS["full"])
    before = (encode(profile.ltv), encode(profile.by_currency), encode(profile.orders))
    contributions = {entry.order_id: entry.contribution for entry in ledger.all()}

    compact(profile, START_MS + 500 * DAY_MS, ledger, BOOKS["full"])

    assert (encode(profile.ltv), encode(profile.by_currency), encode(profile.orders)) == before
    assert {entry.order_id: entry.contribution for entry in ledger.all()} == contributions
    assert all(not entry.lines for entry in ledger.all())
    assert profile.compact_ms is None


@few
@given(history=order_histories(), amount=st.integers(1, 5000))
def test_a_refund_counts_the_same_before_and_after_compaction(history: list[Arrival], amount: int) -> None:
    at_ms = START_MS + 450 * DAY_MS
    refund = Arrival(
        events.OrderRefunded(message_id="late", timestamp_ms=at_ms, order_id="o1", amount_minor=amount),
        at_ms, at_ms, "user_id:ada", "ada",
    )  # fmt: skip
    kept, ledger = play(history, BOOKS["full"])
    apply_order(kept, refund, ledger, BOOKS["full"])
    compacted, ledger = play(history, BOOKS["full"])
    compact(compacted, at_ms, ledger, BOOKS["full"])
    apply_order(compacted, refund, ledger, BOOKS["full"])

    assert kept.by_currency == compacted.by_currency
    assert kept.ltv == compacted.ltv
    assert kept.orders == compacted.orders


@few
@given(history=order_histories())
def test_orders_of_nobody_keep_totals_only_and_never_ask_for_the_whole_ledger(history: list[Arrival]) -> None:
    known, _ = play(history, BOOKS["full"])
    nobody, _ = play(history, BOOKS["full"], Profile(events.ANONYMOUS))

    assert known.ltv == nobody.ltv
    assert known.orders.count == nobody.orders.count
    assert nobody.orders.first is None
    assert nobody.orders.recent == []
    assert nobody.compact_ms is None


def test_half_a_minor_unit_goes_to_the_even_one() -> None:
    book = Book(
        shop_currency="EUR",
        rates=build_rates([{"currency": "USD", "date": "2026-01-01", "rate": "0.5"}], "EUR", lambda _: 2),
    )
    profile, ledger = Profile("user_id:ada"), Ledger(complete=True)
    for number, revenue in enumerate((1, 3, 5)):  # 0.5, 1.5 and 2.5
        event = events.OrderCompleted(
            message_id=f"m{number}", timestamp_ms=START_MS, order_id=f"o{number}", currency="USD", revenue_minor=revenue
        )
        apply_order(profile, Arrival(event, START_MS, START_MS, "user_id:ada", "ada"), ledger, book)

    assert profile.ltv.net == 0 + 2 + 2
    assert profile.by_currency["USD"].net == 9
