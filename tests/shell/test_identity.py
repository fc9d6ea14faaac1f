"""Logins in the partition loop: what an anonymous visitor did becomes the customer's, at once and wherever each lives."""

import msgspec
import pytest

from profiles.kept import VERSION
from profiles.profile import UnsupportedVersion, decode_profile
from schemas.events import Event, Identified, PageViewed, Product, ProductAdded, SplitProfile
from schemas.routing import topic_of
from streams.forwards import mark_of, origin_of
from streams.home import home_partition
from streams.memory_table import Snapshot
from streams.profile_lookup import find, homes
from tests.laws.test_identity_laws import everywhere
from tests.shell.world import MINUTE_MS, START_MS, World, ordered, run

PARTITIONS = 4


def living_in(partition: int, name: str) -> str:
    """A value of an identifier that is at home in a partition."""
    return next(f"{name}{n}" for n in range(1000) if home_partition(f"{name}{n}", PARTITIONS) == partition)


ADA, PHONE, TABLET = living_in(0, "ada"), living_in(1, "phone"), living_in(1, "tablet")
NEAR_PHONE = living_in(0, "phone")


def added(device: str, minute: float, message_id: str) -> Event:
    return ProductAdded(
        message_id=message_id,
        timestamp_ms=START_MS + round(minute * MINUTE_MS),
        anonymous_id=device,
        cart_id="c1",
        product=Product(product_id="tea", price_minor=500),
    )


def login(device: str, minute: float, message_id: str = "login") -> Event:
    return Identified(
        message_id=message_id, timestamp_ms=START_MS + round(minute * MINUTE_MS), user_id=ADA, anonymous_id=device
    )


def seen(device: str, minute: float, message_id: str) -> Event:
    return PageViewed(message_id=message_id, timestamp_ms=START_MS + round(minute * MINUTE_MS), anonymous_id=device)


def bought(device: str, minute: float, order_id: str) -> Event:
    return msgspec.structs.replace(ordered(ADA, minute, order_id), user_id=None, anonymous_id=device)


def told(*log: Event) -> World:
    world = World(partitions=PARTITIONS)
    for event in log:
        home = event.user_id or event.anonymous_id or ""
        partition = home_partition(home, PARTITIONS)
        world.log.append(topic_of(event), msgspec.json.encode(event), partition=partition)
    return world


