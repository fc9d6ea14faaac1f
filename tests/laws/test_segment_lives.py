"""Through merges, splits, suppressions and moves to other zones: a customer is in a segment exactly while its condition holds.

Everything goes through the loop of a partition with all triggers; after each event every condition is asked afresh of every
profile that is stored. The conditions read every field of the public document but `segments`.
"""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.conditions import compile_conditions
from profiles.engine import Engine
from profiles.expressions.errors import Failed
from profiles.expressions.scope import Scope
from profiles.insight.pair_table import Partner
from profiles.profile import Profile
from profiles.segments import COALESCE_MS, WAKE
from profiles.view import ProfileView
from schemas import events
from schemas.decode import Decoder
from schemas.events import Campaign, Event
from schemas.profile_document import ProfileDocument
from streams.embedded import Embedded
from tests.laws.histories import one_event
from tests.shell.world import EAGER
from tests.stories.customers import learned
from tests.stories.test_replenishment_learned import learned as fitted

DEFINITIONS = {
    "id": 'profile.id.startsWith("user_id")',
    "addresses": '"email" in profile.ids',
    "devices": "profile.ids.anonymous_id.size() > 1",
    "whole": "size(profile.merging) == 0 && profile.orders.count == 0",
    "traits": 'profile.traits.tier == "gold"',
    "consent": 'profile.consent["email.marketing"] == "GRANT"',
    "first": 'profile.first_seen_ms > ago("1h")',
    "last": 'profile.last_seen_ms < ago("3h")',
    "sessions": "profile.sessions.count >= 2",
    "acquisition": 'profile.acquisition.last_touch == "news"',
    "won_by": 'profile.acquisition.channel == "news"',
    "orders": "profile.orders.count >= 1 && profile.orders.cancelled_count == 0",
    "ltv": "profile.ltv.net_minor > 3000",
    "carts": "profile.carts.exists(c, c.value_minor > 3000)",
    "interests": 'profile.interests.categories["tea"] > 0.9',
    "replenishment": "profile.replenishment.exists(r, r.due_ms / 3600000 % 24 < 12)",
    "recommended": "size(profile.recommended) > 0",
    "wishlist": "size(profile.wishlist) > 0",
    "coupons": "profile.coupons.exists(c, c.used_ms == null)",
    "feedback": "profile.feedback.complains",
    "messages": "profile.messages.opened >= 1",
    "triggers": 'profile.triggers.exists(t, t.state == "cancelled")',
    "predicted": "profile.predicted.net_percentile > 3",
    "viewed": 'views("5h") >= 1',
    "bought": 'orders("9h", category("tea")) >= 1',
    "spent": 'spend_minor("8h") > 2000',
}
CONDITIONS, DEFINED = compile_conditions(EAGER.rules, {name: {"when": when} for name, when in DEFINITIONS.items()})
BOOK = replace(
    EAGER,
    conditions=CONDITIONS,
    segments=DEFINED,
    catalogue=build_catalogue([{"product_id": product, "supply_days": "9"} for product in "AB"]),
    models=replace(
        learned(net_percentiles=tuple(100.0 * number for number in range(99))),
        together={"A": [Partner("lamp", 30, 2.0, 0.5, 0.4, 100.0)]},
    ),
)
ENGINE = Engine(BOOK)
BOOK = ENGINE.book
SEGMENTS = BOOK.segments
FOREVER = build_catalogue([{"product_id": product, "supply_days": "90", "category": "tea"} for product in "ABC"])
SHOPS = [
    Engine(replace(BOOK, catalogue=catalogue, shop_timezone=zone, models=replace(BOOK.models, repurchase=repurchase)))
    for catalogue in (BOOK.catalogue, FOREVER, build_catalogue([]))
    for zone in ("UTC", "Pacific/Auckland")
    for repurchase in (None, fitted(tea=30).models.repurchase)
]
"""The same rules with other catalogues, in another zone, before and after repurchase was learned."""
COMMANDS: tuple[type[events.CommandEvent], ...] = (
    events.SuppressCustomer,
    events.UnsuppressCustomer,
    events.EraseCustomer,
    events.SplitProfile,
)
WHO: tuple[dict[str, str], ...] = (
    {"user_id": "ada"},
    {"user_id": "ada", "anonymous_id": "phone"},
    {"user_id": "ada", "email": "ada@example.org"},
    {"email": "ada@example.org", "anonymous_id": "laptop"},
    {"anonymous_id": "phone"},
    {"anonymous_id": "laptop"},
    {"user_id": "bob", "anonymous_id": "phone"},
)
TAKEN_OUT = ("anonymous_id:phone", "anonymous_id:laptop", "email:ada@example.org")


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """Two users and their devices, who log in and out, travel, and make requests of privacy."""
    found: list[Event] = []
    minutes = draw(st.lists(st.integers(0, 4000), min_size=1, max_size=14, unique=True))
    for number, minute in enumerate(sorted(minutes)):
        told = draw(one_event(minute, f"m{number}")).event
        who = draw(st.sampled_from(WHO))
        if draw(st.integers(0, 9)) == 0:
            kind = draw(st.sampled_from(COMMANDS))
            more: dict[str, Any] = {"request_id": f"r{number}", "user_id": "ada"}
            if kind is events.SplitProfile:
                more["identifier"] = draw(st.sampled_from(TAKEN_OUT))
            found.append(kind(message_id=f"m{number}", timestamp_ms=told.timestamp_ms, **more))
            continue
        ids = {"user_id": None, "email": None, "anonymous_id": None} | who
        zone = draw(st.sampled_from((None, None, "Asia/Tokyo", "America/New_York")))
        campaign = draw(st.sampled_from((None, None, Campaign(source="news"))))
        found.append(replace(told, timezone=zone, campaign=campaign, **ids))
    return found


