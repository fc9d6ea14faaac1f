"""Maximum likelihood on a logarithmic scale, and the judgement whether what came out may be used.

All models here have parameters above zero whose sizes differ by orders of magnitude, so the search runs over logarithms, by
L-BFGS-B with the gradient given (Byrd, Lu, Nocedal & Zhu 1995). A fit that is not good is refused with a reason; nothing is
repaired by guessing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize

from profiles.value.model import Rejection
from streams.fitting.population import Floats

PARAMETER_MAX: Final = 1e4
"""A parameter beyond it is on its way to infinity: the data do not bound it (a known fate of small cohorts)."""
PARAMETER_MIN: Final = 1e-4
_STEPS_MAX: Final = 300
_HESSIAN_STEP: Final = 1e-4

Objective = Callable[[Floats], tuple[float, Floats]]
"""Parameters -> log-likelihood and gradient."""


class Refused(Exception):
    """A fit must not be used. What is in use stays, and the model document says so with this reason and detail."""

    def __init__(self, reason: Rejection, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Where the log-likelihood is largest. Standard errors are None where the curvature there has no inverse."""

    parameters: Floats
    log_likelihood: float
    standard_errors: Floats | None
    evaluations: int


def maximise(objective: Objective, start: Floats, size: int, names: tuple[str, ...]) -> Optimum:
    """The maximum of a log-likelihood over `size` customers, searched from `start`.

    Raises Refused: NOT_FINITE, NOT_CONVERGED, TOO_LARGE or AT_BOUND, naming the parameter.
    """
    bounds = [(np.log(PARAMETER_MIN), np.log(PARAMETER_MAX))] * len(start)

    def loss(logs: Floats) -> tuple[float, Floats]:
        parameters = np.exp(logs)
        value, gradient = objective(parameters)
        # Per customer, so that tolerances mean the same for every shop; by the chain rule on the scale of logarithms.
        return -value / size, -gradient * parameters / size

    first = np.log(np.clip(start, 2.0 * PARAMETER_MIN, 0.5 * PARAMETER_MAX))
    with np.errstate(all="ignore"):  # what overflows is caught by the judgement below
        found = minimize(
            loss,
            first,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": _STEPS_MAX, "ftol": 1e-13, "gtol": 1e-8},
        )
    logs = np.asarray(found.x, np.float64)
    parameters = np.exp(logs)
    value, gradient = loss(logs)
    if not (np.isfinite(value) and np.isfinite(gradient).all()):
        raise Refused(Rejection.NOT_FINITE, f"log-likelihood {-value * size}, gradient {gradient.tolist()}")
    for name, parameter in zip(names, parameters.tolist(), strict=True):
        if parameter >= 0.99 * PARAMETER_MAX:
            raise Refused(Rejection.TOO_LARGE, f"{name} runs beyond {PARAMETER_MAX:g}")
        if parameter <= 1.01 * PARAMETER_MIN:
            raise Refused(Rejection.AT_BOUND, f"{name} runs below {PARAMETER_MIN:g}")
    steepest = float(np.abs(gradient).max())
    if steepest > 1e-4:
        raise Refused(
            Rejection.NOT_CONVERGED, f"the slope is still {steepest:.2g} per customer after {found.nit} steps"
        )
    return Optimum(parameters, -value * size, _standard_errors(loss, logs, size), int(found.nfev))


def _standard_errors(loss: Callable[[Floats], tuple[float, Floats]], logs: Floats, size: int) -> Floats | None:
    """From the observed information: central differences of the gradient, turned from logarithms to the parameters."""
    rows = []
    for place in range(len(logs)):
        step = np.zeros_like(logs)
        step[place] = _HESSIAN_STEP
        rows.append((loss(logs + step)[1] - loss(logs - step)[1]) / (2.0 * _HESSIAN_STEP))
    information = size * np.array(rows)
    information = 0.5 * (information + information.T)
    if not np.isfinite(information).all() or np.linalg.eigvalsh(information).min() <= 0.0:
        return None
    return np.exp(logs) * np.sqrt(np.diag(np.linalg.inv(information)))
