"""Exchange rates into the shop's currency, by date, and the exact arithmetic behind every rounded amount.

A rate is a decimal string: how much of the shop's currency one unit of the other buys (major units, as banks quote it).
It is valid from its date on, until a later one. Money is never a float here: a rate becomes a whole fraction of minor
units once, when the table is built, and amounts are multiplied in integers and rounded half to even.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final

from msgspec import Struct

DAY_MS: Final = 86_400_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

Ratio = tuple[int, int]
"""An exact factor: numerator and positive denominator."""


class RatesError(ValueError):
    """A row of the table of rates can't be used. The shop's configuration is refused; mend the row and column it names."""


class Rate(Struct, frozen=True, gc=False):
    """A rate found: `text` as the table gave it, `num / den` from minor units of the currency into the shop's."""

    text: str
    num: int
    den: int


ONE: Final = Rate("1", 1, 1)
"""The rate of the shop's own currency."""


class Rates(Struct, frozen=True, kw_only=True):
    """Dated rates by currency: the days (since 1970, ascending) from which they hold, and beside them the rates."""

    days: dict[str, list[int]] = {}
    rates: dict[str, list[Rate]] = {}

    def at(self, currency: str, at_ms: int) -> Rate | None:
        """The rate of a currency on the UTC date of an instant; None where none was valid yet, or none is known."""
        days = self.days.get(currency)
        if days is None:
            return None
        place = bisect_right(days, at_ms // DAY_MS)
        return self.rates[currency][place - 1] if place else None


def build_rates(rows: Iterable[Mapping[str, Any]], shop_currency: str, exponent: Callable[[str], int]) -> Rates:
    """Rates from rows with the columns currency, date (YYYY-MM-DD) and rate; `exponent` gives a currency's decimals.

    A later row for the same currency and date wins. Raises RatesError naming row (from 1) and column.
    """
    found: dict[str, dict[int, Rate]] = {}
    for number, row in enumerate(rows, 1):
        currency = str(row.get("currency") or "").strip().upper()
        if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
            raise RatesError(f"row {number}, column currency: {row.get('currency')!r} is no currency code such as EUR")
        try:
            day = date.fromisoformat(str(row.get("date") or "").strip()).toordinal() - _EPOCH_DAY
        except ValueError:
            raise RatesError(f"row {number}, column date: {row.get('date')!r} is no date such as 2026-03-31") from None
        text = str(row.get("rate") or "").strip()
        try:
            num, den = parse_ratio(text)
        except ValueError as error:
            raise RatesError(f"row {number}, column rate: {error}") from None
        if num <= 0:
            raise RatesError(f"row {number}, column rate: {text!r} is not above zero")
        shift = exponent(shop_currency) - exponent(currency)
        factor = Fraction(num, den) * Fraction(10) ** shift
        found.setdefault(currency, {})[day] = Rate(text, factor.numerator, factor.denominator)
    days = {currency: sorted(table) for currency, table in found.items()}
    return Rates(
        days=days, rates={currency: [found[currency][day] for day in order] for currency, order in days.items()}
    )


def parse_ratio(text: str) -> Ratio:
    """The exact value of a decimal such as "0.0145". Raises ValueError for anything else.

    >>> parse_ratio("0.0145")
    (29, 2000)
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    # The bound keeps a mistyped exponent from becoming an integer of a million digits.
    if not value.is_finite() or abs(value.adjusted()) > 30:
        raise ValueError(f"{text!r} is no decimal number such as 0.0145")
    return value.as_integer_ratio()


def scaled(amount: int, num: int, den: int) -> int:
    """`amount * num / den`, rounded half to even; `den` above zero.

    >>> scaled(5, 1, 2), scaled(7, 1, 2), scaled(-5, 1, 2)
    (2, 4, -2)
    """
    quotient, rest = divmod(amount * num, den)
    twice = rest + rest
    return quotient + 1 if twice > den or (twice == den and quotient & 1) else quotient


def times(unit_minor: int, quantity: float) -> int:
    """The value of `quantity` units. A broken quantity (0.35 kg) counts as the decimal it is written as, half to even.

    >>> times(199, 3), times(1000, 0.35), times(10, 0.25)
    (597, 350, 2)
    """
    if quantity == (whole := int(quantity)):
        return unit_minor * whole
    num, den = Decimal(repr(quantity)).as_integer_ratio()
    return scaled(unit_minor, num, den)
