"""What all sources have in common: currencies, ids of orders, the worth of a line, campaigns in links."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from schemas.adapters.adapter import content_id
from schemas.events import Campaign, Product
from schemas.money import MINOR_MAX, AmountError, exponent, to_minor
from schemas.scalars import ID_MAX, TEXT_MAX, URL_MAX, AdapterError, Fields, identifier

_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_UTM: Final = {
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_campaign": "name",
    "utm_term": "term",
    "utm_content": "content",
}


# --- money --------------------------------------------------------------------------------------------------------


def currency_of(fields: Fields) -> str | None:
    """The currency an object names, None where it names none."""
    code = fields.ident("currency", "currency_code", "currencyCode")
    if code is None:
        return None
    code = code.upper()
    if _CURRENCY.fullmatch(code) is None:
        raise AdapterError("out_of_bounds", f"{fields.at('currency')} is no ISO 4217 code")
    return code


def stated_currency(properties: Fields, parts: Iterable[Fields]) -> str | None:
    """The one currency of an event: its own, and that of all its parts that name one."""
    stated = currency_of(properties)
    for part in parts:
        own = currency_of(part)
        if own is not None and own != stated:
            if stated is not None:
                raise AdapterError("mixed_currencies", f"{part.at('currency')} is {own}, others are {stated}")
            stated = own
    return stated


def times(minor: int, quantity: float, place: str) -> int:
    """An amount of one unit, for that many units, exact; parts of a minor unit go to the even one.

    Raises AdapterError naming `place` beyond the bound of amounts.

    >>> times(250, 3, "x"), times(199, 0.5, "x"), times(201, 0.5, "x")
    (750, 100, 100)
    """
    if isinstance(quantity, int):
        return bounded(minor * quantity, place)
    return bounded(round(minor * Fraction(Decimal(repr(quantity)))), place)


def fine_worth(fields: Fields, name: str, quantity: float, currency: str) -> int | None:
    """What so many units come to at a price finer than the currency (0.0125 for a screw): the price rounded, times a thousand,
    would be another sum. None where it would not.
    """
    price = str(fields.values.get(name)).strip()
    if quantity == 1 or (len(price.partition(".")[2]) <= exponent(currency) and "e" not in price.lower()):
        return None
    minor = fields.amount(currency, name)
    if minor is None:
        return None
    try:
        worth = to_minor(Decimal(price) * Decimal(repr(quantity)), currency)
    except AmountError as error:
        raise AdapterError("number_out_of_range", f"{fields.at(name)}: {error}") from None
    return None if worth == minor * quantity else worth


def listed_products(
    properties: Fields, shop_currency: str, read: Callable[[Fields, str], Product]
) -> tuple[tuple[Product, ...], str | None, str]:
    """The `products` of an event, each by `read`, the currency it names, and that of its amounts."""
    listed = list(properties.objects("products"))
    stated = stated_currency(properties, listed)
    currency = stated or shop_currency
    return tuple(read(fields, currency) for fields in listed), stated, currency


def is_gift_card(fields: Fields) -> bool:
    """Whether a product says of itself that it is a gift card."""
    return "gift_card" in fields.values and bool(fields.flag("gift_card"))


def without(amount: int, extras: int) -> int:
    """What is left of an amount, of either sign, without the extras in it. What is more than the amount was not in it.

    >>> without(500, 200), without(-500, 200), without(100, 200)
    (300, -300, 100)
    """
    if extras > abs(amount):
        return amount
    return amount + extras if amount < 0 else amount - extras


def unsigned(amount: int | None) -> int | None:
    """An amount without its sign: some write what was taken off, or went back, with a minus.

    >>> unsigned(250), unsigned(-250), unsigned(None)
    (250, 250, None)
    """
    return None if amount is None else abs(amount)


def bounded(minor: int, place: str) -> int:
    """A computed amount, if it is within the bound of amounts. Raises AdapterError."""
    if not -MINOR_MAX <= minor <= MINOR_MAX:
        raise AdapterError("number_out_of_range", f"{place}: an amount is beyond {MINOR_MAX} minor units")
    return minor


# --- ids ----------------------------------------------------------------------------------------------------------


def required_order_id(fields: Fields, *names: str) -> str:
    """The id of an order. One that a script failed to fill in ("undefined", "null") would make all orders one."""
    found = fields.required_ident(*names)
    if identifier(found) is None:
        raise AdapterError("missing_field", f"{fields.at(names[0])} is the id of no order")
    return found


def numbered(message_id: str, number: int) -> str:
    """The id of the event of this number (from 1) that one message of the source became.

    >>> numbered("m1", 1), numbered("m1", 2)
    ('m1', 'm1#2')
    """
    return message_id if number == 1 else made_id(f"{message_id}#{number}")


def made_id(text: str) -> str:
    """An id made of others, or where that is too long for one, a digest of it."""
    return text if len(text) <= ID_MAX else content_id(text.encode())


# --- links --------------------------------------------------------------------------------------------------------


def campaign_in(url: str | None) -> Campaign | None:
    """The campaign that the utm_* parameters of a link name.

    >>> campaign_in("https://shop.example/tea?utm_source=news&utm_campaign=spring%20tea&x=1")
    Campaign(source='news', medium=None, name='spring tea', term=None, content=None)
    """
    if not url or "utm_" not in url:
        return None
    try:
        query = parse_qsl(urlsplit(url[:URL_MAX]).query, max_num_fields=64)
    except ValueError:
        return None
    found: dict[str, Any] = {_UTM[name]: value[:TEXT_MAX] for name, value in query if name in _UTM}
    return Campaign(**found) if found else None


def absolute(url: object, site: str | None) -> str | None:
    """A link with its scheme and host; `site` ("https://shop.example") completes one that has none.

    >>> absolute("/products/tea", "https://shop.example"), absolute("/products/tea", None), absolute("", None)
    ('https://shop.example/products/tea', '/products/tea', None)
    >>> absolute("//cdn.example/tea.jpg", None)
    'https://cdn.example/tea.jpg'
    """
    if not isinstance(url, str) or not url:
        return None
    if url.startswith("//"):
        url = f"https:{url}"
    elif url.startswith("/") and site:
        url = f"{site}{url}"
    return url if len(url) <= URL_MAX else None
