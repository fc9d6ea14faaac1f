"""What one order adds to its customer's money: gross, discount, refund, net and contribution margin, in whole minor units.

net = gross - discount - refund, without tax and shipping; margin = net - cost of goods + cost of restocked refunded goods
+ shipping charged - shipping cost - payment fee - return shipping + restocking fee (the second contribution margin, before
marketing). A test order and a cancelled one contribute nothing at all.

- Goods value (net before refunds), by order of trust: revenue; subtotal; total - shipping - tax; the lines' list value
  less the order's discount (less the lines' discounts where the order names none). `revenue_from` says which it was.
- Gross is the lines' list value where every line has one and it is not below the goods value, else goods + discount.
- A refund without an amount is worth what its products come to, or their share of the order's goods value where it does not
  price them; together never more than the stated ones leave of the order, since its discount may not be in their prices. Where
  that can't be told it is "the rest". Stated amounts beyond the rest count: goodwill.
- A refund in another currency that can't be converted counts by its products, as if it had no amount; where it names none it
  counts nothing, and is counted in `unconverted_refunds`.
- An amount that holds tax and shipping counts by the goods' share of what was paid. So does one that is, to the minor unit, all
  that was paid, whoever states it: it is the whole order.
- Gift cards among the lines are no sale, nor is what of a refund is of them: everything here is of the rest.
- Cost of a line: the event's, else the catalogue's, else list value x cost rate, else nothing; the last two are estimates.
- `estimated_gross` is the order's gross where shipping cost or payment fee is unknown, else that of estimated lines.
- In the shop's currency gross, discount, refund, margin and estimate are each rounded half to even at the rate of the
  order's UTC date, and net is what they leave, so the equation above holds there too. The refund of a whole order is what the
  other two leave: rounded by itself it might be a unit more or less.

Everything here is a pure function of an entry (and, for a compact one, of what it was before).
"""

from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from profiles.book import Book
from profiles.order_currency import further_digits, in_its_digits, in_order_currency, in_shop_currency, rate_of
from profiles.order_state import Contribution, OrderEntry, OrderLine, OrderMoney, Refund, Totals
from profiles.product_facts import of_line
from profiles.rates import ONE, Rate, scaled, times

_NO_MONEY: Final = OrderMoney()


def contribute(entry: OrderEntry, before: OrderEntry | None, book: Book) -> Contribution | None:
    """The contribution of an order as its entry stands; None while it is not placed, and for a test order.

    `before` is the entry as it was: an order that has lost its lines is amended from it, since its cost of goods can't be
    worked out anew.
    """
    placed_ms = entry.placed_ms
    if placed_ms is None or entry.test:
        return None
    currency = entry.currency or book.shop_currency
    if entry.cancelled_ms is not None:
        return Contribution(currency, cancelled=True)
    if digits := further_digits(currency, book):
        entry = in_its_digits(entry, digits)
        before = None if before is None else in_its_digits(before, digits)
    if entry.alone:
        entry = replace(entry, money=stated_money(entry))
    if before is not None and before.alone:
        before = replace(before, money=stated_money(before))
    rate = rate_of(currency, placed_ms, book)
    old = before.contribution if entry.compact and before is not None else None
    gift_cards, gift_cards_alone = 0, False
    if before is not None and old is not None and old.counted:
        gift_cards, gift_cards_alone = old.gift_cards, old.gift_cards_alone
        if gift_cards:
            entry, before = _holding(gift_cards, entry), _holding(gift_cards, before)
        amounts, source, unconverted = _amended(entry, before, old, currency, rate, book)
    else:
        if entry.gift_cards and entry.lines:
            entry = _without_gift_cards(entry, currency)
            gift_cards = (entry.money or _NO_MONEY).gift_cards
            gift_cards_alone = not entry.lines
        amounts, source, unconverted = _worked_out(entry, currency, rate, book)
    return Contribution(
        currency,
        True,  # counted
        amounts.gross > amounts.discount,  # valued
        bool(entry.refunds) and any(gives_back(refund) for refund in entry.refunds.values()),
        False,  # cancelled
        amounts,
        in_shop_currency(amounts, rate),
        None if rate is None else rate.text,
        source,
        entry.couponed,
        gift_cards,
        gift_cards_alone,
        unconverted,
    )


