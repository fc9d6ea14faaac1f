"""The book: all the shop has decided, read once and never changed while workers run on it. Rules, costs, rates, products."""

import msgspec
from msgspec import Struct

from profiles.catalogue import Catalogue
from profiles.costs import Costs
from profiles.rates import Rates
from profiles.rules import Rules
from schemas.money import exponent


class Book(Struct, frozen=True, kw_only=True):
    """What the engine goes by. `shop_timezone` is an IANA name, used where a customer's own zone is unknown."""

    shop_id: str = "shop"
    shop_currency: str = "USD"
    shop_timezone: str = "UTC"
    rules: Rules = Rules()
    costs: Costs = msgspec.field(default_factory=Costs)
    rates: Rates = msgspec.field(default_factory=Rates)
    catalogue: Catalogue = msgspec.field(default_factory=Catalogue)

    def exponent(self, currency: str | None) -> int:
        """Decimals of a currency's minor unit, the shop currency's where none is named."""
        return exponent(currency or self.shop_currency)
