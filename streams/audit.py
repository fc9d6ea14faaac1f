"""The audit: every profile's totals against its ledger folded anew, and the population's counters against the profiles.

The engine adds differences to totals and counters as events come. Here the same totals are made by plain sums over all ledger
entries, by code that shares nothing with it, and the counters by adding up what the profiles hold. So a fault in either shows
as a difference. `compare` is pure; `audit` and `audit_population` read through the table.
"""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from profiles import population, statistics
from profiles.book import Book
from profiles.insight.tallies import Tally, add, merged
from profiles.order_state import OrderEntry, Totals, decode_entry
from profiles.order_stats import RECENT_EXACT
from profiles.profile import Profile, decode_profile
from profiles.statistics import LEFT
from schemas.events import ANONYMOUS
from streams.table import Table

LOOKS: Final = 3
"""How often a partition that moves is looked at before what stays is called a difference."""
_OF_NO_PROFILE: Final = frozenset({"trigger", "asked", LEFT})
"""Counters of messages and of those who are anonymised."""


class Difference(Struct, frozen=True):
    """One profile that disagrees with its ledger: what differs, as "field: profile has this, ledger gives that"."""

    profile_id: str
    partition: int
    findings: tuple[str, ...]


async def audit(table: Table, partition: int) -> AsyncIterator[Difference | None]:
    """Look at every profile of a partition: a Difference for each that disagrees, None for each that does not. What leads to
    another profile, and what is kept of who was erased, is looked at too: it is a profile only if it disagrees.

    A worker that is running changes profiles between the two reads of one, so a difference is looked at once more.
    """
    for profile_id in await table.profile_ids(partition):
        findings, is_one = await _look(table, partition, profile_id)
        if findings:
            findings, is_one = await _look(table, partition, profile_id)
        if findings or is_one:
            yield Difference(profile_id, partition, tuple(findings)) if findings else None


class CounterDifference(Struct, frozen=True):
    """One counter of a partition that is not the sum of what its profiles hold."""

    partition: int
    counter: str
    stored: int
    summed: int


async def audit_population(table: Table, partition: int, book: Book) -> list[CounterDifference]:
    """The counters of a partition that disagree with its profiles, by name.

    A worker that is running commits between the reads. So a partition that moved meanwhile is looked at again, LOOKS times at
    most, and named are only the counters that were off by the same amount each time.
    """
    found: list[CounterDifference] = []
    for look in range(LOOKS):
        before = await table.meta(partition)
        stored = await table.population(partition)
        seen = _held_against(partition, stored, await _summed(table, partition, stored, book))
        off = {(one.counter, one.stored - one.summed) for one in found}
        found = [one for one in seen if look == 0 or (one.counter, one.stored - one.summed) in off]
        after = await table.meta(partition)
        if not found or (before and before.commits) == (after and after.commits):
            break
    return found


async def _summed(table: Table, partition: int, stored: Mapping[str, int], book: Book) -> Tally:
    """What the profiles of a partition add up to, and what the anonymised left behind."""
    total = {name.removeprefix(f"{LEFT}:"): count for name, count in stored.items() if name.startswith(f"{LEFT}:")}
    for profile_id in await table.profile_ids(partition):
        kept = await table.profile(partition, profile_id)
        if kept is not None:
            with suppress(msgspec.DecodeError):  # `audit` names it
                profile = decode_profile(kept)
                add(total, merged([population.told(profile), statistics.counters(profile, book)]))
    return total


def _held_against(partition: int, stored: Mapping[str, int], summed: Mapping[str, int]) -> list[CounterDifference]:
    names = sorted(name for name in stored.keys() | summed.keys() if name.partition(":")[0] not in _OF_NO_PROFILE)
    return [
        CounterDifference(partition, name, stored.get(name, 0), summed.get(name, 0))
        for name in names
        if stored.get(name, 0) != summed.get(name, 0)
    ]


async def _look(table: Table, partition: int, profile_id: str) -> tuple[list[str], bool]:
    """What disagrees, and whether a customer's profile stands there."""
    stored = await table.profile(partition, profile_id)
    if stored is None:
        return [], False
    entries = await table.ledger(partition, profile_id)
    try:
        profile = decode_profile(stored)
        findings = compare(profile, [decode_entry(entry) for entry in entries.values()])
    except msgspec.DecodeError as error:
        return [f"it can't be read: {error}"], True
    return findings, not (profile.redirect or profile.is_blank)


def compare(profile: Profile, entries: list[OrderEntry]) -> list[str]:
    """What a profile's totals and order statistics say otherwise than its ledger; empty when all agrees."""
    findings: list[str] = []
    counts: Counter[str] = Counter()
    shop: Counter[str] = Counter()
    by_currency: dict[str, Counter[str]] = {}
    placed: list[tuple[int, str]] = []
    for entry in entries:
        part = entry.contribution
        if part is None:
            continue
        counts["cancelled"] += part.cancelled
        if not part.counted:
            continue
        counts["count"] += 1
        counts["valued"] += part.valued
        counts["refunded"] += part.refunded
        counts["unconverted"] += part.rate is None
        counts["unconverted_refunds"] += part.unconverted_refunds
        counts["gift_cards"] += part.rate is not None and part.gift_cards_alone
        shop.update(asdict(part.shop))
        by_currency.setdefault(part.currency, Counter()).update(asdict(part.amounts))
        if entry.placed_ms is not None:
            placed.append((entry.placed_ms, entry.order_id))

    def hold(field: str, has: object, gives: object) -> None:
        if has != gives:
            findings.append(f"{field}: profile has {has}, ledger gives {gives}")

    for name in ("count", "valued", "refunded", "cancelled", "unconverted", "unconverted_refunds", "gift_cards"):
        hold(f"orders.{name}", getattr(profile.orders, name), counts[name])
    _hold_totals("ltv", profile.ltv, shop, findings)
    for currency in sorted(profile.by_currency.keys() | by_currency.keys()):
        kept = profile.by_currency.get(currency, Totals())
        _hold_totals(f"by_currency.{currency}", kept, by_currency.get(currency, Counter()), findings)
    if profile.id != ANONYMOUS:
        placed.sort()
        hold("orders.first", profile.orders.first, placed[0] if placed else None)
        exact = min(len(placed), RECENT_EXACT)
        hold(
            "orders.recent", profile.orders.recent[len(profile.orders.recent) - exact :], placed[len(placed) - exact :]
        )
    return findings


def _hold_totals(name: str, kept: Totals, summed: Counter[str], findings: list[str]) -> None:
    for field, has in asdict(kept).items():
        if has != summed[field]:
            findings.append(f"{name}.{field}: profile has {has}, ledger gives {summed[field]}")
    if kept.net != kept.gross - kept.discount - kept.refund:
        findings.append(f"{name}.net: {kept.net} is not gross - discount - refund of the profile itself")
