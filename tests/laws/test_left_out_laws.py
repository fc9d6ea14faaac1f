"""Laws of triggers that fail: they are left out of what they fail on, all else is as if they were not there, and what comes of a
log depends neither on how it was cut nor on what was told twice.
"""

from collections.abc import Iterable
from typing import Any, ClassVar
from zlib import crc32

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from typing_extensions import override

from profiles.book import Book
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.engine import Engine
from profiles.episodes import plan
from profiles.profile import Profile, decode_profile
from profiles.rules import TriggerRule
from profiles.segments import SegmentChange
from profiles.standing import StandingChange
from profiles.state import Cart, Episode, encode
from profiles.triggers import BUILT_IN
from profiles.turn import Turn
from schemas.events import (
    Arrival,
    EraseCustomer,
    Event,
    Identified,
    OrderCancelled,
    OrderCompleted,
    OrderFulfilled,
    PageViewed,
    Product,
    ProductViewed,
    SplitProfile,
    SuppressCustomer,
    UnsuppressCustomer,
)
from streams.partition_limits import PartitionLimits
from tests.laws.histories import MINUTE_MS, START_MS
from tests.laws.owners import DEATHS, LIMITS, played
from tests.laws.test_batch_cuts import BOOK, UNTIL_MS, logs
from tests.shell.world import World


class BrittleRule(TriggerRule, frozen=True, kw_only=True):
    trigger: ClassVar[str] = "shop.brittle"


class Brittle(TriggerDefinition[BrittleRule]):
    """Waits for something after whatever it is told, episodes and timers of its own, and fails on `share` of it, whatever it was
    by then about to do: by what it is told or asked of alone, so that it does the same each time.
    """

    name = "shop.brittle"
    rule_type = BrittleRule
    listens = frozenset({PageViewed, ProductViewed, Identified})

    def __init__(self, share: float) -> None:
        self._share = share

    def _stumble(self, *about: object) -> None:
        if crc32(repr(about).encode()) % 1000 < 1000 * self._share:
            raise ZeroDivisionError(repr(about))

    def _plan(self, turn: Turn, what: str, at_ms: int) -> None:
        about = f"{what}|{turn.cause}"
        if crc32(about.encode()) % 2:
            turn.profile.wakes[f"{self.name}|{about}"] = at_ms + 7 * MINUTE_MS
        plan(turn, self, f"{turn.profile.id}|{about}", turn.cause, at_ms, at_ms + 5 * MINUTE_MS)
        self._stumble(about)

    @override
    def on_event(self, turn: Turn, arrival: Arrival) -> None:
        self._plan(turn, "event", arrival.time_ms)

    @override
    def on_consent(self, turn: Turn, arrival: Arrival) -> None:
        self._plan(turn, "consent", arrival.time_ms)

    @override
    def on_cart(self, turn: Turn, cart: Cart) -> None:
        self._plan(turn, "cart", turn.time_ms)

    @override
    def on_order(self, turn: Turn, told: OrderTold) -> None:
        self._stumble("order told", turn.cause)  # also where it changed nothing
        if told.change.entry is not told.change.before:
            self._plan(turn, "order", told.arrival.time_ms)

    @override
    def on_standing(self, turn: Turn, change: StandingChange) -> None:
        self._stumble("standing", turn.cause, turn.time_ms)

    @override
    def on_segment(self, turn: Turn, change: SegmentChange) -> None:
        self._stumble("segment", change.segment, turn.cause, turn.time_ms)

    @override
    def on_united(self, turn: Turn, brought: Profile) -> None:
        self._plan(turn, "united", turn.time_ms)

    @override
    def on_joined(self, turn: Turn, episode: Episode, other: Episode) -> None:
        self._stumble("joined", episode.key)

    @override
    def on_parted(self, turn: Turn) -> None:
        self._stumble("parted", turn.cause)

    @override
    def on_wake(self, turn: Turn, what: str) -> None:
        self._stumble("wake", what)

    @override
    def ended(self, turn: Turn, episode: Episode, state: str, now_ms: int) -> None:
        self._stumble("ended", episode.key, state)

    @override
    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        self._stumble("check", episode.key)
        return None

    @override
    def recheck(self, turn: Turn, episode: Episode) -> str | None:
        self._stumble("recheck", episode.key)
        return None

    @override
    def content(self, turn: Turn, episode: Episode) -> Content:
        said: dict[str, Any] = {"of": object()} if crc32(episode.key.encode()) % 1000 < 1000 * self._share else {}
        return Content(details=said)

    @override
    def grounds(self, profile: Profile) -> Iterable[str] | None:
        self._stumble("grounds", profile.id)
        return None


def shop(log: list[Event], *own: Brittle, book: Book = BOOK, **options: Any) -> World:
    world = World(engine=Engine(book, (*BUILT_IN, *own)), **options)
    world.send(*log)
    return world


@st.composite
def lives(draw: st.DrawFn, *, erased: bool = True) -> list[Event]:
    """A log, and what customers and the shop ask for meanwhile: to be left alone, or taken apart, or forgotten. What had been
    published of the forgotten does depend on cuts.
    """
    kinds = (SuppressCustomer, UnsuppressCustomer, SplitProfile, *((EraseCustomer,) if erased else ()))
    log = draw(logs())
    for number in range(draw(st.integers(0, 3))):
        place, user = draw(st.integers(0, len(log) - 1)), draw(st.sampled_from(("ada", "bob", "cid")))
        asked: dict[str, Any] = {
            "message_id": f"asked{number}",
            "timestamp_ms": log[place].timestamp_ms,
            "request_id": f"r{number}",
            "user_id": user,
        }
        identifier = draw(st.sampled_from(("anonymous_id:kiosk", f"anonymous_id:{user}-phone")))
        kind = draw(st.sampled_from(kinds))
        log.insert(place + 1, kind(**asked, **({"identifier": identifier} if kind is SplitProfile else {})))
    return log


