"""The audit finds every profile whose totals are not the sum of its ledger and every counter that is not the sum of the profiles,
and no other.
"""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.engine import Engine
from profiles.ledger import apply_order
from profiles.order_state import Ledger, Totals
from profiles.profile import Profile
from profiles.state import Privacy, encode
from schemas.events import (
    ANONYMOUS,
    Arrival,
    Identified,
    NpsSubmitted,
    OrderCancelled,
    OrderCompleted,
    OrderEvent,
    OrderRefunded,
    PageViewed,
    Product,
)
from streams.audit import CounterDifference, Difference, audit, audit_population, compare
from streams.memory_table import MemoryTable
from streams.table import Commit, Meta
from tests.shell.world import EAGER, START_MS, World, added, ordered

DAY_MS = 86_400_000
BOOK = Book()


def test_a_damaged_profile_is_named_and_the_others_are_looked_at() -> None:
    async def work() -> tuple[list[Difference], int]:
        table = MemoryTable()
        claim = await table.claim(0)
        profiles = {
            "user_id:a": b'{"id":"user_id:a","orders":{"count":"x"}}',
            "user_id:b": b'{"id":',
            "user_id:c": b"[]",
        }
        profiles["user_id:good"] = Profile("user_id:good", ids={"user_id": ["good"]}).pack()
        await table.commit(0, Commit(token=claim.meta.token, expected=claim.meta.commits, profiles=profiles))
        found = [one async for one in audit(table, 0)]
        await audit_population(table, 0, BOOK)
        return [one for one in found if one is not None], len(found)

    named, looked = asyncio.run(work())

    assert (sorted(one.profile_id for one in named), looked) == (["user_id:a", "user_id:b", "user_id:c"], 4)
    assert all(one.findings[0].startswith("it can't be read: ") for one in named)


def arrived(event: OrderEvent, customer: str = "user_id:1") -> Arrival:
    return Arrival(event, event.timestamp_ms, event.timestamp_ms, customer, customer)


def order(number: int, *, price: int = 1000) -> OrderCompleted:
    return OrderCompleted(
        message_id=f"m{number}",
        timestamp_ms=number * DAY_MS,
        order_id=f"o{number}",
        products=(Product(product_id="p", price_minor=price, quantity=2, discount_minor=50),),
    )


def customer(profile_id: str = "user_id:1", orders: int = 20) -> tuple[Profile, Ledger]:
    """A customer with orders, one of them refunded in part and one cancelled."""
    profile, ledger = Profile(profile_id), Ledger(complete=True)
    events: list[OrderEvent] = [order(number) for number in range(1, orders + 1)]
    events.append(
        OrderRefunded(message_id="r1", timestamp_ms=3 * DAY_MS, order_id="o2", refund_id="r", amount_minor=300)
    )
    events.append(OrderCancelled(message_id="c1", timestamp_ms=4 * DAY_MS, order_id="o1"))
    for event in events:
        apply_order(profile, arrived(event, profile_id), ledger, BOOK)
    return profile, ledger


def stored(*customers: tuple[Profile, Ledger]) -> MemoryTable:
    async def fill() -> MemoryTable:
        table = MemoryTable()
        claim = await table.claim(0)
        commit = Commit(token=claim.meta.token, expected=claim.meta.commits)
        for profile, ledger in customers:
            commit.profiles[profile.id] = profile.pack()
            commit.entries |= {(profile.id, entry.order_id): encode(entry) for entry in ledger.all()}
        await table.commit(0, commit)
        return table

    return asyncio.run(fill())


def audited(table: MemoryTable) -> list[Difference | None]:
    async def look() -> list[Difference | None]:
        return [difference async for difference in audit(table, 0)]

    return asyncio.run(look())


def a_shops_week() -> World:
    """Customers who buy, are merged, say what they think, and are held out of messages."""
    rules = replace(EAGER.rules, holdout=replace(EAGER.rules.holdout, share=0.5))
    world = World(
        engine=Engine(
            replace(EAGER, rules=rules, catalogue=build_catalogue([{"product_id": "tea", "supply_days": "2"}]))
        )
    )
    tea = (Product(product_id="tea", category="drinks", price_minor=500, quantity=1),)
    for number in range(6):
        user = f"u{number}"
        world.send(
            PageViewed(message_id=f"v{number}", timestamp_ms=START_MS, anonymous_id=f"phone-{number}"),
            added(user, 1, f"a{number}"),
            ordered(user, 60, f"o{number}", products=tea),
            Identified(
                message_id=f"i{number}", timestamp_ms=START_MS + 90, user_id=user, anonymous_id=f"phone-{number}"
            ),
            ordered(user, 4_000, f"p{number}", products=tea),
            NpsSubmitted(
                message_id=f"n{number}", timestamp_ms=START_MS + 99, user_id=user, score=2 * number, survey_id="s"
            ),
            added(user, 9_000, f"b{number}", cart="c2"),
        )
    world.send(OrderCancelled(message_id="x", timestamp_ms=START_MS + DAY_MS, user_id="u1", order_id="p1"))
    asyncio.run(world.all_done())
    return world


