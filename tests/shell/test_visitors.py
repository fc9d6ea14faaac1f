"""Visitors who are forgotten by a running partition: what goes, what stays, and who was there before there was such a rule."""

from typing import Any

import pytest
from msgspec.structs import replace

from profiles import visitors
from profiles.engine import Engine
from profiles.profile import decode_profile
from profiles.rules import DAY_MS, Visitors
from schemas import events
from schemas.events import Event, Product
from streams.after_rules import PROFILES_MAX
from streams.health import Watch
from streams.home import home_partition
from streams.metrics import Metrics
from streams.partition_limits import PartitionLimits
from streams.setting_sections import Health
from streams.worker_stats import WorkerStats
from tests.shell.world import EAGER, START_MS, CrashAt, World, added, ordered, run


def shop(days: int) -> Engine:
    return Engine(replace(EAGER, rules=replace(EAGER.rules, visitors=Visitors(forget_after_ms=days * DAY_MS))))


MONTH, NEVER = shop(30), shop(0)


def looked(device: str, day: float, **fields: Any) -> Event:
    return events.ProductViewed(
        message_id=f"v-{device}-{day}",
        timestamp_ms=START_MS + round(day * DAY_MS),
        anonymous_id=device,
        product=Product(product_id="tent", price_minor=9000),
        **fields,
    )


async def until(world: World, day: float) -> None:
    tenure = await world.all_done()
    tenure.advance_to(START_MS + round(day * DAY_MS) + 1)
    await world.work(tenure)


def ids(world: World) -> set[str]:
    return {*world.table.snapshot().partitions[0].profiles}


def due_days(world: World) -> dict[str, float]:
    """When visitors are to be looked at."""
    stored = world.table.snapshot().partitions[0].profiles
    wakes = {profile_id: decode_profile(text).wakes for profile_id, text in stored.items()}
    return {
        profile_id: (due[visitors.WAKE] - START_MS) / DAY_MS
        for profile_id, due in wakes.items()
        if visitors.WAKE in due
    }


def test_of_a_thousand_passers_by_and_one_customer_the_customer_is_left() -> None:
    world = World(engine=MONTH)
    world.send(*(looked(f"bot{number}", 0) for number in range(1000)), ordered("ada", 0, "o1"))
    run(until(world, 29.9))

    assert len(ids(world)) == 1001
    assert run(world.table.population(0))["customers"] == 1001

    run(until(world, 30))
    part = world.table.snapshot().partitions[0]

    assert ids(world) == {"user_id:ada"}
    assert part.watchers == {}
    assert {*part.due} <= {"user_id:ada"}
    assert run(world.table.population(0))["customers"] == 1
    assert sum(batch.visitors_forgotten for batch in world.told.batches) == 1000
    assert part.notes == {}
    assert {one["customer_id"] for one in world.values("decisions")} == {"user_id:ada"}


def test_a_visitor_who_logs_in_elsewhere_later_is_only_without_her_forgotten_visits() -> None:
    world = World(engine=MONTH)
    world.send(looked("phone", 0), looked("laptop", 40, user_id="ada"), looked("phone", 41, user_id="ada"))
    run(until(world, 42))
    ada = world.profile("user_id:ada")
    assert ada is not None

    assert ada.activity.first_ms == START_MS + 40 * DAY_MS
    assert ids(world) == {"user_id:ada", "anonymous_id:phone", "anonymous_id:laptop"}


def test_a_redirect_stays_for_good() -> None:
    world = World(engine=MONTH)
    world.send(looked("phone", 0), looked("phone", 1, user_id="ada"), ordered("ada", 1, "o1"))
    run(until(world, 1000))
    phone = world.profile("anonymous_id:phone")
    assert phone is not None

    assert phone.redirect == [(START_MS + DAY_MS, "user_id:ada")]
    assert due_days(world) == {}


def test_in_one_batch_she_is_forgotten_and_comes_back() -> None:
    world = World(engine=MONTH)
    world.send(looked("a1", 0), looked("zz", 31), looked("a1", 32))
    run(until(world, 33))
    back = world.profile("anonymous_id:a1")
    assert back is not None

    assert len([batch for batch in world.told.batches if sum(batch.records.values())]) == 1
    assert back.activity.first_ms == START_MS + 32 * DAY_MS
    assert due_days(world) == {"anonymous_id:zz": 61, "anonymous_id:a1": 62}
    assert run(world.table.population(0))["customers"] == 2


def test_an_order_only_the_ledger_knows_of_keeps_her() -> None:
    """A refund of an order nobody told of leaves no trace in the profile; the ledger is read before she is forgotten."""
    world = World(engine=MONTH)
    refund = events.OrderRefunded(
        message_id="r", timestamp_ms=START_MS, anonymous_id="a1", order_id="o1", refund_id="r1", amount_minor=5
    )
    world.send(looked("a1", 0), refund)
    run(until(world, 20))
    run(until(world, 100))

    assert "anonymous_id:a1" in ids(world)
    assert run(world.table.ledger(0, "anonymous_id:a1")).keys() == {"o1"}


# --- from the log, once more ------------------------------------------------------------------------------------------

