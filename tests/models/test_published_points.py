"""Single figures against published ones, and against 40-digit arithmetic on the same rounded inputs."""

import pytest
from scipy.special import hyp2f1

from profiles.value.absent import Absent
from profiles.value.alive import p_alive, p_order_within
from profiles.value.counts import p_at_least
from profiles.value.orders import expected_orders
from profiles.value.spend import GammaGamma, mean_spend
from profiles.value.thresholds import alive_falls_below
from profiles.value.timing import Buyer, Timing

BG = Timing(family="bg_nbd", r=0.243, alpha=4.414, a=0.793, b=2.426)
MBG = Timing(family="mbg_nbd", r=0.525, alpha=6.183, a=0.891, b=1.614)
NEW = Buyer(0, 0.0, 0.0)

# x, t_x, T: P(alive) and E[Y(39)] of BG/NBD, the same of MBG/NBD
POINTS = [
    (0, 0.0, 38.86, 1.0, 0.195098, 0.389735, 0.154013),
    (1, 1.71, 38.86, 0.212101, 0.203187, 0.170836, 0.188837),
    (2, 30.43, 38.86, 0.726579, 1.226028, 0.706202, 1.262961),
    (2, 5.0, 38.86, 0.123679, 0.208696, 0.107392, 0.192058),
    (4, 35.0, 38.86, 0.821524, 2.552354, 0.807721, 2.520605),
    (7, 27.0, 38.86, 0.510832, 2.656261, 0.492328, 2.504297),
    (10, 20.0, 39.0, 0.038114, 0.276654, 0.040120, 0.281687),
    (26, 30.86, 31.0, 0.968916, 20.749726, 0.965566, 19.450723),
    (60, 38.0, 38.86, 0.958532, 39.948339, 0.955618, 37.601306),
    (300, 38.0, 38.86, 0.478396, 98.841061, 0.507797, 98.640417),
    (3, 12.0, 12.0, 0.848055, 4.335170, 0.838147, 4.111153),
]


@pytest.mark.parametrize("x, t_x, age, alive_bg, orders_bg, alive_mbg, orders_mbg", POINTS)
def test_alive_and_expected_orders_to_six_digits(
    x: int, t_x: float, age: float, alive_bg: float, orders_bg: float, alive_mbg: float, orders_mbg: float
) -> None:
    buyer = Buyer(x, t_x, age)

    assert p_alive(BG, buyer) == pytest.approx(alive_bg, abs=5.1e-7)
    assert expected_orders(BG, buyer, 39.0) == pytest.approx(orders_bg, abs=5.1e-7)
    assert p_alive(MBG, buyer) == pytest.approx(alive_mbg, abs=5.1e-7)
    assert expected_orders(MBG, buyer, 39.0) == pytest.approx(orders_mbg, abs=5.1e-7)


def test_where_the_textbook_divides_by_zero_the_expectation_is_the_limit() -> None:
    at_one = Timing(family="bg_nbd", r=0.243, alpha=4.414, a=1.0, b=2.426)

    assert expected_orders(at_one, Buyer(2, 30.43, 38.86), 39.0) == pytest.approx(1.102136786040, abs=1e-11)


@pytest.mark.parametrize(
    "weeks, bg, mbg",
    [
        (1.0, 0.053268, 0.053085),
        (13.0, 0.534440, 0.535357),
        (39.0, 1.196723, 1.182954),
        (52.0, 1.446051, 1.419724),
        (78.0, 1.860519, 1.804758),
    ],
)
def test_what_a_new_customer_will_order(weeks: float, bg: float, mbg: float) -> None:
    assert expected_orders(BG, NEW, weeks) == pytest.approx(bg, abs=5.1e-7)
    assert expected_orders(MBG, NEW, weeks) == pytest.approx(mbg, abs=5.1e-7)


def test_the_distribution_of_a_new_customers_orders() -> None:
    tails = [1.0, *(p_at_least(BG, NEW, 39.0, n) for n in range(1, 9))]
    points = [tails[n] - tails[n + 1] for n in range(8)]

    expected = [0.573786, 0.199395, 0.085430, 0.045860, 0.027671, 0.017965, 0.012269, 0.008695]
    assert points == pytest.approx(expected, abs=5.1e-7)
    assert p_at_least(BG, NEW, 2.0, 10) - p_at_least(BG, NEW, 2.0, 11) == pytest.approx(1.078690e-07, rel=1e-6)


def test_the_probability_of_eleven_orders_in_thirty_weeks_is_the_published_one() -> None:
    eleven = p_at_least(BG, NEW, 30.0, 11) - p_at_least(BG, NEW, 30.0, 12)

    assert eleven == pytest.approx(0.0019995214, abs=5e-11)


