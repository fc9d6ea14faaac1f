"""One worker process on a real Kafka and a real Redis: events in, profiles kept, triggers out; stop, kill, start again."""

import json
import time

from tests.e2e.kit import Shop, check_money_and_carts, check_triggers, triggers_complete
from tests.e2e.scenario import MINUTE_MS, Record, Scenario


def now_ms() -> int:
    return int(time.time() * 1000)


def told(user: str, topic: str, event: str, at_ms: int, **fields: object) -> Record:
    body = {"event": event, "message_id": f"{user}-{event}-{at_ms}", "timestamp_ms": at_ms, "user_id": user, **fields}
    return Record(topic, user, json.dumps({**body, "received_at_ms": at_ms}).encode(), at_ms)


def test_clicks_carts_and_orders_become_profiles_and_a_trigger(shop: Shop) -> None:
    began_ms = now_ms() - 180 * MINUTE_MS
    product = {"product_id": "tea", "price_minor": 1250, "quantity": 2}
    shop.produce(
        [
            told("ann", "identities", "Identified", began_ms, imported=True, consent=[{"state": "GRANT"}]),
            told("ann", "clickstream", "Product Viewed", began_ms + MINUTE_MS, product=product),
            told("ann", "carts", "Product Added", began_ms + 2 * MINUTE_MS, cart_id="c1", product=product),
            told("bob", "orders", "Order Completed", began_ms, order_id="o1", products=[product]),
            Record("orders", "eve", b"this is no JSON", began_ms),
        ]
    )
    worker = shop.start()

    shop.wait_caught_up()
    shop.expect(lambda: bool(shop.read("triggers")), "a trigger")

    profiles = shop.profiles()
    assert profiles["user_id:ann"]["carts"]["c1"]["lines"]["tea"][2] == 2
    assert profiles["user_id:bob"]["ltv"]["net"] == 2500
    ((headers, trigger),) = shop.read("triggers")
    assert (trigger["name"], trigger["episode_key"], trigger["value_minor"]) == ("cart.abandoned", "c1", 2500)
    assert (headers["ce-id"], headers["ce-type"]) == (trigger["trigger_id"], "cart.abandoned")
    ((_, rejected),) = shop.read("rejected")
    assert (rejected["reason"], rejected["topic"], rejected["original"]) == ("not_json", "orders", "this is no JSON")
    assert worker.metric("regulars_events_total") == 5
    assert worker.metric("regulars_triggers_total") == 1
    assert worker.metric("regulars_rejected_total") == 1
    shop.expect(lambda: worker.metric("regulars_partitions") == shop.partitions, "all partitions shown")
    health = json.loads(worker.page("/health") or "{}")
    assert health["status"] == "ok"
    assert len(health["partitions"]) == shop.partitions


SMALL_BATCHES = {"REGULARS_LIMITS_BATCH_RECORDS": "1"}
"""So that a worker is still at it when something happens to it.

The whole story lies in the log before anybody reads it: told in two halves it would be another one, since a cart of the
first half that is bought in the second is left alone in between.
"""


def check_all(shop: Shop, scenario: Scenario) -> None:
    shop.wait_caught_up()
    shop.expect(lambda: triggers_complete(shop, scenario), "all reminders")
    check_money_and_carts(shop, scenario)
    check_triggers(shop, scenario)


def test_a_worker_that_is_stopped_leaves_nothing_undone_and_the_next_goes_on(shop: Shop) -> None:
    scenario = Scenario(seed=1, customers=1000, now_ms=now_ms())
    shop.produce(scenario.records)
    worker = shop.start(**SMALL_BATCHES)
    shop.expect(lambda: worker.metric("regulars_commits_total") > 10, "some commits")

    assert worker.stop() == 0
    assert not shop.caught_up(), "it was to be stopped on its way"
    assert shop.outbox_empty()

    shop.start()
    check_all(shop, scenario)


def test_a_worker_that_is_killed_is_replaced_without_loss_or_repeat(shop: Shop) -> None:
    scenario = Scenario(seed=2, customers=1000, now_ms=now_ms())
    shop.produce(scenario.records)
    worker = shop.start(**SMALL_BATCHES)
    shop.expect(lambda: worker.metric("regulars_commits_total") > 10, "some commits")

    worker.kill()
    assert not shop.caught_up(), "it was to be killed on its way"

    shop.start()
    check_all(shop, scenario)


def test_a_second_worker_takes_its_share_and_gives_it_back(shop: Shop) -> None:
    scenario = Scenario(seed=3, customers=1000, now_ms=now_ms())
    shop.produce(scenario.records)
    first = shop.start(**SMALL_BATCHES)
    shop.expect(lambda: first.metric("regulars_commits_total") > 10, "some commits")

    second = shop.start(**SMALL_BATCHES)
    shop.expect(lambda: second.metric("regulars_partitions") == shop.partitions / 2, "a fair share")
    shop.expect(lambda: first.metric("regulars_partitions") == shop.partitions / 2, "the other share")

    assert second.stop() == 0
    shop.expect(lambda: first.metric("regulars_partitions") == shop.partitions, "all partitions again")
    check_all(shop, scenario)


def test_a_worker_without_topics_says_what_to_do_and_ends(shop: Shop) -> None:
    worker = shop.start(REGULARS_KAFKA_TOPIC_PREFIX=f"{shop.prefix}.none.")

    assert worker.process.wait(30) == 2

    assert "Make them: regulars topics create" in worker.log()
