"""What an order costs the shop where its events do not say: shipping, payment fees, and the goods' cost as a share of price.

Amounts are minor units of the shop's currency; shares are exact fractions. What is not set is unknown, which counts as
nothing and marks the margin as estimated.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from profiles.rates import Ratio, parse_ratio
from schemas.money import MINOR_MAX
from schemas.nearest import near


class CostsError(ValueError):
    """A cost setting can't be used. The shop's configuration is refused; mend the setting it names."""


class Costs(Struct, frozen=True, kw_only=True):
    """Cost settings. A payment fee is known once either of its parts is set."""

    shipping_cost_minor: int | None = None
    """Flat cost of shipping one order."""
    payment_rate: Ratio | None = None
    """Share of what the customer pays that the payment provider keeps."""
    payment_fixed_minor: int | None = None
    """What the payment provider keeps of each order besides."""
    cost_rate: Ratio | None = None
    """Cost of goods as a share of list price, where neither event nor catalogue knows the cost."""
    cost_rates: dict[str, Ratio] = {}
    """The same by category path; the longest path that a product's category lies under wins."""

    def rate_for(self, category: str | None) -> Ratio | None:
        """The cost rate of a category ("a/b" falls back to "a", then to the shop's); None where none is set."""
        path = category
        while path and self.cost_rates:
            rate = self.cost_rates.get(path)
            if rate is not None:
                return rate
            path = path.rpartition("/")[0]
        return self.cost_rate


def build_costs(settings: Mapping[str, Any]) -> Costs:
    """Costs from settings: shipping_cost_minor, payment_rate, payment_fixed_minor, cost_rate, cost_rates {category: rate}.

    Rates are decimals, best as strings ("0.014"). Raises CostsError naming the setting.
    """
    known = {"shipping_cost_minor", "payment_rate", "payment_fixed_minor", "cost_rate", "cost_rates"}
    unknown = sorted(set(settings) - known)
    if unknown:
        raise CostsError(f"{unknown[0]}: no such cost setting; {near(unknown[0], known)}")
    categories = settings.get("cost_rates") or {}
    if not isinstance(categories, Mapping):
        raise CostsError("cost_rates: must be a table from category to rate")
    return Costs(
        shipping_cost_minor=_amount(settings, "shipping_cost_minor"),
        payment_rate=_rate(settings.get("payment_rate"), "payment_rate"),
        payment_fixed_minor=_amount(settings, "payment_fixed_minor"),
        cost_rate=_rate(settings.get("cost_rate"), "cost_rate"),
        cost_rates={
            str(category): rate
            for category, value in categories.items()
            if (rate := _rate(value, f"cost_rates.{category}")) is not None
        },
    )


def _amount(settings: Mapping[str, Any], name: str) -> int | None:
    value = settings.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MINOR_MAX:
        raise CostsError(f"{name}: {value!r} is no whole number of minor units from 0 to {MINOR_MAX}")
    return value


def _rate(value: object, name: str) -> Ratio | None:
    if value is None:
        return None
    try:
        rate = parse_ratio(str(value).strip())
    except ValueError as error:
        raise CostsError(f"{name}: {error}") from None
    if not 0 <= rate[0] <= 10 * rate[1]:
        raise CostsError(f"{name}: {value!r} is no share; 0.4 means 40 %")
    return rate
