"""Counts over a time that ends now: views in 30 minutes, orders in a year, spend in 90 days. What is kept for them, and how.

Only what a condition asks for is kept, as long as the longest time asked for: nothing at all in a shop without such a
condition. Clicks are kept as lists of moments, sessions as starts and lengths, orders as moment, net value and the filters
they pass. All of it depends on the set of events alone and not on their order, and that of two profiles of one customer
joins to what one would have kept.

Bounds: a list has the newest COUNT_MAX moments, so a count is right up to that and then stays there; the newest ORDERS_MAX
orders; spans up to SPAN_MAX_MS. Orders follow the ledger: what an order contributes now is what counts, whatever was
cancelled, refunded or changed, and `rebuild` makes them from the ledger alone. Clicks begin to be counted with the first
event after a condition asks for them.

How a condition reads them is in `profiles.expressions.counting`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

from msgspec import Struct
from xxhash import xxh3_64_hexdigest

from profiles import moments, visits
from profiles.activity import NO_VISITS, VISIT_CHANNELS
from profiles.book import Book
from profiles.catalogue import Catalogue
from profiles.contribution import net_units
from profiles.order_state import OrderEntry
from profiles.product_facts import of_line
from profiles.profile import Profile
from profiles.rates import DAY_MS
from profiles.state import WindowsKept
from schemas import events
from schemas.events import AnyEvent, Arrival, Event

COUNT_MAX: Final = 128
ORDERS_MAX: Final = 1024
SPAN_MAX_MS: Final = 400 * DAY_MS
"""The ledger keeps an order's lines as long as this."""
FILTERS_MAX: Final = 48
"""Different filters on orders; each is a bit of a number that JSON readers hold exactly."""

NOTHING: Final[frozenset[str]] = frozenset()
VIEWS: Final = "views"
ADDS: Final = "adds"
SEARCHES: Final = "searches"
SESSIONS: Final = "sessions"
ORDERS: Final = "orders"
EVENTS: Final = "events"
VISITS: Final = "visits"
"""The count of sessions among changes, where "sessions" is the field of the document."""
CATEGORY: Final = "category"
BRAND: Final = "brand"
PRODUCT: Final = "product"

EVENT_NAMES: Final[dict[str, type[Event]]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(AnyEvent) if not issubclass(kind, events.ShopEvent)
}
_PRODUCT_KINDS: Final[dict[str, tuple[type[Event], ...]]] = {
    VIEWS: (events.ProductViewed,),
    ADDS: (events.ProductAdded, events.WishlistProductAddedToCart),
    SEARCHES: (events.ProductsSearched,),
}


class Counter(Struct, frozen=True, order=True):
    """What is counted: views, adds, searches, sessions, orders, or events of one name; all, or those that pass a filter.

    `value` is the event's name for `events`, else the filter's value: `Counter("views", "category", "garden")`.
    """

    family: str
    dimension: str = ""
    value: str = ""

    @property
    def key(self) -> str:
        """Its name in a profile.

        >>> Counter("views", "category", "garden").key, Counter("orders").key
        ('views category garden', 'orders')
        """
        return " ".join(filter(None, (self.family, self.dimension, self.value)))

    @property
    def moved_by(self) -> str:
        """What must be among the changes of an event that may move it: all counts of orders change together."""
        return {ORDERS: ORDERS, SESSIONS: VISITS}.get(self.family, self.key)


class _Noted(Struct, gc=False):
    """The counters an event kind may move, each with its span: those of every such event, and by what the product is."""

    every: tuple[tuple[str, int], ...]
    by_category: dict[str, list[tuple[str, int]]]
    by_brand: dict[str, list[tuple[str, int]]]
    by_product: dict[str, list[tuple[str, int]]]
    filtered: bool


_Order = tuple[int, int, int]
"""When it was placed, its net value in the shop's currency, and the filters it passes as bits."""


