"""What the value model foretells, and what became of what it would have foretold earlier.

The check needs no list of customers. Counters of buyers by (orders, first day, last day) at an earlier day T and now: whoever
stands where she stood then has not ordered since. So of each such group the share that came back is known, and is held
against the probability that a model fitted on the counters of T alone gives it. Orders of cohorts follow from the same
counters. (Orders that became known later than T for days before it count as having come since; a few cancellations, the reverse.)

Needs numpy and scipy (`regulars[fit]`); without them the section says so.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import Final

from msgspec import Struct

from profiles.months import month_of
from profiles.statistics import part_of
from profiles.value.absent import Absent
from profiles.value.alive import p_alive, p_order_within
from profiles.value.buckets import amount_of
from profiles.value.margin import mean_margin
from profiles.value.model import ValueModel
from profiles.value.orders import expected_orders
from profiles.value.spend import mean_spend
from profiles.value.tallies import read_buyer, read_mean
from profiles.value.timing import DAYS_PER_WEEK, Buyer, Timing
from profiles.value.worth import order_flow
from streams.reporting.missing import Missing
from streams.reporting.snapshot import Snapshot, month_name

HORIZON_DAYS: Final = 365
NO_FIT: Final = Missing("no_fit_installed", "predictions need numpy and scipy: pip install 'regulars[fit]'")
NO_EARLIER: Final = Missing(
    "no_earlier_counters",
    "give the counters of an earlier day with --earlier: what was foretold then is held against what came",
)
BANDS: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Bounds of the foretold probability between which customers are looked at together."""

Buyers = dict[tuple[int, int, int], dict[str, int]]
"""Customers by x, first and newest day, and among these by origin."""


class Outlook(Struct, frozen=True, tag=True):
    """What customers will bring on average within HORIZON_DAYS, from today on; minor units, discounted.

    `orders` per customer; `alive` is the mean probability that a customer has not left. `net` is the mean without the `unvalued`
    customers of whom the model can't say what an order brings. Null figures have their reason in `absent`.
    """

    customers: int
    orders: float
    net: float | None
    margin: float | None
    alive: float
    model: str
    unvalued: int = 0
    absent: dict[str, str] = {}


class Band(Struct, frozen=True):
    """Customers whose foretold probability lay within a band: how many, the mean foretold, and the share that came back."""

    low: float
    high: float
    customers: int
    foretold: float
    came: float


class CohortFit(Struct, frozen=True):
    """Orders after the first of one month's new customers since then: expected and actual."""

    month: str
    customers: int
    expected: float
    actual: int


class Check(Struct, frozen=True, tag=True):
    """The hold-out period: from the earlier day to today.

    `brier` is the mean squared error of the probabilities, `brier_of_mean` that of giving everybody the mean; `auc` how well
    they rank, `auc_of_recency` how well days since the last order alone would. `expected` and `actual` are orders of all.
    """

    days: int
    customers: int
    bands: list[Band]
    brier: float
    brier_of_mean: float
    calibration_error: float
    auc: float | None
    auc_of_recency: float | None
    expected: float
    actual: int
    cohorts: list[CohortFit]


def outlook(found: Snapshot) -> Outlook | Missing:
    """What is to come, by a model fitted on the counters of now."""
    model = _model(found.counters, found.today, found.currency)
    if isinstance(model, Missing):
        return model
    nets, margins = _expected_means(model, found.counters)
    customers, orders, net, margin, alive = 0, 0.0, 0.0, 0.0, 0.0
    unvalued: dict[Absent, int] = {}
    for (x, first, last), origins in _buyers(found.counters).items():
        buyer = _buyer(x, first, last, found.today)
        for timing, parts in _parts(model, origins):
            flow, count = order_flow(timing, buyer, HORIZON_DAYS, model.annual_discount), sum(parts.values())
            customers += count
            orders += count * flow.orders
            alive += count * p_alive(timing, buyer)
            for origin, of in parts.items():
                margin += flow.discounted * of * margins(x, origin)
                order_net = nets(x, origin)
                if isinstance(order_net, Absent):
                    unvalued[order_net] = unvalued.get(order_net, 0) + of
                else:
                    net += flow.discounted * of * order_net
    valued, absent = customers - sum(unvalued.values()), dict[str, str]()
    # Without a mean for those who bought once, that of the others would say nothing of the shop.
    nothing = [reason for reason in (Absent.NO_GOOD_FIT, Absent.NO_MEAN) if reason in unvalued]
    if nothing or not valued:
        absent["net"] = str(nothing[0] if nothing else Absent.NOT_POSITIVE)
    if model.margin is None:
        absent["margin"] = str(Absent.NO_GOOD_FIT)
    factor = 1.0 if model.calibration is None else model.calibration.overall
    return Outlook(
        customers=customers,
        orders=factor * orders / customers,
        net=None if "net" in absent else factor * net / valued,
        margin=None if "margin" in absent else factor * margin / customers,
        alive=alive / customers,
        model=model.id,
        unvalued=0 if "net" in absent else sum(unvalued.values()),
        absent=absent,
    )


