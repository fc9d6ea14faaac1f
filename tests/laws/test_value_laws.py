"""Customer value models, for every customer and every parameter there can be: finite, in bounds, monotone, and honest.

And for the counts behind them: one by one or all at once, in any order, taken back and added again, they are the same.
"""

from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.value.absent import Absent
from profiles.value.alive import p_alive, p_order_within
from profiles.value.churn import BANDS, band_worsens_at, churn_band
from profiles.value.counts import order_interval, p_at_least, tails
from profiles.value.history import history_of
from profiles.value.margin import NormalNormal, margin_variances, mean_margin
from profiles.value.orders import expected_orders, order_moments_alive
from profiles.value.spend import GammaGamma, mean_interval, mean_spend, order_value_interval, spend_variances
from profiles.value.tallies import KINDS, tallies, tally_change
from profiles.value.thresholds import alive_falls_below, next_order_median, order_within_falls_below
from profiles.value.timing import Buyer, Timing
from profiles.value.worth import order_flow, positive_interval, signed_interval, sum_moments

few = settings(max_examples=40, deadline=None)
many = settings(max_examples=120, deadline=None)


def sizes(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of every order of magnitude between two."""
    return st.floats(0.0, 1.0).map(lambda share: low * (high / low) ** share)


timings = st.builds(
    Timing,
    family=st.sampled_from(("bg_nbd", "mbg_nbd")),
    regularity=st.sampled_from((1, 1, 1, 2, 3, 6)),
    r=sizes(1e-3, 1e3),
    alpha=sizes(1e-3, 1e4),
    a=sizes(1e-2, 1e3),
    b=sizes(1e-2, 1e3),
)
ordinary = st.builds(
    Timing,
    family=st.sampled_from(("bg_nbd", "mbg_nbd")),
    regularity=st.sampled_from((1, 1, 1, 2, 3)),
    r=sizes(0.2, 60.0),
    alpha=sizes(1.0, 30.0),
    a=sizes(0.3, 3.0),
    b=sizes(0.5, 10.0),
)


@st.composite
def buyers(draw: st.DrawFn) -> Buyer:
    age_days = draw(st.integers(0, 7_300))
    x = draw(st.integers(0, min(1000, age_days)))
    recency_days = draw(st.integers(x, age_days)) if x else 0
    return Buyer(x, recency_days / 7, age_days / 7)


horizons = sizes(0.1, 520.0)


@many
@given(timings, buyers(), horizons)
def test_every_figure_is_finite_and_within_its_bounds(model: Timing, buyer: Buyer, weeks: float) -> None:
    alive, within = p_alive(model, buyer), p_order_within(model, buyer, weeks)
    orders = expected_orders(model, buyer, weeks)

    assert 0.0 < alive <= 1.0
    assert 0.0 <= within <= alive
    assert isfinite(orders)
    # One order at least with probability `within`; and nobody orders more than a customer who never leaves.
    assert within * (1.0 - 1e-5) <= orders + 1e-12
    most = (model.r + model.regularity * (buyer.x + 1)) / (model.alpha + buyer.age) * weeks
    assert orders <= most * (1.0 + 1e-5)


@few
@given(timings, buyers(), horizons)
def test_more_time_never_makes_an_order_less_likely_nor_fewer(model: Timing, buyer: Buyer, weeks: float) -> None:
    longer = 1.5 * weeks

    assert p_order_within(model, buyer, longer) >= p_order_within(model, buyer, weeks) - 1e-12
    assert expected_orders(model, buyer, longer) >= expected_orders(model, buyer, weeks) * (1.0 - 1e-5) - 1e-12


@few
@given(timings, buyers(), st.integers(1, 2_000))
def test_silence_never_makes_her_likelier_to_be_alive(model: Timing, buyer: Buyer, days: int) -> None:
    later = Buyer(buyer.x, buyer.t_x, buyer.age + days / 7)

    assert p_alive(model, later) <= p_alive(model, buyer) * (1.0 + 1e-12)


@few
@given(ordinary, buyers(), horizons)
def test_expected_orders_are_the_sum_of_the_tails(model: Timing, buyer: Buyer, weeks: float) -> None:
    """Two ways to the same number: the series (or the integral), and the distribution written out."""
    growth = weeks / (model.alpha + buyer.age)
    if (model.r + model.regularity * buyer.x) * growth > 40.0 or growth > 5.0:
        return
    total, alive = 0.0, p_alive(model, buyer)
    for n, tail in enumerate(tails(model, buyer, weeks), 1):
        total += tail
        if tail < 1e-12 * total or n == 2_000:
            break

    assert expected_orders(model, buyer, weeks) == pytest.approx(alive * total, rel=1e-6)
    assert p_at_least(model, buyer, weeks, 1) == pytest.approx(p_order_within(model, buyer, weeks), rel=1e-7, abs=1e-9)


@few
@given(ordinary, buyers(), horizons)
def test_moments_agree_with_the_mean(model: Timing, buyer: Buyer, weeks: float) -> None:
    first, second = order_moments_alive(model, buyer, weeks)

    assert p_alive(model, buyer) * first == pytest.approx(expected_orders(model, buyer, weeks), rel=1e-5)
    # Y^2 >= Y for whole numbers, and E[Y^2] >= E[Y]^2.
    assert second >= first * (1.0 - 1e-3)
    assert second >= first * first * (1.0 - 1e-3)


@few
@given(ordinary, buyers(), horizons)
def test_an_interval_leaves_out_no_more_than_it_may(model: Timing, buyer: Buyer, weeks: float) -> None:
    low, high = order_interval(model, buyer, weeks, 0.9)

    assert 0 <= low <= high
    assert p_at_least(model, buyer, weeks, high + 1) <= 0.05 + 1e-9
    if high > 0:
        assert p_at_least(model, buyer, weeks, high) > 0.05 - 1e-9
    if low > 0:
        assert p_at_least(model, buyer, weeks, low) > 0.95 - 1e-9
    assert p_at_least(model, buyer, weeks, low + 1) <= 0.95 + 1e-9


@many
@given(timings, buyers(), st.floats(0.02, 0.98))
def test_p_alive_passes_its_threshold_when_it_said(model: Timing, buyer: Buyer, share: float) -> None:
    age = alive_falls_below(model, buyer, share)
    fresh = Buyer(buyer.x, buyer.t_x, buyer.t_x)
    if not isinstance(age, Absent):
        assert age >= buyer.t_x - 1e-6
        if age < 1e12:
            assert p_alive(model, Buyer(buyer.x, buyer.t_x, max(age, buyer.t_x))) == pytest.approx(share, abs=1e-4)
    elif age is Absent.NEVER:
        assert buyer.x == 0
        assert p_alive(model, buyer) == 1.0
    elif age is Absent.ALREADY:
        assert p_alive(model, fresh) <= share * (1.0 + 1e-9)
    else:
        assert age is Absent.TOO_FAR


@many
@given(ordinary, buyers(), horizons, st.floats(0.02, 0.98))
def test_p_order_stays_below_its_threshold_from_when_it_said(
    model: Timing, buyer: Buyer, weeks: float, share: float
) -> None:
    age = order_within_falls_below(model, buyer, weeks, share)
    if isinstance(age, Absent):
        assert age is Absent.ALREADY
        from_now = buyer.t_x
    else:
        from_now = age
        assert p_order_within(model, Buyer(buyer.x, buyer.t_x, age), weeks) == pytest.approx(share, abs=1e-4)
    for silent in (0.0, 0.1, 1.0, 10.0, 100.0, 1_000.0):
        later = Buyer(buyer.x, buyer.t_x, max(buyer.t_x, from_now) + silent)
        assert p_order_within(model, later, weeks) <= share + 1e-4


@few
@given(ordinary, buyers())
def test_the_next_order_is_as_likely_before_its_date_as_after(model: Timing, buyer: Buyer) -> None:
    weeks = next_order_median(model, buyer)
    alive = p_alive(model, buyer)
    if isinstance(weeks, Absent):
        assert alive < 0.5 or p_order_within(model, buyer, 104.0) < 0.5 * alive * (1 + 1e-9)
    else:
        assert p_order_within(model, buyer, weeks) == pytest.approx(alive / 2, rel=1e-5)


@few
@given(st.floats(0.0, 1.0), st.sampled_from(BANDS))
def test_a_band_holds_once_it_is_taken(risk: float, previous: str) -> None:
    band = churn_band(risk, previous)  # type: ignore[arg-type]  # drawn from the bands

    assert churn_band(risk, band) == band


@few
@given(ordinary.filter(lambda model: model.regularity == 1), buyers(), st.integers(1, 365))
def test_a_band_changes_on_the_day_of_its_timer_and_not_before(model: Timing, buyer: Buyer, days: int) -> None:
    weeks = days / 7
    band = churn_band(1.0 - p_order_within(model, buyer, weeks))
    age = band_worsens_at(model, buyer, band, weeks)
    if isinstance(age, Absent):
        return
    just_before = Buyer(buyer.x, buyer.t_x, max(buyer.age, age - 1e-4 * (1.0 + age)))
    after = Buyer(buyer.x, buyer.t_x, age + 1e-4 * (1.0 + age))

    assert churn_band(1.0 - p_order_within(model, just_before, weeks), band) == band
    assert BANDS.index(churn_band(1.0 - p_order_within(model, after, weeks), band)) > BANDS.index(band)


spends = st.builds(GammaGamma, p=sizes(0.05, 100.0), q=sizes(0.05, 100.0), v=sizes(1e-2, 1e6))
margins = st.builds(NormalNormal, mu=st.floats(-1e6, 1e6), between=sizes(1e-3, 1e9), within=sizes(1e-3, 1e9))


@many
@given(spends, st.integers(0, 500), sizes(1.0, 1e7))
def test_spend_is_finite_or_has_a_reason(model: GammaGamma, x: int, zbar: float) -> None:
    mean, variances = mean_spend(model, x, zbar), spend_variances(model, x, zbar)
    own, order = mean_interval(model, x, zbar), order_value_interval(model, x, zbar)

    assert isinstance(mean, Absent) or (isfinite(mean) and mean > 0.0)
    assert isinstance(variances, Absent) or all(isfinite(part) and part > 0.0 for part in variances)
    for interval in (own, order):
        assert not isinstance(interval, Absent)
        assert 0.0 <= interval[0] < interval[1]
        assert isfinite(interval[1])


@few
@given(margins, st.integers(0, 500), st.floats(-1e6, 1e6))
def test_margin_lies_between_hers_and_the_shops(model: NormalNormal, x: int, mbar: float) -> None:
    mean = mean_margin(model, x, mbar)
    low, high = sorted((model.mu, mbar if x else model.mu))

    assert low - 1e-6 * (1 + abs(low)) <= mean <= high + 1e-6 * (1 + abs(high))
    assert margin_variances(model, x)[0] <= model.between * (1.0 + 1e-12)


@few
@given(timings, buyers(), st.integers(1, 730), spends, margins, st.floats(0.0, 1.0))
def test_worth_is_finite_and_inside_its_intervals_order(
    model: Timing, buyer: Buyer, days: int, spend: GammaGamma, margin: NormalNormal, discount: float
) -> None:
    flow = order_flow(model, buyer, days, discount)
    assert 0.0 <= flow.discounted <= flow.orders * (1.0 + 1e-9)
    mean, variances = mean_spend(spend, buyer.x, 500.0), spend_variances(spend, buyer.x, 500.0)
    if not isinstance(mean, Absent) and not isinstance(variances, Absent):
        low, high = positive_interval(sum_moments(model, buyer, days / 7, mean, *variances))
        assert 0.0 <= low <= high
        assert isfinite(high)
    own = mean_margin(margin, buyer.x, -20.0)
    low, high = signed_interval(sum_moments(model, buyer, days / 7, own, *margin_variances(margin, buyer.x)))
    assert low <= high
    assert isfinite(low)
    assert isfinite(high)


purchases = st.dictionaries(
    st.integers(0, 3_000), st.tuples(st.integers(0, 10**9), st.integers(-(10**9), 10**9)), max_size=12
)


def days_of(bought: dict[int, tuple[int, int]]) -> list[tuple[int, int, int]]:
    return [(day, net, margin) for day, (net, margin) in bought.items()]


@many
@given(purchases, st.randoms(use_true_random=False))
def test_a_history_does_not_depend_on_the_order_of_its_days(bought: dict[int, tuple[int, int]], chance: object) -> None:
    shuffled = days_of(bought)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random

    assert history_of(shuffled) == history_of(days_of(bought))


@many
@given(st.lists(st.tuples(purchases, purchases), max_size=5))
def test_counters_after_changes_are_those_of_the_changed_customers(
    customers: list[tuple[dict[int, tuple[int, int]], dict[int, tuple[int, int]]]],
) -> None:
    counters: dict[str, int] = {}
    expected: dict[str, int] = {}
    for before, after in customers:
        old, new = history_of(days_of(before)), history_of(days_of(after))
        for change in (tallies(old), tally_change(old, new)):
            for name, count in change.items():
                counters[name] = counters.get(name, 0) + count
        for name, count in tallies(new).items():
            expected[name] = expected.get(name, 0) + count

    assert {name: count for name, count in counters.items() if count} == {
        name: count for name, count in expected.items() if count
    }
    assert {name.partition("|")[0] for name in counters} <= set(KINDS)
