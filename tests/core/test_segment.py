"""What shops send through Segment's and RudderStack's libraries, and the events it must become, both written by hand.

The payloads follow the examples of the public e-commerce and e-mail specifications.
"""

import json
from hashlib import blake2b
from typing import Any

import pytest

from schemas import events as e
from schemas.adapters.segment_tracks import ALIASES, TRACKS, plain_name
from schemas.decode import Decoder, Problem
from schemas.events import ANONYMOUS, SHOP, Arrival, Campaign, ConsentChange, Event, Product

AT_MS = 1_714_564_800_000  # 2024-05-01T12:00:00Z
RECORD_MS = AT_MS + 1000
ENVELOPE: dict[str, Any] = {
    "anonymousId": "507f191e810c19729de860ea",
    "context": {
        "active": True,
        "campaign": {"name": "TPS Innovation Newsletter", "source": "Newsletter", "medium": "email", "term": "tps reports"},
        "device": {"id": "B5372DB0-C21E-11E4-8DFC-AA07A5B093DB", "type": "ios"},
        "ip": "8.8.8.8",
        "library": {"name": "analytics.js", "version": "2.11.1"},
        "locale": "en-US",
        "page": {"path": "/academy/", "referrer": "https://www.foo.com/", "title": "Analytics Academy", "url": "https://foo.bar/a"},
        "timezone": "Europe/Amsterdam",
        "userAgent": "Mozilla/5.0",
    },
    "integrations": {"All": True, "Mixpanel": False},
    "messageId": "022bb90c-bbac-11e4-8dfc-aa07a5b093db",
    "receivedAt": "2024-05-01T12:00:00.500Z",
    "sentAt": "2024-05-01T13:00:00.400Z",
    "originalTimestamp": "2024-05-01T12:59:59.900Z",
    "timestamp": "2024-05-01T12:00:00.000Z",
    "userId": "97980cfea0067",
    "version": 2,
}  # fmt: skip
COMMON: dict[str, Any] = {
    "message_id": "022bb90c-bbac-11e4-8dfc-aa07a5b093db",
    "timestamp_ms": AT_MS,
    "original_timestamp_ms": AT_MS + 3_599_900,
    "sent_at_ms": AT_MS + 3_600_400,
    "received_at_ms": AT_MS + 500,
    "user_id": "97980cfea0067",
    "anonymous_id": "507f191e810c19729de860ea",
    "timezone": "Europe/Amsterdam",
    "locale": "en-US",
    "campaign": Campaign(name="TPS Innovation Newsletter", source="Newsletter", medium="email", term="tps reports"),
    "referrer": "https://www.foo.com/",
}
MINIMAL: dict[str, Any] = {"messageId": "m1", "userId": "u1", "timestamp": "2024-05-01T12:00:00Z"}
DECODER = Decoder("EUR")


def decode(message: dict[str, Any]) -> Arrival | Problem:
    return DECODER.decode(json.dumps(message).encode(), RECORD_MS)


def event(message: dict[str, Any]) -> Any:
    found = decode(message)
    assert isinstance(found, Arrival), found
    return found.event


def all_of(message: dict[str, Any]) -> list[Any]:
    found = DECODER.decode_all(json.dumps(message).encode(), RECORD_MS)
    assert all(isinstance(arrival, Arrival) for arrival in found), found
    return found


def track(name: str, properties: dict[str, Any], **envelope: Any) -> Any:
    return event({**MINIMAL, "type": "track", "event": name, "properties": properties, **envelope})


def refused(name: str, properties: dict[str, Any], **envelope: Any) -> tuple[str, str]:
    found = decode({**MINIMAL, "type": "track", "event": name, "properties": properties, **envelope})
    assert isinstance(found, Problem), found
    return found.reason, found.detail


# --- the specification's own examples -----------------------------------------------------------------------------

MONOPOLY = {
    "product_id": "507f1f77bcf86cd799439011",
    "sku": "45790-32",
    "name": "Monopoly: 3rd Edition",
    "price": 19,
    "quantity": 1,
    "category": "Games",
    "url": "https://www.example.com/product/path",
    "image_url": "https://www.example.com/product/path.jpg",
}
UNO = {
    "product_id": "505bd76785ebb509fc183733",
    "sku": "46493-32",
    "name": "Uno Card Game",
    "price": 3,
    "quantity": 2,
    "category": "Games",
}
MONOPOLY_READ = Product(
    product_id="507f1f77bcf86cd799439011",
    sku="45790-32",
    name="Monopoly: 3rd Edition",
    price_minor=1900,
    quantity=1,
    category="Games",
    url="https://www.example.com/product/path",
    image_url="https://www.example.com/product/path.jpg",
)
UNO_READ = Product(
    product_id="505bd76785ebb509fc183733",
    sku="46493-32",
    name="Uno Card Game",
    price_minor=300,
    quantity=2,
    category="Games",
)
ORDER_MONEY = {"shipping": 3, "tax": 2, "discount": 2.5, "coupon": "hasbros", "currency": "USD"}
ORDER_MONEY_READ: dict[str, Any] = {
    "shipping_minor": 300,
    "tax_minor": 200,
    "discount_minor": 250,
    "coupon": "hasbros",
    "currency": "USD",
}
CARD = {
    "product_id": "507f1f77bcf86cd799439011", "sku": "G-32", "category": "Games", "name": "Monopoly: 3rd Edition",
    "brand": "Hasbro", "variant": "200 pieces", "price": 18.99, "quantity": 1, "coupon": "MAYDEALS", "position": 3,
    "url": "https://www.example.com/product/path", "image_url": "https://www.example.com/product/path.jpg",
}  # fmt: skip
CARD_READ = Product(
    product_id="507f1f77bcf86cd799439011", sku="G-32", category="Games", name="Monopoly: 3rd Edition", brand="Hasbro",
    variant="200 pieces", price_minor=1899, quantity=1, coupon="MAYDEALS", position=3,
    url="https://www.example.com/product/path", image_url="https://www.example.com/product/path.jpg",
)  # fmt: skip

