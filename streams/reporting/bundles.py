"""What is bought together most surely, from the models document that `regulars pairs` wrote."""

from typing import Final

from msgspec import Struct

from profiles.insight.pair_table import Together
from streams.pairing.learn import strongest
from streams.reporting.missing import Missing
from streams.reporting.snapshot import Snapshot

SHOWN: Final = 15
NOT_COUNTED: Final = Missing("no_pairs_counted", "count what is bought together with `regulars pairs`")
NO_PAIRS: Final = Missing("no_pairs", "no two products share 20 baskets and more than chance would make")


class Bundles(Struct, frozen=True, tag=True):
    """Pairs by evidence (G2), best first; `confidence` is the share of baskets with a that have b, 0 where it is not kept."""

    pairs: list[Together]


def bundles(found: Snapshot) -> Bundles | Missing:
    """The pairs with the most evidence."""
    if found.together is None:
        return NOT_COUNTED
    pairs = strongest(found.together, SHOWN)
    return Bundles(pairs) if pairs else NO_PAIRS
