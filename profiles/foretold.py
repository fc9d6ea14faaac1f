"""The next purchase of a product or category by one customer, by the table that was learned from all customers.

Three levels, each drawn to the one above it while little is known: the customer's own rhythm, the product (or substitute group)
where it was learned, else the merchant's word for it (`supply_days`), else its category. What is known of none is not foretold.

Days count from her last purchase. `profiles.insight.repurchase` says what the figures mean, `Rules.repurchase` how far before the
window a reminder goes out and how sure one has to be.
"""

from math import inf
from typing import Final

from msgspec import Struct

from profiles.book import Book
from profiles.catalogue import Facts
from profiles.insight.repurchase import Clock, clock_of
from profiles.insight.repurchase_plan import RepurchaseRule
from profiles.insight.rhythm import pace, until
from profiles.profile import Profile
from profiles.rates import DAY_MS
from profiles.rhythms import keys_of, rhythm_of
from profiles.supply_rules import ReplenishmentLateRule

LATE: Final = 0.25
"""When only one in four would still come, she is late."""


class Foretold(Struct, frozen=True, gc=False):
    """What was foretold at her last purchase. `key` is what it was learned of, `gaps` her own gaps behind it.

    The reminder is due after `due_days`; the window is `window_start` to `window_end` days, `confidence` the probability of a
    purchase within it. She is late after `late_days` and has stopped buying after `stopped_days`. `unsure`: the rules ask for
    more confidence. `interval_days` is when half will have bought, or the middle of the window where half never will.
    """

    key: str
    gaps: int
    due_days: int
    window_start: int
    window_end: int
    confidence: float
    interval_days: float
    late_days: float
    stopped_days: float
    unsure: bool


class Ticking(Struct, frozen=True, gc=False):
    """A customer's clock for a product or category, the rules that hold for it, and how many gaps of hers it rests on."""

    key: str
    clock: Clock
    rule: RepurchaseRule
    gaps: int


def learned_category(product_id: str, category: str | None, facts: Facts, book: Book) -> str | None:
    """The category of a product, where it was learned and the rules want it reminded of; else None."""
    model = book.models.repurchase
    if model is None:
        return None
    within = keys_of(product_id, category, facts)[1]
    return within if within in model.keys and book.rules.repurchase.of(within).remind else None


def ticking(
    profile: Profile, product_id: str, category: str | None, facts: Facts, book: Book, until_day: int | None = None
) -> Ticking | None:
    """The clock that holds for a product she bought, of which these facts are known; None where nothing was learned, or her
    rhythm is forgotten.

    With `until_day` what she bought after that day is left aside.
    """
    model = book.models.repurchase
    if model is None:
        return None
    product, within = keys_of(product_id, category, facts)
    word = facts.unit_days
    # The merchant's word stands above the category; it places a product that was not learned yet.
    key = product if product is not None else within
    if key is None or (key not in model.keys and word is None) or (rhythm := rhythm_of(profile, key)) is None:
        return None
    rule = book.rules.repurchase.of(key)
    own = pace(rhythm if until_day is None else until(rhythm, until_day), rule.quantity_exponent)
    return Ticking(key, clock_of(model, key, own, word), rule, own.gaps)


def foretold(
    profile: Profile, product_id: str, category: str | None, facts: Facts, book: Book, until_day: int | None = None
) -> Foretold | None:
    """The next purchase of a product, as seen from the last one (until that day). None as for `ticking`."""
    found = ticking(profile, product_id, category, facts, book, until_day)
    if found is None:
        return None
    clock, rule = found.clock, found.rule
    outlook = clock.outlook(rule.half_width_days)
    start, end = outlook.window - rule.half_width_days, outlook.window + rule.half_width_days
    late = clock.day_at(LATE)
    if late == inf:
        late = end + book.rule(ReplenishmentLateRule).after_ms / DAY_MS
    return Foretold(
        key=found.key,
        gaps=found.gaps,
        # Nobody is reminded on the day of a purchase.
        due_days=max(1, start - rule.lead_days),
        window_start=start,
        window_end=end,
        confidence=outlook.confidence,
        interval_days=float(outlook.window) if outlook.median is None else outlook.median,
        late_days=max(late, end + 1.0),
        stopped_days=max(outlook.stopped, end + 1.0) if outlook.stopped < inf else inf,
        unsure=outlook.confidence < rule.confidence_min,
    )
