"""What the messages of a Shopify shop have in common: the delivery, ids, money with and without tax, lines, addresses.

Amounts of webhooks are decimal text in the shop's currency. In a shop whose prices include tax, so do the prices of lines
and the subtotal; tax is taken out of what counts as money (`list_minor`, `discount_minor`, revenue), and `price_minor`
stays what the customer saw.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, Final, Literal

from msgspec import Struct

from schemas import events as e
from schemas.adapters.adapter import Options
from schemas.adapters.commerce import bounded, currency_of, is_gift_card, stated_currency, times
from schemas.adapters.consent_forms import channel_consent
from schemas.scalars import AdapterError, Fields, number_of

NO_VARIANT: Final = "Default Title"
"""What Shopify calls the only variant of a product that has none."""


class ShopifyOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a shop is set up.

    `completed_on`: an order counts from its creation, or ("paid") only from its payment on. `taxes_included`: the shop's
    prices include tax; needed for refunds alone, since orders say it themselves. `anonymous_id_attributes`: names of cart
    attributes (`note_attributes`) in which the shop's tracker leaves its anonymous id.
    """

    completed_on: Literal["created", "paid"] = "created"
    taxes_included: bool = False
    anonymous_id_attributes: tuple[str, ...] = ("rudderAnonymousId",)


class Delivery(Struct, frozen=True):
    """One webhook: its topic, its body, the shop, when Shopify sent it (0: nobody knows), and what is to be known besides."""

    topic: str
    body: Fields
    shop_domain: str | None
    sent_ms: int
    shop_currency: str
    options: ShopifyOptions
    request_id: str

    @property
    def at_ms(self) -> int:
        """When Shopify sent it, which stands for the time of what has none of its own. Raises AdapterError where nobody knows."""
        if self.sent_ms <= 0:
            raise AdapterError(
                "missing_field", "X-Shopify-Triggered-At is missing among the headers, and the body says no time either"
            )
        return self.sent_ms


Own = dict[str, Any]
Made = Iterator[tuple[type[e.Event], Own]]


# --- ids ----------------------------------------------------------------------------------------------------------


def plain_id(fields: Fields, *names: str) -> str | None:
    """An id without the prefix of Shopify's global ids: gid://shopify/Order/5 is 5."""
    found = fields.ident(*names)
    if found is not None and found.startswith("gid://"):
        found = Fields({"id": found.rpartition("/")[2].partition("?")[0]}, fields.at(names[0])).ident("id")
    return found


def cart_token(fields: Fields, *names: str) -> str | None:
    """A cart's token without what newer ones have after it (`?key=...`), so that all messages name the same cart."""
    found = plain_id(fields, *names)
    return None if found is None else Fields({"t": found.partition("?")[0]}, fields.at(names[0])).ident("t")


def buyer(body: Fields, options: ShopifyOptions) -> Own:
    """Who an order or a checkout belongs to. Its `user_id` is a member of the shop's staff, never the customer."""
    customer = body.own("customer")
    attributes = Fields(dict(_attributes(body)), body.at("note_attributes"))
    return {
        "user_id": plain_id(customer, "id"),
        "email": body.ident("email", "contact_email") or customer.ident("email"),
        "phone": body.ident("phone") or customer.ident("phone") or body.ident("sms_marketing_phone"),
        "anonymous_id": attributes.ident(*options.anonymous_id_attributes),
        "cart_token": cart_token(body, "cart_token"),
    }


def _attributes(body: Fields) -> Iterator[tuple[str, Any]]:
    """What the shop's pages wrote onto the cart: pairs in messages of orders, an object in those of carts."""
    stated = body.values.get("note_attributes")
    for item in stated if isinstance(stated, list) else ():
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            yield item["name"], item.get("value")
    yield from body.inner("attributes").values.items()


# --- consent ------------------------------------------------------------------------------------------------------


def dated_consent(customer: Fields) -> tuple[e.ConsentChange, ...]:
    """What a message says of a customer's consent by the way. One without a date is no news: it may be older than what is
    known, so only dated decisions count.
    """
    found = []
    for name, channel in (("email_marketing_consent", "email"), ("sms_marketing_consent", "sms")):
        stated = customer.inner(name)
        if stated.find("consent_updated_at") is not None:
            found += channel_consent(stated.values, channel, stated.path)
    return tuple(found)


