"""What an order is worth by parts of the shop: spend and margin of a channel or country, where they differ from the shop's.

Spend: as for ordering (`streams.fitting.segments`), twice the gain in log-likelihood of three parameters of its own must be
beyond what chance brings once in a thousand.

Margin: no likelihood is trusted here, since margins are not normal and a few large ones would make any two parts differ. What
must differ is the mean: its distance from the shop's in standard errors, made from the scatter that was found, squared, is
chi-squared with one degree of freedom where there is no difference.

Either is shrunk towards the shop by the number of customers who came back, whom it was learned from.
"""

from typing import Final

import numpy as np
from msgspec.structs import replace

from profiles.value.margin import NormalNormal
from profiles.value.model import MarginFit, Rejected, Rejection, SpendFit
from profiles.value.origin import Dimension
from profiles.value.spend import GammaGamma
from streams.fitting.optimum import Refused
from streams.fitting.parts import Apart, Trial, different, own_weight, told_apart
from streams.fitting.population import Bools, Ints, Population
from streams.fitting.spend import fit_margin_rows, fit_spend_rows, spend_log_likelihood

SPEND_DISTINCT: Final = 16.27
"""Chi-squared with three degrees of freedom is beyond it once in a thousand."""
MARGIN_DISTINCT: Final = 10.83
"""The same with one."""
_SPEND_PRICE: Final = 6.0
_MARGIN_PRICE: Final = 2.0
"""What parameters of its own have to bring in twice the log-likelihood; of margin only the mean is judged."""


def segmented_spend(population: Population, pooled: SpendFit, today: int) -> Apart[SpendFit]:
    """The better of the dimensions that tell customers apart by what they spend, and the parameters of its segments."""
    return told_apart(
        population, lambda names, by: _spend_trial(population, names, pooled, today, by), "segments:spend"
    )


def segmented_margin(population: Population, pooled: MarginFit, today: int) -> Apart[MarginFit]:
    """The same of margins."""
    return told_apart(
        population, lambda names, by: _margin_trial(population, names, pooled, today, by), "segments:margin"
    )


def _spend_trial(
    population: Population, names: list[str | None], pooled: SpendFit, today: int, by: Dimension
) -> Trial[SpendFit]:
    """Gamma-Gamma of each segment; with w = own_weight(n) each parameter is own^w x pooled^(1-w)."""
    trial: Trial[SpendFit] = Trial()
    whole = pooled.parameters
    for name in different(population, names):
        inside = _rows_of(name, names, population.spend_origin_of_row)
        positive = inside & (population.spend > 0.0)
        rows = population.spend_x[positive], population.spend[positive], population.spend_count[positive]
        like_shop = replace(
            pooled,
            customers=int(rows[2].sum()),
            left_out=int(population.spend_count[inside & ~positive].sum()),
            log_likelihood=spend_log_likelihood(*rows, whole),
            standard_errors={},
            own_weight=0.0,
        )
        trial.fits[name] = like_shop
        try:
            own = fit_spend_rows(*rows, today, like_shop.left_out, whole)
            gain = 2.0 * (own.log_likelihood - like_shop.log_likelihood)
            _distinct(gain, SPEND_DISTINCT, "own parameters gain")
        except Refused as refusal:
            trial.rejected.append(_rejected("spend", by, name, refusal))
            continue
        weight = own_weight(own.customers)
        shrunk = GammaGamma(
            p=own.parameters.p**weight * whole.p ** (1.0 - weight),
            q=own.parameters.q**weight * whole.q ** (1.0 - weight),
            v=own.parameters.v**weight * whole.v ** (1.0 - weight),
        )
        log_likelihood = spend_log_likelihood(*rows, shrunk)
        trial.gain += 2.0 * (log_likelihood - like_shop.log_likelihood) - _SPEND_PRICE
        trial.fits[name] = replace(
            own,
            parameters=shrunk,
            log_likelihood=log_likelihood,
            standard_errors=own.standard_errors if weight == 1.0 else {},
            own_weight=weight,
        )
    return trial


def _margin_trial(
    population: Population, names: list[str | None], pooled: MarginFit, today: int, by: Dimension
) -> Trial[MarginFit]:
    """Normal-normal of each segment; with w = own_weight(n) the mean is w own + (1-w) pooled, variances own^w x pooled^(1-w)."""
    trial: Trial[MarginFit] = Trial()
    whole = pooled.parameters
    for name in different(population, names):
        inside = _rows_of(name, names, population.margin_origin_of_row)
        scattered = _rows_of(name, names, population.spread_origin_of_row)
        spread = float((population.spread[scattered] * population.spread_count[scattered]).sum())
        rows = population.margin_x[inside], population.margin[inside], population.margin_count[inside]
        trial.fits[name] = replace(pooled, customers=int(rows[2].sum()), standard_errors={}, own_weight=0.0)
        try:
            own = fit_margin_rows(*rows, spread, today)
            mine, error = own.parameters, own.standard_errors["mu"]
            distance = ((mine.mu - whole.mu) / error) ** 2
            _distinct(distance, MARGIN_DISTINCT, "the mean is off by squared standard errors of")
        except Refused as refusal:
            trial.rejected.append(_rejected("margin", by, name, refusal))
            continue
        weight = own_weight(own.customers)
        # What the distance is worth once the mean was drawn towards the shop's: a parabola of log-likelihood around it.
        trial.gain += distance * (1.0 - (1.0 - weight) ** 2) - _MARGIN_PRICE
        trial.fits[name] = replace(
            own,
            parameters=NormalNormal(
                mu=weight * mine.mu + (1.0 - weight) * whole.mu,
                between=mine.between**weight * whole.between ** (1.0 - weight),
                within=mine.within**weight * whole.within ** (1.0 - weight),
            ),
            standard_errors=own.standard_errors if weight == 1.0 else {},
            own_weight=weight,
        )
    return trial


def _rows_of(name: str, names: list[str | None], origin_of_row: Ints) -> Bools:
    """Which rows are of origins in a segment."""
    chosen: Bools = np.array([one == name for one in names])[origin_of_row]
    return chosen


def _distinct(gain: float, limit: float, what: str) -> None:
    if gain < limit:
        raise Refused(Rejection.LIKE_THE_SHOP, f"{what} {gain:.1f}, chance alone gives up to {limit}")


def _rejected(part: str, by: Dimension, name: str, refusal: Refused) -> Rejected:
    return Rejected(part=f"{part}:{by}:{name}", reason=refusal.reason, detail=refusal.detail)
