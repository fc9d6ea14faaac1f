"""Other rules under a running partition: taken between batches, announced once, and all that waits planned anew."""

from typing import Any

import msgspec
import pytest

from profiles.book import Book
from profiles.catalogue import Catalogue, build_catalogue
from profiles.conditions import compile_conditions
from profiles.engine import Engine
from profiles.profile import decode_profile
from profiles.rules import OpenFeedback, Rules
from profiles.triggers import CartAbandonedRule, CheckoutAbandonedRule
from schemas.events import Event, NpsSubmitted, Product
from streams.after_rules import PROFILES_MAX as REPLANNED_MAX
from streams.partition_limits import PartitionLimits
from tests.shell.world import EAGER, MINUTE_MS, START_MS, CrashAt, World, added, ordered, run
from tests.stories.test_replenishment_learned import learned

ANNOUNCED = "rules.changed"


def by_rules(version: str, *, delay_min: int, segments: dict[str, Any] | None = None, **more: Any) -> Engine:
    own = CartAbandonedRule(cooldown_ms=0, max_in_window=0, delay_ms=delay_min * MINUTE_MS)
    rules = msgspec.structs.replace(
        EAGER.rules,
        version=version,
        triggers={**EAGER.rules.triggers, own.trigger: own, "checkout.abandoned": CheckoutAbandonedRule(cooldown_ms=0)},
        **more,
    )
    conditions, kept = compile_conditions(rules, segments)
    return Engine(Book(rules=rules, conditions=conditions, segments=kept))


OLD, NEW = by_rules("old", delay_min=240), by_rules("new", delay_min=60)


def announced(world: World) -> list[tuple[str, str]]:
    return [
        (one["old_version"], one["new_version"]) for one in world.values("decisions") if one.get("name") == ANNOUNCED
    ]


def due_minutes(world: World) -> dict[str, float]:
    due = world.table.snapshot().partitions[0].due
    return {profile_id: (due_ms - START_MS) / MINUTE_MS for profile_id, due_ms in due.items()}


def emitted(world: World) -> list[tuple[str, float, str]]:
    return [
        (one["customer"]["id"], (one["emitted_at_ms"] - START_MS) / MINUTE_MS, one["decision"]["rules"])
        for one in world.values("triggers")
    ]


def test_a_new_partition_begins_with_its_rules_and_announces_nothing() -> None:
    world = World(engine=OLD)
    world.send(added("ada", 0, "m1"))
    run(world.all_done())
    meta = run(world.table.meta(0))
    assert meta is not None

    assert meta.rules == {
        "version": "old",
        "digest": OLD.stamp.digest,
        "replanned": OLD.stamp.digest,
        "visitors": "forgotten",
    }
    assert announced(world) == []


def test_a_changed_delay_moves_what_waits_and_the_change_is_told_before_its_first_decision() -> None:
    async def story(world: World) -> None:
        tenure = await world.all_done()
        assert due_minutes(world) == {"user_id:ada": 240, "user_id:bob": 250}
        tenure.use(NEW)
        await world.work(tenure)
        assert due_minutes(world) == {"user_id:ada": 60, "user_id:bob": 70}
        world.send(added("cid", 65, "m3"))
        await world.work(tenure)

    world = World(engine=OLD)
    world.send(added("ada", 0, "m1"), added("bob", 10, "m2"))
    run(story(world))
    decisions = world.values("decisions")

    assert announced(world) == [("old", "new")]
    assert emitted(world) == [("user_id:ada", 60, "new")]
    at = [one.get("name") for one in decisions].index(ANNOUNCED)
    assert {one["rules"] for one in decisions[:at]} == {"old"}
    assert {one["rules"] for one in decisions[at + 1 :]} == {"new"}


def test_what_is_past_due_by_the_new_rules_goes_out_at_once() -> None:
    async def story(world: World) -> None:
        tenure = await world.all_done()
        tenure.use(NEW)
        await world.work(tenure)

    world = World(engine=OLD)
    world.send(added("ada", 0, "m1"), added("bob", 130, "m2"))
    run(story(world))

    # The clock stands a minute before bob's event.
    assert emitted(world) == [("user_id:ada", 129, "new")]


