"""What a customer looked at and searched for: views of products and searches of her last visits.

A visit (session) is a run of events of a browser or an app without a pause of 30 minutes; it is named by its first message.
How long she looked at a product is the time to the next event of the visit, whatever that is; the last view of a visit has no
such time. Views that come late find their place by time; only how long they lasted is then told by the views around them.

Everything is bounded: the newest VIEWS_MAX views within a week, the newest SEARCHES_MAX searches.
"""

from itertools import pairwise
from typing import Final

from profiles import carts, goods
from profiles.activity import SESSION_PAUSE_MS, is_visit
from profiles.goods import Goods
from profiles.profile import Profile
from profiles.rates import DAY_MS
from profiles.state import (
    SEARCHES_MAX,
    VIEWS_MAX,
    VISITS_MAX,
    Browsing,
    CartLine,
    Description,
    Priced,
    RecentOrder,
    Search,
    Viewed,
)
from schemas.events import Arrival, Product, ProductEvent, ProductsSearched
from schemas.outputs import Item

KEEP_MS: Final = 7 * DAY_MS
_NOT_OFFERED: Final = Priced(0)


def went_on(profile: Profile, at_ms: int) -> None:
    """A visit went on at this moment: it says how long the view before it lasted. Called for every event of a visit."""
    activity = profile.activity
    if activity.session_last_ms == at_ms:
        if not activity.looking:
            return  # the usual case: nobody asks how long a page was looked at that shows no product
        activity.looking = False
    for view in reversed(profile.browsing.views):
        if view.at_ms < at_ms:
            if at_ms - view.at_ms < SESSION_PAUSE_MS and (not view.next_ms or at_ms < view.next_ms):
                view.next_ms = at_ms
            return


def note_view(profile: Profile, arrival: Arrival) -> None:
    """Keep the view of a product; one outside of any visit (told by a server) only counts as something found."""
    event, at_ms = arrival.event, arrival.time_ms
    assert isinstance(event, ProductEvent)
    if not is_visit(event):
        if profile.has_browsing:
            note_found(profile, at_ms)
        return
    activity, browsing, product = profile.activity, profile.browsing, event.product
    browsing.found_ms = max(browsing.found_ms, at_ms)
    activity.looking |= activity.session_last_ms == at_ms
    view = Viewed(at_ms, event.message_id, product.product_id)
    views = browsing.views
    if not views or views[-1].at_ms < at_ms:
        views.append(view)
    else:
        _put_late(views, view)
    _note_visit(browsing, activity.session_start_ms or at_ms, activity.session_by)
    describe(browsing.described, browsing.offered, product, event.currency, at_ms)
    while len(views) > VIEWS_MAX or views[0].at_ms < views[-1].at_ms - KEEP_MS:
        _forget(browsing, views.pop(0).product_id)


def _forget(browsing: Browsing, product_id: str) -> None:
    """A view of a product was forgotten; so is how it was shown, unless there is another."""
    for view in browsing.views:
        if view.product_id == product_id:
            return
    browsing.described.pop(product_id, None)
    del browsing.offered[product_id]


def _put_late(views: list[Viewed], view: Viewed) -> None:
    views.append(view)
    views.sort(key=lambda other: (other.at_ms, other.message_id))
    place = views.index(view)
    if place + 1 < len(views) and views[place + 1].at_ms - view.at_ms < SESSION_PAUSE_MS:
        view.next_ms = views[place + 1].at_ms


def _note_visit(browsing: Browsing, start_ms: int, message_id: str) -> None:
    """Remember that a product was viewed in the visit that began then; a visit whose beginning came late begins earlier."""
    visits = browsing.visits
    if start_ms <= browsing.planned_ms or (visits and visits[-1][0] == start_ms):
        return
    if visits and start_ms < visits[-1][0]:
        visits[-1] = (start_ms, message_id)
    else:
        visits.append((start_ms, message_id))
        del visits[:-VISITS_MAX]


def note_search(profile: Profile, arrival: Arrival) -> None:
    """Keep a search: the newest SEARCHES_MAX within a week."""
    event = arrival.event
    assert isinstance(event, ProductsSearched)
    searches = profile.browsing.searches
    searches.append(Search(arrival.time_ms, event.message_id, normal_query(event.query), event.results))
    if len(searches) > 1:
        searches.sort(key=lambda search: (search.at_ms, search.message_id))
        horizon_ms = searches[-1].at_ms - KEEP_MS
        if searches[0].at_ms < horizon_ms or len(searches) > SEARCHES_MAX:
            searches[:] = [search for search in searches if search.at_ms >= horizon_ms][-SEARCHES_MAX:]


def normal_query(query: str) -> str:
    """A query as it is compared: in lower case, with single spaces.

    >>> normal_query("  Green   TEA ")
    'green tea'
    """
    return " ".join(query.split()).lower()


def note_found(profile: Profile, at_ms: int, *, added: bool = False) -> None:
    """A product was viewed, clicked, bought, or put into a cart; nothing where neither views nor searches are remembered."""
    if profile.has_browsing:
        browsing = profile.browsing
        browsing.found_ms = max(browsing.found_ms, at_ms)
        if added:
            browsing.added_ms = max(browsing.added_ms, at_ms)


