"""What channels cost comes from a real topic: a correction replaces, what can't be used is set aside once."""

import json
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.kit import Shop
from tests.e2e.scenario import MINUTE_MS, Record


def spend(day: str, channel: str, amount: object, key: str | None = None) -> Record:
    body = {"day": day, "channel": channel, "amount_minor": amount}
    return Record("spend", key or f"{channel}|{day}", json.dumps(body).encode(), 0)


def order(number: int, at_ms: int) -> Record:
    customer = f"u{number}"
    body = {
        "event": "Order Completed", "message_id": f"m{number}", "timestamp_ms": at_ms, "received_at_ms": at_ms,
        "user_id": customer, "order_id": f"o{number}", "revenue_minor": 2000,
    }  # fmt: skip
    return Record("orders", customer, json.dumps(body).encode(), at_ms)


def test_a_report_holds_what_channels_brought_against_the_topic_of_spend(
    shop: Shop, now_ms: int, tmp_path: Path
) -> None:
    placed_ms = now_ms - 70 * 24 * 60 * MINUTE_MS
    shop.produce([order(number, placed_ms) for number in range(40)])
    shop.start()
    shop.wait_caught_up()
    day = datetime.fromtimestamp(placed_ms / 1000, UTC).strftime("%Y-%m-%d")
    shop.produce(
        [
            spend(day, "direct", 99_999),
            spend(day, "direct", 40_000),  # the correction
            spend(day, "direct", 40_000),
            spend(day, "radio", 500),
            spend(day, "radio", "much"),
            spend(day, "radio", 700, key="radio"),
        ]
    )

    for _ in range(2):
        shop.command("report", "--json", str(tmp_path / "report.json"))
    channels = {
        one["channel"]: one for one in json.loads((tmp_path / "report.json").read_text())["channels"]["channels"]
    }
    assert (channels["direct"]["spend"], channels["direct"]["cost"]) == (40_000, 1_000)
    assert (channels["radio"]["spend"], channels["radio"]["reason"]) == (500, "no_customers")

    (tmp_path / "spend.jsonl").write_text('{"day": "2025-01-06", "channel": "direct", "amount_minor": 20000}\n{\n')
    shop.command("feed", str(tmp_path / "spend.jsonl"), "--topic", "spend")
    shop.command("report", "--json", str(tmp_path / "report.json"))
    channels = {
        one["channel"]: one for one in json.loads((tmp_path / "report.json").read_text())["channels"]["channels"]
    }
    assert channels["direct"]["spend"] == 60_000

    listed = shop.command("rejected", "list", "--source", "spend")
    assert "not_json 1, wrong_key 1, wrong_type 1" in listed
