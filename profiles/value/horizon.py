"""What a customer is expected to do and to be worth within so many days from now.

Money is in minor units, discounted to today. What was earned (`historic` elsewhere) and what is expected (`residual_*`) never
share a field; `total_*` is named as the sum of both.
"""

from collections.abc import Callable
from math import ceil, floor
from typing import Final, NamedTuple

from msgspec import Struct

from profiles.value.absent import Absent, present
from profiles.value.alive import p_order_within
from profiles.value.counts import order_interval
from profiles.value.heuristic import thumb_orders
from profiles.value.history import History
from profiles.value.margin import NormalNormal, margin_variances
from profiles.value.model import Heuristic, ValueModel
from profiles.value.spend import GammaGamma, Interval, spend_variances
from profiles.value.timing import DAYS_PER_WEEK, Timing
from profiles.value.worth import SumMoments, order_flow, positive_interval, signed_interval, sum_moments

Whole = tuple[int, int]
_DAYS_PER_YEAR: Final = 365.25


class Horizon(Struct, frozen=True, kw_only=True, gc=False):
    """Expectations for the next `days`; intervals cover 90 %.

    `p_order` is the probability of at least one order, `orders` their expected number, `residual_*` what they are expected to
    bring, `total_*` what she has brought so far and that. Every figure that is null has its reason in `absent`.
    """

    days: int
    p_order: float | None
    orders: float | None
    orders_interval: Whole | None
    residual_net_minor: int | None
    residual_net_interval: Whole | None
    residual_margin_minor: int | None
    residual_margin_interval: Whole | None
    total_net_minor: int | None
    total_margin_minor: int | None
    absent: dict[str, Absent]


def no_horizon(days: int, reason: Absent) -> Horizon:
    """A horizon of which nothing can be said, and why."""
    return _horizon(days, None, reason, reason, reason, reason, reason, reason, reason)


def thumb_horizon(
    model: ValueModel,
    rules: Heuristic,
    history: History,
    today: int,
    days: int,
    order_net: float | Absent,
    order_margin: float | Absent,
) -> Horizon:
    """Expectations by rules of thumb: no probabilities, no intervals. Money is discounted from the middle of the horizon."""
    orders = thumb_orders(rules, history, today, days)
    discounted = orders * (1.0 + model.annual_discount) ** (-days / 2.0 / _DAYS_PER_YEAR)
    none = Absent.HEURISTIC
    return _horizon(
        days, history, none, orders, none, _times(order_net, discounted), none, _times(order_margin, discounted), none
    )


class Worth(NamedTuple):
    """What an order of hers is expected to bring, and the models that say how sure that is; None without a fit."""

    net: float | Absent
    spend: GammaGamma | None
    margin: float | Absent
    margins: NormalNormal | None


def model_horizon(
    timing: Timing, factor: float, history: History, today: int, days: int, annual_discount: float, worth: Worth
) -> Horizon:
    """Expectations by the fitted model. `factor` is the calibration of her cohort; it applies to counts, not to probabilities.

    Intervals are scaled like what they surround, and counts are then rounded outwards.
    """
    buyer, weeks = history.buyer(today), days / DAYS_PER_WEEK
    flow = order_flow(timing, buyer, days, annual_discount)
    low, high = order_interval(timing, buyer, weeks)
    scale = factor * (flow.discounted / flow.orders if flow.orders > 0.0 else 1.0)

    def interval(
        mean: float | Absent, variances: tuple[float, float] | Absent, of: Callable[[SumMoments], Interval]
    ) -> Whole | Absent:
        if isinstance(mean, Absent):
            return mean
        if isinstance(variances, Absent):
            return variances
        low_value, high_value = of(sum_moments(timing, buyer, weeks, mean, *variances))
        return floor(low_value * scale), ceil(high_value * scale)

    return _horizon(
        days,
        history,
        p_order_within(timing, buyer, weeks),
        factor * flow.orders,
        (floor(factor * low), ceil(factor * high)),
        _times(worth.net, factor * flow.discounted),
        interval(worth.net, _net_variances(worth.spend, history), positive_interval),
        _times(worth.margin, factor * flow.discounted),
        interval(worth.margin, _margin_variances(worth.margins, history), signed_interval),
    )


def _net_variances(spend: GammaGamma | None, history: History) -> tuple[float, float] | Absent:
    x = history.x
    if spend is None:
        return Absent.NO_GOOD_FIT
    return spend_variances(spend, x, history.repeat_net_minor / x if x else 0.0)


def _margin_variances(margins: NormalNormal | None, history: History) -> tuple[float, float] | Absent:
    return Absent.NO_GOOD_FIT if margins is None else margin_variances(margins, history.x)


def _horizon(
    days: int,
    history: History | None,
    p_order: float | Absent,
    orders: float | Absent,
    orders_interval: Whole | Absent,
    net: int | Absent,
    net_interval: Whole | Absent,
    margin: int | Absent,
    margin_interval: Whole | Absent,
) -> Horizon:
    absent: dict[str, Absent] = {}
    total_net = net if isinstance(net, Absent) or history is None else net + history.net_minor
    total_margin = margin if isinstance(margin, Absent) or history is None else margin + history.margin_minor
    return Horizon(
        days=days,
        p_order=present("p_order", p_order, absent),
        orders=present("orders", orders, absent),
        orders_interval=present("orders_interval", orders_interval, absent),
        residual_net_minor=present("residual_net_minor", net, absent),
        residual_net_interval=present("residual_net_interval", net_interval, absent),
        residual_margin_minor=present("residual_margin_minor", margin, absent),
        residual_margin_interval=present("residual_margin_interval", margin_interval, absent),
        total_net_minor=present("total_net_minor", total_net, absent),
        total_margin_minor=present("total_margin_minor", total_margin, absent),
        absent=absent,
    )


def _times(mean: float | Absent, orders: float) -> int | Absent:
    return mean if isinstance(mean, Absent) else round(mean * orders)
