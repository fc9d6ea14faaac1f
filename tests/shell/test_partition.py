"""The loop of a partition: claims, refuses what does not fit, survives its table, its log, and its own death."""

import asyncio
import gc
import logging
import random
import re
import weakref
from typing import Any, cast

import pytest
from typing_extensions import override

from profiles.engine import Engine
from profiles.profile import UnsupportedVersion
from schemas.decode import Decoder
from schemas.events import Event, Product, ProductAdded, ProductViewed
from streams.faults import NO_FAULTS, Faults
from streams.lost_state import refuse_others
from streams.partition import LostState, Partition, PartitionLimits
from streams.table import Commit, Fenced, Refused, Unavailable
from streams.tenure import Tenure
from streams.turnstile import Turnstile
from tests.shell.world import EAGER, MINUTE_MS, START_MS, CrashAt, Died, World, added, no_pause, ordered, run, when

TOPICS_WITH_EVENTS = ("carts", "orders", "clickstream")


def partition(world: World, number: int = 0, faults: Faults = NO_FAULTS) -> Partition:
    made = Partition(
        number,
        partitions=world.partitions,
        table=world.table,
        log=world.log,
        publisher=world.publisher,
        engine=Engine(EAGER),
        decoder=Decoder("USD"),
        limits=PartitionLimits(idle_ms=1),
        wall_ms=None if world.wall_ms is None else world.now,
        stats=world.told,
        faults=faults,
        sleep=no_pause,
    )
    world.log.attach(number, made)
    return made


def viewed_at(second: int, product: Product, user_id: str = "ada") -> Event:
    return ProductViewed(
        message_id=f"v{second}", timestamp_ms=START_MS + second * 1000, user_id=user_id, product=product
    )


async def until(world: World, subject: Partition, reached: Any, *, wall: bool = False) -> None:
    """Let it run, delivering all the time, until a condition holds."""
    running = asyncio.ensure_future(subject.run())
    try:
        async with asyncio.timeout(20):
            while not reached():
                assert not running.done(), running
                world.log.deliver(subject.number, chunk=7, asked_ms=world.wall_ms or 0 if wall else 0)
                await asyncio.sleep(0)
        subject.stop()
        await running
    finally:
        running.cancel()
        await asyncio.wait([running])


def done(world: World, subject: Partition) -> Any:
    """All records committed, all rows published."""
    ends = {topic: len(world.log.records(topic)) for topic in TOPICS_WITH_EVENTS}

    def reached() -> bool:
        meta = world.table.snapshot().partitions[0].meta if 0 in world.table.snapshot().partitions else None
        return meta is not None and all(meta.offsets.get(topic, 0) >= end for topic, end in ends.items())

    return reached


# --- the whole loop -----------------------------------------------------------------------------------------------


def test_it_reads_works_publishes_and_leaves_an_empty_outbox() -> None:
    world = World()
    world.send(added("ada", 0, "m1"), ordered("bob", 1, "o1"), added("bob", 100, "m2"))
    subject = partition(world)
    run(until(world, subject, done(world, subject)))
    part = world.table.snapshot().partitions[0]

    assert part.outbox == []
    assert [trigger["name"] for trigger in world.values("triggers")] == ["cart.abandoned"]
    assert part.meta is not None
    assert part.meta.tails["triggers"] == 1


def test_rows_that_kafka_has_and_the_table_still_keeps_do_not_count_as_waiting() -> None:
    async def story() -> list[int | None]:
        world = World()
        world.send(added("ada", 0, "m1"), added("bob", 100, "m2"))
        subject = partition(world)
        waiting = [subject.unpublished]
        tenure = subject._tenure = world.tenure()
        await tenure.open()
        waiting.append(subject.unpublished)
        world.log.deliver(0)
        while await tenure.turn():
            waiting.append(subject.unpublished)
        await tenure.outbox.flush()
        assert len(tenure.outbox) > 0
        return [*waiting, subject.unpublished]

    unknown, claimed, *worked, published = run(story())

    assert (unknown, claimed, published) == (None, 0, 0)
    assert worked[-1]


def test_ten_thousand_bad_records_in_a_row_are_all_set_aside() -> None:
    world = World()
    for n in range(10_000):
        world.log.append("carts", b"\xff" if n % 2 else None)
    world.send(added("ada", 0, "m1"))
    subject = partition(world)
    run(until(world, subject, done(world, subject)))

    assert len(world.log.records("rejected")) == 10_000
    assert world.profile("user_id:ada") is not None


