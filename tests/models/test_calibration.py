"""Outlooks and what became of them; RFM cut points."""

import numpy as np
import pytest

from profiles.models import Models, named
from profiles.standing import tier_limits, tier_of
from profiles.value.buckets import bucket_of, largest_of
from profiles.value.forecast import cohort_of
from profiles.value.history import history_of
from profiles.value.model import CohortOutlook, Outlook
from profiles.value.orders import expected_orders
from profiles.value.rfm import rfm_cell
from profiles.value.tallies import tallies
from profiles.value.timing import Buyer, Family, Timing
from streams.fitting.build import FitPlan, fit_model
from streams.fitting.calibration import OUTLOOK_DAYS, SHRINKAGE_ORDERS, calibrated, outlook_of
from streams.fitting.cuts import rfm_cuts
from streams.fitting.expected import expected_orders_of
from streams.fitting.population import population_of
from tests.models import cdnow
from tests.stories.customers import shop_that_learned

MODEL = Timing(r=0.5, alpha=6.0, a=0.9, b=1.6)
# Days since 1970: 2026-01-05, 2026-02-01, 2026-03-02.
JANUARY, FEBRUARY, MARCH = 20_458, 20_485, 20_514


def noted(january: float, february: float) -> Outlook:
    return Outlook(
        as_of_day=MARCH,
        days=(30, 60),
        cohorts={
            "2026-01": CohortOutlook(100, (january, 2 * january)),
            "2026-02": CohortOutlook(10, (february, 2 * february)),
            "2026-03": CohortOutlook(0, (5.0, 9.0)),
        },
    )


def test_an_outlook_is_the_sum_of_what_is_expected_of_each() -> None:
    population = population_of(
        {f"buyers|2|{JANUARY}|{JANUARY + 14}": 3, f"buyers|0|{JANUARY}|{JANUARY}": 5, f"buyers|1|{FEBRUARY}|{MARCH}": 1}
    )
    outlook = outlook_of([(population, MODEL)], MARCH)
    age = (MARCH - JANUARY) / 7
    january = 3 * expected_orders(MODEL, Buyer(2, 2.0, age), 90 / 7) + 5 * expected_orders(
        MODEL, Buyer(0, 0.0, age), 90 / 7
    )

    assert (outlook.as_of_day, outlook.days) == (MARCH, OUTLOOK_DAYS)
    assert outlook.cohorts["2026-01"].orders == 6
    assert outlook.cohorts["2026-01"].expected[OUTLOOK_DAYS.index(90)] == pytest.approx(january, rel=1e-8)
    assert outlook.cohorts["2026-02"].orders == 1


@pytest.mark.parametrize("family", ["bg_nbd", "mbg_nbd"])
@pytest.mark.parametrize("a, b", [(0.4, 2.4), (1.0, 2.4), (1.7, 2.4), (6_000.0, 9_000.0)])
def test_what_is_expected_of_many_at_once_is_what_is_expected_of_each(family: Family, a: float, b: float) -> None:
    """Regulars of hundreds of orders and customers of an hour among them."""
    model = Timing(family=family, r=0.6, alpha=4.5, a=a, b=b)
    rng = np.random.default_rng(1)
    x = rng.choice([0, 0, 1, 2, 5, 20, 90, 400], 400)
    age = rng.uniform(0, 150, 400) + x / 7
    t_x = np.where(x > 0, age * rng.uniform(0.3, 1.0, 400), 0.0)
    for weeks in (1.0, 13.0, 52.0):
        each = [
            expected_orders(model, Buyer(*row), weeks)
            for row in zip(x.tolist(), t_x.tolist(), age.tolist(), strict=True)
        ]
        assert expected_orders_of(model, x, t_x, age, weeks) == pytest.approx(each, rel=1e-7, abs=1e-12)


def test_an_outlook_of_many_is_that_of_each_but_for_a_thousandth() -> None:
    population = cdnow.population("master")
    outlook = outlook_of([(population, MODEL)], cdnow.CALIBRATED_UNTIL)
    wanted: dict[str, float] = {}
    rows = (population.x, population.first_day, population.last_day, population.count)
    for x, first, last, count in zip(*(row.tolist() for row in rows), strict=True):
        buyer = Buyer(x, (last - first) / 7, (cdnow.CALIBRATED_UNTIL - first) / 7)
        wanted[cohort_of(first)] = wanted.get(cohort_of(first), 0.0) + count * expected_orders(MODEL, buyer, 90 / 7)

    place = OUTLOOK_DAYS.index(90)
    assert {cohort: found.expected[place] for cohort, found in outlook.cohorts.items()} == pytest.approx(
        wanted, rel=1e-3
    )


