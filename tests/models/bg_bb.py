"""The BG/BB model (Fader, Hardie & Shang 2010): orders in discrete periods, as another opinion on one-time buyers.

In each of n periods a living customer orders with probability p ~ Beta(alpha, beta) and then leaves with q ~ Beta(gamma, delta).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, logsumexp

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BgBb:
    alpha: float
    beta: float
    gamma: float
    delta: float

    def log_likelihood(self, x: int, t_x: int, n: int) -> float:
        i = np.arange(n - t_x)
        terms = [self._log_alive(x, n, n)]
        terms.extend(
            betaln(self.alpha + x, self.beta + t_x - x + i)
            - betaln(self.alpha, self.beta)
            + betaln(self.gamma + 1.0, self.delta + t_x + i)
            - betaln(self.gamma, self.delta)
        )
        return float(logsumexp(terms))

    def p_alive(self, x: int, t_x: int, n: int, ahead: int = 0) -> float:
        """The probability of being alive in period n + `ahead`."""
        return float(np.exp(self._log_alive(x, n, n + ahead) - self.log_likelihood(x, t_x, n)))

    def expected_orders(self, x: int, t_x: int, n: int, periods: int) -> float:
        j = np.arange(1, periods + 1)
        alive = betaln(self.gamma, self.delta + n + j) - betaln(self.gamma, self.delta)
        orders = betaln(self.alpha + x + 1.0, self.beta + n - x) - betaln(self.alpha, self.beta)
        return float(np.exp(orders + logsumexp(alive) - self.log_likelihood(x, t_x, n)))

    def expected_orders_of_new(self, periods: int) -> float:
        j = np.arange(1, periods + 1)
        alive = np.exp(betaln(self.gamma, self.delta + j) - betaln(self.gamma, self.delta))
        return float(self.alpha / (self.alpha + self.beta) * alive.sum())

    def _log_alive(self, x: int, n: int, until: int) -> float:
        orders = betaln(self.alpha + x, self.beta + n - x) - betaln(self.alpha, self.beta)
        return float(orders + betaln(self.gamma, self.delta + until) - betaln(self.gamma, self.delta))