EXAMPLES: list[tuple[str, dict[str, Any], Event]] = [
    ("Products Searched", {"query": "blue hotpants"}, e.ProductsSearched(**COMMON, query="blue hotpants")),
    (
        "Product List Viewed",
        {"list_id": "hot_deals_1", "category": "Deals", "products": [MONOPOLY, UNO]},
        e.ProductListViewed(**COMMON, list_id="hot_deals_1", category="Deals", products=(MONOPOLY_READ, UNO_READ)),
    ),
    (
        "Product List Filtered",
        {
            "list_id": "todays_deals_may_11_2019",
            "filters": [{"type": "department", "value": "beauty"}],
            "sorts": [{"type": "price", "value": "desc"}],
            "products": [UNO],
        },
        e.ProductListFiltered(**COMMON, list_id="todays_deals_may_11_2019", products=(UNO_READ,)),
    ),
    (
        "Promotion Viewed",
        {"promotion_id": "promo_1", "creative": "top_banner_2", "name": "75% store-wide shoe sale", "position": "home_top"},
        e.PromotionViewed(
            **COMMON, promotion_id="promo_1", creative="top_banner_2", name="75% store-wide shoe sale", position="home_top"
        ),
    ),
    ("Product Clicked", CARD, e.ProductClicked(**COMMON, product=CARD_READ)),
    (
        "Product Viewed",
        CARD | {"currency": "usd", "value": 18.99},
        e.ProductViewed(**COMMON, product=CARD_READ, currency="USD"),
    ),
    (
        "Product Added",
        CARD | {"cart_id": "skdjsidjsdkdj29j"},
        e.ProductAdded(**COMMON, product=CARD_READ, cart_id="skdjsidjsdkdj29j"),
    ),
    (
        "Product Removed",
        CARD | {"cart_id": "ksjdj92dj29dj92d2j"},
        e.ProductRemoved(**COMMON, product=CARD_READ, cart_id="ksjdj92dj29dj92d2j"),
    ),
    (
        "Cart Viewed",
        {"cart_id": "d92jd29jd92jd29j92d92jd", "products": [MONOPOLY, UNO]},
        e.CartViewed(**COMMON, cart_id="d92jd29jd92jd29j92d92jd", products=(MONOPOLY_READ, UNO_READ)),
    ),
    (
        "Checkout Started",
        {"order_id": "50314b8e9bcf000000000000", "affiliation": "Google Store", "value": 30, "revenue": 25.00,
         **ORDER_MONEY, "products": [MONOPOLY, UNO]},
        e.CheckoutStarted(
            **COMMON, order_id="50314b8e9bcf000000000000", value_minor=3000, currency="USD", products=(MONOPOLY_READ, UNO_READ)
        ),
    ),
    (
        "Checkout Step Viewed",
        {"checkout_id": "50314b8e9bcf000000000000", "step": 2, "shipping_method": "Fedex", "payment_method": "Visa"},
        e.CheckoutStepViewed(**COMMON, checkout_id="50314b8e9bcf000000000000", step=2),
    ),
    (
        "Checkout Step Completed",
        {"checkout_id": "50314b8e9bcf000000000000", "step": "2"},
        e.CheckoutStepCompleted(**COMMON, checkout_id="50314b8e9bcf000000000000", step=2),
    ),
    (
        "Payment Info Entered",
        {"checkout_id": "39f39fj39f3jf93fj9fj39fj3f", "order_id": "dkfsjidfjsdifsdfksdjfkdsfjsdfkdsf"},
        e.PaymentInfoEntered(
            **COMMON, checkout_id="39f39fj39f3jf93fj9fj39fj3f", order_id="dkfsjidfjsdifsdfksdjfkdsfjsdfkdsf"
        ),
    ),
    (
        "Order Completed",
        {"checkout_id": "fksdjfsdjfisjf9sdfjsd9f", "order_id": "50314b8e9bcf000000000000", "affiliation": "Google Store",
         "subtotal": 22.5, "total": 27.50, "revenue": 25.00, **ORDER_MONEY, "products": [MONOPOLY, UNO]},
        e.OrderCompleted(
            **COMMON,
            order_id="50314b8e9bcf000000000000",
            checkout_id="fksdjfsdjfisjf9sdfjsd9f",
            affiliation="Google Store",
            subtotal_minor=2250,
            total_minor=2750,
            revenue_minor=2250,
            products=(MONOPOLY_READ, UNO_READ),
            **ORDER_MONEY_READ,
        ),
    ),
    (
        "Order Updated",
        {"order_id": "50314b8e9bcf000000000000", "affiliation": "Google Store", "total": 27.50, "revenue": 25.00,
         **ORDER_MONEY, "products": [MONOPOLY, UNO]},
        e.OrderUpdated(
            **COMMON,
            order_id="50314b8e9bcf000000000000",
            affiliation="Google Store",
            total_minor=2750,
            revenue_minor=2250,
            products=(MONOPOLY_READ, UNO_READ),
            **ORDER_MONEY_READ,
        ),
    ),
    (
        "Order Refunded",
        {"order_id": "50314b8e9bcf000000000000", "total": 30, "currency": "USD", "products": [MONOPOLY, UNO]},
        e.OrderRefunded(
            **COMMON,
            order_id="50314b8e9bcf000000000000",
            amount_minor=3000,
            currency="USD",
            products=(MONOPOLY_READ, UNO_READ),
        ),
    ),
    (
        "Order Cancelled",
        {"order_id": "50314b8e9bcf000000000000", "total": 27.50, "revenue": 25.00, **ORDER_MONEY, "products": [UNO]},
        e.OrderCancelled(
            **COMMON,
            order_id="50314b8e9bcf000000000000",
            total_minor=2750,
            revenue_minor=2250,
            products=(UNO_READ,),
            **ORDER_MONEY_READ,
        ),
    ),
    (
        "Coupon Entered",
        {"order_id": "50314b8e9bcf000000000000", "cart_id": "923923929jd29jd92dj9j93fj3", "coupon_id": "may_deals_2016"},
        e.CouponEntered(
            **COMMON,
            order_id="50314b8e9bcf000000000000",
            cart_id="923923929jd29jd92dj9j93fj3",
            coupon_id="may_deals_2016",
        ),
    ),
    (
        "Coupon Applied",
        {"order_id": "o", "coupon_id": "may_deals_2016", "coupon_name": "May Deals 2016", "discount": 23.32},
        e.CouponApplied(**COMMON, order_id="o", coupon_id="may_deals_2016", discount_minor=2332),
    ),
    (
        "Coupon Denied",
        {"coupon_id": "may_deals_2016", "coupon_name": "May Deals 2016", "reason": "Coupon expired", "discount": "10%"},
        e.CouponDenied(**COMMON, coupon_id="may_deals_2016", reason="Coupon expired"),
    ),
    (
        "Product Added to Wishlist",
        UNO | {"wishlist_id": "skdjsidjsdkdj29j", "wishlist_name": "Loved Games"},
        e.ProductAddedToWishlist(**COMMON, product=UNO_READ, wishlist_id="skdjsidjsdkdj29j", wishlist_name="Loved Games"),
    ),
    (
        "Wishlist Product Added to Cart",
        UNO | {"wishlist_id": "w", "wishlist_name": "Loved Games", "cart_id": "99j2d92j9dj29dj29d2d"},
        e.WishlistProductAddedToCart(
            **COMMON, product=UNO_READ, wishlist_id="w", wishlist_name="Loved Games", cart_id="99j2d92j9dj29dj29d2d"
        ),
    ),
    (
        "Product Shared",
        UNO | {"share_via": "email", "share_message": "Hey, check out this item", "recipient": "friend@example.com"},
        e.ProductShared(**COMMON, product=UNO_READ, share_via="email"),
    ),
    (
        "Cart Shared",
        {"share_via": "email", "recipient": "friend@example.com", "cart_id": "d92", "products": [{"product_id": "507f"}]},
        e.CartShared(**COMMON, share_via="email", cart_id="d92", products=(Product(product_id="507f"),)),
    ),
    (
        "Product Reviewed",
        {"product_id": "507f", "review_id": "kdfjrj39fj39jf3", "review_body": "I love this product", "rating": "5"},
        e.ProductReviewed(
            **COMMON, product_id="507f", review_id="kdfjrj39fj39jf3", review_body="I love this product", rating=5.0
        ),
    ),
    (
        "Email Link Clicked",
        {"campaign_id": "123", "campaign_name": "New Product Launch", "email_id": "321", "link_id": "8",
         "link_url": "https://www.example.com/"},
        e.MessageClicked(**COMMON, campaign_id="123"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("name,properties,expected", EXAMPLES, ids=[name for name, _, _ in EXAMPLES])
def test_an_example_of_the_specification_becomes_its_event(
    name: str, properties: dict[str, Any], expected: Event
) -> None:
    assert event({**ENVELOPE, "type": "track", "event": name, "properties": properties}) == expected


def test_the_clients_clock_is_taken_out() -> None:
    found = decode({**ENVELOPE, "type": "track", "event": "Products Searched", "properties": {"query": "x"}})

    # Received at 12:00:00.5, sent half a second after it was made by a clock that is an hour ahead.
    assert isinstance(found, Arrival)
    assert (found.time_ms, found.received_ms) == (AT_MS, AT_MS + 500)


def test_identify_brings_traits_and_identifiers() -> None:
    found = event(
        {
            **ENVELOPE,
            "type": "identify",
            "traits": {
                "name": "Peter Gibbons",
                "email": "Peter@Initech.com",
                "phone": "+1 650 253 2222",
                "plan": "premium",
                "logins": 5,
                "address": {"city": "Austin", "country": "US"},
                "nothing": None,
                "story": "x" * 2000,
            },
        }
    )

    assert found == e.Identified(
        **COMMON,
        email="peter@initech.com",
        phone="+16502532222",
        country="US",
        traits={
            "name": "Peter Gibbons",
            "plan": "premium",
            "logins": 5,
            "address": {"city": "Austin", "country": "US"},
        },
    )


def test_an_identify_call_may_have_its_traits_in_the_context_alone() -> None:
    found = event(
        {**MINIMAL, "type": "identify", "context": {"traits": {"plan": "gold", "email": "A@x.org", "logins": 4}}}
    )
    both = event(
        {**MINIMAL, "type": "identify", "traits": {"plan": "new"}, "context": {"traits": {"plan": "old", "n": 1}}}
    )

    assert (found.traits, found.email) == ({"plan": "gold", "logins": 4}, "a@x.org")
    assert both.traits == {"plan": "new", "n": 1}


def test_the_traits_of_an_identify_call_may_stand_in_the_context_as_rudderstacks_browser_library_sends_them() -> None:
    found = event(
        {
            **MINIMAL,
            "type": "identify",
            "context": {"traits": {"plan": "gold", "city": "Bonn"}},
            "traits": {"plan": "silver"},
        }
    )

    assert found.traits == {"plan": "silver", "city": "Bonn"}


def test_the_traits_that_a_library_remembers_are_no_traits_of_other_calls() -> None:
    found = event({**MINIMAL, "type": "group", "groupId": "g", "context": {"traits": {"plan": "gold"}}})

    assert found.traits == {}


def test_no_more_traits_are_kept_than_a_profile_holds() -> None:
    found = event({**MINIMAL, "type": "identify", "traits": {f"t{n}": n for n in range(100)}})

    assert list(found.traits) == [f"t{n}" for n in range(64)]


def test_a_push_token_makes_a_device_reachable() -> None:
    found = event(
        {**MINIMAL, "type": "identify", "context": {"device": {"token": "ff15bc0c20c4aa6cd50854ff165fd265c838"}}}
    )

    assert found.push_token == "ff15bc0c20c4aa6cd50854ff165fd265c838"


def test_a_push_token_that_is_longer_than_an_id_makes_it_reachable_too() -> None:
    """Some push services have tokens of several hundred characters."""
    found = event({**MINIMAL, "type": "identify", "context": {"device": {"token": "f" * 300}}})

    assert found.push_token == "f" * 256


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_pages_and_screens_are_page_views(kind: str) -> None:
    message = {
        **ENVELOPE,
        "type": kind,
        "name": "Home",
        "properties": {"title": "Welcome | Initech", "url": "https://x.org"},
    }

    assert event(message) == e.PageViewed(**COMMON, name="Home", url="https://x.org")


TEA: dict[str, Any] = {"product_id": "tea", "price": 5}


@pytest.mark.parametrize("name, properties, expected", [
    ("Order Fulfilled", {"order_id": "o1", "currency": "EUR", "products": [TEA]}, {"order_id": "o1", "currency": "EUR"}),
    ("Order Delivered", {"orderId": "o1"}, {"order_id": "o1", "products": ()}),
    ("Order Returned", {"order_id": "o1", "orderId": "o2"}, {"order_id": "o1"}),
    ("Subscription Started", {"subscription_id": "s1", "products": [TEA]}, {"subscription_id": "s1"}),
    ("Subscription Renewed", {"subscriptionId": "s1"}, {"subscription_id": "s1"}),
    ("Subscription Cancelled", {"subscription_id": "s1"}, {"subscription_id": "s1"}),
    ("Stock Alert Subscribed", {**TEA, "subscription_id": "s1"}, {"subscription_id": "s1"}),
    ("Payment Failed", {"checkoutId": "k1", "orderId": "o1", "cart_id": "c1", "error": "declined"},
     {"checkout_id": "k1", "order_id": "o1", "cart_id": "c1", "reason": "declined"}),
    ("Payment Failed", {"checkout_id": "k1", "order_id": "o1", "reason": "expired"}, {"checkout_id": "k1", "reason": "expired"}),
    ("Coupon Entered", {"coupon": "TEA", "orderId": "o1"}, {"coupon_id": "TEA", "order_id": "o1"}),
    ("Coupon Denied", {"coupon_code": "TEA", "reason": "over"}, {"coupon_id": "TEA", "reason": "over"}),
    ("Coupon Applied", {"coupon_id": "TEA", "discount": 500, "currency": "JPY"},
     {"coupon_id": "TEA", "discount_minor": 500, "currency": "JPY"}),
    ("Coupon Applied", {"coupon_id": "TEA", "discount": 5}, {"discount_minor": 500, "currency": None}),
    ("Coupon Issued", {"coupon_id": "TEA", "expires": AT_MS}, {"coupon_id": "TEA", "expires_ms": AT_MS}),
    ("Coupon Issued", {"coupon_id": "TEA", "expires_ms": AT_MS}, {"expires_ms": AT_MS}),
    ("Products Searched", {"query": "tea", "results": 0}, {"query": "tea", "results": 0}),
    ("Products Searched", {"query": "tea", "total_results": "12"}, {"results": 12}),
    ("Products Searched", {"query": "tea", "results_count": 3}, {"results": 3}),
    ("Promotion Clicked", {"id": "p1"}, {"promotion_id": "p1"}),
    ("Cart Viewed", {"cart_id": "c1", "currency": "JPY", "products": [{"product_id": "tea", "price": 500}]}, {"currency": "JPY"}),
    ("Viewed Page", {"title": "Home", "url": "https://x.org"}, {"name": "Home", "url": "https://x.org"}),
    ("NPS Submitted", {"rating": "0", "survey_id": "s1", "order_id": "o1", "survey_sent_at": AT_MS, "comment": "no"},
     {"score": 0, "survey_id": "s1", "order_id": "o1", "asked_at_ms": AT_MS, "comment": "no"}),
    ("NPS Submitted", {"value": 10, "orderId": "o1", "asked_at": AT_MS}, {"score": 10, "order_id": "o1", "asked_at_ms": AT_MS}),
    ("NPS Submitted", {"score": 9, "sent_at": AT_MS}, {"score": 9, "asked_at_ms": AT_MS}),
    ("Products Searched", {"query": "tea", "results": 0, "total_results": 12}, {"results": 0}),
    ("Products Searched", {"search_term": "tea"}, {"query": "tea"}),
    ("Products Searched", {"search_string": "tea", "query": {}}, {"query": "tea"}),
    ("Product Reviewed", {"product_id": "tea", "rating": 1_000_000}, {"rating": 1_000_000.0}),
    ("Product Reviewed", {"product_id": "tea", "rating": -1_000_001}, {"rating": None}),
    *(("Checkout Started", {"checkout_id": "k1", name: "https://x.org/k1"}, {"url": "https://x.org/k1"})
      for name in ("checkout_url", "recovery_url", "abandoned_checkout_url", "cart_url", "url")),
    ("Checkout Started", {"checkout_id": "k1", "checkout_url": "https://x.org/k1", "url": "https://x.org/"},
     {"url": "https://x.org/k1"}),
    *(("Cart Viewed", {"cart_id": "c1", name: "https://x.org/c1"}, {"url": "https://x.org/c1"})
      for name in ("cart_url", "checkout_url", "recovery_url", "url")),
    ("Product Reviewed", {"productId": "tea", "rating": "4.5"}, {"product_id": "tea", "rating": 4.5}),
    ("Product Reviewed", {"sku": "tea", "rating": "good"}, {"product_id": "tea", "rating": None}),
    ("Message Sent", {"trigger_id": "t1", "campaign_id": "c1", "message_channel": "SMS"},
     {"trigger_id": "t1", "campaign_id": "c1", "message_channel": "sms"}),
    ("Message Opened", {"triggerId": "t1", "campaignId": "c1", "channel": "push"},
     {"trigger_id": "t1", "campaign_id": "c1", "message_channel": "push"}),
    ("Message Failed", {"reason": "capped"}, {"message_channel": "email", "reason": "capped"}),
    ("Email Delivered", {"channel": "sms"}, {"message_channel": "email"}),
    ("Email Bounced", {"channel": "sms", "bounce_type": "Permanent", "bounce_reason": "no such user"},
     {"message_channel": "email", "bounce": "hard", "reason": "no such user"}),
    ("Push Notification Bounced", {"type": "soft_bounce", "campaign": {"name": "spring"}},
     {"message_channel": "push", "bounce": "soft", "campaign_id": "spring"}),
    ("Push Notification Tapped", {"campaign_id": "c1", "campaign": {"name": "spring"}}, {"campaign_id": "c1"}),
    ("Push Notification Received", {"trigger_id": "t1"}, {"trigger_id": "t1", "message_channel": "push"}),
    ("Checkout Started", {"checkout_id": "k1", "revenue": 9, "total": 12}, {"value_minor": 900}),
    ("Checkout Started", {"checkout_id": "k1", "total": 12, "subtotal": 8}, {"value_minor": 1200}),
    ("Checkout Started", {"checkout_id": "k1", "subtotal": 8}, {"value_minor": 800}),
])  # fmt: skip
def test_what_a_call_tells_of_what_happened_is_kept(
    name: str, properties: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = track(name, properties)

    assert {field: getattr(found, field) for field in expected} == expected
    if properties.get("products") == [TEA]:
        assert [product.product_id for product in found.products] == ["tea"]


@pytest.mark.parametrize("name, field, spellings", [
    ("Products Searched", "results", ("results", "results_count", "total_results")),
    ("Promotion Clicked", "promotion_id", ("promotion_id", "id")),
    ("Coupon Applied", "coupon_id", ("coupon_id", "coupon", "coupon_code")),
    ("Coupon Applied", "order_id", ("order_id", "orderId")),
    ("Coupon Issued", "expires_ms", ("expires_at", "expires", "expires_ms")),
    ("Checkout Started", "checkout_id", ("checkout_id", "checkoutId")),
    ("Checkout Started", "order_id", ("order_id", "orderId")),
    ("NPS Submitted", "score", ("score", "rating", "value")),
    ("NPS Submitted", "order_id", ("order_id", "orderId")),
    ("NPS Submitted", "asked_at_ms", ("asked_at", "sent_at", "survey_sent_at")),
    ("Product Reviewed", "product_id", ("product_id", "productId", "sku")),
    ("Message Opened", "trigger_id", ("trigger_id", "triggerId")),
    ("Message Opened", "campaign_id", ("campaign_id", "campaignId")),
    ("Message Opened", "message_channel", ("message_channel", "channel")),
    ("Order Delivered", "order_id", ("order_id", "orderId")),
    ("Ticket Opened", "ticket_id", ("ticket_id", "ticketId", "id")),
])  # fmt: skip
def test_where_a_call_says_the_same_under_several_names_the_one_of_the_specification_counts(
    name: str, field: str, spellings: tuple[str, ...]
) -> None:
    """A `rating` may stand beside a score, and an `id` beside all of them."""
    needed = {"query": "tea", "score": 1, "product_id": "p"}
    said = {spelling: number for number, spelling in enumerate(spellings, AT_MS if field.endswith("_ms") else 5)}
    others = {needs: value for needs, value in needed.items() if needs not in said}

    for first in spellings:
        told = getattr(track(name, {**dict(reversed(said.items())), **others}), field)
        assert str(told) == str(said.pop(first))


def test_a_query_that_is_an_object_is_asked_after_the_words_that_stand_beside_it_and_is_cut_as_text_is() -> None:
    assert track("Products Searched", {"query": {"sort": "price"}, "search_term": "tea"}).query == "tea"
    assert len(track("Products Searched", {"query": {"any_of": "tea " * 1000}}).query) == 1024


def test_what_a_coupon_takes_off_is_in_the_shops_currency_where_it_names_none() -> None:
    call = {**MINIMAL, "type": "track", "event": "Coupon Applied", "properties": {"coupon_id": "TEA", "discount": 500}}
    found = Decoder("JPY").decode(json.dumps(call).encode(), RECORD_MS)

    assert isinstance(found, Arrival)
    assert isinstance(found.event, e.CouponApplied)
    assert found.event.discount_minor == 500


def test_of_what_she_wrote_of_a_product_or_the_shop_eight_thousand_characters_are_kept_and_a_rating_is_a_fraction() -> (
    None
):
    review = track("Product Reviewed", {"product_id": "tea", "review_body": "x" * 9000, "rating": 5})

    assert (len(review.review_body), review.rating, type(review.rating)) == (8192, 5.0, float)
    assert len(track("NPS Submitted", {"score": 9, "comment": "x" * 9000}).comment) == 8192


@pytest.mark.parametrize("bounce, kind", [
    *((word, "hard") for word in ("hard", "Hard Bounce", "HardBounce", "Permanent", "invalid", "bounce", "BadEmailAddress")),
    *((word, "soft") for word in ("soft", "soft_bounce", "SoftBounce", "Transient", "temporary", "blocked", "Undetermined")),
    ("ontological", None),
])  # fmt: skip
def test_a_bounce_is_for_good_or_not_by_the_words_of_mail_systems(bounce: str, kind: str | None) -> None:
    """Amazon SES: bounceType; SendGrid: type, "bounce" for a hard one or "blocked"; Mailgun: severity; Postmark: Type."""
    for name in ("bounceType", "bounce_type", "bounce", "severity", "type"):
        assert track("Message Bounced", {name: bounce}).bounce == kind


@pytest.mark.parametrize(
    "named", [{"product_id": "tea"}, {"productId": "tea"}, {"sku": "tea"}, {"id": "tea"}, {"variant_id": "tea"}]
)
def test_a_product_that_is_named_is_the_one_and_else_the_only_one_that_is_listed(named: dict[str, str]) -> None:
    other = [{"product_id": "jam", "price": 500}]

    assert track("Product Viewed", {**named, "products": other}).product.product_id == "tea"
    assert track("Product Viewed", {"products": other, "currency": "JPY"}).product.price_minor == 500
    assert track("Product Viewed", {"products": other}).product.price_minor == 50000
    call = {**MINIMAL, "type": "track", "event": "Product Viewed", "properties": {"products": other}}
    in_japan = Decoder("JPY").decode(json.dumps(call).encode(), RECORD_MS)
    assert isinstance(in_japan, Arrival)
    assert isinstance(in_japan.event, e.ProductViewed)
    assert in_japan.event.product.price_minor == 500
    assert refused("Product Viewed", {"products": other * 2})[0] == "missing_field"


@pytest.mark.parametrize("named", [{"name": "Home"}, {"title": "Home"}])
def test_a_page_without_a_name_of_its_own_has_that_of_its_properties(named: dict[str, str]) -> None:
    assert event({**MINIMAL, "type": "page", "properties": named}).name == "Home"


def test_a_page_without_properties_takes_its_url_from_the_context() -> None:
    assert event({**ENVELOPE, "type": "page"}) == e.PageViewed(**COMMON, url="https://foo.bar/a")


@pytest.mark.parametrize("context, referrer", [
    ({}, "https://www.bing.com/"), ({"page": {"referrer": "https://www.foo.com/"}}, "https://www.foo.com/"),
    ({"page": {"referrer": ""}}, "https://www.bing.com/"),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["page", "screen"])
def test_where_a_page_was_come_from_may_stand_in_its_properties(
    kind: str, context: dict[str, Any], referrer: str
) -> None:
    """https://segment.com/docs/connections/spec/page/: `referrer` is a property; a server has no page to take a context from."""
    call = {**MINIMAL, "type": kind, "properties": {"referrer": "https://www.bing.com/"}, "context": context}

    assert event(call).referrer == referrer


def test_the_traits_of_a_group_are_the_companys_not_the_customers() -> None:
    traits = {"name": "Initech", "industry": "Technology", "email": "office@initech.com", "consent": True}

    found = event({**ENVELOPE, "type": "group", "groupId": "0e8c78ea9d97a7b8185e8632", "traits": traits})

    assert found == e.Grouped(
        **COMMON, group_id="0e8c78ea9d97a7b8185e8632", traits={"name": "Initech", "industry": "Technology"}
    )


@pytest.mark.parametrize("said, expected", [
    ({"traits": {"loyalty_id": "gold-1"}}, {"loyalty_id": "gold-1"}),
    ({"traits": {"loyaltyId": "gold-1"}}, {"loyalty_id": "gold-1"}),
    ({"context": {"traits": {"loyalty_id": "gold-1"}}}, {"loyalty_id": "gold-1"}),
    ({"source": "till"}, {"source": "till"}),
    ({"traits": {"timezone": "Europe/Berlin", "locale": "de"}}, {"timezone": "Europe/Berlin", "locale": "de"}),
    ({"traits": {"timezone": "Asia/Tokyo", "locale": "ja"}, "context": {"timezone": "Europe/Berlin", "locale": "de"}},
     {"timezone": "Europe/Berlin", "locale": "de"}),
    ({"traits": {"address": {"country": "AT"}}, "context": {"location": {"country": "DE"}}}, {"country": "AT"}),
    ({"traits": {"address": None}, "context": {"location": {"country": "DE"}}}, {"country": "DE"}),
    ({"context": {"referrer": {"url": "https://search.example/"}}}, {"referrer": "https://search.example/"}),
    ({"context": {"campaign": {}}}, {"campaign": None}),
    ({"context": {"campaign": {"name": "", "creative": "red"}}}, {"campaign": None}),
    ({"context": {"campaign": {"content": "top"}}}, {"campaign": Campaign(content="top")}),
    ({"context": {"device": {"token": " "}}}, {"push_token": None}),
])  # fmt: skip
def test_what_describes_a_customer_may_stand_in_either_place(said: dict[str, Any], expected: dict[str, Any]) -> None:
    found = event({**MINIMAL, "type": "identify", **said})

    assert {field: getattr(found, field) for field in expected} == expected


@pytest.mark.parametrize("stated, phone", [
    ([{"id": "+12025550146", "type": "phone"}], "+12025550146"),
    ([{"id": "+12025550146", "type": "phone", "collection": "users", "encoding": "none"}], "+12025550146"),
    ([{"id": "+12025550146", "type": "phone", "collection": "accounts"}], None),
    ([{"id": "c2ln", "type": "phone", "encoding": "base64"}], None),
    ([None, "x", {"id": "1"}, {"id": "1", "type": 7}], None),
    ({"id": "+12025550146", "type": "phone"}, None),
])  # fmt: skip
def test_external_ids_of_users_that_are_plain_identify(stated: Any, phone: str | None) -> None:
    """https://segment.com/docs/unify/identity-resolution/externalids/: custom ids stand in `context.externalIds`."""
    assert event({**MINIMAL, "type": "identify", "context": {"externalIds": stated}}).phone == phone


def test_alias_links_who_she_was_with_who_she_is() -> None:
    assert event({**ENVELOPE, "type": "alias", "previousId": "39239-239239"}) == e.Aliased(
        **COMMON, previous_id="39239-239239"
    )


def test_a_merge_names_one_customers_identifiers() -> None:
    stated = [{"type": "email", "value": "Alex@Example.com"}, {"type": "mobile", "value": "+1-202-555-0146"}]
    again = {"type": "email", "value": "alex@example.com"}  # another way to write it is no second address

    found = event({**ENVELOPE, "type": "merge", "mergeProperties": [*stated, again]})

    assert found == e.Identified(**COMMON, email="alex@example.com", phone="+12025550146")


@pytest.mark.parametrize("kind, field, value", [
    ("user_id", "user_id", "97980cfea0067"), ("userId", "user_id", "97980cfea0067"),
    ("email", "email", "alex@example.com"), ("phone", "phone", "+12025550146"), ("mobile", "phone", "+12025550146"),
    ("loyalty_id", "loyalty_id", "gold-1"),
    ("anonymous_id", "anonymous_id", "507f191e810c19729de860ea"), ("anonymousId", "anonymous_id", "507f191e810c19729de860ea"),
])  # fmt: skip
def test_a_merge_may_name_each_type_of_identifier_and_repeat_what_the_call_says(
    kind: str, field: str, value: str
) -> None:
    """https://www.rudderstack.com/docs/event-spec/standard-events/merge/: pairs of `type` and `value`."""
    assert (
        getattr(event({**ENVELOPE, "type": "merge", "mergeProperties": [{"type": kind, "value": value}]}), field)
        == value
    )


def test_in_a_merge_a_national_number_is_the_same_as_the_international_one_of_the_shops_country() -> None:
    stated = [{"type": "phone", "value": "+49 30 1234567"}, {"type": "phone", "value": "030 1234567"}]
    message = json.dumps({**MINIMAL, "type": "merge", "mergeProperties": stated}).encode()
    at_home, abroad = Decoder("EUR", phone_region="DE").decode(message, RECORD_MS), DECODER.decode(message, RECORD_MS)

    assert isinstance(at_home, Arrival)
    assert at_home.event.phone == "+49301234567"
    assert isinstance(abroad, Problem)


@pytest.mark.parametrize("stated,reason,place", [
    ([{"type": "device_id", "value": "d"}], "wrong_type", "mergeProperties[0].type"),
    ([{"type": "email", "value": "a@x.org"}, {"type": "email", "value": "b@x.org"}], "out_of_bounds", "mergeProperties[1]"),
    ([{"type": "user_id", "value": "another"}], "out_of_bounds", "mergeProperties[0].value"),
    ([{"type": "email"}], "missing_field", "mergeProperties[0].value"),
    ([], "missing_field", "mergeProperties"),
])  # fmt: skip
def test_a_merge_that_can_not_be_one_event_is_refused(stated: Any, reason: str, place: str) -> None:
    found = decode({**MINIMAL, "type": "merge", "mergeProperties": stated})

    assert isinstance(found, Problem)
    assert found.reason == reason
    assert place in found.detail


def test_the_traits_that_a_library_remembers_say_whose_call_to_a_group_it_is_and_those_of_the_call_do_not() -> None:
    traits = {"email": "office@initech.example", "employees": 420}
    found = event({
        **MINIMAL, "type": "group", "groupId": "g", "traits": traits, "context": {"traits": {"email": "peter@initech.example"}},
    })  # fmt: skip

    assert (found.email, found.traits["employees"]) == ("peter@initech.example", 420)


def test_a_track_call_without_the_name_of_its_event_is_refused() -> None:
    for name in ("", None):
        assert refused(name, {}) == ("missing_field", "event is missing")  # type: ignore[arg-type]


def test_what_a_batch_says_counts_for_each_of_its_calls() -> None:
    batch = {
        "sentAt": "2024-05-01T13:00:00.400Z",
        "receivedAt": "2024-05-01T13:00:00.500Z",
        "context": {"locale": "de-DE", "timezone": "Europe/Berlin"},
        "batch": [
            {**MINIMAL, "type": "page", "name": "Home", "context": {"locale": "en-GB"}},
            {**MINIMAL, "type": "track", "event": "Products Searched", "properties": {"query": "tea"}, "messageId": "m2",
             "sentAt": "2024-05-01T13:00:00.900Z"},
        ],
    }  # fmt: skip

    first, second = (found.event for found in all_of(batch))

    assert (first.locale, first.timezone, first.sent_at_ms) == ("en-GB", "Europe/Berlin", AT_MS + 3_600_400)
    assert (first.received_at_ms, second.received_at_ms) == (AT_MS + 3_600_500,) * 2
    assert (second.locale, second.message_id, second.sent_at_ms) == ("de-DE", "m2", AT_MS + 3_600_900)


def test_a_batch_holds_as_many_calls_as_segment_takes_and_no_more() -> None:
    page = {"type": "page", "userId": "u1", "timestamp": "2024-05-01T12:00:00Z"}

    assert len(all_of({"batch": [page] * 2500})) == 2500
    assert isinstance(decode({"batch": [page] * 2501}), Problem)


def test_a_call_of_a_batch_keeps_the_id_of_its_content_in_whatever_batch_it_comes_again() -> None:
    def call(query: str) -> dict[str, Any]:
        return {"type": "track", "event": "Products Searched", "userId": "u", "properties": {"query": query}}

    def ids(*queries: str, sent: str) -> list[str]:
        found = all_of({"batch": [call(query) for query in queries], "sentAt": sent, "receivedAt": sent})
        return [arrival.event.message_id for arrival in found]

    tea, more_tea, milk = ids("tea", "tea", "milk", sent="2024-05-01T12:00:00Z")

    assert len({tea, more_tea, milk}) == 3
    assert ids("milk", "tea", sent="2024-05-01T12:00:07Z") == [milk, tea]


def test_external_ids_identify_where_nothing_stronger_does() -> None:
    stated = [
        {"id": "Ada@x.org", "type": "email", "collection": "users", "encoding": "none"},
        {"id": "9e107d9d", "type": "phone", "collection": "users", "encoding": "md5"},
        {"id": "acme", "type": "loyalty_id", "collection": "accounts", "encoding": "none"},
        {"id": "5f4dcc3b", "type": "loyalty_id", "collection": "users", "encoding": "md5"},
        "nothing",
    ]

    found = event({**MINIMAL, "type": "page", "userId": None, "context": {"externalIds": stated}})

    assert (found.email, found.phone, found.loyalty_id) == ("ada@x.org", None, None)


@pytest.mark.parametrize("place", [{"properties": {"cart_token": "t1"}}, {"context": {"cart_token": "t1"}}])
def test_a_cart_token_tells_whose_it_is_where_nothing_else_does(place: dict[str, Any]) -> None:
    found = decode({"type": "track", "event": "Cart Updated", "messageId": "m", **place})

    assert isinstance(found, Arrival)
    assert found.customer == "cart_token:t1"


def test_facts_of_the_catalogue_belong_to_no_customer_whoever_sends_them() -> None:
    found = decode({
        **MINIMAL, "type": "track", "event": "Product Updated", "anonymousId": "server-7",
        "properties": {
            "product_id": "p1", "variant_id": 7, "name": "Espresso", "category": "Coffee", "price": "12.90", "cost": 4.1,
            "currency": "eur", "supply_days": "30", "available": "12", "complementary": ["p2", "p3", "p2"],
            "substitutes": "p4, p5", "contents": ["grind-guide"], "occasions": "gift,breakfast",
        },
    })  # fmt: skip

    assert isinstance(found, Arrival)
    assert (found.customer, found.home) == (SHOP, "p1")
    assert found.event == e.ProductUpdated(
        message_id="m1", timestamp_ms=AT_MS, product_id="p1", variant_id="7", name="Espresso", category="Coffee",
        price_minor=1290, cost_minor=410, currency="EUR", available=12, supply_days=30.0, complementary=("p2", "p3"),
        substitutes=("p4", "p5"), contents=("grind-guide",), occasions=("gift", "breakfast"),
    )  # fmt: skip


def test_prices_and_stock_are_told_with_what_they_were() -> None:
    price = track("Product Price Changed", {"sku": "s1", "price": 9.5, "previous_price": "12.00"})
    stock = track("Product Stock Changed", {"product_id": "p1", "available": -3, "location_id": 5})
    back = track("Product Back In Stock", {"product_id": "p1", "available": 4.0})

    assert (price.sku, price.price_minor, price.previous_price_minor) == ("s1", 950, 1200)
    assert (stock.available, stock.location_id) == (-3, "5")
    assert back.available == 4


def test_a_ticket_is_opened_and_closed() -> None:
    opened = track("Ticket Opened", {"ticket_id": 55, "topic": "delivery", "order_id": "o1", "channel": "chat"})
    closed = track("Ticket Resolved", {"ticket_id": 55, "satisfaction": "4"})

    assert (opened.ticket_id, opened.topic, opened.order_id, opened.ticket_channel) == ("55", "delivery", "o1", "chat")
    assert (closed.ticket_id, closed.satisfaction) == ("55", 4.0)


def test_a_privacy_request_keeps_its_number_and_all_its_orders() -> None:
    found = track("Erase Customer", {"request_id": 9, "requested_at": "2024-05-01T12:00:00Z", "order_ids": [1, "2"]})

    assert found == e.EraseCustomer(
        message_id="m1", timestamp_ms=AT_MS, user_id="u1", request_id="9", requested_at_ms=AT_MS, order_ids=("1", "2")
    )


@pytest.mark.parametrize("name,kind", [
    ("Push Notification Received", e.MessageDelivered), ("Push Notification Tapped", e.MessageClicked),
    ("Push Notification Bounced", e.MessageBounced),
])  # fmt: skip
def test_what_mobile_libraries_tell_of_push_messages_is_taken(name: str, kind: type[Event]) -> None:
    found = track(name, {"campaign": {"name": "spring", "medium": "Push"}})

    assert (type(found), found.message_channel, found.campaign_id) == (kind, "push", "spring")


@pytest.mark.parametrize("name", [
    "Application Installed", "Application Updated", "Application Opened", "Application Foregrounded",
    "Application Backgrounded", "Application Crashed", "Application Uninstalled", "application_opened",
    "Install Attributed", "Deep Link Clicked", "Deep Link Opened",
])  # fmt: skip
def test_what_mobile_libraries_tell_of_the_app_itself_is_nothing_for_a_profile(name: str) -> None:
    """https://segment.com/docs/connections/spec/mobile/: RudderStack's libraries send these unless they are told not to.

    A link that opened the app is told by its Android library by itself:
    https://www.rudderstack.com/docs/sources/event-streams/sdks/client-side-features/deep-link-tracking.
    """
    call = {**MINIMAL, "type": "track", "event": name, "properties": {"version": "1.2.3", "build": "1234"}}

    page = {**MINIMAL, "type": "page", "name": "Home"}

    assert all_of(call) == []
    assert all_of({"batch": [call, page]}) == all_of({"batch": [page]})


def test_every_event_but_identity_calls_arrives_under_its_own_name() -> None:
    from typing import get_args

    tracked = {kind for kind, _ in TRACKS.values()}

    # An answer to a command is nothing that anybody sends.
    assert set(get_args(e.AnyEvent)) - tracked == {e.Identified, e.Aliased, e.Grouped, e.CommandAnswered}
    assert all(TRACKS[plain_name(name)][0] is kind for name, (kind, _) in ALIASES.items())
    assert all(TRACKS[plain_name(str(kind.__struct_config__.tag))][0] is kind for kind in tracked)


@pytest.mark.parametrize(
    "name", ["order completed", "Order_Completed", "ORDER  COMPLETED ", "orderCompleted", "Completed Order", "completedOrder"]
)  # fmt: skip
def test_the_spelling_of_a_name_does_not_matter(name: str) -> None:
    assert isinstance(track(name, {"order_id": "o"}), e.OrderCompleted)


@pytest.mark.parametrize("name, kind", [
    ("Screen Viewed", e.PageViewed), ("Email Sent", e.MessageSent), ("Consent Updated", e.ConsentChanged),
    ("Segment Consent Preference Updated", e.ConsentChanged),
])  # fmt: skip
def test_some_things_have_other_names_too(name: str, kind: type[Event]) -> None:
    """https://www.twilio.com/docs/segment/privacy/consent-management/consent-in-unify names the last one."""
    consent = {"categoryPreferences": {"Advertising": True, "Analytics": False}}

    assert type(track(name, {}, context={"consent": consent})) is kind


@pytest.mark.parametrize("name, kind", [
    ("Viewed Product Category", e.ProductListViewed), ("Product Category Viewed", e.ProductListViewed),
    ("Clicked Product", e.ProductClicked), ("Viewed Product", e.ProductViewed), ("Added Product", e.ProductAdded),
    ("Removed Product", e.ProductRemoved), ("Started Order", e.CheckoutStarted), ("Completed Order", e.OrderCompleted),
    ("Updated Order", e.OrderUpdated), ("Refunded Order", e.OrderRefunded), ("Viewed Promotion", e.PromotionViewed),
    ("Clicked Promotion", e.PromotionClicked), ("Viewed Checkout Step", e.CheckoutStepViewed),
    ("Completed Checkout Step", e.CheckoutStepCompleted),
])  # fmt: skip
def test_what_was_done_may_come_first_in_a_name(name: str, kind: type[Event]) -> None:
    """https://segment.com/docs/connections/spec/ecommerce/v2/: these are what its events "are aliased to"."""
    assert type(track(name, {"order_id": "o", "product_id": "p"})) is kind


@pytest.mark.parametrize("name, kind", [
    *((f"Checkout {what} Info Submitted", e.CheckoutStepCompleted) for what in ("Contact", "Address", "Shipping")),
    ("Checkout Updated", e.CheckoutStepCompleted), ("Payment Info Submitted", e.PaymentInfoEntered),
    ("Checkout Started Webhook", e.CheckoutStarted),
])  # fmt: skip
def test_steps_of_a_checkout_may_be_named_as_rudderstack_names_shopifys(name: str, kind: type[Event]) -> None:
    """https://www.rudderstack.com/docs/sources/event-streams/cloud-apps/shopify/shopify-source-solution/mappings/."""
    found = track(name, {"checkout_id": "k1", "products": [TEA]})

    assert (type(found), found.checkout_id, found.products[0].product_id) == (kind, "k1", "tea")


def test_a_search_and_a_cart_may_be_named_as_rudderstack_names_shopifys() -> None:
    """https://github.com/rudderlabs/rudder-transformer, src/sources/shopify."""
    line = {"product_id": "7234590408817", "title": "Snowboard", "price": 600.0, "brand": "Hydrogen", "quantity": 1}
    board = Product(product_id="7234590408817", name="Snowboard", price_minor=60_000, brand="Hydrogen", quantity=1)
    cart = e.CartUpdated(message_id="m1", timestamp_ms=AT_MS, user_id="u1", products=(board,))

    assert track("Search Submitted", {"query": "tea"}) == track("Products Searched", {"query": "tea"})
    assert track("Cart Update", {"products": [line]}) == cart


def test_a_product_is_the_same_in_the_cart_and_in_the_order_whichever_specification_names_the_call() -> None:
    """https://segment.com/docs/connections/spec/ecommerce/: products have `id` and `sku`, and the order is called either way."""
    monopoly = {"id": "507f1f77bcf86cd799439011", "sku": "45790-32", "name": "Monopoly: 3rd Edition", "price": 19.00}
    added = track("Added Product", monopoly)
    order = {"orderId": "50314b8e9bcf000000000000", "revenue": 25.00, "products": [monopoly]}

    for name in ("Completed Order", "Order Completed"):
        assert track(name, order).products == (added.product,)
    assert added.product.product_id == "507f1f77bcf86cd799439011"


def test_a_track_call_that_lost_its_type_is_still_one() -> None:
    message = {**MINIMAL, "event": "Product Added", "properties": {"product_id": "p"}}

    assert isinstance(event(message), e.ProductAdded)


# --- identity, time, envelope -------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [
    {"traits": {"email": "A@x.org"}},
    {"context": {"traits": {"email": "A@x.org"}}},
    {"properties": {"product_id": "p", "email": "A@x.org"}},
])  # fmt: skip
def test_an_email_address_identifies_wherever_it_stands(place: dict[str, Any]) -> None:
    message = {"messageId": "m", "type": "track", "event": "Product Added", "properties": {"product_id": "p"}, **place}

    found = decode(message)

    assert isinstance(found, Arrival)
    assert (found.customer, found.event.email) == ("email:a@x.org", "a@x.org")


def test_a_number_of_a_loyalty_programme_identifies_under_either_spelling_and_the_specifications_comes_first() -> None:
    """Names in Segment's e-commerce specification have underscores."""
    for traits in ({"loyalty_id": "L1"}, {"loyaltyId": "L1"}, {"loyaltyId": "L2", "loyalty_id": "L1"}):
        assert event({**MINIMAL, "type": "identify", "traits": traits}).loyalty_id == "L1"


@pytest.mark.parametrize("kind", ["track", "identify", "page", "screen", "group", "alias", "merge"])
def test_a_call_is_one_by_its_type_whatever_else_it_says(kind: str) -> None:
    """`timestamp_ms` is what tells a canonical event; a shop may send it along with its calls."""
    needed = {
        "event": "Page Viewed",
        "groupId": "g",
        "previousId": "a",
        "mergeProperties": [{"type": "email", "value": "a@x.org"}],
    }

    assert event({**MINIMAL, "type": kind, **needed, "timestamp_ms": AT_MS + 5}).timestamp_ms == AT_MS


def test_ids_that_are_numbers_become_text() -> None:
    found = track("Order Completed", {"order_id": 1001.0, "products": [{"product_id": 17}]}, userId=42)

    assert (found.user_id, found.order_id, found.products[0].product_id) == ("42", "1001", "17")


def test_a_message_without_id_gets_the_same_one_whenever_it_comes_again() -> None:
    message = {"type": "track", "event": "Product Added", "userId": "u", "properties": {"product_id": "p"}}
    text = json.dumps(message).encode()

    assert event(message).message_id == "content:" + blake2b(text, digest_size=16).hexdigest()
    assert event(message | {"userId": "v"}).message_id != event(message).message_id


@pytest.mark.parametrize("style,expected", [
    ({"timestamp": "2024-05-01T12:00:00Z"}, AT_MS),
    ({"timestamp": 1714564800}, AT_MS),
    ({"timestamp": 1714564800000}, AT_MS),
    ({"timestamp": "1714564800000"}, AT_MS),
    ({"timestamp": "2024-05-01T14:00:00.0000001+02:00"}, AT_MS),
    ({"originalTimestamp": "2024-05-01T12:00:00Z"}, AT_MS),
    ({"timestamp": None, "sentAt": "2024-05-01T12:00:00Z"}, AT_MS),
    ({}, RECORD_MS),
])  # fmt: skip
def test_time_is_read_in_every_style(style: dict[str, Any], expected: int) -> None:
    found = decode({"type": "page", "userId": "u", **style})

    assert isinstance(found, Arrival)
    assert found.time_ms == expected


def test_a_message_without_any_time_needs_the_records() -> None:
    found = DECODER.decode(b'{"type":"page","userId":"u"}', 0)

    assert isinstance(found, Problem)
    assert (found.reason, found.detail) == ("missing_field", "timestamp is missing")


def test_the_channel_has_one_name_whoever_writes_it() -> None:
    assert track("Page Viewed", {}, channel="web").channel == "browser"
    assert track("Page Viewed", {}, context={"channel": "Mobile"}).channel == "mobile"
    assert track("Page Viewed", {}, channel="client").channel == "browser"
    assert track("Page Viewed", {}, channel="app").channel == "mobile"
    assert track("Page Viewed", {}, channel="sources").channel == "server"


@pytest.mark.parametrize("place", [
    {"imported": True}, {"context": {"imported": "true"}}, {"properties": {"order_id": "o", "imported": 1}},
])  # fmt: skip
def test_an_import_says_so(place: dict[str, Any]) -> None:
    message = {**MINIMAL, "type": "track", "event": "Order Completed", "properties": {"order_id": "o"}, **place}

    assert event(message).imported


def test_context_that_is_no_object_is_no_context() -> None:
    found = track("Product Added", {"product_id": "p"}, context=None, traits=[], integrations=5)

    assert found.campaign is None


# --- products and amounts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("given,read", [(None, 1), ("", 1), ("2", 2), (2.0, 2), ("0.5", 0.5), (0, 0), ("1e2", 100)])
def test_a_quantity_is_read_and_one_where_nothing_is_said(given: Any, read: float) -> None:
    found = track("Product Added", {"product_id": "p", "quantity": given}).product.quantity

    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    "given,read", [("18.99", 1899), (18.99, 1899), (" 19 ", 1900), (-5, -500), (None, None), (" ", None)]
)
def test_a_price_is_read_whatever_it_is_written_as(given: Any, read: int | None) -> None:
    assert track("Product Added", {"product_id": "p", "price": given}).product.price_minor == read


@pytest.mark.parametrize("properties,product_id", [
    ({"product_id": "p", "sku": "s", "id": "i"}, "p"), ({"sku": "s", "id": "i"}, "i"), ({"sku": "s"}, "s"),
    ({"product_id": "", "sku": None, "variant_id": 7}, "7"), ({"products": [{"product_id": "q"}]}, "q"),
    ({"product": {"id": "r"}}, "r"),
])  # fmt: skip
def test_a_product_is_known_by_the_best_id_it_has(properties: dict[str, Any], product_id: str) -> None:
    assert track("Product Viewed", properties).product.product_id == product_id


def test_amounts_are_in_the_events_currency() -> None:
    yen = track("Order Completed", {"order_id": "o", "revenue": 1500, "currency": "JPY"})
    dinars = track("Order Completed", {"order_id": "o", "revenue": "1.234", "currency": "kwd"})

    assert (yen.revenue_minor, yen.currency) == (1500, "JPY")
    assert (dinars.revenue_minor, dinars.currency) == (1234, "KWD")


def test_without_a_currency_the_shops_counts_and_the_event_names_none() -> None:
    shop = Decoder("KWD")

    found = shop.decode(json.dumps({**MINIMAL, "type": "track", "event": "Order Completed",
                                    "properties": {"order_id": "o", "revenue": 2}}).encode(), 0)  # fmt: skip

    assert isinstance(found, Arrival)
    assert isinstance(found.event, e.OrderCompleted)
    assert (found.event.revenue_minor, found.event.currency) == (2000, None)


def test_the_currency_of_the_products_is_the_events() -> None:
    found = track(
        "Order Completed", {"order_id": "o", "total": 500, "products": [{"id": "p", "price": 500, "currency": "JPY"}]}
    )

    assert (found.currency, found.total_minor, found.products[0].price_minor) == ("JPY", 500, 500)


@pytest.mark.parametrize("price,quantity,currency,worth", [
    (0.0125, 1000, "EUR", 1250), ("1.459", 40.0, "EUR", 5836), (0.333, 3, "EUR", 100), ("1.25e-2", 1000, "EUR", 1250),
    (0.00005, 1000, "EUR", 5),
    (0.5, 300, "JPY", 150), (-0.0125, 1000, "EUR", -1250), (1.4594, 500, "KWD", 729_700),
    # These are told by their price as well.
    (19.99, 3, "EUR", None), ("10.000", 2, "EUR", None), (0.30000000000000004, 3, "EUR", None), (0.0125, 1, "EUR", None),
])  # fmt: skip
@pytest.mark.parametrize("name", ["Order Completed", "Order Refunded"])
def test_a_line_of_a_price_finer_than_the_currency_is_worth_what_all_of_it_comes_to(
    name: str, price: Any, quantity: float, currency: str, worth: int | None
) -> None:
    line = {"product_id": "screw", "price": price, "quantity": quantity}

    (found,) = track(name, {"order_id": "o1", "currency": currency, "products": [line]}).products

    assert found.list_minor == worth


def test_a_line_of_a_price_finer_than_the_currency_is_in_the_bounds_of_amounts() -> None:
    line = {"product_id": "screw", "price": "9999999999.999", "quantity": 10**9}

    assert refused("Order Completed", {"order_id": "o1", "products": [line]})[0] == "number_out_of_range"


def test_products_in_different_currencies_are_no_order() -> None:
    products = [{"id": "p", "currency": "USD"}, {"id": "q", "currency": "EUR"}]

    assert refused("Order Completed", {"order_id": "o", "products": products})[0] == "mixed_currencies"


@pytest.mark.parametrize("name,money,revenue,total", [
    # 5 + 3 + 2: the total holds shipping and tax
    ("Order Completed", {"total": 10, "shipping": 3, "tax": 2}, None, 1000),
    ("Order Updated", {"total": 10, "shipping": 3, "tax": 2}, None, 1000),
    # the goods are worth 5, so a total of 5 beside shipping is what was paid for the goods
    ("Order Updated", {"total": 5, "shipping": 3, "tax": 2}, 500, None),
    ("Order Completed", {"total": 5, "shipping": 3}, 500, None),
    ("Order Completed", {"total": 4, "discount": 1, "shipping": 3}, 400, None),
    # nothing to tell apart
    ("Order Completed", {"total": 5}, None, 500),
    ("Order Completed", {"revenue": 5, "total": 5, "shipping": 3}, 500, 500),
])  # fmt: skip
def test_a_total_without_shipping_and_tax_is_the_revenue(
    name: str, money: dict[str, Any], revenue: int | None, total: int | None
) -> None:
    found = track(name, {"order_id": "o", **money, "products": [{"id": "p", "price": "2.50", "quantity": 2}]})

    assert (found.revenue_minor, found.total_minor) == (revenue, total)


def test_also_where_the_discounts_are_those_of_the_lines() -> None:
    line = {"id": "p", "price": "2.50", "quantity": 2, "discount": 1}

    assert (
        track("Order Completed", {"order_id": "o", "total": 4, "shipping": 3, "products": [line]}).revenue_minor == 400
    )


@pytest.mark.parametrize("money,revenue", [
    # Segment's example: the total and the subtotal say that the discount is still in the revenue
    ({"revenue": 25, "discount": 2.5, "total": 27.5, "shipping": 3, "tax": 2}, 2250),
    ({"revenue": 25, "discount": 2.5, "subtotal": 22.5}, 2250),
    ({"revenue": 22.5, "discount": 2.5, "total": 27.5, "shipping": 3, "tax": 2}, 2250),
    ({"revenue": 22.5, "discount": 2.5, "subtotal": 22.5}, 2250),
    ({"revenue": 25, "discount": 2.5, "total": 25, "subtotal": 22.5}, 2500),
    ({"revenue": 25, "discount": 2.5}, 2500),
    ({"revenue": 25, "discount": 2.5, "subtotal": 20}, 2500),
    ({"revenue": 25, "discount": 0, "total": 25}, 2500),
])  # fmt: skip
def test_a_revenue_that_the_discount_is_still_in_counts_without_it(money: dict[str, Any], revenue: int) -> None:
    assert track("Order Completed", {"order_id": "o", **money}).revenue_minor == revenue


def test_a_discount_that_is_written_with_a_minus_takes_off_too() -> None:
    line = {"id": "p", "price": 10, "discount": "-1.00"}
    found = track("Order Completed", {"order_id": "o", "discount": -2.5, "products": [line]})

    assert (found.discount_minor, found.products[0].discount_minor) == (250, 100)


@pytest.mark.parametrize("money,amount,shipping", [
    ({"total": 64.5, "tax": 9.5, "shipping": 5}, 5000, 500),
    ({"value": 64.5, "tax": 9.5, "shipping": 5}, 5000, 500),
    ({"total": -64.5, "tax": -9.5, "shipping": -5}, 5000, 500),
    ({"total": 59.5, "tax": 9.5}, 5000, 0),
    ({"refund_amount": 50, "total": 64.5, "tax": 9.5, "shipping": 5}, 5000, 0),
    ({"total": 50, "tax": 9.5, "products": [{"id": "p", "price": 50}]}, 5000, 0),
    ({"total": 5, "tax": 9.5}, 500, 0),  # the tax of the order
    ({"total": 55, "shipping": 5, "return_shipping": 7}, 5000, 700),
    ({"total": 55, "shipping": 5, "return_shipping": 0}, 5000, 0),
    ({"total": 5, "shipping": 5}, 0, 500),
    ({"revenue": 30, "shipping": 5}, 3000, 0),
])  # fmt: skip
def test_tax_and_shipping_beside_the_total_of_a_refund_are_in_it(
    money: dict[str, Any], amount: int, shipping: int
) -> None:
    found = track("Order Refunded", {"order_id": "o", **money})

    assert (found.amount_minor, found.return_shipping_minor) == (amount, shipping)


@pytest.mark.parametrize("money,amount", [
    ({"refund_amount": "5.50", "total": 30}, 550), ({"refund_amount": -5.5}, 550),
    ({"total": 30}, 3000), ({"total": -30}, 3000), ({}, None),
    ({"value": 30}, 3000), ({"amount": "30.00"}, 3000), ({"revenue": 30}, 3000), ({"subtotal": -30, "tax": 5}, 3000),
    ({"revenue": 20, "value": 30, "tax": 10}, 2000), ({"total": 5, "revenue": 30}, 500),
    ({"revenue": 30, "products": [{"id": "p", "price": 5}]}, None),  # the order's, beside what went back of it
])  # fmt: skip
def test_the_amount_of_a_refund_is_what_it_says(money: dict[str, Any], amount: int | None) -> None:
    assert track("Order Refunded", {"order_id": "o", **money}).amount_minor == amount


def test_an_order_says_when_it_was_changed_and_that_it_was_a_test() -> None:
    found = track("Order Updated", {"order_id": "o", "updated_at": "2024-05-01T12:00:01Z", "test": "true"})

    assert (found.updated_at_ms, found.test) == (AT_MS + 1000, True)


def test_a_till_receipt_names_no_customer() -> None:
    found = decode({"type": "track", "event": "Order Completed", "messageId": "m", "properties": {"order_id": 77}})

    assert isinstance(found, Arrival)
    assert (found.customer, found.home) == (ANONYMOUS, "77")


def test_what_only_describes_never_costs_an_order() -> None:
    product = {"id": "p", "name": ["x"], "category": {}, "brand": "b" * 5000, "url": "u" * 5000, "position": "top"}

    line = track("Order Completed", {"order_id": "o", "affiliation": {}, "products": [product]}).products[0]

    assert (line.name, line.category, line.brand, line.url, line.position) == (None, None, "b" * 1024, None, None)


@pytest.mark.parametrize("words", ["gift, birthday,gift", ["gift", "birthday", None, "gift"]])
def test_occasions_are_a_list_of_words(words: Any) -> None:
    assert track("Product Viewed", {"id": "p", "occasions": words}).product.occasions == ("gift", "birthday")


def test_our_own_fields_go_where_they_belong() -> None:
    issued = track("Coupon Issued", {"coupon_id": "c", "expires_at": "2024-05-02"})
    cart = track("Cart Updated", {"cart_id": "c", "cart_url": "https://shop/cart", "products": []})
    checkout = track("Checkout Started", {"checkout_id": "k", "checkout_url": "https://shop/k", "url": "https://no"})

    assert issued.expires_ms == 1_714_608_000_000
    assert (cart.cart_id, cart.url) == ("c", "https://shop/cart")
    assert (checkout.checkout_id, checkout.url) == ("k", "https://shop/k")


@pytest.mark.parametrize("score", [9, "9", 9.0, " 9 "])
def test_a_survey_score_is_a_whole_number(score: Any) -> None:
    assert track("NPS Submitted", {"score": score}).score == 9


def test_a_search_may_be_an_object() -> None:
    assert track("Products Searched", {"query": {"text": "socks"}}).query == "socks"
    assert track("Products Searched", {"query": {"a": 1}}).query == '{"a":1}'


@pytest.mark.parametrize("name,kind,channel", [
    ("Email Delivered", e.MessageDelivered, "email"), ("Email Opened", e.MessageOpened, "email"),
    ("Email Bounced", e.MessageBounced, "email"), ("Email Marked as Spam", e.MessageMarkedAsSpam, "email"),
    ("Unsubscribed", e.Unsubscribed, "email"), ("Email Unsubscribed", e.Unsubscribed, "email"),
    ("Message Unsubscribed", e.Unsubscribed, "email"),
])  # fmt: skip
def test_what_email_systems_feed_back_is_taken(name: str, kind: type[Event], channel: str) -> None:
    found = track(name, {"campaign_id": 123, "trigger_id": "t1"})

    assert (type(found), found.message_channel, found.trigger_id) == (kind, channel, "t1")


@pytest.mark.parametrize("said", ["all", "Any", "*"])
def test_who_unsubscribes_from_all_channels_does_so_in_the_words_that_consent_has_for_it(said: str) -> None:
    assert track("Unsubscribed", {"channel": said}).message_channel == "any"


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name,properties,reason,place", [
    ("Order Completed", {}, "missing_field", "properties.order_id"),
    ("Order Completed", {"order_id": ["o"]}, "wrong_type", "properties.order_id"),
    ("Order Completed", {"order_id": True}, "wrong_type", "properties.order_id"),
    ("Order Completed", {"order_id": "x" * 257}, "out_of_bounds", "properties.order_id"),
    ("Order Completed", {"order_id": "a\u0000b"}, "bad_id", "properties.order_id"),
    ("Order Completed", {"order_id": "o", "revenue": "a lot"}, "wrong_type", "properties.revenue"),
    ("Order Completed", {"order_id": "o", "revenue": True}, "wrong_type", "properties.revenue"),
    ("Order Completed", {"order_id": "o", "revenue": "1e30"}, "number_out_of_range", "properties.revenue"),
    ("Order Completed", {"order_id": "o", "revenue": 2**64}, "number_out_of_range", "properties.revenue"),
    ("Order Completed", {"order_id": "o", "revenue": "NaN"}, "wrong_type", "properties.revenue"),
    ("Order Completed", {"order_id": "o", "currency": "euro"}, "out_of_bounds", "properties.currency"),
    ("Order Completed", {"order_id": "o", "updated_at": "soon"}, "wrong_type", "properties.updated_at"),
    ("Order Completed", {"order_id": "o", "test": "perhaps"}, "wrong_type", "properties.test"),
    ("Order Completed", {"order_id": "o", "products": "p"}, "wrong_type", "properties.products"),
    ("Order Completed", {"order_id": "o", "products": [{"id": "p"}, 5]}, "wrong_type", "properties.products[1]"),
    ("Order Completed", {"order_id": "o", "products": [{"id": "p"}] * 501}, "out_of_bounds", "properties.products"),
    ("Order Completed", {"order_id": "o", "products": [{"price": 5}]}, "missing_field", "properties.products[0].product_id"),
    ("Order Completed", {"order_id": "o", "products": [{"id": "p", "quantity": -1}]}, "out_of_bounds",
     "properties.products[0].quantity"),
    ("Order Completed", {"order_id": "o", "products": [{"id": "p", "quantity": "two"}]}, "wrong_type",
     "properties.products[0].quantity"),
    ("Order Refunded", {"total": 5}, "missing_field", "properties.order_id"),
    ("Product Viewed", {}, "missing_field", "properties.product_id"),
    ("Products Searched", {}, "missing_field", "properties.query"),
    ("NPS Submitted", {"score": 11}, "out_of_bounds", "properties.score"),
    ("NPS Submitted", {"score": -1}, "out_of_bounds", "properties.score"),
    ("NPS Submitted", {"score": 7.5}, "out_of_bounds", "properties.score"),
    ("NPS Submitted", {"score": "great"}, "wrong_type", "properties.score"),
    ("NPS Submitted", {}, "missing_field", "properties.score"),
    ("Consent Changed", {}, "missing_field", "properties.consent"),
    ("Subscription Started", {}, "missing_field", "properties.subscription_id"),
    ("Product Updated", {"name": "Espresso"}, "missing_field", "properties.product_id"),
    ("Product Updated", {"product_id": "p", "supply_days": 0}, "out_of_bounds", "properties.supply_days"),
    ("Product Updated", {"product_id": "p", "supply_days": "a week"}, "wrong_type", "properties.supply_days"),
    ("Product Updated", {"product_id": "p", "cost": "cheap"}, "wrong_type", "properties.cost"),
    ("Product Price Changed", {"product_id": "p"}, "missing_field", "properties.price"),
    ("Product Stock Changed", {"product_id": "p"}, "missing_field", "properties.available"),
    ("Product Stock Changed", {"product_id": "p", "available": 1.5}, "out_of_bounds", "properties.available"),
    ("Product Stock Changed", {"product_id": "p", "available": 2**31}, "out_of_bounds", "properties.available"),
    ("Product Stock Changed", {"product_id": "p", "available": -(2**31)}, "out_of_bounds", "properties.available"),
    ("Product Stock Changed", {"product_id": "p", "available": "some"}, "wrong_type", "properties.available"),
    ("Ticket Opened", {}, "missing_field", "properties.ticket_id"),
    ("Erase Customer", {}, "missing_field", "properties.request_id"),
    ("Erase Customer", {"request_id": "r", "order_ids": "o1"}, "out_of_bounds", "properties.order_ids"),
    ("Erase Customer", {"request_id": "r", "order_ids": [None]}, "missing_field", "properties.order_ids"),
    ("Erase Shop", {"request_id": "r"}, "missing_field", "properties.shop_id"),
    ("Teapot Boiled", {}, "unknown_event", "Teapot Boiled"),
])  # fmt: skip
def test_what_matters_is_read_or_refused_with_its_place(
    name: str, properties: dict[str, Any], reason: str, place: str
) -> None:
    found = refused(name, properties)

    assert found[0] == reason
    assert place in found[1]


