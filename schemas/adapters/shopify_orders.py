"""Shopify's webhooks of carts, checkouts, orders, refunds and fulfilments, read into canonical events.

A cart names no customer: its token does, which the order repeats. A refund names only its order; orders/updated follows
each refund and repeats it together with the customer, under the same refund id: subscribe to both, or to that alone.
"""

from fractions import Fraction
from typing import Final

from schemas import events as e
from schemas.adapters.commerce import absolute, campaign_in, currency_of, made_id, required_order_id
from schemas.adapters.shopify_parts import (
    Delivery,
    Made,
    Own,
    buyer,
    cart_token,
    checkout_consent,
    country,
    currency_in,
    described,
    line,
    plain_id,
    required_time,
    total,
)
from schemas.scalars import AdapterError, Fields

_EXPLAINED: Final = ("refund_line_items", "refund_shipping_lines", "order_adjustments")
"""Lists of a refund that say what its money is for."""
_FAILED: Final = frozenset({"failure", "error"})
_UNPAID: Final = frozenset({"pending", "authorized", "voided", "expired"})

_ARRIVED: Final = frozenset({"delivered", "picked_up"})
"""What is said of a parcel that its customer has; before a carrier has it, it is `carrier_picked_up`."""

Parcels = dict[str | None, Fields]
"""The shipping lines of an order, by id."""


# --- carts and checkouts ------------------------------------------------------------------------------------------


def cart(delivery: Delivery) -> Made:
    """A cart as it is now."""
    body = delivery.body
    listed = list(body.objects("line_items"))
    stated = currency_in(body, listed)
    token = cart_token(body, "token", "id")
    if token is None:
        raise AdapterError("missing_field", f"{body.at('token')} is missing")
    yield (
        e.CartUpdated,
        buyer(body, delivery.options)
        | {
            "timestamp_ms": required_time(body, "updated_at", "created_at"),
            "cart_token": token,
            "cart_id": token,
            "products": tuple(line(fields, stated or delivery.shop_currency) for fields in listed),
            "currency": stated,
        },
    )


def checkout(delivery: Delivery) -> Made:
    """A checkout that began, or went on. One that is complete is told by its order."""
    body = delivery.body
    if body.find("completed_at") is not None:
        return
    listed = list(body.objects("line_items"))
    stated = currency_in(body, listed)
    currency = stated or delivery.shop_currency
    began = delivery.topic == "checkouts/create"
    yield (
        e.CheckoutStarted if began else e.CheckoutStepCompleted,
        buyer(body, delivery.options)
        | {
            "timestamp_ms": required_time(body, *(("created_at",) if began else ("updated_at", "created_at"))),
            "checkout_id": body.required_ident("token", "id"),
            "cart_id": cart_token(body, "cart_token"),
            "products": tuple(line(fields, currency) for fields in listed),
            "value_minor": body.amount(currency, "total_price"),
            "currency": stated,
            "url": body.link("abandoned_checkout_url"),
            "consent": checkout_consent(body),
            **_whence(body, delivery),
        },
    )


def _whence(body: Fields, delivery: Delivery) -> Own:
    site = f"https://{delivery.shop_domain}" if delivery.shop_domain else None
    return {
        "country": country(body),
        "locale": body.text("customer_locale"),
        "referrer": body.link("referring_site"),
        "campaign": campaign_in(absolute(body.values.get("landing_site"), site)),
    }


# --- orders -------------------------------------------------------------------------------------------------------


def order(delivery: Delivery) -> Made:
    """An order that was placed or changed, that it is cancelled by now, and the refunds it tells of."""
    body, topic = delivery.body, delivery.topic
    if delivery.options.completed_on == "paid" and body.text("financial_status") in _UNPAID:
        return
    placed = topic == ("orders/paid" if delivery.options.completed_on == "paid" else "orders/create")
    kind = e.OrderCompleted if placed else e.OrderUpdated
    at_ms = required_time(body, *(("processed_at", "created_at") if placed else ("updated_at", "processed_at")))
    state = _state(delivery)
    yield kind, state | {"timestamp_ms": at_ms}
    if body.find("cancelled_at") is not None:
        # Whoever did not hear of it by orders/cancelled does so here, once.
        yield e.OrderCancelled, _cancelled(body, state) | {"message_id": made_id(f"cancelled/{state['order_id']}")}
    yield from _refunds_of(delivery, state)


