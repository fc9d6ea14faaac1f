"""Law: however the identifiers of customers come together, over however many partitions, what is known of each is what one
profile would know that had seen all her events; and nothing stays behind under an old id.

Ada and Bob have devices of their own, share one, and log in and out. All events go through real partition loops on a log and
a table in memory, in any interleaving of the partitions.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.engine import Engine
from profiles.order_state import Ledger, decode_entry
from profiles.profile import Profile, decode_profile
from schemas import events
from schemas.decode import Decoder
from schemas.events import Arrival, Event
from schemas.routing import topic_of
from streams.home import home_partition
from streams.partition_limits import PartitionLimits
from tests.laws.histories import one_event
from tests.laws.test_merge_laws import NOW, facts
from tests.shell.world import EAGER, CrashAt, Died, World, run

USERS = ("ada", "bob")
DEVICES = {"ada": ("phone-a", "laptop-a"), "bob": ("phone-b",)}


@st.composite
def visits(draw: st.DrawFn) -> list[tuple[str, Event]]:
    """Events of two customers on devices of their own, some before a login and some after, with whose each is.

    Each device is logged in at least once, so that in the end everybody is known.
    """
    count = draw(st.integers(1, 16))
    found: list[tuple[str, Event]] = []
    for number in range(count):
        event = draw(one_event(number * 7, f"m{number}")).event
        if isinstance(event, events.CheckoutEvent):
            continue  # one without a cart takes the newest cart of its profile, which a part of a history can't know
        user = draw(st.sampled_from(USERS))
        fields: dict[str, Any] = {
            "user_id": user if draw(st.booleans()) else None,
            "anonymous_id": draw(st.sampled_from(DEVICES[user])),
            "email": None,
        }
        for name in ("cart_id", "order_id"):
            if getattr(event, name, None):
                fields[name] = f"{user}-{getattr(event, name)}"
        if draw(st.integers(0, 4)) == 0:
            fields["email"] = f"{user}@example.org"
        found.append((user, msgspec.structs.replace(event, **fields)))
    at_ms = max((event.timestamp_ms for _, event in found), default=0)
    for user in USERS:
        for device in DEVICES[user]:
            at_ms += 60_000
            login = events.Identified(
                message_id=f"login-{device}",
                timestamp_ms=at_ms,
                user_id=user,
                anonymous_id=device,
                email=f"{user}@example.org",
            )
            place = draw(st.integers(0, len(found)))
            moved = found[place - 1][1].timestamp_ms + 1000 if place else at_ms
            found.insert(place, (user, msgspec.structs.replace(login, timestamp_ms=moved)))
    return found


def home_of(event: Event, partitions: int) -> int:
    arrival = Decoder("USD").decode(msgspec.json.encode(event), 0)
    assert isinstance(arrival, Arrival)
    return home_partition(arrival.home, partitions)


def told(log: Sequence[tuple[str, Event]], partitions: int) -> World:
    world = World(partitions=partitions, engine=Engine(EAGER, ()), limits=PartitionLimits(cache_profiles=2))
    for _, event in log:
        world.log.append(topic_of(event), msgspec.json.encode(event), partition=home_of(event, partitions))
    return world


async def everywhere(world: World, order: Sequence[int]) -> None:
    """All partitions work until nothing moves, taking turns in this order first."""
    tenures = [world.tenure(partition) for partition in range(world.partitions)]
    for tenure in tenures:
        await tenure.open()
    for number in order:
        tenure = tenures[number % world.partitions]
        world.log.deliver(tenure.number, chunk=2)
        await tenure.turn()
        await tenure.outbox.publish()
    await settle(world, tenures)


async def settle(world: World, tenures: Sequence[Any]) -> None:
    for _ in range(1000):
        moved = False
        for tenure in tenures:
            moved |= world.log.deliver(tenure.number)
            moved |= await tenure.turn()
            moved |= await tenure.outbox.publish()
        if not moved:
            return
    raise AssertionError("they never come to rest")


def known(world: World) -> tuple[dict[str, tuple[Profile, Ledger]], dict[str, list[tuple[int, str]]]]:
    """All profiles with their ledgers, and all redirects."""
    profiles, redirects = {}, {}
    for part in world.table.snapshot().partitions.values():
        for profile_id, stored in part.profiles.items():
            profile = decode_profile(stored)
            entries = part.ledgers.get(profile_id, {})
            if profile.redirect:
                redirects[profile_id] = profile.redirect
                assert not entries, f"orders are left under {profile_id}"
                assert profile_id not in part.due
            else:
                ledger = Ledger(complete=True)
                for order_id, entry in entries.items():
                    ledger.load(order_id, entry)
                profiles[profile_id] = (profile, ledger)
    return profiles, redirects


def union_of(log: Sequence[tuple[str, Event]], user: str) -> dict[str, Any]:
    """The facts of one profile that saw all events of a customer."""
    profile, ledger, engine = Profile(f"user_id:{user}"), Ledger(complete=True), Engine(EAGER, ())
    decoder = Decoder("USD")
    mine = sorted((event for whose, event in log if whose == user), key=lambda event: event.timestamp_ms)
    for event in mine:
        arrival = decoder.decode(msgspec.json.encode(event), 0)
        assert isinstance(arrival, Arrival)
        engine.step(profile, arrival, NOW, ledger, [])
    return facts((profile, ledger))


PARTITIONS = st.sampled_from((1, 2, 3, 5))
ORDERS = st.lists(st.integers(0, 4), max_size=40)


@given(log=visits(), partitions=PARTITIONS, order=ORDERS)
@settings(max_examples=150, deadline=None)
def test_each_customer_is_the_fold_of_all_her_events_wherever_they_came_in(
    log: list[tuple[str, Event]], partitions: int, order: list[int]
) -> None:
    world = told(log, partitions)
    run(everywhere(world, order))
    profiles, redirects = known(world)

    assert sorted(profiles) == ["user_id:ada", "user_id:bob"]
    for user in USERS:
        assert facts(profiles[f"user_id:{user}"]) == union_of(log, user)
        assert profiles[f"user_id:{user}"][0].merging == []
        for device in DEVICES[user]:
            assert {target for _, target in redirects[f"anonymous_id:{device}"]} <= {
                f"user_id:{user}",
                f"email:{user}@example.org",
            }


POINTS = ("after_fetch", "after_compute", "before_send", "after_send", "after_reply", "before_produce", "after_produce")


@given(
    log=visits(),
    partitions=st.sampled_from((2, 3)),
    deaths=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(POINTS), st.integers(1, 3)), max_size=5),
    order=ORDERS,
)
@settings(max_examples=80, deadline=None)
def test_workers_may_die_while_a_customer_is_on_her_way(
    log: list[tuple[str, Event]], partitions: int, deaths: list[tuple[int, Any, int]], order: list[int]
) -> None:
    world = told(log, partitions)

    async def live() -> None:
        for number, point, times in deaths:
            tenure = world.tenure(number % partitions, faults=CrashAt(point, times))
            try:
                await tenure.open()
                for _ in range(6):
                    world.log.deliver(tenure.number, chunk=2)
                    await tenure.turn()
                    await tenure.outbox.publish()
            except Died:
                continue
        await everywhere(world, order)

    run(live())
    profiles, _ = known(world)

    for user in USERS:
        assert facts(profiles[f"user_id:{user}"]) == union_of(log, user)


@given(log=visits(), order=ORDERS, back=st.integers(0, 2), when=st.integers(1, 12))
@settings(max_examples=80, deadline=None)
def test_a_store_of_one_partition_that_goes_back_in_time_heals_and_absorbs_nothing_twice(
    log: list[tuple[str, Event]], order: list[int], back: int, when: int
) -> None:
    world = told(log, 3)
    run(everywhere(world, []))
    late = told(log, 3)

    async def live() -> None:
        tenures = [late.tenure(partition) for partition in range(3)]
        for tenure in tenures:
            await tenure.open()
        before = late.table.snapshot()
        for turn, number in enumerate(order):
            if turn == when:
                before = late.table.snapshot()
            tenure = tenures[number % 3]
            late.log.deliver(tenure.number, chunk=2)
            await tenure.turn()
            await tenure.outbox.publish()
        late.table.restore(before, partition=back)
        await everywhere(late, [])

    run(live())
    profiles, _ = known(late)

    for user in USERS:
        found, wanted = facts(profiles[f"user_id:{user}"]), union_of(log, user)
        assert found == wanted


def at_home_in(partition: int, name: str) -> str:
    """A value of an identifier that is at home in this one of two partitions."""
    return next(f"{name}{n}" for n in range(100) if home_partition(f"{name}{n}", 2) == partition)


EVE, HER_DEVICES = at_home_in(0, "eve"), (at_home_in(1, "phone"), at_home_in(1, "tablet"))


@st.composite
def race(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """What Eve does on two devices without a word of who she is, one of which is known to be hers; and her login on the other
    one, which comes to another partition at any time.
    """
    visits: list[Event] = []
    for number in range(draw(st.integers(2, 10))):
        event = draw(one_event(number * 7, f"m{number}")).event
        if not isinstance(event, events.CheckoutEvent):
            device = draw(st.sampled_from(HER_DEVICES))
            visits.append(msgspec.structs.replace(event, user_id=None, email=None, anonymous_id=device))
    start_ms = min((event.timestamp_ms for event in visits), default=60_000)
    minutes = draw(st.tuples(st.just(-1), st.integers(-1, 70)))
    logins: list[Event] = [
        events.Identified(
            message_id=device, timestamp_ms=start_ms + minute * 60_000 + 1, user_id=EVE, anonymous_id=device
        )
        for device, minute in zip(HER_DEVICES, minutes, strict=True)
    ]
    return logins, visits


@given(told_of=race(), before=st.integers(0, 4), turns=st.integers(0, 10), again=st.integers(0, 2))
@settings(max_examples=100, deadline=None)
def test_what_a_partition_kept_before_it_knew_whose_it_was_is_not_lost_where_it_goes_back_in_time(
    told_of: tuple[list[Event], list[Event]], before: int, turns: int, again: int
) -> None:
    logins, visits = told_of
    world = told([("", logins[0])], 2)

    async def work(partition: int, turns: int) -> None:
        tenure = world.tenure(partition)
        await tenure.open()
        for _ in range(turns):
            world.log.deliver(partition, chunk=2)
            await tenure.turn()
            await tenure.outbox.publish()

    run(everywhere(world, []))
    world.send(*visits, partition=1)
    run(work(1, before))
    was = world.table.snapshot()
    run(work(1, turns))
    world.send(logins[1])
    run(work(0, 10))
    for _ in range(again + 1):
        world.table.restore(was, partition=1)
        run(everywhere(world, []))

    assert facts(known(world)[0][f"user_id:{EVE}"]) == union_of([(EVE, event) for event in (*logins, *visits)], EVE)


@given(log=visits(), partitions=PARTITIONS, order=ORDERS)
@settings(max_examples=60, deadline=None)
def test_every_move_may_come_twice(log: list[tuple[str, Event]], partitions: int, order: list[int]) -> None:
    world = told(log, partitions)
    run(everywhere(world, order))
    once = {name: profile.pack() for name, (profile, _) in known(world)[0].items()}
    for partition in range(partitions):
        for record in world.log.records("moves", partition):
            world.log.append("moves", record.value, partition=partition)
    run(everywhere(world, []))

    again = known(world)[0]
    for user in USERS:
        assert facts(again[f"user_id:{user}"]) == union_of(log, user)
        before = decode_profile(once[f"user_id:{user}"]).activity
        assert again[f"user_id:{user}"][0].activity == before


@st.composite
def kiosk(draw: st.DrawFn) -> list[tuple[str, Event]]:
    """Two customers who log in and out on one device and order there, sometimes without saying who they are."""
    found: list[tuple[str, Event]] = []
    for number in range(draw(st.integers(1, 14))):
        user = draw(st.sampled_from(("ada", "bob", None)))
        kind = draw(st.sampled_from((events.OrderCompleted, events.PageViewed, events.Identified)))
        fields: dict[str, Any] = {}
        if kind is events.OrderCompleted:
            fields = {"order_id": f"o{number}", "revenue_minor": 100 + number}
        at_ms = 1_772_409_600_000 + number * 60_000
        event = kind(message_id=f"m{number}", timestamp_ms=at_ms, user_id=user, anonymous_id="kiosk", **fields)
        found.append((user or "", event))
    return found


@given(log=kiosk(), partitions=PARTITIONS, order=ORDERS)
@settings(max_examples=100, deadline=None)
def test_on_a_shared_device_no_order_is_lost_or_counted_twice_and_what_names_a_user_is_hers(
    log: list[tuple[str, Event]], partitions: int, order: list[int]
) -> None:
    world = told(log, partitions)
    run(everywhere(world, order))
    profiles, _ = known(world)
    placed = [(entry.order_id, name) for name, (_, ledger) in profiles.items() for entry in _entries(world, name)]
    orders = [event for _, event in log if isinstance(event, events.OrderCompleted)]

    assert sorted(order_id for order_id, _ in placed) == sorted(event.order_id for event in orders)
    assert sum(profile.ltv.net for profile, _ in profiles.values()) == sum(event.revenue_minor or 0 for event in orders)
    for event in orders:
        if event.user_id is not None:
            assert (event.order_id, f"user_id:{event.user_id}") in placed
    if any(user for user, _ in log):
        assert "anonymous_id:kiosk" not in profiles


def _entries(world: World, name: str) -> list[Any]:
    for part in world.table.snapshot().partitions.values():
        if name in part.profiles:
            return [decode_entry(entry) for entry in part.ledgers.get(name, {}).values()]
    return []


@given(log=kiosk())
@settings(max_examples=60, deadline=None)
def test_in_one_partition_an_anonymous_order_belongs_to_the_login_before_it(log: list[tuple[str, Event]]) -> None:
    """Those before the first login are the first user's, for only the first link moves what was known."""
    world = told(log, 1)
    run(everywhere(world, []))
    expected: dict[str, str] = {}
    last = next((user for user, _ in log if user), None)
    for user, event in log:
        last = user or last
        if isinstance(event, events.OrderCompleted) and last is not None:
            expected[event.order_id] = f"user_id:{last}"

    placed = {
        entry.order_id: name
        for name in known(world)[0]
        for entry in _entries(world, name)
        if name.startswith("user_id:")
    }
    assert expected == placed