class Windows:
    """Keeps in a profile what a set of conditions counts. Has no state of its own; see the module for what is promised."""

    __slots__ = (
        "_by_kind",
        "_filters",
        "_order_span_ms",
        "_orders_of",
        "_session_span_ms",
        "_spans",
        "fingerprint",
        "kinds",
    )

    def __init__(self, demands: Iterable[tuple[Counter, int]] = (), catalogue: Catalogue | None = None) -> None:
        """`catalogue` says of which category and brand lines of orders are: by another one orders are to be told apart anew."""
        spans: dict[Counter, int] = {}
        for counter, span_ms in demands:
            spans[counter] = max(spans.get(counter, 0), span_ms)
        ordered = sorted(spans)
        orders = [counter for counter in ordered if counter.family == ORDERS]
        self._spans = {counter.key: spans[counter] for counter in ordered if counter.family not in (ORDERS, SESSIONS)}
        self._session_span_ms = spans.get(Counter(SESSIONS), 0)
        self._order_span_ms = max((spans[counter] for counter in orders), default=0)
        self._filters = tuple(counter for counter in orders if counter.dimension)
        self.kinds = ""
        """The `Catalogue.kinds` that orders are told apart by; "" where they are not."""
        if catalogue is not None and any(counter.dimension in (CATEGORY, BRAND) for counter in orders):
            self.kinds = catalogue.kinds
        by = f"{self._order_span_ms} {[counter.key for counter in orders]}"
        self._orders_of = fingerprint(f"{by} {self.kinds}" if self.kinds else by) if orders else ""
        self.fingerprint = (
            fingerprint(repr(sorted((counter.key, span) for counter, span in spans.items()))) if spans else ""
        )
        """Changes with whatever is counted; "" where nothing is."""
        self._by_kind = _by_kind({counter: span for counter, span in spans.items() if counter.key in self._spans})

    def filter_bit(self, counter: Counter) -> int:
        """The bit that marks the orders which pass a counter's filter; 0 for all orders."""
        return 1 << self._filters.index(counter) if counter.dimension else 0

    def note(self, profile: Profile, arrival: Arrival, book: Book) -> frozenset[str]:
        """Count an event that is no repeat. The counters it moved, each by its `moved_by`.

        Orders are not counted here but by `exchange`, since what counts of them is what the ledger says.
        """
        event, at_ms = arrival.event, arrival.time_ms
        kind = type(event)
        noted = self._by_kind.get(kind)
        changed = NOTHING
        if noted is not None:
            found = list(noted.every)
            if noted.filtered:
                _filtered(noted, event, book, found)
            if found:
                counts = profile.windows.counts
                changed = frozenset(
                    key for key, span_ms in found if moments.add(counts.setdefault(key, []), at_ms, span_ms, COUNT_MAX)
                )
        if (
            self._session_span_ms
            and (event.anonymous_id is not None or event.channel in VISIT_CHANNELS)
            and kind not in NO_VISITS
        ):
            kept = profile.windows
            if visits.add(kept.visit_starts, kept.visit_lengths, at_ms, self._session_span_ms, COUNT_MAX):
                changed |= {VISITS}
        return changed

    # --- orders -------------------------------------------------------------------------------------------------------

    def exchange(
        self, profile: Profile, before: OrderEntry | None, after: OrderEntry | None, book: Book
    ) -> frozenset[str]:
        """Take an order out as its ledger entry was, and put it in as the entry is now. What may have moved."""
        if not self._orders_of or before is after:
            return NOTHING
        old, new = self._order(before, book), self._order(after, book)
        if old == new:
            return NOTHING
        if old is None and new is not None and _goes_in_front(profile.windows, new):
            self._put_in_front(profile.windows, new)
            return frozenset((ORDERS,))
        orders = _orders(profile.windows)
        if old is not None:
            _take_out(orders, old)
        if new is not None:
            orders.append(new)
        self._keep_orders(profile.windows, orders)
        return frozenset((ORDERS,))

    def _put_in_front(self, kept: WindowsKept, order: _Order) -> None:
        """The usual case of `_keep_orders`: one order that is newer than all, and none that passes a filter."""
        placed_ms, net, _ = order
        moments.add(kept.order_gaps, placed_ms, self._order_span_ms, ORDERS_MAX)
        kept.order_nets.insert(0, net)
        del kept.order_nets[len(kept.order_gaps) :]

    def needs_ledger(self, profile: Profile) -> bool:
        """Whether the orders kept are not those asked for, so that `rebuild` must be called with the whole ledger."""
        return self._orders_of not in ("", profile.windows.orders_of)

    def rebuild(self, profile: Profile, entries: Iterable[OrderEntry], book: Book) -> None:
        """Make what is kept of orders anew from all ledger entries."""
        if self._orders_of:
            kept = profile.windows
            self._keep_orders(kept, [order for entry in entries if (order := self._order(entry, book)) is not None])
            kept.orders_of = self._orders_of

    def tidy(self, profile: Profile) -> None:
        """Drop what no condition asks for any more."""
        kept = profile.windows
        for key in [key for key in kept.counts if key not in self._spans]:
            del kept.counts[key]
        if not self._session_span_ms:
            kept.visit_starts, kept.visit_lengths = [], []
        if not self._orders_of:
            kept.orders_of, kept.order_gaps, kept.order_nets, kept.order_marks = "", [], [], []

    def unite(self, into: Profile, other: Profile) -> None:
        """Add what another profile of the same customer counted. Its orders come by `rebuild` from the united ledger."""
        ours, theirs = into.windows, other.windows
        for key, gaps in theirs.counts.items():
            span_ms = self._spans.get(key)
            if span_ms is not None:
                ours.counts[key] = moments.united(ours.counts.get(key, []), gaps, span_ms, COUNT_MAX)
        if self._session_span_ms and theirs.visit_starts:
            visits.unite(
                ours.visit_starts,
                ours.visit_lengths,
                (theirs.visit_starts, theirs.visit_lengths),
                self._session_span_ms,
                COUNT_MAX,
            )

    def _order(self, entry: OrderEntry | None, book: Book) -> _Order | None:
        if entry is None or entry.placed_ms is None:
            return None
        contribution = entry.contribution
        if contribution is None or not contribution.counted:
            return None
        marks = 0
        if self._filters:
            left = net_units(entry)
            bought = [line for line in entry.lines if line.product_id in left]
            facts = [of_line(book.catalogue, line) for line in bought]
            categories = [line.category or fact.category for line, fact in zip(bought, facts, strict=True)]
            for bit, counter in enumerate(self._filters):
                match counter.dimension:
                    case "product":
                        passes = counter.value in left and bool(bought)
                    case "brand":
                        passes = any(fact.brand == counter.value for fact in facts)
                    case _:
                        passes = any(counter.value in upwards(category) for category in categories)
                marks |= passes << bit
        return (entry.placed_ms, contribution.shop.net, marks)

    def _keep_orders(self, kept: WindowsKept, orders: list[_Order]) -> None:
        orders.sort(reverse=True)
        del orders[ORDERS_MAX:]
        if orders:
            beyond_ms = orders[0][0] - self._order_span_ms
            del orders[bisect_left(orders, -beyond_ms, key=lambda order: -order[0]) :]
        kept.order_gaps = moments.shortened([placed for placed, _, _ in orders])
        kept.order_nets = [net for _, net, _ in orders]
        kept.order_marks = [marks for _, _, marks in orders] if any(marks for _, _, marks in orders) else []


