"""Which topic an event belongs on.

Producers need it (`regulars feed`, the HTTP collector); a worker does not, since it takes any event from any input
topic. Events of one kind share a topic because their order among themselves matters most: a cart's changes, an order's
versions.
"""

from typing import get_args

from schemas import events as e

TOPIC_OF: dict[type[e.Event], str] = {
    e.Identified: "identities",
    e.Aliased: "identities",
    e.Grouped: "identities",
    e.SignedUp: "identities",
    e.ConsentChanged: "consents",
    e.PageViewed: "clickstream",
    e.ProductsSearched: "clickstream",
    e.ProductListViewed: "clickstream",
    e.ProductListFiltered: "clickstream",
    e.PromotionViewed: "clickstream",
    e.PromotionClicked: "clickstream",
    e.ProductClicked: "clickstream",
    e.ProductViewed: "clickstream",
    e.ProductShared: "clickstream",
    e.ProductAddedToWishlist: "clickstream",
    e.ProductRemovedFromWishlist: "clickstream",
    e.StockAlertSubscribed: "clickstream",
    # It changes the cart as Product Added does, so it must keep its place among the cart's other changes.
    e.WishlistProductAddedToCart: "carts",
    e.ProductAdded: "carts",
    e.ProductRemoved: "carts",
    e.CartViewed: "carts",
    e.CartUpdated: "carts",
    e.CartShared: "carts",
    e.CheckoutStarted: "carts",
    e.CheckoutStepViewed: "carts",
    e.CheckoutStepCompleted: "carts",
    e.PaymentInfoEntered: "carts",
    e.PaymentFailed: "carts",
    e.CouponEntered: "carts",
    e.CouponApplied: "carts",
    e.CouponDenied: "carts",
    e.CouponRemoved: "carts",
    e.CouponIssued: "carts",
    e.CouponUsed: "carts",
    e.OrderCompleted: "orders",
    e.OrderUpdated: "orders",
    e.OrderCancelled: "orders",
    e.OrderRefunded: "orders",
    e.OrderReturned: "orders",
    e.OrderFulfilled: "orders",
    e.OrderDelivered: "orders",
    e.SubscriptionStarted: "orders",
    e.SubscriptionRenewed: "orders",
    e.SubscriptionCancelled: "orders",
    e.NpsSubmitted: "feedback",
    e.CaseUpdated: "feedback",
    e.ProductReviewed: "feedback",
    e.TicketOpened: "feedback",
    e.TicketUpdated: "feedback",
    e.TicketResolved: "feedback",
    e.MessageSent: "messages",
    e.MessageFailed: "messages",
    e.MessageDelivered: "messages",
    e.MessageOpened: "messages",
    e.MessageClicked: "messages",
    e.MessageBounced: "messages",
    e.MessageMarkedAsSpam: "messages",
    e.Unsubscribed: "messages",
    e.ProductUpdated: "catalogue",
    e.ProductPriceChanged: "catalogue",
    e.ProductStockChanged: "catalogue",
    e.ProductBackInStock: "catalogue",
    e.SuppressCustomer: "commands",
    e.UnsuppressCustomer: "commands",
    e.EraseCustomer: "commands",
    e.ExportCustomer: "commands",
    e.AnonymiseCustomer: "commands",
    e.SplitProfile: "commands",
    e.EraseShop: "commands",
    e.CommandAnswered: "commands",
}
"""The topic of every canonical event."""

_missing = set(get_args(e.AnyEvent)) - set(TOPIC_OF)
if _missing:  # a new event without a topic must not wait for its first record to be noticed
    raise TypeError(f"events without a topic: {sorted(kind.__name__ for kind in _missing)}")


def topic_of(event: e.Event) -> str:
    """The logical name of the topic an event belongs on."""
    return TOPIC_OF[type(event)]
