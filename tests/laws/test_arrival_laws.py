"""Law: what is sent does not depend on the order in which events arrive, as long as all of them come before anything is due.

But for three things, none of which is here. How long a look at a product lasted is told by what came after it, if it is heard of
after it too. What happened between two times at which an order was told of is ended for good if the later one is heard of first.
What a snapshot shows of a cart counts as an interest once more where what put it in is heard of after that.
"""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.rules import DAY_MS
from profiles.visit_rules import BrowseAbandonedRule
from schemas import events
from schemas.events import Event
from tests.stories.timeline import DAY, Timeline, product, shop

ARRIVED = 30
"""The minute at which all of a story has arrived."""
SHOP = shop(BrowseAbandonedRule(long_view_ms=DAY_MS))

Told = tuple[type[Event], dict[str, Any]]
Story = list[Told]

products = st.lists(st.sampled_from("ABC"), unique=True, max_size=3).map(lambda ids: tuple(map(product, ids)))
one = st.sampled_from("ABC").map(product)
values = st.none() | st.integers(1, 9_000)
carts = st.sampled_from(("c1", "c1", "c2"))
checkouts = st.sampled_from(("k1", "k2"))


def telling(kind: type[Event], **fields: Any) -> st.SearchStrategy[Told]:
    """Events of a kind; its fields are strategies, or the same in all."""
    drawn = {name: field if isinstance(field, st.SearchStrategy) else st.just(field) for name, field in fields.items()}
    return st.tuples(st.just(kind), st.fixed_dictionaries(drawn))


IN_CART = (
    telling(events.ProductAdded, cart_id=carts, product=one),
    telling(events.ProductRemoved, cart_id=carts, product=one),
    telling(events.CartUpdated, cart_id=carts, products=products),
    telling(events.CartViewed, cart_id=carts),
)
IN_CHECKOUT = tuple(
    telling(kind, checkout_id=checkouts, cart_id="c1", products=products, value_minor=values)
    for kind in (events.CheckoutStarted, events.CheckoutStepCompleted)
)
ORDER_IDS = st.sampled_from(("o1", "o2"))
ORDERS = (
    telling(events.OrderCompleted, order_id=ORDER_IDS, products=products, cart_id=st.sampled_from((None, "c1", "c2"))),
    telling(events.OrderCompleted, order_id=ORDER_IDS, products=products, cart_id="c1", checkout_id=checkouts),
)
OF_CHECKOUTS = (telling(events.OrderCompleted, order_id=ORDER_IDS, products=products, checkout_id=checkouts),)
WISHES = (
    telling(events.ProductAddedToWishlist, product=one),
    telling(events.ProductRemovedFromWishlist, product=one),
    telling(events.WishlistProductAddedToCart, product=one, cart_id=carts),
)
VIEWS = (telling(events.ProductViewed, product=one, channel="browser"),)
SEARCHES = (
    telling(
        events.ProductsSearched,
        query=st.sampled_from(("tea", "green tea")),
        results=st.sampled_from((None, 0, 7)),
        channel="browser",
    ),
)
REFUSALS = (telling(events.PaymentFailed, checkout_id=checkouts, reason=st.sampled_from(("declined", "expired"))),)
PARCELS = (
    telling(events.OrderCompleted, order_id=ORDER_IDS, products=products),
    telling(events.OrderCancelled, order_id=ORDER_IDS),
    telling(events.OrderDelivered, order_id=ORDER_IDS),
    telling(events.OrderRefunded, order_id=ORDER_IDS, refund_id=st.sampled_from(("r1", "r2")), amount_minor=values),
    telling(events.OrderReturned, order_id=ORDER_IDS, products=products),
)

STORIES = {
    "carts and checkouts": (*IN_CART, *IN_CHECKOUT, *ORDERS),
    "orders of checkouts": (IN_CART[0], *IN_CHECKOUT, *OF_CHECKOUTS),
    "wishes": (*WISHES, *IN_CART, *ORDERS),
    "views and searches": (*VIEWS, *SEARCHES, *IN_CART, *ORDERS),
    "refused payments": (*REFUSALS, *IN_CHECKOUT, *ORDERS),
    "parcels": PARCELS,
}

