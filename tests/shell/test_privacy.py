"""Privacy commands through partitions, log and table: what is left afterwards, and what the receipt says of it."""

from typing import Any, get_args

import msgspec
import pytest

from profiles.book import Book
from profiles.profile import decode_profile
from schemas import events
from schemas.events import Event, Identified
from streams.audit import audit, audit_population
from streams.faults import Point
from streams.home import home_partition
from streams.partition_limits import PartitionLimits
from streams.rebuild import rebuild
from streams.tenure import Tenure
from tests.shell.world import MINUTE_MS, START_MS, CrashAt, Died, World, added, ordered, run

PARTITIONS = 4
HOMES = ("user_id:ada", '"ada', "ada-c1", "ada@example.org", "+4930123456", "phone-7")
"""What must not be found of her. (Digits of a random salt may well spell her name.)"""


class City:
    """Four partitions, each with an owner."""

    def __init__(self) -> None:
        self.world = World(partitions=PARTITIONS)
        self.owners: list[Tenure] = []

    def send(self, *sent: Event) -> "City":
        """Append events to their topics, at the home of the strongest identifier."""
        for event in sent:
            home = event.user_id or event.email or event.phone or event.anonymous_id or ""
            self.world.send(event, partition=home_partition(home, PARTITIONS))
        return self

    async def settle(self) -> None:
        """Work until nothing moves anywhere."""
        if not self.owners:
            self.owners = [self.world.tenure(number) for number in range(PARTITIONS)]
            for owner in self.owners:
                await owner.open()
        while True:
            before = self._passed_on()
            for owner in self.owners:
                await self.world.work(owner)
            if before == self._passed_on():
                return

    def _passed_on(self) -> list[int]:
        """How many records each partition has had from others."""
        topics = ("forwards", "moves")
        return [len(self.world.log.records(topic, number)) for topic in topics for number in range(PARTITIONS)]

    def live(self, *sent: Event) -> "City":
        run(self.send(*sent).settle())
        self.owners = []
        return self

    def rebuild(self) -> None:
        """Throw the state of all partitions away and make it anew from the log."""
        for number in range(PARTITIONS):
            run(rebuild(self.world.table, number))
        self.live()

    def values(self, topic: str) -> list[dict[str, Any]]:
        return [value for number in range(PARTITIONS) for value in self.world.values(topic, number)]

    def receipts(self, request_id: str = "r1") -> list[dict[str, Any]]:
        return [one for one in self.values("receipts") if one["request_id"] == request_id]

    def dump(self) -> str:
        """Everything the table holds, as text."""
        return repr(self.world.table.snapshot())

    def population(self) -> dict[str, int]:
        sums: dict[str, int] = {}
        for number in range(PARTITIONS):
            for name, amount in run(self.world.table.population(number)).items():
                sums[name] = sums.get(name, 0) + amount
        return sums

    def profiles(self) -> set[str]:
        return {name for number in range(PARTITIONS) for name in run(self.world.table.profile_ids(number))}


def at(minute: float) -> int:
    return START_MS + int(minute * MINUTE_MS)


def life() -> list[Event]:
    """What she did: visited, logged in, filled a cart, bought; and another customer, who did so too."""
    return [
        events.PageViewed(message_id="v1", timestamp_ms=at(0), anonymous_id="phone-7"),
        Identified(message_id="i0", timestamp_ms=at(1), email="ada@example.org", traits={"note": "by mail"}),
        Identified(
            message_id="i1",
            timestamp_ms=at(2),
            user_id="ada",
            anonymous_id="phone-7",
            email="ada@example.org",
            phone="+4930123456",
            traits={"first_name": "Ada"},
        ),
        ordered("ada", 3, "A-1001"),
        added("ada", 4, "a1"),
        ordered("bea", 5, "B-1"),
        added("bea", 6, "b1"),
    ]


def asked(kind: type[events.CommandEvent], minute: float = 10, name: str = "r1", **who: Any) -> Event:
    return kind(message_id=name, timestamp_ms=at(minute), request_id=name, **(who or {"user_id": "ada"}))


