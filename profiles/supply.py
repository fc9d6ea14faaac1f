"""How long what a customer bought will last: purchases of replenishable products, and the arithmetic of running out.

Times in days, per product or substitute group p, purchases (t_i, q_i) with net units q_i; purchases within 2 days are one.
- m_p is how long one unit lasts by the merchant's word (the catalogue's `supply_days`).
- Unit intervals u_i = (t_{i+1} - t_i) / q_i; those above 3 m_p are left out: the customer was away, the goods not in use.
- The customer's own pace, shrunk to the product's: m = exp((k ln m_p + sum ln u_i) / (k + n)), k = 3.
- On hand h(t_i) = max(0, h(t_{i-1}) - (t_i - t_{i-1}) / m) + q_i, folded over all purchases with the present m, so buying
  early adds up instead of starting anew.
- run_out = t_n + h m; due = run_out - max(3 days, 10 % of h m) - delivery time, moved to the customer's median local order
  hour on that local day; late = run_out + max(7 days, half of m).

Once repurchase was learned from all customers (`regulars fit`), the table so learned takes the place of this arithmetic: see
`profiles.foretold`. Categories that were learned are then followed as well, for products without days of their own.

Durations and shares are settings of the replenishment rules. Where the lead before running out is longer than the supply
itself, the reminder is due halfway: nobody is reminded by the purchase itself.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from math import exp, log
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from profiles import hindsight, order_stats, zones
from profiles.book import Book
from profiles.catalogue import supply_key
from profiles.contribution import net_units
from profiles.foretold import Foretold, foretold, learned_category
from profiles.insight.tallies import Tally, difference
from profiles.ledger import OrderChange
from profiles.order_state import OrderEntry, OrderLine
from profiles.product_facts import counted_by, of_line
from profiles.profile import Profile
from profiles.rates import DAY_MS
from profiles.state import SUPPLY_PRODUCTS_MAX, SUPPLY_PURCHASES_MAX, Purchase, Supply
from profiles.supply_rules import ReplenishmentDueRule, ReplenishmentLateRule

JOINED_MS: Final = 2 * DAY_MS
"""Purchases no further than this after the first of them count as one."""
LAPSED_FACTOR: Final = 3.0
"""Unit intervals longer than this many times the product's are left out."""
CATEGORY_SIGN: Final = "="
"""The keys of categories start with it, as those of substitute groups do with another one."""
SPAN_MAX_DAYS: Final = 3650.0
"""A supply that lasts longer than ten years is no reason for a reminder."""


class SupplyChange(Struct, gc=False):
    """Which supplies (keys of `Profile.supply`) an order event changed; with each the orders that are or were in it.

    `forecasts` are those of the supplies as they are now, `counted` what changed in the population's counters of what was
    foretold.
    """

    orders: dict[str, list[str]]
    forecasts: "dict[str, Forecast | None]" = {}
    counted: Tally = {}

    @property
    def products(self) -> list[str]:
        """The keys of the changed supplies."""
        return list(self.orders)

    def orders_of(self, key: str) -> list[str]:
        """The ids of the orders that were in a supply before or are in it now."""
        return self.orders.get(key, [])


class Forecast(Struct, frozen=True, gc=False):
    """When a supply ends. `on_hand` units were there after the last purchase; one lasts `unit_days`.

    `intervals` counts the customer's own intervals behind `unit_days`. `product_id` is the product bought last. `learned` is
    what it rests on where it was learned from all customers; then a purchase is the unit, and `on_hand` is 1.
    """

    product_id: str
    run_out_ms: int
    due_ms: int
    late_ms: int
    unit_days: float
    on_hand: float
    intervals: int
    last_purchase_ms: int
    last_order_id: str
    learned: Foretold | None


