"""The order ledger: one entry for each order, the fold of all that was told about it, and totals that follow it exactly.

An entry does not depend on the order in which its events arrive, nor on how often:
- Lines, the stated money, the cart and checkout it came from, the currency, shipping cost and payment fee are each those
  of the newest version that has them, newest by (updated_at or event time, received time, message id). A version that
  lacks one leaves the older one standing. Shipping, tax or a discount alone say nothing of what the order is worth, and
  leave the older word on it standing too.
- The order was placed at the earliest Order Completed, or while there is none at the earliest Order Updated.
- A cancellation stays, also one that comes before its order; so does the mark of a test order, that it named a coupon, and which
  of its products are gift cards.
- A refund is known by its refund id: the same id twice is the same refund, of which the version with the later (time,
  message id) counts. Refunds of an order that is not there yet are parked in its entry.

The entry keeps the contribution that was added to the customer's totals. A change adds the new one less the kept one, so
totals are the sum of all kept contributions at all times, through repeats, edits, late events and replays.

Start at `apply_order`. What an order is worth is in `profiles.contribution`.
"""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from profiles import order_stats
from profiles.book import Book
from profiles.contribution import contribute, net_units, settled_refunds
from profiles.order_state import Alone, Contribution, Ledger, OrderEntry, OrderLine, OrderMoney, Refund, Totals
from profiles.order_stats import Key
from profiles.product_facts import fill_lines, of_line
from profiles.profile import Profile
from profiles.rates import DAY_MS, times
from profiles.state import OrderStats
from profiles.told import ToldFacts
from profiles.value.purchases import NONE, Piece, Purchases, moved
from profiles.value.purchases import fold as fold_days
from schemas.events import (
    ANONYMOUS,
    Arrival,
    Event,
    OrderCancelled,
    OrderCompleted,
    OrderDelivered,
    OrderEvent,
    OrderFulfilled,
    OrderRefunded,
    OrderReturned,
    OrderStateEvent,
    OrderUpdated,
    Product,
)
from schemas.money import MINOR_MAX

REFUND_WINDOW_MS: Final = 400 * DAY_MS
"""An entry keeps its lines this long, for edits and refunds; then only its contribution stays."""
COMPACT_EVERY_MS: Final = 30 * DAY_MS
"""Least time between two rounds of compaction of one customer, since each reads the whole ledger."""

NO_FACTS: Final[ToldFacts] = {}
_ZERO: Final = Totals()

Version = tuple[int, int, str]


class OrderChange(Struct, gc=False):
    """What an order event did: the entry after it and before it. Both are left alone by later events.

    `piece` is the purchase that the order is now, `piece_before` the one it was; `purchases_before` are all purchases of the
    customer before the event (see `profiles.value.purchases`). `first` is another order that is the customer's first since.
    """

    entry: OrderEntry
    before: OrderEntry | None
    kind: type[Event]
    piece: Piece | None
    piece_before: Piece | None
    purchases_before: Purchases
    first: OrderEntry | None = None

    @property
    def is_new(self) -> bool:
        """Whether the order was placed by this event: until now it was unknown, or only refunds or a cancellation were."""
        return self.entry.placed_ms is not None and (self.before is None or self.before.placed_ms is None)

    @property
    def was_counted(self) -> bool:
        """Whether the order counted before: placed, neither cancelled nor a test."""
        return _counted(self.before)

    @property
    def is_counted(self) -> bool:
        """Whether the order counts now."""
        return _counted(self.entry)

    @property
    def stands(self) -> bool:
        """Whether the order was placed when it was, and counts or not as it did: nothing that goes by that alone has to move."""
        before = self.before
        if before is None or before.placed_ms != self.entry.placed_ms:
            return False
        return self.was_counted == self.is_counted

    @property
    def units_before(self) -> dict[str, float]:
        """Units the customer had kept of each product, before."""
        return net_units(self.before)

    @property
    def units_after(self) -> dict[str, float]:
        """Units the customer keeps of each product, now."""
        return net_units(self.entry)