def test_an_erased_customer_is_nowhere_in_the_table() -> None:
    city = City().live(*life(), asked(events.EraseCustomer))

    held = city.dump()
    assert [word for word in (*HOMES, "Ada", "A-1001") if word in held] == []
    assert {"user_id:bea"} == city.profiles()


def test_the_figures_of_others_stay_as_they_are() -> None:
    without = City().live(*[event for event in life() if event.user_id == "bea"])
    city = City().live(*life(), asked(events.EraseCustomer))

    assert without.population() == city.population()


def test_the_receipt_counts_by_store_and_is_final_once_all_homes_have_answered() -> None:
    city = City().live(*life()).live(asked(events.EraseCustomer))
    last = city.receipts()[-1]

    assert (last["final"], last["homes"], last["waiting"]) == (True, 4, 0)
    counts = last["counts"]
    assert (counts["profiles"], counts["redirects"], counts["orders"]) == (1, 3, 1)
    assert counts["timers"] >= 1
    assert counts["remembered_messages"] >= 5
    assert [one["final"] for one in city.receipts()].count(True) == 1
    assert {"orders", "forwards", "decisions"} <= last["kept_ms"].keys()
    assert not {"spend", "models"} & last["kept_ms"].keys()
    assert min(last["kept_ms"].values()) > 0
    assert not any(word in repr(city.receipts()) for word in HOMES)


def test_of_orders_that_a_request_names_those_that_are_not_hers_are_counted_and_stay() -> None:
    """The request comes to her address, from where it is passed on: her orders lie elsewhere."""
    nobody = events.OrderCompleted(message_id="n1", timestamp_ms=at(7), order_id="N-1", revenue_minor=500)
    named = ("A-1001", "B-1", "N-1", "A-1001")
    erase = asked(events.EraseCustomer, email="ada@example.org", order_ids=named)
    city = City().live(*life(), nobody).live(erase)
    last = city.receipts()[-1]

    assert (last["counts"]["orders_named"], last["counts"]["orders_found"], last["orders_not_found"]) == (3, 1, 2)
    assert {"user_id:bea", "~anonymous"} == city.profiles()
    export = asked(events.ExportCustomer, name="r2", user_id="bea", order_ids=("B-1",))
    told = city.live(export).receipts("r2")[-1]
    assert (told["counts"]["orders_found"], "orders_not_found" in told) == (1, False)


def test_a_shop_that_leaves_is_answered_by_what_its_operator_has_to_do(caplog: pytest.LogCaptureFixture) -> None:
    left = events.EraseShop(message_id="s1", timestamp_ms=at(8), request_id="r9", shop_id="shop.example")
    city = City()
    city.world.send(left, partition=(home_partition("r9", PARTITIONS) + 1) % PARTITIONS)  # from whoever keys otherwise
    city.live(*life())

    (receipt,) = city.receipts("r9")
    assert (receipt["command"], receipt["final"], receipt["refused"]) == ("erase_shop", True, "by_hand")
    (said,) = [entry.getMessage() for entry in caplog.records if entry.levelname == "ERROR"]
    assert "shop shop.example is to be erased (request r9)" in said
    assert "regulars privacy erase-shop" in said
    assert city.live(left).receipts("r9") == [receipt]
    assert {"user_id:ada", "user_id:bea"} == {name for name in city.profiles() if name.startswith("user_id:")}
    assert city.values("rejected") == []


def moved_twice() -> list[Event]:
    """A phone number that belonged to an address before both belonged to a user."""
    return [
        events.PageViewed(message_id="v1", timestamp_ms=at(0), phone="+4930123456"),
        Identified(message_id="i1", timestamp_ms=at(1), email="ada@example.org", phone="+4930123456"),
        Identified(message_id="i2", timestamp_ms=at(2), user_id="ada", email="ada@example.org"),
        added("ada", 3, "a1"),
    ]


def after(*, asks: type[events.CommandEvent]) -> City:
    """She is asked about by the number, from which two redirects lead to her."""
    city = City()
    for event in (*moved_twice(), asked(asks, phone="+4930123456")):
        city.live(event)
    return city


