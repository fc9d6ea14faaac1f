"""Fits and predictions on CDNOW against published estimates (BTYD, CLVTools, BTYDplus, the papers) and independent ones.

Everything goes the way it goes in a shop: days -> histories -> counters -> population -> fit -> prediction.
"""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from profiles.value.orders import expected_orders
from profiles.value.spend import mean_spend
from profiles.value.timing import Buyer, Family, Timing
from streams.fitting.build import FitPlan, fit_model
from streams.fitting.calibration import calibrated
from streams.fitting.spend import fit_spend, fit_spend_rows
from streams.fitting.timing import fit_regular_timing, fit_timing
from tests.models import cdnow
from tests.models.pareto_nbd import ParetoNbd

Floats = NDArray[np.float64]


def predicted(model: Timing, name: str, weeks: float = 39.0) -> Floats:
    rows = cdnow.buyers(name)
    return np.array(
        [
            expected_orders(model, Buyer(x, t_x, age), weeks)
            for x, t_x, age in zip(rows.x.tolist(), rows.t_x.tolist(), rows.age.tolist(), strict=True)
        ]
    )


def test_the_data_are_the_published_ones() -> None:
    days, rows = cdnow.purchase_days("master"), cdnow.buyers("master")

    assert (len(days), days["customer"].nunique(), int(days["cents"].sum())) == (67_591, 23_570, 250_031_563)
    assert int(rows.holdout_orders.sum()) == 19_684
    assert float(rows.holdout_dollars.sum()) == pytest.approx(776_961.13, abs=0.005)
    assert cdnow.population("master").buyers == 23_570


@pytest.mark.parametrize(
    "name, family, parameters, log_likelihood",
    [
        ("sample", "bg_nbd", (0.242595, 4.413602, 0.792922, 2.425907), -9582.429207),
        ("sample", "mbg_nbd", (0.524843, 6.183085, 0.891359, 1.614002), -9582.135716),
        ("master", "bg_nbd", (0.251624, 4.788943, 0.723434, 2.161088), -95368.4439),
        ("master", "mbg_nbd", (0.637140, 7.310290, 0.807474, 1.228394), -95336.9583),
    ],
)
def test_fits_find_the_known_maximum(
    name: str, family: Family, parameters: tuple[float, ...], log_likelihood: float
) -> None:
    fit = fit_timing(cdnow.population(name), cdnow.CALIBRATED_UNTIL, family)
    found = fit.parameters

    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-4)
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx(parameters, rel=1e-5)


def test_standard_errors_are_those_of_lifetimes_documentation() -> None:
    """Its page "Quickstart" prints them for the same data with times rounded to two decimals."""
    errors = fit_timing(cdnow.population("sample"), cdnow.CALIBRATED_UNTIL, "bg_nbd").standard_errors

    expected = {"r": 0.012557, "alpha": 0.378221, "a": 0.185719, "b": 0.705345}
    assert errors == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize(
    "name, family, total, mean_error, root_error, correlation",
    [
        ("master", "bg_nbd", 16873.7, 0.8187, 1.7329, 0.6688),
        ("master", "mbg_nbd", 15933.6, 0.7945, 1.7396, 0.6696),
        ("sample", "bg_nbd", 1653.4, 0.7855, 1.6080, 0.6256),
        ("sample", "mbg_nbd", 1576.7, 0.7648, 1.6072, 0.6273),
    ],
)
def test_predictions_of_the_next_39_weeks_are_as_good_as_known(
    name: str, family: Family, total: float, mean_error: float, root_error: float, correlation: float
) -> None:
    fit = fit_timing(cdnow.population(name), cdnow.CALIBRATED_UNTIL, family)
    orders, actual = predicted(fit.parameters, name), cdnow.buyers(name).holdout_orders

    assert orders.sum() == pytest.approx(total, abs=0.1)
    assert np.abs(orders - actual).mean() == pytest.approx(mean_error, abs=1e-4)
    assert np.sqrt(((orders - actual) ** 2).mean()) == pytest.approx(root_error, abs=1e-4)
    assert np.corrcoef(orders, actual)[0, 1] == pytest.approx(correlation, abs=1e-4)


def test_expected_orders_by_earlier_frequency_are_those_of_the_paper() -> None:
    """Fader, Hardie & Lee 2005, figure 4, as BTYD prints it: customers with 0, 1, ... 6 and more repeat orders."""
    fit = fit_timing(cdnow.population("sample"), cdnow.CALIBRATED_UNTIL, "bg_nbd")
    orders, rows = predicted(fit.parameters, "sample"), cdnow.buyers("sample")
    group = np.minimum(rows.x, 7)

    assert np.bincount(group).tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    expected = [0.22509, 0.52314, 1.04413, 1.52026, 2.16382, 2.65379, 3.50396, 6.15704]
    assert np.bincount(group, orders) / np.bincount(group) == pytest.approx(expected, rel=5e-5)
    actual = [0.23671, 0.69704, 1.39252, 1.56000, 2.53226, 2.94737, 3.86207, 6.35938]
    assert np.bincount(group, rows.holdout_orders) / np.bincount(group) == pytest.approx(actual, abs=5e-6)