OF_CHECKOUT: Story = [
    (events.ProductAdded, {"cart_id": "c2", "product": product("A")}),
    (events.CheckoutStarted, {"checkout_id": "k1", "cart_id": "c1", "products": (product("A"),)}),
    (events.OrderCompleted, {"order_id": "o1", "checkout_id": "k1", "products": (product("A"),)}),
]
"""What was left in one cart is not bought by the order of a checkout of the other."""


def told_once(story: Story) -> Story:
    """The story without what would contradict itself: a checkout begins before its steps, and an order is placed once."""
    begun: set[str] = set()
    found: Story = []
    for kind, fields in story:
        named = fields.get("order_id") or fields.get("checkout_id")
        if kind not in (events.CheckoutStarted, events.OrderCompleted) or named not in begun:
            found.append((kind, fields))
        if named is not None and kind is not events.PaymentFailed:
            begun.add(named)
    return found


def arrivals(*kinds: st.SearchStrategy[Told]) -> st.SearchStrategy[tuple[Story, list[int]]]:
    """Stories, with the places of their events in the order in which they arrive."""
    stories = st.lists(st.one_of(kinds), min_size=2, max_size=6).map(told_once)
    return stories.flatmap(lambda story: st.tuples(st.just(story), st.permutations(range(len(story)))))


def sent(story: Story, arrival: Iterable[int]) -> list[tuple[Any, ...]]:
    """What is sent where the events of a story arrive in this order."""
    ada = told(story, arrival)
    return sorted((one.due_at_ms, one.name, one.occurrence, repr(one.items), one.value_minor) for one in ada.triggers)


def told(story: Story, arrival: Iterable[int]) -> Timeline:
    """A customer of whom a story's events, one a minute, arrive in this order."""
    ada = Timeline(SHOP)
    for place in arrival:
        kind, fields = story[place]
        ada.tell(kind, place, arrives=ARRIVED, message_id=f"event {place}", **fields)
    return ada.until(4 * DAY)


@pytest.mark.parametrize("of", STORIES)
@given(data=st.data())
@settings(max_examples=60)
def test_every_order_of_arrival_brings_the_same(of: str, data: st.DataObject) -> None:
    story, arrival = data.draw(arrivals(*STORIES[of]))

    assert sent(story, arrival) == sent(story, range(len(story)))


def doubled(story: Story) -> Story:
    """The story with each order told twice, one right after the other."""
    return [told for one in story for told in ([one, one] if one[0] is events.OrderCompleted else [one])]


@pytest.mark.parametrize("of", STORIES)
@given(data=st.data())
@settings(max_examples=30)
def test_so_it_does_where_the_browser_and_the_shop_both_tell_of_an_order_at_times_of_their_own(
    of: str, data: st.DataObject
) -> None:
    """Nothing happens between the two: what does is ended for good by an order that is heard of at the later time first."""
    story = doubled(data.draw(arrivals(*STORIES[of]))[0])
    arrival = data.draw(st.permutations(range(len(story))))

    assert sent(story, arrival) == sent(story, range(len(story)))


TEA = product("A", category="tea")
OF_TEA = (
    telling(events.ProductViewed, product=TEA),
    telling(events.ProductAdded, product=TEA, cart_id="c1"),
    telling(events.ProductAddedToWishlist, product=TEA),
)


@given(data=st.data())
@settings(max_examples=60)
def test_an_interest_has_the_same_id_whichever_event_of_it_arrives_first(data: st.DataObject) -> None:
    story, arrival = data.draw(arrivals(*OF_TEA))

    assert interests(story, arrival) == interests(story, range(len(story)))


def interests(story: Story, arrival: Iterable[int]) -> list[str]:
    """The triggers of an interest that are sent where the events of a story arrive in this order."""
    ada = told(story, arrival)
    return [one.trigger_id for one in ada.triggers if one.name == "category.interest"]


