"""The engine and plain queries agree about what became of triggers and what hold-outs compare, also where orders come late."""

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from streams import cli
from tests.year import effects
from tests.year.afterwards import CARTS, Outcome, Shop, sums
from tests.year.effects import Arms
from tests.year.replayed import catalogue, records, replayed
from tests.year.shop import DAY_MS, HOUR_MS, SUPPLIES, Event, year
from tests.year.test_year import HOLDOUTS, RULES

CUSTOMERS = 200
SEED = 4
OUTCOMES = ("trigger.converted", "cart.recovered", "trigger.cancelled")


def heard_of() -> list[Event]:
    """A year in its order of arrival: what is told of orders comes late now and then, and does not always name their cart, nor
    what they cost.
    """
    random, told = Random(SEED), []
    for event in year(SEED, CUSTOMERS):
        arrived = event["timestamp_ms"]
        if event["event"].startswith("Order "):
            event = costed(event)  # noqa: PLW2901
            unnamed = random.choice(((), (), ("cart_id",), ("cart_id", "checkout_id")))
            event = {name: value for name, value in event.items() if name not in unnamed}  # noqa: PLW2901
            if random.random() < 0.4:
                arrived += int(random.random() * random.choice((1, 6, 20)) * HOUR_MS)
                event["received_at_ms"] = arrived
        told.append((arrived, event["message_id"], event))
    return [event for *_, event in sorted(told, key=lambda one: one[:2])]


def costed(event: Event) -> Event:
    """The event of an order with what it cost the shop, as far as the shop knows."""
    random = Random(event["message_id"])
    told: dict[str, Any] = {}
    if event["event"] == "Order Completed":
        told["products"] = [
            one | ({"cost_minor": random.randint(200, 1200)} if random.random() < 0.8 else {})
            for one in event["products"]
        ]
        for name in ("shipping_minor", "shipping_cost_minor", "payment_fee_minor"):
            if random.random() < 0.5:
                told[name] = random.randint(0, 400)
    elif event["event"] == "Order Refunded":
        told = random.choice(({}, {"restocked": False}, {"return_shipping_minor": 250, "restocking_fee_minor": 90}))
    return event | told


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


@pytest.fixture(scope="module")
def compared(played: Path, shop: Shop) -> dict[str, Arms]:
    """The customers in each comparison, by the triggers that the engine sent and withheld."""
    decided = [
        one
        for one in records(played / "decisions.jsonl")
        if one["state"] == "emitted" or one.get("reason") == "holdout"
    ]
    return shop.compared(decided, HOLDOUTS)


@pytest.fixture(scope="module")
def report(played: Path) -> dict[str, Any]:
    """All figures of the report."""
    assert cli.run(["report", str(played), "--json", str(played / "report.json")]) == 0
    found: dict[str, Any] = json.loads((played / "report.json").read_text())
    return found


def test_hold_outs_compare_what_the_queries_say(played: Path, compared: dict[str, Arms]) -> None:
    said: Counter[str] = Counter()
    for name, value in json.loads((played / "population.json").read_text())["counters"].items():
        if name.startswith("effect:"):
            said[name.removeprefix("effect:").removesuffix(".low").removesuffix(".high")] += (
                value << 32 if name.endswith(".high") else value
            )
    expected = sums(compared)

    assert said == expected
    assert expected["cart.abandoned|holdout|net|y"] > max(0, expected["cart.abandoned|holdout|margin|y"])


def test_the_report_says_what_the_customers_of_both_arms_say(report: dict[str, Any], compared: dict[str, Arms]) -> None:
    said = {one["group"]: one for one in report["effects"]}
    standings = effects.standings(compared, HOLDOUTS)

    assert said.keys() == compared.keys()
    for name, one in said.items():
        arms = compared[name]
        assert (one["holdout"], one["treated"], one["contaminated"]) == (len(arms["holdout"]), len(arms["treated"]), 0)
        assert one["warnings"] == effects.warnings(arms, HOLDOUTS[name])
        assert (one["standing"], one["p_discovery"]) == (standings[name][0], pytest.approx(standings[name][1]))
        for outcome in one["outcomes"]:
            expected = effects.outcome(arms, outcome["measure"])
            assert (outcome["holdout_mean"], outcome["treated_mean"]) == pytest.approx(
                (expected["holdout_mean"], expected["treated_mean"])
            )
            assert outcome["adjusted"]
            assert outcome["estimate"] | expected["estimate"] == pytest.approx(outcome["estimate"])
            assert outcome["plain"] | expected["plain"] == pytest.approx(outcome["plain"])
            if expected["relative"] is None:
                assert outcome["relative"] == {"reason": "no_control_value"}
                continue
            # Of a share the degrees of freedom are those of the difference.
            for bound in ("difference", "standard_error", "low_always", "high_always", "p_always"):
                assert outcome["relative"][bound] == pytest.approx(expected["relative"][bound])


def test_the_report_counts_what_was_sent_withheld_and_followed_by_an_order(
    played: Path, report: dict[str, Any], shop: Shop
) -> None:
    decided = [*records(played / "decisions.jsonl")]
    sent = Counter(one["name"] for one in decided if one["state"] == "emitted")
    withheld = Counter(one["name"] for one in decided if one.get("reason") == "holdout")
    names = {one["trigger_id"]: one["name"] for hers in shop.sent.values() for one in hers}
    followed = Counter(names[one.trigger_id] for one in shop.outcomes() if one.name == "trigger.converted")
    said = {one["trigger"]: one for one in report["sent"]}

    assert {name: (one["sent"], one["withheld"], one["converted"]) for name, one in said.items()} == {
        name: (sent[name], withheld[name], followed[name]) for name in sent | withheld
    }
    assert {name for name, one in said.items() if one["group"] is not None} == HOLDOUTS.keys()
