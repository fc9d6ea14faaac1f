"""The laws of the test kit, held against every built-in trigger, and against some that are made to break them."""

from typing import Any, ClassVar

import pytest
from msgspec.structs import replace
from typing_extensions import override

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.conditions import compile_conditions
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import plan, waiting
from profiles.gift_rules import GiftThresholdRule
from profiles.goods_state import GoodChange
from profiles.profile import Profile
from profiles.rules import DAY_MS, MINUTE_MS, QuietHours, Rules, TriggerRule
from profiles.segments import SegmentChange
from profiles.standing import StandingChange
from profiles.state import Episode, Watch
from profiles.triggers import BUILT_IN
from profiles.turn import Turn
from schemas.events import Arrival, PageViewed
from streams.testing.histories import START_MS
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


class Collector(EveryPage):
    """It notes every page for ever, a few bytes each."""

    most = 1_000_000_000

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        episode = waiting(turn.profile, self, turn.profile.id)
        pages = [] if episode is None else episode.data["pages"]
        data = {"pages": [*pages, len(pages) % 10][-self.most :], "count": self._count(episode) + 1}
        plan(turn, self, turn.profile.id, "pages", START_MS, START_MS + 30_000 * DAY_MS, data=data)

    def _count(self, episode: Episode | None) -> int:
        return 0 if episode is None else episode.data["count"]


class Capped(Collector):
    """It keeps the newest pages, and counts them all."""

    most = 150


class Weekly(Collector):
    """It notes the pages of a week and tells of them then."""

    most = 1000

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        episode = waiting(turn.profile, self, turn.profile.id)
        pages = [] if episode is None else episode.data["pages"]
        data = {"pages": [*pages, arrival.event.message_id[-4:]][-self.most :]}
        opened_ms = arrival.time_ms if episode is None else episode.opened_ms
        anchor = arrival.event.message_id if episode is None else episode.anchor
        plan(turn, self, turn.profile.id, anchor, opened_ms, opened_ms + 7 * DAY_MS, data=data)


class OrderCollector(EveryPage):
    """It notes every order for ever."""

    listens = frozenset()

    @override
    def on_order(self, turn: Turn, told: OrderTold) -> None:
        episode = waiting(turn.profile, self, turn.profile.id)
        orders = {} if episode is None else episode.data
        if told.change.is_new:
            data = {**orders, told.change.entry.order_id: 1}
            plan(turn, self, turn.profile.id, "orders", START_MS, START_MS + 30_000 * DAY_MS, data=data)


class LongName(EveryPage):
    """It keeps what it knows in the name of its timer."""

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        wakes = turn.profile.wakes
        mine = next((wake for wake in wakes if wake.startswith(self.name)), f"{self.name}|")
        wakes.pop(mine, None)
        wakes[f"{mine}x"] = START_MS + 30_000 * DAY_MS


class Meddler(EveryPage):
    """It changes what others know of the customer."""

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        turn.profile.traits["pages"] = (arrival.time_ms, 7)


class Bookkeeper(EveryPage):
    """It changes her money."""

    listens = frozenset()

    @override
    def on_order(self, turn: Turn, told: OrderTold) -> None:
        if told.change.is_new:
            turn.profile.ltv.net += 1


class Reader(EveryPage):
    """It reads much, and changes nothing."""

    listens = frozenset({PageViewed})

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        known = turn.profile
        known.traits.get("birthday"), known.feedback.surveys.get("s"), known.orders.recent[-1:], known.wishes.get("A")
        super().on_event(turn, arrival)


class Wanderer(EveryPage):
    """It says of what waits that it is due at another time than it planned."""

    @override
    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return episode.opened_ms + 6 * MINUTE_MS


class Stumbler(EveryPage):
    """It takes for granted that she has told her birthday."""

    @override
    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        return str(turn.profile.traits["birthday"])


class Mumbler(EveryPage):
    """It says what no message can hold."""

    @override
    def content(self, turn: Turn, episode: Episode) -> Content:
        return Content(details={"of": object()})


class Yes(EveryPage):
    """It answers yes where the reason why not is asked for."""

    @override
    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        answer: Any = True
        return answer  # type: ignore[no-any-return] # as an author without a type checker may


class Repeater(EveryPage):
    """It takes what comes of another name for news."""

    @override
    def on_united(self, turn: Turn, brought: Profile) -> None:
        for page in brought.emitted:
            at_ms = turn.time_ms + 5 * MINUTE_MS
            plan(
                turn, self, f"{turn.profile.id}|{page.key.partition('|')[2]}", page.key.partition("|")[2], at_ms, at_ms
            )


class Owner(EveryPage):
    """It takes for granted that what waits is known under the name it was planned for."""

    @override
    def on_united(self, turn: Turn, brought: Profile) -> None:
        brought.ids["user_id"][0].lower()


class Terse(EveryPage):
    """It gives a reason that nothing explains."""

    @override
    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        return "nope"


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
        (Collector(), "bounded"),
        (OrderCollector(), "bounded"),
        (LongName(), "bounded"),
        (Meddler(), "own"),
        (Bookkeeper(), "own"),
        (Wanderer(), "replan"),
        (Stumbler(), "sound"),
        (Mumbler(), "sound"),
        (Yes(), "sound"),
        (Terse(), "explained"),
        (Repeater(), "split"),
        (Owner(), "sound"),
    ],
    ids=lambda one: one if isinstance(one, str) else type(one).__name__,
)
def test_a_trigger_that_breaks_a_law_is_told_which(breaker: TriggerDefinition[Any], law: str) -> None:
    with pytest.raises(AssertionError, match=f"every.page breaks the law '{law}"):
        check(breaker, triggers=())


@pytest.mark.parametrize("honest", [Capped(), Weekly(), Reader()], ids=lambda one: type(one).__name__)
def test_what_is_in_order_is_taken_for_no_break(honest: TriggerDefinition[Any]) -> None:
    assert check(honest, triggers=(), examples=50).histories == 50


@pytest.mark.parametrize(
    "breaker, said",
    [
        (
            Stumbler(),
            r"every\.page\.check raised KeyError: 'birthday'; on a timer that was due by 20.*lets go of that timer",
        ),
        (Mumbler(), r"every\.page: what it says in a trigger can't be published: Encoding objects of type object"),
        (Yes(), r"every\.page\.check answers bool, and not None or the reason why not; on a timer"),
        (Meddler(), r"without it these are others: traits"),
        (Wanderer(), r"every\.page\|.* from 20.* UTC to 20.* UTC"),
        (Terse(), r"nothing says what is meant by nope"),
        (Collector(), r"it kept at most \d+, then \d+, then \d+, then \d+, then \d+ bytes"),
    ],
    ids=lambda one: "" if isinstance(one, str) else type(one).__name__,
)
def test_a_break_says_what_was_seen(breaker: TriggerDefinition[Any], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check(breaker, triggers=())


def test_a_break_says_in_which_history_it_was() -> None:
    with pytest.raises(AssertionError) as broken:
        check(Stumbler(), triggers=())

    # Hypothesis may add a note of its own.
    (note,) = (note for note in broken.value.__notes__ if note.startswith("In this history:"))
    assert "\n  2026-03-0" in note
    assert "Page Viewed" in note
    assert isinstance(broken.value.__cause__, KeyError)


def test_every_law_says_what_it_asks() -> None:
    assert all(len(statement) > 20 for statement in LAWS.values())
