"""The report of the benchmarks, written from small result files whose figures are worked out by hand."""

import doctest
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from msgspec.structs import asdict as attrs
from msgspec.structs import replace

from bench import figures, latencies, redis_state, reference, report, schedule, tables
from bench.capacity import arrivals, coefficients
from bench.capacity import page as capacity_page
from bench.figures import Mark, rates, thinned
from bench.results import Result, newest_of, newest_results, write_result

FOLDER = Path(__file__).parent / "bench-results"


@pytest.fixture
def page() -> str:
    return report.compose(newest_results(FOLDER))


def row(page: str, engine: str) -> list[str]:
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {engine} (")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_run_is_measured_between_its_durable_commits() -> None:
    marks = [Mark(5.0, 100, 1.0, 0.5, 0.1), Mark(6.0, 600, 2.0, 0.7, 0.3), Mark(8.0, 1_100, 4.0, 1.5, 0.6)]
    found = rates(marks, 1_100)

    assert found.per_s == pytest.approx(1_000 / 3)
    assert found.second_half_per_s == pytest.approx(500 / 2)
    assert found.engine_cpu == pytest.approx(3.0 * 1e6 / 1_000)
    assert found.kafka_cpu == pytest.approx(1.0 * 1e6 / 1_000)
    assert found.redis_cpu == pytest.approx(0.5 * 1e6 / 1_000)
    assert found.start_s == 5.0


def test_marks_that_are_left_out_change_no_figure() -> None:
    marks = [Mark(0.1 * number, 10 * number, 0.05 * number, 0.01 * number, 0.0) for number in range(1, 101)]
    fewer = thinned(marks, 1_000)

    assert len(fewer) < 15
    assert attrs(rates(fewer, 1_000)) == pytest.approx(attrs(rates(marks, 1_000)))


def test_a_run_that_did_not_end_or_shows_one_commit_only_has_no_speed() -> None:
    with pytest.raises(ValueError, match="no two marks"):
        rates([Mark(1.0, 100, 1.0, 0.0, 0.0)], 100)
    with pytest.raises(ValueError, match="did not end"):
        rates([Mark(1.0, 10, 1.0, 0.0, 0.0), Mark(2.0, 99, 1.0, 0.0, 0.0)], 100)


def test_an_engine_is_shown_by_median_and_spread(page: str) -> None:
    assert row(page, "Regulars") == [
        "Regulars (exactly once)",
        "200,000 (200,000 to 450,000)",
        "250,000 (200,000 to 500,000)",
        "10.0 (10.0 to 11.0)",
        "1.0",
        "2.0",
        "13.0 (13.0 to 14.0)",
        "500 MB",
        "40 MB (Redis, append-only file)",
        "1.5 s (0.5 s to 1.5 s)",
    ]


def test_what_is_better_than_regulars_is_bold(page: str) -> None:
    found = row(page, "Flink, state on the heap")

    assert found[1:7] == ["**400,000**", "**400,000**", "10.0", "0.0", "1.0", "**11.0**"]


def test_a_wrong_or_broken_round_is_told_and_counts_as_no_speed(page: str) -> None:
    assert "- Flink, state on the heap, round 2: triggers: 1 of 30,000 missing, 0 too many" in page
    assert "- Stock Faust, round 1: it ended with exit code 1 at 0 records\n" in page
    assert "a secret of the log" not in page
    assert row(page, "Stock Faust")[1] == "no right result"


def test_the_page_names_stream_versions_machine_and_commands(page: str) -> None:
    assert "1,000,000 events of 9,876 customers (Zipf (s = 1) out of 10,000) over 12 days, 318 bytes on average" in page
    assert "Mix: 82.0% Product Viewed, 1.0% repeated. 40,000 orders, 30,000 reminders." in page
    assert "| Flink, state on the heap | Flink 2.2.1, Java 17.0.15 |" in page
    assert "| processor | Example CPU, 2 cores |" in page
    assert "| profile-ltv, tiny | 2026-01-02T03:04:05 | `python -m bench profile-ltv --cases tiny` |" in page


def test_delivery_is_shown_with_the_ratio_of_its_medians(page: str) -> None:
    assert "| stock Faust | 60,000 | 11,000 (10,000 to 12,000) | 125.0 (120.0 to 130.0) |" in page
    assert "| chunked delivery | 2,000,000 | 385,000 (370,000 to 400,000) | 3.8 (3.5 to 4.0) |" in page
    assert "Ratio of the medians: 35.0." in page


def test_the_newest_result_of_a_case_is_taken_and_quick_ones_are_not(tmp_path: Path) -> None:
    (old,) = [result for result in newest_results(FOLDER) if result.study == "profile-ltv"]
    write_result(old, tmp_path)
    write_result(replace(old, label="newer", began="2026-02-01T00:00:00+00:00"), tmp_path)
    write_result(replace(old, label="quick", began="2026-03-01T00:00:00+00:00", quick=True), tmp_path)

    assert [result.label for result in newest_results(tmp_path)] == ["newer"]


def test_a_quick_result_counts_only_where_there_is_no_other_and_that_is_wanted(tmp_path: Path) -> None:
    (some,) = [result for result in newest_results(FOLDER) if result.study == "delivery"]
    write_result(replace(some, label="quick", began="2026-03-01T00:00:00+00:00", quick=True), tmp_path)
    found = newest_of("delivery", tmp_path)
    write_result(replace(some, label="whole", began="2026-02-01T00:00:00+00:00"), tmp_path)
    whole = newest_of("delivery", tmp_path)

    assert found is not None
    assert found.label == "quick"
    assert whole is not None
    assert whole.label == "whole"
    assert newest_of("latency", tmp_path) is None


def test_no_results_and_results_of_an_unknown_study_are_errors(tmp_path: Path) -> None:
    (some, _) = newest_results(FOLDER)

    with pytest.raises(ValueError, match="make bench"):
        report.compose([])
    with pytest.raises(ValueError, match="unknown studies: telepathy"):
        report.compose([replace(some, study="telepathy")])


def test_the_report_in_the_docs_is_the_one_of_the_committed_results() -> None:
    if report.DOCUMENT.exists():
        assert report.DOCUMENT.read_text() == report.compose(newest_results())
    else:
        assert newest_results() == []


def test_report_and_page_are_written_each_from_its_own_results(tmp_path: Path) -> None:
    document, page = tmp_path / "benchmarks.md", tmp_path / "capacity.md"
    page.write_text("words without a table\n")

    assert report.write(FOLDER, document, page) == [document]
    assert document.read_text() == report.compose(newest_results(FOLDER))
    assert page.read_text() == "words without a table\n"
    with pytest.raises(ValueError, match="make bench"):
        report.write(tmp_path, document, page)


def test_a_result_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    (some, _) = newest_results(FOLDER)
    path = write_result(some, tmp_path)

    assert some == msgspec.json.decode(path.read_bytes(), type=Result)


@pytest.mark.parametrize(
    "module",
    [figures, reference, tables, latencies, schedule, redis_state, arrivals, coefficients, capacity_page],
)
def test_the_examples_in_docstrings_hold(module: ModuleType) -> None:
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS)

    assert found.attempted > 0
    assert found.failed == 0