def cancelled_order(delivery: Delivery) -> Made:
    """An order that was cancelled."""
    state = _state(delivery)
    yield e.OrderCancelled, _cancelled(delivery.body, state)
    yield from _refunds_of(delivery, state)


def _cancelled(body: Fields, state: Own) -> Own:
    at_ms = required_time(body, "cancelled_at", "updated_at")
    return state | {"timestamp_ms": at_ms, "reason": body.text("cancel_reason")}


def fulfilled_order(delivery: Delivery) -> Made:
    """An order all of which left the shop."""
    body = delivery.body
    state = _state(delivery)
    yield e.OrderFulfilled, _whose(state) | {"timestamp_ms": required_time(body, "updated_at", "processed_at")}


def _whose(state: Own) -> Own:
    """Of an order's state, what its other events carry too."""
    kept = ("order_id", "currency", "products", "user_id", "email", "phone", "anonymous_id", "cart_token")
    return {name: state[name] for name in kept}


def _state(delivery: Delivery) -> Own:
    body = delivery.body
    listed = [fields for fields in body.objects("line_items") if not _is_tip(fields)]
    stated = currency_in(body, listed)
    currency = stated or delivery.shop_currency
    included = bool(body.flag("taxes_included"))
    shipping, shipping_tax = _shipping(body, currency)
    tax = body.amount(currency, "total_tax")
    goods = body.amount(currency, "subtotal_price")
    if included and goods is not None:
        of_lines = sum(total(fields.objects("tax_lines"), currency, "price") for fields in listed)
        goods -= of_lines or (tax or 0) - shipping_tax
        shipping -= shipping_tax
    return buyer(body, delivery.options) | {
        "order_id": required_order_id(body, "id"),
        "updated_at_ms": body.instant("updated_at"),
        "checkout_id": body.ident("checkout_token"),
        "cart_id": cart_token(body, "cart_token"),
        "affiliation": delivery.shop_domain,
        "currency": stated,
        "revenue_minor": goods,
        "total_minor": body.amount(currency, "total_price"),
        "shipping_minor": shipping,
        "tax_minor": tax,
        "coupon": next((code for one in body.objects("discount_codes") if (code := one.text("code"))), None),
        "products": tuple(line(fields, currency, taxes_included=included) for fields in listed),
        "test": bool(body.flag("test")),
        "consent": checkout_consent(body),
        **_whence(body, delivery),
    }


def _is_tip(fields: Fields) -> bool:
    """Whether a line is a tip: no product, and no part of the subtotal. Only such lines have these fields."""
    return "tip_payment_gateway" in fields.values or bool(fields.values.get("tip"))


def _shipping(body: Fields, currency: str) -> tuple[int, int]:
    """What the customer paid for shipping, and the tax on it."""
    lines = list(body.objects("shipping_lines"))
    paid = total(lines, currency, "discounted_price", "price")
    if not lines:
        paid = body.inner("total_shipping_price_set").inner("shop_money").amount(currency, "amount") or 0
    return paid, sum(total(fields.objects("tax_lines"), currency, "price") for fields in lines)


# --- refunds ------------------------------------------------------------------------------------------------------


def _refunds_of(delivery: Delivery, state: Own) -> Made:
    """The refunds an order tells of, with its customer. Their own ids make them the same ones each time they are told.

    A refund keeps its time. What tells of two words on it which is the newer is how many tries there were to send the money,
    and how many of them have ended: both only grow.

    What was taken off an order that was paid goes back in two steps: lines without money, which count, and money without
    lines, which then is of these. (Money beyond what is owed has an adjustment.)
    """
    included = bool(delivery.body.flag("taxes_included"))
    owed, owed_in = 0, ""
    parcels = {plain_id(line, "id"): line for line in delivery.body.objects("shipping_lines")}
    for fields in delivery.body.objects("refunds"):
        own = _refund(fields, delivery, parcels, taxes_included=included)
        amount, currency = own["amount_minor"], own["currency"] or delivery.shop_currency
        if amount and not _payments(fields):
            owed += amount + total(fields.objects("refund_line_items"), currency, "total_tax")
            owed_in = currency
        elif owed and all(fields.find(name) in (None, (name, [])) for name in _EXPLAINED):
            settled = min(owed, amount) if currency == owed_in else amount
            own["amount_minor"] -= settled
            owed = max(0, owed - settled)
        whose = {name: value for name, value in _whose(state).items() if name not in own}
        message_id, tries = f"refund/{own['refund_id']}", [one.text("status") for one in _payments(fields)]
        if tries:
            ended = sum(status in _FAILED or status == "success" for status in tries)
            message_id += f"/{len(tries) + ended:04d}"
        yield e.OrderRefunded, whose | own | {"message_id": made_id(message_id)}