def test_rejects_are_published_before_the_commit() -> None:
    world = World()
    world.log.append("carts", b"[")

    async def dies() -> None:
        tenure = world.tenure(faults=CrashAt("before_send", 2))  # the first commit notes where reading began
        await tenure.open()
        await world.work(tenure)

    with pytest.raises(Died):
        run(dies())

    assert len(world.log.records("rejected")) == 1


@pytest.mark.parametrize("seed", range(5))
def test_topics_interleaved_adversarially_with_tiny_inboxes_never_block_each_other(seed: int) -> None:
    draw = random.Random(seed)
    world = World(limits=PartitionLimits(inbox_records=1, batch_records=3))
    for n in range(120):
        minute = draw.choice([n, 120 - n, 60])
        if draw.random() < 0.5:
            world.send(added(f"u{n % 7}", minute, f"m{n}"))
        else:
            world.send(ordered(f"u{n % 7}", minute, f"o{n}"))

    async def scenario() -> int:
        tenure = world.tenure()
        await tenure.open()
        for turns in range(5000):
            # One record of one topic at a time, in the worst order a fetch can have.
            world.log.deliver(0, topics=[draw.choice(TOPICS_WITH_EVENTS)], chunk=1)
            await tenure.turn()
            if not sum(tenure.lag().values()):
                return turns
        raise AssertionError(tenure.lag())

    assert run(scenario()) < 5000


# --- what is refused ----------------------------------------------------------------------------------------------


def test_a_fresh_partition_begins_at_the_start_of_the_log() -> None:
    world = World()
    world.send(*(added("ada", n, f"m{n}") for n in range(5)))
    world.log.forget_before("carts", 0, 3)
    run(world.all_done())
    meta = run(world.table.meta(0))

    assert meta is not None
    assert (meta.offsets["carts"], meta.offsets["orders"]) == (5, 0)
    ada = world.profile("user_id:ada")
    assert ada is not None
    assert ada.carts["ada-c1"].lines["tea"].quantity == 2


def test_records_that_vanished_unread_are_refused_with_the_gap_and_the_way_out() -> None:
    world = World()
    world.send(*(added("ada", n, f"m{n}") for n in range(5)))
    run(world.all_done())
    world.send(*(added("ada", n, f"m{n}") for n in range(5, 10)))
    world.log.forget_before("carts", 0, 8)

    with pytest.raises(LostState, match=r"carts: records 5 to 7 are gone from the log unread.*accept-gap.*rebuild"):
        run(world.all_done())


def test_a_log_that_ends_before_what_was_read_is_refused() -> None:
    world = World()
    world.send(added("ada", 0, "m1"))
    run(world.all_done())
    world.log.make_anew("carts")

    with pytest.raises(LostState, match="carts is another topic than the one read before"):
        run(world.all_done())


def test_another_cluster_is_named_as_what_it_is_instead_of_topic_by_topic() -> None:
    read = {"orders": "here/1", "carts": "here/2"}

    def refused(**found: str) -> str:
        with pytest.raises(LostState) as refusal:
            refuse_others(3, read, found)
        return str(refusal.value)

    moved = refused(orders="there/3", carts="there/4")
    assert moved.startswith(
        "partition 3: this is another Kafka cluster than the one read before: correct kafka.bootstrap, or"
    )
    remade = refused(orders="here/3", carts="here/4")
    assert (
        "orders, carts are other topics than those read before (deleted and made again; or kafka.topic_prefix" in remade
    )


def test_who_reads_other_topics_leaves_the_partition_to_its_owner() -> None:
    """Another installation that was given the same prefix in Redis by mistake."""
    world = World()
    world.send(added("ada", 0, "m1"))
    run(world.all_done())
    before = run(world.table.meta(0))
    world.log.make_anew("carts")

    with pytest.raises(LostState, match="carts is another topic"):
        run(world.all_done())
    assert run(world.table.meta(0)) == before


def test_an_emptied_table_is_refused_when_the_group_has_read_before() -> None:
    world = World()
    world.send(added("ada", 0, "m1"))
    before = world.table.snapshot()
    run(world.all_done())
    world.table.restore(before)

    for _ in range(2):  # refusing leaves nothing behind that would let it through the next time
        with pytest.raises(LostState, match="the table knows nothing of it"):
            run(world.all_done())
    run(world.table.wipe(0))
    run(world.all_done())

    assert world.profile("user_id:ada") is not None


