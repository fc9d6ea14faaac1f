"""When customers order and when they stop: the parameters of a buy-till-you-die model, and what it knows of a buyer.

One struct covers three published models. While alive, a customer orders at random at her own rate lambda, which differs
between customers as Gamma(r, alpha); after an order she leaves for good with her own probability p, as Beta(a, b).

- `bg_nbd` (Fader, Hardie & Lee 2005, Marketing Science 24:275): may leave after each repeat order, never after the first.
- `mbg_nbd` (Batislam, Denizel & Filiztekin 2007, IJRM 24:201): may leave after the first order too. The default.
- `regularity` k > 1 makes either of them the (M)BG/CNBD-k (Reutterer, Platzer & Schröder 2021, IJRM 38:194): gaps between
  orders are Erlang-k instead of exponential, so that k = 1 is pure chance and higher k ever more like clockwork. Then
  lambda is the rate of hidden ticks, of which every k-th is an order.

An "order" here is a purchase day: all orders of one customer on one day of the shop are one. The unit of time is the week,
as in the papers.
"""

from math import isfinite
from typing import Final, Literal

from msgspec import Struct

Family = Literal["bg_nbd", "mbg_nbd"]

REGULARITY_MAX: Final = 6
"""Beyond this an Erlang gap is so regular that a calendar predicts it better; also the bound of every loop over k."""
DAYS_PER_WEEK: Final = 7.0


class Timing(Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Parameters of the model: `r`, `a` and `b` are pure numbers, `alpha` is in weeks; all above zero and finite.

    Raises ValueError for anything else. `v` is the version of this struct.
    """

    family: Family = "mbg_nbd"
    regularity: int = 1
    r: float
    alpha: float
    a: float
    b: float
    v: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.regularity <= REGULARITY_MAX:
            raise ValueError(f"regularity {self.regularity} is not between 1 and {REGULARITY_MAX}")
        for name in ("r", "alpha", "a", "b"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0.0):
                raise ValueError(f"timing parameter {name} is {value}; it must be finite and above zero")

    @property
    def leaves_at_first(self) -> int:
        """1 where a customer may leave right after her first order, else 0."""
        return 1 if self.family == "mbg_nbd" else 0


class Buyer(Struct, frozen=True, gc=False):
    """All that the model needs of a customer with at least one order.

    `x` counts her orders after the first. `t_x` is the time from the first to the newest one and `age` from the first until
    now, both in weeks; t_x is 0 exactly where x is. Raises ValueError for what no customer can be.
    """

    x: int
    t_x: float
    age: float

    def __post_init__(self) -> None:
        if not (self.x >= 0 and 0.0 <= self.t_x <= self.age < float("inf") and (self.x > 0) == (self.t_x > 0.0)):
            raise ValueError(
                f"no customer has x={self.x}, t_x={self.t_x}, age={self.age} (0 <= t_x <= age; t_x=0 iff x=0)"
            )
