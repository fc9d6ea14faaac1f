"""What is known of goods now: last price and stock of products that customers of a partition have an eye on.

Unlike the catalogue, which is a document of the shop, this comes by events and changes by the minute.
"""

from collections.abc import Mapping

from msgspec import Struct


class Good(Struct, array_like=True, gc=False):
    """A product, or one variant of it. `price_minor` is in minor units of the shop currency, `stock` in pieces; None is unknown.

    `price_ms` and `stock_ms` are the times of the events that told them.
    """

    price_minor: int | None = None
    price_ms: int = 0
    stock: int | None = None
    stock_ms: int = 0


Goods = Mapping[str, Good]
"""By the key of a cart line: product id, or product id and variant id (`profiles.carts.line_key`)."""


def in_stock(goods: Goods, key: str) -> bool | None:
    """Whether there is any of it; None where no event ever told."""
    good = goods.get(key)
    return None if good is None or good.stock is None else good.stock > 0
