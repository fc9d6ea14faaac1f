"""The model document and the forecast of one customer: ids, versions, figures or reasons, past and future kept apart."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import asdict, replace

from profiles.value.absent import Absent
from profiles.value.alive import p_alive, p_order_within
from profiles.value.churn import EDGES, MARGIN, Band
from profiles.value.forecast import HORIZONS_DAYS, Forecast, cohort_of, forecast
from profiles.value.history import History, history_of
from profiles.value.horizon import Horizon
from profiles.value.margin import NormalNormal, mean_margin
from profiles.value.model import (
    VERSION,
    Calibration,
    Heuristic,
    MarginFit,
    ModelError,
    SpendFit,
    TimingFit,
    ValueModel,
    decode_model,
    encode_model,
    named,
)
from profiles.value.orders import expected_orders
from profiles.value.pulse import CHURN_DAYS, Pulse, outlook, pulse
from profiles.value.rfm import RfmCuts
from profiles.value.spend import GammaGamma, mean_spend
from profiles.value.timing import Timing

TODAY = 20_600  # 2026-05-27
MBG = Timing(r=0.525, alpha=6.183, a=0.891, b=1.614)


def timing_fit(parameters: Timing) -> TimingFit:
    return TimingFit(
        parameters=parameters, customers=5_000, log_likelihood=-9.0, standard_errors={"r": 0.1}, as_of_day=TODAY
    )


MODEL = named(
    ValueModel(
        currency="EUR",
        first_day=20_000,
        as_of_day=TODAY,
        buyers=5_000,
        repeat_buyers=2_000,
        timing=timing_fit(MBG),
        segmented_by="channel",
        segments={"app": timing_fit(replace(MBG, alpha=3.0))},
        spend=SpendFit(
            parameters=GammaGamma(p=6.25, q=3.74, v=1_544.0),
            customers=2_000,
            left_out=3,
            log_likelihood=-8.0,
            standard_errors={},
            correlation=0.08,
            as_of_day=TODAY,
        ),
        margin=MarginFit(
            parameters=NormalNormal(mu=900.0, between=250_000.0, within=1_000_000.0),
            customers=2_000,
            standard_errors={"mu": 20.0},
            as_of_day=TODAY,
        ),
        rfm=RfmCuts(recency_days=(7, 30, 90, 180), orders=(1, 2, 4, 9), net_minor=(2_000, 5_000, 9_000, 20_000)),
    )
)
THIN = named(
    ValueModel(
        currency="EUR",
        first_day=20_500,
        as_of_day=TODAY,
        buyers=80,
        repeat_buyers=20,
        heuristic=Heuristic(
            reason=Absent.SHORT_HISTORY,
            interval_days=30.0,
            repeat_share=0.25,
            order_net_minor=2_500.0,
            order_margin_minor=700.0,
        ),
    )
)


def customer(*days_ago: int, net: int = 2_400, margin: int = 500) -> History:
    history = history_of((TODAY - days, net, margin) for days in days_ago)
    assert history is not None
    return history


REGULAR = customer(200, 160, 125, 90, 50, 20)


def nulls(figures: Forecast | Pulse | Horizon) -> set[str]:
    return {name for name, value in asdict(figures).items() if value is None and name != "heuristic_reason"}


def test_equal_content_has_the_equal_id_and_other_content_another() -> None:
    assert named(replace(MODEL, id="whatever")).id == MODEL.id
    assert named(replace(MODEL, buyers=5_001)).id != MODEL.id
    assert decode_model(encode_model(MODEL)) == MODEL


@pytest.mark.parametrize(
    "change, what",
    [
        ({"buyers": 5_001}, "does not match its id"),
        ({"v": VERSION + 1}, "has version 2, this program reads up to 1"),
        ({"currency": 3}, "damaged"),
        ({"timing": {"parameters": {"r": -1}}}, "damaged"),
    ],
)
def test_a_document_that_was_changed_or_is_newer_is_refused(change: dict[str, Any], what: str) -> None:
    document = msgspec.json.decode(encode_model(MODEL)) | change

    with pytest.raises(ModelError, match=what):
        decode_model(msgspec.json.encode(document))


def test_garbage_is_refused() -> None:
    with pytest.raises(ModelError, match="damaged"):
        decode_model(b"{not json")


def test_the_pulse_is_what_the_models_say() -> None:
    found = pulse(MODEL, REGULAR, TODAY)
    buyer = REGULAR.buyer(TODAY)

    assert found.p_alive == p_alive(MBG, buyer)
    assert found.p_order == p_order_within(MBG, buyer, CHURN_DAYS / 7)
    assert found.band == "low"
    assert found.absent == {}


def test_the_band_worsens_on_the_day_it_said() -> None:
    found = pulse(MODEL, REGULAR, TODAY)
    day = found.band_worsens_day
    assert day is not None

    assert pulse(MODEL, REGULAR, day - 1, "low").band == "low"
    later = pulse(MODEL, REGULAR, day, "low")
    assert later.band == "medium"
    assert later.p_order is not None
    assert later.p_order == pytest.approx(1.0 - EDGES[0] - MARGIN, abs=0.01)
    assert later.band_worsens_day is not None
    last = pulse(MODEL, REGULAR, later.band_worsens_day, "medium")
    assert (last.band, last.band_worsens_day, last.absent) == ("high", None, {"band_worsens_day": Absent.NEVER})


def test_a_customer_in_a_segment_is_seen_by_its_parameters() -> None:
    assert pulse(MODEL, REGULAR, TODAY, origin="app|AT") != pulse(MODEL, REGULAR, TODAY)
    assert pulse(MODEL, REGULAR, TODAY, origin="unheard of|") == pulse(MODEL, REGULAR, TODAY)


def test_a_forecast_agrees_with_its_parts() -> None:
    found = forecast(MODEL, REGULAR, TODAY)
    quarter, year = found.horizons
    buyer = REGULAR.buyer(TODAY)

    assert (found.model_id, found.method, found.heuristic_reason) == (MODEL.id, "model", None)
    assert found.absent == quarter.absent == year.absent == {}
    assert (quarter.days, year.days) == HORIZONS_DAYS == (90, 365)
    assert year.orders == pytest.approx(expected_orders(MBG, buyer, 365 / 7), rel=1e-9)
    net = mean_spend(GammaGamma(p=6.25, q=3.74, v=1_544.0), 5, 2_400.0)
    assert found.order_net_minor == round(float(net))
    margin = mean_margin(NormalNormal(mu=900.0, between=250_000.0, within=1_000_000.0), 5, 500.0)
    assert found.order_margin_minor == round(margin)
    assert found.rfm == "444"
    # (alpha + T)(2^(1/(r+x)) - 1) weeks from now, P(alive) being above one half
    assert found.next_order_day == TODAY + round(7 * (6.183 + 200 / 7) * (2 ** (1 / 5.525) - 1))


def test_what_was_earned_and_what_is_expected_are_never_mixed() -> None:
    found = forecast(MODEL, REGULAR, TODAY)

    assert (found.historic_net_minor, found.historic_margin_minor) == (6 * 2_400, 6 * 500)
    for horizon in found.horizons:
        assert horizon.residual_net_minor is not None
        assert horizon.residual_margin_minor is not None
        assert horizon.total_net_minor == found.historic_net_minor + horizon.residual_net_minor
        assert horizon.total_margin_minor == found.historic_margin_minor + horizon.residual_margin_minor


def test_money_is_discounted_at_the_rate_of_the_model() -> None:
    plain = forecast(replace(MODEL, annual_discount=0.0), REGULAR, TODAY).horizons[1]
    steep = forecast(replace(MODEL, annual_discount=0.5), REGULAR, TODAY).horizons[1]

    assert plain.orders == steep.orders
    assert plain.orders is not None
    assert plain.residual_net_minor is not None
    assert steep.residual_net_minor is not None
    net = mean_spend(GammaGamma(p=6.25, q=3.74, v=1_544.0), 5, 2_400.0)
    assert plain.residual_net_minor == pytest.approx(plain.orders * float(net), abs=1)
    # All at the end of the year would be worth two thirds, all at once everything.
    assert 0.7 < steep.residual_net_minor / plain.residual_net_minor < 0.9


def test_parts_of_a_quarter_discount_as_finely_as_days() -> None:
    """Against 365 daily parts, for a customer whose orders fade."""
    buyer = REGULAR.buyer(TODAY)
    orders = [expected_orders(MBG, buyer, day / 7) for day in range(366)]
    daily = sum((orders[day + 1] - orders[day]) * 1.1 ** (-(day + 0.5) / 365.25) for day in range(365))
    net = float(mean_spend(GammaGamma(p=6.25, q=3.74, v=1_544.0), 5, 2_400.0))

    assert forecast(MODEL, REGULAR, TODAY).horizons[1].residual_net_minor == pytest.approx(daily * net, rel=5e-4)


def test_counts_are_calibrated_by_cohort_and_probabilities_are_not() -> None:
    cohort = cohort_of(REGULAR.first_day)
    calibration = Calibration(days=90, until_day=TODAY, overall=0.5, cohorts={cohort: 1.25})
    plain, found = MODEL, replace(MODEL, calibration=calibration)
    before, after = forecast(plain, REGULAR, TODAY), forecast(found, REGULAR, TODAY)

    assert after.pulse == before.pulse
    for old, new in zip(before.horizons, after.horizons, strict=True):
        assert old.orders is not None
        assert old.residual_net_minor is not None
        assert new.p_order == old.p_order
        assert new.orders == pytest.approx(1.25 * old.orders)
        assert new.residual_net_minor == pytest.approx(1.25 * old.residual_net_minor, abs=1)
        assert old.residual_net_interval is not None
        assert new.residual_net_interval is not None
        assert new.residual_net_interval[1] == pytest.approx(1.25 * old.residual_net_interval[1], abs=2)
        assert old.orders_interval is not None
        assert new.orders_interval is not None
        assert new.orders_interval[1] == -(-5 * old.orders_interval[1] // 4)
    other = forecast(found, customer(5), TODAY)
    assert other.horizons[0].orders == pytest.approx(
        0.5 * (forecast(plain, customer(5), TODAY).horizons[0].orders or 0.0)
    )


def test_somebody_who_never_ordered_has_reasons_instead_of_figures() -> None:
    found = forecast(MODEL, None, TODAY)

    assert set(found.absent.values()) == {Absent.NO_ORDERS}
    assert nulls(found) == set(found.absent)
    assert nulls(found.pulse) == set(found.pulse.absent)
    assert [nulls(horizon) for horizon in found.horizons] == [set(horizon.absent) for horizon in found.horizons]
    assert found.historic_net_minor == 0


def test_a_customer_who_is_probably_gone_has_no_next_order_day() -> None:
    found = forecast(MODEL, customer(700, 690), TODAY)

    assert found.next_order_day is None
    assert found.absent == {"next_order_day": Absent.PROBABLY_GONE}


def test_a_one_time_buyer_of_bg_nbd_may_order_too_far_ahead() -> None:
    model = replace(MODEL, timing=timing_fit(Timing(family="bg_nbd", r=0.243, alpha=4.414, a=0.793, b=2.426)))

    assert forecast(model, customer(270), TODAY).absent == {"next_order_day": Absent.TOO_FAR}


def test_a_customer_whose_repeat_orders_all_went_back_has_no_expected_spend() -> None:
    returned = history_of([(TODAY - 50, 3_000, 800), (TODAY - 20, 0, -300)])
    found = forecast(MODEL, returned, TODAY)

    assert found.absent == {"order_net_minor": Absent.NOT_POSITIVE}
    assert found.horizons[0].absent == dict.fromkeys(
        ("residual_net_minor", "residual_net_interval", "total_net_minor"), Absent.NOT_POSITIVE
    )
    assert found.order_margin_minor is not None


def test_thin_data_are_named_heuristic_with_the_reason() -> None:
    found = forecast(THIN, REGULAR, TODAY)

    assert (found.method, found.heuristic_reason) == ("heuristic", Absent.SHORT_HISTORY)
    assert found.pulse.band == "low"
    assert found.pulse.p_order is None
    assert found.pulse.absent == {"p_alive": Absent.HEURISTIC, "p_order": Absent.HEURISTIC}
    assert found.absent == {"rfm": Absent.FEW_BUYERS}
    for horizon in found.horizons:
        assert horizon.orders is not None
        assert horizon.residual_net_minor is not None
        assert nulls(horizon) == set(horizon.absent)
        assert set(horizon.absent.values()) == {Absent.HEURISTIC}


def test_a_model_without_anything_gives_reasons() -> None:
    empty = replace(MODEL, timing=None, spend=None, margin=None, segments={})
    found = forecast(empty, REGULAR, TODAY)

    assert (found.method, found.heuristic_reason) == ("heuristic", Absent.NO_GOOD_FIT)
    assert set(found.pulse.absent.values()) == {Absent.NO_GOOD_FIT}
    assert nulls(found.pulse) == set(found.pulse.absent)
    assert nulls(found) == set(found.absent)


@pytest.mark.parametrize("previous", [None, "low", "medium"])
def test_looking_only_so_far_ahead_finds_the_same_day_or_says_that_it_lies_beyond(previous: Band | None) -> None:
    for today in range(TODAY, TODAY + 200, 7):
        for concern in (0.0, 0.1):
            whole = pulse(MODEL, REGULAR, today, previous, concern=concern)
            near = outlook(MODEL, REGULAR, today, previous, "", concern=concern, ahead_days=30)
            day = whole.band_worsens_day

            assert near == (whole.band, day if day is not None and day <= today + 30 else None)


def test_looking_ahead_before_the_day_of_her_newest_purchase_is_looking_from_that_day() -> None:
    for today in range(REGULAR.last_day - 40, REGULAR.last_day + 1):
        whole = pulse(MODEL, REGULAR, today)
        near = outlook(MODEL, REGULAR, today, None, "", concern=0.0, ahead_days=3_650)

        assert near == (whole.band, whole.band_worsens_day)


def test_without_a_fit_looking_ahead_goes_by_the_rule_of_thumb() -> None:
    whole = pulse(THIN, REGULAR, TODAY)

    assert whole.band is not None
    assert outlook(THIN, REGULAR, TODAY, None, "", concern=0.0, ahead_days=30) == (whole.band, whole.band_worsens_day)
