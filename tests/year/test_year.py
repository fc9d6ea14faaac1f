"""The engine and a pile of plain queries agree about a whole year: the same triggers at the same times, for the same reasons."""

from collections import Counter
from pathlib import Path

import pytest

from profiles.triggers import BUILT_IN
from tests.year import reference
from tests.year.reference import Outcome
from tests.year.replayed import catalogue, records, replayed
from tests.year.shop import DAY_MS, HOME, START_MS, SUPPLIES, lines, year

CUSTOMERS = 2000
SEED = 20260101
OTHERS = "".join(
    f"[{one.name.replace('.', '_')}]\nenabled = false\n" for one in BUILT_IN if one.name not in reference.PRIORITY
)
HOLDOUTS = {"cart.abandoned": 0.1, "browse.abandoned": 0.1, "replenishment.due": 0.2}
HELD_OUT = "".join(f"[{name.replace('.', '_')}]\nholdout = {share}\n" for name, share in HOLDOUTS.items())
RULES = f"{HELD_OUT}[delivery]\nhome_countries = ['{HOME}']\n{OTHERS}"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what the engine made of the year."""
    folder = tmp_path_factory.mktemp("year")
    events = year(SEED, CUSTOMERS)
    options = (*catalogue(folder, "supply_days", SUPPLIES), "--shop-timezone", "Europe/London")
    return replayed(folder, lines(events), RULES, events[-1]["timestamp_ms"], *options)


@pytest.fixture(scope="module")
def expected() -> list[Outcome]:
    """What the queries say, up to the last event."""
    events = year(SEED, CUSTOMERS)
    return list(reference.Customers(events, HOLDOUTS).outcomes(events[-1]["timestamp_ms"]))


def engine_said(folder: Path) -> list[Outcome]:
    """The decisions of the engine in the reference's terms."""
    found = []
    for one in records(folder / "decisions.jsonl"):
        if one["state"] in {"emitted", "suppressed"}:
            customer = one["customer_id"].removeprefix("user_id:")
            occurrence = one.get("occurrence", 1)
            found.append(
                Outcome(customer, one["name"], one["episode_key"], occurrence, one["at_ms"], one.get("reason"))
            )
    return found


def test_the_engine_sends_and_keeps_back_what_the_queries_say(played: Path, expected: list[Outcome]) -> None:
    said = engine_said(played)

    assert len(said) == len(set(said))
    assert set(said) - set(expected) == set()
    assert set(expected) - set(said) == set()


def test_the_year_has_much_of_everything(expected: list[Outcome]) -> None:
    sent = Counter(one.name for one in expected if one.reason is None)
    reasons = Counter(one.reason for one in expected)

    assert all(sent[name] > 100 for name in reference.PRIORITY), sent
    for reason in (
        "no_consent",
        "excluded",
        "superseded",
        "cooldown",
        "cap",
        "frequency_cap",
        "open_feedback",
        "holdout",
    ):
        assert reasons[reason] > 10, reasons
    assert {one.occurrence for one in expected if one.reason is None} == {1, 2, 3}
    assert max(one.at for one in expected) - START_MS > 300 * DAY_MS
