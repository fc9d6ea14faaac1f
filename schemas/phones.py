"""Phone numbers as identifiers: one text for each line that can be called, however it was typed.

The text is E.164 (ITU-T recommendation E.164: "+", country code, national number, at most 15 digits), found with
`phonenumbers`, the Python port of Google's libphonenumber, after the numbering plans it carries. The library is imported
with the first number that is met: a process that sees none does not pay its 35 ms.
"""

from functools import lru_cache
from typing import Final

from schemas.scalars import identifier

REMEMBERED_MAX: Final = 32_768
"""Texts whose answer is remembered, 11 MB. A customer's number comes with each of her orders; finding it anew takes 17 us, and 1
to 3 ms once for each country, whose plan is read then.
"""


@lru_cache(maxsize=REMEMBERED_MAX)
def phone_number(value: str, region: str = "") -> str | None:
    """A phone number in E.164, or None where it identifies nobody.

    `region` is the country (ISO 3166-1 alpha-2) whose national numbers are understood; without one only international
    numbers are, beginning with "+" or "00". A number that its country's plan does not have (a wrong length, a made-up
    9999999999) is nobody's, and so is one with an extension: many people share a switchboard.

    >>> phone_number(" +49 (30) 1234-567 "), phone_number("0049 30/1234567"), phone_number("030 1234567", "DE")
    ('+49301234567', '+49301234567', '+49301234567')
    >>> phone_number("030 1234567"), phone_number("+49 30 1234567 ext. 8"), phone_number("999 999 9999", "US")
    (None, None, None)
    """
    import phonenumbers

    text = identifier(value)
    if text is None:
        return None
    if text.startswith("00"):
        text = f"+{text[2:]}"
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        return None
    # Possible lengths alone would take 1111111111, which half a shop's customers type where a number is asked for.
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_region(region: str) -> bool:
    """Whether there is a numbering plan for a country.

    >>> is_region("GB"), is_region("UK")
    (True, False)
    """
    import phonenumbers

    return region in phonenumbers.SUPPORTED_REGIONS