@pytest.mark.parametrize("envelope,reason", [
    ({"userId": {}}, "wrong_type"), ({"messageId": []}, "wrong_type"), ({"timestamp": "soon"}, "wrong_type"),
    ({"timestamp": 5}, "number_out_of_range"), ({"timestamp": 2**64}, "number_out_of_range"),
    ({"timestamp": {}}, "wrong_type"), ({"sentAt": "1969-01-01"}, "wrong_type"), ({"event": None}, "missing_field"),
    ({"event": 5}, "wrong_type"),
    ({"type": "merge"}, "missing_field"), ({"type": "shout"}, "unknown_event"), ({"type": 7}, "unknown_event"),
    ({"type": "group"}, "missing_field"), ({"type": "alias"}, "missing_field"),
    ({"type": "alias", "previousId": "undefined"}, "missing_field"), ({"userId": "guest"}, "no_customer"),
    ({"context": {"imported": "x"}}, "wrong_type"), ({"traits": {"email": {}}}, "wrong_type"),
])  # fmt: skip
def test_an_envelope_that_can_not_be_read_is_refused(envelope: dict[str, Any], reason: str) -> None:
    assert refused("Product Added", {"product_id": "p"}, **envelope)[0] == reason


# --- consent ------------------------------------------------------------------------------------------------------