@pytest.mark.parametrize(
    "model, buyer, expected",
    [
        (BG, Buyer(2, 30.43, 38.86), (0.130694, 0.323491, 0.554627)),
        (MBG, Buyer(2, 30.43, 38.86), (0.136522, 0.333922, 0.559994)),
        (BG, Buyer(0, 0.0, 38.86), (0.021254, 0.061837, 0.144551)),
        (MBG, Buyer(0, 0.0, 38.86), (0.017025, 0.048577, 0.108829)),
    ],
)
def test_the_probability_of_an_order_within_4_13_and_39_weeks(
    model: Timing, buyer: Buyer, expected: tuple[float, ...]
) -> None:
    assert [p_order_within(model, buyer, weeks) for weeks in (4.0, 13.0, 39.0)] == pytest.approx(expected, abs=5.1e-7)


@pytest.mark.parametrize(
    "model, x, t_x, age",
    [
        (BG, 1, 5.0, 18.730942),
        (BG, 2, 30.43, 62.491254),
        (BG, 10, 30.0, 40.238790),
        (BG, 26, 30.86, 35.959342),
        (MBG, 0, 0.0, 12.989423),
        (MBG, 1, 5.0, 16.467011),
        (MBG, 2, 30.43, 57.565671),
    ],
)
def test_the_week_in_which_it_becomes_likelier_that_she_is_gone(model: Timing, x: int, t_x: float, age: float) -> None:
    assert alive_falls_below(model, Buyer(x, t_x, t_x), 0.5) == pytest.approx(age, abs=5.1e-7)


def test_a_one_time_buyer_is_never_gone_by_bg_nbd() -> None:
    assert alive_falls_below(BG, Buyer(0, 0.0, 38.86), 0.5) is Absent.NEVER


# Fader & Hardie's note 004 and BTYD's walkthrough, with the unrounded estimates of the CDNOW sample.
BTYD = Timing(family="bg_nbd", r=0.2425967, alpha=4.413659, a=0.7929869, b=2.426164)


def test_customer_1516_as_in_the_walkthrough_of_btyd() -> None:
    customer = Buyer(26, 30.0 + 6.0 / 7.0, 31.0)

    assert p_alive(BTYD, customer) == pytest.approx(0.9688523, abs=2e-6)
    assert expected_orders(BTYD, customer, 52.0) == pytest.approx(25.75659, abs=2e-4)
    assert expected_orders(BTYD, NEW, 52.0) == pytest.approx(1.444004, abs=2e-6)


@pytest.mark.parametrize("x, expected", [(10, 0.3474606), (15, 0.04283391), (20, 0.004158973), (25, 0.0003583685)])
def test_more_purchases_can_mean_less_value(x: int, expected: float) -> None:
    assert expected_orders(BTYD, Buyer(x, 20.0, 39.0), 52.0) == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize(
    "x, zbar, expected",
    [
        (0, 0.0, 35.218978),
        (1, 11.77, 18.916852),
        (2, 22.35, 24.663714),
        (7, 73.74, 71.469671),
        (1, 500.0, 358.342603),
        (20, 25.0, 25.219195),
    ],
)
def test_expected_spend_to_six_digits(x: int, zbar: float, expected: float) -> None:
    assert mean_spend(GammaGamma(p=6.25, q=3.74, v=15.44), x, zbar) == pytest.approx(expected, abs=5.1e-7)


@pytest.mark.parametrize("x, age", [(0, 38.86), (1, 2.0), (5, 104.0), (40, 52.0)])
@pytest.mark.parametrize("weeks", [0.1, 4.0, 52.0])
def test_expected_orders_equal_the_hypergeometric_form_of_the_paper(x: int, age: float, weeks: float) -> None:
    """Fader, Hardie & Lee 2005, eq. 10, with scipy's hypergeometric function; MBG/NBD has b + 1 for b."""
    buyer = Buyer(x, 0.75 * age if x else 0.0, age)
    for model in (BG, MBG):
        r, alpha, a, b = model.r, model.alpha, model.a, model.b + model.leaves_at_first
        until = alpha + age + weeks
        series = hyp2f1(r + x, b + x, a + b + x - 1.0, weeks / until)
        expected = (a + b + x - 1.0) / (a - 1.0) * (1.0 - ((alpha + age) / until) ** (r + x) * series)

        assert expected_orders(model, buyer, weeks) == pytest.approx(p_alive(model, buyer) * expected, rel=1e-9)
