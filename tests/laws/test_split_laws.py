"""Law: a wrong merge that is taken apart leaves each customer with what she alone was told to have done, before and after.

Ada has a user id, Eve an address and a device; one event of Ada's names Eve's address, or her device, by mistake. Everything
goes through real partition loops on a log and a table in memory, in any interleaving of the partitions, so the command meets
events, claims and answers in any order.
"""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles import statistics
from profiles.engine import Engine
from profiles.insight.tallies import add
from profiles.kinds import ORDER_EVENTS
from profiles.order_state import Ledger
from profiles.population import FIELDS, contribution
from profiles.profile import Profile
from schemas import events
from schemas.decode import Decoder
from schemas.events import Arrival, Event
from schemas.routing import topic_of
from streams.partition_limits import PartitionLimits
from tests.laws.histories import DAY_MS, START_MS, one_event
from tests.laws.test_identity_laws import ORDERS, PARTITIONS, everywhere, home_of, known, settle
from tests.laws.test_merge_laws import NOW, facts
from tests.shell.world import EAGER, World, run

ADA = "user_id:ada"
MAIL, PHONE = "email:eve@example.org", "anonymous_id:phone-e"
UNSURE = ORDER_EVENTS | {events.CartUpdated}
Told = list[tuple[str, Event]]
GREETED = (
    events.ConsentChanged,
    events.SignedUp,
    events.OrderCompleted,
    events.ProductAdded,
    events.PaymentFailed,
    events.ProductViewed,
)


@st.composite
def lives(draw: st.DrawFn, *, shared_orders: bool = False, kinds: tuple[type[Event], ...] = ()) -> tuple[Told, str]:
    """What Ada and Eve did, with whose each event is, the mistake and the split among them; and what is taken out."""
    wrong = draw(st.sampled_from((MAIL, PHONE)))
    has_phone = wrong == PHONE or draw(st.booleans())
    found: Told = []
    for number in range(draw(st.integers(1, 16))):
        event = draw(one_event(number * 7, f"m{number}", kinds)).event
        if isinstance(event, events.CheckoutEvent):
            continue  # one without a cart takes the newest cart of its profile, which a part of a history can't know
        whose = draw(st.sampled_from(("ada", "eve")))
        fields: dict[str, Any] = {"user_id": None, "email": None, "anonymous_id": None}
        if whose == "ada":
            fields["user_id"] = "ada"
        else:
            names = draw(st.sampled_from(((wrong,), (MAIL, PHONE)))) if has_phone and wrong == MAIL else (wrong,)
            fields |= {name.partition(":")[0]: name.partition(":")[2] for name in names}
        if not shared_orders:
            for name in ("cart_id", "order_id"):
                if getattr(event, name, None):
                    fields[name] = f"{whose}-{getattr(event, name)}"
        found.append((whose, msgspec.structs.replace(event, **fields)))
    kind, _, value = wrong.partition(":")
    named: Any = {"user_id": "ada", kind: value}
    mistake = events.PageViewed(message_id="mistake", timestamp_ms=0, **named)
    insert(found, "ada", mistake, draw(st.integers(0, len(found))))
    first = next(place for place, (_, event) in enumerate(found) if event.message_id == "mistake") + 1
    insert(found, "", split(wrong), draw(st.integers(first, len(found))))
    return found, wrong


def insert(found: Told, whose: str, event: Event, place: int) -> None:
    """Put an event between two others, at a time of its own."""
    at_ms = found[place - 1][1].timestamp_ms + 1000 if place else found[0][1].timestamp_ms - 1000 if found else START_MS
    if place < len(found):
        at_ms = min(at_ms, found[place][1].timestamp_ms)
    found.insert(place, (whose, msgspec.structs.replace(event, timestamp_ms=at_ms)))


def split(identifier: str, request_id: str = "T-1") -> Event:
    return events.SplitProfile(
        message_id=request_id, timestamp_ms=0, request_id=request_id, user_id="ada", identifier=identifier
    )


