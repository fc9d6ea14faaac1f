"""Whether a customer behaves differently from before: what is watched of her, brought up to date with each order.

Five measures, each with a small state of its own (`profiles.insight.change`): gaps between orders, silence, order value,
categories, returns. Gaps are judged against all her earlier ones, by Student's t, so that few gaps give no false alarms; the
expected gap and its spread are those of her own logarithms. After an alarm a measure starts anew: one alarm for one regime.

Orders are taken as they come. One that is older than her newest says nothing of order, value or silence any more, and a
cancelled one leaves what was seen of it; only returns can be taken back. So these states are no facts, and nothing but the
trigger behaviour.change reads them.
"""

from math import log, sqrt
from typing import Final

from profiles.book import Book
from profiles.content import OrderTold
from profiles.contribution import net_units
from profiles.insight.change import Shift, categories, cusum, order_value, returns
from profiles.insight.change.behaviour import Behaviour, Gaps
from profiles.insight.distributions import normal_score_of_t
from profiles.order_state import OrderEntry
from profiles.profile import Profile
from profiles.rules import DAY_MS

GAPS_MIN: Final = 6
"""Gaps before the first one that is judged."""
SPREAD_MIN: Final = 0.15
"""Of ln gap: who orders like a clock is not alarming a day late. 0.15 is 15 % of the gap."""


def note_order(profile: Profile, told: OrderTold, book: Book, usual_returns: float) -> list[Shift]:
    """Take in an order event; the changes in behaviour that it makes certain, usually none.

    `usual_returns` is the share of units that customers of the shop send back.
    """
    change, state = told.change, profile.behaviour
    found: list[Shift | None] = [_returned(state, told, usual_returns)]
    entry = change.entry
    if entry.placed_ms is not None and change.is_new and change.is_counted:
        newest_ms = state.newest_ms
        if newest_ms is None or entry.placed_ms > newest_ms:
            if newest_ms is not None:
                found.append(_gap(state, (entry.placed_ms - newest_ms) / DAY_MS))
            state.newest_ms = entry.placed_ms
            if entry.contribution is not None:
                found.append(order_value.observe(state.values, entry.contribution.shop.net))
        bought = {line.category or book.catalogue.lookup(line.product_id).category for line in entry.lines}
        named = frozenset(category for category in bought if category)
        if named:
            found.append(categories.observe(state.shares, book.shop_day(entry.placed_ms), named))
    return [shift for shift in found if shift is not None]


def expected(state: Behaviour) -> tuple[float, float] | None:
    """Mean and deviation of ln days to her next order; None while too few gaps are known."""
    gaps = state.gaps
    if gaps.count < GAPS_MIN:
        return None
    return gaps.mean, max(SPREAD_MIN, sqrt(gaps.squares / (gaps.count - 1)))


def silent_until_ms(state: Behaviour, share: float) -> int | None:
    """When her silence becomes one that only `share` of her gaps outlast (epoch ms); None while too few gaps are known."""
    known = expected(state)
    if known is None or state.newest_ms is None or not 0 < share < 1:
        return None
    return state.newest_ms + round(cusum.silence_days(*known, share) * DAY_MS)


def silence(state: Behaviour, now_ms: int) -> Shift | None:
    """The evidence of a silence that has become unusual; None where she was forgotten meanwhile."""
    known = expected(state)
    if known is None or state.newest_ms is None or now_ms <= state.newest_ms:
        return None
    return cusum.silence(*known, (now_ms - state.newest_ms) / DAY_MS)


def _gap(state: Behaviour, days: float) -> Shift | None:
    """Judge a gap against those before it, then let it count."""
    gaps, value = state.gaps, log(max(days, 1 / 24))  # orders within an hour are one gap of an hour
    known, shift = expected(state), None
    if known is not None:
        mean, spread = known
        score = normal_score_of_t((value - mean) / (spread * sqrt(1 + 1 / gaps.count)), gaps.count - 1)
        shift = cusum.observe_gap(state.rhythm, mean + score * spread, mean, spread)
    if shift is not None:
        state.gaps = gaps = Gaps()
    gaps.count += 1
    step = value - gaps.mean
    gaps.mean += step / gaps.count
    gaps.squares += step * (value - gaps.mean)
    return shift


def _returned(state: Behaviour, told: OrderTold, usual: float) -> Shift | None:
    """Units bought and sent back by what an event changed in the order."""
    bought_before, kept_before = _units(told.change.before)
    bought, kept = _units(told.change.entry)
    more, back = round(bought - bought_before), round(bought - kept - (bought_before - kept_before))
    return returns.observe(state.returns, more, back, usual) if more or back else None


def _units(entry: OrderEntry | None) -> tuple[float, float]:
    """Units of an order, and those of them that she keeps; none of an order that is not counted."""
    if entry is None or entry.contribution is None or not entry.contribution.counted:
        return 0.0, 0.0
    return sum([line.quantity for line in entry.lines]), sum(net_units(entry).values())