def refund(delivery: Delivery) -> Made:
    """A refund told by itself, which does not say whose it is."""
    yield e.OrderRefunded, _refund(delivery.body, delivery, None, taxes_included=delivery.options.taxes_included)


def _refund(body: Fields, delivery: Delivery, parcels: Parcels | None, *, taxes_included: bool) -> Own:
    """How much of what went back was for the goods, without tax, shipping, duties and tips.

    What went back is the sum of the refund transactions that succeeded or are under way: nothing, where all failed. Where there
    are none (lines taken off before they were paid), or where they are in another currency than the rest, the lines count with
    what they were adjusted by. Shipping that was given back is what the return cost the shop, without its tax. Whether tax is in
    what is told of shipping in a shop whose prices include it, Shopify's documents leave open; where tax beside it makes up the
    sum, it is not. `parcels` are the order's, None where the refund is told by itself.
    """
    listed_lines = list(body.objects("refund_line_items"))
    lines = [one for one in listed_lines if not _is_tip(one.inner("line_item"))]
    adjustments, carried = list(body.objects("order_adjustments")), list(body.objects("refund_shipping_lines"))
    payments = _payments(body)
    sent = [one for one in payments if one.text("status") not in _FAILED]
    of_shop = currency_in(Fields({}, ""), [*listed_lines, *adjustments, *carried])
    paid_in = _paid_in(payments)
    stated = of_shop or paid_in or None
    currency = stated or delivery.shop_currency
    tax = total(lines, currency, "total_tax")
    subtotal = total(lines, currency, "subtotal")
    listed = subtotal - (tax if taxes_included else 0)
    shipping, tax_within, tax_beside = _refunded_shipping(
        carried, adjustments, currency, parcels or {}, taxes_included=taxes_included
    )
    others = _duties(body, currency) + total(listed_lines, currency, "subtotal") - subtotal  # the last two: tips
    waits = [one for one in sent if one.text("status") != "success"]
    adjusted = total(_lasting(adjustments, waits, paid_in), currency, "amount")
    taxed_shipping = taxes_included
    if payments and not sent:
        amount = shipping = tax_within = 0
    elif payments and paid_in in (None, currency):
        amount = total(sent, currency, "amount")
        beside = subtotal + shipping + tax_beside + others
        taxed_shipping = taxes_included and amount not in (beside, beside - adjusted)
        goods = amount - tax - shipping - (0 if taxed_shipping else tax_beside) - others
        if parcels is not None and sent == payments and body.find("order_adjustments") is not None:
            # What of its lines was neither paid out nor adjusted was kept for something else: they were exchanged.
            goods = max(goods, listed - adjusted)
        # More of these than money: somebody gave back a sum of her own choice.
        amount = goods if goods >= 0 else amount
    else:
        amount = listed - adjusted
        if amount + tax + shipping + others <= 0:  # nothing at all, though money was sent
            amount = listed - total(_lasting(adjustments, sent, paid_in), currency, "amount")
    return {
        "order_id": required_order_id(body, "order_id"),
        "refund_id": body.required_ident("id"),
        "timestamp_ms": required_time(body, "processed_at", "created_at"),
        "currency": stated,
        "amount_minor": max(0, amount),
        "products": tuple(_refunded_line(fields) for fields in lines),
        "restocked": all(fields.text("restock_type") != "no_restock" for fields in lines),
        "return_shipping_minor": max(0, shipping - tax_within) if taxed_shipping else shipping,
        "reason": body.text("note"),
    }


