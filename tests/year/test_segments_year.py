"""The engine and a reference that looks everything up anew agree about who is in which segment, to the millisecond."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from profiles.triggers import BUILT_IN
from streams import cli
from tests.year import belonging, shop
from tests.year.belonging import SEGMENTS, Change
from tests.year.parcels import Parcels

SEED = 15
CUSTOMERS = 15
DAYS = 70
OTHERS = [one.name.replace(".", "_") for one in BUILT_IN if not one.name.startswith("segment.")]
RULES = "".join(f"[{name}]\nenabled = false\n" for name in OTHERS) + "".join(
    f"[segments.{name}]\nwhen = '{when}'\n" for name, (when, _) in SEGMENTS.items()
)


@pytest.fixture(scope="module")
def events() -> list[shop.Event]:
    return Parcels(SEED, CUSTOMERS, DAYS).events


@pytest.fixture(scope="module")
def expected(events: list[shop.Event]) -> list[Change]:
    return [*belonging.changes(events, events[-1]["timestamp_ms"])]


def engine_said(events: list[shop.Event], folder: Path) -> list[Change]:
    """What went out, in the reference's terms."""
    (folder / "year.jsonl").write_text("".join(line + "\n" for line in shop.lines(events)))
    (folder / "rules.toml").write_text(RULES)
    ends = datetime.fromtimestamp(events[-1]["timestamp_ms"] / 1000, UTC).isoformat()
    replay = ["replay", str(folder / "year.jsonl"), "--out", str(folder), "--rules", str(folder / "rules.toml")]
    assert cli.run([*replay, "--until", ends, "--clock-disorder-ms", "0"]) == 0
    said = []
    for line in (folder / "triggers.jsonl").read_text().splitlines():
        one = json.loads(line)
        customer, segment = one["episode_key"].removeprefix("user_id:").split("|")
        said.append(Change(customer, segment, one["details"]["entered"], one["emitted_at_ms"]))
    return said


def test_customers_enter_and_leave_when_the_reference_says(
    events: list[shop.Event], expected: list[Change], tmp_path: Path
) -> None:
    said = engine_said(events, tmp_path)

    assert len(said) == len(set(said))
    assert set(said) - set(expected) == set()
    assert set(expected) - set(said) == set()


def test_each_segment_is_entered_and_left(expected: list[Change]) -> None:
    times = Counter((one.segment, one.entered) for one in expected)

    assert all(times[name, entered] for name in SEGMENTS for entered in (True, False)), times
