"""Everything the value models say of one customer, for her profile: pulse, dates, value of an order, value of horizons.

Some hundred microseconds, so it is made when a profile is read; the hot path wants `profiles.value.pulse` alone. Without a
fitted model `method` is "heuristic", and `heuristic_reason` says why. Every figure that is null has its reason in `absent`.
"""

from datetime import date
from typing import Final, Literal

from msgspec import Struct

from profiles.value.absent import Absent, present
from profiles.value.churn import Band
from profiles.value.heuristic import thumb_mean, thumb_next_order_day
from profiles.value.history import History
from profiles.value.horizon import Horizon, Worth, model_horizon, no_horizon, thumb_horizon
from profiles.value.margin import mean_margin
from profiles.value.model import ValueModel
from profiles.value.pulse import Pulse, pulse
from profiles.value.rfm import rfm_cell
from profiles.value.spend import mean_spend
from profiles.value.thresholds import next_order_median
from profiles.value.timing import DAYS_PER_WEEK

HORIZONS_DAYS: Final = (90, 365)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


class Forecast(Struct, frozen=True, kw_only=True, gc=False):
    """What the models say of one customer on `as_of_day` (days since 1970-01-01 in the shop's time zone).

    `order_*` is the expected value and margin of an order to come. `historic_*` is what she has brought so far.
    """

    model_id: str
    method: Literal["model", "heuristic"]
    heuristic_reason: Absent | None
    as_of_day: int
    currency: str
    pulse: Pulse
    next_order_day: int | None
    order_net_minor: int | None
    order_margin_minor: int | None
    rfm: str | None
    historic_net_minor: int
    historic_margin_minor: int
    horizons: tuple[Horizon, ...]
    absent: dict[str, Absent]


def forecast(
    model: ValueModel,
    history: History | None,
    today: int,
    previous: Band | None = None,
    origin: str = "",
    *,
    concern: float = 0.0,
) -> Forecast:
    """All figures of one customer. `previous` is her churn band before, `origin` where she comes from, `concern` that of
    `pulse`.
    """
    absent: dict[str, Absent] = {}
    modelled = model.timing_of(origin) is not None
    thumbed = Absent.NO_GOOD_FIT if model.heuristic is None else model.heuristic.reason
    net, margin = _order_net(model, history, origin), _order_margin(model, history, origin)
    return Forecast(
        model_id=model.id,
        method="model" if modelled else "heuristic",
        heuristic_reason=None if modelled else thumbed,
        as_of_day=today,
        currency=model.currency,
        pulse=pulse(model, history, today, previous, origin, concern=concern),
        next_order_day=present("next_order_day", _next_order_day(model, history, today, origin), absent),
        order_net_minor=present("order_net_minor", _rounded(net), absent),
        order_margin_minor=present("order_margin_minor", _rounded(margin), absent),
        rfm=present("rfm", _rfm(model, history, today), absent),
        historic_net_minor=0 if history is None else history.net_minor,
        historic_margin_minor=0 if history is None else history.margin_minor,
        horizons=tuple(_horizon(model, history, today, origin, days, net, margin) for days in HORIZONS_DAYS),
        absent=absent,
    )


def cohort_of(day: int) -> str:
    """The cohort of a first purchase day: its month.

    >>> cohort_of(9862)
    '1997-01'
    """
    return date.fromordinal(day + _EPOCH_ORDINAL).isoformat()[:7]


def _horizon(
    model: ValueModel,
    history: History | None,
    today: int,
    origin: str,
    days: int,
    net: float | Absent,
    margin: float | Absent,
) -> Horizon:
    if history is None:
        return no_horizon(days, Absent.NO_ORDERS)
    timing = model.timing_of(origin)
    if timing is not None:
        factor = 1.0 if model.calibration is None else model.calibration.factor(cohort_of(history.first_day))
        worth = Worth(net, model.spend_of(origin), margin, model.margin_of(origin))
        return model_horizon(timing, factor, history, today, days, model.annual_discount, worth)
    if model.heuristic is None:
        return no_horizon(days, Absent.NO_GOOD_FIT)
    return thumb_horizon(model, model.heuristic, history, today, days, net, margin)


def _next_order_day(model: ValueModel, history: History | None, today: int, origin: str) -> int | Absent:
    if history is None:
        return Absent.NO_ORDERS
    timing = model.timing_of(origin)
    if timing is not None:
        weeks = next_order_median(timing, history.buyer(today))
        return weeks if isinstance(weeks, Absent) else max(today, history.last_day) + round(weeks * DAYS_PER_WEEK)
    if model.heuristic is None:
        return Absent.NO_GOOD_FIT
    return thumb_next_order_day(model.heuristic, history, today)


def _order_net(model: ValueModel, history: History | None, origin: str) -> float | Absent:
    if history is None:
        return Absent.NO_ORDERS
    if (spend := model.spend_of(origin)) is not None:
        return mean_spend(spend, history.x, _mean(history.repeat_net_minor, history.x))
    if model.heuristic is None:
        return Absent.NO_GOOD_FIT
    return thumb_mean(model.heuristic.order_net_minor, history, history.repeat_net_minor)


def _order_margin(model: ValueModel, history: History | None, origin: str) -> float | Absent:
    if history is None:
        return Absent.NO_ORDERS
    if (margin := model.margin_of(origin)) is not None:
        return mean_margin(margin, history.x, _mean(history.repeat_margin_minor, history.x))
    if model.heuristic is None:
        return Absent.NO_GOOD_FIT
    return thumb_mean(model.heuristic.order_margin_minor, history, history.repeat_margin_minor)


def _rfm(model: ValueModel, history: History | None, today: int) -> str | Absent:
    if history is None:
        return Absent.NO_ORDERS
    if model.rfm is None:
        return Absent.FEW_BUYERS
    return rfm_cell(model.rfm, max(0, today - history.last_day), history.x + 1, history.net_minor)


def _mean(total: int, x: int) -> float:
    return total / x if x else 0.0


def _rounded(figure: float | Absent) -> int | Absent:
    return figure if isinstance(figure, Absent) else round(figure)
