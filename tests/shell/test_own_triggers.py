"""A trigger that fails on one customer's data: left out of that, told by name, and nobody else's matter."""

import logging
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from msgspec import convert
from msgspec.structs import replace
from typing_extensions import override

from profiles import carts
from profiles.book import Book
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.engine import Engine
from profiles.episodes import plan
from profiles.goods_state import GoodChange
from profiles.rules import TriggerRule
from profiles.state import Episode, Watch
from profiles.triggers import BUILT_IN, CART_ABANDONED
from profiles.turn import Turn
from schemas.events import Arrival, EraseCustomer, ProductAdded, ProductPriceChanged, SuppressCustomer
from schemas.outputs import Decision
from streams.engine_errors import EngineErrors
from streams.explanations import decided, life, shops_clock
from streams.faults import NO_FAULTS
from streams.table import Refused
from tests.shell.world import EAGER, MINUTE_MS, START_MS, World, added, ordered, run

NO_OBJECTS = "Encoding objects of type object is unsupported"


class NoteRule(TriggerRule, frozen=True, kw_only=True):
    trigger: ClassVar[str] = "shop.note"


class Note(TriggerDefinition[NoteRule]):
    """A minute after something was put into bob's cart."""

    name = "shop.note"
    rule_type = NoteRule
    listens = frozenset({ProductAdded})
    data: ClassVar[Any] = None
    delay_ms: ClassVar[int] = MINUTE_MS

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        if turn.profile.id == "user_id:bob":
            self.note(turn, arrival)

    def note(self, turn: Turn, arrival: Arrival) -> None:
        at_ms, anchor = arrival.time_ms, arrival.event.message_id
        plan(turn, self, turn.profile.id, anchor, at_ms, at_ms + self.delay_ms, data=self.data)


class RaisesWhenTold(Note):
    @override
    def note(self, turn: Turn, arrival: Arrival) -> None:
        raise KeyError(f"a trait of {turn.profile.id}")


class RaisesWhenAsked(Note):
    @override
    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        raise KeyError(f"a trait of {turn.profile.id}")


class KeepsAnObject(Note):
    data: ClassVar[Any] = {"seen": object()}
    delay_ms: ClassVar[int] = 300 * MINUTE_MS


class PlansForHalfAMillisecond(Note):
    @override
    def note(self, turn: Turn, arrival: Arrival) -> None:
        due_ms: Any = arrival.time_ms + 1.5 * MINUTE_MS
        plan(turn, self, turn.profile.id, arrival.event.message_id, arrival.time_ms, due_ms)


class TellsAnObject(Note):
    @override
    def content(self, turn: Turn, episode: Episode) -> Content:
        return Content(details={"seen": object()})


class TellsNothing(Note):
    @override
    def content(self, turn: Turn, episode: Episode) -> Content:
        nothing: Any = None
        return nothing  # type: ignore[no-any-return] # as an author without a type checker may


class NeverRests(Note):
    @override
    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        plan(turn, self, episode.key, "again", episode.due_ms, episode.due_ms)


class WakesAtHalfAMillisecond(Note):
    @override
    def note(self, turn: Turn, arrival: Arrival) -> None:
        turn.profile.wakes["shop.note|later"] = arrival.time_ms + self.delay_ms + 0.5  # type: ignore[assignment]


class WakesMuchLaterAtHalfAMillisecond(WakesAtHalfAMillisecond):
    delay_ms: ClassVar[int] = 300 * MINUTE_MS


class RaisesWhenWoken(Note):
    @override
    def note(self, turn: Turn, arrival: Arrival) -> None:
        turn.profile.wakes["shop.note|later"] = arrival.time_ms + MINUTE_MS

    @override
    def on_wake(self, turn: Turn, what: str) -> None:
        raise KeyError(f"a trait of {turn.profile.id}")


class AnswersANumber(Note):
    @override
    def recheck(self, turn: Turn, episode: Episode) -> str | None:
        return 7  # type: ignore[return-value] # as an author without a type checker may


class PlansAnewForHalfAMillisecond(Note):
    @override
    def due_again(self, turn: Turn, episode: Episode) -> int | None:
        return episode.due_ms + 0.5  # type: ignore[return-value] # the same


class RaisesAtTheEnd(Note):
    @override
    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        raise KeyError(f"a trait of {turn.profile.id}")