def test_an_export_is_found_over_several_redirects() -> None:
    (part,) = after(asks=events.ExportCustomer).values("exports")

    assert (part["customer_id"], part["document"]["carts"][0]["cart_id"]) == ("user_id:ada", "ada-c1")


def test_she_is_suppressed_and_erased_over_several_redirects() -> None:
    suppressed = after(asks=events.SuppressCustomer)

    assert suppressed.receipts()[-1]["counts"] == {"timers": 1}
    assert "user_id:ada" not in after(asks=events.EraseCustomer).profiles()


def test_an_address_she_shares_with_another_user_does_not_lead_to_him() -> None:
    city = City()
    for event in (
        Identified(message_id="i1", timestamp_ms=at(0), user_id="bob", email="us@example.org"),
        Identified(message_id="i2", timestamp_ms=at(1), user_id="ada", email="us@example.org"),
        asked(events.ExportCustomer, user_id="ada", email="us@example.org"),
        asked(events.EraseCustomer, name="r2", user_id="ada", email="us@example.org"),
    ):
        city.live(event)

    assert {part["customer_id"] for part in city.values("exports")} == {"user_id:ada"}
    assert "user_id:bob" in city.profiles()


def test_ids_as_long_as_they_may_be_are_erased_with_the_others() -> None:
    user, device = "u" * 256, "d" * 256
    seen = Identified(message_id="i1", timestamp_ms=at(0), user_id=user, anonymous_id=device, email="ada@example.org")
    city = City().live(seen).live(asked(events.EraseCustomer, user_id=user))

    assert city.profiles() == set()
    assert city.receipts()[-1]["counts"]["redirects"] == 2
    assert city.receipts()[-1]["final"]


def test_of_a_tablet_two_customers_shared_only_her_time_is_erased() -> None:
    def seen(minute: float, user: str | None) -> Event:
        return events.PageViewed(
            message_id=f"{user}{minute}", timestamp_ms=at(minute), user_id=user, anonymous_id="tablet"
        )

    city = City().live(seen(0, "ada"), seen(10, "bea")).live(asked(events.EraseCustomer, minute=20))
    city.live(seen(5, None), seen(15, None))

    assert city.profiles() == {"user_id:bea", "anonymous_id:tablet"}
    assert not any(word in city.dump() for word in HOMES)
    bea = run(city.world.table.profile(home_partition("bea", PARTITIONS), "user_id:bea"))
    assert bea is not None
    assert decode_profile(bea).activity.first_ms == at(10)
    assert decode_profile(bea).activity.last_ms == at(15)


def test_what_comes_later_does_not_bring_her_back_not_even_to_another_owner() -> None:
    city = City().live(*life(), asked(events.EraseCustomer))
    city.live(added("ada", 20, "a2"), ordered("ada", 21, "A-1002"))
    late = events.PageViewed(message_id="v9", timestamp_ms=at(22), anonymous_id="phone-7")
    city.live(late, Identified(message_id="i9", timestamp_ms=at(23), email="ada@example.org"))

    assert {"user_id:bea"} == city.profiles()
    assert not any(word in city.dump() for word in HOMES)


def to_her(city: City) -> list[dict[str, Any]]:
    return [one for one in city.values("triggers") if "user_id:ada" in repr(one)]


@pytest.mark.parametrize("command", ["in the log", "expired"])
def test_a_rebuild_brings_back_nobody_who_was_erased_and_sends_her_nothing(command: str) -> None:
    city = City().live(*life(), *(added("ada", 20 + n, f"c{n}") for n in range(3)))
    city.live(events.PageViewed(message_id="v2", timestamp_ms=at(600), user_id="ada"))
    city.live(asked(events.EraseCustomer, 700))
    sent, receipts = to_her(city), city.receipts()
    if command == "expired":
        for number in range(PARTITIONS):
            for topic in ("commands", "forwards"):
                city.world.log.forget_before(topic, number, 1000)
    # So that what is decided before her command is read again would be on its way by then.
    city.world.limits = PartitionLimits(batch_records=1)
    city.rebuild()
    # A browser that still sends, and what only now says how late it is.
    city.live(added("ada", 710, "a2"), added("bea", 2000, "b2"))

    assert {"user_id:bea"} == city.profiles()
    assert [word for word in (*HOMES, "Ada", "A-1001") if word in city.dump()] == []
    assert sent == to_her(city) != []
    assert receipts == city.receipts()


