"""A batch: exact order of timers and records, bounds, foreign records, and nothing half-done when the engine fails."""

import re
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from typing_extensions import override

from profiles.engine import FIRED_MAX, Engine
from profiles.needs import NeedLedger
from profiles.order_state import Ledger
from profiles.profile import Profile, decode_profile
from profiles.state import Moment
from profiles.triggers import CartAbandonedRule
from profiles.turn import Output
from schemas.events import Arrival, EraseShop
from streams.engine_errors import EngineErrors
from streams.forwards import mark_of, origin_of
from streams.home import home_partition
from streams.logs import TextFormatter
from streams.outbox import ROWS_MAX
from streams.partition_limits import PartitionLimits
from streams.rows import ROW_BYTES_MAX
from streams.tenure import Tenure
from tests.shell.world import EAGER, MINUTE_MS, START_MS, CrashAt, Died, World, added, ordered, run

DAY_MS = 86_400_000


class Recording(Engine):
    """The real engine, and a list of what it was asked to do."""

    __slots__ = ("calls", "faulty")

    def __init__(self, **faulty: type[Exception]) -> None:
        super().__init__(EAGER)
        self.calls: list[tuple[str, str, int]] = []
        self.faulty = faulty

    @override
    def step(self, profile: Profile, arrival: Arrival, at: Moment, orders: Ledger, out: list[Output]) -> None:
        super().step(profile, arrival, at, orders, out)
        self.calls.append(("step", arrival.event.message_id, at.clock_ms))
        if arrival.event.message_id in self.faulty:
            # After the change: what a reducer that breaks half-way leaves behind.
            raise self.faulty[arrival.event.message_id]

    @override
    def fire(
        self, profile: Profile, at: Moment, orders: Ledger, out: list[Output], timers: int = FIRED_MAX
    ) -> int | None:
        next_ms = super().fire(profile, at, orders, out, timers)
        self.calls.append(("fire", profile.id, at.clock_ms))
        if profile.id.removeprefix("user_id:") in self.faulty:
            raise self.faulty[profile.id.removeprefix("user_id:")]
        return next_ms


def world(engine: Engine | None = None, **options: Any) -> World:
    return World(engine=engine or Recording(), **options)


def test_timers_due_before_the_clock_fire_before_the_record_and_in_order() -> None:
    engine = Recording()
    made = world(engine)
    # Both carts are due an hour after their last change; the record after them moves the clock to minute 64.
    made.send(added("bob", 0, "m1"), added("ada", 0, "m2"), added("cid", 3, "m3"), added("dee", 65, "m4"))
    run(made.all_done())
    clock_ms = START_MS + 64 * MINUTE_MS

    # One customer after the other; what came out stands in the order of the rule.
    assert {name: at_ms for kind, name, at_ms in engine.calls if kind == "fire"} == {
        "user_id:ada": clock_ms, "user_id:bob": clock_ms, "user_id:cid": clock_ms,
    }  # fmt: skip
    assert [decision["customer_id"] for decision in made.values("decisions")] == [
        "user_id:bob", "user_id:ada", "user_id:cid", "user_id:ada", "user_id:bob", "user_id:cid", "user_id:dee",
    ]  # fmt: skip


def test_a_timer_due_exactly_at_the_clock_waits() -> None:
    engine = Recording()
    made = world(engine)
    made.send(added("bob", 0, "m1"), added("dee", 61, "m2"))
    run(made.all_done())

    assert [kind for kind, _, _ in engine.calls] == ["step", "step"]


def test_so_does_the_one_after_another_that_fired() -> None:
    made = world()
    made.send(added("bob", 0, "m1"), added("bob", 1, "m2", cart="c2"), added("dee", 62, "m3"), added("dee", 63, "m4"))
    run(made.all_done())

    assert [trigger["evidence"] for trigger in made.values("triggers")] == [["m1"], ["m2"]]