def grant(channel: str = "any", purpose: str = "marketing", **more: Any) -> ConsentChange:
    return ConsentChange(state="GRANT", channel=channel, purpose=purpose, **more)


def no(channel: str = "any", purpose: str = "marketing", **more: Any) -> ConsentChange:
    return ConsentChange(state="DENY", channel=channel, purpose=purpose, **more)


FORMS: list[tuple[Any, tuple[ConsentChange, ...]]] = [
    (True, (grant(),)),
    (False, (no(),)),
    ("unsubscribed", (ConsentChange(state="REVOKED"),)),
    ({"email": True, "SMS": "DENY", "push": None}, (grant("email"), no("sms"))),
    ({"email": {"marketing": "GRANT", "Profiling": False}}, (grant("email"), no("email", "profiling"))),
    ({"marketing": True}, (grant(),)),
    ({"marketing": {"email": True}}, (grant("email"),)),
    ({"marketing": {"state": "GRANT", "at": AT_MS}}, (grant(at_ms=AT_MS),)),
    ({"state": "GRANT", "purpose": "analytics"}, (grant(purpose="analytics"),)),
    *(({every: False}, (no(),)) for every in ("all", "any", "*", "ALL")),
    ("", ()),
    (
        {"state": "GRANT", "channel": "email", "purpose": "marketing", "at": "2024-05-01T12:00:00Z", "source": "checkout",
         "text_version": "v3", "expires_at": "2024-05-02T12:00:00Z"},
        (grant("email", at_ms=AT_MS, source="checkout", text_version="v3", expires_ms=AT_MS + 86_400_000),),
    ),
    ([{"state": "GRANT", "channel": "email"}, {"state": "REVOKED", "channel": "sms"}],
     (grant("email"), ConsentChange(state="REVOKED", channel="sms"))),
    ({"email": {"state": "subscribed", "opt_in_level": "confirmed_opt_in", "consent_updated_at": "2024-05-01T12:00:00Z"}},
     (grant("email", at_ms=AT_MS),)),
    ({"email": {"marketing": {"state": "GRANT", "at": AT_MS}}}, (grant("email", at_ms=AT_MS),)),
    # As profiles and triggers show it: no channel of that name, and leave to send a receipt is none to advertise.
    ({"email.marketing": "REVOKED", "SMS.Transactional": True},
     (ConsentChange(state="REVOKED", channel="email"), grant("sms", "transactional"))),
    ({"email.marketing": {"state": "GRANT", "at": AT_MS}}, (grant("email", at_ms=AT_MS),)),
    ([], ()),
    (None, ()),
]  # fmt: skip