def test_a_new_device_of_an_erased_customer_is_forgotten_too() -> None:
    city = City().live(events.PageViewed(message_id="v1", timestamp_ms=at(0), anonymous_id="laptop"))
    city.live(asked(events.EraseCustomer))
    assert {"anonymous_id:laptop"} == city.profiles()

    city.live(events.PageViewed(message_id="v2", timestamp_ms=at(20), user_id="ada", anonymous_id="laptop"))
    assert set() == city.profiles()


def test_nothing_that_waits_of_her_is_sent() -> None:
    world = World()

    async def story() -> None:
        tenure = world.tenure()
        await tenure.open()
        world.send(added("ada", 0, "a1"), events.PageViewed(message_id="v", timestamp_ms=at(600), user_id="eve"))
        world.log.deliver(0)
        while await tenure.turn():
            pass
        waiting = [one for one in tenure.outbox.customers if one.startswith("user_id:ada")]
        world.send(asked(events.EraseCustomer, 601))
        world.log.deliver(0)
        while await tenure.turn():
            pass
        assert waiting
        await world.work(tenure)

    run(story())
    assert [one for one in world.values("triggers") if "ada" in repr(one)] == []
    assert world.values("receipts")[-1]["counts"]["outbox"] >= 1


def test_rows_of_an_erased_customer_that_another_owner_left_are_not_sent_either() -> None:
    world = World()

    async def story() -> None:
        first = world.tenure()
        await first.open()
        world.send(added("ada", 0, "a1"), events.PageViewed(message_id="v", timestamp_ms=at(600), user_id="eve"))
        world.send(asked(events.EraseCustomer, 601))
        world.log.deliver(0, topics=("carts", "clickstream"))
        while await first.turn():
            pass
        world.log.deliver(0)
        while await first.turn():
            pass
        await world.all_done()

    run(story())
    assert "user_id:ada" not in repr(world.values("triggers") + world.values("decisions"))
    assert world.values("receipts")[-1]["final"]


def test_an_erasure_and_its_answer_are_one_commit() -> None:
    """Killed at any point and started again, nothing of her is left and the receipt is final."""
    for point in get_args(Point):
        world = World()
        world.send(*life(), asked(events.EraseCustomer))

        async def owner(world: World = world, point: Any = point) -> None:
            tenure = world.tenure(faults=CrashAt(point))
            await tenure.open()
            await world.work(tenure)

        async def killed(world: World = world) -> None:
            with pytest.raises(Died):
                await owner()
            await world.all_done()

        run(killed())
        assert world.profile("user_id:ada") is None, point
        assert world.values("receipts")[-1]["final"], point


def test_unsuppress_takes_an_erasure_back_for_what_happens_from_then_on() -> None:
    city = City().live(*life(), asked(events.EraseCustomer), asked(events.UnsuppressCustomer, 30, "r2"))
    city.live(ordered("ada", 20, "A-1002"), ordered("ada", 40, "A-1003"))

    assert {"user_id:ada", "user_id:bea"} == city.profiles()
    profile = city.world.profile("user_id:ada", home_partition("ada", PARTITIONS))
    assert profile is not None
    assert (profile.orders.count, profile.ltv.net) == (1, 1000)


@pytest.mark.parametrize("command", [events.EraseCustomer, events.AnonymiseCustomer])
def test_a_request_that_comes_again_after_she_came_back_takes_nothing_of_her_new_life(
    command: type[events.CommandEvent],
) -> None:
    who: dict[str, Any] = {"user_id": "ada", "email": "ada@example.org"}
    erase, back = asked(command, **who), asked(events.UnsuppressCustomer, 30, "r2", **who)
    seen = Identified(message_id="i5", timestamp_ms=at(40), user_id="ada", email="ada@example.org")
    city = City().live(*life()).live(erase).live(back).live(seen, ordered("ada", 41, "A-1003"))
    known, receipt = city.profiles(), city.receipts()[-1]
    city.live(erase)
    again = Identified(message_id="i6", timestamp_ms=at(50), email="ada@example.org", traits={"tea": "green"})
    city.live(again)
    profile = city.world.profile("user_id:ada", home_partition("ada", PARTITIONS))

    assert (city.profiles(), city.receipts()[-1]) == (known, receipt)
    assert profile is not None
    assert (profile.orders.count, profile.traits) == (1, {"tea": (at(50), "green")})
    city.live(asked(command, 60, "r3", **who))
    assert "user_id:ada" not in city.profiles()
    assert "A-1003" not in city.dump()


