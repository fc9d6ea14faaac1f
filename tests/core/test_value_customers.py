"""What is remembered of a customer and counted of her, her churn band, her RFM cell, and rules of thumb."""

import pytest

from profiles.value.absent import MEANINGS, Absent
from profiles.value.buckets import amount_of, bucket_of
from profiles.value.churn import band_worsens_at, churn_band
from profiles.value.heuristic import (
    interval_days,
    thumb_band,
    thumb_band_worsens_day,
    thumb_mean,
    thumb_next_order_day,
    thumb_orders,
)
from profiles.value.history import History, history_of
from profiles.value.margin import NormalNormal
from profiles.value.model import Heuristic
from profiles.value.purchases import NONE, Piece, fold, moved
from profiles.value.rfm import RfmCuts, rfm_cell
from profiles.value.spend import GammaGamma, mean_interval, mean_spend, order_value_interval, spend_variances
from profiles.value.tallies import tallies, tally_change
from profiles.value.timing import Buyer, Timing

RULES = Heuristic(
    reason=Absent.FEW_BUYERS, interval_days=40.0, repeat_share=0.25, order_net_minor=3_000.0, order_margin_minor=None
)


def test_a_history_of_three_days_by_hand() -> None:
    history = history_of([(114, 3_000, -200), (100, 5_000, 1_500), (107, 1_000, 400)])

    assert history == History(
        x=2,
        first_day=100,
        last_day=114,
        net_minor=9_000,
        first_net_minor=5_000,
        margin_minor=1_700,
        first_margin_minor=1_500,
        last_margin_minor=-200,
        margin_squares=200_000,
        log_gaps=2 * 1_945_910,  # ln 7 = 1.945910
    )
    assert history.repeat_net_minor == 4_000
    assert history.repeat_margin_minor == 200
    assert history.buyer(121) == Buyer(2, 2.0, 3.0)


def test_a_day_before_the_newest_purchase_is_seen_as_that_day() -> None:
    history = history_of([(100, 1, 1), (107, 1, 1)])

    assert history is not None
    assert history.buyer(90) == Buyer(1, 1.0, 1.0)


def test_nobody_without_a_purchase_has_a_history() -> None:
    assert history_of([]) is None
    assert tallies(None) == {}


def test_only_what_lies_before_the_days_kept_asks_for_all_orders() -> None:
    bought: list[Piece] = [(100 + 10 * number, 1_000, 200) for number in range(12)]
    past, asked = fold(bought), list[str]()

    def others() -> list[Piece]:
        asked.append("all")
        return bought[1:]

    refunded = moved(past, (200, 1_000, 200), (200, 400, -100), others)
    late = moved(past, None, (195, 500, 50), others)
    assert asked == []
    assert refunded.history == history_of([*((day, net, m) for day, net, m in bought if day != 200), (200, 400, -100)])
    assert late.history == history_of([*bought, (195, 500, 50)])

    cancelled = moved(past, bought[0], None, others)

    assert asked == ["all"]
    assert cancelled == fold(bought[1:])
    assert fold([]) == NONE


def test_a_changed_history_changes_only_its_own_counters() -> None:
    before = history_of([(100, 5_000, 1_000)])
    after = history_of([(100, 5_000, 1_000), (107, 4_000, 800)])

    assert tally_change(before, before) == {}
    assert tally_change(None, before) == tallies(before)
    change = tally_change(before, after)
    assert change["buyers|0|100|100"] == -1
    assert change["buyers|1|100|107"] == 1
    assert len(change) <= 10


@pytest.mark.parametrize("amount", [1.0, 0.37, 99.0, 1_234.5, 1e12, -1.0, -88_000.25])
def test_a_bucket_knows_an_amount_to_half_a_per_cent(amount: float) -> None:
    assert amount_of(bucket_of(amount)) == pytest.approx(amount, rel=0.005)


def test_buckets_are_in_the_order_of_amounts() -> None:
    amounts = [-5_000.0, -5.0, -0.5, 0.0, 0.5, 5.0, 5.06, 5_000.0]
    buckets = [bucket_of(amount) for amount in amounts]

    assert buckets == sorted(buckets)
    assert len(set(buckets)) == len(buckets)


@pytest.mark.parametrize(
    "risk, previous, band",
    [
        (0.10, None, "low"),
        (0.33, None, "medium"),
        (0.66, None, "high"),
        (0.37, "low", "low"),
        (0.38, "low", "medium"),
        (0.68, "low", "medium"),  # past the second edge, but not by enough to jump a band
        (0.72, "low", "high"),
        (0.29, "medium", "medium"),
        (0.28, "medium", "low"),
        (0.62, "high", "high"),
        (0.61, "high", "medium"),
        (0.28, "high", "low"),
        (0.31, "high", "medium"),
    ],
)
def test_a_band_is_left_only_when_its_edge_is_well_behind(risk: float, previous: str | None, band: str) -> None:
    assert churn_band(risk, previous) == band  # type: ignore[arg-type]  # the parameters are bands


