"""Snowplow's e-commerce action and its entities, read into the fields of canonical events.

`ACTIONS` is the table: the action's type, the canonical types it may become, and the function that reads its entities.
A product entity carries the price after discount (`price`) and, where it is known, the list price (`list_price`).

`revenue` of a transaction is its total value, tax and shipping included, by Snowplow's own examples; a shop that sends
the worth of the goods alone says so in `SnowplowOptions`.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct

from schemas import events as e
from schemas.adapters.adapter import Options
from schemas.adapters.commerce import bounded, required_order_id, stated_currency, times, unsigned
from schemas.scalars import AdapterError, Fields, text_of


class SnowplowOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a shop fills in Snowplow's amounts.

    `revenue_includes_tax` and `revenue_includes_shipping` say that `revenue` of a transaction holds them, `refund_includes_tax`
    that `refund_amount` holds tax, and shipping where that went back.
    """

    revenue_includes_tax: bool = True
    revenue_includes_shipping: bool = True
    refund_includes_tax: bool = True


class Action(Struct, frozen=True):
    """One e-commerce action: its own fields, its entities by name, the shop's currency, the visit it belongs to."""

    fields: Fields
    entities: dict[str, list[Fields]]
    shop_currency: str
    options: SnowplowOptions
    session: str | None

    def all(self, name: str) -> list[Fields]:
        """The entities of this name."""
        return self.entities.get(name, [])

    def one(self, name: str) -> Fields:
        """The first entity of this name, an empty one where there is none."""
        found = self.entities.get(name)
        return found[0] if found else Fields({}, name)


Made = Iterator[tuple[type[e.Event], dict[str, Any]]]
Read = Callable[[Action], Made]


def read_action(action: Action) -> list[tuple[type[e.Event], dict[str, Any]]]:
    """The canonical types and their own fields that an action becomes. Raises AdapterError."""
    name = action.fields.required_ident("type")
    found = ACTIONS.get(name)
    if found is None:
        raise AdapterError("unknown_event", f"{action.fields.at('type')}: no action {name[:64]!r} is known")
    return list(found[1](action))


# --- parts --------------------------------------------------------------------------------------------------------


def _product(fields: Fields, currency: str) -> e.Product:
    quantity = fields.quantity("quantity")
    price, listed = fields.amount(currency, "price"), fields.amount(currency, "list_price")
    if price is not None and listed is not None and listed < price:
        listed = price  # a price above the list is the list price of today
    saved = 0 if price is None or listed is None else bounded(listed - price, fields.at("list_price"))
    return e.Product(
        product_id=fields.required_ident("id"),
        name=fields.text("name"),
        category=fields.text("category"),
        brand=fields.text("brand"),
        variant=fields.text("variant", "size"),
        price_minor=price if listed is None else listed,
        quantity=quantity,
        discount_minor=times(saved, quantity, fields.at("list_price")),
        position=fields.small("position"),
    )


def _products(action: Action, *also: Fields) -> tuple[tuple[e.Product, ...], str | None, str]:
    """The products, the currency that they and the entities beside them name, and the currency of amounts."""
    listed = action.all("product")
    if len(listed) > 500:
        raise AdapterError("out_of_bounds", "product: more than 500 entities")
    stated = stated_currency(Fields({}, ""), [*also, *listed])
    currency = stated or action.shop_currency
    return tuple(_product(fields, currency) for fields in listed), stated, currency


def _one_by_one(kind: type[e.Event]) -> Read:
    def read(action: Action) -> Made:
        products, stated, _ = _products(action)
        if not products:
            raise AdapterError("missing_field", "there is no product entity")
        for product in products:
            yield kind, {"product": product, "currency": stated}

    return read


def _in_cart(kind: type[e.Event]) -> Read:
    def read(action: Action) -> Made:
        cart = action.one("cart")
        products, stated, _ = _products(action, cart)
        if not products:
            raise AdapterError("missing_field", "there is no product entity")
        for product in products:
            yield kind, {"product": product, "currency": stated, "cart_id": cart.ident("cart_id")}

    return read


def _list(kind: type[e.Event]) -> Read:
    def read(action: Action) -> Made:
        products, _, _ = _products(action)
        yield kind, {"list_id": action.fields.ident("name"), "products": products}

    return read


def _promotion(kind: type[e.Event]) -> Read:
    def read(action: Action) -> Made:
        promotions = action.all("promotion")
        if not promotions:
            raise AdapterError("missing_field", "there is no promotion entity")
        for fields in promotions:
            yield (
                kind,
                {
                    "promotion_id": fields.ident("id"),
                    "name": fields.text("name"),
                    "creative": fields.text("creative_id"),
                    "position": fields.text("position", "slot"),
                },
            )

    return read