def stated_money(entry: OrderEntry) -> OrderMoney:
    """The stated money of an order, with what newer events told alone in it.

    A total moves with the tax and shipping that it named, and all that is after discount with the discount: less of that is
    more. What was not named beside them was not known, so nothing moves.
    """
    money = entry.money or _NO_MONEY
    told = {name: amount for name, (amount, _) in entry.alone.items()}
    moves = {name: amount - known for name, amount in told.items() if (known := getattr(money, name)) is not None}
    less = moves.get("discount", 0)
    more = moves.get("shipping", 0) + moves.get("tax", 0)
    return replace(
        money,
        **told,
        revenue=None if money.revenue is None else money.revenue - less,
        subtotal=None if money.subtotal is None else money.subtotal - less,
        total=None if money.total is None else money.total - less + more,
    )


def net_units(entry: OrderEntry | None) -> dict[str, float]:
    """Units the customer kept, by product; nothing of an order that is not counted. Refunds never leave less than none."""
    if entry is None or entry.contribution is None or not entry.contribution.counted:
        return {}
    units: dict[str, float] = {}
    for line in entry.lines:
        units[line.product_id] = units.get(line.product_id, 0.0) + line.quantity
    if not entry.refunds and min(units.values(), default=0.0) > 0.0:
        return units
    for refund in entry.refunds.values():
        if refund.amount is None and not refund.units:
            return {}
        for product_id, back in refund.units.items():
            if product_id in units:
                units[product_id] -= back
    return {product_id: left for product_id, left in units.items() if left > 0}


def is_undone(entry: OrderEntry) -> bool:
    """Whether an order was cancelled, or nothing is left of it: no goods, or no money."""
    contribution = entry.contribution
    if contribution is None or not contribution.counted:
        return True
    if not entry.refunds:
        return False
    # An order that was told without its lines has no units to begin with.
    return contribution.amounts.net <= 0 or (bool(entry.lines) and not net_units(entry))


def gives_back(refund: Refund) -> bool:
    """Whether a refund gives anything back: one whose payment failed after all is told of again, as one of nothing."""
    return refund.amount != 0 or refund.priced


def settled_refunds(entry: OrderEntry, book: Book) -> dict[str, Refund]:
    """The refunds as a compact entry keeps them: the products' values written out as amounts, the units forgotten."""
    contribution = entry.contribution
    if contribution is None or not contribution.counted:
        return entry.refunds
    if entry.gift_cards and entry.lines:
        entry = _without_gift_cards(entry, contribution.currency)
    goods = contribution.amounts.gross - contribution.amounts.discount
    kept = {}
    for refund_id, refund in entry.refunds.items():
        amount, currency = refund.amount, refund.currency
        priced = refund.priced
        if _amount_of(refund, entry, contribution.currency, book) is None:
            value = _units_value(entry, refund, goods)
            if value is not None:
                amount, currency, priced = value, contribution.currency, True
        kept[refund_id] = replace(refund, amount=amount, currency=currency, units={}, priced=priced)
    return kept


def _holding(gift_cards: int, entry: OrderEntry) -> OrderEntry:
    return replace(entry, money=replace(entry.money or _NO_MONEY, gift_cards=gift_cards))


