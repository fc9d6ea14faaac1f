"""Products as triggers show them: what a message needs to name one, to link to it and to show its picture."""

from profiles.goods import good_key
from profiles.goods_state import UNKNOWN
from profiles.turn import Turn
from schemas.outputs import Item


def item_of(turn: Turn, product_id: str, category: str | None = None, variant_id: str | None = None) -> Item:
    """A product by what the catalogue and events tell of it; `category` is what the customer's own events said."""
    facts = turn.facts(product_id, category, variant_id)
    return Item(
        product_id=product_id,
        variant_id=variant_id,
        name=facts.name,
        category=category or facts.category,
        brand=facts.brand,
        price_minor=turn.at.goods.get(good_key(product_id, variant_id), UNKNOWN).price_minor,
        url=facts.url,
        image_url=facts.image_url,
    )