def test_a_worker_that_starts_with_other_rules_announces_and_plans_anew_as_well() -> None:
    world = World(engine=OLD)
    world.send(added("ada", 0, "m1"))
    run(world.all_done())
    world.engine = NEW
    run(world.all_done())
    run(world.all_done())

    assert announced(world) == [("old", "new")]
    assert due_minutes(world) == {"user_id:ada": 60}


def test_the_same_rules_under_another_file_date_are_no_change() -> None:
    async def story(world: World) -> None:
        tenure = await world.all_done()
        commits = tenure.commits
        tenure.use(by_rules("old", delay_min=240))
        await world.work(tenure)
        assert tenure.commits == commits

    world = World(engine=OLD)
    world.send(added("ada", 0, "m1"))
    run(story(world))

    assert announced(world) == []


def test_back_to_the_old_rules_is_another_change() -> None:
    async def story(world: World) -> None:
        tenure = await world.all_done()
        for engine in (NEW, OLD, NEW):
            tenure.use(engine)
            await world.work(tenure)

    world = World(engine=OLD)
    world.send(added("ada", 0, "m1"))
    run(story(world))
    ids = [one["decision_id"] for one in world.values("decisions") if one.get("name") == ANNOUNCED]

    assert announced(world) == [("old", "new"), ("new", "old"), ("old", "new")]
    assert len(set(ids)) == 3
    assert due_minutes(world) == {"user_id:ada": 60}


def test_many_customers_are_planned_anew_a_few_at_a_time_while_events_go_on() -> None:
    many = 2 * REPLANNED_MAX + 50

    async def story(world: World) -> None:
        tenure = await world.all_done()
        tenure.use(NEW)
        world.send(added("late", 30, "late"))
        world.log.deliver(0, chunk=500, asked_ms=0)
        await tenure.turn()
        moved = sum(minute < 200 for minute in due_minutes(world).values())
        assert REPLANNED_MAX <= moved < many
        assert await world.table.profile(0, "user_id:late") is not None
        await world.work(tenure)

    world = World(engine=OLD)
    world.send(*(added(f"u{number}", 0, f"m{number}") for number in range(many)))
    run(story(world))

    assert due_minutes(world) == {**{f"user_id:u{number}": 60 for number in range(many)}, "user_id:late": 90}


@pytest.mark.parametrize("point", ["before_send", "after_send", "after_reply"])
@pytest.mark.parametrize("times", range(1, 6))
def test_killed_anywhere_on_the_way_the_next_owner_finishes_it(point: Any, times: int) -> None:
    world = World(engine=OLD)
    world.send(*(added(f"u{number}", 0, f"m{number}") for number in range(REPLANNED_MAX + 5)))
    run(world.take_up(NEW, CrashAt(point, times)))

    assert set(due_minutes(world).values()) == {60}
    assert announced(world) == [("old", "new")]
    meta = run(world.table.meta(0))
    assert meta is not None
    assert meta.rules["replanned"] == NEW.stamp.digest


# --- segments of new rules --------------------------------------------------------------------------------------------

SPENDING = by_rules("new", delay_min=240, segments={"spending": {"when": 'spend_minor("9d") >= 2000'}})


def members(world: World, segment: str = "spending") -> set[str]:
    stored = world.table.snapshot().partitions[0].profiles
    return {profile_id for profile_id, text in stored.items() if segment in decode_profile(text).memberships.inside_ms}


def ready(world: World) -> list[tuple[str, str]]:
    return [(one["version"], one["digest"]) for one in world.values("decisions") if one.get("name") == "segments.ready"]


def two_buyers(**options: Any) -> World:
    # With so little room, her two orders have to be read again.
    world = World(engine=OLD, limits=PartitionLimits(cache_profiles=1), **options)
    world.send(ordered("ada", 0, "o1"), ordered("ada", 1, "o2"), ordered("bob", 2, "o3"))
    return world


def test_every_customer_is_looked_at_by_new_segments_though_nothing_happens_to_her_and_nobody_is_told() -> None:
    async def story(world: World) -> None:
        tenure = await world.all_done()
        tenure.use(SPENDING)
        await world.work(tenure)

    world = two_buyers()
    run(story(world))

    assert members(world) == {"user_id:ada"}
    assert emitted(world) == []
    assert ready(world) == [("new", SPENDING.stamp.digest)]
    announcements = [one["name"] for one in world.values("decisions") if one["name"] in (ANNOUNCED, "segments.ready")]
    assert announcements == [ANNOUNCED, "segments.ready"]