def test_the_default_model_ranks_customers_as_well_as_pareto_nbd() -> None:
    rows = cdnow.buyers("master")
    pareto = ParetoNbd(r=0.597420, alpha=11.585656, s=0.522186, beta=8.827762)
    other = pareto.expected_orders(rows.x.astype(np.float64), rows.t_x, rows.age, 39.0)
    ours = predicted(fit_timing(cdnow.population("master"), cdnow.CALIBRATED_UNTIL).parameters, "master")

    assert other.sum() == pytest.approx(17153.2, abs=0.1)
    correlations = [np.corrcoef(orders, rows.holdout_orders)[0, 1] for orders in (ours, other)]
    assert correlations[0] > correlations[1] - 0.002


def test_record_buyers_are_not_regular() -> None:
    fit = fit_regular_timing(cdnow.population("master"), cdnow.CALIBRATED_UNTIL)

    assert fit.parameters.regularity == 1
    assert fit.log_likelihood == pytest.approx(-95336.9583, abs=1e-3)


@pytest.mark.parametrize(
    "name, parameters, log_likelihood, customers",
    [
        ("sample", (6.249572, 3.744225, 15.443523), -4055.917695, 946),
        ("master", (6.275359, 3.624450, 14.983687), -40763.4763, 9450),
    ],
)
def test_spend_fits_find_the_known_maximum(
    name: str, parameters: tuple[float, ...], log_likelihood: float, customers: int
) -> None:
    rows = cdnow.buyers(name)
    spent = rows.repeat_dollars > 0
    x = rows.x[spent]
    fit = fit_spend_rows(x, rows.repeat_dollars[spent] / x, np.ones_like(x), cdnow.CALIBRATED_UNTIL)
    found = fit.parameters

    assert fit.customers == customers
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-4)
    assert (found.p, found.q, found.v) == pytest.approx(parameters, rel=1e-5)


def test_counting_spend_in_buckets_of_one_per_cent_costs_next_to_nothing() -> None:
    """Against the fit of every customer's exact mean: what `streams.fitting.spend` says it costs."""
    rows = cdnow.buyers("master")
    spent = rows.repeat_dollars > 0
    x, means = rows.x[spent], rows.repeat_dollars[spent] / rows.x[spent]
    exact = fit_spend_rows(x, means, np.ones_like(x), cdnow.CALIBRATED_UNTIL)
    counted = fit_spend(cdnow.population("master"), cdnow.CALIBRATED_UNTIL)
    loss = exact.log_likelihood - (counted.log_likelihood + counted.customers * np.log(100.0))

    assert 0.0 < abs(loss) < 0.9
    assert counted.parameters.p == pytest.approx(exact.parameters.p, rel=3e-3)
    assert counted.parameters.p == pytest.approx(exact.parameters.p, abs=0.05 * exact.standard_errors["p"])
    for count, mean in ((0, 0.0), (1, 11.77), (2, 22.35), (7, 73.74), (20, 25.0)):
        cents, dollars = mean_spend(counted.parameters, count, 100 * mean), mean_spend(exact.parameters, count, mean)
        assert float(cents) / 100 == pytest.approx(float(dollars), rel=1e-3)


def test_spend_and_frequency_hardly_correlate_and_the_fit_says_so() -> None:
    assert fit_spend(cdnow.population("master"), 0).correlation == pytest.approx(0.080, abs=5e-4)
    assert fit_spend(cdnow.population("master"), 0).left_out == 1


def test_predicted_spend_is_as_good_as_known() -> None:
    """Orders by MBG/NBD times value by Gamma-Gamma, over the 39 weeks of the holdout."""
    rows = cdnow.buyers("master")
    orders = predicted(fit_timing(cdnow.population("master"), cdnow.CALIBRATED_UNTIL).parameters, "master")
    spend = fit_spend(cdnow.population("master"), cdnow.CALIBRATED_UNTIL).parameters
    means = (100 * rows.repeat_dollars / np.maximum(rows.x, 1)).tolist()
    values = [
        float(mean_spend(spend, x, mean) if x == 0 or mean > 0 else 0.0) / 100
        for x, mean in zip(rows.x.tolist(), means, strict=True)
    ]
    spent = orders * np.array(values)

    assert spent.sum() == pytest.approx(606_654.73, rel=0.005)
    assert np.abs(spent - rows.holdout_dollars).mean() == pytest.approx(31.841, rel=0.005)
    best_tenth = np.argsort(-spent)[: len(spent) // 10]
    assert rows.holdout_dollars[best_tenth].sum() / rows.holdout_dollars.sum() == pytest.approx(0.516, abs=0.005)


def test_totals_are_recalibrated_by_cohort() -> None:
    """The model is a fifth too low for CDNOW's next 39 weeks; the outlook noted with it says so when they are over."""
    model = fit_model(cdnow.counters("master"), cdnow.CALIBRATED_UNTIL, FitPlan(currency="USD", regularity=1))
    assert model.outlook is not None
    later = cdnow.population("master", cdnow.HOLDOUT_UNTIL)
    calibration = calibrated(model.outlook, later, cdnow.HOLDOUT_UNTIL)

    assert calibration is not None
    assert calibration.overall == pytest.approx(19_684 / 15_933.6, rel=0.005)
    days = cdnow.purchase_days("master")
    month = pd.to_datetime(days.groupby("customer")["day"].transform("min"), unit="D").dt.month
    for number, cohort in enumerate(("1997-01", "1997-02", "1997-03"), 1):
        bought = days[(month == number) & (days["day"] > cdnow.CALIBRATED_UNTIL)]
        expected = model.outlook.cohorts[cohort].expected[-2] * calibration.cohorts[cohort]
        assert expected == pytest.approx(len(bought), rel=0.01)
