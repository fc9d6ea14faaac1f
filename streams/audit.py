"""The audit: every profile's totals against its ledger folded anew. Pure; `audit` reads through the table.

The engine adds differences to totals as events come. Here the same totals are made by plain sums over all ledger entries,
by code that shares nothing with it, so a fault in either shows as a difference.
"""

from collections import Counter
from collections.abc import AsyncIterator

from msgspec import Struct
from msgspec.structs import asdict

from profiles.order_stats import RECENT_EXACT
from profiles.profile import Profile, decode_profile
from profiles.state import OrderEntry, Totals, decode_entry
from schemas.events import ANONYMOUS
from streams.table import Table


class Difference(Struct, frozen=True):
    """One profile that disagrees with its ledger: what differs, as "field: profile has this, ledger gives that"."""

    profile_id: str
    partition: int
    findings: tuple[str, ...]


async def audit(table: Table, partition: int) -> AsyncIterator[Difference | None]:
    """Look at every profile of a partition: a Difference for each that disagrees, None for each that does not.

    A worker that is running changes profiles between the two reads of one, so a difference is looked at once more.
    """
    for profile_id in await table.profile_ids(partition):
        findings = await _look(table, partition, profile_id)
        if findings:
            findings = await _look(table, partition, profile_id)
        yield Difference(profile_id, partition, tuple(findings)) if findings else None


async def _look(table: Table, partition: int, profile_id: str) -> list[str]:
    stored = await table.profile(partition, profile_id)
    if stored is None:
        return []
    entries = await table.ledger(partition, profile_id)
    return compare(decode_profile(stored), [decode_entry(entry) for entry in entries.values()])


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
        shop.update(asdict(part.shop))
        by_currency.setdefault(part.currency, Counter()).update(asdict(part.amounts))
        if entry.placed_ms is not None:
            placed.append((entry.placed_ms, entry.order_id))

    def hold(field: str, has: object, gives: object) -> None:
        if has != gives:
            findings.append(f"{field}: profile has {has}, ledger gives {gives}")

    for name in ("count", "valued", "refunded", "cancelled", "unconverted"):
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