def told(log: Told, partitions: int, engine: Engine | None = None) -> World:
    world = World(partitions=partitions, engine=engine or Engine(EAGER, ()), limits=PartitionLimits(cache_profiles=2))
    for _, event in log:
        world.log.append(topic_of(event), msgspec.json.encode(event), partition=home_of(event, partitions))
    return world


def alone(log: Told, whose: str, name: str) -> dict[str, Any]:
    """The facts of a profile that saw the events of one of the two, with every identifier they name."""
    profile, ledger, engine = Profile(name), Ledger(complete=True), Engine(EAGER, ())
    for of, event in sorted(log, key=lambda told: told[1].timestamp_ms):
        if of == whose:
            arrival = Decoder("USD").decode(msgspec.json.encode(event), 0)
            assert isinstance(arrival, Arrival)
            engine.step(profile, arrival, NOW, ledger, [])
    return known_of(profile, ledger)


def known_of(profile: Profile, ledger: Ledger) -> dict[str, Any]:
    """The facts, and what is only counted."""
    activity, interests = profile.activity, profile.interests
    counted = {"events": activity.events, "views": activity.views, "searches": activity.searches}
    return facts((profile, ledger)) | counted | {"channels": activity.channels, "interests": interests.categories}


def less(names: set[str], found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in names}


def without(found: dict[str, Any], identifier: str) -> dict[str, Any]:
    kind, _, value = identifier.partition(":")
    ids = {of: [one for one in values if (of, one) != (kind, value)] for of, values in found["ids"].items()}
    return found | {"ids": {of: values for of, values in ids.items() if values}}


def receipts(world: World) -> list[dict[str, Any]]:
    return [value for partition in range(world.partitions) for value in world.values("receipts", partition)]


def population(world: World) -> dict[str, int]:
    """The counters of all partitions, but for those of messages."""
    found: dict[str, int] = {}
    for partition in range(world.partitions):
        add(found, run(world.table.population(partition)))
    return {name: count for name, count in found.items() if count}


def counted_anew(world: World) -> dict[str, int]:
    """What the profiles that there are add up to, each as it stands."""
    found: dict[str, int] = {}
    for profile, _ in known(world)[0].values():
        add(found, dict(zip(FIELDS, contribution(profile), strict=False)))
        add(found, statistics.counters(profile, EAGER))
    return {name: count for name, count in found.items() if count}


def assert_totals_are_the_fold_of_the_ledger(profile: Profile, ledger: Ledger) -> None:
    parts = [entry.contribution for entry in ledger.all() if entry.contribution is not None]

    assert profile.ltv.net == sum(part.shop.net for part in parts)
    assert profile.ltv.gross == sum(part.shop.gross for part in parts)
    assert profile.orders.count == sum(part.counted for part in parts)


@given(life=lives(), partitions=PARTITIONS, order=ORDERS)
@settings(max_examples=120, deadline=None)
def test_each_of_two_who_were_split_is_the_fold_of_her_own_events(
    life: tuple[Told, str], partitions: int, order: list[int]
) -> None:
    log, wrong = life
    world = told(log, partitions)
    run(everywhere(world, order))
    profiles, _ = known(world)
    # What a snapshot of a cart added is interest if it is still there when it is heard of, which for a late one may be over; and
    # so is an order where it is heard of first, also by a later word that comes before what was on its way.
    unsure = {"interests"} if any(type(event) in UNSURE for _, event in log) else set()

    assert less(unsure, known_of(*profiles[ADA])) == less(unsure, without(alone(log, "ada", ADA), wrong))
    if any(whose == "eve" for whose, _ in log):
        assert less(unsure, known_of(*profiles[wrong])) == less(unsure, alone(log, "eve", wrong))
    assert receipts(world)[-1]["final"]
    assert "refused" not in receipts(world)[-1]


@given(life=lives(shared_orders=True), partitions=PARTITIONS, order=ORDERS)
@settings(max_examples=60, deadline=None)
def test_totals_are_the_fold_of_the_ledgers_and_the_population_is_the_sum_of_the_profiles(
    life: tuple[Told, str], partitions: int, order: list[int]
) -> None:
    world = told(life[0], partitions)
    run(everywhere(world, order))

    for profile, ledger in known(world)[0].values():
        assert_totals_are_the_fold_of_the_ledger(profile, ledger)
    assert population(world) == counted_anew(world)


