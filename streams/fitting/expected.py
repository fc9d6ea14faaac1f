"""Expected orders of many customers at once, for totals over a whole shop.

The same figures as `profiles.value.orders`, whose heading has the formula, with the series added up for all rows together; rows
for which it converges slowly or alternates are left to that module, and so is regularity above 1.
"""

from typing import Final

import numpy as np

from profiles.value.orders import expected_orders
from profiles.value.timing import Buyer, Timing
from streams.fitting.population import Bools, Floats, Ints

RELATIVE_ERROR: Final = 1e-9
_TERMS_MAX: Final = 400
_ALTERNATING: Final = -8.0
"""As in `profiles.value.orders`."""


def expected_orders_of(model: Timing, x: Ints, t_x: Floats, age: Floats, weeks: float) -> Floats:
    """The expected number of orders of each row in the next `weeks` (> 0); times are in weeks as in `Buyer`."""
    if model.regularity != 1:
        return _one_by_one(model, x, t_x, age, weeks)
    # Rows whose series grows beyond all bounds are left out of `done`.
    with np.errstate(over="ignore", invalid="ignore"):
        found, done = _series(model, x, age, weeks)
    found *= _alive(model, x, t_x, age)
    if not done.all():
        rest = ~done
        found[rest] = _one_by_one(model, x[rest], t_x[rest], age[rest], weeks)
    return found


def _alive(model: Timing, x: Ints, t_x: Floats, age: Floats) -> Floats:
    """P(alive) for k = 1."""
    chances = x + model.leaves_at_first
    with np.errstate(divide="ignore", over="ignore"):
        odds = model.a / (model.b + np.maximum(chances, 1) - 1.0)
        gone = odds * ((model.alpha + age) / (model.alpha + t_x)) ** (model.r + x)
    alive: Floats = np.where(chances > 0, 1.0 / (1.0 + gone), 1.0)
    return alive


def _series(model: Timing, x: Ints, age: Floats, weeks: float) -> tuple[Floats, Bools]:
    """E[Y] given alive, and for which rows the series is good for it."""
    e = model.a - 1.0
    stay = model.b + x + model.leaves_at_first
    growth = weeks / (model.alpha + age)
    log_fall, z = -np.log1p(growth), growth / (1.0 + growth)
    first = -(e + stay) * (np.expm1(e * log_fall) / e if abs(e) > 1e-12 else log_fall)
    factor, c = np.exp(e * log_fall), e + stay - (model.r + x)
    total, done = np.zeros_like(z), np.zeros(len(z), bool)
    left = np.flatnonzero(c > _ALTERNATING)
    c_left, z_left, scale = c[left], z[left], e + stay[left]
    term = c_left * z_left
    for j in range(1, _TERMS_MAX):
        total[left] += term
        ratio = (c_left + j) * (e + j) / ((scale + j) * (j + 1.0)) * z_left
        term = term * ratio
        # The terms behind fall at least like a geometric series of the larger of their first and their last ratio.
        slowest = np.maximum(np.abs(ratio), z_left)
        value = np.abs(first[left] - factor[left] * total[left])
        ready = (slowest < 1.0) & (factor[left] * np.abs(term) <= RELATIVE_ERROR * (1.0 - slowest) * value)
        if ready.any():
            done[left[ready]] = True
            going = ~ready
            left, term = left[going], term[going]
            c_left, z_left, scale = c_left[going], z_left[going], scale[going]
            if not len(left):
                break
    return np.maximum(0.0, first - factor * total), done


def _one_by_one(model: Timing, x: Ints, t_x: Floats, age: Floats, weeks: float) -> Floats:
    rows = zip(x.tolist(), t_x.tolist(), age.tolist(), strict=True)
    return np.array([expected_orders(model, Buyer(*row), weeks) for row in rows], np.float64)
