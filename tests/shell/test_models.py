"""Population counters through the partition's commits, and models that workers take between two batches."""

from typing import Any

from msgspec.structs import replace
from typing_extensions import override

from profiles import population, statistics
from profiles.engine import Engine
from profiles.insight.tallies import Tally, add
from profiles.models import Models, encode_models, named
from profiles.order_state import Ledger
from profiles.profile import Profile, decode_profile
from profiles.state import Moment
from profiles.value.model import ValueModel
from schemas.events import Arrival
from streams.memory_table import MemoryTable
from streams.model_source import ModelWatch, with_models
from streams.table import Unavailable
from tests.shell.test_partition import done, partition, until
from tests.shell.world import EAGER, World, ordered, run

DAY = 24 * 60


def test_the_counters_of_a_partition_are_those_of_its_customers_and_gone_with_them() -> None:
    world = World()
    for n in range(40):
        world.send(ordered(f"c{n % 7}", n * 3 * DAY, f"o{n}"))
    subject = partition(world)
    run(until(world, subject, done(world, subject)))
    # The same records again, by an owner that starts from nothing in memory, change nothing.
    for n in range(20):
        world.send(ordered(f"c{n % 7}", n * 3 * DAY, f"o{n}"))
    again = partition(world)
    run(until(world, again, done(world, again)))

    part = world.table.snapshot().partitions[0]
    left = dict(part.population)
    profiles = [decode_profile(stored) for stored in part.profiles.values()]
    assert left["value:buyers|5|20514|20619"] == 1
    for profile in profiles:
        out: Tally = {name: -count for name, count in statistics.counters(profile, EAGER).items()}
        add(left, out)
        add(left, population.forget(profile))

    # What went out is counted for good.
    assert [name for name in left if not name.startswith("trigger:")] == []
    assert len(profiles) == 7


class Noting(Engine):
    """An engine that notes under which models each order was applied."""

    def __init__(self, models: Models, seen: list[tuple[str, str]]) -> None:
        super().__init__(replace(EAGER, models=models))
        self.seen = seen

    @override
    def step(self, profile: Profile, arrival: Arrival, at: Moment, orders: Ledger, out: list[Any]) -> None:
        self.seen.append((arrival.event.message_id, self.book.models.id))
        super().step(profile, arrival, at, orders, out)


def test_a_partition_takes_another_engine_between_two_batches() -> None:
    world, seen = World(), list[tuple[str, str]]()
    old, new = (Noting(named(Models(as_of_day=day)), seen) for day in (1, 2))
    world.send(ordered("ada", 0, "o1"))

    async def story() -> None:
        subject = partition(world)
        subject.use(old)
        await until(world, subject, done(world, subject))
        subject = partition(world)
        subject.use(new)
        world.send(ordered("ada", 1, "o2"))
        await until(world, subject, done(world, subject))

    run(story())

    assert seen == [("m-o1", old.book.models.id), ("m-o2", new.book.models.id)]


def test_a_running_claim_takes_another_engine_from_its_next_batch_on() -> None:
    world, seen = World(), list[tuple[str, str]]()
    first, second = (Noting(named(Models(as_of_day=day)), seen) for day in (1, 2))
    world.engine = first

    async def story() -> None:
        world.send(ordered("ada", 0, "o1"))
        tenure = await world.all_done()
        tenure.use(second)
        world.send(ordered("ada", 1, "o2"))
        await world.work(tenure)

    run(story())

    assert seen == [("m-o1", first.book.models.id), ("m-o2", second.book.models.id)]


def test_the_watch_hands_over_each_new_document_once_and_passes_over_bad_ones() -> None:
    table, taken = MemoryTable(), list[Models]()
    used, new = named(Models(as_of_day=1)), named(Models(as_of_day=2))
    watch = ModelWatch(table, taken.append, replace(EAGER, models=used))

    async def story() -> list[bool]:
        looks = [await watch.look()]
        for document in (encode_models(used), b"{", encode_models(replace(new, id="other")), encode_models(new)):
            await table.put_models(document)
            looks += [await watch.look(), await watch.look()]
        return looks

    assert run(story()) == [False] * 7 + [True, False]
    assert taken == [new]
    assert run(with_models(EAGER, table)).models == new
    assert run(with_models(EAGER, MemoryTable())) is EAGER


def test_what_customers_are_worth_in_another_currency_than_the_shops_is_not_taken_over() -> None:
    value = ValueModel(currency="JPY", first_day=20_000, as_of_day=20_100, buyers=12, repeat_buyers=5)
    table, taken = MemoryTable(), list[Models]()
    learned = Models(value=value, together={"tent": []})

    async def story() -> None:
        await table.put_models(encode_models(named(learned)))
        await ModelWatch(table, taken.append, EAGER).look()

    run(story())
    for models in (*taken, run(with_models(EAGER, table)).models):
        assert (models.value, models.together) == (None, {"tent": []})
    assert len(taken) == 1
    assert run(with_models(replace(EAGER, shop_currency="JPY"), table)).models.value is not None


def test_a_table_that_does_not_answer_is_asked_again_later() -> None:
    class Away:
        async def models(self) -> bytes | None:
            raise Unavailable("gone")

    assert run(ModelWatch(Away(), lambda _: None, EAGER).look()) is False
