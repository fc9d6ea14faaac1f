"""Amounts become exact minor units, whatever form they are written in; the list of currencies is the official one."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency

from schemas.money import EXPONENTS, MINOR_MAX, AmountError, exponent, format_minor, to_minor


def test_every_active_currency_has_the_decimals_of_the_official_list() -> None:
    official = {currency.code: currency.exponent for currency in Currency if currency.exponent is not None}

    assert official == EXPONENTS


def test_a_code_nobody_lists_has_two_decimals() -> None:
    assert exponent("ZZZ") == 2


@pytest.mark.parametrize(
    "value,currency,minor",
    [
        ("19.99", "EUR", 1999),
        (19.99, "EUR", 1999),
        (Decimal("19.99"), "EUR", 1999),
        (20, "EUR", 2000),
        ("1500", "JPY", 1500),
        ("1.234", "KWD", 1234),
        ("1.2345", "CLF", 12345),
        ("-3.5", "USD", -350),
        (" 7.00 ", "USD", 700),
        ("1e3", "USD", 100_000),
        (1e22 / 1e15, "USD", 1_000_000_000),
        (-0.0, "USD", 0),
        ("0.1e-400", "USD", 0),
        # The float nearest to 1.005 is a little less, but its sender wrote 1.005, which lies half-way: to the even cent.
        (1.005, "USD", 100),
        (1.015, "USD", 102),
        ("2.675", "USD", 268),
        ("2.665", "USD", 266),
        ("0.5", "JPY", 0),
        ("1.5", "JPY", 2),
        ("-0.5", "JPY", 0),
    ],
)
def test_an_amount_is_exact_and_halves_go_to_the_even_unit(
    value: str | float | Decimal, currency: str, minor: int
) -> None:
    assert to_minor(value, currency) == minor


@pytest.mark.parametrize(
    "value",
    ["", "abc", "NaN", "Infinity", "-inf", "1_000", "1,234.50", "12,50", "$5", "٣", "0x10", "1e9999", "9" * 65, True,
     float("nan"), float("inf"), 1e300, 10**14, "10000000000000.01", Decimal("sNaN"), Decimal("1e999999")],
)  # fmt: skip
def test_what_is_no_amount_is_refused(value: str | float | Decimal) -> None:
    with pytest.raises(AmountError):
        to_minor(value, "USD")


def test_the_largest_amount_fits() -> None:
    assert to_minor("10000000000000.00", "USD") == MINOR_MAX
    assert to_minor(-(10**13), "USD") == -MINOR_MAX


@given(st.integers(-(10**14), 10**14), st.integers(0, 6), st.sampled_from(("JPY", "EUR", "KWD", "CLF")))
def test_every_decimal_is_rounded_as_fractions_say(digits: int, places: int, currency: str) -> None:
    amount = Decimal(digits).scaleb(-places)
    exact = Fraction(digits, 10**places) * 10 ** exponent(currency)

    if abs(round(exact)) <= MINOR_MAX:  # Python rounds fractions half to even
        assert to_minor(str(amount), currency) == round(exact)


@given(st.integers(-MINOR_MAX, MINOR_MAX), st.sampled_from(("JPY", "EUR", "KWD", "CLF")))
def test_what_people_read_says_the_same_amount(minor: int, currency: str) -> None:
    code, text = format_minor(minor, currency).split(" ")

    assert (code, to_minor(text.replace(",", ""), currency)) == (currency, minor)
