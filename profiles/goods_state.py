"""What is remembered of goods, and what changes of them: see `profiles.goods`."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct


class Good(Struct, array_like=True, frozen=True, omit_defaults=True, gc=False):
    """A product, or one variant of it. `price_minor` is in minor units of the shop currency, `stock` in pieces; None is unknown.

    `price_ms` and `stock_ms` are the times of the events that told them, `price_by` and `stock_by` their message ids.
    `price_changed`: the price is known to have been another one before, so it is no first reading of the catalogue.
    `in_all`: the stock was told for all places together; then what single ones have is not added up.
    """

    price_minor: int | None = None
    price_ms: int = 0
    stock: int | None = None
    stock_ms: int = 0
    price_by: str = ""
    stock_by: str = ""
    price_changed: bool = False
    in_all: bool = False
    places: dict[str, tuple[int, str, int]] = {}


UNKNOWN: Final = Good()

Goods = Mapping[str, Good]
"""By the key of a cart line: product id, or product id and variant id (`profiles.goods.good_key`)."""


class GoodChange(Struct, frozen=True, kw_only=True, gc=False):
    """A product that is not what it was: before, after, and the event that told it.

    Where the event says what there was before and nothing else did, `before` has that.
    """

    key: str
    product_id: str
    variant_id: str | None
    before: Good
    after: Good
    message_id: str
    time_ms: int
    received_ms: int
    imported: bool = False

    @property
    def new_price(self) -> bool:
        """Whether it is the price that changed."""
        return self.after.price_by == self.message_id and self.after.price_minor != self.before.price_minor

    @property
    def new_stock(self) -> bool:
        """Whether it is the stock that changed; of a place that was told of late too, where another one has the newest word."""
        return self.after.stock != self.before.stock