def test_after_the_last_record_nothing_fires_until_the_clock_moves() -> None:
    engine = Recording()
    made = world(engine)
    made.send(added("dee", 0, "m1"), added("dee", 300, "m2"), added("bob", 100, "m3"))

    async def scenario() -> list[str]:
        tenure = await made.all_done()
        before = [kind for kind, _, _ in engine.calls]
        tenure.advance_to(START_MS + 400 * MINUTE_MS)
        await made.work(tenure)
        return before

    before = run(scenario())

    assert before[-1] == "step"
    assert engine.calls[-1][0] == "fire"


@pytest.mark.parametrize("records", [1, 2, 100])
def test_a_timer_that_the_last_record_brought_fires_before_the_next_one_wherever_the_batch_ends(records: int) -> None:
    engine = Recording()
    made = world(engine, limits=PartitionLimits(batch_records=records))
    # The clock stands at minute 299; bob's event comes late, and its timer (minute 160) is due at once.
    made.send(added("dee", 300, "m1"), added("bob", 100, "m2"), added("cid", 290, "m3"))
    run(made.all_done())

    assert [(decision["customer_id"], decision["state"]) for decision in made.values("decisions")] == [
        ("user_id:dee", "armed"), ("user_id:bob", "armed"), ("user_id:bob", "emitted"), ("user_id:cid", "armed"),
    ]  # fmt: skip


def test_timers_of_the_batch_do_not_overtake_those_that_are_not_known_yet() -> None:
    made = world(limits=PartitionLimits(batch_records=2, due_timers=1))
    made.send(added("ada", 0, "m1"), added("bob", 1, "m2"), added("cid", 2, "m3"), added("dee", 200, "m4"))
    run(made.all_done())

    assert [trigger["customer"]["id"] for trigger in made.values("triggers")] == [
        "user_id:ada", "user_id:bob", "user_id:cid",
    ]  # fmt: skip


def test_that_a_shop_is_to_be_erased_is_answered_and_touches_nobody() -> None:
    made = world()
    left = EraseShop(message_id="m2", timestamp_ms=START_MS + 1, shop_id="x.example", request_id="r1")
    made.send(added("ada", 0, "m1"), left)
    run(made.all_done())
    untouched = world()
    untouched.send(added("ada", 0, "m1"))
    run(untouched.all_done())

    (receipt,) = made.values("receipts")
    assert (receipt["request_id"], receipt["command"], receipt["final"], receipt["refused"]) == (
        "r1", "erase_shop", True, "by_hand",
    )  # fmt: skip
    assert made.values("rejected") == []
    assert made.profile("user_id:ada") == untouched.profile("user_id:ada")


def test_a_step_that_fails_half_way_leaves_no_torn_profile() -> None:
    engine = Recording(m2=ZeroDivisionError)
    made = world(engine)
    made.send(added("ada", 0, "m1"), added("ada", 1, "m2", product="milk"), added("bob", 2, "m3"))
    run(made.all_done())
    untouched = world()
    untouched.send(added("ada", 0, "m1"), added("bob", 2, "m3"))
    run(untouched.all_done())
    (rejected,) = made.values("rejected")

    assert made.profile("user_id:ada") == untouched.profile("user_id:ada")
    assert made.profile("user_id:bob") == untouched.profile("user_id:bob")
    assert (rejected["reason"], rejected["detail"], rejected["offset"]) == ("engine_error", "ZeroDivisionError", 1)
    assert msgspec.json.decode(rejected["original"])["message_id"] == "m2"


def test_a_step_that_fails_does_not_undo_what_earlier_batches_left_in_memory() -> None:
    engine = Recording(m4=KeyError)
    made = world(engine, limits=PartitionLimits(batch_records=2))
    made.send(*(added("ada", minute, f"m{minute}") for minute in range(1, 7)))
    run(made.all_done())
    profile = made.profile("user_id:ada")

    assert profile is not None
    assert profile.carts["ada-c1"].lines["tea"].quantity == 5


def test_a_timer_that_fails_is_left_alone_and_holds_up_nobody() -> None:
    engine = Recording(ada=ZeroDivisionError)
    made = world(engine)
    made.send(added("ada", 0, "m1"), added("bob", 0, "m2"), added("cid", 70, "m3"))
    run(made.all_done())
    ada = made.profile("user_id:ada")

    assert ada is not None
    assert len(ada.episodes) == 1
    assert [trigger["customer"]["id"] for trigger in made.values("triggers")] == ["user_id:bob"]


