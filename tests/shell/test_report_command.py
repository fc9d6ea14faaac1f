"""`regulars simulate` and `regulars report`: from a made-up shop to a page that opens offline."""

import json
import re
import sys
from pathlib import Path

import pytest

from schemas.reasons import Problem
from schemas.spend import decode_spend
from streams.cli import run


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    assert run(["simulate", "--customers", "150", "--days", "150", "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize(
    "customers, days, said",
    [("4000000", "455", "4,000,000 customers over 455 days are too many"), ("1", "1000000", "1<=x<=3650")],
)
def test_a_shop_that_no_memory_holds_is_refused_before_it_is_made(
    customers: str, days: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", "--customers", customers, "--days", days, "--out", str(tmp_path / "out")]) == 2

    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_simulation_prints_the_truth_beside_what_was_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["simulate", "--customers", "40", "--days", "60", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out

    assert "interval covers it" in told
    assert "left behind" in told
    truths = {truth["group"]: truth for truth in json.loads((tmp_path / "truth.json").read_text())}
    assert truths["replenishment.due"]["net_minor"] == 0
    assert truths["left behind"]["orders"] > 0


def test_figures_are_shown_where_no_plots_can_be(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith(("plotly", "streams.reporting.page"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly", None)

    assert run(["report", str(shop)]) == 0
    assert run(["report", str(shop), "--page", str(tmp_path / "page.html")]) == 2
    assert "pip install 'regulars[report]'" in capsys.readouterr().err


def test_what_a_simulation_leaves_is_what_a_user_would_send(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Records of the topic of spend under the channels that customers have, and events that a fit can read."""
    spent = [decode_spend(None, line) for line in (shop / "spend.jsonl").read_bytes().splitlines()]
    assert {one.reason for one in spent if isinstance(one, Problem)} == {"wrong_key"}  # the line has no key: that's all
    assert run(["report", str(shop), "--json", str(tmp_path / "report.json")]) == 0
    channels = json.loads((tmp_path / "report.json").read_text())["channels"]["channels"]
    reasons = {one["channel"]: one["reason"] for one in channels}
    assert (reasons["google / cpc"], reasons["direct"], reasons["podcast / audio"]) == (
        None,
        "no_spend",
        "no_customers",
    )

    assert run(["fit", str(shop / "events.jsonl"), "--out", str(tmp_path / "models.json")]) == 0
    told = capsys.readouterr().out
    assert re.search(r"models \w{16}, from 1\d\d buyers", told)


def test_a_report_answers_every_question_or_says_why_not(
    shop: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page, figures = tmp_path / "report.html", tmp_path / "report.json"
    assert run(["report", str(shop), "--page", str(page), "--json", str(figures)]) == 0
    told = capsys.readouterr().out

    assert "What triggers bring" in told
    assert re.search(r"replenishment\.late .* with all marketing together", told)
    document = json.loads(figures.read_text())
    assert {effect["group"] for effect in document["effects"]} == {
        "global",
        "left behind",
        "replenishment.due",
        "welcome",
    }
    html = page.read_text()
    assert "Average customer lifetime value over time" in html
    assert "NaN" not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


def test_the_page_asks_nobody_for_anything(shop: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert run(["report", str(shop), "--page", str(page)]) == 0
    html = page.read_text()

    assert not re.search(r"<(script|img|iframe)[^>]+src=", html)
    assert not re.search(r"<link[^>]+href=", html)
    assert html.count("Plotly.newPlot(") >= 1


def test_counters_are_kept_and_compared_with_later(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(shop), "--keep", str(tmp_path / "kept")]) == 0
    assert run(["report", str(shop), "--earlier", str(tmp_path / "kept")]) == 0

    assert "the earlier counters are of today, or later" in capsys.readouterr().out


def test_counters_of_another_shop_or_currency_are_no_earlier_ones(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was foretold for one shop was held against what came in another."""
    kept = json.loads((shop / "population.json").read_text())
    for name, other in (("another", {"shop_id": "another"}), ("yen", {"currency": "JPY"})):
        (tmp_path / name).write_text(json.dumps(kept | other))
        assert run(["report", str(shop), "--earlier", str(tmp_path / name)]) == 2
        assert "give earlier ones of this shop" in capsys.readouterr().err


def test_a_folder_without_counters_is_a_plain_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(tmp_path)]) == 2

    assert "`regulars replay ... --out DIR` writes one" in capsys.readouterr().err


def test_a_replay_leaves_counters_to_report_on(tmp_path: Path) -> None:
    event = {
        "event": "Order Completed",
        "message_id": "m1",
        "timestamp_ms": 1_772_409_600_000,
        "user_id": "ada",
        "order_id": "o1",
        "revenue_minor": 1_000,
        "currency": "USD",
    }
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n")
    assert run(["replay", str(tmp_path / "events.jsonl"), "--out", str(tmp_path / "out")]) == 0

    assert json.loads((tmp_path / "out" / "population.json").read_text())["counters"]["net"] == 1_000
    assert run(["report", str(tmp_path / "out")]) == 0
