"""What catalogue events tell of products besides price and stock, and how it stands beside the catalogue that the shop gave as
a file.

A Product Updated may name a few facts at a time, and may come late or twice. So what is kept of a product are the words told
of it (`Word`), the newest first, each with those facts alone that no newer word names: for every fact the newest word holds,
whatever came first. A word may also take a fact back (`unset`): then nothing is known of it, whatever the file says. What an
event tells of one variant holds for the product, but for what one unit costs and how long it lasts: these are the variant's,
and where the variant's are taken back the product's hold for it again.

A file and events together: the newest wins, fact by fact. A row of the file counts from its `updated_at` on; without one,
whatever an event told is newer.

Two times of reading: what goes with a product, stands in for it, and what there is to tell of it is read when a trigger is
decided (`lookup`). What is counted by (cost, category, brand, days and group of a supply) is put into the order's line, or
into the event that raises an interest, as it is known when the event is applied, where the event itself does not say it
(`fill_lines`, `filled`). So what was counted can be taken out again exactly, whatever is told later.
"""

from collections.abc import Iterator
from typing import Any, Final

from msgspec.structs import replace

from profiles.catalogue import Catalogue, Facts, shared
from profiles.goods import good_key
from profiles.order_state import OrderLine
from profiles.told import Kept, Told, ToldFacts, Word
from schemas.events import Arrival, CartProductsEvent, Product, ProductEvent, ProductUpdated

NOTHING_TOLD: Final[Told] = ()
_LISTS: Final = ("complementary", "substitutes", "contents", "occasions")
SHARED_FACTS: Final = ("category", "brand", "group", "name", "url", "image_url", *_LISTS)
"""Facts of a product, whichever variant an event names."""
OWN_FACTS: Final = ("cost_minor", "supply_days")
"""Facts that each variant may have of its own."""


# --- keeping what events tell ---------------------------------------------------------------------------------------


def words_of(arrival: Arrival, shop_currency: str) -> Iterator[tuple[str, Word]]:
    """What an event that names its product tells, by the key it is kept under. A cost in another currency is left alone."""
    event = arrival.event
    if type(event) is not ProductUpdated:
        return
    assert event.product_id is not None, "looked up before it comes here"
    stamp = (arrival.time_ms, event.message_id)
    cost = event.cost_minor if event.currency in (None, shop_currency) and (event.cost_minor or 0) >= 0 else None
    whole = Word(
        *stamp,
        event.category,
        event.brand,
        cost,
        None if event.supply_days is None else float(event.supply_days),
        event.group,
        event.complementary,
        event.substitutes,
        event.contents,
        event.occasions,
        event.name,
        event.url,
        event.image_url,
        tuple(sorted(set(event.unset))),
    )
    if event.variant_id is None:
        parts = {event.product_id: whole}
    else:
        parts = {
            event.product_id: replace(whole, cost_minor=None, supply_days=None, unset=_only(SHARED_FACTS, whole.unset)),
            good_key(event.product_id, event.variant_id): Word(
                *stamp,
                cost_minor=whole.cost_minor,
                supply_days=whole.supply_days,
                unset=_only(OWN_FACTS, whole.unset),
            ),
        }
    for key, word in parts.items():
        if not _is_empty(word):
            yield key, word


def with_word(told: Told, word: Word) -> Told:
    """What is told of a product once this word is among it: for each fact the newest. The same object where nothing changes.

    >>> first, second = Word(1, "a", category="tea", brand="acme"), Word(2, "b", category="green tea")
    >>> [(one.category, one.brand) for one in with_word(with_word((), second), first)]
    [('green tea', None), (None, 'acme')]
    >>> with_word((first,), second) == with_word((second,), first)
    True
    """
    if any((known.at_ms, known.by) == (word.at_ms, word.by) for known in told):
        return told
    kept: list[Word] = []
    named: set[str] = set()
    for one in sorted((*told, word), key=lambda one: (one.at_ms, one.by), reverse=True):
        old: dict[str, Any] = {name: _EMPTY[name] for name in named if getattr(one, name) != _EMPTY[name]}
        if not named.isdisjoint(one.unset):
            old["unset"] = tuple(name for name in one.unset if name not in named)
        left = replace(one, **old) if old else one
        if not _is_empty(left):
            kept.append(left)
            named.update(name for name in _EMPTY if getattr(left, name) != _EMPTY[name])
            named.update(left.unset)
    return told if kept == list(told) else tuple(kept)


# --- reading --------------------------------------------------------------------------------------------------------


def lookup(
    catalogue: Catalogue, told: ToldFacts, product_id: str, category: str | None = None, variant_id: str | None = None
) -> Facts:
    """The facts of a product as they are known now, of the file and of events the newest. `category` is what an event said,
    used where nothing else tells it.
    """
    if not told:
        return catalogue.lookup(product_id, category)
    words = told.get(product_id, NOTHING_TOLD)
    variants = NOTHING_TOLD if variant_id is None else told.get(good_key(product_id, variant_id), NOTHING_TOLD)
    if not words and not variants:
        return catalogue.lookup(product_id, category)
    facts = catalogue.lookup(product_id, _newest(words, "category", 0) or category)
    since_ms = facts.updated_ms
    found = {name: value for name in SHARED_FACTS if (value := _newest(words, name, since_ms))}
    for name in OWN_FACTS:
        value = _own(variants, words, name, since_ms)
        if value is not None:
            found[name] = value
    found |= {name: _EMPTY[name] for name in _unset(words, since_ms) if name not in found}
    return shared(replace(facts, **found), catalogue.groups) if found else facts