def test_so_it_does_where_the_own_products_of_a_checkout_are_removed() -> None:
    added: Told = (events.ProductAdded, {"cart_id": "c1", "product": product("A")})
    removed: Told = (events.ProductRemoved, {"cart_id": "c1", "product": product("A")})
    begun: Told = (events.CheckoutStarted, {"checkout_id": "k1", "cart_id": "c1", "products": (product("A"),)})
    story = [added, added, begun, removed]

    assert sent(story, [0, 3, 2, 1]) == sent(story, range(4)) != []


def test_so_it_does_where_an_order_that_names_a_checkout_is_heard_of_before_it() -> None:
    in_time = sent(OF_CHECKOUT, range(3))

    assert [name for _, name, *_ in in_time] == ["cart.abandoned", "second.order.welcome"]
    assert sent(OF_CHECKOUT, [0, 2, 1]) == sent(OF_CHECKOUT, [2, 1, 0]) == in_time


def test_so_it_does_where_a_cart_was_filled_again_after_the_order_that_ended_its_checkout() -> None:
    begun: Told = (events.CheckoutStarted, {"checkout_id": "k1", "cart_id": "c1"})
    ordered: Told = (events.OrderCompleted, {"order_id": "o1", "cart_id": "c1"})
    added: Told = (events.ProductAdded, {"cart_id": "c1", "product": product("A")})
    story = [begun, ordered, added]
    in_time = sent(story, range(3))

    assert [name for _, name, *_ in in_time] == ["cart.abandoned", "second.order.welcome"]
    assert sent(story, [2, 0, 1]) == in_time


@pytest.mark.parametrize("named", [{}, {"checkout_id": "k1"}])
def test_so_it_does_where_the_first_of_two_orders_after_a_checkout_is_heard_of_last(named: dict[str, Any]) -> None:
    begun: Told = (events.CheckoutStarted, {"checkout_id": "k1", "cart_id": "c1"})
    ended: Told = (events.OrderCompleted, {"order_id": "o1", **named})
    added: Told = (events.ProductAdded, {"cart_id": "c1", "product": product("A")})
    story: Story = [begun, ended, added, (events.OrderCompleted, {"order_id": "o2", "checkout_id": "k2"})]
    in_time = sent(story, range(4))

    assert [name for _, name, *_ in in_time] == ["cart.abandoned", "second.order.welcome"]
    assert sent(story, [0, 2, 3, 1]) == in_time


def test_so_it_does_where_the_order_that_emptied_the_cart_of_a_later_checkout_is_heard_of_after_that() -> None:
    left, filled, ordered = (
        (events.ProductAdded, {"cart_id": "c2", "product": product("A")}),
        (events.ProductAdded, {"cart_id": "c1", "product": product("A")}),
        (events.OrderCompleted, {"order_id": "o1", "cart_id": "c1"}),
    )
    story: Story = [left, filled, ordered, (events.CheckoutStarted, {"checkout_id": "k1", "cart_id": "c1"})]
    in_time = sent(story, range(4))

    assert [name for _, name, *_ in in_time] == ["cart.abandoned", "second.order.welcome"]
    assert sent(story, [0, 1, 3, 2]) == in_time


def test_so_it_does_where_it_is_heard_later_that_a_snapshot_had_what_was_taken_out_since() -> None:
    viewed: Told = (events.ProductViewed, {"product": product("A"), "channel": "browser"})
    shown: Told = (events.CartUpdated, {"cart_id": "c1", "products": (product("A"),)})
    removed: Told = (events.ProductRemoved, {"cart_id": "c1", "product": product("A")})
    story = [viewed, viewed, viewed, shown, removed]

    assert sent(story, [4, 0, 1, 2, 3]) == sent(story, range(5)) == []


def test_so_it_does_where_a_search_before_an_order_is_heard_of_last() -> None:
    searched: Told = (events.ProductsSearched, {"query": "tea", "channel": "browser"})
    ordered: Told = (events.OrderCompleted, {"order_id": "o1", "products": ()})
    story = [searched, ordered, searched]

    assert sent(story, [1, 2, 0]) == sent(story, range(3))
