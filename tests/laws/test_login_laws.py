"""Law: it does not matter at which of two names a visitor's events came in, nor when it turned out that both are hers.

The stories are those of the law of arrival, an event a minute, each told under Ada's user id or under her phone's id (or an
address that is hers), in the order of their times. Her login, which names both, comes before all of them, or after any; nothing
is due before the last. Then both come to the same: money, counts, what is in her carts, interests, and what is sent, when, about
what. Not to the same ids of triggers: of a payment that was refused under both names, each may have opened the wait of its own.
Nor to the same as if all had been told under her user id: what comes with a device is part of a visit.
"""

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import (
    ConsentChange,
    ConsentChanged,
    Identified,
    OrderCompleted,
    ProductAddedToWishlist,
    ProductRemovedFromWishlist,
)
from schemas.outputs import Trigger
from tests.core.town import ADA, MAIL, PHONE, START_MS, Town
from tests.laws.test_arrival_laws import OF_CHECKOUT, SHOP, STORIES, Story, Told, told_once
from tests.laws.test_merge_laws import facts
from tests.stories.timeline import product

MINUTE: Final = 1 / (24 * 60)
Lived = tuple[Story, list[str], int]
"""The story, under which name each event was told, and how many were told before the login."""


def lives(*kinds: st.SearchStrategy[Told]) -> st.SearchStrategy[Lived]:
    """Stories in which the login comes after something."""

    def told_by(story: Story) -> st.SearchStrategy[Lived]:
        names = st.sampled_from(((ADA, PHONE), (ADA, MAIL))).flatmap(
            lambda two: st.lists(st.sampled_from(two), min_size=len(story), max_size=len(story))
        )
        return st.tuples(st.just(story), names, st.integers(1, len(story)))

    return st.lists(st.one_of(kinds), min_size=2, max_size=6).map(told_once).flatmap(told_by)


def lived(story: Story, names: list[str], login: int) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """What is known of Ada at the end of the story, and what is sent in the days after it."""
    other = next((name for name in names if name != ADA), PHONE)
    agreed = (ConsentChange(state="GRANT", channel="email"),)
    town = Town(SHOP).tell(ConsentChanged, ADA, day=-1, message_id="consent", consent=agreed).until(-0.5)
    for place, (kind, fields) in enumerate(story):
        if place == login:
            town.tell(Identified, ADA, other, message_id="login")
        town.tell(kind, names[place], day=(place + 0.5) * MINUTE, message_id=f"event {place}", **fields)
    if login == len(story):
        town.tell(Identified, ADA, other, message_id="login")
    known = known_of(town)
    sent = [output for output in town.until(4).out if isinstance(output, Trigger) and output.due_at_ms >= START_MS]
    return known, sorted((one.due_at_ms, one.name, one.occurrence, repr(one.items), one.value_minor) for one in sent)


def known_of(town: Town) -> dict[str, Any]:
    """The facts, of carts what is in them; and what is counted."""
    profile, ledger = town.homes[ADA]
    carts = {cart_id: cart.lines for cart_id, cart in profile.carts.items()}
    activity, interests = msgspec.structs.replace(profile.activity, looking=False), profile.interests
    found: dict[str, Any] = msgspec.to_builtins({"carts": carts, "activity": activity, "interests": interests})
    return facts((profile, ledger)) | found


@pytest.mark.parametrize("of", STORIES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_login_comes_to_the_same_whenever_it_comes(of: str, data: st.DataObject) -> None:
    story, names, login = data.draw(lives(*STORIES[of]))

    assert lived(story, names, login) == lived(story, names, 0)


@pytest.mark.parametrize("heard", [(0, 1, 2), (0, 2, 1)])
@pytest.mark.parametrize("names", [[ADA, PHONE, ADA], [PHONE, ADA, PHONE], [ADA, ADA, PHONE], [PHONE, PHONE, ADA]])
def test_so_it_does_where_an_order_and_the_checkout_it_names_are_told_under_two_names(
    names: list[str], heard: tuple[int, ...]
) -> None:
    story = [OF_CHECKOUT[place] for place in heard]

    assert lived(story, names, 3) == lived(story, names, 0)


A: Final = product("A")
WISHED: Final[Told] = (ProductAddedToWishlist, {"product": A})
BOUGHT: Final[Told] = (OrderCompleted, {"order_id": "o1", "products": (A,)})
NO_MORE: Final[Told] = (ProductRemovedFromWishlist, {"product": A})


@pytest.mark.parametrize(
    "story, names",
    [
        ([WISHED, WISHED, WISHED, WISHED, WISHED, BOUGHT], [ADA, ADA, ADA, ADA, PHONE, ADA]),
        ([WISHED, WISHED, NO_MORE, WISHED], [ADA, ADA, PHONE, ADA]),
        ([WISHED, WISHED, NO_MORE, BOUGHT], [ADA, ADA, PHONE, ADA]),
    ],
    ids=["bought", "taken off the list", "taken off and bought"],
)
def test_so_it_does_where_what_was_wished_for_is_settled_under_the_other_name(story: Story, names: list[str]) -> None:
    assert lived(story, names, len(story)) == lived(story, names, 0)