def by_hand(profile: Profile, at_ms: int, book: Book) -> set[str]:
    """The segments whose condition holds at an instant, asked anew."""
    assert SEGMENTS is not None
    found = set()
    for segment in SEGMENTS.segments:
        try:
            if segment.when.met(Scope(ProfileView(profile, book, at_ms))):
                found.add(segment.key)
        except Failed:
            pass
    return found


def check(profile: Profile, clock_ms: int, book: Book = BOOK) -> None:
    """Hold the segments she is in against their conditions, all but those that changed less than five seconds ago."""
    memberships = profile.memberships
    # Timers have had their say up to right before the clock; an event is looked at by the clock itself.
    now_ms = max(profile.activity.last_ms or 0, clock_ms - 1)
    changed = [*memberships.inside_ms.items(), *memberships.left_ms.items()]
    open_ = {key for key, at_ms in changed if now_ms < at_ms + COALESCE_MS} | set(memberships.held)
    open_ |= by_hand(profile, now_ms, book) ^ by_hand(profile, max(now_ms, clock_ms), book)

    assert set(memberships.inside_ms) - open_ == by_hand(profile, now_ms, book) - open_
    assert profile.wakes.get(WAKE, now_ms + 1) > now_ms


def looked_at(profile: Profile, book: Book = BOOK) -> bool:
    """Whoever wants to be left alone is; and what takes orders that are not at hand waits for the next event."""
    assert book.segments is not None
    return not profile.suppressed and not book.segments.stale(profile)


@settings(max_examples=100)
@given(lives())
def test_through_all_that_happens_she_is_in_a_segment_exactly_while_its_condition_holds(life: list[Event]) -> None:
    with Embedded(ENGINE, Decoder("USD"), on_row=lambda row: None) as shop:
        resting: dict[str, dict[str, int]] = {}

        def check_all() -> None:
            for profile in shop.profiles():
                if looked_at(profile):
                    check(profile, shop.pace.clock_ms)
                inside_ms = profile.memberships.inside_ms
                if not profile.suppressed:
                    resting.pop(profile.id, None)
                else:
                    assert inside_ms == resting.setdefault(profile.id, inside_ms)

        for event in life:
            shop.feed([(msgspec.json.encode(event), event.timestamp_ms)])
            check_all()
        for hours in (1, 5, 30):
            shop.advance_to(life[-1].timestamp_ms + hours * 3_600_000)
            check_all()


@settings(max_examples=25)
@given(lives(), st.data())
def test_in_a_shop_that_starts_with_another_catalogue_or_zone_so_is_everybody_at_once(
    life: list[Event], data: st.DataObject
) -> None:
    engine = ENGINE
    with Embedded(engine, Decoder("USD"), on_row=lambda row: None) as shop:
        for event in life:
            shop.feed([(msgspec.json.encode(event), event.timestamp_ms)])
            if data.draw(st.booleans()):
                engine = data.draw(st.sampled_from(SHOPS))
                shop.use(engine)
                shop.advance_to(shop.pace.clock_ms - 1)
                for profile in shop.profiles():
                    assert profile.suppressed or profile.activity.last_ms is None or looked_at(profile, engine.book)
            for profile in shop.profiles():
                if looked_at(profile, engine.book):
                    check(profile, shop.pace.clock_ms, engine.book)


def test_every_field_of_the_document_is_read_by_one_of_these_segments() -> None:
    assert SEGMENTS is not None
    read = {name.partition(".")[0] for segment in SEGMENTS.segments for name in segment.when.reads}

    assert read >= set(ProfileDocument.__struct_fields__) - {"segments"}