@pytest.mark.parametrize("form,expected", FORMS)
def test_every_form_of_consent_is_read(form: Any, expected: tuple[ConsentChange, ...]) -> None:
    assert event({**MINIMAL, "type": "identify", "traits": {"consent": form}}).consent == expected


def test_consent_is_no_trait() -> None:
    by_channel = {name: {"state": "subscribed"} for name in ("email_marketing_consent", "sms_marketing_consent")}
    traits = {"consent": True, **by_channel, "plan": "gold"}

    assert event({**MINIMAL, "type": "identify", "traits": traits}).traits == {"plan": "gold"}


@pytest.mark.parametrize("state,expected", [
    ("subscribed", "GRANT"), ("SUBSCRIBED", "GRANT"), ("not_subscribed", "DENY"), ("pending", "DENY"),
    ("unsubscribed", "REVOKED"), ("redacted", "REVOKED"), ("invalid", "DENY"),
])  # fmt: skip
def test_the_states_of_shopify_are_read(state: str, expected: str) -> None:
    shopify = {"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": "2024-05-01T14:00:00+02:00"}

    found = event({**MINIMAL, "type": "identify", "traits": {"email_marketing_consent": shopify}}).consent

    assert [(change.state, change.channel, change.at_ms) for change in found] == [(expected, "email", AT_MS)]


