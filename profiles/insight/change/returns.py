"""Does a customer send back more than others do? The posterior of her return rate against what is usual.

With `usual` the rate of what she buys (of its categories, by the shop's counters) and a prior worth PRIOR_UNITS units, her
rate is Beta(usual p + returned, (1 - usual) p + bought - returned). She is "high" once it is above FACTOR times the usual
with 95 % probability, and until that sinks below 80 %: one alarm for one regime.
"""

from typing import Final

from msgspec import Struct

from profiles.insight.change.shift import Shift
from profiles.insight.distributions import beta_cdf

PRIOR_UNITS: Final = 20.0
FACTOR: Final = 1.5
ENTER: Final = 0.95
LEAVE: Final = 0.80
RETURNED_MIN: Final = 3
"""A customer with two returns is no case, whatever the arithmetic says."""


class Returns(Struct, array_like=True, omit_defaults=True, gc=False):
    """Units bought and returned, of orders whose time to be returned is over or not; and whether the rate is high."""

    bought: int = 0
    returned: int = 0
    high: bool = False


def observe(state: Returns, bought: int, returned: int, usual: float) -> Shift | None:
    """Take in units bought and sent back (negative ones take back a cancelled order). `usual` lies between 0 and 1."""
    state.bought += bought
    state.returned += returned
    if not state.high and state.returned < RETURNED_MIN:
        return None
    probability = probability_above(state.returned, state.bought, usual, FACTOR)
    if state.high:
        state.high = probability >= LEAVE
        return None
    if probability < ENTER:
        return None
    state.high = True
    rate = (PRIOR_UNITS * usual + state.returned) / (PRIOR_UNITS + state.bought)
    return Shift("returns", "up", round(usual, 3), round(rate, 3), state.bought, (round(probability, 3),))


def probability_above(returned: int, bought: int, usual: float, factor: float) -> float:
    """P(return rate > factor * usual | what she bought and sent back). 0 where that is above one or nothing is usual."""
    level = usual * factor
    if not 0 < level < 1:
        return 0.0
    kept = max(0, bought - returned)
    return 1 - beta_cdf(level, PRIOR_UNITS * usual + max(0, returned), PRIOR_UNITS * (1 - usual) + kept)
