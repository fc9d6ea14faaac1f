"""Records that sit in a foreign partition find their customer's home, once each, also when workers die on the way.

Money and carts are exact. Where records are far from home by chance, which reminders go out is not looked at: on its way
round a record loses its place in time among those that were at home from the start. Where a clock is patient, they are.
"""

from dataclasses import replace

from streams.home import home_partition
from tests.e2e.kit import Shop, check_money_and_carts, check_triggers, end_of_stories
from tests.e2e.scenario import Scenario, stories


def test_records_keyed_by_something_else_end_at_home_exactly_once(shop: Shop, now_ms: int) -> None:
    scenario = Scenario(seed=12, customers=60, now_ms=now_ms)
    for number, record in enumerate(scenario.records):
        record.partition = number % shop.partitions
    shop.produce(scenario.records)

    doomed = shop.start(REGULARS_FAULTS="after_ack:3")
    shop.expect(lambda: not doomed.running, "the worker died while records were on their way")
    shop.start()
    shop.wait_caught_up()
    shop.expect(shop.outbox_empty, "everything was sent on")
    shop.wait_caught_up()

    check_money_and_carts(shop, scenario)
    assert len(shop.records("forwards")) > len(scenario.records) / 2
    assert {profile["id"] for profile in shop.profiles().values()} == {f"user_id:{user}" for user in scenario.expected}


def test_where_all_records_are_astray_reminders_are_right_too_and_killed_senders_double_nothing(
    shop: Shop, now_ms: int
) -> None:
    (records,), whole = stories(1, customers=120, seed=31, now_ms=now_ms)
    shop.brisk()
    shop.settings["REGULARS_LIMITS_BATCH_RECORDS"] = "50"
    astray = [
        replace(record, partition=(home_partition(record.key or "", shop.partitions) + 1) % shop.partitions)
        for record in records
    ]
    shop.produce(astray)
    # Sent on, and not known to be: the next worker sends them on again.
    for step in ("after_produce:3", "after_ack:5"):
        doomed = shop.start(REGULARS_FAULTS=step)
        shop.expect(lambda doomed=doomed: not doomed.running, f"the worker died {step}")  # type: ignore[misc]
    shop.start()
    shop.wait_caught_up()
    shop.expect(shop.outbox_empty, "everything was sent on")
    end_of_stories(shop, whole)

    check_money_and_carts(shop, whole)
    check_triggers(shop, whole)
    homes = {profile_id: partition for partition, profile_id in shop.homes()}
    assert {user: homes[f"user_id:{user}"] for user in whole.expected} == {
        user: home_partition(user, shop.partitions) for user in whole.expected
    }
