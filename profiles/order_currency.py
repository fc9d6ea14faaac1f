"""The money of an order in its own currency, and from there in the shop's.

What names no currency was read with the decimals of the shop's, before anybody knew whose it is.
"""

from msgspec.structs import replace

from profiles.book import Book
from profiles.order_state import OrderEntry, Refund, Totals
from profiles.rates import ONE, Rate, scaled
from schemas.money import exponent


def further_digits(currency: str, book: Book) -> int:
    """How many decimals a currency has more than the shop's."""
    return 0 if currency == book.shop_currency else exponent(currency) - exponent(book.shop_currency)


def _rescaled(amount: int, digits: int) -> int:
    """An amount that was read with the shop's decimals, with so many more; half to even where they are fewer."""
    return amount * 10**digits if digits >= 0 else scaled(amount, 1, 10**-digits)


def in_its_digits(entry: OrderEntry, digits: int) -> OrderEntry:
    """The entry of an order whose currency has other decimals than the shop's, with all of it in those.

    What named no currency was read as if it were in the shop's: 500 yen as 500.00. That is what is newer than the newest word
    on the currency; of costs, which are often told once and alone, it is known.
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
    if money is not None and entry.bare_costs:
        money = replace(money, **{name: _rescaled(getattr(money, name), digits) for name in entry.bare_costs})
    alone = {
        name: (_rescaled(amount, digits) if version > named else amount, version)
        for name, (amount, version) in entry.alone.items()
    }
    return replace(entry, money=money, lines=lines, alone=alone)


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


def in_order_currency(amount: int, refund: Refund, entry: OrderEntry, currency: str, book: Book) -> int | None:
    """A refund's amount in the order's currency; None in another one where a rate is missing.

    One that names no currency is in the order's, and was read with the shop's decimals.
    """
    if refund.currency is None and (digits := further_digits(currency, book)):
        return _rescaled(amount, digits)
    if not amount or refund.currency is None or refund.currency == currency or entry.placed_ms is None:
        return amount
    theirs = rate_of(refund.currency, entry.placed_ms, book)
    ours = rate_of(currency, entry.placed_ms, book)
    if theirs is None or ours is None:
        return None
    return scaled(amount, theirs.num * ours.den, theirs.den * ours.num)
