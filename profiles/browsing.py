"""What a customer looked at and searched for: views of products and searches of her last visits.

A visit (session) is a run of events of a browser or an app without a pause of 30 minutes; it is named by its first message.
How long she looked at a product is the time to the next event of the visit, whatever that is; the last view of a visit has no
such time. Views that come late find their place by time; how long they lasted is told by the views around them.

By far the most events are views, and few of them are ever shown to anybody. So a view costs an entry in a list, which says
what its event said of the product; what becomes of these words, and how long a look lasted, is worked out when it is asked for
(`fold`, `looks`).

Everything is bounded: the newest VIEWS_MAX views within a week, the newest SEARCHES_MAX searches.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from profiles import carts, goods
from profiles.activity import SESSION_PAUSE_MS, VISIT_CHANNELS
from profiles.goods_state import Goods
from profiles.profile import Profile
from profiles.rates import DAY_MS
from profiles.state import (
    SAID_BEFORE,
    SEARCHES_MAX,
    VIEWS_MAX,
    VISITS_MAX,
    Browsing,
    CartLine,
    Description,
    Priced,
    RecentOrder,
    Said,
    Search,
    Viewed,
)
from schemas.events import Arrival, Product, ProductEvent, ProductsSearched
from schemas.outputs import Item

KEEP_MS: Final = 7 * DAY_MS
_NOT_OFFERED: Final = Priced(0)
_said_of = msgspec.json.Decoder(Said).decode


def went_on(profile: Profile, at_ms: int) -> None:
    """A visit went on at this moment by something else than a view: it says how long the view before it lasted."""
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
    """Keep the view of a product; one outside of any visit (told by a server) only counts as something found.

    By far the most events are views, so how the product was shown is only put down here, and made sense of by `fold`.
    """
    event, at_ms = arrival.event, arrival.time_ms
    assert isinstance(event, ProductEvent)
    if event.anonymous_id is None and event.channel not in VISIT_CHANNELS:
        if profile.has_browsing:
            note_found(profile, at_ms)
        return
    activity, browsing, product = profile.activity, profile.browsing, event.product
    if browsing.found_ms < at_ms:
        browsing.found_ms = at_ms
    if activity.session_last_ms == at_ms:
        activity.looking = True
    views = browsing.views
    in_order = not views or views[-1].at_ms < at_ms
    views.append(Viewed(at_ms, event.message_id, product.product_id, 0, said_of(product, event.currency)))
    if not in_order:
        views.sort(key=_place)
    start_ms, visits = activity.session_start_ms or at_ms, browsing.visits
    if not visits or visits[-1][0] != start_ms:
        _note_visit(browsing, start_ms, activity.session_by)
        if len(views) == 1:
            _catch_up(profile)
    if len(views) > VIEWS_MAX or views[0].at_ms < views[-1].at_ms - KEEP_MS:
        keep_newest(browsing, views)


def _place(view: Viewed) -> tuple[int, str]:
    return (view.at_ms, view.message_id)


def keep_newest(browsing: Browsing, views: list[Viewed]) -> None:
    """Keep the newest VIEWS_MAX within a week of these, which are in order. What is told of a product is kept while any view of
    it is, also by those that are forgotten.
    """
    horizon_ms = views[-1].at_ms - KEEP_MS
    first = max(0, len(views) - VIEWS_MAX)
    while views[first].at_ms < horizon_ms:
        first += 1
    browsing.views = kept = views[first:]
    for view in views[:first]:
        product_id = view.product_id
        for other in kept:
            if other.product_id == product_id:
                _fold_view(browsing, view)
                break
        else:
            browsing.described.pop(product_id, None)
            browsing.offered.pop(product_id, None)


def looks(views: list[Viewed]) -> Iterator[tuple[Viewed, int]]:
    """Views, which are in order, each with how long it lasted: until the next event of the visit. -1 where none is known."""
    for place, view in enumerate(views, 1):
        until_ms = view.next_ms
        if place < len(views):
            after_ms = views[place].at_ms
            if after_ms - view.at_ms < SESSION_PAUSE_MS and (not until_ms or after_ms < until_ms):
                until_ms = after_ms
        yield view, until_ms - view.at_ms if until_ms else -1


def _note_visit(browsing: Browsing, start_ms: int, message_id: str) -> None:
    """Remember that a product was viewed in the visit that began then; a visit whose beginning came late begins earlier."""
    visits = browsing.visits
    if start_ms <= browsing.planned_ms:
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
    if len(searches) == 1:
        _catch_up(profile)
    else:
        searches.sort(key=lambda search: (search.at_ms, search.message_id))
        horizon_ms = searches[-1].at_ms - KEEP_MS
        if searches[0].at_ms < horizon_ms or len(searches) > SEARCHES_MAX:
            searches[:] = [search for search in searches if search.at_ms >= horizon_ms][-SEARCHES_MAX:]
    _name_visit(profile)


def _name_visit(profile: Profile) -> None:
    """Note with the searches of the present visit when it began. They may be another profile's, too."""
    start_ms, last_ms = profile.activity.session_start_ms, profile.activity.session_last_ms
    if start_ms is None or last_ms is None:
        return
    searches = profile.browsing.searches
    for place, search in enumerate(searches):
        if start_ms <= search.at_ms <= last_ms and search.visit_ms != start_ms:
            searches[place] = msgspec.structs.replace(search, visit_ms=start_ms)


def normal_query(query: str) -> str:
    """A query as it is compared: in lower case, with single spaces.

    >>> normal_query("  Green   TEA ")
    'green tea'
    """
    return " ".join(query.split()).lower()