def test_who_was_found_in_a_new_segment_leaves_it_by_its_timer_and_that_is_told() -> None:
    async def story(world: World) -> None:
        tenure = await world.all_done()
        tenure.use(SPENDING)
        await world.work(tenure)
        tenure.advance_to(START_MS + 10 * 24 * 60 * MINUTE_MS)
        await world.work(tenure)

    world = two_buyers()
    run(story(world))
    told = [
        (one["name"], one["customer"]["id"], one["emitted_at_ms"] - START_MS)
        for one in world.values("triggers")
        if one["name"].startswith("segment.")
    ]

    assert told == [("segment.exited", "user_id:ada", 9 * 24 * 60 * MINUTE_MS)]
    assert members(world) == set()


def test_rules_that_give_a_segment_another_meaning_have_everybody_looked_at_by_it() -> None:
    unhappy = {"unhappy": {"when": "profile.feedback.complains"}}
    buyers = {"buyers": {"when": "profile.orders.count >= 1"}}
    soon = {"open_feedback": OpenFeedback(expires_ms=60 * MINUTE_MS)}

    async def story(world: World) -> None:
        tenure = await world.all_done()
        assert members(world, "unhappy") == {"user_id:ada"}
        tenure.use(by_rules("new", delay_min=60, segments=unhappy, **soon))
        await world.work(tenure)

    world = World(engine=by_rules("old", delay_min=60, segments=unhappy))
    answer = NpsSubmitted(message_id="n1", timestamp_ms=START_MS, user_id="ada", survey_id="s1", score=1)
    world.send(answer, added("ada", 120, "m1"))
    run(story(world))

    assert members(world, "unhappy") == set()
    assert ready(world) != []
    # A segment that asks for nothing of the kind stays the same.
    assert (
        by_rules("old", delay_min=60, segments=buyers).stamp.segments
        == by_rules("new", delay_min=60, segments=buyers, **soon).stamp.segments
    )


def test_a_worker_that_starts_with_other_segments_looks_at_everybody_once() -> None:
    world = two_buyers()
    run(world.all_done())
    world.engine = SPENDING
    run(world.all_done())
    run(world.all_done())

    assert members(world) == {"user_id:ada"}
    assert len(ready(world)) == 1


def test_rules_that_change_no_segment_look_at_nobody() -> None:
    again = by_rules("newer", delay_min=60, segments={"spending": {"when": 'spend_minor("9d") >= 2000'}})

    async def story(world: World) -> None:
        tenure = await world.all_done()
        for engine in (SPENDING, again):
            tenure.use(engine)
            await world.work(tenure)

    world = two_buyers()
    run(story(world))

    assert announced(world) == [("old", "new"), ("new", "newer")]
    assert len(ready(world)) == 1


def test_segments_that_are_given_up_are_forgotten_by_everybody() -> None:
    async def story(world: World) -> None:
        tenure = await world.all_done()
        for engine in (SPENDING, OLD):
            tenure.use(engine)
            await world.work(tenure)

    world = two_buyers()
    run(story(world))

    assert members(world) == set()
    stored = world.table.snapshot().partitions[0].profiles["user_id:ada"]
    assert b'"windows"' not in stored
    assert b'"definitions"' not in stored


def test_many_customers_are_looked_at_a_few_at_a_time_while_events_go_on() -> None:
    many = 2 * REPLANNED_MAX + 50

    async def story(world: World) -> None:
        tenure = await world.all_done()
        tenure.use(SPENDING)
        world.send(ordered("late", 30, "late"), ordered("late", 31, "late2"))
        world.log.deliver(0, chunk=500, asked_ms=0)
        looked = [len(members(world))]
        while tenure._rules.after.pending or looked[-1] == 0:
            await tenure.turn()
            looked.append(len(members(world) - {"user_id:late"}))
            assert looked[-1] - looked[-2] <= REPLANNED_MAX
            assert await world.table.profile(0, "user_id:late") is not None, "the event did not wait"
        tenure.advance_to(START_MS + 40 * MINUTE_MS)
        await world.work(tenure)

    world = World(engine=OLD)
    world.send(*(ordered(f"u{number}", at, f"o{number}-{at}") for at in (0, 1) for number in range(many)))
    run(story(world))

    assert members(world) == {"user_id:late", *(f"user_id:u{number}" for number in range(many))}
    assert [one[0] for one in emitted(world)] == ["user_id:late"]


