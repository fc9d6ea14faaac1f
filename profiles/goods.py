"""What is known of goods now: last price and stock of products that customers of a partition have an eye on.

Unlike the catalogue, which is a document of the shop, this comes by events and changes by the minute. `told` takes an event
in; what it changed (`GoodChange`) is told to the customers who watch the product (`profiles.watches`).

An older word never takes the place of a newer one, and the same word twice changes nothing: price and stock each keep the
time and the message id of the event they are from. So it does not matter how often an event is delivered.
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from profiles.goods_state import Good, GoodChange, Goods
from schemas.events import (
    Arrival,
    CatalogueEvent,
    ProductBackInStock,
    ProductPriceChanged,
    ProductStockChanged,
    ProductUpdated,
)

LOCATIONS_MAX: Final = 16
"""Places whose stock is known one by one. What further ones have is not counted."""


def good_key(product_id: str, variant_id: str | None) -> str:
    """What goods go by: a product, or one variant of it."""
    return product_id if variant_id is None else f"{product_id}/{variant_id}"


def key_of(event: CatalogueEvent) -> str:
    """What an event is about that names its product."""
    assert event.product_id is not None, "looked up before it comes here"
    return good_key(event.product_id, event.variant_id)


def change_of(good: Good, arrival: Arrival, shop_currency: str) -> GoodChange | None:
    """What a catalogue event makes of a good; None where it changes neither price nor stock. It names its product.

    Prices in another currency than the shop's are left alone: what a customer saw could not be held against them.
    """
    event = arrival.event
    assert isinstance(event, CatalogueEvent)
    key = key_of(event)
    assert event.product_id is not None
    before, after = good, good
    stamp = (arrival.time_ms, event.message_id)
    if isinstance(event, ProductPriceChanged | ProductUpdated) and stamp > (good.price_ms, good.price_by):
        before, after = _priced(before, after, event, stamp, shop_currency)
    if isinstance(event, ProductStockChanged | ProductBackInStock | ProductUpdated):
        before, after = _stocked(before, after, event, stamp)
    if after is good:
        return None
    return GoodChange(
        key=key,
        product_id=event.product_id,
        variant_id=event.variant_id,
        before=before,
        after=after,
        message_id=event.message_id,
        time_ms=arrival.time_ms,
        received_ms=arrival.received_ms,
        imported=event.imported,
    )


def _priced(
    before: Good, after: Good, event: ProductPriceChanged | ProductUpdated, stamp: tuple[int, str], shop_currency: str
) -> tuple[Good, Good]:
    price = event.price_minor
    if price is None or price < 0 or event.currency not in (None, shop_currency):
        return before, after
    changed = before.price_minor is not None
    if isinstance(event, ProductPriceChanged):
        changed = True
        if before.price_minor is None and event.previous_price_minor is not None:
            before = replace(before, price_minor=event.previous_price_minor)
    return before, replace(
        after, price_minor=price, price_ms=stamp[0], price_by=stamp[1], price_changed=changed or after.price_changed
    )


def _stocked(
    before: Good,
    after: Good,
    event: ProductStockChanged | ProductBackInStock | ProductUpdated,
    stamp: tuple[int, str],
) -> tuple[Good, Good]:
    available = event.available
    if isinstance(event, ProductBackInStock) and available is None:
        # Told without a number: at least one piece, more where more was known.
        available = max(1, after.stock or 0)
    if available is None:
        return before, after
    location = None if isinstance(event, ProductUpdated) else event.location_id
    if isinstance(event, ProductStockChanged) and before.stock is None and location is None:
        before = replace(before, stock=event.previous_available)
    if location is None:
        if after.in_all and stamp <= (after.stock_ms, after.stock_by):
            return before, after
        return before, replace(after, stock=available, stock_ms=stamp[0], stock_by=stamp[1], in_all=True, places={})
    known = after.places.get(location)
    if after.in_all or (known is None and len(after.places) >= LOCATIONS_MAX) or (known or (0, ""))[:2] >= stamp:
        return before, after
    places = after.places | {location: (*stamp, available)}
    newest = max(place[:2] for place in places.values())
    total = sum(max(0, place[2]) for place in places.values())
    return before, replace(after, stock=total, stock_ms=newest[0], stock_by=newest[1], places=places)


def not_sold_out(goods: Goods, product_ids: Iterable[str]) -> list[str]:
    """Those of which there is any, or of which no event ever told."""
    return [product_id for product_id in product_ids if in_stock(goods, product_id) is not False]


def in_stock(goods: Goods, key: str) -> bool | None:
    """Whether there is any of it; None where no event ever told."""
    good = goods.get(key)
    return None if good is None or good.stock is None else good.stock > 0
