"""Product facts that events do not carry: unit cost, how long a unit lasts, what can stand in for what, occasion tags,
and what there is to tell about them.

Built once from rows and never changed; a new catalogue is a new book. A row names a product, or, without a product id,
a category whose facts hold for every product in it that has none of its own.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from xxhash import xxh3_64

from schemas.scalars import boolean_of
from schemas.times import parse_iso


class CatalogueError(ValueError):
    """A row of the catalogue can't be used. The catalogue is refused; mend the row and column it names."""


COLUMNS: Final = (
    *(
        "product_id",
        "name",
        "url",
        "image_url",
        "category",
        "brand",
        "cost",
        "cost_minor",
        "supply_days",
        "group",
        "occasions",
    ),
    *("contents", "complementary", "substitutes", "bundles", "updated_at", "gift_card"),
)
"""What a row may say, see `build_catalogue`."""


class Facts(Struct, frozen=True, gc=False):
    """What is known about a product. `cost_minor` is the cost of one unit in the shop's currency.

    `supply_days` is how long one unit lasts (None: not replenishable). Products of one `group` stand in for each other;
    `share` is then how much of the group's smallest unit one unit of this product is worth (2.0: lasts twice as long).
    `complementary` products go with it, the best first; `bundles` names the sets that the shop offers it in.
    `contents` are ids of what there is to tell about the product (use tips, care, recipes). `substitutes` stand in for it
    without sharing its supply. `updated_ms` is since when the row holds, where it says so: what events told before is older.
    `gift_card`: what is paid for it is no sale. `name`, `url` and `image_url` are for showing it, and are never those of a
    category.
    """

    cost_minor: int | None = None
    category: str | None = None
    brand: str | None = None
    supply_days: float | None = None
    group: str | None = None
    occasions: tuple[str, ...] = ()
    share: float = 1.0
    complementary: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    substitutes: tuple[str, ...] = ()
    updated_ms: int = 0
    gift_card: bool = False
    name: str | None = None
    url: str | None = None
    image_url: str | None = None

    @property
    def unit_days(self) -> float | None:
        """How long the unit lasts that purchases are counted in: the product's, in a group the smallest of the group."""
        return None if self.supply_days is None else self.supply_days / self.share


NOTHING: Final = Facts()
FOUND_MAX: Final = 1 << 14
"""Categories whose facts are remembered; what events name is without bounds."""


class Catalogue(Struct, frozen=True, kw_only=True):
    """Facts by product id, and by category path for products that have no row; the products of each bundle, by its name; and
    of each group how many days its smallest unit lasts. `gift_cards`: some of the products or categories are such.

    `found` remembers what was looked up by category: it is asked for several times with every line of every order. `digests`
    remembers those of `supplies` and `kinds`.
    """

    products: dict[str, Facts] = {}
    categories: dict[str, Facts] = {}
    bundles: dict[str, tuple[str, ...]] = {}
    groups: dict[str, float] = {}
    gift_cards: bool = False
    found: dict[str, Facts] = {}
    digests: dict[str, str] = {}

    @staticmethod
    def from_rows(rows: Iterable[Mapping[str, Any]], exponent: int = 2) -> "Catalogue":
        """See `build_catalogue`."""
        return build_catalogue(rows, exponent)

    def lookup(self, product_id: str, category: str | None = None) -> Facts:
        """The facts of a product; `category` is what an event said, used where the catalogue has no row for it."""
        facts = self.products.get(product_id)
        if facts is not None:
            return facts
        if category is None or not self.categories:
            return NOTHING
        facts = self.found.get(category)
        if facts is None:
            if len(self.found) >= FOUND_MAX:
                self.found.clear()
            facts = self.found[category] = _of_category(self.categories, category) or NOTHING
        return facts

    @property
    def supplies(self) -> str:
        """Another text once the file says otherwise how long products last; "" where it says that of none."""
        if "supplies" not in self.digests:
            self.digests["supplies"] = self._digest(lambda facts: (facts.supply_days, facts.group))
        return self.digests["supplies"]

    @property
    def kinds(self) -> str:
        """Another text once the file says otherwise of which category and brand products are; "" where it says that of none."""
        if "kinds" not in self.digests:
            self.digests["kinds"] = self._digest(lambda facts: (facts.category, facts.brand))
        return self.digests["kinds"]

    def _digest(self, said: Callable[[Facts], tuple[object, object]]) -> str:
        """The rows may stand in any order. About half a second for 100,000 products, so only where it is asked for."""
        found = sorted(
            f"{sign}{path!r}{told}"
            for sign, known in (("", self.products), ("=", self.categories))
            for path, facts in known.items()
            if (told := said(facts)) != (None, None)
        )
        digest = xxh3_64()
        for one in found:
            digest.update(one.encode())
        return digest.hexdigest() if found else ""


def supply_key(product_id: str, facts: Facts) -> str:
    """Where a product's purchases are kept: its substitute group's key, or its own id.

    The group's key starts with a sign that keeps a group "7" and a product "7" apart.
    """
    return product_id if facts.group is None else f"~{facts.group}"