@pytest.mark.parametrize("point", ["before_send", "after_send", "after_reply"])
@pytest.mark.parametrize("times", range(1, 8))
def test_killed_while_everybody_is_looked_at_the_next_owner_finishes_it(point: Any, times: int) -> None:
    count = REPLANNED_MAX + 5
    world = World(engine=OLD)
    world.send(*(ordered(f"u{number}", at, f"o{number}-{at}") for at in (0, 1) for number in range(count)))
    run(world.take_up(SPENDING, CrashAt(point, times)))

    assert len(members(world)) == count
    assert emitted(world) == []
    assert len({digest for _, digest in ready(world)}) == 1
    meta = run(world.table.meta(0))
    assert meta is not None
    assert meta.rules["segments"] == SPENDING.stamp.segments


# --- what else gives segments their meaning -----------------------------------------------------------------------------

SOON = {"soon": {"when": 'profile.replenishment.exists(r, r.due_ms < ahead("20d"))'}}
MORNINGS = {"morning": {"when": "profile.replenishment.exists(r, r.due_ms / 3600000 % 24 < 12)"}}
TEA = {"tea": {"when": 'orders("90d", category("tea")) >= 1'}}


def shop_with(segments: dict[str, Any], **more: Any) -> Engine:
    """The same rules in a shop of another catalogue, time zone, or of models."""
    book = by_rules("same", delay_min=240, segments=segments).book
    return Engine(msgspec.structs.replace(book, **more))


def bought(user: str, minute: float, order_id: str) -> Event:
    return ordered(user, minute, order_id, products=(Product(product_id="A", quantity=1),))


def of_days(days: float) -> Catalogue:
    return build_catalogue([{"product_id": "A", "supply_days": days}])


def of_category(category: str) -> Catalogue:
    return build_catalogue([{"product_id": "A", "category": category}])


@pytest.mark.parametrize(
    "before, after, segment, is_in",
    [
        (shop_with(SOON, catalogue=of_days(90)), shop_with(SOON, catalogue=of_days(9)), "soon", True),
        (shop_with(SOON, catalogue=of_days(9)), shop_with(SOON), "soon", False),
        (shop_with(TEA, catalogue=of_category("lamps")), shop_with(TEA, catalogue=of_category("tea")), "tea", True),
        (shop_with(TEA, catalogue=of_category("tea/green")), shop_with(TEA), "tea", False),
        (
            shop_with(MORNINGS, catalogue=of_days(9)),
            shop_with(MORNINGS, catalogue=of_days(9), shop_timezone="Pacific/Auckland"),
            "morning",
            False,
        ),
    ],
)
def test_who_is_silent_is_looked_at_once_in_a_shop_of_another_catalogue_or_time_zone(
    before: Engine, after: Engine, segment: str, is_in: bool
) -> None:
    world = World(engine=before, limits=PartitionLimits(cache_profiles=1))
    # At two and at eleven in the evening in London; in Auckland that is three in the afternoon and noon.
    world.send(*(bought(user, minute, f"{user}{minute}") for minute in (120, 1380) for user in ("ada", "bob")))
    world.send(added("cid", 1400, "m1"))
    run(world.all_done())
    everybody = {"user_id:ada", "user_id:bob"}

    assert members(world, segment) == (set() if is_in else everybody)

    world.engine = after
    for _ in range(2):
        run(world.all_done())

    assert members(world, segment) == (everybody if is_in else set())
    assert [one["name"] for one in world.values("triggers")] == ([] if is_in else 2 * ["segment.entered"])
    assert announced(world) == []
    assert len(ready(world)) == 1