def counters_off(world: World) -> list[CounterDifference]:
    return asyncio.run(audit_population(world.table, 0, world.engine.book))


def test_counters_of_a_shop_are_the_sum_of_what_its_profiles_hold() -> None:
    world = a_shops_week()

    kinds = {name.partition(":")[0] for name in asyncio.run(world.table.population(0))}
    assert {"value", "cohort", "gaps", "foretold", "nps", "cases", "effect", "customers"} <= kinds
    assert counters_off(world) == []


@pytest.mark.parametrize("counter", ["net", "nps:relational.20514.promoters.all", "value:gaps", "of:nobody"])
def test_a_counter_that_is_off_is_named_with_both_sides(counter: str) -> None:
    world = a_shops_week()
    before = asyncio.run(world.table.population(0)).get(counter, 0)
    drift(world, counter, 3)

    assert counters_off(world) == [CounterDifference(0, counter, before + 3, before)]


def drift(world: World, counter: str, by: int) -> None:
    async def spoil() -> None:
        claim = await world.table.claim(0)
        await world.table.commit(
            0, Commit(token=claim.meta.token, expected=claim.meta.commits, population={counter: by})
        )

    asyncio.run(spoil())


def test_a_lost_profile_is_missed_by_the_counters() -> None:
    world = a_shops_week()

    async def lose() -> None:
        claim = await world.table.claim(0)
        await world.table.commit(0, Commit(token=claim.meta.token, expected=claim.meta.commits, deleted=["user_id:u3"]))

    asyncio.run(lose())
    assert {one.counter for one in counters_off(world)} >= {"customers", "orders", "net"}


def test_a_worker_at_work_is_not_called_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_shops_week()
    read = world.table.population
    looks = 0

    async def as_of_then(partition: int) -> dict[str, int]:
        nonlocal looks
        found = await read(partition)
        looks += 1
        found["net"] += looks  # each look meets a commit that the profiles read after it have, and it has not
        drift_at_work.append(looks)
        return found

    drift_at_work: list[int] = []
    commits = iter(range(100))

    async def moving(partition: int) -> Meta | None:
        claim = await meta(partition)
        return None if claim is None else replace(claim, commits=next(commits))

    meta = world.table.meta
    monkeypatch.setattr(world.table, "population", as_of_then)
    monkeypatch.setattr(world.table, "meta", moving)

    assert counters_off(world) == []
    assert drift_at_work == [1, 2]


def test_a_sound_profile_agrees_with_its_ledger() -> None:
    profile, ledger = customer()

    assert profile.orders.count == 19
    assert profile.ltv.net == 19 * 1950 - 300
    assert compare(profile, ledger.all()) == []


def _spoil_shop_totals(profile: Profile) -> None:
    profile.ltv.net += 1


def _spoil_a_currency(profile: Profile) -> None:
    profile.by_currency["EUR"] = Totals(gross=5, net=5)


def _spoil_the_count(profile: Profile) -> None:
    profile.orders.count -= 1


def _spoil_the_first(profile: Profile) -> None:
    profile.orders.first = (1, "o1")


def _spoil_the_newest(profile: Profile) -> None:
    profile.orders.recent.pop()


@pytest.mark.parametrize(
    "spoil, field",
    [
        (_spoil_shop_totals, "ltv.net"),
        (_spoil_a_currency, "by_currency.EUR.gross"),
        (_spoil_the_count, "orders.count"),
        (_spoil_the_first, "orders.first"),
        (_spoil_the_newest, "orders.recent"),
    ],
)
def test_each_field_that_is_wrong_is_named(spoil: Callable[[Profile], None], field: str) -> None:
    profile, ledger = customer()
    spoil(profile)

    assert field in [finding.split(":")[0] for finding in compare(profile, ledger.all())]


def test_a_lost_ledger_entry_is_a_difference() -> None:
    profile, ledger = customer()

    findings = compare(profile, [entry for entry in ledger.all() if entry.order_id != "o7"])
    assert "orders.count: profile has 19, ledger gives 18" in findings


def test_what_was_emptied_is_no_profile_but_is_looked_at() -> None:
    """What leads to the profile an identifier belongs to, and what is kept of who was erased: five customers were eight."""
    led = Profile("anonymous_id:phone", redirect=[(1, "user_id:1")])
    erased, none = Profile("user_id:9", privacy=Privacy(erased_ms=1)), Ledger(complete=True)
    assert len(audited(stored(customer(), (led, none), (erased, none)))) == 1

    _, orders = customer("anonymous_id:phone")
    (found,) = audited(stored((led, orders), (erased, none)))
    assert found is not None
    assert found.profile_id == "anonymous_id:phone"


def test_only_profiles_that_disagree_are_reported() -> None:
    spoiled, ledger = customer("user_id:2")
    spoiled.ltv.gross += 7
    anonymous = customer(ANONYMOUS)

    found = audited(stored(customer(), (spoiled, ledger), anonymous))
    assert len(found) == 3
    (difference,) = [difference for difference in found if difference is not None]
    assert (difference.profile_id, difference.partition) == ("user_id:2", 0)
    assert any(finding.startswith("ltv.gross") for finding in difference.findings)
    assert msgspec.json.encode(difference)