def build_catalogue(rows: Iterable[Mapping[str, Any]], exponent: int = 2) -> Catalogue:
    """A catalogue from rows such as a CSV reader gives them.

    Columns: product_id, name, url, image_url, category, brand, cost (major units of the shop's currency, which has `exponent`
    decimals) or cost_minor, supply_days, group, occasions, contents, complementary, substitutes, bundles (lists, or text
    separated by ";"), updated_at (ISO 8601), gift_card (true or false). Others are ignored, empty ones are unknown, a later row
    for the same product or category wins.
    Raises CatalogueError naming row (from 1) and column.
    """
    products: dict[str, Facts] = {}
    categories: dict[str, Facts] = {}
    for number, row in enumerate(rows, 1):
        product_id, category = _text(row, "product_id"), _text(row, "category")
        facts = Facts(
            cost_minor=_cost(row, number, exponent),
            category=category,
            brand=_text(row, "brand"),
            supply_days=_days(row, number),
            group=_text(row, "group"),
            occasions=_tags(row, "occasions", number),
            complementary=_tags(row, "complementary", number),
            bundles=_tags(row, "bundles", number),
            contents=_tags(row, "contents", number),
            substitutes=_tags(row, "substitutes", number),
            updated_ms=_updated(row, number),
            gift_card=_flag(row, "gift_card", number),
        )
        if product_id is not None:
            shown = {column: _text(row, column) for column in ("name", "url", "image_url")}
            products[product_id] = replace(facts, **shown)
        elif category is not None:
            if facts.cost_minor is not None:
                raise CatalogueError(f"row {number}, column cost: a category has no unit cost; set a cost rate for it")
            categories[category] = facts
        else:
            raise CatalogueError(f"row {number}, column product_id: neither a product nor a category is named")
    filled = {product_id: _filled(facts, categories) for product_id, facts in products.items()}
    smallest: dict[str, float] = {}
    for facts in [*filled.values(), *categories.values()]:
        if facts.group is not None and facts.supply_days is not None:
            smallest[facts.group] = min(facts.supply_days, smallest.get(facts.group, facts.supply_days))
    bundles: dict[str, tuple[str, ...]] = {}
    for product_id, facts in filled.items():
        for name in facts.bundles:
            bundles[name] = (*bundles.get(name, ()), product_id)
    return Catalogue(
        products={product_id: shared(facts, smallest) for product_id, facts in filled.items()},
        categories={path: shared(facts, smallest) for path, facts in categories.items()},
        bundles={name: members for name, members in bundles.items() if len(members) > 1},
        groups=smallest,
        gift_cards=any(facts.gift_card for facts in [*filled.values(), *categories.values()]),
    )


def shared(facts: Facts, groups: Mapping[str, float]) -> Facts:
    """The facts with their share of the group's unit. Of a group that only events tell of, the unit is one day."""
    if facts.group is None or facts.supply_days is None:
        return facts if facts.share == 1.0 else replace(facts, share=1.0)
    return replace(facts, share=facts.supply_days / groups.get(facts.group, 1.0))


def _of_category(categories: Mapping[str, Facts], category: str | None) -> Facts | None:
    """The facts of the longest known path that a category lies under."""
    path = category
    while path and categories:
        facts = categories.get(path)
        if facts is not None:
            return facts
        path = path.rpartition("/")[0]
    return None


def _filled(facts: Facts, categories: Mapping[str, Facts]) -> Facts:
    """A product's facts with the gaps filled from its category; without days of its own it also takes the group."""
    general = _of_category(categories, facts.category)
    if general is None:
        return facts
    return replace(
        facts,
        supply_days=general.supply_days if facts.supply_days is None else facts.supply_days,
        group=facts.group or general.group,
        occasions=facts.occasions or general.occasions,
        contents=facts.contents or general.contents,
        gift_card=facts.gift_card or general.gift_card,
    )


def _text(row: Mapping[str, Any], column: str) -> str | None:
    value = row.get(column)
    return None if value is None else str(value).strip() or None


def _decimal(row: Mapping[str, Any], column: str, number: int) -> Decimal | None:
    text = _text(row, column)
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value) > 10**12:
        raise CatalogueError(f"row {number}, column {column}: {text!r} is no number")
    return value


def _cost(row: Mapping[str, Any], number: int, exponent: int) -> int | None:
    column, factor = ("cost_minor", 1) if _text(row, "cost_minor") is not None else ("cost", 10**exponent)
    value = _decimal(row, column, number)
    if value is None:
        return None
    minor = value * factor
    if minor < 0:
        raise CatalogueError(f"row {number}, column {column}: {value} is below zero")
    if minor != minor.to_integral_value():
        raise CatalogueError(f"row {number}, column {column}: {value} has more decimals than the shop's currency")
    return int(minor)


def _days(row: Mapping[str, Any], number: int) -> float | None:
    value = _decimal(row, "supply_days", number)
    if value is not None and not 0 < value <= 3650:
        raise CatalogueError(f"row {number}, column supply_days: {value} is not above 0 and at most 3650 days")
    return None if value is None else float(value)


def _updated(row: Mapping[str, Any], number: int) -> int:
    text = _text(row, "updated_at")
    if text is None:
        return 0
    try:
        return parse_iso(text)
    except ValueError:
        raise CatalogueError(
            f"row {number}, column updated_at: {text!r} is no time such as 2026-03-02T09:00:00Z"
        ) from None


def _flag(row: Mapping[str, Any], column: str, number: int) -> bool:
    value = row.get(column)
    stated = False if value in (None, "") else boolean_of(value)
    if stated is None:
        raise CatalogueError(f"row {number}, column {column}: {value!r} is neither true nor false")
    return stated


def _tags(row: Mapping[str, Any], column: str, number: int) -> tuple[str, ...]:
    value = row.get(column)
    if value is None or isinstance(value, str):
        parts = (value or "").split(";")
    elif isinstance(value, list | tuple):
        parts = [str(part) for part in value]
    else:
        raise CatalogueError(f"row {number}, column {column}: {value!r} is neither a list nor text separated by ';'")
    return tuple(dict.fromkeys(tag for part in parts if (tag := part.strip())))
