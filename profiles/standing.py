"""Where a customer stands: her churn band and her tier, brought up to date by her orders and, while she is silent, by a timer.

The band is worked out at every change of her purchases and at the very moment at which it worsens if no order comes, which is
known in closed form: one timer, no scan. She is looked at every LOOK_EVERY_MS at the latest, so that models fitted meanwhile
reach whoever is silent; before the first fit too, for as long as SILENT_MS.

All is a function of the profile, the models and the moment. Everything else that is predicted is worked out when it is read
(`profiles.predictions`).
"""

from bisect import bisect_right
from datetime import UTC, datetime
from math import ceil, floor
from typing import Final, NamedTuple

from msgspec import Struct

from profiles.book import Book
from profiles.feedback import is_low, newest_answer
from profiles.profile import Profile
from profiles.rules import DAY_MS
from profiles.standing_rules import ChurnRiskRule, VipEnteredRule
from profiles.state import Standing
from profiles.turn import Turn
from profiles.value.churn import Band
from profiles.value.pulse import outlook
from profiles.zones import find_zone, start_of_day

LOOK: Final = "standing|look"
"""The timer, among `Profile.wakes`."""
LOOK_EVERY_DAYS: Final = 30
LOOK_EVERY_MS: Final = LOOK_EVERY_DAYS * DAY_MS
SILENT_MS: Final = 730 * DAY_MS


class StandingChange(Struct, frozen=True, gc=False):
    """A look at a customer: the moment, and her band and tier before; the new ones stand in the profile.

    `by_order`: an order is why she was looked at, not silence or an answer of hers.
    """

    at_ms: int
    by_order: bool
    band_before: str | None
    tier_before: int


def look(turn: Turn, limits: tuple[int, ...], *, by_order: bool = False) -> StandingChange:
    """Bring band and tier up to date, and set the timer for the next look. `limits` are those of the tiers (`tier_limits`)."""
    profile, book = turn.profile, turn.book
    standing = profile.standing
    at_ms = turn.time_ms if turn.cause == "timer" else max(turn.at.clock_ms, turn.time_ms)
    change = StandingChange(at_ms, by_order, standing.band, standing.tier)
    wake_ms = _look_at_band(profile, standing, book, at_ms)
    if wake_ms is None:
        profile.wakes.pop(LOOK, None)
    else:
        profile.wakes[LOOK] = wake_ms
    tier = tier_of(profile.ltv.net, standing.tier, book, limits)
    if tier != standing.tier:
        standing.tier, standing.tier_since_ms = tier, at_ms
    return change


def _look_at_band(profile: Profile, standing: Standing, book: Book, at_ms: int) -> int | None:
    """The band as of now; gives when to look again."""
    history, model = profile.purchases.history, book.models.value
    band: Band | None = None
    wake_ms: int | None = None
    if history is not None and profile.orders.recent:
        wake_ms = at_ms + LOOK_EVERY_MS
        if model is None:
            silent = at_ms - profile.orders.recent[-1][0] > SILENT_MS
            band, wake_ms = standing.band, None if silent else wake_ms
        else:
            today = book.shop_day(at_ms)
            worry = concern(profile, book, at_ms)
            band, worsens_day = outlook(
                model,
                history,
                today,
                standing.band,
                profile.origin,
                concern=worry.risk,
                ahead_days=LOOK_EVERY_DAYS,
            )
            # In the highest band it can only get better: by an order, or on the day after she has ceased to complain.
            days = [worsens_day] if band != "high" and worsens_day is not None else []
            if worry.risk > 0.0:
                days.append(worry.until_day + 1)
            if days:
                zone = find_zone(book.shop_timezone) or find_zone("UTC")
                assert zone is not None
                changes_ms = max(at_ms + 1, start_of_day(min(days), zone))
                wake_ms = changes_ms if band == "high" else min(wake_ms, changes_ms)
            elif band == "high":
                wake_ms = None
    if band != standing.band:
        if standing.band == "high":
            standing.left_high_ms = at_ms
        standing.band, standing.band_since_ms = band, at_ms
    return wake_ms


def utc_date(at_ms: int) -> str:
    """The day of an instant, in UTC, as an anchor.

    >>> utc_date(1_772_409_600_000)
    '2026-03-02'
    """
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).date().isoformat()


class Concern(NamedTuple):
    """What is added to her churn risk besides what her orders say, and the last day of the shop on which it is."""

    risk: float
    until_day: int


NO_CONCERN: Final = Concern(0.0, 0)


def concern(profile: Profile, book: Book, at_ms: int) -> Concern:
    """What her last answer to "would you recommend us" and her open tickets add to her churn risk: the larger of the two.

    Whole days, as in everything that is foretold: so that predictions change at the end of a day and not within one.
    """
    if not profile.has_feedback:
        return NO_CONCERN
    rule, day = book.rule(ChurnRiskRule), book.shop_day(at_ms)
    found: list[Concern] = []
    answer = newest_answer(profile)
    if answer is not None and is_low(answer):
        found.append(Concern(rule.concern, book.shop_day(answer.answered_ms + rule.concern_for_ms)))
    forgotten_ms = [
        ticket.changed[0] + book.rules.open_feedback.ticket_ms
        for ticket in profile.feedback.tickets.values()
        if not ticket.resolved
    ]
    if forgotten_ms:
        found.append(Concern(rule.ticket_concern, book.shop_day(max(forgotten_ms))))
    return max((one for one in found if one.risk > 0.0 and day <= one.until_day), default=NO_CONCERN)


def tier_limits(book: Book) -> tuple[int, ...]:
    """The net lifetime values at which tiers begin; none before a fit where the rules name none."""
    rule = book.rule(VipEnteredRule)
    if rule.limits:
        return rule.limits
    model = book.models.value
    if model is None or not model.net_percentiles:
        return ()
    # The small subtraction undoes the rounding of (1 - 0.43) * 100 = 57.00000000000001.
    place = min(max(1, ceil((1.0 - rule.top_share) * 100 - 1e-9)), len(model.net_percentiles)) - 1
    # Above the point: what is equal to it belongs with those below, so in a shop of one price nobody is among the best.
    return (max(1, floor(model.net_percentiles[place]) + 1),)


def tier_of(net_minor: int, before: int, book: Book, limits: tuple[int, ...]) -> int:
    """The tier of a net lifetime value, counted from 1, for a customer who was in tier `before`; 0 is none.

    `limits` are the book's (`tier_limits`), which the caller keeps: they are asked for with every order.
    """
    tier = bisect_right(limits, net_minor)
    if tier < before:
        leave_share = book.rule(VipEnteredRule).leave_share
        while tier < min(before, len(limits)) and net_minor >= limits[tier] * leave_share:
            tier += 1
    return tier