def check(found: Snapshot) -> Check | Missing:
    """What a model of the earlier day foretold, and what came."""
    if found.earlier is None:
        return NO_EARLIER
    then, days = found.earlier.today, found.today - found.earlier.today
    if days < 1:
        return Missing("same_day", "the earlier counters are of today, or later; take some that are weeks old")
    model = _model(found.earlier.counters, then, found.currency)
    if isinstance(model, Missing):
        return model
    weeks = days / DAYS_PER_WEEK
    before, now = _buyers(found.earlier.counters), _buyers(found.counters)
    groups: list[tuple[float, int, int, int]] = []
    expected: dict[int, float] = {}
    sizes: dict[int, int] = {}
    for key, origins in before.items():
        x, first, last = key
        buyer = _buyer(x, first, last, then)
        parts, count = _parts(model, origins), sum(origins.values())
        # Who came is known of a key as a whole: a customer told another country meanwhile has left her origin and not come.
        came = max(0, count - sum(now.get(key, {}).values()))
        p = sum(sum(of.values()) * p_order_within(timing, buyer, weeks) for timing, of in parts) / count
        groups.append((p, then - last, count, came))
        month = month_of(first)
        orders = sum(sum(of.values()) * expected_orders(timing, buyer, weeks) for timing, of in parts)
        expected[month] = expected.get(month, 0.0) + orders
        sizes[month] = sizes.get(month, 0) + count
    actual = _repeats_by_month(now, then)
    earlier = _repeats_by_month(before, then)
    customers = sum(sizes.values())
    mean = sum(came for *_, came in groups) / customers
    bands = _bands(groups)
    return Check(
        days=days,
        customers=customers,
        bands=bands,
        brier=sum(came * (1 - p) ** 2 + (count - came) * p * p for p, _, count, came in groups) / customers,
        brier_of_mean=mean * (1 - mean),
        calibration_error=sum(band.customers * abs(band.foretold - band.came) for band in bands) / customers,
        auc=_auc([(p, count, came) for p, _, count, came in groups]),
        auc_of_recency=_auc([(-silent, count, came) for _, silent, count, came in groups]),
        expected=sum(expected.values()),
        actual=sum(actual.get(month, 0) - earlier.get(month, 0) for month in sizes),
        cohorts=[
            CohortFit(month_name(month), sizes[month], expected[month], actual.get(month, 0) - earlier.get(month, 0))
            for month in sorted(sizes)
        ],
    )


def _model(counters: Mapping[str, int], today: int, currency: str) -> ValueModel | Missing:
    if find_spec("scipy") is None:
        return NO_FIT
    from streams.fitting.build import FitPlan, fit_model
    from streams.fitting.population import CountsError

    try:
        model = fit_model(part_of(counters, "value"), today, FitPlan(currency=currency))
    except CountsError as error:
        return Missing("counters", f"{error}; compare them by `regulars audit`")
    if model.timing is None:
        reason = "no_good_fit" if model.heuristic is None else str(model.heuristic.reason)
        details = "; ".join(one.detail for one in model.rejected) or "a model wants more customers, or a longer time"
        return Missing(reason, details)
    return model