class Sleeping(Engine):
    """An engine whose timers never have their say."""

    @override
    def fire(
        self, profile: Profile, at: Moment, orders: Ledger, out: list[Output], timers: int = FIRED_MAX
    ) -> int | None:
        return profile.next_due_ms()


def test_nor_does_one_that_is_still_due_after_it_fired() -> None:
    made = world(Sleeping(EAGER))
    made.send(added("ada", 0, "m1"), added("bob", 70, "m2"))
    run(made.all_done())

    assert [decision["state"] for decision in made.values("decisions")] == ["armed", "armed"]
    assert made.profile("user_id:bob") is not None


def test_a_timer_that_failed_fires_later_once_the_fault_is_gone() -> None:
    made = world(Recording(ada=ZeroDivisionError))
    made.send(added("ada", 0, "m1"), added("cid", 75, "m2"))
    run(made.all_done())
    made.engine = Recording()
    made.send(added("dee", 135, "m3"))
    run(made.all_done())

    assert [trigger["customer"]["id"] for trigger in made.values("triggers")] == ["user_id:ada"]


def test_too_many_failures_of_the_engine_pause_the_partition() -> None:
    faulty: dict[str, type[Exception]] = {f"m{n}": ValueError for n in range(200)}
    made = world(Recording(**faulty))
    made.send(*(added("ada", n, f"m{n}") for n in range(200)))

    with pytest.raises(EngineErrors, match="the engine failed 100 times within a minute"):
        run(made.all_done())


class Telling(Exception):
    """A failure whose message holds what the customer sent."""

    def __init__(self) -> None:
        super().__init__("ann@example.com")


def test_the_log_says_where_the_engine_failed_and_nothing_that_names_the_customer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Faulty(Recording):
        __slots__ = ()

        @override
        def fire(
            self, profile: Profile, at: Moment, orders: Ledger, out: list[Output], timers: int = FIRED_MAX
        ) -> int | None:
            raise Telling

    made = world(Faulty(m2=Telling))
    customer = {"email": "ann@example.com", "user_id": None}
    made.send(*(replace(added("ann", minute, f"m{minute}"), **customer) for minute in (0, 2)), added("bob", 70, "m3"))
    with caplog.at_level("INFO"):
        run(made.all_done())

    of_record, of_timer = [TextFormatter().format(line).split(" ", 1)[1] for line in caplog.records]
    assert re.match(
        r"ERROR engine_errors: Telling in an event; the record is set aside; at \S+test_batch.py:\d+ step < .* "
        r"partition=0 topic=carts offset=1$",
        of_record,
    ), of_record
    assert re.match(
        r"ERROR engine_errors: Telling in a timer; its timers are left alone for an hour; at \S+test_batch.py:\d+ fire < .* "
        r"partition=0 profile=email:~\w{16}$",
        of_timer,
    ), of_timer


def test_a_need_for_more_of_the_ledger_is_met_and_the_step_runs_again() -> None:
    made = world(limits=PartitionLimits(batch_records=1))
    made.send(*(ordered("ada", n, f"o{n}") for n in range(3)))
    run(made.all_done())
    wanted: list[str | None] = []

    class Curious(Recording):
        __slots__ = ()

        @override
        def step(self, profile: Profile, arrival: Arrival, at: Moment, orders: Ledger, out: list[Output]) -> None:
            if not orders.complete:
                wanted.append(None)
                raise NeedLedger(None)
            wanted.extend(entry.order_id for entry in orders.all())
            super().step(profile, arrival, at, orders, out)

    made.engine = Curious()
    made.send(added("ada", 10, "m1"))
    run(made.all_done())

    assert wanted == [None, "o0", "o1", "o2"]


def test_a_batch_ends_where_it_has_grown_enough() -> None:
    for limits, most in (
        (PartitionLimits(batch_records=7), 7),
        (PartitionLimits(batch_profiles=7), 7),
        (PartitionLimits(batch_bytes=7 * 250), 12),
    ):
        made = world(limits=limits)
        made.send(*(added(f"u{n}", n / 100, f"m{n}") for n in range(50)))
        run(made.all_done())

        assert max(batch.profiles_written for batch in made.told.batches) <= most
        assert sum(batch.profiles_written for batch in made.told.batches) == 50


