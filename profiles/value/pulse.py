"""Is she still there, and for how long will that be believed? What the hot path asks at every order and timer.

Microseconds with k = 1; every figure that is null has its reason in `absent`.
"""

from functools import lru_cache
from math import ceil
from typing import Final

from msgspec import Struct

from profiles.value.absent import Absent, present
from profiles.value.alive import p_alive, p_order_within
from profiles.value.churn import Band, band_holds, band_worsens_at, churn_band
from profiles.value.heuristic import thumb_band, thumb_band_worsens_day
from profiles.value.history import History
from profiles.value.model import ValueModel
from profiles.value.thresholds import FAR_WEEKS
from profiles.value.timing import DAYS_PER_WEEK, Buyer, Timing

CHURN_DAYS: Final = 90
"""The horizon of the churn risk: no order in so many days."""

_CHURN_WEEKS: Final = CHURN_DAYS / DAYS_PER_WEEK


class Pulse(Struct, frozen=True, kw_only=True, gc=False):
    """P(alive), P(at least one order within CHURN_DAYS), the churn band, and until when it holds.

    `band_worsens_day` is the day (since 1970-01-01, shop's time zone) from which she is in a worse band if no order comes.
    """

    p_alive: float | None = None
    p_order: float | None = None
    band: Band | None = None
    band_worsens_day: int | None = None
    absent: dict[str, Absent]


def pulse(
    model: ValueModel,
    history: History | None,
    today: int,
    previous: Band | None = None,
    origin: str = "",
    *,
    concern: float = 0.0,
) -> Pulse:
    """The pulse of a customer on a day. `previous` is the band she was in before; `origin` where she comes from
    (`profiles.value.origin`).

    `concern` is added to the churn risk for the band: what is known of her besides her orders, an unhappy answer for instance.
    """
    if history is None:
        return _nothing(Absent.NO_ORDERS)
    timing = model.timing_of(origin)
    absent: dict[str, Absent] = {}
    if timing is None:
        rules = model.heuristic
        if rules is None:
            return _nothing(Absent.NO_GOOD_FIT)
        absent = dict.fromkeys(("p_alive", "p_order"), Absent.HEURISTIC)
        thumb = thumb_band_worsens_day(rules, history, today)
        return Pulse(
            band=thumb_band(rules, history, today),
            band_worsens_day=present("band_worsens_day", thumb, absent),
            absent=absent,
        )
    buyer = history.buyer(today)
    p_order = p_order_within(timing, buyer, _CHURN_WEEKS)
    band = churn_band(1.0 - p_order + concern, previous)
    worsens = _day_of(band_worsens_at(timing, buyer, band, _CHURN_WEEKS, concern), today - history.first_day)
    if not isinstance(worsens, Absent):
        worsens += history.first_day
    return Pulse(
        p_alive=p_alive(timing, buyer),
        p_order=p_order,
        band=band,
        band_worsens_day=present("band_worsens_day", worsens, absent),
        absent=absent,
    )


def outlook(
    model: ValueModel,
    history: History,
    today: int,
    previous: Band | None,
    origin: str,
    *,
    concern: float,
    ahead_days: int,
) -> tuple[Band | None, int | None]:
    """`band` and `band_worsens_day` of `pulse`, the day only as far as `ahead_days`; None beyond, and where `pulse` has none.

    This is all that is asked at every order. Right after one she is as old as her newest purchase, and most customers have few:
    so nearly all share the answer of somebody before them, which is remembered.
    """
    timing, first_day = model.timing_of(origin), history.first_day
    if timing is None:
        found = pulse(model, history, today, previous, origin, concern=concern)
        return found.band, found.band_worsens_day
    band, worsens = _outlook(
        timing, history.x, history.last_day - first_day, today - first_day, previous, concern, ahead_days
    )
    return band, None if worsens is None else first_day + worsens


@lru_cache(maxsize=1 << 14)
def _outlook(
    timing: Timing, x: int, newest: int, now: int, previous: Band | None, concern: float, ahead_days: int
) -> tuple[Band, int | None]:
    """The same by days since her first purchase: that of the newest one, and now."""
    t_x = newest / DAYS_PER_WEEK
    buyer = Buyer(x, t_x, max(now, newest) / DAYS_PER_WEEK)
    band = churn_band(1.0 - p_order_within(timing, buyer, _CHURN_WEEKS) + concern, previous)
    later = Buyer(x, t_x, max(now + ahead_days, newest) / DAYS_PER_WEEK)
    if band_holds(timing, later, band, _CHURN_WEEKS, concern):
        return band, None
    worsens = _day_of(band_worsens_at(timing, buyer, band, _CHURN_WEEKS, concern), now)
    return band, None if isinstance(worsens, Absent) else worsens


def _day_of(age: float | Absent, now: int) -> int | Absent:
    """The first whole day of an age, both since her first purchase; never a past one, since a band that is due changes when it
    is next looked at.
    """
    if isinstance(age, Absent):
        # A band kept by its margin alone ends when it is next looked at.
        return now + 1 if age is Absent.ALREADY else age
    if age * DAYS_PER_WEEK > now + FAR_WEEKS * DAYS_PER_WEEK:
        return Absent.TOO_FAR
    return max(now + 1, ceil(age * DAYS_PER_WEEK))


def _nothing(reason: Absent) -> Pulse:
    return Pulse(absent=dict.fromkeys(("p_alive", "p_order", "band", "band_worsens_day"), reason))
