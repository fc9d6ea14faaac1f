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
- An amount that holds tax and shipping counts by the goods' share of what was paid. So does one that is, to the minor unit, all
  that was paid, whoever states it: it is the whole order.
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
from profiles.order_state import Contribution, OrderEntry, OrderMoney, Refund, Totals
from profiles.product_facts import of_line
from profiles.rates import ONE, Rate, scaled, times
from schemas.money import exponent

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
    if digits := _digits(currency, book):
        entry = _in_its_digits(entry, digits)
        before = None if before is None else _in_its_digits(before, digits)
    if entry.alone:
        entry = replace(entry, money=stated_money(entry))
    if before is not None and before.alone:
        before = replace(before, money=stated_money(before))
    rate = rate_of(currency, placed_ms, book)
    if entry.compact and before is not None and before.contribution is not None and before.contribution.counted:
        amounts, source, valued = _amended(entry, before, before.contribution, currency, rate, book)
    else:
        amounts, source, valued = _worked_out(entry, currency, rate, book)
    return Contribution(
        currency,
        True,  # counted
        valued,
        bool(entry.refunds) and any(gives_back(refund) for refund in entry.refunds.values()),
        False,  # cancelled
        amounts,
        in_shop_currency(amounts, rate),
        None if rate is None else rate.text,
        source,
        entry.couponed,
    )


def _digits(currency: str, book: Book) -> int:
    """How many decimals a currency has more than the shop's."""
    return 0 if currency == book.shop_currency else exponent(currency) - exponent(book.shop_currency)


def _rescaled(amount: int, digits: int) -> int:
    """An amount that was read with the shop's decimals, with so many more; half to even where they are fewer."""
    return amount * 10**digits if digits >= 0 else scaled(amount, 1, 10**-digits)


def _in_its_digits(entry: OrderEntry, digits: int) -> OrderEntry:
    """The entry of an order whose currency has other decimals than the shop's, with all of it in those.

    What named no currency was read as if it were in the shop's: 500 yen as 500.00. That is what is newer than the newest word
    on the currency.
    """
    named = entry.currency_version or entry.money_version or entry.lines_version
    if named is None:
        return entry
    money, lines = entry.money, entry.lines
    if money is not None and entry.money_version is not None and entry.money_version > named:
        stated = ("revenue", "subtotal", "total", "shipping", "tax", "discount")
        told = {name: amount for name in stated if (amount := getattr(money, name)) is not None}
        money = replace(money, **{name: _rescaled(amount, digits) for name, amount in told.items()})
    if entry.lines_version is not None and entry.lines_version > named:
        lines = [
            replace(
                line,
                list_minor=None if line.list_minor is None else _rescaled(line.list_minor, digits),
                discount_minor=_rescaled(line.discount_minor, digits),
                cost_minor=None if line.cost_minor is None else _rescaled(line.cost_minor, digits),
            )
            for line in lines
        ]
    alone = {
        name: (_rescaled(amount, digits) if version > named else amount, version)
        for name, (amount, version) in entry.alone.items()
    }
    return replace(entry, money=money, lines=lines, alone=alone)


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


def rate_of(currency: str, at_ms: int, book: Book) -> Rate | None:
    """The rate of a currency into the shop's on the UTC date of `at_ms`; None where none is known."""
    return ONE if currency == book.shop_currency else book.rates.at(currency, at_ms)