def test_who_is_silent_is_looked_at_when_repurchase_is_learned_first() -> None:
    sure = {"sure": {"when": "profile.replenishment.exists(r, r.confidence > 0.1)"}}
    before = shop_with(sure, catalogue=of_days(30))
    first, second = (
        Engine(msgspec.structs.replace(before.book, models=learned(**{name: 30}).models)) for name in ("tea", "soap")
    )

    async def story(world: World) -> None:
        tenure = await world.all_done()
        for engine in (first, second):
            tenure.use(engine)
            await world.work(tenure)

    world = World(engine=before)
    world.send(bought("ada", 0, "o1"))
    run(story(world))

    assert members(world, "sure") == {"user_id:ada"}
    assert len(ready(world)) == 1


def test_days_of_predictions_begin_at_the_shops_midnight_so_another_time_zone_gives_their_segments_another_meaning() -> (
    None
):
    unlikely = {"unlikely": {"when": 'profile.predicted.p_order["30"] < 0.3'}}

    assert shop_with(unlikely).stamp != shop_with(unlikely, shop_timezone="Pacific/Auckland").stamp


def test_nobody_is_looked_at_for_what_her_segments_do_not_go_by() -> None:
    buyers = {"buyers": {"when": 'profile.orders.count >= 1 && orders("9d") >= 1'}}
    plain = by_rules("same", delay_min=240, segments=buyers)
    known = {"product_id": "A", "supply_days": "9", "category": "tea"}
    dearer, more = {**known, "cost": "3", "name": "Tea"}, {"product_id": "B", "cost": "1"}
    one, other = build_catalogue([known]), build_catalogue([more, dearer])

    assert (
        shop_with(buyers, catalogue=one, shop_timezone="Asia/Tokyo", models=learned(tea=9).models).stamp == plain.stamp
    )
    for segments in (SOON, TEA):
        assert shop_with(segments, catalogue=one).stamp == shop_with(segments, catalogue=other).stamp


def test_models_that_come_while_everybody_is_looked_at_have_all_of_them_looked_at_by_these() -> None:
    sure = {"sure": {"when": "profile.replenishment.exists(r, r.confidence > 0.1)"}}
    before, after = by_rules("old", delay_min=240), shop_with(sure, catalogue=of_days(30))
    fitted = Engine(msgspec.structs.replace(after.book, models=learned(tea=30).models))
    many = 2 * REPLANNED_MAX + 50

    async def story(world: World) -> None:
        tenure = await world.all_done()
        tenure.use(after)
        while not any(
            decode_profile(text).definitions for text in world.table.snapshot().partitions[0].profiles.values()
        ):
            await tenure.turn()
        tenure.use(fitted)
        await world.work(tenure)

    world = World(engine=Engine(msgspec.structs.replace(before.book, catalogue=of_days(30))))
    world.send(*(bought(f"u{number}", 0, f"o{number}") for number in range(many)))
    run(story(world))

    assert len(members(world, "sure")) == many
    assert len(ready(world)) == 1


def test_rules_that_were_taken_back_before_all_were_looked_at_leave_nobody_in_their_segments() -> None:
    """The worker with the new rules dies half way, the next one has the old rules."""
    world = World(engine=OLD)
    world.send(*(ordered(f"u{number}", at, f"o{number}-{at}") for at in (0, 1) for number in range(REPLANNED_MAX + 5)))
    run(world.all_done())

    async def half() -> None:
        tenure = world.tenure()
        await tenure.open()
        while not members(world):
            world.log.deliver(0, chunk=500, asked_ms=0)
            await tenure.turn()

    world.engine = SPENDING
    run(half())

    assert len(members(world)) == REPLANNED_MAX

    world.engine = OLD
    run(world.all_done())

    assert members(world) == set()


def test_rules_without_any_difference_but_their_name_have_another_stamp() -> None:
    stamps = {
        by_rules("a", delay_min=60).stamp,
        by_rules("b", delay_min=60).stamp,
        by_rules("a", delay_min=61).stamp,
        by_rules("a", delay_min=60, soft_opt_in=False).stamp,
        by_rules("a", delay_min=60, segments={"s": {"when": "true"}}).stamp,
    }

    assert len({stamp.digest for stamp in stamps}) == 5
    assert Engine(Book(rules=Rules())).stamp == Engine(Book(rules=Rules.of(CartAbandonedRule()))).stamp