def note_found(profile: Profile, at_ms: int, *, added: bool = False) -> None:
    """A product was clicked in a list, viewed, bought, or put into a cart. Where no view, search or click is remembered yet, only
    a click is to be noted: of all else other parts of the profile tell.
    """
    browsing = profile.browsing
    browsing.found_ms = max(browsing.found_ms, at_ms)
    if added:
        browsing.added_ms = max(browsing.added_ms, at_ms)


def _catch_up(profile: Profile) -> None:
    """Where nothing had been viewed or searched for, no note was kept of what was found: carts and orders tell of it, and
    watches of views outside of any visit. All of them must be united already.
    """
    seen = profile.browsing
    added_ms = carts.added_ms(profile)
    found = [order.at_ms for order in profile.recent_orders] if profile.has_recent_orders else []
    found += [view_ms for watch in profile.watches.values() for view_ms in watch.views] if profile.has_watches else []
    seen.found_ms = max(seen.found_ms, added_ms, *found)
    seen.added_ms = max(seen.added_ms, added_ms)


# --- how products were shown --------------------------------------------------------------------------------------


def fold(browsing: Browsing) -> Browsing:
    """Let `described` and `offered` tell what the views say of their products: to be called before either is read.

    It does not matter when this is done, or how often.
    """
    for view in browsing.views:
        _fold_view(browsing, view)
    return browsing


def _fold_view(browsing: Browsing, view: Viewed) -> None:
    said = view.said
    if type(said) is not Said:
        if said == SAID_BEFORE:
            return
        said = _said_of(said)
    view.said = SAID_BEFORE
    tell(browsing.described, browsing.offered, view.product_id, said, view.at_ms)


def tell(
    described: dict[str, Description], offered: dict[str, Priced], product_id: str, said: Said, at_ms: int
) -> None:
    """Keep how a product was described (the fullest word) and offered (the newest)."""
    description = Description(at_ms, said.sku, said.name, said.category, said.brand, said.url, said.image_url)
    carts.keep_description(described, product_id, description)
    offer = Priced(at_ms, said.price_minor, said.variant_id, said.currency)
    known = offered.get(product_id)
    offered[product_id] = offer if known is None else newest_offer(known, offer)


def said_of(product: Product, currency: str | None) -> Said:
    """How an event shows a product, its price in that currency."""
    return Said(
        product.name,
        product.category,
        product.brand,
        product.price_minor,
        product.url,
        product.image_url,
        product.sku,
        product.variant_id,
        currency,
    )


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


def items_of(browsing: Browsing, product_ids: Iterable[str], shop_currency: str) -> tuple[tuple[Item, ...], str | None]:
    """Viewed products as a trigger shows them, and the currency of their prices. Of what is folded."""
    described, offered = browsing.described, browsing.offered
    return priced_alike(
        [
            (
                product_id,
                carts.description_of(described, CartLine(product_id, None, 1, 0)),
                offered.get(product_id, _NOT_OFFERED),
            )
            for product_id in product_ids
        ],
        shop_currency,
    )


def priced_alike(
    shown: Iterable[tuple[str, Description, Priced]], shop_currency: str
) -> tuple[tuple[Item, ...], str | None]:
    """Products as a trigger shows them, all prices in one currency, which is given too (None: the shop's): that of the first that
    has a price. A price in another one is left out: it would be read as another amount.
    """
    items: list[Item] = []
    currency: str | None = None
    for product_id, said, offer in shown:
        one = item(product_id, said, offer)
        if offer.price_minor is not None:
            own = offer.currency or shop_currency
            currency = currency or own
            if own != currency:
                one = msgspec.structs.replace(one, price_minor=None)
        items.append(one)
    return tuple(items), currency


def in_stock(known: Goods, product_id: str, offered: Priced | None) -> bool | None:
    """Whether a product can be had, in the variant it was offered in; None where no event ever told."""
    variant_id = None if offered is None else offered.variant_id
    told = goods.in_stock(known, goods.good_key(product_id, variant_id))
    return goods.in_stock(known, product_id) if told is None else told


def bought_since(orders: list[RecentOrder], since_ms: int) -> set[str]:
    """Products bought by the remembered orders placed at or after a moment."""
    return {product_id for order in orders if order.at_ms >= since_ms for product_id in order.bought}


# --- two profiles of one customer ---------------------------------------------------------------------------------


def unite(into: Profile, other: Profile) -> None:
    """Fold the views and searches of another profile in; what both know counts once."""
    if other.has_browsing:
        _unite(into, other)
    if into.has_browsing:
        _catch_up(into)


def join_visits(profile: Profile) -> None:
    """Visits that turned out to be one, as the newest sessions of two profiles are, are looked at as one; not at all where it
    was told of already.
    """
    seen, start_ms, last_ms = profile.browsing, profile.activity.session_start_ms, profile.activity.session_last_ms
    if start_ms is None or last_ms is None:
        return
    _name_visit(profile)
    apart = [visit for visit in seen.visits if not start_ms <= visit[0] <= last_ms]
    if len(apart) < len(seen.visits):
        visits = (*apart, (start_ms, profile.activity.session_by))
        seen.visits = sorted(visit for visit in visits if visit[0] > seen.planned_ms)


def _unite(into: Profile, other: Profile) -> None:
    ours, theirs = into.browsing, other.browsing
    views: dict[tuple[int, str], Viewed] = {}
    for view in (*ours.views, *theirs.views):
        known = views.setdefault((view.at_ms, view.message_id), view)
        known.next_ms = min((ms for ms in (known.next_ms, view.next_ms) if ms), default=0)
    for product_id, said in theirs.described.items():
        carts.keep_description(ours.described, product_id, said)
    for product_id, told in theirs.offered.items():
        ours.offered[product_id] = newest_offer(ours.offered.get(product_id, told), told)
    if views:
        keep_newest(ours, [views[place] for place in sorted(views)])
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