def _without_gift_cards(entry: OrderEntry, currency: str) -> OrderEntry:
    """The entry without its gift cards: neither what was paid for them nor what of it went back is a sale.

    What was paid for them is noted with the money, whose stated amounts hold it: all of that where the order has nothing else,
    none of it where the other products come to just what is stated. Of a refund that names gift cards and other products their
    worth goes off, unless it is of all that was paid: that stays known by its amount.
    """
    cards = frozenset(entry.gift_cards)
    paid_for = _paid_by_product(entry.lines)
    sold = sum(paid_for[product_id][0] for product_id in paid_for.keys() & cards)
    lines = [line for line in entry.lines if line.product_id not in cards]
    listed = sum(line.list_minor or 0 for line in lines)
    discount = discounts = sum(line.discount_minor for line in lines)
    money = stated_money(entry)
    stated, source = _goods(money, None, 0)
    if money.discount is not None:
        of_cards = sum(line.discount_minor for line in entry.lines) - discounts
        discount = money.discount - min(of_cards, max(0, money.discount))
        money = replace(money, discount=discount)
    if not lines:
        sold = max(sold, stated)
        money = replace(money, discount=None)
    elif source is not None and stated == listed - discount:
        sold = 0
    money = replace(money, gift_cards=sold)
    paid = _paid(money, _goods(money, listed, discount)[0])
    refunds = dict(entry.refunds)
    for refund_id, refund in entry.refunds.items():
        amount, units = refund.amount, refund.units
        back = {product_id: count for product_id, count in units.items() if product_id in cards}
        if back:
            units = {product_id: count for product_id, count in units.items() if product_id not in cards}
            if not units:
                amount = 0
            elif amount is not None and amount != paid and refund.currency in (None, currency):
                worth = sum(_worth_of(paid_for, product_id, count) or 0 for product_id, count in back.items())
                amount = min(amount, max(0, amount - worth))
            refunds[refund_id] = replace(refund, amount=amount, units=units, priced=refund.priced and bool(units))
    return replace(entry, lines=lines, money=money, refunds=refunds)


def _worked_out(entry: OrderEntry, currency: str, rate: Rate | None, book: Book) -> tuple[Totals, str | None, int]:
    """The amounts of an order whose lines are there, what gave its net value, and the refunds that can't be converted."""
    costs, catalogue = book.costs, book.catalogue
    lines = entry.lines
    listed = discounts = cogs = estimated = 0
    any_listed, all_listed, all_estimated = False, True, not lines
    line_costs: list[int] = []
    for line in lines:
        value, cost = line.list_minor, line.cost_minor
        discounts += line.discount_minor
        if value is None:
            all_listed = False
        else:
            any_listed = True
            listed += value
        if cost is None:
            facts = of_line(catalogue, line)
            if facts.cost_minor is not None and rate is not None:
                cost = times(facts.cost_minor, line.quantity)
                if rate is not ONE:
                    cost = scaled(cost, rate.den, rate.num)
            elif value is None:
                all_estimated = True
                cost = 0
            else:
                estimated += value
                share = costs.rate_for(line.category or facts.category)
                cost = 0 if share is None else scaled(value, share[0], share[1])
        cogs += cost
        line_costs.append(cost)

    money = entry.money or _NO_MONEY
    discount = discounts if money.discount is None else money.discount
    goods, source = _goods(money, listed if any_listed else None, discount)
    gross = listed if lines and all_listed and listed >= goods else goods + max(0, discount)
    if not lines and costs.cost_rate is not None:
        cogs = scaled(gross, costs.cost_rate[0], costs.cost_rate[1])

    extras, known = _extras(entry, money, goods, currency, rate, book)
    refund = unconverted = 0
    if entry.refunds:
        refund, unconverted = _refunded(entry, goods, currency, book)
        cogs -= _restocked_cost(entry, line_costs)
    net = goods - refund
    estimate = gross if all_estimated or not known else max(0, min(estimated, gross))
    return Totals(gross, gross - goods, refund, net, net - cogs + extras, estimate), source, unconverted


def _amended(
    entry: OrderEntry, before: OrderEntry, old: Contribution, currency: str, rate: Rate | None, book: Book
) -> tuple[Totals, str | None, int]:
    """As `_worked_out`, of an order that has lost its lines, from what it was: its cost of goods stays as it was."""
    was = old.amounts
    old_goods = was.gross - was.discount
    money, old_money = entry.money or _NO_MONEY, before.money or _NO_MONEY
    goods, source = old_goods, old.revenue_from
    if entry.money_version != before.money_version or entry.alone != before.alone:
        stated, stated_by = _goods(money, None, 0)
        if stated_by is not None:
            goods, source = stated, stated_by
    gross = was.gross if was.gross >= goods else goods + max(0, money.discount or 0)
    refund, unconverted = _refunded(entry, goods, currency, book)
    net = goods - refund
    extras, known = _extras(entry, money, goods, currency, rate, book)
    old_extras, _ = _extras(before, old_money, old_goods, currency, rate, book)
    margin = was.margin + (net - was.net) + (extras - old_extras)
    all_estimated = not known or was.estimated_gross == was.gross
    estimate = gross if all_estimated else max(0, min(was.estimated_gross, gross))
    return Totals(gross, gross - goods, refund, net, margin, estimate), source, unconverted


