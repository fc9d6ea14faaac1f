"""What hold-outs say, from the customers of both arms themselves: by numpy, scipy and the published formulas, written out."""

from math import exp, log, sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import stats

from tests.year.afterwards import Compared, Worth

TIGHTEST_AT: Final = 5000
ALPHA: Final = 0.05
RHO2: Final = (-2 * log(ALPHA) + log(1 - 2 * log(ALPHA))) / TIGHTEST_AT
"""Waudby-Smith et al. 2021, as GrowthBook tunes it."""
ALARM: Final = 0.001
FALSE_DISCOVERIES: Final = 0.05

Values = npt.NDArray[np.float64]
Arms = dict[str, list[Compared]]


def outcome(arms: Arms, measure: str) -> dict[str, Any]:
    """One measure of a comparison: means, and the difference with her past taken into account and without."""
    place = Worth._fields.index(measure)
    y = {arm: np.array([one.after[place] for one in customers], float) for arm, customers in arms.items()}
    x = {arm: np.array([one.before[place] for one in customers], float) for arm, customers in arms.items()}
    all_x, all_y = np.concatenate([*x.values()]), np.concatenate([*y.values()])
    slope = np.cov(all_x, all_y)[0, 1] / all_x.var(ddof=1)
    held, treated = y["holdout"], y["treated"]
    relative = None
    if held.any():  # by the delta method it is as uncertain as the difference of these would be
        ratio = treated.mean() / held.mean()
        relative = _difference(1 + (held / held.mean() - 1) * ratio, treated / held.mean())
    return {
        "holdout_mean": held.mean(),
        "treated_mean": treated.mean(),
        "estimate": _difference(held - slope * x["holdout"], treated - slope * x["treated"]) | {"theta": slope},
        "plain": _difference(held, treated),
        "relative": relative,
    }


def _difference(held: Values, treated: Values) -> dict[str, float]:
    """Treated less held out: Welch's test for one look, and the interval that holds at every look."""
    told = float(treated.mean() - held.mean())
    welch = stats.ttest_ind(treated, held, equal_var=False)
    interval = welch.confidence_interval(1 - ALPHA)
    n = len(held) + len(treated)
    own = sqrt(held.var(ddof=1) / len(held) + treated.var(ddof=1) / len(treated))
    common = ((len(held) - 1) * held.var(ddof=1) + (len(treated) - 1) * treated.var(ddof=1)) / (n - 2)
    error = max(own, sqrt(common * (1 / len(held) + 1 / len(treated))))
    half = error * sqrt(2 * (n * RHO2 + 1) / (n * RHO2) * log(sqrt(n * RHO2 + 1) / ALPHA))
    evidence = exp(RHO2 * told**2 * n / (2 * error**2 * (n * RHO2 + 1))) / sqrt(n * RHO2 + 1)
    return {
        "difference": told,
        "standard_error": own,
        "degrees": float(welch.df),
        "p": float(welch.pvalue),
        "low": float(interval.low),
        "high": float(interval.high),
        "low_always": told - half,
        "high_always": told + half,
        "p_always": min(1.0, 1 / evidence),
    }


def warnings(arms: Arms, share: float) -> list[str]:
    """Why no number is to be believed: arms that are no lot's by their sizes, or by what they brought before."""
    found = []
    sizes = [len(arms["holdout"]), len(arms["treated"])]
    planned = [sum(sizes) * share, sum(sizes) * (1 - share)]
    if min(planned) >= 5 and stats.chisquare(sizes, planned).pvalue < ALARM:
        found.append("sample_ratio")
    held, treated = (np.array([one.before.net for one in arms[arm]], float) for arm in ("holdout", "treated"))
    apart = _difference(held, treated)
    pooled = stats.ttest_ind(treated, held).statistic
    if stats.norm.sf(min(abs(apart["difference"]) / apart["standard_error"], abs(pooled))) * 2 < ALARM:
        found.append("not_randomised")
    return found


def standings(compared: dict[str, Arms], shares: dict[str, float]) -> dict[str, tuple[str, float | None]]:
    """Of each comparison whether something was found, and how surely: all of them taken together (Benjamini & Hochberg 1995)."""
    believed = [name for name in compared if not warnings(compared[name], shares[name])]
    p_values = [outcome(compared[name], "net")["estimate"]["p_always"] for name in believed]
    judged = dict(zip(believed, stats.false_discovery_control(p_values), strict=True)) if believed else {}
    return {
        name: ("not_believed", None)
        if name not in judged
        else ("found" if judged[name] < FALSE_DISCOVERIES else "not_found", float(judged[name]))
        for name in compared
    }
