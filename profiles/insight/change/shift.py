"""The evidence of a change."""

from typing import Literal

from msgspec import Struct

PATH_MAX = 8
"""Standard scores kept as evidence, the newest ones."""

Measure = Literal["interval", "silence", "order_value", "categories", "returns"]


class Shift(Struct, frozen=True, omit_defaults=True, gc=False):
    """What changed: from which value to which, over how many observations, and the standard scores that say so.

    Units of `before` and `after` by measure: days between orders, days of silence (usual, now), minor units of an order,
    share of the category that changed most, share returned. `detail` names that category.
    """

    measure: Measure
    direction: Literal["up", "down"]
    before: float
    after: float
    observations: int
    path: tuple[float, ...] = ()
    detail: str | None = None