def record_purchases(profile: Profile, change: OrderChange, book: Book) -> SupplyChange:
    """Bring the customer's supplies in line with an order: net units bought, nothing of an order that does not count.

    Supplies are bounded: of more than SUPPLY_PRODUCTS_MAX the one not bought for longest goes, and of one supply's
    purchases the newest SUPPLY_PURCHASES_MAX stay.
    """
    changed = SupplyChange({})
    catalogue = book.catalogue
    entry = change.entry
    if entry is change.before or entry.compact:
        return changed
    known = catalogue.products or catalogue.categories or book.models.repurchase is not None or profile.has_supply
    if not known and all(line.told is None for line in entry.lines):
        return changed
    wanted = _bought(entry, book)
    touched: dict[str, tuple[list[Purchase], hindsight.Place]] = {}
    supplies = profile.supply
    for key in sorted(wanted if change.before is None else {*wanted, *_holding(profile, entry.order_id)}):
        supply = supplies.get(key)
        before = [] if supply is None else supply.purchases
        if change.before is None:
            bought, line = wanted[key]
            at = hindsight.place_of(bought)
            if not before or (
                len(before) < SUPPLY_PURCHASES_MAX
                and hindsight.place_of(before[-1]) < at
                and all(purchase.order_id != entry.order_id for purchase in before)
            ):
                # By far the most frequent: a purchase more, after all before it.
                if supply is None:
                    supply = supplies[key] = Supply(key)
                supply.purchases = [*before, bought]
                supply.product_id = bought.product_id or key
                supply.category, supply.told = line.category, line.told
                changed.orders[key] = sorted({purchase.order_id for purchase in supply.purchases})
                touched[key] = (before, at)
                continue
        known_as = next((purchase for purchase in before if purchase.order_id == entry.order_id), None)
        after = [purchase for purchase in before if purchase is not known_as]
        since = [] if known_as is None else [hindsight.place_of(known_as)]
        if key in wanted:
            bought = wanted[key][0]
            if known_as is not None and replace(bought, told=known_as.told) == known_as:
                continue
            since.append(hindsight.place_of(bought))
            insort(after, bought, key=hindsight.place_of)
            del after[:-SUPPLY_PURCHASES_MAX]
        if after == before:
            continue
        changed.orders[key] = sorted({purchase.order_id for purchase in (*before, *after)})
        if not after:
            del supplies[key]
            touched[key] = (before, since[0])
            continue
        if supply is None:
            supply = supplies[key] = Supply(key)
        supply.purchases = after
        newest = after[-1]
        supply.product_id = newest.product_id or key
        if newest.order_id == entry.order_id:
            line = wanted[key][1]
            supply.category, supply.told = line.category, line.told
        touched[key] = (before, min(since))
    if len(supplies) > SUPPLY_PRODUCTS_MAX:
        oldest_first = sorted(supplies, key=lambda key: (supplies[key].purchases[-1].at_ms, key))
        for oldest in oldest_first[:-SUPPLY_PRODUCTS_MAX]:
            purchases = supplies.pop(oldest).purchases
            changed.orders.setdefault(oldest, [purchase.order_id for purchase in purchases])
            touched.setdefault(oldest, (purchases, hindsight.place_of(purchases[0])))
    for key, (before, first) in touched.items():
        supply = supplies.get(key)
        if supply is None:
            changed.forecasts[key] = None
            counted = difference({}, hindsight.contribution(before, book))
        elif len(supply.purchases) == len(before) + 1 and first == hindsight.place_of(newest := supply.purchases[-1]):
            forecast = changed.forecasts[key] = _forecast(profile, supply, book)
            newest.told = None if forecast is None else _told(forecast, book)
            counted = hindsight.change_by_next(before[-1] if before else None, newest, book)
        else:
            changed.forecasts[key] = _foresee(profile, supply, first, book)
            counted = hindsight.change(before, supply.purchases, first, book)
        for name, amount in counted.items():
            full = f"foretold:{name}"
            changed.counted[full] = changed.counted.get(full, 0) + amount
    return changed


def foresee_again(profile: Profile, keys: Iterable[str], book: Book) -> None:
    """Foretell anew after every purchase of these supplies, each from the ones up to it: the profile was united with another."""
    for key in keys:
        if (supply := profile.supply.get(key)) is not None:
            _foresee(profile, supply, hindsight.place_of(supply.purchases[0]), book)