def test_many_timers_due_at_once_are_worked_off_in_bounded_commits() -> None:
    made = world(limits=PartitionLimits(batch_profiles=100, due_timers=60, cache_profiles=10))
    made.send(*(added(f"u{n:04}", 0, f"m{n}") for n in range(2000)))

    async def scenario() -> None:
        tenure = await made.all_done()
        made.told.batches.clear()
        tenure.advance_to(START_MS + 61 * MINUTE_MS)
        await made.work(tenure)

    run(scenario())

    assert max(batch.timers_fired for batch in made.told.batches) <= 100
    assert sum(batch.timers_fired for batch in made.told.batches) == 2000
    assert [trigger["customer"]["id"] for trigger in made.values("triggers")] == [
        f"user_id:u{n:04}" for n in range(2000)
    ]


def test_timers_due_at_once_wait_while_much_waits_to_be_published() -> None:
    customers = 7000
    made = world(engine=Engine(EAGER))
    made.send(*(added(f"u{n:04}", 0, f"m{n}") for n in range(customers)))

    async def scenario() -> tuple[int, int]:
        tenure = await made.all_done()
        made.send(added("last", 100 * 60, "m-last"))
        made.log.deliver(0)
        while await tenure.turn():
            pass  # and nothing is published
        made.mono_ms += 10_000
        await tenure.turn()  # now it notes how far it is: the record that waits for the timers is not done
        waiting, offset = tenure.outbox.waiting, tenure.offsets["carts"]
        await made.work(tenure)
        return waiting, offset

    waiting, offset = run(scenario())

    assert ROWS_MAX <= waiting < ROWS_MAX + 2 * 1000
    assert offset == customers
    assert [trigger["customer"]["id"] for trigger in made.values("triggers")] == [
        f"user_id:u{n:04}" for n in range(customers)
    ]
    assert made.profile("user_id:last") is not None


def test_each_profile_is_written_once_in_a_batch_however_many_events_it_had() -> None:
    made = world()
    made.send(*(added("ada", n, f"m{n}") for n in range(50)))
    run(made.all_done())

    assert [(batch.records, batch.profiles_written) for batch in made.told.batches] == [({"carts": 50}, 1)]


def test_an_output_that_is_too_large_is_set_aside_and_nothing_else_suffers() -> None:
    class Verbose(Recording):
        __slots__ = ()

        @override
        def step(self, profile: Profile, arrival: Arrival, at: Moment, orders: Ledger, out: list[Output]) -> None:
            super().step(profile, arrival, at, orders, out)
            if out and arrival.event.message_id == "m1":
                out[0] = msgspec.structs.replace(out[0], reason="x" * ROW_BYTES_MAX)

    made = world(Verbose())
    made.send(added("ada", 0, "m1"), added("bob", 1, "m2"))
    run(made.all_done())
    (rejected,) = made.values("rejected")

    assert (rejected["reason"], rejected["topic"], rejected["key"]) == ("output_too_large", "decisions", "user_id:ada")
    assert [decision["customer_id"] for decision in made.values("decisions")] == ["user_id:bob"]


# --- records of customers who live elsewhere ----------------------------------------------------------------------


def users_by_home(partitions: int = 4) -> dict[int, str]:
    return {home_partition(f"u{n}", partitions): f"u{n}" for n in range(100)}


def mark(made: World, topic: str) -> str:
    return mark_of(run(made.log.topic_ids())[topic])


def orders_after(made: World, user: str, *, sender: int = 0, home: int = 1) -> int:
    """How many orders a user has once the partition they came to, and then her home, have worked."""
    for partition in (sender, home):

        async def work(tenure: Tenure) -> None:
            await tenure.open()
            await made.work(tenure)

        run(work(made.tenure(partition)))
    profile = made.profile(f"user_id:{user}", home)
    assert profile is not None
    return profile.orders.count