def checkout_consent(body: Fields) -> tuple[e.ConsentChange, ...]:
    """The consent of an order or a checkout: the customer's dated ones, or else the boxes she ticked. One not ticked says
    nothing about what she agreed to before.
    """
    dated = dated_consent(body.inner("customer"))
    if dated:
        return dated
    at_ms = body.instant("created_at")
    boxes = (("buyer_accepts_marketing", "email"), ("buyer_accepts_sms_marketing", "sms"))
    return tuple(
        e.ConsentChange(state="GRANT", channel=channel, at_ms=at_ms, source="checkout")
        for name, channel in boxes
        if body.flag(name)
    )


# --- money --------------------------------------------------------------------------------------------------------


def currency_in(body: Fields, lines: list[Fields]) -> str | None:
    """The currency of a message: its own, or that of its amounts in the shop's money."""
    stated = currency_of(body)
    if stated is None:
        sets = [line.inner(name).inner("shop_money") for line in lines for name in _SETS]
        stated = stated_currency(Fields({}, ""), sets)
    return stated


_SETS: Final = (
    "price_set",
    "original_price_set",
    "discounted_price_set",
    "subtotal_set",
    "amount_set",
    "subtotal_amount_set",
)


def total(parts: Iterable[Fields], currency: str, *names: str) -> int:
    """The sum of an amount over a list; what has none counts as zero."""
    return bounded(sum(part.amount(currency, *names) or 0 for part in parts), names[0])


def line(fields: Fields, currency: str, *, taxes_included: bool = False) -> e.Product:
    """A line item: the product's title is its name, the variant's its variant."""
    quantity = fields.quantity("quantity")
    price = fields.amount(currency, "original_price", "price", "variant_price")
    discount = total(fields.objects("discount_allocations"), currency, "amount")
    if not discount:
        discount = fields.amount(currency, "total_discount") or 0
    listed = None if price is None else times(price, quantity, fields.at("price"))
    if taxes_included and listed is not None:
        listed, discount = _without_tax(fields, currency, listed, discount)
        bounded(listed, fields.at("price"))
    return e.Product(
        **described(fields),
        price_minor=price,
        quantity=quantity,
        list_minor=listed if taxes_included else None,
        discount_minor=bounded(discount, fields.at("total_discount")),
    )


def described(fields: Fields) -> Own:
    """What product a line item is of."""
    return {
        "product_id": _product_id(fields),
        "variant_id": plain_id(fields, "variant_id"),
        "sku": fields.ident("sku"),
        "name": fields.text("title", "product_title", "presentment_title"),
        "brand": fields.text("vendor"),
        "variant": variant_title(fields, "variant_title"),
        "gift_card": is_gift_card(fields),
    }


def _product_id(fields: Fields) -> str:
    """The product's id. A line that is no product of the catalogue (a service, one deleted since) has an id of its own."""
    found = plain_id(fields, "product_id", "variant_id", "sku")
    return found if found is not None else fields.required_ident("id", "key")


def _without_tax(fields: Fields, currency: str, listed: int, discount: int) -> tuple[int, int]:
    """The list value and the discount of a line, without the tax that is in them."""
    paid = listed - discount
    if paid:
        tax = total(fields.objects("tax_lines"), currency, "price")
        share = Fraction(paid - tax, paid)
    else:  # nothing was paid, so nothing was taxed, but the list price holds the tax that would have been
        rates = [Fraction(str(number_of(one.values.get("rate")) or 0)) for one in fields.objects("tax_lines")]
        whole = 1 + sum(rates, Fraction(0))
        share = 1 / whole if whole > 0 else Fraction(1)
        tax = 0
    net = round(listed * share)
    return net, net - (paid - tax)


def variant_title(fields: Fields, *names: str) -> str | None:
    """A variant's title, where there is a variant."""
    found = fields.text(*names)
    return None if found == NO_VARIANT else found


# --- places -------------------------------------------------------------------------------------------------------


def country(body: Fields) -> str | None:
    """The country that goods go to, or else the bill."""
    return body.inner("shipping_address").text("country_code") or body.inner("billing_address").text("country_code")


def required_time(fields: Fields, *names: str) -> int:
    """An instant that has to be there."""
    found = fields.instant(*names)
    if found is None:
        raise AdapterError("missing_field", f"{fields.at(names[0])} is missing")
    return found
