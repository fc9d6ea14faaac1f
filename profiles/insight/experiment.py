"""Who is held out, and what each customer adds to the sums from which an effect is read.

Assignment is a formula, so it needs no table and is the same everywhere: u = the first 8 bytes of sha256("salt:customer"),
big-endian, over 2^64; held out if u < share. Both arms are the customers who would have been triggered, each from her first
trigger on, sent or withheld (ghost triggers: Johnson, Lewis & Nubbemeyer 2017), so nobody dilutes the effect who was never meant.

A customer adds y (net revenue or margin from then on) and x (the same over a fixed time before) to six sums of her arm.
Orders, refunds and cancellations change y and x, and the difference of two contributions changes the sums exactly. What was
exposed under two assignments is counted as contaminated and left out.
"""

from hashlib import sha256
from typing import Final, Literal

from msgspec import Struct

from profiles.insight.tallies import Tally

Arm = Literal["holdout", "treated"]

DAY_MS: Final = 86_400_000
LOW_BITS: Final = 32
"""Squares are kept as two counters, the low 32 bits and the rest, so that their sums over a thousand million customers with
up to 10^9 minor units each fit the 64 bits of a Redis counter."""


class Experiment(Struct, frozen=True, omit_defaults=True, gc=False):
    """The rules of one comparison, fixed before it begins.

    `holdout_share` lies between 0 and 1. x counts `before_days` up to the first trigger, y counts `after_days` from it on
    (None: for ever). Amounts of a customer beyond +-`cap_minor` count as that (winsorising; None: no cap): a cap chosen after
    the data were seen is no cap but a choice of result.
    """

    name: str
    salt: str
    holdout_share: float
    before_days: int = 182
    after_days: int | None = None
    cap_minor: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.holdout_share <= 1:
            raise ValueError(f"experiment {self.name}: holdout_share lies between 0 and 1, not {self.holdout_share}")
        if self.before_days < 0 or (self.after_days is not None and self.after_days < 1):
            raise ValueError(
                f"experiment {self.name}: before_days is at least 0 and after_days at least 1, "
                f"not {self.before_days} and {self.after_days}"
            )
        if self.cap_minor is not None and self.cap_minor < 1:
            raise ValueError(f"experiment {self.name}: cap_minor is above 0, not {self.cap_minor}")


class Exposure(Struct, omit_defaults=True, gc=False):
    """One customer in one experiment: since when, in which arm, and her amounts before and after, minor units."""

    arm: Arm
    since_ms: int
    before_minor: int = 0
    after_minor: int = 0
    contaminated: bool = False


def assignment(salt: str, customer_id: str) -> float:
    """A number in [0, 1), the same for the same salt and customer on every machine.

    >>> assignment("holdout-1", "1")
    0.9134502743300085
    """
    return int.from_bytes(sha256(f"{salt}:{customer_id}".encode()).digest()[:8], "big") / 2**64


def arm_of(experiment: Experiment, customer_id: str) -> Arm:
    """The customer's arm."""
    return "holdout" if assignment(experiment.salt, customer_id) < experiment.holdout_share else "treated"


def count_order(exposure: Exposure, experiment: Experiment, placed_ms: int, change_minor: int) -> None:
    """Let a change in the value of an order (new, refunded, cancelled) that was placed at a time count on its side.

    A refund belongs to the side of its order: goods that were bought before the first trigger are no effect of it.
    """
    if placed_ms >= exposure.since_ms:
        if experiment.after_days is None or placed_ms < exposure.since_ms + experiment.after_days * DAY_MS:
            exposure.after_minor += change_minor
    elif placed_ms >= exposure.since_ms - experiment.before_days * DAY_MS:
        exposure.before_minor += change_minor


def merge(into: Exposure, other: Exposure) -> None:
    """Two exposures of one customer in one experiment: contaminated if the arms differ; the earlier one holds.

    Her amounts must then be counted anew from the united ledger, since the sides may have moved.
    """
    into.contaminated = into.contaminated or other.contaminated or into.arm != other.arm
    into.since_ms = min(into.since_ms, other.since_ms)


def contribution(exposure: Exposure, experiment: Experiment) -> Tally:
    """The customer's part in the sums of her arm: n, y, y2, x, x2, xy; the last four squares each as low and high part.

    >>> exposure = Exposure("treated", 0, before_minor=3, after_minor=5)
    >>> contribution(exposure, Experiment("all", "s", 0.1))["treated.xy.low"]
    15
    """
    if exposure.contaminated:
        return {"contaminated": 1}
    x, y = _capped(exposure.before_minor, experiment.cap_minor), _capped(exposure.after_minor, experiment.cap_minor)
    tally = {"n": 1, "y": y, "x": x}
    for name, product in (("y2", y * y), ("x2", x * x), ("xy", x * y)):
        tally[f"{name}.low"] = product & ((1 << LOW_BITS) - 1)
        tally[f"{name}.high"] = product >> LOW_BITS
    return {f"{exposure.arm}.{name}": value for name, value in tally.items() if value}


def _capped(amount: int, cap: int | None) -> int:
    return amount if cap is None else max(-cap, min(cap, amount))
