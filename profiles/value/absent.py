"""Why a number is not there: the closed set of reasons that stand where a NaN, an infinity or a silent zero would be."""

from enum import StrEnum
from typing import Final, TypeVar

T = TypeVar("T")


class Absent(StrEnum):
    """A reason for a missing figure. The values are stable: they stand in profile documents."""

    NO_ORDERS = "no_orders"
    FEW_BUYERS = "few_buyers"
    SHORT_HISTORY = "short_history"
    NO_GOOD_FIT = "no_good_fit"
    HEURISTIC = "heuristic"
    NEVER = "never"
    ALREADY = "already"
    PROBABLY_GONE = "probably_gone"
    TOO_FAR = "too_far"
    NOT_POSITIVE = "not_positive"
    NO_MEAN = "no_mean"


MEANINGS: Final = {
    Absent.NO_ORDERS: "She has not ordered yet, and these models begin with the first order.",
    Absent.FEW_BUYERS: "Too few customers have ordered for a fit.",
    Absent.SHORT_HISTORY: "The shop's history is too short for a fit.",
    Absent.NO_GOOD_FIT: "There were enough data, but no fit was good enough to be used.",
    Absent.HEURISTIC: "Rules of thumb stand in for a model here, and they have no such figure.",
    Absent.NEVER: "By this model it never happens.",
    Absent.ALREADY: "It was so from the moment of her newest order.",
    Absent.PROBABLY_GONE: "She is more likely gone for good than not, so a date would mislead.",
    Absent.TOO_FAR: "It lies more than two years ahead, further than anything that is known of her.",
    Absent.NOT_POSITIVE: "What she spent after her first order is not above zero, which this model of spend can't describe.",
    Absent.NO_MEAN: "Spend differs so much between customers that an average of it does not exist (q <= 1).",
}
"""What each reason means, for people."""


def present(name: str, figure: T | Absent, absent: dict[str, Absent]) -> T | None:
    """The figure, or None with its reason noted in `absent` under its name."""
    if isinstance(figure, Absent):
        absent[name] = figure
        return None
    return figure
