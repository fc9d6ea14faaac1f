"""Fits that must not be used are refused with a named reason, and what was good stays."""

import numpy as np
import pytest
from numpy.typing import NDArray

from profiles.value.absent import Absent
from profiles.value.model import Rejection, ValueModel
from profiles.value.timing import Timing
from streams.fitting import build, timing
from streams.fitting.build import FitPlan, fit_model
from streams.fitting.optimum import Objective, Optimum, Refused, maximise
from streams.fitting.population import CountsError, added, population_of
from streams.fitting.spend import fit_margin, fit_spend
from streams.fitting.timing import fit_timing
from tests.models import cdnow
from tests.models.simulator import counters_of, simulate

Floats = NDArray[np.float64]

PLAN = FitPlan(currency="USD", regularity=1)
TODAY = cdnow.CALIBRATED_UNTIL


@pytest.fixture(scope="module")
def fitted() -> ValueModel:
    return fit_model(cdnow.counters("sample"), TODAY, PLAN)


def refusal(objective: object, start: list[float]) -> Rejection:
    with pytest.raises(Refused) as refused:
        maximise(objective, np.array(start), 100, ("p",) * len(start))  # type: ignore[arg-type]  # any callable will do
    return refused.value.reason


def test_a_parameter_that_runs_away_is_too_large() -> None:
    assert refusal(lambda at: (float(np.log(at[0])), np.array([1.0 / at[0]])), [1.0]) is Rejection.TOO_LARGE


def test_a_parameter_that_vanishes_is_at_its_bound() -> None:
    assert refusal(lambda at: (-float(np.log(at[0])), np.array([-1.0 / at[0]])), [1.0]) is Rejection.AT_BOUND


def test_a_likelihood_that_is_no_number_is_not_finite() -> None:
    assert refusal(lambda at: (float("nan"), np.array([float("nan")])), [1.0]) is Rejection.NOT_FINITE


def test_a_search_that_stops_on_a_slope_has_not_converged() -> None:
    def broken(at: Floats) -> tuple[float, Floats]:
        """A gradient that points the wrong way: no step ever helps."""
        return -100.0 * float(np.log(at[0]) ** 2), np.array([200.0 * np.log(at[0]) / at[0]])

    assert refusal(broken, [3.0]) is Rejection.NOT_CONVERGED


def test_a_saddle_has_no_standard_errors() -> None:
    """Here the likelihood does not depend on the second parameter at all."""
    found = maximise(
        lambda at: (-50.0 * float(np.log(at[0]) ** 2), np.array([-100.0 * np.log(at[0]) / at[0], 0.0])),
        np.array([3.0, 1.0]),
        100,
        ("p", "q"),
    )

    assert found.parameters[0] == pytest.approx(1.0, rel=1e-4)
    assert found.standard_errors is None


def test_a_cohort_that_never_left_gives_no_chance_to_leave() -> None:
    """Customers who order every week for half a year: the data put no bound on a and b."""
    counters = {f"buyers|{26 - day // 7}|{day}|182": 40 for day in range(0, 70, 7)}

    with pytest.raises(Refused) as refused:
        fit_timing(population_of(counters), 182)
    assert refused.value.reason in {Rejection.TOO_LARGE, Rejection.AT_BOUND}


def test_too_few_repeat_buyers_are_named_as_such() -> None:
    counters = {"buyers|0|0|0": 900, "buyers|1|0|30": 49, "spend|1|100500": 49, "margin|1|100400": 49}
    population = population_of(counters)
    for fit in (fit_timing, fit_spend, fit_margin):
        with pytest.raises(Refused, match="49 customers"):
            fit(population, 200)


