"""The guard against slower code: what it says of counts, and that it counts what it says."""

import hashlib
import sys
from pathlib import Path

import msgspec
import pytest

from bench.guard import counting, reference_loop, workload
from bench.guard.counting import PARTS, REFERENCE, Counts, NoValgrind, count_instructions
from bench.guard.thresholds import Thresholds, judge, read_thresholds, write_thresholds

COUNTS = Counts(python="3.11.7", valgrind="3.19.0", instructions=dict.fromkeys(PARTS, 100.0) | {REFERENCE: 50.0})


def thresholds(**ratios: float) -> Thresholds:
    return Thresholds(
        python="3.11.7", tolerance=0.03, ratios={name.replace("_", "-"): ratio for name, ratio in ratios.items()}
    )


def test_a_part_is_dearer_only_beyond_the_tolerance_and_says_by_how_much() -> None:
    verdicts = {
        one.name: one for one in judge(COUNTS, thresholds(core_view=1.9, core_add=1.95, core_order=2.0, core_mix=2.2))
    }

    assert verdicts["core-view"].is_dearer
    assert "core, a product viewed" in verdicts["core-view"].line()
    assert "was   1.900   +5.3%  DEARER" in verdicts["core-view"].line()
    assert not verdicts["core-add"].is_dearer
    assert not verdicts["core-order"].is_dearer
    assert verdicts["core-mix"].is_cheaper
    assert verdicts["core-mix"].line().endswith("-9.1%  cheaper, accept it")


def test_a_part_without_a_threshold_does_not_pass() -> None:
    (verdict, *_) = judge(COUNTS, thresholds())

    assert verdict.is_dearer
    assert "no threshold yet" in verdict.line()


def test_another_build_of_python_moves_all_counts_and_no_ratio() -> None:
    other = msgspec.structs.replace(
        COUNTS, instructions={name: 1.4 * count for name, count in COUNTS.instructions.items()}
    )

    assert other.ratios() == pytest.approx(COUNTS.ratios())


def test_thresholds_read_back_as_they_were_written_and_no_file_has_none(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.toml"
    write_thresholds(COUNTS, path)

    assert read_thresholds(path).ratios == pytest.approx(COUNTS.ratios())
    assert read_thresholds(tmp_path / "missing.toml").ratios == {}


def test_the_committed_thresholds_are_of_all_parts_and_no_others() -> None:
    assert read_thresholds().ratios.keys() == PARTS.keys() - {REFERENCE}


def test_a_missing_valgrind_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoValgrind, match="apt-get install valgrind"):
        count_instructions()


def test_a_workload_that_fails_shows_what_it_said() -> None:
    with pytest.raises(RuntimeError, match="core-view"):
        counting._run([sys.executable, "-m", "bench.guard.workload", "reference=1"])


def test_the_workload_holds_work_for_every_part_and_does_it() -> None:
    work = workload.prepared(dict.fromkeys(PARTS, 20))

    assert work.keys() == PARTS.keys()
    for part in work.values():
        part()


def test_no_part_asks_for_more_input_than_there_is() -> None:
    assert all(part.base + part.more <= workload.MOST for name, part in PARTS.items() if name != REFERENCE)


def test_the_reference_loop_counts_as_it_says() -> None:
    counts = {name: sum(number % 7 for number in range(1_000) if number % 97 == name) for name in range(22, 30)}

    assert reference_loop.run(1_000) == f"1700000000999:{max(counts.values())}"


def test_the_reference_loop_is_the_one_that_the_thresholds_were_taken_with() -> None:
    """Whoever changes it moves every ratio: then this line and all thresholds are taken anew."""
    source = Path(reference_loop.__file__).read_bytes()

    assert hashlib.sha256(source).hexdigest().startswith("b10959fb1851b526")
