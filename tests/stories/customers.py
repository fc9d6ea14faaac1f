"""Shops with models, for stories of customers who buy, fall silent and come back."""

from typing import Any

from msgspec.structs import replace

from profiles.book import Book
from profiles.models import Models, named
from profiles.rules import TriggerRule
from profiles.value.model import TimingFit, ValueModel
from profiles.value.model import named as named_value
from profiles.value.timing import Timing
from tests.stories.timeline import DAY, Timeline, product, shop

CDNOW = Timing(r=0.525, alpha=6.183, a=0.891, b=1.614)
"""MBG/NBD of the CDNOW data, as BTYDplus prints it."""


def learned(*, net_percentiles: tuple[float, ...] = (), timing: Timing = CDNOW) -> Models:
    """Models as a fit would leave them."""
    fit = TimingFit(parameters=timing, customers=2_357, log_likelihood=-9_582.1, standard_errors={}, as_of_day=20_000)
    value = ValueModel(
        currency="USD",
        first_day=19_000,
        as_of_day=20_000,
        buyers=2_357,
        repeat_buyers=946,
        timing=fit,
        net_percentiles=net_percentiles,
    )
    return named(Models(as_of_day=20_000, value=named_value(value)))


def shop_that_learned(*triggers: TriggerRule, models: Models | None = None, **general: Any) -> Book:
    """A shop with models, and with these rules."""
    return replace(shop(*triggers, **general), models=models or learned())


def buys(ada: Timeline, day: float, minor: int = 5_000, order_id: str | None = None) -> Timeline:
    """An order on a day of the story, of so much."""
    return ada.order(order_id or f"o{day}", day * DAY, product("tea", minor))
