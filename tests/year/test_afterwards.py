"""The engine and plain queries agree about what became of triggers and what hold-outs compare, also where orders come late."""

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.year.afterwards import CARTS, Outcome, Shop
from tests.year.replayed import catalogue, records, replayed
from tests.year.shop import DAY_MS, HOUR_MS, SUPPLIES, Event, year
from tests.year.test_year import HOLDOUTS, RULES

CUSTOMERS = 200
SEED = 4
OUTCOMES = ("trigger.converted", "cart.recovered", "trigger.cancelled")


def heard_of() -> list[Event]:
    """A year in its order of arrival: what is told of orders comes late now and then, and does not always name their cart."""
    random, told = Random(SEED), []
    for event in year(SEED, CUSTOMERS):
        arrived = event["timestamp_ms"]
        if event["event"].startswith("Order "):
            unnamed = random.choice(((), (), ("cart_id",), ("cart_id", "checkout_id")))
            event = {name: value for name, value in event.items() if name not in unnamed}  # noqa: PLW2901
            if random.random() < 0.4:
                arrived += int(random.random() * random.choice((1, 6, 20)) * HOUR_MS)
                event["received_at_ms"] = arrived
        told.append((arrived, event["message_id"], event))
    return [event for *_, event in sorted(told, key=lambda one: one[:2])]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what the engine made of the year."""
    folder = tmp_path_factory.mktemp("afterwards")
    events = heard_of()
    until_ms = max(event["timestamp_ms"] for event in events) + DAY_MS
    options = (*catalogue(folder, "supply_days", SUPPLIES), "--shop-timezone", "Europe/London")
    return replayed(folder, map(json.dumps, events), RULES, until_ms, *options)


@pytest.fixture(scope="module")
def shop(played: Path) -> Shop:
    sent = [one for one in records(played / "triggers.jsonl") if one["name"] not in OUTCOMES]
    return Shop(heard_of(), sent)


def test_each_order_is_the_success_of_what_came_before_it_and_takes_back_what_came_after_it(
    played: Path, shop: Shop
) -> None:
    said = Counter(
        Outcome(one["name"], one["of_trigger_id"], one["order_id"], one["value_minor"])
        for one in records(played / "triggers.jsonl")
        if one["name"] in OUTCOMES and (one["name"] != "trigger.cancelled" or one["of_name"] in CARTS)
    )
    expected = Counter(shop.outcomes())

    assert said - expected == Counter()
    assert expected - said == Counter()
    assert min(Counter(one.name for one in expected)[name] for name in OUTCOMES) > 10


def test_hold_outs_compare_what_the_queries_say(played: Path, shop: Shop) -> None:
    decided = [
        one
        for one in records(played / "decisions.jsonl")
        if one["state"] == "emitted" or one.get("reason") == "holdout"
    ]
    said: Counter[str] = Counter()
    for name, value in json.loads((played / "population.json").read_text())["counters"].items():
        if name.startswith("effect:") and "|margin|" not in name:
            said[name.removeprefix("effect:").removesuffix(".low").removesuffix(".high")] += (
                value << 32 if name.endswith(".high") else value
            )
    expected = shop.effects(decided, HOLDOUTS)

    assert said == expected
    assert expected["cart.abandoned|holdout|net|y"] > 0
