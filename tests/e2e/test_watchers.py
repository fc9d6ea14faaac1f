"""A change of price or stock reaches everybody who watches the product, in every partition, once, whoever is killed on the way.

There are more watchers in each partition than one commit may wake, so workers die with a queue half told.
"""

import json
import signal
from collections import Counter

import pytest

from streams.goods import WAKES_MAX
from tests.e2e.kit import Shop
from tests.e2e.scenario import HOUR_MS, MINUTE_MS, Record

CUSTOMERS = 1100
CHANGES = {"back.in.stock": "tent", "price.dropped": "lamp"}


def customers(at_ms: int) -> list[Record]:
    """They may be written to, wait for a tent, and have looked at a lamp for ten."""
    consent = [{"state": "GRANT", "channel": "email"}]
    users = [f"u{number}" for number in range(CUSTOMERS)]
    return [
        *(Record.of("identities", user, at_ms, "Identified", imported=True, consent=consent) for user in users),
        *(
            Record.of("clickstream", user, at_ms + 1, "Stock Alert Subscribed", product={"product_id": "tent"})
            for user in users
        ),
        *(
            Record.of(
                "clickstream", user, at_ms + 2, "Product Viewed", product={"product_id": "lamp", "price_minor": 1000}
            )
            for user in users
        ),
    ]


def told(at_ms: int, name: str, product_id: str, **fields: object) -> Record:
    """A word of the shop about a product."""
    event = {
        "event": name,
        "message_id": f"{name}-{product_id}-{at_ms}",
        "timestamp_ms": at_ms,
        "received_at_ms": at_ms,
        "product_id": product_id,
        **fields,
    }
    return Record("catalogue", product_id, json.dumps(event).encode(), at_ms)


def emitted(shop: Shop) -> Counter[tuple[str, str]]:
    """How often each customer was told of what."""
    return Counter((value["customer"]["id"], value["name"]) for _, value in shop.read("triggers"))


@pytest.mark.parametrize(
    "steps",
    [
        ("after_compute", "before_send", "after_send", "after_reply", "after_reply", "before_send", "after_send"),
        ("before_produce", "after_produce", "after_ack", "in_claim", "in_seek", "after_reply", "after_fetch"),
    ],
    ids=["committing", "publishing and taking over"],
)
def test_every_watcher_hears_once_though_workers_are_killed_between(
    shop: Shop, now_ms: int, steps: tuple[str, ...]
) -> None:
    began_ms = now_ms - 3 * HOUR_MS
    shop.produce(customers(began_ms))
    first = shop.start()
    shop.wait_caught_up()
    first.stop()
    watching = [shop.client().zcard(f"{shop.prefix}:{{{p}}}:w:tent") for p in range(shop.partitions)]
    assert sum(watching) == CUSTOMERS
    assert min(watching) > WAKES_MAX

    changed_ms = began_ms + 10 * MINUTE_MS
    shop.produce(
        [
            told(changed_ms, "Product Stock Changed", "tent", available=5000),
            told(changed_ms + 1, "Product Price Changed", "lamp", price_minor=800),
            # Nobody watches these.
            *(told(changed_ms + 2 + n, "Product Price Changed", f"other-{n}", price_minor=1) for n in range(500)),
        ]
    )
    for step in steps:
        doomed = shop.start(REGULARS_FAULTS=f"{step}:2")
        shop.expect(lambda doomed=doomed: not doomed.running, f"the worker died {step}")  # type: ignore[misc]
        assert doomed.process.returncode == -signal.SIGKILL, step
    last = shop.start()
    shop.wait_caught_up()
    shop.expect(lambda: len(emitted(shop)) == 2 * CUSTOMERS, "everybody was told of both")
    last.stop()

    assert emitted(shop) == Counter(
        {(f"user_id:u{number}", name): 1 for number in range(CUSTOMERS) for name in CHANGES}
    )
    with_goods = [shop.client().hkeys(f"{shop.prefix}:{{{p}}}:goods") for p in range(shop.partitions)]
    assert all(sorted(keys) == [b"lamp", b"tent"] for keys in with_goods)
    assert all(shop.client().zcard(f"{shop.prefix}:{{{p}}}:queue") == 0 for p in range(shop.partitions))


def test_what_was_told_of_a_product_once_holds_in_every_partition_for_whoever_takes_over(
    shop: Shop, now_ms: int
) -> None:
    told_ms = now_ms - 3 * HOUR_MS
    users = [f"u{number}" for number in range(60)]
    shop.produce([told(told_ms, "Product Updated", "tent", cost_minor=400, category="camping")])
    first = shop.start()
    shop.wait_caught_up()
    first.kill()

    shop.produce(
        [
            Record.of(
                "orders",
                user,
                told_ms + MINUTE_MS,
                "Order Completed",
                order_id=f"o-{user}",
                products=[{"product_id": "tent", "price_minor": 1000}],
            )
            for user in users
        ]
    )
    last = shop.start()
    shop.wait_caught_up()
    last.stop()

    assert {name: found["ltv"]["margin"] for name, found in shop.profiles().items()} == {
        f"user_id:{user}": 600 for user in users
    }
    assert all(list(found["interests"]["categories"]) == ["camping"] for found in shop.profiles().values())
    assert {partition for partition, _ in shop.homes()} == set(range(shop.partitions))
