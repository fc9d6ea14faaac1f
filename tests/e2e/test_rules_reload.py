"""Other rules under running workers: in all partitions, without a restart, and never worse than the old ones."""

import json
import signal
import time
from typing import Any

from tests.e2e.kit import Shop, Worker
from tests.e2e.scenario import RULES, Record

CUSTOMERS = [f"u{number}" for number in range(40)]
"""Enough for some in each of the four partitions."""
PRODUCT = {"product_id": "tea", "price_minor": 1250, "quantity": 2}
NEW = f"""version = "new"
{RULES}
[cart_abandoned]
delay = "1s"

[segments.looking]
when = 'views("6s") >= 2'

[segments.carts]
when = "profile.carts.exists(c, c.value_minor > 2000)"
"""
BAD = f"""{NEW}
[segments.big]
when = "profile.ltv.nett_minor > 5"
"""


def told(user: str, topic: str, event: str, at_ms: int, **fields: object) -> Record:
    body = {"event": event, "message_id": f"{user}-{event}-{at_ms}", "timestamp_ms": at_ms, "user_id": user, **fields}
    return Record(topic, user, json.dumps({**body, "received_at_ms": at_ms}).encode(), at_ms)


def health(worker: Worker) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(worker.page("/health") or "{}")
    return found


def customers_of(shop: Shop, name: str, **details: object) -> list[str]:
    return sorted(
        value["customer"]["user_id"]
        for _, value in shop.read("triggers")
        if value["name"] == name and details.items() <= value.get("details", {}).items()
    )


def test_changed_rules_reach_every_partition_and_bad_ones_reach_none(shop: Shop) -> None:
    rules = shop.folder / "rules.toml"
    workers = [shop.start(), shop.start()]
    for worker in workers:
        shop.expect(lambda worker=worker: health(worker).get("status") == "ok", "a worker that is well")  # type: ignore[misc]
    now_ms = int(time.time() * 1000)
    for user in CUSTOMERS:
        shop.produce(
            [
                told(user, "identities", "Identified", now_ms - 60_000, imported=True, consent=[{"state": "GRANT"}]),
                told(user, "carts", "Product Added", now_ms, cart_id=f"{user}-c", product=PRODUCT),
            ]
        )
    shop.wait_caught_up()
    assert customers_of(shop, "cart.abandoned") == []

    rules.write_text(BAD)
    for worker in workers:
        shop.expect(lambda worker=worker: health(worker).get("status") == "degraded", "a refused file")  # type: ignore[misc]
        said = health(worker)["rules"]
        assert said["line"] == len(BAD.splitlines())
        assert "there is no field `nett_minor` in `profile.ltv`; did you mean `net_minor`?" in said["refused"]
        assert worker.metric("regulars_rules_refused") == 1
        assert said["version"] != "new"

    rules.write_text(NEW)
    for worker in workers:
        worker.process.send_signal(signal.SIGHUP)
        shop.expect(lambda worker=worker: health(worker)["rules"]["version"] == "new", "the new rules")  # type: ignore[misc]
        assert health(worker)["status"] == "ok"
    # Nothing more happens to these customers: what waited an hour is due at once by the new delay.
    shop.expect(lambda: len(customers_of(shop, "cart.abandoned")) == len(CUSTOMERS), "reminders by the new delay")
    announced = [value for _, value in shop.read("decisions") if value["name"] == "rules.changed"]

    assert customers_of(shop, "cart.abandoned") == sorted(CUSTOMERS)
    assert {value["decision"]["rules"] for _, value in shop.read("triggers")} == {"new"}
    assert sorted(value["partition"] for value in announced) == list(range(shop.partitions))
    assert {value["new_version"] for value in announced} == {"new"}
    assert all(worker.running for worker in workers)

    # Each customer is looked at by the new segments with no event of hers; that she is in one is no news.
    def ready() -> list[int]:
        return sorted(value["partition"] for _, value in shop.read("decisions") if value["name"] == "segments.ready")

    shop.expect(lambda: ready() == list(range(shop.partitions)), "everybody looked at by the new segments")
    inside = [profile["memberships"]["inside_ms"].keys() for profile in shop.profiles().values()]
    assert [sorted(segments) for segments in inside] == [["carts"]] * len(CUSTOMERS)
    assert customers_of(shop, "segment.entered") == []

    # A segment of the new rules: entered with the second look, left by itself six seconds after the first.
    now_ms = int(time.time() * 1000)
    for look in (0, 1):
        shop.produce(
            [told(user, "clickstream", "Product Viewed", now_ms + look, product=PRODUCT) for user in CUSTOMERS]
        )
    shop.expect(lambda: len(customers_of(shop, "segment.exited")) == len(CUSTOMERS), "segments left by timer")

    assert customers_of(shop, "segment.entered", segment="looking") == sorted(CUSTOMERS)
    assert customers_of(shop, "segment.entered", segment="carts") == []
    assert customers_of(shop, "segment.exited", segment="looking") == sorted(CUSTOMERS)
    left = [value["due_at_ms"] for _, value in shop.read("triggers") if value["name"] == "segment.exited"]
    assert set(left) == {now_ms + 6000}
