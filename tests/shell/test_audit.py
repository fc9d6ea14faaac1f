"""The audit finds every profile whose totals are not the sum of its ledger, and no other."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from profiles.book import Book
from profiles.ledger import apply_order
from profiles.profile import Profile
from profiles.state import Ledger, Totals, encode
from schemas.events import ANONYMOUS, Arrival, OrderCancelled, OrderCompleted, OrderEvent, OrderRefunded, Product
from streams.audit import Difference, audit, compare
from streams.memory_table import MemoryTable
from streams.table import Commit

DAY_MS = 86_400_000
BOOK = Book()


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
