"""The engine and a reference that looks everything up anew agree about customers who look, wish, search and wait."""

from collections import Counter
from pathlib import Path

import pytest

from profiles.triggers import BUILT_IN
from tests.year import looking, shop
from tests.year.lookers import Shop
from tests.year.looking import Outcome
from tests.year.replayed import records, replayed

SEED = 20260401
CUSTOMERS = 60
DAYS = 90
THRESHOLD = 4000
OTHERS = "".join(
    f"[{one.name.replace('.', '_')}]\nenabled = false\n" for one in BUILT_IN if one.name not in looking.PRIORITY
)
RULES = f"""
caps = {{max_in_24h = 1000, max_in_7d = 1000, max_in_day = 1000}}
quiet_hours = {{enabled = false}}
precedence = {{together = "0s"}}
gift_threshold = {{threshold_minor = {THRESHOLD}}}
back_in_stock = {{told_per_piece = 1000}}
{OTHERS}"""


@pytest.fixture(scope="module")
def events() -> list[shop.Event]:
    return Shop(SEED, CUSTOMERS, DAYS).events


@pytest.fixture(scope="module")
def expected(events: list[shop.Event]) -> list[Outcome]:
    return looking.Shop(events, THRESHOLD).outcomes(events[-1]["timestamp_ms"])


def engine_said(events: list[shop.Event], folder: Path) -> list[Outcome]:
    """The decisions of the engine in the reference's terms."""
    out = replayed(folder, shop.lines(events), RULES, events[-1]["timestamp_ms"])
    said = []
    for one in records(out / "decisions.jsonl"):
        if one["state"] in {"emitted", "suppressed"}:
            customer, key = one["customer_id"], one["episode_key"].split("|")
            about = key[0] if one["name"] == "gift.threshold" else key[1]
            said.append(Outcome(customer.removeprefix("user_id:"), one["name"], about, one["at_ms"], one.get("reason")))
    return said


def test_the_engine_sends_and_keeps_back_what_the_reference_says(
    events: list[shop.Event], expected: list[Outcome], tmp_path: Path
) -> None:
    said = engine_said(events, tmp_path)

    assert len(said) == len(set(said))
    assert set(said) - set(expected) == set()
    assert set(expected) - set(said) == set()


def test_the_year_has_much_of_everything(expected: list[Outcome]) -> None:
    sent = Counter(one.name for one in expected if one.reason is None)
    reasons = Counter(one.reason for one in expected)

    assert all(sent[name] > 10 for name in looking.PRIORITY), sent
    assert all(reasons[reason] > 10 for reason in ("no_consent", "superseded", "cooldown", "out_of_stock")), reasons
