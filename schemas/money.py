"""Money: amounts as senders write them, turned into exact integer minor units, and back into text for people.

No amount is ever a float here: a float is read through its shortest decimal text, so 19.99 is nineteen ninety-nine.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

MINOR_MAX = 10**15
"""Largest amount in minor units, either sign; sums of a whole customer life then stay inside 64 bits."""

DEFAULT_EXPONENT = 2
_TEXT_MAX = 64  # longer than any amount a shop writes; keeps Decimal from chewing on megabytes of digits
_DIGITS_MAX = 20  # an amount of more digits before the point is out of bounds in every currency
_CONTEXT = Context(prec=100, rounding=ROUND_HALF_EVEN)

# ISO 4217, list one: currencies whose minor unit is not a hundredth.
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS = "CLF UYW"
_TWO_DECIMALS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY "
    "COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS "
    "INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR "
    "MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP "
    "STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG"
)

EXPONENTS: dict[str, int] = {
    code: decimals
    for decimals, codes in ((0, _NO_DECIMALS), (2, _TWO_DECIMALS), (3, _THREE_DECIMALS), (4, _FOUR_DECIMALS))
    for code in codes.split()
}
"""Decimals of the minor unit of every active ISO 4217 currency that has one."""


class AmountError(ValueError):
    """What was given is no amount: not a number, not finite, or beyond MINOR_MAX.

    The record that holds it is set aside with this text. Its sender has to be corrected.
    """


def exponent(currency: str) -> int:
    """Decimals of a currency's minor unit; 2 for a code that ISO 4217 does not list.

    >>> exponent("EUR"), exponent("JPY"), exponent("KWD"), exponent("CLF")
    (2, 0, 3, 4)
    """
    return EXPONENTS.get(currency, DEFAULT_EXPONENT)


def to_minor(value: str | float | Decimal, currency: str) -> int:
    """An amount in whole units of `currency`, as minor units; what lies between two of them goes to the even one.

    Text is a plain decimal number with a point, spaces around it allowed. Raises AmountError for anything else, for NaN
    and infinities, and beyond MINOR_MAX.

    >>> to_minor("19.99", "EUR"), to_minor(19.99, "EUR"), to_minor(500, "JPY"), to_minor("1.2345", "KWD")
    (1999, 1999, 500, 1234)
    >>> to_minor("0.005", "USD"), to_minor("0.015", "USD"), to_minor("-0.025", "USD")
    (0, 2, -2)
    """
    decimals = EXPONENTS.get(currency, DEFAULT_EXPONENT)
    scale: int = 10**decimals
    minor = value * scale if type(value) is int else _rounded(_decimal(value), decimals)
    if not -MINOR_MAX <= minor <= MINOR_MAX:
        raise AmountError(f"an amount is beyond {MINOR_MAX} minor units")
    return minor


def _decimal(value: str | float | Decimal) -> Decimal:
    if isinstance(value, bool):
        raise AmountError("true and false are no amounts")
    if isinstance(value, Decimal):
        return value
    text = repr(value) if isinstance(value, float) else str(value).strip()
    if len(text) > _TEXT_MAX:
        raise AmountError(f"an amount is written with more than {_TEXT_MAX} characters")
    # Decimal also reads "1_000" and the digits of other scripts; a sender that writes those means something we can't know.
    if "_" in text or not text.isascii():
        raise AmountError("an amount is not a plain decimal number")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise AmountError("an amount is not a plain decimal number") from None


def _rounded(amount: Decimal, decimals: int) -> int:
    if not amount.is_finite():
        raise AmountError("an amount is not finite")
    if amount.adjusted() > _DIGITS_MAX:  # before scaling, so that 1e999999999 costs nothing
        raise AmountError(f"an amount is beyond {MINOR_MAX} minor units")
    if amount.adjusted() < -_DIGITS_MAX:
        return 0
    return int(amount.scaleb(decimals, _CONTEXT).to_integral_value(ROUND_HALF_EVEN, _CONTEXT))


def format_minor(minor: int, currency: str) -> str:
    """An amount as people read it: the currency's code, thousands apart, the currency's decimals.

    >>> format_minor(1234567, "USD"), format_minor(1234567, "JPY"), format_minor(-5, "KWD")
    ('USD 12,345.67', 'JPY 1,234,567', 'KWD -0.005')
    """
    decimals = exponent(currency)
    whole, rest = divmod(abs(minor), 10**decimals)
    sign = "-" if minor < 0 else ""
    return f"{currency} {sign}{whole:,}" + (f".{rest:0{decimals}d}" if decimals else "")
