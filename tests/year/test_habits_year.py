"""The engine and a reference that goes through the whole past anew agree about customers whose habits change."""

import json
from collections import Counter
from pathlib import Path

import pytest

from profiles.triggers import BUILT_IN
from tests.year.habits import YEARS, years
from tests.year.habits_reference import Change, changes
from tests.year.replayed import records, replayed
from tests.year.shop import DAY_MS, START_MS, Event

CUSTOMERS = 25
SEED = 1
UNTIL_MS = START_MS + YEARS * 365 * DAY_MS
NAME = "behaviour.change"
RULES = """
caps = {max_in_24h = 1000, max_in_7d = 1000, max_in_day = 1000}
quiet_hours = {enabled = false}
""" + "".join(f"[{one.name.replace('.', '_')}]\nenabled = false\n" for one in BUILT_IN if one.name != NAME)
MEASURES = ("interval", "silence", "order_value", "categories", "returns")
ROUNDED = {"interval": 0.051, "silence": 0.051, "order_value": 0.51, "categories": 0.00051, "returns": 0.00051}
"""By how much rounding may move what the evidence tells."""


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return years(SEED, CUSTOMERS)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> Path:
    """The folder with what the engine made of it."""
    return replayed(tmp_path_factory.mktemp("habits"), map(json.dumps, events), RULES, UNTIL_MS)


@pytest.fixture(scope="module")
def expected(events: list[Event]) -> dict[tuple[str, str, int], Change]:
    found = changes(events, UNTIL_MS)
    by_moment = {(one.customer, one.measure, one.at): one for one in found}
    assert len(by_moment) == len(found)
    return by_moment


def test_changes_are_told_and_kept_back_when_the_reference_says(
    played: Path, expected: dict[tuple[str, str, int], Change]
) -> None:
    said = {
        (one["customer_id"].removeprefix("user_id:"), one["episode_key"].split("|")[-2], one["at_ms"]): one.get(
            "reason"
        )
        for one in records(played / "decisions.jsonl")
        if one["state"] in {"emitted", "suppressed"}
    }

    assert said == {key: one.reason for key, one in expected.items()}


def test_the_evidence_is_what_the_reference_says(played: Path, expected: dict[tuple[str, str, int], Change]) -> None:
    sent = [one for one in records(played / "triggers.jsonl") if one["name"] == NAME]
    for one in sent:
        told = one["details"]
        measure = told["measure"]
        change = expected[one["customer"]["id"].removeprefix("user_id:"), measure, one["emitted_at_ms"]]

        assert (told["direction"], told.get("detail")) == (change.direction, change.detail)
        assert (told["before"], told["after"]) == pytest.approx((change.before, change.after), abs=ROUNDED[measure])
    assert len(sent) == sum(one.reason is None for one in expected.values())


def test_there_is_some_of_everything(expected: dict[tuple[str, str, int], Change]) -> None:
    sent = Counter((one.measure, one.direction) for one in expected.values() if one.reason is None)

    assert {measure for measure, _ in sent} == {*MEASURES}
    assert (
        min(sent["interval", "down"], sent["interval", "up"], sent["order_value", "down"], sent["order_value", "up"])
        > 2
    )
    assert {one.reason for one in expected.values()} == {None, "no_consent", "cooldown"}
