"""Products, orders and refunds of Segment's and RudderStack's track calls, read into the fields of canonical events.

Amounts come in whole units of a currency and leave in minor units of it: the event's currency, else the one all its products
name, else the shop's. What a total and a revenue hold differs between the specifications and their examples: where the sums of an
event tell, they decide.
"""

from typing import Any

from msgspec.structs import replace

from schemas import events as e
from schemas.adapters.commerce import fine_worth, is_gift_card, listed_products, required_order_id, unsigned
from schemas.adapters.segment_facts import tags
from schemas.scalars import Fields

# --- products -----------------------------------------------------------------------------------------------------


def product(fields: Fields, currency: str) -> e.Product:
    """A product. Where it has no product_id its id, sku or variant_id stands for it; `id` is Segment's first specification's."""
    return e.Product(
        product_id=fields.required_ident("product_id", "productId", "id", "sku", "variant_id"),
        variant_id=fields.ident("variant_id", "variantId"),
        sku=fields.ident("sku"),
        name=fields.text("name", "title"),
        category=fields.text("category"),
        brand=fields.text("brand", "vendor"),
        variant=fields.text("variant"),
        price_minor=fields.amount(currency, "price"),
        quantity=fields.quantity("quantity"),
        list_minor=fields.amount(currency, "list_total"),
        discount_minor=abs(fields.amount(currency, "discount") or 0),
        cost_minor=fields.amount(currency, "cost"),
        coupon=fields.text("coupon"),
        url=fields.link("url"),
        image_url=fields.link("image_url", "imageUrl"),
        position=fields.small("position"),
        occasions=tags(fields, "occasions"),
        gift_card=is_gift_card(fields),
    )


def order_line(fields: Fields, currency: str) -> e.Product:
    """A line of an order. Where a unit's price is finer than the currency the line has its worth as a whole."""
    line = product(fields, currency)
    worth = None if line.list_minor is not None else fine_worth(fields, "price", line.quantity, currency)
    return line if worth is None else replace(line, list_minor=worth)


# --- orders and refunds -----------------------------------------------------------------------------------------------


def order_state(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """The state of an order."""
    products, stated, currency = listed_products(properties, shop_currency, order_line)
    fields: dict[str, Any] = {
        "order_id": required_order_id(properties, "order_id", "orderId"),
        "currency": stated,
        "updated_at_ms": properties.instant("updated_at", "updatedAt", "updated_at_ms"),
        "checkout_id": properties.ident("checkout_id", "checkoutId"),
        "cart_id": properties.ident("cart_id"),
        "affiliation": properties.text("affiliation"),
        "revenue_minor": properties.amount(currency, "revenue"),
        "subtotal_minor": properties.amount(currency, "subtotal"),
        "total_minor": properties.amount(currency, "total", "value"),
        "shipping_minor": properties.amount(currency, "shipping"),
        "tax_minor": properties.amount(currency, "tax"),
        "discount_minor": unsigned(properties.amount(currency, "discount", "total_discounts")),
        "shipping_cost_minor": properties.amount(currency, "shipping_cost"),
        "payment_fee_minor": properties.amount(currency, "payment_fee"),
        "coupon": properties.text("coupon"),
        "products": products,
        "test": bool(properties.flag("test", "is_test")),
    }
    _tell_total_from_revenue(fields)
    _take_discount_off_revenue(fields)
    return fields


def _tell_total_from_revenue(fields: dict[str, Any]) -> None:
    """Decide what a lone `total` means.

    It is subtotal + shipping + tax in Segment's Order Completed, but "revenue with discounts and coupons factored in" in
    its Order Updated and in RudderStack. Where it equals the lines less the discount to the minor unit, although shipping
    or tax are named, they can't be in it: then it is the revenue.
    """
    if fields["revenue_minor"] is not None or fields["subtotal_minor"] is not None or fields["total_minor"] is None:
        return
    extras = (fields["shipping_minor"] or 0) + (fields["tax_minor"] or 0)
    listed = 0
    for line in fields["products"]:
        if line.list_minor is None and (line.price_minor is None or not isinstance(line.quantity, int)):
            return
        listed += line.price_minor * line.quantity if line.list_minor is None else line.list_minor
    own = sum(line.discount_minor for line in fields["products"])
    discount = own if fields["discount_minor"] is None else fields["discount_minor"]
    if fields["products"] and extras and fields["total_minor"] == listed - discount:
        fields["revenue_minor"], fields["total_minor"] = fields["total_minor"], None


def _take_discount_off_revenue(fields: dict[str, Any]) -> None:
    """Take the discount off a revenue that it is still in.

    It is in Segment's example: 25 with a discount of 2.50, 3 of shipping and 2 of tax beside a total of 27.50, or beside a
    subtotal of 22.50.
    """
    revenue, discount, total = fields["revenue_minor"], fields["discount_minor"], fields["total_minor"]
    if revenue is None or not discount:
        return
    after = fields["subtotal_minor"]
    if total is not None:
        after = total - (fields["shipping_minor"] or 0) - (fields["tax_minor"] or 0)
    if after == revenue - discount:
        fields["revenue_minor"] = after


def order_cancelled(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """The state of a cancelled order and why it was cancelled."""
    return order_state(properties, shop_currency) | {"reason": properties.text("reason", "cancel_reason")}


def refund(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A refund. Some systems write what went back with a minus; a refund that takes money does not exist."""
    products, stated, currency = listed_products(properties, shop_currency, order_line)
    amount, shipping = properties.amount(currency, "refund_amount"), 0
    if amount is None:
        amount, shipping = _refunded_total(properties, products, currency)
    return_shipping = properties.amount(currency, "return_shipping")
    restocked = properties.flag("restocked", "restock")
    return {
        "order_id": required_order_id(properties, "order_id", "orderId"),
        "currency": stated,
        "refund_id": properties.ident("refund_id", "refundId"),
        "amount_minor": unsigned(amount),
        "products": products,
        "restocked": True if restocked is None else restocked,
        "return_shipping_minor": shipping if return_shipping is None else return_shipping,
        "restocking_fee_minor": properties.amount(currency, "restocking_fee") or 0,
        "reason": properties.text("reason", "note"),
    }


def _refunded_total(properties: Fields, products: tuple[e.Product, ...], currency: str) -> tuple[int | None, int]:
    """What of a refund's total was for the goods, and the shipping in it: tax and shipping beside it are in it, as they are in an
    order's (`_tell_total_from_revenue`). Where they are more than it they are the order's, and not in it. Without a total and
    products the revenue is what went back: taken for nothing said, it would be the whole order.
    """

    def told(*names: str) -> int | None:
        return unsigned(properties.amount(currency, *names))

    fields: dict[str, Any] = {f"{name}_minor": told(name) for name in ("shipping", "tax", "discount")}
    fields |= {"total_minor": told("total", "value", "amount"), "products": products}
    fields |= {"revenue_minor": None, "subtotal_minor": None}
    _tell_total_from_revenue(fields)
    total, shipping, tax = fields["total_minor"], fields["shipping_minor"] or 0, fields["tax_minor"] or 0
    if fields["revenue_minor"] is None and total is None and not products:
        return told("revenue", "subtotal"), 0
    if total is None or total < shipping + tax:
        return fields["revenue_minor"] if total is None else total, 0
    return total - shipping - tax, shipping