def _lasting(adjustments: list[Fields], waits: list[Fields], paid_in: str | None) -> list[Fields]:
    """By what a refund is less than its lines and shipping (or more, below zero), without what is only under way: as long as that
    has not arrived it is written there as missing, in the customer's currency to the unit. It counts as sent.
    """
    lasting = [one for one in adjustments if one.text("kind") != "shipping_refund"]
    awaited = [one.amount(paid_in or "", "amount") or 0 for one in waits]
    if not awaited:
        return lasting
    sets = [one.inner("amount_set").inner("presentment_money") for one in lasting]
    theirs = [one.amount(paid_in or "", "amount") for one in sets]
    missing = [sum(awaited)] if sum(awaited) in theirs else awaited
    kept = []
    for one, amount in zip(lasting, theirs, strict=True):
        if amount in missing:
            missing.remove(amount)  # one for each: half of an order that went back leaves as much again for good
        else:
            kept.append(one)
    return kept


def _payments(body: Fields) -> list[Fields]:
    """The tries to send the money of a refund."""
    return [one for one in body.objects("transactions") if one.text("kind") == "refund"]


def _paid_in(payments: list[Fields]) -> str | None:
    """The currency of payments: "" where they are in several, None where none is named."""
    named = {code for one in payments if (code := currency_of(one)) is not None}
    return "" if len(named) > 1 else next(iter(named), None)


def _refunded_shipping(
    carried: list[Fields], adjustments: list[Fields], currency: str, parcels: Parcels, *, taxes_included: bool
) -> tuple[int, int, int]:
    """Shipping that was given back, and the tax on it: if it is within, and if it is beside.

    Shopify tells shipping in either of two places, or in both, and its tax in the older of them alone; without that the shipping
    line's counts, by its share.
    """
    of_shipping = [one for one in adjustments if one.text("kind") == "shipping_refund"]
    within = beside = abs(total(of_shipping, currency, "tax_amount"))
    if not carried:
        return abs(total(of_shipping, currency, "amount")), within, beside
    shipping = 0
    for one in carried:
        back = one.inner("subtotal_amount_set").inner("shop_money").amount(currency, "amount") or 0
        shipping += back
        if not of_shipping:
            line = one.inner("shipping_line")
            if not line.values:
                line = parcels.get(plain_id(one, "shipping_line_id"), line)
            tax = total(line.objects("tax_lines"), currency, "price")
            price = (line.amount(currency, "discounted_price", "price") or 0) - (tax if taxes_included else 0)
            if tax and price > 0:
                within += round(Fraction(back * tax, price + tax))
                beside += round(Fraction(back * tax, price))
    return shipping, within, beside


def _duties(body: Fields, currency: str) -> int:
    """Duties and fees that were given back, which are in no subtotal of an order. They are told in the shop's money."""
    sets = (body.inner(name).inner("shop_money") for name in ("total_duties_set", "total_additional_fees_set"))
    return total((one for one in sets if one.text("currency_code") == currency), currency, "amount")


def _refunded_line(fields: Fields) -> e.Product:
    """What came back, without its worth: the refund states that."""
    quantity, sold = fields.quantity("quantity"), fields.inner("line_item")
    if sold.values:
        return e.Product(**described(sold), quantity=quantity)
    return e.Product(product_id=fields.required_ident("line_item_id"), quantity=quantity)


# --- fulfilments --------------------------------------------------------------------------------------------------


def fulfilment(delivery: Delivery) -> Made:
    """A parcel that left, or that arrived. It names the customer by her e-mail address at most."""
    body = delivery.body
    if body.text("status") in {"cancelled", "error", "failure"}:
        return
    arrived = body.text("shipment_status") in _ARRIVED
    if not arrived and delivery.topic != "fulfillments/create":
        return
    listed = list(body.objects("line_items"))
    stated = currency_in(body, listed)
    own = {
        "order_id": required_order_id(body, "order_id"),
        "email": body.ident("email"),
        "currency": stated,
        "products": tuple(line(fields, stated or delivery.shop_currency) for fields in listed),
    }
    if arrived:
        yield e.OrderDelivered, own | {"timestamp_ms": required_time(body, "updated_at", "created_at")}
    else:
        yield e.OrderFulfilled, own | {"timestamp_ms": required_time(body, "created_at")}


def parcel_event(delivery: Delivery) -> Made:
    """A carrier's word on a parcel; only that it arrived is of interest."""
    body = delivery.body
    if body.text("status") in _ARRIVED:
        at_ms = required_time(body, "happened_at", "created_at")
        yield e.OrderDelivered, {"order_id": required_order_id(body, "order_id"), "timestamp_ms": at_ms}
