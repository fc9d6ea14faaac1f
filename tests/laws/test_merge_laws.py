"""Laws of merging: two profiles united are the profile that would have been built from both histories at once.

A random history is dealt out to two profiles event by event; some events come to both. Both are folded by the engine,
merged, and held against the fold of the whole history.
"""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from profiles import browsing, order_stats
from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.engine import Engine
from profiles.merge import merge
from profiles.order_state import Ledger, decode_entry
from profiles.profile import Profile, decode_profile
from profiles.rates import build_rates
from profiles.state import Moment, encode
from schemas import events
from schemas.events import Arrival
from schemas.money import exponent
from tests.laws.histories import START_MS, histories

BOOK = Book(
    catalogue=build_catalogue(
        [
            {"product_id": "A", "supply_days": "10"},
            {"product_id": "B", "supply_days": "20", "group": "g"},
            {"product_id": "C", "supply_days": "40", "group": "g", "cost": "1.50"},
        ]
    ),
    rates=build_rates([{"currency": "EUR", "date": "2026-01-01", "rate": "1.0825"}], "USD", exponent),
)
NOW = Moment(START_MS - 1)
Folded = tuple[Profile, Ledger]


def fold(story: list[Arrival], name: str = "user_id:ada") -> Folded:
    """A profile that saw this history, without timers or triggers: what those did is no part of the laws."""
    profile, ledger, engine = Profile(name), Ledger(complete=True), Engine(BOOK, ())
    for told in story:
        engine.step(profile, told, NOW, ledger, [])
    return profile, ledger


def merged(into: Folded, *others: Folded) -> Folded:
    """A copy of `into` that absorbed the others, one after the other."""
    profile = decode_profile(into[0].pack())
    ledger = Ledger({entry.order_id: decode_entry(encode(entry)) for entry in into[1].all()}, complete=True)
    for other, other_ledger in others:
        merge(profile, ledger, other, other_ledger.all(), BOOK)
    return profile, ledger


def facts(folded: Folded) -> dict[str, Any]:
    """What the laws are about."""
    profile, ledger = folded
    activity = profile.activity
    kept: Any = {
        # Which identifier an order came with is no fact of the order: tests/laws/test_split_laws.py is about that.
        "ledger": {
            entry.order_id: msgspec.structs.replace(entry, came_with="")
            for entry in sorted(ledger.all(), key=lambda entry: entry.order_id)
        },
        "ltv": profile.ltv,
        "by_currency": dict(sorted(profile.by_currency.items())),
        "counts": msgspec.structs.replace(profile.orders, recent=[]),
        "newest": order_stats.newest(profile.orders),
        "supply": {key: supply.purchases for key, supply in sorted(profile.supply.items())},
        "carts": {cart_id: cart_facts(cart) for cart_id, cart in sorted(profile.carts.items())},
        "wishes": dict(sorted(profile.wishes.items())),
        "coupons": dict(sorted(profile.coupons.items())),
        "viewed": [(view.at_ms, view.message_id, view.product_id) for view in profile.browsing.views],
        "described": dict(sorted(browsing.fold(profile.browsing).described.items())),
        "offered": dict(sorted(browsing.fold(profile.browsing).offered.items())),
        "searches": profile.browsing.searches,
        "consent": dict(sorted(profile.consent.items())),
        "first and last": (activity.first_ms, activity.last_ms, activity.first_touch, activity.last_touch),
        "deliveries": dict(sorted(profile.deliveries.items())),
        "said": said(profile),
        "newest messages": {name: at for name, at in sorted(profile.messages.items()) if name.startswith("last_")},
        "milestones": (profile.milestones.signed_up, profile.milestones.granted),
        "remembered": sorted(part[at : at + 11] for part in profile.seen for at in range(0, len(part), 11)),
        "ids": {kind: sorted(values) for kind, values in profile.ids.items()},
        "traits": dict(sorted(profile.traits.items())),
    }
    found: dict[str, Any] = msgspec.to_builtins(kept)
    return found


