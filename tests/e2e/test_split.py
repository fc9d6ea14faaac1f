"""A wrong merge taken apart on a real Kafka and a real Redis, asked for over HTTP, with a worker killed on the way: each side has
its own again, and the shop's money is what it was.
"""

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from tests.e2e.collector_kit import Collector
from tests.e2e.kit import Shop, money_of
from tests.e2e.scenario import MINUTE_MS, Record
from tests.e2e.test_privacy import settle, told

DESK_TOKEN = "the-token-of-who-answers-customers"
ADA, EVE, TABLET = "user_id:ada", "email:eve@example.org", "anonymous_id:tablet"
TEA = {"product_id": "tea", "price_minor": 1000, "quantity": 1}
POT = {"product_id": "pot", "price_minor": 4000, "quantity": 1}


def united(at_ms: int) -> list[Record]:
    """Eve orders by her address and on her tablet; Ada mistypes the address as hers; both buy on, and Eve leaves a cart."""
    mail = "eve@example.org"
    return [
        told(mail, "orders", "Order Completed", at_ms, email=mail, anonymous_id="tablet", order_id="E-1", products=[TEA]),
        told("ada", "orders", "Order Completed", at_ms + 1, user_id="ada", order_id="A-1", products=[POT]),
        told("ada", "identities", "Identified", at_ms + 2, user_id="ada", email=mail, traits={"first_name": "Ada"}),
        told("tablet", "orders", "Order Completed", at_ms + 3, anonymous_id="tablet", order_id="E-2", products=[TEA, POT]),
        told("ada", "orders", "Order Completed", at_ms + 4, user_id="ada", order_id="A-2", products=[TEA]),
        told("tablet", "carts", "Product Added", at_ms + 5, anonymous_id="tablet", cart_id="cart-e", product=TEA),
        told("ada", "carts", "Product Added", at_ms + 6, user_id="ada", cart_id="cart-a", product=POT),
    ]  # fmt: skip


@pytest.fixture
def collector(shop: Shop) -> Iterator[Collector]:
    """A collector whose desk may ask for splits."""
    made = Collector(
        shop,
        REGULARS_TOKENS_DESK_SHA256=sha256(DESK_TOKEN.encode()).hexdigest(),
        REGULARS_TOKENS_DESK_SCOPES="privacy",
    )
    try:
        made.wait_ready()
        yield made
    finally:
        made.close()


def ask(collector: Collector, body: dict[str, str]) -> int:
    request = urllib.request.Request(
        f"{collector.url}/v1/privacy/split",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {DESK_TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


def orders_of(shop: Shop) -> dict[str, list[str]]:
    """The order ids in every ledger, by its profile's id."""
    with contextlib.closing(shop.client()) as client:
        return {
            key.decode().partition(":l:")[2]: sorted(field.decode() for field in client.hkeys(key))
            for key in client.scan_iter(match=f"{shop.prefix}:*:l:*")
        }


def population(shop: Shop, counter: str) -> int:
    with contextlib.closing(shop.client()) as client:
        return sum(
            int(client.hget(f"{shop.prefix}:{{{p}}}:pop", counter) or 0) for p in range(shop.partitions)
        )  # fmt: skip


def figures(shop: Shop) -> dict[str, Any]:
    """Orders and net of every profile, with its carts."""
    return {
        name: (*(money_of(profile)[place] for place in (0, 4)), sorted(profile.get("carts", {})))
        for name, profile in shop.profiles().items()
    }


APART = {ADA: (2, 5000, ["cart-a"]), EVE: (2, 6000, ["cart-e"])}


def test_a_split_over_http_gives_each_her_own_though_workers_die_on_the_way(
    shop: Shop, collector: Collector, now_ms: int
) -> None:
    events = united(now_ms - 5 * MINUTE_MS)
    shop.produce(events)
    first = shop.start()
    settle(shop)
    assert figures(shop) == {ADA: (4, 11_000, ["cart-a", "cart-e"])}
    first.stop()

    assert ask(collector, {"user_id": "ada", "identifier": EVE, "request_id": "T-1", "reason": "mistyped"}) == 202
    for step in ("after_send:1", "after_reply:2", "after_ack:1"):
        doomed = shop.start(REGULARS_FAULTS=step)
        shop.expect(lambda doomed=doomed: not doomed.running, f"the worker died {step}")  # type: ignore[misc]
    shop.start()
    settle(shop)

    assert figures(shop) == APART
    assert orders_of(shop) == {ADA: ["A-1", "A-2"], EVE: ["E-1", "E-2"]}
    assert shop.redirects() == {TABLET: EVE}
    assert (population(shop, "customers"), population(shop, "net")) == (2, 11_000)
    status, receipt = collector.get("/v1/privacy/requests/T-1", DESK_TOKEN)
    assert (status, receipt["command"], receipt["final"], receipt.get("refused")) == (200, "split", True, None)
    assert receipt["counts"]["orders"] == 2
    splits = {
        value["change_id"]: value for _, value in shop.read("identity-changes") if value["name"] == "profile.split"
    }
    assert [(value["customer_id"], value["other"]) for value in splits.values()] == [(ADA, EVE)]

    # The mistake once more, and what both do from now on.
    late = now_ms - MINUTE_MS
    shop.produce(
        [
            *events,
            told("ada", "identities", "Identified", late, user_id="ada", email="eve@example.org"),
            told("tablet", "orders", "Order Completed", late, anonymous_id="tablet", order_id="E-3", products=[TEA]),
        ]
    )
    settle(shop)
    assert figures(shop) == APART | {EVE: (3, 7000, ["cart-e"])}
    assert population(shop, "net") == 12_000


def test_a_split_that_is_refused_changes_nothing_and_says_why(shop: Shop, collector: Collector, now_ms: int) -> None:
    (shop.folder / "rules.toml").write_text('[identity]\nsplit = "1min"\n')
    shop.produce(united(now_ms - 5 * MINUTE_MS))
    shop.start()
    settle(shop)
    before = figures(shop)

    assert ask(collector, {"user_id": "ada", "identifier": "email:bob@example.org", "request_id": "T-2"}) == 202
    settle(shop)

    _, receipt = collector.get("/v1/privacy/requests/T-2", DESK_TOKEN)
    assert (receipt["final"], receipt["refused"], receipt["counts"]) == (True, "not_merged", {})
    said = shop.command("profile", "split", "user_id:ada", TABLET, "--request-id", "T-3", "--wait", code=1)
    assert "split T-3: final" in said
    assert "refused (too_late)" in said
    assert before == figures(shop)
