"""The view is the public document read lazily: the same values everywhere, and no part opened that was not asked for."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from msgspec import Raw, Struct
from msgspec.structs import replace

from profiles.changes import CHANGED_BY, changed_by
from profiles.document import document
from profiles.engine import Engine
from profiles.insight.pair_table import Partner
from profiles.kinds import CATALOGUE_EVENTS
from profiles.models import Models
from profiles.order_state import Ledger
from profiles.profile import Profile, decode_profile
from profiles.state import Consent, Memberships, Moment
from profiles.view import ProfileView
from schemas.events import (
    Arrival,
    CheckoutStarted,
    CommandAnswered,
    CommandEvent,
    EraseShop,
    Event,
    OrderCompleted,
    Product,
    ProductAdded,
)
from schemas.profile_document import ProfileDocument
from tests.laws.histories import MINUTE_MS, START_MS, arrival, histories
from tests.laws.test_engine_laws import EAGER

DAY_MIN = 1440
LEARNED = replace(
    EAGER,
    models=Models(
        together={item: [Partner(f"goes with {item}", 30, 2.0, 0.5, 0.4, 100.0)] for item in ("A", "B", "C")}
    ),
)
"""The same shop once it knows what is bought together."""


def spelled_out(kind: type[Struct], view: Any) -> dict[str, Any]:
    """Every field of a struct, read from a view of it."""
    found = {}
    for field in msgspec.structs.fields(kind):
        value = getattr(view, field.name)
        nested = isinstance(field.type, type) and issubclass(field.type, Struct) and not isinstance(value, Struct)
        found[field.name] = spelled_out(field.type, value) if nested else value
    return found


def played(story: list[Arrival]) -> Profile:
    profile, ledger, engine = Profile("user_id:ada"), Ledger(complete=True), Engine(EAGER)
    for told in story:
        engine.fire(profile, Moment(told.time_ms), ledger, [])
        engine.step(profile, told, Moment(told.time_ms), ledger, [])
    return profile


@given(histories(span_minutes=60 * DAY_MIN))
def test_every_field_of_the_view_has_the_value_of_the_document(story: list[Arrival]) -> None:
    profile = played(story)
    profile.memberships.inside_ms["buyers"] = START_MS
    now_ms = START_MS + 70 * DAY_MIN * MINUTE_MS
    shown = {
        field: spelled_out(type(value), value) if isinstance(value, Struct) else value
        for field, value in msgspec.structs.asdict(document(profile, EAGER, now_ms)).items()
    }
    viewed = spelled_out(ProfileDocument, ProfileView(profile, EAGER, now_ms))
    # Maps of the view are read by name; written out they are the document's, in its order.
    viewed["interests"] = {kind: dict(scores) for kind, scores in viewed["interests"].items()}
    viewed["traits"] = dict(viewed["traits"])
    for name in ("sessions", "feedback", "acquisition"):
        viewed[name] = spelled(viewed[name])

    assert viewed == shown
    for kind, scores in viewed["interests"].items():
        assert list(scores) == list(shown["interests"][kind])


def spelled(value: Struct) -> dict[str, Any]:
    return spelled_out(type(value), value)


@given(histories())
def test_looking_at_a_profile_leaves_its_bytes_as_they_are(story: list[Arrival]) -> None:
    profile = decode_profile(played(story).pack())
    before = profile.pack()
    view = ProfileView(profile, EAGER, START_MS + 2000 * MINUTE_MS)
    spelled_out(ProfileDocument, view)

    assert profile.pack() == before


@pytest.mark.parametrize(
    "field, part",
    [
        ("ltv", "_ltv"),
        ("orders", "_orders"),
        ("traits", "_traits"),
        ("consent", "_consent"),
        ("messages", "_messages"),
        ("feedback", "_feedback"),
        ("triggers", "_decisions"),
        ("last_seen_ms", None),
    ],
)
def test_reading_a_field_opens_its_part_and_no_other(field: str, part: str | None) -> None:
    profile = Profile("user_id:ada")
    profile.consent["email.marketing"] = Consent("GRANT", START_MS)  # where there is none, nothing is opened for it
    profile.pack()
    getattr(ProfileView(profile, EAGER, START_MS), field)
    opened = {
        name for name in Profile.__struct_fields__ if name.startswith("_") and type(getattr(profile, name)) is not Raw
    }

    assert opened == ({part} if part else set())


@given(histories(span_minutes=60 * DAY_MIN))
def test_an_event_changes_only_the_fields_it_is_said_to_change(story: list[Arrival]) -> None:
    profile, ledger, engine = Profile("user_id:ada"), Ledger(complete=True), Engine(LEARNED)
    now_ms = START_MS + 70 * DAY_MIN * MINUTE_MS
    before = msgspec.to_builtins(document(profile, LEARNED, now_ms))
    for told in story:
        engine.step(profile, told, Moment(told.time_ms), ledger, [])
        after = msgspec.to_builtins(document(profile, LEARNED, now_ms))
        different = {name for name in after if after[name] != before[name]} - NEVER_READ

        assert different <= changed_by(told.event), f"{type(told.event).__name__} changed {different}"
        before = after


NEVER_READ = {"segments"}
"""The table says what to look at again, and a segment can't ask for segments."""
PRODUCT = Product(product_id="A", category="tea", price_minor=500)
REQUIRED: dict[str, Any] = {
    "product": PRODUCT,
    "order_id": "o9",
    "subscription_id": "s1",
    "previous_id": "anonymous",
    "group_id": "company",
    "query": "tea",
    "score": 9,
    "product_id": "A",
    "ticket_id": "t1",
    "case_id": "s1",
    "state": "contacted",
    "message_channel": "email",
    "products": (PRODUCT,),
    "cart_id": "c9",
    "traits": {"tier": "gold"},
    "category": "tea",
    "rating": 4.0,
    "email": "ada@example.org",
}


# A privacy command is no event of a customer's life: no segment is asked after it.
LIVED = {
    kind
    for kind in set(CHANGED_BY) - {EraseShop} - CATALOGUE_EVENTS
    if not issubclass(kind, CommandEvent | CommandAnswered)
}


@pytest.mark.parametrize("kind", sorted(LIVED, key=str))
def test_no_kind_of_event_changes_more_than_it_is_said_to(kind: type[Event]) -> None:
    fields = {name: value for name, value in REQUIRED.items() if name in kind.__struct_fields__}
    profile, ledger, engine = Profile("user_id:ada"), Ledger(complete=True), Engine(LEARNED)
    openings: tuple[type[Event], ...] = (ProductAdded, CheckoutStarted, OrderCompleted)
    for minute, opening in enumerate(openings):
        given = {name: value for name, value in REQUIRED.items() if name in opening.__struct_fields__}
        engine.step(profile, arrival(opening, minute, f"s{minute}", **given), Moment(START_MS), ledger, [])
    now_ms = START_MS + 9 * MINUTE_MS
    before = msgspec.to_builtins(document(profile, LEARNED, now_ms))
    told = arrival(kind, 5, "m", channel="browser", anonymous_id="visitor", **fields)
    engine.step(profile, told, Moment(told.time_ms), ledger, [])
    after = msgspec.to_builtins(document(profile, LEARNED, now_ms))

    assert {name for name in after if after[name] != before[name]} - NEVER_READ <= changed_by(told.event)


def test_segments_are_shown_by_name() -> None:
    profile = Profile("user_id:ada")
    profile.memberships.inside_ms.update(b=1, a=2)

    assert ProfileView(profile, EAGER, START_MS).segments == ("a", "b")
    assert profile.memberships == Memberships(inside_ms={"b": 1, "a": 2})