def test_a_record_of_a_customer_who_lives_elsewhere_is_sent_home() -> None:
    made = world(partitions=4)
    users = users_by_home()
    made.send(added(users[0], 0, "m0"), added(users[2], 1, "m2"), partition=0, timestamp_ms=START_MS + 5)
    run(made.all_done())
    (sent,) = made.log.records("forwards", 2)

    assert made.profile(f"user_id:{users[2]}") is None
    assert origin_of(sent.headers) == (f"carts/0/{mark(made, 'carts')}", 1, 1)
    assert sent.value == msgspec.json.encode(added(users[2], 1, "m2"))

    async def at_home() -> None:
        tenure = made.tenure(2)
        await tenure.open()
        await made.work(tenure)

    run(at_home())
    profile = made.profile(f"user_id:{users[2]}", 2)

    assert profile is not None
    assert "c1" in next(iter(profile.carts))


def test_a_forwarded_record_that_comes_twice_counts_once() -> None:
    made = world(partitions=4, limits=PartitionLimits(batch_records=1))
    users = users_by_home()
    made.send(*(added(users[1], n, f"m{n}") for n in range(5)))
    run(made.all_done())
    for record in made.log.records("forwards", 1)[2:]:
        made.log.append("forwards", record.value, partition=1, headers=record.headers)

    async def at_home() -> None:
        tenure = made.tenure(1)
        await tenure.open()
        await made.work(tenure)

    run(at_home())
    profile = made.profile(f"user_id:{users[1]}", 1)

    assert profile is not None
    assert profile.carts[f"{users[1]}-c1"].lines["tea"].quantity == 5
    assert sum(batch.repeated_forwards for batch in made.told.batches) == 3


def orders_begin_anew(made: World) -> None:
    """The topic is deleted and made again, and the gap is accepted."""
    made.log.make_anew("orders")
    for partition in range(4):
        run(made.table.set_offsets(partition, {"orders": 0}))


def rebuilt_with_some_forwards_expired() -> tuple[World, str]:
    """Ten orders were sent home to a customer; then four of their forwards expired, and all partitions were wiped."""
    made = world(partitions=4)
    ann = users_by_home()[1]
    made.send(*(ordered(ann, n, f"o{n}") for n in range(10)))
    assert orders_after(made, ann) == 10
    made.log.forget_before("forwards", 1, 4)
    for partition in range(4):
        run(made.table.wipe(partition))
    return made, ann


def test_orders_of_a_topic_that_was_made_again_arrive_at_their_home() -> None:
    made = world(partitions=4)
    ann = users_by_home()[1]
    made.send(*(ordered(ann, n, f"old{n}") for n in range(5)))
    assert orders_after(made, ann) == 5
    orders_begin_anew(made)
    made.send(*(ordered(ann, n, f"new{n}") for n in range(7)))

    assert orders_after(made, ann) == 12


def test_a_rebuild_brings_back_orders_whose_way_home_has_expired() -> None:
    made, ann = rebuilt_with_some_forwards_expired()

    assert orders_after(made, ann) == 10


def test_a_partition_that_is_rebuilt_alone_repeats_nothing_elsewhere() -> None:
    made = world(partitions=4)
    ann = users_by_home()[1]
    made.send(*(added(ann, n, f"m{n}") for n in range(5)), ordered(ann, 9, "o1", cart_id="another"))
    assert orders_after(made, ann) == 1
    for _ in range(2):
        run(made.table.wipe(0))
        assert orders_after(made, ann) == 1
    profile = made.profile(f"user_id:{ann}", 1)

    assert profile is not None
    assert profile.activity.events == 6
    assert sum(batch.repeated_forwards for batch in made.told.batches) == 12


def test_after_a_rebuild_nothing_counts_twice_that_is_sent_home_once_more() -> None:
    made, ann = rebuilt_with_some_forwards_expired()
    assert orders_after(made, ann) == 10
    taken = sum(batch.repeated_forwards for batch in made.told.batches)
    run(made.table.wipe(0))

    assert orders_after(made, ann) == 10
    assert sum(batch.repeated_forwards for batch in made.told.batches) == taken + 10


