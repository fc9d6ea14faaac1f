"""When a customer bought of each category and each replenishable product: what repurchase is learned from, and predicted by.

A category's rhythm has the key of the category, a product's (or substitute group's, where the catalogue has one) the key
"category/product": a product is looked at by itself where the catalogue says that it is used up (`supply_days`), since a
product bought once tells nothing and most are. The arithmetic and the counters are those of `profiles.insight.rhythm`.

Units count where the rules give the key a `quantity_exponent`; else one purchase is as good as another.
"""

from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Raw

from profiles.book import Book
from profiles.catalogue import Facts, supply_key
from profiles.contribution import net_units
from profiles.insight.repurchase_plan import SEPARATOR
from profiles.insight.rhythm import Rhythm, contribution, record, record_and_count, unite, withdraw
from profiles.insight.tallies import Tally, difference
from profiles.ledger import OrderChange
from profiles.order_state import OrderEntry
from profiles.product_facts import of_line
from profiles.profile import Profile
from profiles.state import encode

RHYTHMS_MAX: Final = 32
"""Rhythms kept of one customer; beyond that the one not bought for longest goes, and its counters with it."""

Bought = dict[str, tuple[int, float]]
"""By key: the day, and the units that count."""

_decoder: Final = msgspec.json.Decoder(Rhythm)


def count_change(profile: Profile, change: OrderChange, book: Book, counted: Tally) -> None:
    """Bring the rhythms in line with an order's change, and add what that changes in the counters, "gaps:<counter>:<key>".

    Nothing of an order that has lost its lines: what it was stays.
    """
    entry, before = change.entry, change.before
    if entry.compact:
        return
    old = {} if before is None else bought(before, book)
    new = bought(entry, book)
    if old == new:
        return
    # The first purchase of a key is the most frequent one by far, and on one day it is the same for everybody.
    rhythms = profile.rhythms
    for key in sorted({*old, *new} if old else new):
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        if was is None and now is not None and now[1] == 1.0 and key not in rhythms:
            stored, opened = _first(now[0])
            rhythms[key] = (now[0], stored)
            _add(counted, key, opened)
            continue
        rhythm = _of(profile, key)
        exponent = book.rules.repurchase.of(key).quantity_exponent
        if was is not None:
            whole = contribution(rhythm, exponent)
            withdraw(rhythm, *was)
            _add(counted, key, difference(contribution(rhythm, exponent), whole))
        if now is not None:
            _add(counted, key, record_and_count(rhythm, *now, exponent))
        _keep(rhythms, key, rhythm)
    if len(rhythms) > RHYTHMS_MAX:
        for day, oldest in sorted([(kept[0], key) for key, kept in rhythms.items()])[:-RHYTHMS_MAX]:
            stored, part = _first(day)
            if rhythms[oldest][1] != stored:  # most that go were bought once
                part = contribution(_of(profile, oldest), book.rules.repurchase.of(oldest).quantity_exponent)
            _add(counted, oldest, part, -1)
            del rhythms[oldest]


def counters(profile: Profile, book: Book) -> Tally:
    """The customer's part in the counters of gaps, from the profile as it stands."""
    counted: Tally = {}
    for key in profile.rhythms:
        _add(counted, key, contribution(_of(profile, key), book.rules.repurchase.of(key).quantity_exponent))
    return counted


def rhythm_of(profile: Profile, key: str) -> Rhythm | None:
    """The rhythm of a key; None where she never bought of it, or it was forgotten."""
    return _of(profile, key) if key in profile.rhythms else None


def keys_of(product_id: str, category: str | None, facts: Facts) -> tuple[str | None, str | None]:
    """The keys of a product's own rhythm and of its category's; None where there is none.

    The category is the one the facts say, else the one the order said.
    """
    within = facts.category or category
    if facts.supply_days is None:
        return None, within
    return f"{within or ''}{SEPARATOR}{supply_key(product_id, facts)}", within


def bought(entry: OrderEntry, book: Book) -> Bought:
    """What an order is to each rhythm: its day on the shop's calendar, and the units kept."""
    units = net_units(entry)
    if entry.placed_ms is None or not units:
        return {}
    day = book.shop_day(entry.placed_ms)
    found: dict[str, float] = {}
    for line in entry.lines:
        kept = units.pop(line.product_id, 0.0)
        if kept <= 0:
            continue
        facts = of_line(book.catalogue, line)
        product, category = keys_of(line.product_id, line.category, facts)
        if category is not None:
            found[category] = found.get(category, 0.0) + kept
        if product is not None:
            found[product] = found.get(product, 0.0) + kept * facts.share
    rules = book.rules.repurchase
    if not rules.by_key:
        counts = rules.quantity_exponent != 0.0
        return {key: (day, count if counts else 1.0) for key, count in found.items()}
    return {key: (day, count if rules.of(key).quantity_exponent else 1.0) for key, count in found.items()}


def unite_rhythms(into: Profile, other: Profile, entries: list[OrderEntry], book: Book) -> None:
    """Make the rhythms anew from the united ledger. Days of orders that have lost their lines are taken from both sides."""
    rebuilt: dict[str, Rhythm] = {}
    for entry in entries:
        if not entry.compact:
            for key, (day, units) in bought(entry, book).items():
                record(rebuilt.setdefault(key, Rhythm()), day, units)
    bare = {book.shop_day(entry.placed_ms) for entry in entries if entry.compact and entry.placed_ms is not None}
    if bare:
        for key in sorted({*into.rhythms, *other.rhythms}):
            ours, theirs = _of(into, key), _of(other, key)
            older = Rhythm([day for day in sorted({*ours.days, *theirs.days}) if day in bare])
            known = set(rebuilt[key].days) if key in rebuilt else set()
            older.days = [day for day in older.days if day not in known]
            unite(rebuilt.setdefault(key, Rhythm()), older)
    newest = sorted((key for key in rebuilt if rebuilt[key].days), key=lambda key: (-rebuilt[key].days[-1], key))
    kept: dict[str, tuple[int, Raw]] = {}
    for key in sorted(newest[:RHYTHMS_MAX]):
        _keep(kept, key, rebuilt[key])
    into.rhythms = kept


@lru_cache(maxsize=1 << 12)
def _first(day: int) -> tuple[Raw, Tally]:
    """The rhythm of a single purchase of one unit as it is stored, and what it adds to the counters. To be left as it is."""
    rhythm = Rhythm()
    counted = record_and_count(rhythm, day)
    return Raw(encode(rhythm)), counted


def _of(profile: Profile, key: str) -> Rhythm:
    kept = profile.rhythms.get(key)
    return Rhythm() if kept is None else _decoder.decode(kept[1])


def _keep(rhythms: dict[str, tuple[int, Raw]], key: str, rhythm: Rhythm) -> None:
    if rhythm.days:
        rhythms[key] = (rhythm.days[-1], Raw(encode(rhythm)))
    else:
        rhythms.pop(key, None)


def _add(counted: Tally, key: str, change: Tally, sign: int = 1) -> None:
    for name, amount in change.items():
        full = f"gaps:{name}:{key}"
        counted[full] = counted.get(full, 0) + sign * amount