def test_a_partition_that_was_refused_goes_on_by_itself_once_the_gap_is_accepted() -> None:
    world = World()
    world.send(*(added("ada", n, f"m{n}") for n in range(5)))
    run(world.all_done())
    world.send(*(added("ada", n, f"m{n}") for n in range(5, 10)))
    world.log.forget_before("carts", 0, 8)
    subject = partition(world)

    async def scenario() -> None:
        running = asyncio.ensure_future(until(world, subject, lambda: world.offset("carts") == 10))
        await when(lambda: "lost_state" in subject.state)
        await world.table.set_offsets(0, {"carts": 8})
        await running

    run(scenario())

    assert world.told.stops[0][0] == "lost_state"


# --- troubles of the table ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_without_an_answer_is_repeated_and_counted_once(when: Any) -> None:
    world = World()
    world.send(*(added("ada", n, f"m{n}") for n in range(3)))

    async def scenario() -> None:
        tenure = world.tenure()
        await tenure.open()
        world.table.fail_next("commit", when, times=4)
        await world.work(tenure)

    run(scenario())
    ada = world.profile("user_id:ada")

    assert ada is not None
    assert ada.carts["ada-c1"].lines["tea"].quantity == 3
    assert {reason for reason, _ in world.told.stops} == {"unavailable"}


def test_a_table_without_memory_is_waited_for() -> None:
    world = World()
    world.send(added("ada", 0, "m1"))

    async def scenario() -> None:
        tenure = world.tenure()
        await tenure.open()
        world.table.fail_next("commit", "before", error=Refused("out of memory"), times=20)
        await world.work(tenure)

    run(scenario())

    assert world.profile("user_id:ada") is not None
    assert world.told.stops[0] == ("refused", "out of memory")


