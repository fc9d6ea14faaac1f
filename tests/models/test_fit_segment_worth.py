"""What an order is worth by parts of the shop: those that differ are found, and no difference where there is none.

Spend and margins of made-up customers are drawn here by the models' stories, with parameters that are known; the real ones are
CDNOW's, dealt at random.
"""

from collections.abc import Iterator

import numpy as np
import pytest
from msgspec.structs import replace
from scipy.stats import chi2

from profiles.value.buckets import bucket_of
from profiles.value.forecast import forecast
from profiles.value.history import history_of
from profiles.value.margin import NormalNormal, mean_margin
from profiles.value.model import Rejection, ValueModel
from profiles.value.origin import OTHER
from profiles.value.spend import GammaGamma, mean_spend
from profiles.value.tallies import tallies
from profiles.value.timing import Timing
from streams.fitting.build import FitPlan, fit_model
from streams.fitting.population import added, population_of
from streams.fitting.segment_worth import MARGIN_DISTINCT, SPEND_DISTINCT, segmented_margin, segmented_spend
from streams.fitting.spend import fit_margin, fit_spend
from tests.models import cdnow
from tests.models.simulator import simulate

ORDERING = Timing(family="mbg_nbd", r=0.9, alpha=8.0, a=0.7, b=2.2)
SMALL = GammaGamma(p=6.0, q=4.0, v=8_000.0)  # 160.00 on average
LARGE = GammaGamma(p=6.0, q=4.0, v=11_000.0)  # 220.00
THIN = NormalNormal(mu=300.0, between=40_000.0, within=160_000.0)
FAT = NormalNormal(mu=420.0, between=40_000.0, within=160_000.0)
FIRST, TODAY = 20_000, 20_364
PLAN = FitPlan(currency="EUR")


def part(
    customers: int, origin: str, seed: int, spend: GammaGamma = SMALL, margin: NormalNormal = THIN
) -> dict[str, int]:
    """The counters of customers of one origin who all order alike, written here anew from each one's orders."""
    shop, rng = simulate(ORDERING, customers, 300, 364, seed=seed), np.random.default_rng(1_000 + seed)
    x, last = shop.until(364)
    counters: dict[str, int] = {}
    end = f"|{origin}" if origin else ""
    rates, means = rng.gamma(spend.q, 1.0 / spend.v, customers), rng.normal(margin.mu, margin.between**0.5, customers)
    for n, first, newest, rate, mean in zip(x, shop.first_day, last, rates, means, strict=True):
        names = [f"buyers|{n}|{FIRST + first}|{FIRST + newest}{end}", "value|100500"]
        if n:
            spent, earned = rng.gamma(spend.p, 1.0 / rate, n), rng.normal(mean, margin.within**0.5, n)
            names.append(f"spend|{n}|{bucket_of(spent.mean())}{end}")
            names.append(f"margin|{n}|{bucket_of(earned.mean())}{end}")
            if n > 1:
                names.append(f"spread|{bucket_of(((earned - earned.mean()) ** 2).sum())}{end}")
        for name in names:
            counters[name] = counters.get(name, 0) + 1
    return counters


def fitted(*parts: dict[str, int]) -> ValueModel:
    model = fit_model(added(parts), TODAY, PLAN)
    assert model.spend is not None
    assert model.margin is not None
    return model


def reasons(model: ValueModel, kind: str) -> dict[str, Rejection]:
    return {one.part: one.reason for one in model.rejected if one.part.startswith((f"{kind}:", f"segments:{kind}"))}


@pytest.fixture(scope="module")
def channels() -> ValueModel:
    """Two channels that order alike; one spends more, and so earns more. A few came by a third."""
    return fitted(part(6_000, "mail|", 1), part(6_000, "app|", 2, LARGE, FAT), part(150, "fax|", 3))