def apply_order(
    profile: Profile, arrival: Arrival, ledger: Ledger, book: Book, facts: ToldFacts = NO_FACTS
) -> OrderChange:
    """Put an order event into its ledger entry and bring the customer's totals and order statistics up to date.

    `facts` are what events told of products: the lines keep what they are counted by.

    Raises NeedLedger before changing anything: for the order's entry, for that of another order that is the first now, or for
    the whole ledger when the first or the newest orders can't be told without it. The profile of anonymous orders keeps totals
    only and never asks for its whole ledger.
    """
    event = arrival.event
    assert isinstance(event, OrderEvent)
    before = ledger.get(event.order_id)
    entry = fold(before, arrival)
    if entry is before:
        return OrderChange(entry, before, type(event), None, None, NONE)
    if isinstance(event, OrderReturned):
        # An order nobody told of yet has an entry, and what she bought is as it was.
        return OrderChange(entry, before, type(event), None, None, profile.purchases)
    if facts and entry.lines and (before is None or entry.lines is not before.lines):
        fill_lines(entry.lines, [] if before is None else before.lines, facts, book.catalogue)
    if book.catalogue.gift_cards and entry.lines and (before is None or entry.lines is not before.lines):
        found = [line.product_id for line in entry.lines if of_line(book.catalogue, line).gift_card]
        entry.gift_cards = sorted({*entry.gift_cards, *found})
    old = None if before is None else before.contribution
    new = entry.contribution = contribute(entry, before, book)

    stats = profile.orders
    change = OrderChange(entry, before, type(event), None, None, NONE)
    if profile.id != ANONYMOUS:
        change.piece, change.piece_before = piece(entry, book), piece(before, book)
        change.purchases_before = profile.purchases
        purchases = moved(
            change.purchases_before, change.piece_before, change.piece, lambda: pieces(ledger.all(), book, entry)
        )
        first, recent = order_stats.moved(
            stats,
            place(before),
            place(entry),
            lambda: [key for other in ledger.all() if (key := place(other, entry)) is not None],
        )
        if first is not stats.first and first is not None and first[1] != entry.order_id:
            change.first = ledger.get(first[1])
        stats.first, stats.recent = first, recent
        if purchases is not change.purchases_before:
            profile.purchases = purchases
        plan_compaction(profile, entry, arrival.received_ms)
    exchange(profile, old, new)
    ledger.put(entry)
    return change


def is_news(arrival: Arrival, ledger: Ledger) -> bool:
    """Whether an order event says anything that its entry does not have. Raises NeedLedger for the entry."""
    assert isinstance(arrival.event, OrderEvent)
    if isinstance(arrival.event, OrderReturned):
        return False  # it leaves nothing there
    before = ledger.get(arrival.event.order_id)
    return fold(before, arrival) is not before


def piece(entry: OrderEntry | None, book: Book) -> Piece | None:
    """The purchase that an order is: its day on the shop's calendar, its net value and margin; None where it is none.

    Cancelled, test and zero-value orders are none. One without an exchange rate is a purchase that brought nothing.
    """
    if entry is None or entry.placed_ms is None:
        return None
    part = entry.contribution
    if part is None or not part.counted or not part.valued:
        return None
    return (book.shop_day(entry.placed_ms), part.shop.net, part.shop.margin)


def fold_purchases(entries: Iterable[OrderEntry], book: Book) -> Purchases:
    """All purchases of a customer from her whole ledger."""
    return fold_days(pieces(entries, book))


def pieces(entries: Iterable[OrderEntry], book: Book, leave_out: OrderEntry | None = None) -> list[Piece]:
    """The purchases among entries, one for each order, without the entry of the order that is left out."""
    return [
        found
        for entry in entries
        if (leave_out is None or entry.order_id != leave_out.order_id) and (found := piece(entry, book)) is not None
    ]