def test_the_last_good_fit_stays_where_the_new_one_is_refused(
    fitted: ValueModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> object:
        raise Refused(Rejection.WORSE_THAN_LAST, "it is")

    monkeypatch.setattr(build, "fit_timing", refuse)
    monkeypatch.setattr(build, "fit_spend", refuse)
    later = fit_model(cdnow.counters("sample", TODAY + 7), TODAY + 7, PLAN, fitted)

    assert later.timing == fitted.timing
    assert later.spend == fitted.spend
    assert [(kept.part, kept.reason) for kept in later.rejected] == [
        ("timing", Rejection.WORSE_THAN_LAST),
        ("spend", Rejection.WORSE_THAN_LAST),
    ]
    assert later.as_of_day == TODAY + 7
    assert later.timing is not None
    assert later.timing.as_of_day == TODAY


def test_what_orders_were_worth_in_another_currency_does_not_stay_where_the_new_fit_is_refused(
    fitted: ValueModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> object:
        raise Refused(Rejection.NOT_CONVERGED, "it did not")

    for fit in ("fit_timing", "fit_spend", "fit_margin"):
        monkeypatch.setattr(build, fit, refuse)
    later = fit_model(cdnow.counters("sample", TODAY + 7), TODAY + 7, FitPlan(currency="JPY"), fitted)

    assert later.timing == fitted.timing
    assert (later.currency, later.spend, later.margin) == ("JPY", None, None)


def test_parameters_that_explain_the_data_worse_than_the_last_are_refused(
    fitted: ValueModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that ends far from the top, as one would with a fault in it."""

    def astray(objective: Objective, start: Floats, size: int, names: tuple[str, ...]) -> Optimum:
        away = 1.5 * start
        return Optimum(away, objective(away)[0], None, 1)

    assert fitted.timing is not None
    monkeypatch.setattr(timing, "maximise", astray)
    with pytest.raises(Refused) as refused:
        fit_timing(cdnow.population("sample"), TODAY, last=fitted.timing.parameters)
    assert refused.value.reason is Rejection.WORSE_THAN_LAST
    assert "-9582.1" in refused.value.detail


def test_without_a_last_good_fit_there_are_rules_of_thumb(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> object:
        raise Refused(Rejection.NOT_CONVERGED, "it did not")

    monkeypatch.setattr(build, "fit_timing", refuse)
    model = fit_model(cdnow.counters("sample"), TODAY, PLAN)

    assert model.timing is None
    assert model.heuristic is not None
    assert model.heuristic.reason is Absent.NO_GOOD_FIT


def test_a_fit_begun_where_the_last_one_ended_ends_there(fitted: ValueModel) -> None:
    again = fit_model(cdnow.counters("sample"), TODAY, PLAN, fitted)

    assert again.rejected == ()
    assert again.timing is not None
    assert fitted.timing is not None
    assert again.timing.log_likelihood == pytest.approx(fitted.timing.log_likelihood, abs=1e-6)


@pytest.mark.parametrize(
    "buyers, days, reason",
    [(499, 300, Absent.FEW_BUYERS), (5_000, 179, Absent.SHORT_HISTORY)],
)
def test_thin_data_make_rules_of_thumb(buyers: int, days: int, reason: Absent) -> None:
    shop = simulate(Timing(r=0.9, alpha=5.0, a=0.7, b=2.2), buyers, 100, days, seed=1)
    x, last = shop.until(days)
    first_day = int(shop.first_day.min())
    counters = counters_of(x, shop.first_day - first_day, last - first_day, shop.log_gaps(days))
    model = fit_model(counters, days, PLAN)

    assert model.timing is None
    assert model.spend is None
    assert model.heuristic is not None
    assert model.heuristic.reason is reason
    assert model.heuristic.repeat_share == pytest.approx(((x > 0).sum() + 1) / (len(x) + 2))
    assert model.heuristic.interval_days == pytest.approx(np.exp(shop.log_gaps(days) / x.sum()), rel=1e-6)
    assert model.rejected == ()


def test_a_shop_without_buyers_has_a_model_that_says_so() -> None:
    model = fit_model({}, TODAY, PLAN)

    assert (model.buyers, model.first_day, model.rfm) == (0, None, None)
    assert model.heuristic is not None
    assert model.heuristic.reason is Absent.FEW_BUYERS


def test_the_regularity_is_fitted_on_request(fitted: ValueModel) -> None:
    model = fit_model(cdnow.counters("sample"), TODAY, FitPlan(currency="USD", regularity=None))

    assert fitted.timing is not None
    assert model.timing is not None
    assert model.timing.log_likelihood == pytest.approx(fitted.timing.log_likelihood, abs=1e-6)


def test_partitions_are_merged_by_addition() -> None:
    counters = cdnow.counters("sample")
    parts: list[dict[str, int]] = [{}, {}, {}]
    for place, (name, count) in enumerate(counters.items()):
        for part, share in zip(parts, (place % 3, 7, -place % 5), strict=True):
            part[name] = part.get(name, 0) + share
        parts[0][name] += count - sum(part[name] for part in parts)

    assert added(parts) == counters
    assert fit_model(added(parts), TODAY, PLAN).id == fit_model(counters, TODAY, PLAN).id


@pytest.mark.parametrize(
    "counters, what",
    [
        ({"buyers|0|1|1": -1}, r"'buyers\|0\|1\|1' is -1"),
        ({"buyers|0|1": 1}, r"'buyers\|0\|1' is not followed by 3"),
        ({"buyers|0|1|1": 1, "buyers|0|x|1": 1}, r"'buyers\|0\|x\|1' is not"),
        ({"buyers|0|1|1|mail|DE|more": 1}, r"ends in 'mail\|DE\|more'"),
        ({"buyers|0|1|1|mail": 1}, "ends in 'mail', which is no channel and country"),
        ({"value|1|2": 1}, r"'value\|1\|2' is not followed by 1"),
        ({"byers|0|1|1": 1}, "no kind"),
    ],
)
def test_counters_that_can_not_be_are_refused_by_name(counters: dict[str, int], what: str) -> None:
    with pytest.raises(CountsError, match=what):
        population_of(counters)


def test_kinds_of_counters_that_disagree_are_refused() -> None:
    counters = cdnow.counters("sample")
    for kind in ("value", "spend", "margin"):
        name = next(name for name in counters if name.startswith(kind))
        with pytest.raises(CountsError, match=f"`{kind}` hold"):
            fit_model({**counters, name: counters[name] + 1}, TODAY, PLAN)


def test_counters_of_others_are_passed_over() -> None:
    assert population_of({"customers": 7, "buyers|0|1|1": 2, "orders": 0}).buyers == 2
