"""The engine and a reference that looks everything up anew agree about who is in which segment, to the millisecond."""

from collections import Counter
from pathlib import Path

import pytest

from profiles.triggers import BUILT_IN
from tests.year import belonging, shop
from tests.year.belonging import SEGMENTS, Change
from tests.year.parcels import Parcels
from tests.year.replayed import records, replayed

SEED = 16
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
    out = replayed(folder, shop.lines(events), RULES, events[-1]["timestamp_ms"])
    said = []
    for one in records(out / "triggers.jsonl"):
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
