"""After a long outage: what is too late to be useful expires with a reason, what is still useful goes out; and silence."""

import time

from tests.e2e.kit import Shop
from tests.e2e.scenario import HOUR_MS, Record, left_cart

DAY_MS = 24 * HOUR_MS


def test_after_a_day_and_a_half_reminders_of_carts_expire_and_those_of_supplies_go_out(shop: Shop, now_ms: int) -> None:
    catalogue = shop.folder / "catalogue.csv"
    catalogue.write_text("product_id,supply_days\nbeans,30\n")
    shop.settings["REGULARS_FILES_CATALOGUE"] = str(catalogue)
    long_ago_ms = now_ms - 36 * HOUR_MS
    carts = [f"c{n}" for n in range(8)]
    supplies = [f"s{n}" for n in range(8)]
    records = [record for user in carts for record in left_cart(user, long_ago_ms)]
    beans = [{"product_id": "beans", "price_minor": 1800}]
    consent = [{"state": "GRANT", "channel": "email"}]
    for user in supplies:
        # Thirty days of beans, the reminder three days before they run out: due within the outage.
        bought_ms = long_ago_ms + HOUR_MS - 27 * DAY_MS
        records += [
            Record.of("identities", user, bought_ms, "Identified", imported=True, consent=consent),
            Record.of("orders", user, bought_ms, "Order Completed", order_id=f"{user}-o", products=beans),
        ]
    shop.produce(sorted(records, key=lambda record: record.at_ms))

    shop.start()
    shop.wait_caught_up()
    shop.expect(lambda: len(shop.read("triggers")) == len(supplies) and shop.outbox_empty(), "the reminders are out")

    triggers = [value for _, value in shop.read("triggers")]
    assert sorted((one["name"], one["customer"]["id"]) for one in triggers) == [
        ("replenishment.due", f"user_id:{user}") for user in supplies
    ]
    ends = [value for _, value in shop.read("decisions") if value["name"] == "cart.abandoned"]
    expired = {(one["customer_id"], one["state"], one["reason"]) for one in ends if one["state"] != "armed"}
    assert expired == {(f"user_id:{user}", "expired", "max_lateness") for user in carts}


def test_in_silence_a_reminder_comes_by_the_wall_clock_alone(shop: Shop) -> None:
    worker = shop.start()
    shop.expect(lambda: worker.metric("regulars_partitions") == shop.partitions, "it holds all partitions")
    at_ms = int(time.time() * 1000) - HOUR_MS + 15_000
    shop.produce(left_cart("ann", at_ms))
    shop.wait_caught_up()

    assert shop.read("triggers") == []

    shop.expect(lambda: len(shop.read("triggers")) == 1, "the reminder")
    ((_, trigger),) = shop.read("triggers")
    assert (trigger["name"], trigger["due_at_ms"]) == ("cart.abandoned", at_ms + HOUR_MS)
    assert at_ms + HOUR_MS < trigger["emitted_at_ms"] < at_ms + HOUR_MS + 5000
