"""Canonical events: one tagged union, names and fields after Segment's e-commerce spec v2, plus our own additions.

The tag is the field `event`. Every amount is an integer in minor units of the event's `currency` (the shop's currency
where the event names none); every instant is UTC epoch milliseconds. Foreign shapes (Segment's track and identify calls,
numbers as strings ...) become these types in `schemas.adapters`; this module knows only the strict form.

Most events are about a customer. Those of the catalogue, and the command to forget the whole shop, are about the shop
(`ShopEvent`): they name no customer.

Start reading at `Event` (what every event carries), then at the families below it.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from typing_extensions import override

Text = Annotated[str, Meta(max_length=1024)]
Sealed = Annotated[str, Meta(max_length=2048)]
Id = Annotated[str, Meta(min_length=1, max_length=256)]
Quantity = Annotated[int, Meta(ge=0, le=10**9)] | Annotated[float, Meta(ge=0, le=1e9)]
"""Units, whole or (weighed goods) with a fraction; a whole number stays an int."""
Instant = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
"""UTC epoch milliseconds, from 1970 to the end of the year 9999."""
Minor = Annotated[int, Meta(ge=-(10**15), le=10**15)]
"""Integer minor units of a currency; the bound keeps sums of a whole customer life inside 64 bits."""
Currency = Annotated[str, Meta(min_length=3, max_length=3, extra_json_schema={"pattern": "^[A-Z]{3}$"})]
"""Three capital letters. That they are capitals is checked by the decoder: a pattern costs as much as the whole event."""
Small = Annotated[int, Meta(ge=-(2**31), lt=2**31)]
"""A position, a step, a number of results, a stock (below zero where more was sold than there is)."""
Days = Annotated[float, Meta(gt=0, le=3650)]
"""A span of days, at most ten years."""

ConsentState = Literal["GRANT", "DENY", "REVOKED"]
SourceKind = Literal["client", "server"]
"""Whose key an event came in under: a public one in a web page or an app, or one that the shop's servers keep secret."""


