"""Metrics: one table; nothing in it that nobody counts, and nothing counted that it does not hold."""

import ast
from pathlib import Path

from streams.metrics import METRICS, Metrics

STREAMS = Path(__file__).parents[2] / "streams"


def names_used() -> set[str]:
    """Metric names in calls like `metrics.count("regulars_...")`, read from the source."""
    used = set()
    for path in STREAMS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"count", "show", "observe"}
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and str(node.args[0].value).startswith("regulars_")
            ):
                used.add(str(node.args[0].value))
    return used


def test_every_metric_of_the_table_is_measured_and_nothing_else_is() -> None:
    assert {metric.name for metric in METRICS} == names_used()


def test_every_metric_says_what_it_means_and_what_to_do() -> None:
    for metric in METRICS:
        assert metric.meaning.endswith("."), metric.name
        assert metric.remedy.endswith((".", ")", "?")), metric.name
        assert metric.name.startswith("regulars_")
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert bool(metric.buckets) == (metric.kind == "histogram"), metric.name


def test_no_label_can_hold_a_customer() -> None:
    labels = {label for metric in METRICS for label in metric.labels}

    assert labels <= {
        "topic",
        "stage",
        "name",
        "reason",
        "source",
        "operation",
        "status",
        "state",
        "condition",
        "outcome",
        "relay",
        "node",
        "result",
        "file",
        "line",
    }


def test_the_page_shows_what_was_counted() -> None:
    metrics = Metrics()
    metrics.count("regulars_events_total", 5, topic="orders")
    metrics.count("regulars_events_total", 2, topic="carts")
    metrics.show("regulars_partitions", 4)
    metrics.observe("regulars_stage_seconds", 0.002, stage="commit")

    page = metrics.page().decode()

    assert 'regulars_events_total{topic="orders"} 5.0' in page
    assert "regulars_partitions 4.0" in page
    assert 'regulars_stage_seconds_bucket{le="0.0025",stage="commit"} 1.0' in page
    assert metrics.total("regulars_events_total") == 7
    assert metrics.value("regulars_events_total", topic="carts") == 2


def test_two_workers_in_one_process_do_not_share_figures() -> None:
    one, other = Metrics(), Metrics()
    one.count("regulars_commits_total")

    assert other.value("regulars_commits_total") == 0


def test_each_process_shows_its_own_metrics_alone() -> None:
    assert "regulars_http_inflight_bytes" in Metrics("serve").page().decode()
    assert "regulars_http_inflight_bytes" not in Metrics().page().decode()
    assert "regulars_partitions" not in Metrics("serve").page().decode()
