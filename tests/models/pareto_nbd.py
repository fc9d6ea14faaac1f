"""The Pareto/NBD model (Schmittlein, Morrison & Colombo 1987), as another opinion to hold ours against.

The likelihood is the sum of two positive terms, which never cancels. Time is in weeks; x, t_x and age as everywhere.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln, hyp2f1, hyperu, logsumexp

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ParetoNbd:
    r: float
    alpha: float
    s: float
    beta: float

    def log_likelihood(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        largest, apart = max(alpha, beta), abs(alpha - beta)
        both = r + s + x
        inner = (s + 1.0, np.full_like(x, s)) if alpha >= beta else (r + x, r + x + 1.0)

        def part(weight: Floats, second: Floats | float, at: Floats) -> Floats:
            series = hyp2f1(both, second, both + 1.0, apart / (largest + at))
            return np.log(weight / both) + np.log(series) - both * np.log(largest + at)

        sums = logsumexp(
            [part(np.full_like(x, s), inner[0], t_x), part(r + x, inner[1], age)],
            axis=0,
        )
        start = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        return np.asarray(start + sums, np.float64)

    def p_alive(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        alive = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        alive = alive - (r + x) * np.log(alpha + age) - s * np.log(beta + age)
        return np.asarray(np.exp(alive - self.log_likelihood(x, t_x, age)), np.float64)

    def expected_orders(self, x: Floats, t_x: Floats, age: Floats, weeks: float) -> Floats:
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        lasting = 1.0 - ((beta + age) / (beta + age + weeks)) ** (s - 1.0)
        return np.asarray(
            self.p_alive(x, t_x, age) * (r + x) * (beta + age) / ((alpha + age) * (s - 1.0)) * lasting, np.float64
        )

    def expected_orders_of_new(self, weeks: float) -> float:
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        return r * beta / (alpha * (s - 1.0)) * (1.0 - float((beta / (beta + weeks)) ** (s - 1.0)))

    def discounted_orders(self, x: Floats, t_x: Floats, age: Floats, delta: float) -> Floats:
        """Expected orders for ever, discounted continuously at `delta` a week."""
        s, beta = self.s, self.beta
        lasting = (beta + age) ** s * delta ** (s - 1.0) * hyperu(s, s, delta * (beta + age))
        return np.asarray(self.p_alive(x, t_x, age) * (self.r + x) / (self.alpha + age) * lasting, np.float64)


def fit(x: Floats, t_x: Floats, age: Floats) -> tuple[ParetoNbd, float]:
    """The most likely parameters and the log-likelihood there."""
    keys, count = np.unique(np.c_[x, t_x, age], axis=0, return_counts=True)

    def loss(logs: Floats) -> float:
        r, alpha, s, beta = np.exp(logs).tolist()
        return -float(count @ ParetoNbd(r, alpha, s, beta).log_likelihood(*keys.T)) / len(x)

    found = minimize(loss, np.log([1.0, 10.0, 1.0, 10.0]), method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-8})
    r, alpha, s, beta = np.exp(found.x).tolist()
    return ParetoNbd(r, alpha, s, beta), -float(found.fun) * len(x)