def test_the_log_says_once_that_a_commit_waits_for_the_table_and_when_it_is_through(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A full Redis may last a night; whoever reads the log in the morning finds the cause, and not ten thousand times."""
    world = World()
    world.send(added("ada", 0, "m1"))

    async def scenario() -> None:
        tenure = world.tenure()
        await tenure.open()
        world.table.fail_next("commit", "before", error=Refused("out of memory"), times=20)
        world.table.fail_next("commit", "before", error=Unavailable("no answer"), times=5)
        await world.work(tenure)

    with caplog.at_level("INFO", logger="streams.claimed"):
        run(scenario())

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "a commit waits: out of memory"),
        ("WARNING", "a commit waits: no answer"),
        ("INFO", "the commit that waited is in"),
    ]
    # All partitions wait for the same Redis.
    assert all(record.__dict__["often"] for record in caplog.records)


def test_the_log_says_that_a_partition_was_claimed_again_after_it_could_not_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.send(added("ada", 0, "m1"))
    world.table.fail_next("claim", "before", times=3)
    subject = partition(world)
    with caplog.at_level("INFO"):
        run(until(world, subject, done(world, subject)))

    told = [line for line in caplog.records if line.name == "streams.partition"]
    assert [line.levelname for line in told] == ["WARNING"] * 3 + ["INFO"]
    assert told[-1].getMessage() == "claimed again"
    assert all(line.__dict__["often"] for line in told)


def test_it_waits_for_what_ended_the_last_claim_until_it_works_again() -> None:
    """Redis is tried again every few seconds; each try looked like a partition that merely starts."""
    world = World()
    world.send(added("ada", 0, "m1"))
    world.table.fail_next("claim", "before", times=3)
    subject = partition(world)
    seen = [subject.waits_for]

    def reached() -> bool:
        if subject.waits_for != seen[-1]:
            seen.append(subject.waits_for)
        return bool(done(world, subject)())

    run(until(world, subject, reached))

    assert seen == ["starting", "unavailable", ""]


@pytest.mark.parametrize(
    "call, error",
    [
        (None, None),
        ("claim", Unavailable),
        ("load", Unavailable),
        ("commit", Fenced),
        ("commit", KeyError),
    ],
)
def test_nothing_of_a_claim_stays_in_memory_once_it_has_ended(
    call: Any, error: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Circles are never looked for in a worker (`_look_at_each_object_once`); one kept all profiles of each claim it had had."""
    claims: list[weakref.ref[Any]] = []

    async def scenario() -> None:
        world = World()
        world.send(*(added("ada", n, f"m{n}") for n in range(20)))
        subject = partition(world)
        if call is not None:
            world.table.fail_next(call, "before", error=error("as the test asked for"))

        def reached() -> bool:
            for part in (subject, subject._tenure, subject._tenure._cache, subject._tenure.outbox):
                if not any(claim() is part for claim in claims):
                    claims.append(weakref.ref(part))
            return bool(done(world, subject)())

        await until(world, subject, reached)
        world.log.attach(0, cast("Any", None))

    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # pytest would keep the errors that are told
    gc.disable()
    try:
        run(scenario())
        left = [claim() for claim in claims if claim() is not None]
    finally:
        gc.enable()

    assert claims
    assert left == []


def test_a_fault_of_ours_is_told_with_its_place_and_without_what_a_customer_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.send(added("ada", 0, "m1"))
    world.table.fail_next("claim", "before", error=cast("Any", KeyError("email:ann@example.com")))
    subject = partition(world)
    with caplog.at_level("INFO"):
        run(until(world, subject, done(world, subject)))

    ((reason, message),) = world.told.stops
    assert reason == "bug"
    assert re.match(r"KeyError at \S+memory_table.py:\d+ \S+ < ", message)
    assert "ann@" not in caplog.text
    assert message in caplog.text


def test_a_profile_of_a_newer_release_is_waited_for_and_named_with_the_way_out() -> None:
    world = World()
    world.send(added("ada", 0, "m1"))
    world.table.fail_next("load", "before", error=cast("Any", UnsupportedVersion("profile ada: start the newer one")))
    subject = partition(world)
    run(until(world, subject, done(world, subject)))

    assert world.told.stops == [("refused", "profile ada: start the newer one")]


def test_how_much_waits_is_not_told_while_the_table_is_away() -> None:
    """Nobody asks where the logs end then; a 0 would say that all is well."""
    world = World()
    world.send(ordered("ada", 0, "o1"))
    subject = partition(world)

    async def scenario() -> tuple[dict[str, int], dict[str, int]]:
        running = asyncio.ensure_future(until(world, subject, lambda: len(world.told.stops) >= 3))
        await when(done(world, subject))
        before = subject.lag()
        world.table.fail_next("load", "before", times=1)
        world.table.fail_next("claim", "before", times=100)
        world.send(*(ordered("bea", n, f"b{n}") for n in range(9)))
        await when(lambda: len(world.told.stops) >= 2)
        away = subject.lag()
        await running
        return before, away

    before, away = run(scenario())

    assert before["orders"] == 0
    assert away == {}


def test_a_zombie_stops_at_its_first_commit_and_changes_nothing() -> None:
    world = World()
    world.send(added("ada", 0, "m1"))

    async def scenario() -> None:
        zombie = world.tenure()
        await zombie.open()
        world.log.deliver(0)
        owner = world.tenure()
        await owner.open()
        await world.work(owner)
        stored = world.stored()
        with pytest.raises(Fenced):
            await zombie.turn()
        assert world.stored() == stored

    run(scenario())


def test_a_fenced_owner_claims_again_only_when_kafka_says_it_is_his() -> None:
    world = World()
    world.send(added("ada", 0, "m1"))
    subject = partition(world)
    asked = 0

    def owned(_: int) -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    world.log.owned = owned

    async def scenario() -> None:
        running = asyncio.ensure_future(
            until(world, subject, lambda: subject.claims == 2 and subject.state == "running")
        )
        await when(lambda: subject.state == "running")
        await world.table.claim(0)  # somebody else
        world.send(added("ada", 1, "m2"))
        await running

    run(scenario())

    assert asked == 4
    assert [reason for reason, _ in world.told.stops] == ["fenced"]


def test_a_table_that_went_back_in_time_is_healed_by_replay() -> None:
    world = World()
    world.send(*(added("ada", n, f"m{n}") for n in range(3)), ordered("bob", 1, "o1"))
    straight = World()
    straight.send(*(added("ada", n, f"m{n}") for n in range(6)), ordered("bob", 1, "o1"), ordered("bob", 70, "o2"))
    run(straight.all_done())
    subject = partition(world)

    async def scenario() -> None:
        old = None
        running = asyncio.ensure_future(until(world, subject, lambda: subject.claims == 2 and settled()))

        def settled() -> bool:
            return world.offset("carts") == 6 and world.offset("orders") == 2

        await when(lambda: world.offset("carts") >= 3 and world.offset("orders") >= 1)
        old = world.table.snapshot()
        world.send(*(added("ada", n, f"m{n}") for n in range(3, 5)))
        await when(lambda: world.offset("carts") >= 5)
        world.table.restore(old)
        world.send(added("ada", 5, "m5"), ordered("bob", 70, "o2"))
        await running

    run(scenario())

    assert "rolled_back" in [reason for reason, _ in world.told.stops]
    for name in ("user_id:ada", "user_id:bob"):
        ours, theirs = world.profile(name), straight.profile(name)
        assert ours is not None
        assert theirs is not None
        assert (ours.carts, ours.ltv, ours.orders) == (theirs.carts, theirs.ltv, theirs.orders)


def test_an_interest_has_the_same_id_where_a_table_went_back_and_topics_are_read_again_in_another_order() -> None:
    tea = Product(product_id="tea", category="tea", price_minor=500)
    viewed = [viewed_at(second, tea) for second in range(2)]
    put = ProductAdded(message_id="a1", timestamp_ms=START_MS + 3000, user_id="ada", cart_id="c1", product=tea)
    later = viewed_at(600, Product(product_id="soap"), user_id="bob")
    world = World()

    async def scenario() -> None:
        tenure = world.tenure()
        await tenure.open()
        old = world.table.snapshot()
        for event in (put, *viewed, later):  # the topic of carts is heard of sooner
            world.send(event)
            await world.work(tenure)
        world.table.restore(old)
        await world.all_done()

    run(scenario())

    sent = [trigger for trigger in world.values("triggers") if trigger["name"] == "category.interest"]
    assert [trigger["evidence"][1] for trigger in sent] == ["v1", "a1"]  # what was found to begin it
    assert len({trigger["trigger_id"] for trigger in sent}) == 1


def test_stopping_while_the_table_is_away_gives_up_the_batch_not_the_state() -> None:
    world = World()
    world.send(added("ada", 0, "m1"))
    tenure = world.tenure()

    async def scenario() -> None:
        await tenure.open()
        world.log.deliver(0)
        world.table.fail_next("commit", "before", times=1000)
        tenure.stop()
        with pytest.raises(Unavailable):
            await tenure.turn()

    run(scenario())

    assert world.profile("user_id:ada") is None


# --- troubles of the log ------------------------------------------------------------------------------------------


def test_a_chunk_that_got_lost_on_its_way_makes_it_read_again() -> None:
    world = World()
    world.send(*(added("ada", n, f"m{n}") for n in range(40)))
    subject = partition(world)

    class Leaky:
        dropped = False

        def take(self, chunk: Any, number: int, position: int) -> None:
            if number == 2 and not self.dropped:
                self.dropped = True
                return
            subject.take(chunk, number, position)

        reached = subject.reached

    world.log.attach(0, Leaky())
    run(until(world, subject, done(world, subject)))
    ada = world.profile("user_id:ada")

    assert subject.claims == 2
    assert ada is not None
    assert ada.carts["ada-c1"].lines["tea"].quantity == 40


def test_a_log_that_is_down_is_waited_for() -> None:
    world = World()
    world.send(added("ada", 0, "m1"))
    world.log.down = True
    subject = partition(world)

    async def scenario() -> None:
        running = asyncio.ensure_future(until(world, subject, done(world, subject)))
        await when(lambda: len(world.told.stops) >= 3)
        world.log.down = False
        await running

    run(scenario())

    assert world.profile("user_id:ada") is not None


def test_revocation_forgets_at_once_and_ends() -> None:
    world = World()
    world.send(*(added("ada", n, f"m{n}") for n in range(10)))
    subject = partition(world)

    async def scenario() -> None:
        running = asyncio.ensure_future(subject.run())
        await when(lambda: subject.state == "running")
        world.log.deliver(0)
        subject.drop()
        async with asyncio.timeout(5):
            await running

    run(scenario())
    run(world.all_done())
    ada = world.profile("user_id:ada")

    assert ada is not None
    assert ada.carts["ada-c1"].lines["tea"].quantity == 10


def test_what_was_forgotten_in_the_middle_of_a_commit_does_not_carry_the_clock_of_the_next_owner_away() -> None:
    """Ada puts tea into a cart and buys it; hours later a worker loses the partition just before it would read of that."""
    world = World(wall_ms=START_MS + 300 * MINUTE_MS, limits=PartitionLimits(batch_records=1))
    world.send(added("ada", 0, "m1"), ordered("bob", 1, "o0"), ordered("ada", 30, "o1", cart_id="ada-c1"))

    async def scenario() -> None:
        tenure = world.tenure()
        await tenure.open()
        store = world.table.commit

        async def taken_away(partition: int, commit: Commit) -> None:
            await store(partition, commit)
            if commit.offsets.get("orders") == 1:
                tenure.drop()

        world.table.commit = taken_away  # type: ignore[method-assign]
        await world.work(tenure)
        world.table.commit = store  # type: ignore[method-assign]
        # Its chunks come one record at a time, and the cart's change is long over when it begins.
        late = world.tenure()
        await late.open()
        await late.turn()
        await world.work(late, chunk=1)

    run(scenario())

    assert world.values("triggers") == []


# --- the clock, live ----------------------------------------------------------------------------------------------


def live(wall_minute: float) -> World:
    return World(wall_ms=START_MS + int(wall_minute * MINUTE_MS))


def test_a_silent_partition_follows_the_wall_and_fires() -> None:
    world = live(1)
    world.send(added("ada", 0, "m1"))

    async def scenario() -> list[int]:
        tenure = await world.all_done()
        fired = []
        for minute in (30, 60, 61, 62.1):
            world.wall_ms = START_MS + int(minute * MINUTE_MS)
            await world.work(tenure)
            fired.append(len(world.values("triggers")))
        return fired

    # Due at minute 60, a minute of grace behind the wall.
    assert run(scenario()) == [0, 0, 0, 1]


def test_after_an_outage_no_timer_overtakes_an_order_that_is_still_in_the_queue() -> None:
    world = live(1)
    world.send(added("ada", 0, "m1"), added("bob", 0, "m2"))

    async def scenario() -> None:
        await world.all_done()
        # Nobody worked for three hours; meanwhile ada bought. The queue comes in small pieces.
        world.send(*(added("cid", n, f"c{n}") for n in range(10, 170)))
        world.send(ordered("ada", 50, "o1", cart_id="ada-c1"))
        world.wall_ms = START_MS + 180 * MINUTE_MS
        tenure = world.tenure()
        await tenure.open()
        await world.work(tenure, chunk=3)

    run(scenario())

    assert [
        trigger["customer"]["id"] for trigger in world.values("triggers") if trigger["customer"]["id"] != "user_id:cid"
    ] == ["user_id:bob"]
    assert world.values("trigger-cancelled") == []


def test_idle_partitions_note_their_clock_and_trailing_markers_only_now_and_then() -> None:
    world = live(1)
    world.send(added("ada", 0, "m1"))

    async def scenario() -> int:
        tenure = await world.all_done()
        before = tenure.commits
        for second in range(100):
            world.wall_ms = START_MS + MINUTE_MS + second * 1000
            world.mono_ms += 100
            await world.work(tenure)
        return tenure.commits - before

    assert run(scenario()) <= 3


def test_while_much_comes_from_elsewhere_the_slowest_partition_holds_the_clock() -> None:
    world = World(partitions=4, wall_ms=START_MS + 200 * MINUTE_MS)
    for n in range(20):
        world.send(added(f"u{n}", 0, f"m{n}"))
    others = {"t0": 0}

    async def scenario() -> tuple[int, int]:
        tenure = world.tenure(others_t0_ms=lambda: others["t0"])
        await tenure.open()
        await world.work(tenure)
        held = len(world.values("triggers"))
        others["t0"] = START_MS + 300 * MINUTE_MS
        await world.work(tenure)
        return held, len(world.values("triggers"))

    held, freed = run(scenario())

    assert held == 0
    assert freed > 0


def test_how_far_a_batch_is_shows_before_it_is_committed() -> None:
    """Many partitions take turns at their batches: what moves meanwhile is this alone."""
    world = World()
    world.send(*(added(f"u{number}", number, f"m{number}") for number in range(500)))
    seen: list[tuple[int, int]] = []

    class Watched(Turnstile):
        @override
        def release(self) -> None:
            super().release()
            seen.append((tenure.commits, tenure.worked))

    tenure = world.tenure(turnstile=Watched())
    run(opened_and_worked(world, tenure))
    (first, *_), *_ = seen

    assert [worked for commits, worked in seen if commits == first] == [0, 0, 250]
    assert tenure.worked == 0


async def opened_and_worked(world: World, tenure: Tenure) -> None:
    await tenure.open()
    await world.work(tenure)