def test_what_an_earlier_release_sent_home_is_not_taken_again_and_what_follows_is() -> None:
    made = world(partitions=4)
    ann = users_by_home()[1]
    made.send(*(ordered(ann, n, f"o{n}") for n in range(3)))
    assert orders_after(made, ann) == 3
    part = made.table.snapshot()
    meta = part.partitions[1].meta
    assert meta is not None
    meta.origins = {"orders/0": 2}
    made.table.restore(part)
    run(made.table.wipe(0))
    assert orders_after(made, ann) == 3
    assert sum(batch.repeated_forwards for batch in made.told.batches) == 3
    made.send(ordered(ann, 3, "o3"))
    assert orders_after(made, ann) == 4
    run(made.table.wipe(0))
    assert orders_after(made, ann) == 4
    assert sum(batch.repeated_forwards for batch in made.told.batches) == 7
    orders_begin_anew(made)
    made.send(*(ordered(ann, n, f"new{n}") for n in range(2)))

    assert orders_after(made, ann) == 6


def test_a_record_that_never_comes_home_is_set_aside() -> None:
    made = world(partitions=4)
    users = users_by_home()
    value = msgspec.json.encode(added(users[3], 0, "m"))
    made.log.append("forwards", value, headers=(("origin", b"carts/1/7/0"), ("hops", b"4")))
    run(made.all_done())

    assert [one["reason"] for one in made.values("rejected")] == ["too_many_hops"]
    assert made.log.records("forwards", 3) == []


def test_orders_that_name_nobody_live_where_their_order_id_says() -> None:
    made = world(partitions=4)
    receipts = [msgspec.structs.replace(ordered("ada", n, f"till-{n}"), user_id=None) for n in range(40)]
    made.send(*receipts)
    run(made.all_done())
    here = sum(home_partition(f"till-{n}", 4) == 0 for n in range(40))

    assert run(made.table.population(0))["anonymous_orders"] == here
    assert sum(len(made.log.records("forwards", p)) for p in range(4)) == 40 - here


def test_an_owner_that_dies_after_the_commit_sends_the_same_forwards_again() -> None:
    made = world(partitions=4)
    users = users_by_home()
    made.send(added(users[1], 0, "m1"))

    async def dies() -> None:
        tenure = made.tenure(faults=CrashAt("after_ack"))
        await tenure.open()
        await made.work(tenure)

    with pytest.raises(Died):
        run(dies())
    run(made.all_done())

    assert [origin_of(record.headers) for record in made.log.records("forwards", 1)] == [
        (f"carts/0/{mark(made, 'carts')}", 0, 1)
    ] * 2


def test_what_a_profile_adds_to_the_population_is_in_the_same_commit() -> None:
    made = world()
    made.send(ordered("ada", 0, "o1"), ordered("ada", 1, "o2"), ordered("bob", 2, "o3"))
    run(made.all_done())
    stored = run(made.table.profile(0, "user_id:ada"))

    assert stored is not None
    assert decode_profile(stored).orders.count == 2
    counters = run(made.table.population(0))
    assert (counters["customers"], counters["orders"], counters["net"]) == (2, 3, 3000)


def test_behind_a_backlog_an_item_added_after_a_reminder_was_due_opens_the_next_one() -> None:
    # The wall is days ahead of all events, as after an outage; the reminder of minute 60 goes out before minute 90 is read.
    patient = replace(EAGER.rule(CartAbandonedRule), max_lateness_ms=30 * DAY_MS)
    engine = Engine(replace(EAGER, rules=replace(EAGER.rules, triggers={"cart.abandoned": patient})))
    made = world(engine, wall_ms=START_MS + 3 * DAY_MS)
    made.send(added("ada", 0, "m1"), added("ada", 90, "m2", product="milk"), added("bob", 400, "m3"))
    run(made.all_done())

    assert [trigger["due_at_ms"] for trigger in made.values("triggers") if trigger["customer"]["id"] == "user_id:ada"] == [
        START_MS + 60 * MINUTE_MS, START_MS + 150 * MINUTE_MS,
    ]  # fmt: skip
