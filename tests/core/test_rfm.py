"""RFM: cuts from counters against exact ones, and scores."""

import numpy as np
import pytest

from profiles.insight import rfm
from profiles.insight.log_histogram import bucket
from profiles.insight.tallies import Tally, add, difference
from tests.core.shop_data import journey_lines

NEW_YEAR = 365
"""2018-01-01, counted like the days of the data."""


def fifths(values: np.ndarray, cuts: tuple[float, ...]) -> np.ndarray:
    return np.searchsorted(np.array(cuts), values, side="left")


def test_a_real_grocers_cuts_agree_with_the_exact_ones() -> None:
    lines = journey_lines()
    households = lines.groupby("household_id").agg(
        orders=("basket_id", "nunique"), cents=("cents", "sum"), last=("day", "max"), stamp=("stamp", "max")
    )
    counters: Tally = {}
    for orders, cents, last in households[["orders", "cents", "last"]].itertuples(index=False, name=None):
        add(counters, rfm.contribution(int(last), int(orders), int(cents)))
    cuts = rfm.read_cuts(counters, NEW_YEAR)
    assert cuts is not None

    ranked = np.quantile(households.cents, rfm.FIFTHS, method="inverted_cdf")
    assert cuts.frequency == pytest.approx((16, 32, 55, 95))
    assert cuts.monetary_minor == pytest.approx(tuple(ranked), rel=0.005)

    # The usual cuts lie between two customers; hardly anybody falls between them and the ranked ones.
    exact = tuple(np.quantile(households.cents, rfm.FIFTHS) / 100)
    assert exact == pytest.approx((356.504, 871.992, 1628.476, 2985.718))
    monetary = fifths(households.cents.to_numpy(), cuts.monetary_minor)
    assert np.mean(monetary == fifths(households.cents.to_numpy() / 100, exact)) >= 0.99
    frequency = fifths(households.orders.to_numpy(), cuts.frequency)
    assert np.mean(frequency == fifths(households.orders.to_numpy(), (16, 32, 55, 95))) == 1.0

    days = NEW_YEAR - households["last"].to_numpy()
    wanted = tuple(np.quantile(days, rfm.FIFTHS, method="inverted_cdf"))
    assert cuts.recency_days == wanted
    # By the minute, from the end of that day (midnight UTC) on, they are these.
    assert np.allclose(wanted, (1.9885, 4.1732, 10.0777, 25.9913), atol=0.2)


def test_a_customer_is_scored_by_where_she_stands() -> None:
    cuts = rfm.Cuts(100, (2.0, 4.0, 10.0, 26.0), (16.0, 32.0, 55.0, 95.0), (1e4, 2e4, 3e4, 4e4))

    assert rfm.scores(cuts, 98, 96, 40_001) == rfm.Scores(5, 5, 5)
    assert rfm.scores(cuts, 97, 95, 40_000) == rfm.Scores(4, 4, 4)
    assert rfm.scores(cuts, 0, 1, -500) == rfm.Scores(1, 1, 1)


def test_who_never_ordered_is_in_no_histogram() -> None:
    assert rfm.contribution(None, 0, 0) == {}
    assert rfm.read_cuts({}, 5) is None


def test_an_order_moves_a_customer_between_buckets_and_nobody_else() -> None:
    counters: Tally = {}
    add(counters, rfm.contribution(10, 1, 500))
    add(counters, rfm.contribution(20, 2, 900))
    add(counters, difference(rfm.contribution(30, 2, 700), rfm.contribution(10, 1, 500)))

    assert counters == {"last.20": 1, "last.30": 1, "orders.2": 2, **{f"net.{bucket(v)}": 1 for v in (700, 900)}}