def test_the_more_trusted_word_counts() -> None:
    message = {
        **MINIMAL,
        "type": "identify",
        "traits": {"consent": {"email": False}, "email_marketing_consent": {"state": "subscribed"}},
        "context": {"consent": {"categoryPreferences": {"Advertising": True, "Functional": False}}},
    }

    assert event(message).consent == (no("email"), grant("any", "advertising"), no("any", "functional"))


def test_the_categories_by_which_rudderstack_chooses_destinations_are_no_consent_to_be_written_to() -> None:
    """https://www.rudderstack.com/docs/data-governance/consent-management/passing-consent/"""
    banner = {
        "allowedConsentIds": ["marketing", "C0001"],
        "deniedConsentIds": ["C0004"],
        "provider": "oneTrust",
        "resolutionStrategy": "and",
    }

    assert event({**MINIMAL, "type": "identify", "context": {"consentManagement": banner}}).consent == ()


@pytest.mark.parametrize("properties", [
    {"state": "GRANT", "channel": "email"}, {"consent": {"email": True}}, {"consent": [{"state": True, "channel": "EMAIL"}]},
])  # fmt: skip
def test_a_consent_event_states_it_in_its_properties(properties: dict[str, Any]) -> None:
    found = track("Consent Changed", properties)

    assert found == e.ConsentChanged(message_id="m1", timestamp_ms=AT_MS, user_id="u1", consent=(grant("email"),))


