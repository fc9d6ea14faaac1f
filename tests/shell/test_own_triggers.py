"""A company's own trigger that fails on one customer's data: told by name, and nobody else's matter."""

import logging
from typing import Any, ClassVar

import pytest
from typing_extensions import override

from profiles.book import Book
from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.engine import Engine
from profiles.episodes import plan
from profiles.goods_state import GoodChange
from profiles.rules import TriggerRule
from profiles.state import Episode, Watch
from profiles.triggers import BUILT_IN
from profiles.turn import Turn
from schemas.events import Arrival, ProductAdded, ProductPriceChanged
from streams.engine_errors import EngineErrors
from streams.table import Refused
from tests.shell.world import EAGER, MINUTE_MS, START_MS, World, added, run

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


@pytest.mark.parametrize(
    "own, detail",
    [
        (RaisesWhenTold(), "KeyError in shop.note.on_event"),
        (PlansForHalfAMillisecond(), "TypeError in shop.note.on_event"),
        (KeepsAnObject(), f"shop.note: its episode can't be stored: {NO_OBJECTS}"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_the_event_it_fails_on_is_set_aside_under_its_name(own: Note, detail: str) -> None:
    made = shop_with(own)
    run(made.all_done())
    (rejected,) = made.values("rejected")

    assert (rejected["reason"], rejected["detail"], rejected["offset"]) == ("engine_error", detail, 1)
    assert reminded(made) == ["user_id:ada", "user_id:cid"]


@pytest.mark.parametrize(
    "own", [RaisesWhenAsked(), TellsAnObject(), TellsNothing(), NeverRests()], ids=lambda one: type(one).__name__
)
def test_timers_it_fails_on_are_left_alone_and_nobody_elses_are(own: Note) -> None:
    made = shop_with(own)
    run(made.all_done())

    assert made.values("rejected") == []
    assert reminded(made) == ["user_id:ada", "user_id:cid"]
    assert made.profile("user_id:bob") is not None


@pytest.mark.parametrize(
    "own, said",
    [
        (RaisesWhenTold(), "KeyError in shop.note.on_event, by an event; the record is set aside"),
        (RaisesWhenAsked(), "KeyError in shop.note.check, by a timer; its timers are left alone for an hour"),
        (
            KeepsAnObject(),
            f"shop.note: its episode can't be stored: {NO_OBJECTS}, by an event; the record is set aside",
        ),
        (
            TellsAnObject(),
            f"shop.note: what it says in a trigger can't be published: {NO_OBJECTS}, by a timer; its timers",
        ),
        (
            TellsNothing(),
            "shop.note.content answers NoneType, and not a Content, by a timer; its timers are left alone",
        ),
        (
            NeverRests(),
            "shop.note plans again and again what just fired, by a timer; its timers are left alone for an hour",
        ),
    ],
    ids=lambda one: type(one).__name__,
)
def test_the_log_says_which_trigger_and_hook_it_was(own: Note, said: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    run(shop_with(own).all_done())

    assert any(message.startswith(said) for message in caplog.messages)
    assert "a trait of user_id:bob" not in caplog.text  # words of an exception may be of the customer


def test_a_price_on_which_it_can_not_say_whom_it_concerns_is_set_aside() -> None:
    made = World(engine=Engine(EAGER, (AsksOfGoods(),)))
    price = ProductPriceChanged(
        message_id="p1", timestamp_ms=START_MS + 3 * MINUTE_MS, product_id="tea", price_minor=10, currency="USD"
    )
    made.send(added("ada", 0, "m1"), price, added("ada", 4, "m2"))
    run(made.all_done())
    (rejected,) = made.values("rejected")

    assert (rejected["reason"], rejected["detail"]) == ("engine_error", "KeyError in shop.note.wakes")
    assert made.offset("carts") == 2


def test_one_that_always_fails_pauses_the_partition_and_is_named() -> None:
    made = World(engine=Engine(EAGER, (RaisesWhenTold(),)))
    made.send(*(added("bob", n, f"m{n}") for n in range(200)))

    with pytest.raises(EngineErrors, match=r"last with KeyError in shop\.note\.on_event"):
        run(made.all_done())


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