def _foresee(profile: Profile, supply: Supply, since: hindsight.Place, book: Book) -> "Forecast | None":
    """Note after each purchase from `since` on what is foretold of the next one; gives the forecast after the last.

    Before the last one only where an order came late or was changed: then it is foretold anew, from what was bought until then.
    """
    purchases, forecast = supply.purchases, None
    start = bisect_left(purchases, since, key=hindsight.place_of)
    for place in range(start, len(purchases)):
        purchase = purchases[place]
        if place + 1 < len(purchases):
            seen = replace(
                supply, product_id=purchase.product_id or supply.product_id, purchases=purchases[: place + 1]
            )
            forecast = _forecast(profile, seen, book, book.shop_day(purchase.at_ms))
        else:
            forecast = _forecast(profile, supply, book)
        purchases[place] = replace(purchase, told=None if forecast is None else _told(forecast, book))
    return forecast if start < len(purchases) else _forecast(profile, supply, book)


def _told(forecast: "Forecast", book: Book) -> tuple[int, int, int | None]:
    """The window of a forecast: the learned one, else as wide a one around running out."""
    learned = forecast.learned
    if learned is not None:
        return learned.window_start, learned.window_end, round(100 * learned.confidence)
    days, half = (forecast.run_out_ms - forecast.last_purchase_ms) // DAY_MS, book.rules.repurchase.half_width_days
    return max(1, days - half), max(1, days + half), None


def forecast(profile: Profile, key: str, book: Book) -> Forecast | None:
    """When a supply of the customer will run out, and when to say so. None where nothing is known to run out."""
    supply = profile.supply.get(key)
    return None if supply is None or not supply.purchases else _forecast(profile, supply, book)


def _forecast(profile: Profile, supply: Supply, book: Book, until_day: int | None = None) -> Forecast | None:
    """The forecast of a supply with these purchases; with `until_day` from a rhythm that ends on that day."""
    catalogue = book.catalogue
    facts = counted_by(catalogue, supply.product_id, supply.category, supply.told)
    learned = foretold(profile, supply.product_id, supply.category, facts, book, until_day)
    if learned is not None:
        return _learned_forecast(profile, supply, learned, book)
    product_days = facts.unit_days
    if product_days is None:
        return None
    rule, late_rule = book.rule(ReplenishmentDueRule), book.rule(ReplenishmentLateRule)
    bought = joined(supply.purchases)
    unit_days, intervals = own_pace(bought, product_days, rule.shrinkage)
    on_hand = units_on_hand(bought, unit_days)
    span_days = on_hand * unit_days
    if span_days > SPAN_MAX_DAYS:
        return None

    filled_ms, last = bought[-1][0], supply.purchases[-1]
    run_out_ms = filled_ms + round(span_days * DAY_MS)
    lead_ms = max(rule.lead_ms, round(rule.lead_share * span_days * DAY_MS)) + rule.delivery_ms
    due_ms = run_out_ms - lead_ms
    if due_ms <= last.at_ms:
        due_ms = last.at_ms + max(0, run_out_ms - last.at_ms) // 2
    moved_ms = _at_order_hour(profile, due_ms, last.at_ms, book)
    # A group that only events told of is counted in days: what people call a unit is the product bought last.
    unit = 1.0 if facts.group is None or facts.group in catalogue.groups else facts.share
    return Forecast(
        product_id=supply.product_id,
        run_out_ms=run_out_ms,
        due_ms=moved_ms if moved_ms > last.at_ms else due_ms,
        late_ms=run_out_ms + max(late_rule.after_ms, round(late_rule.after_share * unit_days * unit * DAY_MS)),
        unit_days=unit_days * unit,
        on_hand=on_hand / unit,
        intervals=intervals,
        last_purchase_ms=last.at_ms,
        last_order_id=last.order_id,
        learned=None,
    )


def _learned_forecast(profile: Profile, supply: Supply, learned: Foretold, book: Book) -> Forecast:
    """The forecast by what was learned: days after the last purchase become instants of the customer's days."""
    last = supply.purchases[-1]
    due_ms = last.at_ms + learned.due_days * DAY_MS
    moved_ms = _at_order_hour(profile, due_ms, last.at_ms, book)
    return Forecast(
        product_id=supply.product_id,
        run_out_ms=last.at_ms + round(learned.interval_days * DAY_MS),
        due_ms=moved_ms if moved_ms > last.at_ms else due_ms,
        late_ms=last.at_ms + round(learned.late_days * DAY_MS),
        unit_days=learned.interval_days,
        on_hand=1.0,
        intervals=learned.gaps,
        last_purchase_ms=last.at_ms,
        last_order_id=last.order_id,
        learned=learned,
    )