def beside(entry: OrderEntry | None, book: Book) -> Piece | None:
    """What an order that is no purchase moves all the same, in the form of one: the cost of a replacement, or goodwill for it.

    None of a purchase, of an order that does not count, and where it moves nothing.
    """
    if entry is None or entry.placed_ms is None:
        return None
    part = entry.contribution
    if part is None or not part.counted or part.valued or not (part.shop.net or part.shop.margin):
        return None
    return (book.shop_day(entry.placed_ms), part.shop.net, part.shop.margin)


def exchange(profile: Profile, old: Contribution | None, new: Contribution | None) -> None:
    """Take one contribution out of the customer's totals and counts, and put another one in."""
    if old is not None:
        _count(profile.orders, old, -1)
        _add(profile, old, -1)
    if new is not None:
        _count(profile.orders, new, 1)
        _add(profile, new, 1)


def compact(profile: Profile, now_ms: int, ledger: Ledger, book: Book) -> None:
    """Take the lines out of all entries past their refund window, and plan the next round, if there is more to come.

    Raises NeedLedger(None), before changing anything, unless the whole ledger is there. Money is left as it is.
    """
    next_ms: int | None = None
    for entry in ledger.all():
        if not entry.lines:
            continue
        due_ms = _compact_due_ms(entry)
        if due_ms > now_ms:
            next_ms = due_ms if next_ms is None else min(next_ms, due_ms)
        else:
            ledger.put(replace(entry, lines=[], refunds=settled_refunds(entry, book), compact=True))
    profile.compact_ms = None if next_ms is None else max(next_ms, now_ms + COMPACT_EVERY_MS)


def fold(entry: OrderEntry | None, arrival: Arrival) -> OrderEntry:
    """An entry with one more event in it; the very same object when the event brings nothing new. Changes no argument.

    The result's contribution is still the old one. Goods that came back (Order Returned) are no matter of the ledger: money
    moves only with Order Refunded.
    """
    event = arrival.event
    if isinstance(event, OrderStateEvent):
        return _with_state(entry, event, arrival)
    if isinstance(event, OrderRefunded):
        return _with_refund(entry, event, arrival.time_ms)
    assert isinstance(event, OrderEvent)
    at_ms = arrival.time_ms
    new = OrderEntry(event.order_id) if entry is None else entry
    if isinstance(event, OrderFulfilled) and (new.fulfilled_ms is None or at_ms < new.fulfilled_ms):
        return replace(new, fulfilled_ms=at_ms)
    if isinstance(event, OrderDelivered) and (new.delivered_ms is None or at_ms < new.delivered_ms):
        return replace(new, delivered_ms=at_ms)
    return new


# --- the fold of one entry ----------------------------------------------------------------------------------------