# --- how products were shown --------------------------------------------------------------------------------------


def describe(
    described: dict[str, Description], offered: dict[str, Priced], product: Product, currency: str | None, at_ms: int
) -> None:
    """Keep how a product was described (the fullest word) and offered (the newest)."""
    product_id = product.product_id
    known = described.get(product_id)
    # Most products are seen again as they were: then only the time moves on.
    if (
        known is not None
        and known.name == product.name
        and known.url == product.url
        and known.image_url == product.image_url
        and known.category == product.category
        and known.brand == product.brand
        and known.sku == product.sku
    ):
        if known.at_ms < at_ms:
            known.at_ms = at_ms
    else:
        said = Description(
            at_ms, product.sku, product.name, product.category, product.brand, product.url, product.image_url
        )
        carts.keep_description(described, product_id, said)
    offer = offered.get(product_id)
    if offer is None:
        offered[product_id] = Priced(at_ms, product.price_minor, product.variant_id, currency)
    elif (
        offer.price_minor == product.price_minor
        and offer.variant_id == product.variant_id
        and offer.currency == currency
    ):
        if offer.at_ms < at_ms:
            offer.at_ms = at_ms
    else:
        told = Priced(at_ms, product.price_minor, product.variant_id, currency)
        offered[product_id] = newest_offer(offer, told)


def newest_offer(one: Priced, other: Priced) -> Priced:
    """By time; at the same moment the higher price decides, then the texts, so that every order of arrival agrees."""
    if one.at_ms != other.at_ms:
        return one if one.at_ms > other.at_ms else other
    return max(one, other, key=lambda told: (told.price_minor or -1, told.variant_id or "", told.currency or ""))


def item(product_id: str, said: Description, offered: Priced) -> Item:
    """A product as a trigger shows it."""
    return Item(
        product_id=product_id,
        variant_id=offered.variant_id,
        sku=said.sku,
        name=said.name,
        category=said.category,
        brand=said.brand,
        price_minor=offered.price_minor,
        url=said.url,
        image_url=said.image_url,
    )


def item_of(browsing: Browsing, product_id: str) -> Item:
    """A viewed product as a trigger shows it."""
    said = carts.description_of(browsing.described, CartLine(product_id, None, 1, 0))
    return item(product_id, said, browsing.offered.get(product_id, _NOT_OFFERED))


def in_stock(known: Goods, product_id: str, offered: Priced | None) -> bool | None:
    """Whether a product can be had, in the variant it was offered in; None where no event ever told."""
    variant_id = None if offered is None else offered.variant_id
    told = goods.in_stock(known, goods.good_key(product_id, variant_id))
    return goods.in_stock(known, product_id) if told is None else told


def bought_since(orders: list[RecentOrder], since_ms: int) -> set[str]:
    """Products of the remembered orders placed at or after a moment."""
    return {product_id for order in orders if order.at_ms >= since_ms for product_id in order.product_ids}


# --- two profiles of one customer ---------------------------------------------------------------------------------


def unite(into: Profile, other: Profile) -> None:
    """Fold the views and searches of another profile in; what both know counts once."""
    if not other.has_browsing:
        return
    ours, theirs = into.browsing, other.browsing
    views: dict[tuple[int, str], Viewed] = {}
    for view in (*ours.views, *theirs.views):
        known = views.setdefault((view.at_ms, view.message_id), view)
        known.next_ms = min((ms for ms in (known.next_ms, view.next_ms) if ms), default=0)
    ordered = [views[place] for place in sorted(views)]
    for view, after in pairwise(ordered):
        if after.at_ms - view.at_ms < SESSION_PAUSE_MS and (not view.next_ms or after.at_ms < view.next_ms):
            view.next_ms = after.at_ms
    if ordered:
        horizon_ms = ordered[-1].at_ms - KEEP_MS
        ours.views = [view for view in ordered if view.at_ms >= horizon_ms][-VIEWS_MAX:]
    kept = {view.product_id for view in ours.views}
    for product_id in theirs.described:
        carts.keep_description(ours.described, product_id, theirs.described[product_id])
    for product_id, told in theirs.offered.items():
        ours.offered[product_id] = newest_offer(ours.offered.get(product_id, told), told)
    ours.described = {key: said for key, said in ours.described.items() if key in kept}
    ours.offered = {key: offer for key, offer in ours.offered.items() if key in kept}
    ours.visits = sorted({*ours.visits, *theirs.visits})[-VISITS_MAX:]
    found = {(search.at_ms, search.message_id): search for search in (*theirs.searches, *ours.searches)}
    searches = [found[place] for place in sorted(found)]
    if searches:
        horizon_ms = searches[-1].at_ms - KEEP_MS
        ours.searches = [search for search in searches if search.at_ms >= horizon_ms][-SEARCHES_MAX:]
    ours.found_ms = max(ours.found_ms, theirs.found_ms)
    ours.added_ms = max(ours.added_ms, theirs.added_ms)
    ours.planned_ms = max(ours.planned_ms, theirs.planned_ms)
    ours.answered_ms = max(ours.answered_ms, theirs.answered_ms)
