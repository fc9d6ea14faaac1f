"""Customers who browse without a name on several devices and log in now and then, through real Kafka and Redis, with workers
killed on the way: each ends as one profile with all her orders, each once, and nothing is left under a device's id.
"""

import contextlib
import itertools
import json
import random

import pytest

from streams.home import home_partition
from tests.e2e.kit import Shop, money_of
from tests.e2e.scenario import Record


class Told:
    """What the customers did, as records, and what must come of it."""

    def __init__(self, seed: int, customers: int, now_ms: int) -> None:
        self.records: list[Record] = []
        self.money: dict[str, tuple[int, int]] = {}
        self.events: dict[str, int] = {}
        self.devices: dict[str, list[str]] = {}
        dice = random.Random(seed)
        at_ms = now_ms - 3 * 3_600_000
        pending: list[tuple[int, str, str, str, dict[str, object]]] = []
        for number in range(customers):
            user = f"user-{number}"
            devices = self.devices[user] = [f"{user}-device-{n}" for n in range(dice.randint(1, 3))]
            orders = net = events = 0
            for device in devices:
                for step in range(dice.randint(2, 6)):
                    known: dict[str, object] = {"user_id": user} if dice.random() < 0.3 else {}
                    when = at_ms + dice.randint(0, 7_000_000)
                    if dice.random() < 0.4:
                        orders, net = orders + 1, net + 100 + step
                        fields: dict[str, object] = {"order_id": f"o-{device}-{step}", "revenue_minor": 100 + step}
                        pending.append((when, "orders", "Order Completed", device, fields | known))
                    else:
                        pending.append((when, "clickstream", "Page Viewed", device, {"channel": "browser"} | known))
                    events += 1
                login: dict[str, object] = {"user_id": user, "email": f"{user}@example.org"}
                pending.append((at_ms + dice.randint(0, 7_000_000), "identities", "Identified", device, login))
            self.money[user], self.events[user] = (orders, net), events + len(devices)
        for number, (when, topic, name, device, fields) in enumerate(sorted(pending, key=lambda one: one[0])):
            event = {"event": name, "message_id": f"m{number}", "timestamp_ms": when, "anonymous_id": device, **fields}
            self.records.append(Record(topic, str(fields.get("user_id", device)), json.dumps(event).encode(), when))


@pytest.mark.parametrize("seed", [5, 6])
def test_every_customer_ends_as_one_profile_however_her_devices_and_the_workers_fared(
    shop: Shop, now_ms: int, seed: int
) -> None:
    told = Told(seed, 150, now_ms)
    shop.settings["REGULARS_LIMITS_BATCH_RECORDS"] = "20"
    half = len(told.records) // 2
    shop.produce(told.records[:half])
    for step in ("after_reply:4", "before_produce:3", "after_produce:3"):
        doomed = shop.start(REGULARS_FAULTS=step)
        shop.expect(lambda doomed=doomed: not doomed.running, f"the worker died {step}")  # type: ignore[misc]
    shop.start()
    shop.start()
    shop.produce(told.records[half:])
    shop.wait_caught_up()
    # Moves beget moves: at rest when nothing waits to be sent and all of it was read.
    shop.expect(lambda: shop.outbox_empty() and shop.caught_up() and not _travelling(shop), "everybody has arrived")

    _check(shop, told)
    with contextlib.closing(shop.client()) as client:
        ledgers = {key.decode().partition(":l:")[2] for key in client.scan_iter(match=f"{shop.prefix}:*:l:*")}
        totals = [client.hgetall(f"{shop.prefix}:{{{p}}}:pop") for p in range(shop.partitions)]
    assert {name for name in ledgers if not name.startswith("user_id:")} == set()
    assert sum(int(total.get(b"customers", 0)) for total in totals) == len(told.money)
    assert sum(int(total.get(b"net", 0)) for total in totals) == sum(net for _, net in told.money.values())
    merged = {(value["customer_id"], value["other"]) for _, value in shop.read("identity-changes")}
    assert all(other.partition(":")[2].startswith(customer.partition(":")[2]) for customer, other in merged)
    shown = json.loads(shop.command("profile", "show", f"anonymous_id:{told.devices['user-0'][0]}", "--json"))
    assert shown["id"] == "user_id:user-0"
    assert home_partition("user-0", shop.partitions) in {p for p, name in shop.homes() if name == "user_id:user-0"}


