"""Who is held out, and what each customer adds to the sums from which an effect is read.

Assignment is a formula, so it needs no table and is the same everywhere: u = the first 8 bytes of sha256("salt:customer"),
big-endian, over 2^64; held out if u < share. Both arms are the customers who would have been triggered, each from her first
trigger on, sent or withheld (ghost triggers: Johnson, Lewis & Nubbemeyer 2017), so nobody dilutes the effect who was never meant.

A customer adds y (orders, net revenue, margin of the orders placed from then on) and x (the same over a time before) to
six sums of her arm for each measure. Orders, refunds and cancellations change y, late words of what was before change x, and the
difference of two contributions changes the sums exactly.

Who was exposed under two assignments (two profiles that became one, a share that was changed) stays in the arm she was in
first, and is counted as contaminated too. To leave her out would bend the result where arms are unequal: of customers with two
profiles nine in ten of those first held out would go, and one in ten of those first treated, and such customers buy more.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final, Literal

from msgspec import Struct, field

from profiles.insight.tallies import Tally

Arm = Literal["holdout", "treated"]
Measure = Literal["orders", "net", "margin"]

MEASURES: Final[tuple[Measure, ...]] = ("orders", "net", "margin")
LOW_BITS: Final = 32
"""Squares are kept as two counters, the low 32 bits and the rest, so that their sums over two million customers with up to
10^9 minor units each stay within the whole numbers that a counter keeps exactly (2^53)."""
CONTAMINATED: Final = "contaminated"


class Amounts(Struct, array_like=True, omit_defaults=True, gc=False):
    """Orders that count, their net revenue and their margin (minor units of the shop's currency)."""

    orders: int = 0
    net: int = 0
    margin: int = 0


class Window(Struct, frozen=True, gc=False):
    """Which orders of a customer belong to a comparison, relative to her first trigger, and what an amount may count.

    x counts orders placed in the `before_ms` up to it, y those in the `after_ms` from it on. Net and margin of a customer
    beyond +-`cap_minor` count as that (winsorising; 0: no cap): a cap chosen after the data were seen is a choice of result.
    """

    before_ms: int
    after_ms: int
    cap_minor: int = 0


class Exposure(Struct, omit_defaults=True, gc=False):
    """One customer in one comparison: her arm, since when, which orders belong to it, and their amounts.

    Orders placed in [from_ms, since_ms) are before, in [since_ms, until_ms) after; `cap_minor` is that of the window. While
    not `counted` the amounts are not known yet and nothing of her is in the sums. `contaminated`: she has been in the other
    arm too, later. `told` is what she has added to the sums so far (`part_of`).
    """

    arm: Arm
    since_ms: int
    from_ms: int
    until_ms: int
    cap_minor: int = 0
    counted: bool = False
    contaminated: bool = False
    before: Amounts = field(default_factory=Amounts)
    after: Amounts = field(default_factory=Amounts)
    told: list[int] = []


def assignment(salt: str, customer_id: str) -> float:
    """A number in [0, 1), the same for the same salt and customer on every machine.

    >>> assignment("holdout-1", "1")
    0.9134502743300085
    """
    return int.from_bytes(sha256(f"{salt}:{customer_id}".encode()).digest()[:8], "big") / 2**64


def begin(arm: Arm, since_ms: int, window: Window) -> Exposure:
    """The exposure of a customer whose first trigger of a comparison was decided at `since_ms`."""
    return Exposure(arm, since_ms, since_ms - window.before_ms, since_ms + window.after_ms, window.cap_minor)


def recount(exposure: Exposure, orders: Iterable[tuple[int, Amounts]]) -> None:
    """Take the amounts from all orders of the customer, (placed, amounts), whatever was counted before."""
    exposure.before, exposure.after, exposure.counted = Amounts(), Amounts(), True
    for placed_ms, amounts in orders:
        count_order(exposure, placed_ms, amounts)


def count_order(exposure: Exposure, placed_ms: int, change: Amounts, sign: int = 1) -> None:
    """Let an order that was placed at a time, or with `sign` -1 what it was until now, count on its side.

    A refund belongs to the side of its order. One that came after the first trigger, of goods bought before it, is on neither:
    the caller leaves it out.
    """
    if not exposure.from_ms <= placed_ms < exposure.until_ms:
        return
    side = exposure.after if placed_ms >= exposure.since_ms else exposure.before
    side.orders += sign * change.orders
    side.net += sign * change.net
    side.margin += sign * change.margin


def merge(into: Exposure, other: Exposure) -> None:
    """Two exposures of one customer in one comparison: contaminated if the arms differ; the earlier one holds, of two at one
    moment the held-out one.

    Her amounts must then be counted anew from the united ledger, since the sides may have moved.
    """
    into.contaminated = into.contaminated or other.contaminated or into.arm != other.arm
    if (other.since_ms, other.arm) < (into.since_ms, into.arm):
        into.arm = other.arm
        into.since_ms, into.from_ms, into.until_ms = other.since_ms, other.from_ms, other.until_ms
    into.counted = False


def part_of(exposure: Exposure) -> list[int]:
    """The customer's part in the sums as she stands: her arm and x, y of each measure, and 1 at the end if she is contaminated;
    empty while nothing is known.
    """
    if not exposure.counted:
        return []
    before, after, cap_minor = exposure.before, exposure.after, exposure.cap_minor
    part = [
        _ARMS.index(exposure.arm),
        before.orders,
        after.orders,
        _capped(before.net, cap_minor),
        _capped(after.net, cap_minor),
        _capped(before.margin, cap_minor),
        _capped(after.margin, cap_minor),
    ]
    if exposure.contaminated:
        part.append(1)
    return part


def tally(part: list[int]) -> Tally:
    """The counters of a part: "<arm>|customers|n", and for each measure "<arm>|<measure>|<sum>" with y, x and the squares
    y2, x2 and xy, each of these as .low and .high; "contaminated|customers|n" of who is.

    >>> tally([1, 0, 0, 3, 5, 0, 0])["treated|net|xy.low"]
    15
    """
    if not part:
        return {}
    contaminated = {f"{CONTAMINATED}|customers|n": 1}
    if part[0] == _LEFT_OUT:
        return contaminated
    arm = _ARMS[part[0]]
    counters: Tally = {f"{arm}|customers|n": 1}
    if len(part) > _PART:
        counters |= contaminated
    for place, measure in enumerate(MEASURES):
        x, y = part[1 + 2 * place], part[2 + 2 * place]
        for name, value in (("y", y), ("x", x)):
            if value:
                counters[f"{arm}|{measure}|{name}"] = value
        for name, product in (("y2", y * y), ("x2", x * x), ("xy", x * y)):
            if product:
                counters[f"{arm}|{measure}|{name}.low"] = product & _LOW
                counters[f"{arm}|{measure}|{name}.high"] = product >> LOW_BITS
    return {name: value for name, value in counters.items() if value}


_ARMS: Final[tuple[Arm, ...]] = ("holdout", "treated")
_PART: Final = 1 + 2 * len(MEASURES)
_LEFT_OUT: Final = len(_ARMS)
"""How parts of before told of who is contaminated: in neither arm. Her next change tells of her as she is counted now."""
_LOW: Final = (1 << LOW_BITS) - 1


def _capped(amount: int, cap_minor: int) -> int:
    return max(-cap_minor, min(cap_minor, amount)) if cap_minor else amount
