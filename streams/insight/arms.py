"""The sums of one arm of an experiment, and the moments that follow from them."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from profiles.exposures import PREFIX
from profiles.insight.experiment import CONTAMINATED, LOW_BITS, Arm, Measure


class ArmSums(Struct, frozen=True):
    """Customers and sums over them: y after, x before, in minor units (or any unit); exact as long as they are integers.

    `share`: y is 1 or 0 for each customer, and its variance is that of a share, p (1 - p).
    """

    n: int
    y: float
    y2: float
    x: float = 0
    x2: float = 0
    xy: float = 0
    share: bool = False

    @property
    def mean(self) -> float:
        return self.y / self.n

    @property
    def mean_before(self) -> float:
        return self.x / self.n

    @property
    def variance(self) -> float:
        """Of y over customers, with n - 1 unless it is a share's."""
        if self.share:
            return self.mean * (1 - self.mean)
        return _spread(self.y2, self.y, self.y, self.n)

    @property
    def variance_before(self) -> float:
        return _spread(self.x2, self.x, self.x, self.n)

    @property
    def covariance(self) -> float:
        return _spread(self.xy, self.x, self.y, self.n)


def arm_sums(counters: Mapping[str, int], group: str, measure: Measure, arm: Arm) -> ArmSums:
    """The sums of an arm of a comparison from the population's counters (see `profiles.insight.experiment.tally`)."""
    place = f"{PREFIX}:{group}|{arm}"

    def wide(name: str) -> int:
        sums = f"{place}|{measure}|{name}"
        return (counters.get(f"{sums}.high", 0) << LOW_BITS) + counters.get(f"{sums}.low", 0)

    return ArmSums(
        n=counters.get(f"{place}|customers|n", 0),
        y=counters.get(f"{place}|{measure}|y", 0),
        y2=wide("y2"),
        x=counters.get(f"{place}|{measure}|x", 0),
        x2=wide("x2"),
        xy=wide("xy"),
    )


def contaminated(counters: Mapping[str, int], group: str) -> int:
    """Customers who were in both arms of a comparison; they count in the first."""
    return counters.get(f"{PREFIX}:{group}|{CONTAMINATED}|customers|n", 0)


def compared_groups(counters: Mapping[str, int]) -> set[str]:
    """The comparisons that the counters hold anything of."""
    return {name.removeprefix(_START).rsplit("|", 3)[0] for name in counters if name.startswith(_START)}


_START: Final = f"{PREFIX}:"


def proportion(successes: int, n: int) -> ArmSums:
    """An arm whose y is 1 for some customers (bought, came back) and 0 for the others."""
    return ArmSums(n, successes, successes, share=True)


def _spread(products: float, a: float, b: float, n: int) -> float:
    # n * sum(ab) - sum(a) sum(b) first: exact for integers, where subtracting two large quotients would lose digits.
    return (n * products - a * b) / n / (n - 1)
