"""The customer value models beside pymc-marketing's, which shares no code with ours: on CDNOW and on made-up customers.

    uv run --no-sync --with pymc-marketing python -m bench.beside_pymc

It brings a compiler and 600 MB along, hence no dependency of the tests (those compare with `lifetimes`). Its fits are the
highest point of the posterior under flat priors, which is the point of highest likelihood; its predictions are taken at its own
parameters, and ours at the same ones. Needs no server; about a minute, most of it compiling.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from profiles.value.alive import p_alive
from profiles.value.orders import expected_orders
from profiles.value.spend import GammaGamma, mean_spend
from profiles.value.timing import Buyer, Family, Timing
from streams.fitting.likelihood import TimingLikelihood, timing_counts
from streams.fitting.population import Population, population_of
from streams.fitting.spend import fit_spend_rows
from streams.fitting.timing import fit_timing
from tests.models import cdnow
from tests.models.simulator import counters_of, simulate

Numbers = NDArray[np.float64]
WEEKS: Final = 39.0
MODELS: Final[dict[Family, str]] = {"bg_nbd": "BetaGeoModel", "mbg_nbd": "ModifiedBetaGeoModel"}


@dataclass(frozen=True)
class Rows:
    """Customers as both sides take them: orders after the first, weeks from the first to the last and to `today`."""

    name: str
    x: NDArray[np.int64]
    t_x: Numbers
    age: Numbers
    population: Population
    today: int


def main() -> None:
    warnings.simplefilter("ignore")
    clv, priors = import_module("pymc_marketing.clv"), import_module("pymc_extras.prior")
    print(f"beside pymc-marketing {version('pymc-marketing')}")
    sample = cdnow.buyers("sample")
    known = Rows("CDNOW", sample.x, sample.t_x, sample.age, cdnow.population("sample"), cdnow.CALIBRATED_UNTIL)
    for family in MODELS:
        _timing(clv, priors, known, family)
        _timing(clv, priors, _made(family), family)
    spent = sample.repeat_dollars > 0
    _spend(clv, priors, sample.x[spent], sample.repeat_dollars[spent] / sample.x[spent])


def _made(family: Family) -> Rows:
    """3,000 customers who joined over half a year, and their orders of a year."""
    made = simulate(Timing(family=family, r=0.8, alpha=9.0, a=0.7, b=2.0), 3_000, 180, 364, seed=11)
    x, last = made.until(364)
    population = population_of(counters_of(x, made.first_day, last))
    return Rows("made up", x, (last - made.first_day) / 7, (364 - made.first_day) / 7, population, 364)


def _timing(clv: Any, priors: Any, rows: Rows, family: Family) -> None:
    frame = pd.DataFrame(
        {"customer_id": np.arange(len(rows.x)), "frequency": rows.x, "recency": rows.t_x, "T": rows.age}
    )
    other = getattr(clv, MODELS[family])(model_config=_flat(priors, ("r", "alpha", "a", "b")))
    r, alpha, a, b = _highest(other, frame, ("r", "alpha", "a", "b")).values()
    theirs = Timing(family=family, r=r, alpha=alpha, a=a, b=b)
    ours = fit_timing(rows.population, rows.today, family)
    likelihood = TimingLikelihood(timing_counts(rows.population, rows.today), family, 1)
    buyers = [Buyer(*row) for row in zip(rows.x.tolist(), rows.t_x.tolist(), rows.age.tolist(), strict=True)]
    apart = {
        "ln L, ours above theirs": ours.log_likelihood - likelihood.value(theirs),
        "P(alive)": _apart((p_alive(theirs, one) for one in buyers), other.expected_probability_alive(frame)),
        f"orders in {WEEKS:.0f} weeks": _apart(
            (expected_orders(theirs, one, WEEKS) for one in buyers), other.expected_purchases(frame, future_t=WEEKS)
        ),
    }
    _say(f"{family}, {rows.name}, {len(buyers):,} customers", _values(ours.parameters), _values(theirs), apart)


def _spend(clv: Any, priors: Any, x: NDArray[np.int64], means: Numbers) -> None:
    frame = pd.DataFrame({"customer_id": np.arange(len(x)), "frequency": x, "monetary_value": means})
    other = clv.GammaGammaModel(model_config=_flat(priors, ("p", "q", "v")))
    p, q, v = _highest(other, frame, ("p", "q", "v")).values()
    theirs = GammaGamma(p=p, q=q, v=v)
    ours = fit_spend_rows(x, means, np.ones_like(x), 0).parameters
    found = (mean_spend(theirs, n, mean) for n, mean in zip(x.tolist(), means.tolist(), strict=True))
    apart = {"mean spend": _apart(found, other.expected_customer_spend(frame))}
    _say(f"gamma-gamma, CDNOW, {len(x):,} customers", [ours.p, ours.q, ours.v], [p, q, v], apart)


def _flat(priors: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: priors.Prior("HalfFlat") for name in names}


def _highest(model: Any, frame: pd.DataFrame, names: tuple[str, ...]) -> dict[str, float]:
    model.fit(data=frame, method="map", progressbar=False)
    return {name: float(model.fit_result[name].values.ravel()[0]) for name in names}


def _apart(ours: Iterable[object], theirs: Any) -> float:
    """The largest difference over the customers, relative to theirs."""
    return float(np.max(np.abs(np.array(list(ours), float) / np.ravel(theirs.values) - 1)))


def _values(model: Timing) -> list[float]:
    return [model.r, model.alpha, model.a, model.b]


def _say(what: str, ours: list[float], theirs: list[float], apart: dict[str, float]) -> None:
    print(what)
    print("  ours  ", *(f"{value:10.4f}" for value in ours))
    print("  theirs", *(f"{value:10.4f}" for value in theirs))
    for name, difference in apart.items():
        print(f"  {name}: {difference:.1e}")


if __name__ == "__main__":
    main()