DECIDED = ("decisions", "triggers", "trigger-converted", "trigger-cancelled", "cart-recovered", "rejected")
SHARES = st.sampled_from((0.1, 0.3, 0.7))


@given(log=lives(erased=False), share=SHARES, limits=LIMITS, chunk=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_what_a_failing_trigger_is_left_out_of_does_not_depend_on_cuts(
    log: list[Event], share: float, limits: PartitionLimits, chunk: int
) -> None:
    whole = played(shop(log, Brittle(share)), UNTIL_MS)
    cut = played(shop(log, Brittle(share), limits=limits), UNTIL_MS, chunk=chunk)

    assert_as_much(whole, cut)


def test_which_of_two_hooks_failed_is_told_alike_where_orders_have_to_be_loaded_in_between() -> None:
    """Before an event, a segment turns; only then it shows that her first order is not at hand."""

    def at(minute: float, user: str = "ada") -> dict[str, Any]:
        return {"message_id": f"m{minute}", "timestamp_ms": START_MS + round(minute * MINUTE_MS), "user_id": user}

    log: list[Event] = [
        ProductViewed(**at(0), product=Product(product_id="A")),
        *(OrderCompleted(**at(1 + number), order_id=f"o{number}", revenue_minor=100) for number in range(20)),
        PageViewed(**at(30, "bob")),
        OrderCancelled(**at(90.5), order_id="o0"),
    ]
    whole = played(shop(log, Brittle(1.0)), UNTIL_MS)
    cut = played(shop(log, Brittle(1.0), limits=PartitionLimits(batch_records=1, cache_profiles=1)), UNTIL_MS)

    assert "ZeroDivisionError in shop.brittle.on_segment" in [
        one["reason"] for one in whole.values("decisions") if one["trigger_id"] and "m90.5" in one["evidence"]
    ]
    assert_as_much(whole, cut)


@given(log=logs(), share=SHARES, limits=LIMITS, deaths=DEATHS)
@settings(max_examples=60, deadline=None)
def test_nor_on_where_owners_died(
    log: list[Event], share: float, limits: PartitionLimits, deaths: list[tuple[Any, int]]
) -> None:
    whole = played(shop(log, Brittle(share)), UNTIL_MS)
    outlived = played(shop(log, Brittle(share), limits=limits), UNTIL_MS, deaths=deaths)

    assert_as_much(whole, outlived)


@given(log=lives(), limits=LIMITS.map(lambda limits: replace(limits, batch_bytes=1_000_000)))
@settings(max_examples=60, deadline=None)
def test_of_a_trigger_that_fails_on_everything_nothing_is_there_but_that_it_failed(
    log: list[Event], limits: PartitionLimits
) -> None:
    """Both are cut in the same places: by bytes they would not be, as that it failed takes some."""
    with_it = played(shop(log, Brittle(1.0), limits=limits), UNTIL_MS)
    without = played(shop(log, limits=limits), UNTIL_MS)

    assert without_decisions(with_it) == without_decisions(without)
    assert [one for one in with_it.values("decisions") if one["name"] != Brittle.name] == without.values("decisions")
    assert {one["state"] for one in with_it.values("decisions") if one["name"] == Brittle.name} <= {"failed"}
    assert with_it.outputs("triggers", "trigger-converted", "rejected") == without.outputs(
        "triggers", "trigger-converted", "rejected"
    )


@given(log=lives(), share=SHARES)
@example(  # each of her names told when the order was sent: a repeat told hers what the other had said
    log=[
        OrderFulfilled(message_id="m1", timestamp_ms=START_MS, anonymous_id="ada-phone", order_id="o1"),
        OrderFulfilled(
            message_id="m2", timestamp_ms=START_MS + 60_000, user_id="ada", anonymous_id="ada-phone", order_id="o1"
        ),
    ],
    share=0.1,
)
@settings(max_examples=60, deadline=None)
def test_what_is_told_twice_changes_nothing(log: list[Event], share: float) -> None:
    once = played(shop(log, Brittle(share)), UNTIL_MS)
    twice = played(shop([event for one in log for event in (one, one)], Brittle(share)), UNTIL_MS)

    # What fails on a repeat is noted among her last decisions anew, though it had fallen out of these.
    assert without_decisions(once)[:-1] == without_decisions(twice)[:-1]
    assert set(once.outputs()) == set(twice.outputs())


def assert_as_much(one: World, other: World) -> None:
    """Both hold the same, and decided the same."""
    assert one.stored() == other.stored()
    assert sorted(one.outputs(*DECIDED)) == sorted(other.outputs(*DECIDED))


def without_decisions(world: World) -> Any:
    """All that is stored; of profiles without what was decided last, of which each keeps a few."""
    profiles, *rest = world.stored()["0"]
    bare = {}
    for name, stored in profiles.items():
        profile = decode_profile(stored)
        profile.decisions.clear()
        profile.pack()
        bare[name] = msgspec.json.decode(encode(profile))
    return (bare, *rest)