def test_a_decision_may_name_its_channel_and_purpose_and_say_status_for_state() -> None:
    channel = {"status": "denied", "message_channel": "SMS", "purpose": "Analytics"}
    by_purpose = {"transactional": {"status": "granted"}, "push": None, "analytics": {"email": None, "sms": "denied"}}

    assert event({**MINIMAL, "type": "identify", "traits": {"consent": channel}}).consent == (
        ConsentChange(state="DENY", channel="sms", purpose="analytics"),
    )
    assert event({**MINIMAL, "type": "identify", "traits": {"consent": by_purpose}}).consent == (
        ConsentChange(state="GRANT", channel="any", purpose="transactional"),
        ConsentChange(state="DENY", channel="sms", purpose="analytics"),
    )


def test_a_call_may_state_sixty_four_decisions_and_no_more() -> None:
    def stated(number: int) -> Arrival | Problem:
        consent = [{"state": "granted", "channel": f"c{one}"} for one in range(number)]
        return decode({**MINIMAL, "type": "identify", "traits": {"consent": consent}})

    most, too_many = stated(64), stated(65)
    assert isinstance(most, Arrival)
    assert len(most.event.consent) == 64
    assert isinstance(too_many, Problem)
    assert too_many.reason == "out_of_bounds"


def test_the_state_of_an_order_is_no_word_on_consent() -> None:
    assert track("Order Completed", {"order_id": "o1", "status": "granted", "consent": True}).consent == ()


