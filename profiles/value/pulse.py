"""Is she still there, and for how long will that be believed? What the hot path asks at every order and timer.

Microseconds with k = 1; every figure that is null has its reason in `absent`.
"""

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
from profiles.value.timing import DAYS_PER_WEEK

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
    ahead_days: int | None = None,
) -> Pulse:
    """The pulse of a customer on a day. `previous` is the band she was in before; `origin` where she comes from
    (`profiles.value.origin`).

    `concern` is added to the churn risk for the band: what is known of her besides her orders, an unhappy answer for instance.
    `ahead_days` is how far `band_worsens_day` is looked for; what lies beyond is TOO_FAR, which is told in a tenth of the time.
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
    worsens: int | Absent = Absent.TOO_FAR
    if ahead_days is None or not band_holds(timing, history.buyer(today + ahead_days), band, _CHURN_WEEKS, concern):
        worsens = _day_of(band_worsens_at(timing, buyer, band, _CHURN_WEEKS, concern), history, today)
    return Pulse(
        p_alive=p_alive(timing, buyer),
        p_order=p_order,
        band=band,
        band_worsens_day=present("band_worsens_day", worsens, absent),
        absent=absent,
    )


def _day_of(age: float | Absent, history: History, today: int) -> int | Absent:
    """The first whole day of an age; never a past one, since a band that is due changes when it is next looked at."""
    if isinstance(age, Absent):
        # A band kept by its margin alone ends when it is next looked at.
        return today + 1 if age is Absent.ALREADY else age
    if age * DAYS_PER_WEEK > today - history.first_day + FAR_WEEKS * DAYS_PER_WEEK:
        return Absent.TOO_FAR
    return max(today + 1, history.first_day + ceil(age * DAYS_PER_WEEK))


def _nothing(reason: Absent) -> Pulse:
    return Pulse(absent=dict.fromkeys(("p_alive", "p_order", "band", "band_worsens_day"), reason))