def _goods(money: OrderMoney, listed: int | None, discount: int) -> tuple[int, str | None]:
    """Goods value and the name of the field that gave it; zero and None where nothing states one. What is stated holds what was
    paid for gift cards, the lines do not.
    """
    if money.revenue is not None:
        goods, source = money.revenue, "revenue"
    elif money.subtotal is not None:
        goods, source = money.subtotal, "subtotal"
    elif money.total is not None:
        goods, source = money.total - (money.shipping or 0) - (money.tax or 0), "total"
    else:
        return (0, None) if listed is None else (listed - discount, "lines")
    return goods if goods <= 0 else max(0, goods - money.gift_cards), source


def _extras(
    entry: OrderEntry, money: OrderMoney, goods: int, currency: str, rate: Rate | None, book: Book
) -> tuple[int, bool]:
    """What shipping, payment and returns add to the margin, and whether shipping cost and payment fee are both known.

    Settings are in the shop's currency, so an order in a currency without a rate can't use their fixed amounts.
    """
    costs = book.costs
    charged = money.shipping or 0
    extras, known = charged, True
    if money.shipping_cost is not None:
        extras -= money.shipping_cost
    elif costs.shipping_cost_minor is not None and rate is not None:
        extras -= scaled(costs.shipping_cost_minor, rate.den, rate.num)
    else:
        known = False
    if money.payment_fee is not None:
        extras -= money.payment_fee
    elif (costs.payment_rate is None and costs.payment_fixed_minor is None) or rate is None:
        known = False
    else:
        paid = goods + money.gift_cards + charged + (money.tax or 0) if money.total is None else money.total
        if paid > 0:
            if costs.payment_rate is not None:
                extras -= scaled(paid, costs.payment_rate[0], costs.payment_rate[1])
            if costs.payment_fixed_minor is not None:
                extras -= scaled(costs.payment_fixed_minor, rate.den, rate.num)
    if not entry.refunds:
        return extras, known
    for refund in entry.refunds.values():
        fees = refund.restocking_fee - refund.return_shipping
        told = in_order_currency(fees, refund, entry, currency, book)
        if told is None:
            known = False
        else:
            extras += told
    _, with_tax = _stated(entry, goods, currency, book)
    return extras - _shares(with_tax, money, goods)[1], known


def _amount_of(refund: Refund, entry: OrderEntry, currency: str, book: Book) -> int | None:
    """The amount of a refund in the order's currency; None where it has none, or none that can be converted."""
    return None if refund.amount is None else in_order_currency(refund.amount, refund, entry, currency, book)


def _refunded(entry: OrderEntry, goods: int, currency: str, book: Book) -> tuple[int, int]:
    """All refunds of an order together, and how many count nothing, since they can't be converted. "The rest" is the same sum
    however many refunds ask for it.
    """
    total, with_tax = _stated(entry, goods, currency, book)
    total += _shares(with_tax, entry.money or _NO_MONEY, goods)[0]
    of_products = unconverted = 0
    rest = False
    for refund in entry.refunds.values():
        amount = _amount_of(refund, entry, currency, book)
        if amount is not None and not refund.priced:
            continue
        value = _units_value(entry, refund, goods) if amount is None else amount
        if value is not None:
            of_products += value
        elif refund.amount is None:
            rest = True
        else:
            unconverted += 1
    left = max(0, goods - total)
    return total + (left if rest else max(0, min(of_products, left))), unconverted


def _stated(entry: OrderEntry, goods: int, currency: str, book: Book) -> tuple[int, int]:
    """The sums of the stated amounts: of goods alone, and of those with tax and shipping in them."""
    of_goods = with_tax = whole = 0
    money = entry.money or _NO_MONEY
    paid = _paid(money, goods)
    for refund in entry.refunds.values():
        amount = _amount_of(refund, entry, currency, book)
        if amount is None or refund.priced:
            continue
        if refund.with_tax:
            with_tax += amount
        else:
            of_goods += amount
            whole += amount if amount == paid else 0
    # Many systems know one sum of an order and state it again when all of it goes back, at once or in parts.
    if paid > goods > 0:
        whole = of_goods if of_goods == paid and not with_tax else whole
        return of_goods - whole, with_tax + whole
    if money.gift_cards and not goods:  # of an order of gift cards alone they are what goes back
        given = of_goods + with_tax
        return min(given, max(0, given - paid)), 0
    return of_goods, with_tax