def test_who_signs_up_says_where_she_lives_and_how_her_account_is_and_nothing_on_consent_by_that() -> None:
    properties = {"type": "organic", "state": "California", "status": "pending"}
    silent = event({**MINIMAL, "type": "track", "event": "Signed Up", "properties": properties})
    agreed = event(
        {**MINIMAL, "type": "track", "event": "Signed Up", "properties": properties | {"consent": {"email": True}}}
    )

    assert silent.consent == ()
    assert agreed.consent == (grant("email"),)


def test_a_call_whose_time_is_null_or_empty_says_none_and_is_not_of_1970() -> None:
    for empty in (None, ""):
        call = json.dumps({**MINIMAL, "type": "page", "timestamp": empty}).encode()
        at_its_record, without = DECODER.decode(call, RECORD_MS), DECODER.decode(call, 0)

        assert isinstance(at_its_record, Arrival)
        assert at_its_record.event.timestamp_ms == RECORD_MS
        assert isinstance(without, Problem)
        assert without.reason == "missing_field"


@pytest.mark.parametrize("form", ["perhaps", {"email": "perhaps"}, {"email": {"marketing": []}}, [7], {"state": None}])
def test_consent_is_never_guessed(form: Any) -> None:
    found = decode({**MINIMAL, "type": "identify", "traits": {"consent": form}})

    assert isinstance(found, Problem)
    assert found.reason in {"wrong_type", "missing_field"}
    assert "traits.consent" in found.detail
