"""What is foretold of one customer, for her public document: worked out when it is read, as of that moment.

The figures are those of `profiles.value.forecast`; band and tier are what the profile says, since they were decided when they
changed (`profiles.standing`) and triggers went by them. Without an order there is nothing to go by, and it says so.
"""

from typing import Final

from profiles.book import Book
from profiles.profile import Profile
from profiles.standing import concern
from profiles.value.alive import p_order_within
from profiles.value.forecast import Forecast, forecast
from profiles.value.horizon import Horizon, Whole
from profiles.value.model import ValueModel
from profiles.value.timing import DAYS_PER_WEEK
from profiles.zones import find_zone, start_of_day
from schemas.profile_document import Churn, Expected, Interval, Predicted

ORDER_WITHIN_DAYS = (7, 30, 90)
"""Horizons of the probability of an order."""
_PUBLIC: Final = {"next_order_day": "next_order_ms", "band_worsens_day": "worsens_ms"}
"""Figures that have another name in the document."""


def predictions(profile: Profile, book: Book, now_ms: int) -> Predicted | None:
    """Predictions as of `now_ms`; None while no model was fitted. Changes nothing."""
    model = book.models.value
    if model is None:
        return None
    standing, history = profile.standing, profile.purchases.history
    today = book.shop_day(now_ms)
    origin = profile.origin
    worry = concern(profile, book, now_ms).risk
    said = forecast(model, history, today, standing.band, origin, concern=worry)
    absent = {_PUBLIC.get(name, name): reason for name, reason in {**said.absent, **said.pulse.absent}.items()}
    timing = model.timing_of(origin)
    within: dict[str, float | None] = dict.fromkeys(map(str, ORDER_WITHIN_DAYS))
    if history is not None and timing is not None:
        buyer = history.buyer(today)
        within = {str(days): p_order_within(timing, buyer, days / DAYS_PER_WEEK) for days in ORDER_WITHIN_DAYS}
    band = standing.band if standing.band is not None else said.pulse.band
    return Predicted(
        model_version=book.models.id,
        method=said.method,
        heuristic_reason=said.heuristic_reason,
        segment=_segment(model.segmented_by, model.segment_of(origin)),
        spend_segment=_segment(model.spend_by, model.spend_segment_of(origin)),
        margin_segment=_segment(model.margin_by, model.margin_segment_of(origin)),
        as_of_day=said.as_of_day,
        p_alive=said.pulse.p_alive,
        p_order=within,
        churn=Churn(
            band=band,
            since_ms=standing.band_since_ms if standing.band is not None else None,
            risk=_risk(said, worry),
            concern=0.0 if said.pulse.p_order is None else worry,
            worsens_ms=_start_ms(said.pulse.band_worsens_day, book),
        ),
        next_order_ms=_start_ms(said.next_order_day, book),
        order_net_minor=said.order_net_minor,
        order_margin_minor=said.order_margin_minor,
        historic_net_minor=said.historic_net_minor,
        historic_margin_minor=said.historic_margin_minor,
        expected={str(horizon.days): _expected(horizon) for horizon in said.horizons},
        rfm=said.rfm,
        tier=standing.tier,
        net_percentile=_percentile(model, profile.ltv.net) if history is not None else None,
        absent={name: str(reason) for name, reason in sorted(absent.items())},
    )


def holds_until_ms(book: Book, now_ms: int) -> int | None:
    """Until when what models say now stays as it is if nothing happens: the end of the shop's day. Before the first fit too, so
    that who is silent hears of it. None where calendars end (`zones.LATEST_MS`).
    """
    ends_ms = _start_ms(book.shop_day(now_ms) + 1, book)
    return ends_ms if ends_ms is not None and ends_ms > now_ms else None


def _segment(by: str | None, name: str | None) -> str | None:
    return None if name is None else f"{by}:{name}"


def _risk(said: Forecast, concern: float) -> float | None:
    p_order = said.pulse.p_order
    return None if p_order is None else min(1.0, 1.0 - p_order + concern)


def _expected(horizon: Horizon) -> Expected:
    return Expected(
        p_order=horizon.p_order,
        orders=horizon.orders,
        orders_interval=_interval(horizon.orders_interval),
        residual_net_minor=horizon.residual_net_minor,
        residual_net_interval=_interval(horizon.residual_net_interval),
        residual_margin_minor=horizon.residual_margin_minor,
        residual_margin_interval=_interval(horizon.residual_margin_interval),
        total_net_minor=horizon.total_net_minor,
        total_margin_minor=horizon.total_margin_minor,
        absent={name: str(reason) for name, reason in sorted(horizon.absent.items())},
    )


def _interval(whole: Whole | None) -> Interval | None:
    return None if whole is None else Interval(low=whole[0], high=whole[1])


def _start_ms(day: int | None, book: Book) -> int | None:
    if day is None:
        return None
    zone = find_zone(book.shop_timezone) or find_zone("UTC")
    assert zone is not None
    return start_of_day(day, zone)


def _percentile(model: ValueModel, net_minor: int) -> int | None:
    """How many of a hundred buyers are worth less, 0 to 99."""
    if not model.net_percentiles:
        return None
    return sum(net_minor > point for point in model.net_percentiles)