def fingerprint(text: str) -> str:
    """Eight characters that change with the text."""
    return xxh3_64_hexdigest(text.encode())[:8]


def upwards(category: str | None) -> list[str]:
    """A category path and those above it.

    >>> upwards("garden/tools/saws")
    ['garden/tools/saws', 'garden/tools', 'garden']
    """
    found = []
    while category:
        found.append(category)
        category = category.rpartition("/")[0]
    return found


def _filtered(noted: _Noted, event: Any, book: Book, found: list[tuple[str, int]]) -> None:
    product = event.product
    found += noted.by_product.get(product.product_id, ())
    if not noted.by_category and not noted.by_brand:
        return
    category, brand = product.category, product.brand
    if category is None or brand is None:
        facts = book.catalogue.lookup(product.product_id, category)
        category, brand = category or facts.category, brand or facts.brand
    found += noted.by_brand.get(brand or "", ())
    for name in upwards(category):
        found += noted.by_category.get(name, ())


def _by_kind(spans: Mapping[Counter, int]) -> dict[type[Event], _Noted]:
    found: dict[type[Event], _Noted] = {}
    for counter, span_ms in spans.items():
        kinds = (EVENT_NAMES[counter.value],) if counter.family == EVENTS else _PRODUCT_KINDS[counter.family]
        for kind in kinds:
            noted = found.setdefault(kind, _Noted((), {}, {}, {}, filtered=False))
            pair = (counter.key, span_ms)
            if not counter.dimension:
                noted.every += (pair,)
                continue
            noted.filtered = True
            table = {CATEGORY: noted.by_category, BRAND: noted.by_brand, PRODUCT: noted.by_product}[counter.dimension]
            table.setdefault(counter.value, []).append(pair)
    return found


def _goes_in_front(kept: WindowsKept, order: _Order) -> bool:
    placed_ms, _, marks = order
    newest = kept.order_gaps[0] if kept.order_gaps else -1
    return placed_ms > newest and not marks and not kept.order_marks


def _orders(kept: WindowsKept) -> list[_Order]:
    placed = moments.spelled_out(kept.order_gaps)
    return list(zip(placed, kept.order_nets, kept.order_marks or [0] * len(placed), strict=True))


def _take_out(orders: list[_Order], old: _Order) -> None:
    """Remove an order. Where the catalogue has changed what its lines are, it is the one of that moment and value."""
    if old in orders:
        orders.remove(old)
        return
    for place, (placed_ms, net, _) in enumerate(orders):
        if (placed_ms, net) == old[:2]:
            del orders[place]
            return