def test_two_channels_that_spend_differently_are_both_found_with_their_parameters(channels: ValueModel) -> None:
    assert channels.spend_by == "channel"
    assert channels.segmented_by is None  # they order alike
    for name, truth in (("mail", SMALL), ("app", LARGE)):
        fit = channels.spend_segments[name]
        assert fit.own_weight == 1.0
        for at in ("p", "q", "v"):
            assert abs(getattr(fit.parameters, at) - getattr(truth, at)) < 3.5 * fit.standard_errors[at]
    assert channels.spend_of("app|AT") == channels.spend_segments["app"].parameters


def test_two_channels_that_earn_differently_are_both_found_with_their_means(channels: ValueModel) -> None:
    assert channels.margin_by == "channel"
    for name, truth in (("mail", THIN), ("app", FAT)):
        fit = channels.margin_segments[name]
        assert abs(fit.parameters.mu - truth.mu) < 3.5 * fit.standard_errors["mu"]
        assert fit.parameters.within == pytest.approx(truth.within, rel=0.06)
        assert fit.parameters.between == pytest.approx(truth.between, rel=0.2)


def test_a_channel_too_small_to_tell_has_what_the_shop_has_and_not_what_rare_ones_have(channels: ValueModel) -> None:
    assert channels.spend is not None
    assert channels.spend_segments["fax"].own_weight == 0.0
    assert channels.spend_of("fax|") == channels.spend_of("") == channels.spend.parameters
    assert channels.spend_segment_of("fax|") is None
    assert reasons(channels, "spend")["spend:channel:fax"] in {Rejection.LIKE_THE_SHOP, Rejection.FEW_REPEAT_BUYERS}


def test_channels_that_spend_and_earn_alike_have_the_parameters_of_the_shop() -> None:
    model = fitted(part(5_000, "mail|", 4), part(5_000, "app|", 5), part(3_000, "", 6))

    assert (model.spend_by, model.spend_segments, model.margin_by, model.margin_segments) == (None, {}, None, {})
    assert set(reasons(model, "spend").values()) == set(reasons(model, "margin").values()) == {Rejection.LIKE_THE_SHOP}


def test_a_small_channel_leans_on_the_shop_by_the_number_who_came_back() -> None:
    small = part(700, "app|", 7, LARGE, FAT)
    alone = fit_spend(population_of(small), TODAY)
    model = fitted(part(5_000, "mail|", 8), small)
    assert model.spend is not None
    assert model.margin is not None
    fit, weight = model.spend_segments["app"], alone.customers / 1_000
    assert 0.2 < weight < 0.8

    assert (fit.own_weight, fit.standard_errors) == (weight, {})
    for at in ("p", "q", "v"):
        between = getattr(alone.parameters, at) ** weight * getattr(model.spend.parameters, at) ** (1 - weight)
        assert getattr(fit.parameters, at) == pytest.approx(between, rel=1e-3)
    own, shop = fit_margin(population_of(small), TODAY).parameters.mu, model.margin.parameters.mu
    assert model.margin_segments["app"].parameters.mu == pytest.approx(weight * own + (1 - weight) * shop, rel=1e-9)


def test_spend_is_told_apart_by_country_where_countries_tell_more() -> None:
    """Countries differ. Channels do only since one of them is the larger country's more often."""
    model = fitted(
        part(3_000, "mail|DE", 9),
        part(2_000, "|DE", 10),
        part(800, "mail|AT", 11, LARGE, FAT),
        part(3_000, "|AT", 12, LARGE, FAT),
    )

    assert (model.spend_by, model.margin_by) == ("country", "country")
    assert reasons(model, "spend")["segments:spend:channel"] is Rejection.LESS_TELLING
    assert reasons(model, "margin")["segments:margin:channel"] is Rejection.LESS_TELLING
    assert model.spend_segment_of("mail|AT") == "AT"


