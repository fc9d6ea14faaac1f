"""Shops made up of parts whose parameters are known: the fit finds those that differ, and no difference where there is none."""

import numpy as np
import pytest
from scipy.stats import chi2

from profiles.value.model import Rejection, ValueModel
from profiles.value.orders import expected_orders
from profiles.value.origin import OTHER
from profiles.value.timing import Buyer, Timing
from streams.fitting.build import FitPlan, fit_model
from streams.fitting.parts import SEGMENTS_MAX, segment_of_origins
from streams.fitting.population import Buyers, Population, population_of
from streams.fitting.segments import DISTINCT, fit_segments, segments_of
from streams.fitting.timing import fit_timing
from tests.models.simulator import counters_of, simulate

SLOW = Timing(family="mbg_nbd", r=0.9, alpha=14.0, a=0.7, b=2.2)
QUICK = Timing(family="mbg_nbd", r=0.9, alpha=6.0, a=0.7, b=2.2)
FIRST, TODAY = 20_000, 20_364
PLAN = FitPlan(currency="EUR")


def part(model: Timing, customers: int, origin: str, seed: int, today: int = TODAY) -> dict[str, int]:
    """The counters of customers of one origin, who came within 300 days. Days are those since 1970."""
    shop = simulate(model, customers, 300, 364, seed=seed)
    x, last = shop.until(today - FIRST)
    found = counters_of(x, FIRST + shop.first_day, FIRST + last)
    end = f"|{origin}" if origin else ""
    return {f"{name}{end}" if name.startswith("buyers|") else name: count for name, count in found.items()}


def by_channel(population: Population) -> dict[str, Buyers]:
    return segments_of(population, segment_of_origins(population, "channel"))


