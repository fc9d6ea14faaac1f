"""Exchange rates by date, and exact rounding."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.rates import RatesError, build_rates, parse_ratio, scaled, times

DAY_MS = 86_400_000
DIGITS = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}


def table(*rows: tuple[str, str, str]) -> list[dict[str, str]]:
    return [{"currency": currency, "date": date, "rate": rate} for currency, date, rate in rows]


@settings(deadline=None)
@given(st.integers(-(10**18), 10**18), st.integers(-(10**9), 10**9), st.integers(1, 10**9))
def test_scaling_rounds_as_exact_fractions_do(amount: int, num: int, den: int) -> None:
    assert scaled(amount, num, den) == round(Fraction(amount) * num / den)


@pytest.mark.parametrize(
    "unit_minor, quantity, value",
    [(199, 3, 597), (199, 3.0, 597), (1000, 0.35, 350), (10, 0.25, 2), (30, 0.25, 8), (500, 0, 0), (-100, 1.5, -150)],
)
def test_broken_quantities_count_as_they_are_written(unit_minor: int, quantity: float, value: int) -> None:
    assert times(unit_minor, quantity) == value


def test_a_rate_holds_from_its_date_on_until_the_next() -> None:
    rates = build_rates(
        table(("USD", "1970-01-05", "0.95"), ("USD", "1970-01-03", "0.9")), "EUR", lambda currency: DIGITS[currency]
    )

    assert rates.at("USD", 2 * DAY_MS - 1) is None
    found = [rate.text for day in (2, 3, 4, 100) if (rate := rates.at("USD", day * DAY_MS)) is not None]
    assert found == ["0.9", "0.9", "0.95", "0.95"]
    assert rates.at("CHF", 5 * DAY_MS) is None


def test_minor_units_of_different_size_are_minded() -> None:
    rates = build_rates(
        table(("JPY", "2026-01-01", "0.0061"), ("KWD", "2026-01-01", "3")), "EUR", lambda currency: DIGITS[currency]
    )
    yen, dinar = rates.at("JPY", 30_000 * DAY_MS), rates.at("KWD", 30_000 * DAY_MS)
    assert yen is not None
    assert dinar is not None

    assert scaled(1000, yen.num, yen.den) == 610  # 1000 yen are 6.10 euros
    assert scaled(1000, dinar.num, dinar.den) == 300  # 1.000 dinar is 3.00 euros


@pytest.mark.parametrize(
    "row, named",
    [
        (("EURO", "2026-01-01", "1"), "row 1, column currency"),
        (("USD", "01.02.2026", "1"), "row 1, column date"),
        (("USD", "2026-01-01", "1,2"), "row 1, column rate"),
        (("USD", "2026-01-01", "NaN"), "row 1, column rate"),
        (("USD", "2026-01-01", "1e99999999"), "row 1, column rate"),
        (("USD", "2026-01-01", "0"), "row 1, column rate"),
        (("USD", "2026-01-01", ""), "row 1, column rate"),
    ],
)
def test_a_bad_row_is_refused_by_row_and_column(row: tuple[str, str, str], named: str) -> None:
    with pytest.raises(RatesError, match=named):
        build_rates(table(row), "EUR", lambda _: 2)


def test_a_decimal_is_read_exactly() -> None:
    assert parse_ratio("0.1") == (1, 10)