class RaisesForTheFirst(Note):
    """Waits for each event by itself."""

    @override
    def note(self, turn: Turn, arrival: Arrival) -> None:
        at_ms, anchor = arrival.time_ms, arrival.event.message_id
        plan(turn, self, f"{turn.profile.id}|{anchor}", anchor, at_ms, at_ms + self.delay_ms)

    @override
    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        if episode.anchor == "m1":
            raise KeyError("the first")
        return None


class FailsOnOrders(Note):
    @override
    def on_order(self, turn: Turn, told: OrderTold) -> None:
        turn.profile.wakes["shop.note|later"] = turn.time_ms + MINUTE_MS
        raise ZeroDivisionError


class SecondRule(TriggerRule, frozen=True, kw_only=True):
    trigger: ClassVar[str] = "shop.second"


class Second(KeepsAnObject):
    name = "shop.second"
    rule_type = SecondRule  # type: ignore[assignment] # of a class of its own


class AsksOfGoods(Note):
    listens = frozenset()

    @override
    def wakes(self, book: Book, change: GoodChange) -> bool:
        raise KeyError("a product that is new")

    @override
    def on_good(self, turn: Turn, change: GoodChange, watch: Watch, place: int) -> None:
        """Never told."""


def shop_with(*own: Note) -> World:
    """Three customers who put tea into their carts within three minutes; the clock then goes on beyond their reminders."""
    made = World(engine=Engine(EAGER, (*BUILT_IN, *own)))
    made.send(added("ada", 0, "m1"), added("bob", 1, "m2"), added("cid", 2, "m3"), added("dee", 100, "m4"))
    return made


def reminded(made: World) -> list[str]:
    return sorted(one["customer"]["id"] for one in made.values("triggers") if one["name"] == "cart.abandoned")


def test_an_own_trigger_in_order_goes_out_beside_the_others() -> None:
    made = shop_with(Note())
    run(made.all_done())

    assert [one["customer"]["id"] for one in made.values("triggers") if one["name"] == "shop.note"] == ["user_id:bob"]
    assert reminded(made) == ["user_id:ada", "user_id:bob", "user_id:cid"]


WHEN_TOLD = [
    (RaisesWhenTold(), "KeyError in shop.note.on_event"),
    (PlansForHalfAMillisecond(), "TypeError in shop.note.on_event"),
    (KeepsAnObject(), f"shop.note: its episode can't be stored: {NO_OBJECTS}"),
    (
        WakesAtHalfAMillisecond(),
        f"shop.note: its timer 'later' can't be stored: {START_MS + 2 * MINUTE_MS}.5 is no int, in milliseconds",
    ),
    (
        WakesMuchLaterAtHalfAMillisecond(),
        f"shop.note: its timer 'later' can't be stored: {START_MS + 301 * MINUTE_MS}.5 is no int, in milliseconds",
    ),
]
WHEN_DUE = [
    (RaisesWhenAsked(), "KeyError in shop.note.check"),
    (AnswersANumber(), "shop.note.recheck answers int, and not None or the reason why not"),
    (TellsAnObject(), f"shop.note: what it says in a trigger can't be published: {NO_OBJECTS}"),
    (TellsNothing(), "shop.note.content answers NoneType, and not a Content"),
    (NeverRests(), "shop.note plans again and again what just fired"),
    (RaisesWhenWoken(), "KeyError in shop.note.on_wake"),
]


def failed(made: World, name: str = "shop.note") -> list[tuple[str, str]]:
    """What it is said to have failed on, and of what."""
    decisions = made.values("decisions")
    return [(one["episode_key"], one["reason"]) for one in decisions if (one["name"], one["state"]) == (name, "failed")]


@pytest.mark.parametrize("own, said", WHEN_TOLD, ids=lambda one: type(one).__name__)
def test_it_is_left_out_of_the_event_it_fails_on_and_nothing_else_is(own: Note, said: str) -> None:
    made = shop_with(own)
    run(made.all_done())
    bob = made.profile("user_id:bob")

    assert made.values("rejected") == []
    assert reminded(made) == ["user_id:ada", "user_id:bob", "user_id:cid"]
    assert failed(made) == [("m2", said)]
    assert bob is not None
    assert [(kept.key, kept.reason) for kept in bob.last_decisions() if kept.state == "failed"] == [("m2", said)]
    assert not any(episode.name == "shop.note" for episode in bob.episodes.values())
    assert not any(wake.startswith("shop.note") for wake in bob.wakes)


