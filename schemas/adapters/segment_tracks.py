"""Properties of Segment's and RudderStack's track calls, read into the fields of canonical events.

`TRACKS` is the table: event name, canonical type, and the function that reads its properties. Amounts come in whole
units of a currency and leave in minor units of it: the event's currency, else the one all its products name, else the
shop's.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from schemas import events as e
from schemas.adapters import segment_facts as facts
from schemas.adapters.commerce import currency_of, listed_products, required_order_id, stated_currency
from schemas.adapters.consent_forms import channel_of
from schemas.adapters.segment_orders import order_cancelled, order_state, product, refund
from schemas.scalars import AdapterError, Fields, number_of

Read = Callable[[Fields, str], dict[str, Any]]
"""Reads properties, given the shop's currency (by position), into the fields that the event's type adds to every event's."""

_URLS: Final = ("checkout_url", "recovery_url", "abandoned_checkout_url", "cart_url", "url")


# --- readers ------------------------------------------------------------------------------------------------------


def plain(_properties: Fields, _currency: str) -> dict[str, Any]:
    """Nothing of its own."""
    return {}


def page(properties: Fields, _currency: str) -> dict[str, Any]:
    """A page or screen."""
    return {"name": properties.text("name", "title"), "url": properties.link("url")}


def search(properties: Fields, _currency: str) -> dict[str, Any]:
    """A search; a query that is an object is its text, or the object's JSON where it has none."""
    query = properties.text("query", "search_term", "search_string")
    if query is None and (given := properties.inner("query")).values:
        query = given.text("query", "text", "term", "q") or msgspec.json.encode(given.values).decode()[:1024]
    if query is None:
        raise AdapterError("missing_field", f"{properties.at('query')} is missing")
    return {"query": query, "results": properties.small("results", "results_count", "total_results")}


