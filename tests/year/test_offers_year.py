"""The engine and a reference that looks everything up anew agree about what is offered with orders, and to complete bundles."""

import json
from collections import Counter
from pathlib import Path

import pytest

from profiles.insight.pair_table import Partner
from profiles.models import Models, encode_models, named
from profiles.triggers import BUILT_IN
from tests.year import offers, shop
from tests.year.lookers import PRODUCTS
from tests.year.offers import Outcome
from tests.year.parcels import Parcels
from tests.year.replayed import records, replayed

SEED = 6
CUSTOMERS = 30
DAYS = 90
OTHERS = [one.name.replace(".", "_") for one in BUILT_IN if one.name not in offers.PRIORITY]
RULES = """
caps = {max_in_24h = 1000, max_in_7d = 1000, max_in_day = 1000}
quiet_hours = {enabled = false}
precedence = {together = "0s"}
""" + "".join(f"[{name}]\nenabled = false\n" for name in OTHERS)
MODELS = Models(
    v=2,
    together={
        one: [Partner(other, 30, 2.0, 0.5, npmi, 100.0) for other, npmi in others.items()]
        for one, others in offers.GOES_WITH.items()
    },
    bundles={one: members for members in offers.LEARNED for one in members},
)
CATALOGUE = [
    {
        "product_id": product,
        "bundles": [name for name, members in offers.OWN.items() if product in members],
        "complementary": offers.COMPLEMENTS.get(product, []),
    }
    for product in PRODUCTS
]


@pytest.fixture(scope="module")
def events() -> list[shop.Event]:
    return Parcels(SEED, CUSTOMERS, DAYS).events


@pytest.fixture(scope="module")
def expected(events: list[shop.Event]) -> list[Outcome]:
    return offers.Shop(events, 0).outcomes_of_offers(events[-1]["timestamp_ms"])


def engine_said(events: list[shop.Event], folder: Path) -> list[Outcome]:
    """The decisions of the engine in the reference's terms."""
    (folder / "models.json").write_bytes(encode_models(named(MODELS)))
    (folder / "catalogue.jsonl").write_text("".join(json.dumps(row) + "\n" for row in CATALOGUE))
    (folder / "settings.toml").write_text(f"[files]\ncatalogue = {json.dumps(str(folder / 'catalogue.jsonl'))}\n")
    options = ("--settings", str(folder / "settings.toml"), "--models", str(folder / "models.json"))
    out = replayed(folder, shop.lines(events), RULES, events[-1]["timestamp_ms"], *options)
    sent = records(out / "triggers.jsonl")
    items = {one["trigger_id"]: tuple(item["product_id"] for item in one["items"]) for one in sent if "items" in one}
    said = []
    for one in records(out / "decisions.jsonl"):
        if one["state"] in {"emitted", "suppressed"}:
            customer, about = one["customer_id"].removeprefix("user_id:"), one["episode_key"].split("|")[-1]
            shown = items[one["trigger_id"]] if one["state"] == "emitted" else ()
            said.append(Outcome(customer, one["name"], about, one["at_ms"], one.get("reason"), shown))
    return said


def test_the_engine_offers_and_keeps_back_what_the_reference_says(
    events: list[shop.Event], expected: list[Outcome], tmp_path: Path
) -> None:
    said = engine_said(events, tmp_path)

    assert len(said) == len(set(said))
    assert set(said) - set(expected) == set()
    assert set(expected) - set(said) == set()


def test_the_year_has_enough_of_everything(expected: list[Outcome]) -> None:
    sent = Counter(one.name for one in expected if one.reason is None)
    reasons = Counter(one.reason for one in expected)

    assert all(sent[name] > 10 for name in offers.PRIORITY), sent
    assert all(reasons[reason] > 5 for reason in ("no_consent", "cooldown", "out_of_stock")), reasons
