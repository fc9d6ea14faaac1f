"""What a page says of a comparison, computed anew from the customers themselves by numpy, scipy and a bootstrap; and how
often it cries wolf in a shop of rare buyers, few of whom are held out.
"""

from math import log, sqrt

import numpy as np
import pytest
from scipy import stats

from profiles.insight.experiment import Amounts, Arm, Window, begin, merge, part_of, recount, tally
from profiles.insight.tallies import Tally, add
from profiles.rules import DAY_MS
from streams.commands.report_tables import difference as shown
from streams.commands.report_tables import in_both_arms
from streams.insight.effect import Estimate
from streams.insight.trigger_effects import Effect, effects
from tests.core.test_trigger_effects import SINCE, customers, plan

DRAWS = 2_000
ARMS: tuple[Arm, Arm] = ("treated", "holdout")


def rare_buyers(random: np.random.Generator, size: int, buying: float) -> np.ndarray:
    """Cents of customers of whom a share `buying` orders at all, a few of them very much."""
    return np.where(random.random(size) < buying, random.lognormal(8, 1, size).round(), 0.0)


def counted(arm: str, x: np.ndarray, y: np.ndarray) -> Tally:
    """The counters of an arm of the comparison "g", from what its customers brought before (x) and after (y)."""
    sums = {"y": y, "x": x, "y2.low": y * y, "x2.low": x * x, "xy.low": x * y}
    named = {f"effect:g|{arm}|net|{name}": round(values.sum()) for name, values in sums.items()}
    return named | {f"effect:g|{arm}|customers|n": len(y)}


def judged(x: np.ndarray, y: np.ndarray, held: np.ndarray, share: float) -> Effect:
    counters = counted("holdout", x[held], y[held]) | counted("treated", x[~held], y[~held])
    return effects(counters, [plan("g", share)])[0]


def always(error: float, customers: int) -> float:
    """Half of the always-valid interval: Waudby-Smith et al. 2021, equation 9, written out."""
    rho2 = (-2 * log(0.05) + log(-2 * log(0.05) + 1)) / 5_000
    return error * sqrt(2 * (customers * rho2 + 1) / (customers * rho2) * log(sqrt(customers * rho2 + 1) / 0.05))


def test_what_a_page_says_is_what_the_customers_themselves_say() -> None:
    random = np.random.default_rng(11)
    x = {"holdout": rare_buyers(random, 300, 0.4), "treated": rare_buyers(random, 900, 0.4)}
    y = {arm: (0.5 * past + rare_buyers(random, len(past), 0.5)).round() for arm, past in x.items()}
    y["treated"] = y["treated"] + 600
    counters = customers("g", "holdout", x["holdout"], y["holdout"])
    counters |= customers("g", "treated", x["treated"], y["treated"])
    (effect,) = effects(counters, [plan("g", 0.25)])
    found = effect.of("net").estimate
    assert isinstance(found, Estimate)

    past, later = np.concatenate(list(x.values())), np.concatenate(list(y.values()))
    slope = stats.linregress(past, later).slope
    left = {arm: y[arm] - slope * (x[arm] - past.mean()) for arm in x}
    welch = stats.ttest_ind(left["treated"], left["holdout"], equal_var=False)
    pooled = stats.ttest_ind(left["treated"], left["holdout"])
    told = left["treated"].mean() - left["holdout"].mean()
    interval = welch.confidence_interval()
    assert (found.difference, found.p) == pytest.approx((told, welch.pvalue))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))

    # It is as wide as the wider of the two errors says; the difference over its statistic is the error, by scipy.
    half = always(max(told / welch.statistic, told / pooled.statistic), 1_200)
    assert (found.low_always, found.high_always) == pytest.approx((told - half, told + half))
    assert shown(effect, "net", "EUR") == (
        f"{told / 100:+.2f}",
        f"{(told - half) / 100:+.2f} to {(told + half) / 100:+.2f}",
    )

    drawn = [
        random.choice(left["treated"], 900).mean() - random.choice(left["holdout"], 300).mean() for _ in range(DRAWS)
    ]
    assert found.standard_error == pytest.approx(np.std(drawn), rel=0.05)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.15 * np.std(drawn))


@pytest.mark.parametrize("share, buying", [(0.05, 0.05), (0.1, 0.05), (0.05, 0.3)])
def test_few_held_out_of_rare_buyers_make_no_more_false_alarms_however_often_one_looks(
    share: float, buying: float
) -> None:
    random, runs = np.random.default_rng(12), 60
    alarms = {"found": 0, "not_believed": 0}
    for _ in range(runs):
        held = random.random(3_000) < share
        x, y = rare_buyers(random, 3_000, buying), rare_buyers(random, 3_000, buying)
        looks = [judged(x[:n], y[:n], held[:n], share).standing for n in np.linspace(10, 3_000, 13).astype(int)]
        for standing in alarms:
            alarms[standing] += standing in looks

    assert alarms["found"] <= 0.05 * runs
    assert alarms["not_believed"] <= 0.05 * runs


def test_customers_of_two_profiles_are_compared_as_first_drawn() -> None:
    """Who has two profiles buys more here and gets nothing out of any message; each profile is dealt its own arm."""
    random = np.random.default_rng(13)
    counters: Tally = {}
    for _ in range(6_000):
        twice, arms = random.random() < 0.3, [ARMS[random.random() < 0.1] for _ in range(2)]
        orders = [(SINCE, Amounts(1, round(random.gamma(2, 3_000 if twice else 1_000)), 0))]
        exposures = [begin(arm, SINCE - place, Window(182 * DAY_MS, 90 * DAY_MS)) for place, arm in enumerate(arms)]
        if twice:
            merge(*exposures)
        recount(exposures[0], orders)
        add(counters, tally(part_of(exposures[0])))
    (effect,) = effects({f"effect:g|{name}": value for name, value in counters.items()}, [plan("g", 0.1)])

    assert effect.standing == "not_found"
    assert effect.holdout + effect.treated == 6_000
    assert in_both_arms([effect])[0].startswith(f"g: {effect.contaminated} customers were in both arms")
    assert effect.contaminated == pytest.approx(6_000 * 0.3 * 2 * 0.1 * 0.9, rel=0.15)
    estimate = effect.of("net").plain
    assert isinstance(estimate, Estimate)
    assert estimate.low < 0 < estimate.high