def product_list(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A list of products."""
    products, _, _ = listed_products(properties, shop_currency, product)
    return {"list_id": properties.ident("list_id"), "category": properties.text("category"), "products": products}


def promotion(properties: Fields, _currency: str) -> dict[str, Any]:
    """A promotion inside the shop."""
    return {
        "promotion_id": properties.ident("promotion_id", "id"),
        "creative": properties.text("creative"),
        "name": properties.text("name"),
        "position": properties.text("position"),
    }


def one_product(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """One product, whose fields are the properties themselves, or the only entry of `products`."""
    fields = properties
    if properties.find("product_id", "productId", "id", "sku", "variant_id") is None:
        listed = list(properties.objects("product", "products"))
        if len(listed) == 1:
            fields = listed[0]
    stated = stated_currency(properties, [fields])
    return {"product": product(fields, stated or shop_currency), "currency": stated}


def shared_product(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A product and where it was shared. To whom is nobody's business here."""
    return one_product(properties, shop_currency) | {"share_via": properties.text("share_via")}


def wishlist(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A product and a wishlist."""
    return one_product(properties, shop_currency) | {
        "wishlist_id": properties.ident("wishlist_id"),
        "wishlist_name": properties.text("wishlist_name"),
    }


def wishlist_to_cart(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A product, a wishlist and a cart."""
    return wishlist(properties, shop_currency) | {"cart_id": properties.ident("cart_id")}


def stock_alert(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A product that is waited for."""
    return one_product(properties, shop_currency) | {"subscription_id": properties.ident("subscription_id")}


def cart_product(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A product and a cart."""
    return one_product(properties, shop_currency) | {"cart_id": properties.ident("cart_id")}


def cart(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A whole cart."""
    products, stated, _ = listed_products(properties, shop_currency, product)
    return {
        "cart_id": properties.ident("cart_id"),
        "products": products,
        "currency": stated,
        "url": properties.link("cart_url", "checkout_url", "recovery_url", "url"),
    }


def shared_cart(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A whole cart and where it was shared."""
    return cart(properties, shop_currency) | {"share_via": properties.text("share_via")}


def coupon(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A coupon. Its discount only describes ("10%" occurs), so one that is no amount is left out."""
    stated = currency_of(properties)
    found = properties.find("discount")
    worth = None
    if found is not None and number_of(found[1]) is not None:
        worth = properties.amount(stated or shop_currency, "discount")
    return {
        "coupon_id": properties.ident("coupon_id", "coupon", "coupon_code"),
        "order_id": properties.ident("order_id", "orderId"),
        "cart_id": properties.ident("cart_id"),
        "discount_minor": worth,
        "currency": stated,
        "reason": properties.text("reason"),
    }


def coupon_issued(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A coupon given to the customer."""
    return coupon(properties, shop_currency) | {"expires_ms": properties.instant("expires_at", "expires", "expires_ms")}


def checkout(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A step of a checkout. Its worth is the value, revenue or total, whichever is named first."""
    products, stated, currency = listed_products(properties, shop_currency, product)
    return {
        "checkout_id": properties.ident("checkout_id", "checkoutId"),
        "order_id": properties.ident("order_id", "orderId"),
        "cart_id": properties.ident("cart_id"),
        "step": properties.small("step"),
        "products": products,
        "value_minor": properties.amount(currency, "value", "revenue", "total", "subtotal"),
        "currency": stated,
        "url": properties.link(*_URLS),
    }


def payment_failed(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A step of a checkout and why it failed."""
    return checkout(properties, shop_currency) | {"reason": properties.text("reason", "error")}


def parcel(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """An order that moves, and the products in the parcel."""
    products, stated, _ = listed_products(properties, shop_currency, product)
    return {
        "order_id": required_order_id(properties, "order_id", "orderId"),
        "currency": stated,
        "products": products,
    }


def subscription(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A product subscription."""
    products, _, _ = listed_products(properties, shop_currency, product)
    return {"subscription_id": properties.required_ident("subscription_id", "subscriptionId"), "products": products}


def nps(properties: Fields, _currency: str) -> dict[str, Any]:
    """A survey answer."""
    found = properties.find("score", "rating", "value")
    if found is None:
        raise AdapterError("missing_field", f"{properties.at('score')} is missing")
    score = number_of(found[1])
    if score is None:
        raise AdapterError("wrong_type", f"{properties.at(found[0])} is no number")
    if not isinstance(score, int) or not 0 <= score <= 10:
        raise AdapterError("out_of_bounds", f"{properties.at(found[0])} is no whole number from 0 to 10")
    return {
        "score": score,
        "survey_id": properties.ident("survey_id"),
        "order_id": properties.ident("order_id", "orderId"),
        "asked_at_ms": properties.instant("asked_at", "sent_at", "survey_sent_at"),
        "comment": properties.text("comment", limit=8192),
    }


def review(properties: Fields, _currency: str) -> dict[str, Any]:
    """A product's review."""
    rating = number_of(properties.values.get("rating"))
    return {
        "product_id": properties.required_ident("product_id", "productId", "sku"),
        "review_id": properties.ident("review_id"),
        "rating": None if rating is None or abs(rating) > 1e6 else float(rating),
        "review_body": properties.text("review_body", limit=8192),
    }


def message(properties: Fields, _currency: str) -> dict[str, Any]:
    """What became of a message."""
    return {
        "trigger_id": properties.ident("trigger_id", "triggerId"),
        "campaign_id": properties.ident("campaign_id", "campaignId"),
        "message_channel": channel_of(properties.ident("message_channel", "channel") or "email"),
        "reason": properties.text("reason", "bounce_reason"),
    }


def mail(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """What became of an e-mail."""
    return message(properties, shop_currency) | {"message_channel": "email"}


def push(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """What became of a push message, as the mobile libraries tell it by themselves."""
    named = properties.inner("campaign").ident("name")
    found = message(properties, shop_currency)
    return found | {"message_channel": "push", "campaign_id": found["campaign_id"] or named}


def bounced(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A message that came back, and whether it did so for good, in the words that mail systems have for it."""
    told = plain_name(properties.text("bounce", "bounce_type", "bounceType", "severity", "type") or "")
    return message(properties, shop_currency) | {"bounce": BOUNCES.get(told)}


def mail_bounced(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """An e-mail that came back."""
    return bounced(properties, shop_currency) | {"message_channel": "email"}


def push_bounced(properties: Fields, shop_currency: str) -> dict[str, Any]:
    """A push message that came back."""
    return push(properties, shop_currency) | {"bounce": bounced(properties, shop_currency)["bounce"]}


BOUNCES: Final = {
    **dict.fromkeys(("hard", "hardbounce", "permanent", "invalid", "bounce", "bademailaddress"), "hard"),
    **dict.fromkeys(("soft", "softbounce", "transient", "temporary", "blocked", "undetermined"), "soft"),
}
"""Kinds of bounces by the plain words of mail systems (Amazon SES, SendGrid, Mailgun, Postmark): SendGrid's are either `blocked`
or, for good, `bounce`.
"""


# --- names --------------------------------------------------------------------------------------------------------

_READERS: Final[dict[type[e.Event], Read]] = {
    e.SignedUp: plain,
    e.ConsentChanged: plain,
    e.PageViewed: page,
    e.ProductsSearched: search,
    e.ProductListViewed: product_list,
    e.ProductListFiltered: product_list,
    e.PromotionViewed: promotion,
    e.PromotionClicked: promotion,
    e.ProductClicked: one_product,
    e.ProductViewed: one_product,
    e.ProductShared: shared_product,
    e.ProductAddedToWishlist: wishlist,
    e.ProductRemovedFromWishlist: wishlist,
    e.WishlistProductAddedToCart: wishlist_to_cart,
    e.StockAlertSubscribed: stock_alert,
    e.CouponEntered: coupon,
    e.CouponApplied: coupon,
    e.CouponDenied: coupon,
    e.CouponRemoved: coupon,
    e.CouponIssued: coupon_issued,
    e.CouponUsed: coupon,
    e.ProductAdded: cart_product,
    e.ProductRemoved: cart_product,
    e.CartViewed: cart,
    e.CartUpdated: cart,
    e.CartShared: shared_cart,
    e.CheckoutStarted: checkout,
    e.CheckoutStepViewed: checkout,
    e.CheckoutStepCompleted: checkout,
    e.PaymentInfoEntered: checkout,
    e.PaymentFailed: payment_failed,
    e.OrderCompleted: order_state,
    e.OrderUpdated: order_state,
    e.OrderCancelled: order_cancelled,
    e.OrderRefunded: refund,
    e.OrderReturned: parcel,
    e.OrderFulfilled: parcel,
    e.OrderDelivered: parcel,
    e.SubscriptionStarted: subscription,
    e.SubscriptionRenewed: subscription,
    e.SubscriptionCancelled: subscription,
    e.NpsSubmitted: nps,
    e.CaseUpdated: facts.case,
    e.ProductReviewed: review,
    e.TicketOpened: facts.ticket,
    e.TicketUpdated: facts.ticket,
    e.TicketResolved: facts.resolved_ticket,
    e.MessageSent: message,
    e.MessageFailed: message,
    e.MessageDelivered: message,
    e.MessageOpened: message,
    e.MessageClicked: message,
    e.MessageBounced: bounced,
    e.MessageMarkedAsSpam: message,
    e.Unsubscribed: message,
    e.ProductUpdated: facts.product_facts,
    e.ProductPriceChanged: facts.price,
    e.ProductStockChanged: facts.stock,
    e.ProductBackInStock: facts.back_in_stock,
    e.SuppressCustomer: facts.command,
    e.UnsuppressCustomer: facts.command,
    e.EraseCustomer: facts.command,
    e.ExportCustomer: facts.command,
    e.AnonymiseCustomer: facts.command,
    e.SplitProfile: facts.split,
    e.EraseShop: facts.erase_shop,
}
"""Every canonical event that arrives as a track call under its own name; a canonical name is the type's tag."""


ALIASES: Final[dict[str, tuple[type[e.Event], Read]]] = {
    # Segment's first e-commerce specification, and what it had for Google Analytics
    "Viewed Product Category": (e.ProductListViewed, product_list),
    "Started Order": (e.CheckoutStarted, checkout),
    # what RudderStack makes of Shopify's pixel and webhooks
    "Checkout Contact Info Submitted": (e.CheckoutStepCompleted, checkout),
    "Checkout Address Info Submitted": (e.CheckoutStepCompleted, checkout),
    "Checkout Shipping Info Submitted": (e.CheckoutStepCompleted, checkout),
    "Checkout Updated": (e.CheckoutStepCompleted, checkout),
    "Checkout Started Webhook": (e.CheckoutStarted, checkout),
    "Payment Info Submitted": (e.PaymentInfoEntered, checkout),
    "Search Submitted": (e.ProductsSearched, search),
    "Cart Update": (e.CartUpdated, cart),
    # screens that arrive as track calls
    "Screen Viewed": (e.PageViewed, page),
    # what e-mail systems feed back
    "Email Sent": (e.MessageSent, mail),
    "Email Delivered": (e.MessageDelivered, mail),
    "Email Opened": (e.MessageOpened, mail),
    "Email Link Clicked": (e.MessageClicked, mail),
    "Email Bounced": (e.MessageBounced, mail_bounced),
    "Email Marked as Spam": (e.MessageMarkedAsSpam, mail),
    "Email Unsubscribed": (e.Unsubscribed, mail),
    "Message Unsubscribed": (e.Unsubscribed, message),
    # what mobile libraries tell of push messages
    "Push Notification Received": (e.MessageDelivered, push),
    "Push Notification Tapped": (e.MessageClicked, push),
    "Push Notification Bounced": (e.MessageBounced, push_bounced),
    # consent platforms
    "Consent Updated": (e.ConsentChanged, plain),
    "Segment Consent Preference Updated": (e.ConsentChanged, plain),
}
"""Other names of the same things."""

NOTHING: Final = (
    *("Application Installed", "Application Updated", "Application Opened", "Application Foregrounded"),
    *("Application Backgrounded", "Application Crashed", "Application Uninstalled"),
    *("Deep Link Opened", "Deep Link Clicked", "Install Attributed"),
)
"""What mobile libraries tell by themselves and tells a profile nothing."""


def plain_name(name: str) -> str:
    """An event name without its spelling: case, spaces and underscores do not matter.

    >>> plain_name("orderCompleted") == plain_name("order_completed") == plain_name(" Order  Completed ")
    True
    """
    return "".join(name.replace("_", " ").lower().split())


def _either_way(name: str) -> tuple[str, str]:
    """A name in its plain form, as it is and with what was done at the other end: Segment takes both, since its first
    specification had the one order of words and its second has the other.

    >>> _either_way("Checkout Step Viewed"), _either_way("Viewed Product Category")
    (('checkoutstepviewed', 'viewedcheckoutstep'), ('viewedproductcategory', 'productcategoryviewed'))
    """
    words = name.split()
    if words[-1].endswith("ed"):
        words = words[-1:] + words[:-1]
    elif words[0].endswith("ed"):
        words = words[1:] + words[:1]
    return plain_name(name), plain_name("".join(words))


_NAMED: Final = {str(kind.__struct_config__.tag): (kind, read) for kind, read in _READERS.items()} | ALIASES

TRACKS: Final[dict[str, tuple[type[e.Event], Read]]] = {
    plain: target for name, target in _NAMED.items() for plain in _either_way(name)
}
"""Canonical type and reader by plain name."""
