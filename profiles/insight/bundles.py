"""Sets of products that customers buy with one another, from what was learned of pairs: what a shop may offer as a bundle.

In a set each product is among the few strongest partners of each other one (a clique of mutual nearest neighbours, by G2). Asked
of one side only, what sells most would be in every set. On a grocer's year, sets learned from nine months name something that is
in the same basket for one suggestion in seven in the other three; by the share of baskets that have it, it would be one in 110.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

from profiles.insight.pair_table import Recommendations

CLOSEST: Final = 3
"""Partners of a product that count: a set has at most one product more."""
STILL_CLOSE: Final = 6
"""Partners that count for a set that was there before, so that it does not come and go with every order."""

Bundles = dict[str, tuple[str, ...]]
"""The set of each product that is in one: all its products in the order of their text. A product is in one set at most."""


def learned_bundles(table: Recommendations, before: Bundles) -> Bundles:
    """The sets in a table of partners (each best first): those of `before` that still hold, or the larger one they became
    part of; then new ones, those with the strongest weakest pair first.
    """
    found = sorted(_sets(table), key=lambda members: (-_weakest(table, members), members))
    kept = [
        members
        for members in sorted(set(before.values()))
        if _all_close(table, members, STILL_CLOSE) and not any(set(members) < set(other) for other in found)
    ]
    grown = [members for members in found if any(set(members) > set(other) for other in before.values())]
    chosen: Bundles = {}
    for members in [*kept, *grown, *found]:
        if chosen.keys().isdisjoint(members):
            chosen |= dict.fromkeys(members, members)
    return dict(sorted(chosen.items()))


def name_of(members: Sequence[str]) -> str:
    """What a learned set is called: its products."""
    return " + ".join(members)


def _sets(table: Recommendations) -> set[tuple[str, ...]]:
    """All sets that are not part of a larger one."""
    close = {product: {other.item for other in partners[:CLOSEST]} for product, partners in table.items()}
    mutual = {
        product: sorted(other for other in others if product in close.get(other, ()))
        for product, others in close.items()
    }
    return {tuple(sorted(members)) for product in mutual for members in _largest_with(product, mutual)}


def _largest_with(product: str, mutual: dict[str, list[str]]) -> Iterator[set[str]]:
    taken: list[set[str]] = []
    for size in range(len(mutual[product]), 0, -1):
        for others in combinations(mutual[product], size):
            members = {product, *others}
            if any(members < larger for larger in taken):
                continue
            if all(b in mutual[a] for a, b in combinations(others, 2)):
                taken.append(members)
                yield members


def _all_close(table: Recommendations, members: Sequence[str], closest: int) -> bool:
    return all(any(other.item == b for other in table.get(a, ())[:closest]) for a in members for b in members if a != b)


def _weakest(table: Recommendations, members: Sequence[str]) -> float:
    return min(next(other.g2 for other in table[a] if other.item == b) for a, b in combinations(members, 2))