@pytest.mark.parametrize("own, said", WHEN_DUE, ids=lambda one: type(one).__name__)
def test_it_loses_the_timer_it_fails_on_and_nobody_else_does(own: Note, said: str) -> None:
    made = shop_with(own)
    run(made.all_done())
    bob = made.profile("user_id:bob")

    assert reminded(made) == ["user_id:ada", "user_id:bob", "user_id:cid"]
    assert failed(made) == [("later" if isinstance(own, RaisesWhenWoken) else "user_id:bob", said)]
    assert bob is not None
    assert bob.next_due_ms() is None or bob.next_due_ms() > START_MS + 100 * MINUTE_MS  # type: ignore[operator]
    assert not any(episode.name == "shop.note" for episode in bob.episodes.values())


@pytest.mark.parametrize("own, said", [*WHEN_TOLD, *WHEN_DUE], ids=lambda one: type(one).__name__)
def test_the_log_names_trigger_and_place_and_nothing_of_the_customer(
    own: Note, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    made = shop_with(own)
    run(made.all_done())
    by = "an event" if (own, said) in WHEN_TOLD else "a timer"

    (message,) = caplog.messages
    assert message.startswith(f"{said}, by {by}; shop.note is left out of it; at ")
    assert "a trait of user_id:bob" not in caplog.text  # words of an exception may be of the customer
    assert sum(batch.failed.get("shop.note", 0) for batch in made.told.batches) == 1


def test_why_it_did_not_come_is_explained() -> None:
    told, asked = shop_with(RaisesWhenTold()), shop_with(RaisesWhenAsked())
    run(told.all_done())
    run(asked.all_done())
    one, other = told.profile("user_id:bob"), asked.profile("user_id:bob")
    lived = [convert(one, Decision) for one in asked.values("decisions") if one["name"] == "shop.note"]

    assert one is not None
    assert other is not None
    assert list(decided(one, ZoneInfo("UTC"), "shop.note")) == [
        "2026-03-02 00:01:00 UTC: shop.note about m2 failed and was left out: KeyError in shop.note.on_event."
    ]
    assert list(decided(other, ZoneInfo("UTC"), "shop.note")) == [
        "2026-03-02 00:01:00 UTC: shop.note about user_id:bob was planned.",
        "2026-03-02 00:02:00 UTC: shop.note about user_id:bob failed and was left out: KeyError in shop.note.check.",
    ]
    assert life(lived, shops_clock("UTC"))[-1] == "She did not get it. KeyError in shop.note.check."


def test_two_that_fail_on_the_same_event_are_both_left_out() -> None:
    made = shop_with(RaisesWhenTold(), Second())
    run(made.all_done())

    assert failed(made) == [("m2", "KeyError in shop.note.on_event")]
    assert failed(made, "shop.second") == [("m2", "shop.second: its episode can't be stored: " + NO_OBJECTS)]
    assert reminded(made) == ["user_id:ada", "user_id:bob", "user_id:cid"]


def test_it_loses_one_timer_of_several_that_are_due_at_once() -> None:
    made = World(engine=Engine(EAGER, (*BUILT_IN, RaisesForTheFirst())))
    made.send(added("bob", 0, "m1"), added("bob", 1, "m2"), added("dee", 100, "m3"))
    run(made.all_done())

    assert failed(made) == [("user_id:bob|m1", "KeyError in shop.note.check")]
    assert [one["episode_key"] for one in made.values("triggers") if one["name"] == "shop.note"] == ["user_id:bob|m2"]


def test_the_money_of_an_order_counts_whatever_a_trigger_makes_of_it() -> None:
    made = World(engine=Engine(EAGER, (*BUILT_IN, FailsOnOrders())))
    made.send(ordered("bob", 0, "o1"), ordered("bob", 0, "o1"), ordered("bob", 1, "o2"))
    run(made.all_done())
    bob = made.profile("user_id:bob")

    assert bob is not None
    assert (bob.orders.count, bob.ltv.net) == (2, 2000)
    assert [key for key, _ in failed(made)] == ["m-o1", "m-o2"]  # what is told again is nothing new
    assert made.values("rejected") == []


def test_a_suppression_is_obeyed_whatever_a_trigger_makes_of_the_end() -> None:
    made = World(engine=Engine(EAGER, (*BUILT_IN, RaisesAtTheEnd())))
    made.send(added("bob", 0, "m1"))
    made.send(SuppressCustomer(message_id="s1", timestamp_ms=START_MS + 1, user_id="bob", request_id="r1"))
    run(made.all_done())
    bob = made.profile("user_id:bob")

    assert bob is not None
    assert bob.suppressed
    assert not bob.episodes
    assert failed(made) == [("user_id:bob", "KeyError in shop.note.ended")]


def test_of_who_was_erased_in_the_same_batch_nothing_is_told() -> None:
    made = World(engine=Engine(EAGER, (*BUILT_IN, RaisesWhenTold())))
    made.send(added("bob", 0, "m1"), added("bob", 1, "m2"))
    made.send(EraseCustomer(message_id="e1", timestamp_ms=START_MS + 2 * MINUTE_MS, user_id="bob", request_id="r1"))
    run(made.all_done())

    assert made.profile("user_id:bob") is None
    assert failed(made) == []
    assert sum(batch.failed.get("shop.note", 0) for batch in made.told.batches) == 2


def test_what_can_not_be_planned_anew_by_new_rules_stays_as_it_was() -> None:
    own = PlansAnewForHalfAMillisecond()
    made = World(engine=Engine(EAGER, (*BUILT_IN, own)))
    made.send(added("bob", 0, "m1"))
    run(made.take_up(Engine(replace(EAGER, rules=replace(EAGER.rules, version="next")), (*BUILT_IN, own)), NO_FAULTS))
    bob = made.profile("user_id:bob")

    assert bob is not None
    assert bob.episodes["shop.note|user_id:bob"].due_ms == START_MS + MINUTE_MS
    assert (
        bob.last_decisions()[-1].reason == "shop.note.due_again answers float, and not None or whole milliseconds (int)"
    )


def test_a_price_of_which_it_can_not_say_whom_it_concerns_is_taken_all_the_same() -> None:
    made = World(engine=Engine(EAGER, (*BUILT_IN, AsksOfGoods())))
    price = ProductPriceChanged(
        message_id="p1", timestamp_ms=START_MS + 3 * MINUTE_MS, product_id="tea", price_minor=10, currency="USD"
    )
    made.send(added("ada", 0, "m1"), price, added("ada", 4, "m2"))
    run(made.all_done())

    assert made.values("rejected") == []
    assert made.told.batches[-1].failed or any(batch.failed for batch in made.told.batches)
    assert (made.offset("carts"), made.offset("catalogue")) == (2, 1)


def test_one_that_always_fails_stops_nobody() -> None:
    made = World(engine=Engine(EAGER, (*BUILT_IN, RaisesWhenTold())))
    made.send(*(added("bob", n, f"m{n}") for n in range(200)))
    run(made.all_done())
    bob = made.profile("user_id:bob")

    assert bob is not None
    assert bob.activity.events == 200
    assert sum(batch.failed["shop.note"] for batch in made.told.batches if batch.failed) == 200


def test_a_fault_of_the_engine_itself_sets_the_record_aside_and_many_stop_the_partition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(carts, "apply_cart_event", broken)
    few = shop_with()
    run(few.all_done())
    assert [(one["reason"], one["detail"]) for one in few.values("rejected")] == [("engine_error", "KeyError")] * 4

    many = shop_with()
    many.send(*(added("bob", 200 + n, f"n{n}") for n in range(200)))
    with pytest.raises(EngineErrors, match="last with KeyError"):
        run(many.all_done())


def test_a_built_in_trigger_that_fails_is_left_out_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def on_cart(self: object, *_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(type(CART_ABANDONED), "on_cart", on_cart)
    made = shop_with(Note())
    run(made.all_done())

    assert made.values("rejected") == []
    assert [one["customer"]["id"] for one in made.values("triggers") if one["name"] == "shop.note"] == ["user_id:bob"]
    assert {reason for _, reason in failed(made, "cart.abandoned")} == {"KeyError in cart.abandoned.on_cart"}


def test_a_stored_profile_that_is_damaged_is_named() -> None:
    made = shop_with()
    run(made.all_done())
    snapshot = made.table.snapshot()
    profiles = snapshot.partitions[0].profiles
    profiles["user_id:dee"] = profiles["user_id:dee"].replace(b'"due_ms":', b'"due_ms":0.5,"was":')
    made.table.restore(snapshot)
    made.send(added("dee", 101, "m5"))

    with pytest.raises(Refused, match=r"the profile user_id:dee \(partition 0\) can't be read.*regulars rebuild"):
        run(made.all_done())
