"""The laws of the test kit, held against every built-in trigger, and against some that are made to break them."""

from typing import Any, ClassVar

import pytest
from msgspec.structs import replace
from typing_extensions import override

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.conditions import compile_conditions
from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.episodes import plan
from profiles.gift_rules import GiftThresholdRule
from profiles.goods_state import GoodChange
from profiles.rules import DAY_MS, MINUTE_MS, QuietHours, Rules, TriggerRule
from profiles.segments import SegmentChange
from profiles.standing import StandingChange
from profiles.state import Episode, Watch
from profiles.triggers import BUILT_IN
from profiles.turn import Turn
from schemas.events import Arrival, PageViewed
from streams.testing.laws import LAWS, check

SHOP = Book(
    rules=Rules.of(GiftThresholdRule(threshold_minor=5000), quiet_hours=QuietHours(enabled=False)),
    catalogue=build_catalogue([{"product_id": "A", "supply_days": "10"}]),
)

OFTEN = frozenset(
    {
        "anniversary",
        "birthday",
        "cart.abandoned",
        "checkout.abandoned",
        "next.order.coupon",
        "payment.failed",
        "replenishment.due",
        "second.order.welcome",
        "welcome",
        "wishlist.reminder",
    }
)
"""Those that go out again and again in the histories of a check; others need more to come together. What never goes out
obeys every law, so these show that the laws have something to look at."""
EXAMPLES = {"next.order.coupon": 100}
"""Those of which the usual number of histories may hold none that brings them."""


@pytest.mark.parametrize("trigger", BUILT_IN, ids=lambda trigger: trigger.name)
def test_a_built_in_trigger_obeys_the_laws(trigger: TriggerDefinition[Any]) -> None:
    seen = check(trigger, book=SHOP, examples=EXAMPLES.get(trigger.name, 25))

    assert seen.emitted > 0 or trigger.name not in OFTEN


class EveryPageRule(TriggerRule, frozen=True, kw_only=True):
    """A page was viewed."""

    trigger: ClassVar[str] = "every.page"


class EveryPage(TriggerDefinition[EveryPageRule]):
    """A trigger in order: once a page, five minutes later."""

    name = "every.page"
    rule_type = EveryPageRule
    listens = frozenset({PageViewed})

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        key = f"{turn.profile.id}|{arrival.event.message_id}"
        plan(turn, self, key, arrival.event.message_id, arrival.time_ms, arrival.time_ms + 5 * MINUTE_MS)


class Forgetful(EveryPage):
    """It sends the same episode again and again."""

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        plan(turn, self, turn.profile.id, "the same", arrival.time_ms, arrival.time_ms)


class Keeper(EveryPage):
    """It keeps something in itself instead of in the profile."""

    told = 0

    @override
    def content(self, turn: Turn, episode: Episode) -> Content:
        self.told += 1
        return Content(details={"told": self.told})


class Hoarder(EveryPage):
    """It fills the profile."""

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        key = f"{turn.profile.id}|{arrival.event.message_id}"
        data = {"page": "x" * 40_000}
        plan(turn, self, key, arrival.event.message_id, arrival.time_ms, arrival.time_ms + 9000 * DAY_MS, data=data)


class Waiter(EveryPage):
    """It waits for something after each page, for years."""

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        turn.profile.wakes[f"{self.name}|{arrival.event.message_id}"] = arrival.time_ms + 9000 * DAY_MS


class EveryGood(EveryPage):
    """It hears of products she watches."""

    listens = frozenset()

    @override
    def wakes(self, book: Book, change: GoodChange) -> bool:
        return True

    @override
    def on_good(self, turn: Turn, change: GoodChange, watch: Watch, place: int) -> None:
        plan(turn, self, f"{turn.profile.id}|{change.key}", change.message_id, change.time_ms, change.time_ms)


class EverySegment(EveryPage):
    """It hears of segments."""

    listens = frozenset()

    @override
    def on_segment(self, turn: Turn, change: SegmentChange) -> None:
        plan(turn, self, f"{turn.profile.id}|{change.segment}", str(change.at_ms), change.at_ms, change.at_ms)


class EveryLook(EveryPage):
    """It hears of where she stands."""

    listens = frozenset()

    @override
    def on_standing(self, turn: Turn, change: StandingChange) -> None:
        plan(turn, self, turn.profile.id, str(change.at_ms), change.at_ms, change.at_ms)


class InMemory(EveryPage):
    """It remembers on the profile object what is not stored with it."""

    @override
    def content(self, turn: Turn, episode: Episode) -> Content:
        return Content(details={"same_object": id(turn.profile) == episode.data.get("object")})

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        key = f"{turn.profile.id}|{arrival.event.message_id}"
        due_ms = arrival.time_ms + 5 * MINUTE_MS
        plan(turn, self, key, key, arrival.time_ms, due_ms, data={"object": id(turn.profile)})


def test_a_trigger_in_order_is_seen_to_go_out() -> None:
    assert check(EveryPage(), triggers=()).emitted > 10


@pytest.mark.parametrize("hearer", [EveryGood(), EverySegment(), EveryLook()], ids=lambda one: type(one).__name__)
def test_what_a_trigger_hears_of_is_part_of_the_histories(hearer: TriggerDefinition[Any]) -> None:
    conditions, segments = compile_conditions(SHOP.rules, {"buyers": {"when": "profile.orders.count >= 1"}})

    assert check(hearer, triggers=(), book=replace(SHOP, conditions=conditions, segments=segments)).emitted > 0


@pytest.mark.parametrize(
    "breaker, law",
    [
        (Forgetful(), "once"),
        (Keeper(), "deterministic"),
        (Hoarder(), "bounded"),
        (Waiter(), "bounded"),
        (InMemory(), "halves"),
    ],
)
def test_a_trigger_that_breaks_a_law_is_told_which(breaker: TriggerDefinition[Any], law: str) -> None:
    with pytest.raises(AssertionError, match=f"every.page breaks the law '{law}"):
        check(breaker, triggers=())


def test_every_law_says_what_it_asks() -> None:
    assert all(len(statement) > 20 for statement in LAWS.values())