def test_who_came_back_after_an_erasure_and_asks_to_be_left_alone_is_left_alone_and_not_erased_again() -> None:
    no = events.ConsentChange(state="REVOKED", channel="email")
    guest = events.OrderCompleted(
        message_id="g1", timestamp_ms=at(50), email="ada@home.example", order_id="G-1", revenue_minor=500
    )
    city = City().live(*life(), asked(events.EraseCustomer), asked(events.UnsuppressCustomer, 30, "r2"), guest)
    city.live(asked(events.SuppressCustomer, 60, "r3"))
    erased = city.receipts()[-1]
    late = [ordered("ada", 20, "A-1002"), ordered("ada", 40, "A-1003"), ordered("ada", 70, "A-1004")]
    said = Identified(message_id="i9", timestamp_ms=at(71), user_id="ada", email="ada@home.example", consent=(no,))
    city.live(*late, said)
    profile = city.world.profile("user_id:ada", home_partition("ada", PARTITIONS))

    assert city.receipts()[-1] == erased
    assert profile is not None
    assert {order_id for _, order_id in profile.orders.recent} == {"A-1003", "G-1"}
    assert profile.consent["email.marketing"].state == "REVOKED"


def test_all_that_is_decided_after_an_erasure_was_taken_back_is_told_though_it_comes_in_one_batch() -> None:
    city = City().live(*life())
    city.live(
        asked(events.EraseCustomer),
        asked(events.UnsuppressCustomer, 11, "r2"),
        added("ada", 20, "a2"),
        ordered("ada", 30, "A-1002"),
    )
    hers = [one for one in city.values("decisions") if one["customer_id"] == "user_id:ada" and one["at_ms"] > at(10)]

    assert [(one["name"], one["state"], one["at_ms"]) for one in hers] == [
        ("cart.abandoned", "armed", at(20)),
        ("second.order.welcome", "armed", at(30)),
    ]


def test_a_suppressed_customer_is_sent_nothing_and_nothing_more_is_collected() -> None:
    city = City().live(*life(), asked(events.SuppressCustomer))
    city.live(added("ada", 20, "a2"), ordered("ada", 21, "A-1002"), added("bea", 900, "b2"))
    profile = city.world.profile("user_id:ada", home_partition("ada", PARTITIONS))

    assert profile is not None
    assert (profile.orders.count, profile.episodes) == (1, {})
    assert [one for one in city.values("triggers") if one["customer"]["id"] == "user_id:ada"] == []
    hers = [one for one in city.values("decisions") if one["state"] == "cancelled" and "ada" in one["customer_id"]]
    assert {one["reason"] for one in hers} == {"suppressed"}


def test_a_suppression_of_a_device_is_one_of_whom_it_belongs_to() -> None:
    city = City().live(*life()).live(asked(events.SuppressCustomer, anonymous_id="phone-7"))
    city.live(added("ada", 20, "a2"))

    ada = run(city.world.table.profile(home_partition("ada", PARTITIONS), "user_id:ada"))
    assert ada is not None
    assert decode_profile(ada).suppressed
    assert decode_profile(ada).activity.last_ms == at(4)
    assert city.receipts()[-1]["final"]


