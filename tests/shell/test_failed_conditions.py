"""Conditions that fail on customers' data: every failure counted, one line in the log per rule and hour."""

import logging

import pytest

from profiles.expressions.failures import Failures
from streams.failed_conditions import AGAIN_MS, FailedConditions
from streams.metrics import Metrics

METRIC = "regulars_conditions_failed_total"


def test_all_are_counted_and_each_rule_is_logged_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    metrics, failures = Metrics(), Failures()
    subject = FailedConditions(metrics)
    caplog.set_level(logging.WARNING)

    def fails(condition: str, times: int, at_ms: int) -> list[dict[str, object]]:
        caplog.clear()
        for _ in range(times):
            failures.note(condition, "a division by zero")
        subject.look(failures, at_ms)
        return [record.__dict__["facts"] for record in caplog.records]

    reasons = {"a division by zero": 3}
    assert fails("segments.big", 3, 0) == [{"condition": "segments.big", "failures": 3, "reasons": reasons}]
    assert fails("segments.big", 2, AGAIN_MS - 1) == []
    assert [facts["condition"] for facts in fails("welcome.condition", 1, AGAIN_MS - 1)] == ["welcome.condition"]
    assert [facts["failures"] for facts in fails("segments.big", 1, AGAIN_MS)] == [3]
    assert fails("segments.big", 0, 3 * AGAIN_MS) == []
    assert metrics.value(METRIC, condition="segments.big") == 6
    assert metrics.value(METRIC, condition="welcome.condition") == 1
