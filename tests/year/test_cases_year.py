"""The engine and plain queries agree about low scores: what is told and taken back, what is overdue, and how the loop is kept."""

import json
from collections import Counter
from pathlib import Path

import pytest

from profiles.triggers import BUILT_IN
from streams import cli
from tests.year import cases
from tests.year.cases import Told
from tests.year.replayed import records, replayed
from tests.year.shop import DAY_MS, START_MS, Event
from tests.year.unhappy import DAYS, half_year

CUSTOMERS = 130
SEED = 3
UNTIL_MS = START_MS + DAYS * DAY_MS
TOLD = ("nps.detractor", "feedback.overdue")
OTHERS = "".join(f"[{one.name.replace('.', '_')}]\nenabled = false\n" for one in BUILT_IN if one.name not in TOLD)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return half_year(SEED, CUSTOMERS)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> Path:
    """The folder with what the engine made of it."""
    return replayed(tmp_path_factory.mktemp("cases"), map(json.dumps, events), OTHERS, UNTIL_MS)


def test_low_scores_are_told_taken_back_and_overdue_when_the_queries_say(played: Path, events: list[Event]) -> None:
    said: Counter[Told] = Counter()
    case_of: dict[str, str] = {}
    for one in records(played / "triggers.jsonl"):
        if one["name"] == "trigger.cancelled":
            case, customer = case_of[one["of_trigger_id"]], one["customer_id"]
        else:
            case, customer = one["details"]["case_id"], one["customer"]["id"]
            case_of[one["trigger_id"]] = case
        said[Told(customer.removeprefix("user_id:"), one["name"], case, one["emitted_at_ms"])] += 1
    expected = Counter(cases.told(events, UNTIL_MS))

    assert said - expected == Counter()
    assert expected - said == Counter()
    assert min(Counter(one.name for one in expected)[name] for name in (*TOLD, "trigger.cancelled")) > 5


def test_cases_stand_in_the_documents_as_the_queries_say(played: Path, events: list[Event]) -> None:
    said = {
        one["id"].removeprefix("user_id:"): {
            case["case_id"]: (case["state"], case["opened_ms"], case.get("contacted_ms"), case.get("owner"))
            for case in one["feedback"]["cases"]
        }
        for one in records(played / "profiles.jsonl")
    }
    expected = {life.customer: life.shown(UNTIL_MS) for life in cases.lives(events)}

    assert said == expected
    assert {state for hers in expected.values() for state, *_ in hers.values()} == {*cases.STEPS, "opened", "expired"}


def test_the_report_says_of_scores_and_of_the_loop_what_the_queries_say(
    played: Path, events: list[Event], tmp_path: Path
) -> None:
    assert cli.run(["report", str(played), "--json", str(tmp_path / "report.json")]) == 0
    said = json.loads((tmp_path / "report.json").read_text())["feedback"]
    scores = {
        (one["kind"], one["days"]): (one["nps"]["promoters"], one["nps"]["passives"], one["nps"]["detractors"])
        for one in said["scores"]
    }
    loop = cases.loop(events, UNTIL_MS)
    # Waits are counted in buckets 1 % wide.
    surely, perhaps = (
        cases.loop(events, UNTIL_MS, cases.CONTACT_DUE_MS * times)["contacted_in_time"] for times in (0.99, 1.01)
    )

    assert scores == cases.scores(events, UNTIL_MS)
    assert surely <= said["loop"]["contacted_in_time"] <= perhaps
    assert {name: said["loop"][name] for name in loop if name != "contacted_in_time"} == {
        name: share for name, share in loop.items() if name != "contacted_in_time"
    }
    assert said["open"] == cases.still_open(events, UNTIL_MS)
    assert 0 < surely < loop["contacted"] < 1
    assert min(loop["resolved"], loop["expired"], said["open"]["overdue"]) > 0
