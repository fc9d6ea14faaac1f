"""A worker is killed at each named step of an event's way and started again: nothing is lost and nothing is doubled.

The whole story lies in the log before the first worker starts, and batches are small. So each worker dies in the middle of
the work, and what comes out in the end is exact: no reminder may depend on who died where.
"""

import signal
from typing import get_args

import pytest

from streams.faults import Point
from tests.e2e.kit import Shop, check_money_and_carts, check_triggers, triggers_complete
from tests.e2e.scenario import Scenario

STEPS = {
    "reading": ("after_fetch", "after_decode", "after_compute"),
    "committing": ("before_send", "after_send", "after_reply", "before_kafka_commit", "after_kafka_commit"),
    "publishing": ("before_produce", "after_produce", "after_ack"),
    "taking over": ("in_claim", "in_seek"),
}


def die_again_and_again(shop: Shop, scenario: Scenario, deaths: list[tuple[str, int]]) -> None:
    """One worker after the other goes on with the story and dies at its step; a last one finishes."""
    shop.settings["REGULARS_LIMITS_BATCH_RECORDS"] = "10"
    shop.produce(scenario.records)
    for step, times in deaths:
        doomed = shop.start(REGULARS_FAULTS=f"{step}:{times}")
        shop.expect(lambda doomed=doomed: not doomed.running, f"the worker died {step}")  # type: ignore[misc]
        assert doomed.process.returncode == -signal.SIGKILL, step
    assert not shop.caught_up(), "the story was too short for so many deaths"
    shop.start()
    shop.wait_caught_up()
    shop.expect(lambda: triggers_complete(shop, scenario), "all reminders are out")

    check_money_and_carts(shop, scenario)
    check_triggers(shop, scenario)


def test_every_named_step_is_in_the_table() -> None:
    assert {step for steps in STEPS.values() for step in steps} == set(get_args(Point))


@pytest.mark.parametrize("part", STEPS)
def test_killed_at_every_step_in_turn_the_shop_ends_as_the_story_says(shop: Shop, now_ms: int, part: str) -> None:
    # Claims and seeks come once for each partition; the others come with every batch or publishing.
    times = 2 if part in {"publishing", "taking over"} else 4
    scenario = Scenario(seed=7, customers=400, now_ms=now_ms)
    die_again_and_again(shop, scenario, [(step, times) for step in STEPS[part]])


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("step", get_args(Point))
def test_killed_at_one_step_at_different_times_the_shop_ends_as_the_story_says(
    shop: Shop, now_ms: int, step: str
) -> None:
    several = (1, 2, 3, 4) if step in STEPS["taking over"] else (1, 2, 5, 11, 23)
    scenario = Scenario(seed=len(step), customers=1000, now_ms=now_ms)
    die_again_and_again(shop, scenario, [(step, times) for times in several])