def test_factors_are_actual_over_predicted_shrunk_to_the_shop() -> None:
    # January's cohort has 100 + 90 orders by now, February's 10 + 30; 45 days are halfway between the notes.
    population = population_of({f"buyers|19|{JANUARY}|{MARCH + 45}": 10, f"buyers|20|{FEBRUARY}|{MARCH + 45}": 2})
    found = calibrated(noted(50.0, 20.0), population, MARCH + 45)

    assert found is not None
    overall = (90 + 30 + SHRINKAGE_ORDERS) / (75 + 30 + SHRINKAGE_ORDERS)
    assert (found.days, found.until_day) == (45, MARCH + 45)
    assert found.overall == pytest.approx(overall)
    assert found.cohorts["2026-01"] == pytest.approx((90 + 50 * overall) / (75 + 50))
    assert found.cohorts["2026-02"] == pytest.approx((30 + 50 * overall) / (30 + 50))
    # March was not over when the outlook was noted: who came later is not in it.
    assert "2026-03" not in found.cohorts
    assert found.factor("2026-03") == found.overall


def test_a_cohort_that_shrank_counts_as_no_orders() -> None:
    found = calibrated(noted(50.0, 20.0), population_of({f"buyers|1|{JANUARY}|{MARCH}": 10}), MARCH + 30)

    assert found is not None
    assert 0.0 < found.cohorts["2026-01"] < 1.0


def test_nothing_is_calibrated_before_a_month_is_over() -> None:
    assert calibrated(noted(1.0, 1.0), population_of({}), MARCH + 29) is None


def test_a_model_keeps_its_outlook_until_it_is_a_quarter_old() -> None:
    plan, today = FitPlan(currency="USD", regularity=1), cdnow.CALIBRATED_UNTIL
    first = fit_model(cdnow.counters("sample"), today, plan)
    assert first.outlook is not None
    assert first.calibration is None
    month = fit_model(cdnow.counters("sample", today + 30), today + 30, plan, first)
    assert month.outlook == first.outlook
    assert month.calibration is not None
    assert month.calibration.days == 30
    quarter = fit_model(cdnow.counters("sample", today + 90), today + 90, plan, month)
    assert quarter.outlook is not None
    assert quarter.outlook.as_of_day == today + 90
    next_day = fit_model(cdnow.counters("sample", today + 91), today + 91, plan, quarter)
    assert next_day.calibration == quarter.calibration


@pytest.mark.parametrize("minor", [1, 3_000, 4_900, 9_999, 123_456, 0, -1, -4_900])
def test_buyers_who_are_all_worth_the_same_stand_together_at_the_bottom(minor: int) -> None:
    """A shop of one price: whatever bucket the price is in, nobody is among the best for having paid it."""
    history = history_of([(JANUARY, minor, 0)])
    assert history is not None
    model = fit_model({name: 20 * count for name, count in tallies(history).items()}, FEBRUARY, FitPlan(currency="USD"))

    assert model.rfm is not None
    assert rfm_cell(model.rfm, 0, 1, minor)[2] == "1"
    assert sum(minor > point for point in model.net_percentiles) == 0
    book = shop_that_learned(models=named(Models(value=model)))
    assert tier_of(minor, 0, book, tier_limits(book)) == 0


@pytest.mark.parametrize("minor", [1, 2, 7, 100, 101, 3_000, 4_900, 9_999, 123_456_789, -1, -7, -100, -4_900, 0])
def test_the_largest_amount_of_a_bucket_is_in_it_and_the_next_is_not(minor: int) -> None:
    largest = largest_of(bucket_of(minor))

    assert bucket_of(largest) == bucket_of(minor) < bucket_of(largest + 1)
    assert minor <= largest


def test_cut_points_are_the_fifths_of_all_buyers() -> None:
    """Ten buyers with 1 to 10 orders, newest first; amounts are known to half a per cent."""
    counters: dict[str, int] = {}
    for number in range(1, 11):
        counters[f"buyers|{number - 1}|0|{100 - number}"] = 1
    cuts = rfm_cuts(population_of(counters | {"value|100463": 6, "value|100925": 4}), 100)

    assert cuts.orders == (2.0, 4.0, 6.0, 8.0)
    assert cuts.recency_days == (2.0, 4.0, 6.0, 8.0)
    assert cuts.net_minor == pytest.approx((100.0, 100.0, 100.0, 1e4), rel=0.01)
