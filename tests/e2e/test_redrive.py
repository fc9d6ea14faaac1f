"""What a tracking plan set aside is sent again on a real Kafka once the plan is mended, and counts once."""

import json
from pathlib import Path

from tests.e2e.kit import Shop
from tests.e2e.scenario import MINUTE_MS, Record


def order(number: int, at_ms: int) -> Record:
    body = {
        "event": "Order Completed", "message_id": f"m{number}", "timestamp_ms": at_ms, "received_at_ms": at_ms,
        "user_id": "ada", "order_id": f"o{number}", "revenue_minor": 1000,
    }  # fmt: skip
    return Record("orders", "ada", json.dumps(body).encode(), at_ms)


def test_what_was_set_aside_by_mistake_counts_once_however_often_it_is_sent(
    shop: Shop, now_ms: int, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"events": {"Order Completed": {"required": ["email"]}}}))
    shop.settings["REGULARS_FILES_TRACKING_PLAN"] = str(plan)
    shop.produce([order(1, now_ms - 2 * MINUTE_MS), order(2, now_ms - MINUTE_MS)])
    shop.produce([Record("orders", "ada", b"{no JSON", now_ms)])
    first = shop.start()
    shop.wait_caught_up()
    shop.expect(lambda: len(shop.read("rejected")) == 3, "all were set aside")

    listed = shop.command("rejected", "list")
    assert "not_json 1, plan_violation 2" in listed
    assert "2 records are still refused" in shop.command("rejected", "redrive", "--reason", "plan_violation")

    plan.write_text(json.dumps({"events": {}}))
    first.stop()
    shop.start()
    dry = shop.command("rejected", "redrive")
    assert "2 events of 2 records would be sent" in dry
    assert "1 records are still refused" in dry
    assert shop.profiles() == {}
    for _ in range(2):
        assert "2 events of 2 records sent" in shop.command("rejected", "redrive", "--source", "orders", "--send")
    shop.wait_caught_up()

    profile = shop.profiles()["user_id:ada"]
    assert (profile["orders"]["count"], profile["ltv"]["net"], profile["activity"]["events"]) == (2, 2000, 2)
    place = listed.split()[0]
    assert json.loads(shop.command("rejected", "show", place))["topic"] == "orders"