class Campaign(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where a visit came from: the utm_* fields."""

    source: Text | None = None
    medium: Text | None = None
    name: Text | None = None
    term: Text | None = None
    content: Text | None = None


class ConsentChange(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One consent decision of a customer for a channel and a purpose.

    `at_ms` is when she decided (the event's own time where absent). `channel` "any" stands for every channel.
    """

    state: ConsentState
    channel: Id = "any"
    purpose: Id = "marketing"
    at_ms: Instant | None = None
    expires_ms: Instant | None = None
    source: Text | None = None
    text_version: Text | None = None


class Product(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A product in an event, or a line of a cart or an order.

    `price_minor` is the list price of one unit. `list_minor`, where given, is the list value of the whole line and wins
    over price x quantity (weighed goods, rounded lines). `discount_minor` is the line's discount in all, not per unit.
    `gift_card`: it is one, so what is paid for it is owed to whoever will redeem it, and no sale.
    """

    product_id: Id
    variant_id: Id | None = None
    sku: Id | None = None
    name: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    variant: Text | None = None
    price_minor: Minor | None = None
    quantity: Quantity = 1
    list_minor: Minor | None = None
    discount_minor: Minor = 0
    cost_minor: Minor | None = None
    coupon: Text | None = None
    url: Annotated[str, Meta(max_length=2048)] | None = None
    image_url: Annotated[str, Meta(max_length=2048)] | None = None
    position: Small | None = None
    occasions: Annotated[tuple[Text, ...], Meta(max_length=16)] = ()
    gift_card: bool = False


Products = Annotated[tuple[Product, ...], Meta(max_length=500)]
"""The products of a list, a cart or an order. A longer one is refused: cut off, it would be wrong money."""


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="event"):
    """What every event carries.

    `timestamp_ms` is when it happened by the sender's word. Where `original_timestamp_ms`, `sent_at_ms` and
    `received_at_ms` are all there they win: event time = received - (sent - original). `source` names the sender and is
    the namespace of `message_id` in de-duplication. `source_kind` is set by the collector, never by a sender; events that
    were written to a topic directly have none and count as a server's, since who may write there is trusted.

    `sealed_email`, `sealed_phone` and `sealed_ids` (by type) are the encrypted texts of addresses that were replaced by tokens,
    where an installation protects contact data. Regulars alone writes them.

    `cart_token` is the shop system's secret name of a cart. It is the weakest identifier: it tells whose an event is only
    where nothing else does, for a cart that names no visitor.
    """

    message_id: Id
    timestamp_ms: Instant
    received_at_ms: Instant | None = None
    sent_at_ms: Instant | None = None
    original_timestamp_ms: Instant | None = None
    user_id: Id | None = None
    email: Id | None = None
    phone: Id | None = None
    sealed_email: Sealed | None = None
    sealed_phone: Sealed | None = None
    sealed_ids: Annotated[dict[Text, Sealed], Meta(max_length=8)] | None = None
    loyalty_id: Id | None = None
    anonymous_id: Id | None = None
    cart_token: Id | None = None
    source: Text = ""
    source_kind: SourceKind | None = None
    channel: Text = ""
    timezone: Text | None = None
    locale: Text | None = None
    country: Text | None = None
    campaign: Campaign | None = None
    referrer: Annotated[str, Meta(max_length=2048)] | None = None
    consent: Annotated[tuple[ConsentChange, ...], Meta(max_length=64)] = ()
    imported: bool = False


# --- identity -----------------------------------------------------------------------------------------------------


class Identified(Event, frozen=True, kw_only=True, tag="Identified"):
    """An identify call: traits of a customer; `traits` is free-form JSON of at most 64 keys."""

    traits: dict[str, Any] = {}
    push_token: Id | None = None


class Aliased(Event, frozen=True, kw_only=True, tag="Aliased"):
    """An alias call: `previous_id` (an anonymous id, or an earlier user id) belongs to this customer."""

    previous_id: Id


class Grouped(Event, frozen=True, kw_only=True, tag="Grouped"):
    """A group call: the customer belongs to a company."""

    group_id: Id
    traits: dict[str, Any] = {}


class SignedUp(Event, frozen=True, kw_only=True, tag="Signed Up"):
    """A customer opened an account."""


class ConsentChanged(Event, frozen=True, kw_only=True, tag="Consent Changed"):
    """A consent decision of its own, carried in `consent`."""


# --- clickstream --------------------------------------------------------------------------------------------------


class PageViewed(Event, frozen=True, kw_only=True, tag="Page Viewed"):
    """A page or screen call."""

    name: Text | None = None
    url: Annotated[str, Meta(max_length=2048)] | None = None


class ProductsSearched(Event, frozen=True, kw_only=True, tag="Products Searched"):
    """A search in the shop; `results` is the number of hits where the shop sends it."""

    query: Text
    results: Small | None = None


class ListEvent(Event, frozen=True, kw_only=True):
    """A list of products was shown."""

    list_id: Id | None = None
    category: Text | None = None
    products: Products = ()


class ProductListViewed(ListEvent, frozen=True, kw_only=True, tag="Product List Viewed"):
    """A category or result list was shown."""


class ProductListFiltered(ListEvent, frozen=True, kw_only=True, tag="Product List Filtered"):
    """A list was narrowed down or sorted."""


class PromotionEvent(Event, frozen=True, kw_only=True):
    """A banner or promotion inside the shop."""

    promotion_id: Id | None = None
    creative: Text | None = None
    name: Text | None = None
    position: Text | None = None


class PromotionViewed(PromotionEvent, frozen=True, kw_only=True, tag="Promotion Viewed"):
    """A promotion was shown."""


class PromotionClicked(PromotionEvent, frozen=True, kw_only=True, tag="Promotion Clicked"):
    """A promotion was clicked."""


class ProductEvent(Event, frozen=True, kw_only=True):
    """Something was done with one product."""

    product: Product
    currency: Currency | None = None


class ProductClicked(ProductEvent, frozen=True, kw_only=True, tag="Product Clicked"):
    """A product was clicked in a list."""


class ProductViewed(ProductEvent, frozen=True, kw_only=True, tag="Product Viewed"):
    """A product page was viewed."""


class ProductShared(ProductEvent, frozen=True, kw_only=True, tag="Product Shared"):
    """A product was shared."""

    share_via: Text | None = None


class WishlistEvent(ProductEvent, frozen=True, kw_only=True):
    """Something was done with a wishlist."""

    wishlist_id: Id | None = None
    wishlist_name: Text | None = None


class ProductAddedToWishlist(WishlistEvent, frozen=True, kw_only=True, tag="Product Added to Wishlist"):
    """A product was put on a wishlist."""


class ProductRemovedFromWishlist(WishlistEvent, frozen=True, kw_only=True, tag="Product Removed from Wishlist"):
    """A product was taken off a wishlist."""


class WishlistProductAddedToCart(WishlistEvent, frozen=True, kw_only=True, tag="Wishlist Product Added to Cart"):
    """A product went from a wishlist into a cart; the cart is changed as by Product Added."""

    cart_id: Id | None = None


class StockAlertSubscribed(ProductEvent, frozen=True, kw_only=True, tag="Stock Alert Subscribed"):
    """The customer wants to hear when the product is there again."""

    subscription_id: Id | None = None


class CouponEvent(Event, frozen=True, kw_only=True):
    """Something happened to a coupon in a cart or an order."""

    coupon_id: Id | None = None
    order_id: Id | None = None
    cart_id: Id | None = None
    discount_minor: Minor | None = None
    currency: Currency | None = None
    reason: Text | None = None


class CouponEntered(CouponEvent, frozen=True, kw_only=True, tag="Coupon Entered"):
    """A coupon code was typed in."""


class CouponApplied(CouponEvent, frozen=True, kw_only=True, tag="Coupon Applied"):
    """A coupon was accepted."""


class CouponDenied(CouponEvent, frozen=True, kw_only=True, tag="Coupon Denied"):
    """A coupon was refused."""


class CouponRemoved(CouponEvent, frozen=True, kw_only=True, tag="Coupon Removed"):
    """A coupon was taken off again."""


class CouponIssued(CouponEvent, frozen=True, kw_only=True, tag="Coupon Issued"):
    """The shop gave this customer a coupon."""

    expires_ms: Instant | None = None


class CouponUsed(CouponEvent, frozen=True, kw_only=True, tag="Coupon Used"):
    """A coupon was spent on an order, and is no longer of use."""


# --- carts --------------------------------------------------------------------------------------------------------


class CartProductEvent(ProductEvent, frozen=True, kw_only=True):
    """One product of a cart changed. A sender without cart ids leaves `cart_id` out: the customer then has one cart."""

    cart_id: Id | None = None


class ProductAdded(CartProductEvent, frozen=True, kw_only=True, tag="Product Added"):
    """`product.quantity` units were put into the cart."""


class ProductRemoved(CartProductEvent, frozen=True, kw_only=True, tag="Product Removed"):
    """`product.quantity` units were taken out of the cart."""


class CartProductsEvent(Event, frozen=True, kw_only=True):
    """A whole cart was shown or sent."""

    cart_id: Id | None = None
    products: Products = ()
    currency: Currency | None = None
    url: Annotated[str, Meta(max_length=2048)] | None = None


class CartViewed(CartProductsEvent, frozen=True, kw_only=True, tag="Cart Viewed"):
    """The cart was looked at; it changes nothing in it."""


class CartUpdated(CartProductsEvent, frozen=True, kw_only=True, tag="Cart Updated"):
    """A snapshot: the cart now holds exactly `products`, of which the first 200 are kept."""


class CartShared(CartProductsEvent, frozen=True, kw_only=True, tag="Cart Shared"):
    """The cart was shared."""

    share_via: Text | None = None


class CheckoutEvent(Event, frozen=True, kw_only=True):
    """A step of a checkout. Its id is `checkout_id`, or `order_id` where there is none."""

    checkout_id: Id | None = None
    order_id: Id | None = None
    cart_id: Id | None = None
    step: Small | None = None
    products: Products = ()
    value_minor: Minor | None = None
    currency: Currency | None = None
    url: Annotated[str, Meta(max_length=2048)] | None = None


class CheckoutStarted(CheckoutEvent, frozen=True, kw_only=True, tag="Checkout Started"):
    """A checkout began."""


class CheckoutStepViewed(CheckoutEvent, frozen=True, kw_only=True, tag="Checkout Step Viewed"):
    """A step of the checkout was shown."""


class CheckoutStepCompleted(CheckoutEvent, frozen=True, kw_only=True, tag="Checkout Step Completed"):
    """A step of the checkout was done."""


class PaymentInfoEntered(CheckoutEvent, frozen=True, kw_only=True, tag="Payment Info Entered"):
    """Payment details were entered."""


class PaymentFailed(CheckoutEvent, frozen=True, kw_only=True, tag="Payment Failed"):
    """A payment was refused."""

    reason: Text | None = None


# --- orders -------------------------------------------------------------------------------------------------------


class OrderEvent(Event, frozen=True, kw_only=True):
    """Something happened to an order."""

    order_id: Id
    currency: Currency | None = None


class OrderStateEvent(OrderEvent, frozen=True, kw_only=True):
    """The state of an order as its sender knew it at `updated_at_ms` (the event's own time where absent).

    `revenue_minor` is after discounts, without shipping and tax; `subtotal_minor` after discounts, before shipping and
    tax; `total_minor` with both. `shipping_minor` is what the customer paid for shipping. `shipping_cost_minor` and
    `payment_fee_minor` are what it cost the shop, where it knows.
    """

    updated_at_ms: Instant | None = None
    checkout_id: Id | None = None
    cart_id: Id | None = None
    affiliation: Text | None = None
    revenue_minor: Minor | None = None
    subtotal_minor: Minor | None = None
    total_minor: Minor | None = None
    shipping_minor: Minor | None = None
    tax_minor: Minor | None = None
    discount_minor: Minor | None = None
    shipping_cost_minor: Minor | None = None
    payment_fee_minor: Minor | None = None
    coupon: Text | None = None
    products: Products = ()
    test: bool = False


class OrderCompleted(OrderStateEvent, frozen=True, kw_only=True, tag="Order Completed"):
    """An order was placed."""


class OrderUpdated(OrderStateEvent, frozen=True, kw_only=True, tag="Order Updated"):
    """An order was changed."""


class OrderCancelled(OrderStateEvent, frozen=True, kw_only=True, tag="Order Cancelled"):
    """An order was cancelled as a whole; from then on it contributes nothing."""

    reason: Text | None = None


class OrderRefunded(OrderEvent, frozen=True, kw_only=True, tag="Order Refunded"):
    """Money went back. Without an amount the products' values less their discounts count, without those the rest of the order.

    `refund_id` defaults to the message id. Refunded units count as restocked unless `restocked` is false. With
    `amount_with_tax` the amount is all that went back, tax and shipping too, and the order's goods have their share of it.
    """

    refund_id: Id | None = None
    amount_minor: Minor | None = None
    amount_with_tax: bool = False
    products: Products = ()
    restocked: bool = True
    return_shipping_minor: Minor = 0
    restocking_fee_minor: Minor = 0
    reason: Text | None = None


class OrderReturned(OrderEvent, frozen=True, kw_only=True, tag="Order Returned"):
    """Goods came back; money moves only with Order Refunded."""

    products: Products = ()


class OrderFulfilled(OrderEvent, frozen=True, kw_only=True, tag="Order Fulfilled"):
    """The order left the shop."""

    products: Products = ()


class OrderDelivered(OrderEvent, frozen=True, kw_only=True, tag="Order Delivered"):
    """The order reached the customer."""

    products: Products = ()


class SubscriptionEvent(Event, frozen=True, kw_only=True):
    """A product subscription changed."""

    subscription_id: Id
    products: Products = ()


class SubscriptionStarted(SubscriptionEvent, frozen=True, kw_only=True, tag="Subscription Started"):
    """A product subscription began."""


class SubscriptionRenewed(SubscriptionEvent, frozen=True, kw_only=True, tag="Subscription Renewed"):
    """A product subscription went on."""


class SubscriptionCancelled(SubscriptionEvent, frozen=True, kw_only=True, tag="Subscription Cancelled"):
    """A product subscription ended."""


# --- feedback and messages ----------------------------------------------------------------------------------------


class NpsSubmitted(Event, frozen=True, kw_only=True, tag="NPS Submitted"):
    """An answer to "how likely are you to recommend us", 0 to 10.

    One that names an order is about that order, any other about the shop as a whole; these are counted apart. The same
    `survey_id` (and order) again is a correction. `asked_at_ms` is when the survey was sent.
    """

    score: Annotated[int, Meta(ge=0, le=10)]
    survey_id: Id | None = None
    order_id: Id | None = None
    asked_at_ms: Instant | None = None
    comment: Annotated[str, Meta(max_length=8192)] | None = None


class CaseUpdated(Event, frozen=True, kw_only=True, tag="Case Updated"):
    """A step in the handling of a low score. `case_id` is the one that the trigger nps.detractor told.

    `owner` is who has it in hand. `contacted` means that somebody reached the customer, `verified` that she is content.
    """

    case_id: Id
    state: Literal["assigned", "contacted", "resolved", "verified"]
    owner: Text | None = None


class ProductReviewed(Event, frozen=True, kw_only=True, tag="Product Reviewed"):
    """A product was rated."""

    product_id: Id
    review_id: Id | None = None
    rating: float | None = None
    review_body: Annotated[str, Meta(max_length=8192)] | None = None


class TicketEvent(Event, frozen=True, kw_only=True):
    """A customer asked the shop's service for something. `topic` is the shop's own word for it ("delivery", "damage")."""

    ticket_id: Id
    topic: Text | None = None
    order_id: Id | None = None
    product_id: Id | None = None
    ticket_channel: Text | None = None


class TicketOpened(TicketEvent, frozen=True, kw_only=True, tag="Ticket Opened"):
    """A ticket was opened: from here on she has an open complaint."""


class TicketUpdated(TicketEvent, frozen=True, kw_only=True, tag="Ticket Updated"):
    """A ticket was changed or answered, and is still open; one that was resolved is open again."""


class TicketResolved(TicketEvent, frozen=True, kw_only=True, tag="Ticket Resolved"):
    """A ticket was closed. `satisfaction` is how content she was with it, on the shop's own scale."""

    satisfaction: float | None = None


class MessageEvent(Event, frozen=True, kw_only=True):
    """A messaging system tells what became of a message. `trigger_id` is the one it was sent for."""

    trigger_id: Id | None = None
    campaign_id: Id | None = None
    message_channel: Id = "email"
    reason: Text | None = None


class MessageSent(MessageEvent, frozen=True, kw_only=True, tag="Message Sent"):
    """A message left the messaging system."""


class MessageFailed(MessageEvent, frozen=True, kw_only=True, tag="Message Failed"):
    """A message could not be sent."""


class MessageDelivered(MessageEvent, frozen=True, kw_only=True, tag="Message Delivered"):
    """A message arrived."""


class MessageOpened(MessageEvent, frozen=True, kw_only=True, tag="Message Opened"):
    """A message was opened."""


class MessageClicked(MessageEvent, frozen=True, kw_only=True, tag="Message Clicked"):
    """A link in a message was clicked."""


class MessageBounced(MessageEvent, frozen=True, kw_only=True, tag="Message Bounced"):
    """A message came back. A hard bounce is for good (no such address), a soft one may pass (mailbox full)."""

    bounce: Literal["hard", "soft"] | None = None


class MessageMarkedAsSpam(MessageEvent, frozen=True, kw_only=True, tag="Message Marked as Spam"):
    """The customer called a message spam: consent for its channel is revoked."""


class Unsubscribed(MessageEvent, frozen=True, kw_only=True, tag="Unsubscribed"):
    """The customer unsubscribed: consent for the message's channel is revoked."""


# --- the shop -----------------------------------------------------------------------------------------------------


class ShopEvent(Event, frozen=True, kw_only=True):
    """It is about the shop and names no customer: identifiers of a customer are refused on it."""

    @property
    def subject(self) -> str | None:
        """What it is about, by whose hash it finds its partition; None where it does not say."""
        return None


class CatalogueEvent(ShopEvent, frozen=True, kw_only=True):
    """Something is true of a product, or of one variant of it, from now on.

    At least one of `product_id`, `variant_id`, `sku` and `inventory_item_id` names it. Without `product_id` the first of the
    others says what it is about, and a Product Updated that names both has to come before.
    """

    product_id: Id | None = None
    variant_id: Id | None = None
    sku: Id | None = None
    inventory_item_id: Id | None = None

    @property
    @override
    def subject(self) -> str | None:
        return self.product_id or self.variant_id or self.sku or self.inventory_item_id


Fact = Literal[
    "category",
    "brand",
    "cost_minor",
    "supply_days",
    "group",
    "complementary",
    "substitutes",
    "contents",
    "occasions",
    "name",
    "url",
    "image_url",
]
"""What Product Updated can take back of a product."""


class ProductUpdated(CatalogueEvent, frozen=True, kw_only=True, tag="Product Updated"):
    """Facts of a product; those left out stay as they were, those named in `unset` are known no more.

    `price_minor` and `cost_minor` are of one unit. `supply_days` is how long one unit lasts (replenishable goods), `group`
    the products that stand in for each other, `substitutes` such products one by one, `complementary` what goes with it.
    `contents` are ids of what there is to tell about it (use tips, care, recipes), `occasions` what it is bought for.
    """

    name: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    variant: Text | None = None
    url: Annotated[str, Meta(max_length=2048)] | None = None
    image_url: Annotated[str, Meta(max_length=2048)] | None = None
    price_minor: Minor | None = None
    cost_minor: Minor | None = None
    currency: Currency | None = None
    available: Small | None = None
    supply_days: Days | None = None
    group: Text | None = None
    complementary: Annotated[tuple[Id, ...], Meta(max_length=64)] = ()
    substitutes: Annotated[tuple[Id, ...], Meta(max_length=64)] = ()
    contents: Annotated[tuple[Text, ...], Meta(max_length=16)] = ()
    occasions: Annotated[tuple[Text, ...], Meta(max_length=16)] = ()
    unset: Annotated[tuple[Fact, ...], Meta(max_length=16)] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where a fact is told and taken back at once."""
        both = [name for name in self.unset if getattr(self, name) not in (None, ())]
        if both:
            raise ValueError(
                f"`unset` names {', '.join(both)}, and the event gives a value for it: leave one of them out"
            )


class ProductPriceChanged(CatalogueEvent, frozen=True, kw_only=True, tag="Product Price Changed"):
    """The list price of one unit is now `price_minor`; `previous_price_minor` is what it was, where the sender knows."""

    price_minor: Minor
    previous_price_minor: Minor | None = None
    currency: Currency | None = None


class ProductStockChanged(CatalogueEvent, frozen=True, kw_only=True, tag="Product Stock Changed"):
    """`available` units can be sold now: at `location_id`, or in all where none is named."""

    available: Small
    previous_available: Small | None = None
    location_id: Id | None = None


class ProductBackInStock(CatalogueEvent, frozen=True, kw_only=True, tag="Product Back In Stock"):
    """The product can be bought again. For senders that know the moment; others send Product Stock Changed."""

    available: Small | None = None
    location_id: Id | None = None


# --- commands -----------------------------------------------------------------------------------------------------


class CommandEvent(Event, frozen=True, kw_only=True):
    """Something is to be done about the customer whom the identifiers name; each of them counts.

    `request_id` is the request's number where it was made; `requested_at_ms` is when (the event's own time where absent).
    `order_ids` are orders the request names: the receipt says how many of them were hers. `passed_on` is set by Regulars
    alone, where one home of the customer passes the command on to the next: by what she is known there, as "type:value".
    """

    request_id: Id
    requested_at_ms: Instant | None = None
    order_ids: Annotated[tuple[Id, ...], Meta(max_length=500)] = ()
    reason: Text | None = None
    passed_on: Annotated[tuple[Text, ...], Meta(max_length=1000)] = ()


class SuppressCustomer(CommandEvent, frozen=True, kw_only=True, tag="Suppress Customer"):
    """Collect nothing more about her and send nothing; what is known stays until it is erased."""


class UnsuppressCustomer(CommandEvent, frozen=True, kw_only=True, tag="Unsuppress Customer"):
    """Take a suppression back."""


class EraseCustomer(CommandEvent, frozen=True, kw_only=True, tag="Erase Customer"):
    """Erase everything that is known about her."""


class ExportCustomer(CommandEvent, frozen=True, kw_only=True, tag="Export Customer"):
    """Hand out everything that is known about her."""


class AnonymiseCustomer(CommandEvent, frozen=True, kw_only=True, tag="Anonymise Customer"):
    """Keep the shop's figures and erase who she is."""


class SplitProfile(CommandEvent, frozen=True, kw_only=True, tag="Split Profile"):
    """Take an identifier out of the profile of the customer named: they were united by mistake. `identifier` is "type:value" in
    its normal form; what came with it goes back to it.
    """

    identifier: Text


class EraseShop(ShopEvent, frozen=True, kw_only=True, tag="Erase Shop"):
    """The shop has left its platform: everything about all of its customers is to be erased. `shop_id` is its domain.

    No worker does that, for it would erase its own topics: the receipt of the request says what the operator has to run.
    """

    request_id: Id
    shop_id: Id
    requested_at_ms: Instant | None = None

    @property
    @override
    def subject(self) -> str | None:
        return self.request_id


CommandName = Literal["suppress", "unsuppress", "erase", "export", "anonymise", "split", "erase_shop"]


class CommandAnswered(ShopEvent, frozen=True, kw_only=True, tag="Command Answered"):
    """One home of a customer has carried a command out. Regulars writes it to itself; a receipt is made of these answers.

    `home` stands for the answering home without naming it, `passed_on` for those the command was passed on to; the answer
    of the home that the request itself came to is `first`. `counts` are things done, by store. `refused` says why nothing was
    done, where that is so.
    """

    request_id: Id
    command: CommandName
    home: Id
    first: bool = False
    passed_on: Annotated[tuple[Id, ...], Meta(max_length=1000)] = ()
    counts: dict[str, Small] = {}
    refused: Id | None = None

    @property
    @override
    def subject(self) -> str | None:
        return self.request_id


AnyEvent = (
    Identified
    | Aliased
    | Grouped
    | SignedUp
    | ConsentChanged
    | PageViewed
    | ProductsSearched
    | ProductListViewed
    | ProductListFiltered
    | PromotionViewed
    | PromotionClicked
    | ProductClicked
    | ProductViewed
    | ProductShared
    | ProductAddedToWishlist
    | ProductRemovedFromWishlist
    | WishlistProductAddedToCart
    | StockAlertSubscribed
    | CouponEntered
    | CouponApplied
    | CouponDenied
    | CouponRemoved
    | CouponIssued
    | CouponUsed
    | ProductAdded
    | ProductRemoved
    | CartViewed
    | CartUpdated
    | CartShared
    | CheckoutStarted
    | CheckoutStepViewed
    | CheckoutStepCompleted
    | PaymentInfoEntered
    | PaymentFailed
    | OrderCompleted
    | OrderUpdated
    | OrderCancelled
    | OrderRefunded
    | OrderReturned
    | OrderFulfilled
    | OrderDelivered
    | SubscriptionStarted
    | SubscriptionRenewed
    | SubscriptionCancelled
    | NpsSubmitted
    | CaseUpdated
    | ProductReviewed
    | TicketOpened
    | TicketUpdated
    | TicketResolved
    | MessageSent
    | MessageFailed
    | MessageDelivered
    | MessageOpened
    | MessageClicked
    | MessageBounced
    | MessageMarkedAsSpam
    | Unsubscribed
    | ProductUpdated
    | ProductPriceChanged
    | ProductStockChanged
    | ProductBackInStock
    | SuppressCustomer
    | UnsuppressCustomer
    | EraseCustomer
    | ExportCustomer
    | AnonymiseCustomer
    | SplitProfile
    | EraseShop
    | CommandAnswered
)
"""Every canonical event. A new one is a class above and a line here."""

ANONYMOUS = "~anonymous"
"""Profile id that stands, in each partition, for the orders that name no customer."""

SHOP = "~shop"
"""Stands in the place of a customer where an event is about the shop. There is no such profile."""

ID_TYPES = ("user_id", "email", "phone", "loyalty_id", "anonymous_id", "cart_token")
"""Identifier types, strongest first. The strongest one of an event is its home identifier."""


class Arrival(Struct, frozen=True, gc=False):
    """An event as it reached us: what happened, when, and whose it is.

    `time_ms` is the corrected event time, `received_ms` when a server of the shop received it. `customer` is the profile
    id, "type:value" of the strongest identifier, `ANONYMOUS` for an order that names nobody, or `SHOP` for what is about
    the shop. `home` is the text whose murmur2 hash gives the home partition: the identifier's value, the order id of an
    anonymous order, the product of a catalogue event. `others` are the event's further identifiers, (type, value) from
    strong to weak; an alias call's earlier id is among them as ("alias", value). `came_with` is the identifier that led to
    `customer` by a redirect, "" where the event names her own.
    """

    event: Event
    time_ms: int
    received_ms: int
    customer: str
    home: str
    others: tuple[tuple[str, str], ...] = ()
    came_with: str = ""