def _with_state(entry: OrderEntry | None, event: OrderStateEvent, arrival: Arrival) -> OrderEntry:
    at_ms = arrival.time_ms
    version: Version
    if event.source_kind == "client":
        # Anybody may have said it, at any time: it gives way to what a server says, and to what came before it.
        version = (-arrival.received_ms, -at_ms, event.message_id)
    else:
        version = (
            at_ms if event.updated_at_ms is None else event.updated_at_ms,
            arrival.received_ms,
            event.message_id,
        )
    if entry is None:
        return _first_state(event, at_ms, version)
    new, changed = replace(entry), False

    kind = type(event)
    if kind is OrderCompleted:
        if not new.completed or new.placed_ms is None or at_ms < new.placed_ms:
            new.placed_ms, new.completed, changed = at_ms, True, True
    elif kind is OrderUpdated:
        if not new.completed and (new.placed_ms is None or at_ms < new.placed_ms):
            new.placed_ms, changed = at_ms, True
    elif kind is OrderCancelled and (new.cancelled_ms is None or at_ms < new.cancelled_ms):
        new.cancelled_ms, changed = at_ms, True
    if event.test and not new.test:
        new.test, changed = True, True
    if not new.couponed and names_coupon(event):
        new.couponed, changed = True, True
    gift_cards = with_gift_cards(new.gift_cards, event.products)
    if gift_cards is not new.gift_cards:
        new.gift_cards, changed = gift_cards, True

    # Versions that are left out stand for the main one, which is about to move: spell them out first.
    main = new.money_version or new.lines_version
    money = new.money
    currency_version = None if new.currency is None else new.currency_version or main
    shipping_version = None if money is None or money.shipping_cost is None else new.shipping_cost_version or main
    fee_version = None if money is None or money.payment_fee is None else new.payment_fee_version or main

    if event.products and (new.lines_version is None or version > new.lines_version):
        new.lines, new.lines_version, new.compact, changed = [_line(p) for p in event.products], version, False, True
    if new.money_version is None or version > new.money_version:
        if _states_money(event):
            costs = (None, None) if money is None else (money.shipping_cost, money.payment_fee)
            money = _stated(event, *costs)
            new.money_version, changed = version, True
            if new.alone:
                new.alone = {name: told for name, told in new.alone.items() if told[1] > version}
        elif told := _alone(event, version):
            alone = newest_alone(new.alone, told)
            new.alone, changed = alone, changed or alone != new.alone
    if event.shipping_cost_minor is not None and (shipping_version is None or version > shipping_version):
        money = OrderMoney() if money is None else replace(money)
        money.shipping_cost, shipping_version, changed = event.shipping_cost_minor, version, True
        new.bare_costs = _bare(new.bare_costs, "shipping_cost", event)
    if event.payment_fee_minor is not None and (fee_version is None or version > fee_version):
        money = OrderMoney() if money is None else replace(money)
        money.payment_fee, fee_version, changed = event.payment_fee_minor, version, True
        new.bare_costs = _bare(new.bare_costs, "payment_fee", event)
    names_cart = event.cart_id is not None or event.checkout_id is not None
    if names_cart and (new.cart_version is None or version > new.cart_version):
        new.cart_id, new.checkout_id, new.cart_version, changed = event.cart_id, event.checkout_id, version, True
    if event.currency is not None and (currency_version is None or version > currency_version):
        new.currency, currency_version, changed = event.currency, version, True
    if not changed:
        return entry
    new.money = money
    main = new.money_version or new.lines_version
    new.currency_version = None if currency_version == main else currency_version
    new.shipping_cost_version = None if shipping_version == main else shipping_version
    new.payment_fee_version = None if fee_version == main else fee_version
    return new


def names_coupon(event: OrderStateEvent) -> bool:
    """Whether an order, or a line of it, was bought with a coupon."""
    return event.coupon is not None or any(product.coupon is not None for product in event.products)


def with_gift_cards(known: list[str], products: Iterable[Product]) -> list[str]:
    """The ids of the gift cards of an order with those among these products; the very same list where they are no news."""
    for product in products:
        if product.gift_card and product.product_id not in known:
            known = sorted([*known, product.product_id])
    return known


def _first_state(event: OrderStateEvent, at_ms: int, version: Version) -> OrderEntry:
    """The entry of an order nothing was known of: what `_with_state` would make of an empty one, in a third of the time."""
    kind = type(event)
    stated, products = _states_money(event), event.products
    shipping_cost, payment_fee = event.shipping_cost_minor, event.payment_fee_minor
    # Without lines and stated money there is no version that the others could stand for.
    alone = None if stated or products else version
    names_cart = event.cart_id is not None or event.checkout_id is not None
    entry = OrderEntry(
        order_id=event.order_id,
        placed_ms=None if kind is OrderCancelled else at_ms,
        completed=kind is OrderCompleted,
        currency=event.currency,
        currency_version=None if event.currency is None else alone,
        shipping_cost_version=None if shipping_cost is None else alone,
        payment_fee_version=None if payment_fee is None else alone,
        lines=[_line(product) for product in products],
        lines_version=version if products else None,
        money=_stated(event, shipping_cost, payment_fee) if stated else _costs(shipping_cost, payment_fee),
        money_version=version if stated else None,
        alone={} if stated else _alone(event, version),
        cart_id=event.cart_id,
        checkout_id=event.checkout_id,
        cart_version=version if names_cart else None,
        cancelled_ms=at_ms if kind is OrderCancelled else None,
        test=event.test,
        couponed=names_coupon(event),
        gift_cards=with_gift_cards([], products),
    )
    if event.currency is None and (shipping_cost is not None or payment_fee is not None):
        told = (("payment_fee", payment_fee), ("shipping_cost", shipping_cost))
        entry.bare_costs = [name for name, cost in told if cost is not None]
    return entry


