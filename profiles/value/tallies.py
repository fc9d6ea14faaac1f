"""What one customer adds to the counts that the value models are fitted from, and the report is made from.

Every counter is a whole number, so a change of a customer is "take the old ones away, add the new ones", exact in every order,
and partitions are added up. A counter's name is its kind and its key, joined by bars:

- `buyers|x|first|last`: customers by purchases after the first, first and newest purchase day. All that timing needs.
- `gaps`: the sum of ln(days between purchases) in millionths. Only comparing regularities needs it.
- `spend|x|bucket`: customers with x >= 1 by their mean net value per purchase after the first.
- `margin|x|bucket`: the same of the margin.
- `spread|bucket`: customers with x >= 2 by the sum of squared deviations of their margins from their own mean.
- `value|bucket`: customers by total net value.
- `net|x|last`: the sum of total net values (minor units) of the customers of `buyers` with this x and newest day.

Where a customer's origin is known (`profiles.value.origin`) it follows in `buyers`, `spend`, `margin` and `spread`, so that
parts of the shop can be told apart: `buyers|x|first|last|channel|country`, the channel left out for direct.

Buckets are those of `profiles.value.buckets`. A change touches twelve counters at most.
"""

from typing import Final

from profiles.value.buckets import bucket_of
from profiles.value.history import History

KINDS: Final = ("buyers", "gaps", "margin", "net", "spend", "spread", "value")
"""The kinds of counters."""


def read_buyer(key: str) -> tuple[int, int, int, str]:
    """x, first day, newest day and origin of a counter of `buyers`, from what follows its kind.

    >>> read_buyer("1|100|107|mail|DE"), read_buyer("0|100|100")
    ((1, 100, 107, 'mail|DE'), (0, 100, 100, ''))
    """
    x, first, last, *origin = key.split("|", 3)
    return int(x), int(first), int(last), origin[0] if origin else ""


def read_mean(key: str) -> tuple[int, int, str]:
    """x, bucket and origin of a counter of `spend` or `margin`.

    >>> read_mean("2|100833||DE"), read_mean("2|100833")
    ((2, 100833, '|DE'), (2, 100833, ''))
    """
    x, bucket, *origin = key.split("|", 2)
    return int(x), int(bucket), origin[0] if origin else ""


def tallies(history: History | None, origin: str = "") -> dict[str, int]:
    """The counters of one customer; none for somebody without a purchase.

    >>> tallies(History(x=1, first_day=100, last_day=107, net_minor=9000, first_net_minor=5000, log_gaps=1945910))
    {'buyers|1|100|107': 1, 'value|100915': 1, 'net|1|107': 9000, 'gaps': 1945910, 'spend|1|100833': 1, 'margin|1|0': 1}
    """
    if history is None:
        return {}
    x, of = history.x, f"|{origin}" if origin else ""
    counters = {
        f"buyers|{x}|{history.first_day}|{history.last_day}{of}": 1,
        f"value|{bucket_of(history.net_minor)}": 1,
    }
    if history.net_minor:
        counters[f"net|{x}|{history.last_day}"] = history.net_minor
    if x:
        if history.log_gaps:
            counters["gaps"] = history.log_gaps
        margin = history.repeat_margin_minor
        counters[f"spend|{x}|{bucket_of(history.repeat_net_minor / x)}{of}"] = 1
        counters[f"margin|{x}|{bucket_of(margin / x)}{of}"] = 1
        # x times the sum of squared deviations, in whole numbers, so that equal margins leave exactly nothing.
        spread = x * history.margin_squares - margin * margin
        if spread > 0:
            counters[f"spread|{bucket_of(spread / x)}{of}"] = 1
    return counters


def tally_change(
    before: History | None, after: History | None, origin_before: str = "", origin: str = ""
) -> dict[str, int]:
    """What to add to the counters when a customer's history or origin changes; nothing for counters that stay."""
    change = tallies(after, origin)
    for name, count in tallies(before, origin_before).items():
        left = change.get(name, 0) - count
        if left:
            change[name] = left
        else:
            del change[name]
    return change
