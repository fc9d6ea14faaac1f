"""Who owns a partition: frozen owners, workers that come and go. A zombie is refused, and nothing is applied twice."""

import pytest

from tests.e2e.kit import Shop, check_money_and_carts, check_triggers, triggers_complete
from tests.e2e.scenario import Scenario

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(300)]


def test_a_frozen_owner_that_wakes_up_is_refused_and_changes_nothing(shop: Shop, now_ms: int) -> None:
    scenario = Scenario(seed=5, customers=150, now_ms=now_ms)
    third = len(scenario.records) // 3
    shop.produce(scenario.records[:third])
    frozen = shop.start()
    shop.wait_caught_up()

    frozen.freeze()
    shop.produce(scenario.records[third : 2 * third])
    shop.start()
    shop.wait_caught_up()
    frozen.thaw()
    shop.produce(scenario.records[2 * third :])
    shop.wait_caught_up()
    shop.expect(lambda: triggers_complete(shop, scenario), "all reminders are out")

    check_money_and_carts(shop, scenario)
    check_triggers(shop, scenario, repeats=True)


def test_workers_that_come_and_go_under_load_lose_and_double_nothing(shop: Shop, now_ms: int) -> None:
    scenario = Scenario(seed=6, customers=600, now_ms=now_ms)
    parts = 6
    size = len(scenario.records) // parts + 1
    shop.start()
    for part in range(parts):
        shop.produce(scenario.records[part * size : (part + 1) * size])
        living = [worker for worker in shop.workers if worker.running]
        if part % 2 == 0:
            shop.start()
        elif part % 3 == 0:
            living[0].kill()
        else:
            living[0].stop()
    shop.wait_caught_up(120)
    shop.expect(lambda: triggers_complete(shop, scenario), "all reminders are out", 120)

    check_money_and_carts(shop, scenario)
    check_triggers(shop, scenario)
