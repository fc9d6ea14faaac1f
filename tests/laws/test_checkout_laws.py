"""What a checkout's reminder shows, and when it is due, does not depend on the order in which events arrived."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas import events
from schemas.events import Event
from tests.stories.timeline import DAY, Timeline, product

ARRIVED = 30
"""The minute at which all of a story has arrived."""

products = st.lists(st.sampled_from("ABC"), unique=True, max_size=3).map(lambda ids: tuple(map(product, ids)))
one = st.sampled_from("ABC").map(product)
values = st.none() | st.integers(1, 9_000)
told: st.SearchStrategy[tuple[type[Event], dict[str, Any]]] = st.one_of(
    st.tuples(st.just(events.ProductAdded), st.fixed_dictionaries({"product": one})),
    st.tuples(st.just(events.ProductRemoved), st.fixed_dictionaries({"product": one})),
    st.tuples(st.just(events.CartUpdated), st.fixed_dictionaries({"products": products})),
    *(
        st.tuples(
            st.just(kind),
            st.fixed_dictionaries({"checkout_id": st.just("k1"), "products": products, "value_minor": values}),
        )
        for kind in (events.CheckoutStarted, events.CheckoutStepCompleted)
    ),
)
stories = st.lists(told, min_size=1, max_size=6)


def reminders(story: list[tuple[type[Event], dict[str, Any]]], arrival: Iterable[int]) -> list[tuple[Any, ...]]:
    """What is sent of the checkout where the events of a story, one a minute, arrive in this order."""
    ada = Timeline()
    for place in arrival:
        kind, fields = story[place]
        ada.tell(kind, place, arrives=ARRIVED, message_id=f"event {place}", cart_id="c1", **fields)
    ada.until(2 * DAY)
    sent = ada.sent("checkout.abandoned")
    return [(one.occurrence, one.due_at_ms, one.items, one.value_minor) for one in sent]


@given(stories.flatmap(lambda story: st.tuples(st.just(story), st.permutations(range(len(story))))))
def test_every_order_of_arrival_gives_the_same_reminders(
    played: tuple[list[tuple[type[Event], dict[str, Any]]], list[int]],
) -> None:
    story, arrival = played

    assert reminders(story, arrival) == reminders(story, range(len(story)))
