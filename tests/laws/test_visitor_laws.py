"""Laws of forgetting: where a log is cut or an owner dies changes nothing, whoever is forgotten leaves nothing behind, and a
visitor who comes back after that is one who was never there.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from profiles.conditions import compile_conditions
from profiles.engine import Engine
from profiles.rules import DAY_MS, Visitors
from profiles.triggers import CartAbandonedRule
from schemas import events
from schemas.events import Event, Product
from streams.audit import audit_population
from streams.partition_limits import PartitionLimits
from tests.laws.histories import MINUTE_MS, START_MS, one_event
from tests.laws.owners import DEATHS, LIMITS, assert_the_same, played
from tests.shell.world import EAGER, World, run

DAY_MIN = 24 * 60
DAYS = 100
FORGET_DAYS = 30
RULES = replace(
    EAGER.rules,
    visitors=Visitors(forget_after_ms=FORGET_DAYS * DAY_MS),
    triggers={
        **EAGER.rules.triggers,
        "cart.abandoned": replace(EAGER.rule(CartAbandonedRule), max_lateness_ms=7 * DAY_MS),
    },
)
CONDITIONS, SEGMENTS = compile_conditions(
    RULES,
    {
        "looking": {"when": 'views("20d") >= 1'},
        "lapsing": {"when": 'profile.last_seen_ms < ago("40d")'},
    },
)
BOOK = replace(EAGER, rules=RULES, conditions=CONDITIONS, segments=SEGMENTS)
UNTIL_MS = START_MS + (DAYS + 20) * DAY_MS


@st.composite
def minutes(draw: st.DrawFn) -> int:
    """Moments of a hundred days, many of them around the ends of months."""
    if draw(st.booleans()):
        return draw(st.integers(0, 3)) * FORGET_DAYS * DAY_MIN + draw(st.integers(-2, 2))
    return draw(st.integers(0, DAYS * DAY_MIN))


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Events of three devices in the order of their arrival, some of them with a login, and what the shop tells meanwhile."""
    found: list[Event] = []
    for number in range(draw(st.integers(1, 15))):
        minute = max(0, draw(minutes()))
        if draw(st.integers(0, 9)) == 0:
            found.append(
                events.ProductPriceChanged(
                    message_id=f"p{number}",
                    timestamp_ms=START_MS + minute * MINUTE_MS,
                    product_id=draw(st.sampled_from(("A", "B"))),
                    price_minor=draw(st.integers(1, 5000)),
                )
            )
            continue
        told = draw(one_event(minute, f"m{number}")).event
        device = draw(st.sampled_from(("a1", "a2", "a3")))
        fields: dict[str, Any] = {"anonymous_id": device, "user_id": None}
        if draw(st.integers(0, 9)) == 0:
            fields["user_id"] = draw(st.sampled_from(("ada", "bob")))
        for name in ("cart_id", "checkout_id", "order_id"):
            if getattr(told, name, None):
                fields[name] = f"{device}-{getattr(told, name)}"
        found.append(msgspec.structs.replace(told, **fields))
    late = [draw(st.sampled_from((0, 0, 0, 1, 90, 1000, 50 * DAY_MIN))) for _ in found]
    order = sorted(range(len(found)), key=lambda n: found[n].timestamp_ms + late[n] * MINUTE_MS)
    return [found[n] for n in order]


LOOKS = (events.ProductViewed, events.ProductsSearched, events.ProductAddedToWishlist, events.PageViewed)


@st.composite
def visits(draw: st.DrawFn) -> list[Event]:
    """What one visitor does who never says who she is, in the order of time."""
    found: list[Event] = []
    for number, minute in enumerate(sorted(draw(st.lists(minutes(), min_size=1, max_size=12)))):
        fields: dict[str, Any] = {}
        kind = draw(st.sampled_from(LOOKS))
        if issubclass(kind, events.ProductEvent):
            fields["product"] = Product(product_id=draw(st.sampled_from(("A", "B"))), price_minor=100)
        if kind is events.ProductsSearched:
            fields["query"] = "tea"
        at_ms = START_MS + max(0, minute) * MINUTE_MS
        found.append(kind(message_id=f"m{number}", timestamp_ms=at_ms, anonymous_id="a1", **fields))
    return found


def shop(log: Sequence[Event], **options: Any) -> World:
    world = World(**{"engine": Engine(BOOK), **options})
    world.send(*log)
    return world


def forgotten(world: World) -> int:
    return sum(batch.visitors_forgotten for batch in world.told.batches)


@given(log=logs(), limits=LIMITS, chunk=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_who_is_forgotten_does_not_depend_on_how_the_log_was_cut(
    log: list[Event], limits: PartitionLimits, chunk: int
) -> None:
    whole = played(shop(log), UNTIL_MS)
    cut = played(shop(log, limits=limits), UNTIL_MS, chunk=chunk)
    note(f"forgotten: {min(3, forgotten(whole))}")

    assert_the_same(whole, cut)
    assert forgotten(whole) == forgotten(cut)


@given(
    log=logs(),
    limits=LIMITS,
    deaths=DEATHS,
)
@settings(max_examples=40, deadline=None)
def test_who_is_forgotten_does_not_depend_on_the_deaths_of_owners(
    log: list[Event], limits: PartitionLimits, deaths: list[tuple[Any, int]]
) -> None:
    whole = played(shop(log), UNTIL_MS)
    outlived = played(shop(log, limits=limits), UNTIL_MS, deaths=deaths)

    assert_the_same(whole, outlived)


@given(log=logs())
@settings(max_examples=60, deadline=None)
def test_nothing_points_to_who_was_forgotten_and_the_counters_are_those_of_all_others(log: list[Event]) -> None:
    world = played(shop(log), UNTIL_MS)
    part = world.table.snapshot().partitions[0]

    assert run(audit_population(world.table, 0, BOOK)) == []
    assert {*part.due} <= {*part.profiles}
    assert {*part.ledgers} <= {*part.profiles}
    assert {who for watchers in part.watchers.values() for who in watchers} <= {*part.profiles}


@given(log=visits())
@settings(max_examples=60, deadline=None)
def test_a_visitor_who_comes_back_after_that_is_one_who_was_never_there(log: list[Event]) -> None:
    times = [one.timestamp_ms for one in log]
    begins = max(n for n in range(len(log)) if n == 0 or times[n] - times[n - 1] > FORGET_DAYS * DAY_MS + 60_000)
    # At the last visit's end, and when she is due to be forgotten once more.
    for until_ms in (times[-1] + MINUTE_MS, times[-1] + FORGET_DAYS * DAY_MS + 1):
        world, anew = (played(shop(one), until_ms) for one in (log, log[begins:]))
        ours, theirs = (one.table.snapshot().partitions[0] for one in (world, anew))

        assert ours.profiles == theirs.profiles
        assert ours.due == theirs.due
        assert ours.watchers == theirs.watchers
        assert ours.population == theirs.population
        assert bool(ours.profiles) is (until_ms == times[-1] + MINUTE_MS)
