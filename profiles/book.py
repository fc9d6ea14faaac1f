"""The book: all the shop has decided, read once and never changed while workers run on it. Rules, costs, rates, products."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from profiles.catalogue import Catalogue
from profiles.costs import Costs
from profiles.models import Models
from profiles.rates import Rates
from profiles.rules import Rules, TriggerRule
from profiles.zones import day_of, find_zone
from schemas.money import exponent

if TYPE_CHECKING:
    from profiles.conditions import Condition
    from profiles.segments import Segments

R = TypeVar("R", bound=TriggerRule)


@cache
def _default(kind: type[R]) -> R:
    return kind()


class Book(Struct, frozen=True, kw_only=True):
    """What the engine goes by. `shop_timezone` is an IANA name, used where a customer's own zone is unknown.

    `shadow` says that the rules are only tried: every trigger is marked as one that would have been sent.
    `conditions` are the further conditions of the rules, compiled, by the name of the trigger; `segments` are None where
    nothing has to be kept up for either. Both come from `profiles.conditions.compile_conditions`.
    """

    shop_id: str = "shop"
    shop_currency: str = "USD"
    shop_timezone: str = "UTC"
    rules: Rules = Rules()
    costs: Costs = msgspec.field(default_factory=Costs)
    rates: Rates = msgspec.field(default_factory=Rates)
    catalogue: Catalogue = msgspec.field(default_factory=Catalogue)
    conditions: "Mapping[str, Condition]" = {}
    segments: "Segments | None" = None
    shadow: bool = False
    models: Models = Models()

    def shop_day(self, at_ms: int) -> int:
        """The day of an instant on the shop's calendar, since 1970-01-01: the days that models and cohorts count in."""
        return day_of(at_ms, find_zone(self.shop_timezone) or find_zone("UTC"))  # type: ignore[arg-type] # UTC is always there

    def rule(self, kind: type[R]) -> R:
        """The rules of a trigger, by their type."""
        found = self.rules.triggers.get(kind.trigger)
        return _default(kind) if found is None else found  # type: ignore[return-value] # `triggers` is keyed by their names

    def exponent(self, currency: str | None) -> int:
        """Decimals of a currency's minor unit, the shop currency's where none is named."""
        return exponent(currency or self.shop_currency)
