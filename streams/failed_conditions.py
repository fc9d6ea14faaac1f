"""Conditions of the rules that could not be evaluated on a customer's data: counted, and logged once per rule and hour.

Each failure counts as "not met" where it happens (`profiles.expressions.failures`); here they are only told of. Reasons name
no customer and none of her data.
"""

import logging
from typing import Final

from profiles.expressions.failures import Failures
from streams.metrics import Metrics

_log = logging.getLogger(__name__)

AGAIN_MS: Final = 3_600_000


class FailedConditions:
    """To be asked now and then. Times are milliseconds of any one clock that never goes back."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._logged_ms: dict[str, int] = {}
        self._unlogged: dict[str, int] = {}

    def look(self, failures: Failures | None, now_ms: int) -> None:
        """Count what failed since the last look, and log what was not logged within the hour."""
        for failure in () if failures is None else failures.take():
            name = failure.condition
            self._metrics.count("regulars_conditions_failed_total", failure.count, condition=name)
            count = self._unlogged.get(name, 0) + failure.count
            logged_ms = self._logged_ms.get(name)
            if logged_ms is not None and now_ms - logged_ms < AGAIN_MS:
                self._unlogged[name] = count
                continue
            self._logged_ms[name] = now_ms
            self._unlogged.pop(name, None)
            facts = {"condition": name, "failures": count, "reasons": dict(failure.reasons)}
            _log.warning(
                "a condition of the rules fails on some customers and counts as not met", extra={"facts": facts}
            )