PARTITIONS = 3
WEEKS = (
    *(looked(f"bot{number}", number) for number in range(20)),
    looked("phone", 21),
    looked("laptop", 22),
    added("bea", 60 * 24 * 23, "b1"),
    # In time on the phone, too late on the laptop; the tablet comes back twice and is forgotten once.
    looked("phone", 40, user_id="ada"),
    looked("tablet", 41),
    ordered("ada", 60 * 24 * 42, "o1"),
    looked("laptop", 60, user_id="ada"),
    looked("tablet", 70),
    looked("tablet", 101),
    *(looked(f"last{number}", 110) for number in range(12)),
)


def everything(world: World) -> list[Any]:
    """What may not be another one after a rebuild: who there is, when visitors are looked at, money and counts, what was sent."""
    parts = world.table.snapshot().partitions
    ends = [
        (sorted(part.profiles), {who: due for who, due in part.due.items() if who.startswith("anonymous_id:")})
        for part in parts.values()
    ]
    counted = [(part.population, part.ledgers, part.notes) for part in parts.values()]
    sent = {row for number in range(PARTITIONS) for row in world.outputs("triggers", partition=number)}
    return [ends, counted, sent, sum(batch.visitors_forgotten for batch in world.told.batches)]


async def to_the_end(world: World) -> None:
    """Owners of all partitions, who send each other what is the other's, work until nothing moves."""
    owners = [world.tenure(number) for number in range(PARTITIONS)]
    for owner in owners:
        await owner.open()
    before: list[int] = []
    while before != (now := [len(world.log.records("moves", number)) for number in range(PARTITIONS)]):
        before = now
        for owner in owners:
            await world.work(owner)


@pytest.mark.parametrize("batch_records", [1, 7, 1000])
def test_a_rebuild_forgets_the_same_visitors_and_nobody_else(batch_records: int) -> None:
    world = World(partitions=PARTITIONS, engine=MONTH)
    for event in WEEKS:
        world.send(event, partition=home_partition(event.user_id or event.anonymous_id or "", PARTITIONS))
        run(to_the_end(world))
    live = everything(world)
    known = {name for names, _ in live[0] for name in names}

    for number in range(PARTITIONS):
        run(world.table.wipe(number))
    world.told.batches.clear()
    world.limits = PartitionLimits(batch_records=batch_records)
    run(to_the_end(world))

    assert live == everything(world)
    assert live[-1] > 10
    assert {"user_id:ada", "user_id:bea", "anonymous_id:phone", "anonymous_id:last0"} <= known


# --- other rules ------------------------------------------------------------------------------------------------------


def test_visitors_from_before_the_rule_are_planned_once_a_few_at_a_time() -> None:
    many = 2 * PROFILES_MAX + 50

    async def story(world: World) -> None:
        tenure = await world.all_done()
        assert due_days(world) == {}
        tenure.use(MONTH)
        await world.work(tenure)

    world = World(engine=NEVER)
    world.send(*(looked(f"d{number}", day) for day in (0, 3) for number in range(many)), looked("e", 3, user_id="ada"))
    run(story(world))

    assert due_days(world) == {f"anonymous_id:d{number}": 33 for number in range(many)}
    meta = run(world.table.meta(0))
    assert meta is not None
    assert meta.rules["visitors"] == "forgotten"

    world.engine = MONTH
    run(until(world, 33))

    assert ids(world) == {"user_id:ada", "anonymous_id:e"}


@pytest.mark.parametrize("point", ["before_send", "after_send", "after_reply"])
@pytest.mark.parametrize("times", range(1, 6))
def test_killed_while_they_are_planned_the_next_owner_finishes_it(point: Any, times: int) -> None:
    count = PROFILES_MAX + 5
    world = World(engine=NEVER)
    world.send(*(looked(f"d{number}", 0) for number in range(count)))
    run(world.take_up(MONTH, CrashAt(point, times)))

    assert due_days(world) == {f"anonymous_id:d{number}": 30 for number in range(count)}


def test_switched_off_nobody_is_forgotten_and_switched_on_again_everybody_is_planned() -> None:
    async def story(world: World) -> None:
        tenure = await world.all_done()
        tenure.use(NEVER)
        await world.work(tenure)
        assert due_days(world) == {}
        tenure.advance_to(START_MS + 100 * DAY_MS)
        await world.work(tenure)
        assert ids(world) == {"anonymous_id:a1"}
        tenure.use(MONTH)
        await world.work(tenure)
        tenure.advance_to(START_MS + 100 * DAY_MS + 1)
        await world.work(tenure)

    world = World(engine=MONTH)
    world.send(looked("a1", 0))
    run(story(world))

    assert ids(world) == set()


def test_a_longer_time_moves_nothing_and_holds_all_the_same() -> None:
    async def story(world: World) -> None:
        tenure = await world.all_done()
        tenure.use(shop(60))
        await world.work(tenure)
        assert due_days(world) == {"anonymous_id:a1": 30}
        tenure.advance_to(START_MS + 59 * DAY_MS)
        await world.work(tenure)

    world = World(engine=MONTH)
    world.send(looked("a1", 0))
    run(story(world))

    assert due_days(world) == {"anonymous_id:a1": 60}


def test_how_many_were_forgotten_is_a_metric() -> None:
    world = World(engine=MONTH)
    world.send(*(looked(f"d{number}", 0) for number in range(3)))
    run(until(world, 31))
    metrics = Metrics()
    for batch in world.told.batches:
        WorkerStats(metrics, Watch(Health())).batch(batch)

    assert metrics.value("regulars_visitors_forgotten_total") == 3
