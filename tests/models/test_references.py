"""The other opinions in this folder give the published figures, so they may be used to judge ours."""

import numpy as np
import pandas as pd
import pytest

from tests.models import cdnow, pareto_nbd
from tests.models.bg_bb import BgBb
from tests.models.pareto_nbd import ParetoNbd

ROUNDED = ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669)
DONORS = BgBb(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)


def columns(*rows: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(rows, np.float64)
    return table[:, 0], table[:, 1], table[:, 2]


def test_pareto_nbd_at_the_published_parameters() -> None:
    x, t_x, age = columns((0, 0, 38.86), (2, 30.43, 38.86), (10, 20, 39), (26, 30.86, 31), (300, 38, 38.86))

    alive = [0.295287, 0.869168, 0.080435, 0.997919, 0.721317]
    assert ROUNDED.p_alive(x, t_x, age) == pytest.approx(alive, abs=5.1e-7)
    orders = [0.107081, 1.455123, 0.555284, 20.117026, 142.164910]
    assert ROUNDED.expected_orders(x, t_x, age, 39.0) == pytest.approx(orders, abs=5.1e-7)
    new = [ROUNDED.expected_orders_of_new(weeks) for weeks in (1.0, 13.0, 39.0, 52.0, 78.0)]
    assert new == pytest.approx([0.050980, 0.531170, 1.213003, 1.472997, 1.909398], abs=5.1e-7)


def test_pareto_nbd_discounts_for_ever() -> None:
    x, t_x, age = columns((0, 0, 38.86), (2, 30.43, 38.86), (7, 27, 38.86), (10, 20, 39))

    expected = [0.477136, 6.483774, 13.756617, 2.475915]
    assert ROUNDED.discounted_orders(x, t_x, age, 0.0027) == pytest.approx(expected, abs=5.1e-7)


def test_pareto_nbd_where_differences_of_terms_would_cancel() -> None:
    hard = ParetoNbd(r=0.5143, alpha=2.8845, s=0.2856, beta=14.1087)

    assert hard.p_alive(*columns((161, 94.71429, 98)))[0] == pytest.approx(0.749487752258, abs=1e-11)


def test_pareto_nbd_fits_cdnow_as_published() -> None:
    rows = cdnow.buyers("sample")
    model, log_likelihood = pareto_nbd.fit(rows.x.astype(np.float64), rows.t_x, rows.age)

    assert log_likelihood == pytest.approx(-9594.976179, abs=0.001)
    assert (model.r, model.alpha, model.s, model.beta) == pytest.approx((0.5533, 10.578, 0.6062, 11.669), rel=2e-3)


def test_bg_bb_fits_the_donors_as_published() -> None:
    table = pd.read_csv(cdnow.data_file("donations.csv"))
    model = BgBb(alpha=1.203522, beta=0.749716, gamma=0.656718, delta=2.783442)
    rows = table[["frequency", "recency", "periods", "weights"]].to_numpy(dtype=np.int64).tolist()
    total = sum(weight * model.log_likelihood(x, t_x, n) for x, t_x, n, weight in rows)

    assert total == pytest.approx(-33225.581274, abs=1e-5)


def test_bg_bb_at_the_published_parameters() -> None:
    assert DONORS.p_alive(0, 0, 6) == pytest.approx(0.116097, abs=5.1e-7)
    assert DONORS.p_alive(0, 0, 6, ahead=1) == pytest.approx(0.108017, abs=5.1e-7)
    assert DONORS.expected_orders(0, 0, 6, 10) == pytest.approx(0.130104, abs=5.1e-7)
    assert DONORS.expected_orders(4, 5, 6, 10) == pytest.approx(3.627077, abs=5.1e-7)
    assert DONORS.expected_orders_of_new(10) == pytest.approx(3.178854, abs=5.1e-7)
