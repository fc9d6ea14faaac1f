"""What events told of a product, as it is kept: see `profiles.product_facts`."""

from collections.abc import Mapping

from msgspec import Struct


class Word(Struct, array_like=True, frozen=True, omit_defaults=True, gc=False):
    """What one event told of a product, or of one variant of it, at `at_ms`; `by` is its message id.

    `cost_minor` is the cost of one unit in minor units of the shop currency, `supply_days` how long one lasts. Products of a
    `group` stand in for each other, `substitutes` are such products one by one. `name`, `url` and `image_url` are for showing
    it. None and empty: not told. `unset` are facts that it took back: nothing is known of them any more.
    """

    at_ms: int
    by: str
    category: str | None = None
    brand: str | None = None
    cost_minor: int | None = None
    supply_days: float | None = None
    group: str | None = None
    complementary: tuple[str, ...] = ()
    substitutes: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    occasions: tuple[str, ...] = ()
    name: str | None = None
    url: str | None = None
    image_url: str | None = None
    unset: tuple[str, ...] = ()


class Kept(Struct, array_like=True, frozen=True, omit_defaults=True, gc=False):
    """What of this a purchase keeps, to be counted by: days one unit lasts, group of the supply, brand, cost of one unit in the
    shop currency. `unset` are those of them that had been taken back: what the file says of them does not count either.
    """

    supply_days: float | None = None
    group: str | None = None
    brand: str | None = None
    cost_minor: int | None = None
    unset: tuple[str, ...] = ()


Told = tuple[Word, ...]
"""The words told of a product, the newest first, each with what no newer one names."""

ToldFacts = Mapping[str, Told]
"""By the key of a good: product id, or product id and variant id (`profiles.goods.good_key`)."""