def test_stores_of_single_partitions_that_go_back_in_time_one_after_the_other_heal(shop: Shop, now_ms: int) -> None:
    """As when the shards of a cluster fail over one by one, each to a replica that lags."""
    told = Told(7, 60, now_ms)
    shop.settings["REGULARS_LIMITS_BATCH_RECORDS"] = "20"
    shop.start()
    fifth = len(told.records) // (shop.partitions + 1) + 1
    parts = [told.records[at : at + fifth] for at in range(0, len(told.records), fifth)]
    assert len(parts) == shop.partitions + 1
    shop.produce(parts[0])
    for partition, part in enumerate(parts[1:]):
        shop.wait_caught_up()
        earlier = _kept_of(shop, partition)
        shop.produce(part)
        shop.expect(lambda p=partition, e=earlier: _kept_of(shop, p) != e, "it went on")  # type: ignore[misc]
        _put_back(shop, partition, earlier)
    # Whatever was set back is noticed with the next commit: everybody is seen once more.
    for number, user in enumerate(told.money):
        event = {"event": "Page Viewed", "message_id": f"last-{number}", "timestamp_ms": now_ms, "user_id": user}
        shop.produce([Record("clickstream", user, json.dumps(event).encode(), now_ms)])
        told.events[user] += 1
    shop.expect(lambda: shop.caught_up() and shop.outbox_empty() and not _travelling(shop), "all has healed")

    _check(shop, told)


# At one blow, as a replica stands between two commits: never half of one.
_KEPT = """
local kept = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
    kept[#kept + 1] = key
    kept[#kept + 1] = redis.call('DUMP', key)
end
return kept
"""
_PUT_BACK = """
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end
for at = 2, #ARGV, 2 do redis.call('RESTORE', ARGV[at], 0, ARGV[at + 1]) end
"""


def _kept_of(shop: Shop, partition: int) -> dict[bytes, bytes]:
    """Every key of a partition, as Redis dumps it."""
    with contextlib.closing(shop.client()) as client:
        kept = client.eval(_KEPT, 0, _keys_of(shop, partition))
    return dict(zip(kept[::2], kept[1::2], strict=True))


def _put_back(shop: Shop, partition: int, earlier: dict[bytes, bytes]) -> None:
    """Under a worker that goes on."""
    with contextlib.closing(shop.client()) as client:
        client.eval(_PUT_BACK, 0, _keys_of(shop, partition), *itertools.chain.from_iterable(earlier.items()))


def _keys_of(shop: Shop, partition: int) -> str:
    return f"{shop.prefix}:{{{partition}}}:*"


def _check(shop: Shop, told: Told) -> None:
    """Each customer is one profile with all her orders and events, each once, found by any of her devices."""
    profiles, redirects = shop.profiles(), shop.redirects()
    assert set(profiles) == {f"user_id:{user}" for user in told.money}
    for user, (orders, net) in told.money.items():
        profile = profiles[f"user_id:{user}"]
        assert (orders, net) == (money_of(profile)[0], money_of(profile)[4]), user
        assert told.events[user] == profile["activity"]["events"], user
        assert profile["ids"] == {
            "user_id": [user],
            "email": [f"{user}@example.org"],
            "anonymous_id": sorted(told.devices[user]),
        }
        for device in told.devices[user]:
            assert redirects[f"anonymous_id:{device}"] == f"user_id:{user}"


def _travelling(shop: Shop) -> bool:
    return any(profile.get("merging") for profile in shop.profiles().values())
