"""A worker is killed at each named step of an event's way and started again: nothing is lost and nothing is doubled."""

import signal
from typing import get_args

import pytest

from streams.faults import Point
from tests.e2e.kit import Shop, check_money_and_carts, check_triggers, triggers_complete
from tests.e2e.scenario import Scenario

pytestmark = [pytest.mark.kafka, pytest.mark.redis]


@pytest.mark.parametrize("point", get_args(Point))
def test_killed_at_any_step_the_shop_ends_as_the_story_says(shop: Shop, now_ms: int, point: str) -> None:
    scenario = Scenario(seed=sum(map(ord, point)), customers=60, now_ms=now_ms)
    half = len(scenario.records) // 2
    shop.produce(scenario.records[:half])

    doomed = shop.start(REGULARS_FAULTS=f"{point}:2")
    shop.expect(lambda: not doomed.running, f"the worker died {point}")

    assert doomed.process.returncode == -signal.SIGKILL

    shop.produce(scenario.records[half:])
    shop.start()
    shop.wait_caught_up()
    shop.expect(lambda: triggers_complete(shop, scenario), "all reminders are out")

    check_money_and_carts(shop, scenario)
    check_triggers(shop, scenario)