def sent(world: World) -> list[tuple[str, str, int]]:
    """Triggers that went out: name, customer, minute."""
    return sorted(
        (value["name"], value["customer"]["id"], (value["emitted_at_ms"] - START_MS) // MINUTE_MS)
        for partition in range(PARTITIONS)
        for value in world.values("triggers", partition)
    )


async def until(world: World, minute: float) -> None:
    """All partitions read everything, then their clocks move on."""
    tenures = [world.tenure(partition) for partition in range(PARTITIONS)]
    for tenure in tenures:
        await tenure.open()
    for _ in range(2):
        for _ in range(20):
            for tenure in tenures:
                world.log.deliver(tenure.number)
                await tenure.turn()
                await tenure.outbox.publish()
        for tenure in tenures:
            tenure.advance_to(START_MS + round(minute * MINUTE_MS))


@pytest.mark.parametrize("device", [PHONE, NEAR_PHONE])
def test_a_cart_left_before_the_login_is_reminded_of_at_its_time_under_the_customer(device: str) -> None:
    world = told(added(device, 0, "m1"), login(device, 55))
    run(until(world, 120))

    assert sent(world) == [("cart.abandoned", f"user_id:{ADA}", 60)]


@pytest.mark.parametrize("device", [PHONE, NEAR_PHONE])
def test_a_reminder_that_waited_for_a_login_goes_out_with_it(device: str) -> None:
    world = told(added(device, 0, "m1"), seen(device, 200, "m2"), login(device, 300))
    run(until(world, 302))
    states = {
        (value["state"], value["customer_id"].partition(":")[0])
        for partition in range(PARTITIONS)
        for value in world.values("decisions", partition)
    }

    assert ("unreachable", "anonymous_id") in states
    assert [(name, customer) for name, customer, _ in sent(world)] == [("cart.abandoned", f"user_id:{ADA}")]


@pytest.mark.parametrize("device", [PHONE, NEAR_PHONE])
def test_what_comes_later_under_the_device_goes_to_the_customer(device: str) -> None:
    log = [login(device, 0), added(device, 5, "m1"), msgspec.structs.replace(ordered(ADA, 6, "o1"), user_id=None,
           anonymous_id=device)]  # fmt: skip
    world = told(*log)
    run(everywhere(world, []))
    profile = world.profile(f"user_id:{ADA}", 0)
    kept = world.profile(f"anonymous_id:{device}", home_partition(device, PARTITIONS))

    assert profile is not None
    assert kept is not None
    assert (profile.ltv.net, profile.merging, profile.ids["anonymous_id"]) == (1000, [], [device])
    assert [target for _, target in kept.redirect] == [f"user_id:{ADA}"]


@pytest.mark.parametrize("device", [PHONE, NEAR_PHONE])
def test_an_order_says_what_it_came_with_be_it_from_before_the_login_or_since(device: str) -> None:
    world = told(bought(device, 0, "before"), login(device, 5), bought(device, 10, "since"), ordered(ADA, 15, "own"))
    run(everywhere(world, []))
    ledger = world.stored()["0"][1][f"user_id:{ADA}"]
    came_with = {order_id: msgspec.json.decode(entry).get("came_with", "") for order_id, entry in ledger.items()}

    assert came_with == {"before": f"anonymous_id:{device}", "since": f"anonymous_id:{device}", "own": ""}


def test_it_says_so_too_where_the_device_led_to_an_address_and_that_one_to_the_customer() -> None:
    mail = living_in(0, "mail")
    world = told(msgspec.structs.replace(login(PHONE, 0), user_id=None, email=mail))
    run(everywhere(world, []))
    world.log.append(
        "clickstream",
        msgspec.json.encode(msgspec.structs.replace(login("", 5, "named"), anonymous_id=None, email=mail)),
        partition=0,
    )
    run(everywhere(world, []))
    world.log.append("orders", msgspec.json.encode(bought(PHONE, 10, "since")), partition=1)
    run(everywhere(world, []))
    (entry,) = world.stored()["0"][1][f"user_id:{ADA}"].values()

    assert msgspec.json.decode(entry)["came_with"] == f"anonymous_id:{PHONE}"


def test_a_record_of_a_device_says_for_whom_it_was_sent_on_and_comes_there_once() -> None:
    world = told(login(PHONE, 0))
    run(everywhere(world, []))
    world.log.append("clickstream", msgspec.json.encode(seen(PHONE, 1, "m1")), partition=1)
    run(everywhere(world, []))
    (record,) = world.log.records("forwards", 0)
    world.log.append("forwards", record.value, partition=0, headers=record.headers)
    run(everywhere(world, []))
    profile = world.profile(f"user_id:{ADA}", 0)

    assert dict(record.headers)["profile"] == f"user_id:{ADA}".encode()
    mark = mark_of(run(world.log.topic_ids())["clickstream"])
    assert origin_of(record.headers) == (f"clickstream/1/{mark}", 0, 1)
    assert profile is not None
    assert profile.activity.events == 2


async def alone(world: World, partition: int) -> None:
    """One partition works until it has nothing left to do; the others don't."""
    tenure = world.tenure(partition)
    await tenure.open()
    await world.work(tenure)


def known_of(world: World, user: str, partition: int = 0) -> tuple[int, int, int]:
    """A customer's orders, what they brought, and how many events she had."""
    profile = world.profile(f"user_id:{user}", partition)
    assert profile is not None
    return profile.orders.count, profile.ltv.net, profile.activity.events


def kept_before_its_login_was_known() -> tuple[World, Snapshot]:
    """Ada's phone is known. What she does on her tablet stays there between two orders from the phone, which are sent to her
    home, before the tablet's home hears that she has logged in on it. With how all was before.
    """
    world = told(login(PHONE, 0, "phone"))
    run(everywhere(world, []))
    before = world.table.snapshot()
    world.send(bought(PHONE, 2, "o1"), bought(TABLET, 3, "o2"), bought(PHONE, 5, "o3"), partition=1)
    world.send(seen(PHONE, 2.1, "m1"), seen(TABLET, 4, "m2"), seen(PHONE, 5.1, "m3"), partition=1)
    run(alone(world, 1))
    world.send(login(TABLET, 1, "tablet"))
    run(alone(world, 0))
    assert known_of(world, ADA) == (2, 2000, 6)
    return world, before


def test_what_a_partition_kept_arrives_where_it_goes_back_in_time_and_then_knows_whose_it_is() -> None:
    world, before = kept_before_its_login_was_known()
    world.table.restore(before, partition=1)
    run(everywhere(world, []))

    assert known_of(world, ADA) == (3, 3000, 8)
    for _ in range(3):
        world.table.restore(before, partition=1)
        run(everywhere(world, []))

        assert known_of(world, ADA) == (3, 3000, 8)


def test_what_a_partition_kept_arrives_also_by_a_third_one() -> None:
    """Laptop and tablet belong to an address that is at home elsewhere, and the address to Ada."""
    laptop = living_in(1, "laptop")
    address = next(f"ada{n}@x.org" for n in range(1000) if home_partition(f"ada{n}@x.org", PARTITIONS) == 2)

    def by_address(device: str, minute: float) -> Event:
        return msgspec.structs.replace(seen(device, minute, device), email=address)

    world = World(partitions=PARTITIONS)
    world.send(msgspec.structs.replace(login(PHONE, 0), anonymous_id=None, email=address), partition=0)
    world.send(by_address(laptop, 1), partition=2)
    run(everywhere(world, []))
    before = world.table.snapshot()
    world.send(bought(laptop, 2, "o1"), bought(TABLET, 3, "o2"), bought(laptop, 5, "o3"), partition=1)
    run(alone(world, 1))
    world.send(by_address(TABLET, 1), partition=2)
    run(alone(world, 2))
    run(alone(world, 0))
    assert known_of(world, ADA)[:2] == (2, 2000)
    world.table.restore(before, partition=1)
    run(everywhere(world, []))

    assert known_of(world, ADA)[:2] == (3, 3000)
    assert world.values("rejected", 0) == []


def test_an_order_on_a_shared_device_that_was_sent_to_one_customer_is_not_sent_to_another_one_as_well() -> None:
    """Bob's login is older than the order, and known to the device's home only the second time."""
    bob = living_in(0, "bob")
    world = told(login(PHONE, 0))
    run(everywhere(world, []))
    before = world.table.snapshot()
    world.send(bought(PHONE, 2, "o1"), bought(PHONE, 3, "o2"), partition=1)
    run(alone(world, 1))
    world.send(msgspec.structs.replace(login(PHONE, 1, "bob"), user_id=bob), partition=0)
    run(alone(world, 0))
    world.table.restore(before, partition=1)
    run(everywhere(world, []))

    assert known_of(world, ADA)[:2] == (2, 2000)
    assert known_of(world, bob)[:2] == (0, 0)


def test_a_partition_that_begins_anew_repeats_nothing_of_a_device_however_long_ago_it_was() -> None:
    visits = [seen(PHONE, minute, f"m{minute}") for minute in range(1, 400)]
    world = told(login(PHONE, 0), *visits[:200], bought(PHONE, 200.5, "o1"), *visits[200:])
    run(everywhere(world, []))
    assert known_of(world, ADA) == (1, 1000, 401)
    run(world.table.wipe(1))
    run(everywhere(world, []))

    assert known_of(world, ADA) == (1, 1000, 401)


def test_what_comes_right_after_a_split_goes_along_with_what_was_taken_out_before_the_device_has_heard_of_it() -> None:
    """The device lives with the customer; what the split says to it is still in the outbox."""
    mail = living_in(0, "mail")
    united = [
        Identified(message_id="mistake", timestamp_ms=START_MS, user_id=ADA, email=mail),
        Identified(message_id="login", timestamp_ms=START_MS + 1, email=mail, anonymous_id=NEAR_PHONE),
    ]
    split = SplitProfile(
        message_id="split",
        timestamp_ms=START_MS + 2 * MINUTE_MS,
        request_id="T-1",
        user_id=ADA,
        identifier=f"email:{mail}",
    )
    world = World(partitions=PARTITIONS)

    async def lived() -> None:
        world.send(*united, bought(NEAR_PHONE, 1, "p1"))
        tenure = await world.all_done()
        for event in (split, bought(NEAR_PHONE, 3, "p2")):
            world.send(event)
            world.log.deliver(0)
            await tenure.turn()
        await world.work(tenure)

    run(lived())

    ledgers = world.table.snapshot().partitions[0].ledgers
    assert {name: sorted(orders) for name, orders in ledgers.items() if orders} == {f"email:{mail}": ["p1", "p2"]}


def test_a_merge_is_published_once_with_what_caused_it() -> None:
    world = told(added(PHONE, 0, "m1"), login(PHONE, 5))
    run(everywhere(world, []))
    for record in world.log.records("moves", 0):
        world.log.append("moves", record.value, partition=0)
    run(everywhere(world, []))
    (change,) = world.values("identity-changes", 0)

    assert (change["name"], change["customer_id"], change["other"], change["cause"]) == (
        "profile.merged", f"user_id:{ADA}", f"anonymous_id:{PHONE}", "login",
    )  # fmt: skip


def test_a_profile_is_found_by_any_of_its_identifiers() -> None:
    world = told(added(PHONE, 0, "m1"), login(PHONE, 5))
    run(everywhere(world, []))
    found = run(find(world.table, f"anonymous_id:{PHONE}", PARTITIONS))

    assert found is not None
    assert (found.partition, found.profile.id) == (0, f"user_id:{ADA}")
    assert homes(found.profile, PARTITIONS) == [(1, f"anonymous_id:{PHONE}"), (0, f"user_id:{ADA}")]


def test_customers_are_counted_once_each() -> None:
    world = told(added(PHONE, 0, "m1"), added(NEAR_PHONE, 1, "m2"), login(PHONE, 5), login(NEAR_PHONE, 6, "again"))
    run(everywhere(world, []))
    counts = [run(world.table.population(partition)) for partition in range(PARTITIONS)]

    assert sum(count.get("customers", 0) for count in counts) == 1


@pytest.mark.parametrize("device", [PHONE, NEAR_PHONE])
def test_the_counters_of_the_population_are_those_of_one_who_was_known_from_the_start(device: str) -> None:
    def counted(*log: Event) -> dict[str, int]:
        world = told(*log)
        run(everywhere(world, []))
        sums: dict[str, int] = {}
        for partition in range(PARTITIONS):
            for name, amount in run(world.table.population(partition)).items():
                sums[name] = sums.get(name, 0) + amount
        # What was sent on the way depends on when she was known; it is nobody's part of the population.
        return {name: amount for name, amount in sums.items() if amount and not name.startswith("trigger:")}

    orders = [ordered(ADA, minute * 3000, f"o{minute}") for minute in range(1, 4)]
    unnamed = [msgspec.structs.replace(order, user_id=None, anonymous_id=device) for order in orders[:2]]

    assert counted(*unnamed, login(device, 8000), orders[2]) == counted(login(device, 0), *orders)


def test_what_is_no_move_is_set_aside() -> None:
    world = told(login(PHONE, 0))
    for value in (b"{", b'{"move":"what"}', None):
        world.log.append("moves", value, partition=2)
    run(everywhere(world, []))

    assert [one["reason"] for one in world.values("rejected", 2)] == ["not_a_move"] * 3


def test_a_customer_of_a_newer_release_is_not_set_aside_as_she_moves_but_waited_for() -> None:
    """Workers of two releases share the partitions: the older one stops, and the newer one takes her in."""
    world = told(bought(PHONE, 0, "o1"), login(PHONE, 5))
    run(everywhere(world, []))
    for record in world.log.records("moves", 0):
        newer = (record.value or b"").replace(b'"v":%d' % VERSION, b'"v":%d' % (VERSION + 1))
        world.log.append("moves", newer, partition=0)

    with pytest.raises(UnsupportedVersion):
        run(everywhere(world, []))
    assert world.values("rejected", 0) == []


def test_a_redirect_is_a_few_readable_bytes() -> None:
    world = told(added(PHONE, 0, "m1"), login(PHONE, 5))
    run(everywhere(world, []))
    stored = run(world.table.profile(1, f"anonymous_id:{PHONE}"))

    assert stored is not None
    assert decode_profile(stored).redirect == [(START_MS + 5 * MINUTE_MS, f"user_id:{ADA}")]
    assert len(stored) < 150