def _checkout_step(action: Action) -> Made:
    """The first step begins a checkout, one that names a means of payment enters it. The visit stands for the checkout."""
    step, cart = action.one("checkout_step"), action.one("cart")
    products, stated, currency = _products(action, cart)
    number = step.small("step")
    kind: type[e.Event] = e.CheckoutStepCompleted
    if number == 1:
        kind = e.CheckoutStarted
    elif step.find("payment_method") is not None:
        kind = e.PaymentInfoEntered
    # The box that was not ticked says nothing about what she agreed to before.
    agreed = step.flag("marketing_opt_in")
    yield (
        kind,
        {
            "checkout_id": action.session,
            "cart_id": cart.ident("cart_id"),
            "step": number,
            "products": products,
            "value_minor": cart.amount(currency, "total_value"),
            "currency": stated,
            "consent": (e.ConsentChange(state="GRANT", source="checkout"),) if agreed else (),
        },
    )


def _transaction(action: Action) -> Made:
    paid, cart = action.one("transaction"), action.one("cart")
    products, stated, currency = _products(action, paid, cart)
    tax, shipping = paid.amount(currency, "tax"), paid.amount(currency, "shipping")
    revenue = paid.amount(currency, "revenue")
    goods = revenue
    if goods is not None:
        goods -= (tax or 0) if action.options.revenue_includes_tax else 0
        goods -= (shipping or 0) if action.options.revenue_includes_shipping else 0
        goods = bounded(goods, paid.at("revenue"))
    yield (
        e.OrderCompleted,
        {
            "order_id": required_order_id(paid, "transaction_id"),
            "checkout_id": action.session,
            "cart_id": cart.ident("cart_id"),
            "currency": stated,
            "revenue_minor": goods,
            "shipping_minor": shipping,
            "tax_minor": tax,
            "discount_minor": unsigned(paid.amount(currency, "discount_amount")),
            "coupon": paid.text("discount_code"),
            "products": products,
        },
    )


def _refund(action: Action) -> Made:
    """A refund; its product entities are those that came back, none where all of it did. It does not say how much of it is
    tax; the order does.
    """
    back = action.one("refund")
    products, stated, currency = _products(action, back)
    amount = back.amount(currency, "refund_amount")
    yield (
        e.OrderRefunded,
        {
            "order_id": required_order_id(back, "transaction_id"),
            "currency": stated,
            "amount_minor": unsigned(amount),
            "amount_with_tax": amount is not None and action.options.refund_includes_tax,
            "products": products,
            "reason": back.text("refund_reason"),
        },
    )


def _failed(action: Action) -> Made:
    error, paid = action.one("transaction_error"), action.one("transaction")
    products, stated, currency = _products(action, paid)
    yield (
        e.PaymentFailed,
        {
            "checkout_id": action.session,
            "order_id": paid.ident("transaction_id"),
            "products": products,
            "value_minor": paid.amount(currency, "revenue"),
            "currency": stated,
            "reason": error.text("error_description", "error_shortcode", "error_code"),
        },
    )


def site_search(fields: Fields) -> dict[str, Any]:
    """A search in the shop: its terms as one text."""
    terms = fields.values.get("terms")
    words = [word for term in terms if (word := text_of(term))] if isinstance(terms, list) else []
    if not words:
        raise AdapterError("missing_field", f"{fields.at('terms')} is missing")
    return {"query": " ".join(words)[:1024], "results": fields.small("totalResults")}


ACTIONS: Final[dict[str, tuple[tuple[type[e.Event], ...], Read]]] = {
    "product_view": ((e.ProductViewed,), _one_by_one(e.ProductViewed)),
    "list_view": ((e.ProductListViewed,), _list(e.ProductListViewed)),
    "list_click": ((e.ProductClicked,), _one_by_one(e.ProductClicked)),
    "promo_view": ((e.PromotionViewed,), _promotion(e.PromotionViewed)),
    "promo_click": ((e.PromotionClicked,), _promotion(e.PromotionClicked)),
    "add_to_cart": ((e.ProductAdded,), _in_cart(e.ProductAdded)),
    "remove_from_cart": ((e.ProductRemoved,), _in_cart(e.ProductRemoved)),
    "checkout_step": ((e.CheckoutStarted, e.PaymentInfoEntered, e.CheckoutStepCompleted), _checkout_step),
    "transaction": ((e.OrderCompleted,), _transaction),
    "refund": ((e.OrderRefunded,), _refund),
    "trns_error": ((e.PaymentFailed,), _failed),
}
"""The action's type, what it may become, and how its entities are read."""