def shop_of(*parts: dict[str, int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for counters in parts:
        for name, count in counters.items():
            total[name] = total.get(name, 0) + count
    return total


def fitted(*parts: dict[str, int], last: ValueModel | None = None) -> ValueModel:
    model = fit_model(shop_of(*parts), TODAY, PLAN, last)
    assert model.timing is not None
    return model


def reasons(model: ValueModel) -> dict[str, Rejection]:
    return {one.part: one.reason for one in model.rejected if one.part.startswith(("segment:", "segments:c"))}


def near(model: ValueModel, name: str, truth: Timing) -> bool:
    """Whether all parameters of a segment are within 3.5 standard errors of the truth."""
    fit = model.segments[name]
    return (
        all(
            abs(getattr(fit.parameters, at) - getattr(truth, at)) < 3.5 * fit.standard_errors[at]
            for at in fit.standard_errors
        )
        and len(fit.standard_errors) == 4
    )


def test_two_channels_that_order_differently_are_both_found() -> None:
    model = fitted(part(SLOW, 12_000, "mail|", 31), part(QUICK, 12_000, "google / cpc|", 32))

    assert model.segmented_by == "channel"
    assert {name: fit.own_weight for name, fit in model.segments.items()} == {"mail": 1.0, "google / cpc": 1.0}
    assert near(model, "mail", SLOW)
    assert near(model, "google / cpc", QUICK)
    assert not near(model, "mail", QUICK)
    assert reasons(model) == {}
    assert model.timing_of("mail|AT") == model.segments["mail"].parameters


def test_channels_that_order_alike_have_the_parameters_of_the_shop() -> None:
    model = fitted(part(SLOW, 8_000, "mail|", 3), part(SLOW, 8_000, "google / cpc|", 4), part(SLOW, 700, "", 5))

    assert (model.segmented_by, model.segments) == (None, {})
    assert reasons(model) == {
        f"segment:channel:{name}": Rejection.LIKE_THE_SHOP for name in ("mail", "google / cpc", "direct")
    }
    assert model.segment_of("mail|") is None


def test_chance_alone_makes_a_segment_once_in_a_thousand() -> None:
    """The threshold is the table's; and among forty segments that are like the shop, none or one is beyond it."""
    assert chi2.sf(DISTINCT, 4) == pytest.approx(0.001, rel=2e-3)
    shop = simulate(SLOW, 20_000, 300, 364, seed=6)
    x, last = shop.until(364)
    pooled = fit_timing(population_of(counters_of(x, shop.first_day, last)), 364)
    rng, parts = np.random.default_rng(7), {}
    segment = rng.integers(0, 40, len(x))
    for number in range(40):
        own = segment == number
        parts[f"s{number}"] = population_of(counters_of(x[own], shop.first_day[own], last[own]))

    assert len(fit_segments(parts, pooled, 364, "channel").own) <= 1


def test_the_dimension_that_tells_more_is_used_and_the_other_named() -> None:
    """Countries differ. Channels do only since one of them is the quicker country's more often."""
    model = fitted(
        part(SLOW, 4_000, "mail|DE", 8),
        part(SLOW, 3_000, "|DE", 9),
        part(QUICK, 1_000, "mail|AT", 10),
        part(QUICK, 4_000, "|AT", 11),
    )

    assert model.segmented_by == "country"
    assert set(model.segments) == {"AT", "DE"}
    assert near(model, "AT", QUICK)
    assert reasons(model)["segments:channel"] is Rejection.LESS_TELLING
    assert model.segment_of("mail|AT") == model.segment_of("|AT") == "AT"


def test_who_has_no_country_has_the_parameters_of_the_shop() -> None:
    model = fitted(part(SLOW, 5_000, "|DE", 12), part(QUICK, 5_000, "|AT", 13), part(SLOW, 2_000, "", 14))

    assert model.segmented_by == "country"
    assert sum(fit.customers for fit in model.segments.values()) == 10_000
    assert model.buyers == 12_000
    assert model.segment_of("") is None
    assert model.timing is not None
    assert model.timing_of("") == model.timing.parameters


def test_a_small_segment_leans_on_the_shop() -> None:
    counters = shop_of(part(SLOW, 4_000, "mail|", 12), part(QUICK, 500, "app|", 16))
    model = fitted(counters)
    alone = fit_timing(by_channel(population_of(counters))["app"], TODAY).parameters

    assert model.timing is not None
    assert model.segments["app"].own_weight == 0.5
    assert model.segments["app"].standard_errors == {}
    for name in ("r", "alpha", "a", "b"):
        halfway = np.sqrt(getattr(alone, name) * getattr(model.timing.parameters, name))
        assert getattr(model.segments["app"].parameters, name) == pytest.approx(halfway, rel=2e-3)


def test_a_hopeless_segment_has_the_parameters_of_the_shop() -> None:
    model = fitted(
        part(SLOW, 8_000, "mail|", 17),
        part(QUICK, 8_000, "app|", 18),
        {f"buyers|0|{FIRST}|{FIRST}|fax|": 20, "value|0": 20},
    )

    assert model.timing is not None
    assert model.segments["fax"].parameters == model.timing.parameters
    assert (model.segments["fax"].own_weight, model.segments["fax"].customers) == (0.0, 20)
    assert reasons(model) == {"segment:channel:fax": Rejection.FEW_REPEAT_BUYERS}
    assert model.segment_of("fax|") is None


def test_rare_values_are_one_segment_together_and_so_are_new_ones() -> None:
    """Two dozen channels with a few hundred buyers each, and as many with a few dozen, who order much more often."""
    common = [part(SLOW, 300 + number, f"c{number}|", number) for number in range(SEGMENTS_MAX)]
    rare = [part(QUICK, 60, f"r{number}|", 100 + number) for number in range(40)]
    counters = shop_of(*common, *rare)
    population = population_of(counters)
    segments = by_channel(population)

    assert set(segments) == {f"c{number}" for number in range(SEGMENTS_MAX)} | {OTHER}
    assert segments[OTHER].buyers == 40 * 60
    assert sum(segment.buyers for segment in segments.values()) == population.buyers
    model = fitted(counters)
    assert model.segment_of("r7|DE") == model.segment_of("never seen before|") == OTHER
    assert model.segments[OTHER].own_weight == 1.0


def test_the_whole_shop_is_fitted_as_if_nobody_knew_of_parts() -> None:
    parts = [part(SLOW, 3_000, "mail|DE", 20), part(QUICK, 3_000, "app|AT", 21)]
    bare: dict[str, int] = {}
    for name, count in shop_of(*parts).items():
        plain = "|".join(name.split("|")[:4])
        bare[plain] = bare.get(plain, 0) + count

    apart, together = population_of(shop_of(*parts)), population_of(bare)
    assert rows(apart) == rows(together)
    assert fit_timing(apart, TODAY).log_likelihood == pytest.approx(
        fit_timing(together, TODAY).log_likelihood, rel=1e-12
    )
    for by in ("channel", "country"):
        assert sorted(
            row for part in segments_of(apart, segment_of_origins(apart, by)).values() for row in rows(part)
        ) == sorted(rows(apart.apart))


def rows(buyers: Buyers) -> list[tuple[int, ...]]:
    columns = (buyers.x, buyers.first_day, buyers.last_day, buyers.count)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_what_a_cohort_is_expected_to_order_is_what_its_segments_are() -> None:
    """So that actual orders are held against what was really foretold."""
    parts = [part(SLOW, 3_000, "mail|", 22), part(QUICK, 3_000, "app|", 23)]
    model = fitted(*parts)
    assert model.outlook is not None
    wanted = 0.0
    for counters, name in zip(parts, ("mail", "app"), strict=True):
        timing = model.segments[name].parameters
        for x, first, last, count in rows(population_of(counters)):
            buyer = Buyer(x, (last - first) / 7, (TODAY - first) / 7)
            wanted += count * expected_orders(timing, buyer, 90 / 7)
    place = model.outlook.days.index(90)

    assert sum(cohort.expected[place] for cohort in model.outlook.cohorts.values()) == pytest.approx(wanted, rel=1e-3)
