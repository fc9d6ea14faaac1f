"""The wishlist: what a customer put on it and has not taken off again. At most WISHES_MAX products, the newest words.

A product is there since the first time it was put on the list after it was last taken off, whatever the order in which the
events arrive.
"""

from profiles import browsing, carts
from profiles.profile import Profile
from profiles.state import WISH_ADDS_MAX, WISHES_MAX, Description, Priced, Wish
from profiles.watches import last_bought_ms
from schemas.events import Arrival, ProductRemovedFromWishlist, WishlistEvent


def apply_wishlist_event(profile: Profile, arrival: Arrival) -> None:
    """Take in that a product was put on the wishlist or taken off."""
    event, at_ms = arrival.event, arrival.time_ms
    assert isinstance(event, WishlistEvent)
    product, wishes = event.product, profile.wishes
    wish = wishes.get(product.product_id)
    if wish is None:
        wish = wishes[product.product_id] = Wish(product.product_id)
    if type(event) is ProductRemovedFromWishlist:
        wish.removed_ms = max(wish.removed_ms, at_ms)
    else:
        wish.adds.append((at_ms, event.message_id))
        described: dict[str, Description] = {product.product_id: wish.said} if wish.said.at_ms else {}
        offered: dict[str, Priced] = {product.product_id: wish.offered} if wish.offered.at_ms else {}
        browsing.tell(described, offered, product.product_id, browsing.said_of(product, event.currency), at_ms)
        wish.said = described.get(product.product_id, wish.said)
        wish.offered = offered[product.product_id]
    _tidy(wish, profile)
    if len(wishes) > WISHES_MAX:
        del wishes[min(wishes, key=lambda key: (_newest_ms(wishes[key]), key))]


def since(wish: Wish | None) -> tuple[int, str] | None:
    """When and by which message a product came onto the list where it is on it now; None where it is not."""
    return wish.adds[0] if wish is not None and wish.adds else None


def opening(wish: Wish | None, bought_ms: int) -> tuple[int, str] | None:
    """When and by which message a reminder of a wish opens: the first word since it was bought that none was told of yet."""
    if wish is None:
        return None
    since_ms = max(wish.told_ms, bought_ms)
    return next((add for add in wish.adds if add[0] > since_ms), None)


def _tidy(wish: Wish, profile: Profile) -> None:
    """Leave what can still decide: the words after the last removal, of them the first, the first since it was bought that none
    was told of yet, and the newest.
    """
    wish.adds = sorted(add for add in set(wish.adds) if add[0] > wish.removed_ms)
    if wish.told_ms <= wish.removed_ms:
        wish.told_ms = -1
    if len(wish.adds) > WISH_ADDS_MAX:
        untold = opening(wish, last_bought_ms(profile, wish.product_id)) or wish.adds[-1]
        del wish.adds[1 : 1 - WISH_ADDS_MAX]
        if wish.adds[0] < untold < wish.adds[1]:
            wish.adds[1] = untold


def _newest_ms(wish: Wish) -> int:
    return max(wish.removed_ms, wish.adds[-1][0] if wish.adds else -1)


def unite(into: Profile, other: Profile) -> None:
    """Fold another profile's wishlist in."""
    if not other.has_wishes:
        return
    wishes = into.wishes
    for product_id, theirs in other.wishes.items():
        ours = wishes.get(product_id)
        if ours is None:
            wishes[product_id] = theirs
            continue
        ours.adds += theirs.adds
        ours.removed_ms = max(ours.removed_ms, theirs.removed_ms)
        ours.told_ms = max(ours.told_ms, theirs.told_ms)
        described = {product_id: ours.said} if ours.said.at_ms else {}
        if theirs.said.at_ms:
            carts.keep_description(described, product_id, theirs.said)
        ours.said = described.get(product_id, ours.said)
        ours.offered = browsing.newest_offer(ours.offered, theirs.offered)
        _tidy(ours, into)
    if len(wishes) > WISHES_MAX:
        newest = sorted(wishes.items(), key=lambda item: (_newest_ms(item[1]), item[0]))
        into.wishes = dict(newest[-WISHES_MAX:])