def _buyers(counters: Mapping[str, int]) -> Buyers:
    found: Buyers = {}
    for name, count in part_of(counters, "value").items():
        kind, _, key = name.partition("|")
        if kind == "buyers" and count > 0:
            x, first, last, origin = read_buyer(key)
            found.setdefault((x, first, last), {})[origin] = count
    return found


def _parts(model: ValueModel, origins: Mapping[str, int]) -> list[tuple[Timing, dict[str, int]]]:
    """How many of these customers, by origin, are foretold by which parameters of ordering."""
    segments: dict[str | None, dict[str, int]] = {}
    for origin, count in origins.items():
        segments.setdefault(model.segment_of(origin), {})[origin] = count
    found = []
    for inside in segments.values():
        timing = model.timing_of(next(iter(inside)))
        assert timing is not None, "only models with a fit of ordering come here"
        found.append((timing, inside))
    return found


def _buyer(x: int, first: int, last: int, today: int) -> Buyer:
    # A clock in the future: she is as old as her newest order.
    age = max(today, last) - first
    return Buyer(x, (last - first) / DAYS_PER_WEEK, age / DAYS_PER_WEEK)


def _expected_means(
    model: ValueModel, counters: Mapping[str, int]
) -> tuple[Callable[[int, str], float | Absent], Callable[[int, str], float]]:
    """Functions from x and origin to the expected net value and margin of an order, on average over such customers."""
    spends, margins = _means(counters, "spend"), _means(counters, "margin")

    # The mean of a group's expectations is the expectation at the group's mean: both models are linear in it.
    @cache
    def net(x: int, origin: str) -> float | Absent:
        spend = model.spend_of(origin)
        return Absent.NO_GOOD_FIT if spend is None else mean_spend(spend, x, spends.get((x, origin), 0.0))

    @cache
    def margin(x: int, origin: str) -> float:
        of_margin = model.margin_of(origin)
        return 0.0 if of_margin is None else mean_margin(of_margin, x, margins.get((x, origin), 0.0))

    return net, margin


def _means(counters: Mapping[str, int], kind: str) -> dict[tuple[int, str], float]:
    """The mean over customers of their mean value of an order after the first, by the number of these and by origin."""
    sums: dict[tuple[int, str], list[float]] = {}
    for name, count in part_of(counters, "value").items():
        found, _, key = name.partition("|")
        if found == kind:
            x, bucket, origin = read_mean(key)
            total = sums.setdefault((x, origin), [0.0, 0.0])
            total[0] += count * amount_of(bucket)
            total[1] += count
    return {place: amount / count for place, (amount, count) in sums.items() if count > 0}


def _repeats_by_month(buyers: Buyers, until: int) -> dict[int, int]:
    """Orders after the first, by the month of the first one, of those who had come until a day."""
    found: dict[int, int] = {}
    for (x, first, _), origins in buyers.items():
        if first <= until:
            month = month_of(first)
            found[month] = found.get(month, 0) + x * sum(origins.values())
    return found


def _bands(groups: list[tuple[float, int, int, int]]) -> list[Band]:
    bands = []
    for low, high in pairwise(BANDS):
        inside = [
            (p, count, came) for p, _, count, came in groups if low <= p < high or (high == BANDS[-1] and p == high)
        ]
        customers = sum(count for _, count, _ in inside)
        if customers:
            foretold = sum(p * count for p, count, _ in inside) / customers
            bands.append(Band(low, high, customers, foretold, sum(came for *_, came in inside) / customers))
    return bands


def _auc(scored: list[tuple[float, int, int]]) -> float | None:
    """The chance that one who came back had the higher score than one who did not, ties half; None without either."""
    came, stayed = sum(one for *_, one in scored), sum(count - one for _, count, one in scored)
    if not came or not stayed:
        return None
    by_score: dict[float, list[int]] = {}
    for score, count, one in scored:
        total = by_score.setdefault(score, [0, 0])
        total[0] += one
        total[1] += count - one
    below, wins = 0, 0.0
    for _, (ones, others) in sorted(by_score.items()):
        wins += ones * (below + others / 2)
        below += others
    return wins / (came * stayed)
