"""RFM cells: recency, frequency and monetary value, each from 1 (worst) to 5 (best) by the shop's own cut points.

The cut points are the 20, 40, 60 and 80 % points of all buyers (Hughes 1994). A value equal to a cut belongs with those below it,
so many equal values stay together: in a shop where two thirds order once, these are all in one class of frequency, and that
class is the lowest.
"""

from bisect import bisect_left

from msgspec import Struct

Cuts = tuple[float, float, float, float]


class RfmCuts(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Four ascending cut points each: days since the newest order, number of orders, net value in minor units.

    Raises ValueError where they do not ascend (equal neighbours are fine).
    """

    recency_days: Cuts
    orders: Cuts
    net_minor: Cuts
    version: int = 1

    def __post_init__(self) -> None:
        for name in ("recency_days", "orders", "net_minor"):
            cuts = getattr(self, name)
            if list(cuts) != sorted(cuts):
                raise ValueError(f"cut points of {name} do not ascend: {cuts}")


def rfm_cell(cuts: RfmCuts, recency_days: float, orders: int, net_minor: int) -> str:
    """The cell as three digits, recency first; "555" is who came last week, often and with much money.

    >>> cuts = RfmCuts(recency_days=(7, 30, 90, 180), orders=(1, 2, 4, 9), net_minor=(2000, 5000, 9000, 20000))
    >>> rfm_cell(cuts, 3, 12, 25000), rfm_cell(cuts, 400, 1, 1500), rfm_cell(cuts, 30, 2, 5001)
    ('555', '111', '423')
    """
    recency = 5 - bisect_left(cuts.recency_days, recency_days)
    frequency = 1 + bisect_left(cuts.orders, orders)
    monetary = 1 + bisect_left(cuts.net_minor, net_minor)
    return f"{recency}{frequency}{monetary}"