def _states_money(event: OrderStateEvent) -> bool:
    """Whether an event says what the order is worth: by an amount, or by its products and what is to be known beside them.

    What it cost the shop often comes later, alone, and is no such word; nor are shipping, tax or a discount by themselves.
    """
    if event.revenue_minor is not None or event.subtotal_minor is not None or event.total_minor is not None:
        return True
    return bool(event.products) and (
        event.shipping_minor is not None or event.tax_minor is not None or event.discount_minor is not None
    )


def _stated(event: OrderStateEvent, shipping_cost: int | None, payment_fee: int | None) -> OrderMoney:
    """The money that an event states of an order, with what the order cost the shop."""
    return OrderMoney(
        event.revenue_minor,
        event.subtotal_minor,
        event.total_minor,
        event.shipping_minor,
        event.tax_minor,
        event.discount_minor,
        shipping_cost,
        payment_fee,
    )


def _costs(shipping_cost: int | None, payment_fee: int | None) -> OrderMoney | None:
    """What an order cost the shop, where nothing is known of its worth."""
    if shipping_cost is None and payment_fee is None:
        return None
    return OrderMoney(shipping_cost=shipping_cost, payment_fee=payment_fee)


def _bare(known: list[str], cost: str, event: OrderStateEvent) -> list[str]:
    """Which costs were told without a currency, once an event has told of this one."""
    bare = {*known, cost} if event.currency is None else {*known} - {cost}
    return sorted(bare)


def _alone(event: OrderStateEvent, version: Version) -> dict[str, Alone]:
    """Discount, shipping and tax of an event that says nothing of what the order is worth, by name."""
    if event.discount_minor is None and event.shipping_minor is None and event.tax_minor is None:
        return {}
    stated = (("discount", event.discount_minor), ("shipping", event.shipping_minor), ("tax", event.tax_minor))
    return {name: (amount, version) for name, amount in stated if amount is not None}


def newest_alone(ours: Mapping[str, Alone], theirs: Mapping[str, Alone]) -> dict[str, Alone]:
    """Of what was told alone on two sides the newest of each; sorted, so that an entry's bytes do not tell how it came about."""
    both = {**ours, **theirs}
    return {name: max(told, ours.get(name, told), key=itemgetter(1)) for name, told in sorted(both.items())}


def _line(product: Product) -> OrderLine:
    quantity, price, cost = product.quantity, product.price_minor, product.cost_minor
    value = product.list_minor
    if value is None and price is not None:
        value = _in_bounds(times(price, quantity))
    return OrderLine(
        product.product_id,
        float(quantity),  # an int would come back from storage as a float and be other bytes than before
        value,
        product.discount_minor,
        product.category,
        None if cost is None else _in_bounds(times(cost, quantity)),
        product.variant_id,
    )


def _in_bounds(amount: int) -> int:
    """An amount that is worked out, within the bound of amounts that are told: price and quantity alone may be in theirs."""
    return amount if -MINOR_MAX <= amount <= MINOR_MAX else (MINOR_MAX if amount > 0 else -MINOR_MAX)


