"""What one profile adds to the counters of its partition, kept in the profile, so that a change subtracts exactly that.

Amounts are minor units of the shop's currency. Orders that name no customer are in `orders` and the amounts too, and once
more in the anonymous_* counters; they are nobody's, so they are in no count of customers.
"""

from itertools import zip_longest
from typing import Final

from profiles import exposures
from profiles.profile import Profile
from schemas.events import ANONYMOUS

FIELDS: Final = (
    "customers",  # profiles that stand for somebody
    "buyers",  # of those, with an order that is not cancelled
    "valued_buyers",  # with an order above zero: whom repeat rates are about
    "repeat_buyers",  # with two or more orders above zero
    "orders",  # not cancelled
    "valued_orders",  # of those, above zero
    "refunded_orders",
    "cancelled_orders",
    "unconverted_orders",  # in a currency without a rate: their amounts are missing below
    "gross",
    "discount",
    "refund",
    "net",
    "margin",
    "estimated_gross",
    "anonymous_orders",
    "anonymous_gross",
    "anonymous_net",
    "anonymous_margin",
    "unconverted_refunds",  # in a currency without a rate: what they took back is not taken off below
)
"""Names of the counters, in the order of `Profile.population`. Only ever append: stored profiles hold the positions."""
_UNCONVERTED_REFUNDS: Final = FIELDS.index("unconverted_refunds")


def contribution(profile: Profile) -> list[int]:
    """The counters as this profile stands, without the zeros at the end."""
    orders, money = profile.orders, profile.ltv
    anonymous = profile.id == ANONYMOUS
    values = [
        0 if anonymous else 1,
        1 if orders.count > 0 and not anonymous else 0,
        1 if orders.valued > 0 and not anonymous else 0,
        1 if orders.valued > 1 and not anonymous else 0,
        orders.count,
        orders.valued,
        orders.refunded,
        orders.cancelled,
        orders.unconverted,
        money.gross,
        money.discount,
        money.refund,
        money.net,
        money.margin,
        money.estimated_gross,
    ]
    if anonymous:
        values += (orders.count, money.gross, money.net, money.margin)
    if orders.unconverted_refunds:
        values += [0] * (_UNCONVERTED_REFUNDS - len(values))
        values.append(orders.unconverted_refunds)
    while values and not values[-1]:
        values.pop()
    return values


def delta(profile: Profile) -> dict[str, int]:
    """What changed since the last call, by counter, without zeros; the profile then holds its new contribution."""
    old, new = profile.population, contribution(profile)
    changes: dict[str, int] = {}
    if new != old:
        profile.population = new
        changes = _difference(new, old)
    if profile.exposures_opened:
        changes.update(exposures.delta(profile))
    return changes


def forget(profile: Profile) -> dict[str, int]:
    """Take the profile out of the counters: it was merged into another one, or erased."""
    old, profile.population = profile.population, []
    return _difference([], old) | exposures.forget(profile)


def told(profile: Profile) -> dict[str, int]:
    """What the profile has told the counters: its own ones and those of comparisons."""
    return _difference(profile.population, []) | exposures.told(profile)


def _difference(new: list[int], old: list[int]) -> dict[str, int]:
    places = zip_longest(new, old, fillvalue=0)
    return {name: now - was for name, (now, was) in zip(FIELDS, places, strict=False) if now != was}