def in_shop_currency(amounts: Totals, rate: Rate | None) -> Totals:
    """Amounts in the shop's currency; all zero without a rate."""
    if rate is ONE:
        return amounts
    if rate is None:
        return Totals()
    num, den = rate.num, rate.den
    gross, discount = scaled(amounts.gross, num, den), scaled(amounts.discount, num, den)
    refund = scaled(amounts.refund, num, den) if amounts.net else gross - discount
    return Totals(
        gross,
        discount,
        refund,
        gross - discount - refund,
        scaled(amounts.margin, num, den),
        scaled(amounts.estimated_gross, num, den),
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


def gives_back(refund: Refund) -> bool:
    """Whether a refund gives anything back: one whose payment failed after all is told of again, as one of nothing."""
    return refund.amount != 0 or refund.priced


def settled_refunds(entry: OrderEntry) -> dict[str, Refund]:
    """The refunds as a compact entry keeps them: the products' values written out as amounts, the units forgotten."""
    contribution = entry.contribution
    if contribution is None or not contribution.counted:
        return entry.refunds
    goods = contribution.amounts.gross - contribution.amounts.discount
    kept = {}
    for refund_id, refund in entry.refunds.items():
        amount, currency = refund.amount, refund.currency
        priced = refund.priced
        if amount is None and (amount := _units_value(entry, refund, goods)) is not None:
            currency, priced = contribution.currency, True
        kept[refund_id] = replace(refund, amount=amount, currency=currency, units={}, priced=priced)
    return kept


def _worked_out(entry: OrderEntry, currency: str, rate: Rate | None, book: Book) -> tuple[Totals, str | None, bool]:
    """The amounts of an order whose lines are there."""
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
    refund = 0
    if entry.refunds:
        refund = _refunded(entry, goods, currency, book)
        cogs -= _restocked_cost(entry, line_costs)
    net = goods - refund
    estimate = gross if all_estimated or not known else max(0, min(estimated, gross))
    return Totals(gross, gross - goods, refund, net, net - cogs + extras, estimate), source, goods > 0


def _amended(
    entry: OrderEntry, before: OrderEntry, old: Contribution, currency: str, rate: Rate | None, book: Book
) -> tuple[Totals, str | None, bool]:
    """The amounts of an order that has lost its lines, from what they were: its cost of goods stays as it was."""
    was = old.amounts
    old_goods = was.gross - was.discount
    money, old_money = entry.money or _NO_MONEY, before.money or _NO_MONEY
    goods, source = old_goods, old.revenue_from
    if entry.money_version != before.money_version or entry.alone != before.alone:
        stated, stated_by = _goods(money, None, 0)
        if stated_by is not None:
            goods, source = stated, stated_by
    gross = was.gross if was.gross >= goods else goods + max(0, money.discount or 0)
    refund = _refunded(entry, goods, currency, book)
    net = goods - refund
    extras, known = _extras(entry, money, goods, currency, rate, book)
    old_extras, _ = _extras(before, old_money, old_goods, currency, rate, book)
    margin = was.margin + (net - was.net) + (extras - old_extras)
    all_estimated = not known or was.estimated_gross == was.gross
    estimate = gross if all_estimated else max(0, min(was.estimated_gross, gross))
    return Totals(gross, gross - goods, refund, net, margin, estimate), source, goods > 0


def _goods(money: OrderMoney, listed: int | None, discount: int) -> tuple[int, str | None]:
    """Goods value and the name of the field that gave it; zero and None where nothing states one."""
    if money.revenue is not None:
        return money.revenue, "revenue"
    if money.subtotal is not None:
        return money.subtotal, "subtotal"
    if money.total is not None:
        return money.total - (money.shipping or 0) - (money.tax or 0), "total"
    if listed is not None:
        return listed - discount, "lines"
    return 0, None


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
        paid = goods + charged + (money.tax or 0) if money.total is None else money.total
        if paid > 0:
            if costs.payment_rate is not None:
                extras -= scaled(paid, costs.payment_rate[0], costs.payment_rate[1])
            if costs.payment_fixed_minor is not None:
                extras -= scaled(costs.payment_fixed_minor, rate.den, rate.num)
    if not entry.refunds:
        return extras, known
    for refund in entry.refunds.values():
        fees = refund.restocking_fee - refund.return_shipping
        if fees:
            extras += _in_order_currency(fees, refund, entry, currency, book)
    _, with_tax = _stated(entry, goods, currency, book)
    return extras - _shares(with_tax, money, goods)[1], known


def _refunded(entry: OrderEntry, goods: int, currency: str, book: Book) -> int:
    """All refunds of an order together. "The rest" is the same sum however many refunds ask for it."""
    total, with_tax = _stated(entry, goods, currency, book)
    total += _shares(with_tax, entry.money or _NO_MONEY, goods)[0]
    of_products, rest = 0, False
    for refund in entry.refunds.values():
        if refund.priced:
            of_products += _in_order_currency(refund.amount or 0, refund, entry, currency, book)
        elif refund.amount is None:
            value = _units_value(entry, refund, goods)
            if value is None:
                rest = True
            else:
                of_products += value
    left = max(0, goods - total)
    return total + (left if rest else max(0, min(of_products, left)))


def _stated(entry: OrderEntry, goods: int, currency: str, book: Book) -> tuple[int, int]:
    """The sums of the stated amounts: of goods alone, and of those with tax and shipping in them."""
    of_goods = with_tax = whole = 0
    paid = _paid(entry.money or _NO_MONEY, goods)
    for refund in entry.refunds.values():
        if refund.amount is None or refund.priced:
            continue
        amount = _in_order_currency(refund.amount, refund, entry, currency, book)
        if refund.with_tax:
            with_tax += amount
        else:
            of_goods += amount
            whole += amount if amount == paid else 0
    # Many systems know one sum of an order and state it again when all of it goes back, at once or in parts.
    if paid > goods > 0:
        whole = of_goods if of_goods == paid and not with_tax else whole
        return of_goods - whole, with_tax + whole
    return of_goods, with_tax


def _paid(money: OrderMoney, goods: int) -> int:
    """What the customer paid for an order, tax and shipping included."""
    stated = goods + (money.shipping or 0) + (money.tax or 0)
    return stated if money.total is None else max(money.total, stated)


def _shares(with_tax: int, money: OrderMoney, goods: int) -> tuple[int, int]:
    """How much of what went back in all was for the goods, and how much for shipping.

    Goods and tax go back first, in the proportion in which they were paid, then shipping. What is beyond all that was paid is
    goodwill, and counts with the goods.
    """
    if with_tax <= 0 or goods <= 0:
        return with_tax, 0
    paid, shipping = _paid(money, goods), max(0, money.shipping or 0)
    taxed = max(goods, paid - shipping)
    of_goods = min(goods, scaled(with_tax, goods, taxed))
    return of_goods + max(0, with_tax - max(goods, paid)), min(shipping, max(0, with_tax - taxed))


def _in_order_currency(amount: int, refund: Refund, entry: OrderEntry, currency: str, book: Book) -> int:
    """A refund's amount in the order's currency. Without rates for both it is taken at face value: nearer than nothing.

    One that names no currency is in the order's, and was read with the shop's decimals.
    """
    if refund.currency is None and (digits := _digits(currency, book)):
        return _rescaled(amount, digits)
    if refund.currency is None or refund.currency == currency or entry.placed_ms is None:
        return amount
    theirs = rate_of(refund.currency, entry.placed_ms, book)
    ours = rate_of(currency, entry.placed_ms, book)
    if theirs is None or ours is None:
        return amount
    return scaled(amount, theirs.num * ours.den, theirs.den * ours.num)


def _units_value(entry: OrderEntry, refund: Refund, goods: int) -> int | None:
    """What refunded products without prices are worth: their share of what the lines came to, of the order's goods value.

    None where no products are named, or the order's lines can't price them.
    """
    if not refund.units:
        return None
    ordered: dict[str, tuple[int, float]] = {}
    listed = 0
    for line in entry.lines:
        if line.list_minor is None:
            return None
        paid = max(0, line.list_minor - line.discount_minor)
        listed += paid
        value, quantity = ordered.get(line.product_id, (0, 0.0))
        ordered[line.product_id] = (value + paid, quantity + line.quantity)
    share = 0
    for product_id, units in refund.units.items():
        value, quantity = ordered.get(product_id, (0, 0.0))
        if quantity <= 0:
            return None
        share += _portion(value, units, quantity)
    return scaled(goods * share, 1, listed) if listed > 0 else None


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
