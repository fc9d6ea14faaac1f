"""Counted pairs as the part of the models document that recommendations are made from."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from profiles.insight.bundles import learned_bundles
from profiles.insight.pair_table import Partner, Recommendations, Together, recommendations
from profiles.insight.pairs import PairCounter
from profiles.models import Models, named

PRODUCTS_MAX: Final = 2_000
PARTNERS_MAX: Final = 8
"""Bounds of the document: products with the most baskets beside others, and the strongest partners of each."""
DIGITS: Final = 4


def with_pairs(models: Models, counter: PairCounter) -> Models:
    """The models with what is bought together by these counts, in pairs and in sets; everything else as it was."""
    together = _short(recommendations(counter.table(), partners_max=PARTNERS_MAX))
    bundles = learned_bundles(together, models.bundles or {})
    return named(replace(models, v=2, together=together, bundles=bundles))


def strongest(table: Mapping[str, list[Partner]], limit: int) -> list[Together]:
    """The pairs with the most evidence in a table of recommendations, each once, best first."""
    pairs: dict[tuple[str, str], Together] = {}
    for item, partners in table.items():
        for partner in partners:
            a, b = sorted((item, partner.item))
            if (a, b) not in pairs:
                confidence = partner.confidence if item == a else 0.0
                pairs[a, b] = Together(a, b, partner.count, partner.lift, confidence, 0.0, partner.npmi, partner.g2)
    return sorted(pairs.values(), key=lambda pair: (-pair.g2, pair.a, pair.b))[:limit]


def _short(table: Recommendations) -> Recommendations:
    kept = sorted(table, key=lambda item: (-max(partner.count for partner in table[item]), item))[:PRODUCTS_MAX]
    return {
        item: [
            Partner(one.item, one.count, *(_rounded(value) for value in (one.lift, one.confidence, one.npmi, one.g2)))
            for one in table[item]
        ]
        for item in sorted(kept)
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