def joined(purchases: list[Purchase]) -> list[tuple[int, float]]:
    """(time, units) of purchases, oldest first, where those within JOINED_MS after the first of them are one."""
    bought: list[tuple[int, float]] = []
    for purchase in purchases:
        if bought and purchase.at_ms - bought[-1][0] <= JOINED_MS:
            bought[-1] = (bought[-1][0], bought[-1][1] + purchase.units)
        else:
            bought.append((purchase.at_ms, purchase.units))
    return bought


def own_pace(bought: list[tuple[int, float]], product_days: float, shrinkage: float) -> tuple[float, int]:
    """Days one unit lasts this customer, and how many of her own intervals that rests on.

    >>> days, n = own_pace([(0, 2.0), (50 * DAY_MS, 1.0)], 30.0, 3.0)
    >>> round(days, 2), n
    (28.66, 1)
    """
    logs, n = 0.0, 0
    for (start_ms, units), (end_ms, _) in pairwise(bought):
        interval = (end_ms - start_ms) / DAY_MS / units
        if interval <= LAPSED_FACTOR * product_days:
            logs += log(interval)
            n += 1
    return exp((shrinkage * log(product_days) + logs) / (shrinkage + n)) if n else product_days, n


def units_on_hand(bought: list[tuple[int, float]], unit_days: float) -> float:
    """Units there right after the last purchase, at a pace of one in `unit_days`.

    >>> round(units_on_hand([(0, 2.0), (50 * DAY_MS, 1.0)], 30.0), 2)
    1.33
    """
    on_hand, since_ms = 0.0, bought[0][0]
    for at_ms, units in bought:
        on_hand = max(0.0, on_hand - (at_ms - since_ms) / DAY_MS / unit_days) + units
        since_ms = at_ms
    return on_hand


def _bought(entry: OrderEntry, book: Book) -> dict[str, tuple[Purchase, OrderLine]]:
    """What an order adds to each supply, and the line that says what its product is."""
    at_ms = entry.placed_ms
    units = net_units(entry)
    if at_ms is None or not units:
        return {}
    found: dict[str, tuple[Purchase, OrderLine]] = {}
    # In the order of product ids, so that of two products of a group the choice does not depend on the order of lines.
    for line in sorted(entry.lines, key=lambda line: line.product_id):
        kept = units.pop(line.product_id, 0.0)
        if kept <= 0:
            continue
        facts = of_line(book.catalogue, line)
        if facts.supply_days is not None:
            key = supply_key(line.product_id, facts)
            product_id = None if facts.group is None else line.product_id
        elif (category := learned_category(line.product_id, line.category, facts, book)) is not None:
            key, product_id = f"{CATEGORY_SIGN}{category}", line.product_id
        else:
            continue
        already = found[key][0].units if key in found else 0.0
        found[key] = (Purchase(at_ms, entry.order_id, already + kept * facts.share, product_id), line)
    return found


def _holding(profile: Profile, order_id: str) -> list[str]:
    """The supplies that have a purchase of this order."""
    return [
        key
        for key, supply in profile.supply.items()
        if any(purchase.order_id == order_id for purchase in supply.purchases)
    ]


def _at_order_hour(profile: Profile, due_ms: int, last_ms: int, book: Book) -> int:
    """The customer's median order hour (the earlier one of two) on the local day of `due_ms`."""
    zone, newest = zones.zone_of(profile, book.shop_timezone), order_stats.newest(profile.orders)
    hour = _median_hour(tuple([placed_ms for placed_ms, _ in newest]) or (last_ms,), zone)
    return zones.at_hour(due_ms, zone, hour)


@lru_cache(maxsize=1 << 12)
def _median_hour(placed: tuple[int, ...], zone: ZoneInfo) -> int:
    """Of these times. An order that has several supplies asks for each, and when one falls due it is asked again."""
    hours = sorted([zones.local_hour(placed_ms, zone) for placed_ms in placed])
    return hours[(len(hours) - 1) // 2]