def test_from_the_highest_band_nothing_gets_worse() -> None:
    model = Timing(r=0.525, alpha=6.183, a=0.891, b=1.614)

    assert band_worsens_at(model, Buyer(2, 30.43, 38.86), "high", 13.0) is Absent.NEVER


def test_cells_in_a_shop_where_two_thirds_order_once() -> None:
    cuts = RfmCuts(recency_days=(10, 40, 90, 200), orders=(1, 1, 1, 2), net_minor=(0, 2_000, 5_000, 9_000))

    assert rfm_cell(cuts, 0, 1, 100) == "512"
    assert rfm_cell(cuts, 201, 3, 10_000) == "155"
    assert rfm_cell(cuts, 200, 2, -500) == "241"


def test_cut_points_that_do_not_ascend_are_refused() -> None:
    with pytest.raises(ValueError, match="orders do not ascend"):
        RfmCuts(recency_days=(1, 2, 3, 4), orders=(2, 1, 3, 4), net_minor=(1, 2, 3, 4))


def test_rules_of_thumb_for_a_one_time_buyer() -> None:
    once = History(first_day=100, last_day=100)

    assert interval_days(RULES, once) == pytest.approx(40.0)
    assert [thumb_band(RULES, once, day) for day in (100, 159, 160, 219, 220)] == [
        *("low", "low", "medium", "medium", "high"),
    ]
    assert thumb_band_worsens_day(RULES, once, 100) == 160
    assert thumb_band_worsens_day(RULES, once, 170) == 220
    assert thumb_band_worsens_day(RULES, once, 300) is Absent.NEVER
    assert thumb_next_order_day(RULES, once, 110) == 140
    assert thumb_next_order_day(RULES, once, 150) == 150
    assert thumb_next_order_day(RULES, once, 300) is Absent.PROBABLY_GONE
    # A quarter comes back; one interval late halves it.
    assert thumb_orders(RULES, once, 120, 80) == pytest.approx(0.25 * 2)
    assert thumb_orders(RULES, once, 180, 80) == pytest.approx(0.25 * 1)


def test_rules_of_thumb_learn_her_own_pace() -> None:
    weekly = history_of((day, 1_000, 100) for day in range(0, 70, 7))
    assert weekly is not None

    # exp((2 ln 40 + 9 ln 7) / 11)
    assert interval_days(RULES, weekly) == pytest.approx(9.610, abs=5e-4)
    assert thumb_mean(RULES.order_net_minor, weekly, 9_000) == pytest.approx((2 * 3_000 + 9_000) / 11)
    assert thumb_mean(RULES.order_margin_minor, weekly, 900) is Absent.FEW_BUYERS


def test_spend_that_can_not_be_described_has_a_reason() -> None:
    heavy_tail = GammaGamma(p=2.0, q=0.9, v=1_000.0)

    assert mean_spend(heavy_tail, 0, 0.0) is Absent.NO_MEAN
    assert spend_variances(heavy_tail, 0, 0.0) is Absent.NO_MEAN
    assert isinstance(mean_spend(heavy_tail, 3, 500.0), float)
    for figure in (mean_spend, spend_variances, mean_interval, order_value_interval):
        assert figure(heavy_tail, 2, 0.0) is Absent.NOT_POSITIVE
        assert figure(heavy_tail, 2, -5.0) is Absent.NOT_POSITIVE


def test_every_reason_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Absent)


@pytest.mark.parametrize(
    "make, what",
    [
        (lambda: Timing(r=0.0, alpha=1.0, a=1.0, b=1.0), "parameter r is 0.0"),
        (lambda: Timing(r=1.0, alpha=float("nan"), a=1.0, b=1.0), "alpha is nan"),
        (lambda: Timing(r=1.0, alpha=1.0, a=float("inf"), b=1.0), "a is inf"),
        (lambda: Timing(regularity=7, r=1.0, alpha=1.0, a=1.0, b=1.0), "regularity 7"),
        (lambda: GammaGamma(p=1.0, q=-1.0, v=1.0), "q is -1.0"),
        (lambda: NormalNormal(mu=float("nan"), between=1.0, within=1.0), "mu is nan"),
        (lambda: NormalNormal(mu=0.0, between=0.0, within=1.0), "between is 0.0"),
        (lambda: Buyer(-1, 0.0, 1.0), "x=-1"),
        (lambda: Buyer(0, 1.0, 2.0), "t_x=1.0"),
        (lambda: Buyer(2, 0.0, 2.0), "t_x=0.0"),
        (lambda: Buyer(2, 3.0, 2.0), "age=2.0"),
        (lambda: Buyer(0, 0.0, float("inf")), "age=inf"),
        (lambda: Buyer(0, 0.0, float("nan")), "age=nan"),
    ],
)
def test_what_can_not_be_is_refused_with_its_name(make: object, what: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=what):
        make()
