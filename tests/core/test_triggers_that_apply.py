"""A trigger that can do nothing under a book is told nothing; what it planned under another one is still decided."""

from msgspec.structs import replace
from typing_extensions import override

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.definition import TriggerDefinition
from profiles.engine import Engine
from profiles.episodes import plan
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.rules import TriggerRule
from profiles.state import Moment
from profiles.turn import Output, Turn
from schemas import events
from schemas.events import Arrival
from schemas.outputs import Decision

NOW = 1_772_442_000_000
WITH_BUNDLES = Book(
    catalogue=build_catalogue({"product_id": product_id, "bundles": "tea set"} for product_id in ("pot", "cup"))
)


class BundleRule(TriggerRule, frozen=True, kw_only=True):
    trigger = "test.bundle"


class OfBundles(TriggerDefinition[BundleRule]):
    name = "test.bundle"
    rule_type = BundleRule
    listens = frozenset({events.ProductViewed})

    @override
    def applies(self, book: Book) -> bool:
        return bool(book.catalogue.bundles)

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        plan(turn, self, "key", turn.cause, turn.time_ms, turn.time_ms + 1_000)


def viewed(book: Book) -> Profile:
    profile = Profile("user_id:ada")
    event = events.ProductViewed(
        message_id="m1", user_id="ada", timestamp_ms=NOW, product=events.Product(product_id="pot")
    )
    Engine(book, [OfBundles()]).step(profile, Arrival(event, NOW, NOW, profile.id, "ada"), Moment(NOW), Ledger(), [])
    return profile


def test_a_trigger_is_told_of_events_where_it_applies() -> None:
    assert list(viewed(WITH_BUNDLES).episodes) == ["test.bundle|key"]


def test_a_trigger_that_does_not_apply_is_told_nothing() -> None:
    assert viewed(Book()).episodes == {}


def test_what_was_planned_while_it_applied_is_decided_afterwards() -> None:
    profile, out = viewed(WITH_BUNDLES), list[Output]()
    Engine(replace(WITH_BUNDLES, catalogue=build_catalogue([])), [OfBundles()]).fire(
        profile, Moment(NOW + 2_000), Ledger(), out
    )

    assert profile.episodes == {}
    assert [type(output) for output in out] == [Decision]