def _with_refund(entry: OrderEntry | None, event: OrderRefunded, at_ms: int) -> OrderEntry:
    refund_id = event.refund_id or event.message_id
    message_id = "" if refund_id == event.message_id else event.message_id
    known = None if entry is None else entry.refunds.get(refund_id)
    if known is not None and (known.at_ms, known.message_id or refund_id) >= (at_ms, event.message_id):
        assert entry is not None
        return entry
    units: dict[str, float] = {}
    amount = event.amount_minor
    value, priced = 0, bool(event.products)
    for product in event.products:
        units[product.product_id] = units.get(product.product_id, 0.0) + product.quantity
        listed = product.list_minor
        if listed is None and product.price_minor is not None:
            listed = _in_bounds(times(product.price_minor, product.quantity))
        if listed is None:
            priced = False
        else:
            # Some systems write what went back with a minus; a refund that takes money does not exist.
            value += max(0, abs(listed) - abs(product.discount_minor))
    priced = priced and amount is None
    refund = Refund(
        at_ms=at_ms,
        message_id=message_id,
        amount=value if priced else amount,
        currency=event.currency,
        units=units,
        restocked=event.restocked,
        return_shipping=event.return_shipping_minor,
        restocking_fee=event.restocking_fee_minor,
        priced=priced,
        with_tax=event.amount_with_tax,
    )
    if entry is None:
        return OrderEntry(event.order_id, refunds={refund_id: refund})
    # Sorted, so that an entry's bytes do not tell in which order its refunds came.
    return replace(entry, refunds=dict(sorted({**entry.refunds, refund_id: refund}.items(), key=itemgetter(0))))


# --- totals and counts --------------------------------------------------------------------------------------------


def _counted(entry: OrderEntry | None) -> bool:
    return entry is not None and entry.contribution is not None and entry.contribution.counted


def place(entry: OrderEntry | None, leave_out: OrderEntry | None = None) -> Key | None:
    """The place in time of a counted order, else None; also for the entry of the order that is left out."""
    if entry is None or entry.placed_ms is None or not _counted(entry):
        return None
    if leave_out is not None and entry.order_id == leave_out.order_id:
        return None
    return (entry.placed_ms, entry.order_id)


def _count(stats: OrderStats, contribution: Contribution, sign: int) -> None:
    if contribution.cancelled:
        stats.cancelled += sign
    if contribution.counted:
        stats.count += sign
        if contribution.valued:
            stats.valued += sign
        if contribution.rate is None:
            stats.unconverted += sign
        elif contribution.gift_cards_alone:
            stats.gift_cards += sign
        if contribution.couponed:
            stats.couponed += sign
        if contribution.refunded:
            stats.refunded += sign
            stats.unconverted_refunds += sign * contribution.unconverted_refunds


def _add(profile: Profile, contribution: Contribution, sign: int) -> None:
    if not contribution.counted:
        return
    _add_totals(profile.ltv, contribution.shop, sign)
    currency = contribution.currency
    totals = profile.by_currency.get(currency)
    if totals is None:
        totals = profile.by_currency[currency] = Totals()
    _add_totals(totals, contribution.amounts, sign)
    if (
        not totals.gross and totals == _ZERO
    ):  # also what a zero-value order leaves: whether the key is there depends on the sums alone
        del profile.by_currency[currency]


def _add_totals(totals: Totals, part: Totals, sign: int) -> None:
    totals.gross += sign * part.gross
    totals.discount += sign * part.discount
    totals.refund += sign * part.refund
    totals.net += sign * part.net
    totals.margin += sign * part.margin
    totals.estimated_gross += sign * part.estimated_gross


# --- compaction ---------------------------------------------------------------------------------------------------


def _compact_due_ms(entry: OrderEntry) -> int:
    since_ms = entry.placed_ms
    if since_ms is None:
        since_ms = 0 if entry.lines_version is None else entry.lines_version[0]
    return since_ms + REFUND_WINDOW_MS


def plan_compaction(profile: Profile, entry: OrderEntry, received_ms: int) -> None:
    """Set the timer for an entry with lines. An old order that comes only now waits a round, or each would start one."""
    if entry.lines:
        due_ms = max(_compact_due_ms(entry), received_ms + COMPACT_EVERY_MS)
        if profile.compact_ms is None or due_ms < profile.compact_ms:
            profile.compact_ms = due_ms