def said(profile: Profile) -> dict[str, Any]:
    feedback = profile.feedback
    return {
        "surveys": dict(sorted(feedback.surveys.items())),
        "cases": dict(sorted(feedback.cases.items())),
        "tickets": dict(sorted(feedback.tickets.items())),
        "reviews": dict(sorted(feedback.reviews.items())),
    }


def cart_facts(cart: Any) -> dict[str, Any]:
    return {
        "lines": dict(sorted(cart.lines.items())),
        "opened": (cart.opened_ms, cart.opened_by, cart.needs_add),
        "changed": (cart.changed_ms, cart.mutated_ms),
        "ops": cart.ops,
    }


@st.composite
def dealt(draw: st.DrawFn) -> tuple[list[Arrival], list[Arrival], list[Arrival]]:
    """A history of under a day, and two parts that make it up together.

    Checkouts without a cart id take the newest cart of their profile, which a part of the history can't know: they are
    left out.
    """
    whole = [told for told in draw(histories()) if not isinstance(told.event, events.CheckoutEvent)]
    sides = draw(st.lists(st.sampled_from(("left", "right", "both")), min_size=len(whole), max_size=len(whole)))
    left = [told for told, side in zip(whole, sides, strict=True) if side != "right"]
    right = [told for told, side in zip(whole, sides, strict=True) if side != "left"]
    return whole, left, right


@given(dealt())
def test_merging_gives_the_profile_that_saw_both_histories(parts: Any) -> None:
    whole, left, right = parts

    assert facts(fold(whole)) == facts(merged(fold(left), fold(right)))


@given(dealt())
def test_merging_again_changes_nothing(parts: Any) -> None:
    _, left, right = parts
    once = merged(fold(left), fold(right, "anonymous_id:7"))
    twice = merged(once, fold(right, "anonymous_id:7"))

    assert once[0].pack() == twice[0].pack()
    assert once[1].all() == twice[1].all()


@given(dealt())
def test_it_does_not_matter_which_is_merged_into_which(parts: Any) -> None:
    _, left, right = parts

    assert facts(merged(fold(left), fold(right))) == facts(merged(fold(right), fold(left)))


@given(dealt(), st.integers(0, 14))
def test_it_does_not_matter_in_which_order_three_are_merged(parts: Any, cut: int) -> None:
    _, left, right = parts
    one, two, three = fold(left), fold(right[:cut], "anonymous_id:1"), fold(right[cut:], "anonymous_id:2")

    assert facts(merged(one, two, three)) == facts(merged(one, merged(two, three)))


@given(dealt())
def test_a_ledger_that_comes_in_parts_gives_the_same_as_one_that_comes_whole(parts: Any) -> None:
    _, left, right = parts
    other, other_ledger = fold(right, "anonymous_id:7")
    whole = merged(fold(left), (other, other_ledger))
    in_parts = merged(fold(left))
    for entry in other_ledger.all():
        merge(*in_parts, Profile(other.id), [entry], BOOK)
    merge(*in_parts, other, [], BOOK)

    assert facts(whole) == facts(in_parts)
    assert whole[0].activity == in_parts[0].activity


@given(dealt())
def test_what_is_merged_stays_as_it_was_and_is_not_shared(parts: Any) -> None:
    _, left, right = parts
    other = fold(right, "anonymous_id:7")
    before = other[0].pack(), encode(other[1].all())
    profile, ledger = merged(fold(left), other)
    for told in right:
        again = msgspec.structs.replace(
            told, event=msgspec.structs.replace(told.event, message_id=f"x{told.event.message_id}")
        )
        Engine(BOOK).step(profile, again, NOW, ledger, [])

    assert (other[0].pack(), encode(other[1].all())) == before


@given(dealt())
def test_what_is_only_counted_is_added_once(parts: Any) -> None:
    _, left, right = parts
    one, other = fold(left), fold(right, "anonymous_id:7")
    both = merged(one, other, other)[0]

    assert both.activity.events == one[0].activity.events + other[0].activity.events
    assert both.activity.views == one[0].activity.views + other[0].activity.views
    for name, units in both.interests.categories.items():
        assert units == sum(part.interests.categories.get(name, 0) for part in (one[0], other[0]))
