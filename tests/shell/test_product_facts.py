"""What an event tells of a product is known in every partition, after a restart, and to whoever asks what to say now."""

from typing import Any

from profiles.engine import Engine
from profiles.told import Told
from schemas import events
from schemas.decode import Decoder, Problem
from schemas.events import Event, Product
from streams.goods import split_stored
from streams.home import home_partition
from tests.shell.world import EAGER, MINUTE_MS, START_MS, World, run

PARTITIONS = 3
USERS = {home_partition(user, PARTITIONS): user for user in ("ada", "bob", "cyd", "dan", "eve", "fay")}


def told(minute: float, message_id: str = "u", **facts: Any) -> Event:
    at_ms = START_MS + round(minute * MINUTE_MS)
    return events.ProductUpdated(message_id=message_id, timestamp_ms=at_ms, product_id="tent", **facts)


def ordered(user: str, minute: float) -> Event:
    return events.OrderCompleted(
        message_id=f"o-{user}",
        timestamp_ms=START_MS + round(minute * MINUTE_MS),
        user_id=user,
        order_id=f"o-{user}",
        products=(Product(product_id="tent", price_minor=1000),),
    )


def known(made: World, partition: int = 0) -> Told:
    return split_stored(made.table.snapshot().partitions[partition].goods).facts["tent"]


def margin(made: World, user: str) -> int:
    found = [made.profile(f"user_id:{user}", part) for part in range(made.partitions)]
    (profile,) = (one for one in found if one is not None)
    return profile.ltv.margin


def test_facts_reach_every_partition_wherever_the_event_comes_in() -> None:
    made = World(partitions=PARTITIONS, engine=Engine(EAGER))

    async def scenario() -> None:
        tenures = [made.tenure(number) for number in range(PARTITIONS)]
        for tenure in tenures:
            await tenure.open()
        made.send(told(0, cost_minor=400), partition=home_partition("tent", PARTITIONS))
        for batch in (None, USERS):
            for number, user in (batch or {}).items():
                made.send(ordered(user, 1), partition=number)
            for _ in range(3):
                for tenure in tenures:
                    await made.work(tenure)

    run(scenario())

    assert [known(made, number)[0].cost_minor for number in range(PARTITIONS)] == [400, 400, 400]
    assert {margin(made, user) for user in USERS.values()} == {600}


def test_facts_are_known_after_a_restart() -> None:
    made = World(engine=Engine(EAGER))
    made.send(told(0, cost_minor=400))
    run(made.all_done())
    made.send(ordered("ada", 1))
    run(made.all_done())

    assert margin(made, "ada") == 600


def test_an_order_goes_by_what_was_told_before_it_in_the_same_batch() -> None:
    made = World(engine=Engine(EAGER))
    made.send(told(0, cost_minor=400), ordered("ada", 1), told(2, "v", cost_minor=700), ordered("bob", 3))
    run(made.all_done())

    assert (margin(made, "ada"), margin(made, "bob")) == (600, 300)


def test_an_event_that_tells_nothing_new_is_not_stored_again() -> None:
    made = World(engine=Engine(EAGER))
    made.send(told(5, cost_minor=400), told(1, "older", cost_minor=900), told(5, cost_minor=400))
    run(made.all_done())

    assert [(word.by, word.cost_minor) for word in known(made)] == [("u", 400)]


def test_a_cost_that_was_taken_back_counts_for_no_later_order() -> None:
    made = World(engine=Engine(EAGER))
    made.send(told(0, cost_minor=400), ordered("ada", 1), told(2, "v", unset=("cost_minor",)), ordered("bob", 3))
    run(made.all_done())

    assert (margin(made, "ada"), margin(made, "bob")) == (600, 1000)  # bob's cost is not known
    assert [(word.by, word.cost_minor, word.unset) for word in known(made)] == [("v", None, ("cost_minor",))]
    made.send(told(4, "w", cost_minor=300), ordered("cyd", 5))
    run(made.all_done())

    assert margin(made, "cyd") == 700
    assert [(word.by, word.unset) for word in known(made)] == [("w", ())]


def test_a_fact_that_is_told_and_taken_back_at_once_is_refused_with_its_name() -> None:
    refused = Decoder("EUR").decode(
        b'{"event":"Product Updated","message_id":"u","timestamp_ms":1767607200000,"product_id":"tent",'
        b'"cost_minor":400,"unset":["cost_minor"]}',
        1_800_000_000_000,
    )

    assert isinstance(refused, Problem), refused
    assert "`unset` names cost_minor" in refused.detail