@given(life=lives(shared_orders=True))
@settings(max_examples=60, deadline=None)
def test_an_order_that_both_told_of_before_the_split_is_in_one_ledger_alone(life: tuple[Told, str]) -> None:
    log, wrong = life
    place = next(place for place, (_, event) in enumerate(log) if isinstance(event, events.SplitProfile))
    united, apart = told(log[:place], 1), told(log[: place + 1], 1)
    run(everywhere(united, []))
    run(everywhere(apart, []))
    before, after = known(united)[0][ADA], known(apart)[0]
    ledgers = [{entry.order_id for entry in ledger.all()} for _, ledger in after.values()]

    assert sum(len(ledger) for ledger in ledgers) == len(set().union(*ledgers))
    assert set().union(*ledgers) == {entry.order_id for entry in before[1].all()}
    assert sum(profile.ltv.net for profile, _ in after.values()) == before[0].ltv.net
    assert set(after) == {ADA, wrong}


@given(life=lives(), partitions=PARTITIONS, order=ORDERS, request_id=st.sampled_from(("T-1", "T-2")))
@settings(max_examples=60, deadline=None)
def test_a_split_that_is_sent_twice_changes_nothing_the_second_time(
    life: tuple[Told, str], partitions: int, order: list[int], request_id: str
) -> None:
    log, wrong = life
    again = [*log]
    insert(again, "", split(wrong, request_id), len(again))
    once, twice = told(log, partitions), told(again, partitions)
    run(everywhere(once, order))
    run(everywhere(twice, order))

    assert {name: facts(found) for name, found in known(twice)[0].items()} == {
        name: facts(found) for name, found in known(once)[0].items()
    }
    assert population(twice) == population(once)


@given(life=lives(), partitions=PARTITIONS, order=ORDERS)
@settings(max_examples=40, deadline=None)
def test_with_every_trigger_on_the_facts_are_the_same(
    life: tuple[Told, str], partitions: int, order: list[int]
) -> None:
    log, _ = life
    world, plain = told(log, partitions, Engine(EAGER)), told(log, partitions)
    run(everywhere(world, order))
    run(everywhere(plain, order))

    assert {name: ledger.all() for name, (_, ledger) in known(world)[0].items()} == {
        name: ledger.all() for name, (_, ledger) in known(plain)[0].items()
    }
    assert not any(world.values("rejected", partition) for partition in range(partitions))


@given(
    life=lives(kinds=GREETED),
    by_phone=st.sets(st.integers(0, 17)),
    partitions=PARTITIONS,
    orders=st.tuples(ORDERS, ORDERS),
)
@settings(max_examples=100, deadline=None)
def test_nobody_is_told_twice_by_any_interleaving_where_all_that_was_known_had_come_before_the_split(
    life: tuple[Told, str], by_phone: set[int], partitions: int, orders: tuple[list[int], list[int]]
) -> None:
    """Some of what Eve did on her phone she did without a word of who she is."""
    log = [
        (whose, msgspec.structs.replace(event, email=None) if event.anonymous_id and number in by_phone else event)
        for number, (whose, event) in enumerate(life[0])
    ]
    place = next(place for place, (_, event) in enumerate(log) if isinstance(event, events.SplitProfile))
    world = told(log[:place], partitions, Engine(EAGER))
    run(everywhere(world, orders[0]))
    for _, event in log[place:]:
        world.log.append(topic_of(event), msgspec.json.encode(event), partition=home_of(event, partitions))
    run(everywhere(world, orders[1]))
    run(long_after(world))
    sent = [row for partition in range(partitions) for row in world.outputs("triggers", partition=partition)]

    assert len(sent) == len({*sent})


async def long_after(world: World) -> None:
    """All that waits comes due."""
    tenures = [world.tenure(partition) for partition in range(world.partitions)]
    for tenure in tenures:
        await tenure.open()
        tenure.advance_to(START_MS + 400 * DAY_MS)
    await settle(world, tenures)