def test_rare_channels_are_one_segment_together_and_so_are_new_ones() -> None:
    common = [part(200 + number, f"c{number}|", 20 + number) for number in range(24)]
    rare = [part(60, f"r{number}|", 100 + number, LARGE, FAT) for number in range(40)]
    model = fitted(*common, *rare)

    assert model.spend_segment_of("r7|DE") == model.margin_segment_of("never seen before|") == OTHER


def test_limits_are_those_of_the_table() -> None:
    assert chi2.sf(SPEND_DISTINCT, 3) == pytest.approx(0.001, rel=3e-3)
    assert chi2.sf(MARGIN_DISTINCT, 1) == pytest.approx(0.001, rel=3e-3)


@pytest.mark.parametrize("seed", range(3))
def test_real_customers_dealt_at_random_are_told_apart_no_more_often_than_chance(seed: int) -> None:
    """CDNOW's spend is not Gamma-Gamma, and margins made of it are not normal: still one of forty at most, where a
    thousandth of them is expected.
    """
    origin_of = dealt(seed)
    counters = added(tallies(history, next(origin_of)) for history in cdnow.histories("master"))
    population = population_of(counters)
    spend = segmented_spend(population, fit_spend(population, cdnow.CALIBRATED_UNTIL), cdnow.CALIBRATED_UNTIL)
    margin = segmented_margin(population, fit_margin(population, cdnow.CALIBRATED_UNTIL), cdnow.CALIBRATED_UNTIL)

    assert len(spend.own) + len(margin.own) <= 1


def dealt(seed: int) -> Iterator[str]:
    rng = np.random.default_rng(seed)
    while True:
        channel, country = rng.integers(0, 20, 2)
        yield f"channel {channel}|C{country}"


def test_the_whole_shop_is_fitted_as_if_nobody_knew_of_parts() -> None:
    parts = [part(1_500, "mail|DE", 13), part(1_500, "app|AT", 14, LARGE, FAT)]
    apart = population_of(added(parts))
    bare: dict[str, int] = {}
    for name, count in added(parts).items():
        plain = name.removesuffix("|mail|DE").removesuffix("|app|AT")
        bare[plain] = bare.get(plain, 0) + count
    together = population_of(bare)

    assert fit_spend(apart, TODAY).log_likelihood == pytest.approx(fit_spend(together, TODAY).log_likelihood, rel=1e-12)
    ours, theirs = fit_margin(apart, TODAY).parameters, fit_margin(together, TODAY).parameters
    assert (ours.mu, ours.between, ours.within) == pytest.approx((theirs.mu, theirs.between, theirs.within), rel=1e-12)


def test_a_customer_is_foretold_by_the_spend_and_margin_of_her_channel(channels: ValueModel) -> None:
    history = history_of([(TODAY - 90, 20_000, 500), (TODAY - 50, 18_000, 350), (TODAY - 9, 16_000, 250)])
    assert history is not None
    mail, app, shop = (forecast(channels, history, TODAY, origin=origin) for origin in ("mail|DE", "app|DE", "fax|"))

    assert mail.order_net_minor == round(float(mean_spend(channels.spend_segments["mail"].parameters, 2, 17_000.0)))
    assert app.order_margin_minor == round(mean_margin(channels.margin_segments["app"].parameters, 2, 300.0))
    assert (mail.order_net_minor or 0) < (shop.order_net_minor or 0) < (app.order_net_minor or 0)
    assert mail.pulse == app.pulse  # they order alike
    year = [one.horizons[1] for one in (mail, app)]
    assert (year[0].residual_net_minor or 0) < (year[1].residual_net_minor or 0)
    assert (year[0].residual_margin_interval or (0, 0))[1] < (year[1].residual_margin_interval or (0, 0))[1]
    assert (year[0].residual_net_interval or (0, 0))[1] < (year[1].residual_net_interval or (0, 0))[1]
    plain = replace(channels, spend_by=None, spend_segments={}, margin_by=None, margin_segments={})
    assert forecast(plain, history, TODAY, origin="app|DE").order_net_minor == shop.order_net_minor
