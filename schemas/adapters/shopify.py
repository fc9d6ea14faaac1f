"""Shopify: webhooks. What a webhook is about stands in its HTTP headers, so both travel in one object.

    {"headers": {"X-Shopify-Topic": "orders/create", "X-Shopify-Event-Id": ...}, "body": {...}}

`envelope` makes it of a request whose signature was checked. Amazon EventBridge's form ({detail: {metadata, payload}}) is
taken as it is. `TOPICS` is the table: topic, what it becomes, and the function that reads the body.

Message ids: X-Shopify-Event-Id is the same for all deliveries of one action of the merchant, over several subscriptions
too, so it is the id, together with the topic and a digest of the body (one action may change many products). Without it
X-Shopify-Webhook-Id is the id, which is the same for a delivery and its repetitions, and without both the content.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from schemas import events as e
from schemas.adapters import shopify_orders as orders
from schemas.adapters import shopify_shop as shop
from schemas.adapters.adapter import Adapter, ContentIds, Found, Given
from schemas.adapters.commerce import numbered
from schemas.adapters.shopify_parts import Delivery, Made, ShopifyOptions
from schemas.scalars import AdapterError, Fields

HEADERS: Final = (
    *("x-shopify-topic", "x-shopify-shop-domain", "x-shopify-event-id", "x-shopify-webhook-id"),
    *("x-shopify-triggered-at", "x-shopify-api-version", "x-shopify-test"),
)
"""The headers that are of use, in lower case."""


def envelope(headers: Mapping[str, str], body: bytes) -> bytes:
    """The record of a webhook: its body as it is, and those of its headers that are of use.

    The body's signature has to be checked before, on these very bytes.

    >>> envelope({"X-Shopify-Topic": "shop/redact", "Accept": "*/*"}, b'{"shop_id":1}')
    b'{"headers":{"x-shopify-topic":"shop/redact"},"body":{"shop_id":1}}'
    """
    kept = {name.lower(): value for name, value in headers.items() if name.lower() in HEADERS}
    return b'{"headers":' + msgspec.json.encode(kept) + b',"body":' + body + b"}"


def fits(message: dict[str, Any]) -> bool:
    """Whether this is a webhook with its headers."""
    if isinstance(message.get("body"), dict) and isinstance(message.get("headers"), dict):
        return any(isinstance(name, str) and name.lower() == "x-shopify-topic" for name in message["headers"])
    detail = message.get("detail")
    return isinstance(detail, dict) and isinstance(detail.get("metadata"), dict) and "payload" in detail


def read(message: dict[str, Any], given: Given, options: ShopifyOptions) -> Found:
    """The canonical events of a webhook."""
    root = Fields(message, "")
    if "headers" in message:
        stated, body = root.inner("headers"), root.inner("body")
    else:
        stated, body = root.inner("detail").inner("metadata"), root.inner("detail").own("payload")
    headers = Fields({name.lower(): value for name, value in stated.values.items()}, stated.path)
    topic = headers.required_ident("x-shopify-topic").lower()
    found = TOPICS.get(topic)
    if found is None and topic not in NOTHING:
        raise AdapterError("unknown_event", f"{headers.at('x-shopify-topic')}: no topic {topic[:64]!r} is known")
    # A test that a merchant sends by a button shows an order that nobody placed.
    if found is None or headers.flag("x-shopify-test"):
        return []
    message_id = _message_id(headers, topic, body)
    sent_ms = headers.instant("x-shopify-triggered-at")
    delivery = Delivery(
        topic=topic,
        body=body,
        shop_domain=headers.ident("x-shopify-shop-domain"),
        sent_ms=given.record_ms if sent_ms is None else sent_ms,
        shop_currency=given.shop_currency,
        options=options,
        request_id=message_id,
    )
    events: Found = []
    for number, (kind, own) in enumerate(found[1](delivery), 1):
        common: dict[str, Any] = {"message_id": numbered(message_id, number), "source": "shopify"}
        events.append(kind(**(common | own)))
    return events


def _message_id(headers: Fields, topic: str, body: Fields) -> str:
    content = ContentIds().of(topic, body.values)
    event_id = headers.ident("x-shopify-event-id")
    if event_id is not None:
        made = f"{event_id}/{topic}/{content.removeprefix('content:')}"
        return made if len(made) <= 256 else content
    return headers.ident("x-shopify-webhook-id") or content


Read = Callable[[Delivery], Made]

TOPICS: Final[dict[str, tuple[tuple[type[e.Event], ...], Read]]] = {
    "carts/create": ((e.CartUpdated,), orders.cart),
    "carts/update": ((e.CartUpdated,), orders.cart),
    "checkouts/create": ((e.CheckoutStarted,), orders.checkout),
    "checkouts/update": ((e.CheckoutStepCompleted,), orders.checkout),
    "orders/create": ((e.OrderCompleted, e.OrderCancelled, e.OrderRefunded), orders.order),
    "orders/paid": ((e.OrderUpdated, e.OrderCompleted, e.OrderCancelled, e.OrderRefunded), orders.order),
    "orders/updated": ((e.OrderUpdated, e.OrderCancelled, e.OrderRefunded), orders.order),
    "orders/cancelled": ((e.OrderCancelled, e.OrderRefunded), orders.cancelled_order),
    "orders/fulfilled": ((e.OrderFulfilled,), orders.fulfilled_order),
    "refunds/create": ((e.OrderRefunded,), orders.refund),
    "fulfillments/create": ((e.OrderFulfilled, e.OrderDelivered), orders.fulfilment),
    "fulfillments/update": ((e.OrderDelivered,), orders.fulfilment),
    "fulfillment_events/create": ((e.OrderDelivered,), orders.parcel_event),
    "customers/create": ((e.Identified,), shop.customer),
    "customers/update": ((e.Identified,), shop.customer),
    "customers/enable": ((e.SignedUp,), shop.enabled),
    "customers/merge": ((e.Aliased,), shop.merged),
    "customers_email_marketing_consent/update": ((e.ConsentChanged,), shop.email_consent),
    "customers_marketing_consent/update": ((e.ConsentChanged,), shop.sms_consent),
    "customers/data_request": ((e.ExportCustomer,), shop.data_request),
    "customers/redact": ((e.EraseCustomer,), shop.redact),
    "shop/redact": ((e.EraseShop,), shop.redact_shop),
    "products/create": ((e.ProductUpdated,), shop.product),
    "products/update": ((e.ProductUpdated,), shop.product),
    "inventory_levels/connect": ((e.ProductStockChanged,), shop.inventory_level),
    "inventory_levels/update": ((e.ProductStockChanged,), shop.inventory_level),
}
"""The topic, what it may become, and the function that reads the body."""

NOTHING: Final = frozenset(
    {
        # told by orders/updated and by fulfillments/create
        *("orders/edited", "orders/partially_fulfilled", "order_transactions/create", "checkouts/delete"),
        # names no variant, and by variants stock is known
        "products/delete",
        *("customers/disable", "app/uninstalled", "app_subscriptions/update", "shop/update", "themes/update"),
        "themes/publish",
    }
)
"""Topics that tell a profile nothing."""

ADAPTER: Final[Adapter] = Adapter(
    name="shopify",
    title="Shopify webhooks",
    recognised_by="`headers` with `X-Shopify-Topic`, and `body`; or EventBridge's `detail` with `metadata` and `payload`",
    documents=(
        "https://shopify.dev/docs/api/webhooks",
        "https://shopify.dev/docs/apps/build/webhooks/delivery-structure",
        "https://shopify.dev/docs/apps/build/webhooks/ignore-duplicates",
        "https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance",
    ),
    fits=fits,
    read=read,
    names={**{topic: kinds for topic, (kinds, _) in TOPICS.items()}, **dict.fromkeys(sorted(NOTHING), ())},
    options=ShopifyOptions(),
)
