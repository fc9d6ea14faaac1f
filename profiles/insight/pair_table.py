"""Counts of products and pairs at rest: put together, ranked, and made into recommendations."""

from collections.abc import Callable, Collection, Iterable, Iterator
from heapq import nlargest
from typing import Final

from msgspec import Struct

from profiles.insight import association

SUPPORT_MIN: Final = 20
"""Baskets that must have both products before anything is said of them."""
LIFT_MIN: Final = 1.2
PARTNERS_MAX: Final = 20


class PairTable(Struct, frozen=True):
    """Baskets counted, baskets by product, and baskets by pair (the names of a pair in order of text)."""

    baskets: int
    items: dict[str, int]
    pairs: dict[tuple[str, str], int]


class Together(Struct, frozen=True, gc=False):
    """One pair with its measures. `confidence` is that of b given a."""

    a: str
    b: str
    count: int
    lift: float
    confidence: float
    jaccard: float
    npmi: float
    g2: float


class Partner(Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A product bought together with another one, and how strongly."""

    item: str
    count: int
    lift: float
    confidence: float
    npmi: float
    g2: float


Recommendations = dict[str, list[Partner]]
"""The strongest partners of each product, best first: a few kilobytes for a small shop, and all a look-up needs."""


def merged(tables: Iterable[PairTable]) -> PairTable:
    """Counts of separate sets of orders, together. Each counter has had a gate of its own: see to it that it is a low one."""
    baskets, items, pairs = 0, dict[str, int](), dict[tuple[str, str], int]()
    for table in tables:
        baskets += table.baskets
        for item, count in table.items.items():
            items[item] = items.get(item, 0) + count
        for pair, count in table.pairs.items():
            pairs[pair] = pairs.get(pair, 0) + count
    return PairTable(baskets, items, pairs)


def measure(table: PairTable, a: str, b: str) -> Together:
    """All measures of one pair; a pair that was never counted has count 0. Raises KeyError for an unknown product."""
    count = table.pairs.get((a, b) if a < b else (b, a), 0)
    n_a, n_b, n = table.items[a], table.items[b], table.baskets
    return Together(
        a,
        b,
        count,
        association.lift(count, n_a, n_b, n),
        association.confidence(count, n_a),
        association.jaccard(count, n_a, n_b),
        association.npmi(count, n_a, n_b, n),
        association.g2(count, n_a, n_b, n),
    )


def by_g2(pair: Together) -> float:
    """Rank by evidence."""
    return pair.g2


def by_npmi(pair: Together) -> float:
    """Rank by closeness, whatever the number of baskets (above the support asked for)."""
    return pair.npmi


def ranked(
    table: PairTable, limit: int, rank: Callable[[Together], float] = by_g2, support: int = SUPPORT_MIN
) -> list[Together]:
    """The strongest pairs that go together more often than by chance, best first; equal ones by name."""
    return nlargest(limit, _attracted(table, support, 1.0), key=lambda pair: (rank(pair), pair.a, pair.b))


def recommendations(
    table: PairTable, support: int = SUPPORT_MIN, lift_min: float = LIFT_MIN, partners_max: int = PARTNERS_MAX
) -> Recommendations:
    """The partners of each product: pairs with enough baskets and lift, best by G2 first."""
    partners: Recommendations = {}
    for pair in _attracted(table, support, lift_min):
        back = association.confidence(pair.count, table.items[pair.b])
        partners.setdefault(pair.a, []).append(
            Partner(pair.b, pair.count, pair.lift, pair.confidence, pair.npmi, pair.g2)
        )
        partners.setdefault(pair.b, []).append(Partner(pair.a, pair.count, pair.lift, back, pair.npmi, pair.g2))
    return {item: sorted(found, key=_best_first)[:partners_max] for item, found in sorted(partners.items())}


def for_product(table: Recommendations, item: str, without: Collection[str], limit: int) -> list[Partner]:
    """What goes with one product, best first, without what the customer owns or has in the cart."""
    return [partner for partner in table.get(item, ()) if partner.item not in without][:limit]


def for_set(table: Recommendations, items: Collection[str], without: Collection[str], limit: int) -> list[str]:
    """What goes with several products together, best first; none of them, and nothing the customer owns or has in the cart.

    A candidate's score is the sum of its NPMI with each of the products: bounded, so that one popular product does not
    outweigh the rest, as sums of G2 would let it.
    """
    scores: dict[str, float] = {}
    for item in items:
        for partner in table.get(item, ()):
            if partner.item not in without and partner.item not in items:
                scores[partner.item] = scores.get(partner.item, 0.0) + partner.npmi
    return sorted(scores, key=lambda name: (-scores[name], name))[:limit]


def _attracted(table: PairTable, support: int, lift_min: float) -> Iterator[Together]:
    for (a, b), count in table.pairs.items():
        if count >= support and count * table.baskets > lift_min * table.items[a] * table.items[b]:
            yield measure(table, a, b)


def _best_first(partner: Partner) -> tuple[float, str]:
    return -partner.g2, partner.item