def of_line(catalogue: Catalogue, line: OrderLine) -> Facts:
    """The facts that a line of an order counts by: those put into it when its event came, else the file's."""
    if line.told is None:  # asked of each line of each order, of which most have nothing told
        return catalogue.lookup(line.product_id, line.category)
    return counted_by(catalogue, line.product_id, line.category, line.told)


def counted_by(catalogue: Catalogue, product_id: str, category: str | None, told: Kept | None) -> Facts:
    """The file's facts of a product, with those in their place that were kept with a purchase."""
    facts = catalogue.lookup(product_id, category)
    if told is None:
        return facts
    counted = replace(
        facts,
        **{name: value for name in _COUNTED if (value := getattr(told, name)) is not None or name in told.unset},
    )
    return shared(counted, catalogue.groups)


# --- putting facts into what is counted -----------------------------------------------------------------------------


def fill_lines(lines: list[OrderLine], before: list[OrderLine], told: ToldFacts, catalogue: Catalogue) -> None:
    """Put what events told of its products into the lines of an order that were just made of an event.

    `before` are the lines they take the place of. A product that was among them keeps what was known when it came: many shops
    send the whole order with each change of it.
    """
    known = {(line.product_id, line.variant_id): line for line in before}
    for line in lines:
        first = known.get((line.product_id, line.variant_id))
        if first is not None:
            line.told = first.told
            if line.category is None:
                line.category = first.category
            continue
        words = told.get(line.product_id, NOTHING_TOLD)
        variants = NOTHING_TOLD
        if line.variant_id is not None:
            variants = told.get(good_key(line.product_id, line.variant_id), NOTHING_TOLD)
        if not words and not variants:
            continue
        since_ms = catalogue.lookup(line.product_id, line.category).updated_ms
        if line.category is None:
            line.category = _newest(words, "category", since_ms)
        counted = (
            _own(variants, words, "supply_days", since_ms),
            _newest(words, "group", since_ms),
            _newest(words, "brand", since_ms),
            _own(variants, words, "cost_minor", since_ms),
        )
        unset = _unset(words, since_ms)
        gone = tuple(name for name, value in zip(_COUNTED, counted, strict=True) if value is None and name in unset)
        kept = Kept(*counted, gone)
        line.told = None if kept == _NONE_KEPT else kept


def filled(arrival: Arrival, told: ToldFacts, catalogue: Catalogue) -> Arrival:
    """The event with category, brand and occasions of its products, where it does not name them and they are known."""
    event = arrival.event
    if isinstance(event, ProductEvent):
        product = _filled(event.product, told, catalogue)
        if product is not event.product:
            return replace(arrival, event=replace(event, product=product))
    elif isinstance(event, CartProductsEvent):
        products = tuple(_filled(product, told, catalogue) for product in event.products)
        if any(one is not other for one, other in zip(products, event.products, strict=True)):
            return replace(arrival, event=replace(event, products=products))
    return arrival


def _filled(product: Product, told: ToldFacts, catalogue: Catalogue) -> Product:
    if product.category is not None and product.brand is not None and product.occasions:
        return product
    if product.product_id not in told and product.product_id not in catalogue.products:
        return product
    facts = lookup(catalogue, told, product.product_id, product.category, product.variant_id)
    category, brand = product.category or facts.category, product.brand or facts.brand
    occasions = product.occasions or facts.occasions
    if category is product.category and brand is product.brand and occasions is product.occasions:
        return product
    return replace(product, category=category, brand=brand, occasions=occasions)


# --- words ----------------------------------------------------------------------------------------------------------

_NONE_KEPT: Final = Kept()
_COUNTED: Final = ("supply_days", "group", "brand", "cost_minor")
"""The fields of `Kept`."""
_EMPTY: Final = {name: () if name in _LISTS else None for name in (*SHARED_FACTS, *OWN_FACTS)}


def _is_empty(word: Word) -> bool:
    return not word.unset and all(getattr(word, name) == empty for name, empty in _EMPTY.items())


def _only(names: tuple[str, ...], unset: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in unset if name in names)


def _unset(words: Told, since_ms: int) -> set[str]:
    """The facts that were taken back, unless the file is newer. No older word of them is kept."""
    return {name for word in words if word.at_ms >= since_ms for name in word.unset}


def _newest(words: Told, name: str, since_ms: int) -> Any:
    """A fact as the newest word that names it has it, unless the file is newer. None and empty where nothing is told."""
    empty = _EMPTY[name]
    for word in words:
        if word.at_ms >= since_ms and (value := getattr(word, name)) != empty:
            return value
    return empty


def _own(variants: Told, words: Told, name: str, since_ms: int) -> Any:
    """A fact that a variant may have of its own, else the product's."""
    value = _newest(variants, name, since_ms)
    return _newest(words, name, since_ms) if value is None else value
