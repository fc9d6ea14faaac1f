"""What an event leaves in a profile, besides what every event does: one function a kind, and the table of them.

Orders and what happens to carts have ways of their own in the engine. A new event is a function and a line in `HANDLERS`.
"""

from collections.abc import Callable
from typing import Final, cast

from profiles import (
    browsing,
    coupons,
    feedback,
    interests,
    messages,
    subscriptions,
    watches,
    wishes,
)
from profiles.interests import WEIGHTS
from profiles.kinds import ADDING
from profiles.turn import Turn
from schemas import events
from schemas.events import Arrival, Event

Handler = Callable[[Turn, Arrival], None]
_VIEW: Final = WEIGHTS["view"]


def opening(arrival: Arrival) -> tuple[int, str]:
    """An event as the opening of an episode: its time and its message id."""
    return (arrival.time_ms, arrival.event.message_id)


def _price_seen(turn: Turn, product: events.Product, currency: str | None) -> int | None:
    """The price a customer saw, where it can be held against those of the shop."""
    return product.price_minor if currency is None or currency == turn.book.shop_currency else None


def watch_cart(turn: Turn, arrival: Arrival) -> None:
    """What is in a cart is watched, at the price the event shows."""
    event = arrival.event
    if isinstance(event, events.CartProductsEvent):
        for product in watches.shown(event.products):
            watches.see(turn.profile, product, arrival.time_ms, _price_seen(turn, product, event.currency))
    elif type(event) in ADDING:
        added = cast(events.ProductEvent, event)
        watches.see(turn.profile, added.product, arrival.time_ms, _price_seen(turn, added.product, added.currency))


def handlers_of_views(*, browsed: bool, watched: bool) -> dict[type[Event], Handler]:
    """What a look around leaves behind: by far the most events are views, so only what an enabled trigger asks for is kept."""

    def viewed(turn: Turn, arrival: Arrival) -> None:
        product = arrival.event.product  # type: ignore[attr-defined] # it is a view of one
        interests.touch(
            turn.profile.interests, _VIEW, product.category, product.brand, product.occasions, arrival.time_ms
        )
        if browsed:
            browsing.note_view(turn.profile, arrival)
        if watched:
            currency = arrival.event.currency  # type: ignore[attr-defined]
            watches.view(turn.profile, product, arrival.time_ms, _price_seen(turn, product, currency))

    looked_around: dict[type[Event], Handler] = {events.ProductClicked: _clicked, events.ProductsSearched: _searched}
    return {events.ProductViewed: viewed} | (looked_around if browsed else {})


def _clicked(turn: Turn, arrival: Arrival) -> None:
    browsing.note_found(turn.profile, arrival.time_ms)


def _searched(turn: Turn, arrival: Arrival) -> None:
    browsing.note_search(turn.profile, arrival)


def _wished(turn: Turn, arrival: Arrival) -> None:
    event = cast(events.ProductEvent, arrival.event)
    product, at_ms = event.product, arrival.time_ms
    interests.touch(
        turn.profile.interests, WEIGHTS["wishlist"], product.category, product.brand, product.occasions, at_ms
    )
    wishes.apply_wishlist_event(turn.profile, arrival)
    watches.wish(turn.profile, product, at_ms, _price_seen(turn, product, event.currency))


def _unwished(turn: Turn, arrival: Arrival) -> None:
    event = cast(events.ProductEvent, arrival.event)
    wishes.apply_wishlist_event(turn.profile, arrival)
    watches.unwish(turn.profile, event.product, arrival.time_ms)


def _awaits_stock(turn: Turn, arrival: Arrival) -> None:
    event = cast(events.StockAlertSubscribed, arrival.event)
    alert_id = event.subscription_id or event.message_id
    watches.await_stock(turn.profile, event.product, arrival.time_ms, alert_id)


def _coupon(turn: Turn, arrival: Arrival) -> None:
    coupons.apply_coupon_event(turn.profile, arrival)


def _list_interest(turn: Turn, arrival: Arrival) -> None:
    event = cast(events.ListEvent, arrival.event)
    interests.touch(turn.profile.interests, WEIGHTS["list"], event.category, None, (), arrival.time_ms)


def _signed_up(turn: Turn, arrival: Arrival) -> None:
    past = turn.profile.milestones
    if past.signed_up is None or opening(arrival) < past.signed_up:
        past.signed_up = opening(arrival)


def _subscribed(turn: Turn, arrival: Arrival) -> None:
    subscriptions.apply_subscription_event(turn.profile, arrival)


def _answer(turn: Turn, arrival: Arrival) -> None:
    feedback.note_answer(turn.profile, arrival, turn.book)


def _case(turn: Turn, arrival: Arrival) -> None:
    feedback.note_case(turn.profile, arrival)


def _ticket(turn: Turn, arrival: Arrival) -> None:
    feedback.note_ticket(turn.profile, arrival)


def _review(turn: Turn, arrival: Arrival) -> None:
    feedback.note_review(turn.profile, arrival)


def _message(turn: Turn, arrival: Arrival) -> None:
    messages.note_message(turn.profile, arrival)


HANDLERS: Final[dict[type[Event], Handler]] = {
    events.SignedUp: _signed_up,
    events.ProductAddedToWishlist: _wished,
    events.ProductRemovedFromWishlist: _unwished,
    **dict.fromkeys(coupons.EVENTS, _coupon),
    events.StockAlertSubscribed: _awaits_stock,
    events.ProductListViewed: _list_interest,
    events.SubscriptionStarted: _subscribed,
    events.SubscriptionRenewed: _subscribed,
    events.SubscriptionCancelled: _subscribed,
    events.NpsSubmitted: _answer,
    events.CaseUpdated: _case,
    events.ProductReviewed: _review,
    events.TicketOpened: _ticket,
    events.TicketUpdated: _ticket,
    events.TicketResolved: _ticket,
    events.MessageSent: _message,
    events.MessageFailed: _message,
    events.MessageDelivered: _message,
    events.MessageOpened: _message,
    events.MessageClicked: _message,
    events.MessageBounced: _message,
    events.MessageMarkedAsSpam: _message,
    events.Unsubscribed: _message,
}