def test_a_withdrawal_of_consent_holds_though_nothing_else_is_collected() -> None:
    grant = events.ConsentChange(state="GRANT", channel="email")
    no = events.ConsentChange(state="REVOKED", channel="email")
    city = City().live(
        events.ConsentChanged(message_id="c1", timestamp_ms=at(0), user_id="ada", consent=(grant,)),
        asked(events.SuppressCustomer),
        events.ConsentChanged(message_id="c2", timestamp_ms=at(20), user_id="ada", consent=(no,)),
        asked(events.UnsuppressCustomer, 30, "r2"),
    )
    profile = city.world.profile("user_id:ada", home_partition("ada", PARTITIONS))

    assert profile is not None
    assert profile.consent["email.marketing"].state == "REVOKED"


def test_an_export_holds_the_profile_and_every_order() -> None:
    many = [ordered("ada", 100 + number, f"N-{number:04}") for number in range(900)]
    city = City().live(*life(), *many, asked(events.ExportCustomer, 2000))
    parts = [one for one in city.values("exports") if one["customer_id"] == "user_id:ada"]

    assert list(range(len(parts))) == [one["part"] for one in parts]
    assert parts[0]["document"]["traits"] == {"first_name": "Ada"}
    assert sum(len(one.get("orders", ())) for one in parts) == 901
    assert len(parts) > 2
    assert {one["customer_id"] for one in city.values("exports")} == {"user_id:ada"}
    assert city.receipts()[-1]["final"]


def test_an_export_of_nobody_makes_nobody() -> None:
    city = City().live(asked(events.ExportCustomer, user_id="nobody"))

    assert set() == city.profiles()
    assert city.values("exports") == []
    assert (city.receipts()[-1]["final"], city.receipts()[-1]["counts"]) == (True, {})


def disagreements(city: City) -> list[Any]:
    """Customers whose profile and ledger differ, by the audit."""

    async def found() -> list[Any]:
        return [one for number in range(PARTITIONS) async for one in audit(city.world.table, number)]

    return [one for one in run(found()) if one]


def counters_that_disagree(city: City) -> list[Any]:
    """The same of the population's counters and what all profiles come to."""
    return [one for number in range(PARTITIONS) for one in run(audit_population(city.world.table, number, Book()))]


def test_of_an_anonymised_customer_the_figures_stay_and_agree_with_their_ledger() -> None:
    before = City().live(*life())
    city = City().live(*life(), asked(events.AnonymiseCustomer))

    wanted, found = before.population(), city.population()
    assert {name: wanted[name] for name in ("orders", "gross", "net")} == {
        name: found[name] for name in ("orders", "gross", "net")
    }
    assert [word for word in (*HOMES, "A-1001") if word in city.dump()] == []
    (kept,) = city.profiles() - {"user_id:bea"}
    assert kept.startswith("anonymised:")

    assert disagreements(city) == []
    # No profile holds what models and reports count of her any more, and they go on counting it.
    assert counters_that_disagree(city) == []
    assert {name: found[name] for name in wanted if name.startswith("value:")} == {
        name: count for name, count in wanted.items() if name.startswith("value:")
    }


def test_a_rebuild_keeps_the_figures_of_the_anonymised_and_counts_them_once() -> None:
    city = City().live(*life()).live(asked(events.AnonymiseCustomer))
    figures = city.population()
    for _ in range(2):
        city.rebuild()

    assert figures == city.population()
    (kept,) = city.profiles() - {"user_id:bea"}
    assert kept.startswith("anonymised:")

    assert disagreements(city) == []
    assert counters_that_disagree(city) == []


def test_the_same_command_again_finds_nothing_and_changes_nothing() -> None:
    city = City().live(*life(), asked(events.EraseCustomer))
    counts, held = city.receipts()[-1]["counts"], city.dump()
    city.live(asked(events.EraseCustomer))

    assert counts == city.receipts()[-1]["counts"]
    assert held.count("erased:") == city.dump().count("erased:")


def test_an_answer_that_regulars_did_not_write_is_set_aside() -> None:
    forged = events.CommandAnswered(
        message_id="f", timestamp_ms=at(0), request_id="r1", command="erase", home="x", first=True
    )
    world = World()
    world.log.append("commands", msgspec.json.encode(forged), partition=0, timestamp_ms=0)
    run(world.all_done())

    assert [one["reason"] for one in world.values("rejected")] == ["not_allowed"]
    assert world.values("receipts") == []