def _paid(money: OrderMoney, goods: int) -> int:
    """What the customer paid for an order, gift cards, tax and shipping included."""
    stated = goods + money.gift_cards + (money.shipping or 0) + (money.tax or 0)
    return stated if money.total is None else max(money.total, stated)


def _shares(with_tax: int, money: OrderMoney, goods: int) -> tuple[int, int]:
    """How much of what went back in all was for the goods, and how much for shipping.

    Goods and tax go back first, in the proportion in which they were paid, then shipping. What is beyond all that was paid is
    goodwill, and counts with the goods.
    """
    if with_tax <= 0 or goods <= 0:
        return with_tax, 0
    paid, shipping = _paid(money, goods), max(0, money.shipping or 0)
    taxed = max(goods, paid - shipping - money.gift_cards)
    of_goods = min(goods, scaled(with_tax, goods, taxed))
    return of_goods + max(0, with_tax - max(goods, paid)), min(shipping, max(0, with_tax - taxed))


def _units_value(entry: OrderEntry, refund: Refund, goods: int) -> int | None:
    """What refunded products without prices are worth: their share of what the lines came to, of the order's goods value.

    None where no products are named, or the order's lines can't price them.
    """
    if not refund.units or any(line.list_minor is None for line in entry.lines):
        return None
    paid_for = _paid_by_product(entry.lines)
    listed = sum(paid for paid, _ in paid_for.values())
    share = 0
    for product_id, units in refund.units.items():
        worth = _worth_of(paid_for, product_id, units)
        if worth is None:
            return None
        share += worth
    return scaled(goods * share, 1, listed) if listed > 0 else None


def _paid_by_product(lines: list[OrderLine]) -> dict[str, tuple[int, float]]:
    """What was paid for each product of an order by its lines, and how many units of it there are."""
    found: dict[str, tuple[int, float]] = {}
    for line in lines:
        paid, quantity = found.get(line.product_id, (0, 0.0))
        paid += max(0, (line.list_minor or 0) - line.discount_minor)
        found[line.product_id] = (paid, quantity + line.quantity)
    return found


def _worth_of(paid_for: dict[str, tuple[int, float]], product_id: str, units: float) -> int | None:
    """What so many units of a product were paid for; None where the order had none of it."""
    paid, quantity = paid_for.get(product_id, (0, 0.0))
    return _portion(paid, units, quantity) if quantity > 0 else None


def _restocked_cost(entry: OrderEntry, line_costs: list[int]) -> int:
    """Cost of the refunded units that can be sold again, never more of a product than was ordered."""
    back: dict[str, float] = {}
    for refund in entry.refunds.values():
        if not refund.restocked:
            continue
        if refund.amount is None and not refund.units:
            return sum(line_costs)
        for product_id, units in refund.units.items():
            back[product_id] = back.get(product_id, 0.0) + units
    if not back:
        return 0
    ordered: dict[str, tuple[int, float]] = {}
    for line, cost in zip(entry.lines, line_costs, strict=True):
        if line.product_id in back:
            total, quantity = ordered.get(line.product_id, (0, 0.0))
            ordered[line.product_id] = (total + cost, quantity + line.quantity)
    return sum(
        _portion(total, min(back[product_id], quantity), quantity)
        for product_id, (total, quantity) in ordered.items()
        if quantity > 0
    )


def _portion(amount: int, part: float, whole: float) -> int:
    """`amount * part / whole`, half to even; broken quantities count as the decimals they are written as."""
    part_num, part_den = Decimal(repr(part)).as_integer_ratio()
    whole_num, whole_den = Decimal(repr(whole)).as_integer_ratio()
    return scaled(amount * part_num * whole_den, 1, part_den * whole_num)
