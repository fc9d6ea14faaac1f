"""Recorded histories that every version must replay identically: same profiles, same triggers with the same ids.

A change that means to alter them writes the expected files anew (`python -m tests.golden.record`), and the difference is
then part of what is reviewed.
"""

import json
from pathlib import Path

import pytest

from tests.golden.record import HISTORIES, OUTPUTS, replay_history


@pytest.mark.parametrize("history", HISTORIES, ids=lambda folder: folder.name)
def test_a_recorded_history_replays_identically(history: Path, tmp_path: Path) -> None:
    replay_history(history, tmp_path)

    for name in OUTPUTS:
        expected = (history / "expected" / name).read_text(encoding="utf-8")
        assert expected.splitlines() == (tmp_path / name).read_text(encoding="utf-8").splitlines(), name


def test_the_first_weeks_add_up_as_counted_by_hand() -> None:
    """Ada buys for 37.00 less 2.00, gets 5.00 back, and buys for 18.50; Kenji pays 1000 yen at 0.0062; the till 9.99."""
    summary = json.loads((HISTORIES[0] / "expected" / "summary.json").read_text(encoding="utf-8"))

    assert summary["gross_minor"] == 3700 + 1850 + 620 + 999
    assert summary["net_minor"] == 3700 - 200 - 500 + 1850 + 620 + 999
    assert summary["margin_minor"] == summary["net_minor"] - 3 * 910
    assert (summary["orders"], summary["rejected"]) == (4, 4)
    # Ada is thanked for her first order; Kenji gave no consent, and Eve's order was taken back.
    # The carts are left at night and wait for the morning. Ada pays before it comes and gets no reminder of hers. Eve gets
    # one of her checkout; the second, a day after the first was due, would be her third message within 24 hours.
    assert summary["triggers"] == {
        "cart.recovered": 1,
        "checkout.abandoned": 1,
        "replenishment.due": 2,
        "replenishment.late": 1,
        "second.order.welcome": 1,
        "trigger.converted": 3,
        "welcome": 2,
    }
